package stamp

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const (
	typeColumns = `t.type_no, t.id, t.name, t.description, t.art, t.collection, t.rule, t.event_id, t.venue, t.threshold, t.counts, t.per_event, t.revoke_on_undo,
		t.active, t.retired_at, t.version, t.created_at, t.updated_at`
	stampColumns = `s.org_id, s.stamp_no, s.id, s.person, s.event_id, s.ticket_id, s.checkin_id, s.reason, s.actor, s.note, s.awarded_at, s.revoked_at,
		s.revoked_for, s.version`
	selectType  = `SELECT ` + typeColumns + ` FROM stamp_types t `
	selectStamp = `SELECT ` + stampColumns + `, ` + typeColumns + ` FROM stamps s JOIN stamp_types t ON t.type_no = s.type_no `
)

func scanType(r db.Rows) (t Type, err error) {
	return t, scanTypeWith(r, &t)
}

// scanTypeWith reads what stands before a type in the row, and the type.
func scanTypeWith(r db.Rows, t *Type, before ...any) error {
	var perEvent bool
	var retired *int64
	var created, updated int64
	err := r.Scan(append(before, &t.No, &t.ID, &t.Name, &t.Description, &t.Art, &t.Collection, &t.Rule.On, &t.Rule.Event, &t.Rule.Venue, &t.Rule.Threshold,
		&t.Rule.Counts, &perEvent, &t.Rule.RevokeOnUndo, &t.Active, &retired, &t.Version, &created, &updated)...)
	t.Rule.Repeat = Once
	if perEvent {
		t.Rule.Repeat = PerEvent
	}
	t.RetiredAt, t.CreatedAt, t.UpdatedAt = maybe(retired), moment(created), moment(updated)
	return err
}

func scanStamp(r db.Rows) (s Stamp, err error) {
	var awarded int64
	var revoked *int64
	err = scanTypeWith(r, &s.Type, &s.org, &s.No, &s.ID, &s.Person, &s.EventID, &s.TicketID, &s.CheckinID, &s.Reason, &s.Actor, &s.Note, &awarded, &revoked,
		&s.revokedFor, &s.Version)
	s.AwardedAt, s.RevokedAt = moment(awarded), maybe(revoked)
	return s, err
}

func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// maybe is a moment that may be missing.
func maybe(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return moment(*micros)
}

// micros is the reverse of maybe.
func micros(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	m := t.UnixMicro()
	return &m
}

// TypeByID finds a stamp type, also a retired one; stamp_type_not_found.
func TypeByID(q db.Querier, org int64, one id.StampType) (Type, error) {
	return loadType(q, org, one, "")
}

// PublicTypeByID is TypeByID for a person outside of the organisation: there are the types that can be earned, and those that they have.
func PublicTypeByID(q db.Querier, org int64, one id.StampType, who person.Address) (Type, error) {
	t, err := loadType(q, org, one, "")
	if err != nil || t.Active {
		return t, err
	}
	has := false
	if who != "" {
		has, err = db.One(q, db.Value[bool], `SELECT EXISTS (SELECT 1 FROM stamps WHERE type_no = $1 AND person = $2 AND revoked_at IS NULL)`, t.No, string(who))
	}
	if err == nil && !has {
		err = errTypeNotFound()
	}
	return t, err
}

// lockType is TypeByID, and keeps others from changing or awarding the type until the transaction ends.
func lockType(tx *db.Tx, org int64, one id.StampType) (Type, error) {
	return loadType(tx, org, one, ` /*for update*/`)
}

func loadType(q db.Querier, org int64, one id.StampType, lock string) (Type, error) {
	t, err := db.One(q, scanType, selectType+`WHERE t.org_id = $1 AND t.id = $2`+lock, org, one)
	if errors.Is(err, db.ErrNoRow) {
		return Type{}, errTypeNotFound()
	}
	if err != nil {
		return Type{}, fmt.Errorf("load stamp type: %w", err)
	}
	return t, nil
}

// Filter says which stamp types a list shows.
type Filter struct {
	Public     bool    // only what people outside of the organisation see: what can be earned
	Collection *string // "" for those without one; nil for all
	Status     string  // active, inactive, retired or all; all but the retired when empty
	Limit      int     // 1 to 100; 50 when 0
	Offset     int
}

var conditions = map[string]string{
	"": `t.retired_at IS NULL`, "active": `t.active`, "inactive": `NOT t.active AND t.retired_at IS NULL`, "retired": `t.retired_at IS NOT NULL`, "all": `TRUE`,
}

