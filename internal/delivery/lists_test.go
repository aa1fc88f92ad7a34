package delivery

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

// fillSkewed makes deliveries of one organisation, four in five to one endpoint, and some of others. Of each thousand, ten failed, two are still tried and one was skipped.
func fillSkewed(t *testing.T, d *db.DB) {
	t.Helper()
	series := "(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 100000) SELECT n FROM s) s"
	if d.Engine() == db.PostgreSQL {
		series = "generate_series(1, 100000) AS s (n)"
	}
	err := d.WriteAlone(t.Context(), func(tx *db.Tx) error {
		for _, sql := range []string{
			`INSERT INTO deliveries (endpoint_id, fact_seq, day, org_id, at, state, due, owner, attempt, series, lane_key)
				SELECT CASE WHEN n % 5 > 0 THEN 1 ELSE n % 97 + 2 END, n, 20000, 7 + (n % 50) / 49, n * 25, CASE WHEN n % 100 = 3 THEN 2 WHEN n % 1000 = 4 THEN 3 WHEN n % 500 = 6 THEN 0 ELSE 1 END,
				n, 0, 1, 0, 0 FROM ` + series,
			`INSERT INTO attempts (endpoint_id, fact_seq, n, day, org_id, at, status, code, dns, connect, tls, first_byte, total)
				SELECT endpoint_id, fact_seq, 1, day, org_id, at, 200, '', 1, 2, 3, 4, 5 FROM deliveries`,
			`INSERT INTO attempt_log (seq, day, org_id, at, entries` + map[db.Engine]string{db.PostgreSQL: ", epoch"}[d.Engine()] + `)
				SELECT n, 20000, 7 + (n % 50) / 49, n, '' ` + map[db.Engine]string{db.PostgreSQL: ", 1"}[d.Engine()] + ` FROM ` + series,
		} {
			if _, err := tx.Exec(sql); err != nil {
				return err
			}
		}
		if d.Engine() == db.PostgreSQL {
			_, err := tx.Exec("ANALYZE")
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatalf("fill: %v", err)
	}
}

// Lists read an index from where they begin, and sort nothing.
func TestListsReadWhatTheyShow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		fillSkewed(t, d)
		const most = int64(math.MaxInt64)
		one, all := []any{1, 7, most, 51}, []any{7, most, most, 51}
		page := []any{1, 7, 0, most, 0, most, 51}
		for _, c := range []struct {
			name, sql        string
			args             []any
			sqlite, postgres string // the index
		}{
			{"of one", ofEndpoint + stateIs[""] + newestOnly, one, "d USING PRIMARY KEY (endpoint_id=? AND fact_seq<?)", "deliveries_pkey on deliveries"},
			{"delivered of one", ofEndpoint + stateIs["delivered"] + newestOnly, one, "d USING PRIMARY KEY (endpoint_id=? AND fact_seq<?)", "deliveries_pkey on deliveries"},
			{"failed of one", by(d.Engine(), "failed", ofEndpoint+stateIs["failed"]+newestOnly), one, "d USING INDEX deliveries_ended_of (endpoint_id=? AND state=? AND fact_seq<?)", "deliveries_ended"},
			{"skipped of one", by(d.Engine(), "skipped", ofEndpoint+stateIs["skipped"]+newestOnly), one, "d USING INDEX deliveries_ended_of (endpoint_id=? AND state=? AND fact_seq<?)", "deliveries_ended"},
			{"failed of all", ofOrg + stateIs["failed"] + newestOf, all, "d USING INDEX deliveries_ended (org_id=? AND state=? AND (fact_seq,endpoint_id)<(?,?))", "deliveries_ended "},
			{"skipped of all", ofOrg + stateIs["skipped"] + newestOf, all, "d USING INDEX deliveries_ended (org_id=? AND state=? AND (fact_seq,endpoint_id)<(?,?))", "deliveries_ended "},
			{"retrying of all", ofOrg + stateIs["retrying"] + newestOf, all, "d USING INDEX deliveries_retrying (org_id=? AND (fact_seq,endpoint_id)<(?,?))", "deliveries_retrying"},
			{"pending of one", by(d.Engine(), "pending", pendingText), []any{1, fewPending + 1}, "d USING INDEX deliveries_due (endpoint_id=?)", "deliveries_due"},
			{"many pending of one", ofEndpoint + stateIs["pending"] + newestOnly, one, "d USING PRIMARY KEY (endpoint_id=? AND fact_seq<?)", ""},
			{"the API's, failed", listed(d.Engine(), "failed"), page, "d USING INDEX deliveries_ended_of (endpoint_id=? AND state=? AND fact_seq>? AND fact_seq<?)", "deliveries_ended"},
			{"the API's, many pending", listed(d.Engine(), "pending"), page, "d USING PRIMARY KEY (endpoint_id=? AND fact_seq>? AND fact_seq<?)", ""},
			{"the API's", listed(d.Engine(), ""), page, "d USING PRIMARY KEY (endpoint_id=? AND fact_seq>? AND fact_seq<?)", "deliveries_pkey on deliveries"},
			{"a number", numberText, []any{50_000, 1}, "d USING PRIMARY KEY (endpoint_id=? AND fact_seq>?)", "deliveries_pkey on deliveries"},
			{"activity", activityText, []any{7, most, 64}, "l USING INDEX attempt_log_of_org (org_id=? AND seq<?)", "attempt_log_of_org"},
			{"the newest of some", latestText, []any{"[1,2,3]", 7}, "d USING PRIMARY KEY (endpoint_id=? AND fact_seq=?)", "deliveries_pkey on deliveries d"},
		} {
			plan := explained(t, d, c.sql, c.args...)
			if d.Engine() == db.PostgreSQL && c.postgres == "" {
				continue // it knows whether they are many
			}
			want := map[db.Engine]string{db.SQLite: c.sqlite, db.PostgreSQL: c.postgres}[d.Engine()]
			if !strings.Contains(plan, want) {
				t.Errorf("%s does not go by %q:\n%s", c.name, want, plan)
			}
			for _, bad := range []string{"TEMP B-TREE", "Sort", "Seq Scan", "SCAN"} {
				if c.sql == latestText && bad == "SCAN" {
					bad = "SCAN m" // and not SCAN n, which is the list
				}
				if strings.Contains(plan, bad) {
					t.Errorf("%s goes by %q:\n%s", c.name, bad, plan)
				}
			}
		}
	})
}

