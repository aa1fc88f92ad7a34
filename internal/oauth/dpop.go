package oauth

import (
	"errors"
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/proof"
)

// boundTo reads which key a request to this server proves (RFC 9449 §5). The proof is remembered in the transaction that makes what it is for.
func (s *Server) boundTo(r *http.Request, x *exchange) error {
	if len(r.Header.Values("DPoP")) == 0 { // an empty one is a bad proof: a client that sends it wants no bearer token
		if x.client.RequireDPoP {
			return s.invalidProof(&proof.Error{Code: "invalid_dpop_proof", Detail: "This client proves a key with each request: send the header DPoP."})
		}
		return nil
	}
	got, err := proof.DPoP(r.Header, s.nonces, proof.Want{Method: r.Method, URL: s.Issuer + r.URL.Path, Now: s.Now()})
	if err != nil {
		return s.invalidProof(err)
	}
	x.key = got.Thumbprint
	x.once = append(x.once, once{got.Seen, got.Until, s.invalidProof(usedBefore())})
	return nil
}

// invalidProof is what this server says of a bad proof: with a nonce for the next (RFC 9449 §8).
func (s *Server) invalidProof(err error) error {
	var wrong *proof.Error
	if !errors.As(err, &wrong) {
		return err
	}
	return &fault{code: wrong.Code, description: wrong.Detail, header: map[string]string{"DPoP-Nonce": s.nonces.Next(s.Now())}}
}

// Proven checks that a request to a protected resource proves possession of the key that its token is bound to (RFC 9449 §7). It is access.Config's.
func (s *Server) Proven(r *http.Request, token, thumbprint string) error {
	got, err := proof.DPoP(r.Header, s.nonces, proof.Want{
		Method: r.Method, URL: s.Issuer + r.URL.Path, AccessToken: token, Thumbprint: thumbprint, Now: s.Now(),
	})
	if err != nil {
		return s.unproven(err)
	}
	x := exchange{once: []once{{got.Seen, got.Until, s.unproven(usedBefore())}}}
	return s.DB.Write(r.Context(), "", x.prove)
}

func usedBefore() error {
	return &proof.Error{Code: "invalid_dpop_proof", Detail: "This proof was used before. Make a new one for each request."}
}

// unproven is what a resource says of a bad proof (RFC 9449 §7.1, §9).
func (s *Server) unproven(err error) error {
	var wrong *proof.Error
	if !errors.As(err, &wrong) {
		return err
	}
	return &problem.Error{
		Kind: problem.Unauthorized, Code: wrong.Code, Detail: wrong.Detail, Scheme: "DPoP", Challenge: `error="` + wrong.Code + `"`, Nonce: s.nonces.Next(s.Now()),
	}
}
