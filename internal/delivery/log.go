package delivery

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Record is a delivery as its endpoint's owner sees it.
type Record struct {
	ID        id.Delivery
	Fact      *fact.Fact
	Event     string // as the endpoint's format calls it
	State     string // pending, delivered, failed or skipped
	Attempts  []Attempt
	Next      time.Time // of the next attempt; zero when there is none, and while one is under way
	CreatedAt time.Time
}

// Attempt is an attempt that was made.
type Attempt struct {
	Number int
	At     time.Time
	Status int    // of the answer, or 0
	Code   string // why it failed without an answer, or ""
	Detail string
	// RequestHead is lines of "Name: value": as sent when the attempt failed; of one that succeeded as it would be sent now for that instant.
	RequestHead  string
	RequestBody  []byte // kept bytes, or rendered again; nil when neither can be had
	Exact        bool   // RequestBody's hash agrees with that of the bytes that were sent
	ResponseHead string
	ResponseBody []byte // the first 16 KiB
	DNS          time.Duration
	Connect      time.Duration
	TLS          time.Duration
	FirstByte    time.Duration
	Total        time.Duration

	hash []byte
}

// Filter selects deliveries. Zero fields select everything.
type Filter struct {
	State  string
	Event  string // as the endpoint's format calls it
	Since  time.Time
	Until  time.Time
	Before int64 // only facts with a lower number: where the page before ended
	Limit  int
}

// stateNumbers are the states' names in the order of their numbers.
var stateNumbers = []string{"pending", "delivered", "failed", "skipped"}

// List returns an endpoint's deliveries, newest first, and whether there are more.
func (e *Engine) List(ctx context.Context, to *endpoint.Endpoint, f Filter) (page []Record, more bool, err error) {
	if f.State != "" && !slices.Contains(stateNumbers, f.State) {
		return nil, false, problem.New(problem.Invalid, "invalid_state", "There is no state %q; use one of %s.", f.State, strings.Join(stateNumbers, ", "))
	}
	after, before, err := numbersIn(e.DB.Read(ctx), to.Number, span{f.Since, f.Until})
	if err != nil {
		return nil, false, err
	}
	if f.Before != 0 {
		before = min(before, f.Before)
	}
	event := e.named(to, f.Event)
	for read := 0; ; {
		size := f.Limit + 1
		if event != nil {
			size = max(size, 100) // most are of another event
		}
		rows, err := e.newest(e.DB.Read(ctx), to, f.State, after, before, span{f.Since, f.Until}, size)
		if err != nil {
			return nil, false, err
		}
		some, err := e.records(ctx, e.DB.Read(ctx), to, rows, f.Limit+1-len(page), event)
		if err != nil {
			return nil, false, err
		}
		if page = append(page, some...); len(page) > f.Limit {
			return page[:f.Limit], true, nil
		}
		if len(rows) < size {
			return page, false, nil
		}
		before = rows[len(rows)-1].id.Seq
		if read += len(rows); read >= mostRead {
			if len(page) == 0 {
				return nil, false, problem.New(problem.Invalid, "filter_too_wide", "None of the %d deliveries that were looked at is a %q; give until to look further back.",
					read, f.Event)
			}
			return page, true, nil
		}
	}
}

const newestText = `d.endpoint_id = $1 AND d.org_id = $2 AND d.fact_seq >= $3 AND d.fact_seq < $4 AND d.at >= $5 AND d.at < $6`

// listed is the text of [Engine.newest] for a state.
func listed(engine db.Engine, state string) string {
	sql := listText + newestText + stateIs[state] + ` ORDER BY d.fact_seq DESC LIMIT $7`
	if state == "pending" {
		return sql // of many
	}
	return by(engine, state, sql)
}

// newest returns the newest of an endpoint's deliveries in a state whose numbers lie between two, and which are of a span.
func (e *Engine) newest(q db.Querier, to *endpoint.Endpoint, state string, after, before int64, in span, limit int) ([]row, error) {
	if state == "pending" {
		numbers, few, err := e.pendingOf(q, to.Number, before, in, false, limit)
		if err != nil {
			return nil, err
		}
		if few {
			list, err := json.Marshal(append([]int64{}, numbers...))
			if err != nil {
				return nil, err
			}
			return e.rows(q, `d.endpoint_id = $1 AND d.org_id = $2 AND d.fact_seq IN ints($3) ORDER BY d.fact_seq DESC`, to.Number, to.Org, string(list))
		}
	}
	since, until := int64(0), int64(math.MaxInt64)
	if !in.since.IsZero() {
		since = in.since.UnixMicro()
	}
	if !in.until.IsZero() {
		until = in.until.UnixMicro()
	}
	return e.selected(q, listed(e.DB.Engine(), state), to.Number, to.Org, after, before, since, until, limit)
}

