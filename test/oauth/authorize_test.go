package oauth

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// everyone is the shared owner, and somebody who has not signed in.
func everyone(t *testing.T, s *site) map[string]*browser {
	t.Helper()
	return map[string]*browser{"signed in": s.owner(t).browser, "nobody": s.browser()}
}

func TestLine01NoRedirectForUnknownClient(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.app(t)
		for who, b := range everyone(t, s) {
			for _, id := range []string{left, "", "oa_unknown", a.ID + "x", strings.ToUpper(a.ID), "\x00", "<b>oa</b>"} {
				t.Run(fmt.Sprintf("%s %q", who, id), func(t *testing.T) { b.authorize(t, a.ask("client_id", id)).stays(t, 400) })
			}
		}
	})
}

func TestLine02NoRedirectToWhatIsNotRegistered(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.app(t)
		for _, b := range everyone(t, s) {
			for _, uri := range []string{"https://elsewhere.example.com/cb", "https://app.example.com", "/cb", "javascript:alert(1)", s.URL + "/account"} {
				b.authorize(t, a.ask("redirect_uri", uri)).stays(t, 400)
			}
		}
	})
}

func TestLine03RedirectIsComparedByteForByte(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b := s.owner(t)
		a := s.app(t, "redirectUris", []string{"https://app.example.com/Path/cb?tenant=1", "https://app.example.com"})
		for _, uri := range []string{"https://app.example.com/Path/cb?tenant=1", "https://app.example.com"} {
			b.authorize(t, a.ask("redirect_uri", uri)).form(t, "/oauth/consent")
		}
		for _, uri := range []string{
			"https://app.example.com/Path/cb?tenant=1&", "https://app.example.com/Path/cb?tenant=1&a=b", "https://app.example.com/Path/cb?tenant=2",
			"https://app.example.com/Path/cb", "https://app.example.com/Path/cb?", "https://app.example.com/Path/cb/?tenant=1", "https://app.example.com//Path/cb?tenant=1",
			"https://app.example.com/path/cb?tenant=1", "https://app.example.com/Path/CB?tenant=1", "https://app.example.com/P%61th/cb?tenant=1",
			"https://app.example.com/Path/../Path/cb?tenant=1", "https://app.example.com/Path/./cb?tenant=1", "https://app.example.com/Path/x/%2e%2e/cb?tenant=1",
			"https://user@app.example.com/Path/cb?tenant=1", "https://app.example.com@evil.example/Path/cb?tenant=1", "https://app.example.com/Path/cb?tenant=1#top",
			"https://app.example.com/Path/cb?tenant=1#", "https://x.app.example.com/Path/cb?tenant=1", "https://app.example.com.evil.example/Path/cb?tenant=1",
			"https://App.example.com/Path/cb?tenant=1", "HTTPS://app.example.com/Path/cb?tenant=1", "https://app.example.com:443/Path/cb?tenant=1",
			"http://app.example.com/Path/cb?tenant=1", "https://app.example.com./Path/cb?tenant=1", " https://app.example.com/Path/cb?tenant=1",
			"https://app.example.com/Path/cb?tenant=1 ", "https://app.example.com/Path/cb?tenant=1\n", "https://app.example.com\\@evil.example/Path/cb?tenant=1",
			"https://app.example.com/Path/cb%3Ftenant=1", "https://app.example.com/", "//app.example.com/Path/cb?tenant=1", "https://app。example.com/Path/cb?tenant=1",
		} {
			t.Run(uri, func(t *testing.T) { b.authorize(t, a.ask("redirect_uri", uri)).stays(t, 400) })
		}
	})
}

