package order

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const prefix = "order_"

// IDOf is the id of the order with a number.
func IDOf(no int64) id.Order { return id.Order(prefix + strconv.FormatInt(no, 10)) }

// NoOf is the number in an order's id, which is its primary key. It reports false for what is no order's id.
func NoOf(o id.Order) (int64, bool) {
	s, ok := strings.CutPrefix(string(o), prefix)
	n, err := strconv.ParseInt(s, 10, 64)
	return n, ok && err == nil && n > 0 && strconv.FormatInt(n, 10) == s
}

const selectOrder = `SELECT o.order_no, o.number, o.event_no, o.event_id, o.event_name, o.event_starts_at, o.event_timezone, o.event_venue,
		o.event_location, o.listing_no, o.listing_id, o.section, o.row_name, o.seats, o.units, o.quantity, o.currency, o.unit_price, o.total,
		o.captured, o.refunded, o.payment_provider, o.payment_reference, o.status, o.previous_status, o.transfer_method, o.version,
		o.created_at, o.updated_at, o.cause, COALESCE(o.sale_no, 0), o.sale, p.email, p.phone, p.phone_country, p.transfer_note, p.issue_reason, p.refund_reason
	FROM orders o JOIN order_people p ON p.order_no = o.order_no `

func scan(r db.Rows) (Order, error) {
	var o Order
	var starts, created, updated int64
	var seats *string
	var units, sale string
	c := &o.Total.Currency
	err := r.Scan(&o.No, &o.Number, &o.EventNo, &o.EventID, &o.EventName, &starts, &o.EventTimezone, &o.EventVenue,
		&o.EventLocation, &o.ListingNo, &o.ListingID, &o.Section, &o.Row, &seats, &units, &o.Quantity, c, &o.UnitPrice.Minor, &o.Total.Minor,
		&o.Captured.Minor, &o.Refunded.Minor, &o.Payment.Provider, &o.Payment.Reference, &o.Status, &o.PreviousStatus, &o.TransferMethod, &o.Version,
		&created, &updated, &o.IssueCause, &o.SaleNo, &sale, &o.People.Customer.Email, &o.People.Customer.Phone.Number, &o.People.Customer.Phone.CountryCode,
		&o.People.TransferNote, &o.People.IssueReason, &o.People.RefundReason)
	if err != nil {
		return Order{}, err
	}
	o.ID = IDOf(o.No)
	o.UnitPrice.Currency, o.Captured.Currency, o.Refunded.Currency = *c, *c, *c
	o.EventDate, o.CreatedAt, o.UpdatedAt = moment(starts), moment(created), moment(updated)
	if seats != nil {
		err = json.Unmarshal([]byte(*seats), &o.Seats)
	}
	if err := errors.Join(err, json.Unmarshal([]byte(units), &o.units), json.Unmarshal([]byte(sale), &o.Sale)); err != nil {
		return Order{}, fmt.Errorf("units of order %s: %w", o.ID, err)
	}
	o.completeSale()
	return o, nil
}

// completeSale fills in what is not kept twice, and all that there is to say of an order from before sales were numbered.
func (o *Order) completeSale() {
	s := &o.Sale
	s.ID, s.Units = o.SaleNo, o.units
	if s.ListingNumber == 0 {
		s.ListedAt = fact.Instant(o.CreatedAt) // not later than that
		s.ListingNumber = o.ListingNo
		s.Event = inventory.EventBrief{Number: o.EventNo, Name: o.EventName, StartsAt: fact.Instant(o.EventDate), DateConfirmed: true}
	}
}

func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// ByID finds an order; order_not_found.
func ByID(q db.Querier, org int64, order id.Order) (Order, error) { return load(q, org, order, "") }

func load(q db.Querier, org int64, order id.Order, lock string) (Order, error) {
	no, ok := NoOf(order)
	if !ok {
		return Order{}, errNotFound()
	}
	o, err := db.One(q, scan, selectOrder+`WHERE o.order_no = $1 AND o.org_id = $2`+lock, no, org)
	if errors.Is(err, db.ErrNoRow) {
		return Order{}, errNotFound()
	}
	if err != nil {
		return Order{}, fmt.Errorf("load order: %w", err)
	}
	return o, nil
}

func errNotFound() error {
	return problem.New(problem.NotFound, "order_not_found", "There is no such order here.")
}

// BySale finds the order that is known by a sale's number; order_not_found.
func BySale(q db.Querier, org, saleNo int64) (Order, error) {
	o, err := db.One(q, scan, selectOrder+`WHERE o.sale_no = $1 AND o.org_id = $2`, saleNo, org)
	if errors.Is(err, db.ErrNoRow) {
		return Order{}, errNotFound()
	}
	if err != nil {
		return Order{}, fmt.Errorf("load order: %w", err)
	}
	return o, nil
}

