package stubhub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dialect/house"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/order"
)

// Envelopes have the members of StubHub's topics, all of them, null where there is nothing to say. What a sale or a listing was at its fact's moment, the fact
// holds; what changes never or hardly, its venue and its barcodes, is looked up. The embedded webhook has no authorization_header: the receiver has it in the
// request's head, and kept bodies must not hold it.

type saleEnvelope struct {
	Barcodes []saleBarcode `json:"barcodes"`
	Topic    string        `json:"topic"`
	Action   string        `json:"action"`
	Links    links         `json:"_links"`
	Embedded struct {
		Event         eventPart   `json:"event"`
		Sale          salePart    `json:"sale"`
		SellerListing listingPart `json:"seller_listing"`
		Venue         *venuePart  `json:"venue"`
		Webhook       webhookPart `json:"webhook"`
	} `json:"_embedded"`
}

type listingEnvelope struct {
	Topic    string           `json:"topic"`
	Action   string           `json:"action"`
	Barcodes []listingBarcode `json:"barcodes"`
	Links    links            `json:"_links"`
	Embedded struct {
		Event         eventPart   `json:"event"`
		SellerListing listingPart `json:"seller_listing"`
		Venue         *venuePart  `json:"venue"`
		Webhook       webhookPart `json:"webhook"`
	} `json:"_embedded"`
}

type pingEnvelope struct {
	Topic    string `json:"topic"`
	Action   string `json:"action"`
	Links    links  `json:"_links"`
	Embedded struct {
		Webhook webhookPart `json:"webhook"`
	} `json:"_embedded"`
}

// salePart is StubHub's EmbeddedSale.
type salePart struct {
	ID              int64       `json:"id"`
	CreatedAt       string      `json:"created_at"`
	Seating         seatingJSON `json:"seating"`
	Proceeds        *amount     `json:"proceeds"`
	NumberOfTickets int         `json:"number_of_tickets"`
	Links           links       `json:"_links"`
}

// listingPart is StubHub's EmbeddedSellerListing.
type listingPart struct {
	ID              int64         `json:"id"`
	CreatedAt       string        `json:"created_at"`
	NumberOfTickets int           `json:"number_of_tickets"`
	Seating         seatingDetail `json:"seating"`
	DisplaySeating  seatingDetail `json:"display_seating"`
	TicketPrice     *amount       `json:"ticket_price"`
	Links           links         `json:"_links"`
}

// webhookPart is StubHub's Webhook as envelopes show it. Its links lead to what a GET answers.
type webhookPart struct {
	ID                  int64    `json:"id"`
	Name                *string  `json:"name"`
	CreatedAt           string   `json:"created_at"`
	Topics              []string `json:"topics"`
	URL                 string   `json:"url"`
	AuthorizationHeader *string  `json:"authorization_header"` // always null
	Links               links    `json:"_links"`
}

// Render makes the envelope of a fact for an endpoint.
func (d *Dialect) Render(ctx context.Context, f *fact.Fact, e *endpoint.Endpoint) ([]byte, error) {
	t, ok := topics[f.Kind]
	if !ok {
		return nil, fmt.Errorf("stubhub has no topic for %s", f.Kind)
	}
	var v any
	var err error
	switch t.topic {
	case ping:
		v = d.ping(t, e)
	case listingUpdates:
		v, err = d.listing(ctx, t, f, e)
	default:
		v, err = d.sale(ctx, t, f, e)
	}
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", t.topic, f.ID, err)
	}
	return house.Encode(v)
}

// at is where things are.
func (d *Dialect) at() places { return *d.places.Load() }

func (d *Dialect) ping(t told, e *endpoint.Endpoint) pingEnvelope {
	env := pingEnvelope{Topic: t.topic, Action: t.action, Links: links{"self": d.at().webhook(e.Number)}}
	env.Embedded.Webhook = d.webhook(e)
	return env
}

func (d *Dialect) webhook(e *endpoint.Endpoint) webhookPart {
	self, topics := d.at().webhook(e.Number), e.Events
	if slices.Contains(topics, endpoint.Wildcard) {
		topics = d.Events()
	}
	return webhookPart{
		ID: e.Number, Name: textOrNil(e.Description), CreatedAt: instant(e.CreatedAt), Topics: topics, URL: e.URL,
		Links: links{"self": self, "webhook:update": self, "webhook:delete": self},
	}
}

// saleFact is what facts about orders and about holds say of a sale.
type saleFact struct {
	Section        string         `json:"section"`
	Row            string         `json:"row"`
	Seats          []string       `json:"seats"`
	Quantity       int            `json:"quantity"`
	UnitMinor      int64          `json:"unitMinor"`  // of orders
	PriceMinor     int64          `json:"priceMinor"` // of holds
	TotalMinor     int64          `json:"totalMinor"` // of orders
	Currency       money.Currency `json:"currency"`
	CreatedAt      fact.Instant   `json:"createdAt"`
	PreviousStatus order.Status   `json:"previousStatus"`
	HoldID         id.Hold        `json:"holdId"`
	Sale           inventory.Sale `json:"sale"`
}

func saleIn(f *fact.Fact) (s saleFact, err error) {
	if err := json.Unmarshal(f.Data, &s); err != nil {
		return s, fmt.Errorf("read data: %w", err)
	}
	if s.HoldID != "" {
		s.UnitMinor, s.TotalMinor = s.PriceMinor, s.PriceMinor*int64(s.Quantity)
	}
	return s, nil
}

