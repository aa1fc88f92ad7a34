package oauth

import (
	"errors"
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
)

// revoke is the revocation endpoint (RFC 7009). A refresh token goes with its whole family. token_type_hint is not needed: tokens say what they are.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	p, err := s.form(w, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	x, err := s.authenticated(r, p)
	if err == nil && p["token"] == "" {
		err = invalidRequest("token is missing.")
	}
	if err == nil {
		err = s.end(r, x, p["token"])
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.answer(w, http.StatusOK, struct{}{})
}

// end ends a token of the client's. One that is unknown is as good as ended (§2.2); another client's is left alone, and the client told (§2.1).
func (s *Server) end(r *http.Request, x *exchange, token string) error {
	c := &x.client
	foreign := false
	err := s.DB.Write(r.Context(), "", func(tx *db.Tx) error {
		if err := x.prove(tx); err != nil {
			return err
		}
		h, err := refreshOf(tx, token)
		if err == nil {
			if foreign = h.client != c.No; foreign {
				return nil
			}
			_, _, err := endFamily(tx, h.no, "revoked_by_client", audit.By{Actor: string(c.ID), Address: s.address(r)})
			return err
		}
		if !errors.Is(err, db.ErrNoRow) {
			return err
		}
		owner, err := db.One(tx, db.Value[int64], `SELECT g.client_no FROM oauth_access_tokens t JOIN oauth_families f ON f.family_no = t.family_no
			JOIN oauth_grants g ON g.grant_no = f.grant_no WHERE t.hash = $1`, hash(token))
		if errors.Is(err, db.ErrNoRow) {
			return nil
		}
		if foreign = err == nil && owner != c.No; err != nil || foreign {
			return err
		}
		return tx.Later(`UPDATE oauth_access_tokens SET revoked_at = COALESCE(revoked_at, $1) WHERE hash = $2`, tx.Micros(), hash(token))
	})
	if err == nil && foreign {
		err = bad("invalid_grant", "The token is another client's.")
	}
	return err
}
