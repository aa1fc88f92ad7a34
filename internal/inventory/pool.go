package inventory

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

// pool is an event's sums over its listings.
type pool struct {
	capacity, held, sold, blocked int
	exhausted                     bool // pool.exhausted was told, and pool.reopened has not been since
}

func (p pool) free() int { return p.capacity - p.held - p.sold - p.blocked }

// share is what a listing contributes to its event's pool.
func (l Listing) share() pool {
	p := pool{capacity: l.Total, held: l.Held, sold: l.Sold}
	switch {
	case finished(l.Status):
		p.capacity = l.Held + l.Sold
	case l.Status == Draft, l.Status == Paused, l.Deliverability == Undeliverable:
		p.blocked = l.left()
	}
	return p
}

// shareSQL sums up share over listings l, in columns a to d. It does not know of pools that ticket types draw on.
const shareSQL = `
	CAST(SUM(CASE WHEN l.status IN ('withdrawn', 'expired') THEN l.held + l.sold ELSE l.quantity END) AS BIGINT) AS a,
	CAST(SUM(l.held) AS BIGINT) AS b, CAST(SUM(l.sold) AS BIGINT) AS c,
	CAST(SUM(CASE WHEN l.status IN ('draft', 'paused') OR l.deliverability = 'expired' AND l.status NOT IN ('withdrawn', 'expired') THEN l.quantity - l.held - l.sold ELSE 0 END) AS BIGINT) AS d`

// with returns the pool after what contributes to it changed.
func (p pool) with(b, a pool) pool {
	p.capacity += a.capacity - b.capacity
	p.held += a.held - b.held
	p.sold += a.sold - b.sold
	p.blocked += a.blocked - b.blocked
	switch {
	case !p.exhausted && p.free() == 0 && p.held == 0 && p.sold > 0:
		p.exhausted = true
	case p.exhausted && p.free() > 0:
		p.exhausted = false
	}
	return p
}

// PoolSnapshot is the data of pool.exhausted and pool.reopened: the event, and its sums.
type PoolSnapshot struct {
	event.Snapshot
	Capacity int `json:"capacity"`
	Sold     int `json:"sold"`
	Free     int `json:"free"`
}

func poolOf(q db.Querier, org, eventNo int64) (p pool, exists bool, err error) {
	p, err = db.One(q, func(r db.Rows) (p pool, err error) { return p, r.Scan(p.places()...) },
		`SELECT p.capacity, p.held, p.sold, p.blocked, p.exhausted FROM pools p WHERE p.org_id = $1 AND p.event_no = $2`, org, eventNo)
	if errors.Is(err, db.ErrNoRow) {
		return pool{}, false, nil
	}
	if err != nil {
		return pool{}, false, fmt.Errorf("load pool: %w", err)
	}
	return p, true, nil
}

func (p *pool) places() []any { return []any{&p.capacity, &p.held, &p.sold, &p.blocked, &p.exhausted} }

// countPool adds up, where it has several rows for a pool; whether it is exhausted, the last says.
var countPool = db.NewBulk(`UPDATE pools SET capacity = capacity + $1, held = held + $2, sold = sold + $3, blocked = blocked + $4, exhausted = $5
		WHERE org_id = $6 AND event_no = $7`,
	`UPDATE pools p SET capacity = p.capacity + x.capacity, held = p.held + x.held, sold = p.sold + x.sold, blocked = p.blocked + x.blocked, exhausted = x.exhausted
		FROM (SELECT DISTINCT ON (event_no) event_no, org_id, sum(capacity) OVER w::bigint AS capacity, sum(held) OVER w::bigint AS held, sum(sold) OVER w::bigint AS sold,
				sum(blocked) OVER w::bigint AS blocked, exhausted
			FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[], $6::bigint[], $7::bigint[]) WITH ORDINALITY
				AS u (capacity, held, sold, blocked, exhausted, org_id, event_no, n)
			WINDOW w AS (PARTITION BY event_no)
			ORDER BY event_no, n DESC) x
		WHERE p.org_id = x.org_id AND p.event_no = x.event_no`,
	"bigint", "bigint", "bigint", "bigint", "boolean", "bigint", "bigint")

