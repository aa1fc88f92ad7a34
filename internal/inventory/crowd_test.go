package inventory_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// What many do at once shares transactions, in which each relies on what those before it have left.
func TestHoldsThatShareATransactionAddUp(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		s.event("E")
		l := s.mustCreate(inventory.Input{Quantity: 12, Seats: labels(12)})
		ty := s.mustType(inventory.TypeInput{Name: "Adult", Quantity: 8})
		wants := []inventory.Want{{Listing: l.ID, Quantity: 2}, {Type: ty.ID, Quantity: 1}, {Listing: ty.Listing.ID, Quantity: 2}}
		var orders atomic.Int64
		write := func(fn func(tx *db.Tx) error) {
			err := d.Write(t.Context(), "", fn)
			if p := problem.As(err); err != nil && (p == nil || p.Kind != problem.Conflict) {
				t.Error(err)
			}
		}
		var crowd sync.WaitGroup
		for i := range 32 {
			crowd.Go(func() {
				for n := range 12 {
					var h inventory.Hold
					write(func(tx *db.Tx) (err error) {
						h, err = s.stock.Hold(tx, house, inventory.HoldInput{Event: "E", Want: wants[(i+n)%len(wants)]})
						return err
					})
					if h.ID == "" {
						continue
					}
					switch (i + n) % 4 {
					case 0: // its time is up; others may want it
						write(func(tx *db.Tx) error {
							_, err := tx.Exec(`UPDATE holds SET expires_at = created_at WHERE hold_no = $1 AND status = 'active'`, h.No)
							return err
						})
					case 1:
						write(func(tx *db.Tx) error { _, err := s.stock.ReleaseHold(tx, house, h.ID, ""); return err })
					default:
						order := orders.Add(1)
						s.stock.Expect(house, h.ID)
						var r inventory.Return
						write(func(tx *db.Tx) error {
							ev, err := event.Lock(tx, house, "E")
							if err != nil {
								return err
							}
							p, err := s.stock.PickHeld(tx, house, ev, h.ID, "")
							if err != nil {
								return err
							}
							r = inventory.Return{Order: order, Listing: p.Listing.No, Ordinals: p.Ordinals}
							return s.stock.Take(tx, house, ev, p, order)
						})
						write(func(tx *db.Tx) error {
							ev, err := event.Lock(tx, house, "E")
							if err != nil {
								return err
							}
							return s.stock.Release(tx, house, ev, r)
						})
					}
				}
			})
		}
		crowd.Wait()
		s.audit(t)
		if s.byID(t, l.ID).Sold != 0 || s.typeByID(t, ty.ID).Listing.Sold != 0 {
			t.Error("something is sold, and every order was given back")
		}
	})
}
