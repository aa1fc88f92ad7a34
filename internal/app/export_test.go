package app

import "github.com/stagedoorhq/stagedoor/internal/db"

// AuditIn is Audit inside of a transaction.
func (c *Core) AuditIn(tx *db.Tx) (Audit, error) {
	set, err := c.Subscriptions.At(tx)
	if err != nil {
		return Audit{}, err
	}
	return examine(tx, set, c.Charts)
}
