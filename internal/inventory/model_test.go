package inventory_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// offer is a listing as the model has it.
type offer struct {
	id     id.Listing
	total  int
	seated bool
	rule   inventory.Rule
	status inventory.Status // as asked for: sold_out follows
	taken  map[int]bool     // ordinals
}

func (o *offer) left() int { return o.total - len(o.taken) }

func (o *offer) shown() inventory.Status {
	if o.status == inventory.Active && o.left() == 0 {
		return inventory.SoldOut
	}
	return o.status
}

func (o *offer) free() int {
	if o.status != inventory.Active {
		return 0
	}
	return o.left()
}

// lowest are the n ordinals that come next.
func (o *offer) lowest(n int) []int {
	var all []int
	for i := 0; len(all) < n; i++ {
		if !o.taken[i] {
			all = append(all, i)
		}
	}
	return all
}

// sale is what an order has of an offer.
type sale struct {
	offer *offer
	inventory.Return
}

// world is the model of one event's stock, beside the real one.
type world struct {
	s         *store
	event     event.Event
	offers    []*offer
	sales     []sale
	exhausted bool
}

// TestStockAgreesWithItsModel does at random whatever can be done to an event's stock and compares each step with a model in memory.
func TestStockAgreesWithItsModel(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		n := 0
		rapid.Check(t, func(t *rapid.T) {
			n++
			w := &world{s: s, event: s.event(id.Event(fmt.Sprintf("E%d", n)))}
			t.Repeat(map[string]func(*rapid.T){
				"":        w.agree,
				"list":    w.list,
				"take":    w.take,
				"release": w.release,
				"total":   w.total,
				"status":  w.status,
			})
			s.audit(t)
		})
	})
}

func (w *world) list(t *rapid.T) {
	if len(w.offers) == 5 {
		t.Skip("enough listings")
	}
	o := &offer{
		total:  rapid.IntRange(1, 8).Draw(t, "total"),
		seated: rapid.Bool().Draw(t, "seated"),
		rule:   rapid.SampledFrom([]inventory.Rule{inventory.Any, inventory.Any, inventory.None, inventory.AvoidOne, inventory.AvoidOneAndThree, inventory.Pairs}).Draw(t, "rule"),
		status: rapid.SampledFrom([]inventory.Status{inventory.Active, inventory.Active, inventory.Paused, inventory.Draft}).Draw(t, "status"),
		taken:  map[int]bool{},
	}
	in := inventory.Input{Event: w.event.ID, Section: "S", Row: fmt.Sprint(len(w.offers)), Quantity: o.total, Price: "10", SplitRule: o.rule, Status: o.status}
	if o.seated {
		in.Seats = labels(o.total)
	}
	l, err := w.s.create(in)
	if err != nil {
		t.Fatalf("Create(%+v): %v", in, err)
	}
	o.id = l.ID
	w.offers = append(w.offers, o)
}

func labels(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(i + 1)
	}
	return all
}

func (w *world) some(t *rapid.T) *offer {
	if len(w.offers) == 0 {
		t.Skip("no listing")
	}
	return rapid.SampledFrom(w.offers).Draw(t, "listing")
}

func (w *world) take(t *rapid.T) {
	o := w.some(t)
	n := rapid.IntRange(1, 5).Draw(t, "quantity")
	r, p, err := w.s.take(w.event.ID, inventory.Want{Listing: o.id, Quantity: n})
	switch {
	case o.status != inventory.Active:
		if !problem.Is(err, "listing_not_on_sale") {
			t.Fatalf("taking %d of a %s listing = %v, want listing_not_on_sale", n, o.status, err)
		}
		return
	case n > o.left():
		if !problem.Is(err, "not_enough_tickets") {
			t.Fatalf("taking %d of %d = %v, want not_enough_tickets", n, o.left(), err)
		}
		return
	case !slices.Contains(inventory.AllowedQuantities(o.rule, o.left()), n):
		if !problem.Is(err, "split_not_allowed") {
			t.Fatalf("taking %d of %d with rule %s = %v, want split_not_allowed", n, o.left(), o.rule, err)
		}
		return
	case err != nil:
		t.Fatalf("taking %d of %d: %v", n, o.left(), err)
	}
	if want := o.lowest(n); !slices.Equal(p.Ordinals, want) {
		t.Fatalf("took %v, want the lowest free, %v", p.Ordinals, want)
	}
	for i, ordinal := range p.Ordinals {
		o.taken[ordinal] = true
		if o.seated && p.Seats[i] != fmt.Sprint(ordinal+1) {
			t.Fatalf("unit %d has seat %s", ordinal, p.Seats[i])
		}
	}
	w.sales = append(w.sales, sale{o, r})
}

