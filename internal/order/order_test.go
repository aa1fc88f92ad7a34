package order_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { dbtest.Main(m) }

// log is a ledger in memory.
type log struct {
	mu    sync.Mutex // guards facts
	facts []*fact.Fact
}

func (l *log) Append(tx *db.Tx, facts ...*fact.Fact) error {
	tx.OnCommit(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.facts = append(l.facts, facts...)
	})
	return nil
}

// take returns the facts about orders that came since the last call.
func (l *log) take() []*fact.Fact {
	l.mu.Lock()
	defer l.mu.Unlock()
	var orders []*fact.Fact
	for _, f := range l.facts {
		if strings.HasPrefix(string(f.Kind), "order.") || f.Kind == fact.RefundCompleted {
			orders = append(orders, f)
		}
	}
	l.facts = nil
	return orders
}

func (l *log) kinds() string {
	var all []string
	for _, f := range l.take() {
		all = append(all, string(f.Kind))
	}
	return strings.Join(all, " ")
}

const house = 1 // the organisation

// fail is what a test and a rapid check have in common.
type fail interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// shop is a database with an event "E" and what is for sale of it.
type shop struct {
	t     testing.TB
	db    *db.DB
	log   *log
	cal   *event.Calendar
	stock *inventory.Stock
	book  *order.Book
}

func open(t testing.TB, d *db.DB) *shop {
	l := &log{}
	stock := inventory.New(l)
	s := &shop{t: t, db: d, log: l, cal: event.New(l, order.Exists), stock: stock, book: order.New(l, stock)}
	s.event("E", "2099-08-14T20:30:00")
	return s
}

func (s *shop) write(f fail, fn func(tx *db.Tx) error) {
	f.Helper()
	if err := s.db.Write(s.t.Context(), "", fn); err != nil {
		f.Fatalf("%v", err)
	}
}

func (s *shop) event(e id.Event, start string) {
	s.t.Helper()
	s.write(s.t, func(tx *db.Tx) error {
		_, err := s.cal.Create(tx, house, event.Input{ID: e, Name: "Harbor Jazz Night", StartLocal: start, Timezone: "Europe/Oslo",
			Venue: "Pier Hall", City: "Oslo", Country: "NO", Currency: "EUR"})
		return err
	})
}

func (s *shop) list(in inventory.Input) inventory.Listing {
	s.t.Helper()
	if in.Event == "" {
		in.Event = "E"
	}
	if in.Section == "" {
		in.Section, in.Row = "B", "4"
	}
	if in.Price == "" {
		in.Price = "75.33"
	}
	var l inventory.Listing
	s.write(s.t, func(tx *db.Tx) (err error) {
		l, err = s.stock.Create(tx, house, in)
		return err
	})
	return l
}

// kari is a customer.
var kari = order.Customer{Email: "Kari@example.test", Phone: order.Phone{Number: "4712345678", CountryCode: "+47"}}

// result is what a function of the book returned.
type result struct {
	order.Order
	fact *fact.Fact
}

func (s *shop) do(fn func(tx *db.Tx) (order.Order, *fact.Fact, error)) (r result, err error) {
	err = s.db.Write(s.t.Context(), "E", func(tx *db.Tx) (err error) {
		r.Order, r.fact, err = fn(tx)
		return err
	})
	return r, err
}

func (s *shop) place(in order.Input) (result, error) {
	if in.Event == "" {
		in.Event = "E"
	}
	if in.Customer == (order.Customer{}) {
		in.Customer = kari
	}
	return s.do(func(tx *db.Tx) (order.Order, *fact.Fact, error) { return s.book.Place(tx, house, in) })
}

func (s *shop) mustPlace(l inventory.Listing, n int) result {
	s.t.Helper()
	r, err := s.place(order.Input{Event: l.EventID, Listing: l.ID, Quantity: n})
	if err != nil {
		s.t.Fatalf("Place %d of %s: %v", n, l.ID, err)
	}
	return r
}

func (s *shop) set(o id.Order, status order.Status) (result, error) {
	return s.change(o, order.Change{Status: status})
}

func (s *shop) change(o id.Order, c order.Change) (result, error) {
	return s.do(func(tx *db.Tx) (order.Order, *fact.Fact, error) { return s.book.SetStatus(tx, house, o, c) })
}

func (s *shop) issue(o id.Order, reason string) (result, error) {
	return s.do(func(tx *db.Tx) (order.Order, *fact.Fact, error) { return s.book.RaiseIssue(tx, house, o, reason, 0) })
}

