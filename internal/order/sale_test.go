package order_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
)

// keep holds a unit of a listing.
func (s *shop) keep(l inventory.Listing) (h inventory.Hold) {
	s.t.Helper()
	s.write(s.t, func(tx *db.Tx) (err error) {
		h, err = s.stock.Hold(tx, house, inventory.HoldInput{Event: l.EventID, Want: inventory.Want{Listing: l.ID, Quantity: 1}, Holder: "usr_1"})
		return err
	})
	return h
}

// exec changes what only mistakes and older programs change.
func (s *shop) exec(sql string, args ...any) {
	s.t.Helper()
	s.write(s.t, func(tx *db.Tx) error { _, err := tx.Exec(sql, args...); return err })
}

func TestAuditFindsSalesThatAreNotOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 8})
		kept, became := s.keep(l), s.keep(l)
		made, err := s.place(order.Input{Hold: became.ID})
		if err != nil {
			t.Fatal(err)
		}
		other := s.mustPlace(l, 1)
		s.audit(t)
		s.exec(`UPDATE orders SET sale_no = $1 WHERE order_no = $2`, kept.SaleNo, other.No)
		s.exec(`UPDATE orders SET sale_no = $1 WHERE order_no = $2`, other.SaleNo, made.No)
		got, err := order.Audit(d.Read(t.Context()))
		want := []string{
			fmt.Sprintf("Order %s and a hold that did not become it are both sale %d.", other.ID, kept.SaleNo),
			fmt.Sprintf("The hold that is sale %d has become order %s, which is another sale.", became.SaleNo, made.ID),
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Audit = %q, %v; want %q", got, err, want)
		}
	})
}

// TestRowsOfAnOlderProgramHaveNoSale: a node that knows nothing of sales may still write beside one that does.
func TestRowsOfAnOlderProgramHaveNoSale(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := open(t, d)
		l := s.list(inventory.Input{Quantity: 8})
		first, second, h := s.mustPlace(l, 1), s.mustPlace(l, 1), s.keep(l)
		s.exec(`UPDATE orders SET sale_no = NULL, sale = '{}'`)
		s.exec(`UPDATE holds SET sale_no = NULL`)
		made, err := s.place(order.Input{Hold: h.ID})
		if err != nil || made.SaleNo <= second.SaleNo {
			t.Fatalf("the order of a hold that is no sale is sale %d, %v", made.SaleNo, err)
		}
		if got := s.byID(t, first.ID); got.SaleNo != 0 || got.Sale.ListingNumber != l.No {
			t.Errorf("the order is sale %d of listing %d, want 0 of %d", got.SaleNo, got.Sale.ListingNumber, l.No)
		}
		for what, keys := range map[string]func(db.Querier, int64, inventory.SaleFilter) ([]inventory.SaleKey, int, error){
			"orders": order.SaleKeys, "holds": inventory.HoldKeys,
		} {
			page, total, err := keys(d.Read(t.Context()), house, inventory.SaleFilter{})
			if want := map[string]int{"orders": 1, "holds": 0}[what]; err != nil || total != want || len(page) != want {
				t.Errorf("sales that are %s: %v of %d, %v; want %d", what, page, total, err, want)
			}
		}
		s.audit(t)
	})
}
