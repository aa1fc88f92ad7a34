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
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Lifetime is how long answers are kept.
const Lifetime = 24 * time.Hour

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

// Effect is what a request does, in its transaction, and what it is answered with.
type Effect func(tx *db.Tx) (Answer, error)

// Hash makes the hash of a request from its parts; where one part ends and the next begins counts.
func Hash(parts ...[]byte) []byte {
	h := sha256.New()
	var size [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write(p)
	}
	return h.Sum(nil)
}

// place tells the request's place in the keep from every other. The sealed answer is bound to it.
func (r Request) place() string {
	return fmt.Sprintf("idempotency %d %q %q %q", r.Org, r.Principal, r.Route, r.Key)
}

const maxKey = 255

func validKey(key string) bool {
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(key) >= 1 && len(key) <= maxKey
}
