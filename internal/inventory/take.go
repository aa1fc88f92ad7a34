package inventory

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Want says what an order wants: a listing, or the cheapest one of a section and row.
type Want struct {
	Listing  id.Listing // empty when section and row say it
	Section  string
	Row      string
	Quantity int // 1 to MaxPerOrder
}

// Pick is a choice of units that nobody else can take as long as the event is locked.
type Pick struct {
	Listing  Listing  // before the units are taken
	Ordinals []int    // ascending, one for each unit
	Seats    []string // their labels; nil where places are not numbered

	pool pool
	gaps int // the first of Ordinals fill gaps
}

// Pick chooses units and changes nothing, so failing costs nothing. The event must be locked by this transaction. It fails with
// listing_not_found, listing_not_on_sale, not_enough_tickets and split_not_allowed, which names the quantities that are allowed.
func (s *Stock) Pick(tx *db.Tx, org int64, ev event.Event, w Want) (*Pick, error) {
	p, err := find(tx, org, ev, w)
	if err != nil {
		return nil, err
	}
	return p, p.allocate(tx, w.Quantity)
}

const withPool = `SELECT ` + columns + `, p.capacity, p.held, p.sold, p.blocked, p.exhausted
	FROM listings l JOIN pools p ON p.event_no = l.event_no `

func scanPick(r db.Rows) (*Pick, error) {
	var p Pick
	var err error
	p.Listing, err = scanWith(r, p.pool.places()...)
	return &p, err
}

// find returns the listing that fits what is wanted.
func find(tx *db.Tx, org int64, ev event.Event, w Want) (*Pick, error) {
	if w.Listing != "" {
		if p, ok := known(tx, org, ev.No, w.Listing); ok {
			return p, p.Listing.sells(w.Quantity)
		}
		all, err := db.All(tx, scanPick, withPool+`WHERE l.org_id = $1 AND l.id = $2`, org, w.Listing)
		if err != nil {
			return nil, fmt.Errorf("load listing to sell: %w", err)
		}
		if len(all) == 0 || all[0].Listing.EventNo != ev.No {
			return nil, problem.New(problem.NotFound, "listing_not_found", "The event %s has no such listing.", ev.ID)
		}
		all[0].know(tx, org)
		return all[0], all[0].Listing.sells(w.Quantity)
	}
	all, err := db.All(tx, scanPick, withPool+`
		WHERE l.org_id = $1 AND l.event_no = $2 AND l.section = $3 AND l.row_name = $4 AND l.status = 'active'
		ORDER BY CASE WHEN l.currency = $5 THEN 0 ELSE 1 END, l.price, l.listing_no`, org, ev.No, w.Section, w.Row, ev.Currency)
	if err != nil {
		return nil, fmt.Errorf("load listings to sell: %w", err)
	}
	// Of those that do not sell the quantity, the one that comes nearest says why.
	refused := error(problem.New(problem.Conflict, "not_enough_tickets", "Nothing is for sale in section %s, row %s.", w.Section, w.Row))
	most := 0
	for _, p := range all {
		err := p.Listing.sells(w.Quantity)
		if err == nil {
			return p, nil
		}
		if p.Listing.Free() > most {
			refused, most = err, p.Listing.Free()
		}
	}
	return nil, refused
}

// knownListing and knownPool are under what a transaction knows of the stock of an event that it has locked.
type (
	knownListing struct {
		org int64
		id  id.Listing
	}
	knownPool struct{ org, event int64 }
)

// known is a listing of an event, and the event's pool, when this transaction has both.
func known(tx *db.Tx, org, eventNo int64, listing id.Listing) (*Pick, bool) {
	l, ok := tx.Known(knownListing{org, listing})
	if !ok || l.(Listing).EventNo != eventNo {
		return nil, false
	}
	p, ok := tx.Known(knownPool{org, eventNo})
	if !ok {
		return nil, false
	}
	return &Pick{Listing: l.(Listing), pool: p.(pool)}, true
}

func (p *Pick) know(tx *db.Tx, org int64) {
	tx.Know(knownListing{org, p.Listing.ID}, p.Listing)
	tx.Know(knownPool{org, p.Listing.EventNo}, p.pool)
}

// sells tells why the listing does not sell n units now, or nil.
func (l Listing) sells(n int) error {
	switch l.Status {
	case Active, SoldOut:
	default:
		return problem.New(problem.Conflict, "listing_not_on_sale", "The listing is %s; choose another one.", l.Status)
	}
	free := l.Free()
	if n > free {
		return problem.New(problem.Conflict, "not_enough_tickets", "%s; choose a smaller quantity or another listing.", remaining(free))
	}
	if !l.SplitRule.allows(n, free) {
		return problem.New(problem.Conflict, "split_not_allowed", "This listing does not sell %d of its %d tickets; choose %s.",
			n, free, sentence(l.Splits()))
	}
	return nil
}

func remaining(free int) string {
	switch free {
	case 0:
		return "The listing is sold out"
	case 1:
		return "Only 1 ticket is left"
	}
	return fmt.Sprintf("Only %d tickets are left", free)
}

