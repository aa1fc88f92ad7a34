package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

var machine = url.Values{"grant_type": {"client_credentials"}, "scope": {"events:read"}}

// key is a client's key pair.
type key struct {
	private *ecdsa.PrivateKey
	set     string // the public half, as a JSON Web Key Set
}

func newKey(t testing.TB) key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private.Public(), Algorithm: "ES256"}}})
	if err != nil {
		t.Fatal(err)
	}
	return key{private, string(set)}
}

// sign makes a JWT; head are members of its header.
func (k key) sign(t testing.TB, head map[jose.HeaderKey]any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.private}, &jose.SignerOptions{ExtraHeaders: head})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	jwt, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return jwt
}

func (k key) assertion(t testing.TB, a app, over map[string]any) string {
	claims := map[string]any{"iss": a.ID, "sub": a.ID, "aud": issuer, "jti": rand.Text(), "exp": time.Now().Add(time.Minute).Unix()}
	maps.Copy(claims, over)
	return k.sign(t, nil, claims)
}

const jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func TestClientShowsWhoItIsByItsMethod(t *testing.T) {
	p := lite(t)
	k := newKey(t)
	in := input()
	byBasic := p.app(in)
	in.AuthMethod = oauth.SecretPost
	byPost := p.app(in)
	in.AuthMethod, in.JWKS = oauth.PrivateKey, k.set
	byKey := p.app(in)
	byName := p.app(public())
	form := url.Values{"token": {"unknown"}} // which every client may revoke
	secret := func(a app, s string) url.Values { return with(form, "client_id", string(a.ID), "client_secret", s) }
	asserted := func(jwt string) url.Values {
		return with(form, "client_assertion", jwt, "client_assertion_type", jwtBearer)
	}
	good := basic(string(byBasic.ID), byBasic.secret)
	for name, c := range map[string]struct {
		form          url.Values
		authorization string
		want          string // the error, "" for none
	}{
		"basic":                        {form, good, ""},
		"basic in lower case":          {form, strings.Replace(good, "Basic", "basic", 1), ""},
		"basic and client_id":          {with(form, "client_id", string(byBasic.ID)), good, ""},
		"post":                         {secret(byPost, byPost.secret), "", ""},
		"key":                          {asserted(k.assertion(t, byKey, nil)), "", ""},
		"key and client_id":            {with(asserted(k.assertion(t, byKey, nil)), "client_id", string(byKey.ID)), "", ""},
		"none":                         {with(form, "client_id", string(byName.ID)), "", ""},
		"nobody":                       {form, "", "invalid_client"},
		"unknown":                      {form, basic("oa_unknown", "x"), "invalid_client"},
		"wrong secret":                 {form, basic(string(byBasic.ID), "sds_wrong"), "invalid_client"},
		"empty secret":                 {form, basic(string(byBasic.ID), ""), "invalid_client"},
		"another's secret":             {form, basic(string(byBasic.ID), byPost.secret), "invalid_client"},
		"wrong secret by post":         {secret(byPost, "sds_wrong"), "", "invalid_client"},
		"a secret that is due, absent": {with(form, "client_id", string(byBasic.ID)), "", "invalid_client"},
		"post for basic":               {secret(byBasic, byBasic.secret), "", "invalid_client"},
		"basic for post":               {form, basic(string(byPost.ID), byPost.secret), "invalid_client"},
		"secret of a public client":    {secret(byName, "x"), "", "invalid_client"},
		"secret of a client with keys": {secret(byKey, "x"), "", "invalid_client"},
		"key of another":               {asserted(newKey(t).assertion(t, byKey, nil)), "", "invalid_client"},
		"assertion for elsewhere":      {asserted(k.assertion(t, byKey, map[string]any{"aud": "https://elsewhere.example"})), "", "invalid_client"},
		"assertion that has ended":     {asserted(k.assertion(t, byKey, map[string]any{"exp": time.Now().Add(-time.Second).Unix()})), "", "invalid_client"},
		"assertion in the name of":     {with(asserted(k.assertion(t, byKey, nil)), "client_id", string(byName.ID)), "", "invalid_client"},
		"assertion that is none":       {asserted("a.b.c"), "", "invalid_client"},
		"assertion without its type":   {with(form, "client_assertion", k.assertion(t, byKey, nil)), "", "invalid_request"},
		"type without an assertion":    {with(form, "client_assertion_type", jwtBearer), "", "invalid_request"},
		"two methods":                  {secret(byPost, byPost.secret), good, "invalid_request"},
		"basic and an assertion":       {asserted(k.assertion(t, byKey, nil)), good, "invalid_request"},
		"basic, another client_id":     {with(form, "client_id", string(byName.ID)), good, "invalid_request"},
		"bearer":                       {form, "Bearer sda_x", "invalid_client"},
		"basic that is no base64":      {form, "Basic %%%", "invalid_client"},
		"basic without a colon":        {form, "Basic " + base64.StdEncoding.EncodeToString([]byte("abc")), "invalid_client"},
		"basic with bad escapes":       {form, "Basic " + base64.StdEncoding.EncodeToString([]byte("a%zz:b")), "invalid_client"},
		"basic that is no text":        {form, basic("oa_\xff\x00", "x"), "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			headers := []string{}
			if c.authorization != "" {
				headers = append(headers, "Authorization", c.authorization)
			}
			r := p.post("/oauth/revoke", c.form, headers...)
			switch c.want {
			case "":
				if r.status != 200 {
					t.Errorf("%s, want 200", r)
				}
			case "invalid_client":
				refused(t, r, 401, c.want)
				if challenged := r.header.Get("WWW-Authenticate") != ""; challenged != (c.authorization != "") {
					t.Errorf("%s: WWW-Authenticate is %q; it is for failures of Authorization (RFC 6749 §5.2)", r, r.header.Get("WWW-Authenticate"))
				}
			default:
				refused(t, r, 400, c.want)
			}
		})
	}
}

