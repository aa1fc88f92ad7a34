package stubhub

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// The catalog is the organisation's events, drafts among them, and its venues. Genres, categories and parking passes are not known here.

func (a *API) catalogRoutes(mux *http.ServeMux) {
	r := func(path, resource string) route {
		return route{method: "GET", path: path, scope: scope.EventsRead, resource: resource}
	}
	get(a, mux, r("/catalog/events", "event"), a.events)
	get(a, mux, r("/catalog/events/{eventId}", "event"), a.event)
	get(a, mux, r("/catalog/venues", "venue"), a.venues)
	get(a, mux, r("/catalog/venues/{venueId}", "venue"), a.venue)
}

type catalogEvent struct {
	ID             int64             `json:"id"`
	Name           string            `json:"name"`
	StartDate      string            `json:"start_date"`
	EndDate        *string           `json:"end_date"`
	OnSaleDate     *string           `json:"on_sale_date"`
	DateConfirmed  bool              `json:"date_confirmed"`
	TimeConfirmed  bool              `json:"time_confirmed"`
	Type           string            `json:"type"`
	MinTicketPrice leastPrice        `json:"min_ticket_price"`
	Status         string            `json:"status"`
	Links          links             `json:"_links"`
	Embedded       catalogEventParts `json:"_embedded"`
}

// leastPrice is the catalog's Money, whose amount may be null: nothing is for sale.
type leastPrice struct {
	Amount       *money.Number `json:"amount"`
	CurrencyCode string        `json:"currency_code"`
	Display      string        `json:"display"`
}

type catalogEventParts struct {
	Categories       []any         `json:"categories"`
	ExternalMappings []any         `json:"external_mappings"`
	Genre            *struct{}     `json:"genre"`
	MergedEvents     []any         `json:"merged_events"`
	Venue            *catalogVenue `json:"venue"`
}

type catalogVenue struct {
	ID            int64             `json:"id"`
	Name          string            `json:"name"`
	City          string            `json:"city"`
	StateProvince string            `json:"state_province"`
	PostalCode    string            `json:"postal_code"` // not known here, and never null
	Latitude      *float64          `json:"latitude"`
	Longitude     *float64          `json:"longitude"`
	Links         links             `json:"_links"`
	Embedded      catalogVenueParts `json:"_embedded"`
}

type catalogVenueParts struct {
	Country          *countryPart `json:"country"`
	ExternalMappings []any        `json:"external_mappings"`
}

// eventStatuses are StubHub's names. An event that is over is still a normal one.
var eventStatuses = map[event.Status]string{event.Draft: "Draft", event.Postponed: "Postponed", event.Cancelled: "Cancelled"}

func eventStatus(e event.Event) string {
	switch s, ok := eventStatuses[e.Status]; {
	case e.Deleted():
		return "Deleted"
	case ok:
		return s
	case !e.PreviousStart.IsZero():
		return "Rescheduled"
	}
	return "Normal"
}

func (a *API) catalogEvent(e event.Event, least map[int64]money.Amount) catalogEvent {
	j := catalogEvent{
		ID: e.No, Name: e.Name, StartDate: instant(e.StartsAt), EndDate: endOf(e), OnSaleDate: instantOrNil(e.OnSaleAt),
		DateConfirmed: e.Status != event.Postponed, TimeConfirmed: e.Status != event.Postponed && !e.AllDay, Type: "Main",
		MinTicketPrice: leastPrice{CurrencyCode: string(e.Currency)}, Status: eventStatus(e), Links: links{"self": a.places.event(e.No)},
		Embedded: catalogEventParts{Categories: []any{}, ExternalMappings: []any{}, MergedEvents: []any{}},
	}
	if p, ok := least[e.No]; ok {
		n := money.Number(p.Number())
		j.MinTicketPrice = leastPrice{&n, string(p.Currency), display(p)}
	}
	if e.Venue.ID != 0 {
		v := a.catalogVenue(e.Venue)
		j.Embedded.Venue = &v
	}
	return j
}

