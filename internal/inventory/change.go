package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Input is what a listing is made from.
type Input struct {
	Event      id.Event
	ExternalID string // at most 200 characters
	Section    string // 1 to 100 characters, like Row
	Row        string
	Quantity   int      // 1 to 1,000,000; at most 1,000 with seats, at most 20 with split rule none
	Seats      []string // as many different labels as Quantity, 1 to 50 characters each; nil where places are not numbered
	Price      money.Decimal
	Currency   money.Currency // the event's when empty
	SplitRule  Rule           // Any when empty
	Status     Status         // Active when empty, Draft or Paused
}

// Create makes a listing. It fails with event_not_found, event_cancelled (also for a completed event), seat_taken when another listing of
// the event offers or has sold one of the seats, and field errors.
func (s *Stock) Create(tx *db.Tx, org int64, in Input) (Listing, error) {
	if in.Event == "" {
		return Listing{}, problem.Field("/eventId", "required", "Say which event the listing is for.")
	}
	ev, err := event.Lock(tx, org, in.Event)
	if err != nil {
		return Listing{}, err
	}
	l, err := in.listing(ev)
	if err != nil {
		return Listing{}, err
	}
	if ev.Status == event.Cancelled || ev.Status == event.Completed {
		return Listing{}, problem.New(problem.Conflict, "event_cancelled", "The event is %s; nothing can be listed for it any more.", ev.Status)
	}
	if err := l.checkSeatsFree(tx, org); err != nil {
		return Listing{}, err
	}
	pool, exists, err := poolOf(tx, org, ev.No)
	if err != nil {
		return Listing{}, err
	}
	l.ID, l.Version, l.CreatedAt, l.UpdatedAt = id.NewListing(tx.Now()), 1, tx.Now(), tx.Now()
	if err := l.insert(tx, org); err != nil {
		return Listing{}, err
	}
	if !exists {
		err := tx.Later(`INSERT INTO pools (event_no, org_id, capacity, held, sold, blocked, exhausted) VALUES ($1, $2, 0, 0, 0, 0, FALSE)`,
			ev.No, org)
		if err != nil {
			return Listing{}, fmt.Errorf("open pool of event %s: %w", ev.ID, err)
		}
	}
	if err := s.move(tx, org, ev, pool, Listing{}, l); err != nil {
		return Listing{}, err
	}
	return l, s.tell(tx, org, l, nil)
}

// listing checks the input and makes the listing that it describes.
func (in Input) listing(ev event.Event) (Listing, error) {
	l := Listing{
		EventNo: ev.No, EventID: ev.ID, ExternalID: in.ExternalID, Section: in.Section, Row: in.Row, Seats: slices.Clone(in.Seats), Total: in.Quantity,
		SplitRule: in.SplitRule, Status: in.Status,
	}
	if len(l.Seats) == 0 {
		l.Seats = nil
	}
	if l.SplitRule == "" {
		l.SplitRule = Any
	}
	if l.Status == "" {
		l.Status = Active
	}
	if in.Currency == "" {
		in.Currency = ev.Currency
	}
	var f problem.Fields
	l.Price = price(&f, in.Price, in.Currency)
	l.check(&f, "/quantity")
	if l.Status != Draft && l.Status != Active && l.Status != Paused {
		f.Add("/status", "invalid", "A new listing is active, paused or draft.")
	}
	return l, f.Err()
}

// Patch is a change to a listing: what is nil stays.
type Patch struct {
	Version    int64 // If-Match: the version that the change was made for; 0 for whatever there is
	ExternalID *string
	Section    *string // section and row stay once something is sold
	Row        *string
	Total      *int            // totalQuantity; not below held + sold. With fewer than there are seats, the last seats go
	Seats      []string        // once something is sold: the old labels with more behind them, or the first of them; empty for no numbers
	Price      *money.Decimal  // of orders from now on
	Currency   *money.Currency // needs Price with it
	SplitRule  *Rule
	Status     *Status // Active, Paused or Withdrawn
}

// Update changes a listing. It fails with listing_not_found, version_mismatch, invalid_transition, listing_below_sold when Total would
// fall below what is held and sold, listing_has_sales (of section, row and seats that are sold), seat_taken, listing_held, and field
// errors.
func (s *Stock) Update(tx *db.Tx, org int64, listing id.Listing, p Patch) (Listing, error) {
	ev, before, err := lock(tx, org, listing)
	if err != nil {
		return Listing{}, err
	}
	if p.Version != 0 && p.Version != before.Version {
		return Listing{}, problem.New(problem.Precondition, "version_mismatch",
			"The listing has version %d by now, not %d; read it again and repeat the change.", before.Version, p.Version)
	}
	l, err := p.apply(before)
	if err != nil {
		return Listing{}, err
	}
	changes := differences(before, l)
	if len(changes) == 0 {
		return before, nil
	}
	if err := l.mayReplace(tx, org, before); err != nil {
		return Listing{}, err
	}
	pool, _, err := poolOf(tx, org, ev.No)
	if err != nil {
		return Listing{}, err
	}
	if err := l.dropSeats(tx, before); err != nil {
		return Listing{}, err
	}
	l.Version, l.UpdatedAt = before.Version+1, tx.Now()
	if err := l.update(tx, org); err != nil {
		return Listing{}, err
	}
	if err := s.move(tx, org, ev, pool, before, l); err != nil {
		return Listing{}, err
	}
	return l, s.tell(tx, org, l, changes)
}

