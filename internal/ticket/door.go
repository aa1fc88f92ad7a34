package ticket

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// NoOf is the number in a ticket's id, which other tables carry. It reports false for what is no ticket's id.
func NoOf(t id.Ticket) (int64, bool) {
	no, _, ok := number(t)
	return no, ok
}

// Lock loads tickets for the door, in the order of their numbers, and keeps others from changing them until the transaction ends. Those that
// do not exist are left out.
func Lock(tx *db.Tx, org int64, tickets ...id.Ticket) ([]Ticket, error) {
	if len(tickets) == 1 { // the usual case, without a list to take apart
		t, err := lock(tx, org, tickets[0], 0)
		if problem.Is(err, "ticket_not_found") {
			return nil, nil
		}
		return []Ticket{t}, err
	}
	marks := make(map[int64]int64, len(tickets))
	numbers := make([]int64, 0, len(tickets))
	for _, t := range tickets {
		no, mark, ok := number(t)
		if _, twice := marks[no]; !ok || twice {
			continue
		}
		marks[no] = mark
		numbers = append(numbers, no)
	}
	if len(numbers) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(numbers)
	if err != nil {
		return nil, err
	}
	found, err := db.All(tx, scan, selectTicket+`WHERE t.ticket_no IN ints($1) AND t.org_id = $2 ORDER BY t.ticket_no /*for update*/`, string(list), org)
	if err != nil {
		return nil, fmt.Errorf("lock tickets: %w", err)
	}
	all := found[:0]
	for _, t := range found {
		if t.mark == marks[t.No] {
			all = append(all, t)
		}
	}
	return all, nil
}

var movePresence = db.NewBulk(`UPDATE tickets SET presence = $3, updated_at = $4 WHERE ticket_no = $1 AND org_id = $2`,
	`UPDATE tickets t SET presence = x.presence, updated_at = x.updated_at
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) AS x (ticket_no, org_id, presence, updated_at)
		WHERE t.ticket_no = x.ticket_no AND t.org_id = x.org_id`,
	"bigint", "bigint", "text", "bigint")

// Move notes where the holders of tickets are now, whatever the tickets are worth: it is what has happened, not what is allowed. The transaction
// has locked them. As with [Roll.SetPresence], no fact is appended.
func Move(tx *db.Tx, to Presence, tickets ...Ticket) error {
	rows := make([][]any, len(tickets))
	for i, t := range tickets {
		rows[i] = []any{t.No, t.org, string(to), tx.Micros()}
	}
	if err := tx.Bulk(movePresence, rows); err != nil {
		return fmt.Errorf("move holders of tickets: %w", err)
	}
	return nil
}

// Search finds tickets of an event for staff at the door, up to a limit: by a part of the holder's name or address, or by the order's id or number.
func Search(q db.Querier, org, eventNo int64, text string, limit int) ([]Ticket, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	orders, err := order.Numbered(q, org, eventNo, text)
	if err != nil {
		return nil, err
	}
	list, err := json.Marshal(append([]int64{}, orders...))
	if err != nil {
		return nil, err
	}
	like := `%` + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + `%`
	found, err := db.All(q, scan, selectTicket+`WHERE t.org_id = $1 AND t.event_no = $2
		AND (t.order_no IN ints($3) OR t.email_lower LIKE $4 ESCAPE '\' OR LOWER(t.holder) LIKE $4 ESCAPE '\') ORDER BY t.ticket_no LIMIT $5`,
		org, eventNo, string(list), like, limit)
	if err != nil {
		return nil, fmt.Errorf("search tickets: %w", err)
	}
	return found, nil
}
