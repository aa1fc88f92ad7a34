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
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// Request is what tells one request from another.
type Request struct {
	Org       int64
	Principal string // the id of the API key or client
	Route     string // method and pattern, such as "POST /api/v1/orders"
	Key       string // Idempotency-Key, 1 to 255 visible ASCII characters; empty for a request that has none
	Hash      []byte // of all that makes the request what it is, see [Hash]
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
}

// New makes a keep.
func New(d *db.DB, ring *seal.Keyring) *Keep { return &Keep{db: d, ring: ring} }

// Do runs effect in a transaction through [db.DB.Write] with the given key for its order, unless the request has been answered before:
// then it returns that answer and replayed is true. An error of effect is returned as it is and nothing is kept. A request without a key
// just runs.
//
// It fails with invalid_idempotency_key, idempotency_key_reused (422) when the key came with another request, and request_in_progress
// (409) when a twin is not done after 5 seconds.
func (k *Keep) Do(ctx context.Context, r Request, writeKey string, effect func(tx *db.Tx) (Answer, error)) (a Answer, replayed bool, err error) {
	panic("unwritten")
}

// Hash makes the hash of a request from its parts; where one part ends and the next begins counts.
func Hash(parts ...[]byte) []byte { panic("unwritten") }

// Sweep forgets answers that are older than 24 hours, some thousands at a time, and returns how many.
func (k *Keep) Sweep(ctx context.Context) (int, error) { panic("unwritten") }
