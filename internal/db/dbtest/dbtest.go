// Package dbtest gives tests a fresh, migrated database of each engine.
//
//	func TestMain(m *testing.M) { dbtest.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		dbtest.Each(t, func(t *testing.T, d *db.DB) { … })
//	}
package dbtest

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
)

// Main runs the tests of a package and stops what they share.
func Main(m *testing.M) { os.Exit(pgtest.Main(m)) }

// Each runs f once on SQLite and once on PostgreSQL, each on a fresh and migrated database that is closed with the test.
func Each(t *testing.T, f func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, Open(t, SQLite(t))) })
	t.Run("postgres", func(t *testing.T) { f(t, Open(t, PostgreSQL(t))) })
}

// SQLite returns the configuration of a new SQLite file with the schema in it: a copy of one that is migrated once.
func SQLite(t testing.TB) db.Config {
	t.Helper()
	made, err := migrated()
	if err != nil {
		t.Fatalf("make a SQLite file with the schema: %v", err)
	}
	file := filepath.Join(t.TempDir(), "stagedoor.db")
	if err := os.WriteFile(file, made, 0o600); err != nil {
		t.Fatal(err)
	}
	return db.Config{File: file}
}

// migrated is a SQLite file with the schema in it.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "stagedoor-schema-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ctx, file := context.Background(), filepath.Join(dir, "migrated.db")
	d, err := db.Open(ctx, db.Config{File: filepath.Join(dir, "stagedoor.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	err = d.Migrate(ctx)
	if err == nil {
		err = d.Backup(ctx, file) // which leaves nothing in a write-ahead log
	}
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// PostgreSQL returns the configuration of a fresh database with the schema in it. Where PostgreSQL cannot be had it skips the test, or fails it
// when CI=true.
func PostgreSQL(t testing.TB) db.Config {
	t.Helper()
	url := pgtest.Shared(t).Fresh(t, "migrated", func(ctx context.Context, url string) error {
		d, err := db.Open(ctx, db.Config{URL: url, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		defer d.Close()
		return d.Migrate(ctx)
	})
	return db.Config{URL: url}
}

// Open opens a database, migrates it, and closes it with the test.
func Open(t testing.TB, c db.Config) *db.DB {
	t.Helper()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	d, err := db.Open(t.Context(), c)
	if err != nil {
		t.Fatalf("open %s: %v", c.URL+c.File, err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := d.Migrate(t.Context()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	return d
}
