package oauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

// bound makes a confidential app that proves a key.
func (o *org) bound(t testing.TB, over ...any) *app {
	t.Helper()
	a := o.confidential(t, over...)
	a.proves = newKey(t, "ES256")
	return a
}

func (s *site) bound(t testing.TB, over ...any) *app {
	t.Helper()
	return s.home(t).bound(t, over...)
}

// nonce gets a nonce for proofs to the authorization server.
func (s *site) nonce(t testing.TB, k *key) string {
	t.Helper()
	r := s.form(t, "/oauth/token", machineForm, "DPoP", k.dpop(t, "POST", s.issuer+"/oauth/token"))
	if n := r.Header.Get("Dpop-Nonce"); n != "" {
		return n
	}
	a := s.confidential(t)
	a.proves = k
	r = s.send(t, a.request(t, "/oauth/token", machineForm, ""))
	if n := r.Header.Get("Dpop-Nonce"); n != "" {
		return n
	}
	t.Fatalf("%s = %d without a nonce", r.asked, r.Status)
	return ""
}

// use uses a bound token at a resource, with a proof that has these claims beside what belongs into it. It tries again with the nonce that it is told.
func (a *app) use(t testing.TB, token, method, path string, over ...any) reply {
	t.Helper()
	ask := func(over []any) reply {
		jwt := a.proves.dpop(t, method, a.s.issuer+path, append([]any{"ath", hashed(token)}, over...)...)
		return a.s.do(t, method, path, nil, "Authorization", "DPoP "+token, "DPoP", jwt)
	}
	r := ask(over)
	if n := r.Header.Get("Dpop-Nonce"); r.Status == 401 && n != "" && strings.Contains(r.challenges(), "use_dpop_nonce") {
		r = ask(append([]any{"nonce", n}, over...))
	}
	return r
}

