package order

import (
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// Cancellation is the progress of cancelling all orders of an event.
type Cancellation struct {
	Org        int64
	EventNo    int64
	EventID    id.Event
	Total      int // orders that were live when it began
	Done       int
	StartedAt  time.Time
	FinishedAt time.Time // zero while it goes on
}

// StartCancelling begins to cancel all orders that an event has now; [Book.CancelSome] does the work. While it goes on, starting it again
// answers how far it is. It fails with event_not_found.
func (b *Book) StartCancelling(tx *db.Tx, org int64, event id.Event) (Cancellation, error) {
	panic("unwritten")
}

// CancelSome cancels up to limit more orders and returns how far it is.
func (b *Book) CancelSome(tx *db.Tx, org, eventNo int64, limit int) (Cancellation, error) {
	panic("unwritten")
}

// CancellationOf returns how far the cancelling of an event's orders is; cancellation_not_found when it was never started.
func CancellationOf(q db.Querier, org int64, event id.Event) (Cancellation, error) {
	panic("unwritten")
}

// Cancellations lists those that go on, of all organisations, for whoever runs them.
func Cancellations(q db.Querier) ([]Cancellation, error) { panic("unwritten") }
