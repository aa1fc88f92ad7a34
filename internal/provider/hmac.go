package provider

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// proof is how a provider signs.
type proof interface {
	// check returns nil or a *Refusal.
	check(h HMAC, r Request, now time.Time) error
	// headers are where the signature and its time stand; the second is empty where no time is signed. Both are empty where it depends on the request.
	headers() (signature, stamp string)
	// timed is whether a time is signed, so that a TTL has a meaning.
	timed() bool
	// checkSecret says what a secret has to be, or nothing for one that is so.
	checkSecret(secret string) string
}

// CheckHMAC returns nil or a *Refusal, most often with [HMACFailed] (StubHub's fixed value fails with [StaticTokenFailed]). Without a secret it returns nil.
func (s Scheme) CheckHMAC(r Request, now time.Time) error {
	if s.HMAC.Secret == "" {
		return nil
	}
	if s.Provider == "" {
		return generic{}.check(s.HMAC, r, now)
	}
	p := presetOf(s.Provider)
	if p == nil {
		return refuse("the provider that is configured is not known")
	}
	return p.proof.check(s.HMAC, r, now)
}

// refuse is a Refusal of a signature.
func refuse(detail string, args ...any) error {
	return &Refusal{HMACFailed, fmt.Sprintf(detail, args...)}
}

// mac is an HMAC in a header of its own, of the body or of a time and the body.
type mac struct {
	header  string
	mark    string // before the signature
	decode  func(string) ([]byte, bool)
	stamp   string // the header of the time, or empty
	before  string // stands before the time in what is signed
	between string // between time and body
	object  bool   // the body has to be a JSON object: texts of another kind are signed with the same key for whoever asks
}

func (m mac) headers() (signature, stamp string) { return m.header, m.stamp }
func (m mac) timed() bool                        { return m.stamp != "" }
func (m mac) checkSecret(string) string          { return "" }

func (m mac) check(h HMAC, r Request, now time.Time) error {
	list, err := entries(r.Header, m.header)
	if err != nil {
		return err
	}
	var found macs
	for _, entry := range list {
		if text, ok := strings.CutPrefix(entry, m.mark); ok {
			found.add(m.decode(text))
		}
	}
	if err := found.usable(m.header); err != nil {
		return err
	}
	prefix := ""
	if m.stamp != "" {
		stamp, err := single(r.Header, m.stamp)
		if err != nil {
			return err
		}
		if err := fresh(stamp, m.stamp, h.ttl(), now); err != nil {
			return err
		}
		prefix = m.before + stamp + m.between
	}
	if !found.match(h.Secret, prefix, r.Body) || m.object && !isObject(r.Body) {
		return noMatch(m.header)
	}
	return nil
}

// stripe is t=…,v1=…[,v1=…]: the HMAC of the time, a dot and the body. Entries of other names, such as v0 in test mode, are for others.
type stripe struct{}

const stripeHeader = "Stripe-Signature"

func (stripe) headers() (signature, stamp string) { return stripeHeader, stripeHeader }
func (stripe) timed() bool                        { return true }

func (stripe) checkSecret(secret string) string {
	for _, prefix := range []string{"sk_", "rk_", "pk_"} {
		if strings.HasPrefix(secret, prefix) {
			return "This is a key of Stripe's API. Give the endpoint's signing secret, which begins with whsec_."
		}
	}
	return ""
}

func (stripe) check(h HMAC, r Request, now time.Time) error {
	list, err := parse(r.Header, stripeHeader)
	if err != nil {
		return err
	}
	return list.checkTimed(h, stripeHeader, r.Body, now)
}

// generic is what has no name: hexadecimal, sha256=hexadecimal, base64, or Stripe's list. The signed text of the list is its time, a dot and the body; otherwise it
// is the body, or the header's time, a dot and the body (and for v0= Slack's text). To know the signature of one of these is not to know that of another; where
// one could be read as the other, the body alone is not taken.
type generic struct{}

func (generic) headers() (signature, stamp string) { return "", "" }
func (generic) timed() bool                        { return true }
func (generic) checkSecret(string) string          { return "" }

func (generic) check(h HMAC, r Request, now time.Time) error {
	if h.Header == "" {
		return refuse("no header for the signature is configured")
	}
	list, err := parse(r.Header, h.Header)
	if err != nil {
		return err
	}
	if list.stamp != "" || strings.EqualFold(h.Header, h.TimestampHeader) {
		return list.checkTimed(h, h.Header, r.Body, now)
	}
	return list.checkApart(h, r, now)
}

// signatures are the entries of a signature's header, by the text that they may have signed.
type signatures struct {
	stamp  string // t=
	listed macs   // v1=
	slack  macs   // v0=
	bare   macs   // everything else
}

