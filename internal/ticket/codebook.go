package ticket

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/ticketcode"
)

const (
	fresh   = time.Second // how old a codebook in memory may be
	maxKeys = 255         // of an organisation; see package ticketcode
)

// Key is the public half of a key that signs an organisation's ticket codes and revocation lists.
type Key struct {
	ID        int // 1 to 255: what codes name it by
	Public    ed25519.PublicKey
	Signs     bool // it is the newest
	CreatedAt time.Time
	RetiresAt time.Time // from then on it does not count; zero for no end

	serial int64
	sealed []byte
}

// codebook is what an organisation's codes are made and checked with. It does not change; a newer one takes its place.
type codebook struct {
	org       id.Org
	revision  int64
	read      time.Time // when it was last known to be the newest
	keys      *ticketcode.KeySet
	signer    *ticketcode.Signer
	secret    []byte
	rotations map[int64]Rotation // by the event's number
}

// codebookChanged is known in a transaction that has changed a codebook: what it reads is not yet true for others.
type codebookChanged struct{ org int64 }

// codebook returns an organisation's codebook, a second old at most; nil when there is none.
func (r *Roll) codebook(q db.Querier, org int64) (*codebook, error) {
	changed := false
	if tx, ok := q.(*db.Tx); ok {
		_, changed = tx.Known(codebookChanged{org})
	}
	r.mu.Lock()
	was := r.books[org]
	r.mu.Unlock()
	if was != nil && !changed && time.Since(was.read) < fresh {
		return was, nil
	}
	begun := time.Now()
	now, err := r.readCodebook(q, org, was)
	if err != nil || now == nil || changed {
		return now, err
	}
	now.read = begun
	r.mu.Lock()
	defer r.mu.Unlock()
	if other := r.books[org]; other == nil || other.read.Before(begun) {
		r.books[org] = now
	}
	return now, nil
}

// readCodebook reads a codebook anew, but for what is known from before.
func (r *Roll) readCodebook(q db.Querier, orgNo int64, was *codebook) (*codebook, error) {
	var sealed []byte
	b := &codebook{rotations: map[int64]Rotation{}}
	_, err := db.One(q, func(rows db.Rows) (struct{}, error) { return struct{}{}, rows.Scan(&b.revision, &sealed) },
		`SELECT revision, secret FROM ticket_codebooks WHERE org_id = $1`, orgNo)
	if errors.Is(err, db.ErrNoRow) {
		return nil, nil //nolint:nilnil // there is none
	}
	if err != nil {
		return nil, fmt.Errorf("read codebook: %w", err)
	}
	if was != nil && was.revision == b.revision {
		same := *was
		return &same, nil
	}
	if b.secret, err = r.seals.Open(sealed, sealedSecret(orgNo)); err != nil {
		return nil, fmt.Errorf("secret of ticket codes: %w", err)
	}
	o, err := org.ByNumber(q, orgNo)
	if err != nil {
		return nil, err
	}
	b.org = o.ID
	all, err := Keys(q, orgNo)
	if err != nil {
		return nil, err
	}
	public := make([]ticketcode.Key, len(all))
	for i, k := range all {
		public[i] = ticketcode.Key{ID: byte(k.ID), Public: k.Public, Until: k.RetiresAt}
		if !k.Signs {
			continue
		}
		if b.signer, err = r.signer(orgNo, k); err != nil {
			return nil, err
		}
	}
	if b.keys, err = ticketcode.NewKeySet(string(o.ID), public...); err != nil {
		return nil, err
	}
	return b, r.readRotations(q, orgNo, b.rotations)
}

func (r *Roll) signer(org int64, k Key) (*ticketcode.Signer, error) {
	seed, err := r.seals.Open(k.sealed, sealedKey(org, k.serial))
	if err != nil {
		return nil, fmt.Errorf("ticket key %d: %w", k.ID, err)
	}
	return ticketcode.NewSigner(byte(k.ID), ed25519.NewKeyFromSeed(seed))
}

