package order_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// bought is an order as the model has it.
type bought struct {
	id               id.Order
	listing          int
	quantity         int
	status, previous order.Status
	version          int64
	total, refunded  int64
	reason           string // of its last issue
}

// expected is what the model expects of the ledger after a step.
type expected struct {
	kind     fact.Kind
	order    *bought
	previous order.Status // as the fact shows it
}

// counter is the model of a shop, beside the real one.
type counter struct {
	s        *shop
	listings []inventory.Listing
	orders   []*bought
	expected []expected
}

// edges is the table of transitions, written down once more.
var edges = map[order.Status]map[order.Status]bool{
	order.Confirmed: {order.Accepted: true, order.Issue: true, order.Fulfilled: true, order.Cancelled: true},
	order.Accepted:  {order.Issue: true, order.Fulfilled: true, order.Cancelled: true},
	order.Issue:     {order.Confirmed: true, order.Accepted: true, order.Fulfilled: true, order.Cancelled: true},
	order.Fulfilled: {order.Issue: true, order.Cancelled: true, order.Refunded: true},
	order.Cancelled: {order.Refunded: true},
}

var told = map[order.Status]fact.Kind{
	order.Confirmed: fact.OrderConfirmed, order.Accepted: fact.OrderAccepted, order.Issue: fact.OrderIssueRaised,
	order.Fulfilled: fact.OrderFulfilled, order.Cancelled: fact.OrderCancelled, order.Refunded: fact.RefundCompleted,
}

// TestOrdersAgreeWithTheirModel does at random whatever can be done to orders and compares each step with a model in memory.
func TestOrdersAgreeWithTheirModel(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		n := 0
		rapid.Check(t, func(t *rapid.T) {
			n++
			e := id.Event(fmt.Sprintf("E%d", n))
			s.event(e, "2099-08-14T20:30:00")
			c := &counter{s: s}
			c.listings = append(c.listings,
				s.list(inventory.Input{Event: e, Quantity: 6, Seats: []string{"1", "2", "3", "4", "5", "6"}}),
				s.list(inventory.Input{Event: e, Quantity: 9, Price: "0.01", Section: "GA", Row: "-"}))
			s.log.take()
			t.Repeat(map[string]func(*rapid.T){
				"":       c.agree,
				"place":  c.place,
				"move":   c.move,
				"refund": c.refund,
			})
			c.cancelAll(t)
			c.agree(t)
			s.audit(t)
		})
	})
}

func (c *counter) sold(listing int) int {
	n := 0
	for _, o := range c.orders {
		if o.listing == listing && o.status.Live() {
			n += o.quantity
		}
	}
	return n
}

