package delivery

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// These lists are for pages: each reads an index where it has to and so many rows as it shows, however many deliveries there are. What is rendered or sealed is
// not among them; see [Engine.Lookup].

// Summary is a delivery as a list of many shows it.
type Summary struct {
	ID        id.Delivery
	Kind      fact.Kind // empty when retention has taken the fact
	Event     string    // as the endpoint's format calls it; empty when the endpoint was deleted
	State     string    // pending, delivered, failed or skipped
	Attempts  int       // that were made
	Next      time.Time // of the next attempt; zero when there is none, and while one is under way
	CreatedAt time.Time
	Last      LastAttempt
}

// LastAttempt is the newest attempt of a delivery; zero before the first.
type LastAttempt struct {
	At     time.Time
	Status int    // of the answer, or 0
	Code   string // why it failed without an answer, or ""
	Took   time.Duration
}

// Which selects deliveries for [Engine.Summaries].
type Which struct {
	Endpoint int64       // the number of one endpoint; 0 for all of the organisation
	State    string      // one of the four, or retrying: pending after an attempt. Empty for all. Of all endpoints only failed, skipped and retrying are listed
	Before   id.Delivery // where the page before ended; zero to begin
	Limit    int
}

// stateIs are conditions for the states. Those of failed and skipped are written as their indexes want it.
var stateIs = map[string]string{
	"": ``, "pending": ` AND d.state = 0`, "delivered": ` AND d.state = 1`, "failed": ` AND d.state >= 2 AND d.state = 2`, "skipped": ` AND d.state >= 2 AND d.state = 3`,
	"retrying": ` AND d.state = 0 AND d.attempt > 0`,
}

// by has SQLite read an endpoint's deliveries in a state by the index of these. Without statistics, which it has none of, it takes the primary key to be as good.
func by(engine db.Engine, state, sql string) string {
	index := map[string]string{"failed": "deliveries_ended_of", "skipped": "deliveries_ended_of", "pending": "deliveries_due"}[state]
	if engine != db.SQLite || index == "" {
		return sql
	}
	return strings.Replace(sql, "FROM deliveries d ", "FROM deliveries d INDEXED BY "+index+" ", 1)
}

const summaryColumns = `SELECT d.endpoint_id, d.fact_seq, d.day, d.at, d.state, CASE WHEN d.owner = 0 THEN d.due ELSE 0 END, d.attempt, a.at, a.status, a.code, a.total
	FROM deliveries d LEFT JOIN attempts a ON a.endpoint_id = d.endpoint_id AND a.fact_seq = d.fact_seq AND a.n = d.attempt AND a.day = d.day AND a.org_id = d.org_id WHERE `

// Texts of [Engine.Summaries].
const (
	ofEndpoint = summaryColumns + `d.endpoint_id = $1 AND d.org_id = $2 AND d.fact_seq < $3`
	ofOrg      = summaryColumns + `d.org_id = $1 AND (d.fact_seq, d.endpoint_id) < ($2, $3)`
	someOf     = summaryColumns + `d.endpoint_id = $1 AND d.org_id = $2 AND d.fact_seq IN ints($3)`
	newestOnly = ` ORDER BY d.fact_seq DESC LIMIT $4`
	newestOf   = ` ORDER BY d.fact_seq DESC, d.endpoint_id DESC LIMIT $4`
)

// Summaries returns an organisation's deliveries, newest first, and whether there are more.
func (e *Engine) Summaries(ctx context.Context, org int64, w Which) (page []Summary, more bool, err error) {
	condition, ok := stateIs[w.State]
	if !ok {
		return nil, false, problem.New(problem.Invalid, "invalid_state", "There is no state %q; use one of %s or retrying.", w.State, strings.Join(stateNumbers, ", "))
	}
	q := e.DB.Read(ctx)
	before := w.Before
	if before == (id.Delivery{}) {
		before.Seq, before.Endpoint = math.MaxInt64, math.MaxInt64
	}
	waits := w.State == "pending" || w.State == "retrying"
	switch {
	case w.Endpoint == 0 && (w.State == "failed" || w.State == "skipped" || w.State == "retrying"):
		page, err = db.All(q, scanSummary, ofOrg+condition+newestOf, org, before.Seq, before.Endpoint, w.Limit+1)
	case w.Endpoint == 0:
		return nil, false, problem.New(problem.Invalid, "invalid_state", "Of all webhooks together only deliveries that are failed, skipped or retrying are listed.")
	case waits:
		var few bool
		if page, few, err = e.waiting(q, org, w, before.Seq); err == nil && !few {
			page, err = db.All(q, scanSummary, ofEndpoint+condition+newestOnly, w.Endpoint, org, before.Seq, w.Limit+1)
		}
	default:
		page, err = db.All(q, scanSummary, by(e.DB.Engine(), w.State, ofEndpoint+condition+newestOnly), w.Endpoint, org, before.Seq, w.Limit+1)
	}
	if err != nil {
		return nil, false, err
	}
	if more = len(page) > w.Limit; more {
		page = page[:w.Limit]
	}
	return page, more, e.name(q, page)
}

