package chart

import (
	"cmp"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
)

// cells is how many parts the histogram of latencies has: up to 1 ms, up to 2 ms, and so on, and longer than 16384 ms.
const cells = 16

// sums are what is counted of some attempts: attempts, delivered, failed, retried, and the histogram.
type sums [4 + cells]int64

// The places of sums.
const (
	sumAttempts = iota
	sumDelivered
	sumFailed
	sumRetried
	sumLatency
)

// cell is the part of the histogram in which a latency lies.
func cell(took time.Duration) int {
	ms := max(0, (took+time.Millisecond-1)/time.Millisecond)
	if ms == 0 {
		return 0
	}
	return min(bits.Len64(uint64(ms-1)), cells-1)
}

// bounds are the latencies that a part of the histogram lies between.
func bounds(cell int) (above, upTo time.Duration) {
	if cell > 0 {
		above = time.Millisecond << (cell - 1)
	}
	return above, time.Millisecond << cell
}

// add counts an attempt.
func (s *sums) add(m delivery.Made) {
	s[sumAttempts]++
	switch m.State {
	case "delivered":
		s[sumDelivered]++
	case "failed":
		s[sumFailed]++
	default:
		s[sumRetried]++
	}
	if m.Status != 0 || m.Code == "timeout" {
		s[sumLatency+cell(m.Took)]++
	}
}

// point is what the sums show.
func (s *sums) point(at time.Time) Point {
	return Point{
		At: at, Attempts: s[sumAttempts], Delivered: s[sumDelivered], Failed: s[sumFailed], Retried: s[sumRetried],
		P50: s.percentile(50), P95: s.percentile(95), P99: s.percentile(99),
	}
}

// percentile is the latency that so many of a hundred attempts did not exceed, as far as the histogram knows.
func (s *sums) percentile(p int64) time.Duration {
	all := int64(0)
	for _, n := range s[sumLatency:] {
		all += n
	}
	if all == 0 {
		return 0
	}
	rank, before := (all*p+99)/100, int64(0)
	for i, n := range s[sumLatency:] {
		if before+n < rank {
			before += n
			continue
		}
		above, upTo := bounds(i)
		return above + time.Duration(float64(upTo-above)*float64(rank-before)/float64(n))
	}
	return 0
}

// key is what is counted apart. endpoint is 0 for all of the organisation.
type key struct{ org, endpoint, bucket int64 }

// tally is what a part of the log adds to a table.
type tally struct {
	grain grain
	since int64 // buckets before this one are over, and not counted
	sums  map[key]*sums
}

func newTally(g grain, now time.Time) *tally {
	return &tally{grain: g, since: g.bucket(now.Add(-g.keep)), sums: map[key]*sums{}}
}

func (t *tally) add(org int64, m delivery.Made) {
	bucket := t.grain.bucket(m.At)
	if bucket < t.since {
		return
	}
	for _, endpoint := range [...]int64{0, m.Delivery.Endpoint} {
		k := key{org, endpoint, bucket}
		if t.sums[k] == nil {
			t.sums[k] = new(sums)
		}
		t.sums[k].add(m)
	}
}

// write adds the tally to its table.
func (t *tally) write(tx *db.Tx) error {
	keys := slices.SortedFunc(maps.Keys(t.sums), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.org, b.org), cmp.Compare(a.endpoint, b.endpoint), cmp.Compare(a.bucket, b.bucket))
	})
	rows := make([][]any, len(keys))
	for i, k := range keys {
		row := append(make([]any, 0, 3+len(sums{})), k.org, k.endpoint, k.bucket)
		for _, n := range t.sums[k] {
			row = append(row, n)
		}
		rows[i] = row
	}
	return tx.Bulk(adding[t.grain], rows)
}

// columns are the columns of sums, in their order.
var columns = func() []string {
	all := []string{"attempts", "delivered", "failed", "retried"}
	for i := range cells {
		all = append(all, fmt.Sprintf("l%d", i))
	}
	return all
}()

// adding adds rows to the tables.
var adding = map[grain]*db.Bulk{minutes: addingTo(minutes.table), hours: addingTo(hours.table)}

func addingTo(table string) *db.Bulk {
	into := []string{"org_id bigint", "endpoint_id bigint", "bucket bigint"}
	var sets []string
	for _, c := range columns {
		into = append(into, c+" bigint")
		sets = append(sets, fmt.Sprintf("%s = %s.%s + excluded.%s", c, table, c, c))
	}
	return db.BulkInsert(table, "ON CONFLICT (org_id, endpoint_id, bucket) DO UPDATE SET "+strings.Join(sets, ", "), into...)
}
