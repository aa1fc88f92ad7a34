package pass_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// soon bounds how long a test waits for what is certain to come.
const soon = time.Minute

// tour is a database with an event "E", its tickets and door, and a book of passes that follows the ledger when it is told to.
type tour struct {
	t      testing.TB
	db     *db.DB
	org    int64
	ledger *ledger.Ledger
	cal    *event.Calendar
	stock  *inventory.Stock
	orders *order.Book
	roll   *ticket.Roll
	door   *gate.Door
	book   *pass.Book
	seen   ledger.Place // up to where the book has followed
	taken  []*fact.Fact // what it was given the last time
}

func eachTour(t *testing.T, f func(t *testing.T, h *tour)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, newTour(t, d)) })
}

func newTour(t testing.TB, d *db.DB) *tour {
	t.Helper()
	l, err := ledger.Open(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	stock, roll := inventory.New(l, nil), ticket.New(l, d, keys)
	h := &tour{
		t: t, db: d, ledger: l, cal: event.New(l, order.Exists), stock: stock, orders: order.New(l, stock, roll), roll: roll, door: gate.New(l, roll),
		book: pass.New(pass.Config{DB: d, Ledger: l, Keys: keys, Tickets: roll}),
	}
	h.write(func(tx *db.Tx) error {
		o, err := org.Create(tx, org.Input{Name: "Harbor Hall"})
		h.org = o.No
		return err
	})
	h.event("E")
	return h
}

func (h *tour) try(fn func(tx *db.Tx) error) error { return h.db.Write(h.t.Context(), "", fn) }

func (h *tour) write(fn func(tx *db.Tx) error) {
	h.t.Helper()
	if err := h.try(fn); err != nil {
		h.t.Fatal(err)
	}
}

func (h *tour) q() db.Querier { return h.db.Read(h.t.Context()) }

func (h *tour) event(e id.Event) {
	h.t.Helper()
	h.write(func(tx *db.Tx) error {
		_, err := h.cal.Create(tx, h.org, event.Input{
			ID: e, Name: "Harbor Jazz Night", StartLocal: "2099-08-14T20:30:00", Timezone: "Europe/Oslo", Venue: "Pier Hall", Currency: "EUR",
		})
		return err
	})
	h.follow() // before there are passes
}

// change changes an event.
func (h *tour) change(e id.Event, p event.Patch) {
	h.t.Helper()
	h.write(func(tx *db.Tx) error {
		_, err := h.cal.Update(tx, h.org, e, p)
		return err
	})
}

// ticket sells somebody a ticket for an event.
func (h *tour) ticket(e id.Event) id.Ticket {
	h.t.Helper()
	var o order.Order
	h.write(func(tx *db.Tx) error {
		l, err := h.stock.Create(tx, h.org, inventory.Input{Event: e, Section: "B", Row: string(id.NewStamp()), Quantity: 1, Price: "1"})
		if err != nil {
			return err
		}
		o, _, err = h.orders.Place(tx, h.org, order.Input{
			Event: e, Listing: l.ID, Quantity: 1, Customer: order.Customer{Email: "kari@example.test", Phone: order.Phone{Number: "4712345678", CountryCode: "+47"}},
		})
		return err
	})
	page, _, err := ticket.List(h.q(), h.org, ticket.Filter{Order: o.ID})
	if err != nil || len(page) != 1 {
		h.t.Fatalf("tickets of order %s: %d, %v", o.ID, len(page), err)
	}
	return page[0].ID
}

// transfer gives a ticket to somebody else.
func (h *tour) transfer(t id.Ticket) {
	h.t.Helper()
	h.write(func(tx *db.Tx) error {
		_, _, err := h.roll.Offer(tx, h.org, t, ticket.Offer{To: "ola@example.test"})
		if err == nil {
			_, _, err = h.roll.Accept(tx, h.org, t, "", "Ola")
		}
		return err
	})
}

func (h *tour) cancel(t id.Ticket) {
	h.t.Helper()
	h.write(func(tx *db.Tx) error {
		_, _, err := h.roll.Cancel(tx, h.org, t, 0)
		return err
	})
}

// make makes a pass.
func (h *tour) make(in pass.Input) (p *pass.Pass) {
	h.t.Helper()
	h.write(func(tx *db.Tx) (err error) {
		p, err = h.book.Create(tx, h.org, in)
		return err
	})
	return p
}

func (h *tour) apple(t id.Ticket) *pass.Pass {
	h.t.Helper()
	return h.make(pass.Input{Platform: pass.Apple, Ticket: t})
}

func (h *tour) google(t id.Ticket) *pass.Pass {
	h.t.Helper()
	return h.make(pass.Input{Platform: pass.Google, Ticket: t})
}

// put puts a pass on a device, whose push token is its name.
func (h *tour) put(p *pass.Pass, device string) {
	h.t.Helper()
	h.write(func(tx *db.Tx) error {
		_, err := h.book.Register(tx, p.Serial, device, device)
		return err
	})
}

// crowd makes n passes, each on a device of its own: of a ticket and, as each has room for so many only, of other tickets of the same event. Each has room for one more.
func (h *tour) crowd(t id.Ticket, n int) (all []*pass.Pass) {
	h.t.Helper()
	is, err := ticket.ByID(h.q(), h.org, t)
	if err != nil {
		h.t.Fatal(err)
	}
	for ; len(all) < n; t = h.ticket(is.EventID) {
		some := all
		h.write(func(tx *db.Tx) error {
			some = all
			for range min(pass.MaxOfTicket-1, n-len(all)) {
				p, err := h.book.Create(tx, h.org, pass.Input{Platform: pass.Apple, Ticket: t})
				if err != nil {
					return err
				}
				if _, err := h.book.Register(tx, p.Serial, "d"+p.Serial, "d"+p.Serial); err != nil {
					return err
				}
				some = append(some, p)
			}
			return nil
		})
		all = some
	}
	return all
}

func (h *tour) now(p *pass.Pass) *pass.Pass {
	h.t.Helper()
	now, err := pass.ByID(h.q(), h.org, p.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return now
}

// follow has the book take the facts that it has not taken yet.
func (h *tour) follow() {
	h.t.Helper()
	h.taken = nil
	for {
		var some []ledger.Entry
		h.await("facts to be seen", func() bool {
			lag, err := h.ledger.Lag(h.t.Context(), time.Now())
			return err == nil && lag == 0
		})
		some, err := h.ledger.After(h.q(), h.seen, 250)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(some) == 0 {
			return
		}
		kinds := map[fact.Kind]bool{}
		for _, k := range pass.Kinds() {
			kinds[k] = true
		}
		var facts []*fact.Fact
		for _, e := range some {
			if h.seen = e.Place; kinds[e.Fact.Kind] {
				facts = append(facts, e.Fact)
			}
		}
		h.take(facts...)
		h.taken = append(h.taken, facts...)
	}
}

func (h *tour) take(facts ...*fact.Fact) {
	h.t.Helper()
	h.write(func(tx *db.Tx) error { return h.book.Follow(tx, facts) })
}

// told are the facts about a pass, each as what it says: its kind, version and what of it is worth a look.
func (h *tour) told(p *pass.Pass) []string {
	h.t.Helper()
	all, err := db.All(h.q(), func(r db.Rows) (string, error) {
		var kind, data string
		var version int64
		if err := r.Scan(&kind, &version, &data); err != nil {
			return "", err
		}
		var s pass.Snapshot
		if err := json.Unmarshal([]byte(data), &s); err != nil {
			return "", err
		}
		return strings.TrimSpace(fmt.Sprintf("%s %d %s", kind, version, s.ExpireAction)), nil
	}, `SELECT kind, version, data FROM facts WHERE subject = $1 ORDER BY seq`, p.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// count counts rows.
func (h *tour) count(from string, args ...any) int {
	h.t.Helper()
	n, err := db.One(h.q(), db.Value[int], `SELECT count(*) FROM `+from, args...)
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *tour) exec(sql string, args ...any) {
	h.t.Helper()
	h.write(func(tx *db.Tx) error {
		_, err := tx.Exec(sql, args...)
		return err
	})
}

func (h *tour) await(what string, cond func() bool) {
	h.t.Helper()
	for end := time.Now().Add(soon); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("waited %v for %s", soon, what)
		}
	}
}

// run runs a sender until stop, which waits for it.
func (h *tour) run(c pass.SenderConfig, more ...func(*pass.Sender)) (stop func()) {
	c.BaseURL = "https://tickets.example.test"
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s := pass.NewSender(h.book, c)
	for _, do := range more {
		do(s)
	}
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	h.t.Cleanup(stop)
	return stop
}

// audit fails when anything does not agree.
func (h *tour) audit() {
	h.t.Helper()
	found, err := pass.Audit(h.q())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, sentence := range found {
		h.t.Errorf("Audit: %s", sentence)
	}
	err = pass.Versions(h.q(), func(p id.Pass, version int64) {
		if n := h.count(`facts WHERE subject = $1`, p); int64(n) != version {
			h.t.Errorf("pass %s has version %d and %d facts", p, version, n)
		}
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// apns is a push service that answers as it is told, and counts.
type apns struct {
	answer func(ctx context.Context, token string) pass.Result // everything is sent when nil

	mu     sync.Mutex     // guards pushed
	pushed map[string]int // how often each token was
}

func (a *apns) Push(ctx context.Context, token string) pass.Result {
	a.mu.Lock()
	if a.pushed == nil {
		a.pushed = map[string]int{}
	}
	a.pushed[token]++
	a.mu.Unlock()
	if a.answer == nil {
		return pass.Result{}
	}
	return a.answer(ctx, token)
}

// of is how often a token was pushed.
func (a *apns) of(token string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pushed[token]
}

// counts are how many tokens were pushed, and how often in all.
func (a *apns) counts() (tokens, pushes int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.pushed {
		pushes += n
	}
	return len(a.pushed), pushes
}

// cloud is Google's, which notes what it is told.
type cloud struct {
	mu   sync.Mutex // guards told
	told []string
}

func (w *cloud) Object(_ context.Context, f pass.Face) pass.Result {
	return w.note("object " + string(f.ID))
}

func (w *cloud) Class(_ context.Context, org string, e event.Event) pass.Result {
	return w.note("class " + org + " " + string(e.ID) + " " + e.Name)
}

func (w *cloud) note(what string) pass.Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, what)
	return pass.Result{}
}

// take returns what was told since the last call.
func (w *cloud) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	told := w.told
	w.told = nil
	return told
}

func set[T any](v T) *T { return &v }
