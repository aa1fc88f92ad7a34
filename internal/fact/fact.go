// Package fact holds what the ledger is made of: a [Fact] says that something happened, once, to one thing, and when.
//
// A fact carries no personal data: ids, and all other state that its envelopes show as of that moment. Names, e-mail addresses
// and phone numbers are looked up when an envelope is rendered. Only a fact marked Private (an organisation's own message) may
// hold anything; its data is kept apart from the log so that it can be erased.
package fact

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/id"
)

// Kind names what happened, in the native vocabulary: two or more dotted words.
type Kind string

// The native kinds.
const (
	EventPublished    Kind = "event.published"
	EventChanged      Kind = "event.changed"
	EventRescheduled  Kind = "event.rescheduled"
	EventPostponed    Kind = "event.postponed"
	EventCancelled    Kind = "event.cancelled"
	EventDeleted      Kind = "event.deleted"
	PoolExhausted     Kind = "pool.exhausted" // nothing free and nothing held, on the edge
	PoolReopened      Kind = "pool.reopened"
	OrderConfirmed    Kind = "order.confirmed"
	TicketIssued      Kind = "ticket.issued" // one for each ticket, when it becomes valid
	OrderAccepted     Kind = "order.accepted"
	OrderIssueRaised  Kind = "order.issue_raised"
	OrderFulfilled    Kind = "order.fulfilled"
	OrderCancelled    Kind = "order.cancelled"
	TicketVoided      Kind = "ticket.voided" // one for each ticket
	RefundCompleted   Kind = "refund.completed"
	TicketTransferred Kind = "ticket.transferred"
	EndpointPinged    Kind = "endpoint.pinged"
	EndpointFailing   Kind = "endpoint.failing"
	EndpointDisabled  Kind = "endpoint.disabled"
	EndpointRecovered Kind = "endpoint.recovered"
	ListingChanged    Kind = "listing.changed"

	SaleBarcodesFailed      Kind = "sale.barcodes_failed"   // of an order, which has an issue by it
	SaleBarcodesReceived    Kind = "sale.barcodes_received" // when the order stayed what it was
	TransferFailed          Kind = "transfer.failed"        // the buyer did not receive the tickets: an issue of the order
	ListingBarcodesFailed   Kind = "listing.barcodes_failed"
	ListingBarcodesReceived Kind = "listing.barcodes_received"

	TicketTransferOffered  Kind = "ticket.transfer_offered"
	TicketTransferDeclined Kind = "ticket.transfer_declined"
	TicketTransferRevoked  Kind = "ticket.transfer_revoked"
	TicketTransferExpired  Kind = "ticket.transfer_expired"

	TicketBlocked   Kind = "ticket.blocked"
	TicketUnblocked Kind = "ticket.unblocked"
	TicketChanged   Kind = "ticket.changed" // another holder, without a transfer

	HoldPlaced   Kind = "hold.placed"
	HoldExpired  Kind = "hold.expired"
	HoldReleased Kind = "hold.released"

	ListingDeliverabilityExpired Kind = "listing.deliverability_expired" // codes were missing when they had to be there; on the edge

	CheckinAdmitted   Kind = "checkin.admitted"
	CheckinDenied     Kind = "checkin.denied"
	CheckinExited     Kind = "checkin.exited"
	CheckinConflicted Kind = "checkin.conflict_offline" // a second entry, made offline, which came to light when it was uploaded
	CheckinReadmitted Kind = "checkin.readmitted"       // in again, or by an entry that came to light after another was told
	CheckinUndone     Kind = "checkin.undone"

	StampAwarded Kind = "stamp.awarded"
	StampRevoked Kind = "stamp.revoked"

	PassCreated         Kind = "pass.created"
	PassUpdated         Kind = "pass.updated" // its own fields, not those of its event
	PassScanned         Kind = "pass.scanned"
	PassExpired         Kind = "pass.expired"
	RegistrationAdded   Kind = "registration.added"   // a pass is on a device, or in an account's wallet
	RegistrationRemoved Kind = "registration.removed" // and no more

	AccessReuseDetected Kind = "access.reuse_detected" // a token was used again, so somebody else may have it

	// WebhookReceived says that a pull endpoint has taken an event that it hands on. It is for one endpoint alone (Only), so nobody subscribes to it and [Native]
	// does not list it.
	WebhookReceived Kind = "webhook.received"
)

