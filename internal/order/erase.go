package order

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

// Of lists the orders of a person in an organisation, the oldest first.
func Of(q db.Querier, org int64, a person.Address) ([]id.Order, error) {
	all, err := db.All(q, func(r db.Rows) (id.Order, error) {
		var no int64
		err := r.Scan(&no)
		return IDOf(no), err
	}, `SELECT order_no FROM order_people WHERE org_id = $1 AND email_lower = $2 AND email_lower <> '' ORDER BY order_no`, org, string(a))
	if err != nil {
		return nil, fmt.Errorf("orders of a person: %w", err)
	}
	return all, nil
}

// Erase blanks all that up to limit orders of a person know of people, the oldest first, and returns how many there were. The orders stay: what was
// sold, and for how much, is the books'. Their versions stay too, because nothing that an order is has changed.
func Erase(tx *db.Tx, org int64, a person.Address, limit int) (int, error) {
	if a == "" {
		return 0, nil
	}
	n, err := tx.Exec(`UPDATE order_people SET email = '', email_lower = '', phone = '', phone_country = '', transfer_note = '', issue_reason = '', refund_reason = ''
		WHERE order_no IN (SELECT order_no FROM order_people WHERE org_id = $1 AND email_lower = $2 ORDER BY order_no LIMIT $3)`, org, string(a), limit)
	if err != nil {
		return 0, fmt.Errorf("erase people of orders: %w", err)
	}
	return int(n), nil
}

// Mention is an order of somebody else in which a person's address stands all the same, in a note or in the payment's reference.
type Mention struct {
	no                     int64
	provider, reference    string
	transfer, issue, money string
}

// mentionsPage is how many orders are looked at in one query.
const mentionsPage = 1000

// Mentions looks through the next of an organisation's orders for a person's address in what was written about them. after is 0 at first, then the next
// that was returned before; next is 0 when there are no more.
func Mentions(q db.Querier, org, after int64, a person.Address) (found []Mention, next int64, err error) {
	rows, err := q.Query(`SELECT o.order_no, o.payment_provider, o.payment_reference, p.transfer_note, p.issue_reason, p.refund_reason
		FROM orders o JOIN order_people p ON p.order_no = o.order_no WHERE o.org_id = $1 AND o.order_no > $2 ORDER BY o.order_no LIMIT $3`, org, after, mentionsPage)
	if err != nil {
		return nil, 0, fmt.Errorf("look for a person in orders: %w", err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var m Mention
		if err := rows.Scan(&m.no, &m.provider, &m.reference, &m.transfer, &m.issue, &m.money); err != nil {
			return nil, 0, err
		}
		next = m.no
		touched := false
		for _, text := range []*string{&m.provider, &m.reference, &m.transfer, &m.issue, &m.money} {
			if a.In([]byte(*text)) {
				*text, touched = "", true
			}
		}
		if touched {
			found = append(found, m)
		}
	}
	if n < mentionsPage {
		next = 0
	}
	return found, next, rows.Err()
}

// EraseMentions blanks what the address stands in.
func EraseMentions(tx *db.Tx, org int64, all []Mention) error {
	for _, m := range all {
		err := tx.Later(`UPDATE orders SET payment_provider = $1, payment_reference = $2 WHERE order_no = $3 AND org_id = $4`, m.provider, m.reference, m.no, org)
		if err == nil {
			err = tx.Later(`UPDATE order_people SET transfer_note = $1, issue_reason = $2, refund_reason = $3 WHERE order_no = $4 AND org_id = $5`,
				m.transfer, m.issue, m.money, m.no, org)
		}
		if err != nil {
			return fmt.Errorf("erase mentions in orders: %w", err)
		}
	}
	return nil
}
