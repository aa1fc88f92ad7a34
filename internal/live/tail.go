package live

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

// source is a log that can be tailed.
type source interface {
	// last is where a tail begins that wants nothing of the past.
	last(ctx context.Context) (ledger.Place, error)
	// next returns what comes after a place, everybody's, and whether there may be more.
	next(ctx context.Context, after ledger.Place) (entries []*entry, more bool, err error)
	// page returns what of one topic comes after a place, the place up to which it has looked, and whether there may be more.
	page(ctx context.Context, topic int64, after ledger.Place) (entries []*entry, last ledger.Place, more bool, err error)
	// listen is told that there may be something new.
	listen() (rung <-chan struct{}, end func())
}

// entry is one row of a log. Its parts are made when the first reader needs them, and shared by all.
type entry struct {
	place ledger.Place
	topic int64
	at    time.Time
	fact  *fact.Fact  // of facts
	event id.Received // of pull endpoints
	make  func(ctx context.Context) ([]part, error)

	size      atomic.Int64 // of what is in memory, in bytes
	mu        sync.Mutex   // guards the rest; held while something is made
	parts     []part
	made      bool
	envelopes map[string][]byte // by format; empty where it has none
	forms     map[string]form   // of a pull endpoint's event
}

// part is an event of a stream, without its id: a log of attempts has several in a row.
type part struct {
	id      string // where it is its own; else the stream's
	payload []byte // "event: …\ndata: …\n\n"
	webhook int64  // the number of the webhook that it is about; 0 for none
}

// load returns the entry's parts.
func (e *entry) load(ctx context.Context) ([]part, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.made {
		return e.parts, nil
	}
	parts, err := e.make(ctx)
	if err != nil {
		return nil, err
	}
	e.parts, e.made, e.make = parts, true, nil
	for _, p := range parts {
		e.size.Add(int64(len(p.payload)))
	}
	return parts, nil
}

// topicBytes bounds what the entries of a topic have in memory, as far as it is made, beyond the newest.
const topicBytes = 1 << 20

// topic is what is new for some readers: an organisation's, or an endpoint's.
type topic struct {
	readers int // guarded by the tail's mutex

	mu      sync.Mutex // guards the rest
	floor   ledger.Place
	entries []*entry // all that stand after floor, up to where the tail is
	changed chan struct{}
}

// add puts new entries in, and takes out old ones.
func (t *topic) add(entries []*entry, most int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = append(t.entries, entries...)
	drop := max(0, len(t.entries)-most)
	size := int64(0)
	for i := len(t.entries) - 1; i > drop; i-- {
		if size += t.entries[i].size.Load(); size > topicBytes {
			drop = i
		}
	}
	if drop > 0 {
		t.floor = t.entries[drop-1].place
		t.entries = slices.Delete(t.entries, 0, drop)
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

// some is how many entries a reader takes at once.
const some = 32

// after returns the next entries after a mark and what is closed when there are more. behind tells that the mark is further back than the topic's floor.
func (t *topic) after(m mark) (next []*entry, floor ledger.Place, behind bool, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := m.from()
	if from.Compare(t.floor) < 0 {
		return nil, t.floor, true, nil
	}
	i, _ := slices.BinarySearchFunc(t.entries, from, func(e *entry, p ledger.Place) int {
		if e.place.Compare(p) <= 0 {
			return -1
		}
		return 1
	})
	next = t.entries[i:]
	return slices.Clone(next[:min(len(next), some)]), t.floor, false, t.changed
}

// newest is the place of the last entry.
func (t *topic) newest() ledger.Place {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.entries) == 0 {
		return t.floor
	}
	return t.entries[len(t.entries)-1].place
}

// tail reads what is new in a log while anybody listens, and puts it into topics.
type tail struct {
	source
	name   string
	config *Config
	wanted chan struct{} // holds something when the first reader has come

	mu     sync.Mutex // guards the rest
	topics map[int64]*topic
	at     ledger.Place // everything up to here is in the topics
}

func newTail(name string, c *Config, s source) *tail {
	return &tail{source: s, name: name, config: c, wanted: make(chan struct{}, 1), topics: map[int64]*topic{}}
}

// join returns a topic, in which everything will be that comes after its floor, and what leaves it.
func (t *tail) join(ctx context.Context, key int64) (*topic, func(), error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.topics) == 0 {
		at, err := t.last(ctx)
		if err != nil {
			return nil, nil, err
		}
		t.at = at
		select {
		case t.wanted <- struct{}{}:
		default:
		}
	}
	o := t.topics[key]
	if o == nil {
		o = &topic{floor: t.at, changed: make(chan struct{})}
		t.topics[key] = o
	}
	o.readers++
	return o, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if o.readers--; o.readers == 0 {
			delete(t.topics, key)
		}
	}, nil
}

// from returns where to read on, and false when nobody listens.
func (t *tail) from() (ledger.Place, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at, len(t.topics) > 0
}

// hiddenSoon is when a log on PostgreSQL is looked at again after something was announced: it may still be hidden by a transaction elsewhere, whose end is not announced.
// Then it is twice that, and so on.
const hiddenSoon = 5 * time.Millisecond

func (t *tail) run(ctx context.Context) {
	rung, end := t.listen()
	defer end()
	failures := 0
	for poll := t.config.Poll; ctx.Err() == nil; {
		at, on := t.from()
		if !on {
			select {
			case <-t.wanted:
			case <-ctx.Done():
			}
			continue
		}
		entries, more, err := t.next(ctx, at)
		if err != nil {
			if ctx.Err() == nil {
				t.config.Log.Warn("streams fall behind", "log", t.name, "err", err)
			}
			failures++
			wait(ctx, nil, 50*time.Millisecond<<min(failures, 6))
			continue
		}
		failures = 0
		t.publish(at, entries)
		if more {
			continue
		}
		if wait(ctx, rung, poll) && t.config.Ledger.Hides() {
			poll = hiddenSoon
		} else {
			poll = min(2*poll, t.config.Poll)
		}
	}
}

// publish puts entries that were read after a place into their topics. When everybody has left and somebody come meanwhile, they are not for them.
func (t *tail) publish(from ledger.Place, entries []*entry) {
	if len(entries) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at != from {
		return
	}
	t.at = entries[len(entries)-1].place
	wanted := map[int64][]*entry{}
	now := time.Now()
	for _, e := range entries {
		if t.topics[e.topic] != nil {
			wanted[e.topic] = append(wanted[e.topic], e)
			t.config.Metrics.lag.WithLabelValues(t.name).Observe(max(0, now.Sub(e.at).Seconds()))
		}
	}
	for key, list := range wanted {
		t.topics[key].add(list, t.config.Ring)
	}
}

// wait waits for d, or until it is woken, which it reports, or ctx ends.
func wait(ctx context.Context, rung <-chan struct{}, d time.Duration) (woken bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-rung:
		return true
	case <-timer.C:
	}
	return false
}
