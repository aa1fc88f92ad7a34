package oauth

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// left stands for a parameter that is left out.
const left = "\x00left out"

// set sets parameters, given as names and values.
func set(v url.Values, over []string) url.Values {
	for i := 0; i < len(over); i += 2 {
		if over[i+1] == left {
			v.Del(over[i])
		} else {
			v.Set(over[i], over[i+1])
		}
	}
	return v
}

// ask is an authorization request, and what the app remembers for the exchange.
type ask struct {
	app *app
	url.Values
	verifier string
}

// ask makes an authorization request in which all is right, but for the parameters that are given.
func (a *app) ask(over ...string) *ask {
	k := &ask{app: a, verifier: random() + random() + random()}
	harness.Secret(k.verifier)
	k.Values = set(url.Values{
		"response_type": {"code"}, "client_id": {a.ID}, "redirect_uri": {a.redirect}, "scope": {"events:read"}, "state": {random()},
		"code_challenge": {hashed(k.verifier)}, "code_challenge_method": {"S256"},
	}, over)
	return k
}

func (k *ask) path() string { return "/oauth/authorize?" + k.Encode() }

// authorize takes the request to the server.
func (b *browser) authorize(t testing.TB, k *ask) *page {
	t.Helper()
	return b.get(t, k.path())
}

// decide answers a consent page.
func (p *page) decide(t testing.TB, decision string, over ...string) *page {
	t.Helper()
	f := p.form(t, "/oauth/consent")
	if f.values.Get("org") == "" && len(f.boxes["org"]) > 0 {
		f.values.Set("org", f.boxes["org"][0])
	}
	return p.b.submit(t, f.with("decision", decision).with(over...))
}

// back are the parameters that the browser brings back to the app. The page must redirect there.
func (k *ask) back(t testing.TB, p *page) url.Values {
	t.Helper()
	u := p.location(t)
	uri := k.Get("redirect_uri")
	if uri == "" {
		uri = k.app.redirect
	}
	own, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	base, _, _ := strings.Cut(uri, "?")
	got, _, _ := strings.Cut(u.String(), "?")
	q := u.Query()
	if p.Status != 303 && p.Status != 302 || got != base || u.Fragment != "" {
		t.Fatalf("%s = %d to %s, want a redirect to %s", p.asked, p.Status, u, uri)
	}
	for name, v := range own.Query() { // what was registered stays (RFC 6749 §3.1.2)
		if !slices.Equal(q[name], v) {
			t.Errorf("%s redirects to %s, without all of %s", p.asked, u, uri)
		}
	}
	return q
}

// refusedBack checks that the browser brings an error back, with all that belongs to it (RFC 6749 §4.1.2.1, RFC 9207 §2).
func (k *ask) refusedBack(t testing.TB, p *page, code string) {
	t.Helper()
	if p.Header.Get("Location") == "" {
		t.Errorf("%s?%.300s = %d without a redirect, want the error %s\n%.300s", p.asked, p.URL.RawQuery, p.Status, code, p.words())
		return
	}
	q := k.back(t, p)
	if q.Get("error") != code || q.Has("code") || q.Get("iss") != k.app.s.issuer || q.Get("state") != k.Get("state") {
		t.Errorf("%s?%.300s brings back %v, want the error %s, iss and state", p.asked, p.URL.RawQuery, q, code)
	}
}

// allow has the person allow what is asked, and returns the code. A page that is skipped is not missed.
func (p *person) allow(t testing.TB, k *ask, over ...string) string {
	t.Helper()
	got := p.authorize(t, k)
	if got.Status == 200 {
		got = got.decide(t, "allow", over...)
	}
	q := k.back(t, got)
	if !strings.HasPrefix(q.Get("code"), "sdc_") || q.Get("iss") != k.app.s.issuer || q.Get("state") != k.Get("state") {
		t.Fatalf("the app got %v back", q)
	}
	return q.Get("code")
}