// mostRead bounds how many deliveries are looked at for a page.
const mostRead = 10_000

// named returns what tells whether an event has the name in the endpoint's format; nil where any will do. The table does not know events.
func (e *Engine) named(to *endpoint.Endpoint, event string) func(*fact.Fact) bool {
	if event == "" {
		return nil
	}
	set := e.Subscriptions.Now()
	return func(f *fact.Fact) bool {
		name, ok := set.EventName(to.Format, f)
		return ok && name == event
	}
}

// Lookup returns one delivery of an endpoint, or a NotFound problem.
func (e *Engine) Lookup(ctx context.Context, to *endpoint.Endpoint, d id.Delivery) (Record, error) {
	return e.lookup(ctx, e.DB.Read(ctx), to, d)
}

// LookupIn is Lookup as a transaction sees it.
func (e *Engine) LookupIn(tx *db.Tx, to *endpoint.Endpoint, d id.Delivery) (Record, error) {
	return e.lookup(context.Background(), tx, to, d)
}

func (e *Engine) lookup(ctx context.Context, q db.Querier, to *endpoint.Endpoint, d id.Delivery) (Record, error) {
	if d.Endpoint != to.Number {
		return Record{}, notFound(d)
	}
	rows, err := e.rows(q, "d.endpoint_id = $1 AND d.fact_seq = $2 AND d.day = $3 AND d.org_id = $4", d.Endpoint, d.Seq, d.Day, to.Org)
	if err != nil {
		return Record{}, err
	}
	records, err := e.records(ctx, q, to, rows, 1, nil)
	if err != nil {
		return Record{}, err
	}
	if len(records) == 0 {
		return Record{}, notFound(d)
	}
	return records[0], nil
}

func notFound(d id.Delivery) error {
	return problem.New(problem.NotFound, "delivery_not_found", "This webhook has no delivery %s.", d)
}

type row struct {
	id    id.Delivery
	at    int64
	state int
	due   int64 // 0 while an attempt is under way: what the table has then is the end of its lease
}

func (e *Engine) rows(q db.Querier, where string, args ...any) ([]row, error) {
	return e.selected(q, listText+where, args...)
}

func (e *Engine) selected(q db.Querier, sql string, args ...any) ([]row, error) {
	return db.All(q, func(r db.Rows) (v row, err error) {
		return v, r.Scan(&v.id.Endpoint, &v.id.Seq, &v.id.Day, &v.at, &v.state, &v.due)
	}, sql, args...)
}

const listText = "SELECT d.endpoint_id, d.fact_seq, d.day, d.at, d.state, CASE WHEN d.owner = 0 THEN d.due ELSE 0 END FROM deliveries d WHERE "

