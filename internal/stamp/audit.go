package stamp

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Audit looks for what no constraint forbids, and returns a sentence for each thing that is wrong.
func Audit(q db.Querier) ([]string, error) {
	var found []string
	for _, check := range []struct{ what, sql string }{
		{"stamps are of no type of their organisation", `SELECT count(*) FROM stamps s WHERE NOT EXISTS (
			SELECT 1 FROM stamp_types t WHERE t.type_no = s.type_no AND t.org_id = s.org_id)`},
		{"stamps are unique in something else than their type says", `SELECT count(*) FROM stamps s JOIN stamp_types t ON t.type_no = s.type_no
			WHERE (s.once_in <> '') <> t.per_event`},
	} {
		n, err := db.One(q, db.Value[int64], check.sql)
		if err != nil {
			return nil, fmt.Errorf("audit stamps: %w", err)
		}
		if n > 0 {
			found = append(found, fmt.Sprintf("%d %s", n, check.what))
		}
	}
	return found, nil
}
