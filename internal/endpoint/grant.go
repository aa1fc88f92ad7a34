package endpoint

import (
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Limit says what the endpoints that an app made on a grant may be told of from now on; 0 ends them. It runs in [db.DB.Configure].
func (b *Book) Limit(tx *db.Tx, org, grant int64, sees scope.Set) error {
	if grant == 0 {
		return nil
	}
	all, err := db.All(tx, db.Value[id.Webhook], `SELECT id FROM endpoints WHERE org_id = $1 AND grant_no = $2 AND grant_no <> 0 AND deleted_at IS NULL`, org, grant)
	if err != nil || len(all) == 0 {
		return err
	}
	if sees == 0 {
		for _, i := range all {
			if err := b.Delete(tx, org, i, 0); err != nil {
				return err
			}
		}
		return nil
	}
	revision, err := tx.Bump()
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE endpoints SET sees = $1, revision = $2 WHERE org_id = $3 AND grant_no = $4 AND grant_no <> 0 AND deleted_at IS NULL`,
		sees.String(), revision, org, grant)
	return err
}
