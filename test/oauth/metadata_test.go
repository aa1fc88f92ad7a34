package oauth

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

const wellKnown = "/.well-known/oauth-authorization-server"

// metadata is the server's (RFC 8414).
func (s *site) metadata(t *testing.T) reply {
	t.Helper()
	r := s.do(t, "GET", wellKnown, nil).must(t, 200)
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		t.Errorf("the metadata has Content-Type %q", r.Header.Get("Content-Type"))
	}
	return r
}

// list is a list of texts in a reply.
func (r reply) list(path string) []string {
	var all []string
	values, _ := r.value(path).([]any)
	for _, v := range values {
		text, _ := v.(string)
		all = append(all, text)
	}
	return all
}

func TestLine71TheIssuerIsAsConfigured(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		if issuer := s.metadata(t).text("issuer"); issuer != s.URL {
			t.Errorf("the issuer is %q, the server is at %s", issuer, s.URL)
		}
	})
	for public, issuer := range map[string]string{"https://tickets.example.com": "https://tickets.example.com", "https://tickets.example.com:8443/": "https://tickets.example.com:8443"} {
		t.Run(public, func(t *testing.T) {
			own(t, []string{"--public-url", public}, func(t *testing.T, s *site) {
				m := s.metadata(t)
				if m.text("issuer") != issuer {
					t.Errorf("the issuer is %q, want %q", m.text("issuer"), issuer)
				}
				for _, name := range endpoints {
					if u := m.text(name); !strings.HasPrefix(u, issuer+"/oauth/") {
						t.Errorf("%s is %q", name, u)
					}
				}
			})
		})
	}
}

// An issuer with a path has its metadata with the path inserted, and nowhere else (RFC 8414 §3).
func TestLine71APathIsInserted(t *testing.T) {
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		srv, err := h.Start("--public-url", "https://tickets.example.com/box/office")
		if err != nil {
			if !strings.Contains(err.Error(), "path") {
				t.Errorf("serve does not say that it takes no path: %v", err)
			}
			return // a server that takes no issuer with a path has none to insert
		}
		defer srv.Kill()
		s := newSite(h, srv)
		if got := s.do(t, "GET", wellKnown+"/box/office", nil).must(t, 200).text("issuer"); got != "https://tickets.example.com/box/office" {
			t.Errorf("the issuer is %q", got)
		}
	})
}

var endpoints = []string{
	"authorization_endpoint", "token_endpoint", "revocation_endpoint", "introspection_endpoint", "pushed_authorization_request_endpoint", "device_authorization_endpoint",
}

func TestLine72OnlyS256AndIssAreAdvertised(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		m := s.metadata(t)
		if got := m.list("code_challenge_methods_supported"); !slices.Equal(got, []string{"S256"}) {
			t.Errorf("code_challenge_methods_supported is %v", got)
		}
		if m.value("authorization_response_iss_parameter_supported") != true {
			t.Error("authorization_response_iss_parameter_supported is not true")
		}
	})
}

// known are the members that the tests below look at. One that is new here is one that nothing tests.
var known = append([]string{
	"issuer", "scopes_supported", "response_types_supported", "response_modes_supported", "grant_types_supported", "code_challenge_methods_supported",
	"token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported", "revocation_endpoint_auth_methods_supported",
	"revocation_endpoint_auth_signing_alg_values_supported", "introspection_endpoint_auth_methods_supported", "introspection_endpoint_auth_signing_alg_values_supported",
	"authorization_response_iss_parameter_supported", "dpop_signing_alg_values_supported", "require_pushed_authorization_requests", "service_documentation",
	"protected_resources", "prompt_values_supported",
}, endpoints...)

func TestLine73WhatIsAdvertisedIsAllAndWorks(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		m := s.metadata(t)
		var members map[string]any
		_ = json.Unmarshal(m.Body, &members)
		for name := range members {
			if !slices.Contains(known, name) {
				t.Errorf("the metadata has %s, which no test looks at", name)
			}
		}
		t.Run("endpoints", func(t *testing.T) { advertisedEndpoints(t, s, m) })
		t.Run("scopes", func(t *testing.T) { advertisedScopes(t, s, m) })
		t.Run("grant types", func(t *testing.T) { advertisedGrants(t, s, m) })
		t.Run("authentication", func(t *testing.T) { advertisedMethods(t, s, m) })
		t.Run("algorithms", func(t *testing.T) { advertisedAlgorithms(t, s, m) })
		t.Run("responses", func(t *testing.T) { advertisedResponses(t, s, m) })
		t.Run("prompt", func(t *testing.T) { advertisedPrompts(t, s, m) })
		if m.value("require_pushed_authorization_requests") == true {
			t.Error("pushed requests are said to be required of all, and are not")
		}
	})
}

