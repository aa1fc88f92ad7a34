package inbound

import (
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

// Event is one request that an endpoint took.
type Event struct {
	ID        id.Fact
	Endpoint  int64 // its number
	At        time.Time
	Name      string // what the body calls it, in event or type; may be empty
	Known     bool   // the name is one of a vocabulary that the program speaks
	Signature Signature
	Headers   map[string]string
	Body      []byte // as it came; nil when it was erased
	Status    int    // what it was answered
}

// Signature is what came of checking a signature.
type Signature struct {
	Verdict string // verified, failed or none
	Scheme  string // of package webhook, "" for none
	Reason  string // why it is not verified
}

// The verdicts.
const (
	Verified = "verified"
	Failed   = "failed"
	None     = "none"
)

// Shown is how an event is shown, in lists and in streams alike.
type Shown struct {
	ID         string            `json:"id" doc:"As it was answered to the sender."`
	Event      string            `json:"event" doc:"What the body calls it, in event or else in type; empty when it says nothing."`
	Known      bool              `json:"known" doc:"Whether that is a name of a vocabulary that the server speaks."`
	ReceivedAt fact.Instant      `json:"receivedAt" format:"date-time"`
	Signature  ShownSignature    `json:"signature"`
	Headers    map[string]string `json:"headers" doc:"Without the values of credentials."`
	Body       string            `json:"body" doc:"As it came."`
	Answer     ShownAnswer       `json:"answer"`
}

// ShownSignature is the signature of [Shown].
type ShownSignature struct {
	Verdict string `json:"verdict" enum:"verified,failed,none" doc:"none where the request has no signature."`
	Scheme  string `json:"scheme,omitempty" enum:"pullup,portal,standard,static" doc:"Which headers it was found in."`
	Reason  string `json:"reason,omitempty" doc:"Why it is not verified."`
}

// ShownAnswer is the answer of [Shown].
type ShownAnswer struct {
	Status int `json:"status"`
}

// Show returns the event as it is shown.
func (e Event) Show() Shown {
	return Shown{
		ID: e.ID.String(), Event: e.Name, Known: e.Known, ReceivedAt: fact.Instant(e.At), Signature: ShownSignature(e.Signature), Headers: e.Headers, Body: string(e.Body),
		Answer: ShownAnswer{e.Status},
	}
}

const eventColumns = "seq, day, endpoint_no, at, event, known, verdict, scheme, reason, headers, body, answer_status"

func scanEvent(r db.Rows, more ...any) (e Event, err error) {
	var at int64
	var headers string
	err = r.Scan(append([]any{
		&e.ID.Seq, &e.ID.Day, &e.Endpoint, &at, &e.Name, &e.Known, &e.Signature.Verdict, &e.Signature.Scheme, &e.Signature.Reason, &headers, &e.Body, &e.Status,
	}, more...)...)
	e.At = time.UnixMicro(at).UTC()
	return e, errors.Join(err, json.Unmarshal([]byte(headers), &e.Headers))
}

// Events returns an endpoint's events, newest first, and whether there are more. before is the number of the last one of the page before, 0 for the first page.
func (b *Box) Events(q db.Querier, e *Endpoint, before int64, limit int) (page []Event, more bool, err error) {
	if before == 0 {
		before = math.MaxInt64
	}
	rows, err := q.Query(`SELECT `+eventColumns+` FROM inbound_events WHERE endpoint_no = $1 AND org_id = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4`,
		e.No, e.Org, before, limit+1)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	for size := 0; rows.Next(); {
		if len(page) == limit || size > pageBytes {
			return page, true, nil
		}
		one, err := scanEvent(rows)
		if err != nil {
			return nil, false, err
		}
		page = append(page, one)
		size += len(one.Body)
	}
	return page, false, rows.Err()
}

// pageBytes is how much the bodies of a page may have before it ends, whatever it was asked for.
const pageBytes = 4 << 20

// After returns up to limit events of an endpoint that stand after a place in the log, in order.
func (b *Box) After(q db.Querier, endpoint int64, p ledger.Place, limit int) ([]ledger.Placed[Event], error) {
	return ledger.After(b.log, q, p, limit, ledger.Query{Columns: eventColumns, Where: "endpoint_no = $1", Args: []any{endpoint}}, scanEvent)
}

// Arrival is an event that is not read yet.
type Arrival struct {
	Seq      int64
	Endpoint int64
	At       time.Time
}

// Arrivals returns what all endpoints have taken after a place in the log, in order.
func (b *Box) Arrivals(q db.Querier, p ledger.Place, limit int) ([]ledger.Placed[Arrival], error) {
	return ledger.After(b.log, q, p, limit, ledger.Query{Columns: "seq, endpoint_no, at"}, func(r db.Rows, more ...any) (a Arrival, err error) {
		var at int64
		err = r.Scan(append([]any{&a.Seq, &a.Endpoint, &at}, more...)...)
		a.At = time.UnixMicro(at)
		return a, err
	})
}

// Load returns an event, or [db.ErrNoRow] when it has gone.
func (b *Box) Load(q db.Querier, a Arrival) (Event, error) {
	return db.One(q, func(r db.Rows) (Event, error) { return scanEvent(r) },
		`SELECT `+eventColumns+` FROM inbound_events WHERE seq = $1 AND endpoint_no = $2`, a.Seq, a.Endpoint)
}

// PlaceOf returns where an endpoint's event stands in the log. It reports false for one that has gone, or never was there.
func (b *Box) PlaceOf(q db.Querier, e *Endpoint, evt string) (ledger.Place, bool, error) {
	f, ok := id.ParseFact(evt)
	if !ok || f == (id.Fact{}) {
		return ledger.Place{}, ok, nil // the zero id stands before the first
	}
	return b.log.Find(q, f.Seq, "endpoint_no = $1 AND day = $2", e.No, f.Day)
}

// Newest returns the id of the newest of an endpoint's events, and where it stands; the zero values when there is none.
func (b *Box) Newest(q db.Querier, e *Endpoint) (f id.Fact, p ledger.Place, err error) {
	p, seq, found, err := b.log.Newest(q, "endpoint_no = $1", e.No)
	if err != nil || !found {
		return f, ledger.Place{}, err
	}
	newest, err := b.Load(q, Arrival{Seq: seq, Endpoint: e.No})
	return newest.ID, p, err
}
