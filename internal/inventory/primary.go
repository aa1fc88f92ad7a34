package inventory

import (
	"fmt"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
)

// Pool is what the ticket types of an event share, such as the places of a hall.
type Pool struct {
	No        int64
	Name      string // 1 to 100 characters, one of its kind in the event
	Capacity  int    // at most 1,000,000
	Held      int
	Sold      int
	Blocked   int   // kept back by the organisation
	Version   int64 // 1 and growing with what the organisation says of it; not with sales
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Free is what nobody has and nothing keeps back.
func (p Pool) Free() int { return p.Capacity - p.Held - p.Sold - p.Blocked }

// primary are the ticket types of an event with their pools: what a sale of one changes for the others. It is shared and never changed; see with.
type primary struct {
	pools []Pool
	types []TicketType
}

func (p *primary) typed(t id.TicketType) *TicketType {
	for i := range p.types {
		if p.types[i].ID == t {
			return &p.types[i]
		}
	}
	return nil
}

func (p *primary) pool(no int64) *Pool {
	for i := range p.pools {
		if p.pools[i].No == no {
			return &p.pools[i]
		}
	}
	return nil
}

func (p *primary) clone() *primary {
	return &primary{slices.Clone(p.pools), slices.Clone(p.types)}
}

// settle has the room of each type, its ceiling and its status follow from its pools.
func (p *primary) settle() {
	for i := range p.types {
		l := &p.types[i].Listing
		l.room, l.ceiling = maxQuantity, maxQuantity
		for _, no := range p.types[i].draws {
			pool := p.pool(no)
			l.room, l.ceiling = min(l.room, pool.Free()), min(l.ceiling, pool.Capacity)
		}
		l.settle()
	}
}

// share is what all types together contribute to their event's pool. Places are counted in the pools that types draw on first. Of these places, those that no
// type sells now are blocked, because a type is paused or another pool is empty: nothing is free exactly when no type has anything to sell.
func (p *primary) share() (sum pool) {
	for i := range p.pools {
		own := pool{}
		open, sells := false, 0
		for _, t := range p.types {
			if t.draws[0] != p.pools[i].No {
				continue
			}
			l := t.Listing
			own.held += l.Held
			own.sold += l.Sold
			open = open || !finished(l.Status)
			sells += max(l.Free(), 0)
		}
		own.capacity = own.held + own.sold
		if open {
			left := p.pools[i].Capacity - p.pools[i].Held - p.pools[i].Sold
			own.capacity += left
			own.blocked = left - min(sells, p.pools[i].Free())
		}
		sum.capacity += own.capacity
		sum.held += own.held
		sum.sold += own.sold
		sum.blocked += own.blocked
	}
	return sum
}

// knownPrimary is under what a transaction knows the types of an event that it has locked.
type knownPrimary struct{ org, event int64 }

// primaryOf loads the types of an event that this transaction has locked.
func primaryOf(tx *db.Tx, org, eventNo int64) (*primary, error) {
	if p, ok := tx.Known(knownPrimary{org, eventNo}); ok {
		return p.(*primary), nil
	}
	p, err := loadPrimary(tx, org, eventNo)
	if err == nil {
		tx.Know(knownPrimary{org, eventNo}, p)
	}
	return p, err
}

func loadPrimary(q db.Querier, org, eventNo int64) (*primary, error) {
	var p primary
	var err error
	if p.pools, err = db.All(q, scanPool, selectPool+`WHERE org_id = $1 AND event_no = $2 ORDER BY pool_no`, org, eventNo); err != nil {
		return nil, fmt.Errorf("load pools: %w", err)
	}
	p.types, err = db.All(q, scanType, `SELECT `+columns+`, t.class, t.face_value, t.per_customer, t.on_sale_at, t.off_sale_at, t.code
		FROM listings l JOIN ticket_types t ON t.listing_no = l.listing_no WHERE t.org_id = $1 AND t.event_no = $2 ORDER BY t.listing_no`, org, eventNo)
	if err != nil {
		return nil, fmt.Errorf("load ticket types: %w", err)
	}
	_, err = db.All(q, func(r db.Rows) (struct{}, error) {
		var listing, pool int64
		err := r.Scan(&listing, &pool)
		for i := range p.types {
			if t := &p.types[i]; t.Listing.No == listing {
				t.draws = append(t.draws, pool)
				t.Pools = append(t.Pools, p.pool(pool).Name)
			}
		}
		return struct{}{}, err
	}, `SELECT listing_no, pool_no FROM draws WHERE org_id = $1 AND event_no = $2 ORDER BY listing_no, n`, org, eventNo)
	if err != nil {
		return nil, fmt.Errorf("load what ticket types draw on: %w", err)
	}
	return &p, nil
}

const selectPool = `SELECT pool_no, name, capacity, held, sold, blocked, version, created_at, updated_at FROM named_pools `

func scanPool(r db.Rows) (Pool, error) {
	var p Pool
	var created, updated int64
	err := r.Scan(&p.No, &p.Name, &p.Capacity, &p.Held, &p.Sold, &p.Blocked, &p.Version, &created, &updated)
	p.CreatedAt, p.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	return p, err
}

func scanType(r db.Rows) (TicketType, error) {
	var t TicketType
	var face, on, off *int64
	l, err := scanWith(r, &t.Class, &face, &t.PerCustomer, &on, &off, &t.Code)
	t.ID, t.Listing = l.Type, l
	if face != nil {
		t.FaceValue = &money.Amount{Minor: *face, Currency: l.Price.Currency}
	}
	t.OnSaleAt, t.OffSaleAt = instant(on), instant(off)
	return t, err
}

func instant(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return time.UnixMicro(*micros).UTC()
}

// countNamed adds up.
var countNamed = db.NewBulk(`UPDATE named_pools SET held = held + $1, sold = sold + $2 WHERE org_id = $3 AND pool_no = $4`,
	`UPDATE named_pools p SET held = p.held + x.held, sold = p.sold + x.sold
		FROM (SELECT org_id, pool_no, sum(held)::bigint AS held, sum(sold)::bigint AS sold
			FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS u (held, sold, org_id, pool_no) GROUP BY org_id, pool_no) x
		WHERE p.org_id = x.org_id AND p.pool_no = x.pool_no`, "bigint", "bigint", "bigint", "bigint")

// countedType is counted for a ticket type: its pools are counted too, and the other types that draw on them may be sold out by it, or not any more.
func (s *Stock) countedType(tx *db.Tx, org int64, ev event.Event, p *Pick, after Listing) error {
	was, is := p.primary, p.primary.clone()
	t := is.typed(after.Type)
	held, sold := after.Held-p.Listing.Held, after.Sold-p.Listing.Sold
	rows := make([][]any, len(t.draws))
	for i, no := range t.draws {
		pool := is.pool(no)
		pool.Held += held
		pool.Sold += sold
		rows[i] = []any{int64(held), int64(sold), org, no}
	}
	if err := tx.Bulk(countNamed, rows); err != nil {
		return fmt.Errorf("count pools of ticket type %s: %w", after.Type, err)
	}
	t.Listing = after
	is.settle()
	return s.reckon(tx, org, ev, p.pool, was, is, after.Type)
}

// reckon writes what of the types' listings a sale changed: all of one type, of the others the status. Then it counts the event's pool, and tells of what
// flipped.
func (s *Stock) reckon(tx *db.Tx, org int64, ev event.Event, total pool, was, is *primary, sold id.TicketType) error {
	flipped := []Listing{}
	for i := range is.types {
		before, after := was.types[i].Listing, &is.types[i].Listing
		if after.Status == before.Status && is.types[i].ID != sold {
			continue
		}
		after.Version, after.UpdatedAt = before.Version+1, tx.Now()
		if err := after.count(tx, org, before); err != nil {
			return err
		}
		if after.Status != before.Status {
			flipped = append(flipped, *after)
		}
	}
	tx.Know(knownPrimary{org, ev.No}, is)
	if err := s.move(tx, org, ev, total, was.share(), is.share()); err != nil {
		return err
	}
	for _, l := range flipped {
		if err := s.tell(tx, org, l, []string{"quantity", "status"}); err != nil {
			return err
		}
	}
	return nil
}