func TestLine04LoopbackRedirectsHaveAnyPort(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b := s.owner(t)
		a := s.app(t, "redirectUris", []string{"http://127.0.0.1/cb", "http://[::1]:8000/cb", "com.example.app:/cb"})
		for _, uri := range []string{"http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", "http://[::1]:8000/cb", "http://[::1]:1/cb", "http://[::1]/cb", "com.example.app:/cb"} {
			k := a.ask("redirect_uri", uri)
			k.exchange(t, b.allow(t, k)).must(t, 200)
		}
		for _, uri := range []string{
			"http://127.0.0.1:49152/", "http://127.0.0.1:49152/cb/", "http://127.0.0.1:49152/cb?x=1", "http://127.0.0.1:49152/cb#x", "https://127.0.0.1:49152/cb",
			"http://127.0.0.2:49152/cb", "http://localhost:49152/cb", "http://user@127.0.0.1:49152/cb", "http://127.0.0.1:/cb", "http://127.0.0.1:99999/cb", "http://127.0.0.1:-1/cb",
			"http://127.0.0.1.evil.example:80/cb", "http://127.0.0.1:80@evil.example/cb", "http://[::ffff:127.0.0.1]:80/cb", "http://0177.0.0.1:80/cb", "http://2130706433:80/cb",
			"com.example.app:/CB", "com.example.app:/cb/2", "com.example.app://cb", "com.example.other:/cb",
		} {
			t.Run(uri, func(t *testing.T) { b.authorize(t, a.ask("redirect_uri", uri)).stays(t, 400) })
		}
	})
}

func TestLine05WhichOfSeveralRedirectsMustBeSaid(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.app(t, "redirectUris", []string{"https://app.example.com/one", "https://app.example.com/two"})
		for _, b := range everyone(t, s) {
			b.authorize(t, a.ask("redirect_uri", left)).stays(t, 400)
			b.authorize(t, a.ask("redirect_uri", "")).stays(t, 400)
		}
		loop := s.app(t, "redirectUris", []string{"http://127.0.0.1/cb"}) // which port?
		s.owner(t).authorize(t, loop.ask("redirect_uri", left, "response_type", "token")).follow(t)
	})
}

func TestLine06RedirectsThatAreNotRegistered(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		o := s.home(t)
		for _, uri := range []string{
			"https://app.example.com/cb#top", "https://app.example.com/cb#", "javascript:alert(1)", "data:text/html,hello", "vbscript:x", "file:///etc/passwd", "blob:https://a.example/x",
			"http://app.example.com/cb", "http://localhost.example.com/cb", "http://192.168.1.1/cb", "//app.example.com/cb", "/cb", "app.example.com/cb", "", "https://", "https:///cb",
			"https://user:pw@app.example.com/cb", "https://app.example.com/\x00", "https://app.example.com/\r\nX: y", "about:blank", "app:/cb",
		} {
			t.Run(uri, func(t *testing.T) {
				r := o.api(t, 400, "POST", "/api/v1/oauth/clients", map[string]any{
					"name": "App", "authMethod": "none", "redirectUris": []string{"https://app.example.com/fine", uri}, "scopes": usual, "grantTypes": []string{code},
				})
				if p := r.text("errors.0.pointer"); p != "/redirectUris/1" {
					t.Errorf("the refusal is about %q: %s", p, r.Body)
				}
			})
		}
	})
}

func TestLine07OnlyTheResponseTypeCode(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.app(t)
		k := a.ask("response_type", left)
		k.refusedBack(t, b.authorize(t, k), "invalid_request")
		for _, kind := range []string{"token", "id_token", "code token", "code id_token", "code id_token token", "none", "CODE", "device", "code code"} {
			k := a.ask("response_type", kind)
			k.refusedBack(t, b.authorize(t, k), "unsupported_response_type")
		}
	})
}

