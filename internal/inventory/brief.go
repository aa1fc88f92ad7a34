package inventory

import (
	"time"

	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

// EventBrief is what facts about listings and sales say of their event: as it was then.
type EventBrief struct {
	Number        int64         `json:"number"` // the event's number
	Name          string        `json:"name"`
	StartsAt      fact.Instant  `json:"startsAt"`
	EndsAt        *fact.Instant `json:"endsAt,omitempty"` // where somebody has said
	OnSaleAt      *fact.Instant `json:"onSaleAt,omitempty"`
	DateConfirmed bool          `json:"dateConfirmed"` // false while it is postponed
	VenueID       int64         `json:"venueId,omitempty"`
}

// BriefOf says of an event what facts about its listings and sales say.
func BriefOf(ev event.Event) EventBrief {
	b := EventBrief{
		Number: ev.No, Name: ev.Name, StartsAt: fact.Instant(ev.StartsAt), OnSaleAt: shown(ev.OnSaleAt),
		DateConfirmed: ev.Status != event.Postponed, VenueID: ev.Venue.ID,
	}
	if ev.EndLocal != "" || ev.AllDay {
		b.EndsAt = shown(ev.EndsAt)
	}
	return b
}

// Sale is the seller's view of a hold or an order: the number by which partners know it, and what its event and listing said. An order keeps what they said when
// it was placed.
type Sale struct {
	ID            int64        `json:"id"` // from 1, not in order of time; a hold's is its order's too
	Event         EventBrief   `json:"event"`
	ListingNumber int64        `json:"listingNumber"`
	ListedAt      fact.Instant `json:"listedAt"`
	ListedSeats   []string     `json:"listedSeats,omitempty"` // the listing's first and last
	Left          int          `json:"left"`                  // for sale of the listing after it
	Units         []int        `json:"units"`                 // the listing's ordinals that it has
}

// SaleOf is the view of a sale of units of a listing, as the listing is after it.
func SaleOf(no int64, ev event.Event, l Listing, units []int) Sale {
	s := Sale{ID: no, Event: BriefOf(ev), ListingNumber: l.No, ListedAt: fact.Instant(l.CreatedAt), Left: max(l.Free(), 0), Units: units}
	if n := len(l.Seats); n > 0 {
		s.ListedSeats = []string{l.Seats[0], l.Seats[n-1]}
	}
	return s
}

// SaleNo is the number of the hold that has the picked units already; 0 where there is none, or it has none.
func (p *Pick) SaleNo() int64 {
	if p.hold == nil {
		return 0
	}
	return p.hold.SaleNo
}

// Sale is the view of the sale that the picked units become.
func (p *Pick) Sale(no int64, ev event.Event) Sale {
	l := p.Listing
	if p.hold != nil {
		return SaleOf(no, ev, l, p.Ordinals)
	}
	s := SaleOf(no, ev, l, p.Ordinals)
	s.Left = max(s.Left-len(p.Ordinals), 0)
	return s
}

// shown is an instant as facts show it; nil for none.
func shown(t time.Time) *fact.Instant {
	if t.IsZero() {
		return nil
	}
	i := fact.Instant(t)
	return &i
}
