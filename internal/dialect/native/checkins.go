package native

import (
	"context"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

type checkinJSON struct {
	ID         string     `json:"id" example:"chk_06fvnz7c6wyr1c2k2y0gqk4w3g"`
	Status     string     `json:"status" doc:"What it counts for now." enum:"checked_in,checked_out,already_checked_in,invalid,wrong_event,wrong_list,cancelled,blocked,unpaid,not_yet,too_late,limit,refused,conflict,undone"`
	Reason     string     `json:"reason,omitempty"`
	EventID    string     `json:"eventId,omitempty"`
	TicketID   string     `json:"ticketId,omitempty" doc:"Left out where the code was of no ticket."`
	OrderID    string     `json:"orderId,omitempty"`
	ListID     string     `json:"listId,omitempty" doc:"Left out for the event's default where that was never made."`
	Gate       string     `json:"gate,omitempty" doc:"Its name."`
	Direction  string     `json:"direction" enum:"entry,exit"`
	Mode       string     `json:"mode" enum:"online,offline,forced"`
	Entry      int        `json:"entry,omitempty" doc:"1, 2, … of the ticket's entries on the list; left out for what holds none."`
	At         string     `json:"at" format:"date-time" doc:"Its place among the check-ins of its ticket."`
	ScannedAt  string     `json:"scannedAt" format:"date-time" doc:"As the device says."`
	ReceivedAt string     `json:"receivedAt" format:"date-time"`
	DeviceID   string     `json:"deviceId" doc:"The scanner, or another credential."`
	Against    *rivalJSON `json:"against,omitempty" doc:"The entry that there was before."`
	Note       string     `json:"note,omitempty"`
}

type rivalJSON struct {
	CheckinID string `json:"checkinId"`
	Gate      string `json:"gate,omitempty"`
	At        string `json:"at" format:"date-time"`
}

func newRival(c *gate.Checkin) *rivalJSON {
	if c == nil {
		return nil
	}
	return &rivalJSON{string(c.ID), c.Gate, instant(c.At)}
}

func newCheckin(c, against *gate.Checkin) checkinJSON {
	return checkinJSON{
		ID: string(c.ID), Status: string(c.Status()), Reason: c.Reason, EventID: string(c.EventID), TicketID: string(c.TicketID), OrderID: string(c.OrderID),
		ListID: string(c.ListID), Gate: c.Gate, Direction: string(c.Direction), Mode: string(c.Mode), Entry: c.Entry, At: instant(c.At),
		ScannedAt: instant(c.ScannedAt), ReceivedAt: instant(c.ReceivedAt), DeviceID: c.Device, Against: newRival(against), Note: c.Note,
	}
}

// shownTicketJSON is what of a ticket its list lets be shown.
type shownTicketJSON struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty" doc:"The holder's."`
	Email   string `json:"email,omitempty" doc:"The holder's."`
	Section string `json:"section,omitempty"`
	Row     string `json:"row,omitempty"`
	Seat    string `json:"seat,omitempty"`
	OrderID string `json:"orderId,omitempty"`
}

type scannedJSON struct {
	Status  string           `json:"status" enum:"checked_in,checked_out,already_checked_in,invalid,wrong_event,wrong_list,cancelled,blocked,unpaid,not_yet,too_late,limit,refused,conflict,undone"`
	Reason  string           `json:"reason,omitempty" doc:"More exactly, for programs."`
	Message string           `json:"message" doc:"For people."`
	First   *rivalJSON       `json:"first,omitempty" doc:"Of already_checked_in: the entry that there is."`
	Checkin checkinJSON      `json:"checkin"`
	Ticket  *shownTicketJSON `json:"ticket,omitempty" doc:"What the list lets be shown; left out where nothing may."`
}

func newScanned(o gate.Outcome) scannedJSON {
	j := scannedJSON{Status: string(o.Status), Reason: o.Reason, Message: o.Message(), First: newRival(o.First), Checkin: newCheckin(o.Checkin, o.First)}
	if j.Checkin.Status != "conflict" && j.Checkin.Status != "undone" {
		j.Checkin.Status = j.Status
	}
	t := o.Ticket
	if t == nil {
		j.Checkin.TicketID, j.Checkin.OrderID, j.Checkin.EventID = "", "", ""
		return j
	}
	j.Ticket = &shownTicketJSON{ID: string(t.ID)}
	for _, show := range o.List.Rules.Display {
		switch show {
		case gate.ShowName:
			j.Ticket.Name = t.Holder.Name
		case gate.ShowEmail:
			j.Ticket.Email = t.Holder.Email
		case gate.ShowSection:
			j.Ticket.Section = t.Section
		case gate.ShowRow:
			j.Ticket.Row = t.Row
		case gate.ShowSeat:
			j.Ticket.Seat = t.Seat
		case gate.ShowOrder:
			j.Ticket.OrderID = string(t.OrderID)
		}
	}
	return j
}