// waiting returns what of an endpoint is pending or retrying, where it has few.
func (e *Engine) waiting(q db.Querier, org int64, w Which, before int64) (page []Summary, few bool, err error) {
	numbers, few, err := e.pendingOf(q, w.Endpoint, before, span{}, w.State == "retrying", w.Limit+1)
	if err != nil || len(numbers) == 0 {
		return nil, few, err
	}
	list, err := json.Marshal(numbers)
	if err != nil {
		return nil, false, err
	}
	page, err = db.All(q, scanSummary, someOf+newestOnly, w.Endpoint, org, string(list), w.Limit+1)
	return page, few, err
}

func scanSummary(r db.Rows) (s Summary, err error) {
	var at, due int64
	var state int
	var lastAt, status, total *int64
	var code *string
	if err := r.Scan(&s.ID.Endpoint, &s.ID.Seq, &s.ID.Day, &at, &state, &due, &s.Attempts, &lastAt, &status, &code, &total); err != nil {
		return s, err
	}
	s.State, s.CreatedAt = stateName(state), time.UnixMicro(at).UTC()
	if state == pending && due != 0 {
		s.Next = time.UnixMicro(due).UTC()
	}
	if lastAt != nil {
		s.Last = LastAttempt{At: time.UnixMicro(*lastAt).UTC(), Status: int(*status), Code: *code, Took: micros(*total)}
	}
	return s, nil
}

// name fills in what a page's deliveries are of.
func (e *Engine) name(q db.Querier, page []Summary) error {
	numbers := make([]int64, len(page))
	for i, s := range page {
		numbers[i] = s.ID.Seq
	}
	slices.Sort(numbers)
	facts, err := ledger.Load(q, slices.Compact(numbers))
	if err != nil {
		return err
	}
	byNumber := make(map[int64]*fact.Fact, len(facts))
	for _, f := range facts {
		byNumber[f.ID.Seq] = f
	}
	set := e.Subscriptions.Now()
	for i := range page {
		s := &page[i]
		f := byNumber[s.ID.Seq]
		if f == nil {
			continue
		}
		s.Kind = f.Kind
		if to := set.Endpoint(s.ID.Endpoint); to != nil {
			s.Event, _ = set.EventName(to.Format, f)
		}
	}
	return nil
}

// fewPending is how many pending deliveries of an endpoint are put into order by their numbers. Where there are more, they are most of the newest.
const fewPending = 5000

const pendingText = `SELECT d.fact_seq, d.at, d.attempt FROM deliveries d WHERE d.endpoint_id = $1 AND d.state = 0 LIMIT $2`

// span is from when to when; a zero instant bounds nothing.
type span struct{ since, until time.Time }

// pendingOf returns the numbers of an endpoint's newest pending deliveries, newest first, where it has few: their index is by when they are due.
func (e *Engine) pendingOf(q db.Querier, endpoint, before int64, in span, tried bool, limit int) (numbers []int64, few bool, err error) {
	type row struct {
		seq, at int64
		attempt int
	}
	all, err := db.All(q, func(r db.Rows) (v row, err error) { return v, r.Scan(&v.seq, &v.at, &v.attempt) }, by(e.DB.Engine(), "pending", pendingText), endpoint, fewPending+1)
	if err != nil || len(all) > fewPending {
		return nil, false, err
	}
	for _, r := range all {
		early := !in.since.IsZero() && r.at < in.since.UnixMicro()
		late := !in.until.IsZero() && r.at >= in.until.UnixMicro()
		if r.seq < before && !early && !late && (r.attempt > 0 || !tried) {
			numbers = append(numbers, r.seq)
		}
	}
	slices.SortFunc(numbers, func(a, b int64) int { return cmp.Compare(b, a) })
	return numbers[:min(len(numbers), limit)], true, nil
}

// latestText asks for each endpoint's highest number first, which its primary key has.
const latestText = `WITH n (v) AS (SELECT * FROM ints($1) AS l),
	x (endpoint_id, fact_seq) AS (SELECT n.v, (SELECT max(m.fact_seq) FROM deliveries m WHERE m.endpoint_id = n.v) FROM n)
	SELECT d.endpoint_id, d.fact_seq, d.day, d.at, d.state, CASE WHEN d.owner = 0 THEN d.due ELSE 0 END, d.attempt, a.at, a.status, a.code, a.total
	FROM x CROSS JOIN deliveries d LEFT JOIN attempts a ON a.endpoint_id = d.endpoint_id AND a.fact_seq = d.fact_seq AND a.n = d.attempt AND a.day = d.day AND a.org_id = d.org_id
	WHERE d.endpoint_id = x.endpoint_id AND d.fact_seq = x.fact_seq AND d.org_id = $2`

