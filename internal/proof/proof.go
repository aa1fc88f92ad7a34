// Package proof checks what clients prove with a key of theirs: that a request comes from whoever holds the key (DPoP, RFC 9449), and that a client is
// who it says (private_key_jwt, RFC 7523). Both are signed JWTs with asymmetric algorithms only.
//
// It is pure: what must be remembered (that a jti was seen) is told to the caller, who has the database.
package proof

import "time"

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

// Error says what is wrong with a proof or an assertion.
type Error struct {
	Code   string // invalid_dpop_proof, use_dpop_nonce or invalid_client
	Detail string
}

// Error is the detail.
func (e *Error) Error() string { return e.Detail }
