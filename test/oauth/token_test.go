package oauth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestLine26FormsByPOSTOnly(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		auth := []string{"Authorization", basic(a.ID, a.Secret)}
		for _, path := range []string{"/oauth/token", "/oauth2/token", "/oauth/revoke", "/oauth/introspect", "/oauth/par"} {
			for _, method := range []string{"GET", "PUT", "DELETE", "PATCH"} {
				if r := s.do(t, method, path+"?grant_type=client_credentials&scope=events:read", nil, auth...); r.Status != 405 || !strings.Contains(r.Header.Get("Allow"), "POST") {
					t.Errorf("%s = %d, Allow %q", r.asked, r.Status, r.Header.Get("Allow"))
				}
			}
		}
		for _, path := range []string{"/oauth/token", "/oauth2/token"} {
			form := []byte("grant_type=client_credentials&scope=events:read")
			s.do(t, "POST", path, form, append([]string{"Content-Type", formType}, auth...)...).must(t, 200)
			s.do(t, "POST", path, form, append([]string{"Content-Type", formType + "; charset=UTF-8"}, auth...)...).must(t, 200)
			for kind, text := range map[string]string{
				"application/json": `{"grant_type":"client_credentials","scope":"events:read"}`, "text/plain": string(form), "": string(form),
				"multipart/form-data; boundary=x": "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--x--\r\n",
			} {
				header := auth
				if kind != "" {
					header = append([]string{"Content-Type", kind}, auth...)
				}
				s.do(t, "POST", path, []byte(text), header...).refused(t, 400, "invalid_request")
			}
			s.do(t, "POST", path+"?"+string(form), nil, append([]string{"Content-Type", formType}, auth...)...).refused(t, 400, "invalid_request")
			s.do(t, "POST", path+"?scope=events:read", []byte("grant_type=client_credentials"), append([]string{"Content-Type", formType}, auth...)...).refused(t, 400, "invalid_request")
			post := s.app(t, "authMethod", "client_secret_post", "grantTypes", []string{machine})
			q := url.Values{"client_id": {post.ID}, "client_secret": {post.Secret}}.Encode()
			if r := s.do(t, "POST", path+"?"+q, form, "Content-Type", formType); r.Status/100 != 4 {
				t.Errorf("a secret in the query = %d", r.Status)
			}
		}
	})
}

func TestLine27CodesAreRandomAndKeptAsHashes(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.confidential(t)
		var codes, gone []string
		for range 20 {
			k := a.ask()
			c := b.allow(t, k)
			codes = append(codes, c)
			if len(codes)%4 == 0 {
				got := newTokens(t, k.exchange(t, c))
				gone = append(gone, got.access, got.refresh, newTokens(t, a.refresh(t, got.refresh)).refresh)
			}
		}
		for i, c := range codes {
			random, _ := strings.CutPrefix(c, "sdc_")
			if b, err := base64.RawURLEncoding.DecodeString(random); err != nil || len(b) < 16 {
				t.Errorf("the code has %d random bytes (%v), want 16 at least", len(b), err)
			}
			for _, other := range codes[:i] {
				if same := common(c, other); same > len("sdc_")+8 {
					t.Errorf("two codes begin alike, with %d characters", same)
				}
			}
		}
		s.keeps(t, append(codes, gone...)...)
	})
}

func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func TestLine27CodesDoNotLiveLong(t *testing.T) {
	brief(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.app(t)
		k := a.ask()
		c := b.allow(t, k)
		time.Sleep(codeLife + margin)
		k.exchange(t, c).refused(t, 400, "invalid_grant")
		k = a.ask()
		k.exchange(t, b.allow(t, k)).must(t, 200)
	})
}

// A server cannot be told to let codes live for longer than a minute.
func TestLine27CodesLiveAMinuteAtMost(t *testing.T) {
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		if s, err := h.Start("--oauth-code-life", "61s"); err == nil {
			s.Kill()
			t.Error("serve takes --oauth-code-life 61s")
		}
	})
}

func TestLine28ACodeUsedTwiceEndsAll(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b := s.owner(t)
		for _, a := range []*app{s.app(t), s.confidential(t)} {
			k := a.ask()
			c := b.allow(t, k)
			first := newTokens(t, k.exchange(t, c))
			later := newTokens(t, a.refresh(t, first.refresh))
			other := b.grant(t, a)
			s.alive(t, first.access)
			k.exchange(t, c).refused(t, 400, "invalid_grant")
			s.dead(t, first.access)
			s.dead(t, later.access)
			a.refresh(t, later.refresh).refused(t, 400, "invalid_grant")
			s.alive(t, other.access) // what came of another authorization
			newTokens(t, a.refresh(t, other.refresh))
		}
	})
}

