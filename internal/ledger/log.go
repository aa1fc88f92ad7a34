package ledger

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Log is a table of another package whose rows have places, as facts have, so that it can be tailed in the same way. It has the columns seq and, on
// PostgreSQL, epoch and xid, as the table facts has them. Its bell rings after a commit.
type Log struct {
	Bell
	l      *Ledger
	table  string
	insert *db.Bulk
}

// Log makes the log of a table. The columns, written as "name type", are those that rows are appended with, seq first.
func (l *Ledger) Log(table string, columns ...string) *Log {
	if l.epoch != 0 {
		columns = append(columns[:len(columns):len(columns)], "epoch bigint")
	}
	return &Log{l: l, table: table, insert: db.BulkInsert(table, "", columns...)}
}

// Append writes rows in the caller's transaction.
func (g *Log) Append(tx *db.Tx, rows ...[]any) error {
	if g.l.epoch != 0 {
		for i := range rows {
			rows[i] = append(rows[i], g.l.epoch)
		}
	}
	tx.OnCommit(g.Ring)
	return tx.Bulk(g.insert, rows)
}

// Hides tells whether what was announced may not be seen at once, because a transaction under way elsewhere could still come before it.
func (l *Ledger) Hides() bool { return l.epoch != 0 }

// Last is a place before which everything that can be seen now stands, and after which everything else will: where a tail begins that wants nothing of the past.
func (l *Ledger) Last(q db.Querier) (Place, error) { return l.last(q, "facts") }

// Last is [Ledger.Last] of the log.
func (g *Log) Last(q db.Querier) (Place, error) { return g.l.last(q, g.table) }

