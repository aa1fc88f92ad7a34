package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/live"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestFactsAndAttemptsAreTold(t *testing.T) {
	each(t, live.Config{}, func(t *testing.T, h *house) {
		h.deliver()
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
		defer receiver.Close()
		hook := h.hook(1, 0, receiver.URL)
		s := h.open("/stream")
		other := h.open("/stream?attempts=false&kinds=acme.*,order.confirmed")
		h.tell(2, "acme.theirs", `{}`)
		ids := h.tell(1, "acme.paid", "{\"a\":\n [1]}")
		h.tell(1, fact.OrderAccepted, `{}`)

		var f struct {
			ID, Kind, Subject, At string
			Version               int64
			Data                  json.RawMessage
		}
		var told []string
		var a map[string]any
		for len(told) < 3 {
			e := s.Must(t)
			if e.Type == "attempt" {
				a = nil
				e.Decode(t, &a)
				told = append(told, fmt.Sprint(a["event"], " ", a["n"], " ", a["state"], " ", a["status"], " ", a["outcome"], " ", a["webhookId"]))
				continue
			}
			e.Decode(t, &f)
			told = append(told, fmt.Sprint(e.Type, " ", f.Kind, " ", string(f.Data)))
		}
		slices.Sort(told)
		want := []string{
			"acme.paid 1 failed 503 bad_status " + string(hook.ID), `fact acme.paid {"a":[1]}`, "fact order.accepted {}", // pullup is silent about orders
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("the stream (-want +got):\n%s", diff)
		}
		if a["deliveryId"] == "" || a["durationMs"].(float64) <= 0 || a["at"] == "" {
			t.Errorf("the attempt is %v", a)
		}
		h.tell(1, fact.OrderConfirmed, `{}`)
		got := facts(t, other, 2)
		if got[0] != ids[0] {
			t.Errorf("the stream of some kinds begins with %s, want %s", got[0], ids[0])
		}
	})
}

// However a stream is cut off and taken up again, from memory or from the database, everything comes once and in order.
func TestResumingHasNoGapAndNoRepeat(t *testing.T) {
	const most = 240
	each(t, live.Config{Ring: 8, Poll: 20 * time.Millisecond}, func(t *testing.T, h *house) {
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() {
				for i := range most / 4 / 3 {
					h.tell(1, "acme.n", numbered(3)...)
					h.tell(2, "acme.other", `{}`)
					if (i+w)%5 == 0 {
						time.Sleep(time.Millisecond)
					}
				}
			})
		}
		var got []string
		last := "start"
		for cut := 1; len(got) < most; cut = cut%17 + 1 {
			s := h.open("/stream", "Last-Event-ID", last)
			got = append(got, facts(t, s, min(cut, most-len(got)))...)
			last = s.LastID
			s.Close()
		}
		writers.Wait()
		if seen := slices.Compact(slices.Sorted(slices.Values(got))); len(seen) != most {
			t.Errorf("%d facts came, of which %d are different; want all %d once", len(got), len(seen), most)
		}
		if diff := cmp.Diff(facts(t, h.open("/stream?after=start"), most), got); diff != "" {
			t.Errorf("the pieces are not the whole (-whole +pieces):\n%s", diff)
		}
		h.tell(1, "acme.end", `{}`)
		s := h.open("/stream", "Last-Event-ID", last)
		var f struct{ Kind string }
		if s.Must(t).Decode(t, &f); f.Kind != "acme.end" {
			t.Errorf("after all of them comes a %s, want the one that was told since", f.Kind)
		}
	})
}

// Attempts that were settled together have one place: a reader that leaves in the midst of them gets the rest.
func TestResumingInTheMidstOfABatchOfAttempts(t *testing.T) {
	const n = 60
	each(t, live.Config{Ring: 4}, func(t *testing.T, h *house) {
		h.deliver()
		receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		defer receiver.Close()
		h.hook(1, 0, receiver.URL)
		h.tell(1, "acme.n", numbered(n)...)
		seen := map[string]int{}
		last := "start"
		for count := 0; count < n; {
			s := h.open("/stream?kinds=acme.none", "Last-Event-ID", last)
			for range min(7, n-count) {
				e := s.Must(t)
				var a struct{ DeliveryID, State, Outcome string }
				if e.Decode(t, &a); e.Type != "attempt" || a.State != "delivered" || a.Outcome != "ok" {
					t.Fatalf("event %s %s, want an attempt that arrived", e.Type, e.Data)
				}
				seen[a.DeliveryID]++
				count++
			}
			last = s.LastID
			s.Close()
		}
		if len(seen) != n {
			t.Errorf("%d different attempts of %d were told", len(seen), n)
		}
	})
}

