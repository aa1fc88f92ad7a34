package idempotency

import (
	"context"
	"fmt"
	"slices"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

// erasePage is how many kept answers are looked at together.
const erasePage = 200

// kept is an answer in the keep.
type kept struct {
	Request
	location, etag string
	sealed         []byte
}

func scanKept(r db.Rows) (k kept, err error) {
	return k, r.Scan(&k.Org, &k.Principal, &k.Route, &k.Key, &k.location, &k.etag, &k.sealed)
}

// Erase forgets an organisation's kept answers that a person's address stands in, in the key too; those that cannot be opened any more; and all that were
// given to the principals, which are the person's own. It returns how many. A request that is repeated after that has its effect again.
func (k *Keep) Erase(ctx context.Context, org int64, a person.Address, principals []string) (n int, err error) {
	for last := (kept{}); ; {
		page, err := db.All(k.db.Read(ctx), scanKept, `SELECT org_id, principal, route, key, location, etag, answer FROM idempotency
			WHERE org_id = $1 AND (principal, route, key) > ($2, $3, $4) ORDER BY principal, route, key LIMIT $5`, org, last.Principal, last.Route, last.Key, erasePage)
		if err != nil {
			return n, fmt.Errorf("look for a person in kept answers: %w", err)
		}
		theirs := slices.DeleteFunc(slices.Clone(page), func(one kept) bool { return !slices.Contains(principals, one.Principal) && !k.mentions(one, a) })
		if err := k.forget(ctx, theirs); err != nil {
			return n, err
		}
		n += len(theirs)
		if len(page) < erasePage {
			return n, nil
		}
		last = page[len(page)-1]
	}
}

func (k *Keep) mentions(one kept, a person.Address) bool {
	if a.Within(one.Key) || a.In([]byte(one.Key)) || a.In([]byte(one.location)) || a.In([]byte(one.etag)) {
		return true
	}
	answer, err := k.ring.Open(one.sealed, one.place())
	return err != nil || a.In(answer)
}

func (k *Keep) forget(ctx context.Context, all []kept) error {
	if len(all) == 0 {
		return nil
	}
	return k.db.Write(ctx, "", func(tx *db.Tx) error {
		for _, one := range all {
			if err := tx.Later(`DELETE FROM idempotency WHERE org_id = $1 AND principal = $2 AND route = $3 AND key = $4`,
				one.Org, one.Principal, one.Route, one.Key); err != nil {
				return fmt.Errorf("erase kept answers: %w", err)
			}
		}
		return nil
	})
}