func TestLine08NoParameterTwice(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.app(t)
		for who, b := range everyone(t, s) {
			for name, v := range a.ask("prompt", "consent", "unknown", "x").Values {
				for _, second := range []string{v[0], "other"} {
					k := a.ask("prompt", "consent", "unknown", "x")
					k.Values.Add(name, second)
					p := b.authorize(t, k)
					switch name {
					case "client_id", "redirect_uri":
						p.stays(t, 400) // which of them would be trusted?
					case "state": // which of them would be echoed?
						if p.Header.Get("Location") == "" {
							p.stays(t, 400)
						} else if q := k.back(t, p); q.Get("error") != "invalid_request" || q.Has("code") {
							t.Errorf("%s: state twice brings back %v", who, q)
						}
					default:
						k.refusedBack(t, p, "invalid_request")
					}
				}
			}
		}
		confidential := s.confidential(t)
		for _, name := range []string{"grant_type", "scope", "resource"} {
			v := url.Values{"grant_type": {"client_credentials"}, "scope": {"events:read"}, "resource": {s.issuer}}
			v.Add(name, v.Get(name))
			confidential.post(t, "/oauth/token", v).refused(t, 400, "invalid_request")
		}
	})
}

func TestLine09UnknownIsIgnoredAndEmptyIsAbsent(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.confidential(t)
		k := a.ask("foo", "bar", "nonce", "n", "display", "page", "claims", "{", "state", "", "prompt", "", "resource", "", "dpop_jkt", "", "request_uri", "", "max_age", "x")
		p := b.authorize(t, k).decide(t, "allow")
		if q := k.back(t, p); q.Has("state") || q.Get("code") == "" {
			t.Errorf("the app got %v back", q)
		}
		absent := a.ask("code_challenge", "")
		absent.refusedBack(t, b.authorize(t, absent), "invalid_request")
		k = a.ask("scope", "events:read tickets:read")
		got := newTokens(t, k.exchange(t, b.allow(t, k), "foo", "bar", "scope", "", "resource", "", "client_secret", "", "client_assertion", ""))
		got = newTokens(t, a.refresh(t, got.refresh, "foo", "bar", "scope", "", "resource", ""))
		if scope := got.text("scope"); scope != "events:read tickets:read" {
			t.Errorf("an empty scope narrowed to %q", scope)
		}
		a.token(t, "").refused(t, 400, "invalid_request")
	})
}

func TestLine10StateComesBackAsItWas(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.confidential(t)
		b.grant(t, a) // from now on nobody is asked
		for _, state := range []string{
			"plain", "a b+c%20d", "&state=other&x=1", "=?#/\\", "\"'<script>", "ünï-漢字-🎟", strings.Repeat("x", 2000), "%", "%zz", "a\tb", " ", "{\"a\":[1]}", "~`!@$^*()[]|;:,",
		} {
			k := a.ask("state", state)
			q := k.back(t, b.authorize(t, k))
			if !slices.Equal(q["state"], []string{state}) || q.Get("code") == "" {
				t.Errorf("state %q came back as %q in %v", state, q["state"], q)
			}
			k.Set("response_type", "token")
			k.refusedBack(t, b.authorize(t, k), "unsupported_response_type")
		}
		for _, kind := range []string{"code", "token"} {
			k := a.ask("state", left, "response_type", kind)
			if q := k.back(t, b.authorize(t, k)); q.Has("state") {
				t.Errorf("a state was invented: %v", q)
			}
		}
	})
}

func TestLine11IssComesBackAlways(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.app(t, "redirectUris", []string{"https://app.example.com/cb?has=query"})
		issuer := s.do(t, "GET", "/.well-known/oauth-authorization-server", nil).must(t, 200).text("issuer")
		for _, c := range []struct{ kind, decision string }{{"code", "allow"}, {"code", "deny"}, {"token", ""}} {
			k := a.ask("response_type", c.kind)
			p := b.authorize(t, k)
			if c.decision != "" {
				p = p.decide(t, c.decision)
			}
			if q := k.back(t, p); !slices.Equal(q["iss"], []string{issuer}) || q.Get("has") != "query" {
				t.Errorf("%v brings back %v, want iss %s", c, q, issuer)
			}
		}
	})
}

