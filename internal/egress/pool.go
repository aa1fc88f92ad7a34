package egress

import (
	"slices"
	"sync"
	"time"
)

// pool keeps idle connections, apart by key, and knows all connections that are open.
type pool struct {
	perKey  int           // idle connections kept for one key
	total   int           // idle connections kept altogether
	timeout time.Duration // how long one may be idle

	mu     sync.Mutex         // guards what follows, and the pool's fields of every conn
	idle   map[string][]*conn // by key, the longest idle first
	count  int                // idle connections altogether
	oldest *conn              // all idle connections in the order in which they became idle
	newest *conn
	open   map[*conn]struct{} // idle or in use
	reaper *time.Timer        // set while there are idle connections
	closed bool
}

func newPool(perKey, total int, timeout time.Duration) *pool {
	return &pool{
		perKey: perKey, total: total, timeout: timeout,
		idle: make(map[string][]*conn), open: make(map[*conn]struct{}),
	}
}

// take returns the connection of a key that leads to origin and was used last, or nil. Those that have gone bad meanwhile are closed.
func (p *pool) take(key, origin string) *conn {
	for {
		k := p.pop(key)
		if k == nil {
			return nil
		}
		if k.origin == origin && k.probe.isQuiet() {
			return k
		}
		p.discard(k)
	}
}

func (p *pool) pop(key string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[key]
	if len(list) == 0 {
		return nil
	}
	k := list[len(list)-1]
	p.unlink(k)
	return k
}

// put keeps a connection for the next request with its key, as of now, or closes it.
func (p *pool) put(k *conn, now time.Time) {
	p.mu.Lock()
	if p.closed || len(p.idle[k.key]) >= p.perKey || now.Sub(k.born) > maxAge {
		p.mu.Unlock()
		p.discard(k)
		return
	}
	var surplus *conn
	if p.count >= p.total {
		surplus = p.oldest
		p.unlink(surplus)
	}
	p.link(k, now)
	if p.reaper == nil {
		p.reaper = time.AfterFunc(p.timeout, p.reap)
	}
	p.mu.Unlock()
	if surplus != nil {
		p.discard(surplus)
	}
}

// add registers a new connection, and reports whether the pool is still open.
func (p *pool) add(k *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[k] = struct{}{}
	return !p.closed
}

// discard closes a connection that is not idle.
func (p *pool) discard(k *conn) {
	p.mu.Lock()
	delete(p.open, k)
	p.mu.Unlock()
	_ = k.raw.Close() // not the TLS layer: its farewell would have to wait for the peer
}

// reap closes what has been idle for too long and comes again for the next.
func (p *pool) reap() {
	var gone []*conn
	p.mu.Lock()
	now := time.Now()
	for p.oldest != nil && now.Sub(p.oldest.idleSince) >= p.timeout {
		k := p.oldest
		p.unlink(k)
		if len(p.idle[k.key]) == 0 {
			delete(p.idle, k.key)
		}
		gone = append(gone, k)
	}
	p.reaper = nil
	if p.oldest != nil {
		p.reaper = time.AfterFunc(p.oldest.idleSince.Add(p.timeout).Sub(now), p.reap)
	}
	p.mu.Unlock()
	for _, k := range gone {
		p.discard(k)
	}
}

// closeKey closes the idle connections of one key.
func (p *pool) closeKey(key string) {
	for k := p.pop(key); k != nil; k = p.pop(key) {
		p.discard(k)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle[key]) == 0 {
		delete(p.idle, key)
	}
}

// close closes every connection, in use or not.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.reaper != nil {
		p.reaper.Stop()
	}
	for k := range p.open {
		_ = k.raw.Close()
	}
	clear(p.open)
	clear(p.idle)
	p.oldest, p.newest, p.count = nil, nil, 0
}

// link makes a connection idle. The mutex is held.
func (p *pool) link(k *conn, now time.Time) {
	k.idleSince = now
	p.idle[k.key] = append(p.idle[k.key], k)
	p.count++
	k.older, k.newer = p.newest, nil
	if p.newest != nil {
		p.newest.newer = k
	} else {
		p.oldest = k
	}
	p.newest = k
}

// unlink makes an idle connection one that is in use. The mutex is held.
func (p *pool) unlink(k *conn) {
	list := p.idle[k.key]
	i := slices.Index(list, k)
	p.idle[k.key] = slices.Delete(list, i, i+1)
	p.count--
	if k.older != nil {
		k.older.newer = k.newer
	} else {
		p.oldest = k.newer
	}
	if k.newer != nil {
		k.newer.older = k.older
	} else {
		p.newest = k.older
	}
	k.older, k.newer = nil, nil
}
