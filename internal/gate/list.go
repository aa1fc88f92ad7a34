package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Policy says whether somebody may come in again.
type Policy string

// The policies.
const (
	Single  Policy = "single"
	Reentry Policy = "reentry" // after they left
)

// What a list may show of a ticket.
const (
	ShowName    = "name"
	ShowEmail   = "email"
	ShowSection = "section"
	ShowRow     = "row"
	ShowSeat    = "seat"
	ShowOrder   = "orderId"
)

// Shown lists what a list may show of a ticket.
func Shown() []string {
	return []string{ShowName, ShowEmail, ShowSection, ShowRow, ShowSeat, ShowOrder}
}

// usual is what is shown where nothing else was said: nothing personal.
func usual() []string { return []string{ShowSection, ShowRow, ShowSeat, ShowOrder} }

// Rules are what a list admits and how often. Empty lists and zeros are no bounds.
type Rules struct {
	Classes    []int     `json:"classes,omitempty"`    // kinds of tickets, as their codes name them
	Sections   []string  `json:"sections,omitempty"`   // of tickets, upper and lower case alike; a ticket type's name is one
	Gates      []id.Gate `json:"gates,omitempty"`      // through which they come
	PerDay     int       `json:"perDay,omitempty"`     // entries of a ticket on a day of the event's place
	PerGate    int       `json:"perGate,omitempty"`    // entries of a ticket through one gate
	MinMinutes int       `json:"minMinutes,omitempty"` // between two entries of a ticket
	Display    []string  `json:"display"`              // what of a ticket is shown: see Shown
}

// Input is what a list is made from.
type Input struct {
	Event    id.Event
	Name     string
	Standard bool // the event's default
	Policy   Policy
	Rules    Rules
	OpensAt  time.Time // zero: nothing is too early
	ClosesAt time.Time // zero: nothing is too late
}

// List is a check-in list.
type List struct {
	No      int64          // 0 for the default that has no row
	ID      id.CheckinList // "" for that
	EventNo int64
	Input
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// implicit is the default list of an event that has none.
func implicit(eventNo int64, e id.Event) List {
	return List{EventNo: eventNo, Input: Input{Event: e, Name: "Entrance", Standard: true, Policy: Single, Rules: Rules{Display: usual()}}}
}

const maxRules = 200 // of classes, sections and gates each

func (in *Input) check(q db.Querier, org int64) error {
	var f problem.Fields
	if in.Name = strings.TrimSpace(in.Name); in.Name == "" || !line(in.Name, 100) {
		f.Add("/name", "invalid", "Give a name of 1 to 100 characters on one line, without @.")
	}
	if in.Policy == "" {
		in.Policy = Single
	}
	if in.Policy != Single && in.Policy != Reentry {
		f.Add("/policy", "unknown_value", "Use single or reentry.")
	}
	r := &in.Rules
	for name, n := range map[string]int{"perDay": r.PerDay, "perGate": r.PerGate, "minMinutes": r.MinMinutes} {
		if n < 0 || n > 100_000 {
			f.Add("/limits/"+name, "out_of_range", "Use 1 to 100000, or 0 for no limit.")
		}
	}
	for name, n := range map[string]int{"classes": len(r.Classes), "sections": len(r.Sections), "gates": len(r.Gates)} {
		if n > maxRules {
			f.Add("/"+name, "wrong_length", "Give %d at most.", maxRules)
		}
	}
	for i, s := range r.Sections {
		if s == "" || !utf8.ValidString(s) || utf8.RuneCountInString(s) > 200 {
			f.Add(fmt.Sprintf("/sections/%d", i), "invalid", "Give a section as the tickets have it.")
		}
	}
	for i, s := range r.Display {
		if !slices.Contains(Shown(), s) {
			f.Add(fmt.Sprintf("/display/%d", i), "unknown_value", "Use %s.", strings.Join(Shown(), ", "))
		}
	}
	if r.Display == nil {
		r.Display = usual()
	}
	if !in.OpensAt.IsZero() && !in.ClosesAt.IsZero() && !in.OpensAt.Before(in.ClosesAt) {
		f.Add("/closesAt", "out_of_range", "A list closes after it opened.")
	}
	if err := checkGates(q, org, &f, r.Gates); err != nil {
		return err
	}
	return f.Err()
}

// line tells whether a text is one of at most so many characters. Addresses are kept out: a person is erased by their address.
func line(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, unicode.IsControl) && !strings.Contains(s, "@")
}

