package native

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

const ticketKeysPath = "/api/v1/ticket-keys"

// codeRoutes are about how tickets' codes are made.
func (a *API) codeRoutes(tag string) {
	read(a, route{
		method: "GET", path: ticketKeysPath, scope: scope.TicketsRead, id: "listTicketKeys", tag: tag, summary: "List the keys that sign ticket codes, newest first",
		detail: "Their public halves; for gates there is `/.well-known/stagedoor-keys.json`.",
	}, a.listTicketKeys)
	write(a, route{
		method: "POST", path: ticketKeysPath + "/rotate", admin: true, id: "rotateTicketKey", tag: tag, status: 201, summary: "Make a new key, which signs from now on",
		detail: "Codes that were signed before stay good until their key is retired. Gates must get the new key before they meet its codes.",
	}, a.rotateTicketKey)
	write(a, route{
		method: "POST", path: ticketKeysPath + "/{publicKey}/retire", admin: true, id: "retireTicketKey", tag: tag, summary: "Have a former key count no more",
		detail: "The codes that it has signed are then worthless: do it when the last event is over for which some were given out, or when the key has leaked. " +
			"Tickets stay as they are, and have codes by the key that signs.",
	}, a.retireTicketKey)
	const rotation = eventsPath + "/{eventId}/ticket-codes"
	read(a, route{
		method: "GET", path: rotation, scope: scope.EventsRead, id: "getTicketCodes", tag: tag, summary: "See whether an event's ticket codes rotate",
	}, a.ticketCodes)
	write(a, route{
		method: "PATCH", path: rotation, scope: scope.EventsWrite, id: "changeTicketCodes", tag: tag, summary: "Have an event's ticket codes rotate, or not",
		detail: "A rotating code is good for a moment, so a picture of it is worthless; its static codes, such as those that were printed, are then refused.",
	}, a.changeTicketCodes)
}

type ticketKeyJSON struct {
	ID        int     `json:"id" minimum:"1" maximum:"255" doc:"What codes name it by."`
	PublicKey string  `json:"publicKey" doc:"Ed25519, in base64url: what the API names it by."`
	Signs     bool    `json:"signs" doc:"It is the newest."`
	CreatedAt string  `json:"createdAt" format:"date-time"`
	RetiresAt *string `json:"retiresAt" format:"date-time" doc:"From then on it does not count; null for no end."`
}

func newTicketKey(k ticket.Key) ticketKeyJSON {
	return ticketKeyJSON{k.ID, base64.RawURLEncoding.EncodeToString(k.Public), k.Signs, instant(k.CreatedAt), orNull(maybe(k.RetiresAt))}
}

func (a *API) listTicketKeys(ctx context.Context, c *call, in *pagingInput) (answer[list[ticketKeyJSON, noFilters]], error) {
	q := a.DB.Read(ctx)
	if _, err := a.Tickets.KeySet(ctx, q, c.Org); err != nil { // which makes the first
		return answer[list[ticketKeyJSON, noFilters]]{}, err
	}
	all, err := ticket.Keys(q, c.Org)
	if err != nil {
		return answer[list[ticketKeyJSON, noFilters]]{}, err
	}
	return pageOf(c, in.Paging, "ticket-keys", all, newTicketKey)
}

type retireJSON struct {
	At *time.Time `json:"at,omitempty" nullable:"false" doc:"From when on; now when left out or past."`
}

func (j *retireJSON) at() time.Time {
	if j == nil || j.At == nil {
		return time.Time{}
	}
	return *j.At
}

type rotateKeyJSON struct {
	RetireOthersAt *time.Time `json:"retireOthersAt,omitempty" nullable:"false" doc:"From when on the keys before, as far as they have no end, count no more; they go on when it is left out."`
}

type rotateKeyInput struct {
	Body *rotateKeyJSON
}

func (a *API) rotateTicketKey(tx *db.Tx, c *call, in *rotateKeyInput) (answer[ticketKeyJSON], error) {
	var retire time.Time
	if in.Body != nil {
		retire = (&retireJSON{in.Body.RetireOthersAt}).at()
	}
	k, err := a.Tickets.RotateKey(tx, c.Org, retire, c.by())
	if err == nil {
		err = a.codesChanged(tx, c.Org, "")
	}
	return answer[ticketKeyJSON]{body: newTicketKey(k), location: ticketKeysPath}, err
}

type retireInput struct {
	PublicKey string `path:"publicKey"`
	Body      *retireJSON
}

func (a *API) retireTicketKey(tx *db.Tx, c *call, in *retireInput) (answer[ticketKeyJSON], error) {
	public, err := base64.RawURLEncoding.DecodeString(in.PublicKey)
	if err != nil {
		public = nil // nobody's
	}
	k, err := a.Tickets.RetireKey(tx, c.Org, public, in.Body.at(), c.by())
	return answer[ticketKeyJSON]{body: newTicketKey(k)}, err
}

type ticketCodesJSON struct {
	EventID       string `json:"eventId"`
	RotatingCodes bool   `json:"rotatingCodes"`
	StepSeconds   int    `json:"stepSeconds,omitempty" doc:"For how long a code is shown; left out where codes do not rotate."`
}

func showTicketCodes(q db.Querier, c *call, e string) (answer[ticketCodesJSON], error) {
	ev, err := c.event(q, id.Event(e))
	if err != nil {
		return answer[ticketCodesJSON]{}, err
	}
	step, err := ticket.StepOf(q, c.Org, ev.No)
	return answer[ticketCodesJSON]{body: ticketCodesJSON{string(ev.ID), step > 0, int(step / time.Second)}}, err
}

func (a *API) ticketCodes(ctx context.Context, c *call, in *EventPath) (answer[ticketCodesJSON], error) {
	return showTicketCodes(a.DB.Read(ctx), c, in.EventID)
}

type ticketCodesInputJSON struct {
	RotatingCodes bool  `json:"rotatingCodes"`
	StepSeconds   count `json:"stepSeconds,omitempty" minimum:"15" maximum:"30" doc:"With rotatingCodes; 30 when left out."`
}

type ticketCodesInput struct {
	EventPath
	Body ticketCodesInputJSON
}

func (a *API) codesChanged(tx *db.Tx, org int64, e id.Event) error {
	if a.CodesChanged == nil {
		return nil
	}
	return a.CodesChanged(tx, org, e)
}

func (a *API) changeTicketCodes(tx *db.Tx, c *call, in *ticketCodesInput) (answer[ticketCodesJSON], error) {
	var err error
	switch {
	case in.Body.RotatingCodes:
		err = a.Tickets.Rotate(tx, c.Org, id.Event(in.EventID), time.Duration(in.Body.StepSeconds)*time.Second)
	case in.Body.StepSeconds != 0:
		err = problem.Field("/stepSeconds", "not_rotating", "Codes that do not rotate have no step; leave it out.")
	default:
		err = a.Tickets.StopRotating(tx, c.Org, id.Event(in.EventID))
	}
	if err == nil {
		err = a.codesChanged(tx, c.Org, id.Event(in.EventID))
	}
	if err != nil {
		return answer[ticketCodesJSON]{}, err
	}
	return showTicketCodes(tx, c, in.EventID)
}
