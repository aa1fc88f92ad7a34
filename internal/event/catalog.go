package event

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Catalog says which part of an organisation's events, or of its venues, is wanted, for whoever copies them: each is listed once, in an order that what is
// added and changed meanwhile does not disturb, and who goes on behind the last of a page misses nothing.
type Catalog struct {
	UpdatedSince time.Time // zero for all
	Country      string    // ISO 3166-1 alpha-2; empty for all
	Near         *Circle   // of events only; nil for everywhere
	Deleted      bool      // of events only: those that were deleted, instead of the others
	ByUpdate     bool      // in the order of their last update; else of their numbers
	Descending   bool
	After        *Mark // the last of the page before; nil for the first page
	Offset       int   // instead of After
	Limit        int   // 1 and more
}

// Mark is a place in a catalog.
type Mark struct {
	UpdatedAt time.Time // where the order is ByUpdate
	No        int64
}

// Circle is a part of the Earth's surface.
type Circle struct {
	Latitude  float64 // degrees
	Longitude float64
	Radius    float64 // metres
}

const earthRadius = 6_371_008.8 // metres, on average

// within is a condition on the venue v, for the parameters a (latitude, in radians), b (longitude, in radians) and c (the haversine of the
// radius): the distance on a sphere, which is wrong by half a percent at most.
const within = `(v.latitude IS NOT NULL AND sin((radians(v.latitude) - {a}) / 2) * sin((radians(v.latitude) - {a}) / 2)
	+ cos({a}) * cos(radians(v.latitude)) * sin((radians(v.longitude) - {b}) / 2) * sin((radians(v.longitude) - {b}) / 2) <= {c})`

// clauses collects conditions and their arguments.
type clauses struct {
	where []string
	args  []any
}

func (c *clauses) arg(v any, kind string) string {
	c.args = append(c.args, v)
	return fmt.Sprintf("CAST($%d AS %s)", len(c.args), kind)
}

func (c *clauses) and(condition string) { c.where = append(c.where, condition) }

// page adds the place where a page begins, and returns how it is ordered and cut.
func (f Catalog) page(c *clauses, updated, no string) string {
	compare, direction := `>`, `ASC`
	if f.Descending {
		compare, direction = `<`, `DESC`
	}
	if f.After != nil && f.ByUpdate {
		at, last := c.arg(f.After.UpdatedAt.UnixMicro(), "BIGINT"), c.arg(f.After.No, "BIGINT")
		c.and(`(` + updated + `, ` + no + `) ` + compare + ` (` + at + `, ` + last + `)`)
	} else if f.After != nil {
		c.and(no + ` ` + compare + ` ` + c.arg(f.After.No, "BIGINT"))
	}
	order := ` ORDER BY `
	if f.ByUpdate {
		order += updated + ` ` + direction + `, `
	}
	order += no + ` ` + direction + ` LIMIT ` + c.arg(f.Limit, "BIGINT")
	if f.After == nil && f.Offset > 0 {
		order += ` OFFSET ` + c.arg(f.Offset, "BIGINT")
	}
	return order
}

// Events returns a page of events, drafts among them, and how many there are in all.
func Events(q db.Querier, org int64, f Catalog) (page []Event, total int, err error) {
	var c clauses
	c.and(`e.org_id = ` + c.arg(org, "BIGINT"))
	if f.Deleted {
		c.and(`e.status = 'deleted'`)
	} else {
		c.and(`e.status <> 'deleted'`)
	}
	if !f.UpdatedSince.IsZero() {
		c.and(`e.updated_at >= ` + c.arg(f.UpdatedSince.UnixMicro(), "BIGINT"))
	}
	if f.Country != "" {
		c.and(`v.country = ` + c.arg(strings.ToUpper(f.Country), "TEXT"))
	}
	if n := f.Near; n != nil {
		half := math.Sin(math.Min(n.Radius/earthRadius, math.Pi) / 2)
		c.and(strings.NewReplacer(
			`{a}`, c.arg(n.Latitude*math.Pi/180, "DOUBLE PRECISION"), `{b}`, c.arg(n.Longitude*math.Pi/180, "DOUBLE PRECISION"),
			`{c}`, c.arg(half*half, "DOUBLE PRECISION"),
		).Replace(within))
	}
	count := ` FROM events e`
	from := count + ` LEFT JOIN venues v ON v.venue_id = e.venue_id`
	if f.Country != "" || f.Near != nil {
		count = from
	}
	total, err = db.One(q, db.Value[int], `SELECT count(*)`+count+` WHERE `+strings.Join(c.where, ` AND `), c.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("count events of catalog: %w", err)
	}
	order := f.page(&c, `e.updated_at`, `e.event_no`)
	page, err = db.All(q, scan, `SELECT `+columns+from+` WHERE `+strings.Join(c.where, ` AND `)+order, c.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list events of catalog: %w", err)
	}
	return page, total, nil
}

