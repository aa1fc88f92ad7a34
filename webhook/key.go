package webhook

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The marks by which printed keys are known (Standard Webhooks 1.0.0, "Signature scheme").
const (
	secretPrefix  = "whsec_"
	privatePrefix = "whsk_"
	publicPrefix  = "whpk_"
)

const (
	minSecret = 24 // bytes of a whsec_ secret; Standard Webhooks 1.0.0 asks for 192 to 512 bits
	maxSecret = 64
	newSecret = 32
	maxText   = 4096 // characters of a printed key or a static header
	maxKeys   = 4    // an old and a new key of each kind
)

// A Key is a secret or a key in its printed form, and the end of its validity. What the text means depends on the scheme:
//
//	Portal, Pullup  any secret; its printed characters are the HMAC's key, also of one that begins with "whsec_"
//	Standard        "whsec_" and the base64 of 24 to 64 bytes: HMAC, to sign and to verify
//	                "whsk_" and the base64 of an Ed25519 private key, to sign only
//	                "whpk_" and the base64 of its public key, to verify only
//	Static          the whole value of the Authorization header
//
// A Key does not show its text when it is printed or logged.
type Key struct {
	// Text is the key as it was printed, without white space around it.
	Text string `json:"-"`

	// Until is the first instant at which the key no longer signs or verifies. Zero means that it has no end.
	Until time.Time
}

// String names the kind of the key, not the key.
func (k Key) String() string {
	for _, prefix := range []string{secretPrefix, privatePrefix, publicPrefix} {
		if strings.HasPrefix(k.Text, prefix) {
			return "webhook.Key(" + prefix + "…)"
		}
	}
	return "webhook.Key(…)"
}

// GoString is String: %#v does not show the key either.
func (k Key) GoString() string { return k.String() }

// NewSecret returns a new shared secret, "whsec_" and the base64 of 32 random bytes. It serves every scheme.
func NewSecret() string {
	var b [newSecret]byte
	rand.Read(b[:]) // never fails: it ends the program if the system has no randomness
	return secretPrefix + base64.StdEncoding.EncodeToString(b[:])
}

// NewKeyPair returns a new Ed25519 key pair for Standard's v1a signatures: the private key "whsk_…" for the sender (base64 of the
// 64 bytes seed and public key) and the public key "whpk_…" for its receivers (base64 of 32 bytes).
func NewKeyPair() (private, public string) {
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic("webhook: " + err.Error()) // cannot be: the randomness is crypto/rand's
	}
	return privatePrefix + base64.StdEncoding.EncodeToString(priv), publicPrefix + base64.StdEncoding.EncodeToString(pub)
}

// PublicKey returns the public key "whpk_…" that belongs to the private key "whsk_…".
func PublicKey(private string) (string, error) {
	priv, err := parsePrivate(private)
	if err != nil {
		return "", fmt.Errorf("webhook: private key: %w", err)
	}
	return publicPrefix + base64.StdEncoding.EncodeToString(priv[ed25519.SeedSize:]), nil
}

// A key is a Key ready for use; which of the fields are set says what it can do.
type key struct {
	until   time.Time
	secret  []byte             // HMAC
	private ed25519.PrivateKey // sign v1a
	public  ed25519.PublicKey  // verify v1a
	value   string             // Static: the header's value
	digest  [sha256.Size]byte  // Static: its digest
}

// live reports whether the key is valid at t. An unknown instant counts as after every end.
func (k *key) live(t time.Time) bool {
	return k.until.IsZero() || (!t.IsZero() && t.Before(k.until))
}

// A purpose is what a key is wanted for.
type purpose string

const (
	signing   purpose = "signing"
	verifying purpose = "verifying"
)