// scanner is who scans.
func (c *call) scanner() gate.By {
	return gate.By{ID: c.Credential, Bound: gate.Bound{Gates: c.Gates, Events: c.Events}}
}

// mayEvent fails for a device that is bound to other events.
func (c *call) mayEvent(e id.Event) error {
	if len(c.Events) == 0 || slices.Contains(c.Events, e) {
		return nil
	}
	if e == "" {
		return &problem.Error{
			Kind: problem.Invalid, Code: "validation_failed", Detail: "The request is not valid; see errors.",
			Fields: []problem.FieldError{{Pointer: "eventId", In: "query", Code: "required", Detail: "This device is for certain events; say which."}},
		}
	}
	return problem.New(problem.Forbidden, "other_event", "This device is for other events.")
}

// EventQuery names an event, also as the pullup specification's example does.
type EventQuery struct {
	EventID  string `query:"eventId"`
	EventID2 string `query:"event_id" doc:"The same as eventId."`
}

func (in EventQuery) event() id.Event { return id.Event(either(in.EventID, in.EventID2)) }

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// needed is event for routes that cannot do without.
func (in EventQuery) needed(c *call) (id.Event, error) {
	e := in.event()
	if e == "" {
		return "", &problem.Error{
			Kind: problem.Invalid, Code: "validation_failed", Detail: "The request is not valid; see errors.",
			Fields: []problem.FieldError{{Pointer: "eventId", In: "query", Code: "required", Detail: "Say which event."}},
		}
	}
	return e, c.mayEvent(e)
}

type scanInputJSON struct {
	Code      string    `json:"code" minLength:"1" maxLength:"1024" doc:"What was scanned or typed."`
	EventID   string    `json:"eventId,omitempty" doc:"The ticket's own when left out."`
	EventID2  string    `json:"event_id,omitempty" doc:"The same as eventId."`
	ListID    string    `json:"listId,omitempty" doc:"The event's default when left out."`
	Gate      string    `json:"gate,omitempty" maxLength:"100" doc:"Its id or its name."`
	Direction string    `json:"direction,omitempty" enum:"entry,exit" doc:"entry when left out."`
	Nonce     string    `json:"nonce,omitempty" maxLength:"100" doc:"Of this one scan."`
	ScannedAt time.Time `json:"scannedAt,omitzero" doc:"When the device saw it; what was a while ago is uploaded instead."`
}

type scanInput struct {
	Body scanInputJSON
}

// lookAtCode looks at what is scanned before anybody waits for it.
func (a *API) lookAtCode(ctx context.Context, c *call, in *scanInput) (gate.Scan, error) {
	b := in.Body
	s := gate.Scan{
		By: c.scanner(), Code: b.Code, Event: id.Event(either(b.EventID, b.EventID2)), List: id.CheckinList(b.ListID), Gate: b.Gate,
		Direction: gate.Direction(b.Direction), Nonce: b.Nonce, ScannedAt: b.ScannedAt,
	}
	return s, a.Gates.Look(ctx, a.DB.Read(ctx), c.Org, &s, a.Now())
}

func (a *API) scan(tx *db.Tx, c *call, _ *scanInput, s gate.Scan) (answer[scannedJSON], error) {
	o, err := a.Gates.Scan(tx, c.Org, s)
	if err != nil {
		return answer[scannedJSON]{}, err
	}
	return answer[scannedJSON]{body: newScanned(o)}, nil
}

type checkInInputJSON struct {
	TicketID  string `json:"ticketId"`
	EventID   string `json:"eventId,omitempty" doc:"The ticket's own when left out."`
	ListID    string `json:"listId,omitempty" doc:"The event's default when left out."`
	Gate      string `json:"gate,omitempty" maxLength:"100" doc:"Its id or its name."`
	Direction string `json:"direction,omitempty" enum:"entry,exit" doc:"entry when left out."`
	Note      string `json:"note,omitempty" maxLength:"500"`
	Force     bool   `json:"force,omitempty" doc:"Against the rules; note says why. Not for devices."`
}

type checkInInput struct {
	Body checkInInputJSON
}

func (a *API) lookAtTicket(ctx context.Context, c *call, in *checkInInput) (gate.Scan, error) {
	b := in.Body
	if b.Force && c.Kind == access.Device {
		return gate.Scan{}, problem.New(problem.Forbidden, "not_for_devices", "A device lets in by the rules only. Staff do that with a credential of their own.")
	}
	s := gate.Scan{
		By: c.scanner(), Ticket: id.Ticket(b.TicketID), Event: id.Event(b.EventID), List: id.CheckinList(b.ListID), Gate: b.Gate, Direction: gate.Direction(b.Direction),
		Note: b.Note, Force: b.Force,
	}
	return s, a.Gates.Look(ctx, a.DB.Read(ctx), c.Org, &s, a.Now())
}

