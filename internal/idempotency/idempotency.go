// Package idempotency lets a caller repeat a request without repeating its effect.
//
// A request with an Idempotency-Key goes through [Keep.Do]. Its answer is written down in the transaction of its effect, sealed, so the
// two stand or fall together: the same request with the same key gets the same answer for 24 hours, byte for byte, and another request
// with that key is refused. A twin that comes while the first is still under way waits for it. Only 2xx answers are kept: what failed has
// changed nothing and may be tried again.
//
// Keys belong to their principal and route; the package does not know what the requests are about.
package idempotency

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

const (
	// Lifetime is how long answers are kept.
	Lifetime = 24 * time.Hour
	// patience is how long a twin waits for the request that came first.
	patience = 5 * time.Second
	maxKey   = 255
)

// Request is what tells one request from another.
type Request struct {
	Org       int64
	Principal string // the id of the API key or client
	Route     string // method and pattern, such as "POST /api/v1/orders"
	Key       string // Idempotency-Key, 1 to 255 visible ASCII characters; empty for a request that has none
	Hash      []byte // of all that makes the request what it is, see [Hash]
}

// place is the request's place in the keep.
type place struct {
	org                   int64
	principal, route, key string
}

func (r Request) place() place { return place{r.Org, r.Principal, r.Route, r.Key} }

// context is what the sealed answer is bound to.
func (p place) context() string {
	return fmt.Sprintf("idempotency %d %q %q %q", p.org, p.principal, p.route, p.key)
}

// Answer is what a request was answered with.
type Answer struct {
	Status int
	Header http.Header // Location and ETag are kept
	Body   []byte
}

// Keep keeps answers. It is safe for use by many goroutines.
type Keep struct {
	db   *db.DB
	ring *seal.Keyring

	mu      sync.Mutex
	running map[place]chan struct{} // closed when the request under way has ended; guarded by mu
}

// New makes a keep.
func New(d *db.DB, ring *seal.Keyring) *Keep {
	return &Keep{db: d, ring: ring, running: map[place]chan struct{}{}}
}

// Effect does what a request asks for and says what it is answered with.
type Effect = func(tx *db.Tx) (Answer, error)

// Do runs effect in a transaction through [db.DB.Write] with the given key for its order, unless the request has been answered before:
// then it returns that answer and replayed is true. An error of effect is returned as it is and nothing is kept. A request without a key
// just runs.
//
// It fails with invalid_idempotency_key, idempotency_key_reused (422) when the key came with another request, and request_in_progress
// (409) when a twin is not done after 5 seconds.
func (k *Keep) Do(ctx context.Context, r Request, writeKey string, effect Effect) (a Answer, replayed bool, err error) {
	return k.once(ctx, r, effect, func(ctx context.Context, fn func(*db.Tx) error) error { return k.db.Write(ctx, writeKey, fn) })
}

// DoConfiguring is Do through [db.DB.Configure], for effects that change what every writer must know.
func (k *Keep) DoConfiguring(ctx context.Context, r Request, effect Effect) (a Answer, replayed bool, err error) {
	return k.once(ctx, r, effect, k.db.Configure)
}

func (k *Keep) once(ctx context.Context, r Request, effect Effect, write func(context.Context, func(*db.Tx) error) error) (a Answer, replayed bool, err error) {
	if r.Key == "" {
		err := write(ctx, func(tx *db.Tx) (err error) {
			a, err = effect(tx)
			return err
		})
		return a, false, err
	}
	end, err := k.begin(ctx, r.place())
	if err != nil {
		return a, false, err
	}
	defer end()
	for {
		err = write(ctx, func(tx *db.Tx) (err error) {
			a, replayed, err = k.inside(tx, r, effect)
			return err
		})
		if !errors.Is(err, errTwin) {
			return a, replayed, err
		}
	}
}

// errTwin undoes an effect because a twin on another node was faster; its answer is there now.
var errTwin = errors.New("a twin was faster")

func validKey(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(s) <= maxKey
}

