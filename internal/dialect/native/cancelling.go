package native

import (
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/order"
)

// How cancelling all orders of an event goes on: so many in one transaction, so that orders of others get in between, and a look at what
// other nodes or a former life of this one have left every so often.
const (
	cancelAtOnce = 50
	lookAround   = 5 * time.Second
)

// wake has Run look for work at once. It never waits.
func (a *API) wake() {
	select {
	case a.work <- struct{}{}:
	default: // it is awake
	}
}

// Run does the work that outlives a request, until ctx ends. What is not finished then goes on with the next start, here or on another node.
func (a *API) Run(ctx context.Context) {
	tick := time.NewTicker(lookAround)
	defer tick.Stop()
	for {
		a.cancelAll(ctx)
		select {
		case <-a.work:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// cancelAll works on all cancellations in turns, until none is left.
func (a *API) cancelAll(ctx context.Context) {
	for ctx.Err() == nil {
		open, err := order.Cancellations(a.DB.Read(ctx))
		if err != nil {
			a.warn(ctx, err)
			return
		}
		going := false
		for _, c := range open {
			more, err := a.cancelSome(ctx, c)
			if err != nil {
				a.warn(ctx, err)
			}
			going = going || more && err == nil
		}
		if !going {
			return
		}
	}
}

func (a *API) cancelSome(ctx context.Context, c order.Cancellation) (more bool, err error) {
	err = a.DB.Write(ctx, string(c.EventID), func(tx *db.Tx) (err error) {
		c, err = a.Book.CancelSome(tx, c.Org, c.EventNo, cancelAtOnce)
		return err
	})
	return c.FinishedAt.IsZero(), err
}

func (a *API) warn(ctx context.Context, err error) {
	if ctx.Err() == nil {
		a.Log.Error("cancelling the orders of an event goes on later", "error", err)
	}
}
