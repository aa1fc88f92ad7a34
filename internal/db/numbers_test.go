package db_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

func TestNumbersAreConsecutiveAndNobodyElses(t *testing.T) {
	t.Parallel()
	configs := map[string]func(testing.TB) db.Config{"sqlite": dbtest.SQLite, "postgres": dbtest.PostgreSQL}
	for engine, config := range configs {
		t.Run(engine, func(t *testing.T) {
			c := config(t)
			nodes := []*db.DB{dbtest.Open(t, c), dbtest.Open(t, c)}
			var mu sync.Mutex
			taken := map[int64]bool{}
			take := func(first int64, n int) {
				mu.Lock()
				defer mu.Unlock()
				for i := first; i < first+int64(n); i++ {
					if taken[i] || i <= 0 {
						t.Errorf("number %d was given out twice, or is not positive", i)
					}
					taken[i] = true
				}
			}
			var wg sync.WaitGroup
			for w := range 8 {
				wg.Go(func() {
					chance := rand.New(rand.NewPCG(1, uint64(w)))
					for range 8 {
						sizes := []int{1, 1 + chance.IntN(300), 1 + chance.IntN(1500)}
						firsts := make([]int64, len(sizes))
						err := nodes[w%2].Write(context.Background(), "", func(tx *db.Tx) (err error) {
							last := int64(0)
							for i, n := range sizes {
								if firsts[i], err = tx.Numbers(n); err != nil {
									return err
								}
								if firsts[i] <= last {
									t.Errorf("Numbers went back from %d to %d within a transaction", last, firsts[i])
								}
								last = firsts[i] + int64(n) - 1
							}
							return nil
						})
						if err != nil {
							t.Errorf("Numbers(%v): %v", sizes, err)
							return
						}
						for i, n := range sizes {
							take(firsts[i], n)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestNumbersGrowWithTheOrderOfTransactions(t *testing.T) {
	t.Parallel()
	configs := map[string]func(testing.TB) db.Config{"sqlite": dbtest.SQLite, "postgres": dbtest.PostgreSQL}
	for engine, config := range configs {
		t.Run(engine, func(t *testing.T) {
			c := config(t)
			nodes := []*db.DB{dbtest.Open(t, c), dbtest.Open(t, c)}
			last := int64(0)
			for i := range 40 {
				fail := i%7 == 3
				var first int64
				fn := func(tx *db.Tx) (err error) {
					if first, err = tx.Numbers(1 + i*10); err == nil && fail {
						err = errRefused
					}
					return err
				}
				d, n := nodes[i%2], 1+i*10
				err := d.Write(t.Context(), "", fn)
				if i%5 == 0 {
					err = d.WriteAlone(t.Context(), fn)
				}
				if (err != nil) != fail {
					t.Fatalf("transaction %d: %v", i, err)
				}
				if fail {
					continue // what it drew may come again on SQLite: nobody ever saw it
				}
				if first <= last {
					t.Errorf("transaction %d began after number %d had been committed and got %d", i, last, first)
				}
				last = first + int64(n) - 1
			}
		})
	}
}

func TestSerialsAreSmallAndNobodyElses(t *testing.T) {
	t.Parallel()
	configs := map[string]func(testing.TB) db.Config{"sqlite": dbtest.SQLite, "postgres": dbtest.PostgreSQL}
	for engine, config := range configs {
		t.Run(engine, func(t *testing.T) {
			c := config(t)
			nodes := []*db.DB{dbtest.Open(t, c), dbtest.Open(t, c)}
			var mu sync.Mutex
			taken := map[int64]bool{}
			most := int64(0)
			var wg sync.WaitGroup
			for w := range 8 {
				wg.Go(func() {
					for i := range 40 {
						var got []int64
						fail := errors.New("nothing is written")
						err := nodes[w%2].Write(context.Background(), "", func(tx *db.Tx) error {
							got = nil
							for range 1 + i%3 {
								n, err := tx.Serial("sales")
								if err != nil {
									return err
								}
								got = append(got, n)
							}
							if i%5 == 4 {
								return fail
							}
							return nil
						})
						if errors.Is(err, fail) {
							continue // its numbers are a gap, or somebody else's
						}
						if err != nil {
							t.Errorf("Serial: %v", err)
							return
						}
						mu.Lock()
						for _, n := range got {
							if taken[n] || n <= 0 {
								t.Errorf("serial %d was given out twice, or is not positive", n)
							}
							taken[n], most = true, max(most, n)
						}
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			if most > 10_000 {
				t.Errorf("%d serials went up to %d", len(taken), most)
			}
		})
	}
}

// TestSerialsEndWithTheLastOf31Bits: whoever wants more is refused, and nobody else with them.
func TestSerialsEndWithTheLastOf31Bits(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		next := `UPDATE counters SET value = $1 WHERE name = 'sales'`
		if d.Engine() == db.PostgreSQL {
			next = `SELECT setval('serial_sales', $1, false)`
		}
		const last = 1<<31 - 1
		mustWrite(t, d, func(tx *db.Tx) error { _, err := tx.Exec(next, int64(last-2)); return err })
		draw := func() (n int64, err error) {
			err = d.Write(t.Context(), "", func(tx *db.Tx) (err error) { n, err = tx.Serial("sales"); return err })
			return n, err
		}
		for want := int64(last - 2); want <= last; want++ {
			if n, err := draw(); n != want || err != nil {
				t.Fatalf("Serial = %d, %v; want %d", n, err, want)
			}
		}
		for range 300 { // more than what is drawn at once
			if n, err := draw(); err == nil {
				t.Fatalf("Serial behind the last = %d", n)
			}
		}
		mustWrite(t, d, func(tx *db.Tx) error { _, err := tx.Numbers(1); return err })
	})
}

func TestSerialsOfNoSequenceAreAnError(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		err := d.Write(t.Context(), "", func(tx *db.Tx) error {
			_, err := tx.Serial("no-such")
			return err
		})
		if err == nil {
			t.Error("Serial of a sequence that is not there gave a number")
		}
	})
}
