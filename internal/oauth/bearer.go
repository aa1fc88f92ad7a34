package oauth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// How credentials begin, beside the secrets of clients.
const (
	TokenPrefix   = "sda_" // access tokens
	refreshPrefix = "sdr_"
	codePrefix    = "sdc_"
	devicePrefix  = "sdd_"
)

func hash(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// Bearer is whose an access token is.
type Bearer struct {
	Org        int64
	GrantNo    int64
	Grant      id.Grant
	Client     id.Client
	UserNo     int64 // 0 for an app itself
	Scopes     scope.Set
	Thumbprint string // of the key that it is bound to; "" for none
	Resource   string // what it is for (RFC 8707); "" for all of this server
	Created    time.Time
	Expires    time.Time
}

// Authenticate finds out whose access token is presented: one look-up by its hash. It fails with invalid_token for one that is unknown, expired or
// revoked, as its family, its grant or its client may be.
func Authenticate(q db.Querier, presented string, now time.Time) (Bearer, error) {
	b, err := db.One(q, scanBearer, `SELECT `+bearerColumns+` FROM oauth_access_tokens t JOIN oauth_families f ON f.family_no = t.family_no
		JOIN oauth_grants g ON g.grant_no = f.grant_no JOIN oauth_clients c ON c.client_no = g.client_no
		WHERE t.hash = $1 AND t.expires_at > $2 AND t.revoked_at IS NULL AND f.revoked_at IS NULL AND g.revoked_at IS NULL AND c.deleted_at IS NULL`,
		hash(presented), now.UnixMicro())
	if errors.Is(err, db.ErrNoRow) {
		return Bearer{}, &problem.Error{
			Kind: problem.Unauthorized, Code: "invalid_token", Challenge: `error="invalid_token"`,
			Detail: "The access token is not valid, or not any more. Get a new one with the refresh token, or ask the person again.",
		}
	}
	return b, err
}

const bearerColumns = `f.org_id, g.grant_no, g.id, c.id, g.user_no, t.scopes, t.thumbprint, t.resource, t.created_at, t.expires_at`

func scanBearer(r db.Rows) (Bearer, error) {
	var b Bearer
	var scopes string
	var created, expires int64
	if err := r.Scan(&b.Org, &b.GrantNo, &b.Grant, &b.Client, &b.UserNo, &scopes, &b.Thumbprint, &b.Resource, &created, &expires); err != nil {
		return Bearer{}, err
	}
	b.Created, b.Expires = time.UnixMicro(created).UTC(), time.UnixMicro(expires).UTC()
	var err error
	b.Scopes, err = scope.Parse(scopes)
	return b, err
}

// family is what came of one authorization.
type family struct {
	no         int64
	org        int64
	grant      Grant
	scopes     scope.Set
	thumbprint string
	resource   string
	expires    time.Time // no refresh after that
}

// found makes a family for a grant. One that is not refreshed lasts as long as its access token.
func (s *Server) found(tx *db.Tx, f family, refreshed bool) (family, error) {
	f.expires = tx.Now().Add(s.AccessLife)
	if refreshed {
		f.expires = tx.Now().Add(s.RefreshAbsolute)
	}
	var err error
	f.no, err = db.One(tx, db.Value[int64], `INSERT INTO oauth_families (org_id, grant_no, scopes, thumbprint, resource, created_at, expires_at, reason)
		VALUES ($1, $2, $3, $4, $5, $6, $7, '') RETURNING family_no`, f.org, f.grant.No, f.scopes.String(), f.thumbprint, f.resource, tx.Micros(), f.expires.UnixMicro())
	if err != nil {
		return f, fmt.Errorf("make token family: %w", err)
	}
	return f, nil
}

// tokens is the answer of the token endpoint (RFC 6749 §5.1).
type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
}

// issue makes an access token of a family, and a refresh token with it where one is wanted. thumbprint is of the key that the access token is bound to.
func (s *Server) issue(tx *db.Tx, f family, scopes scope.Set, thumbprint string, refresh bool) (tokens, error) {
	t := tokens{AccessToken: id.Secret(TokenPrefix), TokenType: "Bearer", ExpiresIn: int64(s.AccessLife / time.Second), Scope: scopes.String()}
	if thumbprint != "" {
		t.TokenType = "DPoP"
	}
	err := tx.Later(`INSERT INTO oauth_access_tokens (hash, org_id, family_no, scopes, thumbprint, resource, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		hash(t.AccessToken), f.org, f.no, scopes.String(), thumbprint, f.resource, tx.Micros(), tx.Now().Add(s.AccessLife).UnixMicro())
	if err != nil || !refresh {
		return t, err
	}
	t.RefreshToken = id.Secret(refreshPrefix)
	expires := tx.Now().Add(s.RefreshIdle)
	if expires.After(f.expires) {
		expires = f.expires
	}
	return t, tx.Later(`INSERT INTO oauth_refresh_tokens (hash, org_id, family_no, created_at, expires_at, replays) VALUES ($1, $2, $3, $4, $5, 0)`,
		hash(t.RefreshToken), f.org, f.no, tx.Micros(), expires.UnixMicro())
}

// endFamily ends all tokens of a family. Twice is fine.
func endFamily(tx *db.Tx, no int64, reason string) (ended bool, err error) {
	n, err := tx.Exec(`UPDATE oauth_families SET revoked_at = $1, reason = $2 WHERE family_no = $3 AND revoked_at IS NULL`, tx.Micros(), reason, no)
	return n == 1, err
}
