package gate

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Of returns the check-ins of tickets, the newest first, up to a limit.
func Of(q db.Querier, org int64, tickets []id.Ticket, limit int) ([]*Checkin, error) {
	all, err := db.All(q, scan, selectCheckin+`WHERE ticket_no IN ints($1) AND org_id = $2 ORDER BY id DESC LIMIT $3`, numbers(tickets), org, limit)
	if err != nil {
		return nil, fmt.Errorf("check-ins of a person: %w", err)
	}
	return all, nil
}

// numbers are the numbers in tickets' ids, as a JSON list.
func numbers(tickets []id.Ticket) string {
	var all []int64
	for _, t := range tickets {
		if no, ok := ticket.NoOf(t); ok {
			all = append(all, no)
		}
	}
	return jsonList(all)
}

// mentionsPage is how many notes one look takes.
const mentionsPage = 1000

// Mentions looks through the next of an organisation's notes for a person's address. after is "" at first, then the next that was returned before; next is "" when there
// are no more.
func Mentions(q db.Querier, org int64, after id.Checkin, a person.Address) (found []id.Checkin, next id.Checkin, err error) {
	n := 0
	_, err = db.All(q, func(r db.Rows) (struct{}, error) {
		var note string
		err := r.Scan(&next, &note)
		if n++; err == nil && a.In([]byte(note)) {
			found = append(found, next)
		}
		return struct{}{}, err
	}, `SELECT id, note FROM checkins WHERE org_id = $1 AND id > $2 AND note <> '' ORDER BY id LIMIT $3`, org, after, mentionsPage)
	if err != nil {
		return nil, "", fmt.Errorf("look for a person in check-ins: %w", err)
	}
	if n < mentionsPage {
		next = ""
	}
	return found, next, nil
}

// EraseNotes blanks notes.
func EraseNotes(tx *db.Tx, org int64, checkins []id.Checkin) error {
	if _, err := tx.Exec(`UPDATE checkins SET note = '' WHERE org_id = $1 AND id IN texts($2)`, org, jsonList(checkins)); err != nil {
		return fmt.Errorf("erase notes of check-ins: %w", err)
	}
	return nil
}

// EraseNotesOf blanks the notes on tickets, whoever is named in them.
func EraseNotesOf(tx *db.Tx, org int64, tickets []id.Ticket) (int, error) {
	n, err := tx.Exec(`UPDATE checkins SET note = '' WHERE ticket_no IN ints($1) AND org_id = $2 AND note <> ''`, numbers(tickets), org)
	if err != nil {
		return 0, fmt.Errorf("erase notes of check-ins: %w", err)
	}
	return int(n), nil
}
