package delivery

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Audit looks over the deliveries and returns a sentence for each thing that does not agree: attempts without a delivery, counts of attempts that
// differ, deliveries that ended without an attempt.
func Audit(q db.Querier) ([]string, error) {
	checks := []struct{ what, sql string }{
		{"attempts belong to no delivery", `SELECT count(*) FROM attempts a WHERE NOT EXISTS (
			SELECT 1 FROM deliveries d WHERE d.endpoint_id = a.endpoint_id AND d.fact_seq = a.fact_seq)`},
		{"deliveries count another number of attempts than were written down", `SELECT count(*) FROM deliveries d WHERE d.attempt <> (
			SELECT count(*) FROM attempts a WHERE a.endpoint_id = d.endpoint_id AND a.fact_seq = d.fact_seq)`},
		{"deliveries are said to have arrived without an attempt", `SELECT count(*) FROM deliveries d WHERE d.state = 1 AND d.attempt = 0`},
	}
	var bad []string
	for _, c := range checks {
		n, err := db.One(q, db.Value[int64], c.sql)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			bad = append(bad, fmt.Sprintf("%d %s", n, c.what))
		}
	}
	return bad, nil
}

// Count returns how many deliveries there are in each state.
func Count(q db.Querier) (map[string]int64, error) {
	rows, err := q.Query("SELECT state, count(*) FROM deliveries GROUP BY state")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := map[string]int64{}
	for rows.Next() {
		var state int
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			return nil, err
		}
		counts[stateName(state)] = n
	}
	return counts, rows.Err()
}
