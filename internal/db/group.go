package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxGroup bounds how many functions share one transaction. More would make each wait longer for little gain.
const maxGroup = 256

// How a group waits for the callers of the one before: it gives way this many times, and then it sleeps this long, once.
const (
	yields = 4
	linger = 200 * time.Microsecond
)

// Errors that are nobody's own.
var (
	// errGroup is what everybody in a group gets when its transaction was ended by one of them.
	errGroup = errors.New("the group's transaction was ended by one of its functions; nothing was written")
	// errApart says that a group failed in a way that may spare the others when each runs under its own savepoint.
	errApart = errors.New("run apart")
	// errGoexit is what a group gets when a function of it ended the writer's goroutine.
	errGoexit = errors.New("a function called runtime.Goexit; in a test, that is what t.Fatal does")
)

// Write runs fn in the group's transaction and returns after that is on disk. key orders the functions of one group on PostgreSQL, so that
// several nodes take the same hot rows in the same order; "" where fn takes no hot rows.
//
// When ctx ends before fn was begun, fn is not run and ctx's error is returned. Once begun, Write waits for the result.
func (d *DB) Write(ctx context.Context, key string, fn func(*Tx) error) error {
	return d.group.do(ctx, &job{fn: fn, key: key})
}

// job is a function that waits for its turn.
type job struct {
	ctx       context.Context // the caller's; it counts until the function is begun
	fn        func(*Tx) error
	key       string
	alone     bool // wants no company
	exclusive bool

	begun atomic.Bool // set by the writer or by a caller that gives up, whoever is first
	done  chan error
	tx    *Tx
	err   error
}

// begin takes the job for the writer. It reports false when its caller has gone away.
func (j *job) begin() bool {
	if !j.begun.CompareAndSwap(false, true) {
		return false
	}
	if err := j.ctx.Err(); err != nil {
		j.done <- err
		return false
	}
	return true
}

// group is the one writer of a node.
type group struct {
	b    backend
	jobs chan *job

	mu      sync.RWMutex // guards closed against sends on jobs
	closed  bool
	stopped chan struct{}

	// The writer's own.
	s       session // nil when there is none that is fit for use
	current []*job  // the group that is being run
	next    *job    // a job that did not fit the last group
	last    int     // how large that was
}

func newGroup(b backend) *group {
	g := &group{b: b, jobs: make(chan *job, 4*maxGroup), stopped: make(chan struct{})}
	go g.loop()
	return g
}

// do hands a job to the writer and waits for its result.
func (g *group) do(ctx context.Context, j *job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.ctx, j.done = ctx, make(chan error, 1)
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
	finished := false
	defer func() {
		if finished {
			close(g.stopped)
			return
		}
		// A function ended this goroutine. Its group fails, and another goroutine takes over.
		g.release()
		answer(g.current, errGoexit)
		go g.loop()
	}()
	for g.take() {
		g.run(slices.DeleteFunc(g.current, func(j *job) bool { return !j.begin() }))
	}
	g.release()
	finished = true
}

// take waits for a job and gathers a group. It reports false when the group is closed and everything has been run.
func (g *group) take() bool {
	g.current = g.current[:0]
	if g.next != nil {
		g.current, g.next = append(g.current, g.next), nil
	} else if j, ok := <-g.jobs; ok {
		g.current = append(g.current, j)
	} else {
		return false
	}
	g.gather()
	g.last = len(g.current)
	return true
}

// gather adds what waits to the group. Under load, when the last group was larger than what waits now, its callers are about to come back,
// and it pays to wait for them: first by giving way to those that are ready to run, then for a moment, for those that come over
// a network. (Sleeping at once would cost callers in this process dear: where nothing else keeps the scheduler awake, the shortest sleep
// takes a millisecond.)
func (g *group) gather() {
	for waits := 0; !g.current[0].alone && len(g.current) < maxGroup; {
		select {
		case j, ok := <-g.jobs:
			if !ok {
				return
			}
			if j.alone {
				g.next = j
				return
			}
			g.current = append(g.current, j)
			continue
		default:
		}
		if g.last <= 4 || len(g.current) >= g.last || waits > yields {
			return
		}
		if waits++; waits <= yields {
			runtime.Gosched()
		} else {
			time.Sleep(linger)
		}
	}
}

// run runs a group and answers its callers.
func (g *group) run(jobs []*job) {
	g.current = jobs
	if len(jobs) == 0 {
		return
	}
	var err error
	if jobs[0].alone {
		err = g.alone(jobs[0])
	} else {
		slices.SortStableFunc(jobs, func(a, b *job) int { return cmp.Compare(a.key, b.key) })
		err = g.together(jobs)
	}
	if g.s != nil && !g.s.usable() {
		g.release()
	}
	for _, j := range jobs {
		if err != nil {
			j.err = fmt.Errorf("write: %w", err)
		}
		j.done <- j.err
	}
}

