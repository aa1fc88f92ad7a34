package ticketcode

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// How a key set is written: a JSON Web Key Set (RFC 7517 §5) of Ed25519 keys (RFC 8037 §2), with the organisation's id beside the
// keys.

// MaxKeySetSize is how many bytes a key set may have in JSON.
const MaxKeySetSize = 64 << 10

// keyType and curve are how RFC 8037 §2 names an Ed25519 key.
const (
	keyType = "OKP"
	curve   = "Ed25519"
)

// A jwk is a key as MarshalJSON writes it. nbf and exp are not among RFC 7517's members, which allows others; they mean what they
// mean in a JSON Web Token (RFC 7519 §4.1).
type jwk struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	Kid string `json:"kid"`
	Use string `json:"use"`
	Alg string `json:"alg"`
	X   string `json:"x"`
	Nbf int64  `json:"nbf,omitempty"`
	Exp int64  `json:"exp,omitempty"`
}

// MarshalJSON returns the key set as a JSON Web Key Set, the form of /.well-known/stagedoor-keys.json:
//
//	{"org":"org_…","keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","use":"sig","alg":"EdDSA","x":"…","nbf":1782900000,"exp":1790000000}]}
//
// kid is the key's id in decimal, x the key in base64url, nbf and exp its bounds in Unix seconds, if it has them. It fails for the zero
// KeySet.
func (s *KeySet) MarshalJSON() ([]byte, error) {
	if s.org == "" {
		return nil, &Error{Malformed, "a key set without organisation"}
	}
	set := struct {
		Org  string `json:"org"`
		Keys []jwk  `json:"keys"`
	}{s.org, make([]jwk, len(s.keys))}
	for i, k := range s.keys {
		set.Keys[i] = jwk{
			Kty: keyType, Crv: curve, Kid: strconv.Itoa(int(k.ID)), Use: "sig", Alg: "EdDSA",
			X: base64.RawURLEncoding.EncodeToString(k.Public),
		}
		if !k.From.IsZero() {
			set.Keys[i].Nbf = k.From.Unix()
		}
		if !k.Until.IsZero() {
			set.Keys[i].Exp = k.Until.Unix()
		}
	}
	return json.Marshal(set)
}

// ParseKeySet reads what MarshalJSON writes. It is strict about what it uses: a name counts as it is spelled and may be there once,
// a time is a plain number of seconds, and a document with a private key in it is refused as a whole. Members that it does not know are
// ignored (RFC 7517 §4), and so are keys of other types and curves (§5). It fails with [Malformed], also for what NewKeySet refuses and
// for documents larger than [MaxKeySetSize].
func ParseKeySet(data []byte) (*KeySet, error) {
	if len(data) > MaxKeySetSize {
		return nil, &Error{Malformed, "the key set is larger than 64 KiB"}
	}
	set, err := readObject(data)
	if err != nil {
		return nil, err
	}
	org, err := set.text("org")
	if err != nil {
		return nil, err
	}
	var list []json.RawMessage
	if json.Unmarshal(set["keys"], &list) != nil || list == nil {
		return nil, &Error{Malformed, "keys is not a list"}
	}
	var keys []Key
	for i, item := range list {
		k, ours, err := parseKey(item)
		if err != nil {
			err.Detail = fmt.Sprintf("key at place %d: %s", i+1, err.Detail)
			return nil, err
		}
		if ours {
			keys = append(keys, k)
		}
	}
	return NewKeySet(org, keys...)
}

// UnmarshalJSON is ParseKeySet into s, which stays as it was if that fails.
func (s *KeySet) UnmarshalJSON(data []byte) error {
	parsed, err := ParseKeySet(data)
	if err != nil {
		return err
	}
	*s = *parsed
	return nil
}

// parseKey reads one key. It reports false for one of another kind.
func parseKey(data []byte) (Key, bool, *Error) {
	o, err := readObject(data)
	if err != nil {
		return Key{}, false, err
	}
	if o["d"] != nil || o["k"] != nil {
		return Key{}, false, &Error{Malformed, "a private key was published; it must be replaced"}
	}
	kty, err := o.text("kty")
	if err != nil {
		return Key{}, false, err
	}
	if kty != keyType {
		return Key{}, false, nil
	}
	crv, err := o.text("crv")
	if err != nil {
		return Key{}, false, err
	}
	if crv != curve {
		return Key{}, false, nil
	}
	k, err := o.key()
	return k, true, err
}

// An object is a JSON object's members, each as it was written.
type object map[string]json.RawMessage

// readObject is json.Unmarshal into a map but for what that lets pass: a name that is there twice, of which two readers may take
// different ones, and anything behind the object.
func readObject(data []byte) (object, *Error) {
	malformed := &Error{Malformed, "not a JSON object"}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, malformed
	}
	o := make(object)
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, malformed
		}
		if _, twice := o[name]; twice {
			return nil, &Error{Malformed, "a member is there twice"}
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return nil, malformed
		}
		o[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, malformed
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, &Error{Malformed, "something follows the JSON object"}
	}
	return o, nil
}

// text returns a member that must be a string.
func (o object) text(name string) (string, *Error) {
	var s *string
	if json.Unmarshal(o[name], &s) != nil || s == nil {
		return "", &Error{Malformed, name + " is not a string"}
	}
	return *s, nil
}

// oneOf checks a member that may be missing but must otherwise be one of the given strings.
func (o object) oneOf(name string, allowed ...string) *Error {
	if o[name] == nil {
		return nil
	}
	text, err := o.text(name)
	if err != nil {
		return err
	}
	for _, a := range allowed {
		if text == a {
			return nil
		}
	}
	return &Error{Malformed, name + " is not that of a key that signs codes"}
}

// seconds returns a member that may be missing but must otherwise be a plain number of Unix seconds: no fraction, no exponent.
func (o object) seconds(name string) (time.Time, *Error) {
	text := o[name]
	if text == nil {
		return time.Time{}, nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < 1 || n > maxKeyTime {
		return time.Time{}, &Error{Malformed, name + " is not a time in Unix seconds"}
	}
	return time.Unix(n, 0), nil
}

// key reads the members of an Ed25519 key.
func (o object) key() (Key, *Error) {
	var k Key
	if err := o.oneOf("use", "sig"); err != nil {
		return k, err
	}
	if err := o.oneOf("alg", "EdDSA", "Ed25519"); err != nil { // RFC 8037 §3.1; RFC 9864 §2.2
		return k, err
	}
	kid, err := o.text("kid")
	if err != nil {
		return k, err
	}
	id, parseErr := strconv.ParseUint(kid, 10, 8)
	if parseErr != nil || strconv.FormatUint(id, 10) != kid {
		return k, &Error{Malformed, "kid is not a number of 1 to 255"}
	}
	k.ID = byte(id)
	x, err := o.text("x")
	if err != nil {
		return k, err
	}
	public, decodeErr := base64.RawURLEncoding.Strict().DecodeString(x)
	if decodeErr != nil || len(public) != ed25519.PublicKeySize || len(x) != base64.RawURLEncoding.EncodedLen(len(public)) {
		return k, &Error{Malformed, "x is not 32 bytes in base64url"} // its length shows line ends, which base64 lets pass
	}
	k.Public = public
	if k.From, err = o.seconds("nbf"); err != nil {
		return k, err
	}
	k.Until, err = o.seconds("exp")
	return k, err
}
