package webhook_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What testdata/vectors.json holds, and how it is made. The signatures come from a plain reading of the schemes that shares
// nothing with the package under test.

type vectorFile struct {
	Description []string    `json:"description"`
	Keys        []keyVector `json:"keys"`
	Vectors     []vector    `json:"vectors"`
}

type keyVector struct {
	Name     string `json:"name"`
	Scheme   string `json:"scheme"`
	Use      string `json:"use"`
	Key      string `json:"key"`
	Accepted bool   `json:"accepted"`
}

type vector struct {
	Name      string         `json:"name"`
	Scheme    string         `json:"scheme"`
	Keys      []vectorKey    `json:"keys"`
	Now       int64          `json:"now"`
	Tolerance int64          `json:"toleranceSeconds"`
	Headers   []vectorHeader `json:"headers"`
	Body      vectorBody     `json:"body"`
	Sign      *vectorSign    `json:"sign,omitempty"`
	Error     string         `json:"error,omitempty"`
}

type vectorKey struct {
	Key   string `json:"key"`
	Until int64  `json:"until,omitempty"`
}

type vectorHeader struct {
	Name   string `json:"name"`
	Repeat string `json:"repeat,omitempty"`
	Times  int    `json:"times,omitempty"`
	Value  string `json:"value"`
}

type vectorBody struct {
	Repeat string `json:"repeat,omitempty"`
	Times  int    `json:"times,omitempty"`
	Text   string `json:"text,omitempty"`
	Base64 string `json:"base64,omitempty"`
}

type vectorSign struct {
	Keys  []vectorKey `json:"keys"`
	ID    string      `json:"id,omitempty"`
	Event string      `json:"event,omitempty"`
	Time  int64       `json:"time"`
}

func (h vectorHeader) text() string { return strings.Repeat(h.Repeat, h.Times) + h.Value }

func (b vectorBody) bytes() []byte {
	if b.Base64 != "" {
		decoded, err := base64.StdEncoding.DecodeString(b.Base64)
		if err != nil {
			panic(err)
		}
		return decoded
	}
	return []byte(strings.Repeat(b.Repeat, b.Times) + b.Text)
}

func bodyOf(b []byte) vectorBody {
	if utf8.Valid(b) {
		return vectorBody{Text: string(b)}
	}
	return vectorBody{Base64: base64.StdEncoding.EncodeToString(b)}
}

var description = []string{
	"Test vectors for the webhook signatures of Stagedoor. Made by `go test ./webhook -run TestVectors -update`; do not edit.",
	"keys: whether a printed key is accepted. 'scheme' is portal, pullup, standard or static; 'use' is sign or verify; 'key' is the printed text; 'accepted' is the verdict.",
	"vectors: a delivery and the verdict about it. 'scheme' as above. 'keys' are the receiver's; one with 'until' (Unix seconds) is no longer valid from that second on. 'now' is the receiver's clock in Unix seconds, and a timestamp may differ from it by at most 'toleranceSeconds' either way; pullup and static have no timestamp.",
	"'headers' is a list, as a header may be there twice; names do not depend on case. A header's value is 'repeat' written 'times' times, followed by 'value'.",
	"'body' is either 'base64' decoded, or 'repeat' written 'times' times followed by 'text' in UTF-8; without any of them it is empty.",
	"Without 'error' the delivery must be accepted. With it, it must be refused: missing_header, malformed, too_old, in_future or no_match. That it is refused matters; an implementation may give another reason.",
	"'sign', where present, is what the sender had: 'keys' oldest first, of which those that have not come to their end at 'time' sign; the delivery's 'id'; its 'event'; the attempt's 'time' in Unix seconds. A sender must make exactly these headers, in any order.",
	"What is signed: portal: hex HMAC-SHA256 of timestamp '.' body; pullup: hex HMAC-SHA256 of body; standard: base64 HMAC-SHA256 (v1) or Ed25519 (v1a) of id '.' timestamp '.' body; static: nothing. The HMAC key is the printed text of the secret, but in standard the base64-decoded part after whsec_.",
}

const (
	sentAt    = 1782900000 // 2026-07-01T10:00:00Z
	tolerance = 300
	aDelivery = "7d4c6f0e-52a1-4c39-9a55-0d8f3a1b2c4d"
	anID      = "evt_5c1e9a2b7f"
	anEvent   = "order.accepted"
	aJSON     = `{"event":"order.accepted","venue":"Caf\u00e9 \u20ac \ud83c\udf9f"}`
	sameJSON  = `{"event":"order.accepted","venue":"Café € 🎟"}`
)

var (
	oldSecret   = "whsec_" + base64.StdEncoding.EncodeToString([]byte("stagedoor-test-vectors-old-secret"[:32]))
	newSecret   = "whsec_" + base64.StdEncoding.EncodeToString([]byte("stagedoor-test-vectors-new-secret"[:32]))
	otherSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("stagedoor-test-vectors-third-one"))
	oldPrivate  = ed25519.NewKeyFromSeed([]byte("stagedoor-test-vectors-old-seed!"))
	newPrivate  = ed25519.NewKeyFromSeed([]byte("stagedoor-test-vectors-new-seed!"))
)

