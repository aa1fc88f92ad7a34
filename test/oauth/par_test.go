package oauth

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// push pushes an authorization request and returns the one that refers to it.
func (k *ask) push(t testing.TB) *ask {
	t.Helper()
	r := k.app.post(t, "/oauth/par", k.Values).must(t, 201)
	return k.by(r.text("request_uri"))
}

// by is the same request, as what is taken to the server refers to it.
func (k *ask) by(uri string) *ask {
	short := *k
	short.Values = url.Values{"client_id": {k.app.ID}, "request_uri": {uri}}
	return &short
}

// code has the person allow a pushed request.
func (p *person) pushed(t *testing.T, k *ask) string {
	t.Helper()
	got := p.authorize(t, k.push(t))
	if got.Status == 200 {
		got = got.decide(t, "allow")
	}
	return k.back(t, got).Get("code")
}

func TestLine75ARequestIsPushed(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		for _, method := range []string{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"} {
			a := s.app(t, "authMethod", method)
			r := a.post(t, "/oauth/par", a.ask().Values).must(t, 201)
			life, _ := r.value("expires_in").(float64)
			if !strings.HasPrefix(r.text("request_uri"), "urn:ietf:params:oauth:request_uri:") || life < 1 || life > 90 || r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %v %s", r.asked, r.Header, r.Body)
			}
			k := a.ask()
			k.exchange(t, s.owner(t).pushed(t, k)).must(t, 200)
		}
		a := s.confidential(t)
		s.form(t, "/oauth/par", a.ask().Values).refused(t, 401, "invalid_client")
		s.form(t, "/oauth/par", a.ask().Values, "Authorization", basic(a.ID, "wrong")).refused(t, 401, "invalid_client")
		if r := a.post(t, "/oauth/par", a.ask("client_id", s.confidential(t).ID).Values); r.Status != 400 && r.Status != 401 {
			t.Errorf("pushed by one client for another = %d", r.Status)
		}
		for _, c := range []struct{ error, name, value string }{
			{"invalid_request", "code_challenge", left},
			{"invalid_request", "code_challenge_method", "plain"},
			{"unsupported_response_type", "response_type", "token"},
			{"invalid_scope", "scope", "nonsense"},
			{"invalid_target", "resource", "https://other.example"},
		} {
			a.post(t, "/oauth/par", a.ask(c.name, c.value).Values).refused(t, 400, c.error)
		}
		v := a.ask().Values
		v.Add("scope", "events:read")
		a.post(t, "/oauth/par", v).refused(t, 400, "invalid_request")
	})
}

func TestLine76NoRequestInARequest(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		pushed := a.ask().push(t)
		a.post(t, "/oauth/par", pushed.Values).refused(t, 400, "invalid_request")
		a.post(t, "/oauth/par", a.ask("request_uri", pushed.Get("request_uri")).Values).refused(t, 400, "invalid_request")
		a.post(t, "/oauth/par", a.ask("request_uri", "https://app.example.com/request.jwt").Values).refused(t, 400, "invalid_request")
	})
}

func TestLine77APushedRequestIsForOneClientAndOnce(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a, other := s.owner(t), s.confidential(t), s.confidential(t)
		k := a.ask().push(t)
		b.authorize(t, (&ask{app: other, Values: url.Values{"client_id": {other.ID}, "request_uri": {k.Get("request_uri")}}})).stays(t, 400)
		b.authorize(t, (&ask{app: a, Values: url.Values{"request_uri": {k.Get("request_uri")}}})).stays(t, 400)
		p := b.authorize(t, k).must(t, 200) // others have not used it up
		p.decide(t, "allow").must(t, 303)
		b.authorize(t, k).stays(t, 400)
		for _, uri := range []string{"urn:ietf:params:oauth:request_uri:" + random(), "urn:ietf:params:oauth:request_uri:", "https://app.example.com/request.jwt", "x"} {
			b.authorize(t, a.ask("redirect_uri", left).by(uri)).stays(t, 400)
		}
		// Signing in on the way does not use it up: the person comes back to it.
		fresh := s.attendee(t)
		out := s.browser()
		k = a.ask().push(t)
		f := out.authorize(t, k).follow(t).form(t, "/login").with("email", fresh.Email, "password", fresh.Password)
		out.submit(t, f).must(t, 303).follow(t).must(t, 200).form(t, "/oauth/consent")
		s.keeps(t, strings.TrimPrefix(k.Get("request_uri"), "urn:ietf:params:oauth:request_uri:"))
	})
}

func TestLine77APushedRequestEnds(t *testing.T) {
	brief(t, func(t *testing.T, s *site) {
		k := s.confidential(t).ask().push(t)
		time.Sleep(pushLife + margin)
		s.owner(t).authorize(t, k).stays(t, 400)
	})
}

func TestLine78WhoMustPushMustPush(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.confidential(t, "requirePushedAuthorizationRequests", true)
		k := a.ask()
		if p := b.authorize(t, k); p.Header.Get("Location") != "" {
			k.refusedBack(t, p, "invalid_request")
		} else {
			p.stays(t, 400)
		}
		k = a.ask()
		k.exchange(t, b.pushed(t, k)).must(t, 200)
		// What stands beside a pushed request counts for nothing.
		k = a.ask("state", "pushed")
		short := k.push(t)
		for name, v := range map[string]string{
			"state": "other", "scope": "events:write tickets:read", "redirect_uri": "https://evil.example/cb", "code_challenge": hashed("x"), "response_type": "token", "prompt": "none",
		} {
			short.Set(name, v)
		}
		p := b.authorize(t, short)
		if p.Status == 200 {
			p = p.decide(t, "allow")
		}
		q := k.back(t, p)
		if q.Get("state") != "pushed" {
			t.Errorf("state is %q, pushed was another", q.Get("state"))
		}
		if got := newTokens(t, k.exchange(t, q.Get("code"))); got.text("scope") != "events:read" {
			t.Errorf("scope is %q, pushed was events:read", got.text("scope"))
		}
	})
}

func TestLine79BadPushesAreRefusedAtOnce(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		for _, a := range []*app{s.app(t), s.confidential(t)} {
			for _, uri := range []string{"https://evil.example/cb", a.redirect + "/", a.redirect + "#x", "javascript:alert(1)"} {
				a.post(t, "/oauth/par", a.ask("redirect_uri", uri).Values).refused(t, 400, "invalid_request")
			}
			if r := a.post(t, "/oauth/par", a.ask("state", strings.Repeat("x", 65<<10)).Values); r.Status != 413 {
				t.Errorf("65 KiB pushed = %d", r.Status)
			}
		}
	})
}