const selectList = `SELECT list_no, id, event_no, event_id, name, standard, policy, rules, opens_at, closes_at, version, created_at, updated_at FROM checkin_lists `

func scanList(r db.Rows) (List, error) {
	var l List
	var rules string
	var opens, closes *int64
	var created, updated int64
	err := r.Scan(&l.No, &l.ID, &l.EventNo, &l.Event, &l.Name, &l.Standard, &l.Policy, &rules, &opens, &closes, &l.Version, &created, &updated)
	if err != nil {
		return List{}, err
	}
	l.OpensAt, l.ClosesAt, l.CreatedAt, l.UpdatedAt = maybe(opens), maybe(closes), moment(created), moment(updated)
	return l, json.Unmarshal([]byte(rules), &l.Rules)
}

func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

func maybe(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return moment(*micros)
}

// micros is NULL for the zero time.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// ListByID finds a list; list_not_found.
func ListByID(q db.Querier, org int64, list id.CheckinList) (List, error) {
	l, err := db.One(q, scanList, selectList+`WHERE org_id = $1 AND id = $2 AND deleted_at IS NULL`, org, list)
	if errors.Is(err, db.ErrNoRow) {
		return List{}, problem.New(problem.NotFound, "list_not_found", "There is no such check-in list here.")
	}
	if err != nil {
		return List{}, fmt.Errorf("load check-in list: %w", err)
	}
	return l, nil
}

// Lists returns the lists of an event, or with "" those of all events, the oldest first. An event's default without a row is not among the latter.
func Lists(q db.Querier, org int64, e id.Event) ([]List, error) {
	if e == "" {
		return lists(q, `WHERE org_id = $1 AND deleted_at IS NULL ORDER BY list_no`, org)
	}
	ev, err := event.ByID(q, org, e)
	if err != nil {
		return nil, err
	}
	all, err := lists(q, `WHERE event_no = $1 AND org_id = $2 AND deleted_at IS NULL ORDER BY list_no`, ev.No, org)
	if err == nil && !slices.ContainsFunc(all, func(l List) bool { return l.Standard }) {
		all = append([]List{implicit(ev.No, ev.ID)}, all...)
	}
	return all, err
}

func lists(q db.Querier, where string, args ...any) ([]List, error) {
	all, err := db.All(q, scanList, selectList+where, args...)
	if err != nil {
		return nil, fmt.Errorf("check-in lists: %w", err)
	}
	return all, nil
}

// standard is an event's default list.
func standard(q db.Querier, org, eventNo int64, e id.Event) (List, error) {
	all, err := lists(q, `WHERE event_no = $1 AND org_id = $2 AND standard AND deleted_at IS NULL`, eventNo, org)
	if err != nil || len(all) == 0 {
		return implicit(eventNo, e), err
	}
	return all[0], nil
}