func (l *Ledger) last(q db.Querier, table string) (Place, error) {
	if l.epoch == 0 {
		seq, err := db.One(q, db.Value[int64], "SELECT COALESCE(max(seq), 0) FROM "+table)
		return Place{seq: seq}, err
	}
	xmin, err := db.One(q, db.Value[int64], "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
	return Place{l.epoch, xmin - 1, math.MaxInt64}, err
}

// Placed is a row of a log and its place.
type Placed[T any] struct {
	Place Place
	Row   T
}

// After returns up to limit rows of a log that stand after a place, in order; a row appears only when nothing can come before it any more. The query may
// say which with a condition, whose parameters begin with $1; scan is handed what it has to scan behind the columns.
func After[T any](g *Log, q db.Querier, p Place, limit int, query Query, scan func(r db.Rows, more ...any) (T, error)) ([]Placed[T], error) {
	args := query.Args[:len(query.Args):len(query.Args)]
	n := len(args)
	where := ""
	if query.Where != "" {
		where = "(" + query.Where + ") AND "
	}
	if g.l.epoch == 0 {
		return db.All(q, func(r db.Rows) (v Placed[T], err error) {
			v.Row, err = scan(r, &v.Place.seq)
			return v, err
		}, fmt.Sprintf("SELECT %s, seq FROM %s WHERE %sseq > $%d ORDER BY seq LIMIT $%d", query.Columns, g.table, where, n+1, n+2), append(args, p.seq, limit)...)
	}
	return db.All(q, func(r db.Rows) (v Placed[T], err error) {
		v.Row, err = scan(r, &v.Place.epoch, &v.Place.xid, &v.Place.seq)
		return v, err
	}, fmt.Sprintf(`SELECT %s, epoch, xid, seq FROM %s WHERE %s(epoch, xid, seq) > ($%d, $%d, $%d)
		AND (epoch, xid) < ($%d, pg_snapshot_xmin(pg_current_snapshot())::text::bigint) ORDER BY epoch, xid, seq LIMIT $%d`,
		query.Columns, g.table, where, n+1, n+2, n+3, n+4, n+5), append(args, p.epoch, p.xid, p.seq, g.l.epoch, limit)...)
}

// Query says what of a log's rows is wanted.
type Query struct {
	Columns string // as they stand in a SELECT
	Where   string // "" for all
	Args    []any
}

// Find returns the place of the row with a number that satisfies a condition, whose parameters begin with $1. It reports false when there is none.
func (g *Log) Find(q db.Querier, seq int64, where string, args ...any) (p Place, found bool, err error) {
	columns := "seq"
	dest := []any{&p.seq}
	if g.l.epoch != 0 {
		columns, dest = "epoch, xid, seq", []any{&p.epoch, &p.xid, &p.seq}
	}
	_, err = db.One(q, func(r db.Rows) (bool, error) { return true, r.Scan(dest...) },
		fmt.Sprintf("SELECT %s FROM %s WHERE %s AND seq = $%d", columns, g.table, where, len(args)+1), append(args[:len(args):len(args)], seq)...)
	if errors.Is(err, db.ErrNoRow) {
		return Place{}, false, nil
	}
	return p, err == nil, err
}

// Newest returns the place and the number of the last row that satisfies a condition and that [After] would return. It reports false when there is none.
func (g *Log) Newest(q db.Querier, where string, args ...any) (p Place, seq int64, found bool, err error) {
	columns, order := "seq", "seq DESC"
	dest := []any{&p.seq}
	if g.l.epoch != 0 {
		columns, order, dest = "epoch, xid, seq", "epoch DESC, xid DESC, seq DESC", []any{&p.epoch, &p.xid, &p.seq}
		where = fmt.Sprintf("%s AND (epoch, xid) < ($%d, pg_snapshot_xmin(pg_current_snapshot())::text::bigint)", where, len(args)+1)
		args = append(args[:len(args):len(args)], g.l.epoch)
	}
	_, err = db.One(q, func(r db.Rows) (bool, error) { return true, r.Scan(dest...) },
		fmt.Sprintf("SELECT %s FROM %s WHERE %s ORDER BY %s LIMIT 1", columns, g.table, where, order), args...)
	if errors.Is(err, db.ErrNoRow) {
		return Place{}, 0, false, nil
	}
	return p, p.seq, err == nil, err
}

// OfOrg returns an organisation's facts among the next limit facts of all that stand after the place, in order, with the data of private ones, and
// the place of the last that was looked at; more tells whether there may be others.
func (l *Ledger) OfOrg(q db.Querier, org int64, p Place, limit int) (own []Entry, last Place, more bool, err error) {
	places, where, args := "f.seq", "f.seq > $2", []any{org, p.seq, limit}
	if l.epoch != 0 {
		places = "f.epoch, f.xid, f.seq"
		where = `(f.epoch, f.xid, f.seq) > ($2, $4, $5) AND (f.epoch, f.xid) < ($6, pg_snapshot_xmin(pg_current_snapshot())::text::bigint)`
		args = []any{org, p.epoch, limit, p.xid, p.seq, l.epoch}
	}
	columns := strings.Replace(factColumns, "f.data", "CASE WHEN f.org_id = $1 THEN f.data END", 1)
	last = p
	all, err := db.All(q, func(r db.Rows) (Entry, error) {
		var e Entry
		var private []byte
		var err error
		more := []any{&private, &e.Place.seq}
		if l.epoch != 0 {
			more = []any{&private, &e.Place.epoch, &e.Place.xid, &e.Place.seq}
		}
		if e.Fact, err = scanFact(r, more...); err == nil && private != nil {
			e.Fact.Data = private
		}
		return e, err
	}, `SELECT `+columns+`, p.data, `+places+` FROM facts f
		LEFT JOIN fact_private p ON f.private AND f.org_id = $1 AND p.seq = f.seq AND p.day = f.day AND p.org_id = f.org_id
		WHERE `+where+` ORDER BY `+places+` LIMIT $3`, args...)
	for _, e := range all {
		last = e.Place
		if e.Fact.Org == org {
			own = append(own, e)
		}
	}
	return own, last, len(all) == limit, err
}
