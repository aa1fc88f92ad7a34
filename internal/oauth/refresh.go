package oauth

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// maxReplays bounds how often a refresh token that was used gives its answer again within the grace.
const maxReplays = 1000

// held is a refresh token as it is stored, with its family.
type held struct {
	family
	client    int64
	created   int64
	expires   int64
	used      *int64
	successor []byte
	until     *int64
	replays   int64
	revoked   bool
}

func refreshOf(q db.Querier, token string) (held, error) {
	return db.One(q, func(r db.Rows) (h held, err error) {
		var scopes, granted string
		var ended *int64
		if err := r.Scan(&h.no, &h.org, &h.grant.No, &h.grant.ID, &scopes, &granted, &h.thumbprint, &h.resource, &ended, &h.client, &h.created, &h.expires, &h.used,
			&h.successor, &h.until, &h.replays, &h.revoked); err != nil {
			return h, err
		}
		h.family.expires = moment(ended)
		if h.scopes, err = scope.Parse(scopes); err == nil {
			h.grant.Scopes, err = scope.Parse(granted)
		}
		return h, err
	}, `SELECT f.family_no, f.org_id, g.grant_no, g.id, f.scopes, g.scopes, f.thumbprint, f.resource, f.expires_at, g.client_no, t.created_at, t.expires_at, t.used_at,
		t.successor, t.successor_until, t.replays, f.revoked_at IS NOT NULL OR g.revoked_at IS NOT NULL
		FROM oauth_refresh_tokens t JOIN oauth_families f ON f.family_no = t.family_no JOIN oauth_grants g ON g.grant_no = f.grant_no WHERE t.hash = $1`, hash(token))
}

// refresh gives new tokens for a refresh token, which is then used up (RFC 9700 §4.14.2). A client that did not get the answer may ask again for a few
// seconds and gets the same one; whoever comes later, or is somebody else, shows that two have the token, and the family ends.
func (s *Server) refresh(ctx context.Context, x *exchange) (t tokens, err error) {
	token := x.params["refresh_token"]
	if token == "" {
		return t, invalidRequest("refresh_token is missing.")
	}
	var refused error
	err = s.DB.Write(ctx, "", func(tx *db.Tx) error {
		t, refused = tokens{}, nil
		h, err := refreshOf(tx, token)
		switch {
		case errors.Is(err, db.ErrNoRow) || err == nil && h.client != x.client.No:
			refused = invalidGrant("The refresh token is not known, or not this client's.")
			return nil
		case err != nil:
			return err
		case h.revoked:
			refused = invalidGrant("The refresh token has ended.")
			return nil
		case h.thumbprint != "" && h.thumbprint != x.key:
			refused = bad("invalid_dpop_proof", "The refresh token is bound to another key.") // RFC 9449 §5
			return nil
		case h.used != nil:
			t, refused, err = s.again(tx, x, token, h)
			return err
		case h.expires <= tx.Micros():
			refused = invalidGrant("The refresh token is too old. Ask the person again.")
			return nil
		}
		t, refused, err = s.rotate(tx, x, token, h)
		return err
	})
	return t, errors.Join(err, refused)
}

// rotate uses a refresh token up and gives its successor.
func (s *Server) rotate(tx *db.Tx, x *exchange, token string, h held) (t tokens, refused, err error) {
	scopes := h.scopes & h.grant.Scopes & x.client.Scopes // what was taken back meanwhile is gone
	if text := x.params["scope"]; text != "" {
		asked, err := scope.Parse(text)
		if err != nil || !h.scopes.Covers(asked) {
			return t, bad("invalid_scope", "A refresh asks for no more than was allowed: "+h.scopes.String()+"."), nil // RFC 6749 §6
		}
		scopes &= asked
	}
	if scopes == 0 {
		return t, invalidGrant("Nothing is left of what was allowed."), nil
	}
	resource, err := s.narrowed(h.resource, x.params["resource"])
	if err != nil {
		return t, err, nil
	}
	n, err := tx.Exec(`UPDATE oauth_refresh_tokens SET used_at = $1 WHERE hash = $2 AND used_at IS NULL`, tx.Micros(), hash(token))
	if err != nil {
		return t, nil, err
	}
	if n == 0 { // somebody on another node was quicker, and a second try finds the answer
		return t, invalidGrant("The refresh token was used at this moment."), nil
	}
	if err := x.prove(tx); err != nil {
		return t, nil, err
	}
	h.resource = resource
	if t, err = s.issue(tx, h.family, scopes, x.key, true); err != nil || s.Grace <= 0 {
		return t, nil, err
	}
	plain, err := json.Marshal(t)
	if err != nil {
		return t, nil, err
	}
	return t, nil, tx.Later(`UPDATE oauth_refresh_tokens SET successor = $1, successor_until = $2 WHERE hash = $3`,
		s.Registry.Keys.Seal(plain, successorOf(token)), tx.Now().Add(s.Grace).UnixMicro(), hash(token))
}

func successorOf(token string) string { return "refresh " + hex.EncodeToString(hash(token)) }

// again answers a refresh token that was used: with the same answer within the grace, else by ending the family.
func (s *Server) again(tx *db.Tx, x *exchange, token string, h held) (t tokens, refused, err error) {
	if h.successor != nil && h.until != nil && *h.until > tx.Micros() && h.replays < maxReplays {
		plain, err := s.Registry.Keys.Open(h.successor, successorOf(token))
		if err != nil {
			return t, nil, err
		}
		if err := json.Unmarshal(plain, &t); err != nil {
			return t, nil, err
		}
		return t, nil, tx.Later(`UPDATE oauth_refresh_tokens SET replays = replays + 1 WHERE hash = $1`, hash(token))
	}
	return t, invalidGrant("The refresh token was used before. Somebody else may have it, so all tokens of this authorization have ended."),
		s.stolen(tx, &h.no, "refresh_token_reused")
}

// tell appends the fact that a token was used that had been used before.
func (g *Registry) tell(tx *db.Tx, gr Grant, reason string) error {
	if g.Ledger == nil {
		return nil
	}
	data, err := json.Marshal(map[string]any{"grantId": gr.ID, "clientId": gr.ClientID, "reason": reason})
	if err != nil {
		return fmt.Errorf("fact of reuse: %w", err)
	}
	return g.Ledger.Append(tx, &fact.Fact{Org: gr.Org, Kind: fact.AccessReuseDetected, Subject: string(gr.ID), Version: gr.Version, Data: data})
}
