package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// By is who scans: a device or another credential.
type By struct {
	ID string // the public id: dev_…, key_…, tok_…
	Bound
}

// Scan is what is presented at the door now.
type Scan struct {
	By        By
	Code      string         // as it was presented; "" for what staff do by hand
	Ticket    id.Ticket      // by hand, instead of a code
	Event     id.Event       // "" for the ticket's own
	List      id.CheckinList // "" for the event's default
	Gate      string         // its id or name; may be empty
	Direction Direction      // "" for an entry
	Nonce     string         // at most 100 characters; the same request has the same answer and no second effect. "" for none
	ScannedAt time.Time      // as the device says; zero for now
	Note      string         // of staff, at most 500 characters
	Force     bool           // against the rules, with a note that says why; nobody is let in twice all the same

	seen *seen // from [Door.Look]
}

// seen is what a scan names.
type seen struct {
	shown ticket.Presented
	list  List
	gate  Gate
}

// Outcome is what a scan came to.
type Outcome struct {
	Checkin *Checkin
	Status  Status // what was answered; a repeated scan has the first one's
	Reason  string
	Ticket  *ticket.Ticket // nil where nothing of it may be shown
	List    List           // what it says may be shown
	First   *Checkin       // of Already: the entry that there is
}

// Message says the outcome to people.
func (o Outcome) Message() string {
	if o.Status == Already && o.First != nil {
		at := o.First.At.UTC().Format("15:04:05 MST on 2 January")
		if o.First.Gate == "" {
			return "Checked in already, at " + at + "."
		}
		return "Checked in already, at " + at + ", " + o.First.Gate + "."
	}
	if m, ok := messages[o.Reason]; ok {
		return m
	}
	return messages[string(o.Status)]
}

// messages are the words for statuses, and for reasons that say more.
var messages = map[string]string{
	string(CheckedIn): "Welcome.", string(CheckedOut): "Goodbye.", string(Already): "Checked in already.", string(Invalid): "This is no valid code.",
	string(WrongEvent): "The ticket is for another event.", string(WrongList): "The ticket does not admit here.", string(Cancelled): "The ticket is cancelled.",
	string(Blocked): "The ticket is blocked.", string(Unpaid): "The ticket is not paid for yet.", string(NotYet): "It is too early.", string(TooLate): "It is too late.",
	string(Limit): "Not again for now.", string(Conflict): "Somebody else came in with this ticket before.", string(Undone): "This was undone.",
	string(Refused): "The device let nobody in.",
	"not_current":   "The code is a picture, or an old one; ask for the one that moves.",
	reasonOutdated:  "The code is an old one; the ticket was given to somebody else.", reasonGate: "The ticket does not admit at this gate.",
	reasonListEarly: "The list has not opened yet.", reasonListLate: "The list has closed.", reasonLeft: "The ticket was used, and is good for one entry.",
	reasonPerDay: "Often enough for today.", reasonPerGate: "Often enough at this gate.", reasonSoon: "Too soon after the last time.",
}

// The reasons that are no verdicts and no statuses.
const (
	reasonOutdated  = string(ticket.Outdated)
	reasonGate      = "wrong_gate"
	reasonListEarly = "list_not_open"
	reasonListLate  = "list_closed"
	reasonInside    = "already_inside"
	reasonOutside   = "not_inside"
	reasonLeft      = "used"
	reasonPerDay    = "per_day"
	reasonPerGate   = "per_gate"
	reasonSoon      = "too_soon"
)

func (s *Scan) check() error {
	var f problem.Fields
	if s.Direction == "" {
		s.Direction = Entry
	}
	if s.Direction != Entry && s.Direction != Exit {
		f.Add("/direction", "unknown_value", "Use entry or exit.")
	}
	if !utf8.ValidString(s.Nonce) || len(s.Nonce) > 100 {
		f.Add("/nonce", "too_long", "A nonce has at most 100 characters.")
	}
	if s.Note = strings.TrimSpace(s.Note); !utf8.ValidString(s.Note) || utf8.RuneCountInString(s.Note) > 500 {
		f.Add("/note", "too_long", "A note has at most 500 characters.")
	}
	if s.Force && s.Note == "" {
		f.Add("/note", "required", "Say why the rules do not count this time.")
	}
	return f.Err()
}

