// Package proof checks what clients prove with a key of theirs: that a request comes from whoever holds the key (DPoP, RFC 9449), and that a client is
// who it says (private_key_jwt, RFC 7523). Both are signed JWTs with asymmetric algorithms only.
//
// It is pure: what must be remembered (that a jti was seen) is told to the caller, who has the database.
package proof

import (
	"net/http"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// Want is what a DPoP proof has to be about.
type Want struct {
	Method      string // htm
	URL         string // htu: scheme, host and path; compared after normalisation (RFC 3986 §6.2.2, §6.2.3)
	AccessToken string // ath must be of it; "" at the token endpoint, where there is none
	Thumbprint  string // jkt must be this; "" for any
	Now         time.Time
}

// Proof is a DPoP proof that was found right.
type Proof struct {
	Thumbprint string    // of its key: jkt (RFC 7638, SHA-256, base64url)
	Seen       []byte    // remember that this was seen, until Until; whoever sees it twice refuses
	Until      time.Time //
}

// DPoP checks the header DPoP of a request: the twelve checks of RFC 9449 §4.3 but for jti, which is the caller's. Its errors are *Error.
func DPoP(h http.Header, nonces *Nonces, w Want) (Proof, error) { panic("not built yet") }

// Error says what is wrong with a proof or an assertion.
type Error struct {
	Code   string // invalid_dpop_proof, use_dpop_nonce or invalid_client
	Detail string
}

// Error is the detail.
func (e *Error) Error() string { return e.Detail }

// Nonces makes and knows nonces (RFC 9449 §8) without keeping any: the instant under a MAC of the master key, so every node knows every node's.
type Nonces struct{ keys *seal.Keyring }

// NewNonces makes it.
func NewNonces(k *seal.Keyring) *Nonces { return &Nonces{k} }

// Next is a nonce for the next proof; it is good for five minutes.
func (n *Nonces) Next(now time.Time) string { panic("not built yet") }

// Good tells whether a nonce is ours and not too old.
func (n *Nonces) Good(nonce string, now time.Time) bool { panic("not built yet") }

// Assertion checks a client_assertion (RFC 7523 §3): its signature by a key of the set, iss and sub the client, aud the issuer, exp within five
// minutes, jti present. Seen and Until are as with a proof. Its errors are *Error.
func Assertion(jwt, jwks, clientID, issuer string, now time.Time) (seen []byte, until time.Time, err error) {
	panic("not built yet")
}

// CheckJWKS says whether a text is a JSON Web Key Set with public, asymmetric keys that [Assertion] can use.
func CheckJWKS(text string) error { panic("not built yet") }