func (s *shop) refund(o id.Order, amount money.Decimal) (result, error) {
	return s.do(func(tx *db.Tx) (order.Order, *fact.Fact, error) {
		return s.book.Refund(tx, house, o, order.RefundInput{Amount: amount, Reason: "rain"})
	})
}

func (s *shop) byID(f fail, o id.Order) order.Order {
	f.Helper()
	got, err := order.ByID(s.db.Read(s.t.Context()), house, o)
	if err != nil {
		f.Fatalf("ByID(%s): %v", o, err)
	}
	return got
}

func (s *shop) free(f fail, l inventory.Listing) int {
	f.Helper()
	got, err := inventory.ByID(s.db.Read(s.t.Context()), house, l.ID)
	if err != nil {
		f.Fatalf("ByID(%s): %v", l.ID, err)
	}
	return got.Free()
}

// audit fails when anything does not agree.
func (s *shop) audit(f fail) {
	f.Helper()
	for name, audit := range map[string]func(db.Querier) ([]string, error){"inventory": inventory.Audit, "order": order.Audit} {
		found, err := audit(s.db.Read(s.t.Context()))
		if err != nil {
			f.Fatalf("%s.Audit: %v", name, err)
		}
		for _, sentence := range found {
			f.Errorf("%s.Audit: %s", name, sentence)
		}
	}
}

func ptr[T any](v T) *T { return &v }

var orders = cmpopts.IgnoreUnexported(order.Order{})

func TestOrderIsFoundAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 4, Seats: []string{"7", "8", "9", "10"}})
		made, err := s.place(order.Input{Listing: l.ID, Quantity: 2, Payment: order.Payment{Provider: "till", Reference: "r-1"}})
		if err != nil {
			t.Fatal(err)
		}
		want := order.Order{
			No: made.No, ID: made.ID, Number: made.Number, EventNo: l.EventNo, EventID: "E", EventName: "Harbor Jazz Night",
			EventDate: time.Date(2099, 8, 14, 18, 30, 0, 0, time.UTC), EventTimezone: "Europe/Oslo", EventVenue: "Pier Hall", EventLocation: "Oslo, NO",
			ListingNo: l.No, ListingID: l.ID, Section: "B", Row: "4", Seats: []string{"7", "8"}, Quantity: 2,
			UnitPrice: money.Amount{Minor: 7533, Currency: "EUR"}, Total: money.Amount{Minor: 15066, Currency: "EUR"},
			Captured: money.Amount{Minor: 15066, Currency: "EUR"}, Refunded: money.Amount{Currency: "EUR"},
			Payment: order.Payment{Provider: "till", Reference: "r-1"}, Status: order.Confirmed, Version: 1,
			CreatedAt: made.CreatedAt, UpdatedAt: made.CreatedAt, People: order.People{Customer: kari},
		}
		if diff := cmp.Diff(want, made.Order, orders); diff != "" {
			t.Errorf("Place -want +made:\n%s", diff)
		}
		if diff := cmp.Diff(want, s.byID(t, made.ID), orders); diff != "" {
			t.Errorf("ByID -want +found:\n%s", diff)
		}
		p, err := order.PeopleOf(d.Read(t.Context()), house, made.ID)
		if err != nil || p != (order.People{Customer: kari}) {
			t.Errorf("PeopleOf = %+v, %v; want %+v", p, err, kari)
		}
		for _, o := range []id.Order{"", "order_", "order_1", "order_01", made.ID + "0", id.Order(strings.TrimPrefix(string(made.ID), "order_"))} {
			if _, err := order.ByID(d.Read(t.Context()), house, o); !problem.Is(err, "order_not_found") {
				t.Errorf("ByID(%q) = %v, want order_not_found", o, err)
			}
		}
		if _, err := order.ByID(d.Read(t.Context()), house+1, made.ID); !problem.Is(err, "order_not_found") {
			t.Errorf("another organisation's ByID = %v, want order_not_found", err)
		}
		if _, err := order.PeopleOf(d.Read(t.Context()), house+1, made.ID); !problem.Is(err, "order_not_found") {
			t.Errorf("another organisation's PeopleOf = %v, want order_not_found", err)
		}
		facts := s.log.take()
		if len(facts) != 1 || facts[0] != made.fact || facts[0].Kind != fact.OrderConfirmed || facts[0].Subject != string(made.ID) || facts[0].Version != 1 {
			t.Errorf("facts: %+v, want the order.confirmed that Place returned", facts)
		}
		s.audit(t)
	})
}