func (a *API) catalogVenue(v event.Venue) catalogVenue {
	return catalogVenue{
		ID: v.ID, Name: v.Name, City: v.City, StateProvince: v.Region, Latitude: v.Latitude, Longitude: v.Longitude,
		Links: links{"self": a.places.venue(v.ID)}, Embedded: catalogVenueParts{country(v.Country), []any{}},
	}
}

// catalogOf reads what lists of events and venues have in common.
func (c *call) catalogOf() (p paging, f event.Catalog, err error) {
	if p, err = c.paging("id", "resource_version"); err != nil {
		return p, f, err
	}
	q := query{values: c.request.URL.Query()}
	f = event.Catalog{
		UpdatedSince: q.instant("updated_since"), ByUpdate: p.sort == "resource_version", Descending: p.desc, Limit: p.size + 1, Offset: p.offset(),
	}
	if f.Country = q.values.Get("country_code"); f.Country != "" && !event.KnownCountry(strings.ToUpper(f.Country)) {
		q.fault("country_code", "Use a code of ISO 3166-1 such as NO.")
	}
	if p.cursor != nil {
		at, no, err := p.mark()
		if err != nil {
			return p, f, err
		}
		f.After = &event.Mark{UpdatedAt: at, No: no}
	}
	return p, f, q.faults.Err()
}

// mark is the place that a cursor names: in the order of resource_version an instant and a number, else a number alone.
func (p paging) mark() (at time.Time, no int64, err error) {
	ends := p.cursor
	if p.sort == "resource_version" {
		micros, err := strconv.ParseInt(ends[0], 10, 64)
		if err != nil || len(ends) != 2 {
			return at, 0, badCursor()
		}
		at, ends = time.UnixMicro(micros).UTC(), ends[1:]
	}
	no, err = strconv.ParseInt(ends[0], 10, 64)
	if err != nil || no < 1 || len(ends) != 1 {
		return at, 0, badCursor()
	}
	return at, no, nil
}

// next is the cursor behind an item.
func (p paging) next(at time.Time, no int64) string {
	if p.sort == "resource_version" {
		return p.closeCursor(strconv.FormatInt(at.UnixMicro(), 10), strconv.FormatInt(no, 10))
	}
	return p.closeCursor(strconv.FormatInt(no, 10))
}

// instant reads a time with an offset; zero for none.
func (q *query) instant(name string) time.Time {
	s := q.values.Get(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		q.fault(name, "Use a time with an offset from 1970 on, such as 2027-08-14T20:30:00Z.")
		return time.Time{}
	}
	return t.UTC()
}

// decimal reads a number between two others; nil for none.
func (q *query) decimal(name string, least, most float64) *float64 {
	s := q.values.Get(name)
	if s == "" {
		return nil
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= least && n <= most) {
		q.fault(name, "Use a number from %g to %g.", least, most)
		return nil
	}
	return &n
}

// near reads latitude, longitude and max_distance_in_meters, which go together.
func (q *query) near() *event.Circle {
	const most = math.MaxInt32
	latitude, longitude, radius := q.decimal("latitude", -90, 90), q.decimal("longitude", -180, 180), q.decimal("max_distance_in_meters", 0, most)
	names := []string{"latitude", "longitude", "max_distance_in_meters"}
	given := 0
	for _, name := range names {
		if q.values.Get(name) != "" {
			given++
		}
	}
	if given == 0 {
		return nil
	}
	for _, name := range names {
		if q.values.Get(name) == "" {
			q.fault(name, "latitude, longitude and max_distance_in_meters go together.")
		}
	}
	if latitude == nil || longitude == nil || radius == nil {
		return nil
	}
	return &event.Circle{Latitude: *latitude, Longitude: *longitude, Radius: *radius}
}

func (q *query) flag(name string) {
	if s := q.values.Get(name); s != "" && s != "true" && s != "false" {
		q.fault(name, "Use true or false.")
	}
}

