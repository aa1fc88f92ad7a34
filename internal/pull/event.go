package pull

import (
	"errors"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Status is how far an event has come. It only goes forward.
type Status string

// The statuses.
const (
	Stored    Status = "stored"    // it came
	Fetched   Status = "fetched"   // it was handed out
	Delivered Status = "delivered" // it was acknowledged
)

// statuses are in the order of their numbers in the table. An event that is deleted has a number that is higher by gone.
var statuses = [...]Status{Stored, Fetched, Delivered}

const gone = 3

// ParseStatus reads a status. It reports false for text that is none.
func ParseStatus(s string) (Status, bool) {
	for _, one := range statuses {
		if string(one) == s {
			return one, true
		}
	}
	return "", false
}

// Event is one request that an endpoint took, without its payload.
type Event struct {
	ID          id.Received
	Endpoint    int64  // its No
	Type        string // "" where there is none to be found
	ContentType string // of the request; may be empty
	Status      Status
	Size        int64 // bytes of the body
	ReceivedAt  time.Time
	FetchedAt   time.Time // zero when it was not; also when it was acknowledged without
	DeliveredAt time.Time
	DeletedAt   time.Time
	DeletedBy   string        // the id of the person or the key
	LeasedUntil time.Time     // until when a claim's lease lasts, or has lasted; zero for none
	Took        time.Duration // from the request's arrival until it was written down

	org   int64
	day   int64
	dedup []byte
	due   int64
}

// Deleted tells whether the event was deleted.
func (e Event) Deleted() bool { return !e.DeletedAt.IsZero() }

// Cursor is where a page that ends with the event goes on.
func (e Event) Cursor() Cursor { return Cursor{At: e.ReceivedAt, No: e.ID.Seq} }

// Cursor is a place in a list: behind the event or rejection with this instant and number. The zero Cursor is before the first.
type Cursor struct {
	At time.Time
	No int64
}

// Timing says how long the steps of an event took; nil where one was not taken.
type Timing struct {
	Ingest  time.Duration  // from the request's arrival until it was on its way to disk
	ToFetch *time.Duration // from then until it was first handed out
	ToAck   *time.Duration // from there to the acknowledgement
	Total   *time.Duration // from being received to the acknowledgement
}

// Timing returns how long the event's steps took.
func (e Event) Timing() Timing {
	t := Timing{Ingest: e.Took}
	between := func(from, to time.Time) *time.Duration {
		if from.IsZero() || to.IsZero() {
			return nil
		}
		d := max(0, to.Sub(from))
		return &d
	}
	t.ToFetch, t.ToAck, t.Total = between(e.ReceivedAt, e.FetchedAt), between(e.FetchedAt, e.DeliveredAt), between(e.ReceivedAt, e.DeliveredAt)
	return t
}

// Payload are the bytes of a request.
type Payload struct {
	Head   []byte // its header lines as they came, each ended by CRLF; where that is not known, in the order of their names
	Body   []byte // as it came; never nil, but for what was erased
	Erased bool   // a person was in it
}

// Field is a header line.
type Field struct{ Name, Value string }

// Fields are the header lines in their order, with names as they came.
func (p Payload) Fields() []Field {
	var all []Field
	for line := range strings.Lines(string(p.Head)) {
		if n := len(all); n > 0 && (line[0] == ' ' || line[0] == '\t') { // of the line before (RFC 9112 §5.2)
			all[n-1].Value = strings.TrimLeft(all[n-1].Value+" "+strings.Trim(line, " \t\r\n"), " ")
			continue
		}
		name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if ok {
			all = append(all, Field{name, strings.Trim(value, " \t")})
		}
	}
	return all
}

const eventColumns = `v.seq, v.day, v.org_id, v.endpoint_no, v.at, v.state, v.type, v.content_type, v.size, v.took, v.dedup, v.fetched_at, v.delivered_at, v.deleted_at,
	v.deleted_by, v.due`

// bareColumns are the same where the table has no other name.
var bareColumns = strings.ReplaceAll(eventColumns, "v.", "")

func scanEvent(r db.Rows, more ...any) (e Event, err error) {
	var at, state, took int64
	var fetched, delivered, deleted *int64
	var by *string
	err = r.Scan(append([]any{
		&e.ID.Seq, &e.day, &e.org, &e.Endpoint, &at, &state, &e.Type, &e.ContentType, &e.Size, &took, &e.dedup, &fetched, &delivered, &deleted, &by, &e.due,
	}, more...)...)
	if err != nil {
		return e, err
	}
	e.ReceivedAt, e.Took, e.Status = instant(at), time.Duration(took)*time.Microsecond, statuses[state%gone]
	e.ID.Millis = e.ReceivedAt.UnixMilli()
	e.FetchedAt, e.DeliveredAt, e.DeletedAt = maybe(fetched), maybe(delivered), maybe(deleted)
	if by != nil {
		e.DeletedBy = *by
	}
	if e.due != 0 {
		e.LeasedUntil = instant(e.due)
	}
	return e, nil
}

func scanOne(r db.Rows) (Event, error) { return scanEvent(r) }

func maybe(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return instant(*micros)
}

func noEvent() error {
	return problem.New(problem.NotFound, "event_not_found", "There is no such event at this pull endpoint.")
}

// cutoff is the instant at and before which what an endpoint has taken is over.
func (d *Depot) cutoff(q db.Querier, e *Endpoint) int64 {
	return d.now(q).Add(-e.Retention()).UnixMicro()
}

// Find returns an event of the endpoint, also one that was deleted, or a NotFound problem.
func (d *Depot) Find(q db.Querier, e *Endpoint, i id.Received) (Event, error) {
	return d.find(q, e, i, "")
}

func (d *Depot) find(q db.Querier, e *Endpoint, i id.Received, lock string) (Event, error) {
	v, err := db.One(q, scanOne, `SELECT `+eventColumns+` FROM pull_events v WHERE v.seq = $1 AND +v.endpoint_no = $2 AND +v.org_id = $3 AND +v.at > $4 `+lock,
		i.Seq, e.No, e.Org, d.cutoff(q, e))
	if errors.Is(err, db.ErrNoRow) || err == nil && v.ID != i {
		return Event{}, noEvent()
	}
	return v, err
}

// Payload returns an event's payload without moving the event. One that was deleted gives a Gone problem.
func (d *Depot) Payload(q db.Querier, e *Endpoint, v Event) (Payload, error) {
	if v.Endpoint != e.No {
		return Payload{}, noEvent()
	}
	if v.Deleted() {
		return Payload{}, isDeleted()
	}
	return payload(q, v)
}

func isDeleted() error {
	return problem.New(problem.Gone, "message_deleted", "The event was deleted; its payload is not kept any more.")
}

func payload(q db.Querier, v Event) (Payload, error) {
	p, err := db.One(q, scanPayload, `SELECT p.head, p.body FROM pull_payloads p WHERE p.seq = $1
		AND EXISTS (SELECT 1 FROM pull_events v WHERE v.seq = p.seq AND v.state < 3)`, v.ID.Seq)
	if errors.Is(err, db.ErrNoRow) {
		return Payload{}, isDeleted() // meanwhile
	}
	return p, err
}

func scanPayload(r db.Rows) (p Payload, err error) {
	err = r.Scan(&p.Head, &p.Body)
	p.Erased = p.Body == nil
	return p, err
}

// Filter says which of an endpoint's events are wanted. The zero value of a field means all.
type Filter struct {
	Status []Status
	Type   string
	Since  time.Time // received at or after
	Before time.Time // received before
}

// Log is the log of what was taken, whose rows are read with [Depot.After].
func (d *Depot) Log() *ledger.Log { return d.log }

// After returns up to limit events of an endpoint that stand after a place in the log, in order, without those that are deleted or over. (The signs keep both
// databases from an index that is not in this order.)
func (d *Depot) After(q db.Querier, e *Endpoint, p ledger.Place, limit int) ([]ledger.Placed[Event], error) {
	return ledger.After(d.log, q, p, limit, ledger.Query{
		Columns: bareColumns, Where: "endpoint_no = $1 AND +state < 3 AND +at > $2", Args: []any{e.No, d.cutoff(q, e)},
	}, scanEvent)
}

// Arrivals returns what all endpoints have taken after a place in the log, in order, also what is deleted by now.
func (d *Depot) Arrivals(q db.Querier, p ledger.Place, limit int) ([]ledger.Placed[Event], error) {
	return ledger.After(d.log, q, p, limit, ledger.Query{Columns: bareColumns}, scanEvent)
}

// PlaceOf returns where an endpoint's event stands in the log. It reports false for one that has gone, or never was there.
func (d *Depot) PlaceOf(q db.Querier, e *Endpoint, i id.Received) (ledger.Place, bool, error) {
	return d.log.Find(q, i.Seq, "endpoint_no = $1", e.No)
}
