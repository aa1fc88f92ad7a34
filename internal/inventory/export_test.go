package inventory

import (
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// KnowsHold tells whether a transaction knows a hold, so that nobody in it has to look it up.
func KnowsHold(tx *db.Tx, org int64, hold id.Hold) bool {
	_, ok := tx.Known(knownHold{org, hold})
	return ok
}