// What sealed values are bound to.
func sealedSecret(org int64) string      { return fmt.Sprintf("ticket secret %d", org) }
func sealedKey(org, serial int64) string { return fmt.Sprintf("ticket key %d %d", org, serial) }

// needCodebook is codebook that makes one when there is none.
func (r *Roll) needCodebook(ctx context.Context, q db.Querier, org int64) (*codebook, error) {
	b, err := r.codebook(q, org)
	if err != nil || b != nil {
		return b, err
	}
	if err := r.within(ctx, q, func(tx *db.Tx) error { return r.makeCodebook(tx, org) }); err != nil {
		return nil, err
	}
	return r.codebook(q, org)
}

// within writes in the querier's transaction, or in one of its own.
func (r *Roll) within(ctx context.Context, q db.Querier, do func(tx *db.Tx) error) error {
	if tx, ok := q.(*db.Tx); ok {
		return do(tx)
	}
	return r.db.Write(ctx, "", do)
}

// makeCodebook makes an organisation's codebook with its first key, unless somebody was faster.
func (r *Roll) makeCodebook(tx *db.Tx, org int64) error {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails, crypto/rand aborts the process instead
	n, err := tx.Exec(`INSERT INTO ticket_codebooks (org_id, secret, revision, revoked) VALUES ($1, $2, 1, 0) ON CONFLICT (org_id) DO NOTHING`,
		org, r.seals.Seal(secret, sealedSecret(org)))
	if err != nil {
		return fmt.Errorf("make codebook: %w", err)
	}
	if n == 0 {
		return nil
	}
	tx.Know(codebookChanged{org}, true)
	_, err = r.insertKey(tx, org, 1, 1)
	return err
}

