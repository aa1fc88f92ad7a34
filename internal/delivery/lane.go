package delivery

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// item is a delivery that this node holds.
type item struct {
	*shared
	id      id.Delivery
	org     int64
	key     int64
	attempt int // attempts made
	series  int // attempts made before the present run of retries
	lane    *lane
	until   time.Time // of the lease, by this machine's clock
}

// shared is a fact with the envelopes that have been made of it, for all its deliveries that are in memory at once.
type shared struct {
	fact *fact.Fact

	mu        sync.Mutex // guards envelopes
	envelopes []*envelope
}

// envelope is a body, made once.
type envelope struct {
	variant string
	made    sync.Once
	body    []byte
	hash    [sha256.Size]byte
	err     error
}

// envelope returns the place of a variant's body.
func (s *shared) envelope(variant string) *envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.envelopes {
		if v.variant == variant {
			return v
		}
	}
	v := &envelope{variant: variant}
	s.envelopes = append(s.envelopes, v)
	return v
}

// lane is one endpoint's queue and workers on this node.
type lane struct {
	e      *Engine
	number int64

	mu       sync.Mutex // guards all below
	come     *sync.Cond // something was queued, or the workers are to end
	queue    []*item    // from head on
	head     int
	reserved int // places taken: queued, or about to be
	workers  int
	idle     int  // of the workers, those that wait
	backlog  bool // rows may be due in the table that had no room
	closed   bool
	active   time.Time // when something was last put in

	circuit circuit
	health  health
	set     settings
}

func newLane(e *Engine, number int64) *lane {
	l := &lane{e: e, number: number, active: time.Now()}
	l.come = sync.NewCond(&l.mu)
	return l
}

// room is how many more deliveries may be taken now. While an endpoint fails or its rate is limited, hardly any: what is queued is leased, and must be
// sent before the lease ends.
func (l *lane) room(now time.Time) int {
	limit := l.e.Room
	switch {
	case l.closed:
		return 0
	case l.circuit.open():
		limit = 0
		if !now.Before(l.circuit.until) {
			limit = 1 - (l.workers - l.idle) // one probe at a time
		}
	case l.circuit.failures > 0:
		limit = 2 * l.e.Workers
	}
	if l.set.limiter != nil {
		limit = min(limit, max(1, 10*int(l.set.limiter.Limit())))
	}
	return limit - l.reserved
}

// reserve takes a place, or reports that there is none and notes that rows stay behind in the table.
func (l *lane) reserve() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.room(time.Now()) <= 0 {
		l.backlog = true
		return false
	}
	l.reserved++
	return true
}

// take reserves up to all the room there is, for rows that are about to be claimed.
func (l *lane) take() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := max(0, l.room(time.Now()))
	l.reserved += n
	l.backlog = n == 0
	return n
}

// giveUp gives reserved places back; more says that rows may have stayed behind.
func (l *lane) giveUp(n int, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reserved -= n
	l.backlog = l.backlog || more
}

// enter puts an item on its reserved place, or gives the place back when its row did not come to be.
func (l *lane) enter(it *item, committed bool) {
	l.mu.Lock()
	if !committed || l.closed {
		l.reserved--
		l.mu.Unlock()
		if committed {
			l.e.settler.giveBack(it, 0)
		}
		return
	}
	l.active = time.Now()
	l.queue = append(l.queue, it)
	spawn := len(l.queue)-l.head > l.idle && l.workers < l.e.Workers
	if spawn {
		l.workers++
		l.e.work.Add(1)
	}
	l.mu.Unlock()
	if spawn {
		go l.worker()
	} else {
		l.come.Signal()
	}
}

// worker takes items until the lane is closed or has been empty for a while.
func (l *lane) worker() {
	defer l.e.work.Done()
	for {
		it, more := l.next()
		if it == nil {
			return
		}
		if more {
			l.e.poller.wake()
		}
		l.e.attempt(l, it)
	}
}

// next returns the next item, waiting for it; nil ends the worker. more says that there is room again for rows that had none.
func (l *lane) next() (it *item, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.head == len(l.queue) {
		if l.closed {
			l.workers--
			return nil, false
		}
		l.idle++
		l.come.Wait()
		l.idle--
		if l.head == len(l.queue) && time.Since(l.active) > idleWorker {
			l.workers--
			return nil, false
		}
	}
	it = l.queue[l.head]
	l.queue[l.head] = nil
	l.head++
	if l.head == len(l.queue) {
		l.queue, l.head = l.queue[:0], 0
	} else if l.head >= 1024 {
		l.queue = append(l.queue[:0], l.queue[l.head:]...)
		l.head = 0
	}
	l.reserved--
	return it, l.backlog && l.reserved <= l.e.Room/2
}

// idleWorker is how long a lane's workers wait for the next delivery.
const idleWorker = 10 * time.Second

// sweep lets the workers of a lane end that has been empty for a while, and tells whether nothing is left of it.
func (l *lane) sweep(now time.Time) (empty bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reserved > 0 || now.Sub(l.active) <= idleWorker {
		return false
	}
	l.come.Broadcast()
	return l.workers == 0 && !l.circuit.open() && !l.backlog && now.Sub(l.active) > 10*time.Minute
}

// close ends the lane: what is queued is given back, workers end after their present attempt.
func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	queued := l.queue[l.head:]
	l.queue, l.head = nil, 0
	l.reserved -= len(queued)
	l.come.Broadcast()
	l.mu.Unlock()
	for _, it := range queued {
		l.e.settler.giveBack(it, 0)
	}
}

// drain takes everything out of the queue, when the circuit has opened.
func (l *lane) drain() []*item {
	l.mu.Lock()
	defer l.mu.Unlock()
	queued := append([]*item(nil), l.queue[l.head:]...)
	l.queue, l.head = l.queue[:0], 0
	l.reserved -= len(queued)
	l.backlog = l.backlog || len(queued) > 0
	return queued
}
