package endpoint_test

import (
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
)

// TestTheSoleEndpointIsMadeOnceAndThenChanged: the second time it is the same one; what is not said of its secret stays, and what its owner paused stays so. It is the oldest of its
// format, and another organisation's is another.
func TestTheSoleEndpointIsMadeOnceAndThenChanged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		put := func(whose endpoint.Whose, url string, secret *string) *endpoint.Endpoint {
			t.Helper()
			var e *endpoint.Endpoint
			in := endpoint.SoleInput{URL: h.url(url), Secret: secret}
			err := h.configure(func(tx *db.Tx) (err error) {
				e, err = h.book.PutSole(tx, whose, "plain", in, audit.By{Actor: "usr_x"})
				return err
			})
			if err != nil {
				t.Fatalf("PutSole(%s): %v", url, err)
			}
			return h.get(e)
		}
		if e, err := h.book.Sole(d.Read(t.Context()), ours, "plain"); e != nil || err != nil {
			t.Errorf("Sole of none = %v, %v", e, err)
		}
		h.create(org, h.spec()) // in another format
		secret, none := "a-project-secret", ""
		first := put(ours, "http://127.0.0.1:9/one", &secret)
		if first.Secret != secret || !first.Options.Ordered || len(first.Events) != 1 || first.Events[0] != endpoint.Wildcard {
			t.Errorf("it is made as %+v", first)
		}
		later := h.spec()
		later.Format = "plain"
		h.create(org, later)
		off := false
		if _, err := h.update(first, endpoint.Change{Active: &off, Events: &[]string{"own.name"}}, 0); err != nil {
			t.Fatal(err)
		}
		second := put(ours, "http://127.0.0.1:9/two", nil)
		if second.ID != first.ID || second.URL != "http://127.0.0.1:9/two" || second.Secret != secret || second.Active || second.Events[0] != endpoint.Wildcard {
			t.Errorf("it is changed to %+v", second)
		}
		if third := put(ours, "http://127.0.0.1:9/two", &none); third.ID != first.ID || third.Secret != "" {
			t.Errorf("without a secret it is %+v", third)
		}
		if e, err := h.book.Sole(d.Read(t.Context()), ours, "plain"); err != nil || e.ID != first.ID {
			t.Errorf("Sole = %v, %v; want the oldest", e, err)
		}
		if e, err := h.book.Sole(d.Read(t.Context()), others, "plain"); e != nil || err != nil {
			t.Errorf("another organisation's is %v, %v", e, err)
		}
	})
}