// spoiled are proofs in which one thing is wrong, for a request to url with a nonce, and with what a resource wants beside.
func spoiled(t *testing.T, k *key, method, url, nonce string, extra ...any) map[string][]string {
	t.Helper()
	good := func(over ...any) claims {
		return proof(method, url, append([]any{"nonce", nonce}, append(extra, over...)...)...)
	}
	sign := func(over ...any) string { return k.sign(t, "dpop+jwt", true, good(over...)) }
	jwk, private := k.public(), jose.JSONWebKey{Key: k.private}
	header := func(over ...any) claims {
		return claims{"typ": "dpop+jwt", "alg": "ES256", "jwk": json.RawMessage(must(jwk.MarshalJSON()))}.with(over...)
	}
	mac := func(input []byte) []byte {
		h := hmac.New(sha256.New, []byte("secret"))
		h.Write(input)
		return h.Sum(nil)
	}
	other := newKey(t, "ES256")
	ok := sign()
	now := time.Now()
	return map[string][]string{
		"two headers":          {ok, sign()},
		"no JWT":               {"x"},
		"empty":                {""},
		"no jti":               {sign("jti", nil)},
		"no htm":               {sign("htm", nil)},
		"no htu":               {sign("htu", nil)},
		"no iat":               {sign("iat", nil)},
		"another typ":          {k.sign(t, "JWT", true, good())},
		"no typ":               {forged(header("typ", nil), good(), k.raw)},
		"alg none":             {forged(header("alg", "none"), good(), func([]byte) []byte { return nil })},
		"a symmetric alg":      {forged(header("alg", "HS256"), good(), mac)},
		"a symmetric key":      {forged(header("alg", "HS256", "jwk", claims{"kty": "oct", "k": base64url([]byte("secret"))}), good(), mac)},
		"no jwk":               {k.sign(t, "dpop+jwt", false, good())},
		"a private jwk":        {forged(header("jwk", json.RawMessage(must(private.MarshalJSON()))), good(), k.raw)},
		"another's signature":  {forged(header(), good(), other.raw)},
		"a broken signature":   {ok[:len(ok)-8] + "AAAAAAAA"},
		"another method":       {sign("htm", "PUT")},
		"the method's case":    {sign("htm", strings.ToLower(method))},
		"another path":         {sign("htu", url+"/x")},
		"another host":         {sign("htu", strings.Replace(url, "//", "//x", 1))},
		"no URL":               {sign("htu", "x")},
		"a future iat":         {sign("iat", now.Add(time.Hour).Unix())},
		"an old iat":           {sign("iat", now.Add(-time.Hour).Unix())},
		"an iat that is text":  {sign("iat", "now")},
		"another nonce":        {sign("nonce", random())},
		"no nonce":             {sign("nonce", nil)},
		"a critical extension": {forged(header("crit", []string{"x"}, "x", 1), good(), k.raw)},
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestLine80ProofsAtTheAuthorizationServer(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.bound(t)
		nonce := s.nonce(t, a.proves)
		plain := *a
		plain.proves = nil
		for what, jwts := range spoiled(t, a.proves, "POST", s.issuer+"/oauth/token", nonce) {
			var header []string
			for _, jwt := range jwts {
				header = append(header, "DPoP", jwt)
			}
			r := plain.post(t, "/oauth/token", machineForm, header...)
			want := "invalid_dpop_proof"
			if strings.HasSuffix(what, "nonce") {
				want = "use_dpop_nonce"
			}
			if r.Status != 400 || r.text("error") != want {
				t.Errorf("%s: %s = %d %.300s, want 400 %s", what, r.asked, r.Status, r.Body, want)
			}
		}
		once := a.proves.dpop(t, "POST", s.issuer+"/oauth/token", "nonce", nonce)
		plain.post(t, "/oauth/token", machineForm, "DPoP", once).must(t, 200)
		plain.post(t, "/oauth/token", machineForm, "DPoP", once).refused(t, 400, "invalid_dpop_proof") // jti was seen
		for _, same := range []string{
			s.issuer + "/oauth/token?x=1", s.issuer + "/oauth/token#x", strings.Replace(s.issuer, "http:", "HTTP:", 1) + "/oauth/token", s.issuer + "/oauth/%74oken", s.issuer + "/oauth/x/../token",
		} { // without query and fragment, and normalised (RFC 9449 §4.3)
			plain.post(t, "/oauth/token", machineForm, "DPoP", a.proves.dpop(t, "POST", same, "nonce", nonce)).must(t, 200)
		}
	})
}

func TestLine80ProofsAtAResource(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.bound(t)
		token := a.machine(t).access
		path := "/api/v1/events"
		a.use(t, token, "GET", path).must(t, 200)
		nonce := s.nonce(t, a.proves)
		r := s.do(t, "GET", path, nil, "Authorization", "DPoP "+token, "DPoP", a.proves.dpop(t, "GET", s.issuer+path, "ath", hashed(token)))
		if n := r.Header.Get("Dpop-Nonce"); n != "" {
			nonce = n
		}
		bad := spoiled(t, a.proves, "GET", s.issuer+path, nonce, "ath", hashed(token))
		sign := func(k *key, over ...any) []string {
			return []string{k.dpop(t, "GET", s.issuer+path, append([]any{"ath", hashed(token), "nonce", nonce}, over...)...)}
		}
		bad["no ath"], bad["another ath"], bad["another key"] = sign(a.proves, "ath", nil), sign(a.proves, "ath", hashed("x")), sign(newKey(t, "ES256"))
		bad["no proof"] = nil
		for what, jwts := range bad {
			header := []string{"Authorization", "DPoP " + token}
			for _, jwt := range jwts {
				header = append(header, "DPoP", jwt)
			}
			r := s.do(t, "GET", path, nil, header...)
			if w := r.challenges(); r.Status != 401 || !strings.Contains(w, "DPoP") {
				t.Errorf("%s: %s = %d, WWW-Authenticate %q", what, r.asked, r.Status, w)
			}
		}
		once := sign(a.proves)[0]
		s.do(t, "GET", path, nil, "Authorization", "DPoP "+token, "DPoP", once).must(t, 200)
		s.do(t, "GET", path, nil, "Authorization", "DPoP "+token, "DPoP", once).must(t, 401)
	})
}