// alone runs a job that wants no company.
func (g *group) alone(j *job) error {
	if g.s == nil {
		var err error
		if g.s, err = g.b.session(background); err != nil {
			return err
		}
	}
	j.err = runAlone(background, g.s, j.exclusive, j.fn)
	return nil
}

// together runs jobs in one transaction. The error is everybody's; each job's own is in the job.
func (g *group) together(jobs []*job) error {
	at, err := g.begin()
	if err == nil {
		err = g.plain(at, jobs)
	}
	for try := 1; err != nil && try <= maxRetries; try++ {
		if g.s == nil || !g.s.usable() {
			break
		}
		conflict := g.s.mustRetry(err)
		if !conflict && !errors.Is(err, errApart) {
			break
		}
		if conflict {
			pause(background, try)
		}
		err = g.apart(jobs)
	}
	return err
}

// begin begins a transaction, on a new connection when the one at hand died while it was idle.
func (g *group) begin() (instant, error) {
	for {
		fresh := g.s == nil
		if fresh {
			var err error
			if g.s, err = g.b.session(background); err != nil {
				return instant{}, err
			}
		}
		at, err := g.s.begin(background, false)
		if err == nil || fresh || g.s.usable() {
			return at, err
		}
		g.release()
	}
}

func (g *group) release() {
	if g.s != nil {
		g.b.release(g.s)
		g.s = nil
	}
}

// plain runs all jobs in one transaction without savepoints: a failure that wrote nothing costs nothing, any other rolls the group back
// and, when there are others in it, returns errApart.
func (g *group) plain(at instant, jobs []*job) error {
	shared := memory{}
	for i, j := range jobs {
		j.tx = &Tx{s: g.s, instant: at, memory: shared}
		j.err = j.tx.call(j.fn)
		if j.err == nil || !j.tx.dirty && j.tx.failed == nil && g.s.usable() {
			continue
		}
		switch {
		case !g.s.usable():
			return g.abandon(jobs[:i+1], fmt.Errorf("%w (%w)", errGroup, j.err))
		case g.s.mustRetry(j.err):
			return g.abandon(jobs[:i+1], j.err)
		case len(jobs) == 1:
			return g.abandon(jobs, nil)
		}
		return g.abandon(jobs[:i+1], errApart)
	}
	if err := g.commit(jobs); err != nil {
		if (len(jobs) > 1 || g.s.taken(err)) && g.s.usable() && !g.s.mustRetry(err) {
			err = fmt.Errorf("%w: %w", errApart, err)
		}
		return g.abandon(jobs, err)
	}
	g.committed(jobs)
	return nil
}

// apart runs each job under its own savepoint, so that one that fails undoes only itself.
func (g *group) apart(jobs []*job) error {
	s := g.s
	at, err := s.begin(background, false)
	if err != nil {
		return err
	}
	shared := memory{}
	for i, j := range jobs {
		j.tx = &Tx{s: s, instant: at, memory: shared}
		if err := s.savepoint(); err != nil {
			return g.abandon(jobs[:i], err)
		}
		j.err = j.tx.call(j.fn)
		if j.err == nil {
			j.err = s.flush()
		}
		if j.err != nil && s.mustRetry(j.err) {
			return g.abandon(jobs[:i+1], j.err)
		}
		if j.err != nil {
			if err := s.rollbackTo(); err != nil {
				// The error ended the whole transaction. Nobody is told that anything was written.
				return g.abandon(jobs[:i+1], fmt.Errorf("%w (%w)", errGroup, j.err))
			}
			clear(shared) // what it knew may be of what was undone
		}
		if err := s.releaseSavepoint(); err != nil {
			return g.abandon(jobs[:i+1], fmt.Errorf("%w (%w)", errGroup, err))
		}
	}
	if err := g.commit(jobs); err != nil {
		return g.abandon(jobs, err)
	}
	g.committed(jobs)
	return nil
}

// commit runs what the functions that succeeded wanted last, and commits.
func (g *group) commit(jobs []*job) error {
	for _, j := range jobs {
		if j.err != nil {
			continue
		}
		if err := j.tx.finish(); err != nil {
			return err
		}
	}
	return g.s.commit()
}

func (g *group) committed(jobs []*job) {
	for _, j := range jobs {
		j.tx.ended(j.err == nil)
	}
}

// abandon rolls back and tells the functions that ran so.
func (g *group) abandon(ran []*job, err error) error {
	g.s.rollback()
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
