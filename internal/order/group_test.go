package order_test

import (
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// In one transaction, as in a group, each order sees what came before it: what was sold and given back, and what was changed of the event and what is
// for sale. The sums are those of the rows in the end.
func TestOrdersOfOneTransactionSeeEachOther(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 10, Seats: []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}})
		other := s.list(inventory.Input{Quantity: 5, Section: "C", Row: "1"})
		s.write(t, func(tx *db.Tx) error {
			place := func(listing id.Listing, n int) (order.Order, error) {
				o, _, err := s.book.Place(tx, house, order.Input{Event: "E", Listing: listing, Quantity: n, Customer: kari})
				return o, err
			}
			must := func(listing id.Listing, n int, price int64, seats ...string) order.Order {
				t.Helper()
				o, err := place(listing, n)
				if err != nil {
					t.Fatalf("Place %d: %v", n, err)
				}
				if o.UnitPrice.Minor != price || len(seats) > 0 && (len(o.Seats) != len(seats) || o.Seats[0] != seats[0]) {
					t.Errorf("Place %d = %v at %d, want %v at %d", n, o.Seats, o.UnitPrice.Minor, seats, price)
				}
				return o
			}
			refused := func(listing id.Listing, n int, code string) {
				t.Helper()
				if _, err := place(listing, n); !problem.Is(err, code) {
					t.Errorf("Place %d: %v, want %s", n, err, code)
				}
			}
			must(l.ID, 2, 7533, "1", "2")
			second := must(l.ID, 3, 7533, "3", "4", "5")
			must(other.ID, 4, 7533)
			refused(l.ID, 6, "not_enough_tickets")
			refused(other.ID, 2, "not_enough_tickets")
			if _, _, err := s.book.SetStatus(tx, house, second.ID, order.Change{Status: order.Cancelled}); err != nil {
				return err
			}
			must(l.ID, 4, 7533, "3", "4", "5", "6") // gaps first
			if _, err := s.stock.Update(tx, house, l.ID, inventory.Patch{Price: ptr(money.Decimal("80"))}); err != nil {
				return err
			}
			must(l.ID, 4, 8000, "7", "8", "9", "10")
			refused(l.ID, 1, "not_enough_tickets")
			if _, err := s.stock.Update(tx, house, other.ID, inventory.Patch{Status: ptr(inventory.Paused)}); err != nil {
				return err
			}
			refused(other.ID, 1, "listing_not_on_sale")
			if _, err := s.stock.Update(tx, house, other.ID, inventory.Patch{Status: ptr(inventory.Active)}); err != nil {
				return err
			}
			must(other.ID, 1, 7533)
			if _, err := s.cal.Update(tx, house, "E", event.Patch{Name: ptr("Another Night")}); err != nil {
				return err
			}
			if _, err := s.stock.Update(tx, house, other.ID, inventory.Patch{Total: ptr(6)}); err != nil {
				return err
			}
			if o := must(other.ID, 1, 7533); o.EventName != "Another Night" {
				t.Errorf("the order is for %q", o.EventName)
			}
			if _, err := s.cal.Cancel(tx, house, "E"); err != nil {
				return err
			}
			refused(other.ID, 1, "event_cancelled")
			return nil
		})
		if a, b := s.free(t, l), s.free(t, other); a != 0 || b != 0 {
			t.Errorf("%d and %d are free, want none", a, b)
		}
		s.audit(t)
	})
}