func TestLine81TokensAreBoundToTheKey(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.app(t)
		a.proves = newKey(t, "ES256")
		got := s.owner(t).grant(t, a)
		if got.text("token_type") != "DPoP" {
			t.Errorf("token_type is %q", got.text("token_type"))
		}
		a.use(t, got.access, "GET", "/api/v1/events").must(t, 200)
		// A public client's refresh token is bound to the key as well.
		thief := *a
		thief.proves = newKey(t, "ES256")
		if r := thief.refresh(t, got.refresh); r.Status != 400 || r.text("error") != "invalid_grant" && r.text("error") != "invalid_dpop_proof" {
			t.Errorf("a refresh with another key = %d %s", r.Status, r.Body)
		}
		thief.proves = nil
		if r := thief.refresh(t, got.refresh); r.Status != 400 {
			t.Errorf("a refresh without a proof = %d %s", r.Status, r.Body)
		}
		next := newTokens(t, a.refresh(t, got.refresh))
		a.use(t, next.access, "GET", "/api/v1/events").must(t, 200)
		a.use(t, next.access, "GET", "/api/v1/events/nothing").must(t, 404)
		// A confidential client has its authentication instead and may take a new key (§5).
		c := s.bound(t)
		first := s.owner(t).grant(t, c)
		if jkt := plainly(c).introspect(t, first.access).text("cnf.jkt"); jkt != c.proves.thumbprint(t) {
			t.Errorf("cnf.jkt is %q", jkt)
		}
		must := s.confidential(t, "requireDpop", true)
		must.token(t, machine, "scope", "events:read").refused(t, 400, "invalid_dpop_proof")
	})
}

func plainly(a *app) *app {
	b := *a
	b.proves = nil
	return &b
}

func TestLine82ABoundTokenIsNoBearerToken(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.bound(t)
		token := a.machine(t).access
		r := s.bearer(t, token, "GET", "/api/v1/events", nil).must(t, 401)
		if w := r.challenges(); !strings.Contains(w, "invalid_token") {
			t.Errorf("WWW-Authenticate %q", w)
		}
		jwt := a.proves.dpop(t, "GET", s.issuer+"/api/v1/events", "ath", hashed(token), "nonce", s.nonce(t, a.proves))
		s.do(t, "GET", "/api/v1/events", nil, "Authorization", "Bearer "+token, "DPoP", jwt).must(t, 401)
		s.do(t, "GET", "/api/v1/events", nil, "X-API-Key", token).must(t, 401)
		free := plainly(a).machine(t).access // and the other way round
		if r := a.use(t, free, "GET", "/api/v1/events"); r.Status != 401 {
			t.Errorf("a bearer token shown as DPoP = %d", r.Status)
		}
	})
}

func TestLine83NoncesAreAskedFor(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.bound(t)
		r := s.send(t, a.request(t, "/oauth/token", machineForm, ""))
		r.refused(t, 400, "use_dpop_nonce")
		nonce := r.Header.Get("Dpop-Nonce")
		if nonce == "" {
			t.Fatal("there is no nonce in the answer")
		}
		token := s.send(t, a.request(t, "/oauth/token", machineForm, nonce)).must(t, 200).text("access_token")
		path := "/api/v1/events"
		ask := func(nonce any) reply {
			return s.do(t, "GET", path, nil, "Authorization", "DPoP "+token, "DPoP", a.proves.dpop(t, "GET", s.issuer+path, "ath", hashed(token), "nonce", nonce))
		}
		r = ask(nil).must(t, 401)
		if w := r.challenges(); !strings.Contains(w, `DPoP`) || !strings.Contains(w, `error="use_dpop_nonce"`) || r.Header.Get("Dpop-Nonce") == "" {
			t.Fatalf("WWW-Authenticate %q, DPoP-Nonce %q", w, r.Header.Get("Dpop-Nonce"))
		}
		ask(r.Header.Get("Dpop-Nonce")).must(t, 200)
	})
}

