package event

import (
	"cmp"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Outcome says what an import did with a record.
type Outcome string

// The outcomes.
const (
	Added     Outcome = "added"
	Changed   Outcome = "changed"
	Unchanged Outcome = "unchanged"
	Refused   Outcome = "refused"
)

// Record is one event of a calendar that is imported: an [Input] whose ID is given and whose Status may be any but Draft and Completed.
// Published (or empty) says no more than that the event takes place: it publishes a postponed event again, and does not bring a cancelled
// one back.
type Record Input

// Imported is what became of a record.
type Imported struct {
	ID      id.Event
	Outcome Outcome
	Err     error // a problem, where the record was refused
}

// Import adds what is new, changes what differs, and leaves alone what is the same. A record that is not valid is refused and the others
// still come in. A description, category, URL, place, zone or currency that the record leaves out stays as it is; so does the status of
// what is still a draft, or over for good.
func (c *Calendar) Import(tx *db.Tx, org int64, records ...Record) ([]Imported, error) {
	all := make([]Imported, len(records))
	for i, r := range records {
		outcome, err := c.importOne(tx, org, Input(r))
		if err != nil && problem.As(err) == nil {
			return nil, fmt.Errorf("import event %s: %w", r.ID, err)
		}
		if err != nil {
			outcome = Refused
		}
		all[i] = Imported{ID: r.ID, Outcome: outcome, Err: err}
	}
	return all, nil
}

func (c *Calendar) importOne(tx *db.Tx, org int64, in Input) (Outcome, error) {
	if err := validID(in.ID); err != nil {
		return "", err
	}
	in.Status = cmp.Or(in.Status, Published)
	if in.Status != Published && in.Status != Postponed && in.Status != Cancelled {
		return "", problem.Field("/status", "invalid", "An imported event is published, postponed or cancelled.")
	}
	old, err := Lock(tx, org, in.ID)
	if problem.Is(err, "event_not_found") {
		_, err = c.add(tx, org, in)
		return Added, err
	}
	if err != nil {
		return "", err
	}
	in.keep(old)
	e, err := c.change(tx, org, old, in)
	if e.Version == old.Version {
		return Unchanged, err
	}
	return Changed, err
}

// keep takes over from the event what the record leaves out.
func (in *Input) keep(old Event) {
	was := old.input()
	in.Description = cmp.Or(in.Description, was.Description)
	in.Category = cmp.Or(in.Category, was.Category)
	in.URL = cmp.Or(in.URL, was.URL)
	in.Timezone = cmp.Or(in.Timezone, was.Timezone)
	in.Currency = cmp.Or(in.Currency, was.Currency)
	in.OnSaleAt, in.OffSaleAt = cmp.Or(in.OnSaleAt, was.OnSaleAt), cmp.Or(in.OffSaleAt, was.OffSaleAt)
	if in.Venue == "" && in.City == "" && in.Region == "" && in.Country == "" && !in.Online {
		in.Venue, in.City, in.Region, in.Country = was.Venue, was.City, was.Region, was.Country
	}
	if was.Status == Draft || was.Status == Cancelled || was.Status == Completed {
		in.Status = was.Status
	}
}
