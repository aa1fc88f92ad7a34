package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

func TestPersonIsAskedForWhatTheAppWants(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		for _, path := range []string{"/oauth/authorize", "/authorize"} {
			for name, r := range map[string]reply{"GET": p.get(path, a.ask()), "POST": p.post(path, a.ask())} {
				c := p.consent(r)
				secret := c.Request
				c.Request = ""
				want := oauth.Consent{
					Person: ada, ClientName: "Box Office", Host: "app.example.com", Target: "https://app.example.com",
					Scopes: []scope.Scope{scope.EventsRead, scope.TicketsRead}, Places: mustPlaces(t, ada),
				}
				if diff := cmp.Diff(want, c); diff != "" || secret == "" {
					t.Errorf("%s %s: -want +got:\n%s", name, path, diff)
				}
				for header, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Access-Control-Allow-Origin": ""} {
					if got := r.header.Get(header); got != want {
						t.Errorf("%s %s: %s is %q, want %q", name, path, header, got, want)
					}
				}
			}
		}
	})
}

func mustPlaces(t *testing.T, who *oauth.Person) []oauth.Place {
	t.Helper()
	places, err := people{}.Places(nil, who.No, home)
	if err != nil {
		t.Fatal(err)
	}
	return places
}

func TestRequestsOfUnknownAppsAndPlacesLeadNowhere(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	in := input()
	in.Redirects = []string{callback, "https://app.example.com/other"}
	two := p.app(in)
	deleted := p.app(input())
	p.configure(func(tx *db.Tx) error { return p.apps.DeleteClient(tx, home, deleted.ID, 0, operator) })
	for name, v := range map[string]url.Values{
		"no client_id":                 a.ask("client_id", ""),
		"unknown client_id":            a.ask("client_id", "oa_unknown"),
		"deleted client":               deleted.ask(),
		"client_id that is no text":    a.ask("client_id", "oa_\xff"),
		"client_id twice":              {"client_id": {string(a.ID), string(a.ID)}, "redirect_uri": {callback}},
		"redirect_uri twice":           {"client_id": {string(a.ID)}, "redirect_uri": {callback, "https://evil.example"}},
		"unregistered redirect_uri":    a.ask("redirect_uri", "https://evil.example/callback"),
		"redirect_uri with a slash":    a.ask("redirect_uri", callback+"/"),
		"none of several":              two.ask("redirect_uri", ""),
		"redirect_uri that is no text": a.ask("redirect_uri", callback+"\x00"),
		"request_uri of nobody":        a.ask("request_uri", "urn:ietf:params:oauth:request_uri:nothing"),
		"request_uri of elsewhere":     a.ask("request_uri", "https://app.example.com/request.jwt"),
	} {
		if r := p.get("/oauth/authorize", v); r.status != 400 || r.header.Get("Location") != "" || r.header.Get("Content-Type") != "text/x-page" {
			t.Errorf("%s: %s, want a page and no redirect", name, r)
		}
	}
}

func TestFaultsOfARequestAreToldToTheApp(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	in := input()
	in.GrantTypes = []oauth.GrantType{oauth.ClientCredentials}
	machine := p.app(in)
	for name, c := range map[string]struct {
		v    url.Values
		want string
	}{
		"no response_type":         {a.ask("response_type", ""), "invalid_request"},
		"token":                    {a.ask("response_type", "token"), "unsupported_response_type"},
		"code and more":            {a.ask("response_type", "code id_token"), "unsupported_response_type"},
		"no challenge":             {a.ask("code_challenge", ""), "invalid_request"},
		"no challenge method":      {a.ask("code_challenge_method", ""), "invalid_request"},
		"plain":                    {a.ask("code_challenge_method", "plain"), "invalid_request"},
		"s256":                     {a.ask("code_challenge_method", "s256"), "invalid_request"},
		"short challenge":          {a.ask("code_challenge", strings.Repeat("a", 42)), "invalid_request"},
		"long challenge":           {a.ask("code_challenge", strings.Repeat("a", 44)), "invalid_request"},
		"challenge with padding":   {a.ask("code_challenge", strings.Repeat("a", 42)+"="), "invalid_request"},
		"unknown scope":            {a.ask("scope", "fly"), "invalid_scope"},
		"more than registered":     {a.ask("scope", "events:write"), "invalid_scope"},
		"two spaces between":       {a.ask("scope", "events:read  tickets:read"), "invalid_scope"},
		"request object":           {a.ask("request", "eyJ.e30."), "request_not_supported"},
		"fragment":                 {a.ask("response_mode", "fragment"), "invalid_request"},
		"foreign resource":         {a.ask("resource", "https://elsewhere.example"), "invalid_target"},
		"resource with a fragment": {a.ask("resource", issuer+"/v2#a"), "invalid_target"},
		"bad dpop_jkt":             {a.ask("dpop_jkt", "short"), "invalid_request"},
		"not for codes":            {machine.ask(), "unauthorized_client"},
		"scope twice":              {twice(a.ask(), "scope"), "invalid_request"},
		"NUL":                      {a.ask("nonce", "a\x00"), "invalid_request"},
		"no text":                  {a.ask("nonce", "\xff"), "invalid_request"},
	} {
		for method, r := range map[string]reply{"GET": p.get("/oauth/authorize", c.v), "POST": p.post("/oauth/authorize", c.v)} {
			q := r.query()
			if q.Get("error") != c.want || q.Get("state") != "s1" || q.Get("iss") != issuer || q.Get("code") != "" || q.Get("from") != "stagedoor" {
				t.Errorf("%s of %s: %s, want a redirect with %s, state and iss", method, name, r, c.want)
			}
			described(t, q.Get("error_description"))
			if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("%s of %s: redirect with %v", method, name, r.header)
			}
		}
	}
}

