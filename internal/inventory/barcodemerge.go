package inventory

import (
	"encoding/json"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

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
