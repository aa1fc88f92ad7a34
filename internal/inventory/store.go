package inventory

import (
	"encoding/json"
	"errors"
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
	l.high_water, l.price, l.currency, l.split_rule, l.status, l.version, l.created_at, l.updated_at, l.type_id, l.least, l.most, l.barcoded,
	` + roomSQL + `, (SELECT MIN(n.capacity) FROM draws d JOIN named_pools n ON n.pool_no = d.pool_no WHERE d.listing_no = l.listing_no)`

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
	err := r.Scan(append([]any{
		&l.No, &l.ID, &l.EventNo, &l.EventID, &l.ExternalID, &l.Section, &l.Row, &seats, &l.Total, &l.Held, &l.Sold,
		&l.highWater, &l.Price.Minor, &l.Price.Currency, &l.SplitRule, &l.Status, &l.Version, &created, &updated,
		&ofType, &least, &most, &l.Barcoded, &room, &ceiling,
	}, more...)...)
	if err != nil {
		return Listing{}, err
	}
	if seats != nil {
		if err := json.Unmarshal([]byte(*seats), &l.Seats); err != nil {
			return Listing{}, fmt.Errorf("seats of listing %s: %w", l.ID, err)
		}
	}
	l.CreatedAt, l.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
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
	l, err := db.One(q, scan, `SELECT `+columns+` FROM listings l WHERE l.org_id = $1 AND l.id = $2`, org, listing)
	if errors.Is(err, db.ErrNoRow) {
		return Listing{}, errNotFound()
	}
	if err != nil {
		return Listing{}, fmt.Errorf("load listing: %w", err)
	}
	return l, nil
}

// PublicByID is ByID for people outside of the organisation: see [Filter].Public.
func PublicByID(q db.Querier, org int64, listing id.Listing) (Listing, error) {
	l, err := ByID(q, org, listing)
	if err != nil {
		return Listing{}, err
	}
	if l.Status != Active && l.Status != SoldOut {
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

func seatsColumn(seats []string) (*string, error) {
	if seats == nil {
		return nil, nil
	}
	b, err := json.Marshal(seats)
	s := string(b)
	return &s, err
}

// insert writes a new listing and fills in its number.
func (l *Listing) insert(tx *db.Tx, org int64) error {
	seats, err := seatsColumn(l.Seats)
	if err != nil {
		return err
	}
	l.No, err = db.One(tx, db.Value[int64], `
		INSERT INTO listings (org_id, id, event_no, event_id, external_id, section, row_name, seats, quantity, held, sold, high_water, price,
			currency, split_rule, status, version, created_at, updated_at, type_id, least, most)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, 0, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) RETURNING listing_no`,
		org, l.ID, l.EventNo, l.EventID, l.ExternalID, l.Section, l.Row, seats, l.Total, l.Price.Minor,
		l.Price.Currency, l.SplitRule, l.Status, l.Version, l.CreatedAt.UnixMicro(), l.UpdatedAt.UnixMicro(),
		orNull(l.Type), orNull(l.Least), orNull(l.Most))
	if err != nil {
		return fmt.Errorf("insert listing: %w", err)
	}
	return nil
}

// update writes what a seller changed.
func (l *Listing) update(tx *db.Tx, org int64) error {
	tx.Forget(knownListing{org, l.ID})
	seats, err := seatsColumn(l.Seats)
	if err != nil {
		return err
	}
	err = tx.Later(`
		UPDATE listings SET external_id = $1, section = $2, row_name = $3, seats = $4, quantity = $5, high_water = $6, price = $7, currency = $8,
			split_rule = $9, status = $10, version = $11, updated_at = $12, least = $13, most = $14
		WHERE org_id = $15 AND listing_no = $16`,
		l.ExternalID, l.Section, l.Row, seats, l.Total, l.highWater, l.Price.Minor, l.Price.Currency,
		l.SplitRule, l.Status, l.Version, l.UpdatedAt.UnixMicro(), orNull(l.Least), orNull(l.Most), org, l.No)
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

// Snapshot is the data of listing.changed: the whole listing as it was then.
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
	}
}

// tell appends listing.changed; a draft is nobody's business yet.
func (s *Stock) tell(tx *db.Tx, org int64, l Listing, changes []string) error {
	if l.Status == Draft {
		return nil
	}
	snapshot := l.Snapshot()
	snapshot.Changes = changes
	data, err := json.Marshal(snapshot)
	if err != nil {
		return err
	}
	return s.ledger.Append(tx, &fact.Fact{Org: org, Kind: fact.ListingChanged, Subject: string(l.ID), Version: l.Version, Data: data})
}
