package hookbridge

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// MaxWait is how long a request waits at most for an event to come.
const MaxWait = 30 * time.Second

// lookAgain is how often somebody who waits looks without a reason: another node may have taken something, or a lease may be over.
const lookAgain = 800 * time.Millisecond

// rest is how long somebody who waits does not look at all, after a look that found nothing.
const rest = 100 * time.Millisecond

// awaited is what a request waits for.
type awaited struct {
	of   *pull.Endpoint
	most time.Duration
	// queue names those of whom one at a time looks, because one alone can have what comes; "" when all can.
	queue string
	// look looks whether it is there.
	look func() (bool, error)
}

// await looks until what a request waits for is there, or the time is over, or the server stops, which are no errors. It fails when the client has gone, when its
// credential is not good any more, and when too many wait already. Who may have nothing at once looks before.
func (a *API) await(ctx context.Context, c *call, w awaited) error {
	leave, err := a.waits.enter(c.Org)
	if err != nil {
		return err
	}
	defer leave()
	over := time.NewTimer(w.most)
	defer over.Stop()
	if w.queue != "" {
		turn, done := a.waits.queue(w.queue)
		defer done()
		if err := a.sleep(ctx, over.C, nil, turn); err != nil {
			return unlessOver(err)
		}
		defer func() { turn <- struct{}{} }()
	}
	rung, end := a.Depot.Listen(w.of.No)
	defer end()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		if _, err := a.Door.Still(c.request, access.Need{Scope: scope.WebhooksManage}); err != nil {
			return err
		}
		if found, err := w.look(); found || err != nil {
			return err
		}
		if err := a.sleep(ctx, over.C, time.After(rest), nil); err != nil { // a bell that rings for what others want does not have everybody look all the time
			return unlessOver(err)
		}
		if err := a.sleep(ctx, over.C, again.C, rung); err != nil {
			return unlessOver(err)
		}
	}
}

// sleep waits for a bell or a turn, or for when it is time to look again. It fails when there is nothing more to wait for.
func (a *API) sleep(ctx context.Context, over, again <-chan time.Time, come <-chan struct{}) error {
	select {
	case <-come:
	case <-again:
	case <-over:
		return errOver
	case <-a.closing:
		return errOver
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

var errOver = errors.New("there is nothing more to wait for")

func unlessOver(err error) error {
	if errors.Is(err, errOver) {
		return nil
	}
	return err
}

// waits are the requests of this node that wait for an event.
type waits struct {
	most  int // at once
	ofOrg int // of one organisation

	mu     sync.Mutex // guards the rest
	count  int
	orgs   map[int64]int
	queues map[string]*queue
}

// enter counts a request in until leave is called.
func (w *waits) enter(org int64) (leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.orgs[org] >= w.ofOrg {
		return nil, tooMany(problem.TooMany, "%d requests of the organisation wait for events already, which is all that may. Wait with fewer, or listen to the stream.", w.ofOrg)
	}
	if w.count >= w.most {
		return nil, tooMany(problem.Unavailable, "Too many requests wait for events. Ask without waiting, or later.")
	}
	if w.orgs == nil {
		w.orgs = map[int64]int{}
	}
	w.count++
	w.orgs[org]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.count--
		if w.orgs[org]--; w.orgs[org] == 0 {
			delete(w.orgs, org)
		}
	}, nil
}

func tooMany(k problem.Kind, detail string, args ...any) error {
	p := problem.New(k, "too_many_waits", detail, args...)
	p.RetryAfter = time.Second
	return p
}

// queue is of those whose turn it is one after another.
type queue struct {
	turn chan struct{} // holds something when it is nobody's
	in   int
}

// queue returns the turn of those who wait for the same. Who has taken it gives it back; done leaves the queue after that.
func (w *waits) queue(name string) (turn chan struct{}, done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := w.queues[name]
	if q == nil {
		q = &queue{turn: make(chan struct{}, 1)}
		q.turn <- struct{}{}
		if w.queues == nil {
			w.queues = map[string]*queue{}
		}
		w.queues[name] = q
	}
	q.in++
	return q.turn, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if q.in--; q.in == 0 {
			delete(w.queues, name)
		}
	}
}
