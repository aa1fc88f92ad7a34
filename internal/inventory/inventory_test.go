package inventory_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { dbtest.Main(m) }

// log is a ledger in memory.
type log struct{ facts []*fact.Fact }

func (l *log) Append(tx *db.Tx, facts ...*fact.Fact) error {
	tx.OnCommit(func() { l.facts = append(l.facts, facts...) })
	return nil
}

// kinds are the kinds that came since the last call, in order.
func (l *log) kinds() string {
	var all []string
	for _, f := range l.facts {
		all = append(all, string(f.Kind))
	}
	l.facts = nil
	return strings.Join(all, " ")
}

const house = 1 // the organisation

// fail is what a test and a rapid check have in common.
type fail interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// store is a database with events and stock.
type store struct {
	t     testing.TB
	db    *db.DB
	log   *log
	cal   *event.Calendar
	stock *inventory.Stock
	next  int64 // order numbers
}

func open(t testing.TB, d *db.DB) *store {
	l := &log{}
	return &store{t: t, db: d, log: l, cal: event.New(l, nil), stock: inventory.New(l)}
}

func (s *store) write(f fail, fn func(tx *db.Tx) error) {
	f.Helper()
	if err := s.db.Write(s.t.Context(), "", fn); err != nil {
		f.Fatalf("%v", err)
	}
}

func (s *store) event(name id.Event) event.Event {
	s.t.Helper()
	var e event.Event
	s.write(s.t, func(tx *db.Tx) (err error) {
		e, err = s.cal.Create(tx, house, event.Input{ID: name, Name: "Harbor Jazz", StartLocal: "2099-08-14T20:30:00", Timezone: "Europe/Oslo", Currency: "EUR"})
		return err
	})
	s.log.kinds()
	return e
}

func (s *store) create(in inventory.Input) (l inventory.Listing, err error) {
	err = s.db.Write(s.t.Context(), "", func(tx *db.Tx) (err error) {
		l, err = s.stock.Create(tx, house, in)
		return err
	})
	return l, err
}

func (s *store) mustCreate(in inventory.Input) inventory.Listing {
	s.t.Helper()
	if in.Event == "" {
		in.Event = "E"
	}
	if in.Price == "" {
		in.Price = "75.00"
	}
	if in.Section == "" {
		in.Section, in.Row = "101", "A"
	}
	l, err := s.create(in)
	if err != nil {
		s.t.Fatalf("Create(%+v): %v", in, err)
	}
	return l
}

func (s *store) update(l id.Listing, p inventory.Patch) (out inventory.Listing, err error) {
	err = s.db.Write(s.t.Context(), "", func(tx *db.Tx) (err error) {
		out, err = s.stock.Update(tx, house, l, p)
		return err
	})
	return out, err
}

// take sells as an order would, and returns what it got.
func (s *store) take(e id.Event, w inventory.Want) (r inventory.Return, p *inventory.Pick, err error) {
	s.next++
	err = s.db.Write(s.t.Context(), "", func(tx *db.Tx) error {
		ev, err := event.Lock(tx, house, e)
		if err != nil {
			return err
		}
		if p, err = s.stock.Pick(tx, house, ev, w); err != nil {
			return err
		}
		r = inventory.Return{Order: s.next, Listing: p.Listing.No, Ordinals: p.Ordinals}
		return s.stock.Take(tx, house, ev, p, s.next)
	})
	return r, p, err
}

func (s *store) mustTake(l inventory.Listing, n int) inventory.Return {
	s.t.Helper()
	r, _, err := s.take(l.EventID, inventory.Want{Listing: l.ID, Quantity: n})
	if err != nil {
		s.t.Fatalf("take %d of %s: %v", n, l.ID, err)
	}
	return r
}

func (s *store) release(f fail, e id.Event, r inventory.Return) {
	f.Helper()
	s.write(f, func(tx *db.Tx) error {
		ev, err := event.Lock(tx, house, e)
		if err != nil {
			return err
		}
		return s.stock.Release(tx, house, ev, r)
	})
}

func (s *store) byID(f fail, l id.Listing) inventory.Listing {
	f.Helper()
	got, err := inventory.ByID(s.db.Read(s.t.Context()), house, l)
	if err != nil {
		f.Fatalf("ByID(%s): %v", l, err)
	}
	return got
}

