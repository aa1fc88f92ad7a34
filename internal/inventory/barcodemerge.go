package inventory

import (
	"encoding/json"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

// covered writes how many places of the picked listing have barcodes, and returns the listing after that.
//
// merge: listing
func (s *Stock) covered(tx *db.Tx, org int64, ev event.Event, p *Pick, barcoded int) (Listing, error) {
	l := p.Listing
	l.Barcoded, l.Version, l.UpdatedAt = barcoded, l.Version+1, tx.Now()
	tx.Forget(knownListing{org, l.ID})
	tx.Forget(knownPrimary{org, ev.No})
	err := tx.Later(`UPDATE listings SET barcoded = $1, version = $2, updated_at = $3 WHERE org_id = $4 AND listing_no = $5`,
		l.Barcoded, l.Version, l.UpdatedAt.UnixMicro(), org, l.No)
	if err != nil {
		return Listing{}, fmt.Errorf("count barcodes of listing %s: %w", l.ID, err)
	}
	return l, nil
}

// BarcodeSnapshot is the data of facts about a listing's barcodes.
//
// merge: sale (a Snapshot with its Event and Ordinals set)
type BarcodeSnapshot struct {
	Snapshot
	Ordinals []int `json:"ordinals,omitempty"` // that the upload named
}

// tellBarcodes appends a fact about barcodes of a listing.
//
// merge: sale
func (s *Stock) tellBarcodes(tx *db.Tx, org int64, _ event.Event, kind fact.Kind, l Listing, named []int) error {
	data, err := json.Marshal(BarcodeSnapshot{l.Snapshot(), named})
	if err != nil {
		return err
	}
	if err := s.ledger.Append(tx, &fact.Fact{Org: org, Kind: kind, Subject: string(l.ID), Version: l.Version, Data: data}); err != nil {
		return fmt.Errorf("append %s: %w", kind, err)
	}
	return nil
}