// Scan decides who comes in, or notes who goes out, after [Door.Look]. What is no code of this organisation, or may not come in, is an outcome and not an
// error. It fails with field errors, ticket_not_found (by hand only), list_not_found, event_not_found, other_gate (403) for a device that is for other gates, and nonce_reused.
func (d *Door) Scan(tx *db.Tx, org int64, s Scan) (Outcome, error) {
	if err := s.check(); err != nil {
		return Outcome{}, err
	}
	if s.seen == nil {
		panic("gate: a scan that nobody looked at")
	}
	c := &Checkin{
		ID: id.NewCheckin(), EventID: s.Event, Direction: s.Direction, Mode: Online, Device: s.By.ID, Nonce: s.Nonce, At: tx.Now(), ScannedAt: tx.Now(),
		ReceivedAt: tx.Now(), Note: s.Note, GateNo: s.seen.gate.No, Gate: s.seen.gate.Name, org: org, result: denied,
	}
	if !s.ScannedAt.IsZero() {
		c.ScannedAt = s.ScannedAt
	}
	if s.Code != "" {
		c.hash = hashOf(s.Code)
	}
	if s.Force {
		c.Mode = Forced
	}
	tickets, err := s.lock(tx, org)
	if err != nil {
		return Outcome{}, err
	}
	if was, err := replayed(tx, org, s.By.ID, s.Nonce, c.hash, s.Ticket); was != nil || err != nil {
		if err != nil {
			return Outcome{}, err
		}
		return again(tx, org, was, s.By)
	}
	o := Outcome{Checkin: c, List: s.seen.list}
	was, err := passages(tx, tickets)
	if err != nil {
		return Outcome{}, err
	}
	if len(tickets) == 0 {
		o.Status, o.Reason = Invalid, string(s.seen.shown.Verdict)
		c.EventNo, c.EventID = o.List.EventNo, o.List.Event
	} else if err := s.decide(tx, org, c, &o, tickets[0], was); err != nil {
		return Outcome{}, err
	}
	c.Said, c.Reason = o.Status, o.Reason
	if o.First != nil {
		c.Against = o.First.ID
	}
	return o, d.settle(tx, settlement{org: org, tickets: tickets, was: was, policies: map[int64]Policy{o.List.No: o.List.Policy}, fresh: []*Checkin{c}})
}

// lock locks the ticket that was presented, and looks again at what may have changed since its code was looked at.
func (s *Scan) lock(tx *db.Tx, org int64) ([]ticket.Ticket, error) {
	shown := &s.seen.shown
	if shown.Ticket.ID == "" {
		return nil, nil
	}
	s.Ticket = shown.Ticket.ID
	tickets, err := ticket.Lock(tx, org, s.Ticket)
	switch {
	case err != nil:
		return nil, err
	case len(tickets) == 0:
		shown.Verdict = ticket.Unknown
	case tickets[0].Generation != shown.Ticket.Generation && s.Code != "":
		shown.Verdict = ticket.Outdated
	}
	return tickets, nil
}

// list finds the list that is to decide. For a code of nobody it is there to say which event it was.
func (s *Scan) list(q db.Querier, org int64, t ticket.Ticket) (List, error) {
	switch {
	case s.List != "":
		return ListByID(q, org, s.List)
	case t.ID != "":
		return standard(q, org, t.EventNo, t.EventID)
	case s.Event == "":
		return List{}, nil
	}
	ev, err := event.ByID(q, org, s.Event)
	if err != nil {
		return List{}, err
	}
	return implicit(ev.No, ev.ID), nil
}

// gate finds the gate that is named. A device that is for one gate need not name it.
func (b By) gate(q db.Querier, org int64, name string) (Gate, error) {
	if strings.TrimSpace(name) == "" && len(b.Gates) == 1 {
		name = string(b.Gates[0])
	}
	g, err := named(q, org, name)
	if err == nil && len(b.Gates) > 0 && !slices.Contains(b.Gates, g.ID) {
		err = problem.New(problem.Forbidden, "other_gate", "This device is for other gates. Name one of its own, or have it bound to this one.")
	}
	return g, err
}

// decide says what becomes of a ticket.
func (s *Scan) decide(tx *db.Tx, org int64, c *Checkin, o *Outcome, t ticket.Ticket, was []*Checkin) error {
	c.EventNo, c.EventID, c.TicketNo, c.TicketID, c.OrderID = t.EventNo, t.EventID, t.No, t.ID, t.OrderID
	c.ListNo, c.ListID = o.List.No, o.List.ID
	if s.Event != "" && s.Event != t.EventID || o.List.EventNo != t.EventNo || !s.By.Allows(t.EventID) {
		c.ListNo, c.ListID = 0, ""
		o.Status, o.Reason = WrongEvent, string(WrongEvent)
		return nil
	}
	var mine []*Checkin // of the list
	for _, one := range was {
		if one.ListNo == o.List.No {
			mine = append(mine, one)
		}
	}
	slices.SortFunc(mine, before)
	if s.Direction == Entry && !s.Force {
		v := verdict{list: o.List, gate: s.seen.gate, now: tx.Now(), mine: mine}
		var err error
		if o.Status, o.Reason, err = v.judge(tx, org, s.seen.shown, t); err != nil {
			return err
		}
	}
	if o.Status == "" {
		o.Status, o.Reason, o.First = admission(s, o.List.Policy, mine)
	}
	if o.Status != Invalid {
		o.Ticket = &t
	}
	switch o.Status {
	case CheckedIn:
		c.result = admitted
	case CheckedOut:
		c.result = exited
	}
	if n := len(mine); n > 0 && !c.At.After(mine[n-1].At) { // what is decided now comes after all that was known then
		c.At = mine[n-1].At.Add(time.Microsecond)
	}
	return nil
}

