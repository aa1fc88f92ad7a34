package app

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// factsOfPasses holds passes against their facts: a pass has as many as its version says.
func factsOfPasses(q db.Querier) ([]string, error) {
	n, err := db.One(q, db.Value[int64], `SELECT count(*) FROM (
			SELECT x.id FROM (
				SELECT id, version AS n FROM passes
				UNION ALL SELECT subject AS id, -count(*) AS n FROM facts
					WHERE kind IN ('pass.created', 'pass.updated', 'pass.scanned', 'pass.expired', 'registration.added', 'registration.removed') GROUP BY subject
			) x GROUP BY x.id HAVING SUM(x.n) <> 0
		) y`)
	if err != nil || n == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("%d passes have more or fewer facts than their versions say", n)}, nil
}
