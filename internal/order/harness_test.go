package order_test

import (
	"flag"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { dbtest.Main(m) }

// log is a ledger in memory.
type log struct {
	mu    sync.Mutex // guards facts
	facts []*fact.Fact
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
	stock := inventory.New(l, keyring(t))
	s := &shop{t: t, db: d, log: l, cal: event.New(l, order.Exists), stock: stock, book: order.New(l, stock, ticket.New(l, d, nil))}
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
		_, err := s.cal.Create(tx, house, event.Input{
			ID: e, Name: "Harbor Jazz Night", StartLocal: start, Timezone: "Europe/Oslo",
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
