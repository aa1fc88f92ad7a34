package oauth

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// org is an organisation, with an API key that may do everything.
type org struct {
	s               *site
	slug, key, Name string
}

// org makes an organisation.
func (s *site) newOrg(t testing.TB) *org {
	t.Helper()
	name := numbered("Hall")
	slug, key := s.house.Org(t, name)
	harness.Secret(key)
	return &org{s, slug, key, name}
}

// home is the organisation that tests share which do nothing to it but make apps.
func (s *site) home(t testing.TB) *org {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.org == nil {
		s.org = s.newOrg(t)
	}
	return s.org
}

// owner is the owner of home, signed in. Tests share them too, and neither sign them out nor change them.
func (s *site) owner(t testing.TB) *person {
	t.Helper()
	o := s.home(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.boss == nil {
		s.boss = o.person(t, "owner")
	}
	return s.boss
}

// api asks with the organisation's key.
func (o *org) api(t testing.TB, want int, method, path string, body any, header ...string) reply {
	t.Helper()
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body)
	}
	return o.s.do(t, method, path, text, append([]string{"X-API-Key", o.key, "Content-Type", "application/json"}, header...)...).must(t, want)
}

// person is somebody with an account, and their browser.
type person struct {
	*browser
	ID, Email, Password string
}

func (s *site) newPerson() *person {
	n := serial.Add(1)
	p := &person{browser: s.browser(), Email: fmt.Sprintf("someone%d@people.example", n), Password: fmt.Sprintf("wicker-%d-lantern-%x", n, n*7919+104729)}
	harness.Secret(p.Password)
	return p
}

// person makes a member of the organisation and signs them in. With role "", they are known to the operator and a member of nothing.
func (o *org) person(t testing.TB, role string) *person {
	t.Helper()
	p := o.s.newPerson()
	args := []string{"user", "create", p.Email, "--password-stdin", "--json"}
	if role != "" {
		args = append(args, "--org", o.slug, "--role", role)
	}
	var made struct{ ID string }
	out := o.s.house.Feed(t, p.Password+"\n", args...)
	if err := json.Unmarshal(out, &made); err != nil || !strings.HasPrefix(made.ID, "usr_") {
		t.Fatalf("user create wrote %s", out)
	}
	p.ID = made.ID
	p.signIn(t, p.Password).must(t, 303)
	return p
}

// attendee signs somebody up, as strangers do, and in.
func (s *site) attendee(t testing.TB) *person {
	t.Helper()
	p := s.newPerson()
	f := p.get(t, "/sign-up").form(t, "/sign-up").with("email", p.Email, "name", "Somebody", "password", p.Password)
	p.submit(t, f).must(t, 303)
	p.signIn(t, p.Password).must(t, 303)
	return p
}

func (p *person) signIn(t testing.TB, password string) *page {
	t.Helper()
	return p.submit(t, p.get(t, "/login").form(t, "/login").with("email", p.Email, "password", password))
}

// app is an app, and what it knows about itself.
type app struct {
	s          *site
	org        *org
	ID, Secret string
	method     string // by which it shows who it is
	redirect   string
	key        *key // of private_key_jwt
	proves     *key // that its tokens are bound to; nil for bearer tokens
}

const (
	code    = "authorization_code"
	refresh = "refresh_token"
	machine = "client_credentials"
	device  = "urn:ietf:params:oauth:grant-type:device_code"
)

// usual are the scopes that apps of tests may ask for.
var usual = []string{"profile:read", "events:read", "events:write", "tickets:read", "webhooks:manage"}

// app makes an app: a public one with the usual scopes, but for the members that are given as names and values.
func (o *org) app(t testing.TB, over ...any) *app {
	t.Helper()
	b := map[string]any{
		"name": numbered("App"), "authMethod": "none", "redirectUris": []string{"https://app.example.com/cb"}, "scopes": usual, "grantTypes": []string{code, refresh},
	}
	for i := 0; i < len(over); i += 2 {
		b[over[i].(string)] = over[i+1]
	}
	a := &app{s: o.s, org: o, method: b["authMethod"].(string)}
	if a.method == "private_key_jwt" && b["jwks"] == nil {
		a.key = newKey(t, "ES256")
		b["jwks"] = a.key.set(t)
	}
	if list, _ := b["redirectUris"].([]string); len(list) > 0 {
		a.redirect = list[0]
	}
	r := o.api(t, 201, "POST", "/api/v1/oauth/clients", b)
	a.ID, a.Secret = r.text("clientId"), r.text("clientSecret")
	if !strings.HasPrefix(a.ID, "oa_") || (a.Secret != "") != slices.Contains([]string{"client_secret_basic", "client_secret_post"}, a.method) {
		t.Fatalf("the new app is %s", r.Body)
	}
	return a
}

// every has the app registered for every grant type there is.
var every = []string{code, refresh, machine, device}

// confidential makes an app with a secret that may do all that apps may.
func (o *org) confidential(t testing.TB, over ...any) *app {
	t.Helper()
	return o.app(t, append([]any{"authMethod", "client_secret_basic", "grantTypes", every}, over...)...)
}

// app makes a public app of the shared organisation.
func (s *site) app(t testing.TB, over ...any) *app { t.Helper(); return s.home(t).app(t, over...) }

// confidential makes a confidential app of the shared organisation.
func (s *site) confidential(t testing.TB, over ...any) *app {
	t.Helper()
	return s.home(t).confidential(t, over...)
}
