package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"time"

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

	DeliveryKind DeliveryKind // ByTransfer when empty
	InHandAt     time.Time    // zero where it is not said; not after DeliverBy
	DeliverBy    time.Time    // zero for never; in the future, like the others
	ExpiresAt    time.Time
	FaceValue    money.Decimal // empty where it is not said
	Notes        []string      // at most 20 of 200 characters
}

// Check tells what is wrong with what a listing would be made from, as far as that goes without its event: field errors, as [Stock.Create] has them.
func (in Input) Check(now time.Time) error {
	_, err := in.listing(event.Event{}, Listing{}, now)
	return err
}

// Create makes a listing. It fails with event_not_found, event_cancelled (also for a completed event), seat_taken when another listing of
// the event offers or has sold one of the seats, external_id_taken, and field errors.
func (s *Stock) Create(tx *db.Tx, org int64, in Input) (Listing, error) {
	if in.Event == "" {
		return Listing{}, problem.Field("/eventId", "required", "Say which event the listing is for.")
	}
	ev, err := event.Lock(tx, org, in.Event)
	if err != nil {
		return Listing{}, err
	}
	l, err := in.listing(ev, Listing{}, tx.Now())
	if err != nil {
		return Listing{}, err
	}
	if ev.Status == event.Cancelled || ev.Status == event.Completed {
		return Listing{}, problem.New(problem.Conflict, "event_cancelled", "The event is %s; nothing can be listed for it any more.", ev.Status)
	}
	if err := l.checkSeatsFree(tx, org); err != nil {
		return Listing{}, err
	}
	if err := l.key(tx, org, Listing{}); err != nil {
		return Listing{}, err
	}
	pool, err := s.openPool(tx, org, ev)
	if err != nil {
		return Listing{}, err
	}
	l.ID, l.Version, l.CreatedAt, l.UpdatedAt = id.NewListing(tx.Now()), 1, tx.Now(), tx.Now()
	if err := l.insert(tx, org); err != nil {
		return Listing{}, err
	}
	if err := s.move(tx, org, ev, pool, Listing{}.share(), l.share()); err != nil {
		return Listing{}, err
	}
	return l, s.tell(tx, org, l, nil)
}

// listing checks the input and makes the listing that it describes. before is what it takes the place of: its dates may have passed, new ones may not.
func (in Input) listing(ev event.Event, before Listing, now time.Time) (Listing, error) {
	l := Listing{
		EventNo: ev.No, EventID: ev.ID, ExternalID: in.ExternalID, Section: in.Section, Row: in.Row, Seats: noneIfEmpty(in.Seats), Total: in.Quantity,
		SplitRule: cmp.Or(in.SplitRule, Any), Status: cmp.Or(in.Status, Active), DeliveryKind: cmp.Or(in.DeliveryKind, ByTransfer), InHandAt: in.InHandAt,
		DeliverBy: in.DeliverBy, ExpiresAt: in.ExpiresAt, Notes: noneIfEmpty(in.Notes), Deliverability: Deliverable,
	}
	currency := cmp.Or(in.Currency, ev.Currency)
	var f problem.Fields
	l.Price = price(&f, in.Price, currency)
	l.FaceValue = faceOf(&f, in.FaceValue, currency)
	l.check(&f, "/quantity")
	l.checkDelivery(&f, before, now)
	if l.Status != Draft && l.Status != Active && l.Status != Paused {
		f.Add("/status", "invalid", "A new listing is active, paused or draft.")
	}
	return l, f.Err()
}

// noneIfEmpty copies a list; nil for an empty one.
func noneIfEmpty(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}

// Update changes a listing. It fails with listing_not_found, version_mismatch, invalid_transition, listing_below_sold when Total would
// fall below what is held and sold, listing_has_sales (of section, row and seats that are sold), seat_taken, listing_held,
// listing_of_ticket_type, external_id_taken, and field errors.
func (s *Stock) Update(tx *db.Tx, org int64, listing id.Listing, p Patch) (Listing, error) {
	ev, before, err := lock(tx, org, listing)
	if err != nil {
		return Listing{}, err
	}
	if before.Type != "" {
		return Listing{}, problem.New(problem.Conflict, "listing_of_ticket_type", "This is the listing of the ticket type %s; change that instead.", before.Type)
	}
	if before.Held > 0 {
		if err := s.freeListing(tx, org, ev, before.No); err != nil {
			return Listing{}, err
		}
		if before, err = ByID(tx, org, listing); err != nil {
			return Listing{}, err
		}
	}
	if before, err = s.lapse(tx, org, ev, before); err != nil {
		return Listing{}, err
	}
	if p.Version != 0 && p.Version != before.Version {
		return Listing{}, problem.New(problem.Precondition, "version_mismatch",
			"The listing has version %d by now, not %d; read it again and repeat the change.", before.Version, p.Version)
	}
	l, err := p.apply(before, tx.Now())
	if err != nil {
		return Listing{}, err
	}
	if len(differences(before, l)) == 0 {
		return before, nil
	}
	if err := l.mayReplace(tx, org, before); err != nil {
		return Listing{}, err
	}
	if err := l.key(tx, org, before); err != nil {
		return Listing{}, err
	}
	if err := l.dropSeats(tx, before); err != nil {
		return Listing{}, err
	}
	return s.put(tx, org, ev, before, l)
}

// Withdraw takes a listing off the market for good; what it sold stays sold. It fails with listing_not_found, version_mismatch, and
// listing_held while units are held. Withdrawing twice is fine. version is If-Match, 0 for whatever there is.
func (s *Stock) Withdraw(tx *db.Tx, org int64, listing id.Listing, version int64) (Listing, error) {
	status := Withdrawn
	return s.Update(tx, org, listing, Patch{Version: version, Status: &status})
}

// CloseEvent takes everything that is listed for an event off the market for good, ticket types too, since the event is to be deleted and can be locked no more
// then: external ids become free, and no date has an effect any more. The event is locked. It fails with listing_held while units are held.
func (s *Stock) CloseEvent(tx *db.Tx, org int64, ev event.Event) error {
	all, err := db.All(tx, scan, `SELECT `+columns+` FROM listings l WHERE l.org_id = $1 AND l.event_no = $2 AND l.status NOT IN ('withdrawn', 'expired')
		ORDER BY l.listing_no`, org, ev.No)
	if err != nil {
		return fmt.Errorf("load listings of event %s: %w", ev.ID, err)
	}
	for _, before := range all {
		if before.Type != "" {
			err = s.WithdrawType(tx, org, before.Type, 0)
		} else {
			err = s.close(tx, org, ev, before)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// close has a listing come to its end: by its date if that has passed, else it is withdrawn.
func (s *Stock) close(tx *db.Tx, org int64, ev event.Event, before Listing) error {
	if before.Held > 0 {
		return errHeld(before)
	}
	l := before
	l.Status = Withdrawn
	if before.AsOf(tx.Now()).Status == Expired {
		l.Status = Expired
	}
	_, err := s.put(tx, org, ev, before, l)
	return err
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
