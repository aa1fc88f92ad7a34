package e2e

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// together makes the same call from many callers at once and returns the answers.
func together(t *testing.T, c *harness.Client, n int, method, path string, b func(i int) any) []harness.Answer {
	t.Helper()
	answers := make([]harness.Answer, n)
	var callers sync.WaitGroup
	for i := range n {
		callers.Go(func() {
			a, err := c.Do(t.Context(), method, path, b(i))
			if err != nil {
				t.Errorf("%s %s: %v", method, path, err)
			}
			answers[i] = a
		})
	}
	callers.Wait()
	return answers
}

// However many ask for it at once, an order changes once, with one webhook.
func TestAnOrderChangesOnceHoweverManyAsk(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "portal", nil, "events", []string{"order.accepted", "order.cancelled", "order.refunded"})
		ev := o.event(t)
		l := o.listing(t, ev)
		id := o.order(t, ev, "listingId", l)
		sent := 0
		for _, a := range together(t, o.Client, 20, "PATCH", "/api/v1/orders", func(int) any { return body{"orderId": id, "status": "accepted"} }) {
			if a.Status != 200 {
				t.Errorf("accepting at once: %d %s", a.Status, a.Body)
			} else if at(t, a.Body, "webhook.sent") == true {
				sent++
			}
		}
		if sent != 1 {
			t.Errorf("%d of 20 answers say that a webhook was sent, want one", sent)
		}
		for _, a := range together(t, o.Client, 20, "PATCH", "/api/v1/orders", func(int) any { return body{"orderId": id, "status": "cancelled"} }) {
			if a.Status != 200 {
				t.Errorf("cancelling at once: %d %s", a.Status, a.Body)
			}
		}
		expect(t, o.Call(t, 200, "GET", "/api/v1/inventory/"+l, nil).Body, "quantity", 20) // came back once
		h.await(t, "order.cancelled", 1)
		if n := len(h.All()); n != 2 {
			t.Errorf("%d webhooks came, want 2: %v", n, h.names())
		}
	})
}

// Refunds at once never sum up to more than was paid.
func TestNoMoreIsRefundedThanWasPaid(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		id := o.order(t, ev, "listingId", o.listing(t, ev, "price", "10.00"), "quantity", 1)
		o.move(t, 200, id, "fulfilled")
		refunded := new(big.Rat)
		for _, a := range together(t, o.Client, 20, "POST", "/api/v1/orders/"+id+"/refund", func(int) any { return body{"amount": "0.99"} }) {
			switch a.Status {
			case 200:
				refunded.Add(refunded, big.NewRat(99, 100))
			case 409:
			default:
				t.Errorf("a refund at once: %d %s", a.Status, a.Body)
			}
		}
		if refunded.Cmp(big.NewRat(990, 100)) != 0 {
			t.Errorf("%s were refunded of 10.00 in steps of 0.99", refunded.FloatString(2))
		}
		expect(t, o.Call(t, 200, "GET", "/api/v1/orders/"+id, nil).Body, "refundedAmount", amount("9.90"), "status", "fulfilled")
	})
}

// Changes of one event at once are all made, or refused with 412 where they asked for a version.
func TestChangesAtOnceAreNotLost(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		for i, a := range together(t, o.Client, 10, "PATCH", "/api/v1/events/"+ev, func(i int) any { return body{"category": fmt.Sprint("c", i)} }) {
			if a.Status != 200 {
				t.Errorf("change %d at once: %d %s", i, a.Status, a.Body)
			}
		}
		expect(t, o.Call(t, 200, "GET", "/api/v1/events/"+ev, nil).Body, "version", 11)

		made := 0
		for _, a := range together(t, o.Client, 10, "POST", "/api/v1/events", func(int) any { return newEvent("eventId", "once") }) {
			if a.Status == 201 {
				made++
			} else {
				refused(t, a, 409, "")
			}
		}
		if made != 1 {
			t.Errorf("an event id was given %d times", made)
		}
	})
}

// Sales, cancellations, changes of quantity and of status at once: in the end everything adds up.
func TestStockAddsUpAfterAScramble(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		l := o.listing(t, ev, "quantity", 30)
		var callers sync.WaitGroup
		var mu sync.Mutex
		live := 0
		for i := range 12 {
			callers.Go(func() {
				for n := range 15 {
					a, err := o.Do(t.Context(), "POST", "/api/v1/orders", newOrder(ev, "listingId", l, "quantity", 1+(i+n)%3))
					if err != nil || a.Status != 201 && a.Status != 409 {
						t.Errorf("an order: %d %v %s", a.Status, err, a.Body)
						return
					}
					if a.Status == 409 {
						continue
					}
					var made struct{ Order struct{ OrderID string } }
					_ = json.Unmarshal(a.Body, &made)
					kept := (i+n)%2 == 0
					if !kept {
						if a, err := o.Do(t.Context(), "PATCH", "/api/v1/orders", body{"orderId": made.Order.OrderID, "status": "cancelled"}); err != nil || a.Status != 200 {
							t.Errorf("a cancellation: %d %v %s", a.Status, err, a.Body)
						}
						continue
					}
					mu.Lock()
					live += 1 + (i+n)%3
					mu.Unlock()
				}
			})
		}
		callers.Go(func() {
			for n := range 10 {
				a, err := o.Do(t.Context(), "PATCH", "/api/v1/inventory/"+l, body{"totalQuantity": 30 + n%5})
				if err != nil || a.Status != 200 && a.Status != 409 {
					t.Errorf("a change of quantity: %d %v %s", a.Status, err, a.Body)
				}
			}
		})
		callers.Wait()
		got := o.Call(t, 200, "GET", "/api/v1/inventory/"+l, nil)
		if total, free := number(t, got.Body, "totalQuantity"), number(t, got.Body, "quantity"); total-free != live {
			t.Errorf("%d of %d are free, and %d were sold", free, total, live)
		}
		if live > 34 {
			t.Errorf("%d were sold of 34 at most", live)
		}
		if out := st.Run(t, "audit"); strings.Contains(string(out), "do not agree") {
			t.Errorf("audit: %s", out)
		}
	})
}
