package app

import (
	"context"

	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/eventfile"
)

// Import writes the events of a file into an organisation's calendar: see [event.Calendar.Load].
func (c *Core) Import(ctx context.Context, org int64, r *eventfile.Reader, listen event.LoadListener) (event.Loaded, error) {
	return c.Events.Load(ctx, c.DB, org, r, listen)
}

// Import is what an import has done.
type Import = event.Loaded

// ImportListener is told how an import goes.
type ImportListener = event.LoadListener