// Latest returns the newest delivery of each of some endpoints, such as those of a page of a list, by their numbers; those without any are left out.
func (e *Engine) Latest(ctx context.Context, org int64, endpoints []int64) (map[int64]Summary, error) {
	q := e.DB.Read(ctx)
	list, err := json.Marshal(append([]int64{}, endpoints...))
	if err != nil {
		return nil, err
	}
	all, err := db.All(q, scanSummary, latestText, string(list), org)
	if err != nil {
		return nil, err
	}
	if err := e.name(q, all); err != nil {
		return nil, err
	}
	byEndpoint := make(map[int64]Summary, len(all))
	for _, s := range all {
		byEndpoint[s.ID.Endpoint] = s
	}
	return byEndpoint, nil
}

// slack is how far the order of facts' numbers and that of their instants may differ: as long as a transaction may take.
const slack = time.Hour

const numberText = `SELECT d.fact_seq, d.at FROM deliveries d WHERE d.endpoint_id = $2 AND d.fact_seq >= $1 ORDER BY d.fact_seq LIMIT 1`

// numbersIn returns numbers between which those of an endpoint's deliveries lie that are of a span, so that what is outside is not looked at.
func numbersIn(q db.Querier, endpoint int64, in span) (from, to int64, err error) {
	to = math.MaxInt64
	if !in.since.IsZero() {
		if from, _, err = numbersAt(q, endpoint, in.since.Add(-slack)); err != nil {
			return 0, 0, err
		}
	}
	if !in.until.IsZero() {
		_, to, err = numbersAt(q, endpoint, in.until.Add(slack))
	}
	return from, to, err
}

// numbersAt returns two numbers: what stands before the lower is older than an instant, and what stands at or after the higher is not.
func numbersAt(q db.Querier, endpoint int64, at time.Time) (low, high int64, err error) {
	newest, err := db.One(q, db.Value[*int64], "SELECT max(d.fact_seq) FROM deliveries d WHERE d.endpoint_id = $1", endpoint)
	if err != nil || newest == nil {
		return 0, math.MaxInt64, err
	}
	return db.Bisect(q, *newest, at.UnixMicro(), numberText, endpoint)
}

// ActivityFilter selects attempts for [Engine.Activity].
type ActivityFilter struct {
	State    string // of the delivery after it: delivered, failed, or pending when it is tried again. Empty for all
	Endpoint int64  // the number of one endpoint; 0 for all
	Event    string // as the webhook's format calls it. Empty for all
	Before   string // where the page before ended; empty to begin
	Limit    int
}

const (
	activityRows = 64     // of the log that are read at once
	mostActivity = 20_000 // attempts that are looked at for a page
)

const activityText = `SELECT l.seq, l.entries FROM attempt_log l WHERE l.org_id = $1 AND l.seq <= $2 ORDER BY l.seq DESC LIMIT $3`

// Activity returns what was attempted for an organisation, newest first, as far as the log of attempts goes back ([AttemptsKept]), and where the next page goes
// on, which is empty after the last. A page of what is rare may be short, or empty, before the last: some thousand attempts are looked at for it.
func (e *Engine) Activity(ctx context.Context, org int64, f ActivityFilter) (page []Made, next string, err error) {
	seq, below := int64(math.MaxInt64), math.MaxInt
	if f.Before != "" {
		at, n, ok := strings.Cut(f.Before, "-")
		if seq, err = strconv.ParseInt(at, 10, 64); err == nil {
			below, err = strconv.Atoi(n)
		}
		if !ok || err != nil || seq < 0 || below < 0 {
			return nil, "", problem.New(problem.Invalid, "invalid_cursor", "This cursor did not come from here.")
		}
	}
	type row struct {
		seq   int64
		batch Batch
	}
	for looked := 0; ; {
		rows, err := db.All(e.DB.Read(ctx), func(r db.Rows) (v row, err error) { return v, r.Scan(&v.seq, &v.batch.entries) }, activityText, org, seq, activityRows)
		if err != nil {
			return nil, "", err
		}
		for _, r := range rows {
			made, err := r.batch.Made()
			if err != nil {
				return nil, "", err
			}
			for i := min(below, len(made)) - 1; i >= 0; i-- {
				m := made[i]
				if looked++; (f.State != "" && m.State != f.State) || (f.Endpoint != 0 && m.Delivery.Endpoint != f.Endpoint) || (f.Event != "" && m.Event != f.Event) {
					continue
				}
				if len(page) == f.Limit {
					return page, fmtMark(r.seq, i+1), nil
				}
				page = append(page, m)
			}
			if seq, below = r.seq-1, math.MaxInt; looked >= mostActivity {
				return page, fmtMark(r.seq, 0), nil
			}
		}
		if len(rows) < activityRows {
			return page, "", nil
		}
	}
}

// fmtMark is a place in an organisation's log: before the attempt with this number of a row.
func fmtMark(seq int64, below int) string {
	return strconv.FormatInt(seq, 10) + "-" + strconv.Itoa(below)
}