// ByNo finds an event by its number, also one that was deleted, for what has named it; event_not_found.
func ByNo(q db.Querier, org, eventNo int64) (Event, error) {
	return found(db.One(q, scan, `SELECT `+columns+` FROM events e LEFT JOIN venues v ON v.venue_id = e.venue_id
		WHERE e.org_id = $1 AND e.event_no = $2`, org, eventNo))
}

// Deleted tells whether the event was taken out of the calendar; only [ByNo] and [Events] find such a one.
func (e Event) Deleted() bool { return e.Status == deleted }

const deleted Status = "deleted"

// Named finds an event that is called so, begins at an instant, and takes place in a venue, whatever its coordinates, and its region where none is given: the
// first of several, and none that is cancelled or over; event_not_found.
func Named(q db.Querier, org int64, name string, start time.Time, in Venue) (Event, error) {
	return found(db.One(q, scan, `SELECT `+columns+` FROM events e JOIN venues v ON v.venue_id = e.venue_id
		WHERE e.org_id = $1 AND e.starts_at = $2 AND e.name = $3 AND e.status IN ('draft', 'published', 'postponed')
			AND v.name = $4 AND v.city = $5 AND ($6 = '' OR v.region = $6) AND v.country = $7
		ORDER BY e.event_no LIMIT 1`, org, start.UnixMicro(), strings.TrimSpace(name),
		strings.TrimSpace(in.Name), strings.TrimSpace(in.City), strings.TrimSpace(in.Region), in.Country))
}

// Venues returns a page of venues with when each was updated, and how many there are in all. A venue is updated when it is first named, and when its
// coordinates change.
func Venues(q db.Querier, org int64, f Catalog) (page []Updated, total int, err error) {
	var c clauses
	c.and(`v.org_id = ` + c.arg(org, "BIGINT"))
	if !f.UpdatedSince.IsZero() {
		c.and(`v.updated_at >= ` + c.arg(f.UpdatedSince.UnixMicro(), "BIGINT"))
	}
	if f.Country != "" {
		c.and(`v.country = ` + c.arg(strings.ToUpper(f.Country), "TEXT"))
	}
	total, err = db.One(q, db.Value[int], `SELECT count(*) FROM venues v WHERE `+strings.Join(c.where, ` AND `), c.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("count venues: %w", err)
	}
	order := f.page(&c, `v.updated_at`, `v.venue_id`)
	page, err = db.All(q, func(r db.Rows) (u Updated, err error) {
		var at int64
		err = r.Scan(&u.ID, &u.Name, &u.City, &u.Region, &u.Country, &u.Latitude, &u.Longitude, &at)
		u.UpdatedAt = moment(at)
		return u, err
	}, `SELECT `+venueColumns+`, updated_at FROM venues v WHERE `+strings.Join(c.where, ` AND `)+order, c.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list venues: %w", err)
	}
	return page, total, nil
}

// Updated is a venue of a list.
type Updated struct {
	Venue
	UpdatedAt time.Time
}

// ByNos finds events by their numbers, also deleted ones. What there is not is left out.
func ByNos(q db.Querier, org int64, nos []int64) (map[int64]Event, error) {
	list, err := json.Marshal(nos)
	if err != nil {
		return nil, err
	}
	all := make(map[int64]Event, len(nos))
	if len(nos) == 0 {
		return all, nil
	}
	page, err := db.All(q, scan, `SELECT `+columns+` FROM events e LEFT JOIN venues v ON v.venue_id = e.venue_id
		WHERE e.org_id = $1 AND e.event_no IN ints($2)`, org, string(list))
	if err != nil {
		return nil, fmt.Errorf("load events: %w", err)
	}
	for _, e := range page {
		all[e.No] = e
	}
	return all, nil
}