// rounds is how often a race is run.
func rounds(t *testing.T) int {
	t.Helper()
	if harness.Long() {
		return 1000
	}
	return 20
}

// race makes one request n times at once.
func race(n int, ask func(i int) reply) []reply {
	all := make([]reply, n)
	var runners sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		runners.Go(func() {
			<-start
			all[i] = ask(i)
		})
	}
	close(start)
	runners.Wait()
	return all
}

func TestLine29OneOfManyExchangesWins(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.confidential(t)
		for round := range rounds(t) {
			k := a.ask()
			c := b.allow(t, k)
			won := 0
			var access string
			for _, r := range race(50, func(int) reply { return k.exchange(t, c) }) {
				if r.Status == 200 {
					won++
					access = r.text("access_token")
				} else {
					r.refused(t, 400, "invalid_grant")
				}
			}
			if won != 1 {
				t.Fatalf("round %d: %d of 50 exchanges of one code succeeded", round, won)
			}
			if round == 0 {
				s.dead(t, access) // line 28: a code used twice
			}
		}
	})
}

func TestLine30ACodeIsForItsClient(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b := s.owner(t)
		a, thief := s.app(t), s.app(t)
		elsewhere := s.newOrg(t).confidential(t)
		k := a.ask()
		c := b.allow(t, k)
		for _, other := range []*app{thief, elsewhere} {
			mine := other.ask()
			mine.verifier = k.verifier
			mine.exchange(t, c).refused(t, 400, "invalid_grant")
		}
		got := newTokens(t, k.exchange(t, c)) // the thief did not burn it
		thief.ask().exchange(t, c).refused(t, 400, "invalid_grant")
		s.alive(t, got.access) // nor can somebody else's replay end what came of it
	})
}

func TestLine31TheExchangeNamesTheSameRedirect(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, a := s.owner(t), s.app(t, "redirectUris", []string{"https://app.example.com/one", "https://app.example.com/two", "http://127.0.0.1/cb"})
		for _, uri := range []string{"https://app.example.com/two", "https://app.example.com/one/", "http://127.0.0.1/cb", ""} {
			k := a.ask()
			if r := k.exchange(t, b.allow(t, k), "redirect_uri", uri); uri == "" && r.text("error") == "invalid_request" {
				r.refused(t, 400, "invalid_request")
			} else {
				r.refused(t, 400, "invalid_grant")
			}
		}
		k := a.ask("redirect_uri", "http://127.0.0.1:4000/cb")
		k.exchange(t, b.allow(t, k), "redirect_uri", "http://127.0.0.1:4001/cb").refused(t, 400, "invalid_grant")
	})
}

func TestLine32TheVerifierMustBeRight(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b := s.owner(t)
		for _, a := range []*app{s.app(t), s.confidential(t)} {
			for _, v := range []string{left, "", random() + random() + random(), "short", strings.Repeat("a", 42), strings.Repeat("a", 129), strings.Repeat("a", 42) + "!", strings.Repeat("a", 42) + "é", strings.Repeat("a", 43) + " "} {
				k := a.ask()
				c := b.allow(t, k)
				r := k.exchange(t, c, "code_verifier", v)
				want := "invalid_grant"
				if v == left || v == "" || r.text("error") == "invalid_request" && !wellFormed(v) {
					want = "invalid_request" // RFC 7636 §4.6 names no error for what is no verifier
				}
				r.refused(t, 400, want)
			}
			k := a.ask()
			k.exchange(t, b.allow(t, k), "code_verifier", k.Get("code_challenge")).refused(t, 400, "invalid_grant")
			for _, n := range []int{43, 128} {
				v := strings.Repeat("a-._~Z0", 20)[:n]
				k := a.ask("code_challenge", hashed(v))
				k.verifier = v
				k.exchange(t, b.allow(t, k)).must(t, 200)
			}
			// The hash of something too short is not enough either.
			k = a.ask("code_challenge", hashed("short"))
			k.verifier = "short"
			if r := k.exchange(t, b.allow(t, k)); r.Status != 400 {
				t.Errorf("a short verifier that fits its challenge = %d", r.Status)
			}
		}
	})
}

