package inventory

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Hold keeps units for somebody who has not ordered yet.
type Hold struct {
	No        int64
	ID        id.Hold
	SaleNo    int64 // the number by which partners know the provisional sale; its order's too
	EventNo   int64
	EventID   id.Event
	ListingNo int64
	ListingID id.Listing
	Type      id.TicketType // empty for none
	Section   string
	Row       string
	Seats     []string // nil where places are not numbered
	Quantity  int
	Price     money.Amount // of one unit, as it was when the hold was placed; the order's too
	Holder    string       // whose it is
	Status    HoldStatus
	Extended  bool
	OrderNo   int64 // of the order that it became; 0 for none
	CreatedAt time.Time
	ExpiresAt time.Time // from then on it cannot become an order
	EndedAt   time.Time // zero while it is active

	units []int
}

// HoldStatus is where a hold stands.
type HoldStatus string

// The statuses of holds. All but the first are the end.
const (
	HoldActive    HoldStatus = "active"
	HoldConverted HoldStatus = "converted"
	HoldReleased  HoldStatus = "released"
	HoldExpired   HoldStatus = "expired"
)

// Sales is the sequence of the numbers by which partners know sales, of holds and orders alike.
const Sales = "sales"

// How long holds last.
const (
	HoldFor     = 10 * time.Minute // when nothing is said
	HoldAtMost  = time.Hour
	HoldAtLeast = time.Second
)

// HoldInput is what a hold is placed with.
type HoldInput struct {
	Event id.Event
	Want
	Holder string        // who may see, extend, release and convert it beside the organisation's own
	For    time.Duration // HoldAtLeast to HoldAtMost; HoldFor when 0
}

// Hold keeps units for somebody and appends hold.placed. It fails with event_not_found, what [event.Event.Sells] and [Stock.Pick] fail with, and field errors.
func (s *Stock) Hold(tx *db.Tx, org int64, in HoldInput) (Hold, error) {
	if in.For == 0 {
		in.For = HoldFor
	}
	if err := in.check(); err != nil {
		return Hold{}, err
	}
	ev, err := event.Lock(tx, org, in.Event)
	if err != nil {
		return Hold{}, err
	}
	if err := ev.Sells(tx.Now()); err != nil {
		return Hold{}, err
	}
	p, err := s.Pick(tx, org, ev, in.Want)
	if err != nil {
		return Hold{}, err
	}
	if err := in.agrees(p.Listing); err != nil {
		return Hold{}, err
	}
	n, err := tx.Numbers(1)
	if err != nil {
		return Hold{}, fmt.Errorf("number of hold: %w", err)
	}
	sale, err := tx.Serial(Sales)
	if err != nil {
		return Hold{}, fmt.Errorf("number of sale: %w", err)
	}
	l := p.Listing
	h := Hold{
		No: n, ID: id.NewHold(), SaleNo: sale, EventNo: ev.No, EventID: ev.ID, ListingNo: l.No, ListingID: l.ID, Type: l.Type, Section: l.Section, Row: l.Row,
		Seats: p.Seats, Quantity: in.Quantity, Price: l.Price, Holder: in.Holder, Status: HoldActive,
		CreatedAt: tx.Now(), ExpiresAt: tx.Now().Add(in.For), units: p.Ordinals,
	}
	if err := h.insert(tx, org); err != nil {
		return Hold{}, err
	}
	if l, err = p.claim(tx, org, -h.No); err != nil {
		return Hold{}, err
	}
	l.Held += h.Quantity
	if err := s.tellHold(tx, org, ev, fact.HoldPlaced, h, l); err != nil {
		return Hold{}, err
	}
	return h, s.counted(tx, org, ev, p, l)
}

func (in *HoldInput) check() error {
	var f problem.Fields
	if in.Event == "" {
		f.Add("/eventId", "required", "Say which event the hold is for.")
	}
	if in.Listing == "" && in.Type == "" && (in.Section == "" || in.Row == "") {
		f.Add("/listingId", "required", "Give a listingId, a ticketTypeId, or section and row.")
	}
	if in.Listing != "" && in.Type != "" {
		f.Add("/ticketTypeId", "not_allowed", "Give a listingId or a ticketTypeId, not both.")
	}
	if in.Quantity < 1 || in.Quantity > MaxPerOrder {
		f.Add("/quantity", "out_of_range", "Hold 1 to %d tickets.", MaxPerOrder)
	}
	if in.For < HoldAtLeast || in.For > HoldAtMost {
		f.Add("/seconds", "out_of_range", "Hold for 1 to %d seconds.", int(HoldAtMost.Seconds()))
	}
	return f.Err()
}

// agrees makes sure that a section and row that came with a listing or a type are its own.
func (in *HoldInput) agrees(l Listing) error {
	var f problem.Fields
	if in.Section != "" && in.Section != l.Section {
		f.Add("/section", "mismatch", "These tickets are in section %s; leave section out.", l.Section)
	}
	if in.Row != "" && in.Row != l.Row {
		f.Add("/row", "mismatch", "These tickets are in row %s; leave row out.", l.Row)
	}
	return f.Err()
}