func TestAuthorizationTwiceIsRefused(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	r := httptest.NewRequest(http.MethodPost, "/oauth/token", strings.NewReader(machine.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header["Authorization"] = []string{basic(string(a.ID), a.secret), basic(string(a.ID), a.secret)}
	refused(t, p.do(r), 401, "invalid_client")
}

func TestAssertionIsGoodOnce(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		k := newKey(t)
		in := input()
		in.AuthMethod, in.JWKS = oauth.PrivateKey, k.set
		a := p.app(in)
		for path, form := range map[string]url.Values{
			"/oauth/token": machine, "/oauth/revoke": {"token": {"x"}}, "/oauth/introspect": {"token": {"x"}}, "/oauth/par": a.ask("client_id", ""),
		} {
			form = with(form, "client_assertion_type", jwtBearer, "client_assertion", k.assertion(t, a, nil))
			good := 0
			for _, r := range at(10, func(int) reply { return p.post(path, form) }) {
				if r.status/100 == 2 {
					good++
				} else {
					refused(t, r, 401, "invalid_client")
				}
			}
			if good != 1 {
				t.Errorf("%s took one assertion %d times, want once", path, good)
			}
			if other := p.post("/oauth/revoke", with(form, "token", "x")); other.status != 401 {
				t.Errorf("%s after %s, want 401", other, path)
			}
		}
		// One that came with a request that was refused is used up too.
		form := with(refreshing("sdr_unknown"), "client_assertion_type", jwtBearer, "client_assertion", k.assertion(t, a, nil))
		refused(t, p.post("/oauth/token", form), 400, "invalid_grant")
		refused(t, p.post("/oauth/token", form), 401, "invalid_client")
		p.age(time.Hour)
		p.sweep()
		if n := p.count("oauth_proofs"); n != 0 {
			t.Errorf("%d assertions are remembered after their end", n)
		}
	})
}

func TestTokenEndpointTakesForms(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	auth := []string{"Authorization", basic(string(a.ID), a.secret)}
	for name, c := range map[string]struct {
		path, body, kind string
		status           int
	}{
		"a form":             {"/oauth/token", machine.Encode(), "application/x-www-form-urlencoded", 200},
		"StubHub's path":     {"/oauth2/token", machine.Encode(), "application/x-www-form-urlencoded; charset=UTF-8", 200},
		"JSON":               {"/oauth/token", `{"grant_type":"client_credentials"}`, "application/json", 400},
		"multipart":          {"/oauth/token", machine.Encode(), "multipart/form-data; boundary=x", 400},
		"no type":            {"/oauth/token", machine.Encode(), "", 400},
		"in the query":       {"/oauth/token?" + machine.Encode(), "", "application/x-www-form-urlencoded", 400},
		"in both":            {"/oauth/token?x=1", machine.Encode(), "application/x-www-form-urlencoded", 400},
		"bad escapes":        {"/oauth/token", "grant_type=%zz", "application/x-www-form-urlencoded", 400},
		"semicolons":         {"/oauth/token", "grant_type=client_credentials;scope=x", "application/x-www-form-urlencoded", 400},
		"a parameter twice":  {"/oauth/token", machine.Encode() + "&scope=events%3Aread", "application/x-www-form-urlencoded", 400},
		"NUL":                {"/oauth/token", machine.Encode() + "&x=%00", "application/x-www-form-urlencoded", 400},
		"an unknown one":     {"/oauth/token", machine.Encode() + "&x=y", "application/x-www-form-urlencoded", 200},
		"an empty one":       {"/oauth/token", machine.Encode() + "&resource=", "application/x-www-form-urlencoded", 200},
		"64 KiB":             {"/oauth/token", machine.Encode() + "&x=" + strings.Repeat("y", 64<<10-len(machine.Encode())-3), "application/x-www-form-urlencoded", 200},
		"a byte more":        {"/oauth/token", machine.Encode() + "&x=" + strings.Repeat("y", 64<<10-len(machine.Encode())-2), "application/x-www-form-urlencoded", 413},
		"nothing":            {"/oauth/token", "", "application/x-www-form-urlencoded", 400},
		"another grant type": {"/oauth/token", "grant_type=password&username=a&password=b", "application/x-www-form-urlencoded", 400},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.postText(c.path, c.body, append(auth, "Content-Type", c.kind)...)
			if r.status != c.status || c.status != 200 && (r.json("error") == "" || r.header.Get("Cache-Control") != "no-store") {
				t.Errorf("%s, want %d", r, c.status)
			}
		})
	}
	for _, path := range []string{"/oauth/token", "/oauth2/token", "/oauth/revoke", "/oauth/introspect", "/oauth/par"} {
		if r := p.get(path, machine); r.status != 405 {
			t.Errorf("%s, want 405", r)
		}
	}
	refused(t, a.post("/oauth/token", with(machine, "grant_type", "password")), 400, "unsupported_grant_type")
	refused(t, a.post("/oauth/token", with(machine, "grant_type", "urn:ietf:params:oauth:grant-type:device_code")), 400, "unauthorized_client")
	refused(t, p.app(public()).post("/oauth/token", machine), 400, "unauthorized_client")
}

