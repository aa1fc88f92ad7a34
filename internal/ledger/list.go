package ledger

import (
	"math"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

// Filter selects facts for [List]. Zero fields select all.
type Filter struct {
	Kind   fact.Kind
	Before int64 // where the page before ended; 0 to begin
	Limit  int
}

// mostLooked bounds how many facts, everybody's, are looked at for a page.
const mostLooked = 20_000

const listText = `SELECT ` + factColumns + ` FROM facts f WHERE f.seq < $1 AND f.seq >= $2 AND f.org_id = $3`

// List returns an organisation's facts, newest first, without the data of private ones, and where the next page goes on, which is 0 after the last. The log has no index
// by organisation, which each fact would pay for: a page ends when it is full, or when the last 20,000 facts of all were looked at, and may then be short or empty.
func List(q db.Querier, org int64, f Filter) (page []*fact.Fact, next int64, err error) {
	if f.Before == 0 {
		f.Before = math.MaxInt64
	}
	floor, err := db.One(q, db.Value[int64], `SELECT COALESCE(min(x.seq), 0) FROM (SELECT f.seq FROM facts f WHERE f.seq < $1 ORDER BY f.seq DESC LIMIT $2) x`, f.Before, mostLooked)
	if err != nil {
		return nil, 0, err
	}
	sql, args := listText, []any{f.Before, floor, org, f.Limit + 1}
	if f.Kind != "" {
		sql, args = sql+` AND f.kind = $5`, append(args, f.Kind)
	}
	page, err = db.All(q, func(r db.Rows) (*fact.Fact, error) { return scanFact(r) }, sql+` ORDER BY f.seq DESC LIMIT $4`, args...)
	if err != nil {
		return nil, 0, err
	}
	if len(page) > f.Limit {
		return page[:f.Limit], page[f.Limit-1].ID.Seq, nil
	}
	older, err := db.One(q, db.Value[bool], `SELECT EXISTS (SELECT 1 FROM facts f WHERE f.seq < $1)`, floor)
	if err != nil || !older {
		return page, 0, err
	}
	return page, floor, nil
}
