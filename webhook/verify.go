package webhook

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"time"
)

const (
	// DefaultTolerance is how far a delivery's timestamp may be from the present, back or ahead. The portal's own sample allows
	// 30 minutes back; five are enough for a sender that signs every attempt anew, as Stagedoor does.
	DefaultTolerance = 5 * time.Minute

	// MaxSignatures is how many signatures a delivery may carry. A rotation needs two; checking thousands would be a gift to
	// whoever wants to keep a receiver busy.
	MaxSignatures = 16
)

const (
	v1         = "v1"
	v1a        = "v1a"
	sha256Name = "sha256"
	sha256Mark = sha256Name + "="
	hexSize    = 2 * sha256.Size
)

// A Verifier checks deliveries in one scheme. It may be used by several goroutines at once. It never shows its keys when it is
// printed.
type Verifier struct {
	scheme    Scheme
	tolerance int64 // seconds
	ring      *keyring
}

// NewVerifier returns a Verifier for the scheme that accepts a delivery signed with any of the keys, at most four; one is the usual
// case, and during a rotation a receiver may have the old and the new one. It fails if a key is not one of the scheme (see
// [Key]), in particular if it is empty.
func NewVerifier(scheme Scheme, keys ...Key) (*Verifier, error) {
	parsed, err := parseKeys(scheme, verifying, keys)
	if err != nil {
		return nil, err
	}
	return &Verifier{scheme: scheme, tolerance: int64(DefaultTolerance / time.Second), ring: &keyring{keys: parsed}}, nil
}

// WithTolerance returns a Verifier with another tolerance, which counts in whole seconds and both ways; a negative one is zero.
func (v *Verifier) WithTolerance(d time.Duration) *Verifier {
	c := *v
	c.tolerance = max(0, int64(d/time.Second))
	return &c
}

// String names the scheme, not the keys.
func (v *Verifier) String() string { return "webhook.Verifier(" + string(v.scheme) + ")" }

// GoString is String.
func (v *Verifier) GoString() string { return v.String() }

// Verify checks a delivery's headers and body, which must be the raw bytes of the request, at the instant now. It returns what
// was delivered; of that, [Scheme] says what is signed. If it fails, the error is an [*Error] with one of the five Reasons; the
// receiver answers 401 and does nothing else.
func (v *Verifier) Verify(h http.Header, body []byte, now time.Time) (Message, error) {
	switch v.scheme {
	case Portal:
		return v.verifyPortal(h, body, now)
	case Pullup:
		return v.verifyPullup(h, body, now)
	case Standard:
		return v.verifyStandard(h, body, now)
	}
	return v.verifyStatic(h, body, now)
}

func (v *Verifier) verifyPortal(h http.Header, body []byte, now time.Time) (Message, error) {
	value, err := single(h, portalSignature)
	if err != nil {
		return Message{}, err
	}
	seconds, err := v.timestamp(h, portalTimestamp, now)
	if err != nil {
		return Message{}, err
	}
	var room [MaxSignatures]signature
	list, err := appendSignatures(room[:0], portalSignature, value, ',', '=')
	if err != nil {
		return Message{}, err
	}
	if h[portalNext] != nil {
		if value, err = single(h, portalNext); err == nil {
			list, err = appendSignatures(list, portalNext, value, ',', '=')
		}
		if err != nil {
			return Message{}, err
		}
	}

	w := v.ring.get()
	defer v.ring.put(w)
	w.setPrefix("", seconds)
	if !v.matchHex(w, list, body, now) {
		return Message{}, &Error{NoMatch, portalSignature, ""}
	}
	return Message{ID: h.Get(portalDelivery), Event: h.Get(portalEvent), Time: time.Unix(seconds, 0), Body: body}, nil
}

