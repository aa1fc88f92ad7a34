package consume

import (
	"errors"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/remote"
)

// held is an event that is ours while its lease lasts, which is extended until it is left.
type held struct {
	Event
	kind string // its type; "" for none

	renewed chan struct{} // has one in it when there is another lease
	left    chan struct{} // closed when the lease is to be extended no more
	ended   chan struct{} // closed when nobody extends it
	once    sync.Once     // closes left

	mu    sync.Mutex // guards below
	token string
	until time.Time // from when on others may have it; zero when the lease is lost
}

// keep extends an event's lease until it is left.
func (c *Consumer) keep(e Event, until time.Time) *held {
	h := &held{Event: e, renewed: make(chan struct{}, 1), left: make(chan struct{}), ended: make(chan struct{}), token: e.Lease.Token, until: until}
	if e.Type != nil {
		h.kind = *e.Type
	}
	go c.extend(h)
	return h
}

// ours tells whether nobody else can have the event.
func (h *held) ours() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Now().Before(h.until)
}

func (h *held) lease() (token string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.token, h.until
}

// lasts says until when a lease lasts, unless there is another by now; the zero time is that it is lost.
func (h *held) lasts(token string, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.token == token {
		h.until = until
	}
}

// renew gives the event another lease: the one before was lost, and its command still runs.
func (h *held) renew(token string, until time.Time) {
	h.mu.Lock()
	h.token, h.until = token, until
	h.mu.Unlock()
	select {
	case h.renewed <- struct{}{}:
	default:
	}
}

// leave stops extending the lease. When it returns, no extension is under way. Leaving twice is fine.
func (h *held) leave() {
	h.once.Do(func() { close(h.left) })
	<-h.ended
}

// extend extends a lease each time that a third of it is over. What fails is tried again soon, unless the lease is lost.
func (c *Consumer) extend(h *held) {
	defer close(h.ended)
	next := time.NewTimer(c.Lease / 3)
	defer next.Stop()
	for {
		select {
		case <-h.left:
			return
		case <-c.Kill.Done():
			return
		case <-h.renewed:
			next.Reset(c.Lease / 3)
			continue
		case <-next.C:
		}
		token, _ := h.lease()
		until := time.Now().Add(c.Lease)
		err := c.api.extend(c.Kill, token, c.Lease)
		switch {
		case err == nil:
			h.lasts(token, until)
			next.Reset(c.Lease / 3)
		case remote.Final(err) || !h.ours():
			h.lasts(token, time.Time{})
			c.tell(Report{What: Unleased, Event: h.ID, Type: h.kind, Err: whyLost(err)}) // and nothing more, unless it is renewed
		default:
			next.Reset(min(c.Lease/10, time.Second))
		}
	}
}

func whyLost(err error) error {
	if p := problem.As(err); p != nil && p.Kind == problem.Conflict {
		return errUnleased
	}
	return err
}

var errUnleased = errors.New("the lease is over")
