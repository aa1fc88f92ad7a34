package org

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Key is what is known of an API key, without the key itself.
type Key struct {
	ID         id.Key
	Name       string
	Scopes     scope.Set // all of them where the key was made without any
	Full       bool      // made without scopes: it may do everything, also administrate the organisation
	PerMinute  int       // requests; 0 for no limit
	CreatedAt  time.Time
	LastUsedAt time.Time // zero when never; a minute old at most
	RevokedAt  time.Time // zero while it is good
}

// KeyInput is what a key is made from.
type KeyInput struct {
	Name      string    // for people, at most 200 characters, may be empty
	Scopes    scope.Set // none means all, and administration
	PerMinute int       // requests; 0 for no limit
}

// CreateKey makes a key and returns it: 256 random bits after "sd_". Nobody can be shown it again.
func CreateKey(tx *db.Tx, org int64, in KeyInput, by audit.By) (k Key, secret string, err error) {
	if err := in.check(); err != nil {
		return Key{}, "", err
	}
	k = Key{ID: id.NewKey(), Name: in.Name, Scopes: in.Scopes, Full: in.Scopes == 0, PerMinute: in.PerMinute, CreatedAt: tx.Now()}
	if k.Full {
		k.Scopes = scope.All()
	}
	secret = id.Secret(KeyPrefix)
	_, err = tx.Exec(`INSERT INTO api_keys (org_id, id, hash, name, scopes, per_minute, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		org, k.ID, hash(secret), k.Name, keepScopes(k.Scopes, k.Full), k.PerMinute, tx.Micros())
	if err != nil {
		return Key{}, "", fmt.Errorf("create key: %w", err)
	}
	return k, secret, audit.Append(tx, by.Entry(org, "key.created", string(k.ID), map[string]any{"scopes": k.Scopes.String(), "full": k.Full}))
}

// KeyPrefix is how API keys begin.
const KeyPrefix = "sd_"

// every is how "everything, also what comes later" is stored.
const every = `["*"]`

func hash(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

func (in KeyInput) check() error {
	var f problem.Fields
	if !utf8.ValidString(in.Name) || utf8.RuneCountInString(in.Name) > 200 || strings.ContainsFunc(in.Name, unicode.IsControl) {
		f.Add("/name", "invalid", "A key's name has at most 200 characters on one line.")
	}
	if in.PerMinute < 0 || in.PerMinute > 1_000_000 {
		f.Add("/perMinute", "out_of_range", "A key's limit is 0 (none) to 1,000,000 requests per minute.")
	}
	return f.Err()
}

// keepScopes is how scopes are stored: a JSON list.
func keepScopes(s scope.Set, full bool) string {
	if full {
		return every
	}
	kept, err := json.Marshal(s.List())
	if err != nil {
		panic(err) // a list of texts
	}
	return string(kept)
}

func parseScopes(kept string) (s scope.Set, full bool, err error) {
	if kept == every {
		return scope.All(), true, nil
	}
	var list []scope.Scope
	err = json.Unmarshal([]byte(kept), &list)
	return scope.Of(list...), false, err
}

// Keys lists an organisation's keys, oldest first, the revoked ones too.
func Keys(q db.Querier, org int64) ([]Key, error) {
	return db.All(q, scanKey, `
		SELECT id, name, scopes, per_minute, created_at, last_used_at, revoked_at FROM api_keys WHERE org_id = $1 ORDER BY key_no`, org)
}

func scanKey(r db.Rows) (Key, error) {
	var k Key
	var scopes string
	var created int64
	var used, revoked *int64
	if err := r.Scan(&k.ID, &k.Name, &scopes, &k.PerMinute, &created, &used, &revoked); err != nil {
		return Key{}, err
	}
	k.CreatedAt, k.LastUsedAt, k.RevokedAt = time.UnixMicro(created).UTC(), moment(used), moment(revoked)
	var err error
	k.Scopes, k.Full, err = parseScopes(scopes)
	return k, err
}

func moment(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return time.UnixMicro(*micros).UTC()
}

// RevokeKey ends a key; key_not_found. Ending it twice is fine.
func RevokeKey(tx *db.Tx, org int64, key id.Key, by audit.By) error {
	n, err := tx.Exec(`UPDATE api_keys SET revoked_at = $1 WHERE org_id = $2 AND id = $3 AND revoked_at IS NULL`, tx.Micros(), org, key)
	if err != nil {
		return fmt.Errorf("revoke key: %w", err)
	}
	if n > 0 {
		return audit.Append(tx, by.Entry(org, "key.revoked", string(key), nil))
	}
	known, err := db.One(tx, db.Value[int], `SELECT count(*) FROM api_keys WHERE org_id = $1 AND id = $2`, org, key)
	if err == nil && known == 0 {
		err = problem.New(problem.NotFound, "key_not_found", "There is no key %q here.", key)
	}
	return err
}

// Authenticate finds out whose key is presented, and in which organisation it is good: one look-up by its hash, whatever is presented. It fails
// with invalid_api_key.
//
// Nothing about a key can be learned from the time this takes: what is compared is a hash that the caller cannot choose.
func Authenticate(q db.Querier, presented string) (Key, Org, error) {
	var k Key
	var o Org
	var scopes string
	_, err := db.One(q, func(r db.Rows) (bool, error) {
		return true, r.Scan(&o.No, &o.ID, &k.ID, &scopes, &k.PerMinute)
	}, `SELECT k.org_id, o.id, k.id, k.scopes, k.per_minute FROM api_keys k JOIN orgs o ON o.org_id = k.org_id
		WHERE k.hash = $1 AND k.revoked_at IS NULL`, hash(presented))
	if errors.Is(err, db.ErrNoRow) {
		return Key{}, Org{}, invalidKey()
	}
	if err != nil {
		return Key{}, Org{}, fmt.Errorf("authenticate: %w", err)
	}
	if k.Scopes, k.Full, err = parseScopes(scopes); err != nil {
		return Key{}, Org{}, fmt.Errorf("scopes of key %s: %w", k.ID, err)
	}
	return k, o, nil
}

func invalidKey() error {
	return &problem.Error{
		Kind: problem.Unauthorized, Code: "invalid_api_key", Challenge: `error="invalid_token"`, // RFC 6750 §3.1
		Detail: "The API key is not valid. Send a key of this server in X-API-Key, or as a bearer token in Authorization.",
	}
}

// Used notes that keys have been used. The caller collects for a while: it is a write.
func Used(tx *db.Tx, org int64, keys ...id.Key) error {
	for _, k := range keys {
		if err := tx.Later(`UPDATE api_keys SET last_used_at = $1 WHERE org_id = $2 AND id = $3`, tx.Micros(), org, k); err != nil {
			return fmt.Errorf("note use of key: %w", err)
		}
	}
	return nil
}