func (a *API) events(ctx context.Context, c *call) (answer, error) {
	p, f, err := c.catalogOf()
	if err != nil {
		return answer{}, err
	}
	q := query{values: c.request.URL.Query()}
	f.Near = q.near()
	q.flag("exclude_parking_passes") // there are none
	if s := q.values.Get("min_resource_version"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			q.fault("min_resource_version", "Use a whole number from 0 on.")
		} else if at := time.UnixMicro(n).UTC(); at.After(f.UpdatedSince) {
			f.UpdatedSince = at
		}
	}
	genre := q.number("genre_id", 0)
	if err := q.faults.Err(); err != nil {
		return answer{}, err
	}
	if genre != 0 { // no event has one
		return answer{body: newCollection[catalogEvent](a, c.request, p, nil, 0, "").deleting(nil)}, nil
	}
	read := a.DB.Read(ctx)
	page, total, err := event.Events(read, c.Org, f)
	if err != nil {
		return answer{}, err
	}
	next := ""
	if len(page) > p.size {
		page = page[:p.size]
		next = p.next(page[p.size-1].UpdatedAt, page[p.size-1].No)
	}
	items, err := a.catalogEvents(ctx, c, page)
	if err != nil {
		return answer{}, err
	}
	var gone []catalogEvent
	if !f.UpdatedSince.IsZero() && p.page == 1 { // who asks for changes also hears of what is gone, with the first page
		f.Deleted, f.After, f.Offset, f.Limit, f.ByUpdate, f.Descending = true, nil, 0, mostPage, true, true
		deleted, _, err := event.Events(read, c.Org, f)
		if err != nil {
			return answer{}, err
		}
		if gone, err = a.catalogEvents(ctx, c, deleted); err != nil {
			return answer{}, err
		}
	}
	return answer{body: newCollection(a, c.request, p, items, total, next).deleting(gone)}, nil
}

func (a *API) catalogEvents(ctx context.Context, c *call, page []event.Event) ([]catalogEvent, error) {
	nos := make([]int64, len(page))
	for i, e := range page {
		nos[i] = e.No
	}
	least, err := inventory.LeastPrices(a.DB.Read(ctx), c.Org, nos, a.Now())
	if err != nil {
		return nil, err
	}
	items := make([]catalogEvent, len(page))
	for i, e := range page {
		items[i] = a.catalogEvent(e, least)
	}
	return items, nil
}

func (a *API) event(ctx context.Context, c *call) (answer, error) {
	no, err := c.int32("eventId")
	if err != nil {
		return answer{}, err
	}
	e, err := event.ByNo(a.DB.Read(ctx), c.Org, no)
	if err != nil {
		return answer{}, err
	}
	items, err := a.catalogEvents(ctx, c, []event.Event{e})
	if err != nil {
		return answer{}, err
	}
	return answer{body: items[0]}, nil
}

func (a *API) venues(ctx context.Context, c *call) (answer, error) {
	p, f, err := c.catalogOf()
	if err != nil {
		return answer{}, err
	}
	page, total, err := event.Venues(a.DB.Read(ctx), c.Org, f)
	if err != nil {
		return answer{}, err
	}
	next := ""
	if len(page) > p.size {
		page = page[:p.size]
		next = p.next(page[p.size-1].UpdatedAt, page[p.size-1].ID)
	}
	items := make([]catalogVenue, len(page))
	for i, v := range page {
		items[i] = a.catalogVenue(v.Venue)
	}
	return answer{body: newCollection(a, c.request, p, items, total, next).deleting(nil)}, nil
}

func (a *API) venue(ctx context.Context, c *call) (answer, error) {
	no, err := c.int32("venueId")
	if err != nil {
		return answer{}, err
	}
	v, err := event.VenueByID(a.DB.Read(ctx), c.Org, no)
	if problem.Is(err, "venue_not_found") {
		return answer{}, problem.New(problem.NotFound, codeNotFound, "There is no such venue here.")
	}
	return answer{body: a.catalogVenue(v)}, err
}
