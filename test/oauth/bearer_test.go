package oauth

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestLine55TokensAreTakenFromAuthorizationOnly(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		token := s.owner(t).grant(t, s.app(t), "scope", "events:read events:write").access
		s.alive(t, token)
		s.do(t, "GET", "/api/v1/events", nil, "Authorization", "bearer "+token).must(t, 200) // the scheme has no case (RFC 9110 §11.1)
		s.do(t, "GET", "/api/v1/events?access_token="+token, nil).must(t, 401)
		s.do(t, "GET", "/api/v1/events", nil, "Cookie", "access_token="+token).must(t, 401)
		s.form(t, "/api/v1/events", url.Values{"access_token": {token}}).must(t, 401)
		s.do(t, "GET", "/api/v1/events", []byte("access_token="+token), "Content-Type", formType).must(t, 401)
		for what, r := range map[string]reply{
			"two headers":       s.do(t, "GET", "/api/v1/events", nil, "Authorization", "Bearer "+token, "Authorization", "Bearer "+token),
			"two other headers": s.do(t, "GET", "/api/v1/events", nil, "Authorization", "Bearer "+token, "Authorization", "Bearer x"),
			"a key and a token": s.do(t, "GET", "/api/v1/events", nil, "Authorization", "Bearer "+token, "X-API-Key", s.home(t).key),
		} {
			if r.Status != 400 || !strings.Contains(r.challenges(), `error="invalid_request"`) {
				t.Errorf("%s = %d %q, want 400 invalid_request", what, r.Status, r.challenges())
			}
		}
	})
}

func TestLine56HowATokenIsRefused(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		token := s.owner(t).grant(t, s.app(t)).access
		r := s.do(t, "GET", "/api/v1/events", nil).must(t, 401)
		if w := r.challenges(); !strings.Contains(w, "Bearer") || strings.Contains(w, "error") {
			t.Errorf("without a token: WWW-Authenticate %q", w)
		}
		for _, bad := range []string{"sda_x", token + "x", token[:len(token)-1], strings.ToUpper(token), "x", "sdr_x", "sd_x", "sdp_x", "é", strings.Repeat("x", 5000)} {
			r := s.bearer(t, bad, "GET", "/api/v1/events", nil)
			if w := r.challenges(); r.Status != 401 || !strings.Contains(w, "Bearer") || !strings.Contains(w, `error="invalid_token"`) {
				t.Errorf("a bad token = %d, WWW-Authenticate %q", r.Status, w)
			}
		}
		r = s.bearer(t, token, "POST", "/api/v1/events", nil).must(t, 403)
		if w := r.challenges(); !strings.Contains(w, "Bearer") || !strings.Contains(w, `error="insufficient_scope"`) || !strings.Contains(w, `scope="events:write"`) {
			t.Errorf("lacking a scope: WWW-Authenticate %q", w)
		}
	})
}

// A route without a scope does not start: there is nothing to see of that from outside but that every operation of the document names one (line 57).
func TestLine58WritingDoesNotImplyReading(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.confidential(t)
		writer := b.grant(t, a, "scope", "events:write").access
		s.bearer(t, writer, "GET", "/api/v1/events", nil).must(t, 403)
		made := s.bearer(t, writer, "POST", "/api/v1/events", newEvent()).must(t, 201).text("eventId")
		s.bearer(t, writer, "GET", "/api/v1/events/"+made, nil).must(t, 403)
		reader := b.grant(t, a, "scope", "events:read").access
		s.bearer(t, reader, "GET", "/api/v1/events/"+made, nil).must(t, 200)
		s.bearer(t, reader, "DELETE", "/api/v1/events/"+made, nil).must(t, 403)
	})
}

func newEvent() map[string]any {
	return map[string]any{
		"name": numbered("Harbor Jazz Night"), "startLocal": "2031-08-14T20:30:00", "timezone": "Europe/Oslo", "venue": "Pier Hall", "city": "Oslo", "country": "NO", "currency": "USD",
	}
}

func TestLine59ATokenIsForItsResource(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.confidential(t)
		whole := b.grant(t, a, "resource", s.issuer) // all of the server, which is what a token is for anyway
		s.alive(t, whole.access)
		part := s.issuer + "/api/v1"
		got := b.grant(t, a, "resource", part)
		for range 2 {
			s.alive(t, got.access)
			if aud := a.introspect(t, got.access).text("aud"); aud != part {
				t.Errorf("asked for %s, aud is %q", part, aud)
			}
			got = newTokens(t, a.refresh(t, got.refresh))
		}
		a.refresh(t, got.refresh, "resource", s.issuer+"/v2").refused(t, 400, "invalid_target")
		a.refresh(t, got.refresh, "resource", s.issuer).refused(t, 400, "invalid_target")
		narrow := newTokens(t, a.refresh(t, whole.refresh, "resource", s.issuer+"/v2")) // less is fine
		s.bearer(t, narrow.access, "GET", "/api/v1/events", nil).must(t, 401)
		for _, other := range []string{"/v0", "/v1", "/v2"} {
			for _, got := range []tokens{b.grant(t, a, "resource", s.issuer+other), a.machine(t, "resource", s.issuer+other)} {
				r := s.bearer(t, got.access, "GET", "/api/v1/events", nil).must(t, 401)
				if !strings.Contains(r.challenges(), `error="invalid_token"`) {
					t.Errorf("a token for %s: WWW-Authenticate %q", other, r.challenges())
				}
			}
		}
		for _, foreign := range []string{"https://other.example", s.issuer + ".evil.example", s.issuer + "/api/v1/events", s.issuer + "/nothing", "x", s.issuer + "/api/v1#x", s.issuer + "/api/v1?x=1", s.issuer + "/api/../v2"} {
			a.token(t, machine, "scope", "events:read", "resource", foreign).refused(t, 400, "invalid_target")
			k := a.ask("resource", foreign)
			k.refusedBack(t, b.authorize(t, k), "invalid_target")
		}
		k := a.ask("resource", s.issuer+"/v2")
		k.exchange(t, b.allow(t, k), "resource", s.issuer+"/api/v1").refused(t, 400, "invalid_target") // more than was allowed
	})
}

