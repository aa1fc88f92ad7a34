// Package standard tells everything, in the form of Standard Webhooks 1.0.0: {type, timestamp, data}, signed in the webhook-… headers.
//
// A [Dialect] carries every native fact by its native name and an organisation's own messages by theirs. "timestamp" is the fact's instant
// with microseconds, "data" the fact's data. The header webhook-id is the fact's id, "evt_…", which is also what publishing a message
// answered; it is the same at every attempt and at every endpoint.
//
// The data of facts about orders ends with two members more: "customer" with e-mail and phone, and, of a fulfilled order, "transferNote".
// They are looked up when the envelope is made, and left out where the endpoint redacts or the person was erased. A message's data is the
// organisation's own: it goes out byte for byte as it came in, to redacting endpoints too.
package standard

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// People looks up the personal data of an order. It returns the zero value when the person was erased.
type People func(ctx context.Context, org int64, order id.Order) (order.People, error)

// Dialect is the vocabulary. It is a [delivery.Dialect] and safe for use by many goroutines.
type Dialect struct {
	people People
}

// New makes the dialect.
func New(people People) *Dialect { return &Dialect{people} }

// Format is "standard".
func (*Dialect) Format() string { return "standard" }

// Name returns the native name: nothing is left out.
func (*Dialect) Name(k fact.Kind) (string, bool) { return string(k), true }

// Events lists the native names.
func (*Dialect) Events() []string {
	native := fact.Native()
	names := make([]string, len(native))
	for i, k := range native {
		names[i] = string(k)
	}
	return names
}

// OwnMessages is true.
func (*Dialect) OwnMessages() bool { return true }

// The values of the signature option.
const (
	v1  = "v1"
	v1a = "v1a"
)

// Signatures lists v1 (HMAC-SHA256 with a shared secret), which is the default, and v1a (Ed25519).
func (*Dialect) Signatures() []string { return []string{v1, v1a} }

// Variant tells envelopes with and without people apart. The signature makes no difference to the envelope.
func (*Dialect) Variant(e *endpoint.Endpoint) string {
	if e.Options.Redact {
		return "standard/redacted"
	}
	return "standard"
}

// Signer signs with every key that is valid at the time: during a rotation a delivery has the signatures of the old secret and of the new one. It
// fails when the secret is not of the kind that the endpoint's signature option asks for.
func (*Dialect) Signer(e *endpoint.Endpoint) (delivery.Signer, error) {
	if strings.HasPrefix(e.Secret, "whsk_") != (e.Options.Signature == v1a) {
		return nil, errors.New("standard signer: the secret does not fit the endpoint's signature option")
	}
	var keys []webhook.Key
	if e.OldSecret != "" {
		keys = append(keys, webhook.Key{Text: e.OldSecret, Until: e.OldUntil})
	}
	s, err := webhook.NewSigner(webhook.Standard, append(keys, webhook.Key{Text: e.Secret})...)
	if err != nil {
		return nil, fmt.Errorf("standard signer: %w", err)
	}
	return s, nil
}

// MessageID is the fact's id.
func (*Dialect) MessageID(f *fact.Fact, _ id.Delivery) string { return f.ID.String() }

// ContentType is JSON.
func (*Dialect) ContentType() string { return "application/json" }

// Policy is the usual one.
func (*Dialect) Policy() delivery.Policy { return delivery.Usual() }
