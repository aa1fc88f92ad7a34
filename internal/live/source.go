package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

const (
	atOnce   = 256  // entries that a tail reads at once
	pageSize = 1000 // facts that a page of the past looks at
	batches  = 32   // rows of the log of attempts, each of which has up to a thousand
	events   = 16   // events of an endpoint that are read at once: each may be large
)

// message is an event of a stream without its id; an event without a name is what browsers call a message. JSON has no line breaks, so its data is one line.
func message(event string, data any) ([]byte, error) {
	var b bytes.Buffer
	if event != "" {
		b.WriteString("event: " + event + "\n")
	}
	b.WriteString("data: ")
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	err := w.Encode(data)
	b.WriteByte('\n')
	return b.Bytes(), err
}

// factJSON is a fact as streams tell of it: by its native name, with its own data.
type factJSON struct {
	ID      string          `json:"id"`
	Kind    fact.Kind       `json:"kind"`
	Subject string          `json:"subject"`
	Version int64           `json:"version"`
	At      fact.Instant    `json:"at"`
	Data    json.RawMessage `json:"data"`
}

type factSource struct{ *Streams }

func (s factSource) last(ctx context.Context) (ledger.Place, error) {
	return s.Ledger.Last(s.DB.Read(ctx))
}

func (s factSource) listen() (<-chan struct{}, func()) { return s.Ledger.Listen() }

func (s factSource) next(ctx context.Context, after ledger.Place) ([]*entry, bool, error) {
	found, err := s.Ledger.After(s.DB.Read(ctx), after, atOnce)
	return s.entries(found, true), len(found) == atOnce, err
}

func (s factSource) page(ctx context.Context, org int64, after ledger.Place) ([]*entry, ledger.Place, bool, error) {
	q, done, err := s.read(ctx)
	if err != nil {
		return nil, after, false, err
	}
	defer done()
	found, last, more, err := s.Ledger.OfOrg(q, org, after, pageSize)
	return s.entries(found, false), last, more, err
}

// entries are facts as entries. The data of private ones may have to be loaded.
func (s factSource) entries(found []ledger.Entry, load bool) []*entry {
	all := make([]*entry, len(found))
	for i, one := range found {
		f := one.Fact
		all[i] = &entry{place: one.Place, topic: f.Org, at: f.At, fact: f, make: func(ctx context.Context) ([]part, error) {
			data, err := s.data(ctx, f, load)
			if err != nil {
				return nil, err
			}
			payload, err := message("fact", factJSON{f.ID.String(), f.Kind, f.Subject, f.Version, fact.Instant(f.At), data})
			return []part{{payload: payload}}, err
		}}
		all[i].size.Store(int64(len(f.Data)))
	}
	return all
}

// data is a fact's; null where it has none, or none any more.
func (s *Streams) data(ctx context.Context, f *fact.Fact, load bool) (json.RawMessage, error) {
	if load && f.Private && f.Data == nil {
		loaded, err := ledger.Load(s.DB.Read(ctx), []int64{f.ID.Seq})
		if err != nil || len(loaded) == 0 {
			return nil, err
		}
		return loaded[0].Data, nil
	}
	return f.Data, nil
}

// attemptJSON is an attempt as streams tell of it.
type attemptJSON struct {
	Delivery string       `json:"deliveryId"`
	Webhook  id.Webhook   `json:"webhookId"`
	Event    string       `json:"event"`
	Number   int          `json:"n"`
	State    string       `json:"state"`
	Status   int          `json:"status"`
	Outcome  string       `json:"outcome"`
	Millis   float64      `json:"durationMs"`
	At       fact.Instant `json:"at"`
}

func newAttempt(m delivery.Made) attemptJSON {
	j := attemptJSON{
		Delivery: m.Delivery.String(), Webhook: m.Webhook, Event: m.Event, Number: m.Number, State: m.State, Status: m.Status, Outcome: m.Code,
		Millis: float64(m.Took.Microseconds()) / 1000, At: fact.Instant(m.At),
	}
	switch {
	case j.Outcome != "":
	case m.State == "delivered":
		j.Outcome = "ok"
	default:
		j.Outcome = "bad_status"
	}
	return j
}

