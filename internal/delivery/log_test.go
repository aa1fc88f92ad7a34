package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// changing renders other bytes every time, as when people's data is changed.
func changing() plain {
	var n atomic.Int64
	return plain{delays: []time.Duration{50 * time.Millisecond, 50 * time.Millisecond}, render: func(f *fact.Fact) ([]byte, error) {
		return fmt.Appendf(nil, `{"n":%d,"made":%d}`, f.ID.Seq, n.Add(1)), nil
	}}
}

func TestRetrySendsTheKeptBytesWhateverHasChanged(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, func(c *delivery.Config) { c.Dialects = []delivery.Dialect{changing()} })
		r := receive(t, func(g received) int {
			if g.try < 3 {
				return 500
			}
			return 200
		})
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 1)
		rec := h.settled(e, "delivered", 1)[0]
		got := r.await(t, 3)
		for i, a := range rec.Attempts {
			if got[i].body != got[0].body {
				t.Errorf("attempt %d sent %s, the first %s", i+1, got[i].body, got[0].body)
			}
			if string(a.RequestBody) != got[i].body || !a.Exact {
				t.Errorf("the log of attempt %d shows %s, exact %v; want %s as sent", i+1, a.RequestBody, a.Exact, got[i].body)
			}
		}
	})
}

// The same holds when an endpoint that gets the fact for the first time shares it in memory.
func TestKeptBytesAreNotMixedWithThoseMadeNow(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		dialect := changing()
		dialect.delays = []time.Duration{time.Hour}
		use := func(c *delivery.Config) { c.Dialects = []delivery.Dialect{dialect} }
		h := open(t, d, use)
		answer := func(g received) int {
			if g.try == 1 {
				return 500
			}
			return 200
		}
		fresh, again := receive(t, nil), receive(t, answer)
		off, on := false, true
		a := h.subscribe(again.URL, endpoint.Options{})
		var others []*endpoint.Endpoint // so many that one of them comes first
		for range 8 {
			b := h.subscribe(fresh.URL, endpoint.Options{})
			h.change(b, endpoint.Change{Active: &off})
			others = append(others, b)
		}
		h.publish("", 1)
		eventually(t, "the first attempt is settled", func() bool {
			n, err := db.One(d.Read(t.Context()), db.Value[int], "SELECT count(*) FROM envelopes")
			return err == nil && n == 1
		})
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		for _, b := range others {
			h.change(b, endpoint.Change{Active: &on})
		}
		which := h.settled(a, "pending", 1)[0].ID
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			for _, b := range others {
				if _, err := h.engine.Recover(tx, b, time.Time{}); err != nil {
					return err
				}
			}
			return h.engine.Redeliver(tx, a, which)
		}); err != nil {
			t.Fatal(err)
		}
		next := open(t, d, use)
		next.settled(a, "delivered", 1)
		for _, b := range others {
			next.settled(b, "delivered", 1)
		}
		if got := again.await(t, 2); got[1].body != got[0].body {
			t.Errorf("the second attempt sent %s, the first %s", got[1].body, got[0].body)
		}
	})
}

func TestLogSaysWhenItCannotShowWhatWasSent(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, func(c *delivery.Config) { c.Dialects = []delivery.Dialect{changing()} })
		r := receive(t, nil)
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 1)
		if a := h.settled(e, "delivered", 1)[0].Attempts[0]; a.Exact || a.RequestBody == nil {
			t.Errorf("the log shows %s, exact %v; want what would be sent now, not exact", a.RequestBody, a.Exact)
		}
	})
}

func TestErasedDataIsNotSentAgain(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, nil)
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 1)
		rec := h.settled(e, "delivered", 1)[0]
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			return errors.Join(ledger.Erase(tx, org, []int64{rec.ID.Seq}), h.engine.Redeliver(tx, e, rec.ID))
		}); err != nil {
			t.Fatal(err)
		}
		again := h.settled(e, "failed", 1)[0]
		if a := again.Attempts[len(again.Attempts)-1]; a.Code != "erased" || a.RequestBody != nil {
			t.Errorf("the last attempt is %+v, want code erased without a body", a)
		}
		if got := r.await(t, 1); len(got) != 1 {
			t.Errorf("%d requests, want 1", len(got))
		}
		h.audited()
	})
}

