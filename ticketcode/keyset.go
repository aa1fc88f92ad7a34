package ticketcode

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"time"
)

// A Key is the public half of a key that signs ticket codes and revocation lists.
type Key struct {
	// ID is the number by which codes name the key, 1 to 255.
	ID byte

	// Public is the key itself, 32 bytes.
	Public ed25519.PublicKey

	// From is the first instant at which the key counts, in whole seconds; fractions are dropped. Zero means that it has no
	// beginning.
	From time.Time

	// Until is the first instant at which the key no longer counts, in whole seconds; fractions are dropped. Zero means that it has
	// no end. It lies behind the end of every ticket that the key has signed, not at the moment at which another key began to sign.
	Until time.Time
}

// A KeySet has the keys by which one organisation's codes are verified. During a rotation both the old and the new key are in it:
// the new one before it begins to sign, the old one until no ticket that it has signed is valid any more. A KeySet may be used by
// several goroutines at once, but for UnmarshalJSON. The zero KeySet has no keys and verifies nothing.
type KeySet struct {
	org  string
	keys []Key // by ID
}

const maxOrg = 64

// NewKeySet returns the key set of an organisation, whose id has 1 to 64 visible ASCII characters. It fails with [Malformed] if two
// keys have the same id, or if one is not an Ed25519 key, could be signed for by anybody, or ends before it begins.
func NewKeySet(org string, keys ...Key) (*KeySet, error) {
	if !validOrg(org) {
		return nil, &Error{Malformed, "an organisation's id has 1 to 64 visible ASCII characters"}
	}
	own := make([]Key, len(keys))
	for i, k := range keys {
		if err := checkKey(k); err != nil {
			return nil, err
		}
		own[i] = Key{ID: k.ID, Public: slices.Clone(k.Public), From: wholeSecond(k.From), Until: wholeSecond(k.Until)}
	}
	slices.SortFunc(own, func(a, b Key) int { return int(a.ID) - int(b.ID) })
	for i := range own[min(1, len(own)):] {
		if own[i].ID == own[i+1].ID {
			return nil, &Error{Malformed, fmt.Sprintf("two keys have the id %d", own[i].ID)}
		}
	}
	return &KeySet{org: org, keys: own}, nil
}

func validOrg(org string) bool {
	for i := range len(org) {
		if org[i] <= ' ' || org[i] > '~' {
			return false
		}
	}
	return org != "" && len(org) <= maxOrg
}

// maxKeyTime is the end of the year 9999 in Unix seconds, the last second that RFC 3339 can write.
const maxKeyTime = 253402300799

func checkKey(k Key) error {
	fault := func(text string) error { return &Error{Malformed, fmt.Sprintf("key %d: %s", k.ID, text)} }
	switch {
	case k.ID == 0:
		return fault("an id is 1 to 255")
	case len(k.Public) != ed25519.PublicKeySize:
		return fault("the public key does not have 32 bytes")
	case smallOrder(k.Public):
		return fault("anybody could sign for this public key")
	}
	for _, t := range []time.Time{k.From, k.Until} {
		if !t.IsZero() && (t.Unix() < 1 || t.Unix() > maxKeyTime) {
			return fault("its time does not lie between 1970 and 9999")
		}
	}
	if !k.From.IsZero() && !k.Until.IsZero() && k.From.Unix() >= k.Until.Unix() {
		return fault("it ends before it begins")
	}
	return nil
}

func wholeSecond(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.Unix(t.Unix(), 0).UTC()
}

// smallOrder reports whether the key is one of the points whose multiples are few (RFC 8032 §5.1.7 leaves them to the verifier): a
// signature for them is found by guessing, so a key set that was filled with zeros by mistake would open every door. They are known by
// their second coordinate, whatever the sign.
func smallOrder(public ed25519.PublicKey) bool {
	y := [ed25519.PublicKeySize]byte(public)
	y[31] &= 0x7f
	for _, small := range [...]string{
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", // 0: order 4
		"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", // 1: order 1
		"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05", // order 8
		"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a", // order 8
		"\xec\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", // p-1: order 2
		"\xed\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", // p: 0 again
		"\xee\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", // p+1: 1 again
	} {
		if string(y[:]) == small {
			return true
		}
	}
	return false
}

// Org returns the id of the organisation.
func (s *KeySet) Org() string { return s.org }

// Keys returns the keys, by their ids.
func (s *KeySet) Keys() []Key {
	keys := slices.Clone(s.keys)
	for i := range keys {
		keys[i].Public = slices.Clone(keys[i].Public)
	}
	return keys
}

// Verify returns the token of a scanned code if one of the organisation's keys that counts now has signed it and now lies in its
// window. It needs neither network nor database; what is left to check stands in the package's comment. If it fails, the error is an
// [*Error] with one of the Reasons [Malformed], [WrongVersion], [UnknownKey], [BadSignature], [NotYet] and [TooLate]. The last two are
// told only of genuine tokens.
func (s *KeySet) Verify(text string, now time.Time) (Token, error) {
	c, err := decode(text)
	if err != nil {
		return Token{}, err
	}
	t := c.token()
	if err := s.verify(t.KeyID, c.signed(), c.signature(), now); err != nil {
		return Token{}, err
	}
	if !begun(t.ValidFrom, now) {
		return Token{}, &Error{NotYet, ""}
	}
	if ended(t.ValidUntil, now) {
		return Token{}, &Error{TooLate, ""}
	}
	return t, nil
}

func (s *KeySet) verify(id byte, message, signature []byte, now time.Time) error {
	for i := range s.keys {
		k := &s.keys[i]
		if k.ID != id {
			continue
		}
		if !begun(k.From, now) {
			return &Error{UnknownKey, "it does not count yet"}
		}
		if ended(k.Until, now) {
			return &Error{UnknownKey, "it no longer counts"}
		}
		if !ed25519.Verify(k.Public, message, signature) {
			return &Error{BadSignature, ""}
		}
		return nil
	}
	return &Error{UnknownKey, ""}
}
