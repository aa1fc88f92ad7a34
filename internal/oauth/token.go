package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// exchange is a request to the token endpoint from a client that has shown who it is.
type exchange struct {
	client Client
	params params
	key    string // the thumbprint of the key that the request proves (RFC 9449), "" for none
	proven func(tx *db.Tx) error
}

// grantTypes are the ways to a token, as the metadata lists them; ways does what each asks for.
var grantTypes = []GrantType{AuthorizationCode, RefreshToken, ClientCredentials, DeviceCode}

type way func(s *Server, ctx context.Context, x *exchange) (tokens, error)

var ways = map[GrantType]way{
	AuthorizationCode: (*Server).exchangeCode,
	RefreshToken:      (*Server).refresh,
	ClientCredentials: (*Server).itself,
	DeviceCode:        (*Server).exchangeDevice,
}

// token is the token endpoint (RFC 6749 §3.2).
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	p, err := s.form(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	t, err := s.exchange(r, p)
	if r.Header.Get("DPoP") != "" {
		w.Header().Set("DPoP-Nonce", s.nonces.Next(s.Now()))
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.answer(w, http.StatusOK, t)
}

func (s *Server) exchange(r *http.Request, p params) (tokens, error) {
	c, err := s.client(r.Context(), r, p)
	if err != nil {
		return tokens{}, err
	}
	kind := GrantType(p["grant_type"])
	do := ways[kind]
	switch {
	case kind == "":
		return tokens{}, invalidRequest("grant_type is missing.")
	case do == nil:
		return tokens{}, bad("unsupported_grant_type", "The grant types are "+joined(grantTypes)+".")
	case !c.may(kind):
		return tokens{}, bad("unauthorized_client", "This client is not registered for that grant type.")
	}
	x := &exchange{client: c, params: p}
	if err := s.boundTo(r, x); err != nil {
		return tokens{}, err
	}
	return do(s, r.Context(), x)
}

// kept is an authorization code as it is stored.
type kept struct {
	grant      int64
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
		var scopes string
		if err := r.Scan(&k.grant, &k.client, &k.redirect, &k.challenge, &scopes, &k.thumbprint, &k.resource, &k.expires, &k.used, &k.family); err != nil {
			return k, err
		}
		k.scopes, err = scope.Parse(scopes)
		return k, err
	}, `SELECT grant_no, client_no, redirect_uri, challenge, scopes, thumbprint, resource, expires_at, used_at, family_no FROM oauth_codes WHERE hash = $1`, hash(code))
}

func invalidGrant(description string) *fault { return bad("invalid_grant", description) }

// exchangeCode gives tokens for a code (RFC 6749 §4.1.3). A code that comes from another client, or with a wrong verifier, is refused and not used up:
// the verifier has 256 bits, so guessing is no way. One that comes a second time ends all that the first time gave (§4.1.2).
func (s *Server) exchangeCode(ctx context.Context, x *exchange) (t tokens, err error) {
	code, verifier := x.params["code"], x.params["code_verifier"]
	switch {
	case code == "":
		return t, invalidRequest("code is missing.")
	case verifier == "":
		return t, invalidRequest("code_verifier is missing.")
	case !isVerifier(verifier):
		return t, invalidRequest("code_verifier has 43 to 128 characters of A-Z a-z 0-9 - . _ ~.") // RFC 7636 §4.1
	}
	var refused error
	err = s.DB.Write(ctx, "", func(tx *db.Tx) error {
		t, refused = tokens{}, nil
		k, err := codeOf(tx, code)
		switch {
		case errors.Is(err, db.ErrNoRow) || err == nil && k.client != x.client.No:
			refused = invalidGrant("The code is not known, or not this client's.")
			return nil
		case err != nil:
			return err
		case k.used != nil:
			refused = invalidGrant("The code was used already; what it gave has ended.")
			return s.stolen(tx, k.family, "code_reused")
		}
		if refused = k.fits(x, verifier, tx.Micros()); refused != nil {
			return nil
		}
		if k.resource, refused = s.narrowed(k.resource, x.params["resource"]); refused != nil {
			return nil
		}
		t, refused, err = s.redeem(tx, x, code, k)
		return err
	})
	return t, errors.Join(err, refused)
}

