package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/live"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

// pulledJSON is an event as the tests' face has it.
func pulledJSON(form string, _ *pull.Endpoint, e pull.Event, p *pull.Payload) ([]byte, error) {
	j := map[string]any{"id": e.ID, "status": e.Status}
	if p != nil {
		j["body"], j["form"] = string(p.Body), form
	}
	return json.Marshal(j)
}

// pull streams an endpoint that the query names, in the form that it names.
func (h *house) pull(w http.ResponseWriter, r *http.Request) error {
	find := func(ctx context.Context) (*pull.Endpoint, error) {
		return h.depot.Get(h.db.Read(ctx), pull.Whose{Org: 1}, id.PullEndpoint(r.URL.Query().Get("of")))
	}
	e, err := find(r.Context())
	if err != nil {
		return err
	}
	return h.streams.Pull(w, r, h.principal(), e, r.URL.Query().Get("form"), func(ctx context.Context) (*access.Principal, *pull.Endpoint, error) {
		p, err := h.look(ctx)
		if err != nil {
			return nil, nil, err
		}
		e, err := find(ctx)
		return p, e, err
	})
}

// spout is a pull endpoint and the secret of its URL.
type spout struct {
	*pull.Endpoint
	h      *house
	secret string
	path   string // of its stream
}

func (h *house) spout() *spout {
	h.t.Helper()
	s := &spout{h: h}
	err := h.db.WriteAlone(h.t.Context(), func(tx *db.Tx) (err error) {
		s.Endpoint, s.secret, err = h.depot.Create(tx, pull.Whose{Org: 1}, pull.Settings{}, audit.By{})
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	s.path = "/pull?of=" + string(s.ID)
	return s
}

func (s *spout) try(body string) (id.Received, error) {
	got, err := s.h.depot.Receive(context.Background(), pull.Inbound{
		Endpoint: string(s.ID), Secret: s.secret, Method: "POST", Header: http.Header{"Content-Type": {"text/plain"}}, Body: []byte(body),
	})
	return got.Event, err
}

func (s *spout) take(body string) string {
	s.h.t.Helper()
	i, err := s.try(body)
	if err != nil {
		s.h.t.Fatal(err)
	}
	return i.String()
}

func (s *spout) takeSome(n int) []string {
	s.h.t.Helper()
	all := make([]string, n)
	for i := range all {
		all[i] = s.take(fmt.Sprint(i))
	}
	return all
}

func (s *spout) change(f func(tx *db.Tx) error) {
	s.h.t.Helper()
	if err := s.h.db.WriteAlone(s.h.t.Context(), f); err != nil {
		s.h.t.Fatal(err)
	}
}

func (s *spout) delete(ids ...string) {
	s.h.t.Helper()
	s.change(func(tx *db.Tx) error {
		for _, one := range ids {
			i, _ := id.ParseReceived(one)
			if _, err := s.h.depot.DeleteEvent(tx, s.Endpoint, i, audit.By{}); err != nil {
				return err
			}
		}
		return nil
	})
}

type pulledEvent struct{ ID, Status, Body, Form string }

// pulled reads the ids of the next n events, which are nothing else.
func pulled(t *testing.T, s *harness.Stream, n int) []string {
	t.Helper()
	var ids []string
	for range n {
		e := s.Must(t)
		var got pulledEvent
		e.Decode(t, &got)
		if e.Type != "" || e.ID != got.ID {
			t.Fatalf("event %s %s %s, want one of the endpoint's under its own id", e.ID, e.Type, e.Data)
		}
		ids = append(ids, got.ID)
	}
	return ids
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: the stream has\n%v\nwant\n%v", what, got, want)
	}
}

func TestAPullEndpointIsFollowed(t *testing.T) {
	each(t, live.Config{Ring: 2}, func(t *testing.T, h *house) {
		e, other := h.spout(), h.spout()
		s := h.open(e.path)
		other.take("theirs")
		ids := e.takeSome(3)
		same(t, "from now on", pulled(t, s, 3), ids)
		last := s.LastID
		s.Close()
		ids = append(ids, e.takeSome(6)...)
		same(t, "gone on with the last id", pulled(t, h.open(e.path, "Last-Event-ID", last), 6), ids[3:])
		same(t, "gone on with after", pulled(t, h.open(e.path+"&after="+ids[0]), 8), ids[1:])
		same(t, "the header counts for more", pulled(t, h.open(e.path+"&after="+ids[0], "Last-Event-ID", ids[6]), 2), ids[7:])
		all := h.open(e.path + "&after=start")
		same(t, "from the start", pulled(t, all, 9), ids)
		fresh := h.open(e.path)
		ids = append(ids, e.takeSome(1)...)
		same(t, "from now on", pulled(t, fresh, 1), ids[9:])
		same(t, "behind the past", pulled(t, all, 1), ids[9:])
		for _, one := range ids {
			i, _ := id.ParseReceived(one)
			if v, err := h.depot.Find(h.db.Read(t.Context()), e.Endpoint, i); err != nil || v.Status != pull.Stored {
				t.Errorf("after it was streamed, %s is %s, %v", one, v.Status, err)
			}
		}
	})
}

// Many post at once while readers come and go: each of them hears of all, once, in the same order.
func TestReadersOfAPullEndpointAgree(t *testing.T) {
	each(t, live.Config{Ring: 8}, func(t *testing.T, h *house) {
		const posters, posts, readers = 8, 40, 4
		e := h.spout()
		start := id.Received{}.String()
		var all sync.WaitGroup
		orders := make([][]string, readers)
		for r := range readers {
			last := start
			all.Go(func() {
				for len(orders[r]) < posters*posts {
					s, err := harness.OpenStream(context.Background(), h.server.Client(), h.server.URL+e.path, "Last-Event-ID", last)
					if err != nil {
						t.Error(err)
						return
					}
					for range min(7+r*50, posters*posts-len(orders[r])) {
						one, err := s.Next()
						if err != nil {
							t.Error(err)
							return
						}
						orders[r], last = append(orders[r], one.ID), one.ID
					}
					s.Close()
				}
			})
		}
		var mu sync.Mutex
		taken := map[string]bool{}
		for range posters {
			all.Go(func() {
				for range posts {
					i, err := e.try("x")
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					taken[i.String()] = true
					mu.Unlock()
				}
			})
		}
		all.Wait()
		for r, order := range orders {
			if !slices.Equal(order, orders[0]) {
				t.Errorf("reader %d has another order than reader 0", r)
			}
			for _, one := range order {
				if !taken[one] {
					t.Errorf("reader %d has %s twice, or it was never taken", r, one)
				}
			}
		}
		seen := map[string]bool{}
		for _, one := range orders[0] {
			seen[one] = true
		}
		if len(seen) != posters*posts {
			t.Errorf("reader 0 has %d different events, want %d", len(seen), posters*posts)
		}
	})
}

func TestAStreamHasPayloadsOnlyWhenAsked(t *testing.T) {
	each(t, live.Config{}, func(t *testing.T, h *house) {
		e := h.spout()
		big := strings.Repeat("x", 100<<10)
		var all []*harness.Stream
		for range 2 {
			all = append(all, h.open(e.path+"&form=payload"), h.open(e.path+"&form=base64"))
		}
		bare := h.open(e.path)
		bodies := []string{"a", "", big, "b"}
		for _, b := range bodies {
			e.take(b)
		}
		all = append(all, h.open(e.path+"&form=payload&after=start"))
		for n, s := range all {
			for _, want := range bodies {
				var got pulledEvent
				one := s.Must(t)
				if one.Decode(t, &got); got.Body != want || (got.Form != "base64") == (n < 4 && n%2 == 1) {
					t.Fatalf("reader %d has %.100s in the form %s, want %.100s", n, got.Body, got.Form, want)
				}
			}
		}
		for range bodies {
			if one := bare.Must(t); strings.Contains(string(one.Data), "body") {
				t.Errorf("a stream without payloads has %.200s", one.Data)
			}
		}
	})
}

// What is deleted before a reader comes to it is out of their reach, though the stream still had it in memory.
func TestAStreamPassesOverWhatWasDeleted(t *testing.T) {
	each(t, live.Config{}, func(t *testing.T, h *house) {
		for _, form := range []string{"", "payload"} {
			e := h.spout()
			path := e.path + "&form=" + form
			s := h.open(path)
			ids := e.takeSome(4)
			same(t, "before", pulled(t, s, 4), ids)
			e.delete(ids[1], ids[3])
			for _, from := range []string{ids[0], ids[1]} { // a deleted one is a place to go on from all the same
				again := h.open(path, "Last-Event-ID", from)
				next := e.take("next")
				same(t, "after the deletion", pulled(t, again, 2), []string{ids[2], next})
				same(t, "who was there", pulled(t, s, 1), []string{next})
				e.delete(next)
			}
		}
	})
}

func TestWhatAPullEndpointDoesNotKeepIsAGap(t *testing.T) {
	each(t, live.Config{}, func(t *testing.T, h *house) {
		e, other := h.spout(), h.spout()
		s := h.open(e.path)
		ids := e.takeSome(5)
		pulled(t, s, 2)
		theirs := other.take("theirs")
		e.change(func(tx *db.Tx) error {
			_, err := tx.Exec("DELETE FROM pull_events WHERE seq IN (SELECT seq FROM pull_events ORDER BY seq LIMIT 3)")
			return err
		})
		for _, asked := range []string{ids[1], theirs, "0197a1c2-5e00-7c31-9a44-1f0b6d2e77aa"} {
			s := h.open(e.path, "Last-Event-ID", asked)
			if g := s.Must(t); g.Type != "gap" || !strings.Contains(string(g.Data), asked) {
				t.Fatalf("after %s comes %s %s, want a gap", asked, g.Type, g.Data)
			}
			same(t, "behind the gap", pulled(t, s, 2), ids[3:])
		}
		if got := h.refused(e.path + "&after=nonsense"); !strings.Contains(got, "400") || !strings.Contains(got, "after") {
			t.Errorf("after what is no id: %s, want 400 and the parameter's name", got)
		}
	})
}

// What an endpoint does not keep for so long any more is out of sight at once, though its rows are still there.
func TestAStreamFollowsItsEndpointsRetention(t *testing.T) {
	each(t, live.Config{}, func(t *testing.T, h *house) {
		e := h.spout()
		old, kept := e.take("old"), e.take("kept")
		e.change(func(tx *db.Tx) error {
			i, _ := id.ParseReceived(old)
			_, err := tx.Exec("UPDATE pull_events SET at = at - $1 WHERE seq = $2", (48 * time.Hour).Microseconds(), i.Seq)
			return err
		})
		e.change(func(tx *db.Tx) error {
			_, err := h.depot.Update(tx, e.Whose, e.ID, func(s *pull.Settings) error { s.RetentionDays = 1; return nil }, 0, audit.By{})
			return err
		})
		same(t, "from the start", pulled(t, h.open(e.path+"&after=start"), 1), []string{kept})
	})
}

func TestAStreamEndsWithItsEndpointOrItsCredential(t *testing.T) {
	each(t, live.Config{Recheck: 20 * time.Millisecond, Heartbeat: time.Hour}, func(t *testing.T, h *house) {
		e, other := h.spout(), h.spout()
		s, theirs := h.open(e.path), h.open(other.path)
		e.change(func(tx *db.Tx) error { return h.depot.Delete(tx, e.Whose, e.ID, 0, audit.By{}) })
		if b := s.Must(t); b.Type != "bye" {
			t.Errorf("when the endpoint is deleted comes %s %s, want bye", b.Type, b.Data)
		}
		one := other.take("x")
		same(t, "another endpoint's stream", pulled(t, theirs, 1), []string{one})
		h.mu.Lock()
		h.still = problem.New(problem.Unauthorized, "invalid_api_key", "Gone.")
		h.mu.Unlock()
		if b := theirs.Must(t); b.Type != "bye" {
			t.Errorf("when the key is revoked comes %s %s, want bye", b.Type, b.Data)
		}
	})
}

// A reader that does not read is let go; meanwhile others are told, and what comes is taken.
func TestAReaderOfAPullEndpointThatDoesNotRead(t *testing.T) {
	metrics := live.NewMetrics()
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.Collectors()...)
	gone := func() float64 {
		all, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			if f.GetName() == "stagedoor_streams_ended_total" {
				return f.GetMetric()[0].GetCounter().GetValue()
			}
		}
		return 0
	}
	each(t, live.Config{Patience: 50 * time.Millisecond, Metrics: metrics}, func(t *testing.T, h *house) {
		e := h.spout()
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", h.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET %s&form=payload HTTP/1.1\r\nHost: x\r\n\r\n", e.path)
		if _, err := conn.Read(make([]byte, 1)); err != nil { // the stream is open; no more of it is read
			t.Fatal(err)
		}
		quick := h.open(e.path)
		big := strings.Repeat("x", 1<<20)
		before := gone()
		for gone() == before {
			one := e.take(big)
			same(t, "who reads", pulled(t, quick, 1), []string{one})
		}
	})
}

func TestStreamsWithPayloadsAreCounted(t *testing.T) {
	each(t, live.Config{PayloadsOfOrg: 2, Payloads: 3}, func(t *testing.T, h *house) {
		e := h.spout()
		path := e.path + "&form=payload"
		first := h.open(path)
		h.open(path)
		if got := h.refused(path); !strings.Contains(got, "429") || !strings.Contains(got, "too_many_streams") {
			t.Errorf("the third of an organisation: %s, want 429", got)
		}
		h.open(e.path) // those without are not
		h.mu.Lock()
		h.who.Org = 2 // whose endpoint it is was asked before
		h.mu.Unlock()
		h.open(path)
		if got := h.refused(path); !strings.Contains(got, "503") {
			t.Errorf("the fourth of the node: %s, want 503", got)
		}
		first.Close()
		for { // its place is free when the server has noticed
			s, err := harness.OpenStream(t.Context(), h.server.Client(), h.server.URL+path)
			if err == nil {
				s.Close()
				break
			}
		}
	})
}