func advertisedEndpoints(t *testing.T, s *site, m reply) {
	for _, name := range endpoints {
		u, err := url.Parse(m.text(name))
		if err != nil || !strings.HasPrefix(u.String(), s.issuer+"/") {
			t.Errorf("%s is %q", name, m.text(name))
			continue
		}
		method := "POST"
		if name == "authorization_endpoint" {
			method = "GET"
		}
		if r := s.do(t, method, u.Path, nil, "Content-Type", formType); r.Status == 404 || r.Status == 405 || r.Status >= 500 {
			t.Errorf("%s: %s = %d", name, r.asked, r.Status)
		}
	}
	for _, path := range []string{
		"/oauth/register", "/register", "/oauth/userinfo", "/userinfo", "/oauth/jwks", "/.well-known/jwks.json", "/.well-known/openid-configuration", "/oauth/logout", "/oauth/bc-authorize",
	} {
		for _, method := range []string{"GET", "POST"} {
			if r := s.do(t, method, path, nil); r.Status != 404 {
				t.Errorf("%s = %d, and is not advertised", r.asked, r.Status)
			}
		}
	}
}

func advertisedScopes(t *testing.T, s *site, m reply) {
	got := m.list("scopes_supported")
	a := s.confidential(t, "scopes", names(scope.All()))
	for _, one := range got {
		if granted := a.machine(t, "scope", one).text("scope"); granted != one {
			t.Errorf("asked for the advertised scope %s, got %q", one, granted)
		}
	}
	for _, one := range names(scope.All()) {
		if !slices.Contains(got, one) {
			t.Errorf("%s is not advertised", one)
		}
	}
}

func advertisedGrants(t *testing.T, s *site, m reply) {
	a, p := s.confidential(t), s.owner(t)
	got := m.list("grant_types_supported")
	slices.Sort(got)
	want := slices.Clone(every)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("grant_types_supported is %v, want %v", got, want)
	}
	first := p.grant(t, a)
	newTokens(t, a.refresh(t, first.refresh))
	a.machine(t)
	d := a.device(t)
	s.attendee(t).approve(t, d)
	newTokens(t, d.poll(t))
	for _, kind := range []string{"password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:openid:params:grant-type:ciba"} {
		a.token(t, kind, "scope", "events:read").refused(t, 400, "unsupported_grant_type")
	}
}

func advertisedMethods(t *testing.T, s *site, m reply) {
	all := []string{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}
	for member, path := range map[string]string{
		"token_endpoint_auth_methods_supported": "/oauth/token", "revocation_endpoint_auth_methods_supported": "/oauth/revoke", "introspection_endpoint_auth_methods_supported": "/oauth/introspect",
	} {
		got := m.list(member)
		if len(got) == 0 {
			t.Errorf("%s is missing", member)
		}
		for _, method := range got {
			if !slices.Contains(all, method) {
				t.Errorf("%s has %s", member, method)
			}
		}
		for _, method := range all {
			grants := []string{code, refresh}
			if method != "none" {
				grants = every
			}
			a := s.app(t, "authMethod", method, "grantTypes", grants)
			r := a.post(t, path, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"sdr_x"}, "token": {"sda_x"}})
			works := r.text("error") == "invalid_grant" || r.Status == 200
			if works != slices.Contains(got, method) {
				t.Errorf("%s is advertised: %v; %s with it = %d %s", method, slices.Contains(got, method), path, r.Status, r.Body)
			}
		}
	}
	for _, method := range []string{"client_secret_jwt", "tls_client_auth", "self_signed_tls_client_auth", "nonsense"} {
		s.home(t).api(t, 400, "POST", "/api/v1/oauth/clients", map[string]any{
			"name": "App", "authMethod": method, "redirectUris": []string{"https://app.example.com/cb"}, "scopes": usual, "grantTypes": []string{code},
		})
	}
}

// algorithms are those that the tests can sign with.
var algorithms = []string{"ES256", "ES384", "ES512", "EdDSA", "Ed25519", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}

