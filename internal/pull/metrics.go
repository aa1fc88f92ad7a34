package pull

import (
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Window is a span of time that ends now.
type Window string

// The windows, and in which steps [Depot.Series] shows them. Steps begin at whole multiples of their length, so the last one is not over yet.
const (
	Hour  Window = "1h"  // a minute
	Day   Window = "24h" // 15 minutes
	Week  Window = "7d"  // an hour
	Month Window = "30d" // a day
)

// steps are how many steps a window has, and how long they are.
func (w Window) steps() (n int64, step time.Duration, err error) {
	switch w {
	case Hour:
		return 60, time.Minute, nil
	case Day:
		return 96, 15 * time.Minute, nil
	case Week:
		return 168, time.Hour, nil
	case Month:
		return 30, 24 * time.Hour, nil
	}
	return 0, 0, problem.Field("window", "unknown", "A window is 1h, 24h, 7d or 30d.")
}

// Metrics is what came of the events that were received in a window, deleted ones and those that are over included.
type Metrics struct {
	Counts
	Latency time.Duration // from being received to the acknowledgement, on average; 0 where there is none
	Wait    time.Duration // from being received to being fetched, on average
}

// Bucket is a step of a series.
type Bucket struct {
	Start time.Time
	Counts
}

// counted is the condition for the counts that are meant: $1 the organisation, $2 the grant, $3 an endpoint or 0, $4 since when.
const counted = ` FROM pull_endpoints e JOIN pull_counts c ON c.endpoint_no = e.endpoint_no AND c.bucket >= $4
	WHERE e.org_id = $1 AND (e.grant_no = $2 OR $2 = 0) AND e.deleted_at IS NULL AND (e.endpoint_no = $3 OR $3 = 0)`

// Metrics returns what came of the events that the endpoints received in a window, or one endpoint (nil for all).
func (d *Depot) Metrics(q db.Querier, w Whose, in Window, only *Endpoint) (m Metrics, err error) {
	_, args, err := d.window(q, w, in, only)
	if err != nil {
		return m, err
	}
	var sum weight
	sum, err = db.One(q, func(r db.Rows) (w weight, err error) {
		return w, r.Scan(&w.stored, &w.fetched, &w.delivered, &w.waits, &w.wait, &w.life)
	}, `SELECT `+sums("stored", "fetched", "delivered", "waits", "wait", "life")+counted, args...)
	if err != nil {
		return m, err
	}
	m.Counts = Counts{sum.stored, sum.fetched, sum.delivered}
	m.Latency, m.Wait = mean(sum.life, sum.delivered), mean(sum.wait, sum.waits)
	return m, nil
}

func sums(columns ...string) string {
	text := ""
	for i, c := range columns {
		if i > 0 {
			text += ", "
		}
		text += "CAST(COALESCE(sum(c." + c + "), 0) AS BIGINT)"
	}
	return text
}

func mean(millis, n int64) time.Duration {
	if n <= 0 {
		return 0
	}
	return time.Duration(float64(millis) / float64(n) * float64(time.Millisecond)) // the sum alone may be longer than a Duration
}

// window is where a window's first step begins, and the arguments of [counted].
func (d *Depot) window(q db.Querier, w Whose, in Window, only *Endpoint) (start int64, args []any, err error) {
	n, step, err := in.steps()
	if err != nil {
		return 0, nil, err
	}
	no := int64(0)
	if only != nil {
		no = only.No
	}
	now := d.now(q).UnixMicro()
	start = now - now%step.Microseconds() - (n-1)*step.Microseconds()
	return start, []any{w.Org, w.Grant, no, start}, nil
}

// Series is [Depot.Metrics] step by step, oldest first, without gaps.
func (d *Depot) Series(q db.Querier, w Whose, in Window, only *Endpoint) ([]Bucket, error) {
	n, step, _ := in.steps()
	start, args, err := d.window(q, w, in, only)
	if err != nil {
		return nil, err
	}
	all := make([]Bucket, n)
	for i := range all {
		all[i].Start = instant(start).Add(time.Duration(i) * step)
	}
	type found struct {
		at int64
		Counts
	}
	rows, err := db.All(q, func(r db.Rows) (f found, err error) { return f, r.Scan(&f.at, &f.Stored, &f.Fetched, &f.Delivered) },
		`SELECT (c.bucket - $4) / $5, `+sums("stored", "fetched", "delivered")+counted+` GROUP BY (c.bucket - $4) / $5`, append(args, step.Microseconds())...)
	for _, f := range rows {
		if f.at >= 0 && f.at < n {
			all[f.at].Counts = f.Counts
		}
	}
	return all, err
}