// begin checks the key and waits until no twin is under way on this node. Twins on other nodes meet in the table.
func (k *Keep) begin(ctx context.Context, p place) (end func(), err error) {
	if !validKey(p.key) {
		return nil, problem.New(problem.Invalid, "invalid_idempotency_key",
			"An Idempotency-Key has 1 to %d visible ASCII characters, such as a UUID.", maxKey)
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		k.mu.Lock()
		twin := k.running[p]
		if twin == nil {
			done := make(chan struct{})
			k.running[p] = done
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.running, p)
				k.mu.Unlock()
				close(done)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-twin:
		case <-limit.C:
			return nil, problem.New(problem.Conflict, "request_in_progress", "A request with this Idempotency-Key is still under way; repeat it in a moment.")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// inside finds the answer or makes it. The answer's primary key decides between twins on two nodes; the slower one's effect is undone.
func (k *Keep) inside(tx *db.Tx, r Request, effect Effect) (Answer, bool, error) {
	kept, hash, err := k.find(tx, r)
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return Answer{}, false, err
	}
	if err == nil {
		if subtle.ConstantTimeCompare(hash, r.Hash) != 1 {
			return Answer{}, false, problem.New(problem.Mismatch, "idempotency_key_reused",
				"This Idempotency-Key came with another request before; use a new key for each new request.")
		}
		return kept, true, nil
	}
	a, err := effect(tx)
	if err != nil {
		return a, false, err
	}
	if a.Status < 200 || a.Status > 299 {
		return a, false, nil
	}
	n, err := tx.Exec(`INSERT INTO idempotency (org_id, principal, route, key, request_hash, status, location, etag, answer, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`, r.Org, r.Principal, r.Route, r.Key, r.Hash, a.Status,
		a.Header.Get("Location"), a.Header.Get("ETag"), k.ring.Seal(a.Body, r.place().context()), tx.Micros())
	if err == nil && n == 0 {
		err = errTwin
	}
	return a, false, err
}

// find looks for a kept answer. One that is too old is as good as none and makes room.
func (k *Keep) find(tx *db.Tx, r Request) (Answer, []byte, error) {
	type row struct {
		hash, answer   []byte
		status         int
		location, etag string
		created        int64
	}
	was, err := db.One(tx, func(rows db.Rows) (v row, err error) {
		return v, rows.Scan(&v.hash, &v.status, &v.location, &v.etag, &v.answer, &v.created)
	}, `SELECT request_hash, status, location, etag, answer, created_at FROM idempotency
		WHERE org_id = $1 AND principal = $2 AND route = $3 AND key = $4`, r.Org, r.Principal, r.Route, r.Key)
	if err != nil {
		return Answer{}, nil, err
	}
	if was.created <= tx.Micros()-Lifetime.Microseconds() {
		if _, err := tx.Exec("DELETE FROM idempotency WHERE org_id = $1 AND principal = $2 AND route = $3 AND key = $4",
			r.Org, r.Principal, r.Route, r.Key); err != nil {
			return Answer{}, nil, err
		}
		return Answer{}, nil, db.ErrNoRow
	}
	body, err := k.ring.Open(was.answer, r.place().context())
	if err != nil {
		return Answer{}, nil, fmt.Errorf("kept answer: %w", err)
	}
	header := http.Header{}
	if was.location != "" {
		header.Set("Location", was.location)
	}
	if was.etag != "" {
		header.Set("ETag", was.etag)
	}
	return Answer{was.status, header, body}, was.hash, nil
}

// Hash makes the hash of a request from its parts; where one part ends and the next begins counts.
func Hash(parts ...[]byte) []byte {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	return h.Sum(nil)
}

// Sweep forgets answers that are older than 24 hours, some thousands at a time, and returns how many.
func (k *Keep) Sweep(ctx context.Context) (int, error) {
	var n int64
	err := k.db.Write(ctx, "", func(tx *db.Tx) (err error) {
		old, err := db.One(tx, db.Value[*int64], `SELECT max(created_at) FROM (
			SELECT created_at FROM idempotency WHERE created_at <= $1 ORDER BY created_at LIMIT 2000) AS oldest`, tx.Micros()-Lifetime.Microseconds())
		if err != nil || old == nil {
			return err
		}
		n, err = tx.Exec("DELETE FROM idempotency WHERE created_at <= $1", *old)
		return err
	})
	return int(n), err
}
