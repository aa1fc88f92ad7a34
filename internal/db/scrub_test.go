package db_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

// What was overwritten and deleted is in no file of the database after Scrub, long values with pages of their own neither.
func TestScrubLeavesNothingOfWhatWasDeleted(t *testing.T) {
	c := dbtest.SQLite(t)
	d := dbtest.Open(t, c)
	steps := []func(tx *db.Tx) error{
		func(tx *db.Tx) error {
			_, err := tx.Exec(`CREATE TABLE notes (n BIGINT PRIMARY KEY, note TEXT)`)
			return err
		},
		func(tx *db.Tx) error {
			for n := range 500 {
				if _, err := tx.Exec(`INSERT INTO notes (n, note) VALUES ($1, $2)`, n, strings.Repeat("a secret of mine, ", 1+n*n/100)); err != nil {
					return err
				}
			}
			return nil
		},
		func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE notes SET note = NULL WHERE n % 2 = 0`)
			return err
		},
		func(tx *db.Tx) error {
			_, err := tx.Exec(`DELETE FROM notes WHERE n % 2 = 1`)
			return err
		},
	}
	for _, step := range steps {
		if err := d.Write(t.Context(), "", step); err != nil {
			t.Fatal(err)
		}
	}
	has := func() (where []string) {
		files, err := filepath.Glob(c.File + "*")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, []byte("secret of mine")) {
				where = append(where, filepath.Base(f))
			}
		}
		return where
	}
	if len(has()) == 0 {
		t.Error("nothing is in the files before: that it is not after shows nothing")
	}
	if err := d.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if where := has(); len(where) > 0 {
		t.Errorf("what was deleted is in %v", where)
	}
}
