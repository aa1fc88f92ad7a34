// Package inbound takes in webhooks that others send. What it has so far are developer endpoints: boxes without rules, for whoever is building a sender or a
// receiver and wants to see what arrives.
//
// # The way of an event
//
// [Box.Door] answers POST /api/webhook/{DEV-id}. It reads the body once and keeps its bytes as they came, with the headers (but no credentials in them) and
// what the body calls the event. A signature is checked with the endpoint's secret, in whichever scheme of package webhook the headers show, and the verdict is kept:
// an event with a bad signature is taken like any other, because seeing why it is bad is what the box is for. The answer is given after the commit; which
// answer, and after how long, is the owner's to choose ([Answer]), so that a sender's retries can be tried.
//
// # Who may do what
//
// Whoever knows the id may send, and nothing else: it is short, and guessing one gives no more than that. Reading is for the account that made the endpoint: a
// person, a key, or what a person has allowed an app ([Whose]). An account has five endpoints at most; one that is not used for ninety days ends.
//
// # What is kept
//
// The newest thousand events of an endpoint, for a week. [Box.Run] removes the rest once a minute, so for that long there may be more. Events have places as
// facts have, so that they can be tailed: see [Box.Log].
package inbound

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// Config is what a box is made of. The zero values of the counts and durations mean the defaults that are written beside them.
type Config struct {
	DB     *db.DB
	Keys   *seal.Keyring
	Ledger *ledger.Ledger
	// Known tells whether an event's name is one of a vocabulary that the program speaks; nil for none.
	Known func(name string) bool
	Log   *slog.Logger

	PerSecond float64       // events that an endpoint takes in the long run, on each node; 50
	Burst     int           // and at once; 200
	Delayed   int           // answers that an endpoint can be holding back; 16
	DelayedIn int           // and all endpoints together; 256
	Keep      int           // events of an endpoint; 1000
	KeepFor   time.Duration // 7 days
	Sweep     time.Duration // how often what is over is removed; a minute
}

func (c *Config) defaults() {
	set(&c.PerSecond, 50)
	set(&c.Burst, 200)
	set(&c.Delayed, 16)
	set(&c.DelayedIn, 256)
	set(&c.Keep, 1000)
	set(&c.KeepFor, 7*24*time.Hour)
	set(&c.Sweep, time.Minute)
	if c.Known == nil {
		c.Known = func(string) bool { return false }
	}
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

// Box is all developer endpoints of a database, and what they have taken. It is safe for use by many goroutines.
type Box struct {
	config Config
	log    *ledger.Log

	closing chan struct{} // closed when answers are not held back any more
	all     chan struct{} // holds a place for each answer that is held back

	mu     sync.Mutex // guards the rest
	states map[int64]*state
}

// state is what this node knows of an endpoint that was used lately.
type state struct {
	limiter *rate.Limiter
	delayed int
	touched time.Time // when its use was last written down by this node
	grown   bool      // it has taken something since the last sweep
}

// New makes the box of a migrated database.
func New(c Config) *Box {
	c.defaults()
	return &Box{
		config: c, closing: make(chan struct{}), all: make(chan struct{}, c.DelayedIn), states: map[int64]*state{},
		log: c.Ledger.Log("inbound_events", "seq bigint", "day bigint", "org_id bigint", "endpoint_no bigint", "at bigint", "event text", "known boolean", "verdict text",
			"scheme text", "reason text", "headers text", "body bytea", "answer_status bigint"),
	}
}

// Log is the log of what was taken, whose rows are read with [Box.After].
func (b *Box) Log() *ledger.Log { return b.log }

// Run removes what is over, until ctx ends; then answers that are held back are given. A box runs once.
func (b *Box) Run(ctx context.Context) {
	defer close(b.closing)
	ticker := time.NewTicker(b.config.Sweep)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := b.sweep(ctx); err != nil && ctx.Err() == nil {
			b.config.Log.Warn("sweep developer endpoints", "err", err)
		}
	}
}

// state returns what is known of an endpoint. The box is locked.
func (b *Box) state(no int64) *state {
	s := b.states[no]
	if s == nil {
		s = &state{limiter: rate.NewLimiter(rate.Limit(b.config.PerSecond), b.config.Burst)}
		b.states[no] = s
	}
	return s
}
