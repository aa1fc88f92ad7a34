package delivery

import (
	"context"
	"errors"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

// want is what to claim of an endpoint's due rows: the next with a key, or as many as n of all.
type want struct {
	lane  *lane
	key   int64
	n     int // places that were reserved
	items []*item
}

const (
	claimsAtOnce = 64   // endpoints that one transaction claims for
	claimMost    = 1024 // rows that it claims for an endpoint

	claimAgain = 100 * time.Millisecond // after a claim that failed
)

// claim takes due rows for the endpoints, and the next row of each queue, as far as their lanes have room.
func (p *poller) claim(ctx context.Context, numbers []int64, queues []queue) error {
	set := p.e.Subscriptions.Now()
	var wants []*want
	var off []int64
	for _, q := range queues {
		if to := set.Endpoint(q.endpoint); to != nil && to.Enabled() {
			wants = append(wants, &want{lane: p.e.lane(q.endpoint, to), key: q.key})
		}
	}
	for _, number := range numbers {
		to := set.Endpoint(number)
		if to == nil || !to.Enabled() {
			off = append(off, number)
			continue
		}
		wants = append(wants, &want{lane: p.e.lane(number, to)})
	}
	failure := p.e.skip(ctx, off)
	for len(wants) > 0 && ctx.Err() == nil {
		n := min(len(wants), claimsAtOnce)
		failure = errors.Join(failure, p.e.claim(ctx, withRoom(wants[:n])))
		wants = wants[n:]
	}
	return failure
}

// withRoom reserves places and returns those that got some. A lane that rests is looked at when it has rested.
func withRoom(wants []*want) []*want {
	some := wants[:0]
	for _, w := range wants {
		most := claimMost
		if w.key != 0 {
			most = 1
		}
		if w.n = w.lane.take(most); w.n > 0 {
			some = append(some, w)
		} else if until := w.lane.restsUntil(); time.Now().Before(until) {
			w.lane.e.poller.at(w.lane.number, until)
		}
	}
	return some
}

// A row is free when it is due and nobody holds it. What this very node holds stays its own beyond the lease, while it is waiting to be
// settled, say, because the database takes no writes; [strayed] later the lease is taken for lost.
const strayed = 10 * time.Minute

// isFree is for $2 the instant, $3 the node, and $6 how long ago the node's own leases must have ended. A row with a key waits for the one before
// it, for one with its key that is under way whatever its number (transactions of several nodes may commit out of order), and for facts
// before it that are still to be planned. What is under way is looked up once for all rows.
const isFree = `d.state = 0 AND d.due <= $2 AND (d.owner <> $3 OR d.due <= $2 - $6)
	AND (d.lane_key = 0 OR
		NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.lane_key = d.lane_key AND p.lane_key <> 0 AND p.endpoint_id = $1 AND p.state = 0
			AND p.fact_seq < d.fact_seq)
		AND d.lane_key NOT IN (SELECT p.lane_key FROM deliveries p WHERE p.endpoint_id = $1 AND p.state = 0 AND p.due > $2 AND p.owner <> 0 AND p.lane_key <> 0)
		AND NOT EXISTS (SELECT 1 FROM delivery_wide w WHERE w.org_id = d.org_id AND w.fact_seq < d.fact_seq))`

const lease = `UPDATE deliveries SET owner = $3, due = $4 FROM c
	WHERE endpoint_id = $1 AND fact_seq = c.seq AND day = c.d_day AND org_id = c.d_org
	RETURNING fact_seq, day, org_id, attempt, series, lane_key`

// claimDue leases due rows of an endpoint, those first that have been due for longest.
const claimDue = `WITH c AS (
		SELECT d.fact_seq AS seq, d.day AS d_day, d.org_id AS d_org FROM deliveries d
		WHERE d.endpoint_id = $1 AND ` + isFree + ` AND d.due >= $7 AND d.due <= $8
		ORDER BY d.due LIMIT $5 /*skip locked*/
	) ` + lease

// claimNext leases the first pending row with a key.
const claimNext = `WITH c AS (
		SELECT d.fact_seq AS seq, d.day AS d_day, d.org_id AS d_org FROM deliveries d
		WHERE d.endpoint_id = $1 AND d.lane_key = $7 AND d.lane_key <> 0 AND ` + isFree + `
			AND d.fact_seq = (SELECT min(f.fact_seq) FROM deliveries f WHERE f.lane_key = $7 AND f.lane_key <> 0 AND f.endpoint_id = $1 AND f.state = 0)
		LIMIT $5 /*skip locked*/
	) ` + lease

// claim leases rows and hands them to their lanes.
func (e *Engine) claim(ctx context.Context, wants []*want) error {
	if len(wants) == 0 {
		return nil
	}
	until := time.Now().Add(e.Lease) // earlier than what is stored
	var stored int64
	err := e.DB.Write(ctx, "", func(tx *db.Tx) error {
		if _, err := e.Subscriptions.At(tx); err != nil { // what is claimed now is sent by settings that are not older
			return err
		}
		stored = tx.Micros() + e.Lease.Microseconds()
		for _, w := range wants {
			if err := w.claim(tx, e.node.Load(), stored); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil { // nothing was leased
		for _, w := range wants {
			w.lane.giveUp(w.n, true)
			e.poller.at(w.lane.number, time.Now().Add(claimAgain))
		}
		return err
	}
	err = e.load(ctx, wants)
	for _, w := range wants {
		w.lane.giveUp(w.n-len(w.items), len(w.items) == w.n && w.key == 0)
		for _, it := range w.items {
			it.lease, it.until = stored, until
			switch {
			case err != nil:
				w.lane.giveUp(1, false)
				e.settler.giveBack(it, time.Second)
			case it.fact == nil: // retention has taken it
				w.lane.giveUp(1, false)
				e.settler.hand(&outcome{item: it, state: skipped})
			default:
				w.lane.enter(it, true)
			}
		}
	}
	return err
}

// claim leases the rows of one lane.
func (w *want) claim(tx *db.Tx, node, until int64) (err error) {
	read := func(r db.Rows) (*item, error) {
		it := &item{lane: w.lane, id: id.Delivery{Endpoint: w.lane.number}, revision: tx.Revision()}
		return it, r.Scan(&it.id.Seq, &it.id.Day, &it.org, &it.attempt, &it.series, &it.key)
	}
	if w.key != 0 {
		w.items, err = db.All(tx, read, claimNext, w.lane.number, tx.Micros(), node, until, w.n, strayed.Microseconds(), w.key)
		return err
	}
	from, to, err := w.lane.window(tx)
	if err != nil {
		return err
	}
	w.items, err = db.All(tx, read, claimDue, w.lane.number, tx.Micros(), node, until, w.n, strayed.Microseconds(), from, to)
	if err == nil {
		w.lane.looked(from, to, tx.Micros(), w)
	}
	return err
}

// windowRows bounds how many rows a claim looks at for an endpoint whose deliveries have keys: thousands may wait for one.
const windowRows = 1024

// window says between which instants of due to look. Where there are no keys, that is everything: the first rows are free.
func (l *lane) window(tx *db.Tx) (from, to int64, err error) {
	l.mu.Lock()
	keyed, from := l.keyed, l.from
	l.mu.Unlock()
	if !keyed {
		return 0, tx.Micros(), nil
	}
	to, err = db.One(tx, db.Value[int64], "SELECT due FROM deliveries WHERE endpoint_id = $1 AND state = 0 AND due >= $2 AND due <= $3 ORDER BY due LIMIT 1 OFFSET $4",
		l.number, from, tx.Micros(), windowRows)
	if errors.Is(err, db.ErrNoRow) {
		return from, tx.Micros(), nil
	}
	return from, to, err
}

// looked notes what a claim has looked at: where the next one begins, and that there may be rows that wait for others.
func (l *lane) looked(from, to, now int64, w *want) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, it := range w.items {
		l.keyed = l.keyed || it.key != 0
	}
	if !l.keyed {
		return
	}
	l.blocked = time.Now()
	switch {
	case len(w.items) == w.n:
		l.from = from
	case to < now:
		l.from = to + 1
		pause := grain
		if len(w.items) == 0 {
			pause = 50 * time.Millisecond // a long way of nothing but rows that wait must not take all of the writer's time
		}
		l.e.poller.at(l.number, time.Now().Add(pause))
	default:
		l.from = 0
	}
}

// load reads the facts of claimed items. Items of the same fact share it.
func (e *Engine) load(ctx context.Context, wants []*want) error {
	var numbers []int64
	facts := map[int64]*shared{}
	for _, w := range wants {
		for _, it := range w.items {
			s := facts[it.id.Seq]
			if s == nil {
				s = &shared{}
				facts[it.id.Seq] = s
				numbers = append(numbers, it.id.Seq)
			}
			it.shared = s
		}
	}
	all, err := ledger.Load(e.DB.Read(ctx), numbers)
	if err != nil {
		return err
	}
	marked, err := erased(e.DB.Read(ctx), numbers)
	for _, f := range all {
		s := facts[f.ID.Seq]
		s.fact, s.erased = f, marked[f.ID.Seq]
	}
	return err
}

// skip marks what is due for endpoints that are off or gone, as of the transaction: what this node remembers may be a moment old.
func (e *Engine) skip(ctx context.Context, numbers []int64) error {
	for _, number := range numbers {
		for more := true; more && ctx.Err() == nil; {
			err := e.DB.Write(ctx, "", func(tx *db.Tx) error {
				more = false
				set, err := e.Subscriptions.At(tx)
				if err != nil {
					return err
				}
				if to := set.Endpoint(number); to != nil && to.Enabled() {
					tx.OnCommit(func() { e.poller.hot(number) })
					return nil
				}
				n, err := tx.Exec(`UPDATE deliveries SET state = 3, owner = 0 WHERE endpoint_id = $1 AND state = 0 AND due <= $2 AND fact_seq IN (
					SELECT fact_seq FROM deliveries WHERE endpoint_id = $1 AND state = 0 AND due <= $2 LIMIT 1000)`, number, tx.Micros())
				more = n == 1000
				tx.OnCommit(func() { e.Metrics.settled(skipped, int(n)) })
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