func TestLine12EveryClientNeedsAChallenge(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b := s.owner(t)
		for _, a := range []*app{s.app(t), s.confidential(t), s.app(t, "authMethod", "client_secret_post"), s.app(t, "authMethod", "private_key_jwt")} {
			for _, over := range [][]string{{"code_challenge", left}, {"code_challenge", left, "code_challenge_method", left}, {"code_challenge", ""}} {
				k := a.ask(over...)
				k.refusedBack(t, b.authorize(t, k), "invalid_request")
			}
		}
	})
}

func TestLine13OnlyS256(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.app(t)
		for _, method := range []string{left, "", "plain", "s256", "S512", "S256 plain"} {
			k := a.ask("code_challenge_method", method)
			k.refusedBack(t, b.authorize(t, k), "invalid_request")
		}
	})
}

func TestLine14AChallengeIs43Characters(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.app(t)
		good := hashed("x")
		for _, c := range []string{good[:42], good + "A", good + "=", strings.Repeat("+", 43), strings.Repeat("/", 43), good[:42] + ".", good[:42] + " ", good[:41] + "é", strings.Repeat("A", 5000)} {
			k := a.ask("code_challenge", c)
			k.refusedBack(t, b.authorize(t, k), "invalid_request")
		}
	})
}

func TestLine15ScopesAreChecked(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.app(t, "scopes", []string{"events:read", "tickets:read"})
		for _, wanted := range []string{
			"nonsense", "events:read nonsense", "events:write", "events:read events:write", "events:read  tickets:read", " events:read", "events:read ", "EVENTS:READ",
			"events:*", "*", "events:read,tickets:read", "events:read\ttickets:read", "\"", "write:webhooks", "openid",
		} {
			k := a.ask("scope", wanted)
			k.refusedBack(t, b.authorize(t, k), "invalid_scope")
		}
		k := a.ask("scope", "events:read tickets:read")
		p := b.authorize(t, k)
		f := p.form(t, "/oauth/consent")
		if !slices.Contains(f.boxes["scope"], "tickets:read") {
			t.Fatalf("the person cannot choose scopes: %v", f.boxes)
		}
		f.values["scope"] = []string{"events:read"}
		code := k.back(t, b.submit(t, f.with("decision", "allow"))).Get("code")
		if got := newTokens(t, k.exchange(t, code)); got.text("scope") != "events:read" {
			t.Errorf("allowed was events:read alone, the answer says %q", got.text("scope"))
		}
		// A person cannot be made to allow more than was asked.
		k = a.ask("scope", "events:read")
		f = b.authorize(t, k).form(t, "/oauth/consent")
		f.values["scope"] = []string{"events:read", "tickets:read", "events:write"}
		if p := b.submit(t, f.with("decision", "allow")); p.Header.Get("Location") != "" && k.back(t, p).Has("code") {
			if got := newTokens(t, k.exchange(t, k.back(t, p).Get("code"))); got.text("scope") != "events:read" {
				t.Errorf("asked was events:read, the form allowed %q", got.text("scope"))
			}
		}
		// The same set, in StubHub's names and in ours; the answer is in ours.
		stub := s.confidential(t)
		if got := stub.machine(t, "scope", "read:webhooks write:webhooks read:events"); got.text("scope") != "events:read webhooks:manage" {
			t.Errorf("StubHub's names were answered with %q", got.text("scope"))
		}
		stub.token(t, "client_credentials", "scope", "stamps:write").refused(t, 400, "invalid_scope")
	})
}

func TestLine16GETAndPOSTOnlyAndNotMuch(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.app(t)
		b.post(t, "/oauth/authorize", a.ask().Values).must(t, 200).form(t, "/oauth/consent")
		b.get(t, "/authorize?"+a.ask().Encode()).must(t, 200).form(t, "/oauth/consent")
		for _, path := range []string{"/oauth/authorize", "/authorize"} {
			for _, method := range []string{"PUT", "PATCH", "DELETE", "TRACE"} {
				if r := s.do(t, method, path+"?"+a.ask().Encode(), nil); r.Status != 405 || !strings.Contains(r.Header.Get("Allow"), "POST") {
					t.Errorf("%s = %d, Allow %q", r.asked, r.Status, r.Header.Get("Allow"))
				}
			}
			b.post(t, path, a.ask("state", strings.Repeat("x", 65<<10)).Values).must(t, 413)
		}
		b.post(t, "/oauth/authorize", a.ask("state", strings.Repeat("x", 30<<10)).Values).must(t, 200)
	})
}

