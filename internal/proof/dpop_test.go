package proof_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stagedoorhq/stagedoor/internal/proof"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// The proofs of these tests are made, not taken from a file: what is tested is what they say, and when.
var (
	now    = time.Date(2026, 11, 26, 20, 0, 0, 0, time.UTC)
	url    = "https://tickets.example.org/api/v1/events"
	secret = "sda_something"
)

func nonces(t testing.TB, fill byte) *proof.Nonces {
	t.Helper()
	k, err := seal.New(bytes.Repeat([]byte{fill}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return proof.NewNonces(k)
}

func newP256(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// object is a JSON object.
type object = map[string]any

// sign makes a JWT with a key. head adds to its header; without a jwk in it, the public key is embedded.
func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, head, body object) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithType("dpop+jwt")
	if _, has := head["jwk"]; !has {
		o.EmbedJWK = true
	}
	for name, v := range head {
		o.WithHeader(jose.HeaderKey(name), v)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func ath(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// good are the claims of a proof that is right, changed by names and values; nil removes.
func good(nonce string, change ...any) object {
	c := object{"jti": "one", "htm": "GET", "htu": url, "iat": now.Unix(), "ath": ath(secret), "nonce": nonce}
	for i := 0; i < len(change); i += 2 {
		c[change[i].(string)] = change[i+1]
		if change[i+1] == nil {
			delete(c, change[i].(string))
		}
	}
	return c
}

func header(proofs ...string) http.Header { return http.Header{"Dpop": proofs} }

func want() proof.Want { return proof.Want{Method: "GET", URL: url, AccessToken: secret, Now: now} }

func TestAProofNamesItsKey(t *testing.T) {
	n := nonces(t, 7)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for alg, key := range map[jose.SignatureAlgorithm]crypto.Signer{jose.ES256: newP256(t), jose.EdDSA: edKey, jose.RS256: rsaKey, jose.PS256: rsaKey} {
		t.Run(string(alg), func(t *testing.T) {
			text := sign(t, alg, key, nil, good(n.Next(now)))
			p, err := proof.DPoP(header(text), n, want())
			if err != nil {
				t.Fatal(err)
			}
			print, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			if p.Thumbprint != base64.RawURLEncoding.EncodeToString(print) {
				t.Errorf("the thumbprint is %s", p.Thumbprint)
			}
			w := want()
			if w.Thumbprint = p.Thumbprint; errOf(header(text), n, w) != nil {
				t.Error("the proof is refused for the very key")
			}
			if w.Thumbprint = "another"; code(errOf(header(text), n, w)) != "invalid_dpop_proof" {
				t.Error("the proof is good for a token of another key")
			}
			// What must be remembered lasts for as long as the proof could be shown again: while its nonce is good and its iat recent.
			if !p.Until.After(now.Add(5*time.Minute)) || len(p.Seen) != sha256.Size {
				t.Errorf("it is to be remembered as %x until %v", p.Seen, p.Until)
			}
		})
	}
}

func errOf(h http.Header, n *proof.Nonces, w proof.Want) error {
	_, err := proof.DPoP(h, n, w)
	return err
}

func code(err error) string {
	var e *proof.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// One jti of one key is one thing seen; of another key, or another jti, it is another.
func TestSeenIsOfTheKeyAndTheJTI(t *testing.T) {
	n := nonces(t, 7)
	seen := func(key *ecdsa.PrivateKey, change ...any) string {
		p, err := proof.DPoP(header(sign(t, jose.ES256, key, nil, good(n.Next(now), change...))), n, want())
		if err != nil {
			t.Fatal(err)
		}
		return string(p.Seen)
	}
	a, b := newP256(t), newP256(t)
	if seen(a) != seen(a, "iat", now.Unix()-1) {
		t.Error("the same jti is seen as two")
	}
	if seen(a) == seen(b) || seen(a) == seen(a, "jti", "two") {
		t.Error("another key's jti, or another jti, is seen as the same")
	}
}

func TestProofsThatAreNotRight(t *testing.T) {
	n, key := nonces(t, 7), newP256(t)
	nonce := n.Next(now)
	made := func(change ...any) string { return sign(t, jose.ES256, key, nil, good(nonce, change...)) }
	headed := func(head object) string { return sign(t, jose.ES256, key, head, good(nonce)) }
	raw := func(head object, of string) string { // a header of one's own before the rest of a JWT
		b, _ := json.Marshal(head)
		_, rest, _ := strings.Cut(of, ".")
		return base64.RawURLEncoding.EncodeToString(b) + "." + rest
	}
	public, _ := json.Marshal(jose.JSONWebKey{Key: key.Public()})
	private, _ := json.Marshal(jose.JSONWebKey{Key: key})
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	last := made()
	for name, h := range map[string]http.Header{
		"none":                header(),
		"empty":               header(""),
		"two":                 header(made(), made()),
		"no JWT":              header("nonsense"),
		"too long":            header(made("jti", "x", "pad", strings.Repeat("x", 8<<10))),
		"another typ":         header(headed(object{"typ": "JWT"})),
		"unsigned":            header(raw(object{"typ": "dpop+jwt", "alg": "none", "jwk": json.RawMessage(public)}, last)),
		"an HMAC":             header(sign(t, jose.HS256, bytes.Repeat([]byte{1}, 32), object{"jwk": object{"kty": "oct", "k": "AQ"}}, good(nonce))),
		"no key":              header(raw(object{"typ": "dpop+jwt", "alg": "ES256"}, last)),
		"a private key":       header(headed(object{"jwk": json.RawMessage(private)})),
		"somebody else's key": header(headed(object{"jwk": jose.JSONWebKey{Key: newP256(t).Public()}})),
		"a weak key":          header(sign(t, jose.RS256, weak, nil, good(nonce))),
		"a changed signature": header(last[:len(last)-4] + "AAAA"),
		"no jti":              header(made("jti", nil)),
		"a jti too long":      header(made("jti", strings.Repeat("x", 257))),
		"another method":      header(made("htm", "POST")),
		"method in lower":     header(made("htm", "get")),
		"another path":        header(made("htu", url+"/1")),
		"another host":        header(made("htu", "https://tickets.example.com/api/v1/events")),
		"another scheme":      header(made("htu", strings.Replace(url, "https", "http", 1))),
		"another port":        header(made("htu", strings.Replace(url, ".org", ".org:8443", 1))),
		"no iat":              header(made("iat", nil)),
		"too old":             header(made("iat", now.Unix()-301)),
		"from the future":     header(made("iat", now.Unix()+61)),
		"iat is a text":       header(made("iat", "now")),
		"no ath":              header(made("ath", nil)),
		"another token's ath": header(made("ath", ath("sda_other"))),
	} {
		if err := errOf(h, n, want()); code(err) != "invalid_dpop_proof" {
			t.Errorf("%s: %v, want invalid_dpop_proof", name, err)
		}
	}
	for name, nonce := range map[string]any{
		"no nonce": nil, "an invented nonce": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "no base64": "?", "too short": "AAAA",
		"of another master key": nonces(t, 8).Next(now), "an old nonce": n.Next(now.Add(-301 * time.Second)), "a nonce of tomorrow": n.Next(now.Add(24 * time.Hour)),
	} {
		if err := errOf(header(made("nonce", nonce)), n, want()); code(err) != "use_dpop_nonce" {
			t.Errorf("%s: %v, want use_dpop_nonce", name, err)
		}
	}
}

// RFC 9449 §4.3: htu is compared after normalisation, without query and fragment.
func TestURLsAreComparedAfterNormalisation(t *testing.T) {
	n, key := nonces(t, 7), newP256(t)
	for _, htu := range []string{
		"HTTPS://Tickets.Example.ORG/api/v1/events", "https://tickets.example.org:443/api/v1/events", url + "?limit=2", url + "#top",
		"https://tickets.example.org/api/./v1/x/../events", "https://tickets.example.org/%61pi/v1/events",
	} {
		if err := errOf(header(sign(t, jose.ES256, key, nil, good(n.Next(now), "htu", htu))), n, want()); err != nil {
			t.Errorf("htu %s: %v", htu, err)
		}
	}
}

func TestANonceIsGoodForFiveMinutes(t *testing.T) {
	n := nonces(t, 7)
	nonce := n.Next(now)
	for after, good := range map[time.Duration]bool{-2 * time.Minute: false, 0: true, 5 * time.Minute: true, 5*time.Minute + time.Second: false} {
		if n.Good(nonce, now.Add(after)) != good {
			t.Errorf("after %v the nonce is good: %t", after, !good)
		}
	}
	if other := nonces(t, 7); !other.Good(nonce, now) {
		t.Error("another node with the same master key does not know the nonce")
	}
}

// FuzzProof: whatever comes as a proof is refused with a *proof.Error, and never believed.
func FuzzProof(f *testing.F) {
	n, key := nonces(f, 7), newP256(f)
	f.Add(sign(f, jose.ES256, key, nil, good(n.Next(now), "htm", "POST")))
	f.Add("eyJhbGciOiJub25lIn0..")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := proof.DPoP(header(text), n, want())
		if code(err) == "" {
			t.Errorf("%q: %v", text, err)
		}
		_, _, err = proof.Assertion(text, `{"keys":[]}`, "oa_1", "https://tickets.example.org", now)
		if code(err) == "" {
			t.Errorf("%q as an assertion: %v", text, err)
		}
		proof.AssertionSubject(text)
		_ = proof.CheckJWKS(text)
	})
}