// wellFormed tells whether a text could be a verifier (RFC 7636 §4.1).
func wellFormed(v string) bool {
	return len(v) >= 43 && len(v) <= 128 && strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~") == ""
}

func TestLine35AConfidentialClientMustShowWhoItIs(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b := s.owner(t)
		for _, method := range []string{"client_secret_basic", "client_secret_post", "private_key_jwt"} {
			a := s.confidential(t, "authMethod", method)
			k := a.ask()
			c := b.allow(t, k)
			form := url.Values{"grant_type": {"authorization_code"}, "code": {c}, "redirect_uri": {a.redirect}, "code_verifier": {k.verifier}, "client_id": {a.ID}}
			s.form(t, "/oauth/token", form).refused(t, 401, "invalid_client")
			for _, secret := range []string{"wrong", "", a.Secret + "x", strings.ToUpper(a.Secret)} {
				r := s.form(t, "/oauth/token", form, "Authorization", basic(a.ID, secret+"!"))
				r.refused(t, 401, "invalid_client")
				if w := r.challenges(); !strings.HasPrefix(w, "Basic") {
					t.Errorf("a failed Authorization is answered with WWW-Authenticate %q", w)
				}
				form.Set("client_secret", secret+"!")
				s.form(t, "/oauth/token", form).refused(t, 401, "invalid_client")
				form.Del("client_secret")
			}
			k.exchange(t, c).must(t, 200) // none of it burned the code
		}
		form := url.Values{"grant_type": {"client_credentials"}, "scope": {"events:read"}}
		s.form(t, "/oauth/token", form).refused(t, 401, "invalid_client")
		s.form(t, "/oauth/token", form, "Authorization", basic("oa_unknown", "x")).refused(t, 401, "invalid_client")
		s.form(t, "/oauth/token", form, "Authorization", "Bearer x").refused(t, 401, "invalid_client")
	})
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

func TestLine36BasicIsFormDecodedFirst(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		form := url.Values{"grant_type": {"client_credentials"}, "scope": {"events:read"}}
		encoded := func(text string) string {
			out := ""
			for _, c := range []byte(text) {
				out += fmt.Sprintf("%%%02X", c)
			}
			return out
		}
		for _, h := range []string{
			basic(a.ID, a.Secret), basic(encoded(a.ID), encoded(a.Secret)), basic(url.QueryEscape(a.ID), url.QueryEscape(a.Secret)), basic(strings.ToLower(encoded(a.ID)), a.Secret),
			"basic" + strings.TrimPrefix(basic(a.ID, a.Secret), "Basic"),
		} {
			s.form(t, "/oauth/token", form, "Authorization", h).must(t, 200)
		}
		for _, h := range []string{
			basic(a.ID, a.Secret+"+"), basic(a.ID, a.Secret+"%"), basic(a.ID, a.Secret+"%2"), basic(a.ID, a.Secret+"%zz"), basic(a.ID, a.Secret+":"), basic(a.ID, a.Secret+"%3A"),
			basic(a.ID, "pässwörd"), basic("ключ", "%D0%BA"), basic(a.ID, "\xff\xfe"), basic("", ""), basic(":", ":"), "Basic", "Basic ", "Basic !!!",
			"Basic " + base64.StdEncoding.EncodeToString([]byte(a.ID)), // no colon
		} {
			s.form(t, "/oauth/token", form, "Authorization", h).refused(t, 401, "invalid_client")
		}
		if r := s.form(t, "/oauth/token", form, "Authorization", basic(a.ID+"%00", a.Secret)); r.Status != 400 && r.Status != 401 {
			t.Errorf("an id with NUL = %d", r.Status)
		}
	})
}

