package delivery

import (
	"container/heap"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// poller claims rows that are due and have no node: retries, what had no room, what dead nodes left, what other processes planned. It goes by
// what it was told (see at and hot), and looks through the whole table every [Config.Poll], so that nothing depends on being told.
type poller struct {
	e    *Engine
	come chan struct{}

	began time.Time

	mu    sync.Mutex // guards below
	soon  map[moment]bool
	order moments        // the same, the earliest first
	keys  map[queue]bool // whose next delivery may be due
	all   bool           // look through the table at once
}

// queue is the deliveries to an endpoint that have the same key.
type queue struct{ endpoint, key int64 }

// moment is when something is due for an endpoint, in grains since the poller began; 0 is at once.
type moment struct{ grain, number int64 }

// grain is the precision with which retries begin. It bounds how many moments of an endpoint are remembered.
const grain = 4 * time.Millisecond

// moments is a heap.
type moments []moment

func (m moments) Len() int           { return len(m) }
func (m moments) Less(i, j int) bool { return m[i].grain < m[j].grain }
func (m moments) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *moments) Push(x any)        { *m = append(*m, x.(moment)) }
func (m *moments) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

func newPoller(e *Engine) *poller {
	return &poller{e: e, come: make(chan struct{}, 1), began: time.Now(), soon: map[moment]bool{}, keys: map[queue]bool{}}
}

// at has the poller look for an endpoint's deliveries when something is due. What is far away is left to the looks through the table.
func (p *poller) at(number int64, t time.Time) {
	if time.Until(t) > 2*p.e.Poll {
		return
	}
	m := moment{0, number}
	if !t.IsZero() {
		m.grain = int64(max(0, t.Sub(p.began)+grain-1) / grain)
	}
	p.mu.Lock()
	if p.soon[m] {
		p.mu.Unlock()
		return
	}
	p.soon[m] = true
	heap.Push(&p.order, m)
	first := p.order[0] == m
	p.mu.Unlock()
	if first {
		p.nudge()
	}
}

// hot has the poller look for an endpoint's deliveries at once.
func (p *poller) hot(number int64) { p.at(number, time.Time{}) }

// next has the poller look at once for the delivery that comes after one with the same key.
func (p *poller) next(q queue) {
	p.mu.Lock()
	p.keys[q] = true
	p.mu.Unlock()
	p.nudge()
}

// everything has the poller look through the table at once.
func (p *poller) everything() {
	p.mu.Lock()
	p.all = true
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
		numbers, keys, full := p.turn(now, last)
		err := p.claim(ctx, numbers, keys)
		if full {
			last = now
			err = errors.Join(err, p.scan(ctx))
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, db.ErrClosed) {
			p.e.Log.Error("look for due deliveries", "err", err)
		}
		timer.Reset(p.pause(time.Now(), last))
	}
}

// turn says what to look at now.
func (p *poller) turn(now, last time.Time) (numbers []int64, keys []queue, full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	full = p.all || now.Sub(last) >= p.e.Poll
	p.all = false
	for q := range p.keys {
		keys = append(keys, q)
	}
	clear(p.keys)
	for len(p.order) > 0 && !now.Before(p.due(p.order[0])) {
		m := heap.Pop(&p.order).(moment)
		delete(p.soon, m)
		numbers = append(numbers, m.number)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), keys, full
}

// due is when a moment comes.
func (p *poller) due(m moment) time.Time { return p.began.Add(time.Duration(m.grain) * grain) }

func (p *poller) pause(now, last time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := p.e.Poll - now.Sub(last)
	if len(p.order) > 0 {
		wait = min(wait, p.due(p.order[0]).Sub(now))
	}
	return max(wait, grain/2)
}

// pendingEndpoints lists the endpoints that have pending rows as e, by skipping from endpoint to endpoint in the index. The last row is NULL.
const pendingEndpoints = `WITH RECURSIVE e (endpoint_id) AS (
		SELECT min(endpoint_id) FROM deliveries WHERE state = 0
		UNION ALL
		SELECT (SELECT min(d.endpoint_id) FROM deliveries d WHERE d.state = 0 AND d.endpoint_id > e.endpoint_id) FROM e WHERE e.endpoint_id IS NOT NULL
	)`

type dueAt struct{ endpoint, at int64 }

const dueText = pendingEndpoints + `
	SELECT e.endpoint_id, (SELECT min(d.due) FROM deliveries d WHERE d.state = 0 AND d.endpoint_id = e.endpoint_id) FROM e
	WHERE e.endpoint_id IS NOT NULL`

// dueEndpoints lists the endpoints that have pending rows and when the earliest of each is due.
func dueEndpoints(q db.Querier) ([]dueAt, error) {
	return db.All(q, func(r db.Rows) (d dueAt, err error) { return d, r.Scan(&d.endpoint, &d.at) }, dueText)
}

// scan looks at the whole table.
func (p *poller) scan(ctx context.Context) error {
	if err := p.e.Subscriptions.Refresh(ctx); err != nil {
		return err
	}
	began := time.Now()
	all, err := dueEndpoints(p.e.DB.Read(ctx))
	if err != nil {
		return err
	}
	now := time.Now()
	ready := make([]int64, 0, len(all))
	oldest := now
	for _, d := range all {
		at := p.e.here(d.at)
		if at.After(now) {
			p.at(d.endpoint, at)
			continue
		}
		if at.Before(oldest) {
			oldest = at
		}
		ready = append(ready, d.endpoint)
	}
	p.e.Metrics.oldestDue.Set(now.Sub(oldest).Seconds())
	p.e.sweepLanes(began, ready)
	return p.claim(ctx, ready, nil)
}

// sweepLanes lets idle workers end and forgets lanes that have been empty for long. ready are the endpoints that had something due at an instant.
func (e *Engine) sweepLanes(now time.Time, ready []int64) {
	due := make(map[int64]bool, len(ready))
	for _, number := range ready {
		due[number] = true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for number, l := range e.lanes {
		if l.sweep(now, due[number]) {
			l.close()
			delete(e.lanes, number)
		}
	}
}
