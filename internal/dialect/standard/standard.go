// Package standard tells everything, in the form of Standard Webhooks 1.0.0: {type, timestamp, data}, signed in the webhook-… headers.
//
// A [Dialect] carries every native fact by its native name and an organisation's own messages by theirs. "timestamp" is the fact's instant
// with microseconds, "data" the fact's data. The header webhook-id is the fact's id, "evt_…", which is also what publishing a message
// answered; it is the same at every attempt and at every endpoint. What is in the data, package house says.
package standard

import (
	"context"

	"github.com/stagedoorhq/stagedoor/internal/dialect/house"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

// Dialect is the vocabulary of the house in this envelope. It is a delivery.Dialect and safe for use by many goroutines.
type Dialect struct{ house.Vocabulary }

// New makes the dialect.
func New(people house.People) *Dialect { return &Dialect{house.New("standard", people)} }

// ContentType is JSON.
func (*Dialect) ContentType() string { return "application/json" }

// Render makes the envelope of any fact. It fails for a message whose data was erased.
//
// This is on the way of every message, so the envelope is put together from bytes: a message costs one allocation, and its data is
// copied once and never parsed. Names of facts need no escapes (see [fact.ValidName]).
func (d *Dialect) Render(ctx context.Context, f *fact.Fact, e *endpoint.Endpoint) ([]byte, error) {
	data, err := d.Data(ctx, f, e)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, len(`{"type":"","timestamp":"","data":}`)+len(f.Kind)+len(house.Layout)+len(data))
	b = append(b, `{"type":"`...)
	b = append(b, f.Kind...)
	b = append(b, `","timestamp":"`...)
	b = f.At.UTC().AppendFormat(b, house.Layout)
	b = append(b, `","data":`...)
	b = append(b, data...)
	return append(b, '}'), nil
}
