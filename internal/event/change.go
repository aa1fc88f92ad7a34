package event

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// next lists where an event may go from a status.
var next = map[Status][]Status{
	Draft:     {Published},
	Published: {Postponed, Cancelled, Completed},
	Postponed: {Published, Cancelled},
	Cancelled: {},
	Completed: {},
}

// Next lists where an event may go from a status, in the order of the domain's table.
func Next(from Status) []Status { return slices.Clone(next[from]) }

// Create makes an event. It fails with event_exists when the id is taken, and with field errors.
func (c *Calendar) Create(tx *db.Tx, org int64, in Input) (Event, error) {
	switch in.Status {
	case "":
		in.Status = Published
	case Draft, Published:
	default:
		return Event{}, problem.Field("/status", "invalid", "A new event is draft or published.")
	}
	if in.ID != "" {
		if err := validID(in.ID); err != nil {
			return Event{}, err
		}
		if _, err := ByID(tx, org, in.ID); err == nil {
			return Event{}, errExists(in.ID)
		} else if !problem.Is(err, "event_not_found") {
			return Event{}, err
		}
	} else {
		in.ID = id.NewEvent()
	}
	return c.add(tx, org, in)
}

// add makes an event of whatever status.
func (c *Calendar) add(tx *db.Tx, org int64, in Input) (Event, error) {
	if err := in.defaults(tx, org); err != nil {
		return Event{}, err
	}
	e := Event{ID: in.ID, Status: in.Status, Version: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	if err := e.fill(in); err != nil {
		return Event{}, err
	}
	if err := e.insert(tx, org); err != nil {
		return Event{}, err
	}
	kinds := map[Status]fact.Kind{Published: fact.EventPublished, Postponed: fact.EventPostponed, Cancelled: fact.EventCancelled}
	return e, c.tell(tx, org, kinds[e.Status], e, nil)
}

// defaults fills in what the organisation says.
func (in *Input) defaults(q db.Querier, orgNo int64) error {
	if in.Timezone != "" && in.Currency != "" {
		return nil
	}
	o, err := org.ByNumber(q, orgNo)
	if err != nil {
		return err
	}
	if in.Timezone == "" {
		in.Timezone = o.Timezone
	}
	if in.Currency == "" {
		in.Currency = o.Currency
	}
	return nil
}

// Patch is a change to an event: what is nil stays. An empty text clears its field.
type Patch struct {
	Version     int64 // If-Match: the version that the change was made for; 0 for whatever there is
	Name        *string
	Description *string
	Category    *string
	URL         *string
	Online      *bool
	StartLocal  *string
	EndLocal    *string
	Timezone    *string
	AllDay      *bool
	Venue       *string
	City        *string
	Region      *string
	Country     *string
	Latitude    *float64 // with Longitude; of the venue, also where it is that of other events
	Longitude   *float64
	Currency    *money.Currency
	OnSaleAt    *time.Time // zero for no bound
	OffSaleAt   *time.Time
	Status      *Status
}

func (p Patch) apply(in *Input) {
	set(&in.Name, p.Name)
	set(&in.Description, p.Description)
	set(&in.Category, p.Category)
	set(&in.URL, p.URL)
	set(&in.Online, p.Online)
	set(&in.StartLocal, p.StartLocal)
	set(&in.EndLocal, p.EndLocal)
	set(&in.Timezone, p.Timezone)
	set(&in.AllDay, p.AllDay)
	set(&in.Venue, p.Venue)
	set(&in.City, p.City)
	set(&in.Region, p.Region)
	set(&in.Country, p.Country)
	in.Latitude, in.Longitude = p.Latitude, p.Longitude
	set(&in.Currency, p.Currency)
	set(&in.OnSaleAt, p.OnSaleAt)
	set(&in.OffSaleAt, p.OffSaleAt)
	set(&in.Status, p.Status)
}

func set[T any](place, v *T) {
	if v != nil {
		*place = *v
	}
}

// Update changes an event. It fails with event_not_found, version_mismatch, invalid_transition and field errors. Status cancelled stops
// the sale; orders stay as they are.
func (c *Calendar) Update(tx *db.Tx, org int64, event id.Event, p Patch) (Event, error) {
	old, err := Lock(tx, org, event)
	if err != nil {
		return Event{}, err
	}
	if err := matches(old, p.Version); err != nil {
		return Event{}, err
	}
	in := old.input()
	p.apply(&in)
	return c.change(tx, org, old, in)
}

func matches(e Event, version int64) error {
	if version != 0 && version != e.Version {
		return problem.New(problem.Precondition, "version_mismatch",
			"The event has version %d by now, not %d; read it again and repeat the change.", e.Version, version)
	}
	return nil
}

// change makes the event what in says, and tells the world once if that is anything new.
func (c *Calendar) change(tx *db.Tx, org int64, old Event, in Input) (Event, error) {
	if err := mayGo(old.Status, in.Status); err != nil {
		return Event{}, err
	}
	e := old
	if err := e.fill(in); err != nil {
		return Event{}, err
	}
	e.Status = in.Status
	changes := differences(old, e)
	if len(changes) == 0 {
		return old, nil
	}
	if old.Status != Draft && !e.StartsAt.Equal(old.StartsAt) {
		e.PreviousStart = old.StartsAt
	}
	e.Version, e.UpdatedAt = old.Version+1, tx.Now()
	if err := e.update(tx, org); err != nil {
		return Event{}, err
	}
	return e, c.tell(tx, org, kindOf(old, e), e, changes)
}

func mayGo(from, to Status) error {
	if _, known := next[to]; !known {
		return problem.Field("/status", "invalid", "%q is not a status of events; use draft, published, postponed, cancelled or completed.", clip(string(to)))
	}
	if from == to || slices.Contains(next[from], to) {
		return nil
	}
	detail := "A %s event cannot become %s."
	if from == Draft {
		detail = "A %s event cannot become %s; publish it, or delete it."
	}
	return problem.New(problem.Conflict, "invalid_transition", detail, from, to)
}

// kindOf says which fact a change is. Nothing that happens to a draft is one.
func kindOf(old, e Event) fact.Kind {
	switch {
	case e.Status == Draft:
		return ""
	case old.Status == Draft:
		return fact.EventPublished
	case e.Status == Cancelled && old.Status != Cancelled:
		return fact.EventCancelled
	case e.Status == Postponed && old.Status != Postponed:
		return fact.EventPostponed
	case e.Status == Published && !e.StartsAt.Equal(old.StartsAt):
		return fact.EventRescheduled
	}
	return fact.EventChanged
}

// tell appends the fact; an empty kind is none.
func (c *Calendar) tell(tx *db.Tx, org int64, kind fact.Kind, e Event, changes []string) error {
	if kind == "" {
		return nil
	}
	s := e.Snapshot()
	s.Changes = changes
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := c.ledger.Append(tx, &fact.Fact{Org: org, Kind: kind, Subject: string(e.ID), Version: e.Version, Data: data}); err != nil {
		return fmt.Errorf("append %s: %w", kind, err)
	}
	return nil
}

// Cancel is Update with the status cancelled. Cancelling twice is fine.
func (c *Calendar) Cancel(tx *db.Tx, org int64, event id.Event) (Event, error) {
	status := Cancelled
	return c.Update(tx, org, event, Patch{Status: &status})
}

// Delete takes an event that never had an order out of the calendar, with what [Calendar.OnDelete] says; its id may then be used again. It fails with
// event_not_found, version_mismatch, and event_has_orders: such an event can be cancelled instead. version is If-Match, 0 for whatever there is.
func (c *Calendar) Delete(tx *db.Tx, org int64, event id.Event, version int64) error {
	e, err := Lock(tx, org, event)
	if err != nil {
		return err
	}
	if err := matches(e, version); err != nil {
		return err
	}
	ordered, err := c.ordered(tx, org, e.No)
	if err != nil {
		return err
	}
	if ordered {
		return problem.New(problem.Conflict, "event_has_orders",
			"The event has orders or holds, which have to be able to name it. Cancel it instead: PATCH its status to cancelled.")
	}
	if c.gone != nil {
		if err := c.gone(tx, org, e); err != nil {
			return err
		}
	}
	e.forget(tx, org)
	// The row stays, for its number is in listings and facts. "~" is in no event's id, so the id is free again.
	_, err = tx.Exec(`UPDATE events SET id = id || '~' || event_no, status = 'deleted', version = version + 1, updated_at = $1
		WHERE org_id = $2 AND event_no = $3`, tx.Micros(), org, e.No)
	if err != nil {
		return fmt.Errorf("delete event %s: %w", event, err)
	}
	kind := fact.EventDeleted
	if e.Status == Draft {
		kind = ""
	}
	e.Version, e.UpdatedAt = e.Version+1, tx.Now()
	return c.tell(tx, org, kind, e, nil)
}
