package stubhub

// merge: sale. This file goes when the vocabulary is there; only [Format] and a type Dialect that is the endpoint.Vocabulary are needed by the rest.

import (
	"context"
	"encoding/json"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// Format is "stubhub".
const Format = "stubhub"

// Dialect is StubHub's vocabulary.
type Dialect struct{}

// NewDialect makes the dialect.
func NewDialect() *Dialect { return &Dialect{} }

// Format is "stubhub".
func (*Dialect) Format() string { return Format }

// Name returns the topic of a fact.
func (*Dialect) Name(k fact.Kind) (string, bool) {
	switch k {
	case fact.HoldPlaced:
		return "ProvisionalSale", true
	case fact.OrderConfirmed:
		return "Sales", true
	case fact.EndpointPinged:
		return "Ping", true
	}
	return "", false
}

// Events lists the seven topics.
func (*Dialect) Events() []string {
	return []string{"Sales", "ProvisionalSale", "CancelProvisionalSale", "SaleUpdates", "SellerListingUpdates", "Ping", "ReTransferTicket"}
}

// OwnMessages is false.
func (*Dialect) OwnMessages() bool { return false }

// Signatures is empty.
func (*Dialect) Signatures() []string { return nil }

// Variant is the same for all.
func (*Dialect) Variant(*endpoint.Endpoint) string { return Format }

// Render makes a minimal envelope.
func (d *Dialect) Render(_ context.Context, f *fact.Fact, _ *endpoint.Endpoint) ([]byte, error) {
	topic, _ := d.Name(f.Kind)
	return json.Marshal(map[string]any{"topic": topic, "action": "Created"})
}

// Signer sets Authorization.
func (*Dialect) Signer(e *endpoint.Endpoint) (delivery.Signer, error) {
	if e.Secret == "" {
		return unsigned{}, nil
	}
	return webhook.NewSigner(webhook.Static, webhook.Key{Text: e.Secret})
}

type unsigned struct{}

func (unsigned) AppendHeaders(dst []webhook.Header, _ webhook.Message) ([]webhook.Header, error) {
	return dst, nil
}

// MessageID is the delivery's.
func (*Dialect) MessageID(_ *fact.Fact, d id.Delivery) string { return d.String() }

// ContentType is JSON.
func (*Dialect) ContentType() string { return "application/json" }

// Policy is the usual one.
func (*Dialect) Policy() delivery.Policy { return delivery.Usual() }
