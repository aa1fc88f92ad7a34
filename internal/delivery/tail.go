package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

// Made is an attempt that was made, as the log of attempts tells of it.
type Made struct {
	Delivery id.Delivery
	Webhook  id.Webhook
	Event    string // as the webhook's format calls it
	Number   int
	State    string // of the delivery after it: delivered, failed, or pending when it will be tried again
	Status   int    // of the answer, or 0
	Code     string // why it failed without an answer, or ""
	Took     time.Duration
	At       time.Time
}

// Batch is what one transaction wrote down of an organisation's attempts.
type Batch struct {
	Org     int64
	At      time.Time
	entries string
}

// Size is how many bytes of memory the batch takes.
func (b Batch) Size() int { return len(b.entries) }

// entry is an attempt in a batch.
type entry struct {
	Endpoint int64      `json:"e"`
	Fact     int64      `json:"f"`
	Day      int32      `json:"d"`
	Webhook  id.Webhook `json:"w"`
	Event    string     `json:"v"`
	Number   int        `json:"n"`
	State    int        `json:"s"`
	Status   int        `json:"h"`
	Code     string     `json:"c,omitempty"`
	Took     int64      `json:"t"` // microseconds, as is
	At       int64      `json:"a"`
}

// Made returns the batch's attempts.
func (b Batch) Made() ([]Made, error) {
	var entries []entry
	if err := json.Unmarshal([]byte(b.entries), &entries); err != nil {
		return nil, fmt.Errorf("read the log of attempts: %w", err)
	}
	all := make([]Made, len(entries))
	for i, n := range entries {
		all[i] = Made{
			Delivery: id.Delivery{Day: n.Day, Seq: n.Fact, Endpoint: n.Endpoint}, Webhook: n.Webhook, Event: n.Event, Number: n.Number,
			State: stateName(n.State), Status: n.Status, Code: n.Code, Took: micros(n.Took), At: time.UnixMicro(n.At).UTC(),
		}
	}
	return all, nil
}

// LogTo has the engine keep the log of attempts, in the order of the ledger's places. It is called before Run.
func (e *Engine) LogTo(l *ledger.Ledger) {
	e.log = l.Log("attempt_log", "seq bigint", "day bigint", "org_id bigint", "at bigint", "entries text")
}

// AttemptLog is the log of attempts; nil when none is kept.
func (e *Engine) AttemptLog() *ledger.Log { return e.log }

// AttemptsAfter returns up to limit batches of an organisation, or of all when org is 0, that stand after a place in the log of attempts.
func (e *Engine) AttemptsAfter(q db.Querier, org int64, p ledger.Place, limit int) ([]ledger.Placed[Batch], error) {
	which := ledger.Query{Columns: "org_id, at, entries", Where: "org_id = $1", Args: []any{org}}
	if org == 0 {
		which.Where, which.Args = "", nil
	}
	return ledger.After(e.log, q, p, limit, which, func(r db.Rows, more ...any) (b Batch, err error) {
		var at int64
		err = r.Scan(append([]any{&b.Org, &at, &b.entries}, more...)...)
		b.At = time.UnixMicro(at)
		return b, err
	})
}

// AttemptsKept is how long the log of attempts goes back at least.
const AttemptsKept = 7 * 24 * time.Hour

// logAttempts writes what a transaction settles into the log.
func (e *Engine) logAttempts(tx *db.Tx, made []*outcome) error {
	if e.log == nil || len(made) == 0 {
		return nil
	}
	byOrg := map[int64][]entry{}
	for _, o := range made {
		byOrg[o.org] = append(byOrg[o.org], entry{
			Endpoint: o.id.Endpoint, Fact: o.id.Seq, Day: o.id.Day, Webhook: o.webhook, Event: o.event, Number: o.attempt, State: o.state,
			Status: o.status, Code: o.code, Took: o.out.Timing.Total.Microseconds(), At: o.at.UnixMicro(),
		})
	}
	first, err := tx.Numbers(len(byOrg))
	if err != nil {
		return err
	}
	rows := make([][]any, 0, len(byOrg))
	for org, entries := range byOrg {
		text, err := json.Marshal(entries)
		if err != nil {
			return err
		}
		rows = append(rows, []any{first + int64(len(rows)), int64(fact.Day(tx.Now())), org, tx.Micros(), string(text)})
	}
	return e.log.Append(tx, rows...)
}

// SweepLog forgets attempts in the log that are older than [AttemptsKept], in steps.
func (e *Engine) SweepLog(ctx context.Context) error {
	const some = 1000
	for n := int64(some); n == some && ctx.Err() == nil; {
		err := e.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
			n, err = tx.Exec(`DELETE FROM attempt_log WHERE seq IN (SELECT seq FROM (SELECT seq, at FROM attempt_log ORDER BY seq LIMIT $1) o WHERE o.at < $2)`,
				some, tx.Now().Add(-AttemptsKept).UnixMicro())
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Dialect returns the dialect of a format, or nil.
func (e *Engine) Dialect(format string) Dialect { return e.dialects[format] }

// Render makes the envelope that an endpoint of its format would get of a fact, without sending it.
func (e *Engine) Render(ctx context.Context, to *endpoint.Endpoint, f *fact.Fact) ([]byte, error) {
	return settings{to: to, dialect: e.dialects[to.Format]}.render(ctx, f)
}