// PeopleOf returns the personal data of an order, for whoever renders an envelope; order_not_found.
func PeopleOf(q db.Querier, org int64, order id.Order) (People, error) {
	no, ok := NoOf(order)
	if !ok {
		return People{}, errNotFound()
	}
	p, err := db.One(q, func(r db.Rows) (p People, err error) {
		return p, r.Scan(&p.Customer.Email, &p.Customer.Phone.Number, &p.Customer.Phone.CountryCode, &p.TransferNote, &p.IssueReason, &p.RefundReason)
	}, `SELECT email, phone, phone_country, transfer_note, issue_reason, refund_reason FROM order_people WHERE order_no = $1 AND org_id = $2`, no, org)
	if errors.Is(err, db.ErrNoRow) {
		return People{}, errNotFound()
	}
	if err != nil {
		return People{}, fmt.Errorf("load people of order: %w", err)
	}
	return p, nil
}

// Exists tells whether an event has ever had an order.
func Exists(q db.Querier, org, eventNo int64) (bool, error) {
	_, err := db.One(q, db.Value[int64], `SELECT order_no FROM orders WHERE org_id = $1 AND event_no = $2 LIMIT 1`, org, eventNo)
	if errors.Is(err, db.ErrNoRow) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for orders of event: %w", err)
	}
	return true, nil
}

// The rows of a group's orders go in together.
var (
	insertOrder = db.BulkInsert("orders", "", "order_no bigint", "org_id bigint", "number text", "event_no bigint", "event_id text", "event_name text",
		"event_starts_at bigint", "event_timezone text", "event_venue text", "event_location text", "listing_no bigint", "listing_id text", "section text",
		"row_name text", "seats text", "units text", "quantity bigint", "currency text", "unit_price bigint", "total bigint", "captured bigint", "refunded bigint",
		"payment_provider text", "payment_reference text", "status text", "previous_status text", "transfer_method text", "version bigint", "created_at bigint",
		"updated_at bigint", "sale_no bigint", "sale text")
	insertPeople = db.BulkInsert("order_people", "", "order_no bigint", "org_id bigint", "email text", "email_lower text", "phone text", "phone_country text",
		"transfer_note text", "issue_reason text", "refund_reason text")
)

// insert writes a new order and its people.
func (o *Order) insert(tx *db.Tx, org int64) error {
	units, err := json.Marshal(o.units)
	if err != nil {
		return err
	}
	kept := o.Sale
	kept.ID, kept.Units = 0, nil // they stand in columns of their own
	sale, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	var seats *string
	if o.Seats != nil {
		b, err := json.Marshal(o.Seats)
		if err != nil {
			return err
		}
		s := string(b)
		seats = &s
	}
	err = tx.Bulk(insertOrder, [][]any{{
		o.No, org, o.Number, o.EventNo, o.EventID, o.EventName, o.EventDate.UnixMicro(), o.EventTimezone, o.EventVenue, o.EventLocation,
		o.ListingNo, o.ListingID, o.Section, o.Row, seats, string(units), o.Quantity, o.Total.Currency, o.UnitPrice.Minor, o.Total.Minor,
		o.Captured.Minor, int64(0), o.Payment.Provider, o.Payment.Reference, o.Status, "", "", o.Version, o.CreatedAt.UnixMicro(), o.UpdatedAt.UnixMicro(),
		o.SaleNo, string(sale),
	}})
	if err != nil {
		return fmt.Errorf("insert order %s: %w", o.ID, err)
	}
	c := o.People.Customer
	err = tx.Bulk(insertPeople, [][]any{{o.No, org, c.Email, strings.ToLower(c.Email), c.Phone.Number, c.Phone.CountryCode, "", "", ""}})
	if err != nil {
		return fmt.Errorf("insert people of order %s: %w", o.ID, err)
	}
	return nil
}

// update writes what can change of an order.
func (o *Order) update(tx *db.Tx, org int64) error {
	err := tx.Later(`
		UPDATE orders SET status = $1, previous_status = $2, transfer_method = $3, refunded = $4, version = $5, updated_at = $6,
			cause = $7
		WHERE order_no = $8 AND org_id = $9`,
		o.Status, o.PreviousStatus, o.TransferMethod, o.Refunded.Minor, o.Version, o.UpdatedAt.UnixMicro(), o.IssueCause, o.No, org)
	if err != nil {
		return fmt.Errorf("update order %s: %w", o.ID, err)
	}
	return nil
}

// updateNotes writes what people wrote about an order.
func (o *Order) updateNotes(tx *db.Tx, org int64) error {
	err := tx.Later(`UPDATE order_people SET transfer_note = $1, issue_reason = $2, refund_reason = $3 WHERE order_no = $4 AND org_id = $5`,
		o.People.TransferNote, o.People.IssueReason, o.People.RefundReason, o.No, org)
	if err != nil {
		return fmt.Errorf("update notes of order %s: %w", o.ID, err)
	}
	return nil
}
