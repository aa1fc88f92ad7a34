package ticket

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/order"
)

// Follow has the tickets of an order follow it: it makes them when the order was placed, issues them when it was confirmed, and voids what is
// left of them when it lost its units. It returns their facts, for the order's book to append after the order's own. It is an
// [order.Tickets].
func (r *Roll) Follow(tx *db.Tx, org int64, o order.Order) ([]*fact.Fact, error) {
	switch {
	case o.PreviousStatus == "":
		return reserve(tx, org, o)
	case o.PreviousStatus.Live() && !o.Status.Live():
		return void(tx, org, o)
	case o.PreviousStatus == order.Provisional:
		return confirm(tx, org, o)
	}
	return nil, nil
}

// reserve makes the tickets of a new order, and issues them unless the order waits for its payment.
func reserve(tx *db.Tx, org int64, o order.Order) ([]*fact.Fact, error) {
	marks := make([]byte, 8*o.Quantity)
	_, _ = rand.Read(marks) // never fails, crypto/rand aborts the process instead
	all := make([]Ticket, o.Quantity)
	var told []*fact.Fact
	for i := range all {
		t := &all[i]
		*t = Ticket{
			No: o.No*perOrder + int64(i+1), OrderID: o.ID, Place: i + 1, Places: o.Quantity, EventNo: o.EventNo, EventID: o.EventID, Section: o.Section, Row: o.Row,
			Price: o.UnitPrice, Validity: Reserved, Presence: Outside, Generation: 1, Class: o.Class, CreatedAt: tx.Now(), UpdatedAt: tx.Now(),
			Holder: Holder{Email: o.People.Customer.Email}, org: org, mark: int64(binary.BigEndian.Uint64(marks[8*i:])),
		}
		t.ID = numbered(t.No, t.mark)
		if o.Seats != nil {
			t.Seat = o.Seats[i]
		}
		if o.Status == order.Provisional {
			continue
		}
		f, err := t.issue(tx)
		if err != nil {
			return nil, err
		}
		told = append(told, f)
	}
	return told, insert(tx, all, o.No)
}

func (t *Ticket) issue(tx *db.Tx) (*fact.Fact, error) {
	t.Validity = Valid
	return t.step(tx, fact.TicketIssued, nil)
}

// ofOrder loads the tickets of an order that are not void, and keeps others from changing them.
func ofOrder(tx *db.Tx, org int64, o order.Order) ([]Ticket, error) {
	all, err := db.All(tx, scan, selectTicket+`WHERE t.ticket_no > $1 AND t.ticket_no < $2 AND t.org_id = $3 AND t.validity <> 'void'
		ORDER BY t.ticket_no /*for update*/`, o.No*perOrder, (o.No+1)*perOrder, org)
	if err != nil {
		return nil, fmt.Errorf("load tickets of order %s: %w", o.ID, err)
	}
	return all, nil
}

// confirm issues the tickets that were reserved.
func confirm(tx *db.Tx, org int64, o order.Order) ([]*fact.Fact, error) {
	all, err := ofOrder(tx, org, o)
	if err != nil {
		return nil, err
	}
	var issued []Ticket
	var told []*fact.Fact
	for _, t := range all {
		if t.Validity != Reserved {
			continue
		}
		f, err := t.issue(tx)
		if err != nil {
			return nil, err
		}
		issued, told = append(issued, t), append(told, f)
	}
	return told, update(tx, issued...)
}

// void voids the tickets of an order that is no more, and revokes what was offered of them.
func void(tx *db.Tx, org int64, o order.Order) ([]*fact.Fact, error) {
	reason := OrderCancelled
	if o.Status == order.Refunded {
		reason = OrderRefunded
	}
	all, err := ofOrder(tx, org, o)
	if err != nil {
		return nil, err
	}
	var told []*fact.Fact
	for i := range all {
		some, err := all[i].void(tx, reason)
		if err != nil {
			return nil, err
		}
		told = append(told, some...)
	}
	return told, update(tx, all...)
}

// void voids a ticket, and revokes what was offered of it, which comes first.
func (t *Ticket) void(tx *db.Tx, reason Reason) ([]*fact.Fact, error) {
	told, err := t.withdraw(tx)
	if err != nil {
		return nil, err
	}
	t.Validity = Void
	if t.Version == 0 { // it was never issued, so nobody has heard of it
		t.UpdatedAt = tx.Now()
		return nil, nil
	}
	f, err := t.step(tx, fact.TicketVoided, func(s *Snapshot) { s.Reason = reason })
	return append(told, f), err
}