func (s *store) free(f fail, e event.Event) int {
	f.Helper()
	free, err := inventory.Free(s.db.Read(s.t.Context()), house, e.No)
	if err != nil {
		f.Fatalf("Free: %v", err)
	}
	return free[e.No]
}

// audit fails when the sums do not agree.
func (s *store) audit(f fail) {
	f.Helper()
	found, err := inventory.Audit(s.db.Read(s.t.Context()))
	if err != nil {
		f.Fatalf("Audit: %v", err)
	}
	for _, sentence := range found {
		f.Errorf("Audit: %s", sentence)
	}
}

func ptr[T any](v T) *T { return &v }

var listings = cmpopts.IgnoreUnexported(inventory.Listing{})

func TestListingIsFoundAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		made := s.mustCreate(inventory.Input{Section: " Balcony ", Row: "A", Quantity: 3, Seats: []string{"7", "8", "9"}, Price: "75.5",
			ExternalID: "x-1", SplitRule: inventory.AvoidOne})
		if made.Section != "Balcony" || made.Price.Minor != 7550 || made.Price.Currency != "EUR" || made.Status != inventory.Active || made.Version != 1 {
			t.Errorf("Create made %+v", made)
		}
		if diff := cmp.Diff([]int{1, 3}, made.Splits()); diff != "" {
			t.Errorf("Splits -want +got:\n%s", diff)
		}
		if diff := cmp.Diff(made, s.byID(t, made.ID), listings); diff != "" {
			t.Errorf("ByID -made +found:\n%s", diff)
		}
		if !id.ValidListing(string(made.ID)) {
			t.Errorf("the id %s is not of 24 hexadecimal digits", made.ID)
		}
		if _, err := inventory.ByID(d.Read(t.Context()), house+1, made.ID); !problem.Is(err, "listing_not_found") {
			t.Errorf("another organisation's ByID = %v, want listing_not_found", err)
		}
		if n := s.free(t, e); n != 3 {
			t.Errorf("Free = %d, want 3", n)
		}
		if k := s.log.kinds(); k != "listing.changed" {
			t.Errorf("facts: %s, want listing.changed", k)
		}
		s.audit(t)
	})
}

