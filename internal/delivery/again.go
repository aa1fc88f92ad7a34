package delivery

import (
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
		if err != nil {
			return notFound(d)
		}
		return nil
	}
	tx.OnCommit(func() { e.poller.hot(to.Number) })
	return nil
}

// Recover makes everything due again that failed or was skipped for facts since an instant, and returns how many deliveries that is.
func (e *Engine) Recover(tx *db.Tx, to *endpoint.Endpoint, since time.Time) (int, error) {
	if err := mustBeOn(to); err != nil {
		return 0, err
	}
	n, err := tx.Exec(`UPDATE deliveries SET state = 0, due = $1, owner = 0, series = attempt
		WHERE endpoint_id = $2 AND org_id = $3 AND at >= $4 AND state IN (2, 3)`, tx.Micros(), to.Number, to.Org, since.UnixMicro())
	if err != nil {
		return 0, err
	}
	tx.OnCommit(func() { e.poller.hot(to.Number) })
	return int(n), nil
}

func mustBeOn(to *endpoint.Endpoint) error {
	if !to.Enabled() {
		return problem.New(problem.Conflict, "webhook_inactive", "The webhook is not active; set active to true first.")
	}
	return nil
}