func printPrivate(k ed25519.PrivateKey) string {
	return "whsk_" + base64.StdEncoding.EncodeToString(k)
}

func printPublic(k ed25519.PrivateKey) string {
	return "whpk_" + base64.StdEncoding.EncodeToString(k[32:])
}

var bodies = []struct {
	name string
	body vectorBody
}{
	{"empty body", vectorBody{}},
	{"1 byte", vectorBody{Text: "x"}},
	{"UTF-8", vectorBody{Text: sameJSON}},
	{"invalid UTF-8", vectorBody{Base64: base64.StdEncoding.EncodeToString([]byte("{\"name\":\"\xff\xfe\x80\xc3(\"}"))}},
	{"256 KiB", vectorBody{Repeat: "0123456789abcdef", Times: 16384}},
	{"CRLF", vectorBody{Text: "{\r\n  \"event\": \"order.accepted\"\r\n}\r\n"}},
	{"unicode escapes", vectorBody{Text: aJSON}},
}

// The schemes, read plainly.

func hexMAC(key, signed string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(signed))
	return hex.EncodeToString(h.Sum(nil))
}

func portalMAC(key string, at int64, body []byte) string {
	return "sha256=" + hexMAC(key, strconv.FormatInt(at, 10)+"."+string(body))
}

func standardText(id string, at int64, body []byte) string {
	return id + "." + strconv.FormatInt(at, 10) + "." + string(body)
}

func v1MAC(key []byte, id string, at int64, body []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(standardText(id, at, body)))
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func v1Secret(secret string, id string, at int64, body []byte) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		panic(err)
	}
	return v1MAC(key, id, at, body)
}

func v1aSign(key ed25519.PrivateKey, id string, at int64, body []byte) string {
	return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(key, []byte(standardText(id, at, body))))
}

func portalHeaders(signature, timestamp string) []vectorHeader {
	return []vectorHeader{
		{Name: "x-webhook-signature", Value: signature},
		{Name: "x-webhook-timestamp", Value: timestamp},
		{Name: "x-webhook-event", Value: anEvent},
		{Name: "x-webhook-delivery", Value: aDelivery},
	}
}

func pullupHeaders(signature string) []vectorHeader {
	return []vectorHeader{
		{Name: "x-pullup-signature", Value: signature},
		{Name: "x-pullup-event", Value: anEvent},
		{Name: "x-pullup-delivery", Value: aDelivery},
	}
}

func standardHeaders(id, timestamp, signature string) []vectorHeader {
	return []vectorHeader{
		{Name: "webhook-id", Value: id},
		{Name: "webhook-timestamp", Value: timestamp},
		{Name: "webhook-signature", Value: signature},
	}
}

func staticHeaders(value string) []vectorHeader {
	return []vectorHeader{{Name: "authorization", Value: value}}
}

// A collection gathers vectors of one scheme around one genuine delivery.
type collection struct {
	scheme  string
	keys    []vectorKey
	headers []vectorHeader
	body    []byte
	vectors []vector
}

func one(key string) []vectorKey { return []vectorKey{{Key: key}} }

// add adds the genuine delivery after change was made to it.
func (c *collection) add(name, reason string, change func(*vector)) {
	v := vector{
		Name: c.scheme + ": " + name, Scheme: c.scheme, Keys: c.keys, Now: sentAt, Tolerance: tolerance,
		Headers: append([]vectorHeader(nil), c.headers...), Body: bodyOf(c.body), Error: reason,
	}
	if i := strings.IndexByte(v.Scheme, ' '); i > 0 {
		v.Scheme = v.Scheme[:i]
	}
	change(&v)
	c.vectors = append(c.vectors, v)
}

// header adds the delivery with one header's value replaced.
func (c *collection) header(name, reason, header, value string) {
	c.add(name, reason, func(v *vector) { v.header(header).Value = value })
}

func (v *vector) header(name string) *vectorHeader {
	for i := range v.Headers {
		if v.Headers[i].Name == name {
			return &v.Headers[i]
		}
	}
	panic("no header " + name)
}

func (v *vector) drop(name string) {
	kept := v.Headers[:0]
	for _, h := range v.Headers {
		if h.Name != name {
			kept = append(kept, h)
		}
	}
	v.Headers = kept
}

// bodyCases: what is signed are the bytes, so any other bytes are another message.
func (c *collection) bodyCases() {
	c.add("body truncated", "no_match", func(v *vector) { v.Body = bodyOf(c.body[:len(c.body)-1]) })
	c.add("body extended", "no_match", func(v *vector) { v.Body = bodyOf(append(bytes.Clone(c.body), '\n')) })
	c.add("body emptied", "no_match", func(v *vector) { v.Body = vectorBody{} })
	c.add("body parsed and printed again", "no_match", func(v *vector) { v.Body = vectorBody{Text: sameJSON} })
}

