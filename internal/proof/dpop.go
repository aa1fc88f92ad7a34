package proof

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// claims are what a DPoP proof says (RFC 9449 §4.2).
type claims struct {
	JTI   string   `json:"jti"`
	HTM   string   `json:"htm"`
	HTU   string   `json:"htu"`
	IAT   *float64 `json:"iat"`
	ATH   string   `json:"ath"`
	Nonce string   `json:"nonce"`
}

// window is how far the clock of a client may be off.
const window = time.Minute

func wrong(detail string) error { return &Error{Code: "invalid_dpop_proof", Detail: detail} }

// DPoP checks the header DPoP of a request: the twelve checks of RFC 9449 §4.3, but whether its jti was seen, which is the caller's. Its errors are
// *Error.
func DPoP(h http.Header, nonces *Nonces, w Want) (Proof, error) {
	values := h.Values("DPoP")
	if len(values) != 1 || values[0] == "" {
		return Proof{}, wrong("Send one header DPoP with one proof.")
	}
	key, c, err := parse(values[0])
	if err != nil {
		return Proof{}, err
	}
	if err := c.check(w); err != nil {
		return Proof{}, err
	}
	if !nonces.Good(c.Nonce, w.Now) {
		return Proof{}, &Error{Code: "use_dpop_nonce", Detail: "The proof needs the nonce of the header DPoP-Nonce."} // §8, §9
	}
	print, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return Proof{}, wrong("The proof's key cannot be named.")
	}
	jkt := base64.RawURLEncoding.EncodeToString(print)
	if w.Thumbprint != "" && subtle.ConstantTimeCompare([]byte(jkt), []byte(w.Thumbprint)) != 1 {
		return Proof{}, wrong("The token is bound to another key.")
	}
	seen := sha256.Sum256([]byte("dpop\x00" + jkt + "\x00" + c.JTI))
	return Proof{Thumbprint: jkt, Seen: seen[:], Until: w.Now.Add(nonceLife + 2*window)}, nil
}

// parse takes a proof apart and checks its form and signature, by the public key that it brings.
func parse(text string) (*jose.JSONWebKey, claims, error) {
	var c claims
	if len(text) > maxJWT {
		return nil, c, wrong("The proof is too long.")
	}
	jws, err := jose.ParseSignedCompact(text, algorithms)
	if err != nil {
		return nil, c, wrong("The proof is no JWT that is signed by one of the algorithms of dpop_signing_alg_values_supported.")
	}
	head := jws.Signatures[0].Protected
	if typ, _ := head.ExtraHeaders[jose.HeaderType].(string); typ != "dpop+jwt" {
		return nil, c, wrong("The proof's typ is dpop+jwt.")
	}
	if private(text) || !strong(head.JSONWebKey) {
		return nil, c, wrong("The proof has its public key as jwk, and no private one.")
	}
	payload, err := jws.Verify(head.JSONWebKey)
	if err != nil {
		return nil, c, wrong("The proof's signature is not right.")
	}
	if json.Unmarshal(payload, &c) != nil {
		return nil, c, wrong("The proof's claims cannot be read.")
	}
	return head.JSONWebKey, c, nil
}

// private tells whether a JWT's header has a private key in its jwk, which the library would pass over.
func private(text string) bool {
	first, _, _ := strings.Cut(text, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	var head struct {
		JWK map[string]any `json:"jwk"`
	}
	if err != nil || json.Unmarshal(raw, &head) != nil {
		return true
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "k", "oth"} { // RFC 7518 §6.2.2, §6.3.2, §6.4.1
		if _, has := head.JWK[name]; has {
			return true
		}
	}
	return false
}

func weakRSA(k *jose.JSONWebKey) bool {
	r, ok := k.Key.(*rsa.PublicKey)
	return ok && r.N.BitLen() < 2048
}

// check compares what a proof says with what it has to be about.
func (c claims) check(w Want) error {
	switch {
	case c.JTI == "" || len(c.JTI) > 256:
		return wrong("The proof has a jti of 1 to 256 bytes.")
	case c.HTM != w.Method:
		return wrong("The proof's htm is not the method of the request.")
	case !sameURL(c.HTU, w.URL):
		return wrong("The proof's htu is not the URL of the request, without query and fragment.")
	case c.IAT == nil:
		return wrong("The proof has an iat.")
	case *c.IAT < float64(w.Now.Add(-nonceLife).Unix()) || *c.IAT > float64(w.Now.Add(window).Unix()):
		return wrong("The proof is too old, or its clock is ahead.")
	}
	if w.AccessToken != "" {
		sum := sha256.Sum256([]byte(w.AccessToken))
		if subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(c.ATH)) != 1 {
			return wrong("The proof's ath is not the SHA-256 of the access token.")
		}
	}
	return nil
}

// sameURL compares two URLs as RFC 9449 §4.3 does: after normalisation (RFC 3986 §6.2.2, §6.2.3), without query and fragment.
func sameURL(a, b string) bool {
	x, errX := normal(a)
	y, errY := normal(b)
	return errX == nil && errY == nil && x == y
}

func normal(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	host = strings.TrimSuffix(host, map[string]string{"http": ":80", "https": ":443"}[scheme])
	p := u.EscapedPath()
	if plain, err := url.PathUnescape(p); err == nil {
		p = (&url.URL{Path: plain}).EscapedPath()
	}
	if p == "" {
		p = "/"
	}
	clean := path.Clean(p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return scheme + "://" + host + clean, nil
}
