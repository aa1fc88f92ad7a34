package endpoint

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

// Subscriptions knows who wants what. It is safe for use by many goroutines.
type Subscriptions struct {
	book *Book
	db   *db.DB
	now  atomic.Pointer[Set]
	mu   sync.Mutex // held while a newer set is loaded
}

// Set is all endpoints as of one revision of the configuration. It does not change.
type Set struct {
	revision int64
	book     *Book
	byNumber map[int64]*Endpoint
	byOrg    map[int64]*orgSet
}

type orgSet struct {
	endpoints []*Endpoint
	wanting   sync.Map // fact.Kind -> []*Endpoint
	known     atomic.Int32
}

// maxKnown bounds how many kinds a set remembers for an organisation, whose own messages may have any name.
const maxKnown = 1000

// NewSubscriptions makes a cache over a book.
func NewSubscriptions(d *db.DB, b *Book) *Subscriptions {
	s := &Subscriptions{book: b, db: d}
	s.now.Store(s.empty())
	return s
}

func (s *Subscriptions) empty() *Set {
	return &Set{book: s.book, byNumber: map[int64]*Endpoint{}, byOrg: map[int64]*orgSet{}}
}

// reset forgets everything.
func (s *Subscriptions) reset(to *Set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Store(to)
}

// At returns the set that is right for a transaction.
func (s *Subscriptions) At(tx *db.Tx) (*Set, error) {
	now := s.now.Load()
	if now.revision == tx.Revision() {
		return now, nil
	}
	if now.revision > tx.Revision() { // the database went back, to a backup or a standby that was behind
		now = s.empty()
		s.reset(now)
	}
	next, err := s.newer(tx, now, tx.Revision())
	if err != nil {
		return nil, err
	}
	if !tx.Bumped() { // what this transaction changed itself is not true before it is committed
		s.offer(next)
	}
	return next, nil
}

// Now returns the set that was last seen, at most as old as the last transaction or Refresh. It is good for how something is sent, not for whether:
// what must be right is decided by At.
func (s *Subscriptions) Now() *Set { return s.now.Load() }

// Refresh looks whether the configuration has changed, which another process may have done.
func (s *Subscriptions) Refresh(ctx context.Context) error {
	revision, err := s.db.Revision(ctx)
	now := s.now.Load()
	if err != nil || revision <= now.revision {
		return err
	}
	next, err := s.newer(s.db.Read(ctx), now, revision)
	if err != nil {
		return err
	}
	s.offer(next)
	return nil
}

// offer makes a set the current one unless a newer one is there.
func (s *Subscriptions) offer(next *Set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.Load().revision < next.revision {
		s.now.Store(next)
	}
}

// newer copies a set with what has changed since. Organisations without a change keep their lists. Outside of a transaction, an endpoint that
// is changed again at this moment may be missing until the next revision is loaded: [Subscriptions.Now] promises no more.
func (s *Subscriptions) newer(q db.Querier, was *Set, revision int64) (*Set, error) {
	type row struct {
		e       *Endpoint
		deleted bool
	}
	changed, err := db.All(q, func(r db.Rows) (row, error) {
		e, deleted, damaged, err := s.book.scan(r)
		if damaged != nil {
			e.Secret = "" // nothing can be signed for it, which its deliveries will say; everybody else goes on
		}
		return row{e, deleted}, err
	}, "SELECT "+columns+from+" WHERE e.revision > $1 AND e.revision <= $2 ORDER BY e.endpoint_id", was.revision, revision)
	if err != nil {
		return nil, err
	}
	next := &Set{revision: revision, book: s.book, byNumber: maps.Clone(was.byNumber), byOrg: maps.Clone(was.byOrg)}
	touched := map[int64]bool{}
	for _, c := range changed {
		touched[c.e.Org] = true
		if c.deleted {
			delete(next.byNumber, c.e.Number)
		} else {
			next.byNumber[c.e.Number] = c.e
		}
	}
	for org := range touched {
		o := &orgSet{}
		var had []*Endpoint
		if old := was.byOrg[org]; old != nil {
			had = old.endpoints
		}
		for _, e := range had {
			if e = next.byNumber[e.Number]; e != nil {
				o.endpoints = append(o.endpoints, e)
			}
		}
		for _, c := range changed {
			if c.e.Org == org && !c.deleted && was.byNumber[c.e.Number] == nil {
				o.endpoints = append(o.endpoints, c.e)
			}
		}
		slices.SortFunc(o.endpoints, func(a, b *Endpoint) int { return cmp.Compare(a.Number, b.Number) })
		next.byOrg[org] = o
	}
	return next, nil
}

// Endpoint returns an endpoint by its number, or nil when it has been deleted.
func (s *Set) Endpoint(number int64) *Endpoint { return s.byNumber[number] }

// Revision is the configuration's revision that the set is of.
func (s *Set) Revision() int64 { return s.revision }

// Wanting returns the endpoints that subscribed to a fact and may be told of it, enabled or not, by their numbers. The caller must not change the list.
func (s *Set) Wanting(f *fact.Fact) []*Endpoint {
	if f.Only != 0 {
		if e := s.byNumber[f.Only]; e != nil && e.Org == f.Org {
			return []*Endpoint{e}
		}
		return nil
	}
	o := s.byOrg[f.Org]
	if o == nil {
		return nil
	}
	if w, ok := o.wanting.Load(f.Kind); ok {
		return w.([]*Endpoint)
	}
	var w []*Endpoint
	for _, e := range o.endpoints {
		if name, ok := s.EventName(e.Format, f); ok && e.wants(name) && e.May(f) {
			w = append(w, e)
		}
	}
	if o.known.Add(1) <= maxKnown {
		o.wanting.Store(f.Kind, w)
	}
	return w
}

// EventName returns what a format calls a fact, and false when it is silent about it.
func (s *Set) EventName(format string, f *fact.Fact) (string, bool) {
	v := s.book.vocabularies[format]
	if v == nil {
		return "", false
	}
	if !fact.Reserved(string(f.Kind)) {
		return string(f.Kind), v.OwnMessages()
	}
	return v.Name(f.Kind)
}

// Wants tells whether an enabled endpoint of the format will be sent the fact.
func (s *Set) Wants(format string, f *fact.Fact) bool {
	return slices.ContainsFunc(s.Wanting(f), func(e *Endpoint) bool { return e.Format == format && e.Enabled() })
}
