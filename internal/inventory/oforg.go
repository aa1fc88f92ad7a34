package inventory

import (
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Sort is an order of an organisation's listings.
type Sort string

// The orders. Listings that are alike in it come in the order of their numbers.
const (
	ByNumber    Sort = "" // as they were made
	ByCreated   Sort = "created_at"
	ByUpdated   Sort = "updated_at"
	ByAvailable Sort = "available" // what is for sale
	ByPrice     Sort = "price"     // in minor units, whatever the currency
)

// OrgFilter says which listings of an organisation a list shows, whatever their event and status.
type OrgFilter struct {
	EventNo      int64     // 0 for all events
	UpdatedSince time.Time // only what has changed at that instant or later, sales too; zero for all
	Live         bool      // without what is withdrawn, or expired by Now
	Now          time.Time // the instant of asking, as in [Filter]
	Sort         Sort
	Desc         bool
	Limit        int       // 1 to 1001, which is a page and one to see whether there are more; 50 when 0
	Offset       int       // 0 or more
	AfterUpdate  time.Time // with ByUpdated and After: when what the page begins behind was changed; zero for the beginning
	After        int64     // only with ByNumber: the number that the page begins behind, before it when Desc; 0 for the beginning
}

// orgSorts are the beginnings of ORDER BY: %s is the direction, :now the instant of asking.
var orgSorts = map[Sort]string{
	ByNumber:    ``,
	ByCreated:   `l.created_at %s, `,
	ByUpdated:   `l.updated_at %s, `,
	ByAvailable: `CASE WHEN l.status = 'active' AND l.deliverability = 'ok' AND (l.due_at IS NULL OR l.due_at > :now) THEN ` + leftSQL + ` ELSE 0 END %s, `,
	ByPrice:     `l.price %s, `,
}

const hour = int64(time.Hour / time.Microsecond)

// OfOrg returns a page of an organisation's listings, and how many there are in all, wherever the page begins. What cannot be asked for is a field error.
func OfOrg(q db.Querier, org int64, f OrgFilter) (page []Listing, total int, err error) {
	if f.Limit == 0 {
		f.Limit = 50
	}
	order, ok := orgSorts[f.Sort]
	if !ok {
		return nil, 0, problem.Field("sort", "invalid", "Sort by created_at, updated_at, available or price.")
	}
	if f.Limit < 1 || f.Limit > 1001 || f.Offset < 0 || f.After != 0 && f.Sort != ByNumber && (f.Sort != ByUpdated || f.AfterUpdate.IsZero()) {
		return nil, 0, problem.Field("limit", "out_of_range", "Ask for 1 to 1001 listings, from 0 on; after goes with the order of numbers only.")
	}
	where, args := `WHERE l.org_id = $1`, []any{org}
	and := func(condition string, values ...any) {
		numbers := make([]any, len(values))
		for i, v := range values {
			args = append(args, v)
			numbers[i] = len(args)
		}
		where += ` AND ` + fmt.Sprintf(condition, numbers...)
	}
	if f.EventNo != 0 {
		and(`l.event_no = $%d`, f.EventNo)
	}
	if f.Live {
		where += ` AND l.status NOT IN ('withdrawn', 'expired')`
	}
	if f.Live && !f.Now.IsZero() {
		and(`NOT `+expiredSQL(`$%d`), f.Now.UnixMicro())
	}
	if !f.UpdatedSince.IsZero() {
		since := f.UpdatedSince.UnixMicro()
		and(`l.updated_hour >= $%d AND l.updated_at >= $%d`, since/hour, since)
	}
	if total, err = db.One(q, db.Value[int], `SELECT count(*) FROM listings l `+where, args...); err != nil {
		return nil, 0, fmt.Errorf("count listings: %w", err)
	}
	direction, behind := `ASC`, `>`
	if f.Desc {
		direction, behind = `DESC`, `<`
	}
	switch {
	case f.After != 0 && f.Sort == ByUpdated:
		and(`(l.updated_at, l.listing_no) `+behind+` ($%d, $%d)`, f.AfterUpdate.UnixMicro(), f.After)
	case f.After != 0:
		and(`l.listing_no `+behind+` $%d`, f.After)
	}
	if strings.Contains(order, `:now`) {
		now := int64(0)
		if !f.Now.IsZero() {
			now = f.Now.UnixMicro()
		}
		args = append(args, now)
		order = strings.ReplaceAll(order, `:now`, fmt.Sprintf(`$%d`, len(args)))
	}
	sql := `SELECT ` + columns + ` FROM listings l ` + where + ` ORDER BY ` + strings.ReplaceAll(order, `%s`, direction) + `l.listing_no ` + direction
	args = append(args, f.Limit, f.Offset)
	page, err = db.All(q, scan, sql+fmt.Sprintf(` LIMIT $%d OFFSET $%d`, len(args)-1, len(args)), args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list listings: %w", err)
	}
	for i, l := range page {
		if !f.Now.IsZero() {
			page[i] = l.AsOf(f.Now)
		}
	}
	return page, total, nil
}
