package org

import (
	"context"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// sweepStep is how many rows one transaction of Sweep forgets.
const sweepStep = 1000

// Sweep forgets sessions, links and failures whose time is over. It takes them in steps, so that nobody waits long for it.
func (p *People) Sweep(ctx context.Context) error {
	for _, statement := range []string{
		`DELETE FROM sessions WHERE session_no IN (SELECT session_no FROM sessions WHERE expires_at <= $1 LIMIT $2)`,
		`DELETE FROM links WHERE link_no IN (SELECT link_no FROM links WHERE expires_at <= $1 LIMIT $2)`,
		`DELETE FROM sign_in_failures WHERE name IN (SELECT name FROM sign_in_failures WHERE forget <= $1 LIMIT $2)`,
	} {
		for n := int64(sweepStep); n == sweepStep; {
			err := p.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
				n, err = tx.Exec(statement, tx.Micros(), sweepStep)
				return err
			})
			if err != nil {
				return fmt.Errorf("sweep people: %w", err)
			}
		}
	}
	return nil
}
