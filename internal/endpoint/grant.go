package endpoint

import (
	"fmt"
	"slices"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Limit says what the endpoints that an app made on a grant may be told of from now on; 0 ends them. It runs in [db.DB.Configure].
//
// What was planned before and is not sent yet is not sent either when they may not be told of it any more: see [Endpoint.May]. Who has ended the
// grant, or taken something from it, stands in the audit log's entry about that; those of the endpoints name the reason.
func (b *Book) Limit(tx *db.Tx, org, grant int64, sees scope.Set) error {
	if grant == 0 {
		return nil
	}
	all, err := db.All(tx, b.scanAny, "SELECT "+columns+from+" WHERE e.org_id = $1 AND e.grant_no = $2 AND e.grant_no <> 0 AND e.deleted_at IS NULL", org, grant)
	if err != nil {
		return fmt.Errorf("endpoints of grant: %w", err)
	}
	if !slices.ContainsFunc(all, func(e *Endpoint) bool { return sees == 0 || e.Sees != sees }) {
		return nil
	}
	revision, err := tx.Bump()
	if err != nil {
		return err
	}
	if sees != 0 {
		_, err = tx.Exec(`UPDATE endpoints SET sees = $1, revision = $2 WHERE org_id = $3 AND grant_no = $4 AND grant_no <> 0 AND deleted_at IS NULL`,
			sees.String(), revision, org, grant)
		return err
	}
	for _, e := range all {
		if err := remove(tx, e, revision, audit.By{}, map[string]any{"reason": "grant_ended"}); err != nil {
			return err
		}
	}
	return nil
}

// scanAny reads an endpoint also when its secrets cannot be opened: it can be taken out all the same.
func (b *Book) scanAny(r db.Rows) (*Endpoint, error) {
	e, _, _, err := b.scan(r)
	return e, err
}
