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
const maxReplays = 200

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
	revoked   bool // with its family, grant or client
}

func refreshOf(q db.Querier, token string) (held, error) {
	return db.One(q, func(r db.Rows) (h held, err error) {
		var scopes, granted string
		var ended *int64
		if err := r.Scan(&h.no, &h.org, &h.grant.No, &h.grant.ID, &h.grant.UserNo, &scopes, &granted, &h.thumbprint, &h.resource, &ended, &h.client, &h.created,
			&h.expires, &h.used, &h.successor, &h.until, &h.replays, &h.revoked); err != nil {
			return h, err
		}
		h.family.expires = moment(ended)
		if h.scopes, err = scope.Parse(scopes); err == nil {
			h.grant.Scopes, err = scope.Parse(granted)
		}
		return h, err
	}, `SELECT f.family_no, f.org_id, g.grant_no, g.id, g.user_no, f.scopes, g.scopes, f.thumbprint, f.resource, f.expires_at, g.client_no, t.created_at,
		t.expires_at, t.used_at, t.successor, t.successor_until, t.replays, f.revoked_at IS NOT NULL OR g.revoked_at IS NOT NULL OR c.deleted_at IS NOT NULL
		FROM oauth_refresh_tokens t JOIN oauth_families f ON f.family_no = t.family_no JOIN oauth_grants g ON g.grant_no = f.grant_no
		JOIN oauth_clients c ON c.client_no = g.client_no WHERE t.hash = $1`, hash(token))
}

// refresh gives new tokens for a refresh token, which is then used up (RFC 9700 §4.14.2). A client that did not get the answer may ask again for a few
// seconds and gets the same one; whoever comes later, or is somebody else, shows that two have the token, and the family ends.
func (s *Server) refresh(ctx context.Context, x *exchange) (tokens, error) {
	token := x.params["refresh_token"]
	if token == "" {
		return tokens{}, invalidRequest("refresh_token is missing.")
	}
	return s.give(ctx, x, func(tx *db.Tx) (t tokens, refused, err error) {
		h, err := refreshOf(tx, token)
		switch {
		case errors.Is(err, db.ErrNoRow) || err == nil && h.client != x.client.No:
			return t, invalidGrant("The refresh token is not known, or not this client's."), nil
		case err != nil:
			return t, nil, err
		case h.revoked:
			return t, invalidGrant("The refresh token has ended."), nil
		case h.thumbprint != "" && h.thumbprint != x.key:
			return t, bad("invalid_dpop_proof", "The refresh token is bound to another key."), nil // RFC 9449 §5
		case h.used != nil:
			return s.again(tx, token, h)
		case h.expires <= tx.Micros():
			return t, invalidGrant("The refresh token is too old. Ask the person again."), nil
		}
		return s.rotate(tx, x, token, h)
	})
}

// wanted are the scopes that a refresh gives: those of the family, as far as the grant and the client still have them, or fewer, as the client asks
// (RFC 6749 §6). What one refresh leaves out, the next may have.
func (h held) wanted(x *exchange) (scope.Set, error) {
	scopes := h.scopes & h.grant.Scopes & x.client.Scopes
	if text := x.params["scope"]; text != "" {
		asked, err := scope.Parse(text)
		if err != nil || !h.scopes.Covers(asked) {
			return 0, bad("invalid_scope", "A refresh asks for no more than was allowed: "+h.scopes.String()+".")
		}
		scopes &= asked
	}
	if scopes == 0 {
		return 0, invalidGrant("Nothing is left of what was allowed.")
	}
	return scopes, nil
}

// rotate uses a refresh token up and gives its successor.
func (s *Server) rotate(tx *db.Tx, x *exchange, token string, h held) (t tokens, refused, err error) {
	scopes, refused := h.wanted(x)
	if refused != nil {
		return t, refused, nil
	}
	resource, refused := s.narrowed(h.resource, x.params["resource"])
	if refused != nil {
		return t, refused, nil
	}
	t = s.mint(scopes, x.key, true)
	answer, until, err := s.sealed(tx, token, t)
	if err != nil {
		return t, nil, err
	}
	n, err := tx.Exec(`UPDATE oauth_refresh_tokens SET used_at = $1, successor = $2, successor_until = $3 WHERE hash = $4 AND used_at IS NULL`,
		tx.Micros(), answer, until, hash(token))
	if err != nil {
		return t, nil, err
	}
	if n == 0 { // somebody on another node was quicker, and this is the second who asks
		if h, err = refreshOf(tx, token); err != nil {
			return t, nil, err
		}
		return s.again(tx, token, h)
	}
	h.resource = resource
	return t, nil, s.store(tx, h.family, t, scopes, x.key)
}

// sealed is the answer to a refresh as it is kept beside the token that was used, and until when; nothing where there is no grace.
func (s *Server) sealed(tx *db.Tx, token string, t tokens) (answer []byte, until *int64, err error) {
	if s.Grace <= 0 {
		return nil, nil, nil
	}
	plain, err := json.Marshal(t) //nolint:gosec // G117: it is sealed in the next lines
	if err != nil {
		return nil, nil, err
	}
	end := tx.Now().Add(s.Grace).UnixMicro()
	return s.Registry.Keys.Seal(plain, successorOf(token)), &end, nil
}

func successorOf(token string) string { return "refresh " + hex.EncodeToString(hash(token)) }

// again answers a refresh token that was used: with the same answer within the grace, else by ending the family.
func (s *Server) again(tx *db.Tx, token string, h held) (t tokens, refused, err error) {
	if h.revoked || h.successor == nil || h.until == nil || *h.until <= tx.Micros() || h.replays >= maxReplays {
		return t, invalidGrant("The refresh token was used before. Somebody else may have it, so all tokens of this authorization have ended."),
			s.stolen(tx, &h.no, "refresh_token_reused")
	}
	plain, err := s.Registry.Keys.Open(h.successor, successorOf(token))
	if err != nil {
		return t, nil, err
	}
	if err := json.Unmarshal(plain, &t); err != nil {
		return t, nil, fmt.Errorf("answer to a refresh: %w", err)
	}
	return t, nil, tx.Later(`UPDATE oauth_refresh_tokens SET replays = replays + 1 WHERE hash = $1`, hash(token))
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