// fits tells whether the request is from whoever the code was given to.
func (k kept) fits(x *exchange, verifier string, now int64) error {
	sum := sha256.Sum256([]byte(verifier))
	switch {
	case k.expires <= now:
		return invalidGrant("The code is too old.")
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
func (s *Server) redeem(tx *db.Tx, x *exchange, code string, k kept) (tokens, error, error) {
	n, err := tx.Exec(`UPDATE oauth_codes SET used_at = $1 WHERE hash = $2 AND used_at IS NULL AND expires_at > $1`, tx.Micros(), hash(code))
	if err != nil {
		return tokens{}, nil, err
	}
	if n == 0 { // somebody on another node was quicker: used twice all the same
		if k, err = codeOf(tx, code); err != nil {
			return tokens{}, nil, err
		}
		return tokens{}, invalidGrant("The code was used already; what it gave has ended."), s.stolen(tx, k.family, "code_reused")
	}
	g, err := db.One(tx, scanGrant, `SELECT `+grantColumns+grantFrom+` WHERE g.grant_no = $1 AND g.revoked_at IS NULL`, k.grant)
	if errors.Is(err, db.ErrNoRow) {
		return tokens{}, invalidGrant("What the person had allowed was withdrawn."), nil
	}
	if err != nil {
		return tokens{}, nil, err
	}
	t, f, err := s.begin(tx, x, g, k.scopes, k.resource)
	if err != nil {
		return tokens{}, nil, err
	}
	return t, nil, tx.Later(`UPDATE oauth_codes SET family_no = $1 WHERE hash = $2`, f.no, hash(code))
}

// begin founds a family for a grant and gives its first tokens.
func (s *Server) begin(tx *db.Tx, x *exchange, g Grant, scopes scope.Set, resource string) (tokens, family, error) {
	if err := x.prove(tx); err != nil {
		return tokens{}, family{}, err
	}
	f := family{org: g.Org, grant: g, scopes: scopes, resource: resource}
	if x.client.AuthMethod == Public {
		f.thumbprint = x.key // of a confidential client the secret is enough (RFC 9449 §5)
	}
	f, err := s.found(tx, f, x.client.may(RefreshToken))
	if err != nil {
		return tokens{}, f, err
	}
	t, err := s.issue(tx, f, scopes, x.key, x.client.may(RefreshToken))
	return t, f, err
}

// prove remembers the proof that came with the request; one that was seen before fails.
func (x *exchange) prove(tx *db.Tx) error {
	if x.proven == nil {
		return nil
	}
	return x.proven(tx)
}

// stolen ends a family because two have what only one should have, and tells its organisation.
func (s *Server) stolen(tx *db.Tx, no *int64, reason string) error {
	if no == nil {
		return nil
	}
	ended, err := endFamily(tx, *no, reason)
	if err != nil || !ended {
		return err
	}
	g, err := db.One(tx, scanGrant, `SELECT `+grantColumns+grantFrom+` JOIN oauth_families f ON f.grant_no = g.grant_no WHERE f.family_no = $1`, *no)
	if err != nil {
		return err
	}
	if err := s.Registry.tell(tx, g, reason); err != nil {
		return err
	}
	return audit.Append(tx, audit.Entry{Org: g.Org, Action: "family.revoked", Subject: string(g.ID), Detail: map[string]any{"client": g.ClientID, "reason": reason}})
}

func isVerifier(s string) bool {
	return len(s) >= 43 && len(s) <= 128 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") == ""
}

// itself gives a token to an app that acts for itself (RFC 6749 §4.4), in its own organisation. There is no refresh token: the app can ask again.
func (s *Server) itself(ctx context.Context, x *exchange) (t tokens, err error) {
	scopes, err := asked(&x.client, x.params["scope"])
	if err != nil {
		return t, err
	}
	resource, err := s.resource(x.params["resource"])
	if err != nil {
		return t, err
	}
	may, err := scope.Parse(scopes)
	if err != nil {
		return t, err
	}
	err = s.DB.Write(ctx, "", func(tx *db.Tx) error {
		if err := x.prove(tx); err != nil {
			return err
		}
		g, err := s.standing(tx, &x.client)
		if err != nil {
			return err
		}
		f, err := s.found(tx, family{org: g.Org, grant: g, scopes: may, resource: resource}, false)
		if err == nil {
			t, err = s.issue(tx, f, may, x.key, false)
		}
		return err
	})
	return t, err
}

// standing is the grant of an app for itself, which is made the first time that it asks for a token. It has all that the app may ask for.
func (s *Server) standing(tx *db.Tx, c *Client) (Grant, error) {
	return s.Registry.allow(tx, c, c.Org, 0, c.Scopes, audit.By{Actor: string(c.ID)})
}

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
