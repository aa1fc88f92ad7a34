package delivery

import (
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// The states of a delivery, as they are stored.
const (
	pending   = 0
	delivered = 1
	failed    = 2
	skipped   = 3
)

var insertDeliveries = db.BulkInsert("deliveries", "ON CONFLICT DO NOTHING", "endpoint_id bigint", "fact_seq bigint", "day bigint", "org_id bigint",
	"at bigint", "state bigint", "due bigint", "owner bigint", "attempt bigint", "series bigint", "lane_key bigint")

// Plan writes a row for each endpoint that wants one of the facts. It is the ledger's planner and runs in the facts' transaction.
func (e *Engine) Plan(tx *db.Tx, facts []*fact.Fact) error {
	set, err := e.Subscriptions.At(tx)
	if err != nil {
		return err
	}
	p := plan{e: e, tx: tx, now: tx.Micros()}
	for _, f := range facts {
		wanting := set.Wanting(f)
		if len(wanting) > e.WideLimit {
			if err := e.chores.later(tx, f, wanting); err != nil {
				return err
			}
			continue
		}
		s := &shared{fact: f}
		for _, to := range wanting {
			p.add(s, to, to.Enabled())
		}
	}
	if len(p.rows) == 0 {
		return nil
	}
	if err := p.order(); err != nil {
		return err
	}
	if e.sending() {
		p.lease()
	} else {
		tx.OnCommit(func() {
			if e.sending() { // it has begun meanwhile, and may have looked already
				e.poller.everything()
			}
		})
	}
	return tx.Bulk(insertDeliveries, p.rows)
}

// plan collects the rows of one transaction's facts.
type plan struct {
	e     *Engine
	tx    *db.Tx
	now   int64
	rows  [][]any
	items []planned // beside rows
	keyed bool
}

// planned is a row's item, nil for one that is not sent, and where it goes.
type planned struct {
	*item
	to      *endpoint.Endpoint
	blocked bool // it waits for another with the same key
}

// Columns of a row that are set after it was added.
const (
	colDue   = 6
	colOwner = 7
)

func (p *plan) add(s *shared, to *endpoint.Endpoint, on bool) {
	state := int64(skipped)
	f := s.fact
	key := p.e.laneKey(f, to)
	it := planned{to: to}
	if on {
		state = pending
		p.keyed = p.keyed || key != 0
		it.item = &item{shared: s, id: id.Delivery{Day: f.ID.Day, Seq: f.ID.Seq, Endpoint: to.Number}, org: f.Org, key: key, revision: p.tx.Revision()}
	}
	p.rows = append(p.rows, []any{to.Number, f.ID.Seq, int64(f.ID.Day), f.Org, f.At.UnixMicro(), state, p.now, int64(0), int64(0), int64(0), key})
	p.items = append(p.items, it)
}

// laneKey is what orders a delivery among those to its endpoint; 0 when nothing does. Two keys with the same hash are ordered needlessly, once in
// 10^18.
func (e *Engine) laneKey(f *fact.Fact, to *endpoint.Endpoint) int64 {
	key := f.Key
	if key == "" && to.Options.Ordered {
		key = f.Subject
		if s, ok := e.dialects[to.Format].(Sequencer); ok {
			key = s.Sequence(f)
		}
	}
	if key == "" {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	if v := int64(h.Sum64() >> 1); v != 0 {
		return v
	}
	return 1
}

// busyQueues looks each key and endpoint up in the index, once, however many deliveries wait: as a scalar subquery it cannot become a join.
const busyQueues = `WITH k (x) AS (SELECT * FROM ints($1) AS l), e (x) AS (SELECT * FROM ints($2) AS l)
	SELECT k.x, e.x FROM k, e WHERE (SELECT min(d.fact_seq) FROM deliveries d WHERE d.lane_key = k.x AND d.lane_key <> 0 AND d.endpoint_id = e.x
		AND d.state = 0) IS NOT NULL
	UNION ALL SELECT 0, org_id FROM delivery_wide WHERE org_id IN ints($3)`

// numbers is a set, in the order in which they came.
type numbers []int64

func (n numbers) with(v int64) numbers {
	if slices.Contains(n, v) {
		return n
	}
	return append(n, v)
}

func (n numbers) list() string {
	b := []byte{'['}
	for i, v := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, v, 10)
	}
	return string(append(b, ']'))
}

// order marks those rows that have to wait for another with the same key, and all with a key while a fact of the organisation is still to be planned
// for its many endpoints.
func (p *plan) order() error {
	if !p.keyed {
		return nil
	}
	var keys, endpoints, orgs numbers
	for _, it := range p.items {
		if it.item != nil && it.key != 0 {
			keys, endpoints, orgs = keys.with(it.key), endpoints.with(it.id.Endpoint), orgs.with(it.org)
		}
	}
	const isOrg = 0 // no delivery has this key
	waiting, err := db.All(p.tx, func(r db.Rows) (q queue, err error) { return q, r.Scan(&q.key, &q.endpoint) }, busyQueues,
		keys.list(), endpoints.list(), orgs.list())
	if err != nil {
		return err
	}
	busy := map[queue]bool{}
	for _, w := range waiting {
		busy[w] = true
	}
	for i := range p.items {
		it := &p.items[i]
		if it.item == nil || it.key == 0 {
			continue
		}
		at := queue{it.id.Endpoint, it.key}
		it.blocked = busy[at] || busy[queue{it.org, isOrg}]
		busy[at] = true
	}
	return nil
}

// lease takes room in the lanes, as far as there is some, and has the rows handed over when they are on disk.
func (p *plan) lease() {
	node := p.e.node.Load()
	lease := p.now + p.e.Lease.Microseconds()
	until := time.Now().Add(p.e.Lease)
	var leased []*item
	type rest struct {
		lane    *lane
		blocked bool
	}
	left := map[rest]bool{} // lanes with rows that stay in the table
	for i, it := range p.items {
		if it.item == nil {
			continue
		}
		to := it.to
		if p.tx.Bumped() {
			to = nil // settings that may yet be rolled back
		}
		l := p.e.lane(it.id.Endpoint, to)
		if it.blocked || !l.reserve() {
			left[rest{l, it.blocked}] = true
			continue
		}
		it.lane, it.lease, it.until = l, lease, until
		p.rows[i][colDue], p.rows[i][colOwner] = lease, node
		leased = append(leased, it.item)
	}
	p.tx.OnEnd(func(committed bool) {
		for _, it := range leased {
			it.lane.enter(it, committed)
		}
		if committed {
			for r := range left {
				r.lane.leftBehind(r.blocked)
			}
		}
	})
}