func TestLine37OneAuthenticationMethodAtATime(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b, p, j := s.confidential(t), s.confidential(t, "authMethod", "client_secret_post"), s.confidential(t, "authMethod", "private_key_jwt")
		grant := func(over ...string) url.Values {
			return set(url.Values{"grant_type": {"client_credentials"}, "scope": {"events:read"}}, over)
		}
		assertion := func() []string {
			return []string{"client_assertion_type", assertionType, "client_assertion", j.key.sign(t, "JWT", false, j.assertion())}
		}
		s.form(t, "/oauth/token", grant("client_id", b.ID, "client_secret", b.Secret), "Authorization", basic(b.ID, b.Secret)).refused(t, 400, "invalid_request")
		s.form(t, "/oauth/token", grant("client_secret", b.Secret), "Authorization", basic(b.ID, b.Secret)).refused(t, 400, "invalid_request")
		s.form(t, "/oauth/token", grant("client_id", p.ID, "client_secret", p.Secret), "Authorization", basic(b.ID, b.Secret)).refused(t, 400, "invalid_request")
		s.form(t, "/oauth/token", grant(assertion()...), "Authorization", basic(b.ID, b.Secret)).refused(t, 400, "invalid_request")
		s.form(t, "/oauth/token", grant(append(assertion(), "client_id", p.ID, "client_secret", p.Secret)...)).refused(t, 400, "invalid_request")
		// Naming oneself is no second method; naming somebody else is a contradiction.
		s.form(t, "/oauth/token", grant("client_id", b.ID), "Authorization", basic(b.ID, b.Secret)).must(t, 200)
		if r := s.form(t, "/oauth/token", grant("client_id", p.ID), "Authorization", basic(b.ID, b.Secret)); r.Status/100 != 4 {
			t.Errorf("two different clients in one request = %d", r.Status)
		}
		r := s.request(t, "POST", "/oauth/token", []byte(grant().Encode()), "Content-Type", formType, "Authorization", basic(b.ID, b.Secret), "Authorization", basic(b.ID, b.Secret))
		if got := s.send(t, r); got.Status/100 != 4 {
			t.Errorf("two Authorization headers = %d", got.Status)
		}
	})
}

func TestLine38AClientKeepsToItsMethod(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		form := func(over ...string) url.Values {
			return set(url.Values{"grant_type": {"client_credentials"}, "scope": {"events:read"}}, over)
		}
		b, p, j := s.confidential(t), s.confidential(t, "authMethod", "client_secret_post"), s.confidential(t, "authMethod", "private_key_jwt")
		public := s.app(t)
		for _, r := range []reply{
			s.form(t, "/oauth/token", form("client_id", b.ID, "client_secret", b.Secret)),
			s.form(t, "/oauth/token", form(), "Authorization", basic(p.ID, p.Secret)),
			s.form(t, "/oauth/token", form(), "Authorization", basic(j.ID, "x")),
			s.form(t, "/oauth/token", form("client_id", j.ID, "client_secret", "x")),
			s.form(t, "/oauth/token", form(), "Authorization", basic(public.ID, "x")),
			s.form(t, "/oauth/token", form("client_id", public.ID, "client_secret", "x")),
		} {
			r.refused(t, 401, "invalid_client")
		}
		as := func(a *app) url.Values { // signed by a key that is not the client's, for it has none
			return form("client_assertion_type", assertionType, "client_assertion", j.key.sign(t, "JWT", false, a.assertion()))
		}
		for _, a := range []*app{b, p, public} {
			s.form(t, "/oauth/token", as(a)).refused(t, 401, "invalid_client")
		}
		// With the client's secret as the key: client_secret_jwt, which there is not.
		mac := func(input []byte) []byte {
			h := hmac.New(sha256.New, []byte(b.Secret))
			h.Write(input)
			return h.Sum(nil)
		}
		s.form(t, "/oauth/token", form("client_assertion_type", assertionType, "client_assertion", forged(claims{"alg": "HS256"}, b.assertion(), mac))).refused(t, 401, "invalid_client")
	})
}

func TestLine39SecretsAreShownOnceAndTwoLive(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		o := s.home(t)
		a := o.confidential(t)
		path := "/api/v1/oauth/clients/" + a.ID
		secrets := []string{a.Secret}
		rotate := func(body any) string {
			r := o.api(t, 200, "POST", path+"/rotate-secret", body)
			secrets = append(secrets, r.text("clientSecret"))
			if r.text("clientSecret") == "" {
				t.Fatalf("the rotation answered %s", r.Body)
			}
			return r.text("clientSecret")
		}
		works := func(secret string) bool {
			b := *a
			b.Secret = secret
			return b.token(t, "client_credentials", "scope", "events:read").Status == 200
		}
		second := rotate(map[string]any{"overlapSeconds": 3600})
		if !works(a.Secret) || !works(second) {
			t.Error("during the overlap one of the two secrets does not work")
		}
		third := rotate(map[string]any{"overlapSeconds": 3600})
		if works(a.Secret) || !works(second) || !works(third) {
			t.Error("after a second rotation, the last two secrets and only they should work")
		}
		fourth := rotate(map[string]any{"overlapSeconds": 0})
		if works(second) || works(third) || !works(fourth) {
			t.Error("without an overlap, only the new secret should work")
		}
		for _, r := range []reply{o.api(t, 200, "GET", path, nil), o.api(t, 200, "GET", "/api/v1/oauth/clients", nil), o.api(t, 200, "GET", "/api/v1/audit", nil)} {
			for _, secret := range secrets {
				if strings.Contains(string(r.Body), secret) || strings.Contains(string(r.Body), secret[4:20]) {
					t.Errorf("%s shows a secret again", r.asked)
				}
			}
		}
		s.keeps(t, secrets...)
	})
}