func TestWrongListingNamesEveryField(t *testing.T) {
	s := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	s.event("E")
	for _, c := range []struct {
		in   inventory.Input
		want string
	}{
		{inventory.Input{}, "/eventId"},
		{inventory.Input{Event: "E", Price: "1.005", SplitRule: "odd", Status: "sold_out", ExternalID: strings.Repeat("x", 201)},
			"/price /externalId /section /row /quantity /splitRule /status"},
		{inventory.Input{Event: "E", Section: "A", Row: "1", Quantity: 1_000_001, Price: "-1"}, "/price /quantity"},
		{inventory.Input{Event: "E", Section: "A", Row: "1", Quantity: 2, Price: "1", Currency: "XXX"}, "/currency"},
		{inventory.Input{Event: "E", Section: "A", Row: "1", Quantity: 2, Price: "99999999999999"}, "/price"},
		{inventory.Input{Event: "E", Section: "A", Row: "1", Quantity: 3, Seats: []string{"1", "1", ""}, Price: "1"}, "/seats/1 /seats/2"},
		{inventory.Input{Event: "E", Section: "A", Row: "1", Quantity: 2, Seats: []string{"1"}, Price: "1"}, "/seats"},
		{inventory.Input{Event: "E", Section: "A", Row: "1", Quantity: 21, SplitRule: inventory.None, Price: "1"}, "/splitRule"},
		{inventory.Input{Event: "E", Section: "A", Row: "1\x00", Quantity: 1, Price: "1e3"}, "/price /row"},
	} {
		_, err := s.create(c.in)
		var got []string
		if p := problem.As(err); p != nil {
			for _, f := range p.Fields {
				got = append(got, f.Pointer)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("Create(%+v) = %v, want fields %s", c.in, err, c.want)
		}
	}
	if _, err := s.create(inventory.Input{Event: "elsewhere", Section: "A", Row: "1", Quantity: 1, Price: "1"}); !problem.Is(err, "event_not_found") {
		t.Errorf("Create for no event = %v, want event_not_found", err)
	}
	s.write(t, func(tx *db.Tx) error { _, err := s.cal.Cancel(tx, house, "E"); return err })
	if _, err := s.create(inventory.Input{Event: "E", Section: "A", Row: "1", Quantity: 1, Price: "1"}); !problem.Is(err, "event_cancelled") {
		t.Errorf("Create for a cancelled event = %v, want event_cancelled", err)
	}
}

func TestAllowedQuantities(t *testing.T) {
	for _, c := range []struct {
		rule inventory.Rule
		free int
		want string
	}{
		{inventory.Any, 0, "[]"},
		{inventory.Any, 3, "[1 2 3]"},
		{inventory.Any, 25, "[1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20]"},
		{inventory.None, 4, "[4]"},
		{inventory.None, 21, "[]"},
		{inventory.AvoidOne, 1, "[1]"},
		{inventory.AvoidOne, 2, "[2]"},
		{inventory.AvoidOne, 5, "[1 2 3 5]"},
		{inventory.AvoidOneAndThree, 3, "[1 3]"},
		{inventory.AvoidOneAndThree, 4, "[2 4]"},
		{inventory.AvoidOneAndThree, 6, "[1 2 4 6]"},
		{inventory.Pairs, 5, "[2 4 5]"},
		{inventory.Pairs, 6, "[2 4 6]"},
		{inventory.Pairs, 1, "[1]"},
		{"nonsense", 6, "[]"},
	} {
		if got := fmt.Sprint(inventory.AllowedQuantities(c.rule, c.free)); got != c.want {
			t.Errorf("AllowedQuantities(%s, %d) = %s, want %s", c.rule, c.free, got, c.want)
		}
	}
	for _, r := range []inventory.Rule{inventory.Any, inventory.AvoidOne, inventory.AvoidOneAndThree, inventory.Pairs} {
		for free := 1; free <= 100; free++ {
			if len(inventory.AllowedQuantities(r, free)) == 0 {
				t.Errorf("with %d free, the rule %s sells nothing, so they can never be sold", free, r)
			}
		}
	}
}

func TestLowestOrdinalsAreSoldFirst(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 6, Seats: []string{"1", "2", "3", "4", "5", "6"}})
		a, b := s.mustTake(l, 2), s.mustTake(l, 2)
		s.release(t, "E", a)
		_, p, err := s.take("E", inventory.Want{Listing: l.ID, Quantity: 1})
		if err != nil || fmt.Sprint(p.Ordinals, p.Seats) != "[0] [1]" {
			t.Errorf("after seats 1, 2 came back, the next order gets %v %v, %v; want [0] [1]", p.Ordinals, p.Seats, err)
		}
		_, p, err = s.take("E", inventory.Want{Listing: l.ID, Quantity: 3})
		if err != nil || fmt.Sprint(p.Ordinals, p.Seats) != "[1 4 5] [2 5 6]" {
			t.Errorf("and the one after that gets %v %v, %v; want [1 4 5] [2 5 6]", p.Ordinals, p.Seats, err)
		}
		s.audit(t)
		s.release(t, "E", b)
		s.audit(t)
	})
}

