package pull

import (
	"context"
	"encoding/json"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// ForwardFormat is the format of webhooks that events are handed on to.
const ForwardFormat = "forward"

// Webhooks finds a webhook, or returns a NotFound problem. An [endpoint.Book] does.
type Webhooks interface {
	Get(q db.Querier, whose endpoint.Whose, i id.Webhook) (*endpoint.Endpoint, error)
}

// Handed is the data of the fact [fact.WebhookReceived]: an event that goes on to the webhook which its endpoint names. The bytes are looked up when they are sent.
type Handed struct {
	Endpoint    id.PullEndpoint `json:"pullEndpoint"`
	Event       id.Received     `json:"event"`
	ContentType string          `json:"contentType,omitempty"` // as the sender wrote it
}

// aim finds the webhook that an endpoint's settings name: its owner's own, and of the format that carries events.
func (d *Depot) aim(tx *db.Tx, e *Endpoint) error {
	e.forward = 0
	if e.Forward == "" {
		return nil
	}
	var hook *endpoint.Endpoint
	err := error(problem.New(problem.NotFound, "webhook_not_found", "Nothing is handed on here."))
	if d.config.Webhooks != nil {
		hook, err = d.config.Webhooks.Get(tx, endpoint.Whose{Org: e.Org, Grant: e.Grant}, e.Forward)
	}
	if p := problem.As(err); p != nil && p.Kind == problem.NotFound {
		return problem.Field("/forward_to", "unknown_webhook", "There is no such webhook here. Make one of the format %s with POST /api/v1/webhooks, and give its id.", ForwardFormat)
	}
	if err != nil {
		return err
	}
	if hook.Format != ForwardFormat {
		return problem.Field("/forward_to", "wrong_format", "The webhook has the format %s; events go on to one of the format %s.", hook.Format, ForwardFormat)
	}
	e.forward = hook.Number
	return nil
}

// hand has an event that was written down go on to the endpoint's webhook: the fact's delivery is planned in the same transaction.
func (d *Depot) hand(tx *db.Tx, a arrival, i id.Received) error {
	if a.e.forward == 0 {
		return nil
	}
	if ours, err := d.ours(tx, a); ours || err != nil {
		return err
	}
	data, err := json.Marshal(Handed{a.e.ID, i, a.contentType})
	if err != nil {
		return err
	}
	return d.config.Ledger.Append(tx, &fact.Fact{Org: a.e.Org, Kind: fact.WebhookReceived, Subject: i.String(), Only: a.e.forward, Data: data})
}

// ours tells whether a request is an event of the same organisation that was handed on: one that comes back is kept, and goes round no further.
func (d *Depot) ours(tx *db.Tx, a arrival) (bool, error) {
	i, ok := id.ParseReceived(a.in.Header.Get("Webhook-Id"))
	if !ok {
		return false, nil
	}
	found, err := db.All(tx, db.Value[int64], `SELECT at FROM pull_events WHERE seq = $1 AND +org_id = $2`, i.Seq, a.e.Org)
	return len(found) > 0, err
}

// Body returns the bytes of an event that was handed on. One that was deleted, or is over, gives a Gone or NotFound problem, and one that was erased a Gone one.
func (d *Depot) Body(ctx context.Context, org int64, h Handed) ([]byte, error) {
	e, err := d.known(ctx, h.Endpoint)
	if err != nil {
		return nil, err
	}
	if e == nil || e.deleted || e.Org != org {
		return nil, notFound()
	}
	q := d.config.DB.Read(ctx)
	v, err := d.Find(q, e, h.Event)
	if err != nil {
		return nil, err
	}
	p, err := d.Payload(q, e, v)
	if err == nil && p.Erased {
		return nil, isDeleted()
	}
	return p.Body, err
}
