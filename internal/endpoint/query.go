package endpoint

import (
	"errors"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func (b *Book) scanLive(r db.Rows) (*Endpoint, error) {
	e, _, damaged, err := b.scan(r)
	return e, errors.Join(err, damaged)
}

// Whose says whose endpoints are meant. Others are not there.
type Whose struct {
	Org   int64
	Grant int64 // those that an app made on this grant; 0 for all of the organisation, which apps made too
}

// theirs is the condition that goes with [Whose]: $1 is the organisation, $2 the grant.
const theirs = `e.org_id = $1 AND (e.grant_no = $2 OR $2 = 0) AND e.deleted_at IS NULL`

// Get returns an endpoint, or a NotFound problem.
func (b *Book) Get(q db.Querier, whose Whose, i id.Webhook) (*Endpoint, error) {
	e, err := db.One(q, b.scanLive, "SELECT "+columns+from+" WHERE "+theirs+" AND e.id = $3", whose.Org, whose.Grant, i)
	if errors.Is(err, db.ErrNoRow) {
		return nil, problem.New(problem.NotFound, "webhook_not_found", "There is no webhook %s.", clip(string(i)))
	}
	return e, err
}

func (b *Book) byNumber(q db.Querier, number int64) (*Endpoint, error) {
	return db.One(q, b.scanLive, "SELECT "+columns+from+" WHERE e.endpoint_id = $1 AND e.deleted_at IS NULL", number)
}

// List returns a page of endpoints, oldest first, and how many there are in all.
func (b *Book) List(q db.Querier, whose Whose, limit, offset int) ([]*Endpoint, int, error) {
	total, err := db.One(q, db.Value[int], "SELECT count(*) FROM endpoints e WHERE "+theirs, whose.Org, whose.Grant)
	if err != nil {
		return nil, 0, err
	}
	all, err := db.All(q, b.scanLive, "SELECT "+columns+from+" WHERE "+theirs+" ORDER BY e.endpoint_id LIMIT $3 OFFSET $4",
		whose.Org, whose.Grant, limit, offset)
	return all, total, err
}
