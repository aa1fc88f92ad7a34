package stamp

import (
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

// Passport is what a person has in an organisation.
type Passport struct {
	Stamps      []Stamp // a page of those that they hold, the newest first
	Total       int     // how many they hold
	Collections []Collection
	Checkins    int // how often they came in
	Events      int // to how many events
}

// PassportOf opens a person's passport. A collection's types are those that can be earned and those that they have. Nobody's passport is empty.
func PassportOf(q db.Querier, org int64, who person.Address, p Page) (Passport, error) {
	var pass Passport
	var err error
	if pass.Collections, err = collections(q, org, who, func(e Entry, _ bool) bool { return e.Active || e.Has }); err != nil || who == "" {
		return pass, err
	}
	if pass.Stamps, pass.Total, err = stamps(q, `s.org_id = $1 AND s.person = $2 AND s.revoked_at IS NULL`, []any{org, string(who)}, p); err != nil {
		return pass, err
	}
	_, err = db.One(q, func(r db.Rows) (struct{}, error) { return struct{}{}, r.Scan(&pass.Checkins, &pass.Events) },
		`SELECT count(*), count(DISTINCT event_id) FROM stamp_visits WHERE org_id = $1 AND person = $2 AND NOT undone`, org, string(who))
	if err != nil {
		return pass, fmt.Errorf("check-ins of a passport: %w", err)
	}
	return pass, nil
}

// Visit is a check-in of a person's, as stamps remember it.
type Visit struct {
	CheckinID id.Checkin
	TicketID  id.Ticket
	EventID   id.Event
	At        time.Time
	Undone    bool
}

// Visits lists up to limit check-ins of a person, the newest first.
func Visits(q db.Querier, org int64, who person.Address, limit int) ([]Visit, error) {
	all, err := db.All(q, func(r db.Rows) (v Visit, err error) {
		var at int64
		err = r.Scan(&v.CheckinID, &v.TicketID, &v.EventID, &at, &v.Undone)
		v.At = moment(at)
		return v, err
	}, `SELECT checkin_id, ticket_id, event_id, at, undone FROM stamp_visits WHERE org_id = $1 AND person = $2 ORDER BY at DESC, checkin_id DESC LIMIT $3`,
		org, string(who), limit)
	if err != nil {
		return nil, fmt.Errorf("check-ins of a person: %w", err)
	}
	return all, nil
}

// Everything lists all stamps of a person for whoever has a right to know, those that were taken away too, the newest first.
func Everything(q db.Querier, org int64, who person.Address, p Page) ([]Stamp, int, error) {
	return stamps(q, `s.org_id = $1 AND s.person = $2 AND s.person <> ''`, []any{org, string(who)}, p)
}
