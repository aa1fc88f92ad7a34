package inventory_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
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

	deadline bool           // it is of a kind whose tickets are codes, which have to be there at a deadline
	passed   bool           // that has passed
	codes    map[int]string // places with codes
	written  bool           // that it cannot be delivered has been written down
	over     bool           // its time is up, which has not been written down
}

// late tells whether it cannot be delivered, written down or not.
func (o *offer) late() bool {
	switch o.status {
	case inventory.Draft:
		return false
	case inventory.Withdrawn, inventory.Expired:
		return o.written
	}
	return o.deadline && o.passed && len(o.codes) < o.total
}

// sells tells whether it is for sale.
func (o *offer) sells() bool { return o.status == inventory.Active && !o.late() && !o.over }

func (o *offer) left() int { return o.total - len(o.taken) }

func (o *offer) shown() inventory.Status {
	if o.status == inventory.Active && o.left() == 0 {
		return inventory.SoldOut
	}
	return o.status
}

func (o *offer) free() int {
	if o.status != inventory.Active || o.written {
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
	holds     []*kept
	exhausted bool
}

// kept is what a hold has of an offer.
type kept struct {
	offer *offer
	hold  inventory.Hold
	units []int
	aged  bool // its time is up
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
				"hold":    w.hold,
				"convert": w.convert,
				"let go":  w.letGo,
				"age":     w.age,
				"sweep":   w.sweep,
				"total":   w.total,
				"status":  w.status,

				"deadline": w.deadline,
				"passes":   w.passes,
				"barcode":  w.barcode,
				"over":     w.over,
				"lapse":    w.lapse,
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
		codes:  map[int]string{},
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
	if !w.got(t, o, n, err) {
		return
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

// got judges what came of wanting n units of an offer. What holds kept beyond their time is free where there is too little otherwise.
func (w *world) got(t *rapid.T, o *offer, n int, err error) bool {
	left, free := o.left(), []*kept{}
	if o.sells() && n > left {
		for _, k := range w.holds {
			if k.offer == o && k.aged {
				left, free = left+len(k.units), append(free, k)
			}
		}
		if n > left { // nothing is written in vain
			left, free = o.left(), nil
		}
	}
	switch {
	case !o.sells():
		if !problem.Is(err, "listing_not_on_sale") {
			t.Fatalf("taking %d of a %s listing, late %v, over %v = %v, want listing_not_on_sale", n, o.status, o.late(), o.over, err)
		}
		return false
	case n > left:
		if !problem.Is(err, "not_enough_tickets") {
			t.Fatalf("taking %d of %d = %v, want not_enough_tickets", n, left, err)
		}
		return false
	case !slices.Contains(inventory.AllowedQuantities(o.rule, left), n):
		if !problem.Is(err, "split_not_allowed") {
			t.Fatalf("taking %d of %d with rule %s = %v, want split_not_allowed", n, left, o.rule, err)
		}
		return false
	case err != nil:
		t.Fatalf("taking %d of %d: %v", n, left, err)
	}
	for _, k := range free {
		w.drop(k)
	}
	return true
}

// drop forgets a hold whose units are free again: of an offer at its end nobody's any more.
func (w *world) drop(k *kept) {
	if k.offer.ended() {
		k.offer.uncode(func(ordinal int) bool { return slices.Contains(k.units, ordinal) })
	}
	for _, ordinal := range k.units {
		delete(k.offer.taken, ordinal)
	}
	w.holds = slices.DeleteFunc(w.holds, func(o *kept) bool { return o == k })
}

func (w *world) hold(t *rapid.T) {
	o := w.some(t)
	n := rapid.IntRange(1, 4).Draw(t, "quantity")
	h, err := w.s.hold(inventory.HoldInput{Event: w.event.ID, Want: inventory.Want{Listing: o.id, Quantity: n}, Holder: "usr_1"})
	if !w.got(t, o, n, err) {
		return
	}
	k := &kept{offer: o, hold: h, units: o.lowest(n)}
	for i, ordinal := range k.units {
		o.taken[ordinal] = true
		if o.seated && h.Seats[i] != fmt.Sprint(ordinal+1) {
			t.Fatalf("unit %d is held as seat %s", ordinal, h.Seats[i])
		}
	}
	w.holds = append(w.holds, k)
}

func (w *world) someHold(t *rapid.T) *kept {
	if len(w.holds) == 0 {
		t.Skip("no hold")
	}
	return rapid.SampledFrom(w.holds).Draw(t, "hold")
}

func (w *world) convert(t *rapid.T) {
	k := w.someHold(t)
	r, err := w.s.convert(k.hold)
	if k.aged {
		if !problem.Is(err, "hold_expired") {
			t.Fatalf("converting a hold whose time is up = %v, want hold_expired", err)
		}
		return
	}
	if err != nil || !slices.Equal(r.Ordinals, k.units) {
		t.Fatalf("converting a hold of %v gave %v, %v", k.units, r.Ordinals, err)
	}
	if _, err := w.s.convert(k.hold); !problem.Is(err, "hold_converted") {
		t.Fatalf("converting it again = %v, want hold_converted", err)
	}
	w.holds = slices.DeleteFunc(w.holds, func(o *kept) bool { return o == k })
	w.sales = append(w.sales, sale{k.offer, r})
}

func (w *world) letGo(t *rapid.T) {
	k := w.someHold(t)
	want := inventory.HoldReleased
	if k.aged {
		want = inventory.HoldExpired
	}
	for range 2 { // twice is fine
		if h, err := w.s.releaseHold(k.hold); err != nil || h.Status != want {
			t.Fatalf("releasing a hold, aged %v = %s, %v; want %s", k.aged, h.Status, err, want)
		}
	}
	w.drop(k)
}

func (w *world) age(t *rapid.T) {
	k := w.someHold(t)
	w.s.age(t, k.hold)
	k.aged = true
}

func (w *world) sweep(t *rapid.T) {
	want := 0
	for _, k := range slices.Clone(w.holds) {
		if k.aged {
			want++
			w.drop(k)
		}
	}
	if n := w.s.sweep(t, w.event); n != want {
		t.Fatalf("%d holds expired, want %d", n, want)
	}
}

// held is how many units of an offer holds keep.
func (w *world) held(o *offer) (n int) {
	for _, k := range w.holds {
		if k.offer == o {
			n += len(k.units)
		}
	}
	return n
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
	sold.offer.uncode(func(ordinal int) bool { return slices.Contains(sold.Ordinals, ordinal) })
}

// uncode takes the codes of some places away.
func (o *offer) uncode(which func(ordinal int) bool) {
	maps.DeleteFunc(o.codes, func(ordinal int, _ string) bool { return which(ordinal) })
}

func (w *world) total(t *rapid.T) {
	o := w.some(t)
	n := rapid.IntRange(1, 12).Draw(t, "total")
	p := inventory.Patch{Total: &n}
	if o.seated && n > o.total {
		p = inventory.Patch{Seats: labels(n)}
	}
	w.settled(t, o)
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
	case o.ended():
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
	if err == nil {
		o.written = o.late()
		o.uncode(func(ordinal int) bool { return ordinal >= o.total && !o.taken[ordinal] })
	}
}

func (o *offer) ended() bool { return o.status == inventory.Withdrawn || o.status == inventory.Expired }

// settled has holds whose time is up expire, and writes down first what the listing's dates have brought about: a change would tell of both edges.
func (w *world) settled(t *rapid.T, o *offer) {
	w.sweep(t)
	if o.over || o.late() != o.written {
		w.lapse(t)
		w.agree(t)
	}
}

// deadline gives a listing some, or a later one.
func (w *world) deadline(t *rapid.T) {
	o := w.some(t)
	w.settled(t, o)
	if o.ended() {
		t.Skip("final")
	}
	by := time.Date(2090, 1, rapid.IntRange(1, 20).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
	if _, err := w.s.update(o.id, inventory.Patch{DeliveryKind: ptr(inventory.ByBarcode), DeliverBy: &by}); err != nil {
		t.Fatalf("a deadline: %v", err)
	}
	o.deadline, o.passed, o.written = true, false, false
}

func (w *world) passes(t *rapid.T) {
	o := w.some(t)
	if !o.deadline || o.ended() {
		t.Skip("no deadline")
	}
	w.s.pass(t, o.id, "deliver_by")
	o.passed = true
}

// barcode uploads one of a few values for a place, and expects it to be received unless another place has it.
func (w *world) barcode(t *rapid.T) {
	o := w.some(t)
	place := rapid.IntRange(0, o.total-1).Draw(t, "place")
	value := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "value")
	r, err := w.s.upload(o.id, []inventory.BarcodeUpload{{Ordinal: place, Values: []string{value}}})
	if o.ended() || o.over {
		if !problem.Is(err, "invalid_transition") {
			t.Fatalf("barcodes for a listing at its end = %v, want invalid_transition", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("ReceiveBarcodes: %v", err)
	}
	had := false
	for _, other := range w.offers {
		for at, v := range other.codes {
			had = had || v == value && (other != o || at != place)
		}
	}
	if r.Failed != had {
		t.Fatalf("barcode %s, which another place has %v: failed %v", value, had, r.Failed)
	}
	if o.codes[place] = value; had {
		delete(o.codes, place)
	}
	if r.Changed {
		w.lapsed(o)
	}
}

func (w *world) over(t *rapid.T) {
	o := w.some(t)
	if o.ended() || o.status == inventory.Draft {
		t.Skip("nothing comes of it")
	}
	w.s.pass(t, o.id, "expires_at")
	o.over = true
}

func (w *world) lapse(t *rapid.T) {
	want := 0
	for _, o := range w.offers {
		if w.lapsed(o) {
			want++
		}
	}
	if n := w.s.lapse(t, w.event); n != want {
		t.Fatalf("%d listings lapsed, want %d", n, want)
	}
}

// lapsed writes down what the dates of an offer have brought about, and tells whether there was something.
func (w *world) lapsed(o *offer) bool {
	was := o.written
	switch {
	case o.over:
		o.over, o.status = false, inventory.Expired
		o.uncode(func(ordinal int) bool { return !o.taken[ordinal] })
		return true
	default:
		o.written = o.late()
	}
	return o.written != was
}

func (w *world) status(t *rapid.T) {
	o := w.some(t)
	to := rapid.SampledFrom([]inventory.Status{inventory.Active, inventory.Active, inventory.Active, inventory.Paused, inventory.Withdrawn}).Draw(t, "status")
	w.settled(t, o)
	_, err := w.s.update(o.id, inventory.Patch{Status: &to})
	if to == inventory.Withdrawn && w.held(o) > 0 && o.status != inventory.Expired {
		if !problem.Is(err, "listing_held") {
			t.Fatalf("withdrawing a listing with holds = %v, want listing_held", err)
		}
		return
	}
	if o.ended() && to != o.status {
		if !problem.Is(err, "invalid_transition") {
			t.Fatalf("what has ended to %s = %v, want invalid_transition", to, err)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s to %s: %v", o.status, to, err)
	}
	if to == inventory.Withdrawn && !o.ended() {
		o.written = o.late()
		o.uncode(func(ordinal int) bool { return !o.taken[ordinal] })
	}
	o.status = to
	o.written = o.late()
}

// agree compares the model with the database, and the facts with the edges.
func (w *world) agree(t *rapid.T) {
	free, sold, held := 0, 0, 0
	for _, o := range w.offers {
		l := w.s.byID(t, o.id)
		if l.Total != o.total || l.Held != w.held(o) || l.Held+l.Sold != len(o.taken) || l.Status != o.shown() || l.Free() != o.free() || (l.Deliverability == inventory.Undeliverable) != o.written {
			t.Fatalf("listing %s has total %d, sold %d, free %d, is %s and %s; want %d, %d, %d, %s, late %v",
				l.Row, l.Total, l.Sold, l.Free(), l.Status, l.Deliverability, o.total, len(o.taken), o.free(), o.shown(), o.written)
		}
		if l.Barcoded != len(o.codes) {
			t.Fatalf("listing %s has barcodes for %d places, want %v", l.Row, l.Barcoded, o.codes)
		}
		if l = l.AsOf(time.Now()); (l.Free() > 0) != (o.sells() && o.left() > 0) {
			t.Fatalf("listing %s has %d for sale by now; want some %v", l.Row, l.Free(), o.sells())
		}
		free += o.free()
		sold += l.Sold
		held += l.Held
	}
	if got := w.s.free(t, w.event); got != free {
		t.Fatalf("the event has %d free, want %d", got, free)
	}
	want := w.exhausted
	switch {
	case free > 0:
		want = false
	case sold > 0 && held == 0:
		want = true
	}
	w.s.edges(t, w.exhausted, want, fmt.Sprintf("with something free %v, %d sold and %d held", free > 0, sold, held))
	w.exhausted = want
}
