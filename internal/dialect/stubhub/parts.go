package stubhub

import (
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/eventfile"
)

// What sales and seller listings have embedded of other resources.

// eventPart is StubHub's EmbeddedEvent.
type eventPart struct {
	ID            int64   `json:"id"`
	Name          string  `json:"name"`
	StartDate     string  `json:"start_date"`
	EndDate       *string `json:"end_date"`
	OnSaleDate    *string `json:"on_sale_date"`
	DateConfirmed bool    `json:"date_confirmed"`
	MergedEvents  []int   `json:"merged_events"` // always empty: nothing is merged here
	Links         links   `json:"_links"`
}

func (p places) eventPart(e event.Event) eventPart {
	return eventPart{
		ID: e.No, Name: e.Name, StartDate: instant(e.StartsAt), EndDate: endOf(e), OnSaleDate: instantOrNil(e.OnSaleAt), DateConfirmed: e.Status != event.Postponed,
		MergedEvents: []int{}, Links: links{"self": p.event(e.No)},
	}
}

// endOf is when an event ends, nil where nobody has said.
func endOf(e event.Event) *string {
	if e.EndLocal == "" && !e.AllDay {
		return nil
	}
	return instantOrNil(e.EndsAt)
}

// venuePart is StubHub's EmbeddedVenue of sales and listings.
type venuePart struct {
	ID            int64          `json:"id"`
	Name          string         `json:"name"`
	City          string         `json:"city"`
	StateProvince string         `json:"state_province"`
	Latitude      *float64       `json:"latitude"`
	Longitude     *float64       `json:"longitude"`
	Links         links          `json:"_links"`
	Embedded      venuePartParts `json:"_embedded"`
}

type venuePartParts struct {
	Country *countryPart `json:"country"`
}

// venuePart is nil where the event has no venue.
func (p places) venuePart(v event.Venue) *venuePart {
	if v.ID == 0 {
		return nil
	}
	return &venuePart{
		ID: v.ID, Name: v.Name, City: v.City, StateProvince: v.Region, Latitude: v.Latitude, Longitude: v.Longitude,
		Links: links{"self": p.venue(v.ID)}, Embedded: venuePartParts{country(v.Country)},
	}
}

// countryPart is StubHub's Country. It has no links: there is no resource of a country here.
type countryPart struct {
	Code  string `json:"code"`
	Name  string `json:"name"`
	Links links  `json:"_links"`
}

func country(code string) *countryPart {
	if code == "" {
		return nil
	}
	return &countryPart{Code: code, Name: eventfile.CountryName(code), Links: links{}}
}
