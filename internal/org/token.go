package org

import (
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// TokenPrefix is how personal tokens begin.
const TokenPrefix = "sdp_"

// Token is what is known of a personal token: a credential that a person makes for their own programs, for one organisation. It may do what its scopes
// and its person's role there both allow.
type Token struct {
	ID         id.Token
	Org        int64
	OrgID      id.Org
	UserNo     int64
	Name       string
	Scopes     scope.Set
	Full       bool // made without scopes: everything that the person may, also administration
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero for never
	LastUsedAt time.Time // zero when never; a minute old at most
	RevokedAt  time.Time // zero while it is good
}

// TokenInput is what a personal token is made from.
type TokenInput struct {
	Name    string        // for people, at most 200 characters, may be empty
	Scopes  scope.Set     // none means all
	Expires time.Duration // from now on; 0 for never
}

// CreateToken makes a personal token and returns it: 256 random bits after "sdp_". Nobody can be shown it again.
func CreateToken(tx *db.Tx, org, user int64, in TokenInput, by audit.By) (t Token, secret string, err error) {
	panic("not built yet")
}

// Tokens lists a person's tokens in an organisation (0 for all), oldest first, without the revoked ones.
func Tokens(q db.Querier, org, user int64) ([]Token, error) { panic("not built yet") }

// RevokeToken ends a person's token; token_not_found. Ending it twice is fine.
func RevokeToken(tx *db.Tx, user int64, t id.Token, by audit.By) error { panic("not built yet") }

// AuthenticateToken finds out whose token is presented, and what the person is in its organisation now. It fails with invalid_token, also for a person
// who was erased.
func AuthenticateToken(q db.Querier, presented string, now time.Time) (t Token, u User, role Role, err error) {
	panic("not built yet")
}

// UsedTokens notes that tokens have been used.
func UsedTokens(tx *db.Tx, org int64, tokens ...id.Token) error { panic("not built yet") }
