package order

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
)

// Audit recomputes stock and totals from the orders and returns a sentence for each thing that differs. Work that goes on meanwhile makes
// no difference.
func Audit(q db.Querier) ([]string, error) {
	all, err := auditOrders(q)
	if err != nil {
		return nil, fmt.Errorf("audit orders: %w", err)
	}
	for _, check := range []func(db.Querier) ([]string, error){auditStock, auditSales} {
		found, err := twice(q, check)
		if err != nil {
			return nil, fmt.Errorf("audit stock and sales of orders: %w", err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// twice runs a check whose two sides are read one after the other, so that a sale may come between: only what differs twice in the same way counts.
func twice(q db.Querier, check func(db.Querier) ([]string, error)) ([]string, error) {
	first, err := check(q)
	if err != nil || len(first) == 0 {
		return nil, err
	}
	again, err := check(q)
	return slices.DeleteFunc(first, func(sentence string) bool { return !slices.Contains(again, sentence) }), err
}

// auditSales makes sure that an order and the hold that it was are one sale, and that nothing else shares its number. An index sees to it that no two orders
// and no two holds do. What older programs wrote has no number.
func auditSales(q db.Querier) ([]string, error) {
	holds, err := inventory.HeldSales(q)
	if err != nil {
		return nil, err
	}
	var all []string
	without := map[int64]bool{}
	_, err = db.All(q, func(r db.Rows) (struct{}, error) {
		var no, sale int64
		err := r.Scan(&no, &sale)
		if was, held := holds[sale]; held && was != no {
			all = append(all, fmt.Sprintf("Order %s and a hold that did not become it are both sale %d.", IDOf(no), sale))
		}
		delete(holds, sale)
		if sale == 0 {
			without[no] = true
		}
		return struct{}{}, err
	}, `SELECT order_no, COALESCE(sale_no, 0) FROM orders`)
	for _, sale := range slices.Sorted(maps.Keys(holds)) {
		if no := holds[sale]; no != 0 && !without[no] {
			all = append(all, fmt.Sprintf("The hold that is sale %d has become order %s, which is another sale.", sale, IDOf(no)))
		}
	}
	return all, err
}

// auditOrders looks at each order by itself.
func auditOrders(q db.Querier) ([]string, error) {
	var all []string
	_, err := db.All(q, func(r db.Rows) (struct{}, error) {
		var no, total, unit, captured, refunded, refunds int64
		var quantity int
		var units string
		var seats *string
		var status, previous Status
		var people bool
		var cause Cause
		if err := r.Scan(&no, &quantity, &units, &seats, &unit, &total, &captured, &refunded, &status, &previous, &refunds, &people, &cause); err != nil {
			return struct{}{}, err
		}
		say := func(format string, args ...any) {
			all = append(all, "Order "+string(IDOf(no))+" "+fmt.Sprintf(format, args...)+".")
		}
		if n := length(units); n != quantity {
			say("is for %d tickets and has %d units", quantity, n)
		}
		if seats != nil && length(*seats) != quantity {
			say("is for %d tickets and has %d seats", quantity, length(*seats))
		}
		if int64(quantity)*unit != total || refunded > captured || captured > total {
			say("has total %d for %d at %d, captured %d, refunded %d", total, quantity, unit, captured, refunded)
		}
		if refunded != refunds {
			say("says %d refunded, and its refunds add up to %d", refunded, refunds)
		}
		if whole := captured > 0 && refunded == captured; whole != (status == Refunded) {
			say("is %s with %d of %d refunded", status, refunded, captured)
		}
		if previous == "" && status != Confirmed && status != Provisional || previous != "" && !slices.Contains(allowed[previous], status) {
			say("is %s after %q, which the table does not allow", status, previous)
		}
		if (cause != "") != (status == Issue) {
			say("is %s with %q as the cause of an issue", status, cause)
		}
		if !people {
			say("has lost its row of personal data")
		}
		return struct{}{}, nil
	}, `SELECT o.order_no, o.quantity, o.units, o.seats, o.unit_price, o.total, o.captured, o.refunded, o.status, o.previous_status,
			CAST(COALESCE((SELECT SUM(f.amount) FROM refunds f WHERE f.order_no = o.order_no), 0) AS BIGINT), p.order_no IS NOT NULL, o.cause
		FROM orders o LEFT JOIN order_people p ON p.order_no = o.order_no`)
	return all, err
}

// length is the number of elements of a JSON list, -1 for what is none.
func length(list string) int {
	var all []json.RawMessage
	if json.Unmarshal([]byte(list), &all) != nil {
		return -1
	}
	return len(all)
}

// auditStock compares what live orders have with what listings say is sold.
func auditStock(q db.Querier) ([]string, error) {
	sold, err := inventory.Sold(q)
	if err != nil {
		return nil, err
	}
	_, err = db.All(q, func(r db.Rows) (struct{}, error) {
		var listing int64
		var n int
		err := r.Scan(&listing, &n)
		sold[listing] -= n
		return struct{}{}, err
	}, `SELECT listing_no, CAST(SUM(quantity) AS BIGINT) FROM orders WHERE `+live+` GROUP BY listing_no`)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, listing := range slices.Sorted(maps.Keys(sold)) {
		if n := sold[listing]; n != 0 {
			all = append(all, fmt.Sprintf("Listing number %d says that %d more are sold than its orders have.", listing, n))
		}
	}
	return all, nil
}