func TestFactsHoldNoPersonalData(t *testing.T) {
	s := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	l := s.list(inventory.Input{Quantity: 4})
	o := s.mustPlace(l, 1)
	for _, step := range []func() (result, error){
		func() (result, error) { return s.issue(o.ID, "Kari Nordmann did not get it") },
		func() (result, error) {
			return s.change(o.ID, order.Change{Status: order.Fulfilled, TransferNote: "sent to Kari Nordmann"})
		},
		func() (result, error) { return s.refund(o.ID, "") },
	} {
		if _, err := step(); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range s.log.take() {
		for _, secret := range []string{"ari@", "4712345678", "Nordmann", "rain"} {
			if strings.Contains(string(f.Data), secret) {
				t.Errorf("%s holds %q: %s", f.Kind, secret, f.Data)
			}
		}
	}
	p, err := order.PeopleOf(s.db.Read(t.Context()), house, o.ID)
	want := order.People{Customer: kari, TransferNote: "sent to Kari Nordmann", IssueReason: "Kari Nordmann did not get it", RefundReason: "rain"}
	if err != nil || p != want {
		t.Errorf("PeopleOf = %+v, %v; want %+v", p, err, want)
	}
}

func TestWrongOrderNamesEveryField(t *testing.T) {
	s := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	good := order.Input{Event: "E", Listing: "66aa0011223344556677889b", Quantity: 1, Customer: kari}
	for _, c := range []struct {
		change func(*order.Input)
		want   string
	}{
		{func(in *order.Input) { *in = order.Input{} },
			"/eventId /listingId /quantity /customer/email /customer/phone/number /customer/phone/countryCode"},
		{func(in *order.Input) { in.Listing, in.Section = "", "B" }, "/row"},
		{func(in *order.Input) { in.Listing, in.Row = "", "4" }, "/section"},
		{func(in *order.Input) { in.Quantity = 21 }, "/quantity"},
		{func(in *order.Input) { in.Quantity = -1 }, "/quantity"},
		{func(in *order.Input) { in.Customer.Phone = order.Phone{Number: "12 34 56", CountryCode: "47"} },
			"/customer/phone/number /customer/phone/countryCode"},
		{func(in *order.Input) { in.Customer.Phone.CountryCode = "+12345" }, "/customer/phone/countryCode"},
		{func(in *order.Input) { in.Payment.Provider = strings.Repeat("x", 101) }, "/payment/provider"},
		{func(in *order.Input) { in.Section = "a\x00b" }, "/section"},
	} {
		in := good
		c.change(&in)
		_, err := s.do(func(tx *db.Tx) (order.Order, *fact.Fact, error) { return s.book.Place(tx, house, in) })
		var got []string
		if p := problem.As(err); p != nil {
			for _, f := range p.Fields {
				got = append(got, f.Pointer)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("Place(%+v) = %v, want fields %s", in, err, c.want)
		}
	}
	for _, email := range []string{"", "kari", "kari@", "@example.test", "kari@example", "a b@example.test", "Kari <kari@example.test>", "kari@example..test",
		"kari@[127.0.0.1]", "kari@example.test\n", strings.Repeat("x", 65) + "@example.test", "kari@.example.test", "k@ri@example.test"} {
		in := good
		in.Customer.Email = email
		_, err := s.do(func(tx *db.Tx) (order.Order, *fact.Fact, error) { return s.book.Place(tx, house, in) })
		if strings.TrimSpace(email) == email && !problem.Is(err, "validation_failed") {
			t.Errorf("Place with e-mail %q = %v, want validation_failed", email, err)
		}
	}
	for _, email := range []string{"kari@example.test", "o'hara+tag@sub.example.co.uk", "kari@bücher.example"} {
		in := good
		in.Customer.Email = email
		_, err := s.do(func(tx *db.Tx) (order.Order, *fact.Fact, error) { return s.book.Place(tx, house, in) })
		if !problem.Is(err, "listing_not_found") {
			t.Errorf("Place with e-mail %q = %v, want it taken (listing_not_found)", email, err)
		}
	}
}

func TestSaleHasItsConditions(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("over", "2020-08-14T20:30:00")
		s.event("off", "2099-08-14T20:30:00")
		s.event("later", "2099-08-14T20:30:00")
		l := s.list(inventory.Input{Quantity: 4, SplitRule: inventory.AvoidOne})
		off, over, later := s.list(inventory.Input{Event: "off", Quantity: 1}), s.list(inventory.Input{Event: "over", Quantity: 1}), s.list(inventory.Input{Event: "later", Quantity: 1})
		s.write(t, func(tx *db.Tx) error {
			_, err := s.cal.Cancel(tx, house, "off")
			if err == nil {
				_, err = s.cal.Update(tx, house, "later", event.Patch{Status: ptr(event.Postponed)})
			}
			return err
		})
		for _, c := range []struct {
			in   order.Input
			code string
		}{
			{order.Input{Event: "none", Listing: l.ID, Quantity: 1}, "event_not_found"},
			{order.Input{Event: "off", Listing: off.ID, Quantity: 1}, "event_cancelled"},
			{order.Input{Event: "over", Listing: over.ID, Quantity: 1}, "event_not_on_sale"},
			{order.Input{Event: "later", Listing: later.ID, Quantity: 1}, "event_not_on_sale"},
			{order.Input{Listing: off.ID, Quantity: 1}, "listing_not_found"},
			{order.Input{Listing: "xx", Quantity: 1}, "listing_not_found"},
			{order.Input{Listing: l.ID, Quantity: 3}, "split_not_allowed"},
			{order.Input{Listing: l.ID, Quantity: 5}, "not_enough_tickets"},
			{order.Input{Section: "B", Row: "5", Quantity: 1}, "not_enough_tickets"},
			{order.Input{Listing: l.ID, Section: "C", Quantity: 1}, "validation_failed"},
		} {
			if _, err := s.place(c.in); !problem.Is(err, c.code) {
				t.Errorf("Place(%+v) = %v, want %s", c.in, err, c.code)
			}
		}
		if k := s.log.kinds(); k != "" {
			t.Errorf("refused orders appended %s", k)
		}
		if _, err := s.place(order.Input{Section: "B", Row: "4", Quantity: 2}); err != nil {
			t.Errorf("Place by section and row: %v", err)
		}
		if _, err := s.place(order.Input{Listing: l.ID, Section: "B", Row: "4", Quantity: 2}); err != nil {
			t.Errorf("Place by listing with its section and row: %v", err)
		}
		s.audit(t)
	})
}