// Withdraw takes a listing off the market for good; what it sold stays sold. It fails with listing_not_found, version_mismatch, and
// listing_held while units are held. Withdrawing twice is fine. version is If-Match, 0 for whatever there is.
func (s *Stock) Withdraw(tx *db.Tx, org int64, listing id.Listing, version int64) (Listing, error) {
	status := Withdrawn
	return s.Update(tx, org, listing, Patch{Version: version, Status: &status})
}

// lock finds a listing and locks its event, so that both stay as they are.
func lock(tx *db.Tx, org int64, listing id.Listing) (event.Event, Listing, error) {
	l, err := ByID(tx, org, listing)
	if err != nil {
		return event.Event{}, Listing{}, err
	}
	ev, err := event.LockNo(tx, org, l.EventNo)
	if err != nil {
		return event.Event{}, Listing{}, err
	}
	l, err = ByID(tx, org, listing)
	return ev, l, err
}

// apply returns the listing as the patch wants it, checked as far as that goes without asking the database.
func (p Patch) apply(before Listing) (Listing, error) {
	l := before
	var f problem.Fields
	set(&l.ExternalID, p.ExternalID)
	set(&l.Section, p.Section)
	set(&l.Row, p.Row)
	set(&l.SplitRule, p.SplitRule)
	p.applySeats(&l)
	p.applyPrice(&f, &l)
	l.check(&f, "/totalQuantity")
	if p.Status != nil && *p.Status != before.Status {
		switch *p.Status {
		case Active, Paused, Withdrawn, Draft:
			l.Status = *p.Status
		default:
			f.Add("/status", "invalid", "Use active, paused or withdrawn.")
		}
	}
	if err := f.Err(); err != nil {
		return Listing{}, err
	}
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
		return Listing{}, problem.New(problem.Conflict, "listing_held", "%d tickets are held by buyers just now; pause the listing and try later.", l.Held)
	}
	if finished(before.Status) && len(differences(before, l)) > 0 {
		return Listing{}, problem.New(problem.Conflict, "invalid_transition", "The listing is %s, which is final; make a new one.", before.Status)
	}
	l.settle()
	return l, nil
}

func (p Patch) applySeats(l *Listing) {
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

// mayReplace checks what was sold against a new section, row or seats.
func (l Listing) mayReplace(tx *db.Tx, org int64, before Listing) error {
	moved := l.Section != before.Section || l.Row != before.Row
	if !moved && slices.Equal(l.Seats, before.Seats) {
		return nil
	}
	n := min(len(l.Seats), len(before.Seats))
	grown := l.Seats != nil && before.Seats != nil && slices.Equal(l.Seats[:n], before.Seats[:n])
	if l.Held+l.Sold > 0 && (moved || !grown) {
		return problem.New(problem.Conflict, "listing_has_sales",
			"Tickets of this listing are sold: section and row stay, and seats can only be added or taken away at the end.")
	}
	if n < len(before.Seats) && l.Held+l.Sold > 0 {
		last, err := db.One(tx, db.Value[int], `SELECT COALESCE(MAX(ordinal), -1) FROM claims WHERE listing_no = $1`, l.No)
		if err != nil {
			return fmt.Errorf("look for sold seats of listing %s: %w", l.ID, err)
		}
		if last >= n {
			return problem.New(problem.Conflict, "listing_has_sales", "Seat %s is sold and has to stay in the list.", before.Seats[last])
		}
	}
	return l.checkSeatsFree(tx, org)
}

// dropSeats forgets what was free behind the end of a shorter list of seats.
func (l *Listing) dropSeats(tx *db.Tx, before Listing) error {
	if l.Seats == nil || l.highWater <= len(l.Seats) {
		return nil
	}
	l.highWater = len(l.Seats)
	if err := tx.Later(`DELETE FROM gaps WHERE listing_no = $1 AND ordinal >= $2`, l.No, l.highWater); err != nil {
		return fmt.Errorf("drop seats of listing %s: %w", before.ID, err)
	}
	return nil
}

// checkSeatsFree makes sure that no other listing of the event offers or has sold one of the seats; seat_taken.
func (l Listing) checkSeatsFree(tx *db.Tx, org int64) error {
	if l.Seats == nil {
		return nil
	}
	others, err := db.All(tx, scan, `SELECT `+columns+` FROM listings l WHERE l.org_id = $1 AND l.event_no = $2 AND l.section = $3 AND l.row_name = $4
		AND l.seats IS NOT NULL AND l.status NOT IN ('withdrawn', 'expired') AND l.listing_no <> $5`, org, l.EventNo, l.Section, l.Row, l.No)
	if err != nil {
		return fmt.Errorf("look for seats of others: %w", err)
	}
	taken, err := db.All(tx, db.Value[string], `SELECT seat FROM claims WHERE org_id = $1 AND event_no = $2 AND section = $3 AND row_name = $4
		AND seat IS NOT NULL AND listing_no <> $5`, org, l.EventNo, l.Section, l.Row, l.No)
	if err != nil {
		return fmt.Errorf("look for sold seats: %w", err)
	}
	for _, o := range others {
		taken = append(taken, o.Seats...)
	}
	if both := slices.DeleteFunc(slices.Clone(l.Seats), func(s string) bool { return !slices.Contains(taken, s) }); len(both) > 0 {
		return problem.New(problem.Conflict, "seat_taken", "Another listing of this event has section %s, row %s, seat %s.",
			l.Section, l.Row, strings.Join(both[:min(len(both), 10)], ", "))
	}
	return nil
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
	} {
		if f.different {
			names = append(names, f.name)
		}
	}
	return names
}
