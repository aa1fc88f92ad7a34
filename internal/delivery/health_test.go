package delivery_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

// persistent tries again and again, ten times a second.
func persistent() plain {
	return plain{delays: slices.Repeat([]time.Duration{100 * time.Millisecond}, 32)}
}

// impatient tells and disables soon.
func impatient(c *delivery.Config) {
	c.Dialects = []delivery.Dialect{persistent()}
	c.Patience, c.GiveUp = 200*time.Millisecond, time.Second
	c.CircuitMin = 1000
}

// watch subscribes somebody to what is told of endpoints.
func (h *house) watch(t *testing.T) *receiver {
	r := receive(t, nil)
	h.subscribe(r.URL, endpoint.Options{}, string(fact.EndpointFailing), string(fact.EndpointDisabled), string(fact.EndpointRecovered))
	return r
}

// told are the events that a watcher got about an endpoint, in order.
func told(got []received) (events []string, last map[string]any) {
	for _, g := range got {
		events = append(events, g.header.Get("X-Webhook-Event"))
		last = nil
		_ = json.Unmarshal([]byte(g.body), &last)
	}
	return events, last
}

func TestEndpointThatOnlyFailsIsToldOfAndThenDisabled(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, impatient)
		watcher := h.watch(t)
		r := receive(t, func(received) int { return 500 })
		e := h.subscribe(r.URL, endpoint.Options{}, "acme.happened")
		h.publish("", 1)
		events, last := told(watcher.await(t, 2))
		if want := []string{"endpoint.failing", "endpoint.disabled"}; !slices.Equal(events, want) {
			t.Errorf("the owner was told %q, want %q", events, want)
		}
		if last["webhookId"] != string(e.ID) || last["reason"] != "failing" || last["lastError"] != "HTTP status 500" {
			t.Errorf("endpoint.disabled says %v, want the endpoint, the reason and the last error", last)
		}
		h.settled(e, "skipped", 1) // its retry
		h.publish("", 2)
		h.settled(e, "skipped", 2)

		// Enabled again it has all the time anew: one more failure does not disable it.
		on := true
		if err := d.Configure(t.Context(), func(tx *db.Tx) (err error) {
			e, err = h.book.Update(tx, ours, e.ID, endpoint.Change{Active: &on}, 0, audit.By{})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if !e.FailingSince.IsZero() {
			t.Errorf("enabled again it still fails since %v", e.FailingSince)
		}
		if failing, err := h.book.Failing(d.Read(t.Context()), e.Number); err != nil || failing {
			t.Errorf("Failing after it was enabled = %v, %v; want false", failing, err)
		}
	})
}

func TestRecoveryIsToldToWhoeverWasToldOfFailures(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, func(c *delivery.Config) { impatient(c); c.GiveUp = time.Hour })
		watcher := h.watch(t)
		var well atomic.Bool
		r := receive(t, func(received) int {
			if well.Load() {
				return 200
			}
			return 503
		})
		e := h.subscribe(r.URL, endpoint.Options{}, "acme.happened")
		h.publish("", 1)
		watcher.await(t, 1)
		well.Store(true)
		h.settled(e, "delivered", 1)
		if events, _ := told(watcher.await(t, 2)); !slices.Equal(events, []string{"endpoint.failing", "endpoint.recovered"}) {
			t.Errorf("the owner was told %q, want endpoint.failing and endpoint.recovered", events)
		}
		eventually(t, "nothing is remembered", func() bool {
			failing, err := h.book.Failing(d.Read(t.Context()), e.Number)
			return err == nil && !failing
		})
	})
}

// A success that another node, or this one before it started anew, did not know of takes the failures away.
func TestAnySuccessEndsTheFailures(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, nil)
		e := h.subscribe(r.URL, endpoint.Options{})
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			_, err := h.book.NoteFailure(tx, e, "HTTP status 500", time.Hour)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		h.publish("", 1)
		eventually(t, "nothing is remembered", func() bool {
			failing, err := h.book.Failing(d.Read(t.Context()), e.Number)
			return err == nil && !failing
		})
	})
}

func TestOurOwnMistakesDoNotCountAgainstTheEndpoint(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		broken := plain{render: func(f *fact.Fact) ([]byte, error) {
			if strings.Contains(string(f.Data), `"n":13}`) {
				panic("unlucky")
			}
			return f.Data, nil
		}}
		h := open(t, d, func(c *delivery.Config) {
			c.Dialects, c.GiveUp, c.CircuitMin = []delivery.Dialect{broken}, time.Nanosecond, 1
		})
		r := receive(t, nil)
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 13)
		rec := h.settled(e, "failed", 1)[0]
		if a := rec.Attempts[0]; a.Code != "internal" || a.RequestBody != nil {
			t.Errorf("the attempt is %+v, want code internal and nothing sent", a)
		}
		h.publish("", 13)
		h.settled(e, "failed", 2)
		h.publish("", 14)
		h.settled(e, "delivered", 1)
		if now, err := h.book.Get(d.Read(t.Context()), ours, e.ID); err != nil || !now.Enabled() || !now.FailingSince.IsZero() {
			t.Errorf("the endpoint is %+v, %v; want it well", now, err)
		}
	})
}

func TestReceiverCanAbort(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		r := receive(t, func(received) int { return 400 })
		r.header.Set("Webhook-Delivery", "abort-message")
		e := h.subscribe(r.URL, endpoint.Options{})
		h.publish("", 1)
		if rec := h.settled(e, "failed", 1)[0]; len(rec.Attempts) != 1 {
			t.Errorf("%d attempts, want 1: the receiver wanted no other", len(rec.Attempts))
		}
		if now, err := h.book.Get(d.Read(t.Context()), ours, e.ID); err != nil || !now.Enabled() {
			t.Errorf("the endpoint is %+v, %v; want it enabled: only the message was refused", now, err)
		}
	})
}

// Security checklist, line 30. The huge ones would wait a day, so only what must not matter is tried.
func TestSillyRetryAfterChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d, nil)
		values := []string{"-1", "NaN", "inf", "1e300", "0", "Thu, 01 Jan 1970 00:00:00 GMT", "soon", ""}
		r := receive(t, nil)
		r.answer = func(g received) int {
			if g.try == 1 {
				return http.StatusServiceUnavailable
			}
			return 200
		}
		e := h.subscribe(r.URL, endpoint.Options{})
		for i, v := range values {
			r.mu.Lock()
			r.header.Set("Retry-After", v)
			r.mu.Unlock()
			h.publish("", i)
			h.settled(e, "delivered", i+1)
		}
	})
}