// records reads what belongs to the first of the rows that are wanted, up to most: the facts, the attempts, and the bytes that were sent.
func (e *Engine) records(ctx context.Context, q db.Querier, to *endpoint.Endpoint, rows []row, most int, wanted func(*fact.Fact) bool) ([]Record, error) {
	facts, err := e.facts(q, rows)
	if err != nil {
		return nil, err
	}
	var some []row
	var numbers []int64
	for _, r := range rows {
		f := facts[r.id.Seq] // nil when retention has taken it
		if f != nil && (wanted == nil || wanted(f)) && len(some) < most {
			some = append(some, r)
			numbers = append(numbers, r.id.Seq)
		}
	}
	if len(some) == 0 {
		return nil, nil
	}
	attempts, err := e.attempts(q, to, numbers)
	if err != nil {
		return nil, err
	}
	set, s := e.Subscriptions.Now(), e.prepare(to)
	records := make([]Record, 0, len(some))
	for _, r := range some {
		f := facts[r.id.Seq]
		rec := Record{ID: r.id, Fact: f, State: stateName(r.state), Attempts: attempts[r.id.Seq], CreatedAt: time.UnixMicro(r.at).UTC()}
		rec.Event, _ = set.EventName(to.Format, f)
		if r.state == pending && r.due != 0 {
			rec.Next = time.UnixMicro(r.due).UTC()
		}
		if err := e.complete(ctx, q, s, &rec); err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	return records, nil
}

func (e *Engine) facts(q db.Querier, rows []row) (map[int64]*fact.Fact, error) {
	numbers := make([]int64, len(rows))
	for i, r := range rows {
		numbers[i] = r.id.Seq
	}
	all, err := ledger.Load(q, numbers)
	facts := make(map[int64]*fact.Fact, len(all))
	for _, f := range all {
		facts[f.ID.Seq] = f
	}
	return facts, err
}

func (e *Engine) attempts(q db.Querier, to *endpoint.Endpoint, numbers []int64) (map[int64][]Attempt, error) {
	list, err := json.Marshal(numbers)
	if err != nil {
		return nil, err
	}
	byFact := map[int64][]Attempt{}
	rows, err := q.Query(`SELECT a.fact_seq, a.n, a.at, a.status, a.code, a.detail, a.dns, a.connect, a.tls, a.first_byte, a.total,
		a.body_hash, a.request_head, a.response_head, a.response_body FROM attempts a
		WHERE a.endpoint_id = $1 AND a.org_id = $2 AND a.fact_seq IN ints($3) ORDER BY a.fact_seq, a.n`, to.Number, to.Org, string(list))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var a Attempt
		var seq, at, dns, connect, tls, first, total int64
		var detail, requestHead, responseHead *string
		if err := rows.Scan(&seq, &a.Number, &at, &a.Status, &a.Code, &detail, &dns, &connect, &tls, &first, &total, &a.hash, &requestHead, &responseHead,
			&a.ResponseBody); err != nil {
			return nil, err
		}
		a.At = time.UnixMicro(at).UTC()
		a.Detail, a.RequestHead, a.ResponseHead = value(detail), value(requestHead), value(responseHead)
		a.DNS, a.Connect, a.TLS, a.FirstByte, a.Total = micros(dns), micros(connect), micros(tls), micros(first), micros(total)
		byFact[seq] = append(byFact[seq], a)
	}
	return byFact, rows.Err()
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// complete fills in the bytes that the attempts sent: kept ones where there are some, else rendered again, and says whether the hash agrees. A
// delivery whose bytes cannot be had has a log all the same.
func (e *Engine) complete(ctx context.Context, q db.Querier, s settings, r *Record) error {
	if len(r.Attempts) == 0 || !s.sendable() {
		return nil
	}
	body, err := e.sent(ctx, q, s, r)
	if err != nil || body == nil {
		return err
	}
	sum := sha256.Sum256(body)
	it := &item{shared: &shared{fact: r.Fact}, id: r.ID, org: s.to.Org}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if a.hash == nil {
			continue // nothing was sent
		}
		a.RequestBody, a.Exact = body, string(a.hash) == string(sum[:])
		if a.RequestHead != "" && !s.to.UpdatedAt.After(a.At) {
			a.RequestHead = fillIn(a.RequestHead, s.own)
		}
		if a.RequestHead == "" {
			if req, err := s.request(it, body, r.Event, a.At); err == nil {
				a.RequestHead = headText(req, nil)
			}
		}
	}
	return nil
}

// sent returns the bytes that were kept or are rendered again, nil when they cannot be had any more.
func (e *Engine) sent(ctx context.Context, q db.Querier, s settings, r *Record) ([]byte, error) {
	if r.Fact.Private && r.Fact.Data == nil {
		return nil, nil
	}
	body, err := e.kept(q, r.ID.Seq, s.dialect.Variant(s.to))
	switch {
	case errors.Is(err, ErrErased):
		return nil, nil
	case errors.Is(err, errDamaged):
		e.Log.Warn("show a sent envelope", "fact", r.Fact.ID.String(), "format", s.to.Format, "err", err)
		return nil, nil
	}
	if body != nil || err != nil {
		return body, err
	}
	body, err = s.render(ctx, r.Fact)
	if err != nil {
		e.Log.Warn("render a sent envelope again", "fact", r.Fact.ID.String(), "format", s.to.Format, "err", err)
		return nil, nil
	}
	return body, nil
}