// Native lists every native kind in the order in which formats list them.
func Native() []Kind {
	return []Kind{
		EventPublished, EventChanged, EventRescheduled, EventPostponed, EventCancelled, EventDeleted, PoolExhausted, PoolReopened,
		OrderConfirmed, TicketIssued, OrderAccepted, OrderIssueRaised, OrderFulfilled, OrderCancelled, TicketVoided, RefundCompleted,
		TicketTransferred, EndpointPinged, EndpointFailing, EndpointDisabled, EndpointRecovered, TicketTransferOffered, TicketTransferDeclined,
		TicketTransferRevoked, TicketTransferExpired, TicketBlocked, TicketUnblocked, TicketChanged, ListingChanged, AccessReuseDetected,
		StampAwarded, StampRevoked,
		HoldPlaced, HoldExpired, HoldReleased,
		ListingDeliverabilityExpired,
		CheckinAdmitted, CheckinReadmitted, CheckinDenied, CheckinExited, CheckinConflicted, CheckinUndone,
		SaleBarcodesFailed, SaleBarcodesReceived, TransferFailed, ListingBarcodesFailed, ListingBarcodesReceived,
		PassCreated, PassUpdated, PassScanned, PassExpired, RegistrationAdded, RegistrationRemoved,
	}
}

// Fact is one thing that happened.
type Fact struct {
	ID      id.Fact   // given by the ledger
	Org     int64     // the organisation's number
	Kind    Kind      //
	Subject string    // the id of what it happened to, on the wire
	Version int64     // the subject's version after it; 0 where the subject has none
	At      time.Time // the instant of its transaction, UTC, whole microseconds
	Key     string    // deliveries with the same key reach an endpoint in order; "" for no order
	Data    json.RawMessage
	Private bool  // Data may hold personal data: it is kept apart, and erased with the person
	Only    int64 // when not 0, the number of the one endpoint that it is for
}

// nouns are the first segments of our own kinds, present and reserved: an organisation's message may not begin with one.
var nouns = map[string]bool{
	"access": true, "apikey": true, "audit": true, "checkin": true, "client": true, "delivery": true, "device": true, "endpoint": true,
	"event": true, "gate": true, "grant": true, "hold": true, "inbound": true, "inventory": true, "key": true, "listing": true,
	"member": true, "message": true, "order": true, "org": true, "organisation": true, "organization": true, "pass": true,
	"passport": true, "payment": true, "payout": true, "pool": true, "refund": true, "registration": true, "sale": true,
	"scan": true, "session": true, "stagedoor": true, "stamp": true, "ticket": true, "token": true, "transfer": true, "user": true,
	"venue": true, "waitinglist": true, "webhook": true,
}

// Reserved tells whether a dotted name belongs to the native vocabulary, now or later.
func Reserved(name string) bool {
	first, _, _ := strings.Cut(name, ".")
	return nouns[first]
}

// ValidName tells whether name can be an event name: 2 to 8 dotted segments of letters, digits, _ and -, 3 to 128 bytes in all.
func ValidName(name string) bool {
	if len(name) < 3 || len(name) > 128 {
		return false
	}
	segments := strings.Split(name, ".")
	if len(segments) < 2 || len(segments) > 8 {
		return false
	}
	for _, s := range segments {
		if s == "" {
			return false
		}
		for _, c := range []byte(s) {
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
			if !letter && (c < '0' || c > '9') && c != '_' && c != '-' {
				return false
			}
		}
	}
	return true
}

// Day is the number of whole days between 1970-01-01 and t, in UTC.
func Day(t time.Time) int32 { return int32(t.Unix() / 86400) }
