package guests

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

type ticketsData struct {
	Tickets   []ticket.Ticket
	Of        map[int64]event.Event // by number
	Events    []page.Option
	Event     string
	Status    string
	Q         string
	Pager     frame.Pager
	Filtered  bool
	Elsewhere bool // a seat is looked for without an event
}

// tickets lists tickets, the newest first.
func (r *Room) tickets(v *frame.Visit) error {
	d := ticketsData{Event: choice(v, "event"), Status: choice(v, "status"), Q: v.Query("q")}
	f := ticket.Filter{Event: id.Event(d.Event), Status: ticket.Status(d.Status), Before: id.Ticket(v.Query("after")), Limit: frame.PageSize + 1, Uncounted: true}
	switch {
	case d.Q == "":
	case strings.HasPrefix(d.Q, "tkt_"):
		return v.To(v.Path("/tickets/" + url.PathEscape(d.Q)))
	case strings.Contains(d.Q, "@"):
		f.Email = d.Q
	case d.Event == "":
		d.Elsewhere = true
	default:
		f.Seat = d.Q
	}
	if v.WantsCSV() && !d.Elsewhere {
		return ticketsFile(v, f)
	}
	var err error
	if !d.Elsewhere {
		if d.Tickets, _, err = ticket.List(v.Read(), v.Org.No, f); err != nil {
			return err
		}
	}
	next := ""
	if len(d.Tickets) > frame.PageSize {
		d.Tickets = d.Tickets[:frame.PageSize]
		next = string(d.Tickets[frame.PageSize-1].ID)
	}
	d.Pager, d.Filtered = v.Pager(next, len(d.Tickets) > 0), d.Event+d.Status+d.Q != ""
	if d.Of, err = eventsOf(v, d.Tickets); err != nil {
		return err
	}
	if d.Events, err = events(v, d.Event, anyEvent); err != nil {
		return err
	}
	return v.Show(pages, "tickets", http.StatusOK, frame.View{Title: "Tickets", At: "/tickets", Wide: true, Data: d})
}

// eventsOf are the events of tickets, by their numbers.
func eventsOf(v *frame.Visit, all []ticket.Ticket) (map[int64]event.Event, error) {
	var nos []int64
	seen := map[int64]bool{}
	for _, t := range all {
		if !seen[t.EventNo] {
			seen[t.EventNo], nos = true, append(nos, t.EventNo)
		}
	}
	return event.ByNos(v.Read(), v.Org.No, nos)
}

// ticketsFile is the list as a file: without codes, which are shown one by one.
func ticketsFile(v *frame.Visit, f ticket.Filter) error {
	f.Limit = most
	header := []string{"ticket", "event", "order", "section", "row", "seat", "place", "price", "currency", "status", "holder_name", "holder_email", "issued_at"}
	return v.CSV("tickets", header, rows(func(after string) (lines [][]string, next string, err error) {
		f.Before = id.Ticket(after)
		some, _, err := ticket.List(v.Read(), v.Org.No, f)
		for _, t := range some {
			lines = append(lines, []string{
				string(t.ID), string(t.EventID), string(t.OrderID), t.Section, t.Row, t.Seat, itoa(t.Place), t.Price.String(), string(t.Price.Currency), string(t.Status()),
				t.Holder.Name, t.Holder.Email, stamped(t.CreatedAt),
			})
			next = string(t.ID)
		}
		if len(some) < most {
			next = ""
		}
		return lines, next, err
	}))
}

// ticketOf finds the ticket that the path names.
func ticketOf(v *frame.Visit) (ticket.Ticket, error) {
	return ticket.ByID(v.Read(), v.Org.No, id.Ticket(v.R.PathValue("ticket")))
}

func stepsOf(t ticket.Ticket) (steps struct{ Block, Unblock, Cancel, Offer bool }) {
	steps.Block, steps.Unblock, steps.Cancel = t.Validity == ticket.Valid, t.Validity == ticket.Blocked, t.Validity != ticket.Void
	steps.Offer = t.Validity == ticket.Valid && t.Presence == ticket.Outside
	return steps
}

// noCode tells whether an error says that a ticket has no code now.
func noCode(err error) bool { return problem.Is(err, "ticket_without_code") }
