package stamp

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Kinds are the facts that Follow takes.
func Kinds() []fact.Kind { return []fact.Kind{fact.CheckinAdmitted, fact.CheckinUndone} }

// Follow notes what happened at the door and awards what the rules say, in the transaction in which the follower's cursor moves; see [ledger.Step]. Facts of
// other kinds are passed over, and so are tickets without a holder. A check-in that it has seen has no effect a second time.
//
// [ledger.Step]: https://pkg.go.dev/github.com/stagedoorhq/stagedoor/internal/ledger#Step
func (a *Album) Follow(tx *db.Tx, facts []*fact.Fact) error {
	step := follower{tx: tx, rules: map[int64][]Type{}, venues: map[at]string{}}
	for _, f := range facts {
		var err error
		switch f.Kind {
		case fact.CheckinAdmitted:
			err = step.admitted(f)
		case fact.CheckinUndone:
			err = step.undone(f)
		}
		if err != nil {
			return fmt.Errorf("stamps for %s %s: %w", f.Kind, f.ID, err)
		}
	}
	return a.tell(tx, step.told...)
}

// follower is a step under way, with what it has read.
type follower struct {
	tx     *db.Tx
	told   []*fact.Fact     // what has come of it
	rules  map[int64][]Type // of each organisation
	venues map[at]string    // names in lower case
}

type at struct {
	org   int64
	event id.Event
}

// visit is a check-in as it is remembered.
type visit struct {
	org     int64
	checkin id.Checkin
	who     person.Address
	ticket  id.Ticket
	event   id.Event
	venue   string
}

func (f *follower) admitted(told *fact.Fact) error {
	var s gate.Snapshot
	if err := json.Unmarshal(told.Data, &s); err != nil {
		return err
	}
	t, err := ticket.ByID(f.tx, told.Org, s.TicketID)
	if problem.Is(err, "ticket_not_found") || err == nil && t.Holder.Email == "" {
		return nil
	}
	if err != nil {
		return err
	}
	v := visit{org: told.Org, checkin: s.CheckinID, who: person.Of(t.Holder.Email), ticket: t.ID, event: s.EventID}
	if v.venue, err = f.venue(at{told.Org, s.EventID}); err != nil {
		return err
	}
	n, err := f.tx.Exec(`INSERT INTO stamp_visits (org_id, checkin_id, person, ticket_id, event_id, venue, at, undone) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT DO NOTHING`, v.org, v.checkin, string(v.who), v.ticket, v.event, v.venue, time.Time(s.At).UnixMicro(), false)
	if err != nil || n == 0 {
		return err
	}
	return f.matching(v, func(t Type) error {
		if !t.Active {
			return nil
		}
		if t.Rule.On == ByCount {
			if earned, err := v.earned(f.tx, t.Rule); err != nil || !earned {
				return err
			}
		}
		_, awarded, err := give(f.tx, Stamp{Type: t, Person: v.who, EventID: v.event, TicketID: v.ticket, CheckinID: v.checkin, Reason: t.Rule.On, org: v.org})
		f.told = append(f.told, awarded)
		return err
	})
}

func (f *follower) undone(told *fact.Fact) error {
	var s gate.Snapshot
	if err := json.Unmarshal(told.Data, &s); err != nil {
		return err
	}
	v, err := db.One(f.tx, func(r db.Rows) (v visit, err error) {
		return v, r.Scan(&v.org, &v.checkin, &v.who, &v.ticket, &v.event, &v.venue)
	}, `UPDATE stamp_visits SET undone = $3 WHERE org_id = $1 AND checkin_id = $2 AND NOT undone RETURNING org_id, checkin_id, person, ticket_id, event_id, venue`,
		told.Org, s.CheckinID, true)
	if errors.Is(err, db.ErrNoRow) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.matching(v, func(t Type) error {
		if !t.Rule.RevokeOnUndo {
			return nil
		}
		earned, err := v.earned(f.tx, t.Rule)
		if err != nil || earned {
			return err
		}
		s, err := db.One(f.tx, scanStamp, selectStamp+`WHERE s.type_no = $1 AND s.person = $2 AND s.once_in = $3 AND s.revoked_at IS NULL AND s.reason <> 'manual'`,
			t.No, string(v.who), t.Rule.onceIn(v.event))
		if errors.Is(err, db.ErrNoRow) {
			return nil
		}
		if err != nil {
			return err
		}
		_, revoked, err := take(f.tx, s, Undone)
		f.told = append(f.told, revoked)
		return err
	})
}

// earned tells whether what stands of a person's check-ins fulfils a rule, as far as it is about the place of this one.
func (v visit) earned(q db.Querier, r Rule) (bool, error) {
	what := `count(*)`
	if r.On == ByCount && r.Counts == CountEvents {
		what = `count(DISTINCT event_id)`
	}
	where, args := `org_id = $1 AND person = $2 AND NOT undone`, []any{v.org, string(v.who)}
	switch {
	case r.Event != "" || r.Repeat == PerEvent:
		where, args = where+` AND event_id = $3`, append(args, v.event)
	case r.Venue != "":
		where, args = where+` AND venue = $3`, append(args, v.venue)
	}
	n, err := db.One(q, db.Value[int], `SELECT `+what+` FROM stamp_visits WHERE `+where, args...)
	return n >= r.Threshold, err
}

// matching calls do for each type whose rule looks at a check-in.
func (f *follower) matching(v visit, do func(Type) error) error {
	types, known := f.rules[v.org]
	if !known {
		var err error // without their art, which may be large
		types, err = db.All(f.tx, scanType, strings.Replace(selectType, "t.art", "''", 1)+`WHERE t.org_id = $1 AND t.rule <> 'manual' AND (t.active OR t.revoke_on_undo)
			ORDER BY t.type_no /*for update*/`, v.org)
		if err != nil {
			return err
		}
		f.rules[v.org] = types
	}
	for _, t := range types {
		if !t.Rule.takes(v.event, v.venue) {
			continue
		}
		if err := do(t); err != nil {
			return err
		}
	}
	return nil
}

// venue is the name of an event's venue in lower case; empty where there is none.
func (f *follower) venue(of at) (string, error) {
	if name, ok := f.venues[of]; ok {
		return name, nil
	}
	e, err := event.ByID(f.tx, of.org, of.event)
	if err != nil && !problem.Is(err, "event_not_found") {
		return "", err
	}
	f.venues[of] = strings.ToLower(e.Venue.Name)
	return f.venues[of], nil
}
