package pull

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// weight is what events count for.
type weight struct{ stored, fetched, delivered, bytes, waits, wait, life int64 }

func (w weight) plus(o weight, sign int64) weight {
	return weight{
		w.stored + sign*o.stored, w.fetched + sign*o.fetched, w.delivered + sign*o.delivered, w.bytes + sign*o.bytes,
		w.waits + sign*o.waits, w.wait + sign*o.wait, w.life + sign*o.life,
	}
}

// weight is what the event counts for. The bytes of one that is past are nobody's any more.
func (e Event) weight(past bool) weight {
	var w weight
	switch e.Status {
	case Stored:
		w.stored = 1
	case Fetched:
		w.fetched = 1
	case Delivered:
		w.delivered, w.life = 1, e.DeliveredAt.Sub(e.ReceivedAt).Milliseconds()
	}
	if !past {
		w.bytes = e.Size
	}
	if !e.FetchedAt.IsZero() {
		w.waits, w.wait = 1, e.FetchedAt.Sub(e.ReceivedAt).Milliseconds()
	}
	return w
}

// cell is where weights are summed up.
type cell struct {
	org, endpoint, bucket int64
	past                  bool
}

// bucketSize is how long the buckets of new events are; see fold for older ones.
const bucketSize = int64(time.Minute / time.Microsecond)

func cellOf(org, endpoint, at int64, past bool) cell {
	return cell{org, endpoint, at - at%bucketSize, past}
}

// tally is a change of counts.
type tally map[cell]weight

// one is the tally of a new event.
func one(org, endpoint, at, size int64) tally {
	return tally{cellOf(org, endpoint, at, false): {stored: 1, bytes: size}}
}

func (t tally) add(e Event, past bool, sign int64) {
	c := cellOf(e.org, e.Endpoint, e.ReceivedAt.UnixMicro(), past)
	t[c] = t[c].plus(e.weight(past), sign)
}

// move notes that an event has become another.
func (t tally) move(before, after Event) {
	t.add(before, before.Deleted(), -1)
	t.add(after, after.Deleted(), 1)
}

// leave notes that an event is over.
func (t tally) leave(e Event) {
	if !e.Deleted() {
		t.add(e, false, -1)
		t.add(e, true, 1)
	}
}

const countColumns = "endpoint_no, bucket, past, shard, org_id, stored, fetched, delivered, bytes, waits, wait, life"

const addCounts = ` ON CONFLICT (endpoint_no, bucket, past, shard) DO UPDATE SET stored = c.stored + excluded.stored, fetched = c.fetched + excluded.fetched,
	delivered = c.delivered + excluded.delivered, bytes = c.bytes + excluded.bytes, waits = c.waits + excluded.waits, wait = c.wait + excluded.wait, life = c.life + excluded.life`

// addToCounts sums rows up before it writes on PostgreSQL, where a group's come together.
var addToCounts = db.NewBulk(
	`INSERT INTO pull_counts AS c (`+countColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`+addCounts,
	`INSERT INTO pull_counts AS c (`+countColumns+`) SELECT u.a, u.b, u.p, u.s, u.o, sum(u.c1)::bigint, sum(u.c2)::bigint, sum(u.c3)::bigint, sum(u.c4)::bigint, sum(u.c5)::bigint,
		sum(u.c6)::bigint, sum(u.c7)::bigint FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
		$10::bigint[], $11::bigint[], $12::bigint[]) AS u(a, b, p, s, o, c1, c2, c3, c4, c5, c6, c7) GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3`+addCounts,
	"bigint", "bigint", "boolean", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint")

// count adds a tally to this depot's shard.
func (d *Depot) count(tx *db.Tx, t tally) error { return t.write(tx, d.shard) }

func (t tally) write(tx *db.Tx, shard int64) error {
	cells := slices.SortedFunc(maps.Keys(t), func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.endpoint, b.endpoint), cmp.Compare(a.bucket, b.bucket), cmp.Compare(b2i(a.past), b2i(b.past)))
	})
	rows := make([][]any, 0, len(cells))
	for _, c := range cells {
		if w := t[c]; w != (weight{}) {
			rows = append(rows, []any{c.endpoint, c.bucket, c.past, shard, c.org, w.stored, w.fetched, w.delivered, w.bytes, w.waits, w.wait, w.life})
		}
	}
	return tx.Bulk(addToCounts, rows)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Counts are how many events an endpoint keeps, without those that are deleted or over.
type Counts struct{ Stored, Fetched, Delivered int64 }

// Total is their sum.
func (c Counts) Total() int64 { return c.Stored + c.Fetched + c.Delivered }

// Counts returns how many events an endpoint keeps.
func (d *Depot) Counts(q db.Querier, e *Endpoint) (Counts, error) {
	const over = `(SELECT count(*) FROM pull_events WHERE endpoint_no = $1 AND at <= $2 AND state = `
	return db.One(q, scanCounts, `SELECT CAST(COALESCE(sum(stored), 0) AS BIGINT) - `+over+`0), CAST(COALESCE(sum(fetched), 0) AS BIGINT) - `+over+`1),
		CAST(COALESCE(sum(delivered), 0) AS BIGINT) - `+over+`2) FROM pull_counts WHERE endpoint_no = $1 AND NOT past`, e.No, d.cutoff(q, e))
}

func scanCounts(r db.Rows) (c Counts, err error) {
	return c, r.Scan(&c.Stored, &c.Fetched, &c.Delivered)
}