func (w *world) release(t *rapid.T) {
	if len(w.sales) == 0 {
		t.Skip("nothing sold")
	}
	i := rapid.IntRange(0, len(w.sales)-1).Draw(t, "order")
	sold := w.sales[i]
	w.s.release(t, w.event.ID, sold.Return)
	for _, ordinal := range sold.Ordinals {
		delete(sold.offer.taken, ordinal)
	}
	w.sales = slices.Delete(w.sales, i, i+1)
}

func (w *world) total(t *rapid.T) {
	o := w.some(t)
	n := rapid.IntRange(1, 12).Draw(t, "total")
	p := inventory.Patch{Total: &n}
	if o.seated && n > o.total {
		p = inventory.Patch{Seats: labels(n)}
	}
	_, err := w.s.update(o.id, p)
	soldBehind := false // a seat that would fall off the end
	for ordinal := range o.taken {
		soldBehind = soldBehind || o.seated && ordinal >= n
	}
	switch {
	case n == o.total && err == nil:
	case n < len(o.taken):
		if !problem.Is(err, "listing_below_sold") {
			t.Fatalf("total %d with %d sold = %v, want listing_below_sold", n, len(o.taken), err)
		}
	case o.status == inventory.Withdrawn:
		if !problem.Is(err, "invalid_transition") {
			t.Fatalf("total of a withdrawn listing = %v, want invalid_transition", err)
		}
	case soldBehind:
		if !problem.Is(err, "listing_has_sales") {
			t.Fatalf("dropping sold seats behind %d = %v, want listing_has_sales", n, err)
		}
	case err != nil:
		t.Fatalf("total %d: %v", n, err)
	default:
		o.total = n
	}
}

func (w *world) status(t *rapid.T) {
	o := w.some(t)
	to := rapid.SampledFrom([]inventory.Status{inventory.Active, inventory.Active, inventory.Active, inventory.Paused, inventory.Withdrawn}).Draw(t, "status")
	_, err := w.s.update(o.id, inventory.Patch{Status: &to})
	if o.status == inventory.Withdrawn && to != inventory.Withdrawn {
		if !problem.Is(err, "invalid_transition") {
			t.Fatalf("withdrawn to %s = %v, want invalid_transition", to, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s to %s: %v", o.status, to, err)
	}
	o.status = to
}

// agree compares the model with the database, and the facts with the edges.
func (w *world) agree(t *rapid.T) {
	free, sold := 0, 0
	for _, o := range w.offers {
		l := w.s.byID(t, o.id)
		if l.Total != o.total || l.Sold != len(o.taken) || l.Status != o.shown() || l.Free() != o.free() {
			t.Fatalf("listing %s has total %d, sold %d, free %d and is %s; want %d, %d, %d, %s",
				l.Row, l.Total, l.Sold, l.Free(), l.Status, o.total, len(o.taken), o.free(), o.shown())
		}
		free += o.free()
		sold += len(o.taken)
	}
	if got := w.s.free(t, w.event); got != free {
		t.Fatalf("the event has %d free, want %d", got, free)
	}
	want := w.exhausted
	switch {
	case free > 0:
		want = false
	case sold > 0:
		want = true
	}
	var edges []fact.Kind
	for _, f := range w.s.log.facts {
		if f.Kind != fact.ListingChanged {
			edges = append(edges, f.Kind)
		}
	}
	w.s.log.facts = nil
	switch {
	case want == w.exhausted && len(edges) == 0:
	case want && slices.Equal(edges, []fact.Kind{fact.PoolExhausted}):
	case !want && slices.Equal(edges, []fact.Kind{fact.PoolReopened}):
	default:
		t.Fatalf("with %d free and %d sold, exhausted %v before, the facts were %v", free, sold, w.exhausted, edges)
	}
	w.exhausted = want
}
