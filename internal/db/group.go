package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxGroup bounds how many functions share one transaction. More would make each wait longer for little gain.
const maxGroup = 256

// errGroup is what everybody in a group gets when its transaction was ended by one of them.
var errGroup = errors.New("the group's transaction was ended by one of its functions; nothing was written")

// Write runs fn in the group's transaction and returns after that is on disk. key orders the functions of one group on PostgreSQL, so that
// several nodes take the same hot rows in the same order; "" where fn takes no hot rows.
//
// When ctx ends before fn was begun, fn is not run and ctx's error is returned. Once begun, Write waits for the result.
func (d *DB) Write(ctx context.Context, key string, fn func(*Tx) error) error {
	return d.group.do(ctx, &job{fn: fn, key: key})
}

// job is a function that waits for its turn.
type job struct {
	fn        func(*Tx) error
	key       string
	alone     bool // wants no company
	exclusive bool

	begun atomic.Bool // set by the writer or by a caller that gives up, whoever is first
	done  chan error
	tx    *Tx
	err   error
}

// group is the one writer of a node.
type group struct {
	b      backend
	jobs   chan *job
	linger time.Duration

	mu      sync.RWMutex // guards closed against sends on jobs
	closed  bool
	stopped chan struct{}
}

func newGroup(b backend) *group {
	g := &group{b: b, jobs: make(chan *job, 4*maxGroup), stopped: make(chan struct{}), linger: 200 * time.Microsecond}
	go g.loop()
	return g
}

// do hands a job to the writer and waits for its result.
func (g *group) do(ctx context.Context, j *job) error {
	j.done = make(chan error, 1)
	g.mu.RLock()
	if g.closed {
		g.mu.RUnlock()
		return ErrClosed
	}
	select {
	case g.jobs <- j:
		g.mu.RUnlock()
	case <-ctx.Done():
		g.mu.RUnlock()
		return ctx.Err()
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		if j.begun.CompareAndSwap(false, true) {
			return ctx.Err() // the writer will pass it over
		}
		return <-j.done
	}
}

func (g *group) close() {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		close(g.jobs)
	}
	g.mu.Unlock()
	<-g.stopped
}

// loop takes what waits and runs it, group after group.
func (g *group) loop() {
	defer close(g.stopped)
	var s session
	var next *job // a job that did not fit the last group
	var jobs []*job
	last := 0
	for {
		jobs = jobs[:0]
		if next != nil {
			jobs, next = append(jobs, next), nil
		} else if j, ok := <-g.jobs; ok {
			jobs = append(jobs, j)
		} else {
			break
		}
		jobs, next = g.gather(jobs, last)
		last = len(jobs)
		jobs = slices.DeleteFunc(jobs, func(j *job) bool { return !j.begun.CompareAndSwap(false, true) })
		if len(jobs) == 0 {
			continue
		}
		if s == nil {
			var err error
			if s, err = g.b.session(context.Background()); err != nil {
				answer(jobs, err)
				continue
			}
		}
		s = g.run(s, jobs)
	}
	if s != nil {
		g.b.release(s)
	}
}

// gather adds what waits to the group. A short linger pays only under load: when the last group was larger than what waits now, its callers
// are about to come back.
func (g *group) gather(jobs []*job, last int) (group []*job, next *job) {
	lingered := false
	for !jobs[0].alone && len(jobs) < maxGroup {
		select {
		case j, ok := <-g.jobs:
			if !ok {
				return jobs, nil
			}
			if j.alone {
				return jobs, j
			}
			jobs = append(jobs, j)
			continue
		default:
		}
		if lingered || last <= 4 || len(jobs) >= last {
			break
		}
		lingered = true
		time.Sleep(g.linger)
	}
	return jobs, nil
}

// run runs a group and answers its callers. It returns the session, or nil when that is not fit for use any more.
func (g *group) run(s session, jobs []*job) session {
	slices.SortStableFunc(jobs, func(a, b *job) int { return cmp.Compare(a.key, b.key) })
	if jobs[0].alone {
		jobs[0].err = runAlone(context.Background(), s, jobs[0].exclusive, jobs[0].fn)
		jobs[0].done <- jobs[0].err
		return g.keep(s)
	}
	err := g.plain(s, jobs)
	for try := 1; err != nil && try <= maxRetries; try++ {
		if !errors.Is(err, errApart) && !s.mustRetry(err) {
			break
		}
		if s.mustRetry(err) {
			pause(context.Background(), try)
		}
		err = g.apart(s, jobs)
	}
	if err != nil {
		for _, j := range jobs {
			j.err = fmt.Errorf("write: %w", err)
		}
	}
	for _, j := range jobs {
		j.done <- j.err
	}
	return g.keep(s)
}

func (g *group) keep(s session) session {
	if s.usable() {
		return s
	}
	g.b.release(s)
	return nil
}

// errApart says that a group failed in a way that may spare the others when each runs under its own savepoint.
var errApart = errors.New("run apart")

// plain runs all jobs in one transaction without savepoints: a failure that wrote nothing costs nothing, any other rolls the group back
// and returns errApart.
func (g *group) plain(s session, jobs []*job) error {
	at, err := s.begin(context.Background(), false)
	if err != nil {
		return err
	}
	for i, j := range jobs {
		j.tx = &Tx{s: s, instant: at}
		j.err = j.tx.call(j.fn)
		if j.err != nil && (j.tx.dirty || j.tx.failed != nil || !s.usable()) {
			return g.abandon(s, jobs[:i+1], errApart)
		}
	}
	if err := s.commit(); err != nil {
		if s.mustRetry(err) || len(jobs) == 1 {
			return g.abandon(s, jobs, err)
		}
		return g.abandon(s, jobs, fmt.Errorf("%w: %w", errApart, err))
	}
	for _, j := range jobs {
		j.tx.ended(j.err == nil)
	}
	return nil
}

// apart runs each job under its own savepoint, so that one that fails undoes only itself.
func (g *group) apart(s session, jobs []*job) error {
	at, err := s.begin(context.Background(), false)
	if err != nil {
		return err
	}
	for i, j := range jobs {
		j.tx = &Tx{s: s, instant: at}
		if err := s.savepoint(); err != nil {
			return g.abandon(s, jobs[:i], err)
		}
		j.err = j.tx.call(j.fn)
		if j.err == nil {
			j.err = s.flush()
		}
		if j.err != nil && s.mustRetry(j.err) {
			return g.abandon(s, jobs[:i+1], j.err)
		}
		if j.err != nil {
			if err := s.rollbackTo(); err != nil {
				// The error ended the whole transaction. Nobody is told that anything was written.
				return g.abandon(s, jobs[:i+1], fmt.Errorf("%w (%w)", errGroup, j.err))
			}
		}
		if err := s.releaseSavepoint(); err != nil {
			return g.abandon(s, jobs[:i+1], fmt.Errorf("%w (%w)", errGroup, err))
		}
	}
	if err := s.commit(); err != nil {
		return g.abandon(s, jobs, err)
	}
	for _, j := range jobs {
		j.tx.ended(j.err == nil)
	}
	return nil
}

// abandon rolls back and tells the functions that ran so.
func (g *group) abandon(s session, ran []*job, err error) error {
	s.rollback()
	for _, j := range ran {
		j.tx.ended(false)
	}
	return err
}

func answer(jobs []*job, err error) {
	for _, j := range jobs {
		j.done <- err
	}
}

// panicError is a panic in a function, turned into that function's error.
type panicError struct{ value any }

func (p panicError) Error() string {
	return fmt.Sprintf("panic in a transaction: %v\n%s", p.value, debug.Stack())
}
