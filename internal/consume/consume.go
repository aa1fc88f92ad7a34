// Package consume works off what a pull endpoint of a running server has taken in: it claims events, has a command run for each or writes them down, and
// acknowledges them.
//
// A [Consumer] is a run of [Options]. With a command line, sh runs it once for each event, with the payload's exact bytes on its standard input and the event's id, type,
// media type and time in its environment; what strangers sent is never part of the command line. Without one, each event is written to a writer as a line of JSON.
// Any number of consumers share an endpoint: the server hands an event to one of them at a time, under a lease, which is extended while the event is here.
//
// # What is promised
//
// An event is acknowledged only after its command has ended with status 0, or after its line was written; the one exception is an event whose payload the server
// has erased, for which there is nothing to run. So nothing is lost, however a consumer ends: what it had comes again, to whoever claims next, when its lease is over. An
// event may therefore come more than once, and commands should not mind. A command that ends otherwise has its event back after a pause, which grows
// with each time, and which the server keeps: an event that nobody can work off stands in nobody's way.
//
// A server that cannot be reached is tried again, with growing pauses. What cannot get better by itself (a wrong key, an endpoint that is gone) ends the consumer with an
// error, after the commands that run.
//
// # What is left to others
//
// Leases, and which event is next, are the server's. How a person is told, and signals, are the command line's.
package consume

import (
	"context"
	"io"
	"os/exec"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/remote"
)

// Bounds of the options. Those of claims and leases are the server's.
const (
	MaxConcurrency = 256
	MaxLimit       = 100
	MinLease       = time.Second
	MaxLease       = 12 * time.Hour
)

// Options say what is worked off, and how.
type Options struct {
	Server   *remote.Server
	Endpoint string // the pull endpoint's id, a UUID
	Type     string // events of this type only; "" for all

	Exec        string    // command line that sh runs for each event; "" to write events down
	Concurrency int       // commands that run at once, 1 to MaxConcurrency; 1 when 0
	Stdout      io.Writer // of the commands, and where events are written down; a file, or safe for use by as many as run
	Stderr      io.Writer // of the commands

	Lease time.Duration // whole seconds, MinLease to MaxLease; a minute when 0
	Limit int           // events of a claim, 1 to MaxLimit; when 0, as many as can run at once, or MaxLimit where they are written down
	Once  bool          // end when there is nothing to claim
	Count int           // end after so many events, however their commands end; 0 for never
	NoAck bool          // leave what was written down: it comes again when its lease is over

	// Kill ends what runs, and the consumer, at once. When it is nil, nothing does.
	Kill context.Context

	// Tell is told what happens, one report at a time.
	Tell func(Report)
}

// A Report is one thing that happened to a consumer.
type Report struct {
	What  What
	At    time.Time
	Event string        // its id, of all but Lost
	Type  string        // the event's; may be empty
	Exit  int           // the command's status, of Failed; -1 when it was killed or could not be started
	Took  time.Duration // that the command ran, of Acked and Failed
	Next  time.Duration // until the event may come again, of Failed; until the server is tried again, of Lost
	Err   error         // why, of Failed, Unleased and Lost
}

// What kind of report it is.
type What string

// The kinds of reports.
const (
	Started  What = "started"  // a command runs
	Acked    What = "acked"    // its command ended with status 0, and the server knows
	Failed   What = "failed"   // its command ended otherwise
	Skipped  What = "skipped"  // the server has erased its payload; it was acknowledged
	Unleased What = "unleased" // its lease is lost, so that it may run elsewhere too
	Released What = "released" // it was given back without having run
	Lost     What = "lost"     // the server could not be reached, or was busy, and will be tried again
)

// Summary counts what a consumer did.
type Summary struct {
	Events  int // that commands ran for, or that were written down
	Acked   int // of these
	Failed  int // commands that ended with another status than 0
	Skipped int
}

// Consumer is a run of [Options].
type Consumer struct {
	Options
	api    api
	pauses pauses

	slots   chan struct{}  // one for each command that runs
	running sync.WaitGroup // the commands
	waiting []*held        // claimed and not started; of the goroutine of Run
	broken  chan error     // why it is no use to go on, of what goes on beside Run

	mu   sync.Mutex // guards below, and Tell
	sum  Summary
	busy map[string]*held // whose commands run, by the event's id
}