// pages are all sorts of what a browser gets to see on the way: the sign-in, the consent, an error, the redirects.
func pages(t *testing.T, s *site) map[string]*page {
	t.Helper()
	b, a := s.owner(t), s.app(t)
	all := map[string]*page{
		"consent":  b.authorize(t, a.ask()),
		"fault":    b.authorize(t, a.ask("client_id", "oa_unknown")),
		"refused":  b.authorize(t, a.ask("response_type", "token")),
		"to sign":  s.browser().authorize(t, a.ask()),
		"sign-in":  s.browser().authorize(t, a.ask()).follow(t),
		"sign-up":  s.browser().get(t, "/sign-up"),
		"code":     b.get(t, "/oauth/device"),
		"apps":     b.get(t, "/account/apps"),
		"allowed":  b.authorize(t, a.ask()).decide(t, "allow"),
		"denied":   b.authorize(t, a.ask()).decide(t, "deny"),
		"replayed": nil,
	}
	f := b.authorize(t, a.ask()).form(t, "/oauth/consent").with("decision", "deny")
	b.submit(t, f)
	all["replayed"] = b.submit(t, f)
	return all
}

func TestLine17PagesAreNotFramed(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		for name, p := range pages(t, s) {
			if csp := p.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") {
				t.Errorf("%s: Content-Security-Policy %q", name, csp)
			}
			if x := p.Header.Get("X-Frame-Options"); x != "DENY" && p.Status/100 != 3 {
				t.Errorf("%s: X-Frame-Options %q", name, x)
			}
		}
	})
}

func TestLine18NoCORSAtTheAuthorizationEndpoint(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.app(t)
		for _, origin := range []string{"https://app.example.com", "null", s.issuer} {
			for _, r := range []reply{
				b.get(t, a.ask().path(), "Origin", origin).reply,
				s.do(t, "OPTIONS", "/oauth/authorize", nil, "Origin", origin, "Access-Control-Request-Method", "GET"),
				s.do(t, "OPTIONS", "/authorize", nil, "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization"),
			} {
				for name := range r.Header {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("%s from %s has %s", r.asked, origin, name)
					}
				}
			}
		}
	})
}

func TestLine19CredentialsAreNotPostedOn(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		p := s.attendee(t) // both of its posts were answered with 303: see there
		a := s.app(t)
		k := a.ask("scope", "events:read")
		to := s.browser().authorize(t, k).must(t, 303).location(t)
		if to.Path != "/login" || to.IsAbs() && to.Host != p.get(t, "/account").URL.Host {
			t.Fatalf("who is not signed in is sent to %s", to)
		}
		fresh := s.browser()
		f := fresh.authorize(t, k).follow(t).form(t, "/login").with("email", p.Email, "password", p.Password)
		in := fresh.submit(t, f).must(t, 303)
		consent := in.follow(t)
		if consent.URL.Path != "/oauth/authorize" {
			t.Fatalf("after the sign-in, the person is at %s", consent.URL)
		}
		for _, decision := range []string{"allow", "deny"} {
			fresh.authorize(t, k).decide(t, decision).must(t, 303)
		}
	})
}

func TestLine20PagesAreNeitherReferredToNorKept(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		for name, p := range pages(t, s) {
			if p.Header.Get("Referrer-Policy") != "no-referrer" || p.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: Referrer-Policy %q, Cache-Control %q", name, p.Header.Get("Referrer-Policy"), p.Header.Get("Cache-Control"))
			}
		}
	})
}

