package order

import (
	"encoding/json"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
)

const saleNo = `sale_no`

// SaleKeys returns the keys of an organisation's orders as sales, and how many there are whatever After and Limit say.
func SaleKeys(q db.Querier, org int64, f inventory.SaleFilter) (page []inventory.SaleKey, total int, err error) {
	where := `org_id = $1`
	if !f.UpdatedSince.IsZero() {
		where += fmt.Sprintf(` AND updated_hour >= %d`, f.UpdatedSince.Unix()/3600) // what the index knows
	}
	return inventory.SaleKeys(q, org, f, `orders`, where, saleNo, map[inventory.SaleSort]string{
		inventory.SaleByNumber: saleNo, inventory.SaleByUpdate: `updated_at`, inventory.SaleByCreation: `created_at`, inventory.SaleByAmount: `total`,
		inventory.SaleByQuantity: `quantity`, inventory.SaleByEvent: `event_no`, inventory.SaleByListing: `listing_no`,
	})
}

// BySales finds orders by the numbers of their sales. What there is not is left out.
func BySales(q db.Querier, org int64, saleNos []int64) (map[int64]Order, error) {
	all := make(map[int64]Order, len(saleNos))
	if len(saleNos) == 0 {
		return all, nil
	}
	list, err := json.Marshal(saleNos)
	if err != nil {
		return nil, err
	}
	page, err := db.All(q, scan, selectOrder+`WHERE o.org_id = $1 AND o.`+saleNo+` IN ints($2)`, org, string(list))
	if err != nil {
		return nil, fmt.Errorf("load orders of sales: %w", err)
	}
	for _, o := range page {
		all[o.SaleNo] = o
	}
	return all, nil
}
