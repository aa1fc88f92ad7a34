package db_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

func TestFunctionThatFailsUndoesOnlyItself(t *testing.T) {
	bad := map[string]struct {
		fn   func(*db.Tx) error
		want string // in the error
	}{
		"before it wrote": {func(tx *db.Tx) error {
			_, err := db.One(tx, db.Value[int64], "SELECT count(*) FROM notes")
			return errors.Join(errRefused, err)
		}, "refused"},
		"after it wrote": {func(tx *db.Tx) error { return errors.Join(note("bad")(tx), errRefused) }, "refused"},
		"after Later": {func(tx *db.Tx) error {
			return errors.Join(tx.Later("INSERT INTO notes (name, n) VALUES ($1, 1)", "bad"), errRefused)
		}, "refused"},
		"by a statement": {func(tx *db.Tx) error {
			if err := note("bad")(tx); err != nil {
				return err
			}
			return note("taken")(tx)
		}, `in "INSERT INTO notes`},
		"by a statement whose error it swallows": {func(tx *db.Tx) error {
			_ = note("bad")(tx)
			_ = note("taken")(tx)
			_ = note("bad too")(tx)
			return nil
		}, `in "INSERT INTO notes`},
		"by a query whose error it swallows": {func(tx *db.Tx) error {
			_ = note("bad")(tx)
			_, _ = db.One(tx, db.Value[int64], "INSERT INTO notes (name, n) VALUES ($1, $2) RETURNING n", "taken", 1)
			return nil
		}, `in "INSERT INTO notes`},
		"by a statement of Later": {func(tx *db.Tx) error {
			if err := tx.Later("INSERT INTO notes (name, n) VALUES ($1, 1)", "bad"); err != nil {
				return err
			}
			return tx.Later("INSERT INTO notes (name, n) VALUES ($1, 1)", "taken")
		}, `in "INSERT INTO notes`},
		"by a row of Bulk": {func(tx *db.Tx) error {
			return tx.Bulk(db.BulkInsert("notes", "", "name text", "n bigint"), [][]any{{"bad", 1}, {"taken", 2}})
		}, `in "INSERT INTO notes`},
		"by text that is no SQL": {func(tx *db.Tx) error {
			_, err := tx.Exec("INSERT INTO nowhere (name) VALUES ($1)", "bad")
			return err
		}, "nowhere"},
		"by a panic": {func(tx *db.Tx) error {
			_ = note("bad")(tx)
			panic("the trade's fault")
		}, "the trade's fault"},
		"by a panic between rows": {func(tx *db.Tx) error {
			_ = note("bad")(tx)
			rows, err := tx.Query("SELECT name FROM notes")
			if err != nil {
				return err
			}
			rows.Next()
			panic("the trade's fault")
		}, "the trade's fault"},
		"with rows left open": {func(tx *db.Tx) error {
			_ = note("bad")(tx)
			rows, err := tx.Query("SELECT name FROM notes")
			if err != nil {
				return err
			}
			rows.Next()
			return errRefused
		}, "refused"},
	}
	each(t, func(t *testing.T, d *db.DB) {
		for name, c := range bad {
			t.Run(name, func(t *testing.T) {
				empty(t, d)
				mustWrite(t, d, note("taken"))
				var fns []func(*db.Tx) error
				for i := range 51 {
					fns = append(fns, note(fmt.Sprint(i)))
				}
				fns[25] = c.fn
				for i, err := range group(t, d, fns...) {
					switch {
					case i == 25 && (err == nil || !strings.Contains(err.Error(), c.want)):
						t.Errorf("the function that fails got %v, want an error with %q", err, c.want)
					case i != 25 && err != nil:
						t.Errorf("function %d, one of 50 good ones, got %v", i, err)
					}
				}
				if n := count(t, d); n != 51 || has(t, d, "bad") || has(t, d, "bad too") {
					t.Errorf("there are %d notes, and the bad one is there: %v; want 51 without it", n, has(t, d, "bad") || has(t, d, "bad too"))
				}

				// The same with nobody else in the group, and alone.
				for way, err := range map[string]error{"Write": d.Write(t.Context(), "", c.fn), "WriteAlone": d.WriteAlone(t.Context(), c.fn)} {
					if err == nil || !strings.Contains(err.Error(), c.want) {
						t.Errorf("%s of the function that fails: %v, want an error with %q", way, err, c.want)
					}
				}
				mustWrite(t, d, note("after"))
				if n := count(t, d); n != 52 || has(t, d, "bad") || has(t, d, "bad too") {
					t.Errorf("there are %d notes in the end, and the bad one is there: %v; want 52 without it", n, has(t, d, "bad") || has(t, d, "bad too"))
				}
			})
		}
	})
}

