// Package message publishes an organisation's own events: any dotted name that is not one of ours, with any JSON object, on the same
// ledger and the same deliveries as everything that happens in the trade.
package message

import (
	"bytes"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// MaxData bounds a message's data, in bytes.
const MaxData = 256 << 10

// MaxKey bounds a message's key, in bytes.
const MaxKey = 255

// Message is one of an organisation's own events.
type Message struct {
	Event string // see [fact.ValidName] and [fact.Reserved]
	Data  []byte // a JSON object, which the caller has checked; it is copied
	Key   string // deliveries with the same key reach an endpoint in order; "" for no order
}

// Check says what is wrong with a message's name, size or key. pointer is where the message stands in the request's body, "" for all of it.
func (m Message) Check(pointer string, faults *problem.Fields) {
	switch {
	case !fact.ValidName(m.Event):
		faults.Add(pointer+"/event", "invalid_event_name", "An event's name has 2 to 8 dotted segments of letters, digits, _ and -, and 128 characters at most.")
	case fact.Reserved(m.Event):
		faults.Add(pointer+"/event", "reserved_event_name", "%q begins with a word that Stagedoor keeps for its own events; begin it with another, such as your company's name.", m.Event)
	}
	if len(m.Data) > MaxData {
		faults.Add(pointer+"/data", "too_large", "A message's data has %d bytes at most.", MaxData)
	}
	if len(m.Key) > MaxKey {
		faults.Add(pointer+"/key", "too_long", "A key has %d bytes at most.", MaxKey)
	}
}

// Ledger is the log of facts.
type Ledger interface {
	Append(tx *db.Tx, facts ...*fact.Fact) error
}

// Publish appends a fact for each message and returns their ids in the same order.
func Publish(tx *db.Tx, l Ledger, org int64, messages []Message) ([]id.Fact, error) {
	facts := make([]*fact.Fact, len(messages))
	for i, m := range messages {
		facts[i] = &fact.Fact{Org: org, Kind: fact.Kind(m.Event), Key: m.Key, Data: bytes.Clone(m.Data), Private: true}
	}
	if err := l.Append(tx, facts...); err != nil {
		return nil, err
	}
	ids := make([]id.Fact, len(facts))
	for i, f := range facts {
		ids[i] = f.ID
	}
	return ids, nil
}
