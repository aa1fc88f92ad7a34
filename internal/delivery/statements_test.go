package delivery

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

// These statements run for every delivery, or beside a table of millions: each must find its rows by an index, on both engines, and for one that
// waits with a thousand others as for one that is alone. What they do is tested from outside, through the engine.

// fill makes deliveries of 20 endpoints, most of them delivered long ago.
func fill(t *testing.T, d *db.DB, now int64) {
	t.Helper()
	series := "(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 100000) SELECT n FROM s) s"
	if d.Engine() == db.PostgreSQL {
		series = "generate_series(1, 100000) AS s (n)"
	}
	err := d.WriteAlone(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO deliveries (endpoint_id, fact_seq, day, org_id, at, state, due, owner, attempt, series, lane_key)
			SELECT n % 20 + 1, n, 20000, 7, n, CASE WHEN n > 95000 THEN 0 ELSE 1 END, CAST($1 AS BIGINT) - 1000 + n / 10, CASE WHEN n % 3 = 0 THEN 5 ELSE 0 END, 0, 0,
				CASE WHEN n % 2 = 0 THEN n % 50 + 1 ELSE 0 END FROM `+series, now)
		if err == nil && d.Engine() == db.PostgreSQL {
			_, err = tx.Exec("ANALYZE deliveries")
		}
		return err
	})
	if err != nil {
		t.Fatalf("fill: %v", err)
	}
}

// explained is how the engine would go about a statement.
func explained(t *testing.T, d *db.DB, sql string, args ...any) string {
	t.Helper()
	undo := errors.New("undo")
	var b strings.Builder
	err := d.WriteAlone(context.Background(), func(tx *db.Tx) error {
		how := "EXPLAIN QUERY PLAN "
		if d.Engine() == db.PostgreSQL {
			how = "EXPLAIN (COSTS OFF) "
		}
		rows, err := tx.Query(how+sql, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var line string
			var a, c, e int64
			if d.Engine() == db.PostgreSQL {
				err = rows.Scan(&line)
			} else {
				err = rows.Scan(&a, &c, &e, &line)
			}
			if err != nil {
				return err
			}
			b.WriteString(line + "\n")
		}
		return undo
	})
	if !errors.Is(err, undo) {
		t.Fatalf("EXPLAIN %s: %v", sql, err)
	}
	return b.String()
}

func TestStatementsFindTheirRowsByIndex(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		now := time.Now().UnixMicro()
		fill(t, d, now)
		settle := []any{1, now, 1, 3, 95002, 20000, 7, 5, 0, now}
		settleText := updateOne
		if d.Engine() == db.PostgreSQL {
			settleText = updateMany
			for i, v := range settle {
				column := make([]int64, settleAt)
				for k := range column {
					switch v := v.(type) {
					case int:
						column[k] = int64(v)
					case int64:
						column[k] = v
					}
					if i == 4 {
						column[k] += int64(k)
					}
				}
				settle[i] = column
			}
		}
		for _, c := range []struct {
			name, sql string
			args      []any
		}{
			{"settle", settleText, settle},
			{"claimDue", claimDue, []any{3, now, 9, now + 1, 64, strayed.Microseconds(), 0, now}},
			{"claimNext", claimNext, []any{3, now, 9, now + 1, 1, strayed.Microseconds(), 3}},
			{"busyQueues", busyQueues, []any{"[3,4]", "[3,5]", "[7]"}},
			{"dueEndpoints", dueText, nil},
		} {
			plan := explained(t, d, c.sql, c.args...)
			for _, bad := range []string{
				"SCAN deliveries\n", "SCAN d\n", "SCAN p\n", "PRIMARY KEY (endpoint_id=?)\n", "Seq Scan on deliveries", "Hash Join", "Hash Semi Join", "Merge Join",
			} {
				if c.name == "busyQueues" && bad == "Hash Semi Join" {
					continue // with the few facts that wait to be planned
				}
				if strings.Contains(plan, bad) {
					t.Errorf("%s goes by %q:\n%s", c.name, strings.TrimSpace(bad), plan)
				}
			}
			want := map[db.Engine]string{db.SQLite: "PRIMARY KEY (endpoint_id=? AND fact_seq=?)", db.PostgreSQL: "deliveries_pkey"}[d.Engine()]
			if c.name == "settle" && !strings.Contains(plan, want) {
				t.Errorf("settle does not go by the primary key:\n%s", plan)
			}
		}
	})
}
