package app

import (
	"context"
	"errors"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
)

// How holds that nobody asks for expire: every so often, some events at once, and of each so many holds in one transaction.
const (
	sweepHoldsEvery = 2 * time.Second
	eventsAtOnce    = 100
	holdsAtOnce     = 50
)

// sweepHolds has holds expire that have come to their end, until ctx ends. Whoever needs their units before that has them expire by themselves, so nothing
// waits for this.
func (c *Core) sweepHolds(ctx context.Context) {
	ticker := time.NewTicker(sweepHoldsEvery)
	defer ticker.Stop()
	for {
		if err := c.expireHolds(ctx); err != nil && ctx.Err() == nil {
			c.Log.Warn("expire holds", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (c *Core) expireHolds(ctx context.Context) error {
	for ctx.Err() == nil {
		events, err := inventory.Due(c.DB.Read(ctx), time.Now(), eventsAtOnce)
		if err != nil || len(events) == 0 {
			return err
		}
		expired := 0
		var failed []error
		for _, e := range events {
			n := 0
			err := c.DB.Write(ctx, string(e.EventID), func(tx *db.Tx) (err error) {
				n, err = c.Stock.ExpireSome(tx, e.Org, e.EventNo, holdsAtOnce)
				return err
			})
			failed = append(failed, err) // the others go on
			expired += n
		}
		if err := errors.Join(failed...); err != nil || expired == 0 { // or the database's clock is behind ours
			return err
		}
	}
	return nil
}
