package guests

import (
	"net/http"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

type attendanceData struct {
	Today, Coming, Past []event.Event
}

// shownPast is how many events that are over are offered.
const shownPast = 10

// attendance lists the events whose doors are open, or will be.
func (r *Room) attendance(v *frame.Visit) error {
	active, _, err := event.List(v.Read(), v.Org.No, event.Filter{Now: v.Now(), Limit: frame.PageSize})
	if err != nil {
		return err
	}
	var d attendanceData
	for _, e := range active {
		if endOfDay(v.Now(), e.Timezone).After(e.StartsAt) {
			d.Today = append(d.Today, e)
		} else {
			d.Coming = append(d.Coming, e)
		}
	}
	if d.Past, _, err = event.List(v.Read(), v.Org.No, event.Filter{Status: "past", Now: v.Now(), SortOrder: "desc", Limit: shownPast}); err != nil {
		return err
	}
	return v.Show(pages, "attendance", http.StatusOK, frame.View{Title: "Attendance", At: "/attendance", Data: d})
}

// zoned is a zone by its IANA name; UTC for one that this machine does not know.
func zoned(name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil || name == "" {
		return time.UTC
	}
	return z
}

// endOfDay is when today is over at a place.
func endOfDay(now time.Time, zone string) time.Time {
	y, m, day := now.In(zoned(zone)).Date()
	return time.Date(y, m, day+1, 0, 0, 0, 0, zoned(zone))
}

// eventOf finds the event that the path names.
func eventOf(v *frame.Visit) (event.Event, error) {
	return event.ByID(v.Read(), v.Org.No, id.Event(v.R.PathValue("event")))
}

type doorData struct {
	Event  event.Event
	Tally  gate.Tally
	Lists  []listRow
	Why    []reasonRow
	Latest []checkinRow
}

// listRow is a check-in list with what came by it.
type listRow struct {
	List             gate.List
	Admitted, Exited int
}

// reasonRow is why people were refused, in words.
type reasonRow struct {
	gate.Refusals
	Says string
}

// latest is how many check-ins are shown as they come.
const latest = 20

// lookAtDoor reads what there is to say of an event's door now.
func lookAtDoor(v *frame.Visit) (d doorData, err error) {
	if d.Event, err = eventOf(v); err != nil {
		return d, err
	}
	q := v.Read()
	if d.Tally, err = gate.TallyOf(q, v.Org.No, d.Event.ID); err != nil {
		return d, err
	}
	lists, err := gate.Lists(q, v.Org.No, d.Event.ID)
	if err != nil {
		return d, err
	}
	for _, l := range lists {
		row := listRow{List: l}
		for _, n := range d.Tally.Lists {
			if n.ListNo == l.No {
				row.Admitted, row.Exited = n.Admitted, n.Exited
			}
		}
		d.Lists = append(d.Lists, row)
	}
	for _, n := range d.Tally.Reasons {
		d.Why = append(d.Why, reasonRow{n, said[n.Said]})
	}
	found, _, err := gate.Find(q, v.Org.No, gate.Filter{Event: d.Event.ID, Limit: latest, Uncounted: true})
	d.Latest = checkinRows(found)
	return d, err
}

// door is who is at an event, as it changes.
func (r *Room) door(v *frame.Visit) error {
	d, err := lookAtDoor(v)
	if err != nil {
		return err
	}
	return v.Show(pages, "door", http.StatusOK, frame.View{Title: "Attendance of " + d.Event.Name, At: "/attendance", Wide: true, Data: d})
}

// doorNow is the part of that page that changes.
func (r *Room) doorNow(v *frame.Visit) error {
	d, err := lookAtDoor(v)
	if err != nil {
		return err
	}
	return v.Fragment(pages, "door", "now", frame.View{Data: d})
}

// doorNews tells of check-ins as they are made, of whatever event, to who may read them: no more than the ids that the API lists for the same right.
func (r *Room) doorNews(v *frame.Visit) error {
	q := v.R.Clone(v.R.Context())
	q.URL.RawQuery = "kinds=checkin.*&attempts=false"
	return v.Streams.Organisation(v.W, q, v.Who, v.Still)
}
