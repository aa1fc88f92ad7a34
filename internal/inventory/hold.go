package inventory

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	l := p.Listing
	h := Hold{
		No: n, ID: id.NewHold(), EventNo: ev.No, EventID: ev.ID, ListingNo: l.No, ListingID: l.ID, Type: l.Type, Section: l.Section, Row: l.Row,
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
	if err := s.tellHold(tx, org, fact.HoldPlaced, h); err != nil {
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

var insertHold = db.BulkInsert("holds", "", "hold_no bigint", "org_id bigint", "id text", "event_no bigint", "event_id text", "listing_no bigint", "listing_id text",
	"type_id text", "section text", "row_name text", "seats text", "units text", "quantity bigint", "price bigint", "currency text", "holder text", "status text",
	"extended boolean", "created_at bigint", "expires_at bigint")

func (h *Hold) insert(tx *db.Tx, org int64) error {
	seats, err := seatsColumn(h.Seats)
	if err != nil {
		return err
	}
	units, err := json.Marshal(h.units)
	if err != nil {
		return err
	}
	err = tx.Bulk(insertHold, [][]any{{
		h.No, org, h.ID, h.EventNo, h.EventID, h.ListingNo, h.ListingID, orNull(h.Type), h.Section, h.Row, seats, string(units), h.Quantity, h.Price.Minor,
		h.Price.Currency, h.Holder, h.Status, false, h.CreatedAt.UnixMicro(), h.ExpiresAt.UnixMicro(),
	}})
	if err != nil {
		return fmt.Errorf("insert hold: %w", err)
	}
	return nil
}

const selectHold = `SELECT h.hold_no, h.id, h.event_no, h.event_id, h.listing_no, h.listing_id, h.type_id, h.section, h.row_name, h.seats, h.units, h.quantity,
	h.price, h.currency, h.holder, h.status, h.extended, h.order_no, h.created_at, h.expires_at, h.ended_at FROM holds h `

func scanHold(r db.Rows) (Hold, error) {
	var h Hold
	var ofType, seats *string
	var units string
	var created, expires int64
	var orderNo, ended *int64
	err := r.Scan(&h.No, &h.ID, &h.EventNo, &h.EventID, &h.ListingNo, &h.ListingID, &ofType, &h.Section, &h.Row, &seats, &units, &h.Quantity,
		&h.Price.Minor, &h.Price.Currency, &h.Holder, &h.Status, &h.Extended, &orderNo, &created, &expires, &ended)
	if err != nil {
		return Hold{}, err
	}
	if ofType != nil {
		h.Type = id.TicketType(*ofType)
	}
	if orderNo != nil {
		h.OrderNo = *orderNo
	}
	h.CreatedAt, h.ExpiresAt, h.EndedAt = instant(&created), instant(&expires), instant(ended)
	if seats != nil {
		err = json.Unmarshal([]byte(*seats), &h.Seats)
	}
	if err := errors.Join(err, json.Unmarshal([]byte(units), &h.units)); err != nil {
		return Hold{}, fmt.Errorf("units of hold %s: %w", h.ID, err)
	}
	return h, nil
}

// HoldByID finds a hold; hold_not_found. holder is whose it must be, empty for anybody's.
func HoldByID(q db.Querier, org int64, hold id.Hold, holder string) (Hold, error) {
	h, err := db.One(q, scanHold, selectHold+`WHERE h.org_id = $1 AND h.id = $2`, org, hold)
	if errors.Is(err, db.ErrNoRow) || err == nil && holder != "" && h.Holder != holder {
		return Hold{}, errNoHold()
	}
	if err != nil {
		return Hold{}, fmt.Errorf("load hold: %w", err)
	}
	return h, nil
}

func errNoHold() error {
	return problem.New(problem.NotFound, "hold_not_found", "There is no such hold here.")
}

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

// mostExpected is how many holds are looked up at once, about as many as can be asked for in one transaction.
const mostExpected = 512

// Expect says that a hold is about to be converted. Whoever is the first in a transaction to look for one then finds all that are expected, so that of
// a rush that shares it not everyone has to look. Nothing else depends on it.
func (s *Stock) Expect(org int64, hold id.Hold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.expected) >= mostExpected {
		clear(s.expected) // some were never asked for
	}
	s.expected[expectedHold{org, hold}] = true
}

// lookUp loads a hold of an event that this transaction has locked, and with it those that are expected.
func (s *Stock) lookUp(tx *db.Tx, org int64, ev event.Event, hold id.Hold) (Hold, error) {
	if h, ok := tx.Known(knownHold{org, hold}); ok {
		return h.(Hold), nil
	}
	ids := []id.Hold{hold}
	s.mu.Lock()
	for e := range s.expected {
		if e.org == org && e.id != hold {
			ids = append(ids, e.id)
		}
	}
	clear(s.expected)
	s.mu.Unlock()
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

// lockHold loads a hold and keeps it as it is until the transaction ends: whoever changes holds has locked the event.
func lockHold(tx *db.Tx, org int64, hold id.Hold, holder string) (event.Event, Hold, error) {
	h, err := HoldByID(tx, org, hold, holder)
	if err != nil {
		return event.Event{}, Hold{}, err
	}
	ev, err := event.LockNo(tx, org, h.EventNo)
	if err != nil {
		return event.Event{}, Hold{}, err
	}
	h, err = HoldByID(tx, org, hold, holder)
	return ev, h, err
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

var endHold = db.NewBulk(`UPDATE holds SET status = $1, ended_at = $2, order_no = $3 WHERE org_id = $4 AND hold_no = $5`,
	`UPDATE holds h SET status = x.status, ended_at = x.ended_at, order_no = x.order_no
		FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS x (status, ended_at, order_no, org_id, hold_no)
		WHERE h.org_id = x.org_id AND h.hold_no = x.hold_no`, "text", "bigint", "bigint", "bigint", "bigint")

func (h *Hold) finish(tx *db.Tx, org int64, to HoldStatus) error {
	h.Status, h.EndedAt = to, tx.Now()
	tx.Forget(knownHold{org, h.ID})
	if err := tx.Bulk(endHold, [][]any{{string(to), tx.Micros(), orNull(h.OrderNo), org, h.No}}); err != nil {
		return fmt.Errorf("end hold %s: %w", h.ID, err)
	}
	return nil
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
	if err := s.tellHold(tx, org, kind, *h); err != nil {
		return err
	}
	return s.counted(tx, org, ev, p, l)
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

// HoldSnapshot is the data of facts about holds.
type HoldSnapshot struct {
	HoldID     id.Hold        `json:"holdId"`
	EventID    id.Event       `json:"eventId"`
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
}

// Snapshot returns the hold as facts show it: without whose it is.
func (h Hold) Snapshot() HoldSnapshot {
	return HoldSnapshot{
		HoldID: h.ID, EventID: h.EventID, ListingID: h.ListingID, Type: h.Type, Section: h.Section, Row: h.Row, Seats: h.Seats, Quantity: h.Quantity,
		PriceMinor: h.Price.Minor, Currency: h.Price.Currency, Status: h.Status, CreatedAt: fact.Instant(h.CreatedAt), ExpiresAt: fact.Instant(h.ExpiresAt),
	}
}

func (s *Stock) tellHold(tx *db.Tx, org int64, kind fact.Kind, h Hold) error {
	data, err := json.Marshal(h.Snapshot())
	if err != nil {
		return err
	}
	return s.ledger.Append(tx, &fact.Fact{Org: org, Kind: kind, Subject: string(h.ID), Data: data})
}

// expireAtOnce is how many holds expire between two looks.
const expireAtOnce = 100

// due loads holds of an event that have come to their end, the oldest first, of some listings; nil for all.
func due(tx *db.Tx, org, eventNo int64, listings []int64, limit int) ([]Hold, error) {
	only, args := ``, []any{org, eventNo, tx.Micros(), limit}
	if listings != nil {
		list, err := json.Marshal(listings)
		if err != nil {
			return nil, err
		}
		only, args = ` AND h.listing_no IN ints($5)`, append(args, string(list))
	}
	all, err := db.All(tx, scanHold, selectHold+`WHERE h.org_id = $1 AND h.event_no = $2 AND h.status = 'active' AND h.expires_at <= $3`+only+`
		ORDER BY h.expires_at LIMIT $4`, args...)
	if err != nil {
		return nil, fmt.Errorf("look for holds to expire: %w", err)
	}
	return all, nil
}

func (s *Stock) expire(tx *db.Tx, org int64, ev event.Event, all []Hold) error {
	for i := range all {
		if err := s.end(tx, org, ev, &all[i], HoldExpired); err != nil {
			return err
		}
	}
	return nil
}

// freeListing has all holds of a listing expire that have come to their end.
func (s *Stock) freeListing(tx *db.Tx, org int64, ev event.Event, listing int64) error {
	for {
		all, err := due(tx, org, ev.No, []int64{listing}, expireAtOnce)
		if err != nil || len(all) == 0 {
			return err
		}
		if err := s.expire(tx, org, ev, all); err != nil {
			return err
		}
	}
}

// knownKept is under what a transaction knows that no hold of what is wanted has come to its end.
type knownKept struct {
	org, event int64
	want       Want // without quantity and code
}

// free has holds expire whose units would do for what is wanted, and reports whether there were any. p is the listing that has too few, nil when
// section and row were asked for.
func (s *Stock) free(tx *db.Tx, org int64, ev event.Event, w Want, p *Pick) (bool, error) {
	key := knownKept{org, ev.No, Want{Listing: w.Listing, Type: w.Type, Section: w.Section, Row: w.Row}}
	if _, known := tx.Known(key); known {
		return false, nil
	}
	listings, held, err := s.rivals(tx, org, ev, w, p)
	if err != nil || held == 0 {
		return false, err
	}
	all, err := due(tx, org, ev.No, listings, expireAtOnce)
	if err != nil {
		return false, err
	}
	if len(all) == 0 {
		tx.Know(key, true)
		return false, nil
	}
	// When even that is too little, nothing is written: a refusal costs nothing, and the sweep frees them.
	units := 0
	for _, h := range all {
		units += h.Quantity
	}
	if p != nil && p.Listing.Free()+units < w.Quantity {
		return false, nil
	}
	return true, s.expire(tx, org, ev, all)
}

// rivals are the listings whose holds stand in the way of what is wanted, and how many units are held of them.
func (s *Stock) rivals(tx *db.Tx, org int64, ev event.Event, w Want, p *Pick) (listings []int64, held int, err error) {
	switch {
	case p == nil:
		found, err := db.All(tx, scan, `SELECT `+columns+` FROM listings l WHERE l.org_id = $1 AND l.event_no = $2 AND l.section = $3 AND l.row_name = $4 AND l.held > 0`,
			org, ev.No, w.Section, w.Row)
		for _, l := range found {
			listings, held = append(listings, l.No), held+l.Held
		}
		return listings, held, err
	case p.Type == nil:
		return []int64{p.Listing.No}, p.Listing.Held, nil
	}
	for _, t := range p.primary.types {
		if slices.ContainsFunc(t.draws, func(no int64) bool { return slices.Contains(p.Type.draws, no) }) {
			listings, held = append(listings, t.Listing.No), held+t.Listing.Held
		}
	}
	return listings, held, nil
}

// Expiring is an event with holds that have come to their end.
type Expiring struct {
	Org, EventNo int64
	EventID      id.Event
}

// Due lists up to limit events with active holds that have come to their end at an instant, of all organisations.
func Due(q db.Querier, now time.Time, limit int) ([]Expiring, error) {
	all, err := db.All(q, func(r db.Rows) (e Expiring, err error) { return e, r.Scan(&e.Org, &e.EventNo, &e.EventID) },
		`SELECT DISTINCT org_id, event_no, event_id FROM holds WHERE status = 'active' AND expires_at <= $1 LIMIT $2`, now.UnixMicro(), limit)
	if err != nil {
		return nil, fmt.Errorf("look for holds to expire: %w", err)
	}
	return all, nil
}

// ExpireSome has up to limit holds of an event expire that have come to their end, the oldest first, and returns how many did.
func (s *Stock) ExpireSome(tx *db.Tx, org, eventNo int64, limit int) (int, error) {
	ev, err := event.LockNo(tx, org, eventNo)
	if err != nil {
		return 0, err
	}
	all, err := due(tx, org, eventNo, nil, limit)
	if err != nil {
		return 0, err
	}
	return len(all), s.expire(tx, org, ev, all)
}

// Holding tells whether an event has active holds.
func Holding(q db.Querier, org, eventNo int64) (bool, error) {
	_, err := db.One(q, db.Value[int64], `SELECT hold_no FROM holds WHERE org_id = $1 AND event_no = $2 AND status = 'active' LIMIT 1`, org, eventNo)
	if errors.Is(err, db.ErrNoRow) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for holds: %w", err)
	}
	return true, nil
}

// EraseHolder blanks a person as the holder of up to limit holds and returns how many there were.
func EraseHolder(tx *db.Tx, org int64, holder string, limit int) (int, error) {
	n, err := tx.Exec(`UPDATE holds SET holder = '' WHERE hold_no IN (SELECT hold_no FROM holds WHERE org_id = $1 AND holder = $2 LIMIT $3)`, org, holder, limit)
	if err != nil {
		return 0, fmt.Errorf("erase a person from holds: %w", err)
	}
	return int(n), nil
}

// HoldFilter says which holds a list shows.
type HoldFilter struct {
	Event  id.Event   // empty for all
	Status HoldStatus // empty for all; as of Now
	Holder string     // whose; empty for anybody's
	Now    time.Time
	Limit  int // 50 when 0
	Offset int
}

// Holds returns a page of holds, newest first, and how many there are in all.
func Holds(q db.Querier, org int64, f HoldFilter) (page []Hold, total int, err error) {
	if f.Limit == 0 {
		f.Limit = 50
	}
	where, args := `WHERE h.org_id = $1`, []any{org}
	and := func(condition string, v any) {
		args = append(args, v)
		where += fmt.Sprintf(` AND `+condition, len(args))
	}
	if f.Event != "" {
		and(`h.event_id = $%d`, f.Event)
	}
	if f.Holder != "" {
		and(`h.holder = $%d`, f.Holder)
	}
	switch f.Status {
	case "":
	case HoldActive:
		and(`h.status = 'active' AND h.expires_at > $%d`, f.Now.UnixMicro())
	case HoldExpired:
		and(`(h.status = 'expired' OR h.status = 'active' AND h.expires_at <= $%d)`, f.Now.UnixMicro())
	default:
		and(`h.status = $%d`, f.Status)
	}
	if total, err = db.One(q, db.Value[int], `SELECT count(*) FROM holds h `+where, args...); err != nil {
		return nil, 0, fmt.Errorf("count holds: %w", err)
	}
	page, err = db.All(q, scanHold, fmt.Sprintf(selectHold+where+` ORDER BY h.created_at DESC, h.hold_no DESC LIMIT $%d OFFSET $%d`, len(args)+1, len(args)+2),
		append(args, f.Limit, f.Offset)...)
	if err != nil {
		return nil, 0, fmt.Errorf("list holds: %w", err)
	}
	return page, total, nil
}
