package delivery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
)

// judge says what an attempt means for the delivery, the lane and the endpoint.
func (e *Engine) judge(l *lane, o *outcome, s settings) {
	now := time.Now()
	o.attempted = true
	o.attempt++
	ok := o.code == "" && s.policy.success(o.status)
	asked, _ := egress.RetryAfter(o.out.Header, now)
	e.Metrics.attempt(s.to.Format, ok, o.out.Timing.Total)
	if ok {
		o.state = delivered
	} else if o.state == pending {
		delay, again := backoff(s.policy.delays(s.to), o.id, o.attempt, o.attempt-o.series, asked)
		o.delay = delay
		if !again || o.refused() {
			o.state, o.delay = failed, 0
		}
	}
	if o.ours() {
		return // the receiver knows nothing of it
	}
	e.noteCircuit(l, o, ok, now, asked)
	e.noteHealth(l, o, s, ok, now)
}

// refused tells whether the receiver wants no further attempt: 410, or the header of Standard Webhooks' operational rules.
func (o *outcome) refused() bool {
	return o.status == http.StatusGone || strings.EqualFold(o.out.Header.Get("Webhook-Delivery"), "abort-message")
}

// ours tells whether the attempt failed before anything left the house.
func (o *outcome) ours() bool {
	switch o.code {
	case codeErased, codeInternal, codeBadEndpoint, string(egress.CodeBadRequest):
		return true
	}
	return false
}

// slows is how long the receiver asked everybody to wait, with a status that says so.
func (o *outcome) slows(asked time.Duration) time.Duration {
	switch o.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return asked
	}
	return 0
}

// noteCircuit takes a result into the lane's circuit. When that opens, what is queued is given back; when it closes, what is due comes at once.
func (e *Engine) noteCircuit(l *lane, o *outcome, ok bool, now time.Time, asked time.Duration) {
	l.mu.Lock()
	closed := false
	if ok {
		closed = l.circuit.succeed()
	} else {
		l.circuit.fail(o.at, now, e.CircuitMin, o.slows(asked))
	}
	until := l.circuit.until
	l.mu.Unlock()
	if closed {
		e.poller.hot(l.number)
	}
	if until.IsZero() {
		return
	}
	for _, it := range l.drain() {
		e.settler.giveBack(it, max(0, until.Sub(now)))
	}
	e.poller.at(l.number, until)
}

// How often an endpoint's health is written down, at most: while it does not change, and while it comes and goes.
const (
	noteEvery  = time.Minute
	noteChange = time.Second
)

// noteHealth keeps the book's knowledge of an endpoint. A failure is written down when it follows a success, and then once in a while; a success
// takes away what this node or another has written down.
func (e *Engine) noteHealth(l *lane, o *outcome, s settings, ok bool, now time.Time) {
	every := min(noteEvery, e.Patience/4, e.GiveUp/4)
	l.mu.Lock()
	defer l.mu.Unlock()
	h := &l.health
	switch {
	case ok && (h.failing || now.Sub(h.noted) >= every):
		h.failing, h.noted = false, now
		e.note(h, l, "note recovered endpoint", func(ctx context.Context) error { return e.noteRecovery(ctx, s.to) })
	case ok:
	case o.status == http.StatusGone:
		if now.Sub(h.gone) >= noteChange {
			h.gone = now
			e.note(h, l, "disable endpoint", func(ctx context.Context) error {
				return e.disable(ctx, func(tx *db.Tx) error { return e.Endpoints.Disable(tx, s.to.Number, endpoint.Gone) })
			})
		}
	case h.failing && now.Sub(h.noted) >= every, !h.failing && now.Sub(h.failed) >= min(noteChange, every):
		h.failing, h.noted, h.failed = true, now, now
		reason := o.reason()
		e.note(h, l, "note failing endpoint", func(ctx context.Context) error { return e.noteFailure(ctx, s.to, reason) })
	}
}

// note has one of the engine's workers make a small write that no delivery waits for. An endpoint's are made one after another. The lane's mutex is
// held.
func (e *Engine) note(h *health, l *lane, what string, f func(context.Context) error) {
	h.notes = append(h.notes, func() {
		if err := f(context.Background()); err != nil && !errors.Is(err, db.ErrClosed) {
			e.Log.Error(what, "webhook", l.number, "err", err)
		}
	})
	if len(h.notes) == 1 {
		e.work.Go(l.writeNotes)
	}
}

func (l *lane) writeNotes() {
	for {
		l.mu.Lock()
		f := l.health.notes[0]
		l.mu.Unlock()
		f()
		l.mu.Lock()
		l.health.notes = l.health.notes[1:]
		more := len(l.health.notes) > 0
		l.mu.Unlock()
		if !more {
			return
		}
	}
}

func (e *Engine) noteRecovery(ctx context.Context, to *endpoint.Endpoint) error {
	if failing, err := e.Endpoints.Failing(e.DB.Read(ctx), to.Number); err != nil || !failing {
		return err
	}
	return e.DB.Write(ctx, "", func(tx *db.Tx) error { return e.Endpoints.NoteRecovery(tx, to) })
}

func (e *Engine) noteFailure(ctx context.Context, to *endpoint.Endpoint, reason string) error {
	var failing time.Duration
	err := e.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
		failing, err = e.Endpoints.NoteFailure(tx, to, reason, e.Patience)
		return err
	})
	if err != nil || failing < e.GiveUp {
		return err
	}
	return e.disable(ctx, func(tx *db.Tx) error { return e.Endpoints.GiveUp(tx, to.Number, e.GiveUp) })
}

// disable changes an endpoint and has this node know of it at once.
func (e *Engine) disable(ctx context.Context, f func(*db.Tx) error) error {
	if err := e.DB.Configure(ctx, f); err != nil {
		return err
	}
	return e.Subscriptions.Refresh(ctx)
}

// reason says in words why an attempt failed.
func (o *outcome) reason() string {
	if o.code != "" {
		return o.code + ": " + o.detail
	}
	return fmt.Sprintf("HTTP status %d", o.status)
}
