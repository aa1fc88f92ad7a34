package delivery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

// poller claims rows that are due and have no node: retries, what had no room, what dead nodes left, what other processes planned.
type poller struct {
	e    *Engine
	come chan struct{}

	mu    sync.Mutex     // guards below
	next  time.Time      // the earliest instant that something is known to be due at
	lanes map[int64]bool // endpoints to look at without looking for others
}

func newPoller(e *Engine) *poller {
	return &poller{e: e, come: make(chan struct{}, 1), lanes: map[int64]bool{}}
}

// wake has the poller look at once.
func (p *poller) wake() {
	p.at(time.Now())
}

// at has the poller look when something is due.
func (p *poller) at(t time.Time) {
	p.mu.Lock()
	sooner := p.next.IsZero() || t.Before(p.next)
	if sooner {
		p.next = t
	}
	p.mu.Unlock()
	if sooner {
		p.nudge()
	}
}

// hot has the poller look at one endpoint at once.
func (p *poller) hot(number int64) {
	p.mu.Lock()
	p.lanes[number] = true
	p.mu.Unlock()
	p.nudge()
}

func (p *poller) nudge() {
	select {
	case p.come <- struct{}{}:
	default:
	}
}

func (p *poller) run(ctx context.Context) {
	last := time.Time{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-p.come:
		}
		now := time.Now()
		numbers, full := p.turn(now, last)
		var err error
		if full {
			last = now
			err = p.scan(ctx)
		} else if len(numbers) > 0 {
			err = p.claim(ctx, numbers)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, db.ErrClosed) {
			p.e.Log.Error("look for due deliveries", "err", err)
		}
		timer.Reset(p.pause(time.Now(), last))
	}
}

// turn says what to look at now: everything, or some endpoints.
func (p *poller) turn(now, last time.Time) (numbers []int64, full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	full = now.Sub(last) >= p.e.Poll || !p.next.IsZero() && !now.Before(p.next)
	if full {
		p.next = time.Time{}
	}
	for n := range p.lanes {
		numbers = append(numbers, n)
	}
	clear(p.lanes)
	return numbers, full
}

// shortest is the least time between two looks at the whole table.
const shortest = 2 * time.Millisecond

func (p *poller) pause(now, last time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := p.e.Poll - now.Sub(last)
	if !p.next.IsZero() {
		wait = min(wait, p.next.Sub(now))
	}
	return max(wait, shortest)
}

// due lists the endpoints that have pending rows and when the earliest of each is due, by skipping from endpoint to endpoint in the index.
const due = `WITH RECURSIVE e (endpoint_id) AS (
		SELECT min(endpoint_id) FROM deliveries WHERE state = 0
		UNION ALL
		SELECT (SELECT min(d.endpoint_id) FROM deliveries d WHERE d.state = 0 AND d.endpoint_id > e.endpoint_id) FROM e WHERE e.endpoint_id IS NOT NULL
	)
	SELECT e.endpoint_id, (SELECT min(d.due) FROM deliveries d WHERE d.state = 0 AND d.endpoint_id = e.endpoint_id) FROM e
	WHERE e.endpoint_id IS NOT NULL`

type dueAt struct {
	endpoint int64
	at       int64
}

func dueEndpoints(q db.Querier) ([]dueAt, error) {
	return db.All(q, func(r db.Rows) (d dueAt, err error) { return d, r.Scan(&d.endpoint, &d.at) }, due)
}

// scan looks at the whole table.
func (p *poller) scan(ctx context.Context) error {
	if err := p.e.Subscriptions.Refresh(ctx); err != nil {
		return err
	}
	if err := p.e.planWide(ctx); err != nil {
		return err
	}
	all, err := dueEndpoints(p.e.DB.Read(ctx))
	if err != nil {
		return err
	}
	now := time.Now()
	p.e.sweepLanes(now)
	var ready []int64
	oldest := now
	for _, d := range all {
		at := time.UnixMicro(d.at)
		if at.After(now) {
			p.at(at)
			continue
		}
		if at.Before(oldest) {
			oldest = at
		}
		ready = append(ready, d.endpoint)
	}
	p.e.Metrics.oldestDue.Set(now.Sub(oldest).Seconds())
	return p.claim(ctx, ready)
}