// New checks the options. What is wrong with them is a [*problem.Error].
func New(o Options) (*Consumer, error) {
	endpoint, ok := id.ParsePullEndpoint(o.Endpoint)
	if !ok {
		return nil, wrong("invalid_endpoint", "%q is no pull endpoint's id, which is a UUID.", o.Endpoint)
	}
	if o.Lease == 0 {
		o.Lease = time.Minute
	}
	if o.Concurrency == 0 {
		o.Concurrency = 1
	}
	if o.Kill == nil {
		o.Kill = context.Background()
	}
	switch {
	case o.Lease < MinLease || o.Lease > MaxLease || o.Lease%time.Second != 0:
		return nil, wrong("invalid_lease", "A lease has whole seconds, from 1s to 12h.")
	case o.Concurrency < 1 || o.Concurrency > MaxConcurrency:
		return nil, wrong("invalid_concurrency", "From 1 to %d commands run at once.", MaxConcurrency)
	case o.Limit < 0 || o.Limit > MaxLimit:
		return nil, wrong("invalid_limit", "From 1 to %d events are claimed at once.", MaxLimit)
	case o.Count < 0:
		return nil, wrong("invalid_count", "The count is 0 or more.")
	case o.Exec != "" && o.NoAck:
		return nil, wrong("invalid_no_ack", "Only what is written down can be left as it is; a command says by its exit status what becomes of an event.")
	case o.Exec == "" && o.Concurrency != 1:
		return nil, wrong("invalid_concurrency", "Without a command, events are written down one after the other.")
	}
	if o.Exec != "" {
		if _, err := exec.LookPath(shell[0]); err != nil {
			return nil, wrong("no_shell", "Command lines are run by %s, which is not to be found here: %v.", shell[0], err)
		}
	}
	return &Consumer{
		Options: o, api: api{o.Server, "/v1/pull-endpoints/" + string(endpoint)}, slots: make(chan struct{}, o.Concurrency), broken: make(chan error, 1),
		busy: map[string]*held{},
	}, nil
}

func wrong(code, detail string, args ...any) error {
	return problem.New(problem.Invalid, code, detail, args...)
}

// Run works until the context ends, which is no error, or there is nothing more to do, or it is no use to go on. When the context ends, nothing more is
// claimed or started; Run returns when the commands that run have ended, and the rest was given back. It runs once.
func (c *Consumer) Run(ctx context.Context) (Summary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.Kill, cancel)()
	work := c.exec
	if c.Exec == "" {
		work = c.write
	}
	err := c.loop(ctx, work)
	c.running.Wait()
	c.giveBack()
	select {
	case why := <-c.broken: // after the loop, also of the commands that ran on
		if err == nil {
			err = why
		}
	default:
	}
	if killed := c.Kill.Err(); killed != nil {
		err = killed
	}
	return c.sum, err
}

// loop claims events and has them worked off, until there is a reason to end.
func (c *Consumer) loop(ctx context.Context, work func(context.Context) error) error {
	for ctx.Err() == nil && !c.enough() {
		if len(c.broken) > 0 {
			return nil // Run knows
		}
		if len(c.waiting) == 0 {
			more, err := c.claim(ctx)
			if err != nil || !more {
				return err
			}
			continue
		}
		if err := work(ctx); err != nil {
			return err
		}
	}
	return nil
}

// enough tells whether as many events as were wanted have been started.
func (c *Consumer) enough() bool { return c.Count > 0 && c.left() <= 0 }

// left is how many events are still wanted, where there is a count.
func (c *Consumer) left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.Count - c.sum.Events
}

// claim claims the next events as soon as one can be worked on, and waits for some to come. It returns false when nothing more is to be done.
func (c *Consumer) claim(ctx context.Context) (more bool, err error) {
	for failures := 0; c.slot(ctx); {
		<-c.slots // nobody else fills it
		began := time.Now()
		c.waiting, err = c.ask(ctx)
		switch {
		case len(c.waiting) > 0:
			return true, nil
		case ctx.Err() != nil || remote.Final(err):
			return false, unless(ctx, err)
		case err != nil:
			c.lost(ctx, err, remote.Pause(failures))
			failures++
			continue
		case c.Once && len(c.slots) == 0:
			return false, nil
		case c.Once:
			c.running.Wait() // what they leave may be claimed
		case time.Since(began) < wait/2: // the server does not wait, as when it is about to end
			remote.Sleep(ctx, idle)
		}
		failures = 0
	}
	return false, nil
}

