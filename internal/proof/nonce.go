package proof

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// nonceLife is how long a nonce is good.
const nonceLife = 5 * time.Minute

// Nonces makes and knows nonces (RFC 9449 §8) without keeping any: the instant with its MAC under the master key, so every node knows every node's.
type Nonces struct{ keys *seal.Keyring }

// NewNonces makes it.
func NewNonces(k *seal.Keyring) *Nonces { return &Nonces{k} }

const nonceMAC = 16 // bytes

// Next is a nonce for the next proof; it is good for five minutes.
func (n *Nonces) Next(now time.Time) string {
	at := binary.BigEndian.AppendUint64(nil, uint64(now.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(at, n.mac(at)...))
}

func (n *Nonces) mac(at []byte) []byte {
	return n.keys.MAC(append([]byte("dpop nonce "), at...))[:nonceMAC]
}

// Good tells whether a nonce is ours and not too old.
func (n *Nonces) Good(nonce string, now time.Time) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(raw) != 8+nonceMAC || subtle.ConstantTimeCompare(n.mac(raw[:8]), raw[8:]) != 1 {
		return false
	}
	age := now.Unix() - int64(binary.BigEndian.Uint64(raw))
	return age >= -int64(window/time.Second) && age <= int64(nonceLife/time.Second)
}