func TestRefusalsSayWhatIsLeft(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		other := s.event("F")
		l := s.mustCreate(inventory.Input{Quantity: 4, SplitRule: inventory.AvoidOne})
		paused := s.mustCreate(inventory.Input{Quantity: 4, Status: inventory.Paused, Row: "B", Section: "101"})
		for _, c := range []struct {
			event id.Event
			want  inventory.Want
			code  string
			says  string
		}{
			{"E", inventory.Want{Listing: l.ID, Quantity: 3}, "split_not_allowed", "does not sell 3 of its 4 tickets; choose 1, 2 or 4."},
			{"E", inventory.Want{Listing: l.ID, Quantity: 5}, "not_enough_tickets", "Only 4 tickets are left"},
			{"E", inventory.Want{Listing: paused.ID, Quantity: 1}, "listing_not_on_sale", "paused"},
			{"E", inventory.Want{Listing: "000000000000000000000000", Quantity: 1}, "listing_not_found", "no such listing"},
			{other.ID, inventory.Want{Listing: l.ID, Quantity: 1}, "listing_not_found", "no such listing"},
			{"E", inventory.Want{Section: "101", Row: "A", Quantity: 3}, "split_not_allowed", "choose 1, 2 or 4"},
			{"E", inventory.Want{Section: "101", Row: "A", Quantity: 9}, "not_enough_tickets", "Only 4"},
			{"E", inventory.Want{Section: "101", Row: "B", Quantity: 1}, "not_enough_tickets", "section 101, row B"},
			{"E", inventory.Want{Section: "999", Row: "B", Quantity: 1}, "not_enough_tickets", "section 999, row B"},
		} {
			_, _, err := s.take(c.event, c.want)
			if !problem.Is(err, c.code) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Pick(%+v) = %v, want %s with %q", c.want, err, c.code, c.says)
			}
		}
		s.audit(t)
	})
}

func TestSectionAndRowTakeTheCheapestThatSellsTheNumber(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		cheap := s.mustCreate(inventory.Input{Quantity: 3, Price: "10", SplitRule: inventory.None})
		middle := s.mustCreate(inventory.Input{Quantity: 2, Price: "20"})
		dear := s.mustCreate(inventory.Input{Quantity: 9, Price: "30"})
		s.mustCreate(inventory.Input{Quantity: 9, Price: "1", Status: inventory.Draft})
		s.mustCreate(inventory.Input{Quantity: 9, Price: "1", Currency: "JPY"}) // of another currency only when nothing else fits
		for _, c := range []struct {
			n    int
			want id.Listing
		}{{3, cheap.ID}, {2, middle.ID}, {2, dear.ID}} {
			_, p, err := s.take("E", inventory.Want{Section: "101", Row: "A", Quantity: c.n})
			if err != nil || p.Listing.ID != c.want {
				t.Errorf("Pick of %d = %v, %v; want %s", c.n, p, err, c.want)
			}
		}
	})
}

func TestEdgesOfThePoolAreToldOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		a := s.mustCreate(inventory.Input{Quantity: 2})
		b := s.mustCreate(inventory.Input{Quantity: 1, Status: inventory.Paused})
		s.log.kinds()
		expect := func(story, want string) {
			t.Helper()
			if got := s.log.kinds(); got != want {
				t.Errorf("%s: facts %q, want %q", story, got, want)
			}
		}
		one := s.mustTake(a, 1)
		expect("one of two sold", "")
		two := s.mustTake(a, 1)
		if len(s.log.facts) != 2 {
			t.Fatalf("the last ticket appended %s, want two facts", s.log.kinds())
		}
		var sold inventory.PoolSnapshot
		if err := json.Unmarshal(s.log.facts[0].Data, &sold); err != nil {
			t.Fatal(err)
		}
		if sold.EventID != "E" || sold.Name != "Harbor Jazz" || sold.Capacity != 3 || sold.Sold != 2 || s.log.facts[0].Subject != "E" {
			t.Errorf("pool.exhausted of %s says %+v, want E, capacity 3, sold 2", s.log.facts[0].Subject, sold)
		}
		expect("the last one sold", "pool.exhausted listing.changed")
		if _, err := s.update(b.ID, inventory.Patch{Status: ptr(inventory.Active)}); err != nil {
			t.Fatal(err)
		}
		expect("another listing becomes active", "pool.reopened listing.changed")
		if _, err := s.update(b.ID, inventory.Patch{Status: ptr(inventory.Withdrawn)}); err != nil {
			t.Fatal(err)
		}
		expect("and is withdrawn", "pool.exhausted listing.changed")
		s.release(t, "E", one)
		expect("a ticket comes back", "pool.reopened listing.changed")
		s.release(t, "E", two)
		expect("another comes back", "")
		if n := s.free(t, e); n != 2 {
			t.Errorf("Free = %d, want 2", n)
		}
		s.mustTake(a, 2)
		s.log.kinds()
		s.write(t, func(tx *db.Tx) error { _, err := s.cal.Cancel(tx, house, "E"); return err })
		s.log.kinds()
		s.release(t, "E", inventory.Return{Order: s.next, Listing: a.No, Ordinals: []int{0, 1}})
		expect("tickets of a cancelled event come back", "listing.changed")
		s.audit(t)
	})
}