// want is how much of an endpoint's due rows to claim.
type want struct {
	lane  *lane
	n     int
	items []*item
}

// claimsAtOnce bounds how many endpoints one transaction claims for.
const claimsAtOnce = 64

// claim takes due rows for the endpoints, as far as their lanes have room.
func (p *poller) claim(ctx context.Context, numbers []int64) error {
	set := p.e.Subscriptions.Now()
	var wants []*want
	var off []int64
	for _, number := range numbers {
		if to := set.Endpoint(number); to == nil || !to.Enabled() {
			off = append(off, number)
			continue
		}
		l := p.e.lane(number)
		if n := l.take(); n > 0 {
			wants = append(wants, &want{lane: l, n: min(n, settleMost)})
			l.giveUp(n-min(n, settleMost), false)
		} else if until := l.restsUntil(); !until.IsZero() {
			p.at(until)
		}
	}
	if err := p.e.skip(ctx, off); err != nil {
		return err
	}
	for len(wants) > 0 {
		n := min(len(wants), claimsAtOnce)
		if err := p.e.claim(ctx, wants[:n]); err != nil {
			return err
		}
		wants = wants[n:]
	}
	return nil
}

// restsUntil is when an open circuit lets the next probe through; zero when it is closed.
func (l *lane) restsUntil() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.circuit.until
}

// claimDue leases due rows of an endpoint. A row with a key waits for the one before it.
const claimDue = `WITH c AS (
		SELECT d.fact_seq AS seq, d.day AS d_day, d.org_id AS d_org FROM deliveries d
		WHERE d.endpoint_id = $1 AND d.state = 0 AND d.due <= $2
			AND (d.lane_key = 0 OR NOT EXISTS (SELECT 1 FROM deliveries p WHERE p.lane_key = d.lane_key AND p.lane_key <> 0
				AND p.endpoint_id = $1 AND p.state = 0 AND p.fact_seq < d.fact_seq))
		ORDER BY d.due LIMIT $3 /*skip locked*/
	)
	UPDATE deliveries SET owner = $4, due = $5 FROM c
	WHERE endpoint_id = $1 AND fact_seq = c.seq AND day = c.d_day AND org_id = c.d_org
	RETURNING fact_seq, day, org_id, attempt, series, lane_key`

// claim leases rows and hands them to their lanes.
func (e *Engine) claim(ctx context.Context, wants []*want) error {
	err := e.DB.Write(ctx, "", func(tx *db.Tx) error {
		if _, err := e.Subscriptions.At(tx); err != nil { // what is claimed now is sent by settings that are not older
			return err
		}
		until := tx.Micros() + e.Lease.Microseconds()
		for _, w := range wants {
			items, err := db.All(tx, func(r db.Rows) (*item, error) {
				it := &item{lane: w.lane, id: id.Delivery{Endpoint: w.lane.number}}
				return it, r.Scan(&it.id.Seq, &it.id.Day, &it.org, &it.attempt, &it.series, &it.key)
			}, claimDue, w.lane.number, tx.Micros(), w.n, e.node.Load(), until)
			if err != nil {
				return err
			}
			w.items = items
		}
		return nil
	})
	if err == nil {
		err = e.load(ctx, wants)
	}
	local := time.Now().Add(e.Lease)
	for _, w := range wants {
		if err != nil {
			w.lane.giveUp(w.n, true)
			for _, it := range w.items {
				if it.shared != nil || it.id.Seq != 0 {
					e.settler.giveBack(it, time.Second)
				}
			}
			continue
		}
		w.lane.giveUp(w.n-len(w.items), len(w.items) == w.n)
		for _, it := range w.items {
			it.until = local
			w.lane.enter(it, true)
		}
	}
	return err
}

