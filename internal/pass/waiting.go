package pass

import (
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Waiting tells how much a wallet has not been told yet, what waits to be tried again included, and for how long the oldest of it has been waiting.
func Waiting(q db.Querier, platform Platform, now time.Time) (n int64, oldest time.Duration, err error) {
	where := appleLane.where
	if platform == Google {
		where = googleLane.where
	}
	_, err = db.One(q, func(r db.Rows) (struct{}, error) {
		var made *int64
		if err := r.Scan(&n, &made); err != nil || made == nil {
			return struct{}{}, err
		}
		oldest = max(0, now.Sub(moment(*made)))
		return struct{}{}, nil
	}, `SELECT count(*), MIN(made_at) FROM pass_pushes WHERE `+where)
	if err != nil {
		return 0, 0, fmt.Errorf("count what wallets are to be told: %w", err)
	}
	return n, oldest, nil
}
