package order

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Input is what an order is placed with: a listing, or a section and a row, of which the cheapest listing is taken that sells the
// quantity.
type Input struct {
	Event    id.Event
	Listing  id.Listing
	Section  string // with Listing it may be left out; if given, it must be the listing's
	Row      string
	Quantity int // 1 to 20
	Customer Customer
	Payment  Payment
}

// Place places an order, with its tickets, and returns it with its fact, order.confirmed. It fails with field errors, event_not_found, event_cancelled,
// event_not_on_sale (not published, or over), and what [inventory.Stock.Pick] fails with; then nothing was changed.
//
// Orders for one event wait for each other. [db.DB.Write] is best given the event's id as its key, so that nodes take events in one order.
func (b *Book) Place(tx *db.Tx, org int64, in Input) (Order, *fact.Fact, error) {
	if err := in.check(); err != nil {
		return Order{}, nil, err
	}
	ev, err := event.Lock(tx, org, in.Event)
	if err != nil {
		return Order{}, nil, err
	}
	if err := onSale(tx, ev); err != nil {
		return Order{}, nil, err
	}
	pick, err := b.stock.Pick(tx, org, ev, inventory.Want{Listing: in.Listing, Section: in.Section, Row: in.Row, Quantity: in.Quantity})
	if err != nil {
		return Order{}, nil, err
	}
	if err := in.agrees(pick.Listing); err != nil {
		return Order{}, nil, err
	}
	o, err := in.order(ev, pick)
	if err != nil {
		return Order{}, nil, err
	}

	// From here on things change.
	n, err := tx.Numbers(1)
	if err != nil {
		return Order{}, nil, fmt.Errorf("number of order: %w", err)
	}
	o.ID, o.Number, o.CreatedAt, o.UpdatedAt = id.NewOrder(tx.Now(), n), id.NewOrderNumber(), tx.Now(), tx.Now()
	o.No, _ = NoOf(o.ID)
	if err := o.insert(tx, org); err != nil {
		return Order{}, nil, err
	}
	if err := b.stock.Take(tx, org, ev, pick, o.No); err != nil {
		return Order{}, nil, err
	}
	issued, err := b.tickets.Follow(tx, org, o)
	if err != nil {
		return Order{}, nil, err
	}
	f, err := b.tell(tx, org, fact.OrderConfirmed, o.Snapshot(), issued...)
	return o, f, err
}

func onSale(tx *db.Tx, ev event.Event) error {
	switch {
	case ev.OnSale(tx.Now()):
		return nil
	case ev.Status == event.Cancelled:
		return problem.New(problem.Conflict, "event_cancelled", "The event is cancelled; nothing is sold for it any more.")
	case ev.Status == event.Published:
		return problem.New(problem.Conflict, "event_not_on_sale", "The event is over.")
	}
	return problem.New(problem.Conflict, "event_not_on_sale", "The event is %s; orders are taken while it is published.", ev.Status)
}

// agrees makes sure that a section and row that came with a listing's id are that listing's.
func (in Input) agrees(l inventory.Listing) error {
	var f problem.Fields
	if in.Section != "" && in.Section != l.Section {
		f.Add("/section", "mismatch", "The listing is in section %s; leave section out, or leave listingId out.", l.Section)
	}
	if in.Row != "" && in.Row != l.Row {
		f.Add("/row", "mismatch", "The listing is in row %s; leave row out, or leave listingId out.", l.Row)
	}
	return f.Err()
}

// order is the order that the input asks for, without id and times. It is paid: portal's orders come without a payment step.
func (in Input) order(ev event.Event, p *inventory.Pick) (Order, error) {
	l := p.Listing
	total, err := l.Price.Times(in.Quantity)
	if err != nil {
		return Order{}, fmt.Errorf("total of %d at %d: %w", in.Quantity, l.Price.Minor, err)
	}
	return Order{
		EventNo: ev.No, EventID: ev.ID, EventName: ev.Name, EventDate: ev.StartsAt, EventTimezone: ev.Timezone,
		EventVenue: ev.Venue.Name, EventLocation: ev.Venue.Location(),
		ListingNo: l.No, ListingID: l.ID, Section: l.Section, Row: l.Row, Seats: p.Seats, units: p.Ordinals, Quantity: in.Quantity,
		UnitPrice: l.Price, Total: total, Captured: total, Refunded: money.Amount{Currency: total.Currency},
		Payment: in.Payment, Status: Confirmed, Version: 1, People: People{Customer: in.Customer},
	}, nil
}
