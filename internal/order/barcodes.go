package order

import (
	"slices"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Cause is why an order has an open issue.
type Cause string

// The causes; empty without an issue.
const (
	CauseBarcodes    Cause = "barcodes"     // they failed validation
	CauseNotReceived Cause = "not_received" // the buyer did not receive the tickets
	CauseOther       Cause = "other"
)

// BarcodeUpload is what one place of an order is to get.
type BarcodeUpload struct {
	Place  int // 1 to the order's quantity
	Values []string
}

// Units returns the ordinals that the order has of its listing, or had, by place.
func (o Order) Units() []int { return slices.Clone(o.units) }

// PlaceBarcodes are the barcodes of a place of an order.
type PlaceBarcodes struct {
	Place int
	inventory.BarcodeSet
}

// Barcodes returns the barcodes of those places of an order that have some, by place; none once it has lost its units.
func (b *Book) Barcodes(q db.Querier, org int64, o Order) ([]PlaceBarcodes, error) {
	if !o.Status.Live() {
		return nil, nil
	}
	sets, err := b.stock.Barcodes(q, org, o.ListingNo, o.units)
	all := make([]PlaceBarcodes, len(sets))
	for i, s := range sets {
		all[i] = PlaceBarcodes{slices.Index(o.units, s.Ordinal) + 1, s}
	}
	return all, err
}

// ReceiveBarcodes takes barcodes in for places of an order. When one fails validation, the order has an issue by it (sale.barcodes_failed, also when it
// had one already, whose cause stays if it is [CauseNotReceived]). When each place of the order has received barcodes, the order is fulfilled by [DigitalDownload], unless it is already. Else its status
// stays, and sale.barcodes_received tells. The fact is nil when all was as uploaded before. version is If-Match, 0 for whatever there is. It fails with
// order_not_found, version_mismatch, invalid_transition when the order is neither confirmed, accepted, fulfilled nor has an issue, and with field errors
// ([inventory.CheckBarcodes]).
func (b *Book) ReceiveBarcodes(tx *db.Tx, org int64, order id.Order, uploads []BarcodeUpload, version int64) (Order, *fact.Fact, error) {
	o, ev, err := lock(tx, org, order, version, true)
	if err != nil {
		return Order{}, nil, err
	}
	list, err := o.ofListing(uploads)
	if err != nil {
		return Order{}, nil, err
	}
	if !slices.Contains([]Status{Confirmed, Accepted, Issue, Fulfilled}, o.Status) {
		return Order{}, nil, problem.New(problem.Conflict, "invalid_transition", "The order is %s; barcodes are uploaded for orders that are confirmed and live.", o.Status)
	}
	r, err := b.stock.Receive(tx, org, ev, o.ListingNo, o.units, list)
	if err != nil {
		return Order{}, nil, err
	}
	complete := len(r.Sets) == len(o.units) && !slices.ContainsFunc(r.Sets, func(s inventory.BarcodeSet) bool { return s.Status != inventory.BarcodesReceived })
	switch {
	case r.Failed && o.Status != Issue:
		if o.People.IssueReason != "" { // of an issue before
			o.People.IssueReason = ""
			if err := o.updateNotes(tx, org); err != nil {
				return Order{}, nil, err
			}
		}
		o.IssueCause = CauseBarcodes
		return b.moveBy(tx, org, ev, o, Issue, fact.SaleBarcodesFailed)
	case complete && o.Status != Fulfilled:
		if err := o.fulfil(tx, org, DigitalDownload, ""); err != nil {
			return Order{}, nil, err
		}
		return b.move(tx, org, ev, o, Fulfilled)
	case r.Failed && (r.Changed || o.IssueCause == CauseOther):
		if o.IssueCause == CauseOther { // that the buyer has no tickets stays so, whatever was uploaded
			o.IssueCause = CauseBarcodes
		}
		return b.stay(tx, org, o, fact.SaleBarcodesFailed)
	case r.Changed && !r.Failed:
		return b.stay(tx, org, o, fact.SaleBarcodesReceived)
	}
	return o, nil, nil
}

// ofListing checks an upload and returns it by the listing's ordinals.
func (o Order) ofListing(uploads []BarcodeUpload) ([]inventory.BarcodeUpload, error) {
	list := make([]inventory.BarcodeUpload, len(uploads))
	for i, u := range uploads {
		list[i] = inventory.BarcodeUpload{Ordinal: u.Place - 1, Values: u.Values}
	}
	if err := inventory.CheckBarcodes(list, len(o.units)); err != nil {
		return nil, err
	}
	for i := range list {
		list[i].Ordinal = o.units[list[i].Ordinal]
	}
	return list, nil
}

// stay writes an order whose status does not change, and tells what happened to it.
func (b *Book) stay(tx *db.Tx, org int64, o Order, kind fact.Kind) (Order, *fact.Fact, error) {
	o.Version, o.UpdatedAt = o.Version+1, tx.Now()
	if err := o.update(tx, org); err != nil {
		return Order{}, nil, err
	}
	s := o.Snapshot()
	s.PreviousStatus = "" // the status did not change
	f, err := b.tell(tx, org, kind, s)
	return o, f, err
}

// NotReceived notes that the buyer did not receive the tickets, which is an issue of the order (transfer.failed): they have to be transferred again. The
// fact is nil when that was noted already, but a new note (at most 1,000 characters) is kept, with a new version. version is If-Match, 0 for whatever there is. It fails with
// field errors, order_not_found, version_mismatch, invalid_transition, and with issue_open when there is another issue.
func (b *Book) NotReceived(tx *db.Tx, org int64, order id.Order, note string, version int64) (Order, *fact.Fact, error) {
	var f problem.Fields
	if prose(&f, "/note", note); f.Err() != nil {
		return Order{}, nil, f.Err()
	}
	o, ev, err := lock(tx, org, order, version, false)
	if err != nil {
		return Order{}, nil, err
	}
	if o.Status == Issue && o.IssueCause != CauseNotReceived {
		return Order{}, nil, problem.New(problem.Conflict, "issue_open", "The order has an open issue already, with the cause %s; resolve that first.", o.IssueCause)
	}
	if o.Status != Issue {
		if err := mayGo(o.Status, Issue); err != nil {
			return Order{}, nil, err
		}
	}
	if err := o.noteIssue(tx, org, note); err != nil || o.Status == Issue {
		return o, nil, err
	}
	o.IssueCause = CauseNotReceived
	return b.moveBy(tx, org, ev, o, Issue, fact.TransferFailed)
}
