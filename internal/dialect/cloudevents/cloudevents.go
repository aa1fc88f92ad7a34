// Package cloudevents tells everything, as CloudEvents 1.0 in the structured JSON form, signed with the headers of Standard Webhooks.
//
// A [Dialect] carries every native fact by its native name and an organisation's own messages by theirs:
//
//	specversion      "1.0"
//	id               the fact's id, "evt_…", which is also webhook-id and what publishing a message answered
//	source           the installation, as given to [New]; ids are unique within it
//	type             the name
//	subject          the id of what it happened to; absent for messages
//	time             the fact's instant, with microseconds
//	subjectversion   extension (Integer): the subject's version after it, absent where it has none. The documented extension "sequence" is not
//	                 used, because it orders all events of a source, and by text
//	datacontenttype  "application/json"
//	data             the fact's data
//
// The data of facts about orders ends with two members more: "customer" with e-mail and phone, and, of a fulfilled order, "transferNote".
// They are looked up when the envelope is made, and left out where the endpoint redacts or the person was erased. A message's data is the
// organisation's own: it goes out byte for byte as it came in, to redacting endpoints too.
package cloudevents

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
	source string // as it stands in JSON, quotes included
}

// New makes the dialect. source is a URI reference that names this installation, such as its public URL; "urn:stagedoor" when empty.
func New(people People, source string) *Dialect {
	if source == "" {
		source = "urn:stagedoor"
	}
	return &Dialect{people: people, source: string(appendString(nil, source))}
}

// Format is "cloudevents".
func (*Dialect) Format() string { return "cloudevents" }

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
		return "cloudevents/redacted"
	}
	return "cloudevents"
}

// Signer signs as Standard Webhooks says, with every key that is valid at the time. It fails when the secret is not of the kind that the endpoint's
// signature option asks for.
func (*Dialect) Signer(e *endpoint.Endpoint) (delivery.Signer, error) {
	if strings.HasPrefix(e.Secret, "whsk_") != (e.Options.Signature == v1a) {
		return nil, errors.New("cloudevents signer: the secret does not fit the endpoint's signature option")
	}
	var keys []webhook.Key
	if e.OldSecret != "" {
		keys = append(keys, webhook.Key{Text: e.OldSecret, Until: e.OldUntil})
	}
	s, err := webhook.NewSigner(webhook.Standard, append(keys, webhook.Key{Text: e.Secret})...)
	if err != nil {
		return nil, fmt.Errorf("cloudevents signer: %w", err)
	}
	return s, nil
}

// MessageID is the fact's id.
func (*Dialect) MessageID(f *fact.Fact, _ id.Delivery) string { return f.ID.String() }

// ContentType is that of the structured JSON form (CloudEvents HTTP Protocol Binding 1.0, §3.2.1).
func (*Dialect) ContentType() string { return "application/cloudevents+json; charset=utf-8" }

// Policy is the usual one.
func (*Dialect) Policy() delivery.Policy { return delivery.Usual() }
