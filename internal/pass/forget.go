package pass

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// remembered is for how long it is known which devices have a pass that has expired: they have to learn of it.
const remembered = 7 * 24 * time.Hour

// part takes from passes of a ticket what is their holders' own, when the ticket is somebody else's: owner, assets and design, and download links. Which passes it is,
// expired ones among them, is a condition on passes p whose parameters begin with $3. Their devices stay known for a while, see [Sender.forget]. Google, which has a
// copy, is told.
func (f *follower) part(org int64, t id.Ticket, where string, args ...any) error {
	all, err := f.numbers(org, t, where, args...)
	if err != nil || len(all) == 0 {
		return err
	}
	of := list(all)
	for _, statement := range []string{
		`UPDATE passes SET owner = '', nfts = '[]', design = '{}', checked_at = NULL WHERE pass_no IN ints($1)`,
		`DELETE FROM pass_assets WHERE pass_no IN ints($1)`,
		`DELETE FROM pass_links WHERE pass_no IN ints($1)`,
	} {
		if err := f.tx.Later(statement, of); err != nil {
			return fmt.Errorf("take what is a former holder's from passes: %w", err)
		}
	}
	err = f.tx.Later(insertPushes+`SELECT p.org_id, p.pass_no, 0, 0, 0, 0, 0, CAST($2 AS BIGINT) FROM passes p WHERE p.pass_no IN ints($1) AND p.platform = 'google' `+onceMore("$3"),
		of, f.tx.Micros(), f.tx.Now().Add(lease).UnixMicro())
	if err != nil {
		return fmt.Errorf("have what is a former holder's taken from Google: %w", err)
	}
	return nil
}

// The statements of [Sender.forget].
const (
	longOver     = `FROM passes p WHERE p.forget_at IS NOT NULL AND p.forget_at <= $1 `
	forgetPasses = `SELECT p.pass_no ` + longOver + `ORDER BY p.forget_at, p.pass_no LIMIT $2 /*skip locked*/`
	// An account at Google has no name of its own here.
	forgetDevices = `UPDATE pass_registrations SET device = NULL, push_token = NULL, deleted_at = COALESCE(deleted_at, $2)
		WHERE pass_no IN (SELECT p.pass_no FROM passes p WHERE p.pass_no IN ints($1) AND p.platform <> 'google') AND device IS NOT NULL`
)

// forget forgets which devices have passes that expired long ago, and ends their registrations, without a fact: nobody has removed the passes from them.
func (s *Sender) forget(ctx context.Context) error {
	for n := endAtOnce; n == endAtOnce && ctx.Err() == nil; {
		due, err := db.All(s.book.db.Read(ctx), db.Value[int], `SELECT 1 `+longOver+`LIMIT 1`, time.Now().UnixMicro())
		if err != nil || len(due) == 0 {
			return err
		}
		err = s.book.db.Write(ctx, "", func(tx *db.Tx) error {
			all, err := db.All(tx, db.Value[int64], forgetPasses, tx.Micros(), endAtOnce)
			if n = len(all); err != nil || n == 0 {
				return err
			}
			if err := tx.Later(forgetDevices, list(all), tx.Micros()); err != nil {
				return err
			}
			err = tx.Later(`UPDATE passes SET forget_at = NULL, opened = CASE WHEN platform = 'google' THEN opened ELSE 0 END WHERE pass_no IN ints($1)`, list(all))
			if err != nil {
				return err
			}
			return tx.Later(dropClosed, list(all))
		})
		if err != nil {
			return fmt.Errorf("forget devices of passes that have expired: %w", err)
		}
	}
	return nil
}