func TestNumbersAreFoundByTheirInstants(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		fillSkewed(t, d)
		q := d.Read(t.Context())
		for _, n := range []int64{-5, 0, 1, 1000, 55_555, 100_000, 100_001, 1 << 40} {
			low, high, err := numbersAt(q, 1, time.UnixMicro(n*25))
			if err != nil {
				t.Fatal(err)
			}
			// All that stands before low is older, and all from high on is not.
			for _, c := range []struct{ where, is string }{{"fact_seq < $1 AND at >= $2", "newer before"}, {"fact_seq >= $3 AND at < $2", "older after"}} {
				count, err := db.One(q, db.Value[int64], "SELECT count(*) FROM deliveries WHERE endpoint_id = 1 AND "+c.where+" AND $1 >= 0 AND $3 >= 0", low, n*25, high)
				if err != nil || count != 0 {
					t.Errorf("numbersAt %d: %d, %d: %d are %s, %v", n*25, low, high, count, c.is, err)
				}
			}
			if high-low > 257 {
				t.Errorf("numbersAt %d leaves %d between %d and %d", n*25, high-low, low, high)
			}
		}
		if low, high, err := numbersAt(q, 12345, time.Now()); low != 0 || high != math.MaxInt64 || err != nil {
			t.Errorf("numbersAt of an endpoint without deliveries = %d, %d, %v", low, high, err)
		}
	})
}
