package oauth_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/oauth"
)

func pushed(a app, uri string, more ...string) url.Values {
	return with(url.Values{"client_id": {string(a.ID)}, "request_uri": {uri}}, more...)
}

func TestPushedRequestIsUsedOnce(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		check, challenge := verifier()
		r := a.post("/oauth/par", a.ask("code_challenge", challenge, "scope", "events:read"))
		uri := r.json("request_uri")
		if r.status != 201 || r.json("expires_in") != "90" || !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") || r.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s %v, want 201 with a request_uri for 90 seconds", r, r.header)
		}
		// What stands beside it does not count.
		replies := at(10, func(int) reply {
			return p.get("/oauth/authorize", pushed(a, uri, "redirect_uri", "https://evil.example", "scope", "fly", "state", "other", "response_type", "token"))
		})
		var shown []oauth.Consent
		for _, r := range replies {
			if r.status == 200 {
				shown = append(shown, p.consent(r))
			} else if r.status != 400 || r.header.Get("Location") != "" {
				t.Errorf("%s, want a page that it was used", r)
			}
		}
		if len(shown) != 1 || len(shown[0].Scopes) != 1 {
			t.Fatalf("10 visits with one request_uri showed %d pages, want 1 that asks for events:read", len(shown))
		}
		q := p.post("/oauth/consent", allow(shown[0])).query()
		a.got(a.post("/oauth/token", exchange(q.Get("code"), check)))
		if q.Get("state") != "s1" {
			t.Errorf("the state is %q, want the pushed one", q.Get("state"))
		}
	})
}

func TestPushedRequestIsForItsClientAndEnds(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a, b := p.app(input()), p.app(public())
		uri := a.post("/oauth/par", a.ask()).json("request_uri")
		old := b.post("/oauth/par", b.ask()).json("request_uri")
		if r := p.get("/oauth/authorize", pushed(b, uri)); r.status != 400 || r.header.Get("Location") != "" {
			t.Errorf("another client's request_uri: %s, want a page", r)
		}
		p.consent(p.get("/oauth/authorize", pushed(a, uri))) // which has not used it up
		p.age(91 * time.Second)
		if r := p.get("/oauth/authorize", pushed(b, old)); r.status != 400 {
			t.Errorf("a request_uri after 91 seconds: %s, want a page", r)
		}
	})
}

func TestFaultsAreToldWhenPushed(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	for name, c := range map[string]struct {
		v    url.Values
		want string
	}{
		"request_uri":              {a.ask("request_uri", "urn:x"), "invalid_request"},
		"request object":           {a.ask("request", "x"), "request_not_supported"},
		"unregistered redirect":    {a.ask("redirect_uri", "https://evil.example"), "invalid_request"},
		"no challenge":             {a.ask("code_challenge", ""), "invalid_request"},
		"scope beyond":             {a.ask("scope", "events:write"), "invalid_scope"},
		"implicit":                 {a.ask("response_type", "token"), "unsupported_response_type"},
		"another client's id":      {a.ask("client_id", "oa_other"), "invalid_request"},
		"a parameter twice":        {twice(a.ask(), "state"), "invalid_request"},
		"resource of another":      {a.ask("resource", "https://elsewhere.example"), "invalid_target"},
		"challenge of no SHA-256":  {a.ask("code_challenge", "x"), "invalid_request"},
		"response_mode form_post":  {a.ask("response_mode", "form_post"), "invalid_request"},
		"dpop_jkt of no SHA-256":   {a.ask("dpop_jkt", "x"), "invalid_request"},
		"method that is not known": {a.ask("code_challenge_method", "S512"), "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, p.post("/oauth/par", c.v, "Authorization", basic(string(a.ID), a.secret)), 400, c.want)
		})
	}
	refused(t, p.post("/oauth/par", a.ask()), 401, "invalid_client")
	if n := p.count("oauth_requests"); n != 0 {
		t.Errorf("%d requests are kept", n)
	}
}

func TestClientThatHasToPushCannotDoWithout(t *testing.T) {
	p := lite(t)
	in := input()
	in.RequirePAR = true
	a := p.app(in)
	if r := p.get("/oauth/authorize", a.ask()); r.status != 400 || r.header.Get("Location") != "" {
		t.Errorf("%s, want a page", r)
	}
	p.consent(p.get("/oauth/authorize", pushed(a, a.post("/oauth/par", a.ask()).json("request_uri"))))
}
