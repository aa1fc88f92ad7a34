package inventory

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// ByExternalID finds the listing that has the seller's own name and is not at its end; listing_not_found.
func ByExternalID(q db.Querier, org int64, external string) (Listing, error) {
	return found(db.One(q, scan, `SELECT `+columns+` FROM listings l WHERE l.org_id = $1 AND l.external_key = $2`, org, external))
}

// ByNo finds a listing by its number; listing_not_found.
func ByNo(q db.Querier, org, listingNo int64) (Listing, error) {
	return found(db.One(q, scan, `SELECT `+columns+` FROM listings l WHERE l.org_id = $1 AND l.listing_no = $2`, org, listingNo))
}

func found(l Listing, err error) (Listing, error) {
	if errors.Is(err, db.ErrNoRow) {
		return Listing{}, errNotFound()
	}
	if err != nil {
		return Listing{}, fmt.Errorf("load listing: %w", err)
	}
	return l, nil
}

// key has the listing's external id name it as long as it is not at its end. It fails with external_id_taken when it names another one. A name that the listing had
// before and that names another one, as it could once, stays without effect.
func (l *Listing) key(tx *db.Tx, org int64, before Listing) error {
	if l.ExternalID == "" || l.ExternalID == before.ExternalID {
		l.keyed = before.keyed && l.ExternalID != ""
		return nil
	}
	other, err := ByExternalID(tx, org, l.ExternalID)
	switch {
	case problem.Is(err, "listing_not_found"):
	case err != nil:
		return err
	case other.AsOf(tx.Now()).Status == Expired: // its time is up, and it gives the name back before that is written down
		if err := tx.Later(`UPDATE listings SET external_key = NULL WHERE org_id = $1 AND listing_no = $2`, org, other.No); err != nil {
			return fmt.Errorf("free the external id of listing %s: %w", other.ID, err)
		}
		tx.Forget(knownListing{org, other.ID})
	default:
		return problem.New(problem.Conflict, "external_id_taken",
			"The listing %s has the external id %s already; change or withdraw that, or choose another external id.", other.ID, l.ExternalID)
	}
	l.keyed = true
	return nil
}

// Replace is [Stock.Create] for sellers to whom an external id names one listing: one of that name that is not at its end becomes what in says, and is not made
// anew. What is held or sold of it stays, whatever in says; Quantity and Seats of in are what is for sale beside that. A listing for another event is withdrawn,
// and one is made. created tells that one was made. It fails with what Create and [Stock.Update] fail with.
func (s *Stock) Replace(tx *db.Tx, org int64, external string, in Input) (l Listing, created bool, err error) {
	in.ExternalID = external
	if external == "" {
		return Listing{}, false, problem.Field("/externalId", "required", "Give the external id of the listing.")
	}
	before, err := s.lockExternal(tx, org, external)
	switch {
	case problem.Is(err, "listing_not_found"):
		l, err = s.Create(tx, org, in)
		return l, true, err
	case err != nil:
		return Listing{}, false, err
	case in.Event != before.EventID:
		if _, err := s.Withdraw(tx, org, before.ID, 0); err != nil {
			return Listing{}, false, err
		}
		l, err = s.Create(tx, org, in)
		return l, true, err
	}
	ev, err := event.LockNo(tx, org, before.EventNo)
	if err != nil {
		return Listing{}, false, err
	}
	p, err := in.replace(tx, ev, before)
	if err != nil {
		return Listing{}, false, err
	}
	l, err = s.Update(tx, org, before.ID, p)
	return l, false, err
}

// lockExternal finds the listing that an external id names, locks its event, and has what has come to its end of it be so: the listing itself, and its holds.
func (s *Stock) lockExternal(tx *db.Tx, org int64, external string) (Listing, error) {
	l, err := ByExternalID(tx, org, external)
	if err != nil {
		return Listing{}, err
	}
	ev, err := event.LockNo(tx, org, l.EventNo)
	if err != nil {
		return Listing{}, err
	}
	if err := s.freeListing(tx, org, ev, l.No); err != nil {
		return Listing{}, err
	}
	if l, err = ByExternalID(tx, org, external); err != nil { // it may have changed before it was locked
		return Listing{}, err
	}
	if l.EventNo != ev.No {
		return Listing{}, problem.New(problem.Conflict, "external_id_taken", "The listing %s got the external id %s just now; try again.", l.ID, external)
	}
	if l, err = s.lapse(tx, org, ev, l); err != nil {
		return Listing{}, err
	}
	if finished(l.Status) {
		return Listing{}, errNotFound()
	}
	return l, nil
}

// replace is the patch that makes of a listing what the input says.
func (in Input) replace(tx *db.Tx, ev event.Event, before Listing) (Patch, error) {
	want, err := in.listing(ev, before, tx.Now())
	if err != nil {
		return Patch{}, err
	}
	switch {
	case want.Status == Draft && before.Status != Draft: // what was for sale once is no draft any more
		want.Status = Paused
	case want.Status == Active && before.Status == SoldOut:
		want.Status = SoldOut
	}
	price := money.Decimal(want.Price.String())
	p := Patch{
		Section: &want.Section, Row: &want.Row, Price: &price, Currency: &want.Price.Currency, SplitRule: &want.SplitRule,
		DeliveryKind: &want.DeliveryKind, InHandAt: &want.InHandAt, DeliverBy: &want.DeliverBy, ExpiresAt: &want.ExpiresAt, FaceValue: &in.FaceValue,
		Notes: &want.Notes,
	}
	if want.Status != before.Status {
		p.Status = &want.Status
	}
	total := before.Held + before.Sold + want.Total
	if want.Seats == nil {
		p.Total, p.Seats = &total, []string{}
		return p, nil
	}
	p.Seats, err = before.seatsBeside(tx, want.Seats)
	return p, err
}

// seatsBeside are the seats of a listing of which these are for sale, whatever of them is claimed: claimed ones keep their places.
func (l Listing) seatsBeside(tx *db.Tx, wanted []string) ([]string, error) {
	if l.Seats == nil || l.Held+l.Sold == 0 {
		return wanted, nil
	}
	claimed, err := db.All(tx, db.Value[int], `SELECT ordinal FROM claims WHERE listing_no = $1 ORDER BY ordinal`, l.No)
	if err != nil {
		return nil, fmt.Errorf("look for sold seats of listing %s: %w", l.ID, err)
	}
	seats := slices.Clone(l.Seats[:claimed[len(claimed)-1]+1])
	for i, seat := range seats {
		if !slices.Contains(claimed, i) && !slices.Contains(wanted, seat) {
			return nil, problem.New(problem.Conflict, "listing_has_sales", "Seat %s lies before seats that are sold and has to stay in the list.", seat)
		}
	}
	n := len(seats)
	for _, seat := range wanted {
		if !slices.Contains(seats[:n], seat) {
			seats = append(seats, seat)
		}
	}
	return seats, nil
}
