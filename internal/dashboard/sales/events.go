package sales

import (
	"fmt"
	"iter"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/order"
)

type eventRow struct {
	event.Event
	bar
}

type eventsData struct {
	Rows                           []eventRow
	Pager                          frame.Pager
	When, Status, Text, From, Till string
	Filtered                       bool
}

// season reads the filters of the address.
func season(v *frame.Visit) event.Season {
	s := event.Season{Status: event.Status(choice(v, "status")), Text: v.Query("text"), From: day(v, "from", 0), Until: day(v, "till", 1), Limit: frame.PageSize}
	switch choice(v, "when") {
	case "past":
		s.Descending = true
		s.After = &event.Ending{EndsAt: v.Now(), No: math.MaxInt64} // the page begins behind now
	case "all":
		s.Descending = true
	default:
		if s.From.Before(v.Now()) {
			s.From = v.Now()
		}
	}
	if c := cursor(v, 2); c != nil {
		s.After = &event.Ending{EndsAt: time.UnixMicro(c[0]), No: c[1]}
	}
	return s
}

// ending is a cursor behind an event.
func ending(e event.Event) string {
	return strconv.FormatInt(e.EndsAt.UnixMicro(), 10) + "-" + strconv.FormatInt(e.No, 10)
}

// eventPage reads a page of a season with what there is of its events, and where the next one begins.
func eventPage(v *frame.Visit, s event.Season) (rows []eventRow, next string, err error) {
	limit := s.Limit
	s.Limit++
	page, err := event.Page(v.Read(), v.Org.No, s)
	if err != nil {
		return nil, "", err
	}
	if len(page) > limit {
		page = page[:limit]
		next = ending(page[limit-1])
	}
	nos := make([]int64, len(page))
	for i, e := range page {
		nos[i] = e.No
	}
	sums, err := inventory.Sums(v.Read(), v.Org.No, nos...)
	for _, e := range page {
		sum, known := sums[e.No]
		rows = append(rows, eventRow{e, bar{sum, known}})
	}
	return rows, next, err
}

func (r *Room) events(v *frame.Visit) error {
	s := season(v)
	if v.WantsCSV() {
		return v.CSV("events", []string{"id", "name", "status", "start_local", "timezone", "starts_at_utc", "venue", "city", "country", "currency", "capacity", "sold", "held", "free"}, eventRows(v, s))
	}
	rows, next, err := eventPage(v, s)
	if err != nil {
		return err
	}
	d := eventsData{Rows: rows, Pager: v.Pager(next, true), When: choice(v, "when"), Status: choice(v, "status"), Text: v.Query("text"), From: v.Query("from"), Till: v.Query("till")}
	d.Filtered = d.When+d.Status+d.Text+d.From+d.Till != ""
	return v.Show(pages, "events", http.StatusOK, frame.View{Title: "Events", At: "/events", Data: d})
}

// eventRows goes through all of a season.
func eventRows(v *frame.Visit, s event.Season) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for {
			rows, next, err := eventPage(v, s)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range rows {
				if !yield([]string{
					string(e.ID), e.Name, string(e.Status), e.StartLocal, e.Timezone, e.StartsAt.Format(time.RFC3339), e.Venue.Name, e.Venue.City, e.Venue.Country, string(e.Currency),
					strconv.Itoa(e.Capacity), strconv.Itoa(e.Sold), strconv.Itoa(e.Held), strconv.Itoa(e.Free()),
				}, nil) {
					return
				}
				s.After = &event.Ending{EndsAt: e.EndsAt, No: e.No}
			}
			if next == "" {
				return
			}
		}
	}
}

type glanceData struct {
	Next    []eventRow
	Inside  map[string]int // by the event's id, of those that are on
	Waiting int
}

// glance is what matters now, as far as somebody may see it.
func (r *Room) glance(v *frame.Visit) error {
	d := glanceData{Inside: map[string]int{}}
	view := frame.View{Visit: v}
	var err error
	if view.May("events:read") {
		d.Next, _, err = eventPage(v, event.Season{From: v.Now(), Limit: 5})
	}
	for _, e := range d.Next {
		if err != nil || !view.May("checkin:read") || e.StartsAt.After(v.Now().Add(6*time.Hour)) {
			continue
		}
		var a gate.Attendance
		if a, err = gate.AttendanceOf(v.Read(), v.Org.No, e.ID); err == nil {
			d.Inside[string(e.ID)] = a.Inside
		}
	}
	if err == nil && view.May("tickets:read") {
		d.Waiting, err = order.Waiting(v.Read(), v.Org.No)
	}
	if err != nil {
		return fmt.Errorf("glance: %w", err)
	}
	return v.Show(pages, "glance", http.StatusOK, frame.View{Title: "At a glance", At: "/", Data: d})
}

type venuesData struct {
	Rows  []event.Updated
	Pager frame.Pager
}

func (r *Room) venues(v *frame.Visit) error {
	after := int64(0)
	if c := cursor(v, 1); c != nil {
		after = c[0]
	}
	if v.WantsCSV() {
		return v.CSV("venues", []string{"name", "city", "region", "country", "latitude", "longitude"}, venueRows(v))
	}
	rows, _, err := event.Venues(v.Read(), v.Org.No, event.Catalog{After: mark(after), Limit: frame.PageSize + 1})
	if err != nil {
		return err
	}
	next := ""
	if len(rows) > frame.PageSize {
		rows = rows[:frame.PageSize]
		next = strconv.FormatInt(rows[len(rows)-1].ID, 10)
	}
	return v.Show(pages, "venues", http.StatusOK, frame.View{Title: "Venues", At: "/venues", Data: venuesData{rows, v.Pager(next, true)}})
}

func mark(no int64) *event.Mark {
	if no == 0 {
		return nil
	}
	return &event.Mark{No: no}
}

func venueRows(v *frame.Visit) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for after := int64(0); ; {
			rows, _, err := event.Venues(v.Read(), v.Org.No, event.Catalog{After: mark(after), Limit: 500})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, w := range rows {
				if !yield([]string{w.Name, w.City, w.Region, w.Country, degrees(w.Latitude), degrees(w.Longitude)}, nil) {
					return
				}
				after = w.ID
			}
			if len(rows) < 500 {
				return
			}
		}
	}
}

func degrees(d *float64) string {
	if d == nil {
		return ""
	}
	return strconv.FormatFloat(*d, 'f', -1, 64)
}
