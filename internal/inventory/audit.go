package inventory

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Audit recomputes stock from the claims and returns a sentence for each thing that differs. Each check is one statement, so work that
// goes on meanwhile makes no difference.
func Audit(q db.Querier) ([]string, error) {
	var all []string
	for _, check := range []func(db.Querier) ([]string, error){auditListings, auditClaims, auditSeats, auditPools} {
		found, err := check(q)
		if err != nil {
			return nil, fmt.Errorf("audit inventory: %w", err)
		}
		all = append(all, found...)
	}
	return all, nil
}

func auditListings(q db.Querier) ([]string, error) {
	return db.All(q, func(r db.Rows) (string, error) {
		var listing string
		var sold, held, high, claims, gaps int
		err := r.Scan(&listing, &sold, &held, &high, &claims, &gaps)
		return fmt.Sprintf("Listing %s says %d held, %d sold, %d ever claimed, and has %d claims and %d gaps.",
			listing, held, sold, high, claims, gaps), err
	}, `SELECT * FROM (
			SELECT l.id, l.sold, l.held, l.high_water,
				(SELECT count(*) FROM claims c WHERE c.listing_no = l.listing_no) AS claims,
				(SELECT count(*) FROM gaps g WHERE g.listing_no = l.listing_no) AS open
			FROM listings l) AS x
		WHERE x.claims <> x.sold + x.held OR x.high_water <> x.sold + x.held + x.open`)
}

func auditClaims(q db.Querier) ([]string, error) {
	return db.All(q, func(r db.Rows) (string, error) {
		var order, listing, ordinal int64
		err := r.Scan(&order, &listing, &ordinal)
		return fmt.Sprintf("Order number %d claims unit %d of listing number %d, which is free, or not of that event and organisation.", order, ordinal, listing), err
	}, `SELECT c.order_no, c.listing_no, c.ordinal FROM claims c LEFT JOIN listings l ON l.listing_no = c.listing_no
			LEFT JOIN gaps g ON g.listing_no = c.listing_no AND g.ordinal = c.ordinal
		WHERE l.listing_no IS NULL OR l.event_no <> c.event_no OR l.org_id <> c.org_id OR g.ordinal IS NOT NULL
			OR c.ordinal >= l.high_water OR l.section <> c.section OR l.row_name <> c.row_name OR (l.seats IS NULL) <> (c.seat IS NULL)`)
}

// auditSeats compares the labels of claims with those of their listings.
func auditSeats(q db.Querier) ([]string, error) {
	var all []string
	_, err := db.All(q, func(r db.Rows) (struct{}, error) {
		var order int64
		var ordinal int
		var seat string
		l, err := scanWith(r, &order, &ordinal, &seat)
		if err == nil && (ordinal >= len(l.Seats) || l.Seats[ordinal] != seat) {
			all = append(all, fmt.Sprintf("Order number %d claims seat %s of listing %s, which has another label there.", order, seat, l.ID))
		}
		return struct{}{}, err
	}, `SELECT `+columns+`, c.order_no, c.ordinal, c.seat FROM claims c JOIN listings l ON l.listing_no = c.listing_no WHERE c.seat IS NOT NULL
		AND l.seats IS NOT NULL`)
	return all, err
}

func auditPools(q db.Querier) ([]string, error) {
	return db.All(q, func(r db.Rows) (string, error) {
		var event int64
		var is, want pool
		var listings int
		err := r.Scan(&event, &is.capacity, &is.held, &is.sold, &is.blocked, &is.exhausted, &listings, &want.capacity, &want.held, &want.sold, &want.blocked)
		return fmt.Sprintf("The pool of event number %d says capacity %d, held %d, sold %d, blocked %d, exhausted %t; its %d listings add up to %d, %d, %d, %d.",
			event, is.capacity, is.held, is.sold, is.blocked, is.exhausted, listings, want.capacity, want.held, want.sold, want.blocked), err
	}, `SELECT * FROM (
			SELECT COALESCE(p.event_no, s.event_no) AS event_no, COALESCE(p.capacity, 0) AS capacity, COALESCE(p.held, 0) AS held,
				COALESCE(p.sold, 0) AS sold, COALESCE(p.blocked, 0) AS blocked, COALESCE(p.exhausted, FALSE) AS exhausted,
				COALESCE(s.listings, 0) AS listings, COALESCE(s.a, 0) AS a, COALESCE(s.b, 0) AS b, COALESCE(s.c, 0) AS c, COALESCE(s.d, 0) AS d
			FROM pools p FULL JOIN (
				SELECT l.event_no, count(*) AS listings, `+shareSQL+` FROM listings l GROUP BY l.event_no) AS s ON s.event_no = p.event_no) AS x
		WHERE x.capacity <> x.a OR x.held <> x.b OR x.sold <> x.c OR x.blocked <> x.d
			OR x.exhausted = TRUE AND x.capacity - x.held - x.sold - x.blocked > 0
			OR x.exhausted = FALSE AND x.capacity - x.held - x.sold - x.blocked = 0 AND x.held = 0 AND x.sold > 0`)
}

// Sold returns how many units each listing says are sold, by the listing's number, for audits of others.
func Sold(q db.Querier) (map[int64]int, error) {
	sold := map[int64]int{}
	_, err := db.All(q, func(r db.Rows) (struct{}, error) {
		var no int64
		var n int
		err := r.Scan(&no, &n)
		sold[no] = n
		return struct{}{}, err
	}, `SELECT listing_no, sold FROM listings WHERE sold > 0`)
	return sold, err
}
