package inventory

import (
	"cmp"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// TicketType is what an organisation sells itself for an event.
type TicketType struct {
	ID          id.TicketType
	Class       int           // 1, 2, … of the event, and for good: what the codes of its tickets say, for doors that admit some kinds only
	Listing     Listing       // its units, price and status; the section is the type's name, the version is the type's
	FaceValue   *money.Amount // nil where it is not said
	Pools       []string      // names of the pools that it draws on
	PerCustomer int           // tickets in live orders of one customer's address; 0 for no limit
	OnSaleAt    time.Time     // zero for the event's
	OffSaleAt   time.Time
	Code        string // that a buyer has to know; empty for none

	draws []int64 // the numbers of Pools; of the first, the event's sums count the places
}

// Limit is how many are sold at most, whatever the pools have; 0 for no limit.
func (t TicketType) Limit() int {
	if t.Listing.Total == maxQuantity {
		return 0
	}
	return t.Listing.Total
}

// GeneralAdmission is the row of a ticket type's listing.
const GeneralAdmission = "GA"

const (
	maxTypes = 100 // of an event
	maxPools = 50
	maxDraws = 10
	maxCode  = 100
)

// sells tells why the type does not sell what is wanted, as far as that is not about what is left.
func (t *TicketType) sells(now time.Time, w Want) error {
	if err := event.Window(now, t.OnSaleAt, t.OffSaleAt); err != nil {
		return err
	}
	if t.Code != "" && subtle.ConstantTimeCompare([]byte(t.Code), []byte(w.Code)) == 0 {
		return problem.New(problem.Forbidden, "access_code_wrong", "%s is sold to those who know its access code; send it as accessCode.", t.Listing.Section)
	}
	return nil
}

// TypeInput is what a ticket type is made from.
type TypeInput struct {
	Event       id.Event
	Name        string        // 1 to 100 characters
	Price       money.Decimal //
	Currency    money.Currency
	FaceValue   money.Decimal // empty where it is not said
	Pools       []string      // 1 to 10 names of pools of the event; none for a pool of its own, which has its name, with Quantity as the capacity
	Quantity    int           // sold at most; 0 for what the pools have
	MinPerOrder int           // 1 to 20; 1 when 0
	MaxPerOrder int           // 1 to 20; 20 when 0
	PerCustomer int           // 0 for no limit
	OnSaleAt    time.Time     // zero for the event's
	OffSaleAt   time.Time
	Code        string // at most 100 characters
	Status      Status // Active when empty, Draft or Paused
}

// CreateType makes a ticket type. It fails with event_not_found, event_cancelled (also for a completed event), ticket_type_exists when the event has one of
// that name that was not withdrawn, and field errors.
func (s *Stock) CreateType(tx *db.Tx, org int64, in TypeInput) (TicketType, error) {
	ev, err := event.Lock(tx, org, in.Event)
	if err != nil {
		return TicketType{}, err
	}
	if ev.Status == event.Cancelled || ev.Status == event.Completed {
		return TicketType{}, problem.New(problem.Conflict, "event_cancelled", "The event is %s; nothing can be sold for it any more.", ev.Status)
	}
	was, err := primaryOf(tx, org, ev.No)
	if err != nil {
		return TicketType{}, err
	}
	t, err := in.ticketType(ev, was)
	if err != nil {
		return TicketType{}, err
	}
	if err := was.mayBeCalled(t); err != nil {
		return TicketType{}, err
	}
	if len(was.types) >= maxTypes {
		return TicketType{}, problem.New(problem.Conflict, "too_many_ticket_types", "An event has at most %d ticket types.", maxTypes)
	}
	total, err := s.openPool(tx, org, ev)
	if err != nil {
		return TicketType{}, err
	}
	is := was.clone()
	if len(in.Pools) == 0 {
		own, err := is.addPool(tx, org, ev, PoolInput{Name: t.Listing.Section, Capacity: in.Quantity})
		if err != nil {
			return TicketType{}, err
		}
		t.Pools, t.draws = []string{own.Name}, []int64{own.No}
	}
	t.ID, t.Class = id.NewTicketType(), was.nextClass()
	l := &t.Listing
	l.Type, l.ID, l.Version, l.CreatedAt, l.UpdatedAt = t.ID, id.NewListing(tx.Now()), 1, tx.Now(), tx.Now()
	is.types = append(is.types, t)
	is.settle()
	made := &is.types[len(is.types)-1]
	if err := made.insert(tx, org); err != nil {
		return TicketType{}, err
	}
	tx.Know(knownPrimary{org, ev.No}, is)
	if err := s.move(tx, org, ev, total, was.share(), is.share()); err != nil {
		return TicketType{}, err
	}
	return *made, s.tell(tx, org, made.Listing, nil)
}

// ticketType checks the input and makes the type that it describes.
func (in TypeInput) ticketType(ev event.Event, p *primary) (TicketType, error) {
	t := TicketType{PerCustomer: in.PerCustomer, OnSaleAt: in.OnSaleAt, OffSaleAt: in.OffSaleAt, Code: in.Code}
	t.Listing = Listing{
		EventNo: ev.No, EventID: ev.ID, Section: in.Name, Row: GeneralAdmission, Total: cmp.Or(in.Quantity, maxQuantity), SplitRule: Any,
		Status: cmp.Or(in.Status, Active), Least: cmp.Or(in.MinPerOrder, 1), Most: cmp.Or(in.MaxPerOrder, MaxPerOrder),
		DeliveryKind: ByTransfer, Deliverability: Deliverable,
	}
	currency := cmp.Or(in.Currency, ev.Currency)
	var f problem.Fields
	t.Listing.Price = price(&f, in.Price, currency)
	t.faceValue(&f, in.FaceValue)
	t.check(&f)
	t.drawOn(&f, p, in.Pools)
	if len(in.Pools) == 0 && in.Quantity < 1 {
		f.Add("/pools", "required", "Name the pools that the type draws on, or give a quantity for a pool of its own.")
	}
	if len(in.Pools) == 0 {
		t.Listing.Total = maxQuantity // its pool says it
	}
	if s := t.Listing.Status; s != Draft && s != Active && s != Paused {
		f.Add("/status", "invalid", "A new ticket type is active, paused or draft.")
	}
	return t, f.Err()
}

func (t *TicketType) faceValue(f *problem.Fields, d money.Decimal) {
	t.FaceValue = faceOf(f, d, t.Listing.Price.Currency)
}

// check notes what is wrong with a type. Price, pools and status are checked elsewhere.
func (t *TicketType) check(f *problem.Fields) {
	l := &t.Listing
	l.Section = label(f, "/name", l.Section, 1, maxPlace)
	if l.Total < 1 || l.Total > maxQuantity {
		f.Add("/quantity", "out_of_range", "Sell 1 to 1,000,000 tickets.")
	}
	if l.Least < 1 || l.Least > MaxPerOrder {
		f.Add("/minPerOrder", "out_of_range", "Use 1 to %d.", MaxPerOrder)
	}
	if l.Most < 1 || l.Most > MaxPerOrder || l.Most < l.Least {
		f.Add("/maxPerOrder", "out_of_range", "Use 1 to %d, and no less than minPerOrder.", MaxPerOrder)
	}
	if t.PerCustomer < 0 || t.PerCustomer > maxQuantity || t.PerCustomer > 0 && t.PerCustomer < l.Least {
		f.Add("/perCustomer", "out_of_range", "Use no less than minPerOrder, or 0 for no limit.")
	}
	t.Code = label(f, "/code", t.Code, 0, maxCode)
	t.OnSaleAt, t.OffSaleAt = t.OnSaleAt.UTC().Truncate(time.Microsecond), t.OffSaleAt.UTC().Truncate(time.Microsecond)
	event.CheckWindow(f, t.OnSaleAt, t.OffSaleAt)
}

// drawOn finds the pools.
func (t *TicketType) drawOn(f *problem.Fields, p *primary, names []string) {
	if len(names) > maxDraws {
		f.Add("/pools", "too_long", "A ticket type draws on at most %d pools.", maxDraws)
		return
	}
	t.Pools, t.draws = nil, nil
	for i, name := range names {
		pointer := fmt.Sprintf("/pools/%d", i)
		at := slices.IndexFunc(p.pools, func(p Pool) bool { return p.Name == name })
		switch {
		case at < 0:
			f.Add(pointer, "unknown", "The event has no such pool; make it first.")
		case slices.Contains(t.draws, p.pools[at].No):
			f.Add(pointer, "repeated", "The pool stands in the list twice.")
		default:
			t.Pools, t.draws = append(t.Pools, name), append(t.draws, p.pools[at].No)
		}
	}
}

// nextClass is the class of the next type.
func (p *primary) nextClass() int {
	last := 0
	for _, t := range p.types {
		last = max(last, t.Class)
	}
	return last + 1
}

// mayBeCalled makes sure that nothing else that is sold has the name.
func (p *primary) mayBeCalled(t TicketType) error {
	for _, other := range p.types {
		if other.ID != t.ID && other.Listing.Section == t.Listing.Section && !finished(other.Listing.Status) {
			return problem.New(problem.Conflict, "ticket_type_exists", "The event has a ticket type %s already; change it, or choose another name.", t.Listing.Section)
		}
	}
	return nil
}

// openPool makes sure that the event has a row for its sums, and returns them.
func (s *Stock) openPool(tx *db.Tx, org int64, ev event.Event) (pool, error) {
	p, exists, err := poolOf(tx, org, ev.No)
	if err == nil && !exists {
		err = tx.Later(`INSERT INTO pools (event_no, org_id, capacity, held, sold, blocked, exhausted) VALUES ($1, $2, 0, 0, 0, 0, FALSE)`, ev.No, org)
	}
	if err != nil {
		return pool{}, fmt.Errorf("open pool of event %s: %w", ev.ID, err)
	}
	return p, nil
}

func (t *TicketType) insert(tx *db.Tx, org int64) error {
	if err := t.Listing.insert(tx, org); err != nil {
		return err
	}
	err := tx.Later(`INSERT INTO ticket_types (listing_no, org_id, id, event_no, class, face_value, per_customer, on_sale_at, off_sale_at, code)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, t.Listing.No, org, t.ID, t.Listing.EventNo, t.Class, minor(t.FaceValue), t.PerCustomer, micros(t.OnSaleAt), micros(t.OffSaleAt), t.Code)
	for n, pool := range t.draws {
		if err == nil {
			err = tx.Later(`INSERT INTO draws (listing_no, n, org_id, event_no, pool_no) VALUES ($1, $2, $3, $4, $5)`, t.Listing.No, n, org, t.Listing.EventNo, pool)
		}
	}
	if err != nil {
		return fmt.Errorf("insert ticket type: %w", err)
	}
	return nil
}

func micros(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	m := t.UnixMicro()
	return &m
}

// TypePatch is a change to a ticket type: what is nil stays. What a type draws on stays.
type TypePatch struct {
	Version     int64 // If-Match: the version that the change was made for; 0 for whatever there is
	Name        *string
	Price       *money.Decimal
	FaceValue   *money.Decimal // empty for none
	Quantity    *int           // 0 for no limit but the pools'; not below held + sold
	MinPerOrder *int
	MaxPerOrder *int
	PerCustomer *int
	OnSaleAt    *time.Time // zero for the event's
	OffSaleAt   *time.Time
	Code        *string // empty for none
	Status      *Status // Active, Paused or Withdrawn
}

// apply returns the type as the patch wants it.
func (p TypePatch) apply(before TicketType) (TicketType, error) {
	t := before
	l := &t.Listing
	var f problem.Fields
	set(&l.Section, p.Name)
	if p.Quantity != nil {
		l.Total = cmp.Or(*p.Quantity, maxQuantity)
	}
	set(&l.Least, p.MinPerOrder)
	set(&l.Most, p.MaxPerOrder)
	set(&t.PerCustomer, p.PerCustomer)
	set(&t.OnSaleAt, p.OnSaleAt)
	set(&t.OffSaleAt, p.OffSaleAt)
	set(&t.Code, p.Code)
	if p.Price != nil {
		l.Price = price(&f, *p.Price, l.Price.Currency)
	}
	if p.FaceValue != nil {
		t.faceValue(&f, *p.FaceValue)
	}
	t.check(&f)
	l.goTo(&f, p.Status)
	if err := f.Err(); err != nil {
		return TicketType{}, err
	}
	var err error
	t.Listing, err = l.after(before.Listing)
	return t, err
}

// UpdateType changes a ticket type. It fails with ticket_type_not_found, version_mismatch, ticket_type_exists, invalid_transition, listing_below_sold,
// listing_has_sales (of the name of what is sold), listing_held, and field errors.
func (s *Stock) UpdateType(tx *db.Tx, org int64, t id.TicketType, p TypePatch) (TicketType, error) {
	ev, err := s.lockType(tx, org, t)
	if err != nil {
		return TicketType{}, err
	}
	was, err := primaryOf(tx, org, ev.No)
	if err != nil {
		return TicketType{}, err
	}
	if was.typed(t).Listing.Held > 0 && p.Status != nil {
		if err := s.freeListing(tx, org, ev, was.typed(t).Listing.No); err != nil {
			return TicketType{}, err
		}
		if was, err = primaryOf(tx, org, ev.No); err != nil {
			return TicketType{}, err
		}
	}
	before := *was.typed(t)
	if p.Version != 0 && p.Version != before.Listing.Version {
		return TicketType{}, problem.New(problem.Precondition, "version_mismatch",
			"The ticket type has version %d by now, not %d; read it again and repeat the change.", before.Listing.Version, p.Version)
	}
	after, err := p.apply(before)
	if err != nil {
		return TicketType{}, err
	}
	is := was.clone()
	place := is.typed(t)
	*place = after
	is.settle()
	if place.same(before) {
		return before, nil
	}
	if err := is.mayBeCalled(*place); err != nil {
		return TicketType{}, err
	}
	if place.Listing.Section != before.Listing.Section && before.Listing.Held+before.Listing.Sold > 0 {
		return TicketType{}, problem.New(problem.Conflict, "listing_has_sales", "Tickets of this type are sold: its name stays.")
	}
	total, err := knownPoolOf(tx, org, ev.No)
	if err != nil {
		return TicketType{}, err
	}
	place.Listing.Version, place.Listing.UpdatedAt = before.Listing.Version+1, tx.Now()
	if err := place.update(tx, org); err != nil {
		return TicketType{}, err
	}
	tx.Know(knownPrimary{org, ev.No}, is)
	if err := s.move(tx, org, ev, total, was.share(), is.share()); err != nil {
		return TicketType{}, err
	}
	if place.Listing, err = s.keepBarcodes(tx, org, ev, before.Listing, place.Listing); err != nil {
		return TicketType{}, err
	}
	return *place, s.tell(tx, org, place.Listing, differences(before.Listing, place.Listing))
}

// WithdrawType takes a ticket type off the market for good; what it sold stays sold. It fails as UpdateType does. Withdrawing twice is fine.
func (s *Stock) WithdrawType(tx *db.Tx, org int64, t id.TicketType, version int64) error {
	status := Withdrawn
	_, err := s.UpdateType(tx, org, t, TypePatch{Version: version, Status: &status})
	return err
}

// lockType finds the event of a ticket type and locks it.
func (s *Stock) lockType(tx *db.Tx, org int64, t id.TicketType) (event.Event, error) {
	no, err := db.One(tx, db.Value[int64], `SELECT event_no FROM ticket_types WHERE org_id = $1 AND id = $2`, org, t)
	if errors.Is(err, db.ErrNoRow) {
		return event.Event{}, errNoType()
	}
	if err != nil {
		return event.Event{}, fmt.Errorf("load ticket type: %w", err)
	}
	ev, err := event.LockNo(tx, org, no)
	if problem.Is(err, "event_not_found") {
		return event.Event{}, errNoType()
	}
	return ev, err
}

func errNoType() error {
	return problem.New(problem.NotFound, "ticket_type_not_found", "There is no such ticket type here.")
}

func (t *TicketType) same(o TicketType) bool {
	face := t.FaceValue == o.FaceValue || t.FaceValue != nil && o.FaceValue != nil && *t.FaceValue == *o.FaceValue
	return face && len(differences(o.Listing, t.Listing)) == 0 && t.Listing.Least == o.Listing.Least && t.Listing.Most == o.Listing.Most &&
		t.PerCustomer == o.PerCustomer && t.OnSaleAt.Equal(o.OnSaleAt) && t.OffSaleAt.Equal(o.OffSaleAt) && t.Code == o.Code
}

func (t *TicketType) update(tx *db.Tx, org int64) error {
	if err := t.Listing.update(tx, org); err != nil {
		return err
	}
	err := tx.Later(`UPDATE ticket_types SET face_value = $1, per_customer = $2, on_sale_at = $3, off_sale_at = $4, code = $5 WHERE org_id = $6 AND listing_no = $7`,
		minor(t.FaceValue), t.PerCustomer, micros(t.OnSaleAt), micros(t.OffSaleAt), t.Code, org, t.Listing.No)
	if err != nil {
		return fmt.Errorf("update ticket type %s: %w", t.ID, err)
	}
	return nil
}

// Types lists the ticket types of an event, the oldest first; event_not_found. With public only those that are for sale or sold out, of an event that is no
// draft.
func Types(q db.Querier, org int64, ev id.Event, public bool) ([]TicketType, error) {
	byID := event.ByID
	if public {
		byID = event.PublicByID
	}
	e, err := byID(q, org, ev)
	if err != nil {
		return nil, err
	}
	p, err := loadPrimary(q, org, e.No)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(p.types, func(t TicketType) bool {
		return public && t.Listing.Status != Active && t.Listing.Status != SoldOut
	}), nil
}

// TypeByID finds a ticket type; ticket_type_not_found. public is as for [Types].
func TypeByID(q db.Querier, org int64, t id.TicketType, public bool) (TicketType, error) {
	ev, err := db.One(q, db.Value[id.Event], `SELECT l.event_id FROM ticket_types t JOIN listings l ON l.listing_no = t.listing_no WHERE t.org_id = $1 AND t.id = $2`, org, t)
	if errors.Is(err, db.ErrNoRow) {
		return TicketType{}, errNoType()
	}
	if err != nil {
		return TicketType{}, fmt.Errorf("load ticket type: %w", err)
	}
	all, err := Types(q, org, ev, public)
	if i := slices.IndexFunc(all, func(one TicketType) bool { return one.ID == t }); i >= 0 {
		return all[i], nil
	}
	if err != nil && !problem.Is(err, "event_not_found") {
		return TicketType{}, err
	}
	return TicketType{}, errNoType()
}
