package ticket

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

// Of lists the tickets that a person holds in an organisation, the oldest first.
func Of(q db.Querier, org int64, who person.Address) ([]id.Ticket, error) {
	if who == "" {
		return nil, nil
	}
	all, err := db.All(q, func(r db.Rows) (id.Ticket, error) {
		var no, mark int64
		err := r.Scan(&no, &mark)
		return numbered(no, mark), err
	}, `SELECT ticket_no, mark FROM tickets WHERE org_id = $1 AND email_lower = $2 ORDER BY ticket_no`, org, string(who))
	if err != nil {
		return nil, fmt.Errorf("tickets of a person: %w", err)
	}
	return all, nil
}

// Known counts the tickets that a person holds, and the transfers that they made or were offered.
func Known(q db.Querier, org int64, who person.Address) (int, error) {
	if who == "" {
		return 0, nil
	}
	n, err := db.One(q, db.Value[int], `SELECT (SELECT count(*) FROM tickets WHERE org_id = $1 AND email_lower = $2)
		+ (SELECT count(*) FROM transfers WHERE org_id = $1 AND (recipient_lower = $2 OR sender = $2))`, org, string(who))
	if err != nil {
		return 0, fmt.Errorf("tickets of a person: %w", err)
	}
	return n, nil
}

// Erase blanks a person as the holder of up to limit tickets, the oldest first, and of as many transfers each as who made them and as whom they were
// offered to. It returns how many rows were blanked; there is nothing left when that is 0. Tickets stay as valid as they were, and so do their versions. An offer
// to somebody who was erased can be accepted by nobody.
func Erase(tx *db.Tx, org int64, who person.Address, limit int) (int, error) {
	if who == "" {
		return 0, nil
	}
	total := 0
	for _, statement := range []string{
		`UPDATE tickets SET holder = '', email = '', email_lower = ''
			WHERE ticket_no IN (SELECT ticket_no FROM tickets WHERE org_id = $1 AND email_lower = $2 ORDER BY ticket_no LIMIT $3)`,
		`UPDATE transfers SET recipient = '', recipient_lower = ''
			WHERE (ticket_no, n) IN (SELECT ticket_no, n FROM transfers WHERE org_id = $1 AND recipient_lower = $2 ORDER BY ticket_no, n LIMIT $3)`,
		`UPDATE transfers SET sender = ''
			WHERE (ticket_no, n) IN (SELECT ticket_no, n FROM transfers WHERE org_id = $1 AND sender = $2 ORDER BY ticket_no, n LIMIT $3)`,
	} {
		n, err := tx.Exec(statement, org, string(who), limit)
		if err != nil {
			return 0, fmt.Errorf("erase a person from tickets: %w", err)
		}
		total += int(n)
	}
	return total, nil
}