func TestOwnersHeadersAreSentAndNotKeptInClear(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, func(c *delivery.Config) { c.Dialects = []delivery.Dialect{plain{}} })
		r := receive(t, func(received) int { return 500 })
		e := h.subscribe(r.URL, endpoint.Options{Headers: map[string]string{"X-Token": "hunter2", "Authorization": "Bearer hunter3"}})
		h.publish("", 1)
		if g := r.await(t, 1)[0]; g.header.Get("X-Token") != "hunter2" || g.header.Get("Authorization") != "Bearer hunter3" {
			t.Errorf("sent with %v, want the owner's headers", g.header)
		}
		rec := h.settled(e, "failed", 1)[0]
		if head := rec.Attempts[0].RequestHead; !strings.Contains(head, "X-Token: hunter2\n") || strings.Contains(head, "hunter3") {
			t.Errorf("the log shows\n%s\nwant X-Token as it is set now, and no Authorization", head)
		}
		kept, err := db.One(d.Read(t.Context()), db.Value[string], "SELECT request_head FROM attempts")
		if err != nil || strings.Contains(kept, "hunter") || !strings.Contains(kept, "X-Token: [not kept]") {
			t.Errorf("kept is %q, %v; want no value of the owner's", kept, err)
		}
	})
}

func TestAnswersOfPrivateNetworksCanBeLeftOut(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, func(c *delivery.Config) { c.PublicAnswersOnly = true })
		r := receive(t, nil)
		r.header.Set("Retry-After", "secret")
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 1)
		if a := h.settled(e, "delivered", 1)[0].Attempts[0]; a.Status != 200 || a.ResponseHead != "" || a.ResponseBody != nil {
			t.Errorf("the log shows %+v, want the status only", a)
		}
	})
}

func TestLogIsFilteredAndPaged(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, nil)
		e := h.subscribe(r.URL, endpoint.Options{})
		const n = 250
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			for i := range n {
				kind := fact.Kind("acme.often")
				if i%50 == 7 {
					kind = "acme.seldom"
				}
				if err := h.ledger.Append(tx, &fact.Fact{Org: org, Kind: kind, Data: []byte("{}")}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all are delivered", func() bool { return h.count("delivered") == n })
		for _, c := range []struct {
			filter delivery.Filter
			want   int
		}{
			{delivery.Filter{Event: "acme.seldom", Limit: 2}, 5},
			{delivery.Filter{Event: "acme.often", Limit: 100}, n - 5},
			{delivery.Filter{Event: "acme.never", Limit: 10}, 0},
			{delivery.Filter{State: "delivered", Limit: 70}, n},
			{delivery.Filter{State: "failed", Limit: 70}, 0},
			{delivery.Filter{Until: time.Now().Add(-time.Hour), Limit: 70}, 0},
		} {
			got, last := 0, int64(1)<<62
			for f, more := c.filter, true; more; {
				var page []delivery.Record
				var err error
				if page, more, err = h.engine.List(context.Background(), e, f); err != nil {
					t.Fatalf("List(%+v): %v", f, err)
				}
				if more && len(page) != c.filter.Limit {
					t.Errorf("List(%+v) gives %d of %d and says that there are more", f, len(page), c.filter.Limit)
				}
				for _, r := range page {
					if r.ID.Seq >= last || c.filter.Event != "" && r.Event != c.filter.Event {
						t.Errorf("List(%+v) gives %d %s after %d", f, r.ID.Seq, r.Event, last)
					}
					last = r.ID.Seq
				}
				got, f.Before = got+len(page), last
			}
			if got != c.want {
				t.Errorf("List(%+v) gives %d in all, want %d", c.filter, got, c.want)
			}
		}
		if _, _, err := h.engine.List(t.Context(), e, delivery.Filter{State: "lost", Limit: 1}); !problem.Is(err, "invalid_state") {
			t.Errorf("List of a state that is none: %v, want invalid_state", err)
		}
	})
}

// Another organisation, or another endpoint of the same, sees nothing and moves nothing.
func TestDeliveriesBelongToTheirEndpoint(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, nil)
		mine, other := h.subscribe(r.URL, endpoint.Options{}), h.subscribe(r.URL, endpoint.Options{}, "acme.else")
		h.publish("", 1)
		rec := h.settled(mine, "delivered", 1)[0]
		stranger := *mine
		stranger.Org++
		for who, e := range map[string]*endpoint.Endpoint{"another endpoint": other, "another organisation": &stranger} {
			if _, err := h.engine.Lookup(t.Context(), e, rec.ID); !problem.Is(err, "delivery_not_found") {
				t.Errorf("Lookup for %s: %v, want delivery_not_found", who, err)
			}
			err := d.Write(t.Context(), "", func(tx *db.Tx) error { return h.engine.Redeliver(tx, e, rec.ID) })
			if !problem.Is(err, "delivery_not_found") {
				t.Errorf("Redeliver for %s: %v, want delivery_not_found", who, err)
			}
			if page, _, err := h.engine.List(t.Context(), e, delivery.Filter{Limit: 9}); err != nil || len(page) > 0 {
				t.Errorf("List for %s = %v, %v; want nothing", who, page, err)
			}
			var n int
			if err := d.Write(t.Context(), "", func(tx *db.Tx) (err error) {
				n, err = h.engine.Recover(tx, e, time.Time{})
				return err
			}); err != nil || n != 0 {
				t.Errorf("Recover for %s = %d, %v; want 0", who, n, err)
			}
		}
	})
}
