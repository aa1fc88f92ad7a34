package ethpass

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/dialect/house"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// Format is "ethpass".
const Format = "ethpass"

// The events of the specification.
const (
	created      = "pass:create"
	registered   = "pass:register"
	unregistered = "pass:unregister"
	expired      = "pass:expire"
	scanned      = "pass:scan"
)

// Lookups find what an envelope shows beside its fact.
type Lookups struct {
	// Holding finds who owns a pass, and for which assets; the zero Holding once that was erased.
	Holding func(ctx context.Context, org int64, p id.Pass) (pass.Holding, error)
}

// Dialect is ethpass's vocabulary on its way out. It is a [delivery.Dialect] and safe for use by many goroutines.
type Dialect struct{ lookups Lookups }

// NewDialect makes the dialect.
func NewDialect(l Lookups) *Dialect { return &Dialect{l} }

// Format is "ethpass".
func (*Dialect) Format() string { return Format }

// Name returns the event of a fact; ethpass is silent about everything else, a change of a pass's own fields among it.
func (*Dialect) Name(k fact.Kind) (string, bool) {
	switch k {
	case fact.PassCreated:
		return created, true
	case fact.RegistrationAdded:
		return registered, true
	case fact.RegistrationRemoved:
		return unregistered, true
	case fact.PassExpired:
		return expired, true
	case fact.PassScanned:
		return scanned, true
	}
	return "", false
}

// Events lists the specification's five.
func (*Dialect) Events() []string {
	return []string{created, registered, unregistered, expired, scanned}
}

// OwnMessages is false.
func (*Dialect) OwnMessages() bool { return false }

// Signatures is empty: nothing is signed.
func (*Dialect) Signatures() []string { return nil }

// Static is true: what an endpoint's owner gives as authorization is sent as it is, and nothing where it is empty.
func (*Dialect) Static() bool { return true }

// Variant tells envelopes with and without owners and assets apart.
func (*Dialect) Variant(e *endpoint.Endpoint) string {
	if e.Options.Redact {
		return Format + "/redacted"
	}
	return Format
}

// envelope is what is sent.
type envelope struct {
	Event  string   `json:"event"`
	Result passJSON `json:"result"`
}

// Render makes the envelope of a fact: its result is what GET /v0/passes/{id} answers, as of that moment.
func (d *Dialect) Render(ctx context.Context, f *fact.Fact, e *endpoint.Endpoint) ([]byte, error) {
	event, ok := d.Name(f.Kind)
	if !ok {
		return nil, fmt.Errorf("ethpass has no event for %s", f.Kind)
	}
	var s pass.Snapshot
	if err := json.Unmarshal(f.Data, &s); err != nil {
		return nil, fmt.Errorf("%s of %s: read data: %w", event, f.ID, err)
	}
	var h pass.Holding
	if !e.Options.Redact {
		var err error
		if h, err = d.lookups.Holding(ctx, f.Org, s.PassID); err != nil {
			return nil, fmt.Errorf("%s of %s: look up who owns it: %w", event, f.ID, err)
		}
	}
	return house.Encode(envelope{event, show(s, h)})
}

// Signer sends the endpoint's secret as Authorization, and the delivery's id, which the specification does not have.
func (*Dialect) Signer(e *endpoint.Endpoint) (delivery.Signer, error) {
	return house.Static(e, func(dst []webhook.Header, m webhook.Message) []webhook.Header {
		return append(dst, webhook.Header{Name: "X-Delivery-Id", Value: m.ID})
	})
}

// MessageID is the delivery's UUID, the same on every attempt.
func (*Dialect) MessageID(_ *fact.Fact, d id.Delivery) string { return d.String() }

// ContentType is JSON.
func (*Dialect) ContentType() string { return "application/json" }

// Policy is the usual one: the specification is silent.
func (*Dialect) Policy() delivery.Policy { return delivery.Usual() }

// Sequence is the pass: what happens to it arrives in order.
func (*Dialect) Sequence(f *fact.Fact) string { return f.Subject }
