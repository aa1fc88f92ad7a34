package inventory

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// KnowsHold tells whether a transaction knows a hold, so that nobody in it has to look it up.
func KnowsHold(tx *db.Tx, org int64, hold id.Hold) bool {
	_, ok := tx.Known(knownHold{org, hold})
	return ok
}

// Covered does what an upload of barcodes does to its listing: it gives the first of its places some, and takes them from the others.
func (s *Stock) Covered(tx *db.Tx, org int64, listing id.Listing, barcoded int) (Listing, error) {
	ev, l, err := lock(tx, org, listing)
	if err != nil {
		return Listing{}, err
	}
	p, err := byNo(tx, org, l.No)
	if err != nil {
		return Listing{}, err
	}
	for _, table := range []string{"barcode_sets", "barcode_values"} {
		if _, err := tx.Exec(`DELETE FROM `+table+` WHERE org_id = $1 AND listing_no = $2`, org, l.No); err != nil {
			return Listing{}, err
		}
	}
	for o := range barcoded {
		no, err := tx.Numbers(1)
		if err == nil {
			_, err = tx.Exec(`INSERT INTO barcode_sets (set_no, org_id, event_no, listing_no, ordinal, row_name, seat, status, n, sealed, received_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $10)`, no, org, ev.No, l.No, o, l.Row, l.seat(o), string(BarcodesReceived), []byte{0}, tx.Micros())
		}
		if err == nil {
			_, err = tx.Exec(`INSERT INTO barcode_values (event_no, digest, org_id, listing_no, ordinal, set_no) VALUES ($1, $2, $3, $4, $5, $6)`,
				ev.No, fmt.Sprintf("%d/%d", l.No, o), org, l.No, o, no)
		}
		if err != nil {
			return Listing{}, err
		}
	}
	return s.covered(tx, org, ev, p, barcoded)
}
