package app

import (
	"context"
)

// Served says where a server listens.
type Served struct {
	URL     string // of the API, such as http://127.0.0.1:8080
	Metrics string // URL of the metrics listener, "" when there is none
}

// Serve serves the API and sends deliveries until ctx ends, then stops gracefully. ready is called once it answers; it may be nil.
func (c *Core) Serve(ctx context.Context, ready func(Served)) error {
	_, _ = ctx, ready
	panic("unwritten")
}
