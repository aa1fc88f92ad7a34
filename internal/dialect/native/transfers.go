package native

import (
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

type transferJSON struct {
	TicketID  string               `json:"ticketId"`
	N         int                  `json:"n" doc:"1, 2, … for each ticket."`
	State     ticket.TransferState `json:"state" enum:"offered,accepted,declined,revoked,expired"`
	From      string               `json:"from" doc:"The address of whose ticket it was; empty once they were erased."`
	To        string               `json:"to"`
	CreatedAt string               `json:"createdAt" format:"date-time"`
	ExpiresAt string               `json:"expiresAt" format:"date-time" doc:"From then on it cannot be accepted."`
	EndedAt   *string              `json:"endedAt" format:"date-time" doc:"null while it is open."`
}

func newTransfer(x ticket.Transfer) transferJSON {
	return transferJSON{string(x.Ticket), x.N, x.State, x.From, x.To, instant(x.CreatedAt), instant(x.ExpiresAt), orNull(maybe(x.EndedAt))}
}

type transferInputJSON struct {
	Action    string `json:"action,omitempty" enum:"offer,accept,decline,revoke" doc:"offer when left out."`
	Email     string `json:"email,omitempty" example:"kari@example.com" doc:"With offer: to whom. They are told by mail, where the server sends some."`
	ExpiresIn count  `json:"expiresIn,omitempty" minimum:"60" maximum:"7776000" doc:"With offer: for how many seconds it stands; seven days when left out."`
	Name      string `json:"name,omitempty" maxLength:"200" doc:"With accept: the new holder's."`
}

type transferInput struct {
	TicketPath
	IfMatch string `header:"If-Match" doc:"With offer: the ticket's ETag; 412 when it has changed since."`
	Body    transferInputJSON
}

type transferredJSON struct {
	Transfer transferJSON `json:"transfer"`
	Ticket   *ticketJSON  `json:"ticket,omitempty" doc:"Left out for who does not hold it, nor has bought it."`
}

func (a *API) transferTicket(tx *db.Tx, c *call, in *transferInput) (answer[transferredJSON], error) {
	var out answer[transferredJSON]
	by, err := c.side()
	if err != nil {
		return out, err
	}
	t := id.Ticket(in.TicketID)
	switch in.Body.Action {
	case "accept":
		_, _, err = a.Tickets.Accept(tx, c.Org, t, by, in.Body.Name)
	case "decline":
		_, _, err = a.Tickets.Decline(tx, c.Org, t, by)
	case "revoke":
		_, _, err = a.Tickets.Revoke(tx, c.Org, t, by)
	default:
		out, err = a.offer(tx, c, in, by)
	}
	if err != nil {
		return out, err
	}
	now, err := ticket.ByID(tx, c.Org, t)
	if err != nil {
		return out, err
	}
	all, err := ticket.TransfersOf(tx, c.Org, now)
	if err != nil {
		return out, err
	}
	out.body.Transfer = newTransfer(all[len(all)-1])
	switch seen, err := c.ticket(tx, in.TicketID); {
	case problem.Is(err, "ticket_not_found"): // who declined it has nothing to do with it any more
	case err != nil:
		return out, err
	default:
		j, err := a.showWhole(tx, c, seen)
		if err != nil {
			return out, err
		}
		out.body.Ticket = &j
	}
	return out, nil
}

// offer offers a ticket, and has the mail about it sent once that is on disk.
func (a *API) offer(tx *db.Tx, c *call, in *transferInput, by person.Address) (out answer[transferredJSON], err error) {
	version, err := ifMatch(in.IfMatch)
	if err != nil {
		return out, err
	}
	x, f, err := a.Tickets.Offer(tx, c.Org, id.Ticket(in.TicketID), ticket.Offer{
		By: by, Version: version, To: in.Body.Email, Lasts: time.Duration(in.Body.ExpiresIn) * time.Second,
	})
	if err != nil || f == nil || a.Offered == nil {
		return out, err
	}
	of, err := org.ByNumber(tx, c.Org)
	if err != nil {
		return out, err
	}
	t, err := ticket.ByID(tx, c.Org, x.Ticket)
	if err != nil {
		return out, err
	}
	ev, err := event.ByID(tx, c.Org, t.EventID)
	out.then = func() { a.Offered(x, of.Name, ev.Name) }
	return out, err
}

type transferListInput struct {
	Paging
	TicketPath
}

func (a *API) listTransfers(ctx context.Context, c *call, in *transferListInput) (answer[list[transferJSON, noFilters]], error) {
	var out answer[list[transferJSON, noFilters]]
	by, err := c.side()
	if err != nil {
		return out, err
	}
	q := a.DB.Read(ctx)
	t, err := ticket.ByID(q, c.Org, id.Ticket(in.TicketID))
	if err != nil {
		return out, err
	}
	all, err := ticket.TransfersOf(q, c.Org, t)
	if err != nil {
		return out, err
	}
	if c.Attendee {
		theirs := all[:0]
		for _, x := range all {
			if by.Is(x.From) || by.Is(x.To) {
				theirs = append(theirs, x)
			}
		}
		if all = theirs; len(all) == 0 {
			if _, err := c.ticket(q, in.TicketID); err != nil { // who has nothing to do with it does not learn that it is there
				return out, err
			}
		}
	}
	return pageOf(c, in.Paging, "transfers "+in.TicketID, all, newTransfer)
}
