package native

import (
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
)

type eventJSON struct {
	EventID       string `json:"eventId" example:"EVENT123"`
	Name          string `json:"name"`
	Date          string `json:"date" format:"date" doc:"The local date."`
	Time          string `json:"time" example:"7:00 PM" doc:"The local time."`
	ISODate       string `json:"isoDate" format:"date-time" doc:"The instant of the start, in UTC."`
	Timezone      string `json:"timezone" example:"Europe/Oslo" doc:"Of date, time and the local times (IANA)."`
	Location      string `json:"location" doc:"The venue's name; its city, or what else is known of the place, where the venue has no name."`
	NumberOfSeats int    `json:"numberOfSeats" doc:"What is for sale now."`
	StartLocal    string `json:"startLocal" example:"2027-08-14T20:30:00"`
	EndLocal      string `json:"endLocal,omitempty"`
	AllDay        bool   `json:"allDay" doc:"Whole days: startLocal is at 00:00, and endLocal is the last day."`
	EndsAt        string `json:"endsAt" format:"date-time" doc:"The instant from which on it is past."`
	PreviousStart string `json:"previousStart,omitempty" format:"date-time" doc:"The start before the last change of date."`
	Venue         string `json:"venue,omitempty"`
	City          string `json:"city,omitempty"`
	Region        string `json:"region,omitempty"`
	Country       string `json:"country,omitempty" doc:"ISO 3166-1 alpha-2."`

	Latitude  *float64 `json:"latitude,omitempty" doc:"Of the venue, in degrees (WGS 84), as far as it is known; so longitude."`
	Longitude *float64 `json:"longitude,omitempty"`

	Category    string `json:"category,omitempty"`
	Description string `json:"description,omitempty"`
	URL         string `json:"url,omitempty"`
	Online      bool   `json:"online"`
	Currency    string `json:"currency" doc:"ISO 4217."`
	OnSaleAt    string `json:"onSaleAt,omitempty" format:"date-time" doc:"From then on it is sold."`
	OffSaleAt   string `json:"offSaleAt,omitempty" format:"date-time" doc:"Until then it is sold."`
	Status      string `json:"status" enum:"draft,published,postponed,cancelled,completed"`
	Version     int64  `json:"version" doc:"Grows with every change; the ETag."`
	CreatedAt   string `json:"createdAt" format:"date-time"`
	UpdatedAt   string `json:"updatedAt" format:"date-time"`
}

// newEvent shows an event. free is how many of its seats nobody has taken; they are for sale only while the event is.
func newEvent(e event.Event, free int, now time.Time) eventJSON {
	if !e.OnSale(now) {
		free = 0
	}
	local, err := time.Parse(event.Layout, e.StartLocal)
	if err != nil {
		local = e.StartsAt // never: package event keeps this form
	}
	location := e.Venue.Name
	if location == "" {
		location = e.Venue.Location()
	}
	return eventJSON{
		EventID: string(e.ID), Name: e.Name, Date: local.Format(time.DateOnly), Time: local.Format("3:04 PM"), ISODate: instant(e.StartsAt),
		Timezone: e.Timezone, Location: location, NumberOfSeats: free, StartLocal: e.StartLocal, EndLocal: e.EndLocal, AllDay: e.AllDay,
		EndsAt: instant(e.EndsAt), PreviousStart: maybe(e.PreviousStart), Venue: e.Venue.Name, City: e.Venue.City, Region: e.Venue.Region,
		Country: e.Venue.Country, Latitude: e.Venue.Latitude, Longitude: e.Venue.Longitude, Category: e.Category, Description: e.Description, URL: e.URL, Online: e.Online, Currency: string(e.Currency),
		OnSaleAt: maybe(e.OnSaleAt), OffSaleAt: maybe(e.OffSaleAt), Status: string(e.Status), Version: e.Version, CreatedAt: instant(e.CreatedAt), UpdatedAt: instant(e.UpdatedAt),
	}
}

// showEvent shows an event with what is for sale of it now.
func showEvent(q db.Querier, org int64, e event.Event, now time.Time) (answer[eventJSON], error) {
	free, err := inventory.Free(q, org, e.No)
	return answer[eventJSON]{body: newEvent(e, free[e.No], now), version: e.Version}, err
}

