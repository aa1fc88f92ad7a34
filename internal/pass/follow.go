package pass

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Kinds are the facts that Follow takes. Deleted events are not among them: they never had an order, and so have no passes.
func Kinds() []fact.Kind {
	return []fact.Kind{
		fact.EventPublished, fact.EventChanged, fact.EventRescheduled, fact.EventPostponed, fact.EventCancelled,
		fact.TicketVoided, fact.TicketTransferred, fact.TicketChanged, fact.TicketBlocked, fact.TicketUnblocked,
		fact.CheckinAdmitted, fact.CheckinReadmitted, fact.CheckinDenied,
		fact.PassCreated,
	}
}

// Follow does what facts ask for, in the transaction in which the follower's cursor moves: passes of void and transferred tickets expire, and of tickets whose holder
// has another address; check-ins with a pass's code are scans, changed tickets and events have devices told. See [ledger.Step]. A fact that it has seen does nothing
// the second time but have devices told once more.
//
// [ledger.Step]: https://pkg.go.dev/github.com/stagedoorhq/stagedoor/internal/ledger#Step
func (b *Book) Follow(tx *db.Tx, facts []*fact.Fact) error {
	step := follower{Book: b, tx: tx, events: map[live]bool{}}
	if err := step.prepare(facts); err != nil {
		return err
	}
	for _, f := range facts {
		var err error
		switch f.Kind {
		case fact.TicketVoided:
			err = step.voided(f)
		case fact.TicketTransferred:
			err = step.transferred(f)
		case fact.TicketChanged:
			err = step.corrected(f)
		case fact.CheckinAdmitted, fact.CheckinReadmitted, fact.CheckinDenied:
			err = step.checkin(f)
		}
		if err != nil {
			return failed(f, err)
		}
	}
	return step.tell()
}

func failed(f *fact.Fact, err error) error {
	return fmt.Errorf("passes for %s %s: %w", f.Kind, f.ID, err)
}

// follower is a step under way, with what is to be told at its end, once for all facts.
type follower struct {
	*Book
	tx     *db.Tx
	shown  []int64       // numbers of tickets that have changed
	events map[live]bool // that have; true where Google's objects change too
	crowds []crowd       // those of them that have passes
}

// crowd is an event that has passes, and these where they are few; else a wave comes to them.
type crowd struct {
	wave
	passes []int64
}

// prepare notes what is to be told, and takes all locks of the step in their order: waves, and then passes.
func (f *follower) prepare(facts []*fact.Fact) error {
	var tickets []int64
	var made []string
	for _, told := range facts {
		var of id.Ticket
		switch told.Kind {
		case fact.PassCreated:
			made = append(made, told.Subject)
		case fact.EventPublished, fact.EventChanged, fact.EventRescheduled, fact.EventPostponed, fact.EventCancelled:
			if err := f.event(told); err != nil {
				return failed(told, err)
			}
		case fact.TicketChanged, fact.TicketBlocked, fact.TicketUnblocked:
			of = id.Ticket(told.Subject)
			f.changed(of)
		case fact.TicketVoided, fact.TicketTransferred:
			of = id.Ticket(told.Subject)
		case fact.CheckinAdmitted, fact.CheckinReadmitted, fact.CheckinDenied:
			var s gate.Snapshot
			if err := json.Unmarshal(told.Data, &s); err != nil {
				return failed(told, err)
			}
			of = s.TicketID
		}
		if no, ok := ticket.NoOf(of); ok {
			tickets = append(tickets, no)
		}
	}
	if err := f.plan(); err != nil {
		return err
	}
	if err := f.lock(tickets); err != nil {
		return err
	}
	return f.settleEnds(made)
}

