package live_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/live"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

func dbtestSQLite(t *testing.T) *db.DB { return dbtest.Open(t, dbtest.SQLite(t)) }

func (h *house) whose() inbound.Whose { return inbound.Whose{Org: 1, Account: "usr_a"} }

func inboundID(r *http.Request) id.DevEndpoint { return id.DevEndpoint(r.URL.Query().Get("user_id")) }

func (h *house) dev() *inbound.Endpoint {
	h.t.Helper()
	var e *inbound.Endpoint
	err := h.db.WriteAlone(h.t.Context(), func(tx *db.Tx) (err error) {
		e, err = h.box.Create(tx, h.whose(), inbound.Answer{}, audit.By{})
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

func (h *house) post(e *inbound.Endpoint, n int) {
	h.t.Helper()
	resp, err := http.Post(h.server.URL+"/api/webhook/"+string(e.ID), "application/json", strings.NewReader(fmt.Sprintf(`{"event":"acme.n%d"}`, n)))
	if err != nil {
		h.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		h.t.Fatalf("POST to %s = %d", e.ID, resp.StatusCode)
	}
}

// want reads events with the numbers from first to last.
func want(t *testing.T, s *harness.Stream, first, last int) {
	t.Helper()
	for n := first; n <= last; n++ {
		e := s.Must(t)
		var got struct{ ID, Event, Body string }
		e.Decode(t, &got)
		if name := fmt.Sprintf("acme.n%d", n); e.Type != "" || got.Event != name || got.ID != e.ID || got.Body != `{"event":"`+name+`"}` {
			t.Fatalf("event %s %s %s, want %s", e.ID, e.Type, e.Data, name)
		}
	}
}

func TestADeveloperEndpointIsFollowed(t *testing.T) {
	each(t, live.Config{Ring: 2}, func(t *testing.T, h *house) {
		e, other := h.dev(), h.dev()
		path := "/events?user_id=" + string(e.ID)
		s := h.open(path)
		h.post(other, 9)
		h.post(e, 1)
		want(t, s, 1, 1)
		h.post(e, 2)
		h.post(e, 3)
		want(t, s, 2, 3)
		last := s.LastID
		s.Close()
		for n := 4; n <= 9; n++ {
			h.post(e, n)
		}
		want(t, h.open(path, "Last-Event-ID", last), 4, 9)
		want(t, h.open(path+"&after="+last), 4, 9)
		want(t, h.open(path+"&after=start"), 1, 9)
		fresh := h.open(path)
		h.post(e, 10)
		want(t, fresh, 10, 10)
	})
}

// A reader that has heard nothing yet knows all the same where it was.
func TestAStreamThatIsCutOffBeforeItsFirstEvent(t *testing.T) {
	each(t, live.Config{}, func(t *testing.T, h *house) {
		e := h.dev()
		path := "/events?user_id=" + string(e.ID)
		for n := range 3 {
			resp, err := h.server.Client().Get(h.server.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			begun := ""
			for !strings.Contains(begun, "\n\n") {
				b := make([]byte, 256)
				k, err := resp.Body.Read(b)
				if begun += string(b[:k]); err != nil {
					t.Fatalf("the stream begins with %q, %v", begun, err)
				}
			}
			resp.Body.Close()
			_, after, _ := strings.Cut(begun, "id: ")
			last, _, _ := strings.Cut(after, "\n")
			h.post(e, n)
			want(t, h.open(path, "Last-Event-ID", last), n, n)
		}
	})
}

func TestEventsThatAreNotKeptAreAGap(t *testing.T) {
	each(t, live.Config{}, func(t *testing.T, h *house) {
		e := h.dev()
		path := "/events?user_id=" + string(e.ID)
		s := h.open(path)
		for n := 1; n <= 5; n++ {
			h.post(e, n)
		}
		want(t, s, 1, 2)
		last := s.LastID
		want(t, s, 3, 5)
		err := h.db.WriteAlone(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec("DELETE FROM inbound_events WHERE seq IN (SELECT seq FROM inbound_events ORDER BY seq LIMIT 3)")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, asked := range []string{last, "evt_512f000000000000ff", "nonsense"} {
			s := h.open(path, "Last-Event-ID", asked)
			if g := s.Must(t); g.Type != "gap" || !strings.Contains(string(g.Data), asked) {
				t.Fatalf("after %s comes %s %s, want a gap", asked, g.Type, g.Data)
			}
			want(t, s, 4, 5)
		}
	})
}
