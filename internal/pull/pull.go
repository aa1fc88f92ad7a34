// Package pull takes in webhooks whose receivers cannot be called: a provider (Stripe, GitHub, …) posts to a pull endpoint's URL, and the owner's own systems
// fetch what came, acknowledge it, and delete it.
//
// [Depot] is all pull endpoints of a database. An [Endpoint] says how its senders prove who they are, how an event's type and its sender's own key are found, and
// how long events are kept. An [Event] is one request that was taken; its [Payload] are the bytes that came, exactly.
//
// # The way of an event
//
// [Depot.Receive] checks a request in this order: method, endpoint, deleted, secret, paused, network, rate, size, token, signature and its time. It then writes
// the event down, in one transaction that it shares with others, and returns after that is on disk. A request under a key that the endpoint has taken
// before is not stored again: its sender is given the first event's id. What is refused, but for a paused endpoint and one that is too busy, is kept as a [Rejection].
//
// An event is [Stored], then [Fetched], then [Delivered], and never goes back. [Depot.Fetch] hands one out; [Depot.Claim] hands out the next ones under a
// lease, during which no other claim gets them; [Depot.Ack] says that they are done. What was handed out and never acknowledged is claimed again, so consumers see
// an event at least once. A deleted event's payload is out of reach at once, and its sender's key is free; that it came, and when, stays in the logs.
//
// # What is promised
//
//   - Accepted means on disk. When there is no room, nothing is accepted, and the problem is Insufficient (507).
//   - Of any number of requests under one key, one is stored, and all are answered with its id.
//   - An event is out of sight from the instant on at which its retention ends, whenever its rows are removed.
//   - Counts are exact, and cost the same however many events there are; so do lists and fetches.
//   - Lists are in the order of arrival. Who goes through one by its cursors sees each event that was there throughout once.
//   - An endpoint's URL is a secret of 256 bits, which is stored as a hash. The HMAC's secret is sealed.
//
// # What is left to others
//
// What signatures look like is package provider's. URLs, statuses and JSON are the dialect's; so is asking whether the caller may do what it asks. Whether
// an address is the sender's or a proxy's is for the face to say.
package pull

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// Config is what a depot is made of. The zero values of the counts and durations mean the defaults that are written beside them.
type Config struct {
	DB     *db.DB
	Keys   *seal.Keyring
	Ledger *ledger.Ledger
	// Webhooks finds those that events are handed on to; nil where none are.
	Webhooks Webhooks
	Log      *slog.Logger
	// Now is the clock, for tests. When it is nil, the transaction's is read, and time.Now where there is none.
	Now func() time.Time

	MaxBody      int   // bytes of a body; 1 MiB
	MaxEndpoints int   // of an organisation; 1000
	MaxEvents    int64 // that an organisation keeps at once; 0 for no bound
	MaxBytes     int64 // of their bodies; 0 for no bound

	PerSecond float64 // events that an endpoint takes in the long run, on each node; 1000, and no bound when negative
	Burst     int     // and at once; five times as many

	RefusalsOf int // refusals of an endpoint that are kept of an hour, by each node; 100
	Refusals   int // and of an organisation; 1000

	Sweep time.Duration // how often what is over is removed; 10 s
}

func (c *Config) defaults() {
	set(&c.MaxBody, 1<<20)
	set(&c.MaxEndpoints, 1000)
	set(&c.PerSecond, 1000)
	set(&c.Burst, int(5*c.PerSecond))
	set(&c.RefusalsOf, 100)
	set(&c.Refusals, 1000)
	set(&c.Sweep, 10*time.Second)
	if c.Log == nil {
		c.Log = slog.Default()
	}
}

