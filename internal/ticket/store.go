package ticket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// perOrder is how many numbers of tickets belong to one order: place p of order o is ticket o·32 + p. An order has 20 places at most.
const perOrder = 32

// numbered is the id of a ticket: its number and 8 random bytes, so that an id leads to its row and cannot be guessed.
func numbered(no, mark int64) id.Ticket {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(no))
	binary.BigEndian.PutUint64(raw[8:], uint64(mark))
	return id.NewTicket(raw)
}

// number returns what an id is made of. It reports false for what is no ticket's id.
func number(t id.Ticket) (no, mark int64, ok bool) {
	raw, ok := t.Bytes()
	return int64(binary.BigEndian.Uint64(raw[:8])), int64(binary.BigEndian.Uint64(raw[8:])), ok
}

const (
	columns = `t.org_id, t.ticket_no, t.mark, t.order_no, t.place, t.places, t.event_no, t.event_id, t.section, t.row_name, t.seat, t.price, t.currency,
		t.validity, t.presence, t.generation, t.offers, t.class, t.valid_from, t.valid_until, t.version, t.created_at, t.updated_at, t.holder, t.email`
	selectTicket = `SELECT ` + columns + ` FROM tickets t `
)

func scan(r db.Rows) (Ticket, error) { return scanWith(r) }

// scanWith reads a ticket and what follows it in the row.
func scanWith(r db.Rows, more ...any) (Ticket, error) {
	var t Ticket
	var orderNo, created, updated int64
	var from, until *int64
	err := r.Scan(append([]any{
		&t.org, &t.No, &t.mark, &orderNo, &t.Place, &t.Places, &t.EventNo, &t.EventID, &t.Section, &t.Row, &t.Seat, &t.Price.Minor, &t.Price.Currency,
		&t.Validity, &t.Presence, &t.Generation, &t.offers, &t.Class, &from, &until, &t.Version, &created, &updated, &t.Holder.Name, &t.Holder.Email,
	}, more...)...)
	t.ID, t.OrderID = numbered(t.No, t.mark), order.IDOf(orderNo)
	t.ValidFrom, t.ValidUntil, t.CreatedAt, t.UpdatedAt = maybe(from), maybe(until), moment(created), moment(updated)
	t.revoked = t.through()
	return t, err
}

func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// maybe is a moment that may be missing.
func maybe(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return moment(*micros)
}

// ByID finds a ticket; ticket_not_found.
func ByID(q db.Querier, org int64, ticket id.Ticket) (Ticket, error) { return load(q, org, ticket, "") }

// TheirsByID is ByID for a person outside of the organisation, by an address that they have shown to be theirs: there are only the tickets
// that they hold, and those of orders whose customer they are.
func TheirsByID(q db.Querier, org int64, ticket id.Ticket, who person.Address) (Ticket, error) {
	t, err := load(q, org, ticket, "")
	if err != nil {
		return Ticket{}, err
	}
	return t, t.visible(q, who)
}

// visible fails with ticket_not_found for somebody who neither holds the ticket nor bought it.
func (t Ticket) visible(q db.Querier, who person.Address) error {
	if who.Is(t.Holder.Email) {
		return nil
	}
	p, err := order.PeopleOf(q, t.org, t.OrderID)
	if err != nil {
		return fmt.Errorf("customer of ticket: %w", err)
	}
	if !who.Is(p.Customer.Email) {
		return errNotFound()
	}
	return nil
}

func load(q db.Querier, org int64, ticket id.Ticket, lock string) (Ticket, error) {
	no, mark, ok := number(ticket)
	if !ok {
		return Ticket{}, errNotFound()
	}
	t, err := db.One(q, scan, selectTicket+`WHERE t.ticket_no = $1 AND t.mark = $2 AND t.org_id = $3`+lock, no, mark, org)
	if errors.Is(err, db.ErrNoRow) {
		return Ticket{}, errNotFound()
	}
	if err != nil {
		return Ticket{}, fmt.Errorf("load ticket: %w", err)
	}
	return t, nil
}

// lock loads a ticket and keeps others from changing it until the transaction ends. version is If-Match, 0 for whatever there is.
func lock(tx *db.Tx, org int64, ticket id.Ticket, version int64) (Ticket, error) {
	t, err := load(tx, org, ticket, ` /*for update*/`)
	if err != nil {
		return Ticket{}, err
	}
	if version != 0 && version != t.Version {
		return Ticket{}, problem.New(problem.Precondition, "version_mismatch",
			"The ticket has version %d by now, not %d; read it again and repeat the change.", t.Version, version)
	}
	return t, nil
}

func errNotFound() error {
	return problem.New(problem.NotFound, "ticket_not_found", "There is no such ticket here.")
}

var (
	insertTickets = db.BulkInsert("tickets", "", "org_id bigint", "ticket_no bigint", "mark bigint", "order_no bigint", "place bigint", "places bigint",
		"event_no bigint", "event_id text", "section text", "row_name text", "seat text", "price bigint", "currency text", "validity text",
		"presence text", "generation bigint", "offers bigint", "class bigint", "version bigint", "created_at bigint", "updated_at bigint", "holder text",
		"email text", "email_lower text")
	updateTickets = db.NewBulk(`UPDATE tickets SET validity = $3, presence = $4, generation = $5, offers = $6, version = $7, updated_at = $8, holder = $9,
			email = $10, email_lower = $11 WHERE ticket_no = $1 AND org_id = $2`,
		`UPDATE tickets t SET validity = x.validity, presence = x.presence, generation = x.generation, offers = x.offers, version = x.version,
			updated_at = x.updated_at, holder = x.holder, email = x.email, email_lower = x.email_lower
			FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[],
				$10::text[], $11::text[])
				AS x (ticket_no, org_id, validity, presence, generation, offers, version, updated_at, holder, email, email_lower)
			WHERE t.ticket_no = x.ticket_no AND t.org_id = x.org_id`,
		"bigint", "bigint", "text", "text", "bigint", "bigint", "bigint", "bigint", "text", "text", "text")
)

// insert writes new tickets, whose validity has no bounds of its own.
func insert(tx *db.Tx, all []Ticket, orderNo int64) error {
	rows := make([][]any, len(all))
	for i, t := range all {
		rows[i] = []any{
			t.org, t.No, t.mark, orderNo, t.Place, t.Places, t.EventNo, string(t.EventID), t.Section, t.Row, t.Seat, t.Price.Minor, string(t.Price.Currency),
			string(t.Validity), string(t.Presence), t.Generation, t.offers, t.Class, t.Version, t.CreatedAt.UnixMicro(), t.UpdatedAt.UnixMicro(), t.Holder.Name,
			t.Holder.Email, strings.ToLower(t.Holder.Email),
		}
	}
	if err := tx.Bulk(insertTickets, rows); err != nil {
		return fmt.Errorf("insert tickets: %w", err)
	}
	return nil
}

// update writes what can change of tickets, and what of their codes is revoked by it.
func update(tx *db.Tx, all ...Ticket) error {
	rows := make([][]any, len(all))
	for i, t := range all {
		rows[i] = []any{
			t.No, t.org, string(t.Validity), string(t.Presence), t.Generation, t.offers, t.Version, t.UpdatedAt.UnixMicro(), t.Holder.Name,
			t.Holder.Email, strings.ToLower(t.Holder.Email),
		}
	}
	if err := tx.Bulk(updateTickets, rows); err != nil {
		return fmt.Errorf("update tickets: %w", err)
	}
	return revoke(tx, all)
}