func TestEveryTransitionIsInTheTable(t *testing.T) {
	all := []order.Status{order.Confirmed, order.Accepted, order.Issue, order.Fulfilled, order.Cancelled, order.Refunded}
	ways := map[order.Status][]order.Status{
		order.Confirmed: {}, order.Accepted: {order.Accepted}, order.Issue: {order.Issue}, order.Fulfilled: {order.Fulfilled},
		order.Cancelled: {order.Cancelled}, order.Refunded: {order.Cancelled, order.Refunded},
	}
	table := map[order.Status]string{ // domain.md §4.4
		order.Confirmed: "accepted issue fulfilled cancelled",
		order.Accepted:  "issue fulfilled cancelled",
		order.Issue:     "confirmed accepted fulfilled cancelled",
		order.Fulfilled: "issue cancelled refunded",
		order.Cancelled: "refunded",
		order.Refunded:  "",
	}
	kinds := map[order.Status]fact.Kind{
		order.Confirmed: "order.confirmed", order.Accepted: "order.accepted", order.Issue: "order.issue_raised", order.Fulfilled: "order.fulfilled",
		order.Cancelled: "order.cancelled", order.Refunded: "refund.completed",
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 100})
		go_ := func(o id.Order, to order.Status) (result, error) {
			switch to {
			case order.Issue:
				return s.issue(o, "")
			case order.Refunded:
				return s.refund(o, "")
			}
			return s.set(o, to)
		}
		for _, from := range all {
			for _, to := range all {
				o := s.mustPlace(l, 1)
				for _, step := range ways[from] {
					if _, err := go_(o.ID, step); err != nil {
						t.Fatal(err)
					}
				}
				s.log.take()
				before := s.byID(t, o.ID)
				r, err := go_(o.ID, to)
				facts := s.log.take()
				switch {
				case from == to && to == order.Refunded:
					if !problem.Is(err, "nothing_to_refund") {
						t.Errorf("refunding twice = %v, want nothing_to_refund", err)
					}
				case from == to:
					if err != nil || r.fact != nil || len(facts) != 0 || r.Version != before.Version {
						t.Errorf("%s again = %v, fact %v, version %d; want success and nothing new", to, err, r.fact, r.Version)
					}
				case strings.Contains(" "+table[from]+" ", " "+string(to)+" "):
					if err != nil || len(facts) != 1 || facts[0] != r.fact {
						t.Fatalf("%s to %s = %v with facts %v, want one", from, to, err, facts)
					}
					var snap order.Snapshot
					if err := json.Unmarshal(r.fact.Data, &snap); err != nil {
						t.Fatal(err)
					}
					if r.fact.Kind != kinds[to] || snap.Status != to || snap.PreviousStatus != from || r.PreviousStatus != from || r.Version != before.Version+1 ||
						snap.Version != r.Version || r.fact.Version != r.Version {
						t.Errorf("%s to %s appended %s with %s after %s, version %d", from, to, r.fact.Kind, snap.Status, snap.PreviousStatus, snap.Version)
					}
					if diff := cmp.Diff(r.Order, s.byID(t, o.ID), orders); diff != "" {
						t.Errorf("%s to %s -returned +kept:\n%s", from, to, diff)
					}
				default:
					want := "invalid_transition"
					if from == order.Refunded && to == order.Refunded {
						want = "nothing_to_refund"
					}
					if !problem.Is(err, want) || len(facts) != 0 {
						t.Errorf("%s to %s = %v with facts %v, want %s", from, to, err, facts, want)
					}
				}
			}
		}
		s.audit(t)
	})
}

