package inventory

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// expireAtOnce is how many holds expire between two looks.
const expireAtOnce = 100

// due loads holds of an event that have come to their end, the oldest first, of some listings; nil for all.
func due(tx *db.Tx, org, eventNo int64, listings []int64, limit int) ([]Hold, error) {
	only, args := ``, []any{org, eventNo, tx.Micros(), limit}
	if listings != nil {
		list, err := json.Marshal(listings)
		if err != nil {
			return nil, err
		}
		only, args = ` AND h.listing_no IN ints($5)`, append(args, string(list))
	}
	all, err := db.All(tx, scanHold, selectHold+`WHERE h.org_id = $1 AND h.event_no = $2 AND h.status = 'active' AND h.expires_at <= $3`+only+`
		ORDER BY h.expires_at LIMIT $4`, args...)
	if err != nil {
		return nil, fmt.Errorf("look for holds to expire: %w", err)
	}
	return all, nil
}

func (s *Stock) expire(tx *db.Tx, org int64, ev event.Event, all []Hold) error {
	for i := range all {
		if err := s.end(tx, org, ev, &all[i], HoldExpired); err != nil {
			return err
		}
	}
	return nil
}

// freeListing has all holds of a listing expire that have come to their end.
func (s *Stock) freeListing(tx *db.Tx, org int64, ev event.Event, listing int64) error {
	for {
		all, err := due(tx, org, ev.No, []int64{listing}, expireAtOnce)
		if err != nil || len(all) == 0 {
			return err
		}
		if err := s.expire(tx, org, ev, all); err != nil {
			return err
		}
	}
}

// knownKept is under what a transaction knows that no hold of what is wanted has come to its end.
type knownKept struct {
	org, event int64
	want       Want // without quantity and code
}

// free has holds expire whose units would do for what is wanted, and reports whether there were any. p is the listing that has too few, nil when
// section and row were asked for.
func (s *Stock) free(tx *db.Tx, org int64, ev event.Event, w Want, p *Pick) (bool, error) {
	key := knownKept{org, ev.No, Want{Listing: w.Listing, Type: w.Type, Section: w.Section, Row: w.Row}}
	if _, known := tx.Known(key); known {
		return false, nil
	}
	listings, held, err := s.rivals(tx, org, ev, w, p)
	if err != nil || held == 0 {
		return false, err
	}
	all, err := due(tx, org, ev.No, listings, expireAtOnce)
	if err != nil {
		return false, err
	}
	if len(all) == 0 {
		tx.Know(key, true)
		return false, nil
	}
	// When even that is too little, nothing is written: a refusal costs nothing, and the sweep frees them.
	units := 0
	for _, h := range all {
		units += h.Quantity
	}
	if p != nil && p.Listing.Free()+units < w.Quantity {
		return false, nil
	}
	return true, s.expire(tx, org, ev, all)
}

// rivals are the listings whose holds stand in the way of what is wanted, and how many units are held of them.
func (s *Stock) rivals(tx *db.Tx, org int64, ev event.Event, w Want, p *Pick) (listings []int64, held int, err error) {
	switch {
	case p == nil:
		found, err := db.All(tx, scan, `SELECT `+columns+` FROM listings l WHERE l.org_id = $1 AND l.event_no = $2 AND l.section = $3 AND l.row_name = $4 AND l.held > 0`,
			org, ev.No, w.Section, w.Row)
		for _, l := range found {
			listings, held = append(listings, l.No), held+l.Held
		}
		return listings, held, err
	case p.Type == nil:
		return []int64{p.Listing.No}, p.Listing.Held, nil
	}
	for _, t := range p.primary.types {
		if slices.ContainsFunc(t.draws, func(no int64) bool { return slices.Contains(p.Type.draws, no) }) {
			listings, held = append(listings, t.Listing.No), held+t.Listing.Held
		}
	}
	return listings, held, nil
}

// Expiring is an event with holds or listings that have come to their end.
type Expiring struct {
	Org, EventNo int64
	EventID      id.Event
}

// Due lists up to limit events with active holds that have come to their end at an instant, of all organisations.
func Due(q db.Querier, now time.Time, limit int) ([]Expiring, error) {
	all, err := db.All(q, func(r db.Rows) (e Expiring, err error) { return e, r.Scan(&e.Org, &e.EventNo, &e.EventID) },
		`SELECT DISTINCT org_id, event_no, event_id FROM holds WHERE status = 'active' AND expires_at <= $1 LIMIT $2`, now.UnixMicro(), limit)
	if err != nil {
		return nil, fmt.Errorf("look for holds to expire: %w", err)
	}
	return all, nil
}

// ExpireSome has up to limit holds of an event expire that have come to their end, the oldest first, and returns how many did.
func (s *Stock) ExpireSome(tx *db.Tx, org, eventNo int64, limit int) (int, error) {
	ev, err := event.LockNo(tx, org, eventNo)
	if err != nil {
		return 0, err
	}
	all, err := due(tx, org, eventNo, nil, limit)
	if err != nil {
		return 0, err
	}
	return len(all), s.expire(tx, org, ev, all)
}
