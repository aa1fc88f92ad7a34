package db_test

import (
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func TestTextThatCannotBeStoredIsTheCallersProblem(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		bulk := db.BulkInsert("notes", "", "name text", "n bigint")
		for _, bad := range []string{"nul \x00 in it", "\xff\xfe", strings.Repeat("ü", 1000) + "\xc3"} {
			ways := map[string]func(tx *db.Tx) error{
				"Exec":  note(bad),
				"Later": func(tx *db.Tx) error { return tx.Later("INSERT INTO notes (name, n) VALUES ($1, 1)", bad) },
				"Bulk":  func(tx *db.Tx) error { return tx.Bulk(bulk, [][]any{{"fine", 1}, {bad, 1}}) },
				"Query": func(tx *db.Tx) error {
					_, err := db.One(tx, db.Value[int64], "SELECT n FROM notes WHERE name = $1", bad)
					return err
				},
			}
			for name, fn := range ways {
				errs := group(t, d, note("one"), fn, note("two"))
				if errs[0] != nil || errs[2] != nil || !problem.Is(errs[1], "invalid_text") {
					t.Errorf("%s of %.20q among good functions: %v; want invalid_text for it alone", name, bad, errs)
				}
				if err := d.Write(t.Context(), "", fn); !problem.Is(err, "invalid_text") {
					t.Errorf("%s of %.20q: %v, want invalid_text", name, bad, err)
				}
				if n := count(t, d); n != 2 {
					t.Errorf("%d notes are there, want 2", n)
				}
				empty(t, d)
			}
			if _, err := db.One(d.Read(t.Context()), db.Value[int64], "SELECT n FROM notes WHERE name = $1", bad); !problem.Is(err, "invalid_text") {
				t.Errorf("Read with %.20q: %v, want invalid_text", bad, err)
			}
		}
	})
}
