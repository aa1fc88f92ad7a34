package stamp

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// MaxTypes is how many stamp types an organisation has at most, but for those that are retired.
const MaxTypes = 1_000

// Type is a kind of stamp that can be earned.
type Type struct {
	No          int64 // the number that other tables carry
	ID          id.StampType
	Name        string
	Description string
	Art         string // an https URL, or a data: URL with a PNG or a harmless SVG; may be empty
	Collection  string // the name of the collection that it belongs to; may be empty
	Rule        Rule
	Active      bool      // its rule awards it; by hand it can be awarded anyway
	RetiredAt   time.Time // when it was deleted, though it stays in passports; zero for what is not
	Version     int64     // 1 and growing
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Retired tells whether the type was deleted.
func (t Type) Retired() bool { return !t.RetiredAt.IsZero() }

// Input is what a stamp type is made from. Lengths are in characters.
type Input struct {
	Name        string // 1 to 200, one line
	Description string // at most 2,000
	Art         string // see Type; data: URLs have 16,384 bytes at most
	Collection  string // at most 200, one line
	Rule        Rule
	Inactive    bool
}

// Patch is a change to a stamp type: what is nil stays. An empty text clears its field.
type Patch struct {
	Version     int64 // If-Match: the version that the change was made for; 0 for whatever there is
	Name        *string
	Description *string
	Art         *string
	Collection  *string
	Rule        *Rule // all of it
	Active      *bool
}

// fill checks the input and puts what it says into the type.
func (t *Type) fill(q db.Querier, org int64, in Input) error {
	var f problem.Fields
	t.Name = line(&f, "/name", in.Name, 200)
	if t.Name == "" {
		f.Add("/name", "required", "Give the stamp a name.")
	}
	t.Description = prose(&f, "/description", in.Description, 2_000)
	t.Collection = line(&f, "/collection", in.Collection, 200)
	t.Art = in.Art
	if err := checkArt(in.Art); err != nil {
		f.Add("/art", "invalid_art", "%s.", upper(err.Error()))
	}
	t.Rule, t.Active = in.Rule, !in.Inactive
	t.Rule.fill(&f)
	if err := f.Err(); err != nil || t.Rule.Event == "" {
		return err
	}
	_, err := event.ByID(q, org, t.Rule.Event)
	return err
}

func (t Type) input() Input {
	return Input{Name: t.Name, Description: t.Description, Art: t.Art, Collection: t.Collection, Rule: t.Rule, Inactive: !t.Active}
}

// Create makes a stamp type. It fails with field errors, event_not_found and too_many_stamp_types.
func (a *Album) Create(tx *db.Tx, org int64, in Input) (Type, error) {
	t := Type{ID: id.NewStampType(), Version: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	if err := t.fill(tx, org, in); err != nil {
		return Type{}, err
	}
	n, err := db.One(tx, db.Value[int], `SELECT count(*) FROM stamp_types WHERE org_id = $1 AND retired_at IS NULL`, org)
	if err == nil && n >= MaxTypes {
		err = problem.New(problem.Conflict, "too_many_stamp_types", "There are %d stamp types already; delete one that nobody needs.", n)
	}
	if err == nil {
		t.No, err = db.One(tx, db.Value[int64], `INSERT INTO stamp_types (org_id, id, name, description, art, collection, rule, event_id, venue, threshold, counts,
				per_event, revoke_on_undo, active, version, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) RETURNING type_no`,
			org, t.ID, t.Name, t.Description, t.Art, t.Collection, t.Rule.On, t.Rule.Event, t.Rule.Venue, t.Rule.Threshold, t.Rule.Counts, t.Rule.Repeat == PerEvent,
			t.Rule.RevokeOnUndo, t.Active, t.Version, t.CreatedAt.UnixMicro(), t.UpdatedAt.UnixMicro())
	}
	if err != nil {
		return Type{}, fmt.Errorf("create stamp type: %w", err)
	}
	return t, nil
}

// Update changes a stamp type. What was awarded stays as it is, but is shown with the new name and art. It fails with field errors, stamp_type_not_found,
// version_mismatch, stamp_type_retired, event_not_found, and with stamp_type_awarded where the change would make one stamp of many.
func (a *Album) Update(tx *db.Tx, org int64, one id.StampType, p Patch) (Type, error) {
	t, err := lockType(tx, org, one)
	if err == nil {
		err = t.is(p.Version)
	}
	if err != nil {
		return Type{}, err
	}
	if t.Retired() {
		return Type{}, errRetired()
	}
	was, in := t, t.input()
	set(&in.Name, p.Name)
	set(&in.Description, p.Description)
	set(&in.Art, p.Art)
	set(&in.Collection, p.Collection)
	set(&in.Rule, p.Rule)
	if p.Active != nil {
		in.Inactive = !*p.Active
	}
	if err := t.fill(tx, org, in); err != nil || t == was {
		return t, err
	}
	if t.Rule.Repeat != was.Rule.Repeat {
		awarded, err := t.awarded(tx)
		if err != nil {
			return Type{}, err
		}
		if awarded {
			return Type{}, problem.New(problem.Conflict, "stamp_type_awarded",
				"How often a person can have this stamp stays as it is, because it was awarded; make another stamp type.")
		}
	}
	return t, t.write(tx)
}

// Delete deletes a stamp type that nobody ever had, and retires one that was awarded: it is awarded no more, and passports go on showing it. Deleting what
// is retired is fine. version is If-Match, 0 for whatever there is. It fails with stamp_type_not_found and version_mismatch.
func (a *Album) Delete(tx *db.Tx, org int64, one id.StampType, version int64) error {
	t, err := lockType(tx, org, one)
	if err == nil {
		err = t.is(version)
	}
	if err != nil || t.Retired() {
		return err
	}
	awarded, err := t.awarded(tx)
	if err != nil {
		return err
	}
	if awarded {
		t.Active, t.RetiredAt = false, tx.Now()
		return t.write(tx)
	}
	if _, err := tx.Exec(`DELETE FROM stamp_types WHERE type_no = $1 AND org_id = $2`, t.No, org); err != nil {
		return fmt.Errorf("delete stamp type: %w", err)
	}
	return nil
}

// is fails where another version was meant.
func (t Type) is(version int64) error {
	if version == 0 || version == t.Version {
		return nil
	}
	return problem.New(problem.Precondition, "version_mismatch",
		"The stamp type has version %d by now, not %d; read it again and repeat the change.", t.Version, version)
}

// awarded tells whether anybody ever had a stamp of the type.
func (t Type) awarded(q db.Querier) (bool, error) {
	return db.One(q, db.Value[bool], `SELECT EXISTS (SELECT 1 FROM stamps WHERE type_no = $1)`, t.No)
}

func (t *Type) write(tx *db.Tx) error {
	t.Version, t.UpdatedAt = t.Version+1, tx.Now()
	_, err := tx.Exec(`UPDATE stamp_types SET name = $2, description = $3, art = $4, collection = $5, rule = $6, event_id = $7, venue = $8, threshold = $9,
			counts = $10, per_event = $11, revoke_on_undo = $12, active = $13, retired_at = $14, version = $15, updated_at = $16 WHERE type_no = $1`,
		t.No, t.Name, t.Description, t.Art, t.Collection, t.Rule.On, t.Rule.Event, t.Rule.Venue, t.Rule.Threshold, t.Rule.Counts, t.Rule.Repeat == PerEvent,
		t.Rule.RevokeOnUndo, t.Active, micros(t.RetiredAt), t.Version, t.UpdatedAt.UnixMicro())
	if err != nil {
		return fmt.Errorf("update stamp type: %w", err)
	}
	return nil
}

func errRetired() error {
	return problem.New(problem.Conflict, "stamp_type_retired", "This stamp type was deleted: it stays in passports, and is neither changed nor awarded any more.")
}

func errTypeNotFound() error {
	return problem.New(problem.NotFound, "stamp_type_not_found", "There is no such stamp type here.")
}

func set[T any](place, v *T) {
	if v != nil {
		*place = *v
	}
}

// line checks a text that stands on one line.
func line(f *problem.Fields, pointer, s string, most int) string {
	if strings.ContainsFunc(s, unicode.IsControl) {
		f.Add(pointer, "invalid", "This text stands on one line, without control characters.")
	}
	return prose(f, pointer, s, most)
}

// prose checks a text that may have several lines.
func prose(f *problem.Fields, pointer, s string, most int) string {
	switch {
	case !utf8.ValidString(s) || strings.Contains(s, "\x00"): // PostgreSQL takes neither
		f.Add(pointer, "invalid", "This is not text in UTF-8.")
	case utf8.RuneCountInString(s) > most:
		f.Add(pointer, "too_long", "At most %d characters are taken.", most)
	}
	return strings.TrimSpace(s)
}

// upper is a text with a capital at its beginning.
func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