func TestLine84ACodeIsBoundByDpopJkt(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b := s.owner(t)
		for _, pushed := range []bool{false, true} {
			a := s.app(t)
			k := newKey(t, "ES256")
			get := func() (*ask, string) {
				q := a.ask("dpop_jkt", k.thumbprint(t))
				if pushed {
					return q, b.pushed(t, q)
				}
				return q, b.allow(t, q)
			}
			q, c := get()
			a.proves = newKey(t, "ES256")
			if r := q.exchange(t, c); r.Status != 400 || r.text("error") != "invalid_grant" && r.text("error") != "invalid_dpop_proof" {
				t.Errorf("with another key = %d %s", r.Status, r.Body)
			}
			a.proves = nil
			q, c = get()
			if r := q.exchange(t, c); r.Status != 400 {
				t.Errorf("without a proof = %d %s", r.Status, r.Body)
			}
			q, c = get()
			a.proves = k
			newTokens(t, q.exchange(t, c))
			a.proves = nil
		}
		a := s.bound(t) // a proof at the push binds as well (§10.1)
		q := a.ask()
		c := b.pushed(t, q)
		thief := *a
		thief.proves = newKey(t, "ES256")
		q.app = &thief
		if r := q.exchange(t, c); r.Status != 400 {
			t.Errorf("pushed with a proof, exchanged with another key = %d %s", r.Status, r.Body)
		}
		bad := a.ask("dpop_jkt", newKey(t, "ES256").thumbprint(t))
		if r := a.post(t, "/oauth/par", bad.Values); r.Status != 400 {
			t.Errorf("pushed with a proof and another dpop_jkt = %d", r.Status)
		}
		for _, jkt := range []string{"x", strings.Repeat("A", 44), strings.Repeat("!", 43)} {
			k := a.ask("dpop_jkt", jkt)
			k.refusedBack(t, b.authorize(t, k), "invalid_request")
		}
	})
}

// That what was seen is forgotten in time, so that there is a bound to it, cannot be seen from outside: package oauth tests it.
func TestLine84AProofIsSeenByEveryNode(t *testing.T) {
	nodes(t, func(t *testing.T, one, two *site) {
		a := one.home(t).bound(t)
		nonce := one.nonce(t, a.proves)
		plain := plainly(a)
		ask := func(s *site, jwt string) reply {
			there := *plain
			there.s = s
			return there.post(t, "/oauth/token", machineForm, "DPoP", jwt)
		}
		jwt := a.proves.dpop(t, "POST", one.issuer+"/oauth/token", "nonce", nonce)
		ask(one, jwt).must(t, 200)
		ask(two, jwt).refused(t, 400, "invalid_dpop_proof")
		for range 10 { // and at the same time
			jwt := a.proves.dpop(t, "POST", one.issuer+"/oauth/token", "nonce", nonce)
			var both sync.WaitGroup
			got := make([]reply, 10)
			for i := range got {
				both.Go(func() { got[i] = ask([]*site{one, two}[i%2], jwt) })
			}
			both.Wait()
			won := 0
			for _, r := range got {
				if r.Status == 200 {
					won++
				}
			}
			if won != 1 {
				t.Errorf("one proof was taken %d times", won)
			}
		}
		token := newTokens(t, ask(two, a.proves.dpop(t, "POST", one.issuer+"/oauth/token", "nonce", nonce))).access
		seen := a.proves.dpop(t, "GET", one.issuer+"/api/v1/events", "ath", hashed(token), "nonce", nonce)
		harness.Secret(seen)
		one.do(t, "GET", "/api/v1/events", nil, "Authorization", "DPoP "+token, "DPoP", seen).must(t, 200)
		two.do(t, "GET", "/api/v1/events", nil, "Authorization", "DPoP "+token, "DPoP", seen).must(t, 401)
	})
}