// good tells why the hold keeps nothing any more, or nil.
func (h Hold) good(now time.Time) error {
	switch {
	case h.Status == HoldConverted:
		return problem.New(problem.Conflict, "hold_converted", "The hold has become an order already.")
	case h.Status == HoldReleased:
		return problem.New(problem.Conflict, "hold_released", "The hold was released; place a new one.")
	case h.Status == HoldExpired || !now.Before(h.ExpiresAt):
		return problem.New(problem.Conflict, "hold_expired", "The hold expired at %s; place a new one.", fact.Instant(h.ExpiresAt))
	}
	return nil
}

// Extend has a hold last as long again as it was placed for, from now on, once at most. It fails with hold_not_found, hold_already_extended,
// hold_converted, hold_released and hold_expired.
func (s *Stock) Extend(tx *db.Tx, org int64, hold id.Hold, holder string) (Hold, error) {
	_, h, err := lockHold(tx, org, hold, holder)
	if err != nil {
		return Hold{}, err
	}
	if err := h.good(tx.Now()); err != nil {
		return Hold{}, err
	}
	if h.Extended {
		return Hold{}, problem.New(problem.Conflict, "hold_already_extended", "A hold is extended once at most; this one lasts until %s.", fact.Instant(h.ExpiresAt))
	}
	tx.Forget(knownHold{org, h.ID})
	h.ExpiresAt, h.Extended = tx.Now().Add(h.ExpiresAt.Sub(h.CreatedAt)), true
	if err := tx.Later(`UPDATE holds SET expires_at = $1, extended = TRUE WHERE org_id = $2 AND hold_no = $3`, h.ExpiresAt.UnixMicro(), org, h.No); err != nil {
		return Hold{}, fmt.Errorf("extend hold %s: %w", h.ID, err)
	}
	return h, nil
}

// ReleaseHold gives a hold's units back and appends hold.released; if its time was up, it expires instead. It fails with hold_not_found and
// hold_converted. A hold that has ended otherwise stays as it is.
func (s *Stock) ReleaseHold(tx *db.Tx, org int64, hold id.Hold, holder string) (Hold, error) {
	ev, h, err := lockHold(tx, org, hold, holder)
	switch {
	case err != nil:
		return Hold{}, err
	case h.Status == HoldConverted:
		return Hold{}, h.good(tx.Now())
	case h.Status != HoldActive:
		return h, nil
	}
	to := HoldReleased
	if !tx.Now().Before(h.ExpiresAt) {
		to = HoldExpired
	}
	err = s.end(tx, org, ev, &h, to)
	return h, err
}

// end gives an active hold's units back.
func (s *Stock) end(tx *db.Tx, org int64, ev event.Event, h *Hold, to HoldStatus) error {
	p, err := s.listingOf(tx, org, *h)
	if err != nil {
		return err
	}
	if err := h.finish(tx, org, to); err != nil {
		return err
	}
	l, err := p.unclaim(tx, org, -h.No, h.units)
	if err != nil {
		return err
	}
	l.Held -= h.Quantity
	kind := fact.HoldReleased
	if to == HoldExpired {
		kind = fact.HoldExpired
	}
	if err := s.tellHold(tx, org, ev, kind, *h, l); err != nil {
		return err
	}
	if err := s.counted(tx, org, ev, p, l); err != nil || !finished(l.Status) {
		return err
	}
	_, _, err = s.endBarcodes(tx, org, ev, l.No, `ordinal IN ints($4)`, jsonList(h.units)) // nobody can sell these places any more
	return err
}

// HoldSnapshot is the data of facts about holds.
type HoldSnapshot struct {
	HoldID     id.Hold        `json:"holdId"`
	EventID    id.Event       `json:"eventId"`
	EventName  string         `json:"eventName"`
	EventDate  fact.Instant   `json:"eventDate"`
	ListingID  id.Listing     `json:"listingId"`
	Type       id.TicketType  `json:"ticketTypeId,omitempty"`
	Section    string         `json:"section"`
	Row        string         `json:"row"`
	Seats      []string       `json:"seats,omitempty"`
	Quantity   int            `json:"quantity"`
	PriceMinor int64          `json:"priceMinor"` // of one unit, in Currency's minor units
	Currency   money.Currency `json:"currency"`
	Status     HoldStatus     `json:"status"`
	CreatedAt  fact.Instant   `json:"createdAt"`
	ExpiresAt  fact.Instant   `json:"expiresAt"`
	Sale       Sale           `json:"sale"`
}

// Snapshot returns the hold as facts show it: without whose it is.
func (h Hold) Snapshot(ev event.Event, l Listing) HoldSnapshot {
	return HoldSnapshot{
		HoldID: h.ID, EventID: h.EventID, EventName: ev.Name, EventDate: fact.Instant(ev.StartsAt), ListingID: h.ListingID, Type: h.Type, Section: h.Section, Row: h.Row, Seats: h.Seats, Quantity: h.Quantity,
		PriceMinor: h.Price.Minor, Currency: h.Price.Currency, Status: h.Status, CreatedAt: fact.Instant(h.CreatedAt), ExpiresAt: fact.Instant(h.ExpiresAt),
		Sale: SaleOf(h.SaleNo, ev, l, h.units),
	}
}

func (s *Stock) tellHold(tx *db.Tx, org int64, ev event.Event, kind fact.Kind, h Hold, l Listing) error {
	data, err := json.Marshal(h.Snapshot(ev, l))
	if err != nil {
		return err
	}
	return s.ledger.Append(tx, &fact.Fact{Org: org, Kind: kind, Subject: string(h.ID), Data: data})
}
