// Package pullup tells of events in the vocabulary of the native API for live events: {id, event, created_at, data}, snake_case inside, with the
// HMAC of the body in x-pullup-signature.
//
// A [Dialect] carries the six events that the specification names, and an organisation's own messages by their own names. The six are:
//
//   - ticket.purchased when a ticket becomes valid, one for each ticket: data is {ticket_id, order_id, event_id, tier, section, row, seat, place, places,
//     quantity, price, status}. It is place number "place" of the "places" that its order has; the tier is the section's name, the quantity is 1, and
//     price is of this one ticket.
//   - ticket.cancelled when a ticket becomes void, alone or with its order: the same, with the status "cancelled" and a reason, which is
//     ticket_cancelled, order_cancelled or order_refunded.
//   - event.updated when an event's public face has changed: data is {event_id, changes, event}, where changes names fields of event; one
//     that has become empty is absent there. When seats come back to an exhausted event, the change is number_of_seats, which is a field
//     only then. A deleted event has the status "deleted".
//   - event.soldout when nothing is left and nothing is held: data is {event_id, capacity, sold}.
//   - checkin.completed when a ticket was admitted for the first time on a check-in list: data is {checkin_id, ticket_id, event_id, checked_in_at, gate}. Who
//     comes in again after they left, and an earlier entry that comes to light later, are not told. There is no user_id: facts know no person.
//   - stamp.awarded when somebody earned a stamp or was given it: data is {stamp_id, stamp_type_id, name, collection, event_id, awarded_at}. event_id is absent
//     where it was awarded for no event. That a stamp was taken away is not told; given again, it is told again.
//
// The event "test" is what an endpoint's owner can ask for.
//
// "id" is the fact's id, by which a receiver knows what it has handled, since nothing but the body is signed. "created_at" is the fact's instant.
// There is no personal data in any of these; a message's data is the organisation's own and goes out byte for byte as it came in.
package pullup

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// Dialect is pullup's vocabulary. It is a [delivery.Dialect] and safe for use by many goroutines.
type Dialect struct{}

// New makes the dialect.
func New() *Dialect { return &Dialect{} }

// The names of the specification's "6 event types", and the test event's.
const (
	purchased = "ticket.purchased"
	cancelled = "ticket.cancelled"
	updated   = "event.updated"
	soldOut   = "event.soldout"
	awarded   = "stamp.awarded"
	completed = "checkin.completed"
	test      = "test"
)

// Format is "pullup".
func (*Dialect) Format() string { return "pullup" }

// Name returns what pullup calls a fact; it is silent about orders.
func (*Dialect) Name(k fact.Kind) (string, bool) {
	switch k {
	case fact.EventPublished, fact.EventChanged, fact.EventRescheduled, fact.EventPostponed, fact.EventCancelled, fact.EventDeleted,
		fact.PoolReopened:
		return updated, true
	case fact.PoolExhausted:
		return soldOut, true
	case fact.TicketIssued:
		return purchased, true
	case fact.TicketVoided:
		return cancelled, true
	case fact.StampAwarded:
		return awarded, true
	case fact.CheckinAdmitted:
		return completed, true
	case fact.EndpointPinged:
		return test, true
	}
	return "", false
}

// Events lists the specification's six events and the test event.
func (*Dialect) Events() []string {
	return []string{purchased, cancelled, completed, updated, soldOut, awarded, test}
}

// OwnMessages is true.
func (*Dialect) OwnMessages() bool { return true }

// Signatures is empty: there is one.
func (*Dialect) Signatures() []string { return nil }

// Variant is the same for every endpoint.
func (*Dialect) Variant(*endpoint.Endpoint) string { return "pullup" }

// Signer signs the body with the printed characters of the secret. During a rotation it is the old secret that signs, because pullup's receivers compare
// one exact value; see [webhook.Pullup].
func (*Dialect) Signer(e *endpoint.Endpoint) (delivery.Signer, error) {
	keys := []webhook.Key{{Text: e.Secret}}
	if e.OldSecret != "" {
		keys = []webhook.Key{{Text: e.OldSecret, Until: e.OldUntil}, {Text: e.Secret}}
	}
	s, err := webhook.NewSigner(webhook.Pullup, keys...)
	if err != nil {
		return nil, fmt.Errorf("pullup signer: %w", err)
	}
	return s, nil
}

// MessageID is the delivery's UUID.
func (*Dialect) MessageID(_ *fact.Fact, d id.Delivery) string { return d.String() }

// ContentType is JSON.
func (*Dialect) ContentType() string { return "application/json" }

// Policy is the usual one: the specification is silent.
func (*Dialect) Policy() delivery.Policy { return delivery.Usual() }