func (a *API) checkIn(tx *db.Tx, c *call, _ *checkInInput, s gate.Scan) (answer[scannedJSON], error) {
	o, err := a.Gates.Scan(tx, c.Org, s)
	if err != nil {
		return answer[scannedJSON]{}, err
	}
	return answer[scannedJSON]{body: newScanned(o), location: checkinPath + "/" + string(o.Checkin.ID)}, nil
}

// CheckinPath names a check-in.
type CheckinPath struct {
	CheckinID string `path:"checkinId"`
}

// seen finds a check-in that whoever asks may see.
func (c *call) seen(q db.Querier, checkin string) (*gate.Checkin, error) {
	found, err := gate.ByID(q, c.Org, id.Checkin(checkin))
	if err == nil {
		err = c.mayEvent(found.EventID)
	}
	return found, err
}

func showCheckin(q db.Querier, org int64, found *gate.Checkin) (answer[checkinJSON], error) {
	against, err := gate.First(q, org, found)
	return answer[checkinJSON]{body: newCheckin(found, against)}, err
}

func (a *API) checkin(ctx context.Context, c *call, in *CheckinPath) (answer[checkinJSON], error) {
	q := a.DB.Read(ctx)
	found, err := c.seen(q, in.CheckinID)
	if err != nil {
		return answer[checkinJSON]{}, err
	}
	return showCheckin(q, c.Org, found)
}

type checkinPatchJSON struct {
	Note text    `json:"note,omitempty" maxLength:"500"`
	Gate *string `json:"gate,omitempty" maxLength:"100" nullable:"false" doc:"Its id or its name."`
}

type checkinPatch struct {
	CheckinPath
	Body checkinPatchJSON
}

func (a *API) changeCheckin(tx *db.Tx, c *call, in *checkinPatch) (answer[checkinJSON], error) {
	if _, err := c.seen(tx, in.CheckinID); err != nil {
		return answer[checkinJSON]{}, err
	}
	changed, err := gate.Correct(tx, c.Org, id.Checkin(in.CheckinID), in.Body.Note.to, in.Body.Gate)
	if err != nil {
		return answer[checkinJSON]{}, err
	}
	return showCheckin(tx, c.Org, changed)
}

func (a *API) undoCheckin(tx *db.Tx, c *call, in *CheckinPath) (answer[none], error) {
	if _, err := c.seen(tx, in.CheckinID); err != nil {
		return answer[none]{}, err
	}
	return answer[none]{}, a.Gates.Undo(tx, c.Org, id.Checkin(in.CheckinID))
}

type checkinListInput struct {
	Paging
	EventQuery
	TicketID string `query:"ticketId"`
	Gate     string `query:"gate" doc:"Its id, or its name as it was."`
	Status   string `query:"status" enum:"checked_in,checked_out,already_checked_in,invalid,wrong_event,wrong_list,cancelled,blocked,unpaid,not_yet,too_late,limit,refused,conflict,undone"`
}

type checkinFiltersJSON struct {
	EventID  *string `json:"eventId"`
	TicketID *string `json:"ticketId"`
	Gate     *string `json:"gate"`
	Status   *string `json:"status"`
}

func (a *API) listCheckins(ctx context.Context, c *call, in *checkinListInput) (answer[list[checkinJSON, checkinFiltersJSON]], error) {
	var out answer[list[checkinJSON, checkinFiltersJSON]]
	f := gate.Filter{Event: in.event(), Ticket: id.Ticket(in.TicketID), Gate: in.Gate, Status: gate.Status(in.Status), Limit: in.Limit}
	if err := c.mayEvent(f.Event); err != nil {
		return out, err
	}
	at, err := in.place(c, "checkins", f)
	if err != nil {
		return out, err
	}
	if f.Before = id.Checkin(at.after); f.Before == "" {
		f.Offset = at.offset
	}
	page, total, err := gate.Find(a.DB.Read(ctx), c.Org, f)
	if err != nil {
		return out, err
	}
	data, last := make([]checkinJSON, len(page)), ""
	for i, one := range page {
		data[i], last = newCheckin(one, nil), string(one.ID)
	}
	out.body = newList(in.Paging, at, data, total, checkinFiltersJSON{orNull(string(f.Event)), orNull(in.TicketID), orNull(in.Gate), orNull(in.Status)}, last)
	return out, nil
}

type conflictJSON struct {
	TicketID string      `json:"ticketId"`
	EventID  string      `json:"eventId"`
	Held     checkinJSON `json:"held" doc:"The earlier entry, which holds."`
	Other    checkinJSON `json:"other"`
}

