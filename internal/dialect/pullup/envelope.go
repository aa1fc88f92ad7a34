package pullup

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/dialect/house"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// room is more than what surrounds the parts of an envelope whose lengths vary.
const room = 96

// Render makes the envelope of a fact that pullup has a name for, or of a message. It fails for any other fact and for a message whose data was
// erased.
//
// The envelope is put together from bytes, so that a message's data is copied once and never parsed. Names of events need no escapes (see
// [fact.ValidName]).
func (d *Dialect) Render(_ context.Context, f *fact.Fact, _ *endpoint.Endpoint) ([]byte, error) {
	name, data, err := d.told(f)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, room+len(name)+len(data))
	b = append(b, `{"id":"`...)
	b = append(b, f.ID.String()...)
	b = append(b, `","event":"`...)
	b = append(b, name...)
	b = append(b, `","created_at":"`...)
	b = f.At.UTC().AppendFormat(b, fact.Layout)
	b = append(b, `","data":`...)
	b = append(b, data...)
	return append(b, '}'), nil
}

// told is the event's name and data.
func (d *Dialect) told(f *fact.Fact) (name string, data []byte, err error) {
	if !fact.Reserved(string(f.Kind)) {
		if f.Data == nil {
			return "", nil, fmt.Errorf("the data of %s %s was erased", f.Kind, f.ID)
		}
		return string(f.Kind), f.Data, nil
	}
	name, ok := d.Name(f.Kind)
	if !ok {
		return "", nil, fmt.Errorf("pullup has no event for %s", f.Kind)
	}
	switch name {
	case purchased, cancelled:
		data, err = ticketData(f)
	case soldOut:
		data, err = soldOutData(f)
	case awarded:
		data, err = stampData(f)
	case completed:
		data, err = completedData(f)
	case test:
		data, err = testData(f)
	default:
		data, err = updatedData(f)
	}
	if err != nil {
		return "", nil, fmt.Errorf("render %s %s: %w", f.Kind, f.ID, err)
	}
	return name, data, nil
}

// eventUpdated is the data of event.updated.
type eventUpdated struct {
	EventID id.Event `json:"event_id"`
	Changes []string `json:"changes"`
	Event   any      `json:"event"` // liveEvent or eventWithSeats
}

// liveEvent is an [event.Snapshot] as pullup spells it. It is converted, not copied, so a field that is added there does not compile until it has a
// name here.
type liveEvent struct {
	EventID       id.Event       `json:"event_id"`
	Name          string         `json:"name"`
	Description   string         `json:"description,omitempty"`
	Category      string         `json:"category,omitempty"`
	URL           string         `json:"url,omitempty"`
	Online        bool           `json:"online"`
	StartLocal    string         `json:"start_local"`
	EndLocal      string         `json:"end_local,omitempty"`
	Timezone      string         `json:"timezone"`
	AllDay        bool           `json:"all_day"`
	StartsAt      fact.Instant   `json:"starts_at"`
	EndsAt        fact.Instant   `json:"ends_at"`
	PreviousStart *fact.Instant  `json:"previous_start,omitempty"`
	VenueID       int64          `json:"venue_id,omitempty"`
	Venue         string         `json:"venue,omitempty"`
	City          string         `json:"city,omitempty"`
	Region        string         `json:"region,omitempty"`
	Country       string         `json:"country,omitempty"`
	Latitude      *float64       `json:"latitude,omitempty"`
	Longitude     *float64       `json:"longitude,omitempty"`
	Currency      money.Currency `json:"currency"`
	OnSaleAt      *fact.Instant  `json:"on_sale_at,omitempty"`
	OffSaleAt     *fact.Instant  `json:"off_sale_at,omitempty"`
	Status        event.Status   `json:"status"`
	Version       int64          `json:"version"`
	CreatedAt     fact.Instant   `json:"created_at"`
	UpdatedAt     fact.Instant   `json:"updated_at"`
	Changes       []string       `json:"-"`
}

// eventWithSeats also says what is for sale now.
type eventWithSeats struct {
	liveEvent
	NumberOfSeats int `json:"number_of_seats"`
}

func updatedData(f *fact.Fact) ([]byte, error) {
	var p inventory.PoolSnapshot // an event's snapshot, and more where the fact is about its stock
	if err := json.Unmarshal(f.Data, &p); err != nil {
		return nil, err
	}
	if f.Kind == fact.EventDeleted {
		p.Status = "deleted"
	}
	changes := make([]string, len(p.Changes))
	for i, c := range p.Changes {
		changes[i] = snake(c)
	}
	if len(changes) == 0 { // it has come into view, or gone out of it
		changes = []string{"status"}
	}
	u := eventUpdated{EventID: p.EventID, Changes: changes, Event: liveEvent(p.Snapshot)}
	if f.Kind == fact.PoolReopened {
		u.Event = eventWithSeats{liveEvent(p.Snapshot), p.Free}
	}
	return house.Encode(u)
}

