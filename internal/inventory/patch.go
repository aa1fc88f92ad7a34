package inventory

import (
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Patch is a change to a listing: what is nil stays.
type Patch struct {
	Version    int64 // If-Match: the version that the change was made for; 0 for whatever there is
	ExternalID *string
	Section    *string // section and row stay once something is sold
	Row        *string
	Total      *int            // totalQuantity; not below held + sold. With fewer than there are seats, the last seats go
	Free       *int            // instead of Total: what is for sale beside what is held and sold when the change is made
	Seats      []string        // once something is sold: the old labels with more behind them, or the first of them; empty for no numbers
	Price      *money.Decimal  // of orders from now on
	Currency   *money.Currency // needs Price with it
	SplitRule  *Rule
	Status     *Status // Active, Paused or Withdrawn

	DeliveryKind *DeliveryKind
	InHandAt     *time.Time // zero for none; it may have passed
	DeliverBy    *time.Time // later, or none, makes what could not be delivered deliverable
	ExpiresAt    *time.Time
	FaceValue    *money.Decimal // empty for none
	Notes        *[]string
}

// apply returns the listing as the patch wants it, checked as far as that goes without asking the database.
func (p Patch) apply(before Listing, now time.Time) (Listing, error) {
	l := before
	var f problem.Fields
	set(&l.ExternalID, p.ExternalID)
	set(&l.Section, p.Section)
	set(&l.Row, p.Row)
	set(&l.SplitRule, p.SplitRule)
	p.applySeats(&l)
	p.applyPrice(&f, &l)
	p.applyDelivery(&f, &l)
	l.check(&f, "/totalQuantity")
	l.goTo(&f, p.Status)
	l.checkDelivery(&f, before, now)
	if err := f.Err(); err != nil {
		return Listing{}, err
	}
	l, err := l.after(before)
	return l.anew(now), err
}

func (p Patch) applyDelivery(f *problem.Fields, l *Listing) {
	set(&l.DeliveryKind, p.DeliveryKind)
	set(&l.InHandAt, p.InHandAt)
	set(&l.DeliverBy, p.DeliverBy)
	set(&l.ExpiresAt, p.ExpiresAt)
	if p.Notes != nil {
		l.Notes = noneIfEmpty(*p.Notes)
	}
	switch {
	case p.FaceValue != nil:
		l.FaceValue = faceOf(f, *p.FaceValue, l.Price.Currency)
	case l.FaceValue != nil && l.FaceValue.Currency != l.Price.Currency:
		f.Add("/faceValue", "required", "A new currency needs a new face value with it, or none.")
	}
}

// goTo takes over the status that is asked for; nil for none.
func (l *Listing) goTo(f *problem.Fields, to *Status) {
	if to == nil || *to == l.Status {
		return
	}
	switch *to {
	case Active, Paused, Withdrawn, Draft:
		l.Status = *to
	default:
		f.Add("/status", "invalid", "Use active, paused or withdrawn.")
	}
}

// after returns the listing as it follows from what it was, if it may.
func (l Listing) after(before Listing) (Listing, error) {
	if before.Status == SoldOut && l.Status == Active { // that is what sold_out is
		l.Status = SoldOut
	}
	if err := mayGo(before.Status, l.Status); err != nil {
		return Listing{}, err
	}
	if l.Total < l.Held+l.Sold {
		return Listing{}, problem.New(problem.Conflict, "listing_below_sold",
			"%d are held or sold already; totalQuantity cannot be less than that.", l.Held+l.Sold)
	}
	if l.Status == Withdrawn && l.Held > 0 {
		return Listing{}, errHeld(l)
	}
	if finished(before.Status) && len(differences(before, l)) > 0 {
		return Listing{}, problem.New(problem.Conflict, "invalid_transition", "The listing is %s, which is final; make a new one.", before.Status)
	}
	l.settle()
	return l, nil
}

func errHeld(l Listing) error {
	return problem.New(problem.Conflict, "listing_held", "%d tickets are held by buyers just now; pause the listing and try later.", l.Held)
}

func (p Patch) applySeats(l *Listing) {
	if p.Free != nil {
		n := *p.Free + l.Held + l.Sold
		p.Total = &n
	}
	switch {
	case len(p.Seats) > 0:
		l.Seats, l.Total = slices.Clone(p.Seats), len(p.Seats)
	case p.Seats != nil:
		l.Seats = nil
	case p.Total != nil && *p.Total >= 0 && *p.Total < len(l.Seats):
		l.Seats = l.Seats[:*p.Total]
	}
	set(&l.Total, p.Total)
}

func (p Patch) applyPrice(f *problem.Fields, l *Listing) {
	if p.Price == nil {
		if p.Currency != nil && *p.Currency != l.Price.Currency {
			f.Add("/price", "required", "A new currency needs a new price with it.")
		}
		return
	}
	currency := l.Price.Currency
	set(&currency, p.Currency)
	l.Price = price(f, *p.Price, currency)
}

func set[T any](place, v *T) {
	if v != nil {
		*place = *v
	}
}

func finished(s Status) bool { return s == Withdrawn || s == Expired }

func mayGo(from, to Status) error {
	ok := from == to
	switch from {
	case Draft:
		ok = ok || to == Active || to == Paused || to == Withdrawn
	case Active, SoldOut:
		ok = ok || to == Paused || to == Withdrawn
	case Paused:
		ok = ok || to == Active || to == Withdrawn
	}
	if ok {
		return nil
	}
	return problem.New(problem.Conflict, "invalid_transition", "A listing that is %s cannot become %s.", from, to)
}

// differences names the fields of the snapshot that the seller changed.
func differences(before, l Listing) []string {
	var names []string
	for _, f := range []struct {
		name      string
		different bool
	}{
		{"externalId", l.ExternalID != before.ExternalID},
		{"section", l.Section != before.Section},
		{"row", l.Row != before.Row},
		{"seats", !slices.Equal(l.Seats, before.Seats)},
		{"quantity", l.Free() != before.Free()},
		{"totalQuantity", l.Total != before.Total},
		{"price", l.Price.Minor != before.Price.Minor},
		{"currency", l.Price.Currency != before.Price.Currency},
		{"splitRule", l.SplitRule != before.SplitRule},
		{"status", l.Status != before.Status},
		{"deliveryKind", l.DeliveryKind != before.DeliveryKind},
		{"inHandAt", !l.InHandAt.Equal(before.InHandAt)},
		{"deliverBy", !l.DeliverBy.Equal(before.DeliverBy)},
		{"expiresAt", !l.ExpiresAt.Equal(before.ExpiresAt)},
		{"deliverability", l.Deliverability != before.Deliverability},
		{"faceMinor", l.FaceValue != before.FaceValue && (l.FaceValue == nil || before.FaceValue == nil || *l.FaceValue != *before.FaceValue)},
		{"notes", !slices.Equal(l.Notes, before.Notes)},
	} {
		if f.different {
			names = append(names, f.name)
		}
	}
	return names
}
