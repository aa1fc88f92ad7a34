package inventory

import (
	"fmt"
	"slices"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Want says what an order or a hold wants: a listing, a ticket type, or the cheapest listing of a section and row.
type Want struct {
	Listing  id.Listing    // empty when the others say it
	Type     id.TicketType // the same
	Section  string
	Row      string
	Quantity int    // 1 to MaxPerOrder
	Code     string // for ticket types that ask for one
}

// Pick is a choice of units that nobody else can take as long as the event is locked.
type Pick struct {
	Listing  Listing     // before the units are taken
	Type     *TicketType // whose listing it is; nil for none
	Ordinals []int       // ascending, one for each unit
	Seats    []string    // their labels; nil where places are not numbered

	pool    pool
	primary *primary // where there is a type
	gaps    int      // the first of Ordinals fill gaps
	hold    *Hold    // that has the units already; nil for none
	coded   bool     // of its places, some have barcodes that count, or that failed; known of what byNo has loaded
}

// Pick chooses units and changes nothing but holds that have come to their end, so failing costs nothing. The event must be locked by this transaction. It
// fails with listing_not_found, ticket_type_not_found, listing_not_on_sale, not_enough_tickets and split_not_allowed, which names the quantities that
// are allowed; for a ticket type also with not_on_sale_yet, sale_ended, access_code_wrong and quantity_not_allowed.
func (s *Stock) Pick(tx *db.Tx, org int64, ev event.Event, w Want) (*Pick, error) {
	p, err := find(tx, org, ev, w)
	if problem.Is(err, "not_enough_tickets") {
		// What holds kept beyond their time is free for whoever comes next.
		freed, failed := s.free(tx, org, ev, w, p)
		if failed != nil {
			return nil, failed
		}
		if freed {
			p, err = find(tx, org, ev, w)
		}
	}
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

// find returns the listing that fits what is wanted. With not_enough_tickets for one listing or type, that is returned too.
func find(tx *db.Tx, org int64, ev event.Event, w Want) (*Pick, error) {
	switch {
	case w.Type != "":
		return findType(tx, org, ev, w)
	case w.Listing == "":
		return findCheapest(tx, org, ev, w)
	}
	p, ok := known(tx, org, ev.No, w.Listing)
	if !ok {
		all, err := db.All(tx, scanPick, withPool+`WHERE l.org_id = $1 AND l.id = $2`, org, w.Listing)
		if err != nil {
			return nil, fmt.Errorf("load listing to sell: %w", err)
		}
		if len(all) == 0 || all[0].Listing.EventNo != ev.No {
			return nil, problem.New(problem.NotFound, "listing_not_found", "The event %s has no such listing.", ev.ID)
		}
		p = all[0]
		p.know(tx, org)
	}
	if err := p.complete(tx, org); err != nil {
		return nil, err
	}
	return p, p.sells(tx, w)
}

func findType(tx *db.Tx, org int64, ev event.Event, w Want) (*Pick, error) {
	all, err := primaryOf(tx, org, ev.No)
	if err != nil {
		return nil, err
	}
	t := all.typed(w.Type)
	if t == nil {
		return nil, problem.New(problem.NotFound, "ticket_type_not_found", "The event %s has no such ticket type.", ev.ID)
	}
	p := &Pick{Listing: t.Listing, Type: t, primary: all}
	if p.pool, err = knownPoolOf(tx, org, ev.No); err != nil {
		return nil, err
	}
	return p, p.sells(tx, w)
}

func findCheapest(tx *db.Tx, org int64, ev event.Event, w Want) (*Pick, error) {
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
		if err := p.complete(tx, org); err != nil {
			return nil, err
		}
		err := p.sells(tx, w)
		if err == nil {
			return p, nil
		}
		if free := p.Listing.AsOf(tx.Now()).Free(); free > most {
			refused, most = err, free
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

// knownPoolOf is the pool of an event that this transaction has locked.
func knownPoolOf(tx *db.Tx, org, eventNo int64) (pool, error) {
	if p, ok := tx.Known(knownPool{org, eventNo}); ok {
		return p.(pool), nil
	}
	p, _, err := poolOf(tx, org, eventNo)
	if err == nil {
		tx.Know(knownPool{org, eventNo}, p)
	}
	return p, err
}

// complete adds the type whose listing it is. What is free of that, its pools say.
func (p *Pick) complete(tx *db.Tx, org int64) (err error) {
	if p.Listing.Type == "" {
		return nil
	}
	if p.primary, err = primaryOf(tx, org, p.Listing.EventNo); err != nil {
		return err
	}
	p.Type = p.primary.typed(p.Listing.Type)
	p.Listing = p.Type.Listing
	return nil
}

// sells tells why what is wanted is not sold now, or nil.
func (p *Pick) sells(tx *db.Tx, w Want) error {
	if p.Type != nil {
		if err := p.Type.sells(tx.Now(), w); err != nil {
			return err
		}
	}
	return p.Listing.AsOf(tx.Now()).sells(w.Quantity)
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
	if l.Deliverability == Undeliverable {
		return problem.New(problem.Conflict, "listing_not_on_sale", "The tickets of this listing were not there in time; choose another one.")
	}
	if l.Most > 0 && (n < l.Least || n > l.Most) {
		return problem.New(problem.Conflict, "quantity_not_allowed", "An order takes %d to %d of these tickets.", l.Least, l.Most)
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
		gaps, err := gapsOf(tx, l, min(open, n))
		if err != nil {
			return err
		}
		p.Ordinals, p.gaps = slices.Clone(gaps), len(gaps)
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

// gaps are the lowest ordinals of a listing that were given back, and whether these are all.
type gaps struct {
	lowest []int
	all    bool
}

// knownGaps is under what a transaction knows the gaps of a listing whose event it has locked.
type knownGaps struct{ listing int64 }

// someGaps is how many gaps are looked up at once: enough for most that share a transaction.
const someGaps = 512

// gapsOf returns up to n gaps of a listing, the lowest first.
func gapsOf(tx *db.Tx, l *Listing, n int) ([]int, error) {
	if k, ok := tx.Known(knownGaps{l.No}); ok {
		if g := k.(gaps); g.all || len(g.lowest) >= n {
			return g.lowest[:min(n, len(g.lowest))], nil
		}
	}
	lowest, err := db.All(tx, db.Value[int], `SELECT ordinal FROM gaps WHERE listing_no = $1 ORDER BY ordinal LIMIT $2`, l.No, someGaps)
	if err != nil {
		return nil, fmt.Errorf("look for gaps of listing %s: %w", l.ID, err)
	}
	tx.Know(knownGaps{l.No}, gaps{lowest, len(lowest) < someGaps})
	return lowest[:min(n, len(lowest))], nil
}

var (
	insertClaims = db.BulkInsert("claims", "", "listing_no bigint", "ordinal bigint", "org_id bigint", "event_no bigint", "order_no bigint",
		"section text", "row_name text", "seat text")
	insertGaps = db.BulkInsert("gaps", "", "listing_no bigint", "ordinal bigint", "org_id bigint")
	deleteGaps = db.NewBulk(`DELETE FROM gaps WHERE listing_no = $1 AND ordinal = $2`,
		`DELETE FROM gaps g USING unnest($1::bigint[], $2::bigint[]) AS x (listing_no, ordinal)
			WHERE g.listing_no = x.listing_no AND g.ordinal = x.ordinal`, "bigint", "bigint")
	passClaims = db.NewBulk(`UPDATE claims SET order_no = $1 WHERE listing_no = $2 AND ordinal = $3 AND order_no = $4`,
		`UPDATE claims c SET order_no = x.order_no FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS x (order_no, listing_no, ordinal, was)
			WHERE c.listing_no = x.listing_no AND c.ordinal = x.ordinal AND c.order_no = x.was`, "bigint", "bigint", "bigint", "bigint")
	deleteClaims = db.NewBulk(`DELETE FROM claims WHERE listing_no = $1 AND ordinal = $2 AND order_no = $3`,
		`DELETE FROM claims c USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS x (listing_no, ordinal, order_no)
			WHERE c.listing_no = x.listing_no AND c.ordinal = x.ordinal AND c.order_no = x.order_no`, "bigint", "bigint", "bigint")
)

// Take gives the picked units to an order. Between Pick, or [Stock.PickHeld], and Take nothing else may change the event's stock.
func (s *Stock) Take(tx *db.Tx, org int64, ev event.Event, p *Pick, orderNo int64) error {
	if p.hold != nil {
		return s.convert(tx, org, ev, p, orderNo)
	}
	l, err := p.claim(tx, org, orderNo)
	if err != nil {
		return err
	}
	l.Sold += len(p.Ordinals)
	return s.counted(tx, org, ev, p, l)
}

// claim writes whose the units are: an order's number, or minus a hold's.
func (p *Pick) claim(tx *db.Tx, org, owner int64) (Listing, error) {
	l := p.Listing
	n := len(p.Ordinals)
	claims := make([][]any, n)
	for i, o := range p.Ordinals {
		var seat *string
		if p.Seats != nil {
			seat = &p.Seats[i]
		}
		claims[i] = []any{l.No, o, org, l.EventNo, owner, l.Section, l.Row, seat}
	}
	filled := make([][]any, p.gaps)
	for i := range filled {
		filled[i] = []any{l.No, p.Ordinals[i]}
	}
	if err := tx.Bulk(deleteGaps, filled); err != nil {
		return l, fmt.Errorf("fill gaps of listing %s: %w", l.ID, err)
	}
	if err := tx.Bulk(insertClaims, claims); err != nil {
		return l, fmt.Errorf("claim units of listing %s: %w", l.ID, err)
	}
	l.highWater += n - p.gaps
	if k, ok := tx.Known(knownGaps{l.No}); ok && p.gaps > 0 {
		g := k.(gaps)
		tx.Know(knownGaps{l.No}, gaps{g.lowest[p.gaps:], g.all})
	}
	return l, nil
}

// counted writes what a sale, a hold or a return made of the picked listing, of what it shares with others, and of the event's pool.
func (s *Stock) counted(tx *db.Tx, org int64, ev event.Event, p *Pick, after Listing) error {
	before := p.Listing
	if p.primary != nil {
		return s.countedType(tx, org, ev, p, after)
	}
	after.settle()
	after.Version, after.UpdatedAt = before.Version+1, tx.Now()
	if err := after.count(tx, org, before); err != nil {
		return err
	}
	if err := s.move(tx, org, ev, p.pool, before.share(), after.share()); err != nil {
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
	p, err := byNo(tx, org, r.Listing)
	if err != nil {
		return err
	}
	l, err := p.unclaim(tx, org, r.Order, r.Ordinals)
	if err != nil {
		return err
	}
	l.Sold -= len(r.Ordinals)
	if err := s.counted(tx, org, ev, p, l); err != nil || !p.coded {
		return err
	}
	_, _, err = s.endBarcodes(tx, org, ev, l.No, `ordinal IN ints($4)`, jsonList(r.Ordinals)) // a buyer has seen them
	return err
}

// byNo loads a listing whose event is locked, and what it shares with others.
func byNo(tx *db.Tx, org, listing int64) (*Pick, error) {
	p, err := db.One(tx, func(r db.Rows) (*Pick, error) {
		var p Pick
		var err error
		p.Listing, err = scanWith(r, append(p.pool.places(), &p.coded)...)
		return &p, err
	}, `SELECT `+columns+`, p.capacity, p.held, p.sold, p.blocked, p.exhausted,
			EXISTS (SELECT 1 FROM barcode_sets b WHERE b.listing_no = l.listing_no AND b.replaced_at IS NULL)
		FROM listings l JOIN pools p ON p.event_no = l.event_no WHERE l.org_id = $1 AND l.listing_no = $2`, org, listing)
	if err != nil {
		return nil, fmt.Errorf("load listing %d: %w", listing, err)
	}
	return p, p.complete(tx, org)
}

// unclaim takes units away from an order, or with minus its number from a hold, and leaves them free.
func (p *Pick) unclaim(tx *db.Tx, org, owner int64, ordinals []int) (Listing, error) {
	l := p.Listing
	// Whoever claims next looks for gaps anew, which sends these rows first: rows of different bulk statements may change places.
	tx.Forget(knownGaps{l.No})
	claims, gaps := make([][]any, len(ordinals)), make([][]any, len(ordinals))
	for i, o := range ordinals {
		claims[i], gaps[i] = []any{l.No, o, owner}, []any{l.No, o, org}
	}
	err := tx.Bulk(deleteClaims, claims)
	if err != nil {
		return l, fmt.Errorf("give back units of listing %s: %w", l.ID, err)
	}
	if l.Held+l.Sold > len(ordinals) {
		err = tx.Bulk(insertGaps, gaps)
	} else { // all is free again
		l.highWater = 0
		err = tx.Later(`DELETE FROM gaps WHERE listing_no = $1`, l.No)
	}
	if err != nil {
		return l, fmt.Errorf("open gaps of listing %s: %w", l.ID, err)
	}
	return l, nil
}