type eventListInput struct {
	Paging
	Venue     string `query:"venue" doc:"Only events of the venue with this name; upper and lower case are alike."`
	Status    string `query:"status" enum:"active,past,postponed,cancelled,draft,all" doc:"active, the default, are those that are published and have not ended."`
	SortBy    string `query:"sortBy" enum:"date,name,venue,lastUpdated" default:"date"`
	SortOrder string `query:"sortOrder" enum:"asc,desc" default:"asc"`
}

type eventFiltersJSON struct {
	Venue     *string `json:"venue"`
	Status    string  `json:"status,omitempty"`
	SortBy    string  `json:"sortBy"`
	SortOrder string  `json:"sortOrder"`
}

func (a *API) listEvents(ctx context.Context, c *call, in *eventListInput) (answer[list[eventJSON, eventFiltersJSON]], error) {
	var out answer[list[eventJSON, eventFiltersJSON]]
	f := event.Filter{Public: c.Attendee, Venue: in.Venue, Status: in.Status, SortBy: in.SortBy, SortOrder: in.SortOrder, Limit: in.Limit}
	at, err := in.place(c, "events", f)
	if err != nil {
		return out, err
	}
	q := a.DB.Read(ctx)
	f.Now, f.Offset = a.Now(), at.offset
	page, total, err := event.List(q, c.Org, f)
	if err != nil {
		return out, err
	}
	numbers := make([]int64, len(page))
	for i, e := range page {
		numbers[i] = e.No
	}
	free, err := inventory.Free(q, c.Org, numbers...)
	if err != nil {
		return out, err
	}
	data := make([]eventJSON, len(page))
	for i, e := range page {
		data[i] = newEvent(e, free[e.No], f.Now)
	}
	out.body = newList(in.Paging, at, data, total, eventFiltersJSON{orNull(in.Venue), in.Status, in.SortBy, in.SortOrder}, "")
	return out, nil
}

// EventPath names an event. (It is exported because huma passes over embedded structs that are not; so are the others like it.)
type EventPath struct {
	EventID string `path:"eventId"`
}

func (a *API) event(ctx context.Context, c *call, in *EventPath) (answer[eventJSON], error) {
	q := a.DB.Read(ctx)
	e, err := c.event(q, id.Event(in.EventID))
	if err != nil {
		return answer[eventJSON]{}, err
	}
	return showEvent(q, c.Org, e, a.Now())
}

type eventInputJSON struct {
	EventID    string `json:"eventId,omitempty" pattern:"^[A-Za-z0-9._-]{1,64}$" patternDescription:"1 to 64 of the characters A-Z a-z 0-9 . _ -" doc:"Yours, or one is made."`
	Name       string `json:"name" minLength:"1" maxLength:"500"`
	StartLocal string `json:"startLocal" example:"2027-08-14T20:30:00" doc:"Date and time at the place, without an offset."`
	Timezone   string `json:"timezone,omitempty" example:"Europe/Oslo" doc:"IANA; the organisation's when left out."`
	EndLocal   string `json:"endLocal,omitempty" doc:"Six hours after the start are assumed when left out."`
	AllDay     bool   `json:"allDay,omitempty"`
	Venue      string `json:"venue,omitempty" maxLength:"1000"`
	City       string `json:"city,omitempty" maxLength:"1000"`
	Region     string `json:"region,omitempty" maxLength:"1000"`
	Country    string `json:"country,omitempty" example:"NO" doc:"ISO 3166-1 alpha-2."`

	Latitude  *float64 `json:"latitude,omitempty" minimum:"-90" maximum:"90" nullable:"false" doc:"Of the venue, in degrees (WGS 84), with longitude. It holds for all events of the venue."`
	Longitude *float64 `json:"longitude,omitempty" minimum:"-180" maximum:"180" nullable:"false"`

	Category    string `json:"category,omitempty" maxLength:"1000"`
	Description string `json:"description,omitempty" maxLength:"50000"`
	URL         string `json:"url,omitempty" maxLength:"2000"`
	Online      bool   `json:"online,omitempty"`
	Currency    string `json:"currency,omitempty" example:"NOK" doc:"ISO 4217; the organisation's when left out."`
	OnSaleAt    moment `json:"onSaleAt,omitempty" doc:"From then on it is sold; at once when left out."`
	OffSaleAt   moment `json:"offSaleAt,omitempty" doc:"Until then it is sold; to its end when left out."`
	Status      string `json:"status,omitempty" enum:"published,draft" doc:"published when left out."`
}

type eventInput struct {
	Body eventInputJSON
}

