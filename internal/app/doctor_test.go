package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/db"
)

// finding is what a look has found, or nil when there was no such look.
func finding(t *testing.T, c app.Config, check string) *app.Finding {
	t.Helper()
	for _, f := range app.Examine(t.Context(), c, "") {
		if f.Check == check {
			return &f
		}
	}
	return nil
}

func TestDoctorChangesNothing(t *testing.T) {
	c := app.Config{Data: filepath.Join(t.TempDir(), "data")}
	app.Examine(t.Context(), c, "")
	if _, err := os.Stat(c.Data); err == nil {
		t.Errorf("Examine has made the data folder")
	}
	if err := open(t, c).Close(); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(c.Data, "master.key")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	before := names(t, c.Data)
	f := finding(t, c, "master key")
	if f == nil || f.OK || !strings.Contains(f.Remedy, key) {
		t.Errorf("Examine without a master key found %+v, want a problem whose remedy names %s", f, key)
	}
	if diff := cmp.Diff(before, names(t, c.Data)); diff != "" {
		t.Errorf("Examine has changed the data folder (-before +after):\n%s", diff)
	}
}

func names(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		// SQLite's own files come and go with its connections.
		if !strings.HasSuffix(e.Name(), "-wal") && !strings.HasSuffix(e.Name(), "-shm") {
			all = append(all, e.Name())
		}
	}
	return all
}

func TestNewerSchemaIsToldAndNotTouched(t *testing.T) {
	each(t, func(t *testing.T, c app.Config) {
		core := open(t, c)
		err := core.DB.WriteAlone(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := core.Close(); err != nil {
			t.Fatal(err)
		}
		f := finding(t, c, "schema")
		if f == nil || f.OK || !strings.Contains(f.Says, "a newer program has migrated the database") || f.Remedy == "" {
			t.Errorf("Examine found %+v, want a problem that says that the schema is newer", f)
		}
		if _, _, err := app.Migrate(t.Context(), c); err == nil || !strings.Contains(err.Error(), "newer") {
			t.Errorf("Migrate = %v, want an error that says that the schema is newer", err)
		}
	})
}

func TestDoctorSeesAServer(t *testing.T) {
	c := app.Config{Data: t.TempDir(), Listen: "127.0.0.1:0"}
	serve(t, open(t, c))
	if f := finding(t, c, "server"); f == nil || !f.OK || !strings.HasPrefix(f.Says, "one runs") {
		t.Errorf("Examine beside a server found %+v, want that one runs", f)
	}
}