func (d *Dialect) sale(ctx context.Context, t told, f *fact.Fact, e *endpoint.Endpoint) (env saleEnvelope, err error) {
	s, err := saleIn(f)
	if err != nil {
		return env, err
	}
	p, self := d.at(), d.at().sale(s.Sale.ID)
	env.Topic, env.Action, env.Links = t.topic, t.action, links{"self": self}
	if f.Kind == fact.OrderConfirmed && s.PreviousStatus == order.Issue {
		env.Action = "Confirmed" // once more, after something was wrong: it was Created before
	}
	env.Embedded.Event, env.Embedded.Webhook = p.briefPart(s.Sale.Event), d.webhook(e)
	env.Embedded.Sale = salePart{
		ID: s.Sale.ID, CreatedAt: instant(time.Time(s.CreatedAt)), Seating: seatingOf(s.Section, s.Row, s.Seats),
		Proceeds: newAmount(money.Amount{Minor: s.TotalMinor, Currency: s.Currency}), NumberOfTickets: s.Quantity, Links: links{"self": self},
	}
	seating := seatingDetail{seatingOf(s.Section, s.Row, s.Sale.ListedSeats), &seatingState{}}
	env.Embedded.SellerListing = listingPart{
		ID: s.Sale.ListingNumber, CreatedAt: instant(time.Time(s.Sale.ListedAt)), NumberOfTickets: s.Sale.Left, Seating: seating, DisplaySeating: seating,
		TicketPrice: newAmount(money.Amount{Minor: s.UnitMinor, Currency: s.Currency}), Links: links{"self": p.listing(s.Sale.ListingNumber)},
	}
	if env.Embedded.Venue, err = d.venue(ctx, f.Org, s.Sale.Event.VenueID); err != nil {
		return env, err
	}
	env.Barcodes = []saleBarcode{}
	if len(s.Sale.Units) == 0 {
		return env, nil
	}
	sets, err := d.lookups.Barcodes(ctx, f.Org, s.Sale.ListingNumber, s.Sale.Units, f.At)
	if err != nil {
		return env, fmt.Errorf("look up barcodes: %w", err)
	}
	for _, b := range sets {
		place := slices.Index(s.Sale.Units, b.Ordinal) + 1
		env.Barcodes = append(env.Barcodes, saleBarcode{place, textOrNil(b.Seat), textOrNil(b.Row), barcodeStatus(b.Status), b.Values})
	}
	return env, nil
}

func (d *Dialect) listing(ctx context.Context, t told, f *fact.Fact, e *endpoint.Endpoint) (env listingEnvelope, err error) {
	var s inventory.Snapshot
	if err := json.Unmarshal(f.Data, &s); err != nil {
		return env, fmt.Errorf("read data: %w", err)
	}
	if s.Event == nil {
		return env, fmt.Errorf("the data of %s says nothing of the event", f.Kind)
	}
	p, self := d.at(), d.at().listing(s.Number)
	env.Topic, env.Action, env.Links = t.topic, t.action, links{"self": self}
	env.Embedded.Event, env.Embedded.Webhook = p.briefPart(*s.Event), d.webhook(e)
	seating := seatingDetail{seatingOf(s.Section, s.Row, s.Seats), &seatingState{}}
	env.Embedded.SellerListing = listingPart{
		ID: s.Number, CreatedAt: instant(time.Time(s.CreatedAt)), NumberOfTickets: s.Quantity, Seating: seating, DisplaySeating: seating,
		TicketPrice: newAmount(money.Amount{Minor: s.PriceMinor, Currency: s.Currency}), Links: links{"self": self},
	}
	if env.Embedded.Venue, err = d.venue(ctx, f.Org, s.Event.VenueID); err != nil {
		return env, err
	}
	if env.Barcodes = []listingBarcode{}; len(s.Ordinals) == 0 {
		return env, nil // a listing may have a million places, and what it lacks is not among its barcodes
	}
	sets, err := d.lookups.Barcodes(ctx, f.Org, s.Number, s.Ordinals, f.At)
	if err != nil {
		return env, fmt.Errorf("look up barcodes: %w", err)
	}
	for _, b := range sets {
		env.Barcodes = append(env.Barcodes, listingBarcode{b.Ordinal + 1, textOrNil(b.Seat), textOrNil(b.Row), barcodeStatus(b.Status), b.Hashes()})
	}
	return env, nil
}

// briefPart is the event as a fact says it was.
func (p places) briefPart(b inventory.EventBrief) eventPart {
	part := eventPart{
		ID: b.Number, Name: b.Name, StartDate: instant(time.Time(b.StartsAt)), DateConfirmed: b.DateConfirmed,
		MergedEvents: []int{}, Links: links{"self": p.event(b.Number)},
	}
	if b.EndsAt != nil {
		part.EndDate = instantOrNil(time.Time(*b.EndsAt))
	}
	if b.OnSaleAt != nil {
		part.OnSaleDate = instantOrNil(time.Time(*b.OnSaleAt))
	}
	return part
}

func (d *Dialect) venue(ctx context.Context, org, no int64) (*venuePart, error) {
	if no == 0 {
		return nil, nil
	}
	v, err := d.lookups.Venue(ctx, org, no)
	if err != nil {
		return nil, fmt.Errorf("look up venue %d: %w", no, err)
	}
	return d.at().venuePart(v), nil
}
