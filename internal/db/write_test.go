package db_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"go.uber.org/goleak"
)

func TestWriteIsThereWhenItReturns(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		for i := range 20 {
			name := fmt.Sprintf("n%d", i)
			mustWrite(t, d, note(name))
			if !has(t, d, name) {
				t.Fatalf("Write returned and note %q is not there", name)
			}
		}
	})
}

func TestCallersThatWaitShareATransaction(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		var instants [50]int64
		var fns []func(*db.Tx) error
		for i := range instants {
			fns = append(fns, func(tx *db.Tx) error {
				instants[i] = tx.Micros()
				return note(fmt.Sprint(i))(tx)
			})
		}
		for i, err := range group(t, d, fns...) {
			if err != nil {
				t.Errorf("Write %d: %v", i, err)
			}
		}
		if n := count(t, d); n != 50 {
			t.Errorf("50 writes left %d notes", n)
		}
		for i, at := range instants {
			if at != instants[0] {
				t.Fatalf("function %d ran at %d and function 0 at %d: not one transaction", i, at, instants[0])
			}
		}
	})
}

func TestGroupLargerThanTheBoundIsAnswered(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		var fns []func(*db.Tx) error
		for i := range 600 {
			fns = append(fns, note(fmt.Sprint(i)))
		}
		for i, err := range group(t, d, fns...) {
			if err != nil {
				t.Errorf("Write %d of 600: %v", i, err)
			}
		}
		if n := count(t, d); n != 600 {
			t.Errorf("600 writes left %d notes", n)
		}
	})
}

func TestFunctionsOfAGroupRunInTheOrderOfTheirKeys(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		release := occupy(t, d)
		var mu sync.Mutex
		var ran []string
		var wg sync.WaitGroup
		for _, key := range []string{"c", "a", "d", "b"} {
			wg.Go(func() {
				err := d.Write(context.Background(), key, func(tx *db.Tx) error {
					mu.Lock()
					defer mu.Unlock()
					ran = append(ran, key)
					return note(key)(tx)
				})
				if err != nil {
					t.Errorf("Write with key %q: %v", key, err)
				}
			})
		}
		await(t, "the group", func() bool { return d.Waiting() == 4 })
		release()
		wg.Wait()
		if got := strings.Join(ran, ""); got != "abcd" {
			t.Errorf("functions with the keys c, a, d, b ran in the order %q", got)
		}
	})
}

func TestInstantIsReadOnceAndNeverGoesBack(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		var last time.Time
		for range 50 {
			mustWrite(t, d, func(tx *db.Tx) error {
				now := tx.Now()
				switch {
				case now.Location() != time.UTC || now.Nanosecond()%1000 != 0:
					t.Errorf("Now is %v; want UTC and whole microseconds", now)
				case now.Before(last):
					t.Errorf("Now went back from %v to %v", last, now)
				case tx.Micros() != now.UnixMicro() || !tx.Now().Equal(now):
					t.Errorf("Now is %v and Micros %d within one transaction", now, tx.Micros())
				}
				last = now
				return nil
			})
		}
	})
}

func TestClockThatIsSetBackDoesNotTakeTheInstantBack(t *testing.T) {
	clock := time.Date(2027, 8, 14, 20, 30, 0, 123456789, time.FixedZone("CEST", 7200))
	c := dbtest.SQLite(t)
	c.Now = func() time.Time { return clock }
	d := dbtest.Open(t, c)
	at := func() (now time.Time) {
		mustWrite(t, d, func(tx *db.Tx) error { now = tx.Now(); return nil })
		return now
	}
	first := at()
	if want := time.Date(2027, 8, 14, 18, 30, 0, 123456000, time.UTC); !first.Equal(want) {
		t.Errorf("Now is %v, want %v", first, want)
	}
	clock = clock.Add(-time.Hour)
	if got := at(); !got.Equal(first) {
		t.Errorf("with the clock set back an hour Now is %v, want %v", got, first)
	}
	clock = clock.Add(2 * time.Hour)
	if got, want := at(), first.Add(time.Hour); !got.Equal(want) {
		t.Errorf("with the clock on time again Now is %v, want %v", got, want)
	}
}