func TestPausedAndDraftUnitsAreBlocked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		e := s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 5, Status: inventory.Draft})
		if k := s.log.kinds(); k != "" {
			t.Errorf("a draft appended %s", k)
		}
		want := func(story string, free int, status inventory.Status) {
			t.Helper()
			got := s.byID(t, l.ID)
			if n := s.free(t, e); n != free || got.Free() != free || got.Status != status {
				t.Errorf("%s: the event has %d free, the listing %d and is %s; want %d, %s", story, n, got.Free(), got.Status, free, status)
			}
			s.audit(t)
		}
		change := func(p inventory.Patch) {
			t.Helper()
			if _, err := s.update(l.ID, p); err != nil {
				t.Fatalf("Update(%+v): %v", p, err)
			}
		}
		want("draft", 0, inventory.Draft)
		change(inventory.Patch{Status: ptr(inventory.Active)})
		want("active", 5, inventory.Active)
		bought := s.mustTake(l, 2)
		change(inventory.Patch{Status: ptr(inventory.Paused)})
		want("paused", 0, inventory.Paused)
		s.release(t, "E", bought)
		want("given back while paused", 0, inventory.Paused)
		change(inventory.Patch{Status: ptr(inventory.Active)})
		want("active again", 5, inventory.Active)
		bought = s.mustTake(l, 5)
		want("sold out", 0, inventory.SoldOut)
		change(inventory.Patch{Status: ptr(inventory.Active)})
		want("active when sold out is what it is", 0, inventory.SoldOut)
		change(inventory.Patch{Total: ptr(6)})
		want("one more listed", 1, inventory.Active)
		change(inventory.Patch{Total: ptr(5)})
		want("and taken off", 0, inventory.SoldOut)
		change(inventory.Patch{Status: ptr(inventory.Withdrawn)})
		want("withdrawn", 0, inventory.Withdrawn)
		s.release(t, "E", bought)
		want("given back after that", 0, inventory.Withdrawn)
	})
}

