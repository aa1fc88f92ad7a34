package oauth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// requestURI is how the names of pushed requests begin (RFC 9126 §2.2).
const requestURI = "urn:ietf:params:oauth:request_uri:"

// push is the pushed authorization request endpoint (RFC 9126).
func (s *Server) push(w http.ResponseWriter, r *http.Request) {
	p, err := s.form(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	uri, err := s.takePush(r, p)
	if r.Header.Get("DPoP") != "" {
		w.Header().Set("DPoP-Nonce", s.nonces.Next(s.Now()))
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.answer(w, http.StatusCreated, map[string]any{"request_uri": uri, "expires_in": int64(s.PushLife / time.Second)})
}

func (s *Server) takePush(r *http.Request, p params) (string, error) {
	x, err := s.authenticated(r, p)
	if err != nil {
		return "", err
	}
	if p["request_uri"] != "" {
		return "", invalidRequest("request_uri cannot be pushed.") // RFC 9126 §2.1
	}
	req, err := s.check(&x.client, p)
	var l *lost
	if errors.As(err, &l) {
		return "", invalidRequest("redirect_uri is missing, or is none that the client has registered.")
	}
	if err != nil {
		return "", err
	}
	if err := s.boundTo(r, x); err != nil {
		return "", err
	}
	if x.key != "" && req.Proof != "" && req.Proof != x.key { // RFC 9449 §10.1
		return "", bad("invalid_dpop_proof", "dpop_jkt is another key than the one that is proven.")
	}
	if x.key != "" {
		req.Proof = x.key
	}
	secret := id.Secret("")
	err = s.DB.Write(r.Context(), "", func(tx *db.Tx) error {
		if err := x.prove(tx); err != nil {
			return err
		}
		return keep(tx, "pushed", secret, &x.client, 0, req, s.PushLife)
	})
	return requestURI + secret, err
}

// pushed takes a request that was pushed: once, and only for the client that has pushed it. What the query says beside it does not count (§4).
func (s *Server) pushed(ctx context.Context, c *Client, uri string) (req request, err error) {
	secret, ok := strings.CutPrefix(uri, requestURI)
	if !ok {
		return req, &lost{"The app sent you here with a request that it has not pushed. Tell its makers."}
	}
	err = s.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
		req, err = use(tx, "pushed", secret, c.No, 0)
		return err
	})
	if errors.Is(err, errNotKept) {
		return req, &lost{"This link was used already, or is too old. Go back to the app and begin again."}
	}
	return req, err
}