// Types returns a page of stamp types, the oldest first, and how many there are in all. It fails with field errors, whose pointers name the query parameters.
func Types(q db.Querier, org int64, f Filter) (page []Type, total int, err error) {
	if f.Limit == 0 {
		f.Limit = 50
	}
	status, ok := conditions[f.Status]
	if !ok {
		return nil, 0, problem.Fields{{Pointer: "status", In: "query", Code: "invalid", Detail: "Use active, inactive, retired or all."}}.Err()
	}
	where, args := `WHERE t.org_id = $1 AND `+status, []any{org}
	if f.Public {
		where += ` AND t.active`
	}
	if f.Collection != nil {
		where, args = where+` AND t.collection = $2`, append(args, *f.Collection)
	}
	if total, err = db.One(q, db.Value[int], `SELECT count(*) FROM stamp_types t `+where, args...); err != nil {
		return nil, 0, fmt.Errorf("count stamp types: %w", err)
	}
	page, err = db.All(q, scanType, fmt.Sprintf(selectType+where+` ORDER BY t.type_no LIMIT $%d OFFSET $%d`, len(args)+1, len(args)+2), append(args, f.Limit, f.Offset)...)
	if err != nil {
		return nil, 0, fmt.Errorf("list stamp types: %w", err)
	}
	return page, total, nil
}

// Collection is what belongs together.
type Collection struct {
	Name  string
	Types []Entry // the oldest first
}

// Entry is a stamp type in a collection.
type Entry struct {
	ID     id.StampType
	Name   string
	Active bool
	Has    bool // the person whose passport it is has a stamp of it
}

// Collections lists an organisation's collections by name, with their types but for the retired. public leaves out what people outside of the
// organisation do not see.
func Collections(q db.Querier, org int64, public bool) ([]Collection, error) {
	return collections(q, org, "", func(e Entry, retired bool) bool { return !retired && (e.Active || !public) })
}

// collections groups the types that are kept.
func collections(q db.Querier, org int64, who person.Address, keep func(e Entry, retired bool) bool) ([]Collection, error) {
	of := map[string][]Entry{}
	_, err := db.All(q, func(r db.Rows) (struct{}, error) {
		var e Entry
		var in string
		var retired *int64
		err := r.Scan(&e.ID, &e.Name, &in, &e.Active, &retired, &e.Has)
		if keep(e, retired != nil) {
			of[in] = append(of[in], e)
		}
		return struct{}{}, err
	}, `SELECT t.id, t.name, t.collection, t.active, t.retired_at, EXISTS (
			SELECT 1 FROM stamps s WHERE s.type_no = t.type_no AND s.person = $2 AND s.person <> '' AND s.revoked_at IS NULL)
		FROM stamp_types t WHERE t.org_id = $1 AND t.collection <> '' ORDER BY t.type_no`, org, string(who))
	if err != nil {
		return nil, fmt.Errorf("collections of stamps: %w", err)
	}
	all := make([]Collection, 0, len(of))
	for name, entries := range of {
		all = append(all, Collection{name, entries})
	}
	slices.SortFunc(all, func(a, b Collection) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.Name, b.Name))
	})
	return all, nil
}

// Page is which part of a list of stamps is shown.
type Page struct {
	Limit  int // 50 when 0
	Offset int
}

// Awards returns a page of the stamps of a type that are held, the newest first, and how many there are in all.
func Awards(q db.Querier, t Type, p Page) ([]Stamp, int, error) {
	return stamps(q, `s.type_no = $1 AND s.revoked_at IS NULL`, []any{t.No}, p)
}

// stamps returns a page of stamps, the newest first, and how many there are.
func stamps(q db.Querier, where string, args []any, p Page) ([]Stamp, int, error) {
	if p.Limit == 0 {
		p.Limit = 50
	}
	total, err := db.One(q, db.Value[int], `SELECT count(*) FROM stamps s WHERE `+where, args...)
	if err != nil {
		return nil, 0, fmt.Errorf("count stamps: %w", err)
	}
	page, err := db.All(q, scanStamp, fmt.Sprintf(selectStamp+`WHERE `+where+` ORDER BY s.awarded_at DESC, s.stamp_no DESC LIMIT $%d OFFSET $%d`, len(args)+1, len(args)+2),
		append(args, p.Limit, p.Offset)...)
	if err != nil {
		return nil, 0, fmt.Errorf("list stamps: %w", err)
	}
	return page, total, nil
}

// Given returns a page of the stamps of a type that are held, those that were awarded last for the first time first, before the stamp with a number (0 to begin). Whoever pages by the
// last one's number sees each that was there all the time once.
func Given(q db.Querier, t Type, before int64, limit int) ([]Stamp, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	page, err := db.All(q, scanStamp, selectStamp+`WHERE s.type_no = $1 AND s.stamp_no < $2 AND s.revoked_at IS NULL ORDER BY s.stamp_no DESC LIMIT $3`, t.No, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list stamps: %w", err)
	}
	return page, nil
}