func TestLine40AssertionsAreChecked(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t, "authMethod", "private_key_jwt")
		show := func(jwt string, over ...string) reply {
			harness.Secret(jwt)
			return s.form(t, "/oauth/token", set(url.Values{
				"grant_type": {"client_credentials"}, "scope": {"events:read"}, "client_assertion_type": {assertionType}, "client_assertion": {jwt},
			}, over))
		}
		sign := func(over ...any) string { return a.key.sign(t, "JWT", false, a.assertion(over...)) }
		now := time.Now()
		show(sign()).must(t, 200)
		show(sign(), "client_id", a.ID).must(t, 200)
		show(sign("aud", []string{s.issuer})).must(t, 200)
		once := sign()
		show(once).must(t, 200)
		public, _ := json.Marshal(a.key.public())
		mac := func(key []byte) func([]byte) []byte {
			return func(input []byte) []byte {
				h := hmac.New(sha256.New, key)
				h.Write(input)
				return h.Sum(nil)
			}
		}
		other := newKey(t, "ES256")
		for what, jwt := range map[string]string{
			"the same again":           once,
			"another audience":         sign("aud", "https://other.example"),
			"no audience":              sign("aud", nil),
			"an audience among others": sign("aud", []string{s.issuer, "https://other.example"}),
			"expired":                  sign("exp", now.Add(-2*time.Minute).Unix()),
			"no end":                   sign("exp", nil),
			"an end far away":          sign("exp", now.Add(24*time.Hour).Unix()),
			"not yet":                  sign("nbf", now.Add(10*time.Minute).Unix()),
			"no jti":                   sign("jti", nil),
			"another issuer":           sign("iss", "oa_other"),
			"another subject":          sign("sub", "oa_other"),
			"no subject":               sign("sub", nil),
			"another key":              other.sign(t, "JWT", false, a.assertion()),
			"another key, embedded":    other.sign(t, "JWT", true, a.assertion()),
			"alg none":                 forged(claims{"alg": "none"}, a.assertion(), func([]byte) []byte { return nil }),
			"alg NONE":                 forged(claims{"alg": "NoNe"}, a.assertion(), func([]byte) []byte { return nil }),
			"HS256 with the JWK":       forged(claims{"alg": "HS256"}, a.assertion(), mac(public)),
			"HS256 with nothing":       forged(claims{"alg": "HS256"}, a.assertion(), mac(nil)),
			"the key's alg is another": forged(claims{"alg": "ES384"}, a.assertion(), a.key.raw),
			"a critical extension":     forged(claims{"alg": "ES256", "crit": []string{"x"}, "x": 1}, a.assertion(), a.key.raw),
			"a broken signature":       sign()[:len(sign())-6] + "AAAAAA",
			"no JWT":                   "x.y.z",
			"one part":                 "abc",
			"two parts":                strings.Join(strings.Split(sign(), ".")[:2], "."),
		} {
			if r := show(jwt); r.Status != 401 || r.text("error") != "invalid_client" {
				t.Errorf("%s = %d %.300s, want 401 invalid_client", what, r.Status, r.Body)
			}
		}
		if r := show(sign(), "client_id", s.app(t).ID); r.Status != 400 && r.Status != 401 {
			t.Errorf("an assertion of another client than client_id = %d", r.Status)
		}
		show(sign(), "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer").refused(t, 400, "invalid_request")
		// A key set with a private or a symmetric key is not taken at all.
		private, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: a.key.private, Algorithm: "ES256"}}})
		for _, set := range []string{string(private), `{"keys":[{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0","alg":"HS256"}]}`, `{"keys":[]}`, `{}`} {
			s.home(t).api(t, 400, "POST", "/api/v1/oauth/clients", map[string]any{
				"name": "App", "authMethod": "private_key_jwt", "scopes": usual, "grantTypes": []string{machine}, "jwks": json.RawMessage(set),
			})
		}
	})
}

