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

const columns = `l.listing_no, l.id, l.event_no, l.event_id, l.external_id, l.section, l.row_name, l.seats, l.quantity, l.held, l.sold,
	l.high_water, l.price, l.currency, l.split_rule, l.status, l.version, l.created_at, l.updated_at, l.type_id, l.least, l.most,
	l.delivery_kind, l.in_hand_at, l.deliver_by, l.expires_at, l.face_value, l.notes, l.deliverability, l.barcoded, l.external_key IS NOT NULL, ` + roomSQL + `, (SELECT MIN(n.capacity) FROM draws d JOIN named_pools n ON n.pool_no = d.pool_no WHERE d.listing_no = l.listing_no)`

// roomSQL is what is free in all pools of a ticket type's listing l; NULL of others.
const roomSQL = `(SELECT MIN(n.capacity - n.held - n.sold - n.blocked) FROM draws d JOIN named_pools n ON n.pool_no = d.pool_no WHERE d.listing_no = l.listing_no)`

func scan(r db.Rows) (Listing, error) { return scanWith(r) }

// scanWith reads a listing and what follows it in the row.
func scanWith(r db.Rows, more ...any) (Listing, error) {
	var l Listing
	var seats *string
	var created, updated int64
	var ofType *string
	var least, most, room, ceiling *int
	var inHand, deliverBy, expires, face *int64
	var notes *string
	err := r.Scan(append([]any{
		&l.No, &l.ID, &l.EventNo, &l.EventID, &l.ExternalID, &l.Section, &l.Row, &seats, &l.Total, &l.Held, &l.Sold,
		&l.highWater, &l.Price.Minor, &l.Price.Currency, &l.SplitRule, &l.Status, &l.Version, &created, &updated,
		&ofType, &least, &most,
		&l.DeliveryKind, &inHand, &deliverBy, &expires, &face, &notes, &l.Deliverability, &l.Barcoded, &l.keyed, &room, &ceiling,
	}, more...)...)
	if err != nil {
		return Listing{}, err
	}
	if seats != nil {
		if err := json.Unmarshal([]byte(*seats), &l.Seats); err != nil {
			return Listing{}, fmt.Errorf("seats of listing %s: %w", l.ID, err)
		}
	}
	if notes != nil {
		if err := json.Unmarshal([]byte(*notes), &l.Notes); err != nil {
			return Listing{}, fmt.Errorf("notes of listing %s: %w", l.ID, err)
		}
	}
	l.CreatedAt, l.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	l.InHandAt, l.DeliverBy, l.ExpiresAt = instant(inHand), instant(deliverBy), instant(expires)
	if face != nil {
		l.FaceValue = &money.Amount{Minor: *face, Currency: l.Price.Currency}
	}
	if ofType != nil {
		l.Type = id.TicketType(*ofType)
		l.Least, l.Most, l.room, l.ceiling = orZero(least), orZero(most), orZero(room), orZero(ceiling)
	}
	return l, nil
}

