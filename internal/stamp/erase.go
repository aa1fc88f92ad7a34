package stamp

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

// Of lists the stamps that a person was ever awarded in an organisation, the oldest first.
func Of(q db.Querier, org int64, who person.Address) ([]id.Stamp, error) {
	if who == "" {
		return nil, nil
	}
	all, err := db.All(q, db.Value[id.Stamp], `SELECT id FROM stamps WHERE org_id = $1 AND person = $2 ORDER BY stamp_no`, org, string(who))
	if err != nil {
		return nil, fmt.Errorf("stamps of a person: %w", err)
	}
	return all, nil
}

// Known counts the stamps of a person, and how often they came in.
func Known(q db.Querier, org int64, who person.Address) (int, error) {
	if who == "" {
		return 0, nil
	}
	n, err := db.One(q, db.Value[int], `SELECT (SELECT count(*) FROM stamps WHERE org_id = $1 AND person = $2)
		+ (SELECT count(*) FROM stamp_visits WHERE org_id = $1 AND person = $2)`, org, string(who))
	if err != nil {
		return 0, fmt.Errorf("stamps of a person: %w", err)
	}
	return n, nil
}

// Erase blanks the person and the notes of up to limit stamps, the oldest first, and forgets as many check-ins of theirs. It returns how many rows that were; there
// is nothing left when that is 0. Stamps stay, of nobody, with their versions.
func Erase(tx *db.Tx, org int64, who person.Address, limit int) (int, error) {
	if who == "" {
		return 0, nil
	}
	total := 0
	for _, statement := range []string{
		`UPDATE stamps SET person = '', note = '' WHERE stamp_no IN (SELECT stamp_no FROM stamps WHERE org_id = $1 AND person = $2 ORDER BY stamp_no LIMIT $3)`,
		`DELETE FROM stamp_visits WHERE org_id = $1
			AND checkin_id IN (SELECT checkin_id FROM stamp_visits WHERE org_id = $1 AND person = $2 ORDER BY checkin_id LIMIT $3)`,
	} {
		n, err := tx.Exec(statement, org, string(who), limit)
		if err != nil {
			return 0, fmt.Errorf("erase a person from stamps: %w", err)
		}
		total += int(n)
	}
	return total, nil
}
