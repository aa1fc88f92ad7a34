// Package live tells what happens to whoever listens, as it happens: Server-Sent Events of an organisation's facts and delivery attempts, and of what a developer
// endpoint or a pull endpoint takes.
//
// # How it works
//
// There is one [tail] for each log on each node: facts, attempts, events of developer endpoints, events of pull endpoints. It reads what is new once for all who listen, woken by the
// commits of its own process and once a second for those of others, and puts it into the topic of whoever it belongs to. A topic holds the newest entries in
// memory. Each reader has a mark, the place of the last that it was sent, and goes from there: through the topic while its mark is in there, and through the
// database when it is further back, because it was away or is slow. So nothing waits for a reader, and a reader misses nothing.
//
// A tail reads only while somebody listens. What an entry looks like on the wire is made by the first reader that needs it, once. But what a pull endpoint took is
// looked up again when it is not fresh: it may have been deleted.
//
// # What is promised
//
// A stream has no gap and no repeat, also when it is interrupted and taken up again with the id of the last event, on another node or after a restart of the
// server. Where that cannot be, because what came after is not kept any more, an event "gap" says so. Before a stream ends because the server stops or because
// its credential is not good any more, it says "bye" and why. A reader that does not read has ten seconds for each write.
package live

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

// Config is what the streams stand on. The zero values of the counts and durations mean the defaults that are written beside them.
type Config struct {
	DB            *db.DB
	Ledger        *ledger.Ledger
	Engine        *delivery.Engine // which keeps a log of attempts
	Subscriptions *endpoint.Subscriptions
	Box           *inbound.Box
	Depot         *pull.Depot
	// Event is what a pull endpoint's event looks like in a form that its face knows, as JSON on one line. In the form "", which has no payload, of and p are nil.
	Event   func(form string, of *pull.Endpoint, e pull.Event, p *pull.Payload) ([]byte, error)
	Log     *slog.Logger
	Metrics *Metrics // may be nil

	Most          int           // streams of this node; 5000
	PerCredential int           // and of one credential; 100
	Payloads      int           // those of the node that have payloads of pull endpoints: a slow reader keeps one in memory; 200
	PayloadsOfOrg int           // and of one organisation; 50
	Heartbeat     time.Duration // after so long without an event; 15 s
	Recheck       time.Duration // how often it is looked whether a stream's credential is still good; 3 s
	Patience      time.Duration // for a write; 10 s
	Poll          time.Duration // how often a log is looked at without a reason; 1 s
	Ring          int           // entries that a topic holds in memory; 256
}

func (c *Config) defaults() {
	set(&c.Most, 5000)
	set(&c.PerCredential, 100)
	set(&c.Payloads, 200)
	set(&c.PayloadsOfOrg, 50)
	set(&c.Heartbeat, 15*time.Second)
	set(&c.Recheck, 3*time.Second)
	set(&c.Patience, 10*time.Second)
	set(&c.Poll, time.Second)
	set(&c.Ring, 256)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
}

func set[T int | time.Duration](v *T, to T) {
	if *v == 0 {
		*v = to
	}
}

// Streams are all streams of this node. [Streams.Run] feeds them.
type Streams struct {
	Config
	facts, attempts, events, pulled *tail

	pages   chan struct{} // a place for each who reads pages of the past, so that a thousand who come back leave the database to others too
	closing chan struct{} // closed when all streams are to end

	all, payloads places
}

// New makes the streams of a node.
func New(c Config) *Streams {
	c.defaults()
	s := &Streams{Config: c, pages: make(chan struct{}, 2), closing: make(chan struct{})}
	s.all = places{most: c.Most, each: c.PerCredential, whose: "This credential", what: "streams"}
	s.payloads = places{most: c.Payloads, each: c.PayloadsOfOrg, whose: "This organisation", what: "streams with payloads"}
	s.facts = newTail("facts", &c, factSource{s})
	s.attempts = newTail("attempts", &c, attemptSource{s})
	s.events = newTail("events", &c, eventSource{s})
	s.pulled = newTail("pull", &c, pullSource{s})
	return s
}

// Run feeds the streams until ctx ends, then ends them.
func (s *Streams) Run(ctx context.Context) {
	var tails sync.WaitGroup
	for _, t := range []*tail{s.facts, s.attempts, s.events, s.pulled} {
		tails.Go(func() { t.run(ctx) })
	}
	<-ctx.Done()
	close(s.closing)
	tails.Wait()
}

// read returns the database's read side, once there is a place among those who read the past, and what gives the place back.
func (s *Streams) read(ctx context.Context) (q db.Querier, done func(), err error) {
	select {
	case s.pages <- struct{}{}:
		return s.DB.Read(ctx), func() { <-s.pages }, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-s.closing:
		return nil, nil, errClosing
	}
}

var errClosing = errors.New("the server stops")