func TestLine21ConsentIsForOneSessionAndOnce(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.app(t)
		other := s.attendee(t)
		fill := func() *form { return b.authorize(t, a.ask()).form(t, "/oauth/consent").with("decision", "allow") }
		refused := func(what string, p *page) {
			t.Helper()
			if p.Status != 403 || p.Header.Get("Location") != "" {
				t.Errorf("%s = %d to %q, want 403\n%.300s", what, p.Status, p.Header.Get("Location"), p.words())
			}
		}
		refused("without a CSRF token", b.submit(t, fill().with("csrf", "")))
		refused("with another CSRF token", b.submit(t, fill().with("csrf", random()+random())))
		refused("with another session's CSRF token", b.submit(t, fill().with("csrf", other.get(t, "/account").forms()[0].values.Get("csrf"))))
		refused("without a request", b.submit(t, fill().with("request", "")))
		refused("with an invented request", b.submit(t, fill().with("request", random()+random())))
		f := fill()
		refused("by another session", other.submit(t, f))
		theirs := other.authorize(t, a.ask()).form(t, "/oauth/consent").values.Get("csrf")
		refused("by another session with its own CSRF token", other.submit(t, fill().with("csrf", theirs)))
		if p := s.browser().submit(t, fill()); p.Status/100 == 2 || strings.HasPrefix(p.Header.Get("Location"), a.redirect) {
			t.Errorf("by nobody = %d to %q", p.Status, p.Header.Get("Location"))
		}
		f = fill()
		b.submit(t, f).must(t, 303)
		refused("a second time", b.submit(t, f))
		refused("a second time, denied", b.submit(t, f.with("decision", "deny")))
		for _, from := range [][]string{{"Origin", "https://evil.example"}, {"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, {"Origin", "null"}} {
			r := s.request(t, "POST", "/oauth/consent", []byte(fill().values.Encode()), append([]string{"Content-Type", formType}, from...)...)
			refused("from another site", b.load(t, r))
		}
		for _, decision := range []string{"", "maybe", "ALLOW"} {
			if p := b.submit(t, fill().with("decision", decision)); p.Status/100 != 4 && !strings.Contains(p.Header.Get("Location"), "error=") {
				t.Errorf("the decision %q = %d to %q", decision, p.Status, p.Header.Get("Location"))
			}
		}
		if p := b.get(t, "/oauth/consent"); p.Status != 405 {
			t.Errorf("GET /oauth/consent = %d", p.Status)
		}
	})
}

func TestLine22ConsentSaysWhoWhereAndWhat(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b := s.owner(t)
		name := `<img src=x onerror=alert(1)>"'&amp;{{.}}`
		a := s.app(t, "name", name, "redirectUris", []string{"https://wonder.example.com/cb"}, "scopes", names(scope.All()))
		k := a.ask("scope", scope.All().String(), "state", `"><script>alert(2)</script>`)
		p := b.authorize(t, k).must(t, 200)
		words := p.words()
		for _, want := range append([]string{name, "wonder.example.com", b.Email}, sentences(scope.All())...) {
			if !strings.Contains(words, want) {
				t.Errorf("the page does not say %q:\n%s", want, words)
			}
		}
		for _, not := range []string{"<img", "<script", "onerror=alert(1)>\""} {
			if strings.Contains(string(p.Body), not) {
				t.Errorf("the page has %s in it", not)
			}
		}
		few := b.authorize(t, a.ask("scope", "events:read")).words()
		if !strings.Contains(few, scope.EventsRead.Words()) || strings.Contains(few, scope.StampsWrite.Words()) {
			t.Errorf("asked for events:read alone, the page says:\n%s", few)
		}
		native := s.app(t, "redirectUris", []string{"com.example.native:/cb"})
		if words := b.authorize(t, native.ask()).words(); !strings.Contains(words, "com.example.native") {
			t.Errorf("the page does not say where a private scheme leads:\n%s", words)
		}
	})
}

