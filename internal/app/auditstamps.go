package app

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// factsOfStamps holds stamps against their facts: a stamp has as many as its version says.
func factsOfStamps(q db.Querier) ([]string, error) {
	n, err := db.One(q, db.Value[int64], `SELECT count(*) FROM (
			SELECT x.id FROM (
				SELECT id, version AS n FROM stamps
				UNION ALL SELECT subject AS id, -count(*) AS n FROM facts WHERE kind IN ('stamp.awarded', 'stamp.revoked') GROUP BY subject
			) x GROUP BY x.id HAVING SUM(x.n) <> 0
		) y`)
	if err != nil || n == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("%d stamps have more or fewer facts than their versions say", n)}, nil
}
