package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// Options are the settings of a [Client]. The zero value is good for use.
type Options struct {
	// UserAgent is sent where a request brings none; empty is "Stagedoor".
	UserAgent string

	// RootCAs are the authorities whose certificates are trusted; nil is the system's.
	RootCAs *x509.CertPool

	// IdlePerKey is how many idle connections are kept for one Request.PoolKey; 0 is 16.
	IdlePerKey int

	// IdleTotal is how many idle connections are kept altogether; beyond it the longest idle is closed. 0 is 2048.
	IdleTotal int

	// IdleTimeout is how long a connection is kept idle; 0 is 30 seconds.
	IdleTimeout time.Duration

	// MaxBody is how much of an answer's body is read, in bytes, and at most kept (Request.Keep); 0 is the constant MaxBody. What is longer is cut off.
	MaxBody int
}

// Client sends requests to targets that a [Policy] permits. It is safe for concurrent use; a request runs in the
// caller's goroutine.
type Client struct {
	policy  *Policy
	agent   string
	roots   *x509.CertPool
	maxBody int
	pool    *pool
	scratch sync.Pool       // of *scratch
	running context.Context // done when the client is closed
	stop    context.CancelFunc
}

// NewClient makes a client. Close it to release its connections.
func NewClient(p *Policy, o Options) *Client {
	if o.UserAgent == "" {
		o.UserAgent = "Stagedoor"
	}
	c := &Client{
		policy: p, agent: o.UserAgent, roots: o.RootCAs, maxBody: or(o.MaxBody, MaxBody),
		pool: newPool(or(o.IdlePerKey, 16), or(o.IdleTotal, 2048), or(o.IdleTimeout, 30*time.Second)),
	}
	c.scratch.New = func() any { return new(scratch) }
	c.running, c.stop = context.WithCancel(context.Background())
	return c
}

func or[T int | time.Duration](given, otherwise T) T {
	if given > 0 {
		return given
	}
	return otherwise
}

// Close closes all connections. Requests that are under way end with CodeCancelled, as do those that come later. To let them end by
// themselves, wait for them first: none takes longer than MaxTimeout.
func (c *Client) Close() {
	c.stop()
	c.pool.close()
}

// CloseKey closes the idle connections of a PoolKey, as when an endpoint is deleted or gets another URL.
func (c *Client) CloseKey(key string) { c.pool.closeKey(key) }

// scratch is the working memory of an attempt.
type scratch struct {
	out []byte // the request
	in  reader // the answer
}

// inline is the size up to which a body is copied behind its head, so that both leave in one write.
const inline = 64 << 10

// Do sends a request and reads the answer. It returns when the answer has been read or the deadline has passed, and says
// what came of it. A context that cannot be cancelled is a little cheaper.
//
// The request is sent a second time, on a new connection, if a connection from the pool fails before a byte of an answer has
// come: receivers close idle connections as they please, and the request then mostly did not reach them.
func (c *Client) Do(ctx context.Context, r *Request) Outcome {
	start := time.Now()
	a := attempt{request: r, start: start, deadline: start.Add(r.timeout()), maxBody: c.maxBody}
	if d, ok := ctx.Deadline(); ok && d.Before(a.deadline) {
		a.deadline = d
	}
	s := c.scratch.Get().(*scratch)
	defer c.release(s)
	var err error
	if s.out, err = r.appendHead(s.out[:0], c.agent); err != nil {
		return a.failed(explain(ctx, err, errHeader))
	}
	if c.running.Err() != nil {
		return a.failed(errCancelled)
	}
	if ctx.Err() != nil {
		return a.failed(explain(ctx, ctx.Err(), errCancelled))
	}
	if len(r.Body) <= inline {
		s.out = append(s.out, r.Body...)
	}
	if k := c.pool.take(r.PoolKey, r.Target.origin); k != nil {
		a.out.Reused = true
		if stale := c.exchange(ctx, &a, k, s); !stale {
			return a.out
		}
		a.out = Outcome{}
	}
	return c.afresh(ctx, &a, s)
}

// afresh makes the attempt on a new connection.
func (c *Client) afresh(ctx context.Context, a *attempt, s *scratch) Outcome {
	dialing, cancel := context.WithDeadline(ctx, a.deadline)
	defer cancel()
	k, f := c.dial(dialing, a.request, &a.out.Timing)
	if f != nil {
		return a.failed(f)
	}
	if !c.pool.add(k) {
		c.pool.discard(k)
		return a.failed(errCancelled)
	}
	c.exchange(ctx, a, k, s)
	return a.out
}

// release gives the working memory back, unless a large body or head has made it large.
func (c *Client) release(s *scratch) {
	if cap(s.out) <= 2*inline {
		s.in.src = nil
		c.scratch.Put(s)
	}
}

// attempt is one request on its way to an outcome.
type attempt struct {
	request  *Request
	start    time.Time
	deadline time.Time
	maxBody  int
	out      Outcome
}

func (a *attempt) failed(f *fault) Outcome {
	a.out.Code, a.out.Detail = f.code, f.detail
	a.out.Timing.Total = time.Since(a.start)
	return a.out
}

// exchange sends the request on a connection, reads the answer into the outcome, and gives the connection back or
// closes it. It reports whether the connection was a stale one of the pool, which says nothing about the receiver.
func (c *Client) exchange(ctx context.Context, a *attempt, k *conn, s *scratch) (stale bool) {
	_ = k.raw.SetDeadline(a.deadline) // an error comes again with the write
	undisturbed := func() bool { return true }
	if ctx.Done() != nil {
		undisturbed = context.AfterFunc(ctx, k.interrupt)
	}
	sent := time.Now()
	again, err := a.converse(k, s)

	now := time.Now()
	a.out.Public = k.public
	a.out.Timing.Total = now.Sub(a.start)
	if !s.in.first.IsZero() {
		a.out.Timing.FirstByte = s.in.first.Sub(sent)
	}
	if undisturbed() && again && err == nil && ctx.Err() == nil {
		c.pool.put(k, now)
		return false
	}
	c.pool.discard(k)
	if err == nil || errors.Is(err, errEnough) {
		return false
	}
	f := explain(ctx, err, errReset)
	a.out.Code, a.out.Detail = f.code, f.detail
	return a.out.Reused && s.in.first.IsZero() && f.code == CodeReset
}

// converse writes the request and reads the answer, and reports whether the connection may be used again.
func (a *attempt) converse(k *conn, s *scratch) (again bool, err error) {
	s.in.reset(k)
	writeErr := a.write(k, s)
	if writeErr != nil && (errors.Is(writeErr, os.ErrDeadlineExceeded) || errors.Is(writeErr, net.ErrClosed)) {
		return false, writeErr
	}
	// A receiver may answer (413, say) and close before it has read everything: its answer counts, if it still can be read.
	head, err := s.in.readHead()
	if err != nil {
		return false, err
	}
	a.out.Status, a.out.Header = head.status, head.fields
	b := body{in: &s.in, keep: a.request.keep(a.maxBody), left: a.maxBody}
	err = b.read(head)
	a.out.Body, a.out.Truncated = b.kept, b.truncated
	surplus := s.in.r < s.in.w
	return err == nil && writeErr == nil && !surplus && head.leavesOpen(), err
}

func (a *attempt) write(k *conn, s *scratch) error {
	if _, err := k.Write(s.out); err != nil || len(a.request.Body) <= inline {
		return err
	}
	_, err := k.Write(a.request.Body)
	return err
}