func (v *Verifier) verifyPullup(h http.Header, body []byte, now time.Time) (Message, error) {
	var room [2]signature
	list := room[:0]
	for _, name := range []string{pullupSignature, pullupNext} {
		if name == pullupNext && h[name] == nil {
			continue
		}
		value, err := single(h, name)
		if err != nil {
			return Message{}, err
		}
		list = append(list, signature{sha256Name, value})
	}

	w := v.ring.get()
	defer v.ring.put(w)
	if !v.matchHex(w, list, body, now) {
		return Message{}, &Error{NoMatch, pullupSignature, ""}
	}
	return Message{ID: h.Get(pullupDelivery), Event: h.Get(pullupEvent), Body: body}, nil
}

func (v *Verifier) verifyStandard(h http.Header, body []byte, now time.Time) (Message, error) {
	id, err := single(h, standardID)
	if err != nil {
		return Message{}, err
	}
	if !isID(id) {
		return Message{}, &Error{Malformed, standardID, "a dot, white space or a character other than ASCII"}
	}
	seconds, err := v.timestamp(h, standardTimestamp, now)
	if err != nil {
		return Message{}, err
	}
	value, err := header(h, standardSignature)
	if err != nil {
		return Message{}, err
	}
	var room [MaxSignatures]signature
	list, err := appendSignatures(room[:0], standardSignature, value, ' ', ',')
	if err != nil {
		return Message{}, err
	}

	w := v.ring.get()
	defer v.ring.put(w)
	w.setPrefix(id, seconds)
	if !v.matchStandard(w, list, body, now) {
		return Message{}, &Error{NoMatch, standardSignature, ""}
	}
	return Message{ID: id, Time: time.Unix(seconds, 0), Body: body}, nil
}

// verifyStatic compares digests, so that not even the length of the right value shows in the time it takes.
func (v *Verifier) verifyStatic(h http.Header, body []byte, now time.Time) (Message, error) {
	value, err := header(h, staticAuthorization)
	if err != nil {
		return Message{}, err
	}
	digest := sha256.Sum256([]byte(value))
	match := 0
	for i := range v.ring.keys {
		if k := &v.ring.keys[i]; k.live(now) {
			match |= subtle.ConstantTimeCompare(digest[:], k.digest[:])
		}
	}
	if match == 0 {
		return Message{}, &Error{NoMatch, staticAuthorization, ""}
	}
	return Message{Body: body}, nil
}

// matchHex compares the whole hexadecimal text in constant time; it is never decoded, so there is one spelling of a signature.
func (v *Verifier) matchHex(w *work, list []signature, body []byte, now time.Time) bool {
	for i := range v.ring.keys {
		if !v.ring.keys[i].live(now) {
			continue
		}
		w.out = hex.AppendEncode(w.out[:0], w.mac(i, body))
		for _, s := range list {
			if s.version == sha256Name && subtle.ConstantTimeCompare(w.out, []byte(s.value)) == 1 {
				return true
			}
		}
	}
	return false
}

// matchStandard holds each kind of key to its own version: v1 to secrets, v1a to public keys.
func (v *Verifier) matchStandard(w *work, list []signature, body []byte, now time.Time) bool {
	for i := range v.ring.keys {
		k := &v.ring.keys[i]
		if !k.live(now) {
			continue
		}
		if k.public != nil {
			if matchEd25519(w, k.public, list, body) {
				return true
			}
			continue
		}
		w.out = base64.StdEncoding.AppendEncode(w.out[:0], w.mac(i, body))
		for _, s := range list {
			if s.version == v1 && subtle.ConstantTimeCompare(w.out, []byte(s.value)) == 1 {
				return true
			}
		}
	}
	return false
}

func matchEd25519(w *work, public ed25519.PublicKey, list []signature, body []byte) bool {
	const size = (ed25519.SignatureSize + 2) / 3 * 4
	for _, s := range list {
		if s.version != v1a || len(s.value) != size {
			continue
		}
		var err error
		w.out, err = base64.StdEncoding.Strict().AppendDecode(w.out[:0], []byte(s.value))
		if err == nil && len(w.out) == ed25519.SignatureSize && ed25519.Verify(public, w.message(body), w.out) {
			return true
		}
	}
	return false
}
