package inventory

import (
	"fmt"
	"slices"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// PoolInput is what a pool is made from.
type PoolInput struct {
	Name     string // 1 to 100 characters
	Capacity int    // 0 to 1,000,000
	Blocked  int    // 0 to Capacity
}

// CreatePool makes a pool of an event. It fails with event_not_found, pool_exists and field errors.
func (s *Stock) CreatePool(tx *db.Tx, org int64, e id.Event, in PoolInput) (Pool, error) {
	ev, err := event.Lock(tx, org, e)
	if err != nil {
		return Pool{}, err
	}
	was, err := primaryOf(tx, org, ev.No)
	if err != nil {
		return Pool{}, err
	}
	is := was.clone()
	p, err := is.addPool(tx, org, ev, in)
	if err == nil {
		tx.Know(knownPrimary{org, ev.No}, is)
	}
	return p, err
}

func (p *primary) addPool(tx *db.Tx, org int64, ev event.Event, in PoolInput) (Pool, error) {
	one := Pool{Name: in.Name, Capacity: in.Capacity, Blocked: in.Blocked, Version: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now()}
	if err := one.check(); err != nil {
		return Pool{}, err
	}
	if slices.ContainsFunc(p.pools, func(o Pool) bool { return o.Name == one.Name }) {
		return Pool{}, problem.New(problem.Conflict, "pool_exists", "The event has a pool %s already; change it, or choose another name.", one.Name)
	}
	if len(p.pools) >= maxPools {
		return Pool{}, problem.New(problem.Conflict, "too_many_pools", "An event has at most %d pools.", maxPools)
	}
	var err error
	one.No, err = db.One(tx, db.Value[int64], `INSERT INTO named_pools (org_id, event_no, name, capacity, held, sold, blocked, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, 0, 0, $5, $6, $7, $7) RETURNING pool_no`, org, ev.No, one.Name, one.Capacity, one.Blocked, one.Version, tx.Micros())
	if err != nil {
		return Pool{}, fmt.Errorf("insert pool: %w", err)
	}
	p.pools = append(p.pools, one)
	return one, nil
}

func (p *Pool) check() error {
	var f problem.Fields
	p.Name = label(&f, "/name", p.Name, 1, maxPlace)
	if p.Capacity < 0 || p.Capacity > maxQuantity {
		f.Add("/capacity", "out_of_range", "Use 0 to 1,000,000.")
	}
	if p.Blocked < 0 || p.Blocked > maxQuantity {
		f.Add("/blocked", "out_of_range", "Use 0 up to the capacity.")
	}
	if err := f.Err(); err != nil {
		return err
	}
	if p.Free() < 0 {
		return problem.New(problem.Conflict, "pool_below_sold", "%d are held or sold already and %d blocked; the capacity cannot be less than that.", p.Held+p.Sold, p.Blocked)
	}
	return nil
}

// PoolPatch is a change to a pool: what is nil stays.
type PoolPatch struct {
	Version  int64 // If-Match, 0 for whatever there is
	Capacity *int
	Blocked  *int
}

// UpdatePool changes a pool, and with it what is free of the types that draw on it. It fails with event_not_found, pool_not_found, version_mismatch,
// pool_below_sold and field errors.
func (s *Stock) UpdatePool(tx *db.Tx, org int64, e id.Event, name string, patch PoolPatch) (Pool, error) {
	ev, was, at, err := s.lockPool(tx, org, e, name, patch.Version)
	if err != nil {
		return Pool{}, err
	}
	is := was.clone()
	p := &is.pools[at]
	set(&p.Capacity, patch.Capacity)
	set(&p.Blocked, patch.Blocked)
	if err := p.check(); err != nil {
		return Pool{}, err
	}
	if *p == was.pools[at] {
		return *p, nil
	}
	p.Version, p.UpdatedAt = p.Version+1, tx.Now()
	err = tx.Later(`UPDATE named_pools SET capacity = $1, blocked = $2, version = $3, updated_at = $4 WHERE org_id = $5 AND pool_no = $6`,
		p.Capacity, p.Blocked, p.Version, tx.Micros(), org, p.No)
	if err != nil {
		return Pool{}, fmt.Errorf("update pool: %w", err)
	}
	is.settle()
	total, err := s.openPool(tx, org, ev)
	if err != nil {
		return Pool{}, err
	}
	return *p, s.reckon(tx, org, ev, total, was, is, "")
}

// DeletePool takes away a pool that no ticket type draws on. It fails with event_not_found, pool_not_found, version_mismatch and pool_in_use.
func (s *Stock) DeletePool(tx *db.Tx, org int64, e id.Event, name string, version int64) error {
	ev, was, at, err := s.lockPool(tx, org, e, name, version)
	if err != nil {
		return err
	}
	no := was.pools[at].No
	if slices.ContainsFunc(was.types, func(t TicketType) bool { return slices.Contains(t.draws, no) }) {
		return problem.New(problem.Conflict, "pool_in_use", "Ticket types draw on this pool, or did once, so it stays.")
	}
	is := was.clone()
	is.pools = slices.Delete(is.pools, at, at+1)
	if err := tx.Later(`DELETE FROM named_pools WHERE org_id = $1 AND pool_no = $2`, org, no); err != nil {
		return fmt.Errorf("delete pool: %w", err)
	}
	tx.Know(knownPrimary{org, ev.No}, is)
	return nil
}

func (s *Stock) lockPool(tx *db.Tx, org int64, e id.Event, name string, version int64) (ev event.Event, was *primary, at int, err error) {
	if ev, err = event.Lock(tx, org, e); err != nil {
		return ev, nil, 0, err
	}
	if was, err = primaryOf(tx, org, ev.No); err != nil {
		return ev, nil, 0, err
	}
	at = slices.IndexFunc(was.pools, func(p Pool) bool { return p.Name == name })
	switch {
	case at < 0:
		err = errNoPool()
	case version != 0 && version != was.pools[at].Version:
		err = problem.New(problem.Precondition, "version_mismatch", "The pool has version %d by now, not %d; read it again and repeat the change.",
			was.pools[at].Version, version)
	}
	return ev, was, at, err
}

func errNoPool() error {
	return problem.New(problem.NotFound, "pool_not_found", "The event has no such pool.")
}

// Pools lists the pools of an event, the oldest first; event_not_found.
func Pools(q db.Querier, org int64, ev id.Event) ([]Pool, error) {
	e, err := event.ByID(q, org, ev)
	if err != nil {
		return nil, err
	}
	all, err := db.All(q, scanPool, selectPool+`WHERE org_id = $1 AND event_no = $2 ORDER BY pool_no`, org, e.No)
	if err != nil {
		return nil, fmt.Errorf("load pools: %w", err)
	}
	return all, nil
}

// PoolNamed finds a pool of an event; event_not_found and pool_not_found.
func PoolNamed(q db.Querier, org int64, ev id.Event, name string) (Pool, error) {
	all, err := Pools(q, org, ev)
	if err != nil {
		return Pool{}, err
	}
	if i := slices.IndexFunc(all, func(p Pool) bool { return p.Name == name }); i >= 0 {
		return all[i], nil
	}
	return Pool{}, errNoPool()
}
