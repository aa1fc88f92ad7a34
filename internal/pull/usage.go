package pull

import (
	"context"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

const (
	recount     = 5 * time.Second        // how old a sum of what an organisation keeps may be
	recountFull = 500 * time.Millisecond // and when it says that there is no room
)

// usage is what organisations keep, as far as this node knows: sums of the table, and what it has written since.
type usage struct {
	mu   sync.Mutex // guards the map
	orgs map[int64]*used
}

type used struct {
	counting sync.Mutex // held by whoever asks the database

	mu      sync.Mutex // guards the rest
	counted time.Time
	sum     amount // as the database had it then
	since   amount // written since
	pending amount // under way
	stale   bool   // something was removed
}

// amount is of events.
type amount struct{ events, bytes int64 }

func (a *amount) add(events, bytes int64) { a.events, a.bytes = a.events+events, a.bytes+bytes }

func (u *usage) of(org int64) *used {
	u.mu.Lock()
	defer u.mu.Unlock()
	one := u.orgs[org]
	if one == nil {
		one = &used{}
		u.orgs[org] = one
	}
	return one
}

// reserve makes sure that an organisation has room for an event. settle says whether it was stored.
func (d *Depot) reserve(ctx context.Context, org, size int64) (settle func(stored bool), err error) {
	if d.config.MaxEvents == 0 && d.config.MaxBytes == 0 {
		return func(bool) {}, nil
	}
	u := d.usage.of(org)
	if ok, again := d.fits(u, size); !ok || again {
		if err := d.recount(ctx, u, org, size); err != nil {
			return nil, err
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !d.room(u, size) {
		return nil, noRoom("quota_exceeded", "The organisation keeps as many events as it may. Fetch and delete some, or ask the operator for more.")
	}
	u.pending.add(1, size)
	return func(stored bool) {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.pending.add(-1, -size)
		if stored {
			u.since.add(1, size)
		}
	}, nil
}

// fits tells whether there is room, and whether it is time to count again.
func (d *Depot) fits(u *used, size int64) (ok, again bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	age := time.Since(u.counted)
	return d.room(u, size), age > recount || u.stale && age > recountFull
}

// room tells whether an event fits. u is locked.
func (d *Depot) room(u *used, size int64) bool {
	events := u.sum.events + u.since.events + u.pending.events + 1
	bytes := u.sum.bytes + u.since.bytes + u.pending.bytes + size
	return (d.config.MaxEvents == 0 || events <= d.config.MaxEvents) && (d.config.MaxBytes == 0 || bytes <= d.config.MaxBytes)
}

// recount asks the database. What this node writes meanwhile may count twice until the next time.
func (d *Depot) recount(ctx context.Context, u *used, org, size int64) error {
	u.counting.Lock()
	defer u.counting.Unlock()
	u.mu.Lock()
	age := time.Since(u.counted)
	fits := d.room(u, size)
	if age < recount && fits && !u.stale || age < recountFull && (fits || !u.stale) {
		u.mu.Unlock()
		return nil // somebody else has
	}
	before := u.since
	u.stale = false
	u.mu.Unlock()
	begun := time.Now()
	sum, err := db.One(d.config.DB.Read(ctx), func(r db.Rows) (a amount, err error) { return a, r.Scan(&a.events, &a.bytes) },
		`SELECT CAST(COALESCE(sum(c.stored + c.fetched + c.delivered), 0) AS BIGINT), CAST(COALESCE(sum(c.bytes), 0) AS BIGINT)
		FROM pull_endpoints e JOIN pull_counts c ON c.endpoint_no = e.endpoint_no AND NOT c.past WHERE e.org_id = $1 AND NOT e.cleared`, org)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil {
		u.stale = true
		return err
	}
	u.counted, u.sum = begun, sum
	u.since.add(-before.events, -before.bytes)
	return nil
}

// freed has what an organisation keeps counted again, once the transaction is on disk.
func (d *Depot) freed(tx *db.Tx, org int64) {
	if d.config.MaxEvents == 0 && d.config.MaxBytes == 0 {
		return
	}
	tx.OnCommit(func() {
		u := d.usage.of(org)
		u.mu.Lock()
		defer u.mu.Unlock()
		u.stale = true
	})
}