func (r *Roll) insertKey(tx *db.Tx, org int64, keyID int, serial int64) (Key, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return Key{}, fmt.Errorf("make ticket key: %w", err)
	}
	k := Key{ID: keyID, Public: public, Signs: true, CreatedAt: tx.Now(), serial: serial, sealed: r.seals.Seal(private.Seed(), sealedKey(org, serial))}
	_, err = tx.Exec(`INSERT INTO ticket_keys (org_id, key_id, serial, public, private, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		org, k.ID, k.serial, []byte(k.Public), k.sealed, tx.Micros())
	if err != nil {
		return Key{}, fmt.Errorf("insert ticket key: %w", err)
	}
	return k, nil
}

// lockCodebook keeps others from changing a codebook until the transaction ends, and has caches read it anew after that. It makes one when there is none.
func (r *Roll) lockCodebook(tx *db.Tx, org int64) error {
	if err := r.makeCodebook(tx, org); err != nil {
		return err
	}
	tx.Know(codebookChanged{org}, true)
	if _, err := tx.Exec(`UPDATE ticket_codebooks SET revision = revision + 1 WHERE org_id = $1`, org); err != nil {
		return fmt.Errorf("lock codebook: %w", err)
	}
	tx.OnCommit(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.books, org) // this node need not wait for its second to be over
	})
	return nil
}

// Keys lists an organisation's keys, the newest first.
func Keys(q db.Querier, org int64) ([]Key, error) {
	all, err := db.All(q, func(rows db.Rows) (Key, error) {
		var k Key
		var public []byte
		var created int64
		var retired *int64
		err := rows.Scan(&k.ID, &k.serial, &public, &k.sealed, &created, &retired)
		k.Public, k.CreatedAt, k.RetiresAt = public, moment(created), maybe(retired)
		return k, err
	}, `SELECT key_id, serial, public, private, created_at, retired_at FROM ticket_keys WHERE org_id = $1 ORDER BY serial DESC`, org)
	if err != nil {
		return nil, fmt.Errorf("list ticket keys: %w", err)
	}
	if len(all) > 0 {
		all[0].Signs = true
	}
	return all, nil
}

// RotateKey makes a new key, which signs from now on. Those before it count as long as they did; retireOld, unless zero, gives those that have no end one.
// It fails with too_many_keys.
func (r *Roll) RotateKey(tx *db.Tx, org int64, retireOld time.Time, by audit.By) (Key, error) {
	if err := r.lockCodebook(tx, org); err != nil {
		return Key{}, err
	}
	all, err := Keys(tx, org)
	if err != nil {
		return Key{}, err
	}
	next := all[0].ID%maxKeys + 1
	for _, k := range all {
		switch {
		case k.ID != next:
		case !k.retired(tx.Now()):
			return Key{}, problem.New(problem.Conflict, "too_many_keys", "There are %d keys, and key %d, whose turn it is, still counts; retire it first.", len(all), next)
		default:
			if _, err := tx.Exec(`DELETE FROM ticket_keys WHERE org_id = $1 AND key_id = $2`, org, next); err != nil {
				return Key{}, fmt.Errorf("forget ticket key %d: %w", next, err)
			}
		}
	}
	if !retireOld.IsZero() {
		end := later(retireOld, tx.Now())
		if _, err := tx.Exec(`UPDATE ticket_keys SET retired_at = $1 WHERE org_id = $2 AND retired_at IS NULL`, end.UnixMicro(), org); err != nil {
			return Key{}, fmt.Errorf("retire ticket keys: %w", err)
		}
	}
	k, err := r.insertKey(tx, org, next, all[0].serial+1)
	if err != nil {
		return Key{}, err
	}
	return k, audit.Append(tx, by.Entry(org, "ticket_key.rotated", k.subject(), nil))
}

// RetireKey has a key count no more from an instant on, now when it is zero or past: codes that it has signed are then no codes. A key that is retired stays so. It
// fails with ticket_key_not_found, and key_signs for the newest.
func (r *Roll) RetireKey(tx *db.Tx, org int64, key ed25519.PublicKey, at time.Time, by audit.By) (Key, error) {
	if err := r.lockCodebook(tx, org); err != nil {
		return Key{}, err
	}
	all, err := Keys(tx, org)
	if err != nil {
		return Key{}, err
	}
	for _, k := range all {
		switch {
		case !k.Public.Equal(key):
			continue
		case k.Signs:
			return Key{}, problem.New(problem.Conflict, "key_signs", "Key %d signs; make another with POST /api/v1/ticket-keys/rotate first.", k.ID)
		case k.retired(tx.Now()):
			return k, nil
		}
		k.RetiresAt = later(at, tx.Now())
		if _, err := tx.Exec(`UPDATE ticket_keys SET retired_at = $1 WHERE org_id = $2 AND key_id = $3`, k.RetiresAt.UnixMicro(), org, k.ID); err != nil {
			return Key{}, fmt.Errorf("retire ticket key %d: %w", k.ID, err)
		}
		return k, audit.Append(tx, by.Entry(org, "ticket_key.retired", k.subject(), map[string]any{"at": k.RetiresAt.Format(time.RFC3339)}))
	}
	return Key{}, problem.New(problem.NotFound, "ticket_key_not_found", "There is no such ticket key here.")
}

// subject is what the audit log calls a key: ids come again, serial numbers do not.
func (k Key) subject() string { return fmt.Sprintf("%d.%d", k.ID, k.serial) }

func (k Key) retired(now time.Time) bool { return !k.RetiresAt.IsZero() && !now.Before(k.RetiresAt) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a.UTC().Truncate(time.Microsecond)
	}
	return b
}

// KeySet returns the keys by which an organisation's codes are verified, a second old at most. It makes the first one when there is none.
func (r *Roll) KeySet(ctx context.Context, q db.Querier, org int64) (*ticketcode.KeySet, error) {
	b, err := r.needCodebook(ctx, q, org)
	if err != nil {
		return nil, err
	}
	return b.keys, nil
}
