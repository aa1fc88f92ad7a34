package inventory

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Audit recomputes stock from the claims and returns a sentence for each thing that differs. Each check is one statement, so work that
// goes on meanwhile makes no difference.
func Audit(q db.Querier) ([]string, error) {
	var all []string
	for _, check := range []func(db.Querier) ([]string, error){
		auditListings, auditDelivery, auditClaims, auditSeats, auditPools, auditTypes, auditNamed, auditHolds, auditBarcodes, auditBarcoded,
	} {
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

// auditDelivery holds what listings say of their delivery against their dates. A date that has come and is not written down yet is no difference.
func auditDelivery(q db.Querier) ([]string, error) {
	var all []string
	_, err := db.All(q, func(r db.Rows) (struct{}, error) {
		var due *int64
		l, err := scanWith(r, &due)
		late := l.awaits() && !l.DeliverBy.After(l.UpdatedAt)
		if l.Deliverability == Undeliverable && !finished(l.Status) && (l.Status == Draft || !late) {
			all = append(all, fmt.Sprintf("Listing %s cannot be delivered, and nothing keeps it from that: it is %s, with %d of %d places that have barcodes.",
				l.ID, l.Status, l.Barcoded, l.Total))
		}
		if want := l.dueAt(); !want.Equal(instant(due)) {
			all = append(all, fmt.Sprintf("Listing %s is looked at again at %v and should be at %v.", l.ID, instant(due), want))
		}
		return struct{}{}, err
	}, `SELECT `+columns+`, l.due_at FROM listings l
		WHERE l.deliverability <> 'ok' OR l.due_at IS NOT NULL OR l.deliver_by IS NOT NULL OR l.expires_at IS NOT NULL`)
	return all, err
}

func auditClaims(q db.Querier) ([]string, error) {
	return db.All(q, func(r db.Rows) (string, error) {
		var order, listing, ordinal int64
		err := r.Scan(&order, &listing, &ordinal)
		return fmt.Sprintf("%s claims unit %d of listing number %d, which is free, or not of that event and organisation.", owner(order), ordinal, listing), err
	}, `SELECT c.order_no, c.listing_no, c.ordinal FROM claims c LEFT JOIN listings l ON l.listing_no = c.listing_no
			LEFT JOIN gaps g ON g.listing_no = c.listing_no AND g.ordinal = c.ordinal
		WHERE l.listing_no IS NULL OR l.event_no <> c.event_no OR l.org_id <> c.org_id OR g.ordinal IS NOT NULL
			OR c.ordinal >= l.high_water OR l.section <> c.section OR l.row_name <> c.row_name OR (l.seats IS NULL) <> (c.seat IS NULL)`)
}

// owner says whose a claim is.
func owner(no int64) string {
	if no < 0 {
		return fmt.Sprintf("Hold number %d", -no)
	}
	return fmt.Sprintf("Order number %d", no)
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
			all = append(all, fmt.Sprintf("%s claims seat %s of listing %s, which has another label there.", owner(order), seat, l.ID))
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
		WHERE NOT EXISTS (SELECT 1 FROM ticket_types t WHERE t.event_no = x.event_no) AND (x.capacity <> x.a OR x.held <> x.b OR x.sold <> x.c OR x.blocked <> x.d
			OR x.exhausted = TRUE AND x.capacity - x.held - x.sold - x.blocked > 0
			OR x.exhausted = FALSE AND x.capacity - x.held - x.sold - x.blocked = 0 AND x.held = 0 AND x.sold > 0)`)
}

// auditTypes does what auditPools does for events with ticket types: their pools tell what of them is free.
func auditTypes(q db.Querier) ([]string, error) {
	type key struct{ org, event int64 }
	events, err := db.All(q, func(r db.Rows) (k key, err error) { return k, r.Scan(&k.org, &k.event) }, `SELECT DISTINCT org_id, event_no FROM ticket_types`)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, k := range events {
		types, err := loadPrimary(q, k.org, k.event)
		if err != nil {
			return nil, err
		}
		is, _, err := poolOf(q, k.org, k.event)
		if err != nil {
			return nil, err
		}
		listings, err := db.All(q, scan, `SELECT `+columns+` FROM listings l WHERE l.org_id = $1 AND l.event_no = $2 AND l.type_id IS NULL`, k.org, k.event)
		if err != nil {
			return nil, err
		}
		settled := types.clone()
		settled.settle()
		for i, t := range types.types {
			if want := settled.types[i].Listing.Status; t.Listing.Status != want {
				all = append(all, fmt.Sprintf("Ticket type %s is %s and should be %s.", t.ID, t.Listing.Status, want))
			}
		}
		want := pool{exhausted: is.exhausted}.with(pool{}, types.share())
		for _, l := range listings {
			want = want.with(pool{}, l.share())
		}
		if want.exhausted = want.free() == 0 && want.held == 0 && want.sold > 0 || is.exhausted && want.free() == 0; is != want {
			all = append(all, fmt.Sprintf("The pool of event number %d says %+v; its ticket types and listings add up to %+v.", k.event, is, want))
		}
	}
	return all, nil
}

// auditNamed compares named pools with the types that draw on them.
func auditNamed(q db.Querier) ([]string, error) {
	return db.All(q, func(r db.Rows) (string, error) {
		var event int64
		var name string
		var held, sold, wantHeld, wantSold int
		err := r.Scan(&event, &name, &held, &sold, &wantHeld, &wantSold)
		return fmt.Sprintf("The pool %s of event number %d says %d held, %d sold; the types that draw on it add up to %d, %d.", name, event, held, sold, wantHeld, wantSold), err
	}, `SELECT * FROM (
			SELECT n.event_no, n.name, n.held, n.sold, CAST(COALESCE(SUM(l.held), 0) AS BIGINT) AS a, CAST(COALESCE(SUM(l.sold), 0) AS BIGINT) AS b
			FROM named_pools n LEFT JOIN draws d ON d.pool_no = n.pool_no LEFT JOIN listings l ON l.listing_no = d.listing_no
			GROUP BY n.pool_no, n.event_no, n.name, n.held, n.sold) AS x
		WHERE x.held <> x.a OR x.sold <> x.b`)
}

// auditHolds compares what listings say is held with the holds that are active, and these with their claims.
func auditHolds(q db.Querier) ([]string, error) {
	all, err := db.All(q, func(r db.Rows) (string, error) {
		var listing string
		var held, want int
		err := r.Scan(&listing, &held, &want)
		return fmt.Sprintf("Listing %s says %d held; its active holds add up to %d.", listing, held, want), err
	}, `SELECT * FROM (
			SELECT l.id, l.held, COALESCE(h.n, 0) AS want FROM listings l LEFT JOIN (
				SELECT listing_no, CAST(SUM(quantity) AS BIGINT) AS n FROM holds WHERE status = 'active' GROUP BY listing_no) AS h ON h.listing_no = l.listing_no) AS x
		WHERE x.held <> x.want`)
	if err != nil {
		return nil, err
	}
	claims, err := db.All(q, func(r db.Rows) (string, error) {
		var owns int64
		var n, want int
		err := r.Scan(&owns, &n, &want)
		return fmt.Sprintf("%s has %d claims and should have %d.", owner(owns), n, want), err
	}, `SELECT * FROM (
			SELECT COALESCE(c.order_no, -h.hold_no) AS owner, COALESCE(c.n, 0) AS n, COALESCE(h.quantity, 0) AS want
			FROM (SELECT order_no, count(*) AS n FROM claims WHERE order_no < 0 GROUP BY order_no) AS c
			FULL JOIN (SELECT hold_no, quantity FROM holds WHERE status = 'active') AS h ON c.order_no = -h.hold_no) AS x
		WHERE x.n <> x.want`)
	return append(all, claims...), err
}

// auditBarcodes compares sets with what is kept of their values.
func auditBarcodes(q db.Querier) ([]string, error) {
	return db.All(q, func(r db.Rows) (string, error) {
		var set, listing, ordinal, n, want int64
		err := r.Scan(&set, &listing, &ordinal, &n, &want)
		return fmt.Sprintf("The barcodes of place %d of listing number %d (set %d) have %d digests and should have %d.", ordinal+1, listing, set, n, want), err
	}, `SELECT * FROM (
			SELECT COALESCE(b.set_no, d.set_no) AS set_no, COALESCE(b.listing_no, d.listing_no) AS listing_no, COALESCE(b.ordinal, d.ordinal) AS ordinal,
				COALESCE(d.n, 0) AS n, COALESCE(b.n, 0) AS want
			FROM (SELECT set_no, org_id, event_no, listing_no, ordinal, n FROM barcode_sets WHERE status = 'received' AND replaced_at IS NULL) AS b
			FULL JOIN (SELECT set_no, org_id, event_no, listing_no, ordinal, count(*) AS n FROM barcode_values GROUP BY set_no, org_id, event_no, listing_no, ordinal) AS d
				ON d.set_no = b.set_no AND d.org_id = b.org_id AND d.event_no = b.event_no AND d.listing_no = b.listing_no AND d.ordinal = b.ordinal) AS x
		WHERE x.n <> x.want`)
}

// auditBarcoded compares how many places listings say have barcodes with their sets.
func auditBarcoded(q db.Querier) ([]string, error) {
	return db.All(q, func(r db.Rows) (string, error) {
		var listing string
		var n, want int
		err := r.Scan(&listing, &n, &want)
		return fmt.Sprintf("Listing %s says that %d places have barcodes; %d have.", listing, n, want), err
	}, `SELECT * FROM (
			SELECT l.id, l.barcoded, COALESCE(b.n, 0) AS want FROM listings l LEFT JOIN (
				SELECT listing_no, count(*) AS n FROM barcode_sets WHERE status = 'received' AND replaced_at IS NULL GROUP BY listing_no) AS b
				ON b.listing_no = l.listing_no) AS x
		WHERE x.barcoded <> x.want`)
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

// HeldSales returns of each sale that was held the number of the order that it became, 0 for none, for audits of others.
func HeldSales(q db.Querier) (map[int64]int64, error) {
	sales := map[int64]int64{}
	_, err := db.All(q, func(r db.Rows) (struct{}, error) {
		var sale, order int64
		err := r.Scan(&sale, &order)
		sales[sale] = order
		return struct{}{}, err
	}, `SELECT sale_no, COALESCE(order_no, 0) FROM holds WHERE sale_no IS NOT NULL`)
	return sales, err
}
