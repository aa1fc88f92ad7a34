package app

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// ticketsOfOrders finds orders whose tickets are not as the order is, and tickets of no order.
func ticketsOfOrders(q db.Querier) ([]string, error) {
	var found []string
	_, err := db.All(q, func(r db.Rows) (struct{}, error) {
		var no int64
		var places, tickets, reserved, alive int
		var status order.Status
		if err := r.Scan(&no, &places, &status, &tickets, &reserved, &alive); err != nil {
			return struct{}{}, err
		}
		say := func(format string, args ...any) {
			found = append(found, "Order "+string(order.IDOf(no))+" "+fmt.Sprintf(format, args...)+".")
		}
		if tickets != places {
			say("has %d places and %d tickets", places, tickets)
		}
		switch {
		case !status.Live() && reserved+alive > 0:
			say("is %s, and %d of its tickets are not void", status, reserved+alive)
		case status == order.Provisional && alive > 0:
			say("is provisional, and %d of its tickets were issued", alive)
		case status != order.Provisional && reserved > 0:
			say("is %s, and %d of its tickets are reserved", status, reserved)
		}
		return struct{}{}, nil
	}, `SELECT o.order_no, o.quantity, o.status, COALESCE(t.tickets, 0), COALESCE(t.reserved, 0), COALESCE(t.alive, 0) FROM orders o LEFT JOIN (
			SELECT org_id, order_no, count(*) AS tickets, count(CASE WHEN validity = 'reserved' THEN 1 END) AS reserved,
				count(CASE WHEN validity IN ('valid', 'blocked') THEN 1 END) AS alive
			FROM tickets GROUP BY org_id, order_no
		) t ON t.order_no = o.order_no AND t.org_id = o.org_id
		WHERE COALESCE(t.tickets, 0) <> o.quantity OR COALESCE(t.reserved, 0) > 0 OR (o.status IN ('provisional', 'cancelled', 'refunded') AND t.alive > 0)`)
	if err != nil {
		return nil, err
	}
	n, err := db.One(q, db.Value[int64], `SELECT count(*) FROM tickets t WHERE NOT EXISTS (
		SELECT 1 FROM orders o WHERE o.order_no = t.order_no AND o.org_id = t.org_id AND o.event_no = t.event_no)`)
	if n > 0 {
		found = append(found, fmt.Sprintf("%d tickets are of no order", n))
	}
	return found, err
}

// ticketKinds are the kinds of facts about tickets, as a JSON list.
func ticketKinds() (string, error) {
	var kinds []string
	for _, k := range fact.Native() {
		if strings.HasPrefix(string(k), "ticket.") {
			kinds = append(kinds, string(k))
		}
	}
	b, err := json.Marshal(kinds)
	return string(b), err
}

// factsOfTickets holds tickets against their facts: a ticket has as many as its version says. They are counted together first; only when the sums
// differ, one by one.
func factsOfTickets(q db.Querier) ([]string, error) {
	kinds, err := ticketKinds()
	if err != nil {
		return nil, err
	}
	// In one query, which sees one state of things.
	missing, err := db.One(q, db.Value[int64], `SELECT (SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM tickets)
		- (SELECT count(*) FROM facts WHERE kind IN texts($1))`, kinds)
	if err != nil || missing == 0 {
		return nil, err
	}
	has := map[id.Ticket]int64{}
	_, err = db.All(q, func(r db.Rows) (struct{}, error) {
		var subject id.Ticket
		var n int64
		err := r.Scan(&subject, &n)
		has[subject] = n
		return struct{}{}, err
	}, `SELECT subject, count(*) FROM facts WHERE kind IN texts($1) GROUP BY subject`, kinds)
	if err != nil {
		return nil, err
	}
	found := []string{}
	err = ticket.Versions(q, func(one id.Ticket, version int64) {
		if has[one] != version {
			found = append(found, fmt.Sprintf("Ticket %s has version %d and %d facts", one, version, has[one]))
		}
		delete(has, one)
	})
	if len(has) > 0 {
		found = append(found, fmt.Sprintf("%d tickets have facts and are not there", len(has)))
	}
	return found, err
}
