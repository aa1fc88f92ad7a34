package ticket_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

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

// take returns the facts about orders and tickets that came since the last call.
func (l *log) take() []*fact.Fact {
	l.mu.Lock()
	defer l.mu.Unlock()
	var some []*fact.Fact
	for _, f := range l.facts {
		if noun, _, _ := strings.Cut(string(f.Kind), "."); noun == "order" || noun == "refund" || noun == "ticket" {
			some = append(some, f)
		}
	}
	l.facts = nil
	return some
}

func (l *log) kinds() string {
	var all []string
	for _, f := range l.take() {
		all = append(all, string(f.Kind))
	}
	return strings.Join(all, " ")
}

const house = 1 // the organisation

func keyring(t testing.TB) *seal.Keyring {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// The people of the tests.
const (
	kari = "Kari@example.test"
	ola  = "Ola@example.test"
)

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
	roll  *ticket.Roll
	org   id.Org
}

func open(t testing.TB, d *db.DB) *shop {
	l := &log{}
	stock, roll := inventory.New(l, nil), ticket.New(l, d, keyring(t))
	s := &shop{t: t, db: d, log: l, cal: event.New(l, order.Exists), stock: stock, book: order.New(l, stock, roll), roll: roll}
	s.write(t, func(tx *db.Tx) error {
		o, err := org.Create(tx, org.Input{Name: "House"})
		if err == nil && o.No != house {
			t.Fatalf("the first organisation is %d, want %d", o.No, house)
		}
		s.org = o.ID
		return err
	})
	s.event("E")
	return s
}

func (s *shop) write(f fail, fn func(tx *db.Tx) error) {
	f.Helper()
	if err := s.try(fn); err != nil {
		f.Fatalf("%v", err)
	}
}

func (s *shop) try(fn func(tx *db.Tx) error) error { return s.db.Write(s.t.Context(), "E", fn) }

func (s *shop) exec(sql string, args ...any) {
	s.t.Helper()
	s.write(s.t, func(tx *db.Tx) error {
		_, err := tx.Exec(sql, args...)
		return err
	})
}

func (s *shop) event(e id.Event) {
	s.t.Helper()
	s.write(s.t, func(tx *db.Tx) error {
		_, err := s.cal.Create(tx, house, event.Input{
			ID: e, Name: "Harbor Jazz Night", StartLocal: "2099-08-14T20:30:00", Timezone: "Europe/Oslo",
			Venue: "Pier Hall", City: "Oslo", Country: "NO", Currency: "EUR",
		})
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

// buy places an order of Kari's.
func (s *shop) buy(f fail, l inventory.Listing, n int) order.Order { return s.buyFor(f, l, n, kari) }

func (s *shop) buyFor(f fail, l inventory.Listing, n int, email string) order.Order {
	f.Helper()
	var o order.Order
	s.write(f, func(tx *db.Tx) (err error) {
		o, _, err = s.book.Place(tx, house, order.Input{
			Event: l.EventID, Listing: l.ID, Quantity: n,
			Customer: order.Customer{Email: email, Phone: order.Phone{Number: "4712345678", CountryCode: "+47"}},
		})
		return err
	})
	return o
}

// bought buys n tickets and returns them by place.
func (s *shop) bought(n int) []ticket.Ticket {
	s.t.Helper()
	o := s.buy(s.t, s.list(inventory.Input{Quantity: n}), n)
	return s.of(s.t, o.ID)
}

// of returns an order's tickets by place.
func (s *shop) of(f fail, o id.Order) []ticket.Ticket {
	f.Helper()
	page, total, err := ticket.List(s.db.Read(s.t.Context()), house, ticket.Filter{Order: o})
	if err != nil || total != len(page) {
		f.Fatalf("List of order %s: %d of %d, %v", o, len(page), total, err)
	}
	all := make([]ticket.Ticket, len(page))
	for i, t := range page {
		all[len(page)-1-i] = t
	}
	return all
}

func (s *shop) move(f fail, o id.Order, status order.Status) error {
	return s.try(func(tx *db.Tx) error {
		_, _, err := s.book.SetStatus(tx, house, o, order.Change{Status: status})
		return err
	})
}

func (s *shop) refund(o id.Order, amount money.Decimal) error {
	return s.try(func(tx *db.Tx) error {
		_, _, err := s.book.Refund(tx, house, o, order.RefundInput{Amount: amount})
		return err
	})
}

// result is what a function of the roll returned.
type result struct {
	ticket.Ticket
	fact *fact.Fact
}

func (s *shop) do(fn func(tx *db.Tx) (ticket.Ticket, *fact.Fact, error)) (r result, err error) {
	err = s.try(func(tx *db.Tx) (err error) {
		r.Ticket, r.fact, err = fn(tx)
		return err
	})
	return r, err
}

func (s *shop) cancel(t id.Ticket) (result, error) {
	return s.do(func(tx *db.Tx) (ticket.Ticket, *fact.Fact, error) { return s.roll.Cancel(tx, house, t, 0) })
}

func (s *shop) block(t id.Ticket) (result, error) {
	return s.do(func(tx *db.Tx) (ticket.Ticket, *fact.Fact, error) { return s.roll.Block(tx, house, t, 0) })
}

func (s *shop) unblock(t id.Ticket) (result, error) {
	return s.do(func(tx *db.Tx) (ticket.Ticket, *fact.Fact, error) { return s.roll.Unblock(tx, house, t, 0) })
}

func (s *shop) hold(t id.Ticket, c ticket.HolderChange) (result, error) {
	return s.do(func(tx *db.Tx) (ticket.Ticket, *fact.Fact, error) { return s.roll.SetHolder(tx, house, t, c) })
}

func (s *shop) at(t id.Ticket, p ticket.Presence) (result, error) {
	return s.do(func(tx *db.Tx) (ticket.Ticket, *fact.Fact, error) {
		got, err := s.roll.SetPresence(tx, house, t, p)
		return got, nil, err
	})
}

func (s *shop) byID(f fail, t id.Ticket) ticket.Ticket {
	f.Helper()
	got, err := ticket.ByID(s.db.Read(s.t.Context()), house, t)
	if err != nil {
		f.Fatalf("ByID(%s): %v", t, err)
	}
	return got
}

// audit fails when anything does not agree.
func (s *shop) audit(f fail) {
	f.Helper()
	for name, audit := range map[string]func(db.Querier) ([]string, error){"inventory": inventory.Audit, "order": order.Audit, "ticket": ticket.Audit} {
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