type attemptSource struct{ *Streams }

func (s attemptSource) last(ctx context.Context) (ledger.Place, error) {
	return s.Engine.AttemptLog().Last(s.DB.Read(ctx))
}

func (s attemptSource) listen() (<-chan struct{}, func()) { return s.Engine.AttemptLog().Listen() }

func (s attemptSource) next(ctx context.Context, after ledger.Place) ([]*entry, bool, error) {
	found, err := s.Engine.AttemptsAfter(s.DB.Read(ctx), 0, after, batches)
	return attemptEntries(found), len(found) == batches, err
}

func (s attemptSource) page(ctx context.Context, org int64, after ledger.Place) ([]*entry, ledger.Place, bool, error) {
	q, done, err := s.read(ctx)
	if err != nil {
		return nil, after, false, err
	}
	defer done()
	found, err := s.Engine.AttemptsAfter(q, org, after, batches)
	return attemptEntries(found), lastOf(found, after), len(found) == batches, err
}

func lastOf[T any](found []ledger.Placed[T], otherwise ledger.Place) ledger.Place {
	if len(found) == 0 {
		return otherwise
	}
	return found[len(found)-1].Place
}

func attemptEntries(found []ledger.Placed[delivery.Batch]) []*entry {
	all := make([]*entry, len(found))
	for i, one := range found {
		all[i] = &entry{place: one.Place, topic: one.Row.Org, at: one.Row.At, make: func(context.Context) ([]part, error) {
			made, err := one.Row.Made()
			if err != nil {
				return nil, err
			}
			parts := make([]part, len(made))
			for i, m := range made {
				payload, err := message("attempt", newAttempt(m))
				if err != nil {
					return nil, err
				}
				parts[i] = part{payload: payload, webhook: m.Delivery.Endpoint}
			}
			return parts, nil
		}}
		all[i].size.Store(int64(one.Row.Size()))
	}
	return all
}

type eventSource struct{ *Streams }

func (s eventSource) last(ctx context.Context) (ledger.Place, error) {
	return s.Box.Log().Last(s.DB.Read(ctx))
}

func (s eventSource) listen() (<-chan struct{}, func()) { return s.Box.Log().Listen() }

// next reads where and whose the events are, and nothing more: they may be large, and perhaps nobody wants them.
func (s eventSource) next(ctx context.Context, after ledger.Place) ([]*entry, bool, error) {
	found, err := s.Box.Arrivals(s.DB.Read(ctx), after, atOnce)
	all := make([]*entry, len(found))
	for i, one := range found {
		all[i] = &entry{place: one.Place, topic: one.Row.Endpoint, at: one.Row.At, make: func(ctx context.Context) ([]part, error) {
			e, err := s.Box.Load(s.DB.Read(ctx), one.Row)
			if errors.Is(err, db.ErrNoRow) {
				return nil, nil // it went before anybody saw it
			}
			if err != nil {
				return nil, err
			}
			return eventParts(e)
		}}
	}
	return all, len(found) == atOnce, err
}

func (s eventSource) page(ctx context.Context, endpoint int64, after ledger.Place) ([]*entry, ledger.Place, bool, error) {
	q, done, err := s.read(ctx)
	if err != nil {
		return nil, after, false, err
	}
	defer done()
	found, err := s.Box.After(q, endpoint, after, events)
	all := make([]*entry, len(found))
	for i, one := range found {
		all[i] = &entry{place: one.Place, topic: endpoint, at: one.Row.At, make: func(context.Context) ([]part, error) { return eventParts(one.Row) }}
	}
	return all, lastOf(found, after), len(found) == events, err
}

func eventParts(e inbound.Event) ([]part, error) {
	payload, err := message("", e.Show())
	return []part{{id: e.ID.String(), payload: payload}}, err
}

// loadTimeout bounds how long one entry takes to be read, for whoever else waits for it.
const loadTimeout = 10 * time.Second