func TestWriteAloneHasATransactionOfItsOwn(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		var wg sync.WaitGroup
		var failed atomic.Int64
		for i := range 40 {
			wg.Go(func() {
				write := func(fn func(*db.Tx) error) error { return d.Write(context.Background(), "", fn) }
				if i%4 == 0 {
					write = func(fn func(*db.Tx) error) error { return d.WriteAlone(context.Background(), fn) }
				}
				err := write(func(tx *db.Tx) error {
					if err := note(fmt.Sprint(i))(tx); err != nil {
						return err
					}
					if i%8 == 0 { // every other one that is alone
						return errRefused
					}
					return nil
				})
				if i%8 == 0 && !errors.Is(err, errRefused) || i%8 != 0 && err != nil {
					t.Errorf("write %d: %v", i, err)
				}
				if err != nil {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		if n := count(t, d); n != 35 || failed.Load() != 5 {
			t.Errorf("40 writes of which 5 fail: %d failed and there are %d notes, want 35", failed.Load(), n)
		}
	})
}

func TestCommitHooksRunAfterTheCommitAndBeforeTheAnswer(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		ways := map[string]func(func(*db.Tx) error) error{
			"Write":      func(fn func(*db.Tx) error) error { return d.Write(t.Context(), "", fn) },
			"WriteAlone": func(fn func(*db.Tx) error) error { return d.WriteAlone(t.Context(), fn) },
			"Configure":  func(fn func(*db.Tx) error) error { return d.Configure(t.Context(), fn) },
		}
		for name, write := range ways {
			var committed bool
			var ends []bool
			err := write(func(tx *db.Tx) error {
				tx.OnCommit(func() { committed = has(t, d, name) })
				tx.OnEnd(func(c bool) { ends = append(ends, c) })
				return note(name)(tx)
			})
			if err != nil || !committed || len(ends) != 1 || !ends[0] {
				t.Errorf("%s: error %v; OnCommit saw the note: %v; OnEnd was called with %v, want [true]", name, err, committed, ends)
			}

			committed, ends = false, nil
			err = write(func(tx *db.Tx) error {
				tx.OnCommit(func() { committed = true })
				tx.OnEnd(func(c bool) { ends = append(ends, c) })
				if err := note(name + " refused")(tx); err != nil {
					return err
				}
				return errRefused
			})
			if !errors.Is(err, errRefused) || committed || len(ends) == 0 {
				t.Errorf("%s that fails: error %v, OnCommit called: %v, OnEnd called with %v", name, err, committed, ends)
			}
			for _, end := range ends {
				if end {
					t.Errorf("%s that fails: OnEnd was called with true", name)
				}
			}
		}
	})
}

func TestOnEndIsCalledForEveryRun(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		var runs, ends, commits int
		errs := group(t, d,
			func(tx *db.Tx) error {
				runs++
				tx.OnEnd(func(c bool) {
					ends++
					if c {
						commits++
					}
				})
				return note("good")(tx)
			},
			func(tx *db.Tx) error {
				if err := note("bad")(tx); err != nil {
					return err
				}
				return errRefused
			})
		if errs[0] != nil || !errors.Is(errs[1], errRefused) {
			t.Fatalf("a good function and one that fails got %v and %v", errs[0], errs[1])
		}
		if runs != ends || commits != 1 {
			t.Errorf("a function that ran %d times had OnEnd called %d times, %d of them with true; want as many, and 1", runs, ends, commits)
		}
	})
}

func TestConfigureOverlapsNobody(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		var inside atomic.Int64
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				fn := func(tx *db.Tx) error {
					inside.Add(1)
					defer inside.Add(-1)
					_, err := tx.Exec("INSERT INTO notes (name, n) VALUES ($1, $2)", fmt.Sprint(i), tx.Revision())
					return err
				}
				var err error
				switch i % 6 {
				case 0:
					err = d.Configure(context.Background(), func(tx *db.Tx) error {
						if n := inside.Load(); n != 0 {
							t.Errorf("Configure ran beside %d other functions", n)
						}
						_, err := tx.Bump()
						return errors.Join(err, fn(tx))
					})
				case 1:
					err = d.WriteAlone(context.Background(), fn)
				default:
					err = d.Write(context.Background(), "", fn)
				}
				if err != nil {
					t.Errorf("write %d: %v", i, err)
				}
			})
		}
		wg.Wait()
	})
}

func TestRevisionIsTheOneThatConfigureLeft(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		revision := func() (r int64) {
			mustWrite(t, d, func(tx *db.Tx) error { r = tx.Revision(); return nil })
			return r
		}
		was := revision()
		err := d.Configure(t.Context(), func(tx *db.Tx) error {
			bumped, err := tx.Bump()
			if bumped != was+1 || tx.Revision() != bumped {
				t.Errorf("Bump at revision %d gave %d, and Revision is %d then", was, bumped, tx.Revision())
			}
			return err
		})
		if err != nil {
			t.Fatalf("Configure: %v", err)
		}
		if got := revision(); got != was+1 {
			t.Errorf("after Bump the revision is %d, want %d", got, was+1)
		}
		if err := d.Configure(t.Context(), func(tx *db.Tx) error { _, _ = tx.Bump(); return errRefused }); !errors.Is(err, errRefused) {
			t.Fatalf("Configure that fails: %v", err)
		}
		if got := revision(); got != was+1 {
			t.Errorf("after a Configure that failed the revision is %d, want %d", got, was+1)
		}
	})
}

