package sales

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// step is something that can be done next, as a button.
type step struct{ To, Text, Look string }

// eventSteps are what buttons say of where an event may go.
var eventSteps = map[event.Status]step{
	event.Published: {"published", "Publish", ""},
	event.Postponed: {"postponed", "Postpone", "plain"},
	event.Cancelled: {"cancelled", "Cancel the event", "bad"},
	event.Completed: {"completed", "Mark as completed", "plain"},
}

type eventData struct {
	event.Event
	bar
	Steps      []step
	Types      []inventory.TicketType
	Cancelling *order.Cancellation // nil when it was never started
	Over       bool
}

func one(v *frame.Visit, q db.Querier) (event.Event, error) {
	return event.ByID(q, v.Org.No, id.Event(v.R.PathValue("event")))
}

func (r *Room) event(v *frame.Visit) error {
	e, err := one(v, v.Read())
	if err != nil {
		return err
	}
	d := eventData{Event: e, Over: !e.EndsAt.After(v.Now())}
	sums, err := inventory.Sums(v.Read(), v.Org.No, e.No)
	if err != nil {
		return err
	}
	d.Sum, d.Known = sums[e.No]
	if d.Types, err = inventory.Types(v.Read(), v.Org.No, e.ID, false); err != nil {
		return err
	}
	for _, to := range event.Next(e.Status) {
		d.Steps = append(d.Steps, eventSteps[to])
	}
	if (frame.View{Visit: v}).May("tickets:read") {
		going, err := order.CancellationOf(v.Read(), v.Org.No, e.ID)
		switch {
		case err == nil:
			d.Cancelling = &going
		case !problem.Is(err, "cancellation_not_found"):
			return err
		}
	}
	return v.Show(pages, "event", http.StatusOK, frame.View{Title: e.Name, At: "/events", Data: d})
}

// eventForm is what a form about an event says, as it was typed.
type eventForm struct {
	Event                                                                                      event.Event // zero for a new one
	Name, Start, End, Timezone, Venue, City, Region, Country, Category, URL, Currency, On, Off string
	Description, Status, Latitude, Longitude                                                   string
	AllDay, Online                                                                             bool
}

func (r *Room) newEvent(v *frame.Visit) error {
	return showEventForm(v, http.StatusOK, eventForm{Timezone: v.Org.Timezone, Currency: string(v.Org.Currency), Status: "published"}, nil)
}

func showEventForm(v *frame.Visit, status int, f eventForm, wrong page.Complaints) error {
	title := "A new event"
	if f.Event.No != 0 {
		title = "Change " + f.Event.Name
	}
	return v.Show(pages, "event-form", status, frame.View{Title: title, At: "/events", Complaints: wrong, Data: f})
}

func typedEvent(v *frame.Visit, e event.Event) eventForm {
	return eventForm{
		Event: e, Name: v.Value("name"), Start: v.Value("startLocal"), End: v.Value("endLocal"), Timezone: v.Value("timezone"), Venue: v.Value("venue"), City: v.Value("city"),
		Region: v.Value("region"), Country: strings.ToUpper(v.Value("country")), Category: v.Value("category"), URL: v.Value("url"), Currency: strings.ToUpper(v.Value("currency")),
		On: v.Value("onSaleAt"), Off: v.Value("offSaleAt"), Description: v.Value("description"), Status: v.Value("status"), Latitude: v.Value("latitude"), Longitude: v.Value("longitude"),
		AllDay: v.Value("allDay") != "", Online: v.Value("online") != "",
	}
}

// zoneOf is the zone in which a form's clocks are read.
func (f eventForm) zoneOf(v *frame.Visit) string { return cmp.Or(f.Timezone, v.Org.Timezone) }

func (f eventForm) degrees(bad *problem.Fields) (latitude, longitude *float64) {
	read := func(pointer, s string) *float64 {
		if s == "" {
			return nil
		}
		d, err := strconv.ParseFloat(s, 64)
		if err != nil {
			bad.Add(pointer, "invalid", "Use degrees, such as 59.91.")
		}
		return &d
	}
	return read("/latitude", f.Latitude), read("/longitude", f.Longitude)
}

func (r *Room) createEvent(v *frame.Visit) error {
	f := typedEvent(v, event.Event{})
	var bad problem.Fields
	in := event.Input{
		Name: f.Name, Description: f.Description, Category: f.Category, URL: f.URL, Online: f.Online, AllDay: f.AllDay, StartLocal: clock(v, "startLocal"), EndLocal: clock(v, "endLocal"),
		Timezone: f.Timezone, Venue: f.Venue, City: f.City, Region: f.Region, Country: f.Country, Currency: money.Currency(f.Currency), Status: event.Status(f.Status),
		OnSaleAt: moment(v, "onSaleAt", f.zoneOf(v), &bad), OffSaleAt: moment(v, "offSaleAt", f.zoneOf(v), &bad),
	}
	in.Latitude, in.Longitude = f.degrees(&bad)
	err := bad.Err()
	var made event.Event
	if err == nil {
		err = v.Write(func(tx *db.Tx) (err error) {
			made, err = r.Calendar.Create(tx, v.Org.No, in)
			return err
		})
	}
	if wrong, status, ok := frame.Wrong(err, "event-", nil); ok {
		return showEventForm(v, status, f, wrong)
	} else if err != nil {
		return err
	}
	return v.Done("/events/"+string(made.ID), "The event is made. Next: say what is sold for it, in its inventory.")
}

