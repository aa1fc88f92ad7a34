package inventory

import (
	"fmt"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// DeliveryKind is how a buyer gets the tickets of a listing.
type DeliveryKind string

// The kinds of delivery.
const (
	ByTransfer DeliveryKind = "transfer" // in the app or account of whoever issued them, such as Stagedoor's own transfers; what is not said is this
	ByBarcode  DeliveryKind = "barcode"  // as codes that the seller uploads
	ByETicket  DeliveryKind = "eticket"  // as files, whose codes the seller uploads
	ByPaper    DeliveryKind = "paper"    // on paper, sent
	ByPickup   DeliveryKind = "pickup"   // on paper, fetched or handed over
)

func (k DeliveryKind) valid() bool {
	return slices.Contains([]DeliveryKind{ByTransfer, ByBarcode, ByETicket, ByPaper, ByPickup}, k)
}

// electronic tells whether the tickets are codes, which have to be there before they can be promised for much longer.
func (k DeliveryKind) electronic() bool { return k == ByBarcode || k == ByETicket }

// Deliverability tells whether the tickets of a listing will be there in time.
type Deliverability string

// The deliverabilities. Only the first and the last are written down and told; see [Listing.Outlook].
const (
	Deliverable   Deliverability = "ok"
	AtRisk        Deliverability = "at_risk"
	Undeliverable Deliverability = "expired" // nothing is for sale; what is held or sold stays so
)

const (
	riskFor  = 24 * time.Hour // before DeliverBy
	maxNotes = 20
	maxNote  = 200 // characters
)

// awaits tells whether barcodes have to come until DeliverBy.
func (l Listing) awaits() bool {
	return l.DeliveryKind.electronic() && !l.DeliverBy.IsZero() && l.Barcoded < l.Total
}

// Outlook is the listing's deliverability as it is shown at an instant: at risk when barcodes are missing and it is less than 24 hours to DeliverBy.
func (l Listing) Outlook(now time.Time) Deliverability {
	if l = l.AsOf(now); l.Deliverability == Deliverable && l.awaits() && l.DeliverBy.Sub(now) < riskFor {
		return AtRisk
	}
	return l.Deliverability
}

// AsOf is the listing as it stands at an instant. What ExpiresAt and DeliverBy bring about holds from that instant on, and may be written down later.
// Nothing comes of drafts and of what is at its end.
func (l Listing) AsOf(now time.Time) Listing {
	switch {
	case l.Status == Draft || finished(l.Status):
	case passed(l.ExpiresAt, now):
		l.Status = Expired
	case l.awaits() && passed(l.DeliverBy, now):
		l.Deliverability = Undeliverable
	}
	return l
}

// anew is AsOf after something else than the time has changed, which may have made the listing deliverable again.
func (l Listing) anew(now time.Time) Listing {
	if !finished(l.Status) {
		l.Deliverability = Deliverable
	}
	return l.AsOf(now)
}

// passed tells whether now has come to an instant; the zero time never comes.
func passed(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

// dueAt is when AsOf begins to differ from what the listing is; zero for never.
func (l Listing) dueAt() time.Time {
	at := l.ExpiresAt
	switch {
	case l.Status == Draft || finished(l.Status):
		return time.Time{}
	case l.awaits() && l.Deliverability == Deliverable && (at.IsZero() || l.DeliverBy.Before(at)):
		return l.DeliverBy
	}
	return at
}

// checkDelivery notes what is wrong with when and how tickets are delivered. before is the listing as it was: only what is new must lie ahead, and
// when the tickets came to hand need not.
func (l *Listing) checkDelivery(f *problem.Fields, before Listing, now time.Time) {
	if !l.DeliveryKind.valid() {
		f.Add("/deliveryKind", "invalid", "Use transfer, barcode, eticket, paper or pickup.")
	}
	l.InHandAt, l.DeliverBy, l.ExpiresAt = l.InHandAt.UTC().Truncate(time.Microsecond), l.DeliverBy.UTC().Truncate(time.Microsecond), l.ExpiresAt.UTC().Truncate(time.Microsecond)
	published := before.Status == Draft && (l.Status == Active || l.Status == Paused)
	for _, d := range []struct {
		pointer string
		is, was time.Time
	}{{"/inHandAt", l.InHandAt, before.InHandAt}, {"/deliverBy", l.DeliverBy, before.DeliverBy}, {"/expiresAt", l.ExpiresAt, before.ExpiresAt}} {
		switch {
		case d.is.Equal(d.was) && (d.pointer != "/expiresAt" || !published): // it may have passed meanwhile
		case d.pointer != "/inHandAt" && passed(d.is, now): // tickets may be in hand for long
			f.Add(d.pointer, "past", "This instant has passed; give one that lies ahead, or none.")
		case d.is.Year() > maxYear:
			f.Add(d.pointer, "out_of_range", "Give an instant before the year %d.", maxYear+1)
		}
	}
	if !l.InHandAt.IsZero() && !l.DeliverBy.IsZero() && l.InHandAt.After(l.DeliverBy) {
		f.Add("/inHandAt", "after_deliver_by", "The tickets cannot be in hand after deliverBy; move one of the two.")
	}
	if len(l.Notes) > maxNotes {
		f.Add("/notes", "too_long", "A listing has at most %d notes.", maxNotes)
		return
	}
	for i, n := range l.Notes {
		l.Notes[i] = label(f, fmt.Sprintf("/notes/%d", i), n, 1, maxNote)
	}
}

const maxYear = 9999 // RFC 3339 writes years with four digits

// faceOf reads a face value; nil for none.
func faceOf(f *problem.Fields, d money.Decimal, c money.Currency) *money.Amount {
	if d == "" || !c.Valid() {
		return nil
	}
	a, err := money.Parse(string(d), c)
	if err != nil || a.Minor > maxPrice {
		f.Add("/faceValue", "invalid", "The face value is not a valid amount.")
	}
	return &a
}

// put writes what became of a listing whose event is locked and tells of it: listing.changed, and listing.deliverability_expired on that edge. Barcodes that
// nobody can sell any more end with it.
func (s *Stock) put(tx *db.Tx, org int64, ev event.Event, before, l Listing) (Listing, error) {
	p, err := knownPoolOf(tx, org, ev.No)
	if err != nil {
		return Listing{}, err
	}
	l.Version, l.UpdatedAt = before.Version+1, tx.Now()
	if err := l.update(tx, org); err != nil {
		return Listing{}, err
	}
	if l.Type != "" { // its event counts it by its pools, which nothing here changes
		tx.Forget(knownPrimary{org, ev.No})
	} else if err := s.move(tx, org, ev, p, before.share(), l.share()); err != nil {
		return Listing{}, err
	}
	changes := differences(before, l)
	if l.Deliverability == Undeliverable && before.Deliverability != Undeliverable {
		if slices.ContainsFunc(changes, func(c string) bool { return c != "deliverability" && c != "quantity" }) {
			err = s.tell(tx, org, l, changes)
		}
		if err == nil {
			err = s.tellUndeliverable(tx, org, ev, l)
		}
	} else if len(changes) > 0 {
		err = s.tell(tx, org, l, changes)
	}
	if err != nil {
		return Listing{}, err
	}
	return s.keepBarcodes(tx, org, ev, before, l)
}

// lapse writes down what a listing's dates have brought about by now, if anything. The event is locked.
func (s *Stock) lapse(tx *db.Tx, org int64, ev event.Event, before Listing) (Listing, error) {
	l := before.AsOf(tx.Now())
	if l.Status == before.Status && l.Deliverability == before.Deliverability {
		return before, nil
	}
	return s.put(tx, org, ev, before, l)
}

// covered writes how many places of a listing have barcodes that count, and what comes of that: its deliverability is ok again when all have, and has expired
// when fewer have than DeliverBy wants. It returns the listing after. The event is locked, and p is of this transaction.
func (s *Stock) covered(tx *db.Tx, org int64, ev event.Event, p *Pick, barcoded int) (Listing, error) {
	l := p.Listing
	l.Barcoded = barcoded
	return s.put(tx, org, ev, p.Listing, l.anew(tx.Now()))
}

// Overdue lists up to limit events with listings that have to leave the inventory at an instant, of all organisations.
func Overdue(q db.Querier, now time.Time, limit int) ([]Expiring, error) {
	all, err := db.All(q, func(r db.Rows) (e Expiring, err error) { return e, r.Scan(&e.Org, &e.EventNo, &e.EventID) },
		`SELECT DISTINCT org_id, event_no, event_id FROM listings WHERE due_at <= $1 LIMIT $2`, now.UnixMicro(), limit)
	if err != nil {
		return nil, fmt.Errorf("look for listings that lapse: %w", err)
	}
	return all, nil
}

// LapseSome writes down what their dates have brought about of up to limit listings of an event, the oldest first, and returns of how many.
func (s *Stock) LapseSome(tx *db.Tx, org, eventNo int64, limit int) (int, error) {
	ev, err := event.LockNo(tx, org, eventNo)
	if err != nil {
		return 0, err
	}
	all, err := db.All(tx, scan, `SELECT `+columns+` FROM listings l WHERE l.org_id = $1 AND l.event_no = $2 AND l.due_at <= $3 ORDER BY l.due_at, l.listing_no LIMIT $4`,
		org, eventNo, tx.Micros(), limit)
	if err != nil {
		return 0, fmt.Errorf("look for listings that lapse: %w", err)
	}
	lapsed := 0
	for _, before := range all {
		l, err := s.lapse(tx, org, ev, before)
		if err != nil {
			return 0, err
		}
		if l.Version != before.Version {
			lapsed++
		}
	}
	return lapsed, nil
}