// parse reads the header in every form. Entries that are no SHA-256 in any are left out: a sender may have others beside it.
func parse(h http.Header, name string) (signatures, error) {
	list, err := entries(h, name)
	if err != nil {
		return signatures{}, err
	}
	var s signatures
	for _, entry := range list {
		key, value, _ := strings.Cut(entry, "=")
		switch key {
		case "t":
			if s.stamp != "" && s.stamp != value || value == "" {
				return signatures{}, refuse("the header %s has no t=, or several that differ", name)
			}
			s.stamp = value
		case "v1":
			s.listed.add(decodeHex(value))
		case "v0":
			s.slack.add(decodeHex(value))
		case "sha256":
			s.bare.add(decodeAny(value))
		default:
			s.bare.add(decodeAny(entry))
		}
	}
	return s, nil
}

func (s signatures) checkTimed(h HMAC, name string, body []byte, now time.Time) error {
	if s.stamp == "" {
		return refuse("the header %s has no t=", name)
	}
	if err := s.listed.usable(name); err != nil {
		return err
	}
	if err := fresh(s.stamp, name, h.ttl(), now); err != nil {
		return err
	}
	if !s.listed.match(h.Secret, s.stamp+".", body) {
		return noMatch(name)
	}
	return nil
}

// checkApart is for a time in a header of its own, or none.
func (s signatures) checkApart(h HMAC, r Request, now time.Time) error {
	all := slices.Concat(s.bare, s.listed)
	if err := slices.Concat(all, s.slack).usable(h.Header); err != nil {
		return err
	}
	if h.TimestampHeader != "" {
		stamp, err := single(r.Header, h.TimestampHeader)
		if err != nil {
			return err
		}
		if err := fresh(stamp, h.TimestampHeader, h.ttl(), now); err != nil {
			return err
		}
		if all.match(h.Secret, stamp+".", r.Body) || s.slack.match(h.Secret, "v0:"+stamp+":", r.Body) {
			return nil
		}
	}
	if beginsWithTime(r.Body) || !all.match(h.Secret, "", r.Body) {
		return noMatch(h.Header)
	}
	return nil
}

// macs are decoded signatures, each of 32 bytes.
type macs [][]byte

func (m *macs) add(sum []byte, ok bool) {
	if ok {
		*m = append(*m, sum)
	}
}

func (m macs) usable(header string) error {
	switch {
	case len(m) == 0:
		return refuse("the header %s has no signature of the right form", header)
	case len(m) > MaxSignatures:
		return refuse("the header %s has more than %d signatures", header, MaxSignatures)
	}
	return nil
}

// match looks at every signature, so that its time says nothing about which one it is.
func (m macs) match(secret, prefix string, body []byte) bool {
	if len(m) == 0 {
		return false
	}
	sum := hmacSum(secret, prefix, body)
	found := false
	for _, candidate := range m {
		found = hmac.Equal(sum, candidate) || found
	}
	return found
}

func hmacSum(secret, prefix string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(prefix))
	h.Write(body)
	return h.Sum(nil)
}

func noMatch(header string) error {
	return refuse("no signature in %s is that of this body and the configured secret", header)
}

func decodeHex(s string) ([]byte, bool) {
	if len(s) != hex.EncodedLen(sha256.Size) {
		return nil, false
	}
	b, err := hex.DecodeString(s)
	return b, err == nil
}

// decodeBase64 takes the alphabet of URLs too, and padding or none.
func decodeBase64(s string) ([]byte, bool) {
	s = strings.TrimSuffix(s, "=")
	if len(s) != base64.RawStdEncoding.EncodedLen(sha256.Size) {
		return nil, false
	}
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		encoding = base64.RawURLEncoding
	}
	b, err := encoding.Strict().DecodeString(s)
	return b, err == nil
}

func decodeAny(s string) ([]byte, bool) {
	if b, ok := decodeHex(s); ok {
		return b, true
	}
	return decodeBase64(s)
}

// maxEntries bounds what is read of a header before signatures are counted.
const maxEntries = 4 * MaxSignatures

// entries are the parts of a header between commas, of all its lines, without white space around them.
func entries(h http.Header, name string) ([]string, error) {
	lines := h.Values(name)
	if len(lines) == 0 {
		return nil, missing(name)
	}
	var list []string
	for _, line := range lines {
		for entry := range strings.SplitSeq(line, ",") {
			if len(list) == maxEntries {
				return nil, refuse("the header %s has more than %d entries", name, maxEntries)
			}
			if entry = strings.Trim(entry, " \t"); entry != "" {
				list = append(list, entry)
			}
		}
	}
	if len(list) == 0 {
		return nil, refuse("the header %s is empty", name)
	}
	return list, nil
}

// single is the value of a header that may stand there only once: of two, sender and receiver may read different ones.
func single(h http.Header, name string) (string, error) {
	switch lines := h.Values(name); {
	case len(lines) == 0:
		return "", missing(name)
	case len(lines) > 1:
		return "", refuse("the header %s stands there more than once", name)
	case lines[0] == "":
		return "", refuse("the header %s is empty", name)
	default:
		return lines[0], nil
	}
}

func missing(header string) error { return refuse("the header %s is missing", header) }

func isObject(body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && body[0] == '{'
}
