package gate

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Audit counts anew what came through the door with each ticket, and returns a sentence for each thing that differs.
func Audit(q db.Querier) ([]string, error) {
	policies := map[int64]Policy{0: Single}
	_, err := db.All(q, func(r db.Rows) (struct{}, error) {
		var no int64
		var p Policy
		err := r.Scan(&no, &p)
		policies[no] = p
		return struct{}{}, err
	}, `SELECT list_no, policy FROM checkin_lists`)
	if err != nil {
		return nil, fmt.Errorf("audit check-ins: %w", err)
	}
	rows, err := q.Query(selectCheckin + `WHERE ` + counting + ` ORDER BY ticket_no, list_no`)
	if err != nil {
		return nil, fmt.Errorf("audit check-ins: %w", err)
	}
	defer rows.Close()
	var found []string
	var all []*Checkin
	check := func() {
		was := make(map[*Checkin]Checkin, len(all))
		for _, c := range all {
			was[c] = *c
		}
		if len(all) > 0 {
			count(policies[all[0].ListNo], all)
		}
		told := 0
		for _, c := range all {
			if w := was[c]; w.result != c.result || w.Entry != c.Entry || w.Open != c.Open || w.Against != c.Against {
				found = append(found, fmt.Sprintf("Check-in %s counts for %s, entry %d, and should for %s, entry %d.", c.ID, w.result, w.Entry, c.result, c.Entry))
			}
			if c.told {
				told++
			}
		}
		if len(all) > 0 && all[0].result == admitted && told != 1 {
			found = append(found, fmt.Sprintf("That ticket %s was admitted was told %d times.", all[0].TicketID, told))
		}
		all = all[:0]
	}
	for rows.Next() {
		c, err := scan(rows)
		if err != nil {
			return nil, err
		}
		if len(all) > 0 && (all[0].TicketNo != c.TicketNo || all[0].ListNo != c.ListNo) {
			check()
		}
		all = append(all, c)
	}
	check()
	return found, rows.Err()
}
