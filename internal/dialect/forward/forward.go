// Package forward hands on what pull endpoints have taken, as it came: the bytes that the provider sent, with the media type that it gave them, at the webhook
// endpoint that the pull endpoint names in forward_to. Retries, rate limits, the order and the log of deliveries are those of every webhook.
//
// A delivery is signed as Standard Webhooks 1.0.0 says, with the webhook's own secret; the provider's signature is not passed on, since its secret stays here. The
// header webhook-id is the id that the event has at the pull endpoint, so that whoever reads there too sees that it is the same.
//
// A [Dialect] carries nothing else, but for test deliveries. Nobody subscribes to what it carries: each event is for one webhook alone. An event that was deleted,
// or whose retention has ended, is not sent any more.
package forward

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/dialect/house"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

// Format is the format's name.
const Format = pull.ForwardFormat

// Body looks up the bytes of an event. It returns an error that is [delivery.ErrErased] when they are gone.
type Body func(ctx context.Context, org int64, of pull.Handed) ([]byte, error)

// Dialect is the format. It is a delivery.Dialect and safe for use by many goroutines.
type Dialect struct {
	house.Vocabulary // how it is signed
	body             Body
}

// New makes the dialect.
func New(body Body) *Dialect { return &Dialect{house.New(Format, nil), body} }

// Name returns the name of what the format carries.
func (*Dialect) Name(k fact.Kind) (string, bool) {
	return string(k), k == fact.WebhookReceived || k == fact.EndpointPinged
}

// Events lists what the format carries.
func (*Dialect) Events() []string {
	return []string{string(fact.WebhookReceived), string(fact.EndpointPinged)}
}

// OwnMessages is false.
func (*Dialect) OwnMessages() bool { return false }

// Variant is one for all: what a stranger sent cannot be told without people.
func (*Dialect) Variant(*endpoint.Endpoint) string { return Format }

// ContentType is that of test deliveries.
func (*Dialect) ContentType() string { return "application/json" }

// MediaType is what the provider said, which may be nothing. What no header can have is told as bytes.
func (d *Dialect) MediaType(f *fact.Fact) string {
	h, err := handed(f)
	switch {
	case err != nil:
		return d.ContentType()
	case strings.ContainsFunc(h.ContentType, func(r rune) bool { return r < ' ' || r > '~' }):
		return "application/octet-stream"
	}
	return h.ContentType
}

// Sequence keeps what one pull endpoint has taken in order, where the webhook's owner wants that.
func (d *Dialect) Sequence(f *fact.Fact) string {
	if h, err := handed(f); err == nil {
		return string(h.Endpoint)
	}
	return f.Subject
}

// Lasting is true: the pull endpoint keeps the bytes.
func (*Dialect) Lasting() bool { return true }

// MessageID is the event's id; of a test delivery the fact's.
func (d *Dialect) MessageID(f *fact.Fact, delivery id.Delivery) string {
	if h, err := handed(f); err == nil {
		return h.Event.String()
	}
	return d.Vocabulary.MessageID(f, delivery)
}

// Render returns the event's bytes; of a test delivery its data.
func (d *Dialect) Render(ctx context.Context, f *fact.Fact, _ *endpoint.Endpoint) ([]byte, error) {
	if f.Kind == fact.EndpointPinged {
		return f.Data, nil
	}
	h, err := handed(f)
	if err != nil {
		return nil, err
	}
	return d.body(ctx, f.Org, h)
}

func handed(f *fact.Fact) (h pull.Handed, err error) {
	if f.Kind != fact.WebhookReceived {
		return h, fmt.Errorf("the format %s is silent about %s", Format, f.Kind)
	}
	if err := json.Unmarshal(f.Data, &h); err != nil {
		return h, fmt.Errorf("read data of %s %s: %w", f.Kind, f.ID, err)
	}
	return h, nil
}
