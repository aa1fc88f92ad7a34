package delivery

import (
	"errors"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Redeliver makes a delivery due again, whatever came of it. It keeps its id, and its retries begin anew. What is pending is due at once; what is
// being sent at this moment stays as it is.
func (e *Engine) Redeliver(tx *db.Tx, to *endpoint.Endpoint, d id.Delivery) error {
	if err := mustBeOn(to); err != nil {
		return err
	}
	if d.Endpoint != to.Number {
		return notFound(d)
	}
	n, err := tx.Exec(`UPDATE deliveries SET state = 0, due = $1, owner = 0, series = attempt
		WHERE endpoint_id = $2 AND fact_seq = $3 AND day = $4 AND org_id = $5 AND NOT (state = 0 AND owner <> 0 AND due > $1)`,
		tx.Micros(), d.Endpoint, d.Seq, d.Day, to.Org)
	if err != nil {
		return err
	}
	if n == 0 {
		_, err := db.One(tx, db.Value[int64], "SELECT state FROM deliveries WHERE endpoint_id = $1 AND fact_seq = $2 AND day = $3 AND org_id = $4",
			d.Endpoint, d.Seq, d.Day, to.Org)
		if errors.Is(err, db.ErrNoRow) {
			return notFound(d)
		}
		return err
	}
	tx.OnCommit(func() { e.poller.hot(to.Number) })
	return nil
}

// recoverAtOnce is how many deliveries a recovery makes due in the caller's transaction.
const recoverAtOnce = 2 * part

// Recover makes everything due again that failed or was skipped for facts since an instant, and returns how many deliveries that is. Of more than
// a thousand, the rest follows in transactions of their own.
func (e *Engine) Recover(tx *db.Tx, to *endpoint.Endpoint, since time.Time) (int, error) {
	if err := mustBeOn(to); err != nil {
		return 0, err
	}
	const which = "endpoint_id = $1 AND org_id = $2 AND at >= $3 AND state IN (2, 3)"
	n, err := db.One(tx, db.Value[int], "SELECT count(*) FROM deliveries WHERE "+which, to.Number, to.Org, since.UnixMicro())
	if err != nil || n == 0 {
		return 0, err
	}
	if n > recoverAtOnce {
		return n, e.chores.recoverLater(tx, to, since)
	}
	if _, err := tx.Exec("UPDATE deliveries SET state = 0, due = $4, owner = 0, series = attempt WHERE "+which, to.Number, to.Org, since.UnixMicro(),
		tx.Micros()); err != nil {
		return 0, err
	}
	tx.OnCommit(func() { e.poller.hot(to.Number) })
	return n, nil
}

func mustBeOn(to *endpoint.Endpoint) error {
	if !to.Enabled() {
		return problem.New(problem.Conflict, "webhook_inactive", "The webhook is not active; set active to true first.")
	}
	return nil
}
