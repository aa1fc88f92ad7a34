package chart_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/chart"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// house is an engine that sends nothing, its log of attempts, and the book that counts them.
type house struct {
	*chart.Book
	t      *testing.T
	d      *db.DB
	engine *delivery.Engine
}

func each(t *testing.T, f func(h *house)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(open(t, d)) })
}

func open(t *testing.T, d *db.DB) *house {
	t.Helper()
	l, err := ledger.Open(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	e := delivery.New(delivery.Config{DB: d, Log: quiet})
	e.LogTo(l)
	return &house{chart.New(d, e, quiet), t, d, e}
}

func (h *house) read() db.Querier { return h.d.Read(h.t.Context()) }

// made is an attempt as the log has it.
type made struct {
	endpoint int64
	state    int // 0 pending, 1 delivered, 2 failed
	status   int
	code     string
	took     time.Duration
	at       time.Time
}

// attempted writes attempts of an organisation into the log, in one transaction.
func (h *house) attempted(org int64, all ...made) {
	h.t.Helper()
	var b strings.Builder
	for i, m := range all {
		fmt.Fprintf(&b, "%d %d %d 1 %d %d %d %d wh_x %s order.accepted\n", m.endpoint, i+1, fact.Day(m.at), m.state, m.status, m.took.Microseconds(), m.at.UnixMicro(), m.code)
	}
	h.entries(org, b.String())
}

func (h *house) entries(org int64, entries string) {
	h.t.Helper()
	err := h.d.WriteAlone(h.t.Context(), func(tx *db.Tx) error {
		first, err := tx.Numbers(1)
		if err != nil {
			return err
		}
		return h.engine.AttemptLog().Append(tx, []any{first, int64(fact.Day(tx.Now())), org, tx.Micros(), entries})
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// counted counts until an organisation's last month has so many attempts: a transaction of another test holds back what can be read.
func (h *house) counted(org, want int64, now time.Time) chart.Point {
	h.t.Helper()
	var p chart.Point
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if err := h.Follow(h.t.Context()); err != nil {
			h.t.Fatalf("Follow: %v", err)
		}
		var err error
		if p, err = h.Totals(h.read(), org, 0, chart.Month, now); err != nil {
			h.t.Fatalf("Totals: %v", err)
		}
		behind, err := h.Behind(h.read(), now)
		if err != nil {
			h.t.Fatalf("Behind: %v", err)
		}
		if p.Attempts >= want && behind == 0 || time.Now().After(end) {
			break
		}
	}
	if p.Attempts != want {
		h.t.Fatalf("the last month of organisation %d has %d attempts, want %d", org, p.Attempts, want)
	}
	return p
}

func (h *house) audit() {
	h.t.Helper()
	if found, err := h.Audit(h.read()); err != nil || len(found) > 0 {
		h.t.Errorf("Audit: %v, %v", found, err)
	}
}

func TestAttemptsAreCountedForTheirEndpointAndForAll(t *testing.T) {
	each(t, func(h *house) {
		now := time.Now().UTC()
		ok := made{endpoint: 1, state: 1, status: 200, took: 30 * time.Millisecond, at: now}
		again, gone := ok, ok
		again.state, again.status, again.endpoint = 0, 503, 2
		gone.state, gone.status, gone.code, gone.took = 2, 0, "connect", 0
		h.attempted(7, ok, again, gone)
		h.attempted(7, ok)
		h.attempted(8, again)
		h.counted(7, 4, now)
		h.counted(8, 1, now)
		for _, c := range []struct {
			org, endpoint                        int64
			attempts, delivered, failed, retried int64
		}{{7, 0, 4, 2, 1, 1}, {7, 1, 3, 2, 1, 0}, {7, 2, 1, 0, 0, 1}, {7, 3, 0, 0, 0, 0}, {8, 0, 1, 0, 0, 1}, {8, 1, 0, 0, 0, 0}, {9, 0, 0, 0, 0, 0}} {
			for _, span := range []chart.Span{chart.Hour, chart.Day, chart.Week, chart.Month} {
				p, err := h.Totals(h.read(), c.org, c.endpoint, span, now)
				if err != nil || p.Attempts != c.attempts || p.Delivered != c.delivered || p.Failed != c.failed || p.Retried != c.retried {
					t := []int64{c.attempts, c.delivered, c.failed, c.retried}
					h.t.Errorf("Totals(%d, %d, %d) = %+v, %v; want %v", c.org, c.endpoint, span, p, err, t)
				}
				series, err := h.Series(h.read(), c.org, c.endpoint, span, now)
				if err != nil || len(series) != span.Points() {
					h.t.Fatalf("Series(%d, %d, %d) has %d points, %v; want %d", c.org, c.endpoint, span, len(series), err, span.Points())
				}
				sum := int64(0)
				for _, p := range series {
					sum += p.Attempts
				}
				if last := series[len(series)-1].Attempts; sum != c.attempts || last != c.attempts {
					h.t.Errorf("Series(%d, %d, %d) has %d attempts and %d in its last point, want %d", c.org, c.endpoint, span, sum, last, c.attempts)
				}
			}
		}
		for _, span := range []chart.Span{chart.Hour, chart.Day} {
			all, err := h.TotalsOf(h.read(), 7, []int64{1, 2, 3}, span, now)
			if err != nil || len(all) != 2 || all[1].Attempts != 3 || all[1].Failed != 1 || all[2].Retried != 1 {
				h.t.Errorf("TotalsOf(%d) = %+v, %v", span, all, err)
			}
		}
		h.audit()
	})
}

func TestEachAttemptCountsOnceWhoeverCounts(t *testing.T) {
	each(t, func(h *house) {
		now := time.Now()
		const rows, per = 30, 100
		for i := range rows {
			all := make([]made, per)
			for k := range all {
				all[k] = made{endpoint: int64((i+k)%7 + 1), state: 1, status: 200, took: time.Duration(k) * time.Millisecond, at: now.Add(-time.Duration(k) * time.Second)}
			}
			h.attempted(7, all...)
		}
		other := open(h.t, h.d) // as on another node, or after a restart
		var both sync.WaitGroup
		for _, b := range []*chart.Book{h.Book, other.Book, h.Book} {
			both.Go(func() {
				if err := b.Follow(h.t.Context()); err != nil {
					h.t.Errorf("Follow: %v", err)
				}
			})
		}
		both.Wait()
		h.counted(7, rows*per, now)
		if err := other.Follow(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
		h.counted(7, rows*per, now)
		h.audit()
	})
}

func TestManyEndpointsAreCountedInSteps(t *testing.T) {
	each(t, func(h *house) {
		now := time.Now()
		const rows, per = 9, 1000
		for i := range rows {
			all := make([]made, per)
			for k := range all {
				all[k] = made{endpoint: int64(i*per + k + 1), state: 1, status: 200, at: now}
			}
			h.attempted(7, all...)
		}
		h.counted(7, rows*per, now)
		if n, err := db.One(h.read(), db.Value[int64], "SELECT count(*) FROM chart_minutes WHERE attempts = 1"); err != nil || n != rows*per {
			h.t.Errorf("%d endpoints have one attempt, %v; want %d", n, err, rows*per)
		}
		h.audit()
	})
}

// Whoever dies between reading and writing has counted nothing, and who comes next counts all.
func TestACrashBetweenCountsOnce(t *testing.T) {
	each(t, func(h *house) {
		now := time.Now()
		h.attempted(7, made{endpoint: 1, state: 1, status: 200, at: now})
		h.counted(7, 1, now)
		h.attempted(7, made{endpoint: 1, state: 1, status: 200, at: now})
		for _, table := range []string{"chart_minutes", "chart_hours"} {
			h.exec("ALTER TABLE " + table + " RENAME TO away") // the cursor is moved, and what follows fails
			for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
				if err := h.Follow(h.t.Context()); err != nil {
					break
				}
				if time.Now().After(end) {
					h.t.Fatalf("Follow without %s did not fail", table)
				}
			}
			h.exec("ALTER TABLE away RENAME TO " + table)
		}
		if p, err := h.Totals(h.read(), 7, 0, chart.Hour, now); err != nil || p.Attempts != 1 {
			h.t.Errorf("after what failed there are %d attempts, %v; want 1", p.Attempts, err)
		}
		h.counted(7, 2, now)
		h.audit()
	})
}

func (h *house) exec(sql string, args ...any) {
	h.t.Helper()
	if err := h.d.WriteAlone(h.t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(sql, args...); return err }); err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
}

// In the night in which clocks are put back an hour has sixty minutes, and a week 168 hours.
func TestPointsAreAsLongAsTheyAre(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	now := time.Date(2025, 10, 26, 4, 10, 59, 0, berlin)
	for _, c := range []struct {
		span        chart.Span
		first, last string
	}{
		{chart.Hour, "2025-10-26T02:11:00Z", "2025-10-26T03:10:00Z"},
		{chart.Day, "2025-10-25T03:15:00Z", "2025-10-26T03:00:00Z"},
		{chart.Week, "2025-10-19T04:00:00Z", "2025-10-26T03:00:00Z"},
		{chart.Month, "2025-09-26T06:00:00Z", "2025-10-26T00:00:00Z"},
	} {
		points, err := h.Series(h.read(), 7, 0, c.span, now)
		if err != nil {
			t.Fatal(err)
		}
		first, last := points[0].At.Format(time.RFC3339), points[len(points)-1].At.Format(time.RFC3339)
		if first != c.first || last != c.last {
			t.Errorf("span %d goes from %s to %s, want from %s to %s", c.span, first, last, c.first, c.last)
		}
		for i, p := range points[1:] {
			if p.At.Sub(points[i].At) != c.span.Step() {
				t.Errorf("span %d: from point %d to the next it is %v, want %v", c.span, i, p.At.Sub(points[i].At), c.span.Step())
			}
		}
	}
}

func TestAttemptsStandWhereTheyBegan(t *testing.T) {
	each(t, func(h *house) {
		now := time.Now().UTC()
		ages := []time.Duration{0, time.Minute, 59 * time.Minute, 5 * time.Hour, 20 * time.Hour, 4 * 24 * time.Hour, 29 * 24 * time.Hour}
		for _, age := range ages {
			h.attempted(7, made{endpoint: 1, state: 1, status: 200, at: now.Add(-age)})
		}
		h.counted(7, int64(len(ages)), now)
		for _, span := range []chart.Span{chart.Hour, chart.Day, chart.Week, chart.Month} {
			want := make([]int64, span.Points())
			last := now.Truncate(span.Step())
			for _, age := range ages {
				if i := len(want) - 1 - int(last.Sub(now.Add(-age).Truncate(span.Step()))/span.Step()); i >= 0 {
					want[i]++
				}
			}
			points, err := h.Series(h.read(), 7, 1, span, now)
			if err != nil {
				h.t.Fatal(err)
			}
			for i, p := range points {
				if p.Attempts != want[i] {
					h.t.Errorf("span %d, point %d (%v) has %d attempts, want %d", span, i, p.At, p.Attempts, want[i])
				}
			}
		}
	})
}

func TestPercentilesAreWithinTheirBounds(t *testing.T) {
	each(t, func(h *house) {
		now := time.Now()
		for i, c := range []struct {
			took          []time.Duration
			p50, p95, p99 time.Duration
		}{
			{[]time.Duration{0}, 0, 0, 0},
			{[]time.Duration{20 * time.Millisecond}, 20 * time.Millisecond, 20 * time.Millisecond, 20 * time.Millisecond},
			{[]time.Duration{time.Millisecond, time.Millisecond, time.Millisecond, 10 * time.Second}, time.Millisecond, 10 * time.Second, 10 * time.Second},
			{[]time.Duration{20 * time.Second}, 20 * time.Second, 20 * time.Second, 20 * time.Second},
			{ramp(1000), 500 * time.Millisecond, 950 * time.Millisecond, 990 * time.Millisecond},
		} {
			endpoint := int64(i + 1)
			all := []made{{endpoint: endpoint, code: "connect", at: now}} // which nobody answered
			for _, took := range c.took {
				all = append(all, made{endpoint: endpoint, state: 1, status: 200, took: took, at: now})
			}
			h.attempted(endpoint, all...)
			p := h.counted(endpoint, int64(len(all)), now)
			for _, v := range []struct {
				name      string
				got, want time.Duration
			}{{"P50", p.P50, c.p50}, {"P95", p.P95, c.p95}, {"P99", p.P99, c.p99}} {
				if v.got < v.want/2 || v.got > max(2*v.want, time.Millisecond) {
					h.t.Errorf("of %d latencies %s is %v, and the real one %v", len(c.took), v.name, v.got, v.want)
				}
			}
			if p.P50 > p.P95 || p.P95 > p.P99 {
				h.t.Errorf("percentiles fall: %v, %v, %v", p.P50, p.P95, p.P99)
			}
		}
		h.attempted(99, made{endpoint: 1, code: "timeout", took: 15 * time.Second, at: now}, made{endpoint: 1, code: "connect", took: time.Millisecond, at: now})
		if p := h.counted(99, 2, now); p.P50 < 8*time.Second {
			h.t.Errorf("with one that timed out after 15 s, P50 is %v", p.P50)
		}
	})
}

// ramp is 1 ms, 2 ms, and so on.
func ramp(n int) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = time.Duration(i+1) * time.Millisecond
	}
	return all
}