func TestInvalidTransitionSaysWhatIsOpen(t *testing.T) {
	s := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	o := s.mustPlace(s.list(inventory.Input{Quantity: 1}), 1)
	if _, err := s.set(o.ID, order.Accepted); err != nil {
		t.Fatal(err)
	}
	_, err := s.set(o.ID, order.Confirmed)
	if want := "The order is accepted and cannot become confirmed. From there it can become issue, fulfilled, cancelled."; err == nil || err.Error() != want {
		t.Errorf("accepted to confirmed = %q, want %q", err, want)
	}
	for _, c := range []order.Change{
		{Status: order.Issue}, {Status: order.Refunded}, {Status: order.Provisional}, {Status: "purchase_issues"}, {},
		{Status: order.Fulfilled, TransferMethod: "pigeon"}, {Status: order.Cancelled, TransferMethod: order.Email}, {Status: order.Cancelled, TransferNote: "x"},
		{Status: order.Fulfilled, TransferNote: strings.Repeat("x", 1001)},
	} {
		if _, err := s.change(o.ID, c); !problem.Is(err, "validation_failed") {
			t.Errorf("SetStatus(%+v) = %v, want validation_failed", c, err)
		}
	}
	if _, err := s.set("order_1", order.Accepted); !problem.Is(err, "order_not_found") {
		t.Errorf("SetStatus of no order = %v, want order_not_found", err)
	}
	if _, err := s.change(o.ID, order.Change{Status: order.Fulfilled, Version: 1}); !problem.Is(err, "version_mismatch") {
		t.Errorf("SetStatus for another version = %v, want version_mismatch", err)
	}
	if _, err := s.change(o.ID, order.Change{Status: order.Fulfilled, Version: 2}); err != nil {
		t.Errorf("SetStatus for the right version = %v", err)
	}
}

func TestFulfilmentSaysHow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 4})
		a, b := s.mustPlace(l, 1), s.mustPlace(l, 1)
		r, err := s.set(a.ID, order.Fulfilled)
		if err != nil || r.TransferMethod != order.MobileTransfer || r.People.TransferNote != "Transferred via mobile transfer" {
			t.Errorf("fulfilled without more: %s, %q, %v; want mobile_transfer and its note", r.TransferMethod, r.People.TransferNote, err)
		}
		r, err = s.change(b.ID, order.Change{Status: order.Fulfilled, TransferMethod: order.Email, TransferNote: "PDF sent"})
		if err != nil || r.Snapshot().TransferMethod != order.Email || s.byID(t, b.ID).People.TransferNote != "PDF sent" {
			t.Errorf("fulfilled by e-mail: %+v, %v", r, err)
		}
		if r, err = s.issue(b.ID, "never came"); err != nil || r.Snapshot().TransferMethod != "" {
			t.Errorf("an issue's snapshot shows the transfer method %s, %v", r.Snapshot().TransferMethod, err)
		}
		if r, err = s.issue(b.ID, "still not there"); err != nil || r.fact != nil || s.byID(t, b.ID).People.IssueReason != "still not there" {
			t.Errorf("a second issue: fact %v, %v; want none and the new reason", r.fact, err)
		}
	})
}

func TestCancelledOrderGivesItsUnitsBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 3, Seats: []string{"1", "2", "3"}})
		a := s.mustPlace(l, 2)
		if _, err := s.set(a.ID, order.Fulfilled); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := s.set(a.ID, order.Cancelled); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.free(t, l); n != 3 {
			t.Errorf("after cancelling twice %d are free, want 3", n)
		}
		if b := s.mustPlace(l, 3); fmt.Sprint(b.Seats) != "[1 2 3]" {
			t.Errorf("the next order has seats %v, want [1 2 3]", b.Seats)
		}
		if _, err := s.refund(a.ID, ""); err != nil {
			t.Fatal(err)
		}
		if n := s.free(t, l); n != 0 {
			t.Errorf("refunding a cancelled order freed %d seats that somebody else has", n)
		}
		s.audit(t)
	})
}

func TestRefundsAddUp(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 9})
		o := s.mustPlace(l, 2) // 150.66
		s.log.take()
		for _, c := range []struct {
			story  string
			status order.Status // asked for before, "" for none
			amount money.Decimal
			code   string // of the problem, "" for success
			left   int64
			after  order.Status
		}{
			{"half", "", "75.33", "", 7533, order.Confirmed},
			{"too much", "", "75.34", "refund_too_large", 7533, order.Confirmed},
			{"nothing", "", "0.00", "validation_failed", 7533, order.Confirmed},
			{"no amount of euros", "", "1.005", "validation_failed", 7533, order.Confirmed},
			{"the rest of a live order", "", "", "invalid_transition", 7533, order.Confirmed},
			{"some more", "", "5", "", 7033, order.Confirmed},
			{"some of a fulfilled order", order.Fulfilled, "0.33", "", 7000, order.Fulfilled},
			{"the rest of a fulfilled order", "", "", "", 0, order.Refunded},
			{"again", "", "", "nothing_to_refund", 0, order.Refunded},
			{"again by amount", "", "1", "nothing_to_refund", 0, order.Refunded},
		} {
			if c.status != "" {
				if _, err := s.set(o.ID, c.status); err != nil {
					t.Fatal(err)
				}
				s.log.take()
			}
			before := s.byID(t, o.ID)
			_, err := s.refund(o.ID, c.amount)
			if c.code == "" && err != nil || c.code != "" && !problem.Is(err, c.code) {
				t.Errorf("Refund (%s) = %v, want %q", c.story, err, c.code)
			}
			got := s.byID(t, o.ID)
			if got.Captured.Minor-got.Refunded.Minor != c.left || got.Status != c.after {
				t.Errorf("Refund (%s) leaves %d of a %s order, want %d, %s", c.story, got.Captured.Minor-got.Refunded.Minor, got.Status, c.left, c.after)
			}
			facts := s.log.take()
			if c.code != "" {
				if len(facts) != 0 {
					t.Errorf("Refund (%s) appended %v", c.story, facts)
				}
				continue
			}
			var snap order.Snapshot
			if len(facts) != 1 || facts[0].Kind != fact.RefundCompleted || json.Unmarshal(facts[0].Data, &snap) != nil {
				t.Fatalf("Refund (%s) appended %v, want refund.completed", c.story, facts)
			}
			moved := before.Status != got.Status
			if snap.RefundMinor != got.Refunded.Minor-before.Refunded.Minor || snap.RefundedMinor != got.Refunded.Minor || (snap.PreviousStatus != "") != moved {
				t.Errorf("Refund (%s) says %+v", c.story, snap)
			}
		}
		if n := s.free(t, l); n != 9 {
			t.Errorf("after the whole refund %d are free, want 9", n)
		}
		free := s.mustPlace(s.list(inventory.Input{Quantity: 1, Price: "0", Row: "5", Section: "B"}), 1)
		if _, err := s.refund(free.ID, ""); !problem.Is(err, "nothing_to_refund") {
			t.Errorf("Refund of a free ticket = %v, want nothing_to_refund", err)
		}
		s.audit(t)
	})
}