func (r *Room) editEvent(v *frame.Visit) error {
	e, err := one(v, v.Read())
	if err != nil {
		return err
	}
	short := func(clock string) string { return strings.TrimSuffix(clock, ":00") }
	return showEventForm(v, http.StatusOK, eventForm{
		Event: e, Name: e.Name, Start: short(e.StartLocal), End: short(e.EndLocal), Timezone: e.Timezone, Venue: e.Venue.Name, City: e.Venue.City, Region: e.Venue.Region, Country: e.Venue.Country,
		Category: e.Category, URL: e.URL, Currency: string(e.Currency), On: local(e.OnSaleAt, e.Timezone), Off: local(e.OffSaleAt, e.Timezone), Description: e.Description,
		Latitude: degrees(e.Venue.Latitude), Longitude: degrees(e.Venue.Longitude), AllDay: e.AllDay, Online: e.Online,
	}, nil)
}

func (r *Room) changeEvent(v *frame.Visit) error {
	e, err := one(v, v.Read())
	if err != nil {
		return err
	}
	f := typedEvent(v, e)
	var bad problem.Fields
	start, end, currency := clock(v, "startLocal"), clock(v, "endLocal"), money.Currency(f.Currency)
	p := event.Patch{
		Version: version(v), Name: &f.Name, Description: &f.Description, Category: &f.Category, URL: &f.URL, Online: &f.Online, StartLocal: &start, EndLocal: &end, Timezone: &f.Timezone,
		AllDay: &f.AllDay, Venue: &f.Venue, City: &f.City, Region: &f.Region, Country: &f.Country, Currency: &currency,
		OnSaleAt: sameMinute(moment(v, "onSaleAt", f.zoneOf(v), &bad), e.OnSaleAt), OffSaleAt: sameMinute(moment(v, "offSaleAt", f.zoneOf(v), &bad), e.OffSaleAt),
	}
	p.Latitude, p.Longitude = f.degrees(&bad)
	if err = bad.Err(); err == nil {
		err = v.Write(func(tx *db.Tx) error {
			_, err := r.Calendar.Update(tx, v.Org.No, e.ID, p)
			return err
		})
	}
	if wrong, status, ok := frame.Wrong(stale(err, "event"), "event-", nil); ok {
		return showEventForm(v, status, f, wrong)
	} else if err != nil {
		return err
	}
	return v.Done("/events/"+string(e.ID), "The event is changed.")
}

// sameMinute keeps an instant as it was where the form, which knows only minutes, says the same.
func sameMinute(typed, was time.Time) *time.Time {
	if typed.Equal(was.Truncate(time.Minute)) {
		return &was
	}
	return &typed
}

// consequences are what follows from where an event goes; what is not there needs no question.
var consequences = map[event.Status][2]string{
	event.Cancelled: {"It cannot be taken back. Nothing is sold any more; orders stay as they are until you cancel them too.", "Cancel the event"},
	event.Completed: {"It cannot be taken back. Nothing is sold any more.", "Mark as completed"},
	event.Postponed: {"Nothing is sold until it is published again, with its new date.", "Postpone it"},
}

func (r *Room) moveEvent(v *frame.Visit) error {
	e, err := one(v, v.Read())
	if err != nil {
		return err
	}
	to := event.Status(v.Value("to"))
	if c, ask := consequences[to]; ask {
		if sure, err := v.Sure(eventSteps[to].Text+": "+e.Name+"?", c[0], c[1], "/events/"+string(e.ID)); !sure {
			return err
		}
	}
	err = v.Write(func(tx *db.Tx) error {
		_, err := r.Calendar.Update(tx, v.Org.No, e.ID, event.Patch{Version: version(v), Status: &to})
		return err
	})
	if err != nil {
		return stale(err, "event")
	}
	return v.Done("/events/"+string(e.ID), "The event is "+string(to)+".")
}

func (r *Room) deleteEvent(v *frame.Visit) error {
	e, err := one(v, v.Read())
	if err != nil {
		return err
	}
	if sure, err := v.Sure("Delete "+e.Name+"?", "It is gone for good, with all that is listed for it. An event that had an order stays; cancel it instead.", "Delete it", "/events/"+string(e.ID)); !sure {
		return err
	}
	if err := v.Write(func(tx *db.Tx) error { return r.Calendar.Delete(tx, v.Org.No, e.ID, version(v)) }); err != nil {
		return stale(err, "event")
	}
	return v.Done("/events", "The event is deleted.")
}

func (r *Room) cancelOrders(v *frame.Visit) error {
	e, err := one(v, v.Read())
	if err != nil {
		return err
	}
	back := "/events/" + string(e.ID)
	if sure, err := v.Sure("Cancel all orders of "+e.Name+"?", "It cannot be taken back: each order is cancelled, its tickets are void, and its buyers are told by your webhooks. No money is moved.", "Cancel all orders", back); !sure {
		return err
	}
	err = v.DB.Write(v.R.Context(), string(e.ID), func(tx *db.Tx) error {
		_, err := r.Orders.StartCancelling(tx, v.Org.No, e.ID)
		return err
	})
	if err != nil {
		return err
	}
	return v.Done(back, "The orders are cancelled within the next seconds. Load this page again to see how far it is.")
}
