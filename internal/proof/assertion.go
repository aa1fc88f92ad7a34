package proof

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// longestAssertion is how far in the future an assertion may end.
const longestAssertion = 5 * time.Minute

// Assertion checks a client_assertion (RFC 7523 §3): its signature by a key of the set, iss and sub the client, aud the issuer and nothing else, exp
// within five minutes, jti present. seen is to be remembered until then: an assertion is good once. Its errors are *Error.
func Assertion(text, jwks, clientID, issuer string, now time.Time) (seen []byte, until time.Time, err error) {
	fail := func(detail string) ([]byte, time.Time, error) {
		return nil, time.Time{}, &Error{Code: "invalid_client", Detail: detail}
	}
	if len(text) > maxJWT {
		return fail("The assertion is too long.")
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(jwks), &keys); err != nil {
		return nil, time.Time{}, fmt.Errorf("keys of client %s: %w", clientID, err)
	}
	token, err := jwt.ParseSigned(text, algorithms)
	if err != nil {
		return fail("The assertion is no JWT that is signed by one of the algorithms that are taken.")
	}
	var c jwt.Claims
	if !verified(token, keys, &c) {
		return fail("The assertion is not signed by a key of the client.")
	}
	switch {
	case c.Issuer != clientID || c.Subject != clientID:
		return fail("iss and sub of the assertion are the client_id.")
	case len(c.Audience) != 1 || c.Audience[0] != issuer:
		return fail("aud of the assertion is the issuer, and nothing else.")
	case c.Expiry == nil || !c.Expiry.Time().After(now) || c.Expiry.Time().After(now.Add(longestAssertion+window)):
		return fail("exp of the assertion is within five minutes.")
	case c.NotBefore != nil && c.NotBefore.Time().After(now.Add(window)), c.IssuedAt != nil && c.IssuedAt.Time().After(now.Add(window)):
		return fail("The assertion is from the future.")
	case c.ID == "" || len(c.ID) > 256:
		return fail("The assertion has a jti of 1 to 256 bytes.")
	}
	sum := sha256.Sum256([]byte("assertion\x00" + clientID + "\x00" + c.ID))
	return sum[:], c.Expiry.Time(), nil
}

// verified tries the client's keys; the one that the header names, where it names one.
func verified(token *jwt.JSONWebToken, keys jose.JSONWebKeySet, c *jwt.Claims) bool {
	named := token.Headers[0].KeyID
	for _, k := range keys.Keys {
		if named != "" && k.KeyID != "" && k.KeyID != named || k.Algorithm != "" && k.Algorithm != token.Headers[0].Algorithm {
			continue
		}
		if strong(&k) && token.Claims(k.Key, c) == nil {
			return true
		}
	}
	return false
}

// AssertionSubject reads which client an assertion says it is from, without believing it; "" when it says nothing.
func AssertionSubject(text string) string {
	if len(text) > maxJWT {
		return ""
	}
	token, err := jwt.ParseSigned(text, algorithms)
	if err != nil {
		return ""
	}
	var c jwt.Claims
	if token.UnsafeClaimsWithoutVerification(&c) != nil {
		return ""
	}
	return c.Subject
}

// maxKeys bounds a client's keys.
const maxKeys = 10

// CheckJWKS says whether a text is a JSON Web Key Set (RFC 7517) with public, asymmetric keys that [Assertion] can use.
func CheckJWKS(text string) error {
	if len(text) > 4*maxJWT {
		return errors.New("they are too long")
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(text), &keys); err != nil {
		return errors.New("this is no JSON Web Key Set")
	}
	if len(keys.Keys) == 0 || len(keys.Keys) > maxKeys {
		return fmt.Errorf("there are 1 to %d keys", maxKeys)
	}
	for i, k := range keys.Keys {
		if !strong(&k) {
			return fmt.Errorf("key %d is not public, not asymmetric, or too short", i)
		}
	}
	return nil
}