func TestListFilters(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("F", "2099-09-01T20:00:00")
		e, f := s.list(inventory.Input{Quantity: 50}), s.list(inventory.Input{Event: "F", Quantity: 50})
		name := map[id.Order]string{}
		var all []id.Order
		for i, l := range []inventory.Listing{e, f, e, e} {
			c := kari
			if i == 2 {
				c.Email = "ola@example.test"
			}
			r, err := s.place(order.Input{Event: l.EventID, Listing: l.ID, Quantity: 1, Customer: c})
			if err != nil {
				t.Fatal(err)
			}
			name[r.ID] = fmt.Sprint(i)
			all = append(all, r.ID)
			time.Sleep(2 * time.Millisecond) // ids are sorted by the millisecond
		}
		if _, err := s.set(all[0], order.Cancelled); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			f     order.Filter
			want  string
			total int
		}{
			{order.Filter{}, "3 2 1 0", 4},
			{order.Filter{Event: "E"}, "3 2 0", 3},
			{order.Filter{Event: "nowhere"}, "", 0},
			{order.Filter{Status: order.Cancelled}, "0", 1},
			{order.Filter{Email: " KARI@example.test"}, "3 1 0", 3},
			{order.Filter{Email: "kari@example.test", Event: "E", Status: order.Confirmed}, "3", 1},
			{order.Filter{Limit: 2, Offset: 1}, "2 1", 4},
			{order.Filter{Limit: 2, Before: all[2]}, "1 0", 4},
			{order.Filter{Email: "kari@example.test", Before: all[1]}, "0", 3},
		} {
			page, total, err := order.List(d.Read(t.Context()), house, c.f)
			var got []string
			for _, o := range page {
				got = append(got, name[o.ID])
			}
			if g := strings.Join(got, " "); err != nil || g != c.want || total != c.total {
				t.Errorf("List(%+v) = %s of %d, %v; want %s of %d", c.f, g, total, err, c.want, c.total)
			}
		}
		if page, total, err := order.List(d.Read(t.Context()), house+1, order.Filter{}); len(page) != 0 || total != 0 || err != nil {
			t.Errorf("another organisation's List = %d of %d, %v", len(page), total, err)
		}
		for _, f := range []order.Filter{{Limit: 101}, {Limit: -1}, {Offset: -1}, {Status: "gone"}, {Before: "x"}, {Email: "\xff"}} {
			if _, _, err := order.List(d.Read(t.Context()), house, f); !problem.Is(err, "validation_failed") {
				t.Errorf("List(%+v) = %v, want validation_failed", f, err)
			}
		}
	})
}

func TestCancellingAnEventsOrdersGoesOnInSteps(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("F", "2099-09-01T20:00:00")
		l, other := s.list(inventory.Input{Quantity: 20}), s.list(inventory.Input{Event: "F", Quantity: 20})
		var all []id.Order
		for range 7 {
			all = append(all, s.mustPlace(l, 2).ID)
		}
		kept := s.mustPlace(other, 1)
		if _, err := s.set(all[2], order.Cancelled); err != nil {
			t.Fatal(err)
		}
		start := func() (c order.Cancellation) {
			t.Helper()
			s.write(t, func(tx *db.Tx) (err error) { c, err = s.book.StartCancelling(tx, house, "E"); return err })
			return c
		}
		step := func() (c order.Cancellation) {
			t.Helper()
			s.write(t, func(tx *db.Tx) (err error) { c, err = s.book.CancelSome(tx, house, l.EventNo, 2); return err })
			return c
		}
		if _, err := order.CancellationOf(d.Read(t.Context()), house, "E"); !problem.Is(err, "cancellation_not_found") {
			t.Errorf("CancellationOf before = %v, want cancellation_not_found", err)
		}
		if c := start(); c.Total != 6 || c.Done != 0 || !c.FinishedAt.IsZero() {
			t.Errorf("StartCancelling = %+v, want 6 to do", c)
		}
		time.Sleep(2 * time.Millisecond) // ids are sorted by the millisecond
		late := s.mustPlace(l, 1)
		s.log.take()
		if c := step(); c.Total != 6 || c.Done != 2 {
			t.Errorf("CancelSome = %+v, want 2 of 6", c)
		}
		if c := start(); c.Done != 2 {
			t.Errorf("StartCancelling while it goes on = %+v, want 2 of 6", c)
		}
		if open, err := order.Cancellations(d.Read(t.Context())); err != nil || len(open) != 1 || open[0].EventID != "E" || open[0].Org != house {
			t.Errorf("Cancellations = %+v, %v; want that of E", open, err)
		}
		if _, err := s.set(all[6], order.Cancelled); err != nil { // somebody is faster
			t.Fatal(err)
		}
		step()
		if c := step(); c.Done != 5 || c.Total != 5 || c.FinishedAt.IsZero() {
			t.Errorf("the last CancelSome = %+v, want 5 of 5, finished", c)
		}
		if c := step(); c.Done != 5 {
			t.Errorf("CancelSome after the end = %+v, want nothing more", c)
		}
		if got := s.log.kinds(); got != strings.TrimSpace(strings.Repeat("order.cancelled ", 6)) {
			t.Errorf("facts: %s, want six order.cancelled", got)
		}
		if open, err := order.Cancellations(d.Read(t.Context())); err != nil || len(open) != 0 {
			t.Errorf("Cancellations at the end = %+v, %v; want none", open, err)
		}
		if s.byID(t, kept.ID).Status != order.Confirmed || s.byID(t, late.ID).Status != order.Confirmed {
			t.Error("orders of another event, or placed after the call, were cancelled too")
		}
		if c := start(); c.Total != 1 || c.Done != 0 {
			t.Errorf("StartCancelling once more = %+v, want the late one to do", c)
		}
		if c := step(); c.Done != 1 || c.FinishedAt.IsZero() || s.free(t, l) != 20 {
			t.Errorf("then %+v with %d free, want all free", c, s.free(t, l))
		}
		if c := start(); c.Total != 0 || c.FinishedAt.IsZero() {
			t.Errorf("StartCancelling with nothing left = %+v, want it finished", c)
		}
		s.audit(t)
	})
}

