package delivery_test

import (
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

// What was attempted stands in the log in the order in which it was written down, and for a week.
func TestTheLogOfAttempts(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		h := assemble(t, d, nil)
		l, err := ledger.Open(t.Context(), d, nil)
		if err != nil {
			t.Fatal(err)
		}
		h.engine.LogTo(l)
		h.start()
		r := receive(t, func(rec received) int { return 200 })
		e := h.subscribe(r.URL, endpoint.Options{}, "*")
		h.publish("", 1, 2, 3)
		h.settled(e, "delivered", 3)
		read := func() (n int) {
			t.Helper()
			batches, err := h.engine.AttemptsAfter(d.Read(t.Context()), e.Org, ledger.Place{}, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range batches {
				all, err := b.Row.Made()
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range all {
					if m.Webhook != e.ID || m.State != "delivered" || m.Status != 200 || m.Number != 1 || m.Delivery.Endpoint != e.Number || m.At.IsZero() {
						t.Errorf("the log has %+v", m)
					}
					n++
				}
			}
			return n
		}
		awaits := func(want int) (n int) { // a transaction of another test holds back what can be read
			for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				if n = read(); n == want {
					break
				}
			}
			return n
		}
		if n := awaits(3); n != 3 {
			t.Errorf("the log has %d attempts, want 3", n)
		}
		if none, err := h.engine.AttemptsAfter(d.Read(t.Context()), e.Org+1, ledger.Place{}, 100); len(none) != 0 || err != nil {
			t.Errorf("another organisation has %v, %v", none, err)
		}
		for _, c := range []struct {
			age, left int
		}{{6, 3}, {8, 0}} {
			err := d.WriteAlone(t.Context(), func(tx *db.Tx) error {
				_, err := tx.Exec("UPDATE attempt_log SET at = $1 - $2 * 86400000000", tx.Micros(), c.age)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := h.engine.SweepLog(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := awaits(c.left); n != c.left {
				t.Errorf("of attempts that are %d days old %d are left, want %d", c.age, n, c.left)
			}
		}
	})
}
