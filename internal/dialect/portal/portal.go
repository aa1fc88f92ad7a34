// Package portal tells of orders in the vocabulary of the portal specification: six order.* events in its envelope, with its signature, its
// retries, and nothing but 200 as success.
//
// A [Dialect] renders what the fact holds, so an envelope shows the order as it was at that moment, and its bytes are the same at every
// attempt; "timestamp" is the fact's instant. Only the customer and the transfer note are looked up, when the envelope is made.
//
// Fields and their order are those of the specification's samples, with these additions:
//
//   - order.currency says which currency totalAmount is in, behind totalAmount;
//   - order.refundAmount and order.refundedAmount, in order.refunded only, say how much went back this time and in all, because a refund may be
//     of a part; the status is "refunded" when it is all;
//   - the event "test" is what an endpoint's owner can ask for. It has the shape of the others, with an order that nobody placed: quantity 0,
//     status "test", order id "order_0". A receiver that reads the order before it looks at the event finds what it expects.
//
// Where there is nobody to show, because the endpoint redacts or the person was erased, the customer's texts are empty: every field keeps the type
// that the specification gives it, so that a receiver that reads order.customer.phone.number still can. The transfer note is left out then.
package portal

import (
	"context"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// People looks up the personal data of an order. It returns the zero value when the person was erased.
type People func(ctx context.Context, org int64, order id.Order) (order.People, error)

// Dialect is the portal's vocabulary. It is a [delivery.Dialect] and safe for use by many goroutines.
type Dialect struct {
	people People
}

// New makes the dialect.
func New(people People) *Dialect { return &Dialect{people} }

// The names of the specification's section "Webhook Events", and the test event's.
const (
	confirmed      = "order.confirmed"
	accepted       = "order.accepted"
	purchaseIssues = "order.purchase_issues"
	fulfilled      = "order.fulfilled"
	cancelled      = "order.cancelled"
	refunded       = "order.refunded"
	test           = "test"
)

// Format is "portal".
func (*Dialect) Format() string { return "portal" }

// Name returns what the portal calls a fact; it is silent about everything but orders and tests.
func (*Dialect) Name(k fact.Kind) (string, bool) {
	switch k {
	case fact.OrderConfirmed:
		return confirmed, true
	case fact.OrderAccepted:
		return accepted, true
	case fact.OrderIssueRaised, fact.SaleBarcodesFailed, fact.TransferFailed:
		return purchaseIssues, true
	case fact.OrderFulfilled:
		return fulfilled, true
	case fact.OrderCancelled:
		return cancelled, true
	case fact.RefundCompleted:
		return refunded, true
	case fact.EndpointPinged:
		return test, true
	}
	return "", false
}

// Events lists the specification's six events and the test event.
func (*Dialect) Events() []string {
	return []string{confirmed, accepted, purchaseIssues, fulfilled, cancelled, refunded, test}
}

// OwnMessages is false: the portal knows orders only.
func (*Dialect) OwnMessages() bool { return false }

// Signatures is empty: there is one.
func (*Dialect) Signatures() []string { return nil }

// Variant tells envelopes with and without the customer apart.
func (*Dialect) Variant(e *endpoint.Endpoint) string {
	if e.Options.Redact {
		return "portal/redacted"
	}
	return "portal"
}

// Signer signs timestamp and body with the printed characters of the secret (specification, "Signature Computation"). During a rotation it is the old
// secret that signs, because the portal's receivers compare one exact value; see [webhook.Portal].
func (*Dialect) Signer(e *endpoint.Endpoint) (delivery.Signer, error) {
	keys := []webhook.Key{{Text: e.Secret}}
	if e.OldSecret != "" {
		keys = []webhook.Key{{Text: e.OldSecret, Until: e.OldUntil}, {Text: e.Secret}}
	}
	s, err := webhook.NewSigner(webhook.Portal, keys...)
	if err != nil {
		return nil, fmt.Errorf("portal signer: %w", err)
	}
	return s, nil
}

// MessageID is the delivery's UUID, as X-Webhook-Delivery is (specification, "Webhook Security").
func (*Dialect) MessageID(_ *fact.Fact, d id.Delivery) string { return d.String() }

// ContentType is JSON.
func (*Dialect) ContentType() string { return "application/json" }

// Policy is the specification's section "Delivery": five retries with growing pauses after whatever is not 200, and 30 seconds to answer.
func (*Dialect) Policy() delivery.Policy {
	p := delivery.Usual()
	p.Only200 = true
	return p
}
