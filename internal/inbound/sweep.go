package inbound

import (
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

const (
	unusedFor = 90 * 24 * time.Hour // after that an endpoint ends
	atOnce    = 500                 // rows that a transaction of the sweep removes
)

// sweep removes events that are too old or too many, and endpoints that nobody uses.
func (b *Box) sweep(ctx context.Context) error {
	old := time.Now().Add(-b.config.KeepFor).UnixMicro()
	if err := b.removeSome(ctx, `DELETE FROM inbound_events WHERE seq IN (SELECT seq FROM inbound_events WHERE at < $1 LIMIT $2)`, old); err != nil {
		return err
	}
	for _, no := range b.grown() {
		err := b.removeSome(ctx, `DELETE FROM inbound_events WHERE seq IN (SELECT seq FROM inbound_events WHERE endpoint_no = $1 AND seq <= (
			SELECT COALESCE(min(seq), 0) FROM (SELECT seq FROM inbound_events WHERE endpoint_no = $1 ORDER BY seq DESC LIMIT 1 OFFSET $3) o) LIMIT $2)`, no, b.config.Keep)
		if err != nil {
			return err
		}
	}
	return b.config.DB.Write(ctx, "", func(tx *db.Tx) error {
		all, err := db.All(tx, scanOwned,
			`SELECT org_id, endpoint_no, id FROM dev_endpoints WHERE used_at < $1 ORDER BY used_at LIMIT 20`, tx.Now().Add(-unusedFor).UnixMicro())
		if err != nil {
			return err
		}
		for _, u := range all {
			if err := remove(tx, u.org, u.no, u.id, audit.By{}, map[string]any{"reason": "unused"}); err != nil {
				return err
			}
		}
		return nil
	})
}

// owned is an endpoint that is to go.
type owned struct {
	org, no int64
	id      id.DevEndpoint
}

func scanOwned(r db.Rows) (o owned, err error) { return o, r.Scan(&o.org, &o.no, &o.id) }

// removeSome runs a statement that removes up to $2 rows until it finds no more.
func (b *Box) removeSome(ctx context.Context, sql string, first any, more ...any) error {
	args := append([]any{first, atOnce}, more...)
	for n := int64(atOnce); n == atOnce && ctx.Err() == nil; {
		err := b.config.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
			n, err = tx.Exec(sql, args...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// grown lists the endpoints that have taken something since it was asked last, and forgets those of which there is nothing to know.
func (b *Box) grown() []int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []int64
	for no, s := range b.states {
		if s.grown {
			s.grown = false
			all = append(all, no)
		} else if s.delayed == 0 && s.limiter.Tokens() >= float64(s.limiter.Burst()) {
			delete(b.states, no)
		}
	}
	return all
}