// CreateList makes a list. It fails with field errors, event_not_found, default_exists (409), and list_in_use (409) for a default of an event where people came
// in by the one without a row.
func CreateList(tx *db.Tx, org int64, in Input) (List, error) {
	if err := in.check(tx, org); err != nil {
		return List{}, err
	}
	ev, err := event.Lock(tx, org, in.Event)
	if err != nil {
		return List{}, err
	}
	l := List{ID: id.NewCheckinList(), EventNo: ev.No, Input: in, Version: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	if err := l.mayBeStandard(tx, org); err != nil {
		return List{}, err
	}
	rules, err := json.Marshal(in.Rules)
	if err != nil {
		return List{}, err
	}
	_, err = tx.Exec(`INSERT INTO checkin_lists (org_id, id, event_no, event_id, name, standard, policy, rules, opens_at, closes_at, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $11)`, org, l.ID, ev.No, ev.ID, l.Name, l.Standard, l.Policy, string(rules), micros(l.OpensAt),
		micros(l.ClosesAt), tx.Micros())
	if err != nil {
		return List{}, fmt.Errorf("create check-in list: %w", err)
	}
	return l, nil
}

// mayBeStandard keeps an event from having two defaults, and people from coming in twice because the default was changed.
func (l List) mayBeStandard(tx *db.Tx, org int64) error {
	if !l.Standard {
		return nil
	}
	was, err := standard(tx, org, l.EventNo, l.Event)
	if err != nil || was.No == l.No && l.No != 0 {
		return err
	}
	if was.No != 0 {
		return problem.New(problem.Conflict, "default_exists", "The event has a default list already: %s. Change that one.", was.ID)
	}
	return unused(tx, l.EventNo, 0)
}

// unused fails with list_in_use for a list that something counts on.
func unused(q db.Querier, eventNo, listNo int64) error {
	n, err := db.One(q, db.Value[int], `SELECT count(*) FROM (SELECT 1 FROM checkins WHERE event_no = $1 AND list_no = $2 AND result IN
		('admitted', 'exited', 'stray', 'conflict') LIMIT 1) x`, eventNo, listNo)
	if err == nil && n > 0 {
		err = problem.New(problem.Conflict, "list_in_use", "People have come in by the event's list, so that cannot be changed any more. Make another list beside it.")
	}
	return err
}

// ListChange changes a list. The event stays.
type ListChange struct {
	Version int64 // If-Match, 0 for whatever there is
	Apply   func(*Input)
}

// UpdateList changes a list. It fails as CreateList does, with list_not_found, version_mismatch, and with list_in_use for another policy, or another default,
// after people have come in.
func UpdateList(tx *db.Tx, org int64, list id.CheckinList, c ListChange) (List, error) {
	l, err := lockList(tx, org, list, c.Version)
	if err != nil {
		return List{}, err
	}
	to := l
	to.Rules.Classes, to.Rules.Sections, to.Rules.Gates = slices.Clone(l.Rules.Classes), slices.Clone(l.Rules.Sections), slices.Clone(l.Rules.Gates)
	c.Apply(&to.Input)
	to.Event = l.Event
	if err := to.check(tx, org); err != nil {
		return List{}, err
	}
	if to.Policy != l.Policy || to.Standard != l.Standard {
		if err := unused(tx, l.EventNo, l.No); err != nil {
			return List{}, err
		}
	}
	if to.Standard && !l.Standard {
		if err := to.mayBeStandard(tx, org); err != nil {
			return List{}, err
		}
	}
	rules, err := json.Marshal(to.Rules)
	if err != nil {
		return List{}, err
	}
	to.Version, to.UpdatedAt = l.Version+1, tx.Now()
	_, err = tx.Exec(`UPDATE checkin_lists SET name = $1, standard = $2, policy = $3, rules = $4, opens_at = $5, closes_at = $6, version = $7, updated_at = $8
		WHERE list_no = $9 AND org_id = $10`, to.Name, to.Standard, to.Policy, string(rules), micros(to.OpensAt), micros(to.ClosesAt), to.Version, tx.Micros(), l.No, org)
	if err != nil {
		return List{}, fmt.Errorf("change check-in list: %w", err)
	}
	return to, nil
}

func lockList(tx *db.Tx, org int64, list id.CheckinList, version int64) (List, error) {
	l, err := ListByID(tx, org, list)
	if err != nil {
		return List{}, err
	}
	if _, err := event.LockNo(tx, org, l.EventNo); err != nil { // whoever changes lists of an event takes turns
		return List{}, err
	}
	if l, err = ListByID(tx, org, list); err != nil {
		return List{}, err
	}
	return l, fresh("list", l.Version, version)
}

func fresh(noun string, is, want int64) error {
	if want != 0 && want != is {
		return problem.New(problem.Precondition, "version_mismatch", "The %s has version %d by now, not %d; read it again and repeat the change.", noun, is, want)
	}
	return nil
}

// DeleteList ends a list that nobody has come in by. It fails as UpdateList does.
func DeleteList(tx *db.Tx, org int64, list id.CheckinList, version int64) error {
	l, err := lockList(tx, org, list, version)
	if err != nil {
		return err
	}
	if err := unused(tx, l.EventNo, l.No); err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE checkin_lists SET deleted_at = $1 WHERE list_no = $2 AND org_id = $3`, tx.Micros(), l.No, org)
	return err
}
