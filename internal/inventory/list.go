package inventory

import (
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Filter says which listings of an event a list shows.
type Filter struct {
	Public    bool          // as people outside of the organisation see it: of events that are no drafts, what is for sale or sold out
	Event     id.Event      // required
	Listing   id.Listing    // empty for all
	External  string        // only those with this external id; empty for all
	MinPrice  money.Decimal // empty for none; in each listing's own currency
	MaxPrice  money.Decimal
	Quantity  int       // 1 to 20: only listings that sell that many now; 0 for all
	Now       time.Time // the instant of asking: what dates take off the market by then is off it; zero for what has been written down
	Status    string    // "active" (or empty: what can be bought), "draft", "paused", "sold_out", "withdrawn", "expired", "all"
	SortBy    string    // "price" (or empty), "section", "row"
	SortOrder string    // "asc" (or empty), "desc"
	Limit     int       // 1 to 100; 50 when 0
	Offset    int
}

var sorts = map[string]string{
	"":        `l.price %[1]s`,
	"price":   `l.price %[1]s`,
	"section": `l.section %[1]s, l.row_name %[1]s`,
	"row":     `l.row_name %[1]s, l.section %[1]s`,
}

func (f *Filter) check() error {
	var bad problem.Fields
	query := func(name, detail string) {
		bad = append(bad, problem.FieldError{Pointer: name, In: "query", Code: "invalid", Detail: detail})
	}
	if f.Event == "" {
		query("eventId", "Say which event's inventory you want.")
	}
	for name, d := range map[string]money.Decimal{"minPrice": f.MinPrice, "maxPrice": f.MaxPrice} {
		// Four digits are the most that a currency has.
		if _, err := money.Parse(string(d), "CLF"); d != "" && err != nil {
			query(name, "Use a decimal such as 75.00.")
		}
	}
	if f.Quantity < 0 || f.Quantity > MaxPerOrder {
		query("quantity", "Use 1 to 20.")
	}
	switch Status(f.Status) {
	case "", "all", Draft, Active, Paused, SoldOut, Expired, Withdrawn:
	default:
		query("status", "Use active, draft, paused, sold_out, withdrawn, expired or all.")
	}
	if _, ok := sorts[f.SortBy]; !ok {
		query("sortBy", "Use price, section or row.")
	}
	if f.SortOrder != "" && f.SortOrder != "asc" && f.SortOrder != "desc" {
		query("sortOrder", "Use asc or desc.")
	}
	if f.Limit == 0 {
		f.Limit = 50
	}
	if f.Limit < 1 || f.Limit > 100 {
		query("limit", "Use 1 to 100.")
	}
	if f.Offset < 0 {
		query("offset", "Use 0 or more.")
	}
	return bad.Err()
}

// List returns the event, a page of its listings, and how many there are in all. It fails with event_not_found and with field errors,
// whose pointers name the query parameters.
func List(q db.Querier, org int64, f Filter) (ev event.Event, page []Listing, total int, err error) {
	if err := f.check(); err != nil {
		return event.Event{}, nil, 0, err
	}
	byID := event.ByID
	if f.Public {
		byID = event.PublicByID
	}
	if ev, err = byID(q, org, f.Event); err != nil {
		return event.Event{}, nil, 0, err
	}
	where, args, err := f.where(q, org, ev)
	if err != nil {
		return event.Event{}, nil, 0, err
	}
	total, err = db.One(q, db.Value[int], `SELECT count(*) FROM listings l `+where, args...)
	if err != nil {
		return event.Event{}, nil, 0, fmt.Errorf("count listings: %w", err)
	}
	order := "ASC"
	if f.SortOrder == "desc" {
		order = "DESC"
	}
	page, err = db.All(q, scan, fmt.Sprintf(`SELECT %s FROM listings l %s ORDER BY %s, l.listing_no %s LIMIT $%d OFFSET $%d`,
		columns, where, fmt.Sprintf(sorts[f.SortBy], order), order, len(args)+1, len(args)+2), append(args, f.Limit, f.Offset)...)
	if err != nil {
		return event.Event{}, nil, 0, fmt.Errorf("list listings: %w", err)
	}
	for i, l := range page {
		if !f.Now.IsZero() {
			page[i] = l.AsOf(f.Now)
		}
	}
	return ev, page, total, nil
}

func (f *Filter) where(q db.Querier, org int64, ev event.Event) (string, []any, error) {
	conditions := []string{`l.org_id = $1`, `l.event_no = $2`}
	args := []any{org, ev.No}
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("CAST($%d AS %s)", len(args), map[bool]string{true: "TEXT", false: "BIGINT"}[isText(v)])
	}
	if f.Public {
		conditions = append(conditions, public)
	}
	if status := Status(f.Status); f.Public || f.Quantity > 0 || status == "" || status == Active {
		conditions = append(conditions, `l.deliverability = 'ok'`)
		if !f.Now.IsZero() {
			conditions = append(conditions, `(l.due_at IS NULL OR l.due_at > `+arg(f.Now.UnixMicro())+`)`)
		}
	}
	if f.External != "" {
		conditions = append(conditions, `l.external_id = `+arg(f.External))
	}
	if f.Listing != "" {
		conditions = append(conditions, `l.id = `+arg(string(f.Listing)))
	}
	switch {
	case f.Status == "all":
	case f.Status == "" || f.Status == string(Active):
		conditions = append(conditions, `l.status = 'active'`)
	case f.Now.IsZero():
		conditions = append(conditions, `l.status = `+arg(f.Status))
	default: // what has expired by then is of that status only, whether it is written down or not
		conditions = append(conditions, `CASE WHEN l.status <> 'withdrawn' AND `+expiredSQL(arg(f.Now.UnixMicro()))+` THEN 'expired' ELSE l.status END = `+arg(f.Status))
	}
	if f.Quantity > 0 {
		conditions = append(conditions, `l.status = 'active'`, fmt.Sprintf(allowsSQL, arg(f.Quantity)))
	}
	if f.MinPrice != "" || f.MaxPrice != "" {
		between, err := f.between(q, org, ev, arg)
		if err != nil {
			return "", nil, err
		}
		conditions = append(conditions, between)
	}
	return `WHERE ` + strings.Join(conditions, ` AND `), args, nil
}

