package portal

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/dialect/house"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/order"
)

// envelope is the body of every delivery. The order of the fields, here and below, is the order on the wire.
type envelope struct {
	Event     string       `json:"event"`
	OrderID   id.Order     `json:"orderId"`
	Order     any          `json:"order"` // plainOrder or fulfilledOrder
	Timestamp fact.Instant `json:"timestamp"`
}

// head is what every order begins with. There is no orderId in it, unlike in the API's answers.
type head struct {
	EventID        id.Event       `json:"eventId"`
	EventName      string         `json:"eventName"`
	EventDate      fact.Instant   `json:"eventDate"`
	EventVenue     string         `json:"eventVenue"`
	EventLocation  string         `json:"eventLocation"`
	Section        string         `json:"section"`
	Row            string         `json:"row"`
	ListingID      id.Listing     `json:"listingId"`
	Quantity       int            `json:"quantity"`
	Status         order.Status   `json:"status"` // as [spelled]
	TotalAmount    money.Number   `json:"totalAmount"`
	Currency       money.Currency `json:"currency"`
	RefundAmount   money.Number   `json:"refundAmount,omitempty"`
	RefundedAmount money.Number   `json:"refundedAmount,omitempty"`
	Customer       customer       `json:"customer"`
}

// plainOrder follows the "Sample Notification Payload".
type plainOrder struct {
	head
	CreatedAt      fact.Instant `json:"createdAt"`
	UpdatedAt      fact.Instant `json:"updatedAt"`
	PreviousStatus order.Status `json:"previousStatus,omitempty"`
}

// fulfilledOrder follows the "Fulfilled Notification Payload", whose last fields stand in another order.
type fulfilledOrder struct {
	head
	TransferMethod order.TransferMethod `json:"transferMethod"`
	TransferNote   string               `json:"transferNote,omitempty"`
	PreviousStatus order.Status         `json:"previousStatus,omitempty"`
	CreatedAt      fact.Instant         `json:"createdAt"`
	UpdatedAt      fact.Instant         `json:"updatedAt"`
}

type customer struct {
	Email string `json:"email"`
	Phone phone  `json:"phone"`
}

type phone struct {
	Number      string `json:"number"`
	CountryCode string `json:"countryCode"`
}

// Render makes the envelope of a fact about an order, or of a test. It fails for any other.
func (d *Dialect) Render(ctx context.Context, f *fact.Fact, e *endpoint.Endpoint) ([]byte, error) {
	name, ok := d.Name(f.Kind)
	switch {
	case !ok:
		return nil, fmt.Errorf("portal has no event for %s", f.Kind)
	case name == test:
		return house.Encode(testEnvelope(f, e.Options.Redact))
	}
	var s order.Snapshot
	if err := json.Unmarshal(f.Data, &s); err != nil {
		return nil, fmt.Errorf("read data of %s %s: %w", f.Kind, f.ID, err)
	}
	var p order.People
	if !e.Options.Redact {
		var err error
		if p, err = d.people(ctx, f.Org, s.OrderID); err != nil {
			return nil, fmt.Errorf("look up the people of %s: %w", s.OrderID, err)
		}
	}
	env := envelope{Event: name, OrderID: s.OrderID, Timestamp: fact.Instant(f.At)}
	if name == fulfilled {
		env.Order = fulfilledOrder{
			head: headOf(s, p.Customer), TransferMethod: s.TransferMethod, TransferNote: p.TransferNote,
			PreviousStatus: spelled(s.PreviousStatus), CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
		}
	} else {
		plain := plainOrder{head: headOf(s, p.Customer), CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, PreviousStatus: spelled(s.PreviousStatus)}
		if name == refunded {
			plain.RefundAmount = number(s.RefundMinor, s.Currency)
			plain.RefundedAmount = number(s.RefundedMinor, s.Currency)
		}
		env.Order = plain
	}
	return house.Encode(env)
}

func headOf(s order.Snapshot, c order.Customer) head {
	return head{
		EventID: s.EventID, EventName: s.EventName, EventDate: s.EventDate, EventVenue: s.EventVenue, EventLocation: s.EventLocation,
		Section: s.Section, Row: s.Row, ListingID: s.ListingID, Quantity: s.Quantity, Status: spelled(s.Status),
		TotalAmount: number(s.TotalMinor, s.Currency), Currency: s.Currency, Customer: customerOf(c),
	}
}

func customerOf(c order.Customer) customer {
	return customer{Email: c.Email, Phone: phone{Number: c.Phone.Number, CountryCode: c.Phone.CountryCode}}
}

// spelled is a status as the portal writes it.
func spelled(s order.Status) order.Status {
	if s == order.Issue {
		return "purchase_issues"
	}
	return s
}

func number(minor int64, c money.Currency) money.Number {
	return money.Number(money.Amount{Minor: minor, Currency: c}.Number())
}

// testEnvelope has the shape of the others; everything in it says that it is not a real order.
func testEnvelope(f *fact.Fact, redact bool) envelope {
	at := fact.Instant(f.At)
	c := order.Customer{Email: "test@example.com", Phone: order.Phone{Number: "5550100", CountryCode: "+1"}}
	if redact {
		c = order.Customer{}
	}
	return envelope{
		Event: test, OrderID: "order_0", Timestamp: at,
		Order: plainOrder{
			head: head{
				EventID: test, EventName: "Test event", EventDate: at, EventVenue: "Test venue", EventLocation: "Test location",
				Section: test, Row: "0", ListingID: "000000000000000000000000", Status: test, TotalAmount: "0", Currency: "USD",
				Customer: customerOf(c),
			},
			CreatedAt: at, UpdatedAt: at,
		},
	}
}
