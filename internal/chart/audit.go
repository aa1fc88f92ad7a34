package chart

import (
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

// Audit looks over the counts and returns a sentence for each thing that does not agree: sums with their parts, minutes with their hours, and the last hour's
// minutes with the log of attempts as far as it is counted.
func (b *Book) Audit(q db.Querier) ([]string, error) {
	now := time.Now()
	// Minutes of these hours are all kept.
	since := hours.bucket(now.Add(-24*time.Hour)) + 1
	const odd = `attempts <> delivered + failed + retried OR l0 + l1 + l2 + l3 + l4 + l5 + l6 + l7 + l8 + l9 + l10 + l11 + l12 + l13 + l14 + l15 > attempts`
	const apart = `SELECT count(*) FROM (SELECT 1 AS one FROM (SELECT org_id, bucket, attempts, delivered, failed FROM chart_hours WHERE endpoint_id = 0
			UNION ALL SELECT org_id, bucket, -attempts, -delivered, -failed FROM chart_hours WHERE endpoint_id <> 0) x
		GROUP BY org_id, bucket HAVING sum(attempts) <> 0 OR sum(delivered) <> 0 OR sum(failed) <> 0) y`
	const unlike = `SELECT count(*) FROM (SELECT 1 AS one FROM (SELECT org_id, endpoint_id, bucket, attempts, delivered, failed FROM chart_hours WHERE bucket >= $1
			UNION ALL SELECT org_id, endpoint_id, bucket / 60, -attempts, -delivered, -failed FROM chart_minutes WHERE bucket >= $1 * 60) x
		GROUP BY org_id, endpoint_id, bucket HAVING sum(attempts) <> 0 OR sum(delivered) <> 0 OR sum(failed) <> 0) y`
	var found []string
	for _, c := range []struct {
		what, sql string
		args      []any
	}{
		{"counts of minutes are not the sums of their parts", `SELECT count(*) FROM chart_minutes WHERE ` + odd, nil},
		{"counts of hours are not the sums of their parts", `SELECT count(*) FROM chart_hours WHERE ` + odd, nil},
		{"hours of an organisation are not the sums of its endpoints' hours", apart, nil},
		{"hours are not the sums of their minutes", unlike, []any{since}},
	} {
		n, err := db.One(q, db.Value[int64], c.sql, c.args...)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			found = append(found, fmt.Sprintf("%d %s", n, c.what))
		}
	}
	n, err := b.uncounted(q, now)
	if err == nil && n > 0 {
		found = append(found, fmt.Sprintf("%d minutes have another number of attempts than the log of attempts", n))
	}
	return found, err
}

// uncounted is how many of the last hour's minutes, each of an organisation, differ from what the log has of them up to the cursor.
func (b *Book) uncounted(q db.Querier, now time.Time) (n int, err error) {
	cut := now.Add(-time.Hour)
	first := minutes.bucket(cut) + 1
	upTo, err := cursor(q)
	if err != nil {
		return 0, err
	}
	// What is in these minutes was written down after they began, if the clocks agree so far.
	from, _, _, err := b.engine.AttemptLog().Newest(q, "at < $1", cut.Add(-10*time.Minute).UnixMicro())
	if err != nil {
		return 0, err
	}
	type minute struct{ org, bucket int64 }
	differ := map[minute]int64{}
	for more := true; more; {
		var rows []ledger.Placed[delivery.Batch]
		if rows, err = b.engine.AttemptsAfter(q, 0, from, someRows); err != nil {
			return 0, err
		}
		more = len(rows) == someRows
		for _, r := range rows {
			if from = r.Place; from.Compare(upTo.place) > 0 {
				more = false
				break
			}
			made, err := r.Row.Made()
			if err != nil {
				continue // nobody can count it
			}
			for _, m := range made {
				if bucket := minutes.bucket(m.At); bucket >= first {
					differ[minute{r.Row.Org, bucket}]++
				}
			}
		}
	}
	rows, err := q.Query("SELECT org_id, bucket, attempts FROM chart_minutes WHERE bucket >= $1 AND endpoint_id = 0", first)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var m minute
		var attempts int64
		if err := rows.Scan(&m.org, &m.bucket, &attempts); err != nil {
			return 0, err
		}
		differ[m] -= attempts
	}
	for _, d := range differ {
		if d != 0 {
			n++
		}
	}
	return n, rows.Err()
}
