package account

import (
	"net/http"
	"net/url"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// offerPath is where somebody sees a ticket that was offered to them. The address is no secret: who is signed in with the offer's address, takes it.
func offerPath(t id.Ticket) string { return "/offer/" + url.PathEscape(string(t)) }

type offerBody struct {
	Org, Event, When         string
	Section, Row, Seat, Name string
	From, Until              string
}

// offered finds what the path's ticket is to whoever is signed in.
func (v *visit) offered(q db.Querier) (ticket.Standing, error) {
	who := person.Address("")
	if !v.user.VerifiedAt.IsZero() {
		who = person.Of(v.user.Email)
	}
	return ticket.OfferedTo(q, id.Ticket(v.r.PathValue("ticket")), who, v.p.Now())
}

func (p *Pages) offerPage(v *visit) error {
	if v.user.VerifiedAt.IsZero() {
		return v.say(http.StatusOK, "Is this address yours?", "What was offered to an address is shown to those who have shown that it is theirs. Confirm yours, and open the link again.",
			lead{"/account", "Confirm the address"})
	}
	q := p.DB.Read(v.r.Context())
	o, err := v.offered(q)
	if err != nil {
		return v.withoutOffer(err)
	}
	d, err := v.offerBody(q, o)
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "offer", sheet{Title: "A ticket is offered to you", Body: d})
}

func (v *visit) offerBody(q db.Querier, o ticket.Standing) (offerBody, error) {
	of, err := org.ByNumber(q, o.Org)
	if err != nil {
		return offerBody{}, err
	}
	ev, err := event.ByID(q, o.Org, o.Ticket.EventID)
	if err != nil {
		return offerBody{}, err
	}
	local, err := time.Parse(event.Layout, ev.StartLocal)
	return offerBody{
		Org: of.Name, Event: ev.Name, When: day(local), Section: o.Ticket.Section, Row: o.Ticket.Row, Seat: o.Ticket.Seat, Name: v.user.Name,
		From: o.Transfer.From, Until: day(o.Transfer.ExpiresAt),
	}, err
}

// withoutOffer shows that there is nothing to accept; any other error it returns.
func (v *visit) withoutOffer(err error) error {
	if problem.Is(err, "transfer_not_open") || problem.Is(err, "ticket_not_found") {
		return v.say(http.StatusNotFound, "There is no offer here", "It was taken back, has ended, was answered already, or was made to another address than the one that you are signed in with.",
			lead{"/account", "Your account"})
	}
	return err
}

// answerOffer accepts or declines.
func (p *Pages) answerOffer(v *visit) error {
	accept := v.form.Get("decision") == "accept"
	if !accept && v.form.Get("decision") != "decline" {
		return problem.New(problem.Invalid, "decision_missing", "Accept the ticket, or decline it.")
	}
	err := v.write(func(tx *db.Tx) error {
		o, err := v.offered(tx)
		if err != nil {
			return err
		}
		who := person.Of(v.user.Email)
		if accept {
			_, _, err = p.Tickets.Accept(tx, o.Org, o.Ticket.ID, who, v.form.Get("name"))
		} else {
			_, _, err = p.Tickets.Decline(tx, o.Org, o.Ticket.ID, who)
		}
		return err
	})
	switch shown := problem.As(err); {
	case shown != nil && shown.Kind == problem.Invalid:
		return v.show(http.StatusBadRequest, "say", sheet{Title: "A ticket is offered to you", Complaints: complaints(shown, ""), Body: sayBody{"", []lead{{v.r.URL.Path, "Back to the offer"}}}})
	case err != nil:
		return v.withoutOffer(err)
	case accept:
		return v.say(http.StatusOK, "The ticket is yours", "Its former code is worthless from now on. The app that you use for tickets shows you the new one.", lead{"/account", "Your account"})
	}
	return v.say(http.StatusOK, "The offer is declined", "The ticket stays whose it was.", lead{"/account", "Your account"})
}
