package inventory

import (
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

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
