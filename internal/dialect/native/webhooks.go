package native

import (
	"context"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

type retryJSON struct {
	Delays []count `json:"delays" nullable:"false" maxItems:"32" doc:"Seconds before the second, third, … attempt; none for no retry."`
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

// reasons say to its owner why the engine disabled an endpoint.
var reasons = map[endpoint.Reason]string{
	endpoint.Gone:    "It answered 410 Gone. Set active to true when it is there again, then recover what it missed.",
	endpoint.Failing: "Every delivery failed for five days. Set active to true when it works again, then recover what it missed.",
}

func newWebhook(e *endpoint.Endpoint, now time.Time) webhookJSON {
	j := webhookJSON{
		ID: string(e.ID), URL: e.URL, Events: e.Events, Format: e.Format, Active: e.Enabled(), Status: "active", Description: e.Description,
		Redact: e.Options.Redact, Headers: e.Options.Headers, RateLimit: e.Options.RateLimit, Signature: e.Options.Signature, Ordered: e.Options.Ordered,
		Version: e.Version, CreatedAt: instant(e.CreatedAt), UpdatedAt: instant(e.UpdatedAt),
	}
	if j.Headers == nil {
		j.Headers = map[string]string{}
	}
	if e.Options.Retry != nil {
		j.Retry = &retryJSON{Delays: make([]count, len(*e.Options.Retry))}
		for i, d := range *e.Options.Retry {
			j.Retry.Delays[i] = count(d / time.Second)
		}
	}
	switch {
	case e.Disabled != "":
		j.Status, j.StatusReason = "disabled", reasons[e.Disabled]
	case !e.Active:
		j.Status = "paused"
	case !e.FailingSince.IsZero():
		j.Status, j.StatusReason = "failing", "Nothing but failures since "+instant(e.FailingSince)+", last: "+e.LastError+"."
	}
	if e.Options.Signature == "v1a" {
		j.PublicKey = e.Shown()
	}
	if e.OldUntil.After(now) {
		j.PreviousSecretUntil = instant(e.OldUntil)
	}
	return j
}

func showWebhook(e *endpoint.Endpoint, now time.Time) answer[webhookJSON] {
	return answer[webhookJSON]{body: newWebhook(e, now), version: e.Version}
}

// whose says which webhooks the request is about: an app has its own and knows of no others.
func (c *call) whose() endpoint.Whose { return endpoint.Whose{Org: c.Org, Grant: c.GrantNo} }

type webhookListInput struct {
	Paging
}

type webhookFiltersJSON struct{}

func (a *API) listWebhooks(ctx context.Context, c *call, in *webhookListInput) (answer[list[webhookJSON, webhookFiltersJSON]], error) {
	var out answer[list[webhookJSON, webhookFiltersJSON]]
	at, err := in.place(c, "webhooks", nil)
	if err != nil {
		return out, err
	}
	page, total, err := a.Endpoints.List(a.DB.Read(ctx), c.whose(), in.Limit, at.offset)
	if err != nil {
		return out, err
	}
	data := make([]webhookJSON, len(page))
	for i, e := range page {
		data[i] = newWebhook(e, a.Now())
	}
	out.body = newList(in.Paging, at, data, total, webhookFiltersJSON{}, "")
	return out, nil
}

// WebhookPath names a webhook.
type WebhookPath struct {
	ID string `path:"id"`
}

func (a *API) webhook(ctx context.Context, c *call, in *WebhookPath) (answer[webhookJSON], error) {
	e, err := a.Endpoints.Get(a.DB.Read(ctx), c.whose(), id.Webhook(in.ID))
	if err != nil {
		return answer[webhookJSON]{}, err
	}
	return showWebhook(e, a.Now()), nil
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
	RateLimit   count             `json:"rateLimit,omitempty" minimum:"0" maximum:"10000"`
	Signature   string            `json:"signature,omitempty" doc:"Where the format has several: v1 or v1a."`
	Ordered     bool              `json:"ordered,omitempty"`
}

type webhookInput struct {
	Body webhookInputJSON
}

func (a *API) checkNew(ctx context.Context, _ *call, in *webhookInput) (endpoint.Spec, error) {
	b := in.Body
	s := endpoint.Spec{
		Format: b.Format, Events: b.Events, Description: b.Description, Inactive: b.Active != nil && !*b.Active,
		Options: endpoint.Options{
			Retry: b.Retry.durations(), Redact: b.Redact, Headers: b.Headers, RateLimit: int(b.RateLimit), Signature: b.Signature, Ordered: b.Ordered,
		},
	}
	var err error
	s.URL, err = a.Endpoints.CheckURL(ctx, b.URL)
	return s, join(err, a.Endpoints.Check(s))
}

// join says both problems at once, if there are two about fields.
func join(first, second error) error {
	p, q := problem.As(first), problem.As(second)
	if first == nil {
		return second
	}
	if p == nil || q == nil || len(p.Fields) == 0 || len(q.Fields) == 0 {
		return first
	}
	both := *p
	both.Fields = slices.Concat(p.Fields, q.Fields)
	return &both
}

func (a *API) createWebhook(tx *db.Tx, c *call, _ *webhookInput, s endpoint.Spec) (answer[webhookJSON], error) {
	var err error
	if s.Grant = c.GrantNo; s.Grant != 0 {
		if s.Sees, err = oauth.Sees(tx, c.Principal, org.Allowed); err != nil {
			return answer[webhookJSON]{}, err
		}
	}
	e, err := a.Endpoints.Create(tx, c.Org, s, c.by())
	if err != nil {
		return answer[webhookJSON]{}, err
	}
	out := showWebhook(e, tx.Now())
	out.body.Secret, out.location = e.Shown(), webhooksPath+"/"+string(e.ID)
	return out, nil
}

// durations are the delays; nil where nothing was said, which is the format's own.
func (r *retryJSON) durations() *[]time.Duration {
	if r == nil {
		return nil
	}
	delays := make([]time.Duration, len(r.Delays))
	for i, seconds := range r.Delays {
		delays[i] = time.Duration(min(max(seconds, -1), 1<<30)) * time.Second // what is out of range stays so, and does not overflow
	}
	return &delays
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
	RateLimit   *count             `json:"rateLimit,omitempty" minimum:"0" maximum:"10000" nullable:"false"`
	Signature   *string            `json:"signature,omitempty" nullable:"false"`
	Ordered     *bool              `json:"ordered,omitempty" nullable:"false"`
}

type webhookPatch struct {
	WebhookPath
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    webhookPatchJSON
}

func (a *API) checkChange(ctx context.Context, _ *call, in *webhookPatch) (endpoint.Change, error) {
	b := in.Body
	change := endpoint.Change{
		Events: b.Events, Format: b.Format, Description: b.Description.to, Active: b.Active, Redact: b.Redact, Headers: b.Headers,
		RateLimit: (*int)(b.RateLimit), Signature: b.Signature, Ordered: b.Ordered,
	}
	if b.Retry.given {
		delays := b.Retry.to.durations()
		change.Retry = &delays
	}
	if b.URL != nil {
		u, err := a.Endpoints.CheckURL(ctx, *b.URL)
		if err != nil {
			return change, err
		}
		change.URL = &u
	}
	return change, nil
}

func (a *API) changeWebhook(tx *db.Tx, c *call, in *webhookPatch, change endpoint.Change) (answer[webhookJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[webhookJSON]{}, err
	}
	e, err := a.Endpoints.Update(tx, c.whose(), id.Webhook(in.ID), change, version, c.by())
	if err != nil {
		return answer[webhookJSON]{}, err
	}
	return showWebhook(e, tx.Now()), nil
}

type webhookDelete struct {
	WebhookPath
	IfMatch string `header:"If-Match" doc:"The ETag of what is to be deleted; 412 when it has changed since."`
}

func (a *API) deleteWebhook(tx *db.Tx, c *call, in *webhookDelete, _ none) (answer[none], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[none]{}, err
	}
	return answer[none]{}, a.Endpoints.Delete(tx, c.whose(), id.Webhook(in.ID), version, c.by())
}

type rotationJSON struct {
	OverlapSeconds *count `json:"overlapSeconds,omitempty" minimum:"0" maximum:"604800" nullable:"false" doc:"How long both secrets are used; 86400 when left out."`
	Secret         string `json:"secret,omitempty" maxLength:"4096" doc:"The new one, for a webhook in the format stubhub or ethpass: the Authorization that its receiver expects from then on. It is made for all others."`
}

type rotationInput struct {
	WebhookPath
	Body *rotationJSON
}

func (a *API) rotateSecret(tx *db.Tx, c *call, in *rotationInput, _ none) (answer[webhookJSON], error) {
	overlap, secret := endpoint.DefaultOverlap, ""
	if in.Body != nil {
		secret = in.Body.Secret
		if in.Body.OverlapSeconds != nil {
			overlap = time.Duration(*in.Body.OverlapSeconds) * time.Second
		}
	}
	e, err := a.Endpoints.RotateTo(tx, c.whose(), id.Webhook(in.ID), secret, overlap, c.by())
	if err != nil {
		return answer[webhookJSON]{}, err
	}
	out := showWebhook(e, tx.Now())
	out.body.Secret = e.Shown()
	return out, nil
}
