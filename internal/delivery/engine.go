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
)

// Config is what an engine is made of. The zero values of the durations and counts mean the defaults that are written beside them.
type Config struct {
	DB            *db.DB
	Endpoints     *endpoint.Book
	Subscriptions *endpoint.Subscriptions
	Dialects      []Dialect
	// Client sends. nil makes an engine that only plans, for commands that write beside a server.
	Client *egress.Client
	// NodeName is this installation's lasting name, by which it knows its earlier selves.
	NodeName string
	Log      *slog.Logger
	Metrics  *Metrics // may be nil

	Workers int // attempts at a time for one endpoint; 16
	Room    int // deliveries queued for one endpoint while it is well; 1024

	Lease      time.Duration // 90 s; longer than an attempt can take
	Poll       time.Duration // how often the table is looked at without a reason; 1 s
	Grace      time.Duration // how long attempts under way may take when the engine stops; 10 s
	Patience   time.Duration // nothing but failures for so long are told with endpoint.failing; 15 min
	GiveUp     time.Duration // nothing but failures for so long disable an endpoint; 5 days
	WideLimit  int           // more endpoints than that are planned apart from the fact's transaction; 100
	CircuitMin int           // failures in a row that open an endpoint's circuit; 8
}

func (c *Config) defaults() {
	def(&c.Workers, 16)
	def(&c.Room, 1024)
	def(&c.Lease, 90*time.Second)
	def(&c.Poll, time.Second)
	def(&c.Grace, 10*time.Second)
	def(&c.Patience, 15*time.Minute)
	def(&c.GiveUp, 5*24*time.Hour)
	def(&c.WideLimit, 100)
	def(&c.CircuitMin, 8)
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

	node    atomic.Int64 // this start's number; 0 while it does not send
	stopped atomic.Bool

	mu    sync.Mutex // guards lanes
	lanes map[int64]*lane
	work  sync.WaitGroup // workers
}

// New makes an engine. It sends nothing before [Engine.Run].
func New(c Config) *Engine {
	c.defaults()
	e := &Engine{Config: c, dialects: map[string]Dialect{}, lanes: map[int64]*lane{}}
	for _, d := range c.Dialects {
		e.dialects[d.Format()] = d
	}
	e.settler = newSettler(e)
	e.poller = newPoller(e)
	return e
}

// sending tells whether this process sends now.
func (e *Engine) sending() bool { return e.node.Load() != 0 && !e.stopped.Load() }

// lane returns an endpoint's lane and makes it when there is none.
func (e *Engine) lane(number int64) *lane {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.lanes[number]
	if l == nil {
		l = newLane(e, number)
		e.lanes[number] = l
	}
	return l
}

// Run sends until ctx ends, then lets attempts under way come to their end, gives back what was not begun, and returns.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.join(ctx); err != nil {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // stopped before it began
		}
		return err
	}
	var parts sync.WaitGroup
	parts.Go(func() { e.poller.run(ctx) })
	parts.Go(func() { e.beat(ctx) })
	<-ctx.Done()
	e.stop()
	parts.Wait()
	return e.leave()
}

// stop takes no new work and waits for what is under way, for as long as Grace.
func (e *Engine) stop() {
	e.stopped.Store(true)
	e.mu.Lock()
	for _, l := range e.lanes {
		l.close()
	}
	e.mu.Unlock()
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
	e.settler.flush()
}
