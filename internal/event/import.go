package event

import (
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
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
// still come in. A description, category, URL or place that the record leaves out stays as it is; so does a draft's status.
func (c *Calendar) Import(tx *db.Tx, org int64, records ...Record) ([]Imported, error) {
	panic("unwritten")
}