// On PostgreSQL a fact may become visible after one that was written down later. A reader waits for it.
func TestNothingIsPassedOver(t *testing.T) {
	each(t, live.Config{Poll: 20 * time.Millisecond}, func(t *testing.T, h *house) {
		if h.db.Engine() == db.SQLite {
			t.Skip("there is one writer")
		}
		s := h.open("/stream")
		begun, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		var early string
		go func() {
			done <- h.db.WriteAlone(context.Background(), func(tx *db.Tx) error {
				f := &fact.Fact{Org: 1, Kind: "acme.early", Data: []byte(`{}`), Private: true}
				err := h.ledger.Append(tx, f)
				if _, flushed := tx.Exec("SELECT pg_current_xact_id()"); err == nil {
					err = flushed
				}
				early = f.ID.String()
				close(begun)
				<-end
				return err
			})
		}()
		<-begun
		late := h.tell(1, "acme.late", `{}`)
		h.tell(2, "acme.theirs", `{}`)
		close(end)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		got := facts(t, s, 2)
		if want := []string{early, late[0]}; !slices.Equal(got, want) {
			t.Errorf("the stream has %v, want %v", got, want)
		}
	})
}

func TestEnvelopesAreThoseOfTheFormat(t *testing.T) {
	each(t, live.Config{}, func(t *testing.T, h *house) {
		s := h.open("/stream?format=pullup&events=acme.paid,event.updated")
		all := h.open("/stream?format=pullup")
		h.tell(1, fact.OrderAccepted, `{}`) // pullup is silent about it
		h.tell(1, "acme.other", `{}`)
		ids := h.tell(1, "acme.paid", "{\"a\":\n\"ü&<\"}")
		for _, want := range []struct {
			s    *harness.Stream
			skip int
		}{{s, 0}, {all, 1}} {
			for range want.skip {
				want.s.Must(t)
			}
			e := want.s.Must(t)
			var got struct{ ID, Event, ContentType, Body string }
			e.Decode(t, &got)
			if e.Type != "envelope" || got.ID != ids[0] || got.Event != "acme.paid" || got.ContentType != "application/json" ||
				!strings.HasPrefix(got.Body, `{"id":"`+ids[0]+`","event":"acme.paid","created_at":"`) || !strings.HasSuffix(got.Body, "\"data\":{\"a\":\n\"ü&<\"}}") {
				t.Errorf("%s: %s", e.Type, e.Data)
			}
		}
	})
}

// An app is told of what it was allowed, and of the attempts to its own webhooks.
func TestAppsAreToldOfWhatTheyMaySee(t *testing.T) {
	each(t, live.Config{}, func(t *testing.T, h *house) {
		h.deliver()
		receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		defer receiver.Close()
		h.who = access.Principal{Org: 1, Credential: "gnt_a", GrantNo: 7, Scopes: scope.Of(scope.WebhooksManage) | scope.Of(scope.EventsRead), Allowed: scope.All()}
		theirs, own := h.hook(1, 0, receiver.URL), h.hook(1, 7, receiver.URL)
		s := h.open("/stream")
		h.tell(1, fact.OrderAccepted, `{}`)
		h.tell(1, fact.AccessReuseDetected, `{}`)
		h.tell(1, "acme.paid", `{}`)
		h.tell(1, fact.PoolReopened, `{}`)
		seen := map[string]bool{}
		for len(seen) < 4 {
			e := s.Must(t)
			var j struct{ Kind, WebhookID, Event string }
			e.Decode(t, &j)
			if j.Kind == string(fact.OrderAccepted) || j.Kind == string(fact.AccessReuseDetected) || j.WebhookID == string(theirs.ID) {
				t.Errorf("the app is told of %s", e.Data)
			}
			seen[j.Kind+j.WebhookID+j.Event] = true
		}
		for _, want := range []string{"acme.paid", string(fact.PoolReopened), string(own.ID) + "acme.paid", string(own.ID) + "event.updated"} {
			if !seen[want] {
				t.Errorf("the app is not told of %s, but of %v", want, seen)
			}
		}
	})
}

