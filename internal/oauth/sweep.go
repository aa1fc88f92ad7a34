package oauth

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

const (
	blankEvery  = 5 * time.Second // how long an answer stays sealed beyond its grace
	forgetEvery = time.Minute
	sweepStep   = 1000 // rows in one transaction
)

// Run forgets what has had its time, until ctx ends.
func (s *Server) Run(ctx context.Context) {
	blank, forget := time.NewTicker(blankEvery), time.NewTicker(forgetEvery)
	defer blank.Stop()
	defer forget.Stop()
	for {
		do := s.blank
		select {
		case <-ctx.Done():
			return
		case <-blank.C:
		case <-forget.C:
			do = s.forget
		}
		if err := do(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("sweep tokens", "error", err)
		}
	}
}

// Sweep forgets what has had its time, in steps.
func (s *Server) Sweep(ctx context.Context) error {
	if err := s.blank(ctx); err != nil {
		return err
	}
	return s.forget(ctx)
}

// blank forgets the answers to refreshes whose grace is over.
func (s *Server) blank(ctx context.Context) error {
	return s.steps(ctx, `UPDATE oauth_refresh_tokens SET successor = NULL WHERE hash IN (
		SELECT hash FROM oauth_refresh_tokens WHERE successor IS NOT NULL AND successor_until <= $1 LIMIT $2)`, 0)
}

// forget deletes rows some time after their end, by their primary keys. Codes are kept for a day after it, and refresh tokens that were used until they
// would have ended anyway: so that a second use is known for one. A family stays for the access tokens that it gave at its very end.
func (s *Server) forget(ctx context.Context) error {
	for _, f := range []struct {
		table, key string
		later      time.Duration
	}{
		{"oauth_access_tokens", "hash", time.Hour},
		{"oauth_codes", "hash", 24 * time.Hour},
		{"oauth_requests", "hash", 0},
		{"oauth_devices", "hash", time.Hour},
		{"oauth_proofs", "hash", 0},
		{"oauth_refresh_tokens", "hash", time.Hour},
		{"oauth_families", "family_no", s.AccessLife + time.Hour},
	} {
		statement := `DELETE FROM ` + f.table + ` WHERE ` + f.key + ` IN (SELECT ` + f.key + ` FROM ` + f.table + ` WHERE expires_at <= $1 LIMIT $2)`
		if err := s.steps(ctx, statement, f.later); err != nil {
			return err
		}
	}
	return nil
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
