package oauth_test

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

func TestCodeGivesTokens(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		code, check := a.code()
		r := a.post("/oauth/token", exchange(code, check))
		got := a.got(r)
		for name, want := range map[string]string{"token_type": "Bearer", "expires_in": "3600", "scope": "events:read tickets:read"} {
			if r.json(name) != want {
				t.Errorf("%s has %s %q, want %q", r, name, r.json(name), want)
			}
		}
		if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Pragma") != "no-cache" {
			t.Errorf("tokens came with %v, want no-store", r.header)
		}
		b, err := oauth.Authenticate(p.db.Read(t.Context()), got.access, time.Now())
		if err != nil || b.Org != home || b.Client != a.ID || b.UserNo != ada.No || b.Scopes != scope.Of(scope.EventsRead, scope.TicketsRead) || b.Thumbprint != "" {
			t.Errorf("Authenticate = %+v, %v", b, err)
		}
		if got.refresh == "" || !strings.HasPrefix(got.access, oauth.TokenPrefix) {
			t.Errorf("tokens are %+v", got)
		}
		if n, err := db.One(p.db.Read(t.Context()), db.Value[int], `SELECT count(*) FROM oauth_codes WHERE hash = $1`, []byte(code)); err != nil || n != 0 {
			t.Errorf("the code is kept as it is: %d, %v", n, err)
		}
	})
}

func TestClientWithoutRefreshTokensGetsNone(t *testing.T) {
	p := lite(t)
	in := input()
	in.GrantTypes = []oauth.GrantType{oauth.AuthorizationCode}
	a := p.app(in)
	if got := a.tokens(); got.refresh != "" {
		t.Error("a client that is not registered for refresh tokens got one")
	}
}

func TestCodeUsedTwiceEndsWhatItGave(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		code, check := a.code()
		got := a.got(a.post("/oauth/token", exchange(code, check)))
		other := a.tokens()
		for range 2 { // the third time says no more than the second
			refused(t, a.post("/oauth/token", exchange(code, check)), 400, "invalid_grant")
		}
		if p.good(got.access) {
			t.Error("the access token is good although its code was used twice")
		}
		refused(t, a.refresh(got.refresh), 400, "invalid_grant")
		if !p.good(other.access) {
			t.Error("another authorization of the same person ended too")
		}
		facts := p.heard.takeFacts()
		if len(facts) != 1 || facts[0].Kind != fact.AccessReuseDetected || facts[0].Org != home || !strings.Contains(string(facts[0].Data), `"code_reused"`) {
			t.Errorf("the ledger has %+v, want one access.reuse_detected", facts)
		}
		if n := count(p.actions(home), "family.revoked"); n != 1 {
			t.Errorf("family.revoked stands %d times in the audit log, want once", n)
		}
	})
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

func TestCodeIsForWhoeverItWasGivenTo(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a, b := p.app(input()), p.app(input())
		code, check := a.code()
		another, _ := verifier()
		for name, form := range map[string]url.Values{
			"wrong verifier":     exchange(code, another),
			"other redirect URI": exchange(code, check, "redirect_uri", callback+"/"),
			"unknown code":       exchange("sdc_unknown", check),
		} {
			if r := a.post("/oauth/token", form); r.json("error") != "invalid_grant" {
				t.Errorf("%s: %s, want invalid_grant", name, r)
			}
		}
		for name, form := range map[string]url.Values{
			"no code":                     exchange("", check),
			"no verifier":                 exchange(code, ""),
			"verifier too short":          exchange(code, check[:42]),
			"verifier too long":           exchange(code, strings.Repeat("a", 129)),
			"verifier of bad characters":  exchange(code, check[:42]+"!"),
			"verifier is two words":       exchange(code, check[:20]+" "+check[:22]),
			"resource of another server":  exchange(code, check, "resource", "https://elsewhere.example/"),
			"code twice in the same form": {"code": {code, code}, "grant_type": {"authorization_code"}, "code_verifier": {check}},
		} {
			if r := a.post("/oauth/token", form); r.json("error") != "invalid_request" && r.json("error") != "invalid_target" {
				t.Errorf("%s: %s, want invalid_request", name, r)
			}
		}
		refused(t, b.post("/oauth/token", exchange(code, check)), 400, "invalid_grant")
		a.got(a.post("/oauth/token", exchange(code, check))) // none of that has used it up
		if facts := p.heard.takeFacts(); len(facts) != 0 {
			t.Errorf("the ledger has %+v, want nothing", facts)
		}
	})
}

