package consume

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// exec starts the command of the next event when there is room for it.
func (c *Consumer) exec(ctx context.Context) error {
	if !c.slot(ctx) {
		return nil
	}
	h := c.next() // after the wait, in which its lease may have been lost
	if h == nil {
		<-c.slots
		return nil
	}
	payload, err := h.bytes()
	if err != nil {
		c.waiting = append(c.waiting, h)
		<-c.slots
		return fmt.Errorf("event %s: %w", h.ID, err)
	}
	if payload != nil {
		c.tell(Report{What: Started, Event: h.ID, Type: h.kind})
	}
	c.mark(h, true)
	c.running.Go(func() {
		defer func() { <-c.slots }()
		defer c.mark(h, false)
		defer h.leave()
		if payload == nil {
			c.settle(ctx, h, Report{What: Skipped})
			return
		}
		c.one(ctx, h, payload)
	})
	return nil
}

// mark notes that an event's command runs here, or no more.
func (c *Consumer) mark(h *held, runs bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if runs {
		c.busy[h.ID] = h
	} else {
		delete(c.busy, h.ID)
	}
}

// one runs the command for an event, and says what came of it.
func (c *Consumer) one(ctx context.Context, h *held, payload []byte) {
	began := time.Now()
	err := c.command(h, payload).Run()
	if c.Kill.Err() != nil {
		return
	}
	if err == nil || errors.Is(err, exec.ErrWaitDelay) { // the latter: it ended with 0, and left something behind that has its input or output
		c.settle(ctx, h, Report{What: Acked, Took: time.Since(began)})
		return
	}
	r := Report{What: Failed, Event: h.ID, Type: h.kind, Exit: -1, Took: time.Since(began), Next: c.pauses.next(h.ID), Err: err}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		r.Exit = exit.ExitCode()
	}
	h.leave()
	// The pause is the rest of the lease, so that it is kept also when this consumer ends, and by all of them. When that does not succeed, the lease as it is does.
	token, until := h.lease()
	if c.api.extend(c.Kill, token, r.Next) != nil {
		r.Next = max(0, time.Until(until))
	}
	c.tell(r)
}

// settle acknowledges an event.
func (c *Consumer) settle(ctx context.Context, h *held, r Report) {
	err := c.insist(ctx, func(ctx context.Context) error { return c.api.ack(ctx, h.ID) })
	h.leave()
	switch p := problem.As(err); {
	case err == nil:
	case p != nil && p.Kind == problem.Invalid: // it has gone meanwhile, with its endpoint's retention
	case c.Kill.Err() != nil:
		return
	default:
		c.fail(err)
		return
	}
	c.pauses.forget(h.ID)
	r.Event, r.Type = h.ID, h.kind
	c.tell(r)
}

// command is the command of an event.
func (c *Consumer) command(h *held, payload []byte) *exec.Cmd {
	cmd := exec.CommandContext(c.Kill, shell[0], append(shell[1:], c.Exec)...) //nolint:gosec // G204: it is what who started us wants to be run
	cmd.Env = append(os.Environ(),
		"STAGEDOOR_EVENT_ID="+h.ID, "STAGEDOOR_EVENT_TYPE="+plain(h.kind), "STAGEDOOR_CONTENT_TYPE="+plain(h.ContentType), "STAGEDOOR_RECEIVED_AT="+h.ReceivedAt)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(payload), c.Stdout, c.Stderr
	cmd.WaitDelay = 5 * time.Second // for what it leaves behind to let go of its input
	alone(cmd)
	return cmd
}

// plain is a text as it can stand in an environment, where there is no NUL.
func plain(s string) string { return strings.ReplaceAll(s, "\x00", "") }
