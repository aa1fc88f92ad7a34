package guests

import (
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
)

type checkinsData struct {
	Event    event.Event
	Checkins []checkinRow
	Status   string
	Statuses []page.Option
	Gate     string
	Pager    frame.Pager
}

// checkinRow is a check-in with what it came to, in words.
type checkinRow struct {
	*gate.Checkin
	Says string
	Good bool // somebody went through
}

func checkinRows(all []*gate.Checkin) (some []checkinRow) {
	for _, c := range all {
		s := c.Status()
		some = append(some, checkinRow{c, said[s], s == gate.CheckedIn || s == gate.CheckedOut})
	}
	return some
}

// said are the statuses of check-ins in words.
var said = map[gate.Status]string{
	gate.CheckedIn: "checked in", gate.CheckedOut: "checked out", gate.Already: "is in already", gate.Invalid: "not a code of ours", gate.WrongEvent: "another event",
	gate.WrongList: "not for this list or gate", gate.Cancelled: "cancelled", gate.Blocked: "blocked", gate.Unpaid: "not paid", gate.NotYet: "too early", gate.TooLate: "too late",
	gate.Limit: "often enough", gate.Refused: "refused by the device", gate.Conflict: "in conflict", gate.Undone: "undone",
}

// checkins lists what was presented at an event's door, the newest first.
func (r *Room) checkins(v *frame.Visit) error {
	e, err := eventOf(v)
	if err != nil {
		return err
	}
	d := checkinsData{Event: e, Status: choice(v, "status"), Gate: v.Query("gate"), Statuses: []page.Option{{Value: "any", Text: "Any"}}}
	for _, s := range gate.Statuses() {
		d.Statuses = append(d.Statuses, page.Option{Value: string(s), Text: said[s]})
	}
	f := gate.Filter{Event: e.ID, Status: gate.Status(d.Status), Gate: d.Gate, Before: id.Checkin(v.Query("after")), Limit: frame.PageSize + 1, Uncounted: true}
	if v.WantsCSV() {
		return checkinsFile(v, f)
	}
	found, _, err := gate.Find(v.Read(), v.Org.No, f)
	if err != nil {
		return err
	}
	d.Checkins = checkinRows(found)
	next := ""
	if len(d.Checkins) > frame.PageSize {
		d.Checkins = d.Checkins[:frame.PageSize]
		next = string(d.Checkins[frame.PageSize-1].ID)
	}
	d.Pager = v.Pager(next, len(d.Checkins) > 0)
	return v.Show(pages, "checkins", http.StatusOK, frame.View{Title: "Check-ins of " + e.Name, At: "/attendance", Wide: true, Data: d})
}

func checkinsFile(v *frame.Visit, f gate.Filter) error {
	f.Limit = most
	header := []string{"checkin", "at", "status", "reason", "ticket", "order", "list", "gate", "direction", "mode", "entry", "device", "scanned_at", "received_at", "note"}
	return v.CSV("check-ins", header, rows(func(after string) (lines [][]string, next string, err error) {
		f.Before = id.Checkin(after)
		some, _, err := gate.Find(v.Read(), v.Org.No, f)
		for _, c := range some {
			lines = append(lines, []string{
				string(c.ID), stamped(c.At), string(c.Status()), c.Reason, string(c.TicketID), string(c.OrderID), string(c.ListID), c.Gate, string(c.Direction), string(c.Mode),
				itoa(c.Entry), c.Device, stamped(c.ScannedAt), stamped(c.ReceivedAt), c.Note,
			})
			next = string(c.ID)
		}
		if len(some) < most {
			next = ""
		}
		return lines, next, err
	}))
}

// undo takes a check-in back.
func (r *Room) undo(v *frame.Visit) error {
	back := "/attendance/" + v.R.PathValue("event") + "/checkins"
	sure, err := v.Sure("Undo this check-in?", "It then counts as if nobody had come or gone, and the ticket can be scanned anew.", "Undo it", back)
	if !sure {
		return err
	}
	if err := v.Write(func(tx *db.Tx) error { return r.Gates.Undo(tx, v.Org.No, id.Checkin(v.R.PathValue("checkin"))) }); err != nil {
		return err
	}
	return v.Done(back, "The check-in is undone.")
}
