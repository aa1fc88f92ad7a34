// Package crash kills the server at random moments, again and again, and looks whether anything that it had acknowledged is missing.
package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/webhook"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// rounds is how often the server is killed.
func rounds() int {
	if harness.Long() {
		return 50
	}
	return 4
}

// promised is everything that was answered with 2xx.
type promised struct {
	mu       sync.Mutex
	orders   map[string]string // order id -> status that was acknowledged last
	messages map[string]bool   // fact ids
}

func TestWhatWasAcknowledgedSurvivesSIGKILL(t *testing.T) {
	harness.Each(t, true, func(t *testing.T, h *harness.House) {
		slug, key := h.Org(t, "Crash Hall")
		portal, standard := harness.Receive(t, nil), harness.Receive(t, nil)
		for r, format := range map[*harness.Receiver]string{portal: "portal", standard: "standard"} {
			var e struct{ Secret string }
			out := h.Run(t, "endpoint", "create", "--org", slug, "--url", r.URL, "--format", format, "--event", "*", "--json")
			if err := json.Unmarshal(out, &e); err != nil {
				t.Fatalf("endpoint create wrote %s: %v", out, err)
			}
			r.Verify(t, map[string]webhook.Scheme{"portal": webhook.Portal, "standard": webhook.Standard}[format], e.Secret)
		}
		p := &promised{orders: map[string]string{}, messages: map[string]bool{}}
		for round := range rounds() {
			s, err := h.Start()
			if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			if round == 0 {
				furnish(t, s.Client(key))
			}
			load(s, key, p, time.Duration(50+rand.IntN(900))*time.Millisecond)
		}
		s := h.Serve(t)
		check(t, s.Client(key), p, portal, standard)
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if out, diag, err := h.Try("audit"); err != nil {
			t.Errorf("audit: %v\n%s%s", err, out, diag)
		}
		t.Logf("%d orders and %d messages were acknowledged in %d lives", len(p.orders), len(p.messages), rounds()+1)
	})
}

func furnish(t *testing.T, c *harness.Client) {
	t.Helper()
	c.Call(t, 201, "POST", "/api/v1/events", map[string]any{
		"eventId": "CRASH", "name": "Crash Night", "startLocal": "2031-05-01T20:00:00", "timezone": "Europe/Berlin",
		"venue": "Crash Hall", "city": "Berlin", "country": "DE", "currency": "EUR",
	})
	for i := range 4 {
		c.Call(t, 201, "POST", "/api/v1/inventory", map[string]any{"eventId": "CRASH", "section": fmt.Sprint(i), "row": "A", "quantity": 50000, "price": "10.00"})
	}
}

// load makes the server busy and kills it after a while.
func load(s *harness.Server, key string, p *promised, after time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	var callers sync.WaitGroup
	c := s.Client(key)
	for i := range 16 {
		callers.Go(func() {
			for ctx.Err() == nil {
				if i%4 == 3 {
					message(ctx, c, p)
				} else {
					sell(ctx, c, p, i)
				}
			}
		})
	}
	time.Sleep(after)
	s.Kill()
	cancel()
	callers.Wait()
}

func sell(ctx context.Context, c *harness.Client, p *promised, i int) {
	a, err := c.Do(ctx, "POST", "/api/v1/orders", map[string]any{
		"eventId": "CRASH", "section": fmt.Sprint(i % 4), "row": "A", "quantity": 1,
		"customer": map[string]any{"email": "buyer@example.com", "phone": map[string]any{"number": "5551234567", "countryCode": "+1"}},
	})
	if err != nil || a.Status != 201 {
		return
	}
	var made struct{ Order struct{ OrderID string } }
	if json.Unmarshal(a.Body, &made) != nil {
		return
	}
	p.note(made.Order.OrderID, "confirmed")
	for _, status := range []string{"accepted", "fulfilled"} {
		a, err := c.Do(ctx, "PATCH", "/api/v1/orders", map[string]any{"orderId": made.Order.OrderID, "status": status})
		if err != nil || a.Status != 200 {
			return
		}
		p.note(made.Order.OrderID, status)
	}
}

func (p *promised) note(order, status string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.orders[order] = status
}

func message(ctx context.Context, c *harness.Client, p *promised) {
	a, err := c.Do(ctx, "POST", "/api/v1/messages", `{"event":"acme.crash","data":{"a":1}}`)
	if err != nil || a.Status != 202 {
		return
	}
	var made struct{ ID string }
	if json.Unmarshal(a.Body, &made) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.messages[made.ID] = true
}

// reached is how far a status is along its way.
var reached = map[string]int{"confirmed": 1, "accepted": 2, "fulfilled": 3}

// check looks for everything that was promised: in the database, and at the receivers.
func check(t *testing.T, c *harness.Client, p *promised, portal, standard *harness.Receiver) {
	t.Helper()
	for order, status := range p.orders {
		var o struct{ Status string }
		c.Call(t, 200, "GET", "/api/v1/orders/"+order, nil).Decode(t, &o)
		if reached[o.Status] < reached[status] {
			t.Errorf("order %s is %s, and was acknowledged as %s", order, o.Status, status)
		}
	}
	type step struct{ order, event string }
	want := map[step]bool{}
	for order, status := range p.orders {
		for s, n := range reached {
			if n <= reached[status] {
				want[step{order, "order." + s}] = true
			}
		}
	}
	ids := map[step]string{}
	seen := 0
	portal.Await(t, 2*time.Minute, func(all []harness.Got) bool {
		for _, g := range all[seen:] {
			var b struct{ Event, OrderID string }
			_ = json.Unmarshal(g.Body, &b)
			s := step{b.OrderID, b.Event}
			if g.Bad != nil {
				t.Errorf("delivery of %v: %v", s, g.Bad)
			}
			id := g.Header.Get("X-Webhook-Delivery")
			if was := ids[s]; was != "" && was != id {
				t.Errorf("%v came with the delivery ids %s and %s", s, was, id)
			}
			ids[s] = id
			delete(want, s)
		}
		seen = len(all)
		return len(want) == 0
	})
	left := map[string]bool{}
	for id := range p.messages {
		left[id] = true
	}
	seen = 0
	standard.Await(t, 2*time.Minute, func(all []harness.Got) bool {
		for _, g := range all[seen:] {
			delete(left, g.Header.Get("Webhook-Id"))
		}
		seen = len(all)
		return len(left) == 0
	})
}
