package consume

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// write writes down what was claimed, and then acknowledges it.
func (c *Consumer) write(ctx context.Context) error {
	var written []*held
	var failed error
	for failed == nil && ctx.Err() == nil {
		h := c.next()
		if h == nil {
			break
		}
		if failed = c.line(h); failed == nil {
			written = append(written, h)
			c.tell(Report{What: Started, Event: h.ID, Type: h.kind})
		} else {
			c.waiting = append(c.waiting, h)
		}
	}
	defer func() {
		for _, h := range written {
			h.leave()
		}
	}()
	if c.NoAck || len(written) == 0 {
		return failed
	}
	if err := c.ackAll(ctx, written); err != nil {
		return err
	}
	return failed
}

func (c *Consumer) line(h *held) error {
	e := h.Event
	if !c.NoAck {
		e.Lease = nil // who reads it has nothing to do with it
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return err
	}
	if _, err := c.Stdout.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write event %s: %w", h.ID, err)
	}
	return nil
}

// ackAll acknowledges events in one call, and one by one when the server knows one of them no more.
func (c *Consumer) ackAll(ctx context.Context, all []*held) error {
	ids := make([]string, len(all))
	for i, h := range all {
		ids[i] = h.ID
	}
	err := c.insist(ctx, func(ctx context.Context) error { return c.api.ack(ctx, ids...) })
	if p := problem.As(err); p != nil && p.Kind == problem.Invalid {
		for _, h := range all {
			c.settle(ctx, h, Report{What: Acked})
		}
		return nil
	}
	if err != nil {
		return err
	}
	for _, h := range all {
		c.tell(Report{What: Acked, Event: h.ID, Type: h.kind})
	}
	return nil
}