func TestFailureBeforeAnyWriteCostsTheGroupNothing(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		runs := 0
		count := func(tx *db.Tx) error {
			runs++
			return note("good")(tx)
		}
		refuse := func(tx *db.Tx) error {
			if n, err := tx.Exec("UPDATE notes SET n = 2 WHERE name = $1", "nobody"); n != 0 || err != nil {
				t.Errorf("UPDATE of no row: %d, %v", n, err)
			}
			return errRefused
		}
		errs := group(t, d, count, refuse)
		if errs[0] != nil || !errors.Is(errs[1], errRefused) || runs != 1 {
			t.Errorf("got %v and %v, and the good function ran %d times; want nil, %v and once", errs[0], errs[1], runs, errRefused)
		}
	})
}

func TestPanicSaysWhereItHappened(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		for way, write := range map[string]func(func(*db.Tx) error) error{
			"Write":      func(fn func(*db.Tx) error) error { return d.Write(t.Context(), "", fn) },
			"WriteAlone": func(fn func(*db.Tx) error) error { return d.WriteAlone(t.Context(), fn) },
		} {
			err := write(func(*db.Tx) error { deep(); return nil })
			if err == nil || !strings.Contains(err.Error(), "deep(") || !strings.Contains(err.Error(), "failure_test.go") {
				t.Errorf("%s of a function that panics in deep: %v, want its stack", way, err)
			}
		}
	})
}

//go:noinline
func deep() { panic("in the deep") }

// A test's t.Fatal inside a function ends the goroutine that runs it, which is the writer.
func TestFunctionThatEndsItsGoroutineDoesNotTakeTheWriterWithIt(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		errs := group(t, d, note("one"), func(tx *db.Tx) error {
			_ = note("bad")(tx)
			runtime.Goexit()
			return nil
		}, note("two"))
		if errs[1] == nil {
			t.Error("a function that ended its goroutine was acknowledged")
		}
		mustWrite(t, d, note("after"))
		if errs[0] != nil && has(t, d, "one") || errs[2] != nil && has(t, d, "two") || has(t, d, "bad") {
			t.Errorf("callers got %v and the notes do not agree", errs)
		}
	})
}

func TestTransactionIsOverWhenItsFunctionIs(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		var kept *db.Tx
		mustWrite(t, d, func(tx *db.Tx) error { kept = tx; return nil })
		err := d.Write(t.Context(), "", func(*db.Tx) error {
			_, err := kept.Exec("INSERT INTO notes (name, n) VALUES ('smuggled', 1)")
			return err
		})
		if err == nil || has(t, d, "smuggled") {
			t.Errorf("a transaction that was over took a statement: error %v", err)
		}
	})
}

func TestStatementWhileRowsAreOpenIsRefused(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		mustWrite(t, d, note("a"))
		mustWrite(t, d, note("b"))
		statements := map[string]func(tx *db.Tx) error{
			"Exec":  func(tx *db.Tx) error { _, err := tx.Exec("UPDATE notes SET n = n + 1"); return err },
			"Query": func(tx *db.Tx) error { _, err := tx.Query("SELECT name FROM notes"); return err },
			"Later": func(tx *db.Tx) error { return tx.Later("UPDATE notes SET n = n + 1") },
		}
		for name, statement := range statements {
			err := d.Write(t.Context(), "", func(tx *db.Tx) error {
				rows, err := tx.Query("SELECT name FROM notes")
				if err != nil {
					return err
				}
				defer rows.Close()
				rows.Next()
				return statement(tx)
			})
			if err == nil {
				t.Errorf("%s while rows are open was taken", name)
			}
		}
		mustWrite(t, d, note("after"))
	})
}