func TestSweepTakesWhatIsOver(t *testing.T) {
	each(t, func(h *house) {
		now := time.Now()
		h.attempted(7, made{endpoint: 1, state: 1, status: 200, at: now}, made{endpoint: 1, state: 1, status: 200, at: now.Add(-24 * time.Hour)},
			made{endpoint: 1, state: 1, status: 200, at: now.Add(-26 * time.Hour)}, made{endpoint: 1, state: 1, status: 200, at: now.Add(-32 * 24 * time.Hour)})
		h.counted(7, 3, now)
		rows := func(table string, want int64) {
			h.t.Helper()
			if n, err := db.One(h.read(), db.Value[int64], "SELECT count(*) FROM "+table); err != nil || n != want {
				h.t.Errorf("%s has %d rows, %v; want %d", table, n, err, want)
			}
		}
		rows("chart_minutes", 4) // two minutes, for the endpoint and for all: what is over is not even counted
		rows("chart_hours", 6)
		h.exec("UPDATE chart_minutes SET bucket = bucket - 61")
		h.exec("UPDATE chart_hours SET bucket = bucket - 30 * 24 + 1")
		if err := h.Sweep(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
		rows("chart_minutes", 2)
		rows("chart_hours", 4)
		h.exec("INSERT INTO chart_hours SELECT org_id, endpoint_id + 1, bucket - 24 * 31, attempts, delivered, failed, retried, " +
			"l0, l1, l2, l3, l4, l5, l6, l7, l8, l9, l10, l11, l12, l13, l14, l15 FROM chart_hours")
		if err := h.Sweep(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
		rows("chart_hours", 4)
	})
}

// What nobody can read is passed over, and what stands behind it counted.
func TestALineThatCannotBeReadHoldsUpNothing(t *testing.T) {
	each(t, func(h *house) {
		now := time.Now()
		h.entries(7, "nonsense\n")
		h.attempted(7, made{endpoint: 1, state: 1, status: 200, at: now})
		h.counted(7, 1, now)
	})
}

func TestNewestSaysHowFarItHasCome(t *testing.T) {
	each(t, func(h *house) {
		start, at, err := h.Newest(h.read())
		if err != nil || at.Unix() != 0 || start != (ledger.Place{}) {
			h.t.Errorf("Newest of nothing = %v, %v, %v", start, at, err)
		}
		before := time.Now().Add(-time.Minute) // the database's clock may be another
		h.attempted(7, made{endpoint: 1, state: 1, status: 200, at: before})
		h.counted(7, 1, time.Now())
		end, at, err := h.Newest(h.read())
		if err != nil || end.Compare(start) <= 0 || at.Before(before) {
			h.t.Errorf("Newest = %v, %v, %v; want a later place, and an instant after %v", end, at, err, before)
		}
	})
}

func TestAuditFindsWhatDiffers(t *testing.T) {
	errUndo := errors.New("undo")
	each(t, func(h *house) {
		now := time.Now()
		h.attempted(7, made{endpoint: 1, state: 1, status: 200, at: now}, made{endpoint: 2, status: 500, at: now})
		h.counted(7, 2, now)
		h.audit()
		for _, c := range []struct{ sql, says string }{
			{"UPDATE chart_minutes SET delivered = delivered + 1", "counts of minutes"},
			{"UPDATE chart_hours SET l3 = l3 + attempts + 1", "counts of hours"},
			{"DELETE FROM chart_hours WHERE endpoint_id = 2", "sums of its endpoints"},
			{"DELETE FROM chart_minutes WHERE endpoint_id = 2", "sums of their minutes"},
			{"DELETE FROM chart_minutes WHERE endpoint_id = 0", "log of attempts"},
		} {
			var found []string
			err := h.d.WriteAlone(h.t.Context(), func(tx *db.Tx) error {
				if _, err := tx.Exec(c.sql); err != nil {
					return err
				}
				var err error
				if found, err = h.Audit(tx); err != nil {
					return err
				}
				return errUndo
			})
			if !errors.Is(err, errUndo) {
				h.t.Fatalf("%s: %v", c.sql, err)
			}
			if !strings.Contains(strings.Join(found, "; "), c.says) {
				h.t.Errorf("after %s Audit found %v, want something that says %q", c.sql, found, c.says)
			}
		}
	})
}

func TestRunCountsWhatComes(t *testing.T) {
	each(t, func(h *house) {
		ctx, stop := context.WithCancel(h.t.Context())
		var run sync.WaitGroup
		run.Go(func() { h.Run(ctx) })
		defer run.Wait()
		defer stop()
		now := time.Now()
		for n := int64(1); n <= 2; n++ {
			h.attempted(7, made{endpoint: 1, state: 1, status: 200, at: now})
			for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
				p, err := h.Totals(h.read(), 7, 0, chart.Hour, now)
				if err != nil {
					h.t.Fatal(err)
				}
				if p.Attempts == n {
					break
				}
				if time.Now().After(end) {
					h.t.Fatalf("after a minute %d attempts are counted, want %d", p.Attempts, n)
				}
			}
		}
	})
}
