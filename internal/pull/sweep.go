package pull

import (
	"context"
	"errors"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

const (
	atOnce      = 200     // events that a transaction of the sweep removes
	bytesAtOnce = 8 << 20 // and of their payloads, but that there is always one

	foldEvery    = 5 * time.Minute
	keepCounts   = 31 * 24 * time.Hour // of events that are past: the longest window of metrics
	clearedAfter = time.Minute         // other nodes may have taken something for an endpoint a moment after it was deleted
)

// Tidy removes what is over. [Depot.Run] does so every now and then; what is over is out of sight before.
func (d *Depot) Tidy(ctx context.Context) error {
	err := errors.Join(d.Flush(ctx), d.erase(ctx), d.clear(ctx), d.expire(ctx), d.dropRejections(ctx))
	d.forgetLimiters()
	d.mu.Lock()
	fold := time.Since(d.folded) >= foldEvery
	if fold {
		d.folded = time.Now()
	}
	d.mu.Unlock()
	if fold {
		err = errors.Join(err, d.Fold(ctx))
	}
	return err
}

// again runs a transaction of the sweep until it finds nothing more to do.
func (d *Depot) again(ctx context.Context, step func(tx *db.Tx) (n int, err error)) error {
	for n := 1; n > 0 && ctx.Err() == nil; {
		err := d.config.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
			n, err = step(tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// sized is an event and how large it is.
type sized struct{ seq, org, size int64 }

// fitting are those of the first that a transaction removes.
func fitting[T any](all []T, size func(T) int64) []T {
	sum := int64(0)
	for i, one := range all {
		if sum += size(one); sum > bytesAtOnce && i > 0 {
			return all[:i]
		}
	}
	return all
}

// erase removes payloads of events that were deleted.
func (d *Depot) erase(ctx context.Context) error {
	return d.again(ctx, func(tx *db.Tx) (int, error) {
		all, err := db.All(tx, func(r db.Rows) (s sized, err error) { return s, r.Scan(&s.seq, &s.org, &s.size) },
			`SELECT x.seq, x.org_id, COALESCE(v.size, 0) FROM pull_erasures x LEFT JOIN pull_events v ON v.seq = x.seq ORDER BY x.seq LIMIT $1`, atOnce)
		if err != nil {
			return 0, err
		}
		all = fitting(all, func(s sized) int64 { return s.size })
		numbers := make([]int64, len(all))
		for i, s := range all {
			numbers[i] = s.seq
		}
		return len(all), drop(tx, numbers, "pull_payloads", "pull_erasures")
	})
}

// drop removes rows of tables by their numbers.
func drop(tx *db.Tx, numbers []int64, tables ...string) error {
	if len(numbers) == 0 {
		return nil
	}
	text := list(numbers)
	for _, table := range tables {
		if err := tx.Later(`DELETE FROM `+table+` WHERE seq IN ints($1)`, text); err != nil {
			return err
		}
	}
	return nil
}

// owned is an endpoint that has something to be removed.
type owned struct{ org, no, deleted int64 }

// clear removes what deleted endpoints have kept.
func (d *Depot) clear(ctx context.Context) error {
	all, err := db.All(d.config.DB.Read(ctx), func(r db.Rows) (o owned, err error) { return o, r.Scan(&o.org, &o.no, &o.deleted) },
		`SELECT org_id, endpoint_no, deleted_at FROM pull_endpoints WHERE deleted_at IS NOT NULL AND NOT cleared ORDER BY endpoint_no LIMIT 1000`)
	if err != nil {
		return err
	}
	for _, o := range all {
		err := d.again(ctx, func(tx *db.Tx) (int, error) {
			events, err := db.All(tx, scanOne, `SELECT `+eventColumns+` FROM pull_events v WHERE v.endpoint_no = $1 AND +v.org_id = $2 LIMIT $3 /*skip locked*/`, o.no, o.org, atOnce)
			if err != nil {
				return 0, err
			}
			n, err := d.remove(tx, events, tally{})
			if err == nil && n == 0 {
				err = d.cleared(tx, o)
			}
			return n, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cleared notes that a deleted endpoint has nothing any more. What another node is about to remove is still there.
func (d *Depot) cleared(tx *db.Tx, o owned) error {
	left, err := db.All(tx, db.Value[int], `SELECT 1 FROM pull_events v WHERE v.endpoint_no = $1 LIMIT 1`, o.no)
	if err != nil || len(left) > 0 {
		return err
	}
	for _, table := range []string{"pull_keys", "pull_counts"} {
		if err := tx.Later(`DELETE FROM `+table+` WHERE endpoint_no = $1 AND org_id = $2`, o.no, o.org); err != nil {
			return err
		}
	}
	d.freed(tx, o.org)
	if d.now(tx).Sub(instant(o.deleted)) < clearedAfter {
		return nil
	}
	return tx.Later(`UPDATE pull_endpoints SET cleared = TRUE WHERE endpoint_no = $1 AND org_id = $2`, o.no, o.org)
}

// remove removes events that are locked, as many as go at once, and returns how many; the tally may be nil where they count for nothing any more.
func (d *Depot) remove(tx *db.Tx, events []Event, t tally) (int, error) {
	events = fitting(events, func(v Event) int64 { return v.Size })
	if len(events) == 0 {
		return 0, nil
	}
	numbers := make([]int64, len(events))
	for i, v := range events {
		numbers[i] = v.ID.Seq
		t.leave(v)
	}
	if err := drop(tx, numbers, "pull_payloads", "pull_erasures", "pull_events"); err != nil {
		return 0, err
	}
	if err := tx.Bulk(freeKey, keys(events)); err != nil {
		return 0, err
	}
	d.freed(tx, events[0].org)
	return len(events), d.count(tx, t)
}

// expire removes events whose retention is over.
func (d *Depot) expire(ctx context.Context) error {
	now := d.now(nil).UnixMicro()
	all, err := db.All(d.config.DB.Read(ctx), func(r db.Rows) (o owned, err error) { return o, r.Scan(&o.org, &o.no, &o.deleted) },
		`SELECT e.org_id, e.endpoint_no, $1 - e.retention FROM pull_endpoints e WHERE e.deleted_at IS NULL
		AND (SELECT 1 FROM pull_events v WHERE v.endpoint_no = e.endpoint_no AND v.state IN (0, 1, 2, 3, 4, 5) AND v.at <= $1 - e.retention LIMIT 1) = 1`, now)
	if err != nil {
		return err
	}
	for _, o := range all {
		for state := range 2 * gone {
			err := d.again(ctx, func(tx *db.Tx) (int, error) {
				events, err := db.All(tx, scanOne, `SELECT `+eventColumns+` FROM pull_events v WHERE v.endpoint_no = $1 AND +v.org_id = $2 AND v.state = $3 AND v.at <= $4
					ORDER BY v.at, v.seq LIMIT $5 /*skip locked*/`, o.no, o.org, state, o.deleted, atOnce)
				if err != nil {
					return 0, err
				}
				return d.remove(tx, events, tally{})
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// dropRejections removes rejections that are too old.
func (d *Depot) dropRejections(ctx context.Context) error {
	old := d.now(nil).Add(-keepRejections).UnixMicro()
	return d.again(ctx, func(tx *db.Tx) (int, error) {
		n, err := tx.Exec(`DELETE FROM pull_rejections WHERE seq IN (SELECT seq FROM pull_rejections WHERE at <= $1 ORDER BY at LIMIT $2)`, old, 5*atOnce)
		return int(n), err
	})
}

// forgetLimiters forgets the budgets of endpoints that have been quiet.
func (d *Depot) forgetLimiters() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for no, l := range d.limiters {
		if l.Tokens() >= float64(l.Burst()) {
			delete(d.limiters, no)
		}
	}
}

// folds are the steps in which counts are kept once they have the age, so that a sum has few of them: those of metrics of older windows.
var folds = []struct{ age, step time.Duration }{{65 * time.Minute, 15 * time.Minute}, {25 * time.Hour, time.Hour}}

// foldAtOnce is how many counts a transaction adds up.
const foldAtOnce = 1000

var dropCount = db.NewBulk(`DELETE FROM pull_counts WHERE endpoint_no = $1 AND bucket = $2 AND past = $3 AND shard = $4`,
	`DELETE FROM pull_counts c USING unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::bigint[]) AS u(e, b, p, s)
		WHERE c.endpoint_no = u.e AND c.bucket = u.b AND c.past = u.p AND c.shard = u.s`, "bigint", "bigint", "boolean", "bigint")

// Fold adds counts up that are older than they are asked for one by one, and drops those that nobody asks for. [Depot.Tidy] does so every now and then. Sums stay.
func (d *Depot) Fold(ctx context.Context) error {
	now := d.now(nil)
	for _, f := range folds {
		step := f.step.Microseconds()
		before := now.Add(-f.age).UnixMicro()
		before -= before % step
		err := d.again(ctx, func(tx *db.Tx) (int, error) {
			rows, t, err := folded(tx, before, step)
			if err != nil || len(rows) == 0 {
				return 0, err
			}
			if err := tx.Bulk(dropCount, rows); err != nil {
				return 0, err
			}
			return len(rows), t.write(tx, 0)
		})
		if err != nil {
			return err
		}
	}
	return d.config.DB.Write(ctx, "", func(tx *db.Tx) error {
		return tx.Later(`DELETE FROM pull_counts WHERE bucket < $1 AND (past OR stored = 0 AND fetched = 0 AND delivered = 0 AND bytes = 0 AND waits = 0 AND wait = 0 AND life = 0)`,
			now.Add(-keepCounts).UnixMicro())
	})
}

// folded reads and locks counts that are to be added up: their keys, and what they come to.
func folded(tx *db.Tx, before, step int64) (rows [][]any, t tally, err error) {
	t = tally{}
	_, err = db.All(tx, func(r db.Rows) (struct{}, error) {
		var c cell
		var shard int64
		var w weight
		err := r.Scan(&c.endpoint, &c.bucket, &c.past, &shard, &c.org, &w.stored, &w.fetched, &w.delivered, &w.bytes, &w.waits, &w.wait, &w.life)
		rows = append(rows, []any{c.endpoint, c.bucket, c.past, shard})
		c.bucket -= c.bucket % step
		t[c] = t[c].plus(w, 1)
		return struct{}{}, err
	}, `SELECT `+countColumns+` FROM pull_counts WHERE bucket < $1 AND (bucket % $2 <> 0 OR shard <> 0)
		AND (shard <> 0 OR bucket % 3600000000 <> 0) ORDER BY bucket LIMIT $3 /*skip locked*/`, before, step, foldAtOnce)
	return rows, t, err
}
