package inventory

import (
	"encoding/json"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
)

// expectedHold is a hold that somebody is about to ask for.
type expectedHold struct {
	org int64
	id  id.Hold
}

// knownHold is under what a transaction knows a hold whose event it has locked.
type knownHold struct {
	org int64
	id  id.Hold
}

// mostExpected bounds how many holds are looked up at once.
const mostExpected = 2048

// Expect says that a hold is about to be converted. Whoever is the first in a transaction to look for one then finds all that are expected, so that of
// a rush that shares it not everyone has to look. Nothing else depends on it.
func (s *Stock) Expect(org int64, hold id.Hold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.expected) >= mostExpected {
		clear(s.expected) // of some, the request went no further
	}
	s.expected[expectedHold{org, hold}] = true
}

// lookUp loads a hold of an event that this transaction has locked, and with it those that are expected.
func (s *Stock) lookUp(tx *db.Tx, org int64, ev event.Event, hold id.Hold) (Hold, error) {
	h, known := tx.Known(knownHold{org, hold})
	ids := []id.Hold{hold}
	s.mu.Lock()
	delete(s.expected, expectedHold{org, hold}) // the others wait, in this transaction or in one to come
	if !known {
		for e := range s.expected {
			if e.org == org {
				ids = append(ids, e.id)
			}
		}
	}
	s.mu.Unlock()
	if known {
		return h.(Hold), nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return Hold{}, err
	}
	all, err := db.All(tx, scanHold, selectHold+`WHERE h.org_id = $1 AND h.id IN texts($2)`, org, string(list))
	if err != nil {
		return Hold{}, fmt.Errorf("load holds: %w", err)
	}
	found, err := Hold{}, errNoHold()
	for _, h := range all {
		if h.EventNo == ev.No { // the others may still change
			tx.Know(knownHold{org, h.ID}, h)
		}
		if h.ID == hold {
			found, err = h, nil
		}
	}
	return found, err
}

// listingOf is the listing that a hold keeps units of.
func (s *Stock) listingOf(tx *db.Tx, org int64, h Hold) (*Pick, error) {
	p, ok := known(tx, org, h.EventNo, h.ListingID)
	if !ok {
		return byNo(tx, org, h.ListingNo)
	}
	return p, p.complete(tx, org)
}

// PickHeld is [Stock.Pick] for the units that a hold keeps, at the price that it was placed for: [Stock.Take] then converts it. The event must be locked by this
// transaction. It fails with hold_not_found, hold_converted, hold_released and hold_expired.
func (s *Stock) PickHeld(tx *db.Tx, org int64, ev event.Event, hold id.Hold, holder string) (*Pick, error) {
	h, err := s.lookUp(tx, org, ev, hold)
	if err != nil {
		return nil, err
	}
	if h.EventNo != ev.No || holder != "" && h.Holder != holder {
		return nil, errNoHold()
	}
	if err := h.good(tx.Now()); err != nil {
		return nil, err
	}
	p, err := s.listingOf(tx, org, h)
	if err != nil {
		return nil, err
	}
	p.know(tx, org)
	p.Ordinals, p.Seats, p.hold = h.units, h.Seats, &h
	return p, nil
}

// Price is what one of the picked units costs.
func (p *Pick) Price() money.Amount {
	if p.hold != nil {
		return p.hold.Price
	}
	return p.Listing.Price
}

// convert makes the units of a hold an order's.
func (s *Stock) convert(tx *db.Tx, org int64, ev event.Event, p *Pick, orderNo int64) error {
	h := p.hold
	h.OrderNo = orderNo
	if err := h.finish(tx, org, HoldConverted); err != nil {
		return err
	}
	rows := make([][]any, len(h.units))
	for i, o := range h.units {
		rows[i] = []any{orderNo, h.ListingNo, o, -h.No}
	}
	if err := tx.Bulk(passClaims, rows); err != nil {
		return fmt.Errorf("convert hold %s: %w", h.ID, err)
	}
	l := p.Listing
	l.Held -= h.Quantity
	l.Sold += h.Quantity
	return s.counted(tx, org, ev, p, l)
}
