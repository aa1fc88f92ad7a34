package order

import (
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
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

	upto, reached int64
}

const (
	selectCancellation = `SELECT org_id, event_no, event_id, total, done, started_at, finished_at, upto, reached FROM cancellations `
	live               = `status IN ('provisional', 'confirmed', 'accepted', 'issue', 'fulfilled')`
)

func scanCancellation(r db.Rows) (Cancellation, error) {
	var c Cancellation
	var started int64
	var finished *int64
	err := r.Scan(&c.Org, &c.EventNo, &c.EventID, &c.Total, &c.Done, &started, &finished, &c.upto, &c.reached)
	c.StartedAt = moment(started)
	if finished != nil {
		c.FinishedAt = moment(*finished)
	}
	return c, err
}

// StartCancelling begins to cancel all orders that an event has now; [Book.CancelSome] does the work. While it goes on, starting it again
// answers how far it is. It fails with event_not_found.
func (b *Book) StartCancelling(tx *db.Tx, org int64, ev id.Event) (Cancellation, error) {
	e, err := event.Lock(tx, org, ev) // so no order is being placed
	if err != nil {
		return Cancellation{}, err
	}
	c, err := cancellationOf(tx, org, e.No)
	if err == nil && c.FinishedAt.IsZero() {
		return c, nil
	}
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return Cancellation{}, fmt.Errorf("load cancellation: %w", err)
	}
	c = Cancellation{Org: org, EventNo: e.No, EventID: ev, StartedAt: tx.Now()}
	_, err = db.One(tx, func(r db.Rows) (struct{}, error) { return struct{}{}, r.Scan(&c.Total, &c.upto) },
		`SELECT count(*), COALESCE(MAX(order_no), 0) FROM orders WHERE org_id = $1 AND event_no = $2 AND `+live, org, e.No)
	if err != nil {
		return Cancellation{}, fmt.Errorf("count orders to cancel: %w", err)
	}
	if c.Total == 0 {
		c.FinishedAt = tx.Now()
	}
	return c, c.write(tx)
}

func (c Cancellation) write(tx *db.Tx) error {
	var finished *int64
	if !c.FinishedAt.IsZero() {
		micros := c.FinishedAt.UnixMicro()
		finished = &micros
	}
	err := tx.Later(`
		INSERT INTO cancellations (event_no, org_id, event_id, upto, reached, total, done, started_at, finished_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (event_no) DO UPDATE SET upto = excluded.upto, reached = excluded.reached, total = excluded.total, done = excluded.done,
			started_at = excluded.started_at, finished_at = excluded.finished_at`,
		c.EventNo, c.Org, c.EventID, c.upto, c.reached, c.Total, c.Done, c.StartedAt.UnixMicro(), finished)
	if err != nil {
		return fmt.Errorf("write cancellation of event %s: %w", c.EventID, err)
	}
	return nil
}

// CancelSome cancels up to limit more orders and returns how far it is. When it is done already it does nothing.
func (b *Book) CancelSome(tx *db.Tx, org, eventNo int64, limit int) (Cancellation, error) {
	ev, err := event.LockNo(tx, org, eventNo)
	if err != nil {
		return Cancellation{}, err
	}
	c, err := cancellationOf(tx, org, eventNo)
	if errors.Is(err, db.ErrNoRow) {
		return Cancellation{}, errNeverStarted()
	}
	if err != nil {
		return Cancellation{}, fmt.Errorf("load cancellation: %w", err)
	}
	if !c.FinishedAt.IsZero() {
		return c, nil
	}
	orders, err := db.All(tx, scan, selectOrder+`WHERE o.org_id = $1 AND o.event_no = $2 AND o.order_no > $3 AND o.order_no <= $4 AND o.`+live+`
		ORDER BY o.order_no LIMIT $5 /*for update*/`, org, eventNo, c.reached, c.upto, limit)
	if err != nil {
		return Cancellation{}, fmt.Errorf("load orders to cancel: %w", err)
	}
	for _, o := range orders {
		if _, _, err := b.move(tx, org, ev, o, Cancelled); err != nil {
			return Cancellation{}, err
		}
		c.Done++
		c.reached = o.No
	}
	if len(orders) < limit {
		c.FinishedAt = tx.Now()
		c.Total = c.Done // the others were cancelled one by one meanwhile
	}
	return c, c.write(tx)
}

// CancellationOf returns how far the cancelling of an event's orders is; cancellation_not_found when it was never started.
func CancellationOf(q db.Querier, org int64, ev id.Event) (Cancellation, error) {
	c, err := db.One(q, scanCancellation, selectCancellation+`WHERE org_id = $1 AND event_id = $2 ORDER BY event_no DESC LIMIT 1`, org, ev)
	if errors.Is(err, db.ErrNoRow) {
		return Cancellation{}, errNeverStarted()
	}
	if err != nil {
		return Cancellation{}, fmt.Errorf("load cancellation: %w", err)
	}
	return c, nil
}

func cancellationOf(q db.Querier, org, eventNo int64) (Cancellation, error) {
	return db.One(q, scanCancellation, selectCancellation+`WHERE org_id = $1 AND event_no = $2`, org, eventNo)
}

func errNeverStarted() error {
	return problem.New(problem.NotFound, "cancellation_not_found", "Nobody has asked to cancel this event's orders.")
}

// Cancellations lists those that go on, of all organisations, for whoever runs them.
func Cancellations(q db.Querier) ([]Cancellation, error) {
	return db.All(q, scanCancellation, selectCancellation+`WHERE finished_at IS NULL ORDER BY event_no`)
}
