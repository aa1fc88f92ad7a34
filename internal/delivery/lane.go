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
	id       id.Delivery
	org      int64
	key      int64
	attempt  int // attempts made
	series   int // attempts made before the present run of retries
	lane     *lane
	revision int64     // of the configuration, when this node took it
	lease    int64     // the lease's end as it is stored; with the owner it says which lease this is
	until    time.Time // not later than that, by this machine's clock
}

// shared is a fact with the envelopes that have been made of it, for all its deliveries that are in memory at once.
type shared struct {
	fact   *fact.Fact
	erased bool // its people were erased before it was read

	mu        sync.Mutex // guards envelopes
	envelopes []*envelope
}

// envelope is a body, made once.
type envelope struct {
	variant string
	again   bool // for deliveries that were attempted before, whose bytes have been kept
	made    sync.Once
	body    []byte
	hash    [sha256.Size]byte
	err     error

	keeping sync.Once
	sealed  []byte
}

// envelope returns the place of a variant's body.
func (s *shared) envelope(variant string, again bool) *envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.envelopes {
		if v.variant == variant && v.again == again {
			return v
		}
	}
	v := &envelope{variant: variant, again: again}
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
	taken    int // items that workers took and have not begun to send: they wait for the rate limit
	workers  int
	idle     int       // of the workers, those that wait
	backlog  bool      // rows may be due in the table that had no room
	keyed    bool      // there are deliveries with a key
	blocked  time.Time // when rows were seen that may wait for another with the same key; zero when nothing is due
	from     int64     // where the next look at due rows begins, see window
	closed   bool      //
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

// room says how much may be put in now: while the endpoint fails or its rate is limited, hardly any: what is queued is leased, and must be
// sent before the lease ends.
func (l *lane) room(now time.Time) int {
	limit := l.e.Room
	switch {
	case l.closed:
		return 0
	case l.circuit.open() && now.Before(l.circuit.until):
		limit = 0
	case l.circuit.open():
		limit = 1 - (l.workers - l.idle) // one probe at a time
	case l.circuit.failures > 0:
		limit = min(limit, 2*l.e.Workers)
	}
	if n := l.set.rate(); n > 0 { // what can go within longestWait
		limit = min(limit, n*int(longestWait/time.Second)-l.taken)
	}
	return limit - l.reserved
}

// reserve takes a place, or reports that there is none. Whoever gets none tells the lane when the row is on disk: see [lane.leftBehind].
func (l *lane) reserve() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.room(time.Now()) <= 0 {
		return false
	}
	l.reserved++
	return true
}

// take reserves up to all the room there is but at most most places, for rows that are about to be claimed.
func (l *lane) take(most int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := max(0, min(most, l.room(time.Now())))
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

// leftBehind notes that rows are on disk that had no room, or that wait for another with the same key, and has the poller come when there is room
// already.
func (l *lane) leftBehind(blocked bool) {
	l.mu.Lock()
	if blocked {
		l.keyed, l.blocked = true, time.Now()
	} else {
		l.backlog = true
	}
	now := l.wantsMore()
	l.mu.Unlock()
	if now {
		l.e.poller.hot(l.number)
	}
}

// enter puts an item on its reserved place, or gives the place back when its row did not come to be.
func (l *lane) enter(it *item, committed bool) {
	l.mu.Lock()
	if !committed || l.closed {
		l.reserved--
		more := l.backlog && !l.closed
		l.mu.Unlock()
		switch {
		case committed:
			l.e.settler.giveBack(it, 0)
		case more:
			l.e.poller.hot(l.number)
		}
		return
	}
	l.active = time.Now()
	l.keyed = l.keyed || it.key != 0
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
			l.e.poller.hot(l.number)
		}
		if s, ok := l.ready(it); ok {
			l.e.attempt(l, it, s)
		}
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
		n := copy(l.queue, l.queue[l.head:])
		clear(l.queue[n:])
		l.queue, l.head = l.queue[:n], 0
	}
	l.reserved--
	l.taken++
	return it, l.wantsMore()
}

// wantsMore tells whether there is room for rows that had none. The mutex is held.
func (l *lane) wantsMore() bool {
	return l.backlog && l.reserved <= l.e.Room/2 && l.room(time.Now()) > 0
}

// idleWorker is how long a lane's workers wait for the next delivery.
const idleWorker = 10 * time.Second

// idleLane is how long an empty lane is remembered, with what its endpoint's failures have taught.
const idleLane = 10 * time.Minute

// sweep lets the workers of a lane end that has been empty for a while, and tells whether nothing is left of it. due tells whether rows were due
// at that instant.
func (l *lane) sweep(now time.Time, due bool) (empty bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !due && l.blocked.Before(now) {
		l.blocked = time.Time{}
	}
	if l.reserved > 0 || now.Sub(l.active) <= idleWorker {
		return false
	}
	l.come.Broadcast()
	if l.workers == 0 && cap(l.queue) > 64 {
		l.queue, l.head = nil, 0
	}
	return l.workers == 0 && now.Sub(l.active) > idleLane
}

// close ends the lane: what is queued is given back, workers end after their present attempt.
func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	for _, it := range l.drain() {
		l.e.settler.giveBack(it, 0)
	}
	l.come.Broadcast()
}

// drain takes everything out of the queue, when the circuit has opened or the lane closes.
func (l *lane) drain() []*item {
	l.mu.Lock()
	defer l.mu.Unlock()
	queued := l.queue[l.head:]
	l.queue, l.head = nil, 0
	l.reserved -= len(queued)
	l.backlog = l.backlog || len(queued) > 0
	return queued
}

// held is how many places are reserved.
func (l *lane) held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reserved
}

// restsUntil is when an open circuit lets the next probe through; zero when it is closed.
func (l *lane) restsUntil() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.circuit.until
}

// hasBlocked tells whether a delivery may be waiting for another with the same key.
func (l *lane) hasBlocked() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.blocked.IsZero()
}
