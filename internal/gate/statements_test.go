package gate

import (
	"context"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

// These statements run for every look at a page that changes by itself, while people come in. SQLite's planner, which asks for no statistics, says how it would go about them.
func TestPagesOfTheDoorGoByIndex(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	for _, c := range []struct {
		sql, by string
		args    []any
	}{
		{tally, "COVERING INDEX checkins_of_event", []any{1}},
		{selectCheckin + `WHERE org_id = $1 AND event_no = $2 ORDER BY id DESC LIMIT $3 OFFSET $4`, "checkins_by_event (org_id=? AND event_no=?)", []any{1, 1, 20, 0}},
	} {
		steps, err := db.All(d.Read(context.Background()), func(r db.Rows) (string, error) {
			var a, b, n int
			var step string
			return step, r.Scan(&a, &b, &n, &step)
		}, `EXPLAIN QUERY PLAN `+c.sql, c.args...)
		plan := strings.Join(steps, "\n")
		if err != nil || !strings.Contains(plan, c.by) || strings.Contains(c.sql, "ORDER BY") && strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s: it does not go by %s, but as follows: %v\n%s", c.sql, c.by, err, plan)
		}
	}
}
