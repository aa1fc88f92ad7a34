package pass

import (
	"fmt"
	"regexp"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// over tells whether the pass counts as expired at an instant, whether or not its end has been written down.
func (p *Pass) over(now time.Time) bool {
	return !p.Active() || !p.ExpiresAt.IsZero() && !now.Before(p.ExpiresAt)
}

var actionForm = regexp.MustCompile(`^[A-Z0-9_]{1,64}$`)

// Expire ends a pass, has its devices told, and appends pass.expired. Expiring what has expired is fine and changes nothing; a pass whose date is past has expired
// by that date, whatever action is asked for. It fails with pass_not_found and, for an action that is not 1 to 64 of A-Z 0-9 _, a field error.
func (b *Book) Expire(tx *db.Tx, org int64, pass id.Pass, why Action) (*Pass, error) {
	if !actionForm.MatchString(string(why)) {
		return nil, problem.Field("/expireAction", "invalid", "An action has 1 to 64 of A-Z, 0-9 and _, such as USER_REVOKE.")
	}
	p, err := lock(tx, org, pass)
	if err != nil {
		return nil, err
	}
	if p.over(tx.Now()) {
		why = ExpirationDate
	}
	return p, b.expire(tx, why, p)
}

var expirePasses = db.NewBulk(`UPDATE passes SET expired_at = $3, expire_action = $4, version = $5, updated_at = $3, forget_at = $6 WHERE pass_no = $1 AND org_id = $2`,
	`UPDATE passes p SET expired_at = x.at, expire_action = x.why, version = x.version, updated_at = x.at, forget_at = x.forget
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[]) AS x (pass_no, org_id, at, why, version, forget)
		WHERE p.pass_no = x.pass_no AND p.org_id = x.org_id`,
	"bigint", "bigint", "bigint", "text", "bigint", "bigint")

// expire ends those of some passes that are active, has their devices told, and appends pass.expired for each. The transaction has locked them.
func (b *Book) expire(tx *db.Tx, why Action, all ...*Pass) error {
	var some []*Pass
	var rows [][]any
	var ended []int64
	for _, p := range all {
		if !p.Active() {
			continue
		}
		p.ExpiredAt, p.ExpireAction, p.UpdatedAt = tx.Now(), why, tx.Now()
		p.Version++
		some, ended = append(some, p), append(ended, p.No)
		rows = append(rows, []any{p.No, p.Org, tx.Micros(), string(why), p.Version, tx.Now().Add(remembered).UnixMicro()})
	}
	if len(some) == 0 {
		return nil
	}
	if err := tx.Bulk(expirePasses, rows); err != nil {
		return fmt.Errorf("expire passes: %w", err)
	}
	if err := tx.Later(`DELETE FROM pass_pictures WHERE pass_no IN ints($1)`, list(ended)); err != nil {
		return fmt.Errorf("forget pictures of passes: %w", err)
	}
	if err := touchAll(tx, some...); err != nil {
		return err
	}
	return b.tell(tx, fact.PassExpired, "", some...)
}
