package gate_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const (
	house = 1 // the organisation
	kari  = "Kari@example.test"
)

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

// take returns the facts about check-ins that came since the last call.
func (l *log) take() []*fact.Fact {
	l.mu.Lock()
	defer l.mu.Unlock()
	var some []*fact.Fact
	for _, f := range l.facts {
		if strings.HasPrefix(string(f.Kind), "checkin.") {
			some = append(some, f)
		}
	}
	l.facts = nil
	return some
}

func (l *log) kinds() string {
	var all []string
	for _, f := range l.take() {
		all = append(all, strings.TrimPrefix(string(f.Kind), "checkin."))
	}
	return strings.Join(all, " ")
}

// codes are "CODE " and a ticket's id, "OLD " for one of a former generation, "FORGED " for one that nobody signed.
type codes struct{ class int }

func (c codes) Present(_ context.Context, q db.Querier, org int64, code string, _ time.Time) (ticket.Presented, error) {
	word, of, _ := strings.Cut(code, " ")
	t, err := ticket.ByID(q, org, id.Ticket(of))
	p := ticket.Presented{Ticket: t, Class: c.class}
	switch {
	case word == "FORGED":
		return ticket.Presented{Verdict: ticket.BadSignature}, nil
	case problem.Is(err, "ticket_not_found"):
		return ticket.Presented{Verdict: ticket.Unknown}, nil
	case word == "OLD":
		p.Verdict = ticket.Outdated
	case word == "EARLY":
		p.Verdict = ticket.NotYet
	case word == "LATE":
		p.Verdict = ticket.TooLate
	default:
		p.Verdict = ticket.Genuine
	}
	return p, err
}

// hall is a database with an event "E", what is for sale of it, and a door.
type hall struct {
	t     testing.TB
	db    *db.DB
	log   *log
	cal   *event.Calendar
	stock *inventory.Stock
	book  *order.Book
	roll  *ticket.Roll
	codes *codes
	door  *gate.Door
}

func open(t testing.TB, d *db.DB) *hall {
	t.Helper()
	l, c := &log{}, &codes{}
	stock, roll := inventory.New(l, nil), ticket.New(l, d, nil)
	h := &hall{t: t, db: d, log: l, cal: event.New(l, order.Exists), stock: stock, book: order.New(l, stock, roll), roll: roll, codes: c, door: gate.New(l, c)}
	h.event("E")
	return h
}

func each(t *testing.T, f func(t *testing.T, h *hall)) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, open(t, d)) })
}

func (h *hall) try(fn func(tx *db.Tx) error) error { return h.db.Write(h.t.Context(), "", fn) }

func (h *hall) write(fn func(tx *db.Tx) error) {
	h.t.Helper()
	if err := h.try(fn); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hall) event(e id.Event) {
	h.t.Helper()
	h.write(func(tx *db.Tx) error {
		_, err := h.cal.Create(tx, house, event.Input{
			ID: e, Name: "Harbor Jazz Night", StartLocal: "2099-08-14T20:30:00", Timezone: "Europe/Oslo", Venue: "Pier Hall", City: "Oslo", Country: "NO", Currency: "EUR",
		})
		return err
	})
}

// buy buys n tickets of an event.
func (h *hall) buy(e id.Event, section string, n int) []id.Ticket {
	h.t.Helper()
	var all []id.Ticket
	var l inventory.Listing
	h.write(func(tx *db.Tx) (err error) {
		l, err = h.stock.Create(tx, house, inventory.Input{Event: e, Section: section, Row: "4", Quantity: n, Price: "10"})
		return err
	})
	for n > 0 {
		some := min(n, 20)
		n -= some
		var o order.Order
		h.write(func(tx *db.Tx) (err error) {
			o, _, err = h.book.Place(tx, house, order.Input{
				Event: e, Listing: l.ID, Quantity: some, Customer: order.Customer{Email: kari, Phone: order.Phone{Number: "4712345678", CountryCode: "+47"}},
			})
			return err
		})
		page, _, err := ticket.List(h.db.Read(h.t.Context()), house, ticket.Filter{Order: o.ID})
		if err != nil {
			h.t.Fatal(err)
		}
		for _, t := range page {
			all = append(all, t.ID)
		}
	}
	h.log.take()
	return all
}

func (h *hall) ticket() id.Ticket {
	h.t.Helper()
	return h.buy("E", "B", 1)[0]
}

// ask presents what a scan has.
func (h *hall) ask(s gate.Scan) (o gate.Outcome, err error) {
	if s.By.ID == "" {
		s.By.ID = "key_1"
	}
	if err = h.door.Look(h.t.Context(), h.db.Read(h.t.Context()), house, &s, time.Now()); err != nil {
		return o, err
	}
	err = h.try(func(tx *db.Tx) (err error) {
		o, err = h.door.Scan(tx, house, s)
		return err
	})
	return o, err
}

func (h *hall) scan(s gate.Scan) gate.Outcome {
	h.t.Helper()
	o, err := h.ask(s)
	if err != nil {
		h.t.Fatalf("Scan(%+v): %v", s, err)
	}
	return o
}

func code(t id.Ticket) string { return "CODE " + string(t) }

// want fails unless the outcome is as it says: a status and a reason.
func want(t testing.TB, o gate.Outcome, status gate.Status, reason string) {
	t.Helper()
	if o.Status != status || o.Reason != reason {
		t.Errorf("the outcome is %s (%s), want %s (%s)", o.Status, o.Reason, status, reason)
	}
	if o.Message() == "" {
		t.Errorf("%s (%s) has no words", o.Status, o.Reason)
	}
}

func (h *hall) inside(t id.Ticket) bool {
	h.t.Helper()
	got, err := ticket.ByID(h.db.Read(h.t.Context()), house, t)
	if err != nil {
		h.t.Fatal(err)
	}
	return got.Presence == ticket.Inside
}

func (h *hall) list(in gate.Input) gate.List {
	h.t.Helper()
	if in.Event == "" {
		in.Event = "E"
	}
	if in.Name == "" {
		in.Name = "List"
	}
	var l gate.List
	h.write(func(tx *db.Tx) (err error) {
		l, err = gate.CreateList(tx, house, in)
		return err
	})
	return l
}

func (h *hall) gate(name string) gate.Gate {
	h.t.Helper()
	var g gate.Gate
	h.write(func(tx *db.Tx) (err error) {
		g, err = gate.CreateGate(tx, house, name)
		return err
	})
	return g
}

// audit fails when anything does not agree.
func (h *hall) audit() {
	h.t.Helper()
	found, err := gate.Audit(h.db.Read(h.t.Context()))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, sentence := range found {
		h.t.Errorf("Audit: %s", sentence)
	}
}
