package oauth

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

const (
	sweepEvery = 5 * time.Second // how long an answer stays sealed beyond its grace
	sweepStep  = 1000            // rows in one transaction
)

// Run forgets what has had its time, until ctx ends.
func (s *Server) Run(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("sweep tokens", "error", err)
		}
	}
}

// sweeps forget rows by their primary keys. Codes are kept for a day after their end, and refresh tokens that were used until they would have
// ended anyway: so that a second use is known for one.
var sweeps = []struct {
	table, key, end string
	later           time.Duration
}{
	{"oauth_access_tokens", "hash", "expires_at", time.Hour},
	{"oauth_codes", "hash", "expires_at", 24 * time.Hour},
	{"oauth_requests", "hash", "expires_at", 0},
	{"oauth_devices", "hash", "expires_at", time.Hour},
	{"oauth_proofs", "hash", "expires_at", 0},
	{"oauth_refresh_tokens", "hash", "expires_at", time.Hour},
	{"oauth_families", "family_no", "expires_at", time.Hour},
}

// Sweep forgets what has had its time, in steps.
func (s *Server) Sweep(ctx context.Context) error {
	for _, w := range sweeps {
		statement := `DELETE FROM ` + w.table + ` WHERE ` + w.key + ` IN (SELECT ` + w.key + ` FROM ` + w.table + ` WHERE ` + w.end + ` <= $1 LIMIT $2)`
		if err := s.steps(ctx, statement, w.later); err != nil {
			return err
		}
	}
	return s.steps(ctx, `UPDATE oauth_refresh_tokens SET successor = NULL WHERE hash IN (
		SELECT hash FROM oauth_refresh_tokens WHERE successor IS NOT NULL AND successor_until <= $1 LIMIT $2)`, 0)
}

// steps runs a statement until it finds no more than a step's rows.
func (s *Server) steps(ctx context.Context, statement string, later time.Duration) error {
	for n := int64(sweepStep); n >= sweepStep; {
		err := s.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
			n, err = tx.Exec(statement, tx.Now().Add(-later).UnixMicro(), sweepStep)
			return err
		})
		if err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	return nil
}
