package db_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// patience is how long a test waits for what must happen before it calls it lost. Nothing is measured with it.
const patience = 30 * time.Second

// each runs f on a fresh database of each engine that has a table of notes. Tests that use it run beside each other: most of their time
// goes by waiting for disks.
func each(t *testing.T, f func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Helper()
		notes(t, d)
		f(t, d)
	})
}

// onSQLite is each for what only SQLite can do.
func onSQLite(t *testing.T) (*db.DB, db.Config) {
	t.Helper()
	t.Parallel()
	c := dbtest.SQLite(t)
	d := dbtest.Open(t, c)
	notes(t, d)
	return d, c
}

// onPostgres is each for what only PostgreSQL can do.
func onPostgres(t *testing.T) (*db.DB, db.Config) {
	t.Helper()
	t.Parallel()
	c := dbtest.PostgreSQL(t)
	d := dbtest.Open(t, c)
	notes(t, d)
	return d, c
}

func notes(t testing.TB, d *db.DB) {
	t.Helper()
	mustWrite(t, d, func(tx *db.Tx) error {
		_, err := tx.Exec("CREATE TABLE notes (name TEXT PRIMARY KEY, n BIGINT NOT NULL)")
		return err
	})
}

func mustWrite(t testing.TB, d *db.DB, fn func(*db.Tx) error) {
	t.Helper()
	if err := d.Write(t.Context(), "", fn); err != nil {
		t.Fatalf("Write: %v", err)
	}
}

// note is a function that writes one note.
func note(name string) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		_, err := tx.Exec("INSERT INTO notes (name, n) VALUES ($1, $2)", name, 1)
		return err
	}
}

func empty(t testing.TB, d *db.DB) {
	t.Helper()
	mustWrite(t, d, func(tx *db.Tx) error { _, err := tx.Exec("DELETE FROM notes"); return err })
}

// has tells whether there is a note of that name.
func has(t testing.TB, d *db.DB, name string) bool {
	t.Helper()
	n, err := db.One(d.Read(t.Context()), db.Value[int64], "SELECT count(*) FROM notes WHERE name = $1", name)
	if err != nil {
		t.Fatalf("count note %q: %v", name, err)
	}
	return n == 1
}

func count(t testing.TB, d *db.DB) int64 {
	t.Helper()
	n, err := db.One(d.Read(t.Context()), db.Value[int64], "SELECT count(*) FROM notes")
	if err != nil {
		t.Fatalf("count notes: %v", err)
	}
	return n
}

// occupy keeps the writer busy with a function that waits, so that what is handed in meanwhile becomes one group. It returns once the
// writer is inside of it.
func occupy(t testing.TB, d *db.DB) (release func()) {
	t.Helper()
	inside, leave, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- d.Write(context.Background(), "", func(*db.Tx) error {
			close(inside)
			<-leave
			return nil
		})
	}()
	<-inside
	return func() {
		close(leave)
		if err := <-done; err != nil {
			t.Errorf("Write of the function that kept the writer busy: %v", err)
		}
	}
}

// await waits until cond holds.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", patience, what)
		}
		runtime.Gosched()
		time.Sleep(100 * time.Microsecond)
	}
}

// group runs the functions in one transaction, in this order, and returns what each of their callers got.
func group(t testing.TB, d *db.DB, fns ...func(*db.Tx) error) []error {
	t.Helper()
	release := occupy(t, d)
	errs := make([]error, len(fns))
	done := make(chan struct{}, len(fns))
	for i, fn := range fns {
		go func() {
			errs[i] = d.Write(context.Background(), fmt.Sprintf("%06d", i), fn)
			done <- struct{}{}
		}()
	}
	await(t, "the group to be handed in", func() bool { return d.Waiting() == len(fns) })
	release()
	for range fns {
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatalf("a caller of the group was not answered in %v", patience)
		}
	}
	return errs
}

var errRefused = errors.New("refused")