// move writes what became of an event's pool because what contributes to it changed, and tells of edges. It is the only writer of pools.
func (s *Stock) move(tx *db.Tx, org int64, ev event.Event, was, before, after pool) error {
	is := was.with(before, after)
	if is == was {
		return nil
	}
	err := tx.Bulk(countPool, [][]any{{
		int64(is.capacity - was.capacity), int64(is.held - was.held), int64(is.sold - was.sold), int64(is.blocked - was.blocked), is.exhausted, org, ev.No,
	}})
	if err != nil {
		return fmt.Errorf("update pool of event %s: %w", ev.ID, err)
	}
	tx.Know(knownPool{org, ev.No}, is)
	return s.tellPool(tx, org, ev, was, is)
}

func (s *Stock) tellPool(tx *db.Tx, org int64, ev event.Event, was, is pool) error {
	// Nothing is for sale of an event that is off, so nobody need hear that seats came back.
	if is.exhausted == was.exhausted || !is.exhausted && ev.Status != event.Published {
		return nil
	}
	kind := fact.PoolExhausted
	data := PoolSnapshot{Snapshot: ev.Snapshot(), Capacity: is.capacity, Sold: is.sold, Free: is.free()}
	if !is.exhausted {
		kind = fact.PoolReopened
		data.Changes = []string{"numberOfSeats"}
	}
	b, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return s.ledger.Append(tx, &fact.Fact{Org: org, Kind: kind, Subject: string(ev.ID), Version: ev.Version, Data: b})
}

// freeSizes are how many numbers one statement of Free takes, so that there are few texts to prepare.
var freeSizes = [...]int{1, 10, 100}

// Free returns how many units of each event are for sale now, by the event's number. Events without stock are left out.
func Free(q db.Querier, org int64, eventNos ...int64) (map[int64]int, error) {
	free := make(map[int64]int, len(eventNos))
	for len(eventNos) > 0 {
		size := freeSizes[len(freeSizes)-1]
		for _, n := range freeSizes {
			if len(eventNos) <= n {
				size = n
				break
			}
		}
		n := min(size, len(eventNos))
		if err := freeOf(q, org, eventNos[:n], size, free); err != nil {
			return nil, fmt.Errorf("count free units: %w", err)
		}
		eventNos = eventNos[n:]
	}
	return free, nil
}

// Sum is what there is of an event: Capacity = free + Held + Sold + Blocked.
type Sum struct {
	Capacity, Held, Sold int
	Blocked              int // of what is not for sale now
}

// Free is what nobody has and nothing keeps back.
func (s Sum) Free() int { return s.Capacity - s.Held - s.Sold - s.Blocked }

// Sums returns the sums of events, by the event's number. Events without stock are left out.
func Sums(q db.Querier, org int64, eventNos ...int64) (map[int64]Sum, error) {
	if len(eventNos) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(eventNos)
	if err != nil {
		return nil, err
	}
	sums := map[int64]Sum{}
	_, err = db.All(q, func(r db.Rows) (no int64, err error) {
		var s Sum
		err = r.Scan(&no, &s.Capacity, &s.Held, &s.Sold, &s.Blocked)
		sums[no] = s
		return no, err
	}, `SELECT event_no, capacity, held, sold, blocked FROM pools WHERE org_id = $1 AND event_no IN ints($2)`, org, string(list))
	if err != nil {
		return nil, fmt.Errorf("sum up events: %w", err)
	}
	return sums, nil
}

func freeOf(q db.Querier, org int64, eventNos []int64, size int, free map[int64]int) error {
	sql := `SELECT event_no, capacity - held - sold - blocked FROM pools WHERE org_id = $1 AND event_no IN (0`
	args := []any{org}
	for i := range size {
		sql += fmt.Sprintf(", $%d", i+2)
		no := int64(0)
		if i < len(eventNos) {
			no = eventNos[i]
		}
		args = append(args, no)
	}
	_, err := db.All(q, func(r db.Rows) (struct{}, error) {
		var no int64
		var n int
		err := r.Scan(&no, &n)
		free[no] = n
		return struct{}{}, err
	}, sql+`)`, args...)
	return err
}
