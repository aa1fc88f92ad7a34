package oauth

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestLine63AClientRevokesItsOwnOnly(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		got := s.owner(t).grant(t, a)
		for _, other := range []*app{s.app(t), s.confidential(t), s.newOrg(t).confidential(t)} {
			for _, token := range []string{got.access, got.refresh} {
				if r := other.revoke(t, token); r.Status != 400 || r.text("error") == "" {
					t.Errorf("another client's token: %s = %d %s, want an error", r.asked, r.Status, r.Body)
				}
			}
		}
		s.alive(t, got.access)
		got = newTokens(t, a.refresh(t, got.refresh))
		a.revoke(t, got.access).must(t, 200)
		s.dead(t, got.access)
		newTokens(t, a.refresh(t, got.refresh)) // the access token alone is gone
		public := s.app(t)
		mine := s.owner(t).grant(t, public)
		public.revoke(t, mine.refresh).must(t, 200) // RFC 7009 §2.1: a public client names itself
		public.refresh(t, mine.refresh).refused(t, 400, "invalid_grant")
	})
}

func TestLine64UnknownTokensAreRevokedAlready(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		for _, token := range []string{"sda_x", "sdr_x", "x", strings.Repeat("x", 5000), "sda_" + random() + random()} {
			for _, hint := range []string{left, "access_token", "refresh_token", "nonsense"} {
				a.revoke(t, token, "token_type_hint", hint).must(t, 200)
			}
		}
		one, two := s.owner(t).grant(t, a), s.owner(t).grant(t, a)
		a.revoke(t, one.access, "token_type_hint", "refresh_token").must(t, 200)
		s.dead(t, one.access)
		a.revoke(t, two.refresh, "token_type_hint", "access_token").must(t, 200)
		a.refresh(t, two.refresh).refused(t, 400, "invalid_grant")
		a.revoke(t, two.refresh).must(t, 200)
		a.revoke(t, "", "token", left).refused(t, 400, "invalid_request")
	})
}

func TestLine65ARevokedRefreshTokenTakesAllWithIt(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		first := s.owner(t).grant(t, a)
		second := newTokens(t, a.refresh(t, first.refresh))
		a.revoke(t, second.refresh).must(t, 200)
		s.dead(t, first.access)
		s.dead(t, second.access)
		a.refresh(t, second.refresh).refused(t, 400, "invalid_grant")
		inactive(t, a.introspect(t, second.access))
	})
}

// nodes runs f on two servers on one PostgreSQL. SQLite has one server at a time.
func nodes(t *testing.T, f func(t *testing.T, one, two *site)) {
	t.Helper()
	t.Parallel()
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		if h.Database == "" {
			return
		}
		const issuer = "http://127.0.0.1:1" // what a proxy before both would be; it is this machine, so plain http will do
		flags := append([]string{"--oauth-per-minute", "0", "--public-url", issuer}, always...)
		one := newSite(h, h.Serve(t, flags...))
		sealed, err := os.ReadFile(filepath.Join(h.Data, "master.key"))
		if err != nil {
			t.Fatal(err)
		}
		other := h.Beside(filepath.Join(t.TempDir(), "second"), h.Database)
		other.Env = []string{"STAGEDOOR_MASTER_KEY=" + strings.TrimSpace(string(sealed))}
		two := newSite(other, other.Serve(t, flags...))
		one.issuer, two.issuer = issuer, issuer
		f(t, one, two)
	})
}

func TestLine65OnEveryNodeWithinASecond(t *testing.T) {
	nodes(t, func(t *testing.T, one, two *site) {
		o := one.home(t)
		a := o.confidential(t)
		p := o.person(t, "owner")
		for range 5 {
			got := p.grant(t, a)
			two.alive(t, got.access) // so it is in that node's memory
			a.revoke(t, got.refresh).must(t, 200)
			two.dead(t, got.access)
		}
	})
}

func TestLine66WhoRevokesMustShowWhoItIs(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		got := s.owner(t).grant(t, a)
		form := url.Values{"token": {got.access}, "client_id": {a.ID}}
		s.form(t, "/oauth/revoke", form).refused(t, 401, "invalid_client")
		s.form(t, "/oauth/revoke", url.Values{"token": {got.access}}).refused(t, 401, "invalid_client")
		s.form(t, "/oauth/revoke", form, "Authorization", basic(a.ID, "wrong")).refused(t, 401, "invalid_client")
		s.alive(t, got.access)
	})
}