func TestAppActsForItself(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		replies := at(20, func(int) reply { return a.post("/oauth/token", machine) })
		for _, r := range replies {
			if a.got(r).refresh != "" || r.json("scope") != "events:read" {
				t.Errorf("%s, want events:read and no refresh token", r)
			}
		}
		b, err := oauth.Authenticate(p.db.Read(t.Context()), replies[0].json("access_token"), time.Now())
		if err != nil || b.UserNo != 0 || b.Org != home || b.Scopes != scope.Of(scope.EventsRead) {
			t.Errorf("Authenticate = %+v, %v; want the app's organisation and nobody", b, err)
		}
		if r := a.post("/oauth/token", with(machine, "scope", "")); r.json("scope") != a.Scopes.String() {
			t.Errorf("without a scope: %s, want all that it may", r)
		}
		refused(t, a.post("/oauth/token", with(machine, "scope", "events:write")), 400, "invalid_scope")
		refused(t, a.post("/oauth/token", with(machine, "resource", "https://elsewhere.example")), 400, "invalid_target")
		if n := p.count("oauth_grants"); n != 1 {
			t.Errorf("there are %d grants, want one that stands", n)
		}
		a.post("/oauth/revoke", url.Values{"token": {replies[0].json("access_token")}})
		if p.good(replies[0].json("access_token")) || !p.good(replies[1].json("access_token")) {
			t.Error("revoking one token ended none, or more than it")
		}
		grants, err := oauth.Grants(p.db.Read(t.Context()), home)
		if err != nil || len(grants) != 1 || grants[0].UserNo != 0 {
			t.Fatalf("Grants = %+v, %v", grants, err)
		}
		p.configure(func(tx *db.Tx) error { return p.apps.RevokeGrant(tx, home, grants[0].ID, "stopped", operator) })
		if p.good(replies[1].json("access_token")) {
			t.Error("a token is good after its grant was revoked")
		}
	})
}

// proof makes a DPoP proof for a request to the server.
func (k key) proof(t testing.TB, p *site, path string) string {
	t.Helper()
	nonce := p.post(path, nil, "DPoP", "x").header.Get("DPoP-Nonce")
	return k.sign(t, map[jose.HeaderKey]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: k.private.Public()}}, map[string]any{
		"jti": rand.Text(), "htm": "POST", "htu": issuer + path, "iat": time.Now().Unix(), "nonce": nonce,
	})
}

func TestProofIsGoodOnceAlsoWithinTheGrace(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a, k := p.app(public()), newKey(t)
		code, check := a.code()
		send := func(form url.Values, proof string) reply {
			return p.post("/oauth/token", with(form, "client_id", string(a.ID)), "DPoP", proof)
		}
		first := send(exchange(code, check), k.proof(t, p, "/oauth/token"))
		if a.got(first); first.json("token_type") != "DPoP" {
			t.Fatalf("%s, want a token that is bound", first)
		}
		form := refreshing(first.json("refresh_token"))
		refused(t, a.post("/oauth/token", form), 400, "invalid_dpop_proof")
		refused(t, send(form, newKey(t).proof(t, p, "/oauth/token")), 400, "invalid_dpop_proof")
		proof := k.proof(t, p, "/oauth/token")
		second := send(form, proof)
		a.got(second)
		refused(t, send(form, proof), 400, "invalid_dpop_proof")
		if again := send(form, k.proof(t, p, "/oauth/token")); again.body != second.body {
			t.Errorf("%s within the grace, want %s", again, second)
		}
	})
}