// admission lets a ticket in that nothing speaks against but that it may be in already.
func admission(s *Scan, p Policy, mine []*Checkin) (status Status, reason string, first *Checkin) {
	for _, c := range mine {
		if c.result == admitted && (first == nil || c.Open) {
			first = c
		}
	}
	switch {
	case s.Direction == Exit && (first == nil || !first.Open):
		return CheckedOut, reasonOutside, nil
	case s.Direction == Exit:
		return CheckedOut, "", nil
	case first == nil:
		return CheckedIn, "", nil
	case first.Open:
		return Already, reasonInside, first
	case p == Single && !s.Force:
		return Already, reasonLeft, first
	}
	return CheckedIn, "", nil
}

// verdict is what the rules are asked with.
type verdict struct {
	list List
	gate Gate // where
	now  time.Time
	mine []*Checkin // that came before, in order
}

// judge says what speaks against letting a ticket in; nothing when the status is empty.
func (v verdict) judge(tx *db.Tx, org int64, p ticket.Presented, t ticket.Ticket) (Status, string, error) {
	switch p.Verdict {
	case ticket.Genuine:
	case ticket.NotYet:
		return NotYet, string(p.Verdict), nil
	case ticket.TooLate:
		return TooLate, string(p.Verdict), nil
	default:
		return Invalid, string(p.Verdict), nil
	}
	switch t.Validity {
	case ticket.Void:
		return Cancelled, "void", nil
	case ticket.Blocked:
		return Blocked, "blocked", nil
	case ticket.Reserved:
		return Unpaid, "unpaid", nil
	}
	r := v.list.Rules
	switch {
	case !v.list.OpensAt.IsZero() && v.now.Before(v.list.OpensAt):
		return NotYet, reasonListEarly, nil
	case !v.list.ClosesAt.IsZero() && !v.now.Before(v.list.ClosesAt):
		return TooLate, reasonListLate, nil
	case len(r.Classes) > 0 && !slices.Contains(r.Classes, p.Class),
		len(r.Sections) > 0 && !slices.ContainsFunc(r.Sections, func(s string) bool { return strings.EqualFold(s, t.Section) }):
		return WrongList, string(WrongList), nil
	}
	if len(r.Gates) > 0 && !slices.Contains(r.Gates, v.gate.ID) {
		return WrongList, reasonGate, nil
	}
	reason, err := v.often(tx, org)
	if err != nil || reason == "" {
		return "", "", err
	}
	return Limit, reason, nil
}

// often says which limit the ticket has come to; "" for none.
func (v verdict) often(tx *db.Tx, org int64) (reason string, err error) {
	r := v.list.Rules
	if r.PerDay+r.PerGate+r.MinMinutes == 0 || len(v.mine) == 0 || v.mine[len(v.mine)-1].Open {
		return "", nil // whoever is inside is told so
	}
	var zone *time.Location
	if r.PerDay > 0 {
		ev, err := event.ByID(tx, org, v.list.Event)
		if err != nil {
			return "", err
		}
		if zone, err = time.LoadLocation(ev.Timezone); err != nil {
			return "", fmt.Errorf("time zone of event %s: %w", ev.ID, err)
		}
	}
	today, here := 0, 0
	for _, c := range v.mine {
		if c.result != admitted {
			continue
		}
		if zone != nil && sameDay(c.At.In(zone), v.now.In(zone)) {
			today++
		}
		if c.Gate == v.gate.Name {
			here++
		}
		if c.Open {
			return "", nil
		}
		if r.MinMinutes > 0 && v.now.Sub(c.At) < time.Duration(r.MinMinutes)*time.Minute {
			reason = reasonSoon
		}
	}
	switch {
	case r.PerDay > 0 && today >= r.PerDay:
		return reasonPerDay, nil
	case r.PerGate > 0 && here >= r.PerGate:
		return reasonPerGate, nil
	}
	return reason, nil
}

func sameDay(a, b time.Time) bool { return a.YearDay() == b.YearDay() && a.Year() == b.Year() }

// again is the outcome of a scan that was made before.
func again(q db.Querier, org int64, c *Checkin, by By) (Outcome, error) {
	o := Outcome{Checkin: c, Status: c.Said, Reason: c.Reason, List: implicit(c.EventNo, c.EventID)}
	if c.ListID != "" {
		l, err := ListByID(q, org, c.ListID)
		if err != nil && !problem.Is(err, "list_not_found") {
			return Outcome{}, err
		}
		if err == nil {
			o.List = l
		}
	}
	if c.TicketID != "" && c.Said != Invalid && c.Said != WrongEvent && by.Allows(c.EventID) {
		t, err := ticket.ByID(q, org, c.TicketID)
		if err != nil {
			return Outcome{}, err
		}
		o.Ticket = &t
	}
	if c.Said == Already {
		found, err := rivals(q, org, c)
		if err != nil {
			return Outcome{}, err
		}
		o.First = found[c.Against]
	}
	return o, nil
}