func TestLine67WhoIntrospectsMustShowWhoItIs(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		token := a.machine(t).access
		s.form(t, "/oauth/introspect", url.Values{"token": {token}}).refused(t, 401, "invalid_client")
		s.form(t, "/oauth/introspect", url.Values{"token": {token}, "client_id": {a.ID}}).refused(t, 401, "invalid_client")
		s.form(t, "/oauth/introspect", url.Values{"token": {token}}, "Authorization", basic(a.ID, "wrong")).refused(t, 401, "invalid_client")
		if r := s.form(t, "/oauth/introspect", url.Values{"token": {token}}, "Authorization", "Bearer "+token); r.Status != 401 {
			t.Errorf("a token is no client: %d %s", r.Status, r.Body)
		}
		if r := s.app(t).introspect(t, token); r.Status != 401 && r.Status != 400 && r.Status != 403 {
			t.Errorf("a public client cannot show who it is, and was answered %d %s", r.Status, r.Body)
		}
		a.introspect(t, token).must(t, 200)
	})
}

// inactive checks that introspection says nothing but that.
func inactive(t *testing.T, r reply) {
	t.Helper()
	if r.Status != 200 || strings.TrimSpace(string(r.Body)) != `{"active":false}` {
		t.Errorf("%s = %d %s, want exactly {\"active\":false}", r.asked, r.Status, r.Body)
	}
}

func TestLine68WhatIsNotActiveIsJustThat(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		k := a.ask()
		c := s.owner(t).allow(t, k)
		got := newTokens(t, k.exchange(t, c))
		a.revoke(t, got.refresh)
		foreign := s.newOrg(t)
		theirs := foreign.confidential(t).machine(t)
		for _, token := range []string{
			got.access, got.refresh, c, "sda_x", "sdr_x", "x", "\x01", "é", strings.Repeat("x", 5000), a.Secret, a.ID, s.home(t).key, theirs.access, "eyJhbGciOiJub25lIn0.e30.",
		} {
			for _, hint := range []string{left, "access_token", "refresh_token", "nonsense"} {
				inactive(t, a.introspect(t, token, "token_type_hint", hint))
			}
		}
		a.introspect(t, "", "token", left).refused(t, 400, "invalid_request")
	})
}

func TestLine69WhatIsSaidOfAnActiveToken(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		bound := s.confidential(t, "requireDpop", true)
		bound.proves = newKey(t, "ES256")
		for _, c := range []*app{a, bound} {
			got := s.owner(t).grant(t, c)
			plain := *c
			plain.proves = nil
			for _, token := range []string{got.access, got.refresh} {
				r := plain.introspect(t, token).must(t, 200)
				exp, _ := r.value("exp").(float64)
				iat, _ := r.value("iat").(float64)
				now := float64(time.Now().Unix())
				if r.value("active") != true || r.text("client_id") != c.ID || r.text("scope") != "events:read" || !strings.HasPrefix(r.text("sub"), "usr_") || r.text("iss") != s.issuer ||
					exp <= now || iat > now+1 || iat < now-60 || !strings.HasPrefix(r.text("org"), "org_") {
					t.Errorf("an active token: %s", r.Body)
				}
				for _, not := range []string{"username", "email", s.owner(t).Email} {
					if strings.Contains(string(r.Body), not) {
						t.Errorf("introspection tells %s: %s", not, r.Body)
					}
				}
				if token == got.refresh {
					continue
				}
				kind, jkt := "Bearer", ""
				if c == bound {
					kind, jkt = "DPoP", c.proves.thumbprint(t)
				}
				if r.text("token_type") != kind || r.text("cnf.jkt") != jkt {
					t.Errorf("token_type %q and cnf.jkt %q, want %q and %q", r.text("token_type"), r.text("cnf.jkt"), kind, jkt)
				}
			}
		}
	})
}

// That an unknown token takes as long as an inactive one cannot be seen over HTTP in less than a great many requests; both are one look-up by a hash.
func TestLine70IntrospectionIsNotKept(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		for _, r := range []reply{a.introspect(t, a.machine(t).access), a.introspect(t, "sda_x")} {
			if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Pragma") != "no-cache" || !slices.Contains([]int{200}, r.Status) {
				t.Errorf("%s: %v", r.asked, r.Header)
			}
		}
	})
}
