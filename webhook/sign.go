package webhook

import (
	"errors"
	"net/http"
	"strconv"
)

// ErrExpired is returned when every key of a Signer has come to its end: nothing is signed with an expired key.
var ErrExpired = errors.New("webhook: every signing key has expired")

// A Signer makes the headers of deliveries in one scheme. It may be used by several goroutines at once. It never shows its keys
// when it is printed.
type Signer struct {
	scheme Scheme
	ring   keyring
}

// NewSigner returns a Signer for the scheme. Keys are given oldest first, at most four; one is the usual case. During a rotation
// the old key has its end in Until and the new one follows:
//
//	webhook.NewSigner(webhook.Portal, webhook.Key{Text: old, Until: end}, webhook.Key{Text: fresh})
//
// Of the keys valid at a message's time, Portal, Pullup and Static use the oldest for the header itself, Portal and Pullup the
// newest for the added …-Next header, and Standard uses all. NewSigner fails if a key is not one of the scheme (see [Key]).
func NewSigner(scheme Scheme, keys ...Key) (*Signer, error) {
	parsed, err := parseKeys(scheme, signing, keys)
	if err != nil {
		return nil, err
	}
	return &Signer{scheme: scheme, ring: keyring{keys: parsed}}, nil
}

// String names the scheme, not the keys.
func (s *Signer) String() string { return "webhook.Signer(" + string(s.scheme) + ")" }

// GoString is String.
func (s *Signer) GoString() string { return s.String() }

// SetHeaders sets the message's headers in h, replacing those that an earlier attempt left there.
func (s *Signer) SetHeaders(h http.Header, m Message) error {
	var room [5]Header
	headers, err := s.AppendHeaders(room[:0], m)
	if err != nil {
		return err
	}
	for _, name := range s.scheme.Headers() {
		delete(h, name)
	}
	for _, header := range headers {
		h[header.Name] = []string{header.Value}
	}
	return nil
}

// AppendHeaders appends the message's headers to dst, at most five. It is the cheap way: where dst has room, an HMAC costs one
// allocation. It fails with [ErrExpired], or if a field of the message is missing or cannot stand in a header; dst is then
// returned as it was.
func (s *Signer) AppendHeaders(dst []Header, m Message) ([]Header, error) {
	if err := s.check(m); err != nil {
		return dst, err
	}
	first, last := s.ring.oldest(m.Time), s.ring.newest(m.Time)
	if first < 0 {
		return dst, ErrExpired
	}
	if s.scheme == Static {
		return append(dst, Header{staticAuthorization, s.ring.keys[first].value}), nil
	}
	w := s.ring.get()
	switch s.scheme {
	case Portal:
		dst = s.appendPortal(dst, w, m, first, last)
	case Pullup:
		dst = s.appendPullup(dst, w, m, first, last)
	default:
		dst = s.appendStandard(dst, w, m)
	}
	s.ring.put(w)
	return dst, nil
}

// The three below write all values into one string and cut it up, which saves allocations.

func (s *Signer) appendPortal(dst []Header, w *work, m Message, first, last int) []Header {
	w.setPrefix("", m.Time.Unix())
	w.out = append(w.out, sha256Mark...)
	w.appendHex(first, m.Body)
	if last != first {
		w.out = append(w.out, sha256Mark...)
		w.appendHex(last, m.Body)
	}
	signed := len(w.out)
	w.out = append(w.out, w.prefix[:len(w.prefix)-1]...)
	text := string(w.out)

	const size = len(sha256Mark) + hexSize
	dst = append(dst,
		Header{portalSignature, text[:size]},
		Header{portalTimestamp, text[signed:]},
		Header{portalEvent, m.Event},
		Header{portalDelivery, m.ID})
	if last != first {
		dst = append(dst, Header{portalNext, text[size:signed]})
	}
	return dst
}

func (s *Signer) appendPullup(dst []Header, w *work, m Message, first, last int) []Header {
	w.appendHex(first, m.Body)
	if last != first {
		w.appendHex(last, m.Body)
	}
	text := string(w.out)

	dst = append(dst,
		Header{pullupSignature, text[:hexSize]},
		Header{pullupEvent, m.Event},
		Header{pullupDelivery, m.ID})
	if last != first {
		dst = append(dst, Header{pullupNext, text[hexSize:]})
	}
	return dst
}

func (s *Signer) appendStandard(dst []Header, w *work, m Message) []Header {
	w.setPrefix(m.ID, m.Time.Unix())
	for i := range s.ring.keys {
		k := &s.ring.keys[i]
		if !k.live(m.Time) {
			continue
		}
		if len(w.out) > 0 {
			w.out = append(w.out, ' ')
		}
		w.appendStandard(i, k, m.Body)
	}
	signed := len(w.out)
	w.out = strconv.AppendInt(w.out, m.Time.Unix(), 10)
	text := string(w.out)

	return append(dst,
		Header{standardID, m.ID},
		Header{standardTimestamp, text[signed:]},
		Header{standardSignature, text[:signed]})
}

// check refuses a message that would make headers a receiver could not verify, or could misread.
func (s *Signer) check(m Message) error {
	if m.Time.Unix() < 0 {
		return errors.New("webhook: Message.Time is not set")
	}
	switch s.scheme {
	case Standard:
		if !isID(m.ID) {
			return errors.New("webhook: Message.ID must be visible ASCII without a dot")
		}
	case Portal, Pullup:
		if !isVisible(m.ID) {
			return errors.New("webhook: Message.ID must be visible ASCII")
		}
		if !isVisible(m.Event) {
			return errors.New("webhook: Message.Event must be visible ASCII")
		}
	}
	return nil
}

// isVisible reports whether s is not empty and consists of ASCII characters that leave a mark.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

// isID reports whether s can be an id of Standard, which joins id, timestamp and body with dots.
func isID(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '.' {
			return false
		}
	}
	return s != ""
}