// public is the condition of [Filter].Public for listings.
const public = `l.status IN ('active', 'sold_out')`

// expiredSQL tells whether a listing l that is not withdrawn has come to its end by a date, at the instant that is the parameter: see [Listing.AsOf].
func expiredSQL(now string) string {
	return `(l.status = 'expired' OR l.status <> 'draft' AND l.expires_at IS NOT NULL AND l.expires_at <= ` + now + `)`
}

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}

// between compares prices with bounds that each currency of the event's listings reads in its own minor units.
func (f *Filter) between(q db.Querier, org int64, ev event.Event, arg func(any) string) (string, error) {
	currencies, err := db.All(q, db.Value[money.Currency], `SELECT DISTINCT currency FROM listings WHERE org_id = $1 AND event_no = $2`, org, ev.No)
	if err != nil {
		return "", fmt.Errorf("currencies of listings: %w", err)
	}
	either := []string{`1 = 0`}
	for _, c := range currencies {
		one := `l.currency = ` + arg(string(c))
		for _, bound := range []struct {
			name, compare string
			limit         money.Decimal
		}{{"minPrice", ` AND l.price >= `, f.MinPrice}, {"maxPrice", ` AND l.price <= `, f.MaxPrice}} {
			if bound.limit == "" {
				continue
			}
			a, err := money.Parse(string(bound.limit), c)
			if err != nil {
				return "", &problem.Error{
					Kind: problem.Invalid, Code: "validation_failed", Detail: "The request is not valid; see errors.",
					Fields: []problem.FieldError{{Pointer: bound.name, In: "query", Code: "invalid", Detail: fmt.Sprintf("This is no price: %v.", err)}},
				}
			}
			one += bound.compare + arg(a.Minor)
		}
		either = append(either, one)
	}
	return `(` + strings.Join(either, ` OR `) + `)`, nil
}
