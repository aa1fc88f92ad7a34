package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

// key is a private key of an app.
type key struct {
	alg     string
	private crypto.Signer
}

func newKey(t testing.TB, alg string) *key {
	t.Helper()
	var private crypto.Signer
	var err error
	switch alg {
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA", "Ed25519":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		t.Fatalf("the tests know no keys for %s", alg)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &key{alg, private}
}

func (k *key) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private.Public(), Algorithm: k.alg, Use: "sig"}
}

// set is the key's JSON Web Key Set, as a JSON value.
func (k *key) set(t testing.TB) any {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{k.public()}})
	if err != nil {
		t.Fatal(err)
	}
	var v any
	_ = json.Unmarshal(text, &v)
	return v
}

// thumbprint is the key's, as RFC 7638 has it.
func (k *key) thumbprint(t testing.TB) string {
	t.Helper()
	jwk := k.public()
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64url(sum)
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func random() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return base64url(b[:])
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64url(sum[:])
}

// claims are a JWT's.
type claims map[string]any

// sign makes a JWT of the claims, with the key itself in the header when it is embedded.
func (k *key) sign(t testing.TB, typ string, embedded bool, c claims) string {
	t.Helper()
	o := (&jose.SignerOptions{EmbedJWK: embedded}).WithType(jose.ContentType(typ))
	alg := jose.SignatureAlgorithm(k.alg)
	if k.alg == "Ed25519" {
		alg = jose.EdDSA
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: k.private}, o)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(c)
	made, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	jwt, err := made.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	harness.Secret(jwt)
	return jwt
}

// with sets claims, given as names and values; nil removes one.
func (c claims) with(over ...any) claims {
	for i := 0; i < len(over); i += 2 {
		if over[i+1] == nil {
			delete(c, over[i].(string))
		} else {
			c[over[i].(string)] = over[i+1]
		}
	}
	return c
}

// proof are the claims of a DPoP proof for a request (RFC 9449 §4.2).
func proof(method, url string, over ...any) claims {
	return claims{"jti": random(), "htm": method, "htu": url, "iat": time.Now().Unix()}.with(over...)
}

// dpop is a proof of the key for a request.
func (k *key) dpop(t testing.TB, method, url string, over ...any) string {
	t.Helper()
	return k.sign(t, "dpop+jwt", true, proof(method, url, over...))
}

// assertion are the claims by which an app shows who it is (RFC 7523 §3).
func (a *app) assertion(over ...any) claims {
	return claims{"iss": a.ID, "sub": a.ID, "aud": a.s.issuer, "jti": random(), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}.with(over...)
}

// forged makes a JWT by hand, for what no library makes: sign gets what is to be signed.
func forged(header, c claims, sign func(input []byte) []byte) string {
	h, _ := json.Marshal(header)
	p, _ := json.Marshal(c)
	input := base64url(h) + "." + base64url(p)
	return input + "." + base64url(sign([]byte(input)))
}

// raw signs as ES256 does.
func (k *key) raw(input []byte) []byte {
	sum := sha256.Sum256(input)
	r, s, err := ecdsa.Sign(rand.Reader, k.private.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		panic(err)
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out
}