func advertisedAlgorithms(t *testing.T, s *site, m reply) {
	for _, one := range append(m.list("dpop_signing_alg_values_supported"), m.list("token_endpoint_auth_signing_alg_values_supported")...) {
		if !slices.Contains(algorithms, one) {
			t.Errorf("the algorithm %s is advertised, which nothing tests", one)
		}
	}
	a := s.confidential(t)
	for _, alg := range algorithms {
		k := newKey(t, alg)
		proving := *a
		proving.proves = k
		r := proving.token(t, machine, "scope", "events:read")
		if alg == "Ed25519" {
			continue // signs as EdDSA
		}
		if works := r.Status == 200 && r.text("token_type") == "DPoP"; works != slices.Contains(m.list("dpop_signing_alg_values_supported"), alg) {
			t.Errorf("a proof with %s = %d %s, advertised is %v", alg, r.Status, r.text("error"), m.list("dpop_signing_alg_values_supported"))
		}
		made := s.home(t).s.do(t, "POST", "/api/v1/oauth/clients", clientWith(t, k), "X-API-Key", s.home(t).key, "Content-Type", "application/json")
		works := made.Status == 201
		if works {
			c := &app{s: s, org: s.home(t), ID: made.text("clientId"), method: "private_key_jwt", key: k}
			works = c.token(t, machine, "scope", "events:read").Status == 200
		}
		if works != slices.Contains(m.list("token_endpoint_auth_signing_alg_values_supported"), alg) {
			t.Errorf("an assertion with %s works: %v (%d), advertised is %v", alg, works, made.Status, m.list("token_endpoint_auth_signing_alg_values_supported"))
		}
	}
}

func clientWith(t *testing.T, k *key) []byte {
	t.Helper()
	text, _ := json.Marshal(map[string]any{"name": "App", "authMethod": "private_key_jwt", "scopes": usual, "grantTypes": []string{machine}, "jwks": k.set(t)})
	return text
}

func advertisedResponses(t *testing.T, s *site, m reply) {
	if got := m.list("response_types_supported"); !slices.Equal(got, []string{"code"}) { // others are line 7
		t.Errorf("response_types_supported is %v", got)
	}
	if got := m.list("response_modes_supported"); !slices.Equal(got, []string{"query"}) { // without it, query and fragment are meant (RFC 8414 §2)
		t.Errorf("response_modes_supported is %v", got)
	}
	a, p := s.app(t), s.owner(t)
	for _, mode := range []string{"fragment", "form_post", "jwt"} {
		k := a.ask("response_mode", mode)
		got := p.authorize(t, k)
		if got.Status == 200 {
			got = got.decide(t, "deny")
		}
		k.back(t, got) // in the query, whatever was asked
	}
	k := a.ask("response_mode", "query")
	k.exchange(t, p.allow(t, k)).must(t, 200)
}

func advertisedPrompts(t *testing.T, s *site, m reply) {
	p, a := s.owner(t), s.app(t)
	for _, prompt := range m.list("prompt_values_supported") {
		got := p.authorize(t, a.ask("prompt", prompt))
		if (prompt == "none") == (got.Status == 200) {
			t.Errorf("prompt=%s = %d", prompt, got.Status)
		}
	}
}

func TestLine74TheResourceSaysWhoseTokensItTakes(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		w := s.do(t, "GET", "/api/v1/events", nil).must(t, 401).challenges()
		_, after, found := strings.Cut(w, `resource_metadata="`)
		link, _, _ := strings.Cut(after, `"`)
		u, err := url.Parse(link)
		if !found || err != nil || !strings.HasPrefix(link, s.issuer+"/.well-known/oauth-protected-resource") {
			t.Fatalf("WWW-Authenticate is %q", w)
		}
		for path, resource := range map[string]string{
			u.Path:                                  s.issuer + strings.TrimPrefix(u.Path, "/.well-known/oauth-protected-resource"),
			"/.well-known/oauth-protected-resource": s.issuer,
			"/.well-known/oauth-protected-resource/api/v1": s.issuer + "/api/v1",
		} {
			r := s.do(t, "GET", path, nil).must(t, 200)
			if r.text("resource") != resource || !slices.Equal(r.list("authorization_servers"), []string{s.issuer}) {
				t.Errorf("%s: %s, want the resource %s", path, r.Body, resource)
			}
			if m := r.list("bearer_methods_supported"); !slices.Equal(m, []string{"header"}) {
				t.Errorf("%s: bearer_methods_supported is %v", path, m)
			}
			if got := r.list("scopes_supported"); !slices.Equal(got, s.metadata(t).list("scopes_supported")) {
				t.Errorf("%s: scopes_supported is %v", path, got)
			}
		}
		for _, bad := range []reply{s.bearer(t, "sda_x", "GET", "/api/v1/events", nil), s.do(t, "GET", "/api/v1/events", nil, "X-API-Key", "sd_x")} {
			if w := bad.challenges(); !strings.Contains(w, "resource_metadata=") {
				t.Errorf("WWW-Authenticate of a bad token is %q", w)
			}
		}
		if r := s.do(t, "GET", "/.well-known/oauth-protected-resource/nothing", nil); r.Status != 404 {
			t.Errorf("the metadata of a resource that there is not = %d", r.Status)
		}
	})
}
