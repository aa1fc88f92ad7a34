package event

import (
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
)

// Snapshot is the data of facts about events: the whole public event as it was then.
type Snapshot struct {
	EventID       id.Event       `json:"eventId"`
	Name          string         `json:"name"`
	Description   string         `json:"description,omitempty"`
	Category      string         `json:"category,omitempty"`
	URL           string         `json:"url,omitempty"`
	Online        bool           `json:"online"`
	StartLocal    string         `json:"startLocal"`
	EndLocal      string         `json:"endLocal,omitempty"`
	Timezone      string         `json:"timezone"`
	AllDay        bool           `json:"allDay"`
	StartsAt      fact.Instant   `json:"startsAt"`
	EndsAt        fact.Instant   `json:"endsAt"`
	PreviousStart *fact.Instant  `json:"previousStart,omitempty"`
	VenueID       int64          `json:"venueId,omitempty"`
	Venue         string         `json:"venue,omitempty"`
	City          string         `json:"city,omitempty"`
	Region        string         `json:"region,omitempty"`
	Country       string         `json:"country,omitempty"`
	Currency      money.Currency `json:"currency"`
	Status        Status         `json:"status"`
	Version       int64          `json:"version"`
	CreatedAt     fact.Instant   `json:"createdAt"`
	UpdatedAt     fact.Instant   `json:"updatedAt"`

	// Changes names the fields that changed, as they are spelled above; nil on publication.
	Changes []string `json:"changes,omitempty"`
}

// Snapshot returns the event as facts show it.
func (e Event) Snapshot() Snapshot { panic("unwritten") }
