package ticket

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Filter says which tickets a list shows.
type Filter struct {
	Event  id.Event  // empty for all
	Order  id.Order  // empty for all
	Email  string    // the holder's, upper and lower case alike; empty for all
	Status Status    // empty for all
	Seat   string    // with Event: a seat, also with its row, or its section and row, before it, upper and lower case alike; empty for all
	Before id.Ticket // only tickets older than this one; empty for all
	Limit  int       // 1 to 100; 50 when 0
	Offset int

	Uncounted bool // how many there are in all is not asked for, and 0: of many, counting takes longer than the page
}

func (f *Filter) check() error {
	var bad problem.Fields
	query := func(name, detail string) {
		bad = append(bad, problem.FieldError{Pointer: name, In: "query", Code: "invalid", Detail: detail})
	}
	if _, ok := conditions[f.Status]; f.Status != "" && !ok {
		query("status", "Use reserved, valid, checked_in, blocked or void.")
	}
	for name, s := range map[string]string{"eventId": string(f.Event), "email": f.Email, "seat": f.Seat} {
		if !utf8.ValidString(s) || strings.Contains(s, "\x00") {
			query(name, "This is not text in UTF-8.")
		}
	}
	if f.Seat != "" && f.Event == "" {
		query("seat", "A seat is looked for at one event: say which.")
	}
	if _, _, ok := number(f.Before); f.Before != "" && !ok {
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

// List returns a page of tickets, those of the newest order first and of each order the last first, and how many there are in all (whatever
// Before says; not with Uncounted). It fails with field errors, whose pointers name the query parameters.
func List(q db.Querier, org int64, f Filter) (page []Ticket, total int, err error) {
	if err := f.check(); err != nil {
		return nil, 0, err
	}
	var where []string
	var args []any
	and := func(condition string, v any) {
		args = append(args, v)
		where = append(where, condition+fmt.Sprintf(` $%d`, len(args)))
	}
	if f.Event != "" {
		ev, err := event.ByID(q, org, f.Event)
		if problem.Is(err, "event_not_found") {
			return nil, 0, nil
		}
		if err != nil {
			return nil, 0, err
		}
		and(`t.event_no =`, ev.No) // whose organisation it is is known
	}
	if f.Event == "" || f.Status == StatusBlocked || f.Status == StatusVoid { // of which there are few, and an index by organisation
		and(`t.org_id =`, org)
	}
	if f.Order != "" {
		no, ok := order.NoOf(f.Order)
		if !ok || no >= math.MaxInt64/perOrder {
			return nil, 0, nil
		}
		and(`t.ticket_no >`, no*perOrder)
		and(`t.ticket_no <`, (no+1)*perOrder)
	}
	if f.Email != "" {
		and(`t.email_lower =`, strings.ToLower(strings.TrimSpace(f.Email)))
	}
	if f.Status != "" {
		where = append(where, conditions[f.Status])
	}
	if f.Seat != "" {
		args = append(args, strings.ToLower(strings.Join(strings.Fields(f.Seat), " ")))
		where = append(where, fmt.Sprintf(`$%d IN (lower(t.seat), lower(t.row_name || ' ' || t.seat), lower(t.section || ' ' || t.row_name || ' ' || t.seat))`, len(args)))
	}
	if !f.Uncounted {
		total, err = db.One(q, db.Value[int], `SELECT count(*) FROM tickets t WHERE `+strings.Join(where, ` AND `), args...)
		if err != nil {
			return nil, 0, fmt.Errorf("count tickets: %w", err)
		}
	}
	if f.Before != "" {
		no, _, _ := number(f.Before)
		and(`t.ticket_no <`, no)
	}
	page, err = db.All(q, scan, fmt.Sprintf(selectTicket+`WHERE %s ORDER BY t.ticket_no DESC LIMIT $%d OFFSET $%d`,
		strings.Join(where, ` AND `), len(args)+1, len(args)+2), append(args, f.Limit, f.Offset)...)
	if err != nil {
		return nil, 0, fmt.Errorf("list tickets: %w", err)
	}
	return page, total, nil
}