func (a *API) createEvent(tx *db.Tx, c *call, in *eventInput) (answer[eventJSON], error) {
	b := in.Body
	from, until, err := windowOf(b.OnSaleAt, b.OffSaleAt)
	if err != nil {
		return answer[eventJSON]{}, err
	}
	e, err := a.Calendar.Create(tx, c.Org, event.Input{
		ID: id.Event(b.EventID), Name: b.Name, Description: b.Description, Category: b.Category, URL: b.URL, Online: b.Online,
		StartLocal: b.StartLocal, EndLocal: b.EndLocal, Timezone: b.Timezone, AllDay: b.AllDay,
		Venue: b.Venue, City: b.City, Region: b.Region, Country: b.Country, Latitude: b.Latitude, Longitude: b.Longitude, Currency: money.Currency(b.Currency),
		OnSaleAt: orZero(from), OffSaleAt: orZero(until), Status: event.Status(b.Status),
	})
	return answer[eventJSON]{body: newEvent(e, 0, tx.Now()), version: e.Version, location: eventsPath + "/" + string(e.ID)}, err
}

type eventPatchJSON struct {
	Name       *string `json:"name,omitempty" minLength:"1" maxLength:"500" nullable:"false"`
	StartLocal *string `json:"startLocal,omitempty" nullable:"false"`
	Timezone   *string `json:"timezone,omitempty" nullable:"false"`
	EndLocal   text    `json:"endLocal,omitempty" doc:"null clears it, and so with the texts below."`
	AllDay     *bool   `json:"allDay,omitempty" nullable:"false"`
	Venue      text    `json:"venue,omitempty" maxLength:"1000"`
	City       text    `json:"city,omitempty" maxLength:"1000"`
	Region     text    `json:"region,omitempty" maxLength:"1000"`
	Country    text    `json:"country,omitempty"`

	Latitude  *float64 `json:"latitude,omitempty" minimum:"-90" maximum:"90" nullable:"false" doc:"Of the venue, with longitude; for all its events."`
	Longitude *float64 `json:"longitude,omitempty" minimum:"-180" maximum:"180" nullable:"false"`

	Category    text    `json:"category,omitempty" maxLength:"1000"`
	Description text    `json:"description,omitempty" maxLength:"50000"`
	URL         text    `json:"url,omitempty" maxLength:"2000"`
	Online      *bool   `json:"online,omitempty" nullable:"false"`
	Currency    *string `json:"currency,omitempty" nullable:"false"`
	OnSaleAt    moment  `json:"onSaleAt,omitempty"`
	OffSaleAt   moment  `json:"offSaleAt,omitempty"`
	Status      *string `json:"status,omitempty" enum:"draft,published,postponed,cancelled,completed" nullable:"false" doc:"cancelled stops the sale; orders stay as they are."`
}

type eventPatch struct {
	EventPath
	IfMatch string `header:"If-Match" doc:"The ETag of what the change is made for; 412 when it has changed since."`
	Body    eventPatchJSON
}

func (a *API) changeEvent(tx *db.Tx, c *call, in *eventPatch) (answer[eventJSON], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[eventJSON]{}, err
	}
	b := in.Body
	from, until, err := windowOf(b.OnSaleAt, b.OffSaleAt)
	if err != nil {
		return answer[eventJSON]{}, err
	}
	e, err := a.Calendar.Update(tx, c.Org, id.Event(in.EventID), event.Patch{
		Version: version, Name: b.Name, Description: b.Description.to, Category: b.Category.to, URL: b.URL.to, Online: b.Online,
		StartLocal: b.StartLocal, EndLocal: b.EndLocal.to, Timezone: b.Timezone, AllDay: b.AllDay,
		Venue: b.Venue.to, City: b.City.to, Region: b.Region.to, Country: b.Country.to, Latitude: b.Latitude, Longitude: b.Longitude,
		Currency: (*money.Currency)(b.Currency), OnSaleAt: from, OffSaleAt: until, Status: (*event.Status)(b.Status),
	})
	if err != nil {
		return answer[eventJSON]{}, err
	}
	return showEvent(tx, c.Org, e, tx.Now())
}

type eventDelete struct {
	EventPath
	IfMatch string `header:"If-Match" doc:"The ETag of what is to be deleted; 412 when it has changed since."`
}

func (a *API) deleteEvent(tx *db.Tx, c *call, in *eventDelete) (answer[none], error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return answer[none]{}, err
	}
	return answer[none]{}, a.Calendar.Delete(tx, c.Org, id.Event(in.EventID), version)
}