func orZero(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// ByID finds a listing; listing_not_found.
func ByID(q db.Querier, org int64, listing id.Listing) (Listing, error) {
	return found(db.One(q, scan, `SELECT `+columns+` FROM listings l WHERE l.org_id = $1 AND l.id = $2`, org, listing))
}

// PublicByID is ByID at an instant for people outside of the organisation: see [Filter].Public.
func PublicByID(q db.Querier, org int64, listing id.Listing, now time.Time) (Listing, error) {
	l, err := ByID(q, org, listing)
	if err != nil {
		return Listing{}, err
	}
	if l = l.AsOf(now); l.Status != Active && l.Status != SoldOut || l.Deliverability == Undeliverable {
		return Listing{}, errNotFound()
	}
	if _, err := event.PublicByID(q, org, l.EventID); problem.Is(err, "event_not_found") {
		return Listing{}, errNotFound()
	} else if err != nil {
		return Listing{}, err
	}
	return l, nil
}

func errNotFound() error {
	return problem.New(problem.NotFound, "listing_not_found", "There is no such listing here.")
}

// orNull is nil for the zero value.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// textsColumn is a list as a column has it: NULL for nil.
func textsColumn(texts []string) (*string, error) {
	if texts == nil {
		return nil, nil
	}
	b, err := json.Marshal(texts)
	s := string(b)
	return &s, err
}

// insert writes a new listing and fills in its number.
func (l *Listing) insert(tx *db.Tx, org int64) error {
	seats, err := textsColumn(l.Seats)
	if err != nil {
		return err
	}
	notes, err := textsColumn(l.Notes)
	if err != nil {
		return err
	}
	l.No, err = db.One(tx, db.Value[int64], `
		INSERT INTO listings (org_id, id, event_no, event_id, external_id, section, row_name, seats, quantity, held, sold, high_water, price,
			currency, split_rule, status, version, created_at, updated_at, type_id, least, most,
			delivery_kind, in_hand_at, deliver_by, expires_at, face_value, notes, deliverability, due_at, external_key)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, 0, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
			$20, $21, $22, $23, $24, $25, $26, $27, $28) RETURNING listing_no`,
		org, l.ID, l.EventNo, l.EventID, l.ExternalID, l.Section, l.Row, seats, l.Total, l.Price.Minor,
		l.Price.Currency, l.SplitRule, l.Status, l.Version, l.CreatedAt.UnixMicro(), l.UpdatedAt.UnixMicro(),
		orNull(l.Type), orNull(l.Least), orNull(l.Most),
		l.DeliveryKind, micros(l.InHandAt), micros(l.DeliverBy), micros(l.ExpiresAt), minor(l.FaceValue), notes, l.Deliverability, micros(l.dueAt()), l.externalKey())
	if err != nil {
		return fmt.Errorf("insert listing: %w", err)
	}
	return nil
}

// externalKey is the external id where it names the listing.
func (l *Listing) externalKey() *string {
	if !l.keyed || finished(l.Status) {
		return nil
	}
	return &l.ExternalID
}

func minor(a *money.Amount) *int64 {
	if a == nil {
		return nil
	}
	return &a.Minor
}

// update writes what a seller, a date or barcodes changed.
func (l *Listing) update(tx *db.Tx, org int64) error {
	tx.Forget(knownListing{org, l.ID})
	seats, err := textsColumn(l.Seats)
	if err != nil {
		return err
	}
	notes, err := textsColumn(l.Notes)
	if err != nil {
		return err
	}
	err = tx.Later(`
		UPDATE listings SET external_id = $1, section = $2, row_name = $3, seats = $4, quantity = $5, high_water = $6, price = $7, currency = $8,
			split_rule = $9, status = $10, version = $11, updated_at = $12, least = $13, most = $14, delivery_kind = $15, in_hand_at = $16, deliver_by = $17,
			expires_at = $18, face_value = $19, notes = $20, deliverability = $21, barcoded = $22, due_at = $23, external_key = $24
		WHERE org_id = $25 AND listing_no = $26`,
		l.ExternalID, l.Section, l.Row, seats, l.Total, l.highWater, l.Price.Minor, l.Price.Currency,
		l.SplitRule, l.Status, l.Version, l.UpdatedAt.UnixMicro(), orNull(l.Least), orNull(l.Most), l.DeliveryKind, micros(l.InHandAt), micros(l.DeliverBy),
		micros(l.ExpiresAt), minor(l.FaceValue), notes, l.Deliverability, l.Barcoded, micros(l.dueAt()), l.externalKey(), org, l.No)
	if err != nil {
		return fmt.Errorf("update listing %s: %w", l.ID, err)
	}
	return nil
}

// countListing adds up, where it has several rows for a listing; of what does not add up, the last counts.
var countListing = db.NewBulk(`UPDATE listings SET held = held + $1, sold = sold + $2, high_water = $3, status = $4, version = $5, updated_at = $6
		WHERE org_id = $7 AND listing_no = $8`,
	`UPDATE listings l SET held = l.held + x.held, sold = l.sold + x.sold, high_water = x.high_water, status = x.status, version = x.version, updated_at = x.updated_at
		FROM (SELECT DISTINCT ON (listing_no) listing_no, org_id, sum(held) OVER w::bigint AS held, sum(sold) OVER w::bigint AS sold, high_water, status, version, updated_at
			FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[]) WITH ORDINALITY
				AS u (held, sold, high_water, status, version, updated_at, org_id, listing_no, n)
			WINDOW w AS (PARTITION BY listing_no)
			ORDER BY listing_no, n DESC) x
		WHERE l.org_id = x.org_id AND l.listing_no = x.listing_no`,
	"bigint", "bigint", "bigint", "text", "bigint", "bigint", "bigint", "bigint")

// count writes what a sale, a hold or a return changed.
func (l *Listing) count(tx *db.Tx, org int64, before Listing) error {
	err := tx.Bulk(countListing, [][]any{{int64(l.Held - before.Held), int64(l.Sold - before.Sold), int64(l.highWater), string(l.Status), l.Version, l.UpdatedAt.UnixMicro(), org, l.No}})
	if err != nil {
		return fmt.Errorf("count sales of listing %s: %w", l.ID, err)
	}
	tx.Know(knownListing{org, l.ID}, *l)
	return nil
}

// settle makes the status follow from what is left.
func (l *Listing) settle() {
	switch {
	case l.Status == Active && l.left() == 0:
		l.Status = SoldOut
	case l.Status == SoldOut && l.left() > 0:
		l.Status = Active
	}
}

// Snapshot is the data of facts about listings: the whole listing as it was then.
type Snapshot struct {
	ListingID  id.Listing     `json:"listingId"`
	EventID    id.Event       `json:"eventId"`
	ExternalID string         `json:"externalId,omitempty"`
	Section    string         `json:"section"`
	Row        string         `json:"row"`
	Seats      []string       `json:"seats,omitempty"`
	Quantity   int            `json:"quantity"` // for sale now
	Total      int            `json:"totalQuantity"`
	Price      string         `json:"price"` // a decimal
	PriceMinor int64          `json:"priceMinor"`
	Currency   money.Currency `json:"currency"`
	SplitRule  Rule           `json:"splitRule"`
	Type       id.TicketType  `json:"ticketTypeId,omitempty"`
	Status     Status         `json:"status"`
	Version    int64          `json:"version"`
	CreatedAt  fact.Instant   `json:"createdAt"`
	UpdatedAt  fact.Instant   `json:"updatedAt"`

	DeliveryKind   DeliveryKind   `json:"deliveryKind"`
	InHandAt       *fact.Instant  `json:"inHandAt,omitempty"`
	DeliverBy      *fact.Instant  `json:"deliverBy,omitempty"`
	ExpiresAt      *fact.Instant  `json:"expiresAt,omitempty"`
	Deliverability Deliverability `json:"deliverability"` // ok or expired; that it comes to be at risk is no change
	FaceMinor      *int64         `json:"faceMinor,omitempty"`
	Notes          []string       `json:"notes,omitempty"`

	Event *EventBrief `json:"event,omitempty"` // not of listing.changed

	// Changes names the fields that changed, as they are spelled above; nil for a new listing.
	Changes []string `json:"changes,omitempty"`
}

// Snapshot returns the listing as facts show it.
func (l Listing) Snapshot() Snapshot {
	return Snapshot{
		ListingID: l.ID, EventID: l.EventID, ExternalID: l.ExternalID, Section: l.Section, Row: l.Row, Seats: l.Seats,
		Quantity: l.Free(), Total: l.Listed(), Price: l.Price.String(), PriceMinor: l.Price.Minor, Currency: l.Price.Currency,
		SplitRule: l.SplitRule, Type: l.Type, Status: l.Status, Version: l.Version,
		CreatedAt: fact.Instant(l.CreatedAt), UpdatedAt: fact.Instant(l.UpdatedAt),
		DeliveryKind: l.DeliveryKind, InHandAt: shown(l.InHandAt), DeliverBy: shown(l.DeliverBy), ExpiresAt: shown(l.ExpiresAt),
		Deliverability: l.Deliverability, FaceMinor: minor(l.FaceValue), Notes: l.Notes,
	}
}

// tell appends listing.changed; a draft is nobody's business yet.
func (s *Stock) tell(tx *db.Tx, org int64, l Listing, changes []string) error {
	if l.Status == Draft {
		return nil
	}
	snapshot := l.Snapshot()
	snapshot.Changes = changes
	return s.tellListing(tx, org, fact.ListingChanged, snapshot)
}

func (s *Stock) tellUndeliverable(tx *db.Tx, org int64, ev event.Event, l Listing) error {
	snapshot, brief := l.Snapshot(), BriefOf(ev)
	snapshot.Event = &brief
	return s.tellListing(tx, org, fact.ListingDeliverabilityExpired, snapshot)
}

func (s *Stock) tellListing(tx *db.Tx, org int64, kind fact.Kind, data Snapshot) error {
	b, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return s.ledger.Append(tx, &fact.Fact{Org: org, Kind: kind, Subject: string(data.ListingID), Version: data.Version, Data: b})
}
