package stamp_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
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
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const house = 1 // the organisation

// The people of the tests.
const (
	kari = "Kari@example.test"
	ola  = "Ola@example.test"
)

// patience bounds how long a test waits for what is certain to come.
const patience = time.Minute

// hall is a database with the events A, B and C, of which A and B are at the Pier, and their tickets.
type hall struct {
	t      testing.TB
	db     *db.DB
	ledger *ledger.Ledger
	stock  *inventory.Stock
	book   *order.Book
	roll   *ticket.Roll
	album  *stamp.Album
}

func each(t *testing.T, f func(t *testing.T, h *hall)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, open(t, d)) })
}

func open(t testing.TB, d *db.DB) *hall {
	t.Helper()
	l, err := ledger.Open(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	stock, roll := inventory.New(l, nil), ticket.New(l, d, nil)
	h := &hall{t: t, db: d, ledger: l, stock: stock, book: order.New(l, stock, roll), roll: roll, album: stamp.New(l)}
	cal := event.New(l, order.Exists)
	for e, venue := range map[id.Event]string{"A": "Pier", "B": "pier", "C": "Barn"} {
		h.write(func(tx *db.Tx) error {
			_, err := cal.Create(tx, house, event.Input{ID: e, Name: string(e), StartLocal: "2099-08-14T20:30:00", Timezone: "Europe/Oslo", Venue: venue, Currency: "EUR"})
			return err
		})
	}
	return h
}

func (h *hall) try(fn func(tx *db.Tx) error) error { return h.db.Write(h.t.Context(), "", fn) }

func (h *hall) write(fn func(tx *db.Tx) error) {
	h.t.Helper()
	if err := h.try(fn); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hall) q() db.Querier { return h.db.Read(h.t.Context()) }

// ticket sells somebody a ticket for an event.
func (h *hall) ticket(e id.Event, email string) id.Ticket {
	h.t.Helper()
	var o order.Order
	h.write(func(tx *db.Tx) error {
		l, err := h.stock.Create(tx, house, inventory.Input{Event: e, Section: "B", Row: id24(), Quantity: 1, Price: "1"})
		if err != nil {
			return err
		}
		o, _, err = h.book.Place(tx, house, order.Input{
			Event: e, Listing: l.ID, Quantity: 1, Customer: order.Customer{Email: email, Phone: order.Phone{Number: "4712345678", CountryCode: "+47"}},
		})
		return err
	})
	page, _, err := ticket.List(h.q(), house, ticket.Filter{Order: o.ID})
	if err != nil || len(page) != 1 {
		h.t.Fatalf("tickets of order %s: %d, %v", o.ID, len(page), err)
	}
	return page[0].ID
}

func id24() string { return string(id.NewStamp()) }

// earned makes a stamp type.
func (h *hall) earned(r stamp.Rule) stamp.Type {
	h.t.Helper()
	return h.made(stamp.Input{Name: "Stamp", Collection: "Season", Rule: r})
}

func (h *hall) made(in stamp.Input) (t stamp.Type) {
	h.t.Helper()
	h.write(func(tx *db.Tx) (err error) {
		t, err = h.album.Create(tx, house, in)
		return err
	})
	return t
}

// door is a fact about a check-in.
func door(kind fact.Kind, c id.Checkin, t id.Ticket, e id.Event) *fact.Fact {
	data, err := json.Marshal(gate.Snapshot{CheckinID: c, TicketID: t, EventID: e, At: fact.Instant(time.UnixMilli(1_800_000_000_000)), Result: "x"})
	if err != nil {
		panic(err)
	}
	return &fact.Fact{Org: house, Kind: kind, Subject: string(c), Version: 1, Data: data}
}

// happen appends facts, and has the album follow.
func (h *hall) happen(facts ...*fact.Fact) {
	h.t.Helper()
	h.write(func(tx *db.Tx) error { return h.ledger.Append(tx, facts...) })
	h.write(func(tx *db.Tx) error { return h.album.Follow(tx, facts) })
}

// enter admits a ticket and returns the check-in.
func (h *hall) enter(t id.Ticket, e id.Event) id.Checkin {
	h.t.Helper()
	c := id.NewCheckin()
	h.happen(door(fact.CheckinAdmitted, c, t, e))
	return c
}

func (h *hall) undo(c id.Checkin) {
	h.t.Helper()
	h.happen(door(fact.CheckinUndone, c, "", ""))
}

type result struct {
	stamp.Stamp
	fact *fact.Fact
}

func (h *hall) award(t id.StampType, in stamp.Award) (r result, err error) {
	err = h.try(func(tx *db.Tx) (err error) {
		r.Stamp, r.fact, err = h.album.Award(tx, house, t, in)
		return err
	})
	return r, err
}

func (h *hall) revoke(s id.Stamp) (r result, err error) {
	err = h.try(func(tx *db.Tx) (err error) {
		r.Stamp, r.fact, err = h.album.Revoke(tx, house, s)
		return err
	})
	return r, err
}

func (h *hall) passport(email string) stamp.Passport {
	h.t.Helper()
	p, err := stamp.PassportOf(h.q(), house, person.Of(email), stamp.Page{Limit: 100})
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// has fails when a person does not hold so many stamps.
func (h *hall) has(email string, want int) []stamp.Stamp {
	h.t.Helper()
	p := h.passport(email)
	if p.Total != want || len(p.Stamps) != want {
		h.t.Errorf("%s has %d stamps, want %d", email, p.Total, want)
	}
	return p.Stamps
}

// told are the facts about stamps as "awarded 1".
func (h *hall) told() []string {
	h.t.Helper()
	all, err := db.All(h.q(), func(r db.Rows) (string, error) {
		var kind, version string
		err := r.Scan(&kind, &version)
		return strings.TrimPrefix(kind, "stamp.") + " " + version, err
	}, `SELECT kind, CAST(version AS TEXT) FROM facts WHERE kind IN ('stamp.awarded', 'stamp.revoked') ORDER BY seq`)
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// follow has the album follow the ledger as the program does, until stop.
func (h *hall) follow(l *ledger.Ledger, step ledger.Step) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- l.Follow(ctx, ledger.Follower{Name: "stamp", Kinds: stamp.Kinds(), Step: step, Batch: 7, Log: slog.New(slog.DiscardHandler)})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Errorf("Follow: %v", err)
		}
	})
	h.t.Cleanup(stop)
	return stop
}

func (h *hall) await(what string, cond func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// refused fails when an error is not the problem with the code.
func refused(t testing.TB, what string, err error, code string) {
	t.Helper()
	if !problem.Is(err, code) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// faults are a problem's fields as "pointer code".
func faults(err error) (all []string) {
	var p *problem.Error
	if errors.As(err, &p) {
		for _, f := range p.Fields {
			all = append(all, f.Pointer+" "+f.Code)
		}
	}
	return all
}

func ptr[T any](v T) *T { return &v }
