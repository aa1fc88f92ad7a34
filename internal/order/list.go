package order

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Filter says which orders a list shows.
type Filter struct {
	Event  id.Event // empty for all
	Status Status   // empty for all
	Email  string   // the customer's, upper and lower case alike; empty for all
	Before id.Order // only orders older than this one; empty for all
	Limit  int      // 1 to 100; 50 when 0
	Offset int

	Uncounted bool // how many there are in all is not asked for, and 0: of many, counting takes longer than the page
}

func (f *Filter) check() error {
	var bad problem.Fields
	query := func(name, detail string) {
		bad = append(bad, problem.FieldError{Pointer: name, In: "query", Code: "invalid", Detail: detail})
	}
	if _, ok := allowed[f.Status]; f.Status != "" && !ok {
		query("status", "Use provisional, confirmed, accepted, issue, fulfilled, cancelled or refunded.")
	}
	for name, s := range map[string]string{"eventId": string(f.Event), "email": f.Email} {
		if !utf8.ValidString(s) || strings.Contains(s, "\x00") {
			query(name, "This is not text in UTF-8.")
		}
	}
	if _, ok := NoOf(f.Before); f.Before != "" && !ok {
		query("cursor", "This cursor did not come from here.")
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

// List returns a page of orders, newest first, and how many there are in all (whatever Before says). It fails with field errors, whose
// pointers name the query parameters.
func List(q db.Querier, org int64, f Filter) (page []Order, total int, err error) {
	if err := f.check(); err != nil {
		return nil, 0, err
	}
	var conditions []string
	var args []any
	where := func(condition string, v any) {
		args = append(args, v)
		conditions = append(conditions, condition+fmt.Sprintf(` $%d`, len(args)))
	}
	if f.Event != "" {
		ev, err := event.ByID(q, org, f.Event)
		if problem.Is(err, "event_not_found") {
			return nil, 0, nil
		}
		if err != nil {
			return nil, 0, err
		}
		where(`o.event_no =`, ev.No) // whose organisation it is is known
	} else {
		where(`o.org_id =`, org)
	}
	if f.Status != "" {
		where(`o.status =`, f.Status)
	}
	from := `FROM orders o `
	if f.Email != "" {
		where(`o.order_no IN (SELECT p.order_no FROM order_people p WHERE p.org_id =`, org)
		where(`p.email_lower =`, strings.ToLower(strings.TrimSpace(f.Email)))
		conditions[len(conditions)-1] += `)`
	}
	if !f.Uncounted {
		total, err = db.One(q, db.Value[int], `SELECT count(*) `+from+`WHERE `+strings.Join(conditions, ` AND `), args...)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("count orders: %w", err)
	}
	if f.Before != "" {
		no, _ := NoOf(f.Before)
		where(`o.order_no <`, no)
	}
	page, err = db.All(q, scan, fmt.Sprintf(`%sWHERE %s ORDER BY o.order_no DESC LIMIT $%d OFFSET $%d`,
		selectOrder, strings.Join(conditions, ` AND `), len(args)+1, len(args)+2), append(args, f.Limit, f.Offset)...)
	if err != nil {
		return nil, 0, fmt.Errorf("list orders: %w", err)
	}
	return page, total, nil
}