// presenceCases: each of the headers is there exactly once and has a value.
func (c *collection) presenceCases(required ...string) {
	for _, name := range required {
		c.add(name+" missing", "missing_header", func(v *vector) { v.drop(name) })
		c.header(name+" empty", "malformed", name, "")
		c.add(name+" twice", "malformed", func(v *vector) { v.Headers = append(v.Headers, *v.header(name)) })
	}
}

// timeCases: signed is a genuine delivery sent at the instant written in the given way.
func (c *collection) timeCases(header string, signed func(timestamp string) []vectorHeader) {
	at := func(name, reason string, now int64) {
		c.add(name, reason, func(v *vector) { v.Now = now })
	}
	at("as old as the tolerance", "", sentAt+tolerance)
	at("a second older than the tolerance", "too_old", sentAt+tolerance+1)
	at("as far ahead as the tolerance", "", sentAt-tolerance)
	at("a second further ahead than the tolerance", "in_future", sentAt-tolerance-1)
	at("years ahead", "in_future", 0)
	c.add("30 minutes old, with portal's tolerance", "", func(v *vector) { v.Now, v.Tolerance = sentAt+1800, 1800 })

	c.header("timestamp moved within the tolerance", "no_match", header, strconv.Itoa(sentAt+1))
	spellings := []struct{ name, reason, text string }{
		{"milliseconds", "in_future", "1782900000000"},
		{"zero", "too_old", "0"},
		{"negative", "malformed", "-1782900000"},
		{"overflow", "malformed", "99999999999999999999"},
		{"overflow that wraps to the present", "malformed", "18446744075492451616"},
		{"float", "malformed", "1782900000.0"},
		{"exponent", "malformed", "1.7829e9"},
		{"plus sign", "malformed", "+1782900000"},
		{"leading zero", "malformed", "01782900000"},
		{"hexadecimal", "malformed", "0x6a44e4a0"},
		{"underscores", "malformed", "1_782_900_000"},
		{"NaN", "malformed", "NaN"},
		{"space before", "malformed", " 1782900000"},
		{"space behind", "malformed", "1782900000 "},
		{"RFC 3339", "malformed", "2026-07-01T10:00:00Z"},
		{"other digits", "malformed", "١٧٨٢٩٠٠٠٠٠"},
	}
	for _, s := range spellings {
		c.add("timestamp: "+s.name, s.reason, func(v *vector) { v.Headers = signed(s.text) })
	}
}

// keyCases: two keys during a rotation, and the end of the old one. The delivery is signed by the first.
func (c *collection) keyCases(old, fresh, other string) {
	set := func(name, reason string, keys ...vectorKey) {
		c.add(name, reason, func(v *vector) { v.Keys = keys })
	}
	set("wrong key", "no_match", vectorKey{Key: other})
	set("old and new key", "", vectorKey{Key: old}, vectorKey{Key: fresh})
	set("new and old key", "", vectorKey{Key: fresh}, vectorKey{Key: old})
	set("a second before the old key's end", "", vectorKey{Key: old, Until: sentAt + 1}, vectorKey{Key: fresh})
	set("at the old key's end", "no_match", vectorKey{Key: old, Until: sentAt}, vectorKey{Key: fresh})
	set("after the old key's end", "no_match", vectorKey{Key: old, Until: sentAt - 1}, vectorKey{Key: fresh})
	set("no key left", "no_match", vectorKey{Key: old, Until: sentAt})
}

// listCases: a list of signatures, where entry is the genuine one, decoy a well-formed one by nobody.
func (c *collection) listCases(header, separator, entry, decoy string) {
	c.header("second of two", "", header, decoy+separator+entry)
	c.header("first of two", "", header, entry+separator+decoy)
	long := func(name, reason string, decoys int) {
		c.add(name, reason, func(v *vector) {
			*v.header(header) = vectorHeader{Name: header, Repeat: decoy + separator, Times: decoys, Value: entry}
		})
	}
	long("last of 16", "", 15)
	long("last of 17", "malformed", 16)
	long("last of 1000", "malformed", 999)
	c.header("separator before", "malformed", header, separator+entry)
	c.header("separator behind", "malformed", header, entry+separator)
	c.header("two separators", "malformed", header, decoy+separator+separator+entry)
	c.header("only separators", "malformed", header, separator+separator)
}

func (c *collection) signed(name string, sign vectorSign, receiver []vectorKey, headers []vectorHeader, body vectorBody) {
	c.add(name, "", func(v *vector) {
		v.Sign, v.Keys, v.Headers, v.Body = &sign, receiver, headers, body
	})
}

func generateVectors() vectorFile {
	var all []vector
	for _, scheme := range [][]vector{portalVectors(), pullupVectors(), standardVectors(), staticVectors()} {
		all = append(all, scheme...)
	}
	return vectorFile{Description: description, Keys: keyVectors(), Vectors: all}
}