func (r reply) is(status int) bool { return r.status == status }

func TestStateComesBackAsItWas(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	for _, state := range []string{"a b+c&d=e%20f;g#h", "ünï→✓", `"<script>'\`, "line\r\nbreak", strings.Repeat("x", 3000)} {
		r := p.post("/oauth/consent", allow(p.consent(p.get("/oauth/authorize", a.ask("state", state, "prompt", "consent")))))
		if q := r.query(); q.Get("state") != state || q.Get("iss") != issuer || q.Get("code") == "" {
			t.Errorf("%s, want the state %q", r, state)
		}
		if r := p.get("/oauth/authorize", a.ask("state", state, "scope", "fly")); r.query().Get("state") != state {
			t.Errorf("%s, want the state %q", r, state)
		}
	}
	if r := p.get("/oauth/authorize", a.ask("state", "\xff\xfe")); r.query().Get("state") != "\xff\xfe" || r.query().Get("error") != "invalid_request" {
		t.Errorf("%s, want the state as it was", r)
	}
	if q := p.get("/oauth/authorize", a.ask("state", "", "scope", "fly")).query(); q.Has("state") || q.Get("error") != "invalid_scope" {
		t.Errorf("a state was made up: %v", q)
	}
}

func TestWhatIsNotKnownOrEmptyIsPassedOver(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	c := p.consent(p.get("/oauth/authorize", empty(a.ask("nonce", "n", "ui_locales", "de", "login_hint", "brian@example.com"), "scope", "resource", "prompt")))
	if diff := cmp.Diff([]scope.Scope{scope.EventsRead, scope.TicketsRead, scope.WebhooksManage}, c.Scopes); diff != "" {
		t.Errorf("without a scope the app asks for all that it may: -want +got:\n%s", diff)
	}
	if c := p.consent(p.get("/oauth/authorize", a.ask("redirect_uri", "", "scope", "read:events read:webhooks"))); len(c.Scopes) != 2 || c.Scopes[1] != scope.WebhooksManage {
		t.Errorf("StubHub's names stand for %v", c.Scopes)
	}
}

// twice has a parameter come twice.
func twice(v url.Values, name string) url.Values {
	v.Add(name, v.Get(name))
	return v
}

// empty has parameters come without a value.
func empty(v url.Values, names ...string) url.Values {
	for _, name := range names {
		v[name] = []string{""}
	}
	return v
}

func TestPromptNoneShowsNothing(t *testing.T) {
	p := lite(t)
	a, b := p.app(input()), p.app(public())
	if q := p.get("/oauth/authorize", a.ask("prompt", "none")).query(); q.Get("error") != "consent_required" || q.Get("state") != "s1" || q.Get("iss") != issuer {
		t.Errorf("before anything was allowed: %v, want consent_required", q)
	}
	a.tokens()
	b.tokens()
	if q := p.get("/oauth/authorize", a.ask("prompt", "none")).query(); q.Get("code") == "" {
		t.Errorf("after it was allowed: %v, want a code", q)
	}
	if q := p.get("/oauth/authorize", b.ask("prompt", "none")).query(); q.Get("error") != "consent_required" {
		t.Errorf("an app without a secret: %v, want consent_required", q)
	}
	p.front.person = nil
	if q := p.get("/oauth/authorize", a.ask("prompt", "none")).query(); q.Get("error") != "login_required" {
		t.Errorf("nobody signed in: %v, want login_required", q)
	}
}

func TestWhatWasAllowedBeforeIsNotAskedAgain(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		a.tokens()
		check, challenge := verifier()
		r := p.get("/oauth/authorize", a.ask("code_challenge", challenge, "scope", "events:read"))
		got := a.post("/oauth/token", exchange(r.query().Get("code"), check))
		if a.got(got); got.json("scope") != "events:read" {
			t.Errorf("%s, want the scope that was asked", got)
		}
		p.consent(p.get("/oauth/authorize", a.ask("prompt", "consent")))
		p.consent(p.get("/oauth/authorize", a.ask("scope", "events:read webhooks:manage")))
		p.front.person = brian
		p.consent(p.get("/oauth/authorize", a.ask()))
		p.front.person = ada
		p.configure(func(tx *db.Tx) error { return p.apps.RevokeGrantsOf(tx, 0, ada.No, "withdrawn", operator) })
		p.consent(p.get("/oauth/authorize", a.ask()))
	})
}

func TestWhatWasAllowedElsewhereIsAskedAgain(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	c := p.consent(p.get("/oauth/authorize", a.ask("scope", "events:read")))
	if q := p.post("/oauth/consent", allow(c, "org", string(orgID(away)))).query(); q.Get("code") == "" {
		t.Fatalf("the consent for another organisation gave %v", q)
	}
	p.consent(p.get("/oauth/authorize", a.ask("scope", "events:read")))
}

func TestNobodySignedInIsSentToSignIn(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		for method, ask := range map[string]func() reply{
			"GET":  func() reply { return p.get("/oauth/authorize", a.ask()) },
			"POST": func() reply { return p.post("/oauth/authorize", a.ask()) },
			"PAR": func() reply {
				return p.get("/oauth/authorize", url.Values{"client_id": {string(a.ID)}, "request_uri": {a.post("/oauth/par", a.ask()).json("request_uri")}})
			},
		} {
			p.front.person = nil
			r := ask()
			u, err := url.Parse(r.header.Get("Location"))
			if err != nil || r.status != http.StatusSeeOther || u.Path != "/login" || !strings.HasPrefix(u.Query().Get("next"), "/oauth/authorize?") {
				t.Fatalf("%s: %s, want to be sent to sign in", method, r)
			}
			p.front.person = ada
			back := p.do(httptest.NewRequest(http.MethodGet, u.Query().Get("next"), nil))
			if q := p.post("/oauth/consent", allow(p.consent(back))).query(); q.Get("code") == "" || q.Get("state") != "s1" {
				t.Errorf("%s: after the sign-in: %v, want a code and the state", method, q)
			}
			p.configure(func(tx *db.Tx) error { return p.apps.RevokeGrantsOf(tx, 0, ada.No, "test", operator) })
		}
	})
}

func TestOnlyGETAndPOSTAuthorize(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	uri := a.post("/oauth/par", a.ask()).json("request_uri")
	v := url.Values{"client_id": {string(a.ID)}, "request_uri": {uri}}
	for _, method := range []string{"HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		if r := p.do(httptest.NewRequest(method, "/oauth/authorize?"+v.Encode(), nil)); !r.is(405) {
			t.Errorf("%s, want 405", r)
		}
	}
	p.consent(p.get("/oauth/authorize", v)) // none of them has used the request up
	if r := p.postText("/oauth/authorize", "a="+strings.Repeat("x", 64<<10)); !r.is(413) {
		t.Errorf("%s, want 413", r)
	}
}

func TestPlainHTTPIsForThisMachineOnly(t *testing.T) {
	for name, c := range map[string]struct {
		issuer string
		status int
	}{
		"https":       {"https://id.example.com", 200},
		"loopback":    {"http://127.0.0.1:8080", 200},
		"IPv6":        {"http://[::1]:8080", 200},
		"localhost":   {"http://localhost:8080", 200},
		"plain":       {"http://id.example.com", 400},
		"private net": {"http://10.0.0.1", 400},
	} {
		t.Run(name, func(t *testing.T) {
			p := lite(t, func(o *oauth.Config) { o.Issuer = c.issuer })
			if r := p.get("/oauth/authorize", p.app(input()).ask()); !r.is(c.status) || r.header.Get("Location") != "" {
				t.Errorf("%s with the issuer %s, want %d", r, c.issuer, c.status)
			}
		})
	}
}