func set[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// Depot is all pull endpoints of a database, and what they keep. It is safe for use by many goroutines.
type Depot struct {
	config Config
	log    *ledger.Log
	shard  int64 // of this depot's counts

	cache    cache
	refusals refusals
	usage    usage
	swept    chan struct{} // holds something when there is work for the sweep

	mu       sync.Mutex // guards the rest
	limiters map[int64]*rate.Limiter
	bells    map[int64]*bell
	folded   time.Time // when counts were last added up
}

// New makes the depot of a migrated database.
func New(c Config) *Depot {
	c.defaults()
	var b [4]byte
	_, _ = rand.Read(b[:])
	d := &Depot{
		config: c, shard: int64(binary.BigEndian.Uint32(b[:])) + 1, swept: make(chan struct{}, 1),
		limiters: map[int64]*rate.Limiter{}, bells: map[int64]*bell{},
		log: c.Ledger.Log("pull_events", "seq bigint", "day bigint", "org_id bigint", "endpoint_no bigint", "at bigint", "state bigint", "type text",
			"content_type text", "size bigint", "took bigint", "dedup bytea", "due bigint"),
	}
	d.cache.entries = map[id.PullEndpoint]cached{}
	d.refusals.spent = map[int64]int{}
	d.usage.orgs = map[int64]*used{}
	return d
}

// MaxBody is how many bytes a body may have.
func (d *Depot) MaxBody() int { return d.config.MaxBody }

// now is the instant of a transaction, or else the present.
func (d *Depot) now(q db.Querier) time.Time {
	tx, ok := q.(*db.Tx)
	switch {
	case ok && d.config.Now == nil:
		return tx.Now()
	case ok:
		if known, ok := tx.Known(clock{d}); ok {
			return known.(time.Time)
		}
	case d.config.Now == nil:
		return time.Now().UTC().Truncate(time.Microsecond)
	}
	now := d.config.Now().UTC().Truncate(time.Microsecond)
	if ok {
		tx.Know(clock{d}, now) // a transaction has one instant
	}
	return now
}

// clock is by what a transaction knows the instant that a depot's own clock gave it.
type clock struct{ of *Depot }

// bell is an endpoint's, while somebody listens.
type bell struct {
	ledger.Bell
	listeners int
}

// Listen returns a channel that holds something after the endpoint has taken an event on this node, once however many, and what ends that. Another node's
// events are not announced: who waits long looks now and then.
func (d *Depot) Listen(endpoint int64) (rung <-chan struct{}, end func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.bells[endpoint]
	if b == nil {
		b = &bell{}
		d.bells[endpoint] = b
	}
	b.listeners++
	rung, leave := b.Listen()
	return rung, sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		leave()
		if b.listeners--; b.listeners == 0 {
			delete(d.bells, endpoint)
		}
	})
}

func (d *Depot) ring(endpoint int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b := d.bells[endpoint]; b != nil {
		b.Ring()
	}
}

// Run removes what is over and writes refusals down, until ctx ends.
func (d *Depot) Run(ctx context.Context) {
	var flushing sync.WaitGroup
	flushing.Go(func() { d.flush(ctx) })
	defer flushing.Wait()
	ticker := time.NewTicker(d.config.Sweep)
	defer ticker.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			err = d.Tidy(ctx)
		case <-d.swept:
			err = errors.Join(d.erase(ctx), d.clear(ctx))
		}
		if err != nil && ctx.Err() == nil {
			d.config.Log.Warn("tidy pull endpoints", "err", err)
		}
	}
}

// flush writes refusals down, however long the sweep takes.
func (d *Depot) flush(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			d.last(ctx)
			return
		case <-ticker.C:
			if err := d.Flush(ctx); err != nil && ctx.Err() == nil {
				d.config.Log.Warn("write refusals of pull endpoints down", "err", err)
			}
		}
	}
}

// last writes down what was refused before the end.
func (d *Depot) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := d.Flush(ctx); err != nil {
		d.config.Log.Warn("write refusals of pull endpoints down", "err", err)
	}
}

// sweepSoon has the sweep look without waiting for its time.
func (d *Depot) sweepSoon() {
	select {
	case d.swept <- struct{}{}:
	default:
	}
}
