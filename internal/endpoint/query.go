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

// Get returns an organisation's endpoint, or a NotFound problem.
func (b *Book) Get(q db.Querier, org int64, i id.Webhook) (*Endpoint, error) {
	e, err := db.One(q, b.scanLive, "SELECT "+columns+from+" WHERE e.org_id = $1 AND e.id = $2 AND e.deleted_at IS NULL", org, i)
	if errors.Is(err, db.ErrNoRow) {
		return nil, problem.New(problem.NotFound, "webhook_not_found", "There is no webhook %s.", clip(string(i)))
	}
	return e, err
}

func (b *Book) byNumber(q db.Querier, number int64) (*Endpoint, error) {
	return db.One(q, b.scanLive, "SELECT "+columns+from+" WHERE e.endpoint_id = $1 AND e.deleted_at IS NULL", number)
}

// List returns an organisation's endpoints, oldest first, and how many there are in all.
func (b *Book) List(q db.Querier, org int64, limit, offset int) ([]*Endpoint, int, error) {
	total, err := db.One(q, db.Value[int], "SELECT count(*) FROM endpoints WHERE org_id = $1 AND deleted_at IS NULL", org)
	if err != nil {
		return nil, 0, err
	}
	all, err := db.All(q, b.scanLive, "SELECT "+columns+from+" WHERE e.org_id = $1 AND e.deleted_at IS NULL ORDER BY e.endpoint_id LIMIT $2 OFFSET $3",
		org, limit, offset)
	return all, total, err
}