func TestAuditSaysWhatDiffers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		o := s.mustPlace(s.list(inventory.Input{Quantity: 9, Seats: []string{"1", "2", "3", "4", "5", "6", "7", "8", "9"}}), 2)
		if _, err := s.refund(o.ID, "1"); err != nil {
			t.Fatal(err)
		}
		s.audit(t)
		for _, c := range []struct{ break_, mend, want string }{
			{`UPDATE orders SET units = '[1]'`, `UPDATE orders SET units = '[0,1]'`, "has 1 units"},
			{`UPDATE orders SET seats = '["1"]'`, `UPDATE orders SET seats = '["1","2"]'`, "has 1 seats"},
			{`UPDATE orders SET refunded = 101`, `UPDATE orders SET refunded = 100`, "refunds add up to 100"},
			{`UPDATE orders SET status = 'refunded'`, `UPDATE orders SET status = 'confirmed'`, "is refunded with 100"},
			{`UPDATE orders SET previous_status = 'accepted'`, `UPDATE orders SET previous_status = ''`, "the table does not allow"},
			{`UPDATE orders SET status = 'cancelled', previous_status = 'confirmed'`, `UPDATE orders SET status = 'confirmed', previous_status = ''`,
				"2 more are sold than its orders have"},
			{`UPDATE order_people SET order_no = order_no + 1`, `UPDATE order_people SET order_no = order_no - 1`, "personal data"},
		} {
			s.write(t, func(tx *db.Tx) error { _, err := tx.Exec(c.break_); return err })
			found, err := order.Audit(d.Read(t.Context()))
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
	o := order.Order{
		ID: "order_178290000012300042", Number: "TIC-KRLCH4H78", EventID: "EV-7001", EventName: "Harbor Jazz Night",
		EventDate: time.Date(2027, 8, 14, 18, 30, 0, 0, time.UTC), EventTimezone: "Europe/Oslo", EventVenue: "Pier Hall", EventLocation: "Oslo, NO",
		ListingID: "66aa0011223344556677889b", Section: "B", Row: "4", Seats: []string{"7", "8"}, Quantity: 2,
		UnitPrice: money.Amount{Minor: 7533, Currency: "EUR"}, Total: money.Amount{Minor: 15066, Currency: "EUR"},
		Status: order.Fulfilled, PreviousStatus: order.Accepted, TransferMethod: order.Email, Version: 3,
		CreatedAt: time.Date(2027, 7, 1, 10, 0, 0, 123_456_000, time.UTC), UpdatedAt: time.Date(2027, 7, 2, 8, 15, 0, 0, time.UTC),
		People: order.People{Customer: kari},
	}
	got, err := json.MarshalIndent(o.Snapshot(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	file := filepath.Join("testdata", "snapshot.json")
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
