package ethpass

import (
	"context"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// A project's webhook is an endpoint in ethpass's format, the oldest that the organisation has made itself, by whichever way; for an app, the oldest of its own. It is
// told of all five events, and its authorization is the endpoint's secret.

type webhookJSON struct {
	ID               id.Webhook `json:"id"`
	URL              string     `json:"url"`
	Authorization    *string    `json:"authorization"` // to whoever has just given it; null for everybody else
	AuthorizationSet bool       `json:"authorizationSet"`
	Active           bool       `json:"active"` // false once it was paused, or has failed for too long; a PUT has the latter go on
}

// showWebhook shows the webhook, and the authorization that was given a moment ago; nil for none. What was given before is a secret: reading it would do for being
// believed by whoever is told.
func showWebhook(e *endpoint.Endpoint, given *string) webhookJSON {
	if given != nil && *given == "" {
		given = nil
	}
	return webhookJSON{e.ID, e.URL, given, e.Secret != "", e.Enabled()}
}

// whose says which endpoints the request is about: an app has its own and knows of no others.
func (c *call) whose() endpoint.Whose { return endpoint.Whose{Org: c.Org, Grant: c.GrantNo} }

// hook finds the project's webhook; nil when there is none.
func (a *API) hook(q db.Querier, c *call) (*endpoint.Endpoint, error) {
	return a.Endpoints.Sole(q, c.whose(), Format)
}

func errNoWebhook() error {
	return problem.New(problem.NotFound, "webhook_not_found", "No webhook is set; PUT one with a url.")
}

func (a *API) webhook(ctx context.Context, c *call) (any, error) {
	e, err := a.hook(a.DB.Read(ctx), c)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		return nil, errNoWebhook()
	}
	return showWebhook(e, nil), nil
}

// webhookInput is what a body says, checked.
type webhookInput struct {
	url           endpoint.URL
	authorization *string // nil leaves what there is, "" has none sent
}

// webhookInput reads and checks a body. It may look a name up.
func (a *API) webhookInput(ctx context.Context, c *call) (in webhookInput, err error) {
	o, err := newObject(c.body)
	if err != nil {
		return in, err
	}
	url := o.text("url")
	if _, said := o.members["authorization"]; said {
		text := o.text("authorization")
		in.authorization = &text
	}
	if in.authorization != nil && *in.authorization != "" {
		if _, err := webhook.NewSigner(webhook.Static, webhook.Key{Text: *in.authorization}); err != nil {
			o.fault("authorization", "invalid", "The value of a header is up to 4,096 printable ASCII characters, without spaces around it.")
		}
	}
	if err := o.faults.Err(); err != nil {
		return in, err
	}
	in.url, err = a.Endpoints.CheckURL(ctx, url)
	return in, err
}

func (a *API) putWebhook(tx *db.Tx, c *call, in webhookInput) (any, error) {
	e, err := a.Endpoints.PutSole(tx, c.whose(), Format, endpoint.SoleInput{
		URL: in.url, Secret: in.authorization, Sees: func(tx *db.Tx) (scope.Set, error) { return oauth.Sees(tx, c.Principal, org.Allowed) },
	}, c.by(a))
	if err != nil {
		return nil, err
	}
	return showWebhook(e, in.authorization), nil
}

type deletedJSON struct {
	Deleted bool `json:"deleted"`
}

func (a *API) deleteWebhook(tx *db.Tx, c *call, _ none) (any, error) {
	e, err := a.hook(tx, c)
	switch {
	case err != nil:
		return nil, err
	case e == nil:
		return nil, errNoWebhook()
	}
	return deletedJSON{true}, a.Endpoints.Delete(tx, c.whose(), e.ID, 0, c.by(a))
}