// load reads the facts of claimed items. Items of the same fact share it.
func (e *Engine) load(ctx context.Context, wants []*want) error {
	var numbers []int64
	facts := map[int64]*shared{}
	for _, w := range wants {
		for _, it := range w.items {
			if facts[it.id.Seq] == nil {
				facts[it.id.Seq] = &shared{}
				numbers = append(numbers, it.id.Seq)
			}
		}
	}
	all, err := ledger.Load(e.DB.Read(ctx), numbers)
	if err != nil {
		return err
	}
	for _, f := range all {
		facts[f.ID.Seq].fact = f
	}
	for _, w := range wants {
		kept := w.items[:0]
		for _, it := range w.items {
			it.shared = facts[it.id.Seq]
			if it.fact == nil { // retention has taken the fact
				w.lane.giveUp(1, false)
				w.n--
				e.settler.add(&outcome{item: it, state: skipped})
				continue
			}
			kept = append(kept, it)
		}
		w.items = kept
	}
	return nil
}

// skip marks what is due for endpoints that are off or gone, as of the transaction: what this node remembers may be a moment old.
func (e *Engine) skip(ctx context.Context, numbers []int64) error {
	for _, number := range numbers {
		for more := true; more; {
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
				n, err := tx.Exec(`UPDATE deliveries SET state = 3, owner = 0 WHERE endpoint_id = $1 AND fact_seq IN (
					SELECT fact_seq FROM deliveries WHERE endpoint_id = $1 AND state = 0 AND due <= $2 LIMIT 1000)`, number, tx.Micros())
				more = n == 1000
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepLanes lets idle workers end and forgets lanes that have been empty for long.
func (e *Engine) sweepLanes(now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for number, l := range e.lanes {
		if l.sweep(now) {
			l.close()
			delete(e.lanes, number)
		}
	}
}

// planWide plans facts that many endpoints want, some hundred endpoints in a transaction.
func (e *Engine) planWide(ctx context.Context) error {
	type wide struct {
		seq, after int64
		day        int32
	}
	all, err := db.All(e.DB.Read(ctx), func(r db.Rows) (w wide, err error) { return w, r.Scan(&w.seq, &w.day, &w.after) },
		"SELECT fact_seq, day, after_endpoint FROM delivery_wide ORDER BY fact_seq LIMIT 16")
	if err != nil {
		return err
	}
	for _, w := range all {
		facts, err := ledger.Load(e.DB.Read(ctx), []int64{w.seq})
		if err != nil {
			return err
		}
		if len(facts) == 0 {
			continue
		}
		s := &shared{fact: facts[0]}
		for done := false; !done && ctx.Err() == nil; {
			if done, err = e.planPart(ctx, s, &w.after); err != nil {
				return err
			}
		}
	}
	return nil
}

// widePart is how many endpoints one transaction plans for.
const widePart = 500

// planPart plans a wide fact for the next endpoints, in the order of their numbers. It changes nothing when another node has come first.
func (e *Engine) planPart(ctx context.Context, s *shared, after *int64) (done bool, err error) {
	err = e.DB.Write(ctx, "", func(tx *db.Tx) error {
		set, err := e.Subscriptions.At(tx)
		if err != nil {
			return err
		}
		p := plan{e: e, tx: tx, now: tx.Micros()}
		last := *after
		for _, to := range set.Wanting(s.fact) {
			if to.Number > *after && len(p.rows) < widePart && !to.CreatedAt.After(s.fact.At) {
				p.add(s, to)
				last = to.Number
			}
		}
		done = len(p.rows) < widePart
		var n int64
		if done {
			n, err = tx.Exec("DELETE FROM delivery_wide WHERE fact_seq = $1 AND after_endpoint = $2", s.fact.ID.Seq, *after)
		} else {
			n, err = tx.Exec("UPDATE delivery_wide SET after_endpoint = $1 WHERE fact_seq = $2 AND after_endpoint = $3", last, s.fact.ID.Seq, *after)
		}
		if err != nil || n == 0 {
			done = done || n == 0
			return err
		}
		if err := tx.Bulk(insertDeliveries, p.rows); err != nil {
			return err
		}
		tx.OnCommit(func() { *after = last; e.poller.wake() })
		return nil
	})
	return done, err
}
