package app

import (
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/dialect/native"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// webhooks fits the endpoints' book to what native needs.
type webhooks struct{ c *Core }

func (w webhooks) Create(ctx context.Context, org int64, s native.WebhookSettings, inside native.Inside) error {
	url, urlErr := w.c.Endpoints.CheckURL(ctx, s.URL)
	if urlErr != nil && problem.As(urlErr) == nil {
		return urlErr
	}
	spec := endpoint.Spec{
		URL: url, Format: s.Format, Events: s.Events, Description: s.Description, Inactive: s.Inactive,
		Options: endpoint.Options{Redact: s.Redact, Headers: s.Headers, RateLimit: s.RateLimit, Signature: s.Signature, Ordered: s.Ordered},
	}
	if s.Delays != nil {
		spec.Options.Retry = &s.Delays
	}
	if err := together(urlErr, w.c.Endpoints.Check(spec)); err != nil {
		return err
	}
	return w.c.DB.Configure(ctx, func(tx *db.Tx) error {
		return inside(tx, func() (native.Webhook, error) {
			e, err := w.c.Endpoints.Create(tx, org, spec)
			if err != nil {
				return native.Webhook{}, err
			}
			return shown(e, true), nil
		})
	})
}

// together makes one problem of two that were found apart.
func together(a, b error) error {
	pa, pb := problem.As(a), problem.As(b)
	if pa != nil && pb != nil {
		both := *pa
		both.Fields = append(both.Fields[:len(both.Fields):len(both.Fields)], pb.Fields...)
		return &both
	}
	if a != nil {
		return a
	}
	return b
}

func (w webhooks) RotateSecret(ctx context.Context, org int64, webhook id.Webhook, overlap time.Duration, inside native.Inside) error {
	return w.c.DB.Configure(ctx, func(tx *db.Tx) error {
		return inside(tx, func() (native.Webhook, error) {
			e, err := w.c.Endpoints.Rotate(tx, org, webhook, overlap)
			if err != nil {
				return native.Webhook{}, err
			}
			return shown(e, true), nil
		})
	})
}

func (w webhooks) Update(ctx context.Context, org int64, webhook id.Webhook, ifVersion int64, p native.WebhookPatch) (native.Webhook, error) {
	change := endpoint.Change{
		Events: p.Events, Description: p.Description, Active: p.Active, Redact: p.Redact, Headers: p.Headers, RateLimit: p.RateLimit, Ordered: p.Ordered,
		Format: p.Format, Signature: p.Signature,
	}
	if p.Delays != nil {
		var retry *[]time.Duration
		if *p.Delays != nil {
			retry = p.Delays
		}
		change.Retry = &retry
	}
	if p.URL != nil {
		url, err := w.c.Endpoints.CheckURL(ctx, *p.URL)
		if err != nil {
			return native.Webhook{}, err
		}
		change.URL = &url
	}
	var e *endpoint.Endpoint
	err := w.c.DB.Configure(ctx, func(tx *db.Tx) (err error) {
		e, err = w.c.Endpoints.Update(tx, org, webhook, change, ifVersion)
		return err
	})
	if err != nil {
		return native.Webhook{}, err
	}
	return shown(e, false), nil
}

func (w webhooks) Delete(ctx context.Context, org int64, webhook id.Webhook, ifVersion int64) error {
	err := w.c.DB.Configure(ctx, func(tx *db.Tx) error { return w.c.Endpoints.Delete(tx, org, webhook, ifVersion) })
	if err == nil {
		w.c.Client.CloseKey(string(webhook))
	}
	return err
}

func (w webhooks) Webhook(ctx context.Context, org int64, webhook id.Webhook) (native.Webhook, error) {
	e, err := w.c.Endpoints.Get(w.c.DB.Read(ctx), org, webhook)
	if err != nil {
		return native.Webhook{}, err
	}
	return shown(e, false), nil
}

func (w webhooks) Webhooks(ctx context.Context, org int64, limit, offset int) ([]native.Webhook, int, error) {
	all, total, err := w.c.Endpoints.List(w.c.DB.Read(ctx), org, limit, offset)
	if err != nil {
		return nil, 0, err
	}
	page := make([]native.Webhook, len(all))
	for i, e := range all {
		page[i] = shown(e, false)
	}
	return page, total, nil
}

func (w webhooks) Wanted(tx *db.Tx, org int64, format, event string) (bool, error) {
	set, err := w.c.Subscriptions.At(tx)
	if err != nil {
		return false, err
	}
	return set.Subscribed(org, format, event), nil
}

// shown is an endpoint as its owner sees it; with its secret only when that was made now.
func shown(e *endpoint.Endpoint, secret bool) native.Webhook {
	w := native.Webhook{
		ID: e.ID, Status: "active", PreviousSecretUntil: e.OldUntil, Version: e.Version, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt,
		WebhookSettings: native.WebhookSettings{
			URL: e.URL, Events: e.Events, Format: e.Format, Inactive: !e.Enabled(), Description: e.Description, Redact: e.Options.Redact,
			Headers: e.Options.Headers, RateLimit: e.Options.RateLimit, Signature: e.Options.Signature, Ordered: e.Options.Ordered,
		},
	}
	if e.Options.Retry != nil {
		w.Delays = *e.Options.Retry
	}
	switch {
	case e.Disabled == endpoint.Gone:
		w.Status, w.StatusReason = "disabled", "The receiver answered 410 Gone. Set active to true to send to it again."
	case e.Disabled != "":
		w.Status, w.StatusReason = "disabled", "Nothing but failures for five days, last: "+e.LastError+". Set active to true to send to it again."
	case !e.Active:
		w.Status = "paused"
	case !e.FailingSince.IsZero():
		w.Status, w.StatusReason = "failing", "Nothing but failures since "+e.FailingSince.Format(time.RFC3339)+", last: "+e.LastError+"."
	}
	if e.Options.Signature == "v1a" {
		w.PublicKey = e.Shown()
	}
	if secret {
		w.Secret = e.Shown()
	}
	return w
}