// parseKeys reads the keys of a Signer or a Verifier. Its errors say which key is wrong by its place, never by its text.
func parseKeys(scheme Scheme, p purpose, keys []Key) ([]key, error) {
	if scheme.Headers() == nil {
		return nil, fmt.Errorf("webhook: unknown scheme %q", string(scheme))
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("webhook: %s %s needs a key", scheme, p)
	}
	if len(keys) > maxKeys {
		return nil, fmt.Errorf("webhook: %d keys, at most %d are taken", len(keys), maxKeys)
	}
	parsed := make([]key, len(keys))
	for i, k := range keys {
		var err error
		if parsed[i], err = parseKey(scheme, p, k.Text); err != nil {
			return nil, fmt.Errorf("webhook: key %d for %s %s: %w", i+1, scheme, p, err)
		}
		parsed[i].until = k.Until
	}
	return parsed, nil
}

func parseKey(scheme Scheme, p purpose, text string) (key, error) {
	if err := checkText(text); err != nil {
		return key{}, err
	}
	switch scheme {
	case Standard:
		return parseStandard(p, text)
	case Static:
		return key{value: text, digest: sha256.Sum256([]byte(text))}, nil
	}
	// Whoever knows a public key could sign with it, if it were taken for a shared secret.
	if strings.HasPrefix(text, publicPrefix) || strings.HasPrefix(text, privatePrefix) {
		return key{}, errors.New("an Ed25519 key is not a shared secret")
	}
	if text == secretPrefix {
		return key{}, errors.New("nothing follows " + secretPrefix)
	}
	return key{secret: []byte(text)}, nil
}

func parseStandard(p purpose, text string) (key, error) {
	switch {
	case strings.HasPrefix(text, secretPrefix):
		secret, err := decodeKey(text, secretPrefix)
		if err != nil {
			return key{}, err
		}
		if len(secret) < minSecret || len(secret) > maxSecret {
			return key{}, fmt.Errorf("the secret has %d bytes, want %d to %d", len(secret), minSecret, maxSecret)
		}
		return key{secret: secret}, nil

	case p == signing && strings.HasPrefix(text, privatePrefix):
		private, err := parsePrivate(text)
		return key{private: private}, err

	case p == verifying && strings.HasPrefix(text, publicPrefix):
		public, err := decodeKey(text, publicPrefix)
		if err == nil && len(public) != ed25519.PublicKeySize {
			err = fmt.Errorf("the public key has %d bytes, want %d", len(public), ed25519.PublicKeySize)
		}
		return key{public: public}, err

	case p == signing:
		return key{}, errors.New("it begins neither with " + secretPrefix + " nor with " + privatePrefix)
	}
	return key{}, errors.New("it begins neither with " + secretPrefix + " nor with " + publicPrefix)
}

// parsePrivate takes both usual serialisations: the seed alone (32 bytes) and the seed followed by the public key (64 bytes).
func parsePrivate(text string) (ed25519.PrivateKey, error) {
	if err := checkText(text); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(text, privatePrefix) {
		return nil, errors.New("it does not begin with " + privatePrefix)
	}
	b, err := decodeKey(text, privatePrefix)
	if err != nil {
		return nil, err
	}
	if len(b) != ed25519.SeedSize && len(b) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("the private key has %d bytes, want %d or %d", len(b), ed25519.SeedSize, ed25519.PrivateKeySize)
	}
	private := ed25519.NewKeyFromSeed(b[:ed25519.SeedSize])
	// Signing with a public half that belongs to another seed would give the private key away.
	if len(b) == ed25519.PrivateKeySize && !private.Equal(ed25519.PrivateKey(b)) {
		return nil, errors.New("its public half does not belong to its private half")
	}
	return private, nil
}

func decodeKey(text, prefix string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(text[len(prefix):])
	if err != nil {
		return nil, errors.New("what follows " + prefix + " is not base64") // err would quote the key
	}
	return b, nil
}

// checkText refuses what no printed key is: nothing, white space around it (a line end from a file, most often), control
// characters, anything but ASCII.
func checkText(text string) error {
	switch {
	case text == "":
		return errors.New("it is empty")
	case len(text) > maxText:
		return fmt.Errorf("it has %d characters, at most %d are taken", len(text), maxText)
	case text != strings.TrimSpace(text):
		return errors.New("it has white space around it")
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return errors.New("it has characters other than printable ASCII")
		}
	}
	return nil
}