func TestChangesKeepWhatIsSold(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		seated := s.mustCreate(inventory.Input{Quantity: 4, Seats: []string{"1", "2", "3", "4"}})
		loose := s.mustCreate(inventory.Input{Quantity: 4, Row: "G", Section: "GA"})
		other := s.mustCreate(inventory.Input{Quantity: 1, Seats: []string{"9"}})
		first, second := s.mustTake(seated, 1), s.mustTake(seated, 1)
		s.mustTake(loose, 3)
		for _, c := range []struct {
			listing id.Listing
			patch   inventory.Patch
			code    string
		}{
			{loose.ID, inventory.Patch{Total: ptr(2)}, "listing_below_sold"},
			{loose.ID, inventory.Patch{Section: ptr("elsewhere")}, "listing_has_sales"},
			{loose.ID, inventory.Patch{Seats: []string{"1", "2", "3", "4"}}, "listing_has_sales"},
			{loose.ID, inventory.Patch{Status: ptr(inventory.Draft)}, "invalid_transition"},
			{loose.ID, inventory.Patch{Status: ptr(inventory.Expired)}, "validation_failed"},
			{loose.ID, inventory.Patch{Version: 1, Total: ptr(5)}, "version_mismatch"},
			{loose.ID, inventory.Patch{Currency: ptr(money.Currency("USD"))}, "validation_failed"},
			{seated.ID, inventory.Patch{Total: ptr(1)}, "listing_below_sold"},
			{seated.ID, inventory.Patch{Total: ptr(5)}, "validation_failed"}, // which seat?
			{seated.ID, inventory.Patch{Seats: []string{"2", "1", "3", "4"}}, "listing_has_sales"},
			{seated.ID, inventory.Patch{Seats: []string{}}, "listing_has_sales"},
			{seated.ID, inventory.Patch{Seats: []string{"1", "2", "3", "4", "9"}}, "seat_taken"},
			{other.ID, inventory.Patch{Seats: []string{"2"}}, "seat_taken"},
			{"000000000000000000000000", inventory.Patch{}, "listing_not_found"},
		} {
			if _, err := s.update(c.listing, c.patch); !problem.Is(err, c.code) {
				t.Errorf("Update(%+v) = %v, want %s", c.patch, err, c.code)
			}
		}
		s.audit(t)

		got, err := s.update(seated.ID, inventory.Patch{Seats: []string{"1", "2", "3", "4", "5"}, Price: ptr(money.Decimal("80")), Currency: ptr(money.Currency("USD"))})
		if err != nil || got.Total != 5 || got.Free() != 3 || got.Price != (money.Amount{Minor: 8000, Currency: "USD"}) {
			t.Errorf("a seat more: %+v, %v; want 5 in all, 3 free, 80.00 USD", got, err)
		}
		s.release(t, "E", first) // seat 1 is free and seat 2 is sold
		if _, err := s.update(seated.ID, inventory.Patch{Total: ptr(1)}); !problem.Is(err, "listing_has_sales") {
			t.Errorf("dropping a seat that is sold = %v, want listing_has_sales", err)
		}
		if got, err = s.update(seated.ID, inventory.Patch{Total: ptr(2)}); err != nil || fmt.Sprint(got.Seats) != "[1 2]" || got.Free() != 1 {
			t.Errorf("dropping free seats: %+v, %v; want seats [1 2], 1 free", got, err)
		}
		s.audit(t)
		s.release(t, "E", second)
		if got, err = s.update(seated.ID, inventory.Patch{Seats: []string{}, Total: ptr(7)}); err != nil || got.Seats != nil || got.Free() != 7 {
			t.Errorf("numbers given up when nothing is sold: %+v, %v; want 7 free", got, err)
		}
		before := s.byID(t, loose.ID)
		s.log.kinds()
		if got, err = s.update(loose.ID, inventory.Patch{Price: ptr(money.Decimal("75.0")), Status: ptr(inventory.Active)}); err != nil || got.Version != before.Version {
			t.Errorf("a change that changes nothing: version %d, %v; want %d", got.Version, err, before.Version)
		}
		if k := s.log.kinds(); k != "" {
			t.Errorf("a change that changes nothing appended %s", k)
		}
		for range 2 {
			s.write(t, func(tx *db.Tx) error { _, err := s.stock.Withdraw(tx, house, loose.ID, 0); return err })
		}
		if _, err := s.update(loose.ID, inventory.Patch{Price: ptr(money.Decimal("1"))}); !problem.Is(err, "invalid_transition") {
			t.Errorf("a change to a withdrawn listing = %v, want invalid_transition", err)
		}
		s.audit(t)
	})
}

func TestSeatIsOfferedOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		s.event("F")
		l := s.mustCreate(inventory.Input{Quantity: 2, Seats: []string{"1", "2"}})
		in := inventory.Input{Event: "E", Section: "101", Row: "A", Quantity: 2, Seats: []string{"2", "3"}, Price: "1"}
		if _, err := s.create(in); !problem.Is(err, "seat_taken") || !strings.Contains(err.Error(), "seat 2.") {
			t.Errorf("Create with a seat that another listing offers = %v, want seat_taken of seat 2", err)
		}
		in.Event = "F"
		s.mustCreate(in)
		in.Event, in.Row = "E", "B"
		s.mustCreate(in)
		in.Row = "A"
		s.mustTake(l, 1)
		if _, err := s.update(l.ID, inventory.Patch{Status: ptr(inventory.Withdrawn)}); err != nil {
			t.Fatal(err)
		}
		s.mustCreate(in) // seat 2 is free again, seat 1 is sold
		in.Seats = []string{"1", "4"}
		if _, err := s.create(in); !problem.Is(err, "seat_taken") {
			t.Errorf("Create with a seat that is sold = %v, want seat_taken", err)
		}
		s.audit(t)
	})
}

