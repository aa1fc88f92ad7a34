package app

import (
	"context"
	"errors"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
)

// How holds and listings that nobody asks for come to their end: every so often, some events at once, and of each so many in one transaction.
const (
	sweepStockEvery = 2 * time.Second
	eventsAtOnce    = 100
	endAtOnce       = 50
)

// sweepStock has holds expire and listings leave the inventory that have come to their end, until ctx ends. For whoever needs their units, or would buy of them,
// they have by themselves, so nothing waits for this.
func (c *Core) sweepStock(ctx context.Context) {
	ticker := time.NewTicker(sweepStockEvery)
	defer ticker.Stop()
	for {
		if err := endAll(ctx, c, inventory.Due, c.Stock.ExpireSome); err != nil && ctx.Err() == nil {
			c.Log.Warn("expire holds", "err", err)
		}
		if err := endAll(ctx, c, inventory.Overdue, c.Stock.LapseSome); err != nil && ctx.Err() == nil {
			c.Log.Warn("take listings off the market", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// endAll has some of what is due of each event come to its end, until nothing is.
func endAll(ctx context.Context, c *Core, due func(db.Querier, time.Time, int) ([]inventory.Expiring, error),
	some func(tx *db.Tx, org, eventNo int64, limit int) (int, error),
) error {
	for ctx.Err() == nil {
		events, err := due(c.DB.Read(ctx), time.Now(), eventsAtOnce)
		if err != nil || len(events) == 0 {
			return err
		}
		ended := 0
		var failed []error
		for _, e := range events {
			n := 0
			err := c.DB.Write(ctx, string(e.EventID), func(tx *db.Tx) (err error) {
				n, err = some(tx, e.Org, e.EventNo, endAtOnce)
				return err
			})
			failed = append(failed, err) // the others go on
			ended += n
		}
		if err := errors.Join(failed...); err != nil || ended == 0 { // or the database's clock is behind ours
			return err
		}
	}
	return nil
}
