package gate

import (
	"cmp"
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

// Filter says which check-ins a list shows.
type Filter struct {
	Event  id.Event
	Ticket id.Ticket
	Gate   string // a gate's id, or its name as it was
	Status Status // what they count for now
	Before id.Checkin
	Limit  int // 1 to 100; 50 when 0
	Offset int
	// Uncounted has Find not count, which takes longer than the page where there are many; the total is then 0.
	Uncounted bool
}

// results are the results that show as a status.
var results = map[Status]string{
	CheckedIn: `result = 'admitted'`, CheckedOut: `result IN ('exited', 'stray')`, Conflict: `result = 'conflict'`, Undone: `result = 'undone'`,
}

// Find returns a page of check-ins, the newest first, and how many there are in all (whatever Before says; not with Uncounted).
func Find(q db.Querier, org int64, f Filter) (page []*Checkin, total int, err error) {
	where, args := []string{`org_id = $1`}, []any{org}
	and := func(condition string, v any) {
		args = append(args, v)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if f.Event != "" {
		ev, err := event.ByID(q, org, f.Event)
		if problem.Is(err, "event_not_found") {
			return nil, 0, nil
		}
		if err != nil {
			return nil, 0, err
		}
		and(`event_no = $%d`, ev.No)
	}
	if f.Ticket != "" {
		no, ok := ticket.NoOf(f.Ticket)
		if !ok {
			return nil, 0, nil
		}
		and(`ticket_no = $%d`, no)
	}
	if f.Gate != "" {
		g, err := named(q, org, f.Gate)
		switch {
		case problem.As(err) != nil:
			return nil, 0, nil //nolint:nilerr // nothing has come through what is no gate
		case err != nil:
			return nil, 0, err
		case g.No != 0:
			and(`gate_no = $%d`, g.No)
		default:
			and(`gate = $%d`, g.Name)
		}
	}
	if r, ok := results[f.Status]; ok {
		where = append(where, r)
	} else if f.Status != "" {
		and(`result = 'denied' AND said = $%d`, f.Status)
	}
	if !f.Uncounted {
		total, err = db.One(q, db.Value[int], `SELECT count(*) FROM checkins WHERE `+strings.Join(where, ` AND `), args...)
		if err != nil {
			return nil, 0, fmt.Errorf("count check-ins: %w", err)
		}
	}
	if f.Before != "" {
		and(`id < $%d`, f.Before)
	}
	if f.Limit == 0 {
		f.Limit = 50
	}
	page, err = db.All(q, scan, fmt.Sprintf(selectCheckin+`WHERE %s ORDER BY id DESC LIMIT $%d OFFSET $%d`, strings.Join(where, ` AND `), len(args)+1, len(args)+2),
		append(args, f.Limit, f.Offset)...)
	if err != nil {
		return nil, 0, fmt.Errorf("list check-ins: %w", err)
	}
	return page, total, nil
}

// Clash is two entries with one ticket, without an exit between them.
type Clash struct {
	Held  *Checkin // the earlier one, which holds the entry
	Other *Checkin
}

// Clashes returns a page of an event's conflicts, in the order in which they were scanned, and how many there are. It fails with event_not_found.
func Clashes(q db.Querier, org int64, e id.Event, limit, offset int) (page []Clash, total int, err error) {
	ev, err := event.ByID(q, org, e)
	if err != nil {
		return nil, 0, err
	}
	total, err = db.One(q, db.Value[int], `SELECT count(*) FROM checkins WHERE event_no = $1 AND org_id = $2 AND result = 'conflict'`, ev.No, org)
	if err != nil || total == 0 {
		return nil, 0, err
	}
	all, err := db.All(q, scan, selectCheckin+`WHERE event_no = $1 AND org_id = $2 AND result = 'conflict' ORDER BY at, device, seq, id LIMIT $3 OFFSET $4`,
		ev.No, org, limit, offset)
	if err != nil {
		return nil, 0, fmt.Errorf("conflicts of event %s: %w", e, err)
	}
	held, err := rivals(q, org, all...)
	for _, c := range all {
		page = append(page, Clash{held[c.Against], c})
	}
	return page, total, err
}

// First is the entry that a check-in was refused for, or is a conflict with; nil for none.
func First(q db.Querier, org int64, c *Checkin) (*Checkin, error) {
	found, err := rivals(q, org, c)
	return found[c.Against], err
}

// Correct changes a check-in's note and gate; nil leaves what there is. What it counts for stays, and nobody is told. It fails with checkin_not_found and field
// errors.
func Correct(tx *db.Tx, org int64, checkin id.Checkin, note, gate *string) (*Checkin, error) {
	c, err := ByID(tx, org, checkin)
	if err != nil {
		return nil, err
	}
	if note != nil {
		if c.Note = strings.TrimSpace(*note); !utf8.ValidString(c.Note) || utf8.RuneCountInString(c.Note) > 500 {
			return nil, problem.Field("/note", "too_long", "A note has at most 500 characters.")
		}
	}
	if gate != nil {
		g, err := named(tx, org, *gate)
		if err != nil {
			return nil, err
		}
		c.GateNo, c.Gate = g.No, g.Name
	}
	_, err = tx.Exec(`UPDATE checkins SET note = $1, gate_no = $2, gate = $3 WHERE id = $4 AND org_id = $5`, c.Note, c.GateNo, c.Gate, c.ID, org)
	return c, err
}

// Undo takes a check-in back, as if nobody had come or gone, and appends checkin.undone; what came after it is counted anew. Doing it twice is fine. It fails with
// checkin_not_found, and with nothing_to_undo (409) for one that let nobody through.
func (d *Door) Undo(tx *db.Tx, org int64, checkin id.Checkin) error {
	c, err := ByID(tx, org, checkin)
	if err != nil || c.result == undone {
		return err
	}
	if c.result == denied {
		return problem.New(problem.Conflict, "nothing_to_undo", "This check-in let nobody through, so there is nothing to undo.")
	}
	tickets, err := ticket.Lock(tx, org, c.TicketID)
	if err != nil {
		return err
	}
	was, err := passages(tx, tickets) // as it is now that the ticket is locked
	if err != nil {
		return err
	}
	i := slices.IndexFunc(was, func(one *Checkin) bool { return one.ID == c.ID })
	if i < 0 {
		return nil // undone meanwhile
	}
	policy := Single
	if c.ListNo != 0 {
		l, err := db.One(tx, scanList, selectList+`WHERE list_no = $1 AND org_id = $2`, c.ListNo, org)
		if err != nil {
			return fmt.Errorf("load check-in list: %w", err)
		}
		policy = l.Policy
	}
	return d.settle(tx, settlement{org: org, tickets: tickets, was: was, policies: map[int64]Policy{c.ListNo: policy}, undo: was[i]})
}

// Attendance is who is at an event.
type Attendance struct {
	Inside   int // on all lists
	Admitted int // entries
	Gates    []Count
	Times    []Count // of five minutes each, in order, without those in which nothing happened
}

// Count is how many came in and went out.
type Count struct {
	Gate     string    // its name, for those by gate
	At       time.Time // when the five minutes begin, for those by time
	Admitted int
	Exited   int
}

const fiveMinutes = int64(5 * time.Minute / time.Microsecond)

// AttendanceOf counts who is at an event, from an index that has all it needs. It fails with event_not_found.
func AttendanceOf(q db.Querier, org int64, e id.Event) (Attendance, error) {
	ev, err := event.ByID(q, org, e)
	if err != nil {
		return Attendance{}, err
	}
	var a Attendance
	byGate, byTime := map[string]*Count{}, map[int64]*Count{}
	_, err = db.All(q, func(r db.Rows) (struct{}, error) {
		var result result
		var gate string
		var slot int64
		var n int
		if err := r.Scan(&result, &gate, &slot, &n); err != nil {
			return struct{}{}, err
		}
		if byGate[gate] == nil {
			byGate[gate] = &Count{Gate: gate}
		}
		if byTime[slot] == nil {
			byTime[slot] = &Count{At: moment(slot * fiveMinutes)}
		}
		if result == admitted {
			a.Admitted += n
			a.Inside += n
			byGate[gate].Admitted += n
			byTime[slot].Admitted += n
		} else {
			a.Inside -= n
			byGate[gate].Exited += n
			byTime[slot].Exited += n
		}
		return struct{}{}, nil
	}, `SELECT result, gate, at / 300000000, count(*) FROM checkins WHERE event_no = $1 AND result IN ('admitted', 'exited') GROUP BY 1, 2, 3`, ev.No)
	if err != nil {
		return Attendance{}, fmt.Errorf("attendance of event %s: %w", e, err)
	}
	for _, c := range byGate {
		a.Gates = append(a.Gates, *c)
	}
	slices.SortFunc(a.Gates, func(x, y Count) int { return strings.Compare(x.Gate, y.Gate) })
	for _, c := range byTime {
		a.Times = append(a.Times, *c)
	}
	slices.SortFunc(a.Times, func(x, y Count) int { return x.At.Compare(y.At) })
	return a, nil
}

// Tally is what an event's door has come to so far.
type Tally struct {
	Inside    int // on all lists
	Admitted  int // entries
	Refused   int
	Conflicts int
	Lists     []ListCount // by the lists' numbers
	Gates     []Count     // by their names
	Reasons   []Refusals  // the most frequent first
}

// ListCount is how many came in and went out by a list.
type ListCount struct {
	ListNo   int64 // 0 for the event's default that has no row
	Admitted int
	Exited   int
}

// Refusals is how often something was answered to who was not let in.
type Refusals struct {
	Said Status
	N    int
}

// tally reads an index that has all it needs.
const tally = `SELECT result, list_no, gate, said, count(*) FROM checkins WHERE event_no = $1 GROUP BY result, list_no, gate, said`

// TallyOf counts an event's check-ins. It reads the event's part of an index, and no rows. It fails with event_not_found.
func TallyOf(q db.Querier, org int64, e id.Event) (Tally, error) {
	ev, err := event.ByID(q, org, e)
	if err != nil {
		return Tally{}, err
	}
	c := newCounter()
	if _, err := db.All(q, c.scan, tally, ev.No); err != nil {
		return Tally{}, fmt.Errorf("count check-ins of event %s: %w", e, err)
	}
	return c.sum(), nil
}

// counter adds up the rows of a tally.
type counter struct {
	all     Tally
	lists   map[int64]*ListCount
	gates   map[string]*Count
	reasons map[Status]int
}

func newCounter() *counter {
	return &counter{lists: map[int64]*ListCount{}, gates: map[string]*Count{}, reasons: map[Status]int{}}
}

func (c *counter) scan(r db.Rows) (struct{}, error) {
	var of result
	var list int64
	var gate string
	var said Status
	var n int
	if err := r.Scan(&of, &list, &gate, &said, &n); err != nil {
		return struct{}{}, err
	}
	switch of {
	case denied:
		c.all.Refused += n
		c.reasons[said] += n
	case conflict:
		c.all.Conflicts += n
	case admitted, exited:
		c.passed(of == admitted, list, gate, n)
	case stray, undone: // nobody came or went
	}
	return struct{}{}, nil
}

// passed adds people who came in or went out.
func (c *counter) passed(in bool, list int64, gate string, n int) {
	if c.lists[list] == nil {
		c.lists[list] = &ListCount{ListNo: list}
	}
	if c.gates[gate] == nil {
		c.gates[gate] = &Count{Gate: gate}
	}
	if in {
		c.all.Inside += n
		c.all.Admitted += n
		c.lists[list].Admitted += n
		c.gates[gate].Admitted += n
		return
	}
	c.all.Inside -= n
	c.lists[list].Exited += n
	c.gates[gate].Exited += n
}

func (c *counter) sum() Tally {
	for _, l := range c.lists {
		c.all.Lists = append(c.all.Lists, *l)
	}
	for _, g := range c.gates {
		c.all.Gates = append(c.all.Gates, *g)
	}
	for said, n := range c.reasons {
		c.all.Reasons = append(c.all.Reasons, Refusals{said, n})
	}
	slices.SortFunc(c.all.Lists, func(x, y ListCount) int { return cmp.Compare(x.ListNo, y.ListNo) })
	slices.SortFunc(c.all.Gates, func(x, y Count) int { return strings.Compare(x.Gate, y.Gate) })
	slices.SortFunc(c.all.Reasons, func(x, y Refusals) int {
		return cmp.Or(cmp.Compare(y.N, x.N), strings.Compare(string(x.Said), string(y.Said)))
	})
	return c.all
}