// snake is a camelCase name in snake_case.
func snake(camel string) string {
	var b strings.Builder
	for _, r := range camel {
		if 'A' <= r && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func soldOutData(f *fact.Fact) ([]byte, error) {
	var p inventory.PoolSnapshot
	if err := json.Unmarshal(f.Data, &p); err != nil {
		return nil, err
	}
	return house.Encode(struct {
		EventID  id.Event `json:"event_id"`
		Capacity int      `json:"capacity"`
		Sold     int      `json:"sold"`
	}{p.EventID, p.Capacity, p.Sold})
}

// price is an amount as contracts §1.2.5 prints it.
type price struct {
	Amount   string         `json:"amount"`
	Currency money.Currency `json:"currency"`
}

// aTicket is the data of ticket.purchased and ticket.cancelled.
type aTicket struct {
	TicketID   id.Ticket     `json:"ticket_id"`
	OrderID    id.Order      `json:"order_id"`
	EventID    id.Event      `json:"event_id"`
	Tier       string        `json:"tier"`
	Section    string        `json:"section"`
	Row        string        `json:"row"`
	Seat       string        `json:"seat,omitempty"`
	Place      int           `json:"place"`
	Places     int           `json:"places"`
	Quantity   int           `json:"quantity"`
	Price      price         `json:"price"`
	Status     string        `json:"status"`
	Reason     ticket.Reason `json:"reason,omitempty"`
	ValidFrom  *fact.Instant `json:"valid_from,omitempty"`
	ValidUntil *fact.Instant `json:"valid_until,omitempty"`
}

func ticketData(f *fact.Fact) ([]byte, error) {
	var s ticket.Snapshot
	if err := json.Unmarshal(f.Data, &s); err != nil {
		return nil, err
	}
	t := aTicket{
		TicketID: s.TicketID, OrderID: s.OrderID, EventID: s.EventID, Tier: s.Section, Section: s.Section, Row: s.Row, Seat: s.Seat, Place: s.Place, Places: s.Places,
		Quantity: 1, Price: price{money.Amount{Minor: s.PriceMinor, Currency: s.Currency}.String(), s.Currency}, Status: string(s.Status), Reason: s.Reason,
		ValidFrom: s.ValidFrom, ValidUntil: s.ValidUntil,
	}
	if f.Kind == fact.TicketVoided {
		t.Status = "cancelled"
	}
	return house.Encode(t)
}

func stampData(f *fact.Fact) ([]byte, error) {
	var s stamp.Snapshot
	if err := json.Unmarshal(f.Data, &s); err != nil {
		return nil, err
	}
	return house.Encode(struct {
		StampID     id.Stamp     `json:"stamp_id"`
		StampTypeID id.StampType `json:"stamp_type_id"`
		Name        string       `json:"name"`
		Collection  string       `json:"collection"`
		EventID     id.Event     `json:"event_id,omitempty"`
		AwardedAt   fact.Instant `json:"awarded_at"`
	}{s.StampID, s.StampTypeID, s.Name, s.Collection, s.EventID, s.AwardedAt})
}

func completedData(f *fact.Fact) ([]byte, error) {
	var s gate.Snapshot
	if err := json.Unmarshal(f.Data, &s); err != nil {
		return nil, err
	}
	return house.Encode(struct {
		CheckinID   id.Checkin   `json:"checkin_id"`
		TicketID    id.Ticket    `json:"ticket_id"`
		EventID     id.Event     `json:"event_id"`
		CheckedInAt fact.Instant `json:"checked_in_at"`
		Gate        string       `json:"gate,omitempty"`
	}{s.CheckinID, s.TicketID, s.EventID, s.At, s.Gate})
}

func testData(f *fact.Fact) ([]byte, error) {
	var ping struct {
		WebhookID id.Webhook `json:"webhookId"`
		Message   string     `json:"message"`
	}
	if err := json.Unmarshal(f.Data, &ping); err != nil {
		return nil, err
	}
	return house.Encode(struct {
		WebhookID id.Webhook `json:"webhook_id"`
		Message   string     `json:"message"`
	}{ping.WebhookID, ping.Message})
}
