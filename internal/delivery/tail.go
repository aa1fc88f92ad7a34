package delivery

import (
	"context"
	"fmt"
	"strconv"
	"strings"
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

// appendEntry appends an attempt as it stands in a batch: a line of numbers (endpoint, fact, day, attempt, state, status, and microseconds: how long it
// took, and when it was), the webhook, the code, and the event's name. It is written for every attempt, so it is not JSON.
func appendEntry(b []byte, o *outcome) []byte {
	for _, n := range [...]int64{
		o.id.Endpoint, o.id.Seq, int64(o.id.Day), int64(o.attempt), int64(o.state), int64(o.status), o.out.Timing.Total.Microseconds(), o.at.UnixMicro(),
	} {
		b = append(strconv.AppendInt(b, n, 10), ' ')
	}
	b = append(append(b, o.webhook...), ' ')
	b = append(append(b, o.code...), ' ')
	return append(append(b, o.event...), '\n')
}

// Made returns the batch's attempts.
func (b Batch) Made() ([]Made, error) {
	var all []Made
	for line := range strings.Lines(b.entries) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 11)
		if len(fields) != 11 {
			return nil, fmt.Errorf("the log of attempts has the line %q", line)
		}
		var n [8]int64
		for i := range n {
			var err error
			if n[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
				return nil, fmt.Errorf("read the log of attempts: %w", err)
			}
		}
		all = append(all, Made{
			Delivery: id.Delivery{Day: int32(n[2]), Seq: n[1], Endpoint: n[0]}, Webhook: id.Webhook(fields[8]), Event: fields[10], Number: int(n[3]),
			State: stateName(int(n[4])), Status: int(n[5]), Code: fields[9], Took: micros(n[6]), At: time.UnixMicro(n[7]).UTC(),
		})
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
	byOrg := map[int64][]byte{}
	for _, o := range made {
		byOrg[o.org] = appendEntry(byOrg[o.org], o)
	}
	first, err := tx.Numbers(len(byOrg))
	if err != nil {
		return err
	}
	rows := make([][]any, 0, len(byOrg))
	for org, entries := range byOrg {
		rows = append(rows, []any{first + int64(len(rows)), int64(fact.Day(tx.Now())), org, tx.Micros(), string(entries)})
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
