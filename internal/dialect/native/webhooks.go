package native

import (
	"context"
	"net/http"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
)

type retryJSON struct {
	Delays []int `json:"delays" nullable:"false" maxItems:"32" doc:"Seconds before the second, third, … attempt; none for no retry."`
}

type webhookJSON struct {
	ID                  string            `json:"id"`
	URL                 string            `json:"url"`
	Events              []string          `json:"events" nullable:"false"`
	Format              string            `json:"format"`
	Active              bool              `json:"active" doc:"Whether deliveries are sent to it now."`
	Status              string            `json:"status" enum:"active,paused,failing,disabled" doc:"paused by its owner; disabled by us, see statusReason."`
	StatusReason        string            `json:"statusReason,omitempty" doc:"Why it is failing or disabled."`
	Description         string            `json:"description,omitempty"`
	Retry               *retryJSON        `json:"retry,omitempty" doc:"Left out where the format's own retries hold."`
	Redact              bool              `json:"redact" doc:"Envelopes carry no personal data."`
	Headers             map[string]string `json:"headers" doc:"Sent with every delivery."`
	RateLimit           int               `json:"rateLimit" doc:"Deliveries a second at most; 0 for no limit."`
	Signature           string            `json:"signature,omitempty"`
	Ordered             bool              `json:"ordered" doc:"Deliveries about the same thing are sent one after the other."`
	Secret              string            `json:"secret,omitempty" doc:"On creation and rotation only. Where signature is v1a, the public key."`
	PublicKey           string            `json:"publicKey,omitempty" doc:"Where signature is v1a."`
	PreviousSecretUntil string            `json:"previousSecretUntil,omitempty" format:"date-time" doc:"The secret before this one is used beside it until then."`
	Version             int64             `json:"version" doc:"Grows with every change; the ETag."`
	CreatedAt           string            `json:"createdAt" format:"date-time"`
	UpdatedAt           string            `json:"updatedAt" format:"date-time"`
}

func newWebhook(w Webhook, now time.Time) webhookJSON {
	j := webhookJSON{
		ID: string(w.ID), URL: w.URL, Events: w.Events, Format: w.Format, Active: !w.Inactive, Status: w.Status, StatusReason: w.StatusReason,
		Description: w.Description, Redact: w.Redact, Headers: w.Headers, RateLimit: w.RateLimit, Signature: w.Signature, Ordered: w.Ordered,
		Secret: w.Secret, PublicKey: w.PublicKey, Version: w.Version, CreatedAt: instant(w.CreatedAt), UpdatedAt: instant(w.UpdatedAt),
	}
	if j.Headers == nil {
		j.Headers = map[string]string{}
	}
	if w.Delays != nil {
		j.Retry = &retryJSON{Delays: make([]int, len(w.Delays))}
		for i, d := range w.Delays {
			j.Retry.Delays[i] = int(d / time.Second)
		}
	}
	if w.PreviousSecretUntil.After(now) {
		j.PreviousSecretUntil = instant(w.PreviousSecretUntil)
	}
	return j
}

func showWebhook(w Webhook, now time.Time) answer[webhookJSON] {
	return answer[webhookJSON]{body: newWebhook(w, now), version: w.Version}
}

type webhookListInput struct {
	paging
}

type webhookFiltersJSON struct{}

func (a *API) listWebhooks(ctx context.Context, c *call, in *webhookListInput) (answer[list[webhookJSON, webhookFiltersJSON]], error) {
	var out answer[list[webhookJSON, webhookFiltersJSON]]
	at, err := in.place(c, "webhooks", nil)
	if err != nil {
		return out, err
	}
	page, total, err := a.Webhooks.Webhooks(ctx, c.Org, in.Limit, at.offset)
	if err != nil {
		return out, err
	}
	data := make([]webhookJSON, len(page))
	for i, w := range page {
		data[i] = newWebhook(w, a.Now())
	}
	out.body = newList(in.paging, at, data, total, webhookFiltersJSON{}, "")
	return out, nil
}

type webhookPath struct {
	ID string `path:"id"`
}

func (a *API) webhook(ctx context.Context, c *call, in *webhookPath) (answer[webhookJSON], error) {
	w, err := a.Webhooks.Webhook(ctx, c.Org, id.Webhook(in.ID))
	if err != nil {
		return answer[webhookJSON]{}, err
	}
	return showWebhook(w, a.Now()), nil
}

