package inventory

import (
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// A sale is an order, or before that a hold. Lists of sales are put together from both: each package tells the keys of its own in the order that is asked for.

// SaleSort is an order of sales; those that are alike in it come in the order of their numbers.
type SaleSort string

// The orders. SaleByEvent and SaleByListing are by the numbers of these, for whoever knows more of them.
const (
	SaleByNumber   SaleSort = ""
	SaleByUpdate   SaleSort = "update"
	SaleByCreation SaleSort = "creation"
	SaleByAmount   SaleSort = "amount" // in minor units, whatever the currency
	SaleByQuantity SaleSort = "quantity"
	SaleByEvent    SaleSort = "event"
	SaleByListing  SaleSort = "listing"
)

// SaleKey is a sale of a list.
type SaleKey struct {
	Key int64 // what it is sorted by: the number, microseconds since 1970, minor units, a quantity
	No  int64 // of the sale
}

// SaleFilter says which keys are wanted.
type SaleFilter struct {
	UpdatedSince time.Time // only what has changed at that instant or later; zero for all
	Sort         SaleSort
	Desc         bool
	After        *SaleKey // the last that was seen; nil for the beginning
	Limit        int      // 0 for all
}

// SaleKeys runs the filter over a table whose column no is the sale's number. columns are what is sorted by, and update is the column of the last change.
func SaleKeys(q db.Querier, org int64, f SaleFilter, table, where, no string, columns map[SaleSort]string) (page []SaleKey, total int, err error) {
	key, ok := columns[f.Sort]
	if !ok {
		return nil, 0, fmt.Errorf("sales are not sorted by %q", f.Sort)
	}
	where += ` AND ` + no + ` IS NOT NULL` // an older program's rows have none
	args := []any{org}
	if !f.UpdatedSince.IsZero() {
		args = append(args, f.UpdatedSince.UnixMicro())
		where += ` AND ` + columns[SaleByUpdate] + ` >= $2`
	}
	if total, err = db.One(q, db.Value[int], `SELECT count(*) FROM `+table+` WHERE `+where, args...); err != nil {
		return nil, 0, fmt.Errorf("count sales: %w", err)
	}
	compare, direction := `>`, `ASC`
	if f.Desc {
		compare, direction = `<`, `DESC`
	}
	switch {
	case f.After == nil:
	case key == no:
		args = append(args, f.After.No)
		where += fmt.Sprintf(` AND %s %s $%d`, no, compare, len(args))
	default:
		args = append(args, f.After.Key, f.After.No)
		where += fmt.Sprintf(` AND (%s, %s) %s ($%d, $%d)`, key, no, compare, len(args)-1, len(args))
	}
	sql := `SELECT ` + key + `, ` + no + ` FROM ` + table + ` WHERE ` + where + ` ORDER BY `
	if key != no {
		sql += key + ` ` + direction + `, `
	}
	sql += no + ` ` + direction
	if f.Limit > 0 {
		args = append(args, f.Limit)
		sql += fmt.Sprintf(` LIMIT $%d`, len(args))
	}
	page, err = db.All(q, func(r db.Rows) (k SaleKey, err error) { return k, r.Scan(&k.Key, &k.No) }, sql, args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list sales: %w", err)
	}
	return page, total, nil
}

// HoldKeys returns the keys of holds that have not become orders, and how many there are whatever After and Limit say: of active ones, and with UpdatedSince also of
// those that have ended since.
func HoldKeys(q db.Querier, org int64, f SaleFilter) (page []SaleKey, total int, err error) {
	where := `org_id = $1 AND status = 'active'`
	if !f.UpdatedSince.IsZero() {
		where = `org_id = $1 AND status <> 'converted'`
	}
	return SaleKeys(q, org, f, `holds`, where, `sale_no`, map[SaleSort]string{
		SaleByNumber: `sale_no`, SaleByUpdate: `COALESCE(ended_at, created_at)`, SaleByCreation: `created_at`, SaleByAmount: `price * quantity`,
		SaleByQuantity: `quantity`, SaleByEvent: `event_no`, SaleByListing: `listing_no`,
	})
}

// HoldsBySale finds holds by the numbers of their sales, whatever their status.
func HoldsBySale(q db.Querier, org int64, saleNos []int64) (map[int64]Hold, error) {
	all := make(map[int64]Hold, len(saleNos))
	if len(saleNos) == 0 {
		return all, nil
	}
	page, err := db.All(q, scanHold, selectHold+`WHERE h.org_id = $1 AND h.sale_no IN ints($2)`, org, jsonList(saleNos))
	if err != nil {
		return nil, fmt.Errorf("load holds: %w", err)
	}
	for _, h := range page {
		all[h.SaleNo] = h
	}
	return all, nil
}

// ByNos finds listings by their numbers, as they stand at an instant. What there is not is left out.
func ByNos(q db.Querier, org int64, nos []int64, now time.Time) (map[int64]Listing, error) {
	all := make(map[int64]Listing, len(nos))
	if len(nos) == 0 {
		return all, nil
	}
	page, err := db.All(q, scan, `SELECT `+columns+` FROM listings l WHERE l.org_id = $1 AND l.listing_no IN ints($2)`, org, jsonList(nos))
	if err != nil {
		return nil, fmt.Errorf("load listings: %w", err)
	}
	for _, l := range page {
		all[l.No] = l.AsOf(now)
	}
	return all, nil
}
