package pass_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/seal"
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
		for _, f := range facts {
			if noun, _, _ := strings.Cut(string(f.Kind), "."); noun == "pass" || noun == "registration" {
				l.facts = append(l.facts, f)
			}
		}
	})
	return nil
}

// of are the facts about a pass.
func (l *log) of(p *pass.Pass) (some []*fact.Fact) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.facts {
		if f.Subject == string(p.ID) {
			some = append(some, f)
		}
	}
	// Of two transactions that have committed one right after the other, either may be the first to say so.
	slices.SortStableFunc(some, func(a, b *fact.Fact) int { return cmp.Compare(a.Version, b.Version) })
	return some
}

// hall is a database with an event "E", which ended long ago on its clock or has not yet begun, and its passes.
type hall struct {
	t     testing.TB
	db    *db.DB
	log   *log
	keys  *seal.Keyring
	cal   *event.Calendar
	stock *inventory.Stock
	order *order.Book
	roll  *ticket.Roll
	book  *pass.Book
	clock func(time.Duration) // moves the clock of the database, on SQLite
}

// each runs a test on both engines.
func each(t *testing.T, f func(t *testing.T, h *hall)) {
	t.Helper()
	t.Parallel() // most of a test is waiting for a database to be made
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, open(t, d)) })
}

// clocked is a hall whose clock is moved by hand.
func clocked(t *testing.T) *hall {
	t.Helper()
	var mu sync.Mutex // guards now
	now := time.Date(2030, 5, 1, 10, 0, 0, 123_456_000, time.UTC)
	c := dbtest.SQLite(t)
	c.Now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	h := open(t, dbtest.Open(t, c))
	h.clock = func(by time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(by)
	}
	return h
}

func open(t testing.TB, d *db.DB) *hall {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	l := &log{}
	stock, roll := inventory.New(l, nil), ticket.New(l, d, keys)
	h := &hall{
		t: t, db: d, log: l, keys: keys, cal: event.New(l, order.Exists), stock: stock, order: order.New(l, stock, roll), roll: roll,
		book: pass.New(pass.Config{DB: d, Ledger: l, Keys: keys, Tickets: roll}),
	}
	h.write(func(tx *db.Tx) error {
		o, err := org.Create(tx, org.Input{Name: "House"})
		if err == nil && o.No != house {
			t.Fatalf("the first organisation is %d, want %d", o.No, house)
		}
		return err
	})
	h.write(func(tx *db.Tx) error {
		_, err := h.cal.Create(tx, house, event.Input{
			ID: "E", Name: "Harbor Jazz Night", StartLocal: "2099-08-14T20:30:00", Timezone: "Europe/Oslo", Venue: "Pier Hall", City: "Oslo", Country: "NO", Currency: "EUR",
		})
		return err
	})
	return h
}

func (h *hall) try(fn func(tx *db.Tx) error) error { return h.db.Write(h.t.Context(), "", fn) }

func (h *hall) write(fn func(tx *db.Tx) error) {
	h.t.Helper()
	if err := h.try(fn); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hall) exec(sql string, args ...any) {
	h.t.Helper()
	h.write(func(tx *db.Tx) error {
		_, err := tx.Exec(sql, args...)
		return err
	})
}

func (h *hall) q() db.Querier { return h.db.Read(h.t.Context()) }

// now is the database's clock.
func (h *hall) now() (at time.Time) {
	h.write(func(tx *db.Tx) error {
		at = tx.Now()
		return nil
	})
	return at
}

// tickets sells Kari n tickets.
func (h *hall) tickets(n int) []ticket.Ticket {
	h.t.Helper()
	var o order.Order
	h.write(func(tx *db.Tx) error {
		l, err := h.stock.Create(tx, house, inventory.Input{Event: "E", Section: "B", Row: "4", Quantity: n, Price: "1"})
		if err != nil {
			return err
		}
		o, _, err = h.order.Place(tx, house, order.Input{
			Event: "E", Listing: l.ID, Quantity: n, Customer: order.Customer{Email: kari, Phone: order.Phone{Number: "4712345678", CountryCode: "+47"}},
		})
		return err
	})
	page, _, err := ticket.List(h.q(), house, ticket.Filter{Order: o.ID})
	if err != nil || len(page) != n {
		h.t.Fatalf("tickets of order %s: %d, %v", o.ID, len(page), err)
	}
	return page
}

func (h *hall) create(in pass.Input) (p *pass.Pass, err error) {
	err = h.try(func(tx *db.Tx) (err error) {
		p, err = h.book.Create(tx, house, in)
		return err
	})
	return p, err
}

func (h *hall) made(in pass.Input) *pass.Pass {
	h.t.Helper()
	p, err := h.create(in)
	if err != nil {
		h.t.Fatalf("Create(%+v): %v", in, err)
	}
	return p
}

// plain makes a pass of no ticket.
func (h *hall) plain(p pass.Platform) *pass.Pass {
	h.t.Helper()
	return h.made(pass.Input{Platform: p, Barcode: &pass.Barcode{Message: "hello"}})
}

