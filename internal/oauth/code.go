package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// code makes an authorization code for a grant.
func (s *Server) code(tx *db.Tx, req request, c *Client, g Grant) (string, error) {
	code := id.Secret(codePrefix)
	scopes := req.scopes() & g.Scopes
	return code, tx.Later(`INSERT INTO oauth_codes (hash, org_id, grant_no, client_no, redirect_uri, challenge, scopes, thumbprint, resource, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		hash(code), g.Org, g.No, c.No, req.Redirect, req.Challenge, scopes.String(), req.Proof, req.Resource, tx.Micros(), tx.Now().Add(s.CodeLife).UnixMicro())
}

// kept is an authorization code as it is stored, with its grant.
type kept struct {
	grant      Grant // number, id, organisation and scopes
	withdrawn  bool  // there is no such grant any more
	client     int64
	redirect   string
	challenge  string
	scopes     scope.Set
	thumbprint string
	resource   string
	expires    int64
	used       *int64
	family     *int64
}

func codeOf(q db.Querier, code string) (kept, error) {
	return db.One(q, func(r db.Rows) (k kept, err error) {
		var scopes, granted string
		err = r.Scan(&k.grant.No, &k.grant.ID, &k.grant.Org, &granted, &k.withdrawn, &k.client, &k.redirect, &k.challenge, &scopes, &k.thumbprint, &k.resource,
			&k.expires, &k.used, &k.family)
		if err != nil {
			return k, err
		}
		k.scopes, err = scope.Parse(scopes)
		if err == nil {
			k.grant.Scopes, err = scope.Parse(granted)
		}
		return k, err
	}, `SELECT g.grant_no, g.id, g.org_id, g.scopes, g.revoked_at IS NOT NULL, k.client_no, k.redirect_uri, k.challenge, k.scopes, k.thumbprint, k.resource,
		k.expires_at, k.used_at, k.family_no FROM oauth_codes k JOIN oauth_grants g ON g.grant_no = k.grant_no WHERE k.hash = $1`, hash(code))
}

// exchangeCode gives tokens for a code (RFC 6749 §4.1.3). A code that comes from another client, or with a wrong verifier, is refused and not used up:
// the verifier has 256 bits, so guessing is no way. One that comes a second time ends all that the first time gave (§4.1.2).
func (s *Server) exchangeCode(ctx context.Context, x *exchange) (tokens, error) {
	code, verifier := x.params["code"], x.params["code_verifier"]
	switch {
	case code == "":
		return tokens{}, invalidRequest("code is missing.")
	case verifier == "":
		return tokens{}, invalidRequest("code_verifier is missing.")
	case !isVerifier(verifier):
		return tokens{}, invalidRequest("code_verifier has 43 to 128 characters of A-Z a-z 0-9 - . _ ~.") // RFC 7636 §4.1
	}
	return s.give(ctx, x, func(tx *db.Tx) (t tokens, refused, err error) {
		k, err := codeOf(tx, code)
		switch {
		case errors.Is(err, db.ErrNoRow) || err == nil && k.client != x.client.No:
			return t, invalidGrant("The code is not known, or not this client's."), nil
		case err != nil:
			return t, nil, err
		case k.used != nil:
			return s.usedTwice(tx, k)
		}
		if err := k.fits(x, verifier, tx.Micros()); err != nil {
			return t, err, nil
		}
		if k.resource, err = s.narrowed(k.resource, x.params["resource"]); err != nil {
			return t, err, nil
		}
		return s.redeem(tx, x, code, k)
	})
}

func (s *Server) usedTwice(tx *db.Tx, k kept) (t tokens, refused, err error) {
	return t, invalidGrant("The code was used already; what it gave has ended."), s.stolen(tx, k.family, "code_reused")
}

// fits tells whether the request is from whoever the code was given to. The redirect URI may be left out by a client that has only one: what it guards
// against, the verifier does.
func (k kept) fits(x *exchange, verifier string, now int64) error {
	sum := sha256.Sum256([]byte(verifier))
	switch {
	case k.expires <= now:
		return invalidGrant("The code is too old.")
	case k.withdrawn:
		return invalidGrant("What the person had allowed was withdrawn.")
	case x.params["redirect_uri"] != k.redirect && !(x.params["redirect_uri"] == "" && len(x.client.Redirects) == 1):
		return invalidGrant("redirect_uri is not the one of the authorization request.")
	case subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(k.challenge)) != 1:
		return invalidGrant("code_verifier does not fit the code_challenge.")
	case k.thumbprint != "" && k.thumbprint != x.key:
		return bad("invalid_dpop_proof", "The code is bound to another key.") // RFC 9449 §10
	}
	return nil
}

// redeem uses a code up and gives tokens for it.
func (s *Server) redeem(tx *db.Tx, x *exchange, code string, k kept) (t tokens, refused, err error) {
	n, err := tx.Exec(`UPDATE oauth_codes SET used_at = $1 WHERE hash = $2 AND used_at IS NULL`, tx.Micros(), hash(code))
	if err != nil {
		return t, nil, err
	}
	if n == 0 { // somebody on another node was quicker: used twice all the same
		if k, err = codeOf(tx, code); err != nil {
			return t, nil, err
		}
		return s.usedTwice(tx, k)
	}
	t, f, err := s.begin(tx, x, k.grant, k.scopes&k.grant.Scopes, k.resource)
	if err != nil {
		return t, nil, err
	}
	return t, nil, tx.Later(`UPDATE oauth_codes SET family_no = $1 WHERE hash = $2`, f.no, hash(code))
}

func isVerifier(s string) bool {
	return len(s) >= 43 && len(s) <= 128 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") == ""
}
