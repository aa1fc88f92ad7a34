package app

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/dialect/native"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/message"
)

// deliveries fits the delivery engine's log to what native needs.
type deliveries struct{ c *Core }

func (d deliveries) Deliveries(ctx context.Context, org int64, webhook id.Webhook, f native.DeliveryFilter) ([]native.Delivery, bool, error) {
	e, err := d.c.Endpoints.Get(d.c.DB.Read(ctx), org, webhook)
	if err != nil {
		return nil, false, err
	}
	all, more, err := d.c.Engine.List(ctx, e, delivery.Filter{State: f.State, Event: f.Event, Since: f.Since, Until: f.Until, Before: f.Before.Seq, Limit: f.Limit})
	if err != nil {
		return nil, false, err
	}
	page := make([]native.Delivery, len(all))
	for i, r := range all {
		page[i] = logged(r)
	}
	return page, more, nil
}

func (d deliveries) Delivery(ctx context.Context, org int64, webhook id.Webhook, i id.Delivery) (native.Delivery, error) {
	e, err := d.c.Endpoints.Get(d.c.DB.Read(ctx), org, webhook)
	if err != nil {
		return native.Delivery{}, err
	}
	r, err := d.c.Engine.Lookup(ctx, e, i)
	if err != nil {
		return native.Delivery{}, err
	}
	return logged(r), nil
}

func (d deliveries) Test(tx *db.Tx, org int64, webhook id.Webhook) (native.Delivery, error) {
	f, err := d.c.Endpoints.Ping(tx, org, webhook)
	if err != nil {
		return native.Delivery{}, err
	}
	e, err := d.c.Endpoints.Get(tx, org, webhook)
	if err != nil {
		return native.Delivery{}, err
	}
	set, err := d.c.Subscriptions.At(tx)
	if err != nil {
		return native.Delivery{}, err
	}
	name, _ := set.EventName(e.Format, f)
	return native.Delivery{
		ID: id.Delivery{Day: f.ID.Day, Seq: f.ID.Seq, Endpoint: e.Number}, Fact: f.ID, Event: name, State: "pending",
		NextAttemptAt: tx.Now(), CreatedAt: f.At,
	}, nil
}

func (d deliveries) Redeliver(tx *db.Tx, org int64, webhook id.Webhook, i id.Delivery) (native.Delivery, error) {
	e, err := d.c.Endpoints.Get(tx, org, webhook)
	if err != nil {
		return native.Delivery{}, err
	}
	if err := d.c.Engine.Redeliver(tx, e, i); err != nil {
		return native.Delivery{}, err
	}
	r, err := d.c.Engine.LookupIn(tx, e, i)
	if err != nil {
		return native.Delivery{}, err
	}
	return logged(r), nil
}

func (d deliveries) Recover(tx *db.Tx, org int64, webhook id.Webhook, since time.Time) (int, error) {
	e, err := d.c.Endpoints.Get(tx, org, webhook)
	if err != nil {
		return 0, err
	}
	return d.c.Engine.Recover(tx, e, since)
}

// logged is a delivery as native shows it.
func logged(r delivery.Record) native.Delivery {
	d := native.Delivery{
		ID: r.ID, Fact: r.Fact.ID, Event: r.Event, State: r.State, NextAttemptAt: r.Next, CreatedAt: r.CreatedAt,
		Attempts: make([]native.Attempt, len(r.Attempts)),
	}
	for i, a := range r.Attempts {
		d.Attempts[i] = native.Attempt{
			Number: a.Number, At: a.At, Status: a.Status, Error: a.Code, RequestHeaders: head(a.RequestHead), RequestBody: a.RequestBody,
			ResponseHeaders: head(a.ResponseHead), ResponseBody: a.ResponseBody,
			Timings: native.Timings{DNS: a.DNS, Connect: a.Connect, TLS: a.TLS, FirstByte: a.FirstByte, Total: a.Total},
		}
	}
	return d
}

// head reads lines of "Name: value".
func head(text string) http.Header {
	h := http.Header{}
	for line := range strings.Lines(text) {
		if name, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); ok {
			h[name] = append(h[name], v)
		}
	}
	return h
}

// messages fits package message to what native needs.
type messages struct{ c *Core }

func (m messages) Publish(tx *db.Tx, org int64, msgs []native.Message) ([]id.Fact, error) {
	all := make([]message.Message, len(msgs))
	for i, msg := range msgs {
		all[i] = message.Message{Event: msg.Event, Data: msg.Data, Key: msg.Key}
	}
	return message.Publish(tx, m.c.Ledger, org, all)
}
