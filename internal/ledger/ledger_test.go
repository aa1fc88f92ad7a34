package ledger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// patience is how long a test waits for what must happen before it calls it lost.
const patience = 30 * time.Second

func each(t *testing.T, f func(t *testing.T, d *db.DB, l *ledger.Ledger)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, d, open(t, d, nil)) })
}

func open(t testing.TB, d *db.DB, p ledger.Planner) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), d, p)
	if err != nil {
		t.Fatalf("ledger.Open: %v", err)
	}
	return l
}

// happened makes a fact whose subject is a name that the test knows it by.
func happened(name string) *fact.Fact {
	return &fact.Fact{Org: 1, Kind: fact.OrderAccepted, Subject: name, Version: 3, Key: "k", Data: json.RawMessage(`{"name": "` + name + `"}`)}
}

func appendFacts(t testing.TB, d *db.DB, l *ledger.Ledger, facts ...*fact.Fact) {
	t.Helper()
	if err := d.Write(context.Background(), "", func(tx *db.Tx) error { return l.Append(tx, facts...) }); err != nil {
		t.Fatalf("Append: %v", err)
	}
}

// subjects are the names of the facts after a place, and the last place.
func subjects(t testing.TB, d *db.DB, l *ledger.Ledger, p ledger.Place, limit int) ([]string, ledger.Place) {
	t.Helper()
	entries, err := l.After(d.Read(context.Background()), p, limit)
	if err != nil {
		t.Fatalf("After: %v", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Fact.Subject)
		p = e.Place
	}
	return names, p
}

func wantSubjects(t testing.TB, when string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", when, diff)
	}
}

func TestFactComesBackAsItWasAppended(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		facts := []*fact.Fact{
			happened("plain"),
			{Org: 1 << 40, Kind: "acme.thing.happened", Subject: "ü'\"🎟️", Data: json.RawMessage(`{"a": "ß"}`), Only: 17},
			{Org: 2, Kind: fact.EndpointPinged, Subject: ""},
			{Org: 3, Kind: "acme.told", Subject: "private", Data: json.RawMessage(`{"mail": "a@example.org"}`), Private: true},
		}
		var at time.Time
		err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			at = tx.Now()
			return l.Append(tx, facts...)
		})
		if err != nil {
			t.Fatalf("Append: %v", err)
		}
		var numbers []int64
		for i, f := range facts {
			if !f.At.Equal(at) || f.ID.Day != fact.Day(at) || i > 0 && f.ID.Seq != facts[i-1].ID.Seq+1 || f.ID.Seq <= 0 {
				t.Errorf("fact %d got ID %+v and At %v in a transaction at %v", i, f.ID, f.At, at)
			}
			numbers = append(numbers, f.ID.Seq)
		}

		loaded, err := ledger.Load(d.Read(t.Context()), numbers)
		if err != nil {
			t.Fatalf("Load: %v", err)
		}
		if diff := cmp.Diff(facts, loaded); diff != "" {
			t.Errorf("Load (-want +got):\n%s", diff)
		}

		entries, err := l.After(d.Read(t.Context()), ledger.Place{}, 100)
		if err != nil {
			t.Fatalf("After: %v", err)
		}
		facts[3].Data = nil // is not read
		var read []*fact.Fact
		for _, e := range entries {
			read = append(read, e.Fact)
		}
		if diff := cmp.Diff(facts, read); diff != "" {
			t.Errorf("After (-want +got):\n%s", diff)
		}
	})
}

func TestErasedDataIsGoneAndItsFactStays(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		mine := &fact.Fact{Org: 1, Kind: "acme.told", Subject: "mine", Data: json.RawMessage(`{"mail": "a@example.org"}`), Private: true}
		theirs := &fact.Fact{Org: 2, Kind: "acme.told", Subject: "theirs", Data: json.RawMessage(`{}`), Private: true}
		appendFacts(t, d, l, mine, theirs)
		both := []int64{mine.ID.Seq, theirs.ID.Seq}
		err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			return errors.Join(ledger.Erase(tx, 1, nil), ledger.Erase(tx, 1, both))
		})
		if err != nil {
			t.Fatalf("Erase: %v", err)
		}
		loaded, err := ledger.Load(d.Read(t.Context()), both)
		if err != nil || len(loaded) != 2 {
			t.Fatalf("Load after Erase: %d facts, %v", len(loaded), err)
		}
		if loaded[0].Data != nil || !loaded[0].Private || loaded[0].Subject != "mine" {
			t.Errorf("the erased fact is %+v with data %q", loaded[0], loaded[0].Data)
		}
		if string(loaded[1].Data) != "{}" {
			t.Errorf("another organisation's data was erased too: %q", loaded[1].Data)
		}
	})
}