func TestListFiltersAndSorts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		s.event("F")
		name := map[id.Listing]string{}
		for _, c := range []struct {
			name string
			in   inventory.Input
		}{
			{"a", inventory.Input{Section: "2", Row: "B", Quantity: 4, Price: "50", SplitRule: inventory.Pairs}},
			{"b", inventory.Input{Section: "1", Row: "C", Quantity: 3, Price: "75.00", SplitRule: inventory.AvoidOne}},
			{"c", inventory.Input{Section: "1", Row: "A", Quantity: 20, Price: "60", Currency: "JPY"}},
			{"d", inventory.Input{Section: "3", Row: "A", Quantity: 2, Price: "60.01", SplitRule: inventory.None}},
			{"draft", inventory.Input{Section: "3", Row: "A", Quantity: 2, Status: inventory.Draft}},
			{"paused", inventory.Input{Section: "4", Row: "A", Quantity: 2, Status: inventory.Paused}},
			{"elsewhere", inventory.Input{Event: "F", Section: "3", Row: "A", Quantity: 2}},
		} {
			name[s.mustCreate(c.in).ID] = c.name
		}
		var b id.Listing
		for l, n := range name {
			if n == "b" {
				b = l
			}
		}
		for _, c := range []struct {
			f    inventory.Filter
			want string
		}{
			{inventory.Filter{}, "c a d b"},
			{inventory.Filter{SortBy: "price", SortOrder: "desc"}, "b d a c"},
			{inventory.Filter{SortBy: "section"}, "c b a d"},
			{inventory.Filter{SortBy: "row", SortOrder: "desc"}, "b a d c"},
			{inventory.Filter{Limit: 2, Offset: 1}, "a d"},
			{inventory.Filter{Listing: b}, "b"},
			{inventory.Filter{MinPrice: "60"}, "c d b"},
			{inventory.Filter{MinPrice: "50.00", MaxPrice: "60"}, "c a"},
			{inventory.Filter{MaxPrice: "0"}, ""},
			{inventory.Filter{Quantity: 2}, "c a d"},
			{inventory.Filter{Quantity: 3}, "c b"},
			{inventory.Filter{Quantity: 20}, "c"},
			{inventory.Filter{Status: "draft"}, "draft"},
			{inventory.Filter{Status: "paused", MaxPrice: "75"}, "paused"},
			{inventory.Filter{Status: "all", Quantity: 2, SortBy: "section"}, "c a d"},
		} {
			c.f.Event = "E"
			_, page, total, err := inventory.List(d.Read(t.Context()), house, c.f)
			var got []string
			for _, l := range page {
				got = append(got, name[l.ID])
			}
			if g := strings.Join(got, " "); err != nil || g != c.want || total != len(got) && c.f.Limit == 0 {
				t.Errorf("List(%+v) = %s of %d, %v; want %s", c.f, g, total, err, c.want)
			}
		}
		for _, f := range []inventory.Filter{
			{}, {Event: "E", Quantity: 21}, {Event: "E", Quantity: -1}, {Event: "E", MinPrice: "x"}, {Event: "E", MaxPrice: "1.005"},
			{Event: "E", Limit: 101}, {Event: "E", Offset: -1}, {Event: "E", SortBy: "name"}, {Event: "E", SortOrder: "up"}, {Event: "E", Status: "gone"},
		} {
			if _, _, _, err := inventory.List(d.Read(t.Context()), house, f); !problem.Is(err, "validation_failed") {
				t.Errorf("List(%+v) = %v, want validation_failed", f, err)
			}
		}
		if _, _, _, err := inventory.List(d.Read(t.Context()), house, inventory.Filter{Event: "X"}); !problem.Is(err, "event_not_found") {
			t.Errorf("List of no event = %v, want event_not_found", err)
		}
	})
}

// TestQuantityFilterSellsWhatItShows compares the filter's SQL with AllowedQuantities.
func TestQuantityFilterSellsWhatItShows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		for _, r := range []inventory.Rule{inventory.Any, inventory.None, inventory.AvoidOne, inventory.AvoidOneAndThree, inventory.Pairs} {
			for _, n := range []int{1, 2, 3, 4, 5, 7, 20} {
				s.mustCreate(inventory.Input{Quantity: n, SplitRule: r})
			}
		}
		for n := 1; n <= 20; n++ {
			_, page, _, err := inventory.List(d.Read(t.Context()), house, inventory.Filter{Event: "E", Quantity: n, Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			_, all, _, _ := inventory.List(d.Read(t.Context()), house, inventory.Filter{Event: "E", Limit: 100})
			want := 0
			for _, l := range all {
				for _, q := range l.Splits() {
					if q == n {
						want++
					}
				}
			}
			if len(page) != want {
				t.Errorf("List with quantity %d shows %d listings, of which %d sell that many", n, len(page), want)
			}
		}
	})
}

