package org_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

type madeToken struct {
	org.Token
	secret string
}

func (h *house) token(u org.User, in org.TokenInput) (tok madeToken) {
	h.t.Helper()
	h.must("CreateToken", func(tx *db.Tx) (err error) {
		tok.Token, tok.secret, err = org.CreateToken(tx, h.org.No, u.No, in, operator)
		return err
	})
	return tok
}

func TestTokenIsItsPersonsInTheirRole(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		tok := h.token(u, org.TokenInput{Name: "script", Scopes: scope.Of(scope.EventsRead), Expires: time.Hour})
		if !strings.HasPrefix(tok.secret, "sdp_") || len(tok.secret) < 56 || tok.OrgID != h.org.ID || tok.Full || tok.ExpiresAt != tok.CreatedAt.Add(time.Hour) {
			t.Errorf("CreateToken made %+v", tok)
		}
		boss := h.user("boss@example.com")
		h.role(boss, org.Owner)
		for _, r := range []org.Role{"", org.Staff, org.Owner, ""} {
			h.role(u, r)
			got, who, role, err := org.AuthenticateToken(h.q(), tok.secret, tok.CreatedAt)
			if diff := cmp.Diff(tok.Token, got); err != nil || who.ID != u.ID || role != r || diff != "" {
				t.Errorf("AuthenticateToken = %s, role %q, %v; want role %q, -made +got:\n%s", who.Email, role, err, r, diff)
			}
		}
		for _, wrong := range []string{"", "sdp_", tok.secret + "0", strings.ToUpper(tok.secret), string(tok.ID)} {
			if _, _, _, err := org.AuthenticateToken(h.q(), wrong, tok.CreatedAt); !problem.Is(err, "invalid_token") {
				t.Errorf("AuthenticateToken(%q) = %v, want invalid_token", wrong, err)
			}
		}
	})
}

func TestTokenIsGoodUntilItsEnd(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u, other := h.user("kari@example.com"), h.user("ola@example.com")
		short, long := h.token(u, org.TokenInput{Expires: time.Minute}), h.token(u, org.TokenInput{})
		good := func(tok madeToken, after time.Duration) error {
			_, _, _, err := org.AuthenticateToken(h.q(), tok.secret, tok.CreatedAt.Add(after))
			return err
		}
		if err := good(short, time.Minute-time.Microsecond); err != nil {
			t.Errorf("just before its end: %v", err)
		}
		if err := good(short, time.Minute); !problem.Is(err, "invalid_token") {
			t.Errorf("at its end = %v, want invalid_token", err)
		}
		if err := good(long, 100*365*24*time.Hour); err != nil {
			t.Errorf("a token without an end: %v", err)
		}
		revoke := func(u org.User, tok id.Token) error {
			return h.try(func(tx *db.Tx) error { return org.RevokeToken(tx, u.No, tok, operator) })
		}
		for _, whose := range []org.User{other, {}} {
			if err := revoke(whose, long.ID); !problem.Is(err, "token_not_found") {
				t.Errorf("RevokeToken of another's = %v, want token_not_found", err)
			}
		}
		for range 2 {
			if err := revoke(u, long.ID); err != nil {
				t.Errorf("RevokeToken = %v", err)
			}
		}
		if err := good(long, 0); !problem.Is(err, "invalid_token") {
			t.Errorf("AuthenticateToken of a revoked token = %v, want invalid_token", err)
		}
		h.wantTold(h.org.No, "token.created operator "+string(short.ID), "token.created operator "+string(long.ID), "token.revoked operator "+string(long.ID))
	})
}

func TestTokenOfSomebodyErasedIsNone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.erased("kari@example.com")
		tok := h.token(u, org.TokenInput{})
		if _, _, _, err := org.AuthenticateToken(h.q(), tok.secret, tok.CreatedAt); !problem.Is(err, "invalid_token") {
			t.Errorf("AuthenticateToken = %v, want invalid_token", err)
		}
	})
}

func TestTokensAreListedWithoutSecrets(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		other := create(t, h.d, org.Input{Name: "Other"})
		a := h.token(u, org.TokenInput{Name: "a"})
		gone := h.token(u, org.TokenInput{Name: "gone"})
		var b org.Token
		h.must("more", func(tx *db.Tx) (err error) {
			if err := org.RevokeToken(tx, u.No, gone.ID, operator); err != nil {
				return err
			}
			if b, _, err = org.CreateToken(tx, other.No, u.No, org.TokenInput{Scopes: scope.Of(scope.CheckinRead)}, operator); err != nil {
				return err
			}
			return org.UsedTokens(tx, h.org.No, a.ID, b.ID) // b is another organisation's
		})
		all, err := org.Tokens(h.q(), 0, u.No)
		if err != nil || len(all) != 2 || all[0].LastUsedAt.IsZero() || !all[1].LastUsedAt.IsZero() {
			t.Fatalf("Tokens = %+v, %v; want two, of which the first was used", all, err)
		}
		all[0].LastUsedAt = time.Time{}
		if diff := cmp.Diff([]org.Token{a.Token, b}, all); diff != "" || !a.Full || a.Scopes != scope.All() || b.Full {
			t.Errorf("Tokens, -made +listed:\n%s", diff)
		}
		if one, err := org.Tokens(h.q(), other.No, u.No); err != nil || len(one) != 1 || one[0].ID != b.ID {
			t.Errorf("Tokens of one organisation = %+v, %v", one, err)
		}
	})
}

func TestTokenInputIsChecked(t *testing.T) {
	h, _ := still(t)
	u := h.user("kari@example.com")
	for _, in := range []org.TokenInput{{Name: strings.Repeat("x", 201)}, {Name: "two\nlines"}, {Expires: -1}, {Expires: 4000 * 24 * time.Hour}} {
		err := h.try(func(tx *db.Tx) error { _, _, err := org.CreateToken(tx, h.org.No, u.No, in, operator); return err })
		if !problem.Is(err, "validation_failed") {
			t.Errorf("CreateToken(%+v) = %v, want validation_failed", in, err)
		}
	}
	err := h.try(func(tx *db.Tx) error {
		_, _, err := org.CreateToken(tx, h.org.No+1, u.No, org.TokenInput{}, operator)
		return err
	})
	if !problem.Is(err, "org_not_found") {
		t.Errorf("CreateToken nowhere = %v, want org_not_found", err)
	}
}
