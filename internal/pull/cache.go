package pull

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

const (
	fresh     = 500 * time.Millisecond // how old what is known of an endpoint may be; what this node changes it knows at once
	maxCached = 10_000                 // endpoints, and ids that are none
)

// cache is what a node knows of the endpoints that are sent to.
type cache struct {
	mu      sync.Mutex // guards the rest
	entries map[id.PullEndpoint]cached
	changes int64 // grows when something is forgotten, so that what was read before is not remembered after
}

// cached is an endpoint, also a deleted one; nil where there is none.
type cached struct {
	e    *Endpoint
	read time.Time
}

// known returns the endpoint with an id, also a deleted one, or nil.
func (d *Depot) known(ctx context.Context, i id.PullEndpoint) (*Endpoint, error) {
	e, changes, ok := d.cache.get(i)
	if ok {
		return e, nil
	}
	read := time.Now()
	e, err := db.One(d.config.DB.Read(ctx), d.scanEndpoint, `SELECT `+endpointColumns+` FROM pull_endpoints WHERE id = $1`, i)
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return nil, err
	}
	d.cache.put(i, cached{e, read}, changes)
	return e, nil
}

func (c *cache) get(i id.PullEndpoint) (e *Endpoint, changes int64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one, ok := c.entries[i]
	return one.e, c.changes, ok && time.Since(one.read) < fresh
}

func (c *cache) put(i id.PullEndpoint, one cached, changes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != changes {
		return
	}
	if len(c.entries) >= maxCached {
		for one := range c.entries { // any: strangers may ask for what is not there, and the others stay
			delete(c.entries, one)
			break
		}
	}
	c.entries[i] = one
}

func (c *cache) forget(i id.PullEndpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, i)
	c.changes++
}

// forget has this node read an endpoint anew once the transaction is on disk.
func (d *Depot) forget(tx *db.Tx, i id.PullEndpoint) { tx.OnCommit(func() { d.cache.forget(i) }) }

func hash(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}
