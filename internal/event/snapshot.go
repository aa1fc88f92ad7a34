package event

import (
	"time"

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
	Latitude      *float64       `json:"latitude,omitempty"` // of the venue, in degrees
	Longitude     *float64       `json:"longitude,omitempty"`
	Currency      money.Currency `json:"currency"`
	OnSaleAt      *fact.Instant  `json:"onSaleAt,omitempty"`
	OffSaleAt     *fact.Instant  `json:"offSaleAt,omitempty"`
	Status        Status         `json:"status"`
	Version       int64          `json:"version"`
	CreatedAt     fact.Instant   `json:"createdAt"`
	UpdatedAt     fact.Instant   `json:"updatedAt"`

	// Changes names the fields that changed, as they are spelled above; nil on publication.
	Changes []string `json:"changes,omitempty"`
}

// Snapshot returns the event as facts show it.
func (e Event) Snapshot() Snapshot {
	s := Snapshot{
		EventID: e.ID, Name: e.Name, Description: e.Description, Category: e.Category, URL: e.URL, Online: e.Online,
		StartLocal: e.StartLocal, EndLocal: e.EndLocal, Timezone: e.Timezone, AllDay: e.AllDay,
		StartsAt: fact.Instant(e.StartsAt), EndsAt: fact.Instant(e.EndsAt),
		VenueID: e.Venue.ID, Venue: e.Venue.Name, City: e.Venue.City, Region: e.Venue.Region, Country: e.Venue.Country,
		Latitude: e.Venue.Latitude, Longitude: e.Venue.Longitude,
		Currency: e.Currency, Status: e.Status, Version: e.Version,
		CreatedAt: fact.Instant(e.CreatedAt), UpdatedAt: fact.Instant(e.UpdatedAt),
	}
	s.PreviousStart, s.OnSaleAt, s.OffSaleAt = orNil(e.PreviousStart), orNil(e.OnSaleAt), orNil(e.OffSaleAt)
	return s
}

// orNil is the instant, nil for the zero time.
func orNil(t time.Time) *fact.Instant {
	if t.IsZero() {
		return nil
	}
	i := fact.Instant(t)
	return &i
}

// differences names the fields of the snapshot that the event's owner changed.
func differences(old, e Event) []string {
	var names []string
	for _, f := range []struct {
		name      string
		different bool
	}{
		{"name", e.Name != old.Name},
		{"description", e.Description != old.Description},
		{"category", e.Category != old.Category},
		{"url", e.URL != old.URL},
		{"online", e.Online != old.Online},
		{"startLocal", e.StartLocal != old.StartLocal},
		{"endLocal", e.EndLocal != old.EndLocal},
		{"timezone", e.Timezone != old.Timezone},
		{"allDay", e.AllDay != old.AllDay},
		{"venue", e.Venue.Name != old.Venue.Name},
		{"city", e.Venue.City != old.Venue.City},
		{"region", e.Venue.Region != old.Venue.Region},
		{"country", e.Venue.Country != old.Venue.Country},
		{"latitude", e.Venue.isMoved(old.Venue)},
		{"longitude", e.Venue.isMoved(old.Venue)},
		{"currency", e.Currency != old.Currency},
		{"onSaleAt", !e.OnSaleAt.Equal(old.OnSaleAt)},
		{"offSaleAt", !e.OffSaleAt.Equal(old.OffSaleAt)},
		{"status", e.Status != old.Status},
	} {
		if f.different {
			names = append(names, f.name)
		}
	}
	return names
}
