package pull

import (
	"errors"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

// Newest returns the id of the last event of an endpoint that [Depot.After] would have come to, also if it is deleted or over by now, and its place in the log;
// the zero values where there is none.
func (d *Depot) Newest(q db.Querier, e *Endpoint) (i id.Received, p ledger.Place, err error) {
	p, i.Seq, _, err = d.log.Newest(q, "endpoint_no = $1", e.No)
	if err != nil || i.Seq == 0 {
		return i, ledger.Place{}, err
	}
	at, err := db.One(q, db.Value[int64], `SELECT at FROM pull_events WHERE seq = $1 AND endpoint_no = $2`, i.Seq, e.No)
	if errors.Is(err, db.ErrNoRow) { // it was over, and has just been removed
		return id.Received{}, ledger.Place{}, nil
	}
	i.Millis = instant(at).UnixMilli()
	return i, p, err
}
