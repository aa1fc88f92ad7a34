package delivery

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// Config is what an engine is made of. The zero values of the durations and counts mean the defaults that are written beside them.
type Config struct {
	DB            *db.DB
	Endpoints     *endpoint.Book
	Subscriptions *endpoint.Subscriptions
	Keys          *seal.Keyring // seals the bodies that are kept; nil only where nothing is sent
	Dialects      []Dialect
	// Client sends. nil makes an engine that only plans, for commands that write beside a server. When Run stops and attempts take longer than
	// Grace, the engine closes it.
	Client *egress.Client
	// NodeName is this installation's lasting name, by which it knows its earlier selves.
	NodeName string
	Log      *slog.Logger
	Metrics  *Metrics // may be nil

	Workers int // attempts at a time for one endpoint; 16
	Room    int // deliveries queued for one endpoint while it is well; 1024

	Lease      time.Duration // 90 s; made longer where an attempt and its settling could outlast it
	Margin     time.Duration // what settling may take beyond an attempt; 5 s
	Poll       time.Duration // how often the table is looked at without a reason; 1 s
	Grace      time.Duration // how long attempts under way may take when the engine stops; 10 s
	Beat       time.Duration // how often a node says that it lives; 2 s
	Dead       time.Duration // without a sign of life for so long, a node's leases are given to others; 10 s
	Patience   time.Duration // nothing but failures for so long are told with endpoint.failing; 15 min
	GiveUp     time.Duration // nothing but failures for so long disable an endpoint; 5 days
	WideLimit  int           // more endpoints than that are planned apart from the fact's transaction; 100
	CircuitMin int           // failures in a row that open an endpoint's circuit; 8

	// PublicAnswersOnly keeps nothing of an answer but its status when it came from a network that is not public, which the operator has opened.
	PublicAnswersOnly bool
}

func (c *Config) defaults() {
	def(&c.Workers, 16)
	def(&c.Room, 1024)
	def(&c.Lease, 90*time.Second)
	def(&c.Margin, 5*time.Second)
	def(&c.Poll, time.Second)
	def(&c.Grace, 10*time.Second)
	def(&c.Beat, 2*time.Second)
	def(&c.Dead, 10*time.Second)
	def(&c.Patience, 15*time.Minute)
	def(&c.GiveUp, 5*24*time.Hour)
	def(&c.WideLimit, 100)
	def(&c.CircuitMin, 8)
	for _, d := range c.Dialects {
		c.Lease = max(c.Lease, 2*(d.Policy().timeout()+c.Margin))
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
}

func def[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Engine plans and sends deliveries. Make one with [New]; [Engine.Run] has it send.
type Engine struct {
	Config
	dialects map[string]Dialect
	settler  *settler
	poller   *poller
	chores   *chores
	log      *ledger.Log // of attempts; nil for none

	node     atomic.Int64  // this start's number; 0 while it does not send
	skew     atomic.Int64  // nanoseconds that the database's clock is ahead of this machine's
	doubt    atomic.Int64  // leases that end before this instant (nanoseconds, local) may have been taken away
	stopped  atomic.Bool   // no new work is taken
	stopping chan struct{} // closed when it stops

	mu    sync.Mutex // guards lanes
	lanes map[int64]*lane
	work  sync.WaitGroup // workers, and small writes that they began
}

// New makes an engine. It sends nothing before [Engine.Run].
func New(c Config) *Engine {
	c.defaults()
	if c.Keys == nil && c.Client != nil {
		panic("delivery: an engine that sends needs keys")
	}
	e := &Engine{Config: c, dialects: map[string]Dialect{}, lanes: map[int64]*lane{}, stopping: make(chan struct{})}
	for _, d := range c.Dialects {
		e.dialects[d.Format()] = d
	}
	e.settler = newSettler(e)
	e.poller = newPoller(e)
	e.chores = newChores(e)
	return e
}

// sending tells whether this process sends now.
func (e *Engine) sending() bool { return e.node.Load() != 0 && !e.stopped.Load() }

// lane returns an endpoint's lane and makes it when there is none. to may be nil where its settings are not known for certain.
func (e *Engine) lane(number int64, to *endpoint.Endpoint) *lane {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.lanes[number]
	if l == nil {
		l = newLane(e, number)
		if to != nil {
			l.set = e.prepare(to)
			l.keyed = to.Options.Ordered
		}
		l.closed = e.stopped.Load()
		e.lanes[number] = l
	}
	return l
}

// Run sends until ctx ends, then lets attempts under way come to their end, gives back what was not begun, and returns. An engine runs once.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.join(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it began
		}
		return err
	}
	alive, rest := context.WithCancel(context.WithoutCancel(ctx)) // until the last attempt has ended, other nodes must know that this one lives
	defer rest()
	var parts, heart sync.WaitGroup
	parts.Go(func() { e.poller.run(ctx) })
	parts.Go(func() { e.chores.run(ctx) })
	parts.Go(func() { e.heed(ctx) })
	heart.Go(func() { e.beat(alive) })
	<-ctx.Done()
	e.stop(&parts)
	rest()
	heart.Wait()
	return e.leave()
}

// heed looks for changed endpoints twice in each [Config.Poll], whatever the poller is busy with: what was deleted or limited, here or on another
// node, is sent nothing more after that. Errors are the poller's to tell, which asks the same database.
func (e *Engine) heed(ctx context.Context) {
	ticker := time.NewTicker(e.Poll / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = e.Subscriptions.Refresh(ctx)
		}
	}
}

// stop takes no new work and waits for what is under way, for as long as Grace.
func (e *Engine) stop(parts *sync.WaitGroup) {
	e.stopped.Store(true)
	close(e.stopping)
	for _, l := range e.allLanes() {
		l.close()
	}
	parts.Wait()
	done := make(chan struct{})
	go func() {
		e.work.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(e.Grace):
		e.Client.Close() // ends the attempts; they count as not made
		<-done
	}
	e.awaitPlans()
	e.settler.flush()
}

func (e *Engine) allLanes() []*lane {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]*lane, 0, len(e.lanes))
	for _, l := range e.lanes {
		all = append(all, l)
	}
	return all
}

// awaitPlans waits for transactions that took room in a lane before it was closed: their rows are leased to this node until they are given
// back. Those that take longer than a second leave theirs to the next start.
func (e *Engine) awaitPlans() {
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		open := 0
		for _, l := range e.allLanes() {
			open += l.held()
		}
		if open == 0 {
			return
		}
	}
}
