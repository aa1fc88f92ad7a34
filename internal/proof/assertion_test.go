package proof_test

import (
	"crypto/ecdsa"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stagedoorhq/stagedoor/internal/proof"
)

const (
	client = "oa_1"
	issuer = "https://tickets.example.org"
)

// keySet is a client's JWKS.
func keySet(t testing.TB, keys ...jose.JSONWebKey) string {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func says(change ...any) object {
	c := object{"iss": client, "sub": client, "aud": issuer, "exp": now.Add(time.Minute).Unix(), "jti": "one"}
	for i := 0; i < len(change); i += 2 {
		c[change[i].(string)] = change[i+1]
		if change[i+1] == nil {
			delete(c, change[i].(string))
		}
	}
	return c
}

func TestAnAssertionShowsWhoTheClientIs(t *testing.T) {
	old, key := newP256(t), newP256(t)
	set := keySet(t, jose.JSONWebKey{Key: old.Public(), KeyID: "old"}, jose.JSONWebKey{Key: key.Public(), KeyID: "new", Algorithm: "ES256"})
	for name, head := range map[string]object{"by its key's name": {"kid": "new"}, "by any key": nil} {
		text := sign(t, jose.ES256, key, head, says("aud", []string{issuer}, "iat", now.Unix(), "nbf", now.Unix()))
		seen, until, err := proof.Assertion(text, set, client, issuer, now)
		if err != nil || len(seen) == 0 || !until.Equal(now.Add(time.Minute)) {
			t.Errorf("%s: seen %x until %v: %v", name, seen, until, err)
		}
		if got := proof.AssertionSubject(text); got != client {
			t.Errorf("it says it is from %q", got)
		}
	}
	one, _, _ := proof.Assertion(sign(t, jose.ES256, key, nil, says()), set, client, issuer, now)
	again, _, _ := proof.Assertion(sign(t, jose.ES256, key, nil, says("exp", now.Add(2*time.Minute).Unix())), set, client, issuer, now)
	two, _, _ := proof.Assertion(sign(t, jose.ES256, key, nil, says("jti", "two")), set, client, issuer, now)
	if string(one) != string(again) || string(one) == string(two) {
		t.Error("what is remembered is not the jti")
	}
}

func TestAssertionsThatAreNotRight(t *testing.T) {
	key, other := newP256(t), newP256(t)
	set := keySet(t, jose.JSONWebKey{Key: key.Public(), KeyID: "a"})
	by := func(k *ecdsa.PrivateKey, head object, change ...any) string {
		return sign(t, jose.ES256, k, head, says(change...))
	}
	for name, text := range map[string]string{
		"no JWT":             "nonsense",
		"too long":           by(key, nil, "pad", strings.Repeat("x", 8<<10)),
		"another key":        by(other, nil),
		"another key's name": by(key, object{"kid": "b"}),
		"an HMAC":            sign(t, jose.HS256, []byte(strings.Repeat("k", 32)), object{"jwk": object{"kty": "oct", "k": "AQ"}}, says()),
		"another issuer":     by(key, nil, "iss", "oa_2"),
		"another subject":    by(key, nil, "sub", "oa_2"),
		"another audience":   by(key, nil, "aud", issuer+"/oauth/token"),
		"two audiences":      by(key, nil, "aud", []string{issuer, "https://elsewhere.example"}),
		"no audience":        by(key, nil, "aud", nil),
		"no end":             by(key, nil, "exp", nil),
		"ended":              by(key, nil, "exp", now.Unix()),
		"ends too late":      by(key, nil, "exp", now.Add(7*time.Minute).Unix()),
		"not yet":            by(key, nil, "nbf", now.Add(2*time.Minute).Unix()),
		"of tomorrow":        by(key, nil, "iat", now.Add(24*time.Hour).Unix()),
		"no jti":             by(key, nil, "jti", nil),
		"a jti too long":     by(key, nil, "jti", strings.Repeat("x", 257)),
	} {
		if _, _, err := proof.Assertion(text, set, client, issuer, now); code(err) != "invalid_client" {
			t.Errorf("%s: %v, want invalid_client", name, err)
		}
	}
	if _, _, err := proof.Assertion(by(key, nil), "{", client, issuer, now); err == nil || code(err) != "" {
		t.Errorf("keys that cannot be read are a fault of ours, not the client's: %v", err)
	}
}

func TestKeySetsOfClients(t *testing.T) {
	key := newP256(t)
	many := make([]jose.JSONWebKey, 11)
	for i := range many {
		many[i] = jose.JSONWebKey{Key: key.Public()}
	}
	if err := proof.CheckJWKS(keySet(t, many[:10]...)); err != nil {
		t.Errorf("ten public keys: %v", err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no set": "[]", "empty": `{"keys":[]}`, "too many": keySet(t, many...), "a private key": keySet(t, jose.JSONWebKey{Key: key}),
		"a shared secret": keySet(t, jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef")}), "too long": strings.Repeat(" ", 32<<10+1),
	} {
		if proof.CheckJWKS(text) == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
