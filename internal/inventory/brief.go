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
	EndsAt        fact.Instant  `json:"endsAt"`
	OnSaleAt      *fact.Instant `json:"onSaleAt,omitempty"`
	DateConfirmed bool          `json:"dateConfirmed"` // false while it is postponed
	VenueID       int64         `json:"venueId,omitempty"`
}

// BriefOf says of an event what facts about its listings and sales say.
func BriefOf(ev event.Event) EventBrief {
	return EventBrief{
		Number: ev.No, Name: ev.Name, StartsAt: fact.Instant(ev.StartsAt), EndsAt: fact.Instant(ev.EndsAt), OnSaleAt: shown(ev.OnSaleAt),
		DateConfirmed: ev.Status != event.Postponed, VenueID: ev.Venue.ID,
	}
}

// shown is an instant as facts show it; nil for none.
func shown(t time.Time) *fact.Instant {
	if t.IsZero() {
		return nil
	}
	i := fact.Instant(t)
	return &i
}
