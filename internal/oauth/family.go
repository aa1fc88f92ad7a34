package oauth

import (
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

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

// tokens is the answer of the token endpoint (RFC 6749 §5.1).
type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope"`
}

// begin founds a family for a grant and gives its first tokens.
func (s *Server) begin(tx *db.Tx, x *exchange, g Grant, scopes scope.Set, resource string) (tokens, family, error) {
	f := family{org: g.Org, grant: g, scopes: scopes, resource: resource}
	if x.client.AuthMethod == Public {
		f.thumbprint = x.key // of a confidential client the secret is enough (RFC 9449 §5)
	}
	f, err := s.found(tx, f, x.client.may(RefreshToken))
	if err != nil {
		return tokens{}, f, err
	}
	t := s.mint(scopes, x.key, x.client.may(RefreshToken))
	return t, f, s.store(tx, f, t, scopes, x.key)
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

// mint makes an access token, and a refresh token with it where one is wanted. thumbprint is of the key that the access token is bound to.
func (s *Server) mint(scopes scope.Set, thumbprint string, refresh bool) tokens {
	t := tokens{AccessToken: id.Secret(TokenPrefix), TokenType: "Bearer", ExpiresIn: int64(s.AccessLife / time.Second), Scope: scopes.String()}
	if thumbprint != "" {
		t.TokenType = "DPoP"
	}
	if refresh {
		t.RefreshToken = id.Secret(refreshPrefix)
	}
	return t
}

// store writes the hashes of new tokens of a family down.
func (s *Server) store(tx *db.Tx, f family, t tokens, scopes scope.Set, thumbprint string) error {
	err := tx.Later(`INSERT INTO oauth_access_tokens (hash, org_id, family_no, scopes, thumbprint, resource, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		hash(t.AccessToken), f.org, f.no, scopes.String(), thumbprint, f.resource, tx.Micros(), tx.Now().Add(s.AccessLife).UnixMicro())
	if err != nil || t.RefreshToken == "" {
		return err
	}
	expires := tx.Now().Add(s.RefreshIdle)
	if expires.After(f.expires) {
		expires = f.expires
	}
	return tx.Later(`INSERT INTO oauth_refresh_tokens (hash, org_id, family_no, created_at, expires_at, replays) VALUES ($1, $2, $3, $4, $5, 0)`,
		hash(t.RefreshToken), f.org, f.no, tx.Micros(), expires.UnixMicro())
}

// endFamily ends all tokens of a family, and writes down who did it and why. It reports false when the family had ended before.
func endFamily(tx *db.Tx, no int64, reason string, by audit.By) (g Grant, ended bool, err error) {
	n, err := tx.Exec(`UPDATE oauth_families SET revoked_at = $1, reason = $2 WHERE family_no = $3 AND revoked_at IS NULL`, tx.Micros(), reason, no)
	if err != nil || n == 0 {
		return g, false, err
	}
	g, err = db.One(tx, scanGrant, `SELECT `+grantColumns+grantFrom+` JOIN oauth_families f ON f.grant_no = g.grant_no WHERE f.family_no = $1`, no)
	if err != nil {
		return g, false, fmt.Errorf("end token family: %w", err)
	}
	return g, true, audit.Append(tx, by.Entry(g.Org, "family.revoked", string(g.ID), map[string]any{"client": g.ClientID, "reason": reason}))
}

// stolen ends a family because two have what only one should have, and tells its organisation. Who did it is not known. Twice is fine.
func (s *Server) stolen(tx *db.Tx, no *int64, reason string) error {
	if no == nil {
		return nil
	}
	g, ended, err := endFamily(tx, *no, reason, audit.By{})
	if err != nil || !ended {
		return err
	}
	return s.Registry.tell(tx, g, reason)
}