// tokens are what an app got.
type tokens struct {
	reply
	access, refresh string
}

func newTokens(t testing.TB, r reply) tokens {
	t.Helper()
	r.must(t, 200)
	k := tokens{r, r.text("access_token"), r.text("refresh_token")}
	if !strings.HasPrefix(k.access, "sda_") {
		t.Fatalf("%s: no access token in %.300s", r.asked, r.Body)
	}
	return k
}

// exchange exchanges a code.
func (k *ask) exchange(t testing.TB, code string, over ...string) reply {
	t.Helper()
	return k.app.token(t, "authorization_code", append([]string{"code", code, "redirect_uri", k.Get("redirect_uri"), "code_verifier", k.verifier}, over...)...)
}

// grant goes the whole way: request, consent, exchange.
func (p *person) grant(t testing.TB, a *app, over ...string) tokens {
	t.Helper()
	k := a.ask(over...)
	return newTokens(t, k.exchange(t, p.allow(t, k)))
}

// refresh uses a refresh token.
func (a *app) refresh(t testing.TB, token string, over ...string) reply {
	t.Helper()
	return a.token(t, "refresh_token", append([]string{"refresh_token", token}, over...)...)
}

// machine gets a token for the app itself.
func (a *app) machine(t testing.TB, over ...string) tokens {
	t.Helper()
	return newTokens(t, a.token(t, "client_credentials", append([]string{"scope", "events:read"}, over...)...))
}

// token asks the token endpoint as the app.
func (a *app) token(t testing.TB, grantType string, over ...string) reply {
	t.Helper()
	return a.post(t, "/oauth/token", set(url.Values{"grant_type": {grantType}}, over))
}

// introspect and revoke ask about a token as the app.
func (a *app) introspect(t testing.TB, token string, over ...string) reply {
	t.Helper()
	return a.post(t, "/oauth/introspect", set(url.Values{"token": {token}}, over))
}

func (a *app) revoke(t testing.TB, token string, over ...string) reply {
	t.Helper()
	return a.post(t, "/oauth/revoke", set(url.Values{"token": {token}}, over))
}

// post posts a form as the app, which shows who it is by its method, and proves its key where it has one.
func (a *app) post(t testing.TB, path string, v url.Values, header ...string) reply {
	t.Helper()
	r := a.s.send(t, a.request(t, path, v, "", header...))
	if nonce := r.Header.Get("Dpop-Nonce"); a.proves != nil && r.text("error") == "use_dpop_nonce" && nonce != "" {
		r = a.s.send(t, a.request(t, path, v, nonce, header...))
	}
	return r
}

func (a *app) request(t testing.TB, path string, v url.Values, nonce string, header ...string) *http.Request {
	t.Helper()
	v, header = a.identified(t, maps.Clone(v), slices.Clone(header))
	if a.proves != nil {
		var extra []any
		if nonce != "" {
			extra = []any{"nonce", nonce}
		}
		header = append(header, "DPoP", a.proves.dpop(t, "POST", a.s.issuer+path, extra...))
	}
	return a.s.request(t, "POST", path, []byte(v.Encode()), append([]string{"Content-Type", formType}, header...)...)
}

// identified adds what shows who the app is.
func (a *app) identified(t testing.TB, v url.Values, header []string) (url.Values, []string) {
	t.Helper()
	switch a.method {
	case "none":
		setDefault(v, "client_id", a.ID)
	case "client_secret_post":
		setDefault(v, "client_id", a.ID)
		setDefault(v, "client_secret", a.Secret)
	case "client_secret_basic":
		header = append(header, "Authorization", basic(a.ID, a.Secret))
	case "private_key_jwt":
		v.Set("client_assertion_type", assertionType)
		setDefault(v, "client_assertion", a.key.sign(t, "JWT", false, a.assertion()))
	}
	return v, header
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func setDefault(v url.Values, name, value string) {
	if !v.Has(name) {
		v.Set(name, value)
	}
}
