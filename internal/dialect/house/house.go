// Package house is the vocabulary of the house: every native fact by its native name with its own data, and an organisation's messages by theirs. It has no
// envelope. A dialect that tells everything embeds a [Vocabulary] and puts its data into an envelope of its own.
//
// The data of facts about orders ends with two members more: "customer" with e-mail and phone, and, of a fulfilled order, "transferNote".
// They are looked up when the envelope is made, and left out where the endpoint redacts or the person was erased. A message's data is the
// organisation's own: it goes out byte for byte as it came in, to redacting endpoints too.
//
// Deliveries are signed as Standard Webhooks 1.0.0 says. Partners' vocabularies whose deliveries are known by a fixed Authorization have that from [Static].
package house

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

// Vocabulary is most of a [delivery.Dialect], all but the envelope. It is safe for use by many goroutines.
type Vocabulary struct {
	format string
	people People
}

// New makes the vocabulary of a format.
func New(format string, people People) Vocabulary { return Vocabulary{format, people} }

// Format is the format's name.
func (v Vocabulary) Format() string { return v.format }

// Name returns the native name: nothing is left out.
func (Vocabulary) Name(k fact.Kind) (string, bool) { return string(k), true }

// Events lists the native names.
func (Vocabulary) Events() []string {
	native := fact.Native()
	names := make([]string, len(native))
	for i, k := range native {
		names[i] = string(k)
	}
	return names
}

// OwnMessages is true.
func (Vocabulary) OwnMessages() bool { return true }

// The values of the signature option.
const (
	v1  = "v1"
	v1a = "v1a"
)

// Signatures lists v1 (HMAC-SHA256 with a shared secret), which is the default, and v1a (Ed25519).
func (Vocabulary) Signatures() []string { return []string{v1, v1a} }

// Variant tells envelopes with and without people apart. The signature makes no difference to the envelope.
func (v Vocabulary) Variant(e *endpoint.Endpoint) string {
	if e.Options.Redact {
		return v.format + "/redacted"
	}
	return v.format
}

// Signer signs with every key that is valid at the time: during a rotation a delivery has the signatures of the old secret and of the new one. It
// fails when the secret is not of the kind that the endpoint's signature option asks for.
func (v Vocabulary) Signer(e *endpoint.Endpoint) (delivery.Signer, error) {
	if strings.HasPrefix(e.Secret, "whsk_") != (e.Options.Signature == v1a) {
		return nil, errors.New(v.format + " signer: the secret does not fit the endpoint's signature option")
	}
	var keys []webhook.Key
	if e.OldSecret != "" {
		keys = append(keys, webhook.Key{Text: e.OldSecret, Until: e.OldUntil})
	}
	s, err := webhook.NewSigner(webhook.Standard, append(keys, webhook.Key{Text: e.Secret})...)
	if err != nil {
		return nil, fmt.Errorf("%s signer: %w", v.format, err)
	}
	return s, nil
}

// MessageID is the fact's id.
func (Vocabulary) MessageID(f *fact.Fact, _ id.Delivery) string { return f.ID.String() }

// Policy is the usual one.
func (Vocabulary) Policy() delivery.Policy { return delivery.Usual() }
