package order

import (
	"fmt"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Input is what an order is placed with: a hold, a listing, a ticket type, or a section and a row, of which the cheapest listing is taken that
// sells the quantity.
type Input struct {
	Event      id.Event // with Hold it may be left out
	Hold       id.Hold  // becomes the order, as it is; if any of the following three are given, they must be the hold's
	Listing    id.Listing
	Type       id.TicketType
	Section    string // with Listing or Type it may be left out; if given, it must be the listing's
	Row        string
	Quantity   int    // 1 to 20; with Hold it may be left out
	AccessCode string // for ticket types that ask for one
	Holder     string // whose the hold must be; empty for anybody's
	Customer   Customer
	Payment    Payment
}

// Place places an order, with its tickets, and returns it with its fact, order.confirmed. It fails with field errors, event_not_found, what
// [event.Event.Sells] and [inventory.Stock.Pick] fail with, or with a hold [inventory.Stock.PickHeld], and with customer_limit_reached; then nothing was changed.
//
// Orders for one event wait for each other. [db.DB.Write] is best given the event's id as its key, so that nodes take events in one order.
func (b *Book) Place(tx *db.Tx, org int64, in Input) (Order, *fact.Fact, error) {
	if err := in.hold(tx, org); err != nil {
		return Order{}, nil, err
	}
	if err := in.check(); err != nil {
		return Order{}, nil, err
	}
	ev, err := event.Lock(tx, org, in.Event)
	if err != nil {
		return Order{}, nil, err
	}
	pick, err := b.pick(tx, org, ev, in)
	if err != nil {
		return Order{}, nil, err
	}
	if err := in.agrees(pick); err != nil {
		return Order{}, nil, err
	}
	if err := in.mayHave(tx, org, pick); err != nil {
		return Order{}, nil, err
	}
	o, err := in.order(ev, pick)
	if err != nil {
		return Order{}, nil, err
	}

	if pick.Type != nil {
		o.Class = pick.Type.Class
	}

	// From here on things change.
	n, err := tx.Numbers(1)
	if err != nil {
		return Order{}, nil, fmt.Errorf("number of order: %w", err)
	}
	if o.Sale, err = saleOf(tx, ev, pick); err != nil {
		return Order{}, nil, err
	}
	o.SaleNo = o.Sale.ID
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

// saleOf is the seller's view of the order: a hold's, or a new one.
func saleOf(tx *db.Tx, ev event.Event, p *inventory.Pick) (inventory.Sale, error) {
	if no := p.SaleNo(); no != 0 {
		return p.Sale(no, ev), nil
	}
	no, err := tx.Serial(inventory.Sales)
	if err != nil {
		return inventory.Sale{}, fmt.Errorf("number of sale: %w", err)
	}
	return p.Sale(no, ev), nil
}

// hold takes over from a hold what the input leaves out.
func (in *Input) hold(tx *db.Tx, org int64) error {
	if in.Hold == "" || in.Event != "" && in.Quantity != 0 {
		return nil
	}
	h, err := inventory.HoldByID(tx, org, in.Hold, in.Holder)
	if err != nil {
		return err
	}
	if in.Event == "" {
		in.Event = h.EventID
	}
	if in.Quantity == 0 {
		in.Quantity = h.Quantity
	}
	return nil
}

// pick chooses the units. A hold was placed while the event was on sale, so it becomes an order after the sale has ended too.
func (b *Book) pick(tx *db.Tx, org int64, ev event.Event, in Input) (*inventory.Pick, error) {
	if in.Hold != "" {
		if err := ev.Takes(tx.Now()); err != nil {
			return nil, err
		}
		return b.stock.PickHeld(tx, org, ev, in.Hold, in.Holder)
	}
	if err := ev.Sells(tx.Now()); err != nil {
		return nil, err
	}
	return b.stock.Pick(tx, org, ev, inventory.Want{
		Listing: in.Listing, Type: in.Type, Section: in.Section, Row: in.Row, Quantity: in.Quantity, Code: in.AccessCode,
	})
}

// mayHave makes sure that a customer has no more of a ticket type than it allows; customer_limit_reached. The event is locked, so nobody orders meanwhile.
func (in Input) mayHave(tx *db.Tx, org int64, p *inventory.Pick) error {
	if p.Type == nil || p.Type.PerCustomer == 0 {
		return nil
	}
	has, err := db.One(tx, db.Value[int], `SELECT CAST(COALESCE(SUM(o.quantity), 0) AS BIGINT) FROM order_people p JOIN orders o ON o.order_no = p.order_no
		WHERE p.org_id = $1 AND p.email_lower = $2 AND o.listing_no = $3 AND o.`+live, org, strings.ToLower(in.Customer.Email), p.Listing.No)
	if err != nil {
		return fmt.Errorf("count what a customer has: %w", err)
	}
	if has+in.Quantity > p.Type.PerCustomer {
		return problem.New(problem.Conflict, "customer_limit_reached", "A customer can have %d of %s; this one has %d already.", p.Type.PerCustomer, p.Listing.Section, has)
	}
	return nil
}

// agrees makes sure that what else the input says of its listing or hold is so.
func (in Input) agrees(p *inventory.Pick) error {
	l := p.Listing
	var f problem.Fields
	if in.Listing != "" && in.Listing != l.ID {
		f.Add("/listingId", "mismatch", "The hold keeps tickets of another listing; leave listingId out.")
	}
	if in.Type != "" && in.Type != l.Type {
		f.Add("/ticketTypeId", "mismatch", "The hold keeps tickets of another type; leave ticketTypeId out.")
	}
	if in.Quantity != len(p.Ordinals) {
		f.Add("/quantity", "mismatch", "The hold keeps %d tickets; leave quantity out, or order as many.", len(p.Ordinals))
	}
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
	price := p.Price()
	total, err := price.Times(in.Quantity)
	if err != nil {
		return Order{}, fmt.Errorf("total of %d at %d: %w", in.Quantity, price.Minor, err)
	}
	return Order{
		EventNo: ev.No, EventID: ev.ID, EventName: ev.Name, EventDate: ev.StartsAt, EventTimezone: ev.Timezone,
		EventVenue: ev.Venue.Name, EventLocation: ev.Venue.Location(),
		ListingNo: l.No, ListingID: l.ID, Section: l.Section, Row: l.Row, Seats: p.Seats, units: p.Ordinals, Quantity: in.Quantity,
		UnitPrice: price, Total: total, Captured: total, Refunded: money.Amount{Currency: total.Currency},
		Payment: in.Payment, Status: Confirmed, Version: 1, People: People{Customer: in.Customer},
	}, nil
}