// ask makes one claim, for as many events as can be worked on.
func (c *Consumer) ask(ctx context.Context) ([]*held, error) {
	limit := c.Limit
	switch {
	case limit > 0:
	case c.Exec == "":
		limit = MaxLimit
	default:
		limit = min(cap(c.slots)-len(c.slots), MaxLimit)
	}
	if c.Count > 0 {
		limit = min(limit, c.left())
	}
	in := claimInput{Limit: limit, Lease: int(c.Lease / time.Second), Type: c.Type, Wait: int(wait / time.Second)}
	if c.Once {
		in.Wait = 0
	}
	if c.Exec != "" {
		in.Encoding = "base64" // the bytes as they came
	}
	events, err := c.api.claim(ctx, in)
	until := time.Now().Add(c.Lease - c.Lease/10) // the answer took some of it
	var fresh []*held
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range events {
		if h := c.busy[e.ID]; h != nil { // its lease was lost, and we were the first to get another
			h.renew(e.Lease.Token, until)
		} else {
			fresh = append(fresh, c.keep(e, until))
		}
	}
	return fresh, err
}

// slot waits until a command can be started, and takes its place.
func (c *Consumer) slot(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case why := <-c.broken:
		c.fail(why) // for Run
		return false
	case c.slots <- struct{}{}:
		return true
	}
}

// next takes the next event that is still ours, nil for none.
func (c *Consumer) next() *held {
	for len(c.waiting) > 0 {
		h := c.waiting[0]
		c.waiting = c.waiting[1:]
		if h.ours() {
			return h
		}
		h.leave()
	}
	return nil
}

// giveBack releases what was not started. What is not released comes again when its lease is over.
func (c *Consumer) giveBack() {
	gone := c.Kill.Err() != nil
	for _, h := range c.waiting {
		h.leave()
		if gone || !h.ours() {
			continue
		}
		token, _ := h.lease()
		err := c.api.release(c.Kill, token)
		if err == nil {
			c.tell(Report{What: Released, Event: h.ID, Type: h.kind})
		}
		gone = err != nil && !remote.Final(err)
	}
	c.waiting = nil
}

// insist calls the server until it has answered, or it is no use, or what runs is to end. When ctx has ended, it tries only a few times more.
func (c *Consumer) insist(ctx context.Context, call func(context.Context) error) error {
	last := 0
	for tries := 0; ; tries++ {
		err := call(c.Kill)
		if err == nil || remote.Final(err) || c.Kill.Err() != nil {
			return err
		}
		if ctx.Err() == nil {
			c.lost(ctx, err, remote.Pause(tries))
			continue
		}
		if last++; last > lastTries || !remote.Sleep(c.Kill, remote.Pause(last)) {
			return err
		}
	}
}

// lost tells that the server could not do what was asked, and pauses. It returns whether it paused to the end.
func (c *Consumer) lost(ctx context.Context, err error, next time.Duration) bool {
	if p := problem.As(err); p != nil {
		next = max(next, p.RetryAfter)
	}
	c.tell(Report{What: Lost, Err: err, Next: next})
	return remote.Sleep(ctx, next)
}

// fail ends the consumer for a reason that does not go away.
func (c *Consumer) fail(err error) {
	select {
	case c.broken <- err:
	default: // there is one already
	}
}

func (c *Consumer) tell(r Report) {
	r.At = time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.What {
	case Started:
		c.sum.Events++
	case Acked:
		c.sum.Acked++
	case Failed:
		c.sum.Failed++
	case Skipped:
		c.sum.Skipped++
	case Unleased, Released, Lost:
	}
	if c.Options.Tell != nil {
		c.Options.Tell(r)
	}
}

// unless is the error, unless the context has ended, which explains it.
func unless(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

const (
	wait      = 30 * time.Second // that the server waits for an event to come
	idle      = time.Second
	lastTries = 4
)
