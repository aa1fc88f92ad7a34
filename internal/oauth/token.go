package oauth

import (
	"context"
	"net/http"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

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
	x, err := s.authenticated(r, p)
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
	case !x.client.may(kind):
		return tokens{}, bad("unauthorized_client", "This client is not registered for that grant type.")
	}
	if err := s.boundTo(r, x); err != nil {
		return tokens{}, err
	}
	return do(s, r.Context(), x)
}

// give runs what a request for tokens does, in one transaction. What it does stays also when the request is refused: a family that ended because its
// code came twice has to stay ended. Only with an error is nothing written.
func (s *Server) give(ctx context.Context, x *exchange, do func(tx *db.Tx) (t tokens, refused, err error)) (tokens, error) {
	var t tokens
	var refused error
	err := s.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
		if err = x.prove(tx); err != nil {
			return err
		}
		t, refused, err = do(tx)
		return err
	})
	if err == nil {
		err = refused
	}
	return t, err
}

func invalidGrant(description string) *fault { return bad("invalid_grant", description) }

// itself gives a token to an app that acts for itself (RFC 6749 §4.4), in its own organisation. There is no refresh token: the app can ask again.
func (s *Server) itself(ctx context.Context, x *exchange) (tokens, error) {
	text, err := asked(&x.client, x.params["scope"])
	if err != nil {
		return tokens{}, err
	}
	resource, err := s.resource(x.params["resource"])
	if err != nil {
		return tokens{}, err
	}
	scopes, err := scope.Parse(text)
	if err != nil {
		return tokens{}, err
	}
	return s.give(ctx, x, func(tx *db.Tx) (t tokens, refused, err error) {
		g, err := s.standing(tx, &x.client)
		if err != nil {
			return t, nil, err
		}
		f, err := s.found(tx, family{org: g.Org, grant: g, scopes: scopes, resource: resource}, false)
		if err != nil {
			return t, nil, err
		}
		t = s.mint(scopes, x.key, false)
		return t, nil, s.store(tx, f, t, scopes, x.key)
	})
}

// standing is the grant of an app for itself, which is made the first time that it asks for a token. It has all that the app may ask for.
func (s *Server) standing(tx *db.Tx, c *Client) (Grant, error) {
	return s.Registry.allow(tx, c, c.Org, 0, c.Scopes, audit.By{Actor: string(c.ID)})
}

func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