func TestFreeTakesManyEvents(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		var nos []int64
		for i := range 12 {
			e := s.event(id.Event(fmt.Sprintf("E%d", i)))
			nos = append(nos, e.No)
			if i%2 == 0 {
				s.mustCreate(inventory.Input{Event: e.ID, Quantity: i + 1})
			}
		}
		free, err := inventory.Free(d.Read(t.Context()), house, nos...)
		if err != nil || len(free) != 6 || free[nos[10]] != 11 {
			t.Errorf("Free of 12 events, 6 of them with stock = %v, %v", free, err)
		}
		if free, err := inventory.Free(d.Read(t.Context()), house); err != nil || len(free) != 0 {
			t.Errorf("Free of nothing = %v, %v", free, err)
		}
	})
}

func TestAuditSaysWhatDiffers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 4, Seats: []string{"1", "2", "3", "4"}})
		s.mustTake(l, 2)
		s.audit(t)
		for _, c := range []struct{ break_, mend, want string }{
			{`UPDATE listings SET sold = 1, version = 9`, `UPDATE listings SET sold = 2`, "has 2 claims"},
			{`UPDATE pools SET sold = 1`, `UPDATE pools SET sold = 2`, "add up to"},
			{`UPDATE pools SET exhausted = TRUE`, `UPDATE pools SET exhausted = FALSE`, "exhausted true"},
			{`UPDATE claims SET seat = '9' WHERE ordinal = 1`, `UPDATE claims SET seat = '2' WHERE ordinal = 1`, "claims seat 9"},
			{`UPDATE claims SET org_id = 2 WHERE ordinal = 1`, `UPDATE claims SET org_id = 1 WHERE ordinal = 1`, "claims unit 1"},
			{`UPDATE listings SET high_water = 3`, `UPDATE listings SET high_water = 2`, "3 ever claimed"},
		} {
			s.write(t, func(tx *db.Tx) error { _, err := tx.Exec(c.break_); return err })
			found, err := inventory.Audit(d.Read(t.Context()))
			if err != nil || !strings.Contains(strings.Join(found, "\n"), c.want) {
				t.Errorf("after %s: Audit = %q, %v; want a sentence with %q", c.break_, found, err, c.want)
			}
			s.write(t, func(tx *db.Tx) error { _, err := tx.Exec(c.mend); return err })
			s.audit(t)
		}
	})
}

// TestSnapshotIsAContract: subscribers read this.
func TestSnapshotIsAContract(t *testing.T) {
	l := inventory.Listing{
		ID: "66aa0011223344556677889b", EventID: "EV-7001", ExternalID: "x-1", Section: "B", Row: "4", Seats: []string{"7", "8", "9"}, Total: 3, Sold: 1,
		Price: money.Amount{Minor: 7550, Currency: "EUR"}, SplitRule: inventory.AvoidOne, Status: inventory.Active, Version: 4,
		CreatedAt: time.Date(2027, 1, 1, 10, 0, 0, 123_456_000, time.UTC), UpdatedAt: time.Date(2027, 1, 2, 10, 0, 0, 0, time.UTC),
	}
	snapshot := l.Snapshot()
	snapshot.Changes = []string{"price"}
	golden(t, "listing.json", snapshot)
	e := event.Event{ID: "EV-7001", Name: "Harbor Jazz Night", StartLocal: "2027-08-14T20:30:00", Timezone: "Europe/Oslo", Currency: "EUR",
		Status: event.Published, Version: 2}
	golden(t, "pool.json", inventory.PoolSnapshot{Snapshot: e.Snapshot(), Capacity: 96, Sold: 96})
}

func golden(t *testing.T, name string, v any) {
	t.Helper()
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s -want +got (rewrite with -update):\n%s", file, diff)
	}
}
