package order

import (
	"encoding/json"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
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
	IssueCause     Cause          `json:"issueCause,omitempty"`     // of an order with an issue
	TransferMethod TransferMethod `json:"transferMethod,omitempty"` // of a fulfilled order
	Sale           inventory.Sale `json:"sale"`
	Version        int64          `json:"version"`
	CreatedAt      fact.Instant   `json:"createdAt"`
	UpdatedAt      fact.Instant   `json:"updatedAt"`
}

// Snapshot returns the order as facts show it, with the previous status that is on record.
func (o Order) Snapshot() Snapshot {
	s := Snapshot{
		OrderID: o.ID, OrderNumber: o.Number, EventID: o.EventID, EventName: o.EventName, EventDate: fact.Instant(o.EventDate),
		EventTimezone: o.EventTimezone, EventVenue: o.EventVenue, EventLocation: o.EventLocation, ListingID: o.ListingID,
		Section: o.Section, Row: o.Row, Seats: o.Seats, Quantity: o.Quantity,
		UnitMinor: o.UnitPrice.Minor, TotalMinor: o.Total.Minor, RefundedMinor: o.Refunded.Minor, Currency: o.Total.Currency,
		Status: o.Status, PreviousStatus: o.PreviousStatus, IssueCause: o.IssueCause, Version: o.Version,
		CreatedAt: fact.Instant(o.CreatedAt), UpdatedAt: fact.Instant(o.UpdatedAt), Sale: o.Sale,
	}
	if o.Status == Fulfilled {
		s.TransferMethod = o.TransferMethod
	}
	return s
}

// tell appends a fact about the order, and after it what follows from it.
func (b *Book) tell(tx *db.Tx, org int64, kind fact.Kind, s Snapshot, more ...*fact.Fact) (*fact.Fact, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	f := &fact.Fact{Org: org, Kind: kind, Subject: string(s.OrderID), Version: s.Version, Data: data}
	if err := b.ledger.Append(tx, append([]*fact.Fact{f}, more...)...); err != nil {
		return nil, fmt.Errorf("append %s: %w", kind, err)
	}
	return f, nil
}