func TestCloseEndsTheWorkThatWasHandedIn(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		release := occupy(t, d)
		errs := make(chan error, 100)
		for i := range cap(errs) {
			go func() { errs <- d.Write(context.Background(), "", note(fmt.Sprint(i))) }()
		}
		await(t, "the work to be handed in", func() bool { return d.Waiting() == cap(errs) })
		closed := make(chan error, 1)
		go func() { closed <- d.Close() }()
		release()
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Errorf("Write that was handed in before Close: %v", err)
			}
		}
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := d.Close(); err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
}

func TestClosedDatabaseSaysSo(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		if err := d.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		nothing := func(*db.Tx) error { t.Error("a function was run on a closed database"); return nil }
		_, read := d.Read(t.Context()).Query("SELECT 1")
		for call, err := range map[string]error{
			"Write":      d.Write(t.Context(), "", nothing),
			"WriteAlone": d.WriteAlone(t.Context(), nothing),
			"Configure":  d.Configure(t.Context(), nothing),
			"Read":       read,
		} {
			if !errors.Is(err, db.ErrClosed) {
				t.Errorf("%s after Close: %v, want ErrClosed", call, err)
			}
		}
	})
}

func TestStoreLeavesNoGoroutineBehind(t *testing.T) {
	configs := map[string]func(testing.TB) db.Config{"sqlite": dbtest.SQLite, "postgres": dbtest.PostgreSQL}
	for engine, config := range configs {
		t.Run(engine, func(t *testing.T) {
			c := config(t)
			before := goleak.IgnoreCurrent()
			d, err := db.Open(t.Context(), c)
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			if err := d.Migrate(t.Context()); err != nil {
				t.Fatalf("Migrate: %v", err)
			}
			notes(t, d)
			var wg sync.WaitGroup
			for i := range 50 {
				wg.Go(func() {
					ctx, cancel := context.WithCancel(context.Background())
					if i%5 == 0 {
						cancel()
					}
					_ = d.Write(ctx, "", note(fmt.Sprint(i)))
					_ = d.WriteAlone(ctx, note(fmt.Sprint("alone ", i)))
					_, _ = db.One(d.Read(ctx), db.Value[int64], "SELECT count(*) FROM notes")
					cancel()
				})
			}
			wg.Wait()
			if err := d.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			goleak.VerifyNone(t, before)
		})
	}
}

// What is to be last comes after what all others do, and not at all for a function that is undone.
func TestLastIsBehindAllFunctions(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		counted := func(name string, err error) func(*db.Tx) error {
			return func(tx *db.Tx) error {
				return errors.Join(tx.Last("INSERT INTO notes (name, n) SELECT $1, count(*) FROM notes", "last of "+name), note(name)(tx), err)
			}
		}
		for i, err := range group(t, d, counted("a", nil), counted("b", errRefused), counted("c", nil)) {
			if (err != nil) != (i == 1) {
				t.Errorf("Write %d: %v", i, err)
			}
		}
		if err := d.WriteAlone(t.Context(), counted("d", nil)); err != nil {
			t.Errorf("WriteAlone: %v", err)
		}
		for name, want := range map[string]int64{"last of a": 2, "last of c": 3, "last of d": 5} {
			n, err := db.One(d.Read(t.Context()), db.Value[int64], "SELECT n FROM notes WHERE name = $1", name)
			if err != nil || n != want {
				t.Errorf("%s found %d notes, %v; want %d", name, n, err, want)
			}
		}
		if n := count(t, d); n != 6 {
			t.Errorf("there are %d notes, want 6", n)
		}
	})
}

// Where such a statement fails, nothing is written by anybody.
func TestLastThatFailsIsEverybodys(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		bad := func(tx *db.Tx) error { return tx.Last("INSERT INTO notes (name, n) VALUES ('a', 1)") }
		for i, err := range group(t, d, note("a"), bad) {
			if err == nil {
				t.Errorf("Write %d succeeded", i)
			}
		}
		if err := d.WriteAlone(t.Context(), func(tx *db.Tx) error { return errors.Join(note("a")(tx), bad(tx)) }); err == nil {
			t.Error("WriteAlone succeeded")
		}
		if n := count(t, d); n != 0 {
			t.Errorf("there are %d notes, want none", n)
		}
		mustWrite(t, d, note("a"))
	})
}