// of makes a pass of a ticket.
func (h *hall) of(t ticket.Ticket, p pass.Platform) *pass.Pass {
	h.t.Helper()
	return h.made(pass.Input{Platform: p, Ticket: t.ID})
}

// there is a pass as it is stored.
func (h *hall) there(p *pass.Pass) *pass.Pass {
	h.t.Helper()
	found, err := pass.ByID(h.q(), house, p.ID)
	if err != nil {
		h.t.Fatalf("ByID(%s): %v", p.ID, err)
	}
	return found
}

func (h *hall) update(p *pass.Pass, c pass.Change) (changed *pass.Pass, err error) {
	err = h.try(func(tx *db.Tx) (err error) {
		changed, err = h.book.Update(tx, house, p.ID, c)
		return err
	})
	return changed, err
}

// redesign changes a pass visibly.
func (h *hall) redesign(p *pass.Pass, text string) *pass.Pass {
	h.t.Helper()
	changed, err := h.update(p, pass.Change{Design: &pass.Design{LogoText: text}})
	if err != nil {
		h.t.Fatalf("Update: %v", err)
	}
	return changed
}

func (h *hall) expire(p *pass.Pass, why pass.Action) (expired *pass.Pass, err error) {
	err = h.try(func(tx *db.Tx) (err error) {
		expired, err = h.book.Expire(tx, house, p.ID, why)
		return err
	})
	return expired, err
}

func (h *hall) register(p *pass.Pass, device, pushToken string) (added bool, err error) {
	err = h.try(func(tx *db.Tx) (err error) {
		added, err = h.book.Register(tx, p.Serial, device, pushToken)
		return err
	})
	return added, err
}

// registered puts a pass on a device.
func (h *hall) registered(p *pass.Pass, device string) {
	h.t.Helper()
	if added, err := h.register(p, device, "token-of-"+device); err != nil || !added {
		h.t.Fatalf("Register of %s: %v, %v; want a new one", device, added, err)
	}
}

func (h *hall) unregister(p *pass.Pass, device string) error {
	return h.try(func(tx *db.Tx) error { return h.book.Unregister(tx, p.Serial, device) })
}

func (h *hall) face(p *pass.Pass) pass.Face {
	h.t.Helper()
	f, err := h.book.Face(h.t.Context(), h.q(), h.there(p), "https://tickets.example.test", time.Now())
	if err != nil {
		h.t.Fatalf("Face: %v", err)
	}
	return f
}

// told are a pass's facts as "pass.created 1", after it was found that each tells what comes next.
func (h *hall) told(p *pass.Pass) string {
	h.t.Helper()
	var all []string
	for i, f := range h.log.of(p) {
		var s pass.Snapshot
		if err := json.Unmarshal(f.Data, &s); err != nil {
			h.t.Fatal(err)
		}
		if f.Version != int64(i+1) || s.Version != f.Version || s.PassID != p.ID || f.Key != string(p.ID) || f.Org != house {
			h.t.Errorf("fact %d of a pass is %+v with the data %s", i+1, f, f.Data)
		}
		all = append(all, fmt.Sprintf("%s %d", f.Kind, f.Version))
	}
	if v := h.there(p).Version; v != int64(len(all)) {
		h.t.Errorf("the pass has version %d after %d facts", v, len(all))
	}
	return strings.Join(all, ", ")
}

// tells fails when a pass's facts are not those.
func (h *hall) tells(p *pass.Pass, want string) {
	h.t.Helper()
	if got := h.told(p); got != want {
		h.t.Errorf("the pass's facts are %s; want %s", got, want)
	}
}

// pushes are what is queued of a pass: how many devices, and Google's object.
func (h *hall) pushes(p *pass.Pass) (devices, object int) {
	h.t.Helper()
	_, err := db.All(h.q(), func(r db.Rows) (struct{}, error) { return struct{}{}, r.Scan(&devices, &object) },
		`SELECT count(CASE WHEN registration_no <> 0 THEN 1 END), count(CASE WHEN registration_no = 0 THEN 1 END) FROM pass_pushes WHERE pass_no = $1`, p.No)
	if err != nil {
		h.t.Fatal(err)
	}
	return devices, object
}

// wallet is somebody's wallet on a chain.
func wallet(t testing.TB, n byte) *evm.Key {
	t.Helper()
	k, err := evm.NewKey(bytes.Repeat([]byte{n}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// refused fails when an error is not the problem with the code and the status.
func refused(t testing.TB, what string, err error, code string, kind problem.Kind) {
	t.Helper()
	if p := problem.As(err); p == nil || p.Code != code || p.Kind != kind {
		t.Errorf("%s: %v, want %s (%d)", what, err, code, kind.Status())
	}
}

// faults are a problem's fields as "pointer code".
func faults(err error) string {
	var all []string
	var p *problem.Error
	if errors.As(err, &p) {
		for _, f := range p.Fields {
			all = append(all, f.Pointer+" "+f.Code)
		}
	}
	return strings.Join(all, ", ")
}

func ptr[T any](v T) *T { return &v }
