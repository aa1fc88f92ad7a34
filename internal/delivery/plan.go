package delivery

import (
	"encoding/json"
	"hash/fnv"
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
			if err := p.wide(f); err != nil {
				return err
			}
			continue
		}
		s := &shared{fact: f}
		for _, to := range wanting {
			p.add(s, to)
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
	}
	return tx.Bulk(insertDeliveries, p.rows)
}

// plan collects the rows of one transaction's facts.
type plan struct {
	e     *Engine
	tx    *db.Tx
	now   int64
	rows  [][]any
	items []*item // beside rows; nil where a row must not be leased
	keyed bool
}

// Columns of a row that are set after it was added.
const (
	colDue   = 6
	colOwner = 7
)

func (p *plan) add(s *shared, to *endpoint.Endpoint) {
	state := int64(pending)
	if !to.Enabled() {
		state = skipped
	}
	f := s.fact
	key := laneKey(f, to)
	p.keyed = p.keyed || key != 0
	p.rows = append(p.rows, []any{to.Number, f.ID.Seq, int64(f.ID.Day), f.Org, f.At.UnixMicro(), state, p.now, int64(0), int64(0), int64(0), key})
	var it *item
	if state == pending {
		it = &item{shared: s, id: id.Delivery{Day: f.ID.Day, Seq: f.ID.Seq, Endpoint: to.Number}, org: f.Org, key: key}
	}
	p.items = append(p.items, it)
}

// laneKey is what orders a delivery among those to its endpoint; 0 when nothing does. Two keys with the same hash are ordered needlessly, once in
// 10^18.
func laneKey(f *fact.Fact, to *endpoint.Endpoint) int64 {
	key := f.Key
	if key == "" && to.Options.Ordered {
		key = f.Subject
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

// order keeps those rows out of the lanes that have to wait for another with the same key.
func (p *plan) order() error {
	if !p.keyed {
		return nil
	}
	type place struct{ key, endpoint int64 }
	busy := map[place]bool{}
	var keys []int64
	for _, it := range p.items {
		if it != nil && it.key != 0 {
			keys = append(keys, it.key)
		}
	}
	list, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	waiting, err := db.All(p.tx, func(r db.Rows) (w place, err error) { return w, r.Scan(&w.key, &w.endpoint) },
		"SELECT lane_key, endpoint_id FROM deliveries WHERE state = 0 AND lane_key <> 0 AND lane_key IN ints($1)", string(list))
	if err != nil {
		return err
	}
	for _, w := range waiting {
		busy[w] = true
	}
	for i, it := range p.items {
		if it == nil || it.key == 0 {
			continue
		}
		at := place{it.key, it.id.Endpoint}
		if busy[at] {
			p.items[i] = nil
		}
		busy[at] = true
	}
	return nil
}

// lease takes room in the lanes, as far as there is some, and has the rows handed over when they are on disk.
func (p *plan) lease() {
	node := p.e.node.Load()
	until := p.now + p.e.Lease.Microseconds()
	var leased []*item
	for i, it := range p.items {
		if it == nil {
			continue
		}
		l := p.e.lane(it.id.Endpoint)
		if !l.reserve() {
			continue
		}
		it.lane = l
		p.rows[i][colDue], p.rows[i][colOwner] = until, node
		leased = append(leased, it)
	}
	if len(leased) == 0 {
		return
	}
	lease := p.e.Lease
	p.tx.OnEnd(func(committed bool) {
		local := time.Now().Add(lease)
		for _, it := range leased {
			it.until = local
			it.lane.enter(it, committed)
		}
	})
}

// wide notes a fact that too many endpoints want for its own transaction; the poller plans it.
func (p *plan) wide(f *fact.Fact) error {
	p.tx.OnCommit(p.e.poller.wake)
	return p.tx.Later("INSERT INTO delivery_wide (fact_seq, day, org_id, after_endpoint) VALUES ($1, $2, $3, 0)", f.ID.Seq, f.ID.Day, f.Org)
}