// There is no tolerance: the server that made a token tells the time.
func TestLine60ATokenEndsInTime(t *testing.T) {
	brief(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		before := time.Now()
		got := s.owner(t).grant(t, a)
		after := time.Now()
		if life, _ := got.value("expires_in").(float64); time.Duration(life)*time.Second != accessLife {
			t.Errorf("expires_in is %v, want %v", life, accessLife)
		}
		for time.Since(before) < accessLife-margin {
			asked := time.Now()
			if r := s.bearer(t, got.access, "GET", "/api/v1/events", nil); r.Status != 200 && time.Since(before) < accessLife {
				t.Fatalf("after %v of %v: %d", asked.Sub(before), accessLife, r.Status)
			}
			time.Sleep(margin)
		}
		time.Sleep(time.Until(after.Add(accessLife))) // no more than a second late, and that is generous
		r := s.bearer(t, got.access, "GET", "/api/v1/events", nil).must(t, 401)
		if !strings.Contains(r.challenges(), `error="invalid_token"`) {
			t.Errorf("WWW-Authenticate %q", r.challenges())
		}
		inactive(t, a.introspect(t, got.access))
	})
}

// That no log has a secret is checked when all tests are over, of every server they started: see TestMain. Here it is made sure that secrets are noticed
// and would be found, and that error pages and deliveries have none.
func TestLine61NoSecretWhereItDoesNotBelong(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		o := s.newOrg(t)
		hook := harness.Receive(t, nil)
		secret := o.api(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": hook.URL, "events": []string{"*"}, "format": "standard"}).text("secret")
		p, a := o.person(t, "owner"), o.confidential(t)
		k := a.ask("scope", "events:read events:write webhooks:manage")
		c := p.allow(t, k)
		got := newTokens(t, k.exchange(t, c))
		all := []string{o.key, p.Password, a.Secret, c, k.verifier, got.access, got.refresh, secret, p.cookie(t)}
		for i, one := range all {
			if lines := harness.Leaks("level=INFO msg=\"told " + one + "\""); len(lines) != 1 {
				t.Errorf("secret %d (%.6s…) was not noticed: it would not be found in a log", i, one)
			}
		}
		if s.server.Log() == "" {
			t.Error("the server has logged nothing")
		}
		clean := func(what, text string) {
			t.Helper()
			for _, one := range all {
				if strings.Contains(text, one) {
					t.Errorf("%s has a secret in it: %.500s", what, text)
				}
			}
		}
		for _, r := range []reply{
			s.bearer(t, got.access, "GET", "/api/v1/orders", nil), s.bearer(t, got.access, "GET", "/api/v1/events/nothing", nil), s.bearer(t, got.access+"x", "GET", "/api/v1/events", nil),
			s.bearer(t, got.access, "POST", "/api/v1/events", got.access), s.do(t, "GET", "/api/v1/events?access_token="+got.access, nil), k.exchange(t, c), a.refresh(t, got.access),
			s.form(t, "/oauth/token", machineForm, "Authorization", basic(a.ID, a.Secret+"x")), a.token(t, machine, "scope", a.Secret), p.get(t, "/oauth/authorize?client_id="+a.Secret).reply,
			p.signIn(t, "not "+p.Password).reply,
		} {
			clean(r.asked, string(r.Body))
		}
		for _, path := range []string{"/reset/", "/verify/", "/invitation/"} { // the log has paths, and these have secrets in them
			link := random() + random()
			harness.Secret(link)
			s.browser().get(t, path+link)
		}
		fresh := p.grant(t, a, "scope", "events:write")
		all = append(all, fresh.access)
		s.bearer(t, fresh.access, "POST", "/api/v1/events", newEvent()).must(t, 201)
		for _, g := range hook.Await(t, patience, func(all []harness.Got) bool { return len(all) > 0 }) {
			clean("a delivery", string(g.Body))
			for name, v := range g.Header {
				clean("a delivery's header "+name, strings.Join(v, " "))
			}
		}
	})
}

// cookie is the session's.
func (p *person) cookie(t *testing.T) string {
	t.Helper()
	u, _ := url.Parse(p.s.URL)
	for _, c := range p.client.Jar.Cookies(u) {
		if strings.HasSuffix(c.Name, "stagedoor_session") {
			return c.Value
		}
	}
	t.Fatal("the browser has no session")
	return ""
}
