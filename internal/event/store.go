package event

import (
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const (
	row = `event_no, org_id, id, name, description, category, url, online, venue_id, start_local, end_local, timezone, all_day, starts_at,
		ends_at, previous_start, currency, on_sale_at, off_sale_at, status, version, created_at, updated_at`
	columns = `e.event_no, e.id, e.name, e.description, e.category, e.url, e.online, e.start_local, e.end_local, e.timezone, e.all_day,
		e.starts_at, e.ends_at, e.previous_start, e.currency, e.on_sale_at, e.off_sale_at, e.status, e.version, e.created_at, e.updated_at,
		v.venue_id, v.name, v.city, v.region, v.country, v.latitude, v.longitude`
	// Only the event's row is locked: a venue is shared by many.
	locked = `WITH e AS (SELECT ` + row + ` FROM events WHERE org_id = $1 AND status <> 'deleted' AND `
	joined = ` /*for update*/) SELECT ` + columns + ` FROM e LEFT JOIN venues v ON v.venue_id = e.venue_id`
)

// ByID finds an event; event_not_found.
func ByID(q db.Querier, org int64, event id.Event) (Event, error) {
	return found(db.One(q, scan, `SELECT `+columns+` FROM events e LEFT JOIN venues v ON v.venue_id = e.venue_id
		WHERE e.org_id = $1 AND e.id = $2 AND e.status <> 'deleted'`, org, event))
}

// PublicByID is ByID for people outside of the organisation, for whom there are no drafts.
func PublicByID(q db.Querier, org int64, event id.Event) (Event, error) {
	return found(db.One(q, scan, `SELECT `+columns+` FROM events e LEFT JOIN venues v ON v.venue_id = e.venue_id
		WHERE e.org_id = $1 AND e.id = $2 AND e.status NOT IN ('deleted', 'draft')`, org, event))
}

// Lock is ByID, and keeps others from changing the event or its stock until the transaction ends. Those who lock it in the same transaction share one
// look at the database: of a rush, most want the same event.
func Lock(tx *db.Tx, org int64, event id.Event) (Event, error) {
	return lock(tx, lockedID{org, event}, locked+`id = $2`+joined, org, event)
}

// LockNo is Lock for an event's number.
func LockNo(tx *db.Tx, org, eventNo int64) (Event, error) {
	return lock(tx, lockedNo{org, eventNo}, locked+`event_no = $2`+joined, org, eventNo)
}

// lockedID and lockedNo are under what a transaction knows an event that it has locked.
type (
	lockedID struct {
		org int64
		id  id.Event
	}
	lockedNo struct{ org, no int64 }
)

func lock(tx *db.Tx, key any, sql string, args ...any) (Event, error) {
	if e, ok := tx.Known(key); ok {
		return e.(Event), nil
	}
	e, err := found(db.One(tx, scan, sql, args...))
	if err == nil {
		tx.Know(key, e)
	}
	return e, err
}

// forget is called by whoever changes an event.
func (e *Event) forget(tx *db.Tx, org int64) {
	tx.Forget(lockedID{org, e.ID})
	tx.Forget(lockedNo{org, e.No})
}

func found(e Event, err error) (Event, error) {
	if errors.Is(err, db.ErrNoRow) {
		return Event{}, problem.New(problem.NotFound, "event_not_found", "There is no such event here.")
	}
	if err != nil {
		return Event{}, fmt.Errorf("load event: %w", err)
	}
	return e, nil
}

func scan(r db.Rows) (Event, error) {
	var e Event
	var starts, ends, created, updated int64
	var previous, onSale, offSale, venue *int64
	var place [4]*string
	err := r.Scan(&e.No, &e.ID, &e.Name, &e.Description, &e.Category, &e.URL, &e.Online, &e.StartLocal, &e.EndLocal, &e.Timezone, &e.AllDay,
		&starts, &ends, &previous, &e.Currency, &onSale, &offSale, &e.Status, &e.Version, &created, &updated,
		&venue, &place[0], &place[1], &place[2], &place[3], &e.Venue.Latitude, &e.Venue.Longitude)
	if err != nil {
		return Event{}, err
	}
	e.StartsAt, e.EndsAt, e.CreatedAt, e.UpdatedAt = moment(starts), moment(ends), moment(created), moment(updated)
	e.PreviousStart, e.OnSaleAt, e.OffSaleAt = orZero(previous), orZero(onSale), orZero(offSale)
	if venue != nil {
		e.Venue.ID, e.Venue.Name, e.Venue.City, e.Venue.Region, e.Venue.Country = *venue, *place[0], *place[1], *place[2], *place[3]
	}
	return e, nil
}

// orZero and orNull are between the zero time and NULL.
func orZero(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return moment(*micros)
}

func orNull(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	micros := t.UnixMicro()
	return &micros
}

func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// insert writes a new event and fills in its number; event_exists.
func (e *Event) insert(tx *db.Tx, org int64) error {
	if err := e.Venue.settle(tx, org); err != nil {
		return err
	}
	no, err := db.One(tx, db.Value[int64], `
		INSERT INTO events (org_id, id, name, description, category, url, online, venue_id, start_local, end_local, timezone, all_day,
			starts_at, ends_at, currency, status, version, created_at, updated_at, on_sale_at, off_sale_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
		ON CONFLICT DO NOTHING RETURNING event_no`,
		org, e.ID, e.Name, e.Description, e.Category, e.URL, e.Online, e.Venue.orNull(), e.StartLocal, e.EndLocal, e.Timezone, e.AllDay,
		e.StartsAt.UnixMicro(), e.EndsAt.UnixMicro(), e.Currency, e.Status, e.Version, e.CreatedAt.UnixMicro(), e.UpdatedAt.UnixMicro(),
		orNull(e.OnSaleAt), orNull(e.OffSaleAt))
	if errors.Is(err, db.ErrNoRow) {
		return errExists(e.ID)
	}
	if err != nil {
		return fmt.Errorf("insert event: %w", err)
	}
	e.No = no
	return nil
}

func errExists(e id.Event) error {
	return problem.New(problem.Conflict, "event_exists", "There is an event %s already; change it, or choose another eventId.", e)
}

// update writes a changed event.
func (e *Event) update(tx *db.Tx, org int64) error {
	e.forget(tx, org)
	if err := e.Venue.settle(tx, org); err != nil {
		return err
	}
	_, err := tx.Exec(`
		UPDATE events SET name = $1, description = $2, category = $3, url = $4, online = $5, venue_id = $6, start_local = $7, end_local = $8,
			timezone = $9, all_day = $10, starts_at = $11, ends_at = $12, previous_start = $13, currency = $14, status = $15,
			version = $16, updated_at = $17, on_sale_at = $18, off_sale_at = $19
		WHERE org_id = $20 AND event_no = $21`,
		e.Name, e.Description, e.Category, e.URL, e.Online, e.Venue.orNull(), e.StartLocal, e.EndLocal,
		e.Timezone, e.AllDay, e.StartsAt.UnixMicro(), e.EndsAt.UnixMicro(), orNull(e.PreviousStart), e.Currency, e.Status,
		e.Version, e.UpdatedAt.UnixMicro(), orNull(e.OnSaleAt), orNull(e.OffSaleAt), org, e.No)
	if err != nil {
		return fmt.Errorf("update event %s: %w", e.ID, err)
	}
	return nil
}
