package pull

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// span is a stretch of a list: behind one place and before another, both excluded.
type span struct {
	after, before Cursor
	newest        bool // the list begins with the newest
}

// spanOf is the stretch of a filter's instants that a page may still have.
func spanOf(since, until time.Time, cutoff int64, after Cursor, newest bool) span {
	s := span{after: Cursor{At: instant(max(cutoff+1, 0)), No: -1}, before: Cursor{At: instant(math.MaxInt64 / 2), No: math.MaxInt64}, newest: newest}
	if since.After(s.after.At) {
		s.after.At = since
	}
	if !until.IsZero() && until.Before(s.before.At) {
		s.before = Cursor{At: until, No: -1}
	}
	if after == (Cursor{}) {
		return s
	}
	if newest && after.less(s.before) {
		s.before = after
	}
	if !newest && s.after.less(after) {
		s.after = after
	}
	return s
}

func (c Cursor) less(o Cursor) bool { return c.At.Before(o.At) || c.At.Equal(o.At) && c.No < o.No }

func (s span) args() []any {
	return []any{ceil(s.after.At), s.after.No, ceil(s.before.At), s.before.No}
}

// ceil is an instant in whole microseconds, not before it.
func ceil(t time.Time) int64 {
	m := t.UnixMicro()
	if t.After(instant(m)) {
		m++
	}
	return m
}

func (s span) order(at, seq string) string {
	if s.newest {
		return fmt.Sprintf(" ORDER BY %s DESC, %s DESC", at, seq)
	}
	return fmt.Sprintf(" ORDER BY %s, %s", at, seq)
}

// numbers are the numbers of statuses in the table, of events that are there and of those that were deleted.
func numbers(wanted []Status, there, deleted bool) []int {
	var all []int
	for n, s := range statuses {
		if len(wanted) > 0 && !slices.Contains(wanted, s) {
			continue
		}
		if there {
			all = append(all, n)
		}
		if deleted {
			all = append(all, n+gone)
		}
	}
	return all
}

// of reads a stretch of an endpoint's events. An index has them in order for each state, so there is one part for each. (The plus keeps a database from taking
// the index of the organisation's, which has those of all its endpoints.)
func of(q db.Querier, e *Endpoint, states []int, s span, kind, lock string, limit int) ([]Event, error) {
	if len(states) == 0 {
		return nil, nil
	}
	args := append([]any{e.No, e.Org}, s.args()...)
	args = append(args, limit)
	typed := ""
	if kind != "" {
		args = append(args, kind)
		typed = " AND v.type = $8 AND v.type <> ''"
	}
	part := func(state int) string {
		return fmt.Sprintf(`SELECT %s FROM pull_events v WHERE v.endpoint_no = $1 AND +v.org_id = $2 AND v.state = %d%s AND (v.at, v.seq) > ($3, $4) AND (v.at, v.seq) < ($5, $6)%s LIMIT $7`,
			eventColumns, state, typed, s.order("v.at", "v.seq"))
	}
	if len(states) == 1 {
		return db.All(q, scanOne, part(states[0])+lock, args...)
	}
	parts := make([]string, len(states))
	for i, state := range states {
		parts[i] = fmt.Sprintf("SELECT %s FROM (%s) AS s%d", bareColumns, part(state), i)
	}
	return db.All(q, scanOne, strings.Join(parts, " UNION ALL ")+s.order("at", "seq")+" LIMIT $7", args...)
}

// Events returns up to limit events of an endpoint that are not deleted, in the order in which they came (received_at, then number), and whether there are more.
func (d *Depot) Events(q db.Querier, e *Endpoint, f Filter, after Cursor, limit int) (page []Event, more bool, err error) {
	s := spanOf(f.Since, f.Before, d.cutoff(q, e), after, false)
	page, err = of(q, e, numbers(f.Status, true, false), s, f.Type, "", limit+1)
	return cut(page, limit, err)
}

// LogFilter says which events of an organisation are wanted. The zero value of a field means all.
type LogFilter struct {
	Endpoint id.PullEndpoint // one that there is not gives NotFound
	Filter
	Newest bool // newest first; else oldest first
}

// LogEntry is an event, also a deleted one, and whose it is.
type LogEntry struct {
	Event
	EndpointID   id.PullEndpoint
	EndpointName string
}

// Logs returns up to limit events of all the endpoints, also deleted ones, and whether there are more.
func (d *Depot) Logs(q db.Querier, w Whose, f LogFilter, after Cursor, limit int) (page []LogEntry, more bool, err error) {
	if f.Endpoint != "" {
		page, err = d.logOf(q, w, f, after, limit+1)
	} else {
		page, err = d.logOfAll(q, w, f, after, limit+1)
	}
	return cut(page, limit, err)
}