// registered are the errors that the token endpoint may answer with (RFC 6749 §5.2, RFC 8628 §3.5, RFC 9449 §5, RFC 8707 §2).
var registered = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
	"authorization_pending", "slow_down", "access_denied", "expired_token", "invalid_dpop_proof", "use_dpop_nonce", "invalid_target", "temporarily_unavailable",
}

func TestLine41AnswersAreJSONThatNobodyKeeps(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		ok := []reply{s.owner(t).grant(t, a).reply, a.machine(t).reply}
		ok = append(ok, a.refresh(t, ok[0].text("refresh_token")))
		for _, r := range ok {
			life, _ := r.value("expires_in").(float64)
			if r.Status != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Pragma") != "no-cache" ||
				r.text("token_type") != "Bearer" || life != 3600 || r.text("scope") != "events:read" {
				t.Errorf("%s: %v %s", r.asked, r.Header, r.value("token_type"))
			}
		}
		for _, r := range []reply{
			a.token(t, "nonsense"), a.token(t, "authorization_code"), a.token(t, "authorization_code", "code", "sdc_x"), a.token(t, "refresh_token"), a.refresh(t, "sdr_x"), a.refresh(t, "x"),
			a.token(t, "client_credentials", "scope", "x"), a.token(t, device), a.token(t, device, "device_code", "sdd_x"), s.form(t, "/oauth/token", url.Values{}),
		} {
			if !slices.Contains(registered, r.text("error")) || strings.Trim(r.text("error_description"), printable) != "" {
				t.Errorf("%s: the error %q (%q) is not as registered", r.asked, r.text("error"), r.text("error_description"))
			}
			status := 400
			if r.text("error") == "invalid_client" {
				status = 401
			}
			r.refused(t, status, r.text("error"))
		}
	})
}

// printable are the characters of an error_description (RFC 6749 §5.2).
const printable = " !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"

func TestLine42NoPasswordsAndNothingImplicit(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		p := s.owner(t)
		for _, a := range []*app{s.app(t), s.confidential(t)} {
			for _, kind := range []string{"password", "implicit", "token", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange", "AUTHORIZATION_CODE"} {
				a.token(t, kind, "username", p.Email, "password", p.Password, "scope", "events:read").refused(t, 400, "unsupported_grant_type")
			}
		}
		for _, kind := range []string{"password", "implicit", "nonsense"} {
			s.home(t).api(t, 400, "POST", "/api/v1/oauth/clients", map[string]any{
				"name": "App", "authMethod": "none", "redirectUris": []string{"https://app.example.com/cb"}, "scopes": usual, "grantTypes": []string{code, kind},
			})
		}
	})
}

func TestLine43AMachineIsNobodyAndCannotRefresh(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		got := a.machine(t)
		if got.refresh != "" {
			t.Error("client credentials were answered with a refresh token")
		}
		about := a.introspect(t, got.access).must(t, 200)
		if sub := about.text("sub"); sub != a.ID || strings.HasPrefix(sub, "usr_") {
			t.Errorf("sub is %q, want the client's id", sub)
		}
		person := s.owner(t).grant(t, a)
		if sub := a.introspect(t, person.access).text("sub"); !strings.HasPrefix(sub, "usr_") {
			t.Errorf("a person's sub is %q", sub)
		}
		s.form(t, "/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {s.app(t).ID}}).must(t, 400) // a public client has no credentials
	})
}

func TestLine44OnlyTheGrantTypesOfTheClient(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		only := map[string]*app{}
		for _, kind := range every {
			only[kind] = s.confidential(t, "grantTypes", []string{kind})
		}
		only[refresh] = s.confidential(t, "grantTypes", []string{code, refresh})
		for kind, a := range only {
			for _, asked := range every {
				if asked == kind || kind == refresh && asked == code {
					continue
				}
				a.token(t, asked, "code", "sdc_x", "refresh_token", "sdr_x", "device_code", "sdd_x", "scope", "events:read", "redirect_uri", a.redirect, "code_verifier", random()+random()).refused(t, 400, "unauthorized_client")
			}
		}
		for _, kind := range []string{machine, device} {
			k := only[kind].ask()
			if p := s.owner(t).authorize(t, k); p.Header.Get("Location") != "" {
				k.refusedBack(t, p, "unauthorized_client")
			} else {
				p.stays(t, 400)
			}
		}
		only[code].post(t, "/oauth/device", url.Values{"scope": {"events:read"}}).refused(t, 400, "unauthorized_client")
		if got := s.owner(t).grant(t, only[code]); got.refresh != "" {
			t.Error("a client without refresh_token among its grant types got one")
		}
	})
}