func names(set scope.Set) (all []string) {
	for _, one := range set.List() {
		all = append(all, string(one))
	}
	return all
}

func sentences(set scope.Set) (all []string) {
	for _, one := range set.List() {
		all = append(all, one.Words())
	}
	return all
}

func TestLine23PromptNoneAndNo(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b := s.owner(t)
		for _, a := range []*app{s.app(t), s.confidential(t)} {
			k := a.ask("prompt", "none")
			k.refusedBack(t, s.browser().authorize(t, k), "login_required")
			k.refusedBack(t, b.authorize(t, k), "consent_required")
			k = a.ask()
			k.refusedBack(t, b.authorize(t, k).decide(t, "deny"), "access_denied")
		}
		a := s.confidential(t)
		b.grant(t, a)
		k := a.ask("prompt", "none")
		if q := k.back(t, b.authorize(t, k)); q.Get("code") == "" {
			t.Errorf("with a grant, prompt=none brings back %v", q)
		}
		b.authorize(t, a.ask("prompt", "consent")).must(t, 200).form(t, "/oauth/consent")
		k = a.ask("prompt", "none", "scope", "events:read tickets:read")
		k.refusedBack(t, b.authorize(t, k), "consent_required")
	})
}

func TestLine24NoOpenRedirector(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.app(t)
		evil := "https://evil.example/cb"
		for _, b := range everyone(t, s) {
			for _, over := range [][]string{
				{"response_type", "token"},
				{"scope", "nonsense"},
				{"code_challenge", left},
				{"prompt", "none"},
				{"request_uri", evil},
				{"request", "x.y.z"},
				{"code_challenge_method", "plain"},
				{"client_id", left},
				{"client_id", "oa_unknown"},
				{"resource", evil},
				{"state", evil},
				{},
			} {
				b.authorize(t, a.ask(append([]string{"redirect_uri", evil}, over...)...)).stays(t, 400)
			}
			if to := b.get(t, "/login?next="+url.QueryEscape(evil)); strings.Contains(to.Header.Get("Location"), "evil") {
				t.Errorf("the sign-in leads to %s", to.Header.Get("Location"))
			}
		}
		p := s.attendee(t)
		for _, next := range []string{evil, "//evil.example", "/\\evil.example", "/\t/evil.example", "https:evil.example", "\\\\evil.example", "/%09/evil.example", "http:///evil.example", " //evil.example"} {
			fresh := s.browser()
			f := fresh.get(t, "/login?next="+url.QueryEscape(next)).form(t, "/login").with("email", p.Email, "password", p.Password, "next", next)
			to := fresh.submit(t, f).must(t, 303).Header.Get("Location")
			if u, err := p.get(t, "/account").URL.Parse(to); err != nil || u.Host != strings.TrimPrefix(s.URL, "http://") || strings.HasPrefix(to, "//") || strings.HasPrefix(to, "/\\") {
				t.Errorf("after a sign-in with next=%q the browser goes to %q", next, to)
			}
		}
		// Nobody is sent on unasked: not by an app that was never seen, nor by one whose secret anybody could have.
		b := s.owner(t)
		b.authorize(t, s.confidential(t).ask()).stays(t, 200)
		b.grant(t, a)
		b.authorize(t, a.ask()).stays(t, 200)
	})
}

func TestLine25NoAuthorizationOverPlainHTTP(t *testing.T) {
	own(t, []string{"--oauth-per-minute", "0", "--public-url", "http://tickets.example.com"}, func(t *testing.T, s *site) {
		s.issuer = "http://tickets.example.com"
		a := s.app(t)
		for who, b := range everyone(t, s) {
			p := b.authorize(t, a.ask())
			if p.Status < 400 || p.Header.Get("Location") != "" || len(p.forms()) != 0 && strings.Contains(string(p.Body), "/oauth/consent") {
				t.Errorf("%s: %s = %d to %q, want a refusal\n%s", who, p.asked, p.Status, p.Header.Get("Location"), p.words())
			}
		}
	})
}