func TestCodeLivesAMinute(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		code, check := a.code()
		p.age(59 * time.Second)
		young, youngCheck := a.code()
		a.got(a.post("/oauth/token", exchange(code, check)))
		p.age(time.Minute)
		refused(t, a.post("/oauth/token", exchange(young, youngCheck)), 400, "invalid_grant")
	})
}

func TestCodeOfAGrantThatWasWithdrawnIsRefused(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		code, check := a.code()
		p.configure(func(tx *db.Tx) error { return p.apps.RevokeGrantsOf(tx, home, ada.No, "withdrawn", operator) })
		refused(t, a.post("/oauth/token", exchange(code, check)), 400, "invalid_grant")
	})
}

// Of any who exchange a code at the same time one gets tokens, and because the code was used more than once, they end.
func TestConcurrentExchangesHaveOneWinner(t *testing.T) {
	const rounds, callers = 20, 50
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		for round := range rounds {
			code, check := a.code()
			replies := at(callers, func(int) reply { return a.post("/oauth/token", exchange(code, check)) })
			var won []reply
			for _, r := range replies {
				if r.status == 200 {
					won = append(won, r)
				} else if r.json("error") != "invalid_grant" {
					t.Errorf("round %d: %s, want invalid_grant", round, r)
				}
			}
			if len(won) != 1 {
				t.Fatalf("round %d: %d of %d exchanges gave tokens, want 1", round, len(won), callers)
			}
			if p.good(won[0].json("access_token")) {
				t.Errorf("round %d: the token is good although its code was used %d times", round, callers)
			}
		}
		if n := len(p.heard.takeFacts()); n != rounds {
			t.Errorf("the ledger has %d facts, want one for each of %d rounds", n, rounds)
		}
	})
}

// at asks at the same time, n times.
func at(n int, ask func(i int) reply) []reply {
	replies := make([]reply, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			replies[i] = ask(i)
		})
	}
	close(start)
	all.Wait()
	return replies
}

func TestOneRedirectURINeedNotBeRepeated(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	code, check := a.code("redirect_uri", "")
	a.got(a.post("/oauth/token", exchange(code, check, "redirect_uri", "")))
	in := input()
	in.Redirects = append(in.Redirects, "https://app.example.com/other")
	b := p.app(in)
	code, check = b.code()
	refused(t, b.post("/oauth/token", exchange(code, check, "redirect_uri", "")), 400, "invalid_grant")
}

func TestResourceIsRemembered(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	q := p.db.Read(t.Context())
	for asked, want := range map[string]string{"": "", issuer: "", issuer + "/": "", issuer + "/api/v1": issuer + "/api/v1", issuer + "/api/v0": issuer + "/api/v0", issuer + "/v2": issuer + "/v2"} {
		got := a.tokens("resource", asked)
		next := a.got(a.refresh(got.refresh))
		for _, token := range []string{got.access, next.access} {
			if b, err := oauth.Authenticate(q, token, time.Now()); err != nil || b.Resource != want {
				t.Errorf("a token for the resource %q is for %q, %v; want %q", asked, b.Resource, err, want)
			}
		}
	}
	got := a.tokens("resource", issuer+"/v2")
	refused(t, a.refresh(got.refresh, "resource", issuer+"/v1"), 400, "invalid_target")
	narrow := a.got(a.refresh(a.tokens().refresh, "resource", issuer+"/v1"))
	if b, err := oauth.Authenticate(q, narrow.access, time.Now()); err != nil || b.Resource != issuer+"/v1" {
		t.Errorf("a refresh for a part of the server gave %q, %v", b.Resource, err)
	}
	wide := a.got(a.refresh(narrow.refresh))
	if b, err := oauth.Authenticate(q, wide.access, time.Now()); err != nil || b.Resource != "" {
		t.Errorf("the refresh after it gave %q, %v; want all of the server again", b.Resource, err)
	}
	if !slices.Contains(p.actions(home), "grant.created") {
		t.Error("no grant.created in the audit log")
	}
}