// plan decides of each event whether its passes are told within this step, which is so while they are few, or by a wave.
func (f *follower) plan() error {
	events := slices.SortedFunc(maps.Keys(f.events), func(a, b live) int { return cmp.Or(cmp.Compare(a.org, b.org), cmp.Compare(a.id, b.id)) })
	left := atOnce
	for _, e := range events {
		n, err := f.planOf(e, left)
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// lock locks the passes of tickets and those of events that have few.
func (f *follower) lock(tickets []int64) error {
	var passes []int64
	if len(tickets) > 0 {
		var err error
		if passes, err = db.All(f.tx, db.Value[int64], `SELECT p.pass_no FROM passes p WHERE p.ticket_no IN ints($1) AND p.ticket_no <> 0`, list(tickets)); err != nil {
			return fmt.Errorf("passes of tickets: %w", err)
		}
	}
	for _, c := range f.crowds {
		passes = append(passes, c.passes...)
	}
	return lockAll(f.tx, passes)
}

// live is an event of an organisation.
type live struct {
	org int64
	id  id.Event
}

// settleEnds notes when new passes are over whose event was moved by somebody while they were made, which the step for that did not see.
func (f *follower) settleEnds(made []string) error {
	if len(made) == 0 {
		return nil
	}
	type end struct {
		live
		no, at int64
	}
	texts, err := json.Marshal(made)
	if err != nil {
		return err
	}
	all, err := db.All(f.tx, func(r db.Rows) (p end, err error) { return p, r.Scan(&p.org, &p.id, &p.no, &p.at) },
		`SELECT DISTINCT p.org_id, p.event_id, p.event_no, COALESCE(p.over_at, 0) FROM passes p WHERE p.id IN texts($1) AND p.event_no <> 0 AND p.expired_at IS NULL
		ORDER BY p.org_id, p.event_no, 4`, string(texts))
	if err != nil {
		return fmt.Errorf("events of new passes: %w", err)
	}
	for _, p := range all {
		if err := f.settleEnd(p.live, p.at, string(texts)); err != nil {
			return err
		}
	}
	return nil
}

// settleEnd is settleEnds for those passes of an event that are over at one instant, 0 for none.
func (f *follower) settleEnd(of live, at int64, made string) error {
	e, err := event.ByID(f.tx, of.org, of.id)
	if problem.Is(err, "event_not_found") {
		return nil
	}
	if err != nil {
		return err
	}
	over := micros(overAt(e))
	if over == nil && at == 0 || over != nil && *over == at {
		return nil
	}
	if _, err := f.tx.Exec(`UPDATE passes SET over_at = $1 WHERE id IN texts($2) AND event_no = $3 AND org_id = $4`, over, made, e.No, of.org); err != nil {
		return fmt.Errorf("note the end of passes: %w", err)
	}
	return nil
}

// ofTicket locks the active passes of a ticket that a condition is true of, whose parameters begin with $3.
func (f *follower) ofTicket(org int64, t id.Ticket, where string, args ...any) ([]*Pass, error) {
	no, ok := ticket.NoOf(t)
	if !ok {
		return nil, nil
	}
	return find(f.tx, `WHERE p.ticket_no = $1 AND p.ticket_no <> 0 AND p.org_id = $2 AND p.expired_at IS NULL`+where+` ORDER BY p.pass_no`+forUpdate,
		append([]any{no, org}, args...)...)
}

// numbers are those of the passes of a ticket that a condition is true of, whose parameters begin with $3, and which have something of their holder's own.
func (f *follower) numbers(org int64, t id.Ticket, where string, args ...any) ([]int64, error) {
	no, ok := ticket.NoOf(t)
	if !ok {
		return nil, nil
	}
	all, err := db.All(f.tx, db.Value[int64], `SELECT p.pass_no FROM passes p WHERE p.ticket_no = $1 AND p.ticket_no <> 0 AND p.org_id = $2`+where+`
		AND (`+personal+` OR EXISTS (SELECT 1 FROM pass_links l WHERE l.pass_no = p.pass_no)) ORDER BY p.pass_no`+forUpdate, append([]any{no, org}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("passes of former holders: %w", err)
	}
	return all, nil
}

// leave ends the active passes of a ticket that a condition is true of, whose parameters begin with $3, because the ticket is somebody else's, and takes from all of
// them what is their holder's own.
func (f *follower) leave(org int64, t id.Ticket, where string, args ...any) error {
	all, err := f.ofTicket(org, t, where, args...)
	if err != nil {
		return err
	}
	if err := f.expire(f.tx, Transferred, all...); err != nil {
		return err
	}
	return f.part(org, t, where, args...)
}

// changed notes a ticket that devices are to be told of.
func (f *follower) changed(t id.Ticket) {
	if no, ok := ticket.NoOf(t); ok {
		f.shown = append(f.shown, no)
	}
}

func (f *follower) voided(told *fact.Fact) error {
	all, err := f.ofTicket(told.Org, id.Ticket(told.Subject), ``)
	if err != nil {
		return err
	}
	return f.expire(f.tx, TicketVoid, all...)
}

// transferred ends the passes of the holders before. The new one may have a pass already.
func (f *follower) transferred(told *fact.Fact) error {
	var s ticket.Snapshot
	if err := json.Unmarshal(told.Data, &s); err != nil {
		return err
	}
	return f.leave(told.Org, s.TicketID, ` AND p.generation < $3`, s.Generation)
}

// corrected ends the passes that there were when a ticket's holder got another address: it keeps its codes, but whoever reads the address before may be somebody else.
func (f *follower) corrected(told *fact.Fact) error {
	var s ticket.Snapshot
	if err := json.Unmarshal(told.Data, &s); err != nil {
		return err
	}
	if !slices.Contains(s.Changes, "holderEmail") {
		return nil
	}
	return f.leave(told.Org, s.TicketID, ` AND p.created_at <= $3`, told.At.UnixMicro())
}

// unseen are the fields of an event that no pass shows.
var unseen = []string{"category", "currency", "onSaleAt", "offSaleAt"}

// timely are those that say when it is, and whether.
var timely = []string{"startLocal", "endLocal", "timezone", "allDay", "status"}

func (f *follower) event(told *fact.Fact) error {
	var s event.Snapshot
	if err := json.Unmarshal(told.Data, &s); err != nil {
		return err
	}
	if s.Changes != nil && !slices.ContainsFunc(s.Changes, func(field string) bool { return !slices.Contains(unseen, field) }) {
		return nil
	}
	e := live{told.Org, s.EventID}
	f.events[e] = f.events[e] || s.Changes == nil || slices.ContainsFunc(s.Changes, func(field string) bool { return slices.Contains(timely, field) })
	return nil
}

// checkin notes a scan of the pass whose code was presented at the door, whether or not it let somebody in. Where several passes of the ticket show it, it is
// that which was put on a device last.
func (f *follower) checkin(told *fact.Fact) error {
	var s gate.Snapshot
	if err := json.Unmarshal(told.Data, &s); err != nil {
		return err
	}
	if s.TicketID == "" {
		return nil
	}
	c, err := gate.ByID(f.tx, told.Org, s.CheckinID)
	if problem.Is(err, "checkin_not_found") || err == nil && !c.Coded() {
		return nil
	}
	if err != nil {
		return err
	}
	t, err := ticket.ByID(f.tx, told.Org, s.TicketID)
	if problem.Is(err, "ticket_not_found") {
		return nil
	}
	if err != nil {
		return err
	}
	shown, err := f.shows(c, t)
	if err != nil || shown == 0 {
		return err
	}
	p, err := lockNo(f.tx, told.Org, shown)
	if err != nil {
		return err
	}
	_, err = f.addScan(f.tx, p, ScanRecord{At: c.At, Said: string(c.Said), CheckinID: c.ID})
	return err
}

// candidate is a pass that may have been scanned.
type candidate struct {
	no         int64
	platform   Platform
	generation int
}

// shows is the number of the pass whose code was presented; 0 for none. Of a code that rotates only the ticket is known: it is taken for that of whoever has the ticket
// now, and never counts for the pass of a holder before.
func (f *follower) shows(c *gate.Checkin, t ticket.Ticket) (int64, error) {
	all, err := db.All(f.tx, func(r db.Rows) (p candidate, err error) { return p, r.Scan(&p.no, &p.platform, &p.generation) },
		`SELECT p.pass_no, p.platform, p.generation FROM passes p WHERE p.ticket_no = $1 AND p.ticket_no <> 0 AND p.barcode IS NULL
		ORDER BY CASE WHEN p.expired_at IS NULL THEN 0 ELSE 1 END,
			COALESCE((SELECT max(r.registration_no) FROM pass_registrations r WHERE r.pass_no = p.pass_no AND r.deleted_at IS NULL), 0) DESC, p.pass_no DESC
		LIMIT $2`, t.No, 2*MaxOfTicket)
	if err != nil {
		return 0, fmt.Errorf("passes of a ticket: %w", err)
	}
	own := t.Generation
	for _, p := range all {
		// As the ticket was when the pass was made: what has become of it since is no matter.
		t.Generation, t.Validity = p.generation, ticket.Valid
		code, err := f.tickets.WalletCode(context.Background(), f.tx, t)
		if err != nil {
			return 0, err
		}
		if code.Step > 0 && p.platform == Google && p.generation == own || code.Step == 0 && c.Presented(code.Static) {
			return p.no, nil
		}
	}
	return 0, nil
}

// tell has devices told of tickets and events that have changed.
func (f *follower) tell() error {
	f.tx.OnCommit(f.bell.Ring)
	if len(f.shown) > 0 {
		shown, err := db.All(f.tx, db.Value[int64], `SELECT p.pass_no FROM passes p
			WHERE p.ticket_no IN ints($1) AND p.ticket_no <> 0 AND p.expired_at IS NULL ORDER BY p.pass_no`+forUpdate, list(f.shown))
		if err != nil {
			return fmt.Errorf("passes of tickets: %w", err)
		}
		if err := touch(f.tx, telling{}, shown); err != nil {
			return err
		}
	}
	for _, c := range f.crowds {
		if err := c.change(f.tx, true, c.passes); err != nil {
			return err
		}
		if err := c.class(f.tx); err != nil {
			return err
		}
	}
	return nil
}

// planOf plans how devices are told of an event: here if its passes are no more than a limit, and else by a wave. It returns how many are told here.
func (f *follower) planOf(l live, limit int) (int, error) {
	e, err := event.ByID(f.tx, l.org, l.id)
	if problem.Is(err, "event_not_found") {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	w := wave{org: l.org, eventNo: e.No, objects: f.events[l]}
	some, err := w.some(f.tx, 0, math.MaxInt64, limit+1, "")
	if err != nil || len(some) == 0 {
		return 0, err
	}
	if len(some) > limit {
		if err := f.start(f.tx, w); err != nil {
			return 0, err
		}
		f.crowds = append(f.crowds, crowd{wave: w})
		return 0, nil
	}
	before, err := w.end(f.tx) // of a change before, which has not come to all of them
	if err != nil {
		return 0, err
	}
	w.objects = w.objects || before.objects
	f.crowds = append(f.crowds, crowd{w, some})
	return len(some), nil
}
