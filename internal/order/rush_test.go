package order_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// TestRushSellsEverySeatOnce: many more orders at once than there are seats.
func TestRushSellsEverySeatOnce(t *testing.T) {
	const seats = 100
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		rush := 10_000
		if d.Engine() == db.PostgreSQL || testing.Short() {
			rush = 2_000
		}
		s := open(t, d)
		labels := make([]string, seats)
		for i := range labels {
			labels[i] = fmt.Sprint(i + 1)
		}
		l := s.list(inventory.Input{Quantity: seats, Seats: labels})
		s.log.take()

		var placed, refused, other atomic.Int64
		var mu sync.Mutex // guards sold
		sold := map[string]int{}
		var wg sync.WaitGroup
		for range rush {
			wg.Go(func() {
				r, err := s.place(order.Input{Listing: l.ID, Quantity: 1})
				switch {
				case err == nil:
					placed.Add(1)
					mu.Lock()
					sold[r.Seats[0]]++
					mu.Unlock()
				case problem.Is(err, "not_enough_tickets"):
					refused.Add(1)
				default:
					other.Add(1)
					t.Errorf("Place: %v", err)
				}
			})
		}
		wg.Wait()
		if placed.Load() != seats || refused.Load() != int64(rush-seats) {
			t.Errorf("%d orders for %d seats: %d placed, %d refused, %d others; want %d and %d",
				rush, seats, placed.Load(), refused.Load(), other.Load(), seats, rush-seats)
		}
		for _, label := range labels {
			if sold[label] != 1 {
				t.Errorf("seat %s was sold %d times", label, sold[label])
			}
		}
		if facts := s.log.take(); len(facts) != seats {
			t.Errorf("%d facts of orders, want %d", len(facts), seats)
		}
		s.audit(t)
	})
}

// TestTwoNodesSellEverySeatOnce: two programs on one database sell, cancel and change the same listings.
func TestTwoNodesSellEverySeatOnce(t *testing.T) {
	c := dbtest.PostgreSQL(t)
	a := open(t, dbtest.Open(t, c))
	b := &shop{t: t, db: dbtest.Open(t, c), log: a.log, cal: a.cal, stock: a.stock, book: a.book}
	l := a.list(inventory.Input{Quantity: 60})
	other := a.list(inventory.Input{Quantity: 60, Section: "C", Row: "1"})

	var placed, cancelled atomic.Int64
	var wg sync.WaitGroup
	for i := range 200 {
		s := []*shop{a, b}[i%2]
		wg.Go(func() {
			from := []inventory.Listing{l, other}[i/2%2]
			r, err := s.place(order.Input{Listing: from.ID, Quantity: 1})
			if problem.Is(err, "not_enough_tickets") {
				return
			}
			if err != nil {
				t.Errorf("Place: %v", err)
				return
			}
			placed.Add(1)
			if i%5 == 0 {
				if _, err := []*shop{b, a}[i%2].set(r.ID, order.Cancelled); err != nil {
					t.Errorf("cancel: %v", err)
				}
				cancelled.Add(1)
			}
		})
	}
	wg.Wait()
	left := a.free(t, l) + a.free(t, other)
	if want := 120 - int(placed.Load()-cancelled.Load()); left != want {
		t.Errorf("%d placed, %d cancelled, %d free; want %d", placed.Load(), cancelled.Load(), left, want)
	}
	a.audit(t)
}

func BenchmarkPlace(b *testing.B) {
	for _, engine := range []struct {
		name   string
		config func(testing.TB) db.Config
	}{{"sqlite", dbtest.SQLite}, {"postgres", dbtest.PostgreSQL}} {
		b.Run(engine.name, func(b *testing.B) {
			s := open(b, dbtest.Open(b, engine.config(b)))
			l := s.list(inventory.Input{Quantity: 1_000_000})
			in := order.Input{Event: "E", Listing: l.ID, Quantity: 2, Customer: kari}
			b.SetParallelism(64)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.place(in); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
		})
	}
}
