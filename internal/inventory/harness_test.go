package inventory_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
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
	s := &store{t: t, db: d, log: l, cal: event.New(l, inventory.Holding), stock: inventory.New(l, keyring(t))}
	s.cal.OnDelete(s.stock.CloseEvent)
	return s
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

func (s *store) hold(in inventory.HoldInput) (h inventory.Hold, err error) {
	err = s.db.Write(s.t.Context(), "", func(tx *db.Tx) (err error) {
		h, err = s.stock.Hold(tx, house, in)
		return err
	})
	return h, err
}

// convert makes an order of a hold.
func (s *store) convert(h inventory.Hold) (r inventory.Return, err error) {
	s.next++
	err = s.db.Write(s.t.Context(), "", func(tx *db.Tx) error {
		ev, err := event.Lock(tx, house, h.EventID)
		if err != nil {
			return err
		}
		p, err := s.stock.PickHeld(tx, house, ev, h.ID, "")
		if err != nil {
			return err
		}
		r = inventory.Return{Order: s.next, Listing: p.Listing.No, Ordinals: p.Ordinals}
		return s.stock.Take(tx, house, ev, p, s.next)
	})
	return r, err
}

func (s *store) releaseHold(h inventory.Hold) (out inventory.Hold, err error) {
	err = s.db.Write(s.t.Context(), "", func(tx *db.Tx) (err error) {
		out, err = s.stock.ReleaseHold(tx, house, h.ID, "")
		return err
	})
	return out, err
}

// age has the time of a hold be up.
func (s *store) age(f fail, h inventory.Hold) {
	f.Helper()
	s.write(f, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE holds SET expires_at = created_at WHERE id = $1 AND status = 'active'`, h.ID)
		return err
	})
}

// pass has a date of a listing come.
func (s *store) pass(f fail, l id.Listing, column string) {
	f.Helper()
	s.write(f, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE listings SET `+column+` = created_at WHERE id = $1`, l)
		if err == nil { // of what is off the market already, or covered, nothing becomes
			_, err = tx.Exec(`UPDATE listings SET due_at = created_at WHERE id = $1 AND (due_at IS NOT NULL OR expires_at IS NOT NULL AND status IN ('active', 'paused', 'sold_out'))`, l)
		}
		return err
	})
}

// lapse has the dates of an event's listings have their effect.
func (s *store) lapse(f fail, e event.Event) (n int) {
	f.Helper()
	s.write(f, func(tx *db.Tx) (err error) {
		n, err = s.stock.LapseSome(tx, house, e.No, 1000)
		return err
	})
	return n
}

// edges expects that the facts since it was asked last tell of the event's edge, if that it is exhausted has changed, and of no other.
func (s *store) edges(f fail, was, is bool, story string) {
	f.Helper()
	var want, got []fact.Kind
	switch {
	case is && !was:
		want = []fact.Kind{fact.PoolExhausted}
	case was && !is:
		want = []fact.Kind{fact.PoolReopened}
	}
	for _, one := range s.log.facts {
		if one.Kind == fact.PoolExhausted || one.Kind == fact.PoolReopened {
			got = append(got, one.Kind)
		}
	}
	s.log.facts = nil
	if !slices.Equal(got, want) {
		f.Fatalf("%s, exhausted %v before: the edges are %v, want %v", story, was, got, want)
	}
}

// sweep has all holds of an event expire that are due.
func (s *store) sweep(f fail, e event.Event) (n int) {
	f.Helper()
	s.write(f, func(tx *db.Tx) (err error) {
		n, err = s.stock.ExpireSome(tx, house, e.No, 1000)
		return err
	})
	return n
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