func (d *Depot) logOf(q db.Querier, w Whose, f LogFilter, after Cursor, limit int) ([]LogEntry, error) {
	e, err := d.Get(q, w, f.Endpoint)
	if err != nil {
		return nil, err
	}
	events, err := of(q, e, numbers(f.Status, true, true), spanOf(f.Since, f.Before, d.cutoff(q, e), after, f.Newest), f.Type, "", limit)
	page := make([]LogEntry, len(events))
	for i, v := range events {
		page[i] = LogEntry{v, e.ID, e.Name}
	}
	return page, err
}

func (d *Depot) logOfAll(q db.Querier, w Whose, f LogFilter, after Cursor, limit int) ([]LogEntry, error) {
	s := spanOf(f.Since, f.Before, 0, after, f.Newest)
	args := append([]any{w.Org, w.Grant}, s.args()...)
	args = append(args, d.now(q).UnixMicro(), limit)
	where := ""
	if len(f.Status) > 0 {
		states := strings.Trim(strings.ReplaceAll(fmt.Sprint(numbers(f.Status, true, true)), " ", ", "), "[]")
		where += " AND +v.state IN (" + states + ")"
	}
	if f.Type != "" {
		args = append(args, f.Type)
		where += " AND v.type || '' = $9"
	}
	// What belongs to the endpoint is asked for event by event, so that no database begins with the endpoints: it goes through the organisation's events in their order,
	// and stops at the limit.
	return db.All(q, func(r db.Rows) (l LogEntry, err error) {
		l.Event, err = scanEvent(r, &l.EndpointID, &l.EndpointName)
		return l, err
	}, `SELECT `+eventColumns+`, (SELECT p.id FROM pull_endpoints p WHERE p.endpoint_no = v.endpoint_no), (SELECT p.name FROM pull_endpoints p WHERE p.endpoint_no = v.endpoint_no)
		FROM pull_events v WHERE v.org_id = $1 AND (v.at, v.seq) > ($3, $4) AND (v.at, v.seq) < ($5, $6)
		AND $7 - v.at < (SELECT p.retention FROM pull_endpoints p WHERE p.endpoint_no = v.endpoint_no AND (p.grant_no = $2 OR $2 = 0) AND p.deleted_at IS NULL)`+
		where+s.order("v.at", "v.seq")+` LIMIT $8`, args...)
}

// Rejection is a request that was refused.
type Rejection struct {
	ID       id.Rejection
	At       time.Time
	Endpoint id.PullEndpoint
	Reason   string // of a [Refused]
	Detail   string // what exactly was wrong
	Peer     string // the sender's address; may be empty
	Headers  string // a JSON object of what came, values masked
}

// Cursor is where a page that ends with the rejection goes on.
func (r Rejection) Cursor() Cursor { return Cursor{At: r.At, No: r.ID.Seq} }

// RejectionFilter says which rejections are wanted. The zero value of a field means all.
type RejectionFilter struct {
	Endpoint      id.PullEndpoint // also one that was deleted; one that there never was gives NotFound
	Since, Before time.Time
	Newest        bool // newest first; else oldest first
}

// Rejections returns up to limit of the requests that the endpoints have refused in the last thirty days, and whether there are more.
func (d *Depot) Rejections(q db.Querier, w Whose, f RejectionFilter, after Cursor, limit int) (page []Rejection, more bool, err error) {
	s := spanOf(f.Since, f.Before, d.now(q).Add(-keepRejections).UnixMicro(), after, f.Newest)
	args := append([]any{w.Org, w.Grant}, s.args()...)
	args = append(args, limit+1)
	where := ""
	if f.Endpoint != "" {
		no, err := db.One(q, db.Value[int64], `SELECT endpoint_no FROM pull_endpoints WHERE id = $1 AND org_id = $2 AND (grant_no = $3 OR $3 = 0)`, f.Endpoint, w.Org, w.Grant)
		if errors.Is(err, db.ErrNoRow) {
			return nil, false, notFound()
		}
		if err != nil {
			return nil, false, err
		}
		args = append(args, no)
		where = " AND v.endpoint_no = $8"
	}
	page, err = db.All(q, scanRejection, `SELECT v.seq, v.at, (SELECT p.id FROM pull_endpoints p WHERE p.endpoint_no = v.endpoint_no), v.reason, v.detail, v.peer, v.headers
		FROM pull_rejections v WHERE v.org_id = $1 AND (SELECT 1 FROM pull_endpoints p WHERE p.endpoint_no = v.endpoint_no AND (p.grant_no = $2 OR $2 = 0)) = 1 AND (v.at, v.seq) > ($3, $4) AND (v.at, v.seq) < ($5, $6)`+
		where+s.order("v.at", "v.seq")+` LIMIT $7`, args...)
	return cut(page, limit, err)
}

func scanRejection(r db.Rows) (v Rejection, err error) {
	var at int64
	err = r.Scan(&v.ID.Seq, &at, &v.Endpoint, &v.Reason, &v.Detail, &v.Peer, &v.Headers)
	v.At = instant(at)
	v.ID.Millis = v.At.UnixMilli()
	return v, err
}
