// Package sales is the dashboard's pages about selling: what matters now, events, venues, inventory, orders and imports.
package sales

import (
	"embed"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Config is what the pages stand on.
type Config struct {
	Calendar *event.Calendar
	Stock    *inventory.Stock
	Orders   *order.Book
}

//go:embed pages/*.html
var files embed.FS

var pages = frame.Pages(files)

// Room has the pages.
type Room struct {
	Config
}

// New puts the pages on a frame.
func New(f *frame.Frame, c Config) {
	r := &Room{Config: c}
	read, write := frame.Scope(scope.EventsRead), frame.Scope(scope.EventsWrite)
	see, sell := frame.Scope(scope.TicketsRead), frame.Scope(scope.TicketsWrite)

	f.Get("", frame.Member, r.glance)

	f.Get("/events", read, r.events)
	f.Get("/events/new", write, r.newEvent)
	f.Post("/events", write, r.createEvent)
	f.Get("/events/{event}", read, r.event)
	f.Get("/events/{event}/edit", write, r.editEvent)
	f.Post("/events/{event}", write, r.changeEvent)
	f.Post("/events/{event}/status", write, r.moveEvent)
	f.Post("/events/{event}/delete", write, r.deleteEvent)
	f.Post("/events/{event}/cancel-orders", sell, r.cancelOrders)
	f.Get("/venues", read, r.venues)

	f.Get("/events/{event}/inventory", read, r.inventory)
	f.Post("/events/{event}/ticket-types", write, r.createType)
	f.Post("/events/{event}/ticket-types/{type}", write, r.changeType)
	f.Post("/events/{event}/ticket-types/{type}/withdraw", write, r.withdrawType)
	f.Post("/events/{event}/listings", write, r.createListing)
	f.Post("/events/{event}/listings/{listing}", write, r.changeListing)
	f.Post("/events/{event}/listings/{listing}/withdraw", write, r.withdrawListing)
	f.Post("/events/{event}/pools", write, r.createPool)
	f.Post("/events/{event}/pools/{pool}", write, r.changePool)
	f.Post("/events/{event}/pools/{pool}/delete", write, r.deletePool)
	f.Post("/events/{event}/holds/{hold}/release", sell, r.releaseHold)

	f.Get("/orders", see, r.orders)
	f.Get("/orders/{order}", see, r.order)
	f.Post("/orders/{order}/status", sell, r.moveOrder)
	f.Post("/orders/{order}/issue", sell, r.raiseIssue)
	f.Post("/orders/{order}/not-received", sell, r.notReceived)
	f.Post("/orders/{order}/refund", sell, r.refund)

	f.Get("/imports", write, r.imports)
	f.Upload("/imports/preview", write, maxUpload, r.preview)
	f.Upload("/imports", write, maxUpload, r.importFile)
}

// number reads a whole number of a form; empty is 0.
func number(v *frame.Visit, name string, f *problem.Fields) int {
	s := v.Value(name)
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		f.Add("/"+name, "invalid", "Use a whole number, such as 200.")
	}
	return n
}

// version reads which version of a thing the form was shown for.
func version(v *frame.Visit) int64 {
	n, err := strconv.ParseInt(v.Value("version"), 10, 64)
	if err != nil || n < 1 {
		return -1 // of nothing: it is never that of the thing
	}
	return n
}

// stale says of what has changed since the form was shown, in the words of who sees pages.
func stale(err error, what string) error {
	if problem.Is(err, "version_mismatch") {
		return problem.New(problem.Conflict, "version_mismatch", "The %s has changed since this page was shown. Look at it as it is now, and decide again.", what)
	}
	return err
}

// clock reads a wall clock of a form, as browsers send it.
func clock(v *frame.Visit, name string) string {
	s := v.Value(name)
	if len(s) == len("2027-08-14T20:30") {
		s += ":00"
	}
	return s
}

// moment reads an instant of a form, which is a wall clock in a zone; zero for none.
func moment(v *frame.Visit, name, zone string, f *problem.Fields) time.Time {
	s := clock(v, name)
	if s == "" {
		return time.Time{}
	}
	z, err := time.LoadLocation(zone)
	if err != nil {
		z = time.UTC
	}
	t, err := time.ParseInLocation(event.Layout, s, z)
	if err != nil {
		f.Add("/"+name, "invalid", "Use a date and a time, such as 2027-08-14T20:30.")
	}
	return t.UTC()
}

// local writes an instant as a form's wall clock in a zone.
func local(t time.Time, zone string) string {
	z, err := time.LoadLocation(zone)
	if err != nil || t.IsZero() {
		return ""
	}
	return t.In(z).Format("2006-01-02T15:04")
}

// choice reads a filter of the address; "any" is none.
func choice(v *frame.Visit, name string) string {
	if s := v.Query(name); s != "any" {
		return s
	}
	return ""
}

// day reads a date of the address as the beginning of the viewer's day, and so many days later; zero for none.
func day(v *frame.Visit, name string, later int) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, v.Query(name), v.Zone)
	if err != nil {
		return time.Time{}
	}
	return t.AddDate(0, 0, later)
}

// cursor reads the numbers of a cursor; nil for none that is ours.
func cursor(v *frame.Visit, n int) []int64 {
	parts := strings.Split(v.Query("after"), "-")
	if len(parts) != n {
		return nil
	}
	all := make([]int64, n)
	for i, p := range parts {
		var err error
		if all[i], err = strconv.ParseInt(p, 10, 64); err != nil {
			return nil
		}
	}
	return all
}

// bar is what there is of an event, for a picture of it.
type bar struct {
	inventory.Sum
	Known bool // something is listed for it
}

// X is how wide a part is, of 1000, and where it begins.
type X struct{ From, Wide int }

func (b bar) part(before, n int) X {
	if b.Capacity == 0 {
		return X{}
	}
	return X{before * 1000 / b.Capacity, n * 1000 / b.Capacity}
}

// SoldX, HeldX and BlockedX are the parts of the picture.
func (b bar) SoldX() X    { return b.part(0, b.Sold) }
func (b bar) HeldX() X    { return b.part(b.Sold, b.Held) }
func (b bar) BlockedX() X { return b.part(b.Capacity-b.Blocked, b.Blocked) }
