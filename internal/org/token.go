package org

import (
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
}

// TokenInput is what a personal token is made from.
type TokenInput struct {
	Name    string        // for people, at most 200 characters, may be empty
	Scopes  scope.Set     // none means all
	Expires time.Duration // from now on, at most ten years; 0 for never
}

func (in TokenInput) check() error {
	var f problem.Fields
	if !utf8.ValidString(in.Name) || utf8.RuneCountInString(in.Name) > 200 || strings.ContainsFunc(in.Name, unicode.IsControl) {
		f.Add("/name", "invalid", "A token's name has at most 200 characters on one line.")
	}
	if in.Expires < 0 || in.Expires > 3650*24*time.Hour {
		f.Add("/expiresInDays", "out_of_range", "A token lasts 1 to 3650 days, or for ever when nothing is said.")
	}
	return f.Err()
}

// CreateToken makes a personal token and returns it: 256 random bits after "sdp_". Nobody can be shown it again.
func CreateToken(tx *db.Tx, org, user int64, in TokenInput, by audit.By) (t Token, secret string, err error) {
	if err := in.check(); err != nil {
		return Token{}, "", err
	}
	o, err := ByNumber(tx, org)
	if err != nil {
		return Token{}, "", err
	}
	t = Token{ID: id.NewToken(), Org: org, OrgID: o.ID, UserNo: user, Name: in.Name, Scopes: in.Scopes, Full: in.Scopes == 0, CreatedAt: tx.Now()}
	if t.Full {
		t.Scopes = scope.All()
	}
	var expires any
	if in.Expires > 0 {
		t.ExpiresAt = tx.Now().Add(in.Expires)
		expires = t.ExpiresAt.UnixMicro()
	}
	secret = id.Secret(TokenPrefix)
	_, err = tx.Exec(`INSERT INTO personal_tokens (org_id, user_no, id, hash, name, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		org, user, t.ID, hash(secret), t.Name, keepScopes(t.Scopes, t.Full), tx.Micros(), expires)
	if err != nil {
		return Token{}, "", fmt.Errorf("create token: %w", err)
	}
	return t, secret, audit.Append(tx, by.Entry(org, "token.created", string(t.ID), map[string]any{"scopes": t.Scopes.String(), "full": t.Full}))
}

const tokenColumns = `t.org_id, o.id, t.user_no, t.id, t.name, t.scopes, t.created_at, t.expires_at, t.last_used_at`

func scanToken(r db.Rows, u *User, more ...any) (t Token, err error) {
	var scopes string
	var created int64
	var expires, used *int64
	own := append([]any{&t.Org, &t.OrgID, &t.UserNo, &t.ID, &t.Name, &scopes, &created, &expires, &used}, more...)
	if u == nil {
		err = r.Scan(own...)
	} else {
		err = scanUserAnd(r, u, own...)
	}
	if err != nil {
		return Token{}, err
	}
	t.CreatedAt, t.ExpiresAt, t.LastUsedAt = time.UnixMicro(created).UTC(), moment(expires), moment(used)
	t.Scopes, t.Full, err = parseScopes(scopes)
	return t, err
}

// Tokens lists a person's tokens in an organisation (0 for all), oldest first, without the revoked ones.
func Tokens(q db.Querier, org, user int64) ([]Token, error) {
	return db.All(q, func(r db.Rows) (Token, error) { return scanToken(r, nil) },
		`SELECT `+tokenColumns+` FROM personal_tokens t JOIN orgs o ON o.org_id = t.org_id
		WHERE t.user_no = $1 AND (t.org_id = $2 OR $2 = 0) AND t.revoked_at IS NULL ORDER BY t.token_no`, user, org)
}

// RevokeToken ends a person's token; token_not_found. Ending it twice is fine.
func RevokeToken(tx *db.Tx, user int64, t id.Token, by audit.By) error {
	org, err := db.One(tx, db.Value[int64], `UPDATE personal_tokens SET revoked_at = $1 WHERE user_no = $2 AND id = $3 AND revoked_at IS NULL RETURNING org_id`,
		tx.Micros(), user, t)
	if err == nil {
		return audit.Append(tx, by.Entry(org, "token.revoked", string(t), nil))
	}
	if !errors.Is(err, db.ErrNoRow) {
		return fmt.Errorf("revoke token: %w", err)
	}
	known, err := db.One(tx, db.Value[int], `SELECT count(*) FROM personal_tokens WHERE user_no = $1 AND id = $2`, user, t)
	if err == nil && known == 0 {
		err = problem.New(problem.NotFound, "token_not_found", "There is no token %.64q of yours.", t)
	}
	return err
}

// AuthenticateToken finds out whose token is presented, and what the person is in its organisation now, in one look-up. It fails with invalid_token,
// also for a person who was erased.
func AuthenticateToken(q db.Querier, presented string, now time.Time) (t Token, u User, role Role, err error) {
	t, err = db.One(q, func(r db.Rows) (Token, error) { return scanToken(r, &u, &role) },
		`SELECT `+userColumns+`, `+tokenColumns+`, COALESCE(m.role, '') FROM personal_tokens t
		JOIN users u ON u.user_no = t.user_no JOIN orgs o ON o.org_id = t.org_id
		LEFT JOIN members m ON m.org_id = t.org_id AND m.user_no = t.user_no
		WHERE t.hash = $1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2) AND u.erased_at IS NULL`, hash(presented), now.UnixMicro())
	if errors.Is(err, db.ErrNoRow) {
		return Token{}, User{}, "", &problem.Error{
			Kind: problem.Unauthorized, Code: "invalid_token", Challenge: `error="invalid_token"`,
			Detail: "The token is not valid, or not any more. Make a new one.",
		}
	}
	return t, u, role, err
}

// UsedTokens notes that tokens have been used.
func UsedTokens(tx *db.Tx, org int64, tokens ...id.Token) error {
	for _, t := range tokens {
		if err := tx.Later(`UPDATE personal_tokens SET last_used_at = $1 WHERE org_id = $2 AND id = $3`, tx.Micros(), org, t); err != nil {
			return fmt.Errorf("note use of token: %w", err)
		}
	}
	return nil
}