func TestRowsLeftOpenAreClosedWithTheFunction(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		for i := range 5 {
			mustWrite(t, d, note(fmt.Sprint(i)))
		}
		for range 3 {
			err := d.Write(t.Context(), "", func(tx *db.Tx) error {
				rows, err := tx.Query("SELECT name FROM notes ORDER BY name")
				if err != nil {
					return err
				}
				rows.Next()
				return nil
			})
			if err != nil {
				t.Fatalf("Write of a function that leaves rows open: %v", err)
			}
			err = d.WriteAlone(t.Context(), func(tx *db.Tx) error {
				_, err := tx.Query("SELECT name FROM notes ORDER BY name")
				return err
			})
			if err != nil {
				t.Fatalf("WriteAlone of a function that leaves rows open: %v", err)
			}
		}
	})
}

// endings are ways for a function to end a transaction that it shares.
var endings = []string{"ROLLBACK", "rollback;", "COMMIT", "END", " BEGIN", "-- now\nROLLBACK", "/* now */ COMMIT", "SAVEPOINT job", "RELEASE job"}

func TestFunctionThatEndsTheTransactionFailsTheWholeGroup(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		for _, sql := range endings {
			t.Run(sql, func(t *testing.T) {
				empty(t, d)
				var acknowledged int
				good := func(name string) func(*db.Tx) error {
					return func(tx *db.Tx) error {
						tx.OnCommit(func() { acknowledged++ })
						return note(name)(tx)
					}
				}
				end := func(tx *db.Tx) error {
					_, _ = tx.Exec(sql)
					return nil
				}
				for i, err := range group(t, d, good("one"), end, good("two")) {
					if err == nil {
						t.Errorf("function %d was acknowledged though the transaction had been ended by %q", i, sql)
					}
				}
				if n := count(t, d); n != 0 || acknowledged != 0 {
					t.Errorf("%d notes are there and %d functions were told that they were committed, want none", n, acknowledged)
				}
				if err := d.WriteAlone(t.Context(), end); err == nil {
					t.Errorf("WriteAlone of a function that runs %q was acknowledged", sql)
				}
				mustWrite(t, d, note("after"))
				if n := count(t, d); n != 1 {
					t.Errorf("after one more write there are %d notes, want 1", n)
				}
			})
		}
	})
}

func TestTextOfTwoStatementsIsRefused(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		for _, sql := range []string{
			"INSERT INTO notes (name, n) VALUES ('x', 1); COMMIT",
			"INSERT INTO notes (name, n) VALUES ('x', 1); INSERT INTO notes (name, n) VALUES ('y', 1)",
		} {
			if err := d.Write(t.Context(), "", func(tx *db.Tx) error { _, err := tx.Exec(sql); return err }); err == nil {
				t.Errorf("Exec(%q) was taken", sql)
			}
		}
		if n := count(t, d); n != 0 {
			t.Errorf("%d notes are there, want none", n)
		}
	})
}

