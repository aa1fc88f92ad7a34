package chart

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

const (
	countEvery = time.Second // what comes in a second is counted together, in few rows
	share      = 3           // counting takes one part of the writer's time at most, and leaves it so many
	sweepEvery = 10 * time.Minute
	mostCells  = 4096   // that a transaction writes, but for those of the last row of the log that it counts
	mostCount  = 50_000 // attempts that it counts, the same
	fewRows    = 4      // of the log that are read at first, which may have a thousand attempts each; then twice as many, and so on
	someRows   = 128
	sweepSome  = 1000
)

// Run counts what stands in the log and what comes, and forgets what is too old, until ctx ends. Every node may run it: whoever gets there first counts.
func (b *Book) Run(ctx context.Context) {
	failures := 0
	for swept := (time.Time{}); ctx.Err() == nil; {
		began := time.Now()
		more, err := b.step(ctx)
		pause := share * time.Since(began)
		if !more {
			pause = max(pause, countEvery)
		}
		if err == nil && !more && began.Sub(swept) >= sweepEvery {
			err, swept = b.Sweep(ctx), began
		}
		if err != nil && ctx.Err() == nil {
			b.log.Warn("count attempts", "err", err)
			pause = max(pause, countEvery<<min(failures, 5))
			failures++
		} else {
			failures = 0
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// Follow counts what stands in the log now.
func (b *Book) Follow(ctx context.Context) error {
	for more := true; more; {
		var err error
		if more, err = b.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// errMoved says that another node has counted.
var errMoved = errors.New("the cursor has moved")

// step counts what comes next, and reports whether there may be more.
func (b *Book) step(ctx context.Context) (more bool, err error) {
	from, err := cursor(b.db.Read(ctx))
	if err != nil {
		return false, err
	}
	next, err := b.read(ctx, from)
	if err != nil || next.last == from {
		return false, err
	}
	err = b.db.WriteAlone(ctx, func(tx *db.Tx) error {
		n, err := tx.Exec("UPDATE chart_cursor SET place = $1, at = $2 WHERE one = 1 AND place = $3", next.last.place.String(), next.last.at.UnixMicro(), from.place.String())
		if err != nil {
			return err
		}
		if n == 0 {
			return errMoved
		}
		if err := next.minutes.write(tx); err != nil {
			return err
		}
		return next.hours.write(tx)
	})
	if errors.Is(err, errMoved) {
		return true, nil
	}
	return next.more, err
}

// some is what is counted together.
type some struct {
	minutes, hours *tally
	last           position
	more           bool // there may be others
}

// read adds up what comes next, until that is enough for a transaction. A row that cannot be read never will be, and is passed over.
func (b *Book) read(ctx context.Context, from position) (some, error) {
	now, attempts := time.Now(), 0
	s := some{newTally(minutes, now), newTally(hours, now), from, false}
	for limit := fewRows; ; limit = min(2*limit, someRows) {
		rows, err := b.engine.AttemptsAfter(b.db.Read(ctx), 0, s.last.place, limit)
		if err != nil {
			return s, err
		}
		for _, r := range rows {
			made, err := r.Row.Made()
			if err != nil {
				b.log.Error("attempts are not counted", "organisation", r.Row.Org, "err", err)
			}
			for _, m := range made {
				s.minutes.add(r.Row.Org, m)
				s.hours.add(r.Row.Org, m)
			}
			s.last = position{r.Place, r.Row.At}
			if attempts += len(made); attempts >= mostCount || len(s.minutes.sums)+len(s.hours.sums) >= mostCells {
				s.more = true
				return s, nil
			}
		}
		if len(rows) < limit {
			return s, nil
		}
	}
}

// position is how far the log is counted.
type position struct {
	place ledger.Place
	at    time.Time
}

func cursor(q db.Querier) (p position, err error) {
	return db.One(q, func(r db.Rows) (p position, err error) {
		var place string
		var at int64
		if err := r.Scan(&place, &at); err != nil {
			return p, err
		}
		var ok bool
		if p.place, ok = ledger.ParsePlace(place); !ok {
			return p, fmt.Errorf("the charts' cursor is %q, which is no place", place)
		}
		p.at = time.UnixMicro(at).UTC()
		return p, nil
	}, "SELECT place, at FROM chart_cursor WHERE one = 1")
}

// Newest is the place in the log of attempts up to which all is counted, and when what stands there was written down; the beginning of 1970 when nothing is.
func (b *Book) Newest(q db.Querier) (ledger.Place, time.Time, error) {
	p, err := cursor(q)
	return p.place, p.at, err
}

// Behind is for how long the oldest attempts have been waiting that are not counted; 0 when all are.
func (b *Book) Behind(q db.Querier, now time.Time) (time.Duration, error) {
	p, err := cursor(q)
	if err != nil {
		return 0, err
	}
	next, err := b.engine.AttemptsAfter(q, 0, p.place, 1)
	if err != nil || len(next) == 0 {
		return 0, err
	}
	return max(0, now.Sub(next[0].Row.At)), nil
}

// Sweep forgets counts whose time is over, in steps.
func (b *Book) Sweep(ctx context.Context) error {
	for _, g := range []grain{minutes, hours} {
		for n := int64(sweepSome); n == sweepSome && ctx.Err() == nil; {
			err := b.db.Write(ctx, "", func(tx *db.Tx) (err error) {
				n, err = tx.Exec(fmt.Sprintf(`DELETE FROM %s WHERE (org_id, endpoint_id, bucket) IN (SELECT org_id, endpoint_id, bucket FROM %s
					WHERE bucket < $1 ORDER BY bucket LIMIT $2)`, g.table, g.table), g.bucket(tx.Now().Add(-g.keep)), sweepSome)
				return err
			})
			if err != nil {
				return fmt.Errorf("sweep %s: %w", g.table, err)
			}
		}
	}
	return nil
}
