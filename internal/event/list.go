package event

import (
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Filter says which events a list shows.
type Filter struct {
	Public    bool      // without drafts, which are nobody else's business yet
	Venue     string    // the venue's name, upper and lower case of A-Z alike; empty for all
	Status    string    // "active" (or empty): published and not ended; "past", "postponed", "cancelled", "draft", "all"
	Now       time.Time // what "ended" is measured at
	SortBy    string    // "date" (or empty), "name", "venue", "lastUpdated"
	SortOrder string    // "asc" (or empty), "desc"
	Limit     int       // 1 to 100; 50 when 0
	Offset    int

	Uncounted bool // how many there are in all is not asked for, and 0
}

// which are the conditions of the statuses; $2 is now.
var which = map[string]string{
	"":          `e.status = 'published' AND e.ends_at > $2`,
	"active":    `e.status = 'published' AND e.ends_at > $2`,
	"past":      `(e.status = 'completed' OR e.status IN ('published', 'postponed') AND e.ends_at <= $2)`,
	"postponed": `e.status = 'postponed' AND e.ends_at > $2`,
	"cancelled": `e.status = 'cancelled' AND CAST($2 AS BIGINT) IS NOT NULL`,
	"draft":     `e.status = 'draft' AND CAST($2 AS BIGINT) IS NOT NULL`,
	"all":       `e.status <> 'deleted' AND CAST($2 AS BIGINT) IS NOT NULL`,
}

var sorts = map[string]string{
	"":            `e.starts_at`,
	"date":        `e.starts_at`,
	"name":        `lower(e.name)`,
	"venue":       `lower(COALESCE(v.name, ''))`,
	"lastUpdated": `e.updated_at`,
}

func (f *Filter) check() error {
	var bad problem.Fields
	query := func(name, detail string) {
		bad = append(bad, problem.FieldError{Pointer: name, In: "query", Code: "invalid", Detail: detail})
	}
	if _, ok := which[f.Status]; !ok {
		query("status", "Use active, past, postponed, cancelled, draft or all.")
	}
	if _, ok := sorts[f.SortBy]; !ok {
		query("sortBy", "Use date, name, venue or lastUpdated.")
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
	if strings.ToValidUTF8(f.Venue, "") != f.Venue || strings.Contains(f.Venue, "\x00") {
		query("venue", "This is not text in UTF-8.")
	}
	return bad.Err()
}

// List returns a page of an organisation's events and how many there are in all. It fails with field errors, whose pointers name the
// query parameters.
func List(q db.Querier, org int64, f Filter) (page []Event, total int, err error) {
	if err := f.check(); err != nil {
		return nil, 0, err
	}
	from := ` FROM events e LEFT JOIN venues v ON v.venue_id = e.venue_id WHERE e.org_id = $1 AND ` + which[f.Status]
	args := []any{org, f.Now.UnixMicro()}
	if f.Public {
		from += ` AND e.status <> 'draft'`
	}
	if f.Venue != "" {
		from += ` AND lower(v.name) = lower($3)`
		args = append(args, f.Venue)
	}
	if !f.Uncounted {
		total, err = db.One(q, db.Value[int], `SELECT count(*)`+from, args...)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("count events: %w", err)
	}
	order := ` ASC`
	if f.SortOrder == "desc" {
		order = ` DESC`
	}
	page, err = db.All(q, scan, fmt.Sprintf(`SELECT %s%s ORDER BY %s%s, e.event_no%s LIMIT $%d OFFSET $%d`,
		columns, from, sorts[f.SortBy], order, order, len(args)+1, len(args)+2), append(args, f.Limit, f.Offset)...)
	if err != nil {
		return nil, 0, fmt.Errorf("list events: %w", err)
	}
	return page, total, nil
}
