package idempotency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// Keep keeps answers. It is safe for use by many goroutines.
type Keep struct {
	db       *db.DB
	ring     *seal.Keyring
	patience time.Duration // how long a twin waits

	mu      sync.Mutex               // guards running
	running map[string]chan struct{} // requests under way on this node, by place; closed when they are done
}

// New makes a keep.
func New(d *db.DB, ring *seal.Keyring) *Keep {
	return &Keep{db: d, ring: ring, patience: 5 * time.Second, running: map[string]chan struct{}{}}
}

// Do runs effect in a transaction through [db.DB.Write] with the given key for its order, unless the request has been answered before:
// then it returns that answer and replayed is true. An error of effect is returned as it is and nothing is kept. A request without a key
// just runs. An answer that is not 2xx is given and not kept.
//
// It fails with invalid_idempotency_key, idempotency_key_reused (422) when the key came with another request, and request_in_progress
// (409) when a twin is not done after 5 seconds.
func (k *Keep) Do(ctx context.Context, r Request, writeKey string, effect Effect) (a Answer, replayed bool, err error) {
	return k.do(ctx, r, effect, func(fn func(*db.Tx) error) error { return k.db.Write(ctx, writeKey, fn) })
}

// DoConfiguring is Do through [db.DB.Configure].
func (k *Keep) DoConfiguring(ctx context.Context, r Request, effect Effect) (a Answer, replayed bool, err error) {
	return k.do(ctx, r, effect, func(fn func(*db.Tx) error) error { return k.db.Configure(ctx, fn) })
}

func (k *Keep) do(ctx context.Context, r Request, effect Effect, write func(func(*db.Tx) error) error) (a Answer, replayed bool, err error) {
	if r.Key == "" {
		err = write(func(tx *db.Tx) (err error) {
			a, err = effect(tx)
			return err
		})
		return a, false, err
	}
	if !validKey(r.Key) {
		return Answer{}, false, problem.New(problem.Invalid, "invalid_idempotency_key",
			"An Idempotency-Key has 1 to %d visible ASCII characters, such as a UUID.", maxKey)
	}
	leave, err := k.enter(ctx, r.place())
	if err != nil {
		return Answer{}, false, err
	}
	defer leave()

	var now time.Time
	err = write(func(tx *db.Tx) error {
		now = tx.Now()
		was, found, err := k.find(tx, r, now)
		if a, replayed = was, found == valid; err != nil || replayed {
			return err
		}
		if a, err = effect(tx); err != nil || a.Status/100 != 2 {
			return err
		}
		return k.put(tx, r, a, found == expired)
	})
	if err == nil || problem.As(err) != nil || ctx.Err() != nil {
		return a, replayed, err
	}
	// Twins on one node wait for each other; of twins on two nodes the primary key lets one through. If this is the other one, there is an
	// answer now. There also is one if the commit went through and only the news of it was lost.
	if was, found, findErr := k.find(k.db.Read(ctx), r, now); found == valid || problem.As(findErr) != nil {
		return was, found == valid, findErr
	}
	return Answer{}, false, err
}

// Kept returns the answer that a request was given before, if it was. It is for whoever does something before [Keep.Do] that takes its time, or that may have come to
// fail since: a request that is repeated need not do it again. It fails with idempotency_key_reused.
func (k *Keep) Kept(ctx context.Context, r Request, now time.Time) (a Answer, replayed bool, err error) {
	if !validKey(r.Key) {
		return Answer{}, false, nil
	}
	a, found, err := k.find(k.db.Read(ctx), r, now)
	return a, found == valid, err
}

// enter waits until no twin is under way on this node, and lets nobody else in until leave is called.
func (k *Keep) enter(ctx context.Context, place string) (leave func(), err error) {
	limit := time.NewTimer(k.patience)
	defer limit.Stop()
	for {
		k.mu.Lock()
		twin, busy := k.running[place]
		if !busy {
			done := make(chan struct{})
			k.running[place] = done
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.running, place)
				k.mu.Unlock()
				close(done)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-twin:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-limit.C:
			return nil, problem.New(problem.Conflict, "request_in_progress",
				"A request with this Idempotency-Key is still under way; repeat it in a moment to get its answer.")
		}
	}
}

// found says whether there is a kept answer.
type found int

const (
	missing found = iota
	expired
	valid
)

// find returns the answer that was kept; idempotency_key_reused when it was to another request.
func (k *Keep) find(q db.Querier, r Request, now time.Time) (Answer, found, error) {
	a := Answer{Header: http.Header{}}
	var hash, sealed []byte
	var location, etag string
	var at int64
	_, err := db.One(q, func(row db.Rows) (struct{}, error) {
		return struct{}{}, row.Scan(&hash, &a.Status, &location, &etag, &sealed, &at)
	}, `SELECT request_hash, status, location, etag, answer, created_at FROM idempotency
		WHERE org_id = $1 AND principal = $2 AND route = $3 AND key = $4`, r.Org, r.Principal, r.Route, r.Key)
	switch {
	case errors.Is(err, db.ErrNoRow):
		return Answer{}, missing, nil
	case err != nil:
		return Answer{}, missing, fmt.Errorf("look for kept answer: %w", err)
	case at <= now.Add(-Lifetime).UnixMicro():
		return Answer{}, expired, nil
	case !bytes.Equal(hash, r.Hash):
		return Answer{}, missing, problem.New(problem.Mismatch, "idempotency_key_reused",
			"This Idempotency-Key came with another request before; use a new key for each new request.")
	}
	if a.Body, err = k.ring.Open(sealed, r.place()); err != nil {
		return Answer{}, missing, fmt.Errorf("kept answer: %w", err)
	}
	if location != "" {
		a.Header.Set("Location", location)
	}
	if etag != "" {
		a.Header.Set("ETag", etag)
	}
	return a, valid, nil
}

// put keeps an answer. It inserts without asking whether a twin on another node did, to save a round trip: then the transaction fails, and
// [Keep.do] looks again. With replace there is one that is too old and was not swept yet.
func (k *Keep) put(tx *db.Tx, r Request, a Answer, replace bool) error {
	var err error
	if replace {
		err = tx.Later(`DELETE FROM idempotency WHERE org_id = $1 AND principal = $2 AND route = $3 AND key = $4 AND created_at <= $5`,
			r.Org, r.Principal, r.Route, r.Key, tx.Now().Add(-Lifetime).UnixMicro())
	}
	if err == nil {
		err = tx.Later(`INSERT INTO idempotency (org_id, principal, route, key, request_hash, status, location, etag, answer, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			r.Org, r.Principal, r.Route, r.Key, r.Hash, a.Status, a.Header.Get("Location"), a.Header.Get("ETag"),
			k.ring.Seal(a.Body, r.place()), tx.Micros())
	}
	if err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	return nil
}

// sweepStep is how many answers one transaction of Sweep forgets.
const sweepStep = 1000

// Sweep forgets answers that are older than [Lifetime] and returns how many. It takes them in steps, so that nobody waits long for it.
func (k *Keep) Sweep(ctx context.Context) (int, error) {
	for total := 0; ; {
		var n int64
		err := k.db.Write(ctx, "", func(tx *db.Tx) (err error) {
			n, err = tx.Exec(`DELETE FROM idempotency WHERE (org_id, principal, route, key) IN (
				SELECT org_id, principal, route, key FROM idempotency WHERE created_at <= $1 LIMIT $2)`, tx.Now().Add(-Lifetime).UnixMicro(), sweepStep)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("sweep kept answers: %w", err)
		}
		total += int(n)
		if n < sweepStep {
			return total, nil
		}
	}
}
