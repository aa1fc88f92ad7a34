package oauth

import (
	"errors"
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// introspection is what a client learns of a token of its own (RFC 7662 §2.2); of any other, only that it is not active.
type introspection struct {
	Active   bool          `json:"active"`
	Scope    string        `json:"scope,omitempty"`
	ClientID id.Client     `json:"client_id,omitempty"`
	Sub      string        `json:"sub,omitempty"`
	Org      id.Org        `json:"org,omitempty"`
	Exp      int64         `json:"exp,omitempty"`
	Iat      int64         `json:"iat,omitempty"`
	Iss      string        `json:"iss,omitempty"`
	Aud      string        `json:"aud,omitempty"`
	Type     string        `json:"token_type,omitempty"` // of access tokens
	Cnf      *confirmation `json:"cnf,omitempty"`
}

type confirmation struct {
	JKT string `json:"jkt"` // RFC 9449 §6.2
}

// introspect is the introspection endpoint. Its caller is a client that can show who it is: a public one cannot.
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) {
	p, err := s.form(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	found, err := s.introspected(r, p)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.answer(w, http.StatusOK, found)
}

func (s *Server) introspected(r *http.Request, p params) (introspection, error) {
	x, err := s.authenticated(r, p)
	switch {
	case err != nil:
		return introspection{}, err
	case x.client.AuthMethod == Public:
		return introspection{}, &fault{code: "invalid_client", description: "Only a client with a secret or key can ask about tokens.", status: http.StatusUnauthorized}
	case p["token"] == "":
		return introspection{}, invalidRequest("token is missing.")
	}
	if len(x.once) > 0 { // only an assertion needs a write
		if err := s.DB.Write(r.Context(), "", x.prove); err != nil {
			return introspection{}, err
		}
	}
	return s.about(s.DB.Read(r.Context()), &x.client, p["token"])
}

// about looks a token up as both kinds, whatever it is, so that the time says nothing.
func (s *Server) about(q db.Querier, c *Client, token string) (introspection, error) {
	b, accessErr := Authenticate(q, token, s.Now())
	h, refreshErr := refreshOf(q, token)
	if accessErr != nil && !problem.Is(accessErr, "invalid_token") {
		return introspection{}, accessErr
	}
	if refreshErr != nil && !errors.Is(refreshErr, db.ErrNoRow) {
		return introspection{}, refreshErr
	}
	in := introspection{}
	var user, org int64
	switch {
	case accessErr == nil && b.Client == c.ID:
		user, org = b.UserNo, b.Org
		in = introspection{Active: true, Scope: b.Scopes.String(), Exp: b.Expires.Unix(), Iat: b.Created.Unix(), Aud: b.Resource, Type: "Bearer"}
		if b.Thumbprint != "" {
			in.Type, in.Cnf = "DPoP", &confirmation{b.Thumbprint}
		}
	case refreshErr == nil && h.client == c.No && h.used == nil && !h.revoked && h.expires > s.Now().UnixMicro():
		user, org = h.grant.UserNo, h.org
		in = introspection{Active: true, Scope: (h.scopes & h.grant.Scopes & c.Scopes).String(), Exp: h.expires / 1e6, Iat: h.created / 1e6, Aud: h.resource}
		if h.thumbprint != "" {
			in.Cnf = &confirmation{h.thumbprint}
		}
	default:
		return in, nil
	}
	who, where, err := s.People.Named(q, user, org)
	if err != nil {
		return introspection{}, err
	}
	in.ClientID, in.Iss, in.Org, in.Sub = c.ID, s.Issuer, where, string(who)
	if user == 0 {
		in.Sub = string(c.ID) // no person's id begins like a client's (RFC 9700 §4.15)
	}
	return in, nil
}