func (c *counter) place(t *rapid.T) {
	listing := rapid.IntRange(0, len(c.listings)-1).Draw(t, "listing")
	n := rapid.IntRange(1, 4).Draw(t, "quantity")
	l := c.listings[listing]
	r, err := c.s.place(order.Input{Event: l.EventID, Listing: l.ID, Quantity: n})
	if c.sold(listing)+n > l.Total {
		if !problem.Is(err, "not_enough_tickets") {
			t.Fatalf("Place of %d with %d of %d sold = %v, want not_enough_tickets", n, c.sold(listing), l.Total, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("Place of %d with %d of %d sold: %v", n, c.sold(listing), l.Total, err)
	}
	o := &bought{id: r.ID, listing: listing, quantity: n, status: order.Confirmed, version: 1, total: int64(n) * l.Price.Minor}
	c.orders = append(c.orders, o)
	c.expected = append(c.expected, expected{fact.OrderConfirmed, o, ""})
}

func (c *counter) some(t *rapid.T) *bought {
	if len(c.orders) == 0 {
		t.Skip("no order")
	}
	return rapid.SampledFrom(c.orders).Draw(t, "order")
}

// moved is a transition that went through.
func (c *counter) moved(o *bought, to order.Status) {
	c.expected = append(c.expected, expected{told[to], o, o.status})
	o.status, o.previous = to, o.status
	o.version++
}

func (c *counter) move(t *rapid.T) {
	o := c.some(t)
	to := rapid.SampledFrom([]order.Status{order.Confirmed, order.Accepted, order.Issue, order.Fulfilled, order.Cancelled}).Draw(t, "status")
	var err error
	if to == order.Issue {
		reason := rapid.StringMatching(`[a-z]{0,9}`).Draw(t, "reason")
		_, err = c.s.issue(o.id, reason)
		if o.status == order.Issue && reason != o.reason { // which is a change by itself
			o.version++
		}
		if err == nil {
			o.reason = reason
		}
	} else {
		_, err = c.s.set(o.id, to)
	}
	switch {
	case o.status == to:
		if err != nil {
			t.Fatalf("%s again: %v", to, err)
		}
	case !edges[o.status][to]:
		if !problem.Is(err, "invalid_transition") {
			t.Fatalf("%s to %s = %v, want invalid_transition", o.status, to, err)
		}
	case err != nil:
		t.Fatalf("%s to %s: %v", o.status, to, err)
	default:
		c.moved(o, to)
	}
}

func (c *counter) refund(t *rapid.T) {
	o := c.some(t)
	left := o.total - o.refunded
	minor := left
	var text money.Decimal
	if rapid.Bool().Draw(t, "part") {
		minor = rapid.Int64Range(1, left+5).Draw(t, "minor")
		text = money.Decimal(money.Amount{Minor: minor, Currency: "EUR"}.String())
	}
	_, err := c.s.refund(o.id, text)
	switch {
	case left == 0:
		if !problem.Is(err, "nothing_to_refund") {
			t.Fatalf("Refund of nothing = %v, want nothing_to_refund", err)
		}
	case minor > left:
		if !problem.Is(err, "refund_too_large") {
			t.Fatalf("Refund of %d of %d = %v, want refund_too_large", minor, left, err)
		}
	case minor == left && !edges[o.status][order.Refunded]:
		if !problem.Is(err, "invalid_transition") {
			t.Fatalf("Refund of all of a %s order = %v, want invalid_transition", o.status, err)
		}
	case err != nil:
		t.Fatalf("Refund of %d of %d: %v", minor, left, err)
	case minor == left:
		o.refunded = o.total
		c.moved(o, order.Refunded)
	default:
		o.refunded += minor
		o.version++
		c.expected = append(c.expected, expected{fact.RefundCompleted, o, ""})
	}
}

// cancelAll cancels whatever is left, in steps.
func (c *counter) cancelAll(t *rapid.T) {
	l := c.listings[0]
	var progress order.Cancellation
	c.s.write(t, func(tx *db.Tx) (err error) {
		progress, err = c.s.book.StartCancelling(tx, house, l.EventID)
		return err
	})
	for progress.FinishedAt.IsZero() {
		c.s.write(t, func(tx *db.Tx) (err error) {
			progress, err = c.s.book.CancelSome(tx, house, l.EventNo, 2)
			return err
		})
	}
	for _, o := range c.orders {
		if o.status.Live() {
			c.moved(o, order.Cancelled)
		}
	}
}

// agree compares the model with the database and the ledger.
func (c *counter) agree(t *rapid.T) {
	for _, o := range c.orders {
		got := c.s.byID(t, o.id)
		if got.Status != o.status || got.PreviousStatus != o.previous || got.Version != o.version || got.Refunded.Minor != o.refunded ||
			got.Total.Minor != o.total || got.Quantity != o.quantity {
			t.Fatalf("order is %s after %q, version %d, refunded %d of %d; want %s after %q, version %d, %d of %d", got.Status, got.PreviousStatus,
				got.Version, got.Refunded.Minor, got.Total.Minor, o.status, o.previous, o.version, o.refunded, o.total)
		}
	}
	for i, l := range c.listings {
		if got, want := c.s.free(t, l), l.Total-c.sold(i); got != want {
			t.Fatalf("listing %s has %d free, want %d", l.Section, got, want)
		}
	}
	facts := c.s.log.take()
	if len(facts) != len(c.expected) {
		t.Fatalf("%d facts, want %d: %v", len(facts), len(c.expected), c.expected)
	}
	for i, want := range c.expected {
		var snap order.Snapshot
		if err := json.Unmarshal(facts[i].Data, &snap); err != nil {
			t.Fatal(err)
		}
		if facts[i].Kind != want.kind || facts[i].Subject != string(want.order.id) || snap.PreviousStatus != want.previous {
			t.Fatalf("fact %s of %s after %q, want %s of %s after %q", facts[i].Kind, facts[i].Subject, snap.PreviousStatus,
				want.kind, want.order.id, want.previous)
		}
	}
	c.expected = nil
}