func TestLoadOfNothingAndOfWhatIsNotThere(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		for _, numbers := range [][]int64{nil, {}, {12345}, {-1, 0}} {
			if got, err := ledger.Load(d.Read(t.Context()), numbers); len(got) != 0 || err != nil {
				t.Errorf("Load(%v): %v, %v", numbers, got, err)
			}
		}
	})
}

func TestAfterReadsInOrderAndInParts(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		var want []string
		for i := range 7 {
			var facts []*fact.Fact
			for k := range 1 + i*100 { // more than one block of numbers
				name := fmt.Sprintf("%d.%d", i, k)
				want = append(want, name)
				facts = append(facts, happened(name))
			}
			appendFacts(t, d, l, facts...)
		}
		var got []string
		for p := (ledger.Place{}); ; {
			names, last := subjects(t, d, l, p, 97)
			if len(names) == 0 {
				break
			}
			got, p = append(got, names...), last
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("After in parts of 97 (-want +got):\n%.1000s", diff)
		}
	})
}

// planner is a Planner as a function.
type planner func(tx *db.Tx, facts []*fact.Fact) error

func (p planner) Plan(tx *db.Tx, facts []*fact.Fact) error { return p(tx, facts) }

func TestPlanIsMadeInTheFactsTransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		refused := errors.New("refused")
		var planned int64
		l := open(t, d, planner(func(tx *db.Tx, facts []*fact.Fact) error {
			f := facts[0]
			if f.ID.Seq == 0 || f.At.IsZero() {
				t.Errorf("Plan was called with a fact without ID or At: %+v", f)
			}
			planned = f.ID.Seq
			_, err := tx.Exec("INSERT INTO settings (name, value) VALUES ($1, 'planned')", f.Subject)
			if f.Subject == "bad" {
				err = errors.Join(err, refused)
			}
			return err
		}))
		appendFacts(t, d, l, happened("good"))
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error { return l.Append(tx, happened("bad")) }); !errors.Is(err, refused) {
			t.Errorf("Append whose plan fails: %v, want the plan's error", err)
		}
		if err := d.Write(t.Context(), "", func(tx *db.Tx) error { return l.Append(tx) }); err != nil {
			t.Errorf("Append of nothing: %v", err)
		}
		names, _ := subjects(t, d, l, ledger.Place{}, 10)
		wantSubjects(t, "facts", names, "good")
		plans, err := db.All(d.Read(t.Context()), db.Value[string], "SELECT name FROM settings WHERE value = 'planned'")
		if err != nil {
			t.Fatal(err)
		}
		wantSubjects(t, "plans", plans, "good")
		if planned == 0 {
			t.Error("Plan was never called")
		}
	})
}

func TestFactsOfAnOrderAreItsHistory(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		other := happened("mine")
		other.Org = 2
		appendFacts(t, d, l, happened("mine"), happened("yours"), other)
		last := happened("mine")
		last.Kind, last.Version = fact.RefundCompleted, 4
		appendFacts(t, d, l, last)
		got, err := ledger.OfOrder(d.Read(t.Context()), 1, "mine", 10)
		if err != nil || len(got) != 2 || got[0].Version != 3 || got[1].Kind != fact.RefundCompleted || got[1].At.IsZero() {
			t.Errorf("OfOrder = %+v, %v; want the two of mine, the oldest first", got, err)
		}
		if got, err := ledger.OfOrder(d.Read(t.Context()), 1, "mine", 1); err != nil || len(got) != 1 || got[0].Version != 3 {
			t.Errorf("OfOrder with a limit of 1 = %+v, %v; want the first", got, err)
		}
	})
}
