package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

func TestBackupWhileWritingHasAllThatWasAcknowledged(t *testing.T) {
	d, _ := onSQLite(t)
	file := filepath.Join(t.TempDir(), "a copy.db")
	stop := make(chan struct{})
	var written atomic.Int64
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				err := d.Write(context.Background(), "", func(tx *db.Tx) error {
					return errors.Join(note(fmt.Sprintf("left %d %d", w, i))(tx), note(fmt.Sprintf("right %d %d", w, i))(tx))
				})
				if err != nil {
					t.Errorf("Write: %v", err)
					return
				}
				written.Add(1)
			}
		})
	}
	await(t, "some writes", func() bool { return written.Load() >= 100 })
	before := written.Load()
	err := d.Backup(t.Context(), file)
	close(stop)
	wg.Wait()
	if err != nil {
		t.Fatalf("Backup: %v", err)
	}

	copied := open(t, db.Config{File: file})
	if err := copied.Migrate(t.Context()); err != nil {
		t.Errorf("Migrate of the copy: %v", err)
	}
	if bad, err := copied.Check(t.Context()); len(bad) != 0 || err != nil {
		t.Errorf("Check of the copy: %q, %v", bad, err)
	}
	if n := count(t, copied); n < 2*before || n%2 != 0 {
		t.Errorf("the copy has %d notes; %d had been acknowledged before, always two at once", n, 2*before)
	}
	mustWrite(t, copied, note("new"))
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy has mode %v (%v), want 0600", info.Mode().Perm(), err)
	}
	if left, _ := filepath.Glob(file + ".part*"); len(left) != 0 {
		t.Errorf("Backup left %q behind", left)
	}
}

func TestBackupDoesNotOverwrite(t *testing.T) {
	d, c := onSQLite(t)
	if err := d.Backup(t.Context(), c.File); err == nil || !strings.Contains(err.Error(), "choose a new file") {
		t.Errorf("Backup onto the database itself: %v", err)
	}
	missing := filepath.Join(t.TempDir(), "no", "folder.db")
	if err := d.Backup(t.Context(), missing); err == nil {
		t.Errorf("Backup into a folder that does not exist was done")
	}
}

func TestBackupOfPostgreSQLNamesItsTools(t *testing.T) {
	d, _ := onPostgres(t)
	if err := d.Backup(t.Context(), filepath.Join(t.TempDir(), "x")); err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("Backup of PostgreSQL: %v, want one that names pg_dump", err)
	}
}

func TestCheckFindsNothingWrongWithADatabaseOfOurs(t *testing.T) {
	d, _ := onSQLite(t)
	if bad, err := d.Check(t.Context()); len(bad) != 0 || err != nil {
		t.Errorf("Check: %q, %v", bad, err)
	}
}

func TestCheckSaysWhichSettingLosesData(t *testing.T) {
	d, _ := onPostgres(t) // the tests' cluster runs without fsync
	bad, err := d.Check(t.Context())
	if err != nil || !strings.Contains(strings.Join(bad, "\n"), "fsync is off") {
		t.Errorf("Check of a cluster without fsync: %q, %v", bad, err)
	}
}

func TestFileNameMayHoldAnything(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"a b.db", "100%.db", "what?.db", "hash#.db", "ü+&=.db", "%41.db", "c:d.db"} {
		d := open(t, db.Config{File: filepath.Join(folder, name)})
		if err := d.Migrate(t.Context()); err != nil {
			t.Errorf("Migrate %q: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Errorf("the database file is elsewhere: %v", err)
		}
	}
}

// besideEnv makes the test binary a second process that writes to the named file.
const besideEnv = "STAGEDOOR_TEST_WRITE_BESIDE"

// TestWriteBeside is the second process.
func TestWriteBeside(t *testing.T) {
	file := os.Getenv(besideEnv)
	if file == "" {
		t.Skip("runs as the second process of TestSecondProcessWritesBeside")
	}
	writeSome(t, open(t, db.Config{File: file}), "there")
}

// writeSome writes 100 notes that hold their numbers, from several callers.
func writeSome(t *testing.T, d *db.DB, name string) {
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 25 {
				err := d.Write(context.Background(), "", func(tx *db.Tx) error {
					highest, err := db.One(tx, db.Value[int64], "SELECT coalesce(max(n), 0) FROM notes")
					if err != nil {
						return err
					}
					n, err := tx.Numbers(1)
					if err != nil {
						return err
					}
					if n <= highest {
						t.Errorf("number %d was given out after %d had been written", n, highest)
					}
					_, err = tx.Exec("INSERT INTO notes (name, n) VALUES ($1, $2)", fmt.Sprint(name, w, " ", i), n)
					return err
				})
				if err != nil {
					t.Errorf("Write beside another process: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func TestSecondProcessWritesBeside(t *testing.T) {
	d, c := onSQLite(t)
	other := dbtest.Open(t, c) // and a second handle in this process
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriteBeside$", "-test.count=1")
	cmd.Env = append(os.Environ(), besideEnv+"="+c.File)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the second process: %v", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { writeSome(t, d, "here") })
	wg.Go(func() { writeSome(t, other, "too") })
	wg.Wait()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the second process: %v\n%s", err, &out)
	}
	if n := count(t, d); n != 300 {
		t.Errorf("three writers of 100 notes each left %d", n)
	}
	if distinct, err := db.One(d.Read(t.Context()), db.Value[int64], "SELECT count(DISTINCT n) FROM notes"); distinct != 300 || err != nil {
		t.Errorf("300 notes have %d different numbers (%v)", distinct, err)
	}
}

func TestConfigureOfAnotherProcessIsSeenByTheNextTransaction(t *testing.T) {
	t.Parallel()
	configs := map[string]func(testing.TB) db.Config{"sqlite": dbtest.SQLite, "postgres": dbtest.PostgreSQL}
	for engine, config := range configs {
		t.Run(engine, func(t *testing.T) {
			c := config(t)
			d, other := dbtest.Open(t, c), dbtest.Open(t, c)
			for range 5 {
				var want, got int64
				err := other.Configure(t.Context(), func(tx *db.Tx) (err error) { want, err = tx.Bump(); return err })
				if err != nil {
					t.Fatalf("Configure: %v", err)
				}
				mustWrite(t, d, func(tx *db.Tx) error { got = tx.Revision(); return nil })
				if got != want {
					t.Errorf("after another node's Configure the revision is %d, want %d", got, want)
				}
			}
		})
	}
}