type conflictsInput struct {
	Paging
	EventQuery
}

func (a *API) listConflicts(ctx context.Context, c *call, in *conflictsInput) (answer[list[conflictJSON, noFilters]], error) {
	var out answer[list[conflictJSON, noFilters]]
	e, err := in.needed(c)
	if err != nil {
		return out, err
	}
	at, err := in.place(c, "conflicts", e)
	if err != nil {
		return out, err
	}
	page, total, err := gate.Clashes(a.DB.Read(ctx), c.Org, e, in.Limit, at.offset)
	if err != nil {
		return out, err
	}
	data := []conflictJSON{}
	for _, one := range page {
		if one.Held == nil { // it was undone between two looks
			continue
		}
		data = append(data, conflictJSON{string(one.Other.TicketID), string(one.Other.EventID), newCheckin(one.Held, nil), newCheckin(one.Other, one.Held)})
	}
	out.body = newList(in.Paging, at, data, total, noFilters{}, "")
	return out, nil
}

type foundTicketJSON struct {
	ID      string        `json:"id"`
	OrderID string        `json:"orderId"`
	EventID string        `json:"eventId"`
	Name    string        `json:"name" doc:"The holder's."`
	Email   string        `json:"email" doc:"The holder's."`
	Section string        `json:"section"`
	Row     string        `json:"row"`
	Seat    string        `json:"seat,omitempty"`
	Status  ticket.Status `json:"status" enum:"reserved,valid,checked_in,blocked,void"`
}

type foundTicketsJSON struct {
	Data []foundTicketJSON `json:"data" nullable:"false" doc:"50 at most; say more exactly what you look for when there are as many."`
}

type searchInput struct {
	EventQuery
	Q string `query:"q" required:"true" minLength:"2" maxLength:"200" doc:"A part of the holder's name or e-mail address, or the order's number or id."`
}

func (a *API) searchTickets(ctx context.Context, c *call, in *searchInput) (answer[foundTicketsJSON], error) {
	out := answer[foundTicketsJSON]{body: foundTicketsJSON{Data: []foundTicketJSON{}}}
	if c.Kind == access.Grant || c.Kind == access.Service {
		return out, problem.New(problem.Forbidden, "staff_only", "Only staff and devices at the door look for people; no app may.")
	}
	e, err := in.needed(c)
	if err != nil {
		return out, err
	}
	q := a.DB.Read(ctx)
	ev, err := event.ByID(q, c.Org, e)
	if err != nil {
		return out, err
	}
	found, err := ticket.Search(q, c.Org, ev.No, in.Q, 50)
	for _, t := range found {
		out.body.Data = append(out.body.Data, foundTicketJSON{
			string(t.ID), string(t.OrderID), string(t.EventID), t.Holder.Name, t.Holder.Email, t.Section, t.Row, t.Seat, t.Status(),
		})
	}
	return out, err
}

type attendanceJSON struct {
	EventID       string          `json:"eventId"`
	Inside        int             `json:"inside" doc:"Now; on all lists together."`
	Admitted      int             `json:"admitted" doc:"Entries."`
	ByGate        []gateCountJSON `json:"byGate" nullable:"false"`
	ByFiveMinutes []timeCountJSON `json:"byFiveMinutes" nullable:"false" doc:"Without those in which nothing happened."`
}

type gateCountJSON struct {
	Gate     *string `json:"gate" doc:"Its name; null for what named none."`
	Admitted int     `json:"admitted"`
	Exited   int     `json:"exited"`
}

type timeCountJSON struct {
	At       string `json:"at" format:"date-time" doc:"When the five minutes begin."`
	Admitted int    `json:"admitted"`
	Exited   int    `json:"exited"`
}

func (a *API) attendance(ctx context.Context, c *call, in *EventPath) (answer[attendanceJSON], error) {
	var out answer[attendanceJSON]
	if err := c.mayEvent(id.Event(in.EventID)); err != nil {
		return out, err
	}
	n, err := gate.AttendanceOf(a.DB.Read(ctx), c.Org, id.Event(in.EventID))
	if err != nil {
		return out, err
	}
	out.body = attendanceJSON{EventID: in.EventID, Inside: n.Inside, Admitted: n.Admitted, ByGate: []gateCountJSON{}, ByFiveMinutes: []timeCountJSON{}}
	for _, g := range n.Gates {
		out.body.ByGate = append(out.body.ByGate, gateCountJSON{orNull(g.Gate), g.Admitted, g.Exited})
	}
	for _, m := range n.Times {
		out.body.ByFiveMinutes = append(out.body.ByFiveMinutes, timeCountJSON{instant(m.At), m.Admitted, m.Exited})
	}
	return out, nil
}
