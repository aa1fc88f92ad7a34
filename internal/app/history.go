package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/message"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

// MakeHistory fills an installation that nobody serves with n deliveries that were really made: messages of 1 KiB, published for its only organisation and
// sent to its only endpoint, which points to a receiver of our own meanwhile. The bench measures with such a past behind it.
func (c *Core) MakeHistory(ctx context.Context, n int) error {
	orgs, err := org.All(c.DB.Read(ctx))
	if err != nil {
		return err
	}
	if len(orgs) != 1 {
		return fmt.Errorf("make history: there are %d organisations, want one", len(orgs))
	}
	owner := orgs[0].No
	all, _, err := c.Endpoints.List(c.DB.Read(ctx), endpoint.Whose{Org: owner}, 2, 0)
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return fmt.Errorf("make history: there are %d endpoints, want one", len(all))
	}
	var arrived atomic.Int64
	sink, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed below
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived.Add(1)
	})}
	go func() { _ = server.Serve(sink) }()
	defer server.Close()
	return c.pointedAt(ctx, all[0], "http://"+sink.Addr().String()+"/", func() error { return c.deliverHistory(ctx, owner, wanted(all[0]), n, &arrived) })
}

// MakeArrivals has the only pull endpoint of an installation that nobody serves keep n events more, of 1 KiB each.
func (c *Core) MakeArrivals(ctx context.Context, n int) error {
	orgs, err := org.All(c.DB.Read(ctx))
	if err != nil {
		return err
	}
	if len(orgs) != 1 {
		return fmt.Errorf("make arrivals: there are %d organisations, want one", len(orgs))
	}
	all, _, err := c.Pull.List(c.DB.Read(ctx), pull.Whose{Org: orgs[0].No}, 0, 2)
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return fmt.Errorf("make arrivals: there are %d pull endpoints, want one", len(all))
	}
	var next atomic.Int64
	senders, ctx := errgroup.WithContext(ctx)
	for range 256 {
		senders.Go(func() error {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				body := fmt.Appendf(nil, `{"id":%d,"type":"payment.succeeded","text":"%*d"}`, i, 960, i)
				in := pull.Inbound{Head: []byte("Content-Type: application/json\r\n"), Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
				if _, err := c.Pull.Deposit(ctx, all[0], in); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return senders.Wait()
}

// pointedAt runs f while an endpoint has another URL.
func (c *Core) pointedAt(ctx context.Context, e *endpoint.Endpoint, raw string, f func() error) error {
	point := func(ctx context.Context, raw string) error {
		url, err := c.Endpoints.OperatorURL(raw)
		if err != nil {
			return err
		}
		return c.DB.Configure(ctx, func(tx *db.Tx) error {
			_, err := c.Endpoints.Update(tx, endpoint.Whose{Org: e.Org}, e.ID, endpoint.Change{URL: &url}, 0, audit.By{Actor: audit.Operator})
			return err
		})
	}
	if err := point(ctx, raw); err != nil {
		return err
	}
	return errors.Join(f(), point(context.WithoutCancel(ctx), e.URL))
}

// wanted is a name that the endpoint has subscribed to.
func wanted(e *endpoint.Endpoint) string {
	if e.Events[0] == endpoint.Wildcard {
		return "bench.old"
	}
	return e.Events[0]
}

// deliverHistory publishes n messages and waits until all have arrived and been settled.
func (c *Core) deliverHistory(ctx context.Context, owner int64, name string, n int, arrived *atomic.Int64) error {
	engine, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- c.Engine.Run(engine) }()
	const batch, ahead = 500, 20_000
	data := []byte(fmt.Sprintf(`{"pad":"%01000d"}`, 0))
	var g errgroup.Group
	g.SetLimit(4)
	for sent := 0; sent < n && ctx.Err() == nil; sent += batch {
		for int64(sent)-arrived.Load() > ahead && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		messages := make([]message.Message, min(batch, n-sent))
		for i := range messages {
			messages[i] = message.Message{Event: name, Data: data}
		}
		g.Go(func() error {
			return c.DB.Write(ctx, "", func(tx *db.Tx) error {
				_, err := message.Publish(tx, c.Ledger, owner, messages)
				return err
			})
		})
	}
	err := g.Wait()
	for err == nil && ctx.Err() == nil && arrived.Load() < int64(n) {
		time.Sleep(10 * time.Millisecond)
	}
	stop() // settles what has arrived
	return errors.Join(err, ctx.Err(), <-done)
}