// allocate chooses the lowest free ordinals.
func (p *Pick) allocate(tx *db.Tx, n int) error {
	l := &p.Listing
	if open := l.highWater - l.Held - l.Sold; open > 0 {
		gaps, err := db.All(tx, db.Value[int], `SELECT ordinal FROM gaps WHERE listing_no = $1 ORDER BY ordinal LIMIT $2`,
			l.No, min(open, n))
		if err != nil {
			return fmt.Errorf("look for gaps of listing %s: %w", l.ID, err)
		}
		p.Ordinals, p.gaps = gaps, len(gaps)
	}
	for next := l.highWater; len(p.Ordinals) < n; next++ {
		p.Ordinals = append(p.Ordinals, next)
	}
	if l.Seats == nil {
		return nil
	}
	for _, o := range p.Ordinals {
		p.Seats = append(p.Seats, l.Seats[o])
	}
	return nil
}

var (
	insertClaims = db.BulkInsert("claims", "", "listing_no bigint", "ordinal bigint", "org_id bigint", "event_no bigint", "order_no bigint",
		"section text", "row_name text", "seat text")
	insertGaps = db.BulkInsert("gaps", "", "listing_no bigint", "ordinal bigint", "org_id bigint")
	deleteGaps = db.NewBulk(`DELETE FROM gaps WHERE listing_no = $1 AND ordinal = $2`,
		`DELETE FROM gaps g USING unnest($1::bigint[], $2::bigint[]) AS x (listing_no, ordinal)
			WHERE g.listing_no = x.listing_no AND g.ordinal = x.ordinal`, "bigint", "bigint")
	deleteClaims = db.NewBulk(`DELETE FROM claims WHERE listing_no = $1 AND ordinal = $2 AND order_no = $3`,
		`DELETE FROM claims c USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS x (listing_no, ordinal, order_no)
			WHERE c.listing_no = x.listing_no AND c.ordinal = x.ordinal AND c.order_no = x.order_no`, "bigint", "bigint", "bigint")
)

// Take sells the picked units to an order. Between Pick and Take nothing else may change the event's stock.
func (s *Stock) Take(tx *db.Tx, org int64, ev event.Event, p *Pick, orderNo int64) error {
	l := p.Listing
	n := len(p.Ordinals)
	claims := make([][]any, n)
	for i, o := range p.Ordinals {
		var seat *string
		if p.Seats != nil {
			seat = &p.Seats[i]
		}
		claims[i] = []any{l.No, o, org, ev.No, orderNo, l.Section, l.Row, seat}
	}
	filled := make([][]any, p.gaps)
	for i := range filled {
		filled[i] = []any{l.No, p.Ordinals[i]}
	}
	if err := tx.Bulk(deleteGaps, filled); err != nil {
		return fmt.Errorf("fill gaps of listing %s: %w", l.ID, err)
	}
	if err := tx.Bulk(insertClaims, claims); err != nil {
		return fmt.Errorf("claim units of listing %s: %w", l.ID, err)
	}
	l.Sold += n
	l.highWater += n - p.gaps
	return s.counted(tx, org, ev, p.pool, p.Listing, l)
}

// counted writes what a sale or a return made of a listing and its pool.
func (s *Stock) counted(tx *db.Tx, org int64, ev event.Event, was pool, before, after Listing) error {
	after.settle()
	after.Version, after.UpdatedAt = before.Version+1, tx.Now()
	if err := after.count(tx, org, before); err != nil {
		return err
	}
	if err := s.move(tx, org, ev, was, before, after); err != nil {
		return err
	}
	if after.Status == before.Status {
		return nil
	}
	return s.tell(tx, org, after, []string{"quantity", "status"})
}

// Return is what an order gives back.
type Return struct {
	Order    int64
	Listing  int64 // its number
	Ordinals []int
}

// Release gives an order's units back. The event must be locked by this transaction.
func (s *Stock) Release(tx *db.Tx, org int64, ev event.Event, r Return) error {
	p, err := db.One(tx, scanPick, withPool+`WHERE l.org_id = $1 AND l.listing_no = $2`, org, r.Listing)
	if err != nil {
		return fmt.Errorf("load listing %d to give units back: %w", r.Listing, err)
	}
	l := p.Listing
	claims, gaps := make([][]any, len(r.Ordinals)), make([][]any, len(r.Ordinals))
	for i, o := range r.Ordinals {
		claims[i], gaps[i] = []any{l.No, o, r.Order}, []any{l.No, o, org}
	}
	if err := tx.Bulk(deleteClaims, claims); err != nil {
		return fmt.Errorf("give back units of listing %s: %w", l.ID, err)
	}
	l.Sold -= len(r.Ordinals)
	if l.Held+l.Sold > 0 {
		err = tx.Bulk(insertGaps, gaps)
	} else { // all is free again
		l.highWater = 0
		err = tx.Later(`DELETE FROM gaps WHERE listing_no = $1`, l.No)
	}
	if err != nil {
		return fmt.Errorf("open gaps of listing %s: %w", l.ID, err)
	}
	return s.counted(tx, org, ev, p.pool, p.Listing, l)
}