type webhookInputJSON struct {
	URL         string            `json:"url" example:"https://example.com/hooks"`
	Events      []string          `json:"events" nullable:"false" doc:"Names of the format's vocabulary, or [\"*\"] for all that it carries."`
	Format      string            `json:"format,omitempty" doc:"pullup when left out."`
	Active      *bool             `json:"active,omitempty" nullable:"false" doc:"true when left out."`
	Description string            `json:"description,omitempty" maxLength:"500"`
	Retry       *retryJSON        `json:"retry,omitempty" doc:"The format's own retries when left out."`
	Redact      bool              `json:"redact,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	RateLimit   int               `json:"rateLimit,omitempty" minimum:"0" maximum:"10000"`
	Signature   string            `json:"signature,omitempty" doc:"Where the format has several: v1 or v1a."`
	Ordered     bool              `json:"ordered,omitempty"`
}

type webhookInput struct {
	Body webhookInputJSON
}

func (a *API) createWebhook(ctx context.Context, c *call, in *webhookInput) (idempotency.Answer, bool, error) {
	b := in.Body
	inside, answered := a.inside(c, http.StatusCreated, func(w Webhook) answer[webhookJSON] {
		return answer[webhookJSON]{body: newWebhook(w, w.UpdatedAt), version: w.Version, location: webhooksPath + "/" + string(w.ID)}
	})
	err := a.Webhooks.Create(ctx, c.Org, WebhookSettings{
		URL: b.URL, Events: b.Events, Format: b.Format, Inactive: b.Active != nil && !*b.Active, Description: b.Description, Delays: b.Retry.durations(),
		Redact: b.Redact, Headers: b.Headers, RateLimit: b.RateLimit, Signature: b.Signature, Ordered: b.Ordered,
	}, inside)
	return answered.made, answered.replayed, err
}

// inside encodes an answer, and keeps it with its Idempotency-Key, in the transaction that a Webhooks function has opened.
func (a *API) inside(c *call, status int, show func(Webhook) answer[webhookJSON]) (Inside, *answered) {
	var got answered
	return func(tx *db.Tx, effect func() (Webhook, error)) (err error) {
		got.made, got.replayed, err = a.Keep.In(tx, c.repeatable(), func() (idempotency.Answer, error) {
			w, err := effect()
			if err != nil {
				return idempotency.Answer{}, err
			}
			return encodeAnswer(status, show(w))
		})
		return err
	}, &got
}

type answered struct {
	made     idempotency.Answer
	replayed bool
}

// durations are the delays; nil where nothing was said, which is the format's own.
func (r *retryJSON) durations() []time.Duration {
	if r == nil {
		return nil
	}
	delays := make([]time.Duration, len(r.Delays))
	for i, seconds := range r.Delays {
		delays[i] = time.Duration(min(max(seconds, -1), 1<<30)) * time.Second // what is out of range stays so, and does not overflow
	}
	return delays
}

type webhookPatchJSON struct {
	URL         *string            `json:"url,omitempty" nullable:"false"`
	Events      *[]string          `json:"events,omitempty" nullable:"false"`
	Format      *string            `json:"format,omitempty" nullable:"false"`
	Active      *bool              `json:"active,omitempty" nullable:"false" doc:"true also lifts what disabled it."`
	Description text               `json:"description,omitempty" maxLength:"500" doc:"null clears it."`
	Retry       optionalRetry      `json:"retry,omitempty" doc:"null for the format's own."`
	Redact      *bool              `json:"redact,omitempty" nullable:"false"`
	Headers     *map[string]string `json:"headers,omitempty" doc:"All of them: what is left out goes."`
	RateLimit   *int               `json:"rateLimit,omitempty" minimum:"0" maximum:"10000" nullable:"false"`
	Signature   *string            `json:"signature,omitempty" nullable:"false"`
	Ordered     *bool              `json:"ordered,omitempty" nullable:"false"`
}

type webhookPatch struct {
	webhookPath
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    webhookPatchJSON
}

func (a *API) changeWebhook(ctx context.Context, c *call, in *webhookPatch) (idempotency.Answer, bool, error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return idempotency.Answer{}, false, err
	}
	b := in.Body
	p := WebhookPatch{
		URL: b.URL, Events: b.Events, Format: b.Format, Active: b.Active, Description: b.Description.to, Redact: b.Redact, Headers: b.Headers,
		RateLimit: b.RateLimit, Signature: b.Signature, Ordered: b.Ordered,
	}
	if b.Retry.given {
		delays := b.Retry.to.durations()
		p.Delays = &delays
	}
	w, err := a.Webhooks.Update(ctx, c.Org, id.Webhook(in.ID), version, p)
	if err != nil {
		return idempotency.Answer{}, false, err
	}
	made, err := encodeAnswer(http.StatusOK, showWebhook(w, a.Now()))
	return made, false, err
}

type webhookDelete struct {
	webhookPath
	IfMatch string `header:"If-Match" doc:"The ETag of what is to be deleted; 412 when it has changed since."`
}

func (a *API) deleteWebhook(ctx context.Context, c *call, in *webhookDelete) (idempotency.Answer, bool, error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return idempotency.Answer{}, false, err
	}
	made, err := encodeAnswer(http.StatusNoContent, answer[none]{})
	if err != nil {
		return made, false, err
	}
	return made, false, a.Webhooks.Delete(ctx, c.Org, id.Webhook(in.ID), version)
}

const defaultOverlap = 86_400 // seconds

type rotationJSON struct {
	OverlapSeconds *int `json:"overlapSeconds,omitempty" minimum:"0" maximum:"604800" nullable:"false" doc:"How long both secrets are used; 86400 when left out."`
}

type rotationInput struct {
	webhookPath
	Body *rotationJSON
}

func (a *API) rotateSecret(ctx context.Context, c *call, in *rotationInput) (idempotency.Answer, bool, error) {
	seconds := defaultOverlap
	if in.Body != nil && in.Body.OverlapSeconds != nil {
		seconds = *in.Body.OverlapSeconds
	}
	inside, answered := a.inside(c, http.StatusOK, func(w Webhook) answer[webhookJSON] { return showWebhook(w, w.UpdatedAt) })
	err := a.Webhooks.RotateSecret(ctx, c.Org, id.Webhook(in.ID), time.Duration(seconds)*time.Second, inside)
	return answered.made, answered.replayed, err
}