// A reader that does not read is no burden: others hear at once, and it is let go.
func TestASlowReaderHoldsUpNobody(t *testing.T) {
	each(t, live.Config{Patience: time.Second}, func(t *testing.T, h *house) {
		slow, err := net.Dial("tcp", strings.TrimPrefix(h.server.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Close()
		fmt.Fprintf(slow, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
		s := h.open("/stream")
		big := `{"a":"` + strings.Repeat("x", 200<<10) + `"}`
		const n = 100 // more than both sides' buffers hold
		for range n {
			h.tell(1, "acme.big", big)
		}
		for left := n; left > 0; { // on a machine that is busy this one may be let go too, and comes back
			if e, err := s.Next(); err != nil {
				s = h.open("/stream", "Last-Event-ID", s.LastID)
			} else if e.Type == "fact" {
				left--
			}
		}
		counted := prometheus.NewRegistry()
		counted.MustRegister(h.streams.Metrics.Collectors()...)
		for letGo := false; !letGo; time.Sleep(5 * time.Millisecond) {
			all, err := counted.Gather()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range all {
				letGo = letGo || f.GetName() == "stagedoor_streams_ended_total" && strings.Contains(f.String(), `"slow"`)
			}
		}
	})
}

func TestAStreamEndsWithItsCredential(t *testing.T) {
	each(t, live.Config{Recheck: 10 * time.Millisecond}, func(t *testing.T, h *house) {
		s := h.open("/stream")
		h.tell(1, "acme.n", `{}`)
		facts(t, s, 1)
		h.mu.Lock()
		h.still = access.Invalid("It was revoked.")
		h.mu.Unlock()
		if e := s.Must(t); e.Type != "bye" || len(e.Data) != 0 {
			t.Errorf("the stream's last event is %s %q, want bye without data", e.Type, e.Data)
		}
		if _, err := s.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("after bye: %v, want the end", err)
		}
	})
}

func TestStreamsEndWhenTheServerStops(t *testing.T) {
	each(t, live.Config{}, func(t *testing.T, h *house) {
		s := h.open("/stream")
		h.stop()
		if e := s.Must(t); e.Type != "bye" {
			t.Errorf("the stream's last event is %s, want bye", e.Type)
		}
		if s.LastID == "" {
			t.Error("the stream has not said where it was")
		}
	})
}

func TestASilentStreamSaysThatItLives(t *testing.T) {
	each(t, live.Config{Heartbeat: 5 * time.Millisecond}, func(t *testing.T, h *house) {
		req, err := http.NewRequestWithContext(t.Context(), "GET", h.server.URL+"/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := h.server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		got := ""
		for strings.Count(got, ": heartbeat\nid: ") < 3 {
			b := make([]byte, 512)
			n, err := resp.Body.Read(b)
			if got += string(b[:n]); err != nil {
				t.Fatalf("the stream ended with %v after %q", err, got)
			}
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	each(t, live.Config{PerCredential: 2, Most: 3}, func(t *testing.T, h *house) {
		first := h.open("/stream")
		h.open("/stream")
		if why := h.refused("/stream"); !strings.Contains(why, "= 429") || !strings.Contains(why, "too_many_streams") {
			t.Errorf("the third stream of a credential: %s", why)
		}
		h.who.Credential = "key_b"
		h.open("/stream")
		if why := h.refused("/stream"); !strings.Contains(why, "= 503") {
			t.Errorf("the fourth stream: %s", why)
		}
		first.Close()
		for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if s, err := harness.OpenStream(t.Context(), h.server.Client(), h.server.URL+"/stream"); err == nil {
				s.Close()
				return
			}
		}
		t.Error("the place of a stream that has ended is not given to another")
	})
}

func TestWhatIsWrongWithARequestIsSaid(t *testing.T) {
	h := newHouse(t, dbtestSQLite(t), live.Config{})
	for query, want := range map[string]string{
		"?format=none":                         "unknown_format",
		"?kinds=order.nothing":                 "unknown_kind",
		"?kinds=order":                         "unknown_kind",
		"?kinds=a":                             "unknown_kind",
		"?events=acme.paid":                    "no_format",
		"?format=pullup&events=order.accepted": "unknown_event",
		"?attempts=maybe":                      "wrong_type",
		"?after=yesterday":                     "unknown_place",
		"?after=0-0-1":                         "unknown_place",
	} {
		if why := h.refused("/stream" + query); !strings.Contains(why, "= 400") || !strings.Contains(why, want) {
			t.Errorf("GET /stream%s: %s; want %s", query, why, want)
		}
	}
	if why := h.refused("/stream", "Last-Event-ID", "evt_1"); !strings.Contains(why, "unknown_place") || !strings.Contains(why, "Last-Event-ID") {
		t.Errorf("a Last-Event-ID that is none of ours: %s", why)
	}
	for _, query := range []string{"", "?kinds=*", "?kinds=order.*,acme.paid,acme.*", "?format=pullup&events=*&attempts=true", "?after=start"} {
		h.open("/stream" + query).Close()
	}
}

// After a restore the log may be shorter than a reader remembers.
func TestAPlaceBeyondTheEndIsAGap(t *testing.T) {
	each(t, live.Config{}, func(t *testing.T, h *house) {
		s := h.open("/stream", "Last-Event-ID", "zz-0-0_zz-0-0_t00000")
		e := s.Must(t)
		if e.Type != "gap" || !strings.Contains(string(e.Data), `"after":"zz-0-0_zz-0-0_t00000"`) || s.LastID == "" {
			t.Errorf("the stream begins with %s %s, id %s; want a gap", e.Type, e.Data, s.LastID)
		}
		h.tell(1, "acme.n", `{}`)
		facts(t, s, 1)
	})
}
