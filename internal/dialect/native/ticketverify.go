package native

import (
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

type verifyInput struct {
	TicketPath
	Code string `query:"code" maxLength:"200" doc:"What was scanned or typed."`
}

type verifiedJSON struct {
	TicketID   string        `json:"ticketId"`
	EventID    string        `json:"eventId"`
	Valid      bool          `json:"valid" doc:"It would admit somebody now, as far as its door's own rules let it."`
	Status     ticket.Status `json:"status" enum:"reserved,valid,checked_in,blocked,void"`
	Generation int           `json:"generation"`
	Reason     string        `json:"reason,omitempty" enum:"reserved,blocked,void,not_yet,too_late,event_cancelled,event_over,unknown,bad_signature,revoked_generation,not_current,other_ticket" doc:"Why it is not valid."`
	CheckedAt  string        `json:"checkedAt" format:"date-time"`
}

func (a *API) verifyTicket(ctx context.Context, c *call, in *verifyInput) (answer[verifiedJSON], error) {
	q := a.DB.Read(ctx)
	t, err := c.ticket(q, in.TicketID)
	if err != nil {
		return answer[verifiedJSON]{}, err
	}
	now := a.Now()
	reason := ""
	if in.Code != "" {
		if reason, err = a.codeFault(ctx, q, c, t, in.Code, now); err != nil {
			return answer[verifiedJSON]{}, err
		}
	}
	if reason == "" {
		if reason, err = ticketFault(q, c.Org, t, now); err != nil {
			return answer[verifiedJSON]{}, err
		}
	}
	return answer[verifiedJSON]{body: verifiedJSON{
		TicketID: string(t.ID), EventID: string(t.EventID), Valid: reason == "", Status: t.Status(), Generation: t.Generation, Reason: reason, CheckedAt: instant(now),
	}}, nil
}

// codeFault says why a code is no current one of a ticket; "" where it is one, whatever its window.
func (a *API) codeFault(ctx context.Context, q db.Querier, c *call, t ticket.Ticket, code string, now time.Time) (string, error) {
	p, err := a.Tickets.Present(ctx, q, c.Org, code, now)
	switch {
	case err != nil:
		return "", err
	case c.Attendee && p.Ticket.ID != t.ID: // nobody finds out here whether they have guessed another's code
		return string(ticket.Unknown), nil
	case p.Ticket.ID != "" && p.Ticket.ID != t.ID:
		return "other_ticket", nil
	case p.Verdict == ticket.Genuine, p.Verdict == ticket.NotYet, p.Verdict == ticket.TooLate:
		return "", nil
	}
	return string(p.Verdict), nil
}

// ticketFault says why a ticket is not valid; "" where it is.
func ticketFault(q db.Querier, org int64, t ticket.Ticket, now time.Time) (string, error) {
	switch {
	case t.Validity != ticket.Valid:
		return string(t.Validity), nil
	case !t.ValidFrom.IsZero() && now.Before(t.ValidFrom):
		return "not_yet", nil
	case !t.ValidUntil.IsZero() && !now.Before(t.ValidUntil):
		return "too_late", nil
	}
	ev, err := event.ByID(q, org, t.EventID)
	switch {
	case err != nil:
		return "", err
	case ev.Status == event.Cancelled:
		return "event_cancelled", nil
	case ev.Status == event.Completed, ev.Status == event.Published && !now.Before(ev.EndsAt):
		return "event_over", nil
	}
	return "", nil
}
