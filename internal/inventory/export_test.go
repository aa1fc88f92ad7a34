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

// Covered does what an upload of barcodes does to its listing.
func (s *Stock) Covered(tx *db.Tx, org int64, listing id.Listing, barcoded int) (Listing, error) {
	ev, l, err := lock(tx, org, listing)
	if err != nil {
		return Listing{}, err
	}
	p, err := byNo(tx, org, l.No)
	if err != nil {
		return Listing{}, err
	}
	return s.covered(tx, org, ev, p, barcoded)
}
