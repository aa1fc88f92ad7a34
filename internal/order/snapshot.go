package order

import (
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
)

// Snapshot is the data of facts about orders: all that envelopes show but the people, as of that moment.
type Snapshot struct {
	OrderID        id.Order       `json:"orderId"`
	OrderNumber    id.OrderNumber `json:"orderNumber"`
	EventID        id.Event       `json:"eventId"`
	EventName      string         `json:"eventName"`
	EventDate      fact.Instant   `json:"eventDate"`
	EventTimezone  string         `json:"eventTimezone"`
	EventVenue     string         `json:"eventVenue"`
	EventLocation  string         `json:"eventLocation"`
	ListingID      id.Listing     `json:"listingId"`
	Section        string         `json:"section"`
	Row            string         `json:"row"`
	Seats          []string       `json:"seats,omitempty"`
	Quantity       int            `json:"quantity"`
	UnitMinor      int64          `json:"unitMinor"`
	TotalMinor     int64          `json:"totalMinor"` // in Currency's minor units, like all …Minor
	RefundedMinor  int64          `json:"refundedMinor"`
	RefundMinor    int64          `json:"refundMinor,omitempty"` // refund.completed: this refund's amount
	Currency       money.Currency `json:"currency"`
	Status         Status         `json:"status"`
	PreviousStatus Status         `json:"previousStatus,omitempty"` // when this fact was a change of status
	TransferMethod TransferMethod `json:"transferMethod,omitempty"`
	Version        int64          `json:"version"`
	CreatedAt      fact.Instant   `json:"createdAt"`
	UpdatedAt      fact.Instant   `json:"updatedAt"`
}

// Snapshot returns the order as facts show it, with the previous status that is on record.
func (o Order) Snapshot() Snapshot { panic("unwritten") }