func TestDiskFullFailsTheWholeGroup(t *testing.T) {
	c := dbtest.SQLite(t)
	d := dbtest.Open(t, c)
	notes(t, d)
	mustWrite(t, d, note("kept"))
	pages, err := db.One(d.Read(t.Context()), db.Value[int64], "SELECT page_count FROM pragma_page_count")
	if err != nil {
		t.Fatalf("page_count: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	c.MaxPages = int(pages) + 4
	d = dbtest.Open(t, c)

	var acknowledged int
	large := func(name string, size int) func(*db.Tx) error {
		return func(tx *db.Tx) error {
			tx.OnCommit(func() { acknowledged++ })
			_, err := tx.Exec("INSERT INTO notes (name, n) VALUES ($1, 1)", name+strings.Repeat(" ", size))
			// What a function tries after that must not be written on its own either.
			_, _ = tx.Exec("INSERT INTO notes (name, n) VALUES ($1, 1)", "on the quiet")
			return err
		}
	}
	for i, err := range group(t, d, large("a", 10), large("b", 1<<20), large("c", 10)) {
		if err == nil || !strings.Contains(err.Error(), "full") {
			t.Errorf("function %d of a group that filled the disk got %v, want an error that says so", i, err)
		}
	}
	if n := count(t, d); n != 1 || acknowledged != 0 {
		t.Errorf("%d notes are there and %d functions were told that they were committed; want the one from before, and none", n, acknowledged)
	}
	mustWrite(t, d, note("after"))
	if !has(t, d, "kept") || !has(t, d, "after") {
		t.Error("a note is missing after the disk was full")
	}
}

func TestLostConnectionFailsTheWholeGroup(t *testing.T) {
	d, c := onPostgres(t)
	kill := func(tx *db.Tx) {
		pid, err := db.One(tx, db.Value[int64], "SELECT pg_backend_pid()::bigint")
		if err != nil {
			t.Errorf("pg_backend_pid: %v", err)
		}
		terminate(t, c.URL, pid)
	}
	var acknowledged int
	good := func(name string) func(*db.Tx) error {
		return func(tx *db.Tx) error {
			tx.OnCommit(func() { acknowledged++ })
			return note(name)(tx)
		}
	}
	for i, err := range group(t, d, good("one"), func(tx *db.Tx) error { kill(tx); return note("bad")(tx) }, good("two")) {
		if err == nil {
			t.Errorf("function %d was acknowledged though its connection was lost", i)
		}
	}
	if err := d.WriteAlone(t.Context(), func(tx *db.Tx) error { kill(tx); return nil }); err == nil {
		t.Error("WriteAlone was acknowledged though its connection was lost before the commit")
	}
	if n := count(t, d); n != 0 || acknowledged != 0 {
		t.Errorf("%d notes are there and %d functions were told that they were committed, want none", n, acknowledged)
	}
	mustWrite(t, d, note("after"))
}

func TestConnectionLostWhileIdleFailsNobody(t *testing.T) {
	d, c := onPostgres(t)
	var pid int64
	mustWrite(t, d, func(tx *db.Tx) (err error) {
		pid, err = db.One(tx, db.Value[int64], "SELECT pg_backend_pid()::bigint")
		return err
	})
	terminate(t, c.URL, pid)
	mustWrite(t, d, note("after"))
}

// terminate ends a connection and waits until its server process has gone.
func terminate(t testing.TB, url string, pid int64) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Errorf("connect: %v", err)
		return
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend($1, 10000)", pid); err != nil {
		t.Errorf("pg_terminate_backend(%d): %v", pid, err)
	}
}

func TestDeadlockOfTwoNodesIsRunAgain(t *testing.T) {
	d, c := onPostgres(t)
	other := dbtest.Open(t, c)
	mustWrite(t, d, note("a"))
	mustWrite(t, d, note("b"))
	raise := func(tx *db.Tx, name string) error {
		_, err := tx.Exec("UPDATE notes SET n = n + 1 WHERE name = $1", name)
		return err
	}
	// Each takes its first row and waits for the other to have taken its own; later runs do not wait.
	first, second := make(chan struct{}), make(chan struct{})
	cross := func(mine, theirs string, here, there chan struct{}) func(*db.Tx) error {
		run := 0
		return func(tx *db.Tx) error {
			if err := raise(tx, mine); err != nil {
				return err
			}
			if run++; run == 1 {
				close(here)
				<-there
			}
			return raise(tx, theirs)
		}
	}
	errs := make(chan error, 2)
	go func() { errs <- d.Write(context.Background(), "", cross("a", "b", first, second)) }()
	go func() { errs <- other.WriteAlone(context.Background(), cross("b", "a", second, first)) }()
	for range 2 {
		if err := <-errs; err != nil {
			t.Errorf("a write that met a deadlock: %v", err)
		}
	}
	ns, err := db.All(d.Read(t.Context()), db.Value[int64], "SELECT n FROM notes")
	if err != nil || len(ns) != 2 || ns[0] != 3 || ns[1] != 3 {
		t.Errorf("two functions that each raise both rows left %v (%v), want [3 3]", ns, err)
	}
}
