package org

import (
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// Key is what is known of an API key, without the key itself.
type Key struct {
	ID         id.Key
	Name       string
	Scopes     []Scope // all of them where the key was made without any
	PerMinute  int     // requests; 0 for no limit
	CreatedAt  time.Time
	LastUsedAt time.Time // zero when never; a minute old at most
	RevokedAt  time.Time // zero while it is good
}

// KeyInput is what a key is made from.
type KeyInput struct {
	Name      string  // for people, at most 200 characters, may be empty
	Scopes    []Scope // none means all
	PerMinute int     // requests; 0 for no limit
}

// Principal is who presented a key.
type Principal struct {
	Org       int64
	OrgID     id.Org
	Key       id.Key
	Scopes    []Scope
	PerMinute int // 0 for no limit
}

// May tells whether the principal has the scope.
func (p *Principal) May(s Scope) bool { panic("unwritten") }

// CreateKey makes a key and returns it: 256 random bits after "sd_". Nobody can be shown it again.
func CreateKey(tx *db.Tx, org int64, in KeyInput) (k Key, secret string, err error) {
	panic("unwritten")
}

// Keys lists an organisation's keys, oldest first, the revoked ones too.
func Keys(q db.Querier, org int64) ([]Key, error) { panic("unwritten") }

// RevokeKey ends a key; key_not_found. Ending it twice is fine.
func RevokeKey(tx *db.Tx, org int64, key id.Key) error { panic("unwritten") }

// Authenticate finds out who presents a key: one look-up by its hash, whatever is presented. It fails with invalid_api_key.
func Authenticate(q db.Querier, presented string) (*Principal, error) { panic("unwritten") }

// Used notes that keys have been used. The caller collects for a while: it is a write.
func Used(tx *db.Tx, org int64, keys ...id.Key) error { panic("unwritten") }
