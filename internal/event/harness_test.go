package event_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { dbtest.Main(m) }

// log is a ledger in memory.
type log struct{ facts []*fact.Fact }

func (l *log) Append(tx *db.Tx, facts ...*fact.Fact) error {
	at := tx.Now()
	tx.OnCommit(func() {
		for _, f := range facts {
			f.At = at
			l.facts = append(l.facts, f)
		}
	})
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

// house is a database with one organisation and its calendar.
type house struct {
	*testing.T
	db      *db.DB
	log     *log
	cal     *event.Calendar
	org     int64
	ordered bool // what Ordered answers
}

func open(t *testing.T, d *db.DB) *house {
	h := &house{T: t, db: d, log: &log{}}
	h.cal = event.New(h.log, func(db.Querier, int64, int64) (bool, error) { return h.ordered, nil })
	h.org = h.organisation("House")
	return h
}

func (h *house) organisation(name string) int64 {
	h.Helper()
	var o org.Org
	h.write(func(tx *db.Tx) (err error) {
		o, err = org.Create(tx, org.Input{Name: name, Currency: "NOK", Timezone: "Europe/Oslo"})
		return err
	})
	return o.No
}

func (h *house) write(fn func(tx *db.Tx) error) {
	h.Helper()
	if err := h.db.Write(h.Context(), "", fn); err != nil {
		h.Fatal(err)
	}
}

func (h *house) create(in event.Input) (e event.Event, err error) {
	err = h.db.Write(h.Context(), "", func(tx *db.Tx) (err error) {
		e, err = h.cal.Create(tx, h.org, in)
		return err
	})
	return e, err
}

func (h *house) mustCreate(in event.Input) event.Event {
	h.Helper()
	e, err := h.create(in)
	if err != nil {
		h.Fatalf("Create(%+v): %v", in, err)
	}
	return e
}

func (h *house) update(e id.Event, p event.Patch) (out event.Event, err error) {
	err = h.db.Write(h.Context(), "", func(tx *db.Tx) (err error) {
		out, err = h.cal.Update(tx, h.org, e, p)
		return err
	})
	return out, err
}

func (h *house) delete(e id.Event, version int64) error {
	return h.db.Write(h.Context(), "", func(tx *db.Tx) error { return h.cal.Delete(tx, h.org, e, version) })
}

func (h *house) byID(e id.Event) (event.Event, error) {
	return event.ByID(h.db.Read(h.Context()), h.org, e)
}

func ptr[T any](v T) *T { return &v }

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
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
