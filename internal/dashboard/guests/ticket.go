package guests

import (
	"html/template"
	"net/http"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/qrcode"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

type ticketData struct {
	Ticket    ticket.Ticket
	Event     event.Event
	Codes     ticket.Codes
	Picture   template.URL  // of the code; "" where it has none
	Step      time.Duration // for how long a code of the event is shown; 0 where they do not rotate
	Steps     struct{ Block, Unblock, Cancel, Offer bool }
	Transfers []ticket.Transfer
	Open      bool // something is offered
	Checkins  []checkinRow
	Passes    []*pass.Pass
	Name      string // the holder's, as it was typed
	Email     string
	To        string // whom it is to be offered to, as it was typed
}

func (r *Room) ticket(v *frame.Visit) error {
	t, err := ticketOf(v)
	if err != nil {
		return err
	}
	return r.showTicket(v, http.StatusOK, ticketData{Ticket: t, Name: t.Holder.Name, Email: t.Holder.Email}, nil)
}

func (r *Room) showTicket(v *frame.Visit, status int, d ticketData, wrong page.Complaints) (err error) {
	q, t := v.Read(), d.Ticket
	if d.Event, err = event.ByNo(q, v.Org.No, t.EventNo); err != nil {
		return err
	}
	if err := r.picture(v, &d); err != nil {
		return err
	}
	d.Steps = stepsOf(t)
	if d.Step, err = ticket.StepOf(q, v.Org.No, t.EventNo); err != nil {
		return err
	}
	if d.Transfers, err = ticket.TransfersOf(q, v.Org.No, t); err != nil {
		return err
	}
	for _, x := range d.Transfers {
		d.Open = d.Open || x.State == ticket.Offered
	}
	found, _, err := gate.Find(q, v.Org.No, gate.Filter{Ticket: t.ID, Limit: frame.PageSize, Uncounted: true})
	if err != nil {
		return err
	}
	d.Checkins = checkinRows(found)
	if d.Passes, err = pass.Find(q, v.Org.No, pass.Filter{Ticket: t.ID, Limit: 20}); err != nil {
		return err
	}
	return v.Show(pages, "ticket", status, frame.View{Title: "Ticket", At: "/tickets", Complaints: wrong, Data: d})
}

// picture puts in the codes that the ticket is shown with now, where it has some.
func (r *Room) picture(v *frame.Visit, d *ticketData) (err error) {
	d.Codes, err = r.Tickets.CodesOf(v.R.Context(), v.Read(), d.Ticket, v.Now())
	if noCode(err) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := qrcode.Ticket(d.Codes.Text)
	d.Picture = template.URL(c.DataURI(280)) //nolint:gosec // G203: a picture that we drew
	return err
}

// step takes a step with the ticket of the path.
func (r *Room) step(v *frame.Visit, do func(tx *db.Tx, org int64, t id.Ticket, version int64) (ticket.Ticket, *fact.Fact, error), said string) error {
	t := id.Ticket(v.R.PathValue("ticket"))
	err := v.Write(func(tx *db.Tx) error {
		_, _, err := do(tx, v.Org.No, t, 0)
		return err
	})
	if err != nil {
		return err
	}
	return v.Done("/tickets/"+string(t), said)
}

func (r *Room) block(v *frame.Visit) error {
	return r.step(v, r.Tickets.Block, "The ticket is blocked: the door refuses it until you unblock it.")
}

func (r *Room) unblock(v *frame.Visit) error {
	return r.step(v, r.Tickets.Unblock, "The ticket is valid again.")
}

func (r *Room) cancel(v *frame.Visit) error {
	sure, err := v.Sure("Cancel this ticket?", "It admits nobody any more, its wallet passes expire, and it cannot be brought back. Its place stays the order's, and no money moves.",
		"Cancel the ticket", "/tickets/"+v.R.PathValue("ticket"))
	if !sure {
		return err
	}
	return r.step(v, r.Tickets.Cancel, "The ticket is cancelled.")
}

// correct corrects who holds the ticket.
func (r *Room) correct(v *frame.Visit) error {
	t, err := ticketOf(v)
	if err != nil {
		return err
	}
	name, email := v.Value("name"), v.Value("email")
	change := ticket.HolderChange{Name: &name}
	if email != t.Holder.Email {
		change.Email = &email
	}
	err = v.Write(func(tx *db.Tx) error {
		_, _, err := r.Tickets.SetHolder(tx, v.Org.No, t.ID, change)
		return err
	})
	names := map[string]string{"/holder/name": "name", "/holder/email": "email"}
	if wrong, status, ok := frame.Wrong(err, "holder-", names); ok {
		return r.showTicket(v, status, ticketData{Ticket: t, Name: name, Email: email}, wrong)
	} else if err != nil {
		return err
	}
	return v.Done("/tickets/"+string(t.ID), "The holder is corrected. Codes stay good.")
}

// offer offers the ticket on its holder's behalf, and has the mail about it sent once that is on disk.
func (r *Room) offer(v *frame.Visit) error {
	t, err := ticketOf(v)
	if err != nil {
		return err
	}
	to, days := v.Value("email"), v.Value("days")
	lasts := map[string]time.Duration{"1": 24 * time.Hour, "7": ticket.OfferLasts, "30": 30 * 24 * time.Hour}[days]
	var made ticket.Transfer
	var told *fact.Fact
	var e event.Event
	err = v.Write(func(tx *db.Tx) (err error) {
		if made, told, err = r.Tickets.Offer(tx, v.Org.No, t.ID, ticket.Offer{To: to, Lasts: lasts}); err == nil {
			e, err = event.ByID(tx, v.Org.No, t.EventID)
		}
		return err
	})
	if wrong, status, ok := frame.Wrong(err, "offer-", nil); ok {
		return r.showTicket(v, status, ticketData{Ticket: t, Name: t.Holder.Name, Email: t.Holder.Email, To: to}, wrong)
	} else if err != nil {
		return err
	}
	if told != nil && r.Offered != nil {
		r.Offered(made, v.Org.Name, e.Name)
	}
	return v.Done("/tickets/"+string(t.ID), "The ticket is offered to "+to+". It stays the holder's until that is accepted.")
}

// rotation has the codes of the ticket's event rotate, or stop to, and wallets told.
func (r *Room) rotation(v *frame.Visit) error {
	t, err := ticketOf(v)
	if err != nil {
		return err
	}
	path := "/tickets/" + string(t.ID)
	start := v.Value("rotate") == "yes"
	ask, then, yes, said := "Have the codes of this event rotate?", "A code is then good for half a minute, so a picture of it is worthless. What was printed or sent as a picture is refused, for all tickets of the event; "+
		"Apple's wallet cannot show such codes.", "Have them rotate", "The codes of the event rotate."
	if !start {
		ask, then, yes, said = "Stop rotating the codes of this event?", "Codes are then good until their ticket is transferred, blocked or cancelled, also pictures of them.", "Stop rotating", "The codes of the event do not rotate any more."
	}
	sure, err := v.Sure(ask, then, yes, path)
	if !sure {
		return err
	}
	err = v.Write(func(tx *db.Tx) (err error) {
		if start {
			err = r.Tickets.Rotate(tx, v.Org.No, t.EventID, 0)
		} else {
			err = r.Tickets.StopRotating(tx, v.Org.No, t.EventID)
		}
		if err == nil {
			err = r.Passes.Refresh(tx, v.Org.No, t.EventID)
		}
		return err
	})
	if err != nil {
		return err
	}
	return v.Done(path, said)
}
