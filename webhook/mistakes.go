package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"iter"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// What usually happens to a secret or a body on its way to a verifier, and how it is undone. See [Explain].

// A mistake is a secret that the pasted one was made of.
type mistake struct {
	cause, what, advice string
	key                 key
}

// maxMistakes is how many mistakes with a secret are tried.
const maxMistakes = 24

var assignment = regexp.MustCompile(`^(?:export )?[A-Za-z_][A-Za-z0-9_]* ?[=:] ?`)

// mistakes returns what secrets the pasted one may have been made of, the likeliest first.
func mistakes(s Scheme, pasted string) []mistake {
	if pasted == "" || len(pasted) > maxText {
		return nil
	}
	m := mistaking{scheme: s, pasted: pasted}
	clean := strings.Trim(strings.TrimSpace(pasted), "\u200b\ufeff")
	m.try("white_space", clean, "it was pasted with white space or a line end around it", "Take the white space away; files and shells often add a line end.")
	if unquoted := strings.TrimSpace(strings.Trim(clean, "\"'`“”")); unquoted != clean {
		clean = unquoted
		m.try("quotes", clean, "it stands in quotes", "Take the quotes away: some tools read them as part of the value.")
	}
	if value := assignment.ReplaceAllString(clean, ""); value != clean && value != "" {
		value = strings.TrimSpace(strings.Trim(value, "\"'`"))
		m.try("assignment", value, "the name before it was pasted too", "Use only what follows the name.")
	}
	if strings.Contains(clean, "%") {
		if plain, err := url.PathUnescape(clean); err == nil {
			m.try("url_encoded", plain, "it is percent-encoded", "Use it as it was shown, without %2B, %2F and %3D.")
		}
	}
	if s == Static {
		m.static(clean)
		return m.list
	}
	m.encoded(clean)
	return m.list
}

// mistaking collects mistakes.
type mistaking struct {
	scheme Scheme
	pasted string
	list   []mistake
}

// try adds a printed secret.
func (m *mistaking) try(cause, text, what, advice string) {
	if k, err := parseKey(m.scheme, verifying, text); err == nil && !alike(text, m.pasted) {
		m.add(mistake{cause, what, advice, k})
	}
}

func (m *mistaking) add(one mistake) {
	if len(m.list) < maxMistakes {
		m.list = append(m.list, one)
	}
}

// raw adds the bytes of an HMAC's key.
func (m *mistaking) raw(cause string, secret []byte, what, advice string) {
	if len(secret) > 0 {
		m.add(mistake{cause, what, advice, key{secret: secret}})
	}
}

func (m *mistaking) static(clean string) {
	const advice = "Compare the whole value of the Authorization header, with the word before the first space."
	bare := clean
	for _, word := range []string{"Bearer ", "Basic "} {
		if strings.HasPrefix(strings.ToLower(bare), strings.ToLower(word)) {
			bare = strings.TrimSpace(bare[len(word):])
			m.try("prefix_added", bare, "the word before it is not part of the header's value", advice)
		}
	}
	for _, word := range []string{"Bearer ", "Basic ", "bearer ", "basic "} {
		m.try("prefix_missing", word+bare, "the word "+strconv.Quote(strings.TrimSpace(word))+" before it is missing or written another way", advice)
	}
	m.try("not_encoded", "Basic "+base64.StdEncoding.EncodeToString([]byte(bare)), "user and password must be encoded with base64", advice)
}

// encoded is about prefixes and encodings of a shared secret.
func (m *mistaking) encoded(clean string) {
	const copied = "Use the secret exactly as it was shown when it was made."
	bare := strings.TrimPrefix(clean, secretPrefix)
	if bare == clean {
		m.try("prefix_missing", secretPrefix+clean, `"whsec_" at its beginning was cut off`, copied)
	} else {
		m.try("prefix_added", bare, `"whsec_" was put before it`, copied)
	}
	if public, err := PublicKey(clean); m.scheme == Standard && err == nil {
		m.try("private_key", public, "it is the private key", `Receivers verify with the public key, which begins with "whpk_". Keep the private one with the sender.`)
	}
	standard := strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(bare), "=")
	standard += strings.Repeat("=", (4-len(standard)%4)%4)
	m.try("url_safe", secretPrefix+standard, `it is in url-safe base64, or "=" at its end was cut off`,
		`Use the usual alphabet of base64, with "+", "/" and "=". `+copied)
	if b, err := hex.DecodeString(bare); err == nil {
		m.try("hex", secretPrefix+base64.StdEncoding.EncodeToString(b), "it is written in hexadecimal", copied)
		m.raw("signed_hex", b, "it was signed with the bytes that its hexadecimal digits stand for", m.keyIs())
	}
	if b, err := base64.StdEncoding.DecodeString(standard); err == nil {
		if bare == clean {
			m.try("encoded", strings.TrimSpace(string(b)), "it was encoded with base64 once more", copied)
		}
		if m.scheme != Standard {
			m.raw("signed_decoded", b, "it was signed with the bytes that its base64 stands for", m.keyIs())
		}
	}
	if bare == clean {
		m.try("decoded", secretPrefix+base64.StdEncoding.EncodeToString([]byte(clean)), "its base64 was decoded", copied)
	}
	if m.scheme == Standard {
		m.raw("signed_printed", []byte(clean), "it was signed with its printed characters", m.keyIs())
		m.raw("signed_printed", []byte(bare), `it was signed with the printed characters after "whsec_"`, m.keyIs())
	}
}

func (m *mistaking) keyIs() string {
	if m.scheme == Standard {
		return `In this scheme the key is what follows "whsec_", decoded from base64. Correct whoever signed this.`
	}
	return `In this scheme the key is the secret's printed characters, "whsec_" included, and nothing is decoded. Correct whoever signed this.`
}

// A change is something that happened to a body.
type change struct{ cause, what, advice string }

var (
	newlineAdded = change{"newline_added", "a line end was added at its end", rawBytes + " Editors and shells add line ends: " +
		"with curl, use --data-binary and a file without one."}
	newlineLost = change{"newline_lost", "the line end at its end is missing", rawBytes + " Do not trim it."}
	lineEnds    = change{"line_ends", "its line ends were changed between LF and CRLF", rawBytes + " Editors and terminals change line ends."}
	whiteSpace  = change{"white_space", "white space was added around it", rawBytes + " Do not copy more than the body."}
	byteOrder   = change{"bom", "a byte order mark was added or taken away at its beginning", rawBytes + ` Save it as UTF-8 "without BOM".`}
	charset     = change{"charset", "its characters were read in another character set, such as UTF-8 as Latin-1", rawBytes +
		" If your framework hands out text only, have it read UTF-8."}
	stringOf  = change{"json_string", "it was printed as a string, with quotes or backslashes", rawBytes + " Do not print it with a function that quotes."}
	entities  = change{"html_entities", `characters were replaced by HTML entities, such as "&quot;"`, rawBytes + " Do not copy it from a page's source."}
	spacing   = change{"json_spacing", "white space in its JSON was changed (compacted or indented)", reprinted}
	escapes   = change{"json_escapes", `characters in its JSON are escaped another way (such as "\u00e9", "\u003c" or "\/")`, reprinted}
	reencoded = change{"json_reencoded", "its JSON was parsed and printed again", reprinted}
)

const reprinted = rawBytes + " In Express that is express.raw(), in Flask request.get_data(), in Rails request.raw_post, in PHP php://input."

// maxBodies is how many bodies are tried beside the pasted one.
const maxBodies = 170

// before yields the bodies that one may have been made of, the likeliest first, each once and none twice.
func before(body []byte) iter.Seq2[change, []byte] {
	return func(yield func(change, []byte) bool) {
		seen := map[[sha256.Size]byte]bool{sha256.Sum256(body): true}
		tried := 0
		once := func(c change, b []byte) bool {
			sum := sha256.Sum256(b)
			if seen[sum] {
				return true
			}
			seen[sum] = true
			tried++
			return tried <= maxBodies && yield(c, b)
		}
		if !plainChanges(body, once) {
			return
		}
		text := bytes.TrimSpace(bytes.TrimPrefix(body, bom))
		if json.Valid(text) {
			reprints(text, once)
		}
	}
}

var bom = []byte("\xef\xbb\xbf")

// plainChanges are those that know nothing of JSON. It returns false when the asker has enough.
func plainChanges(body []byte, yield func(change, []byte) bool) bool {
	lf := bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	crlf := bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n"))
	trimmed := bytes.TrimSpace(body)
	with := func(b []byte, end string) []byte { return append(b[:len(b):len(b)], end...) }
	for _, v := range []struct {
		change
		body []byte
	}{
		{newlineAdded, bytes.TrimSuffix(bytes.TrimSuffix(body, []byte("\n")), []byte("\r"))},
		{newlineLost, with(body, "\n")},
		{newlineLost, with(body, "\r\n")},
		{lineEnds, lf},
		{lineEnds, crlf},
		{whiteSpace, trimmed},
		{newlineLost, with(trimmed, "\n")},
		{lineEnds, bytes.TrimSpace(lf)},
		{lineEnds, bytes.TrimSpace(crlf)},
		{lineEnds, with(crlf, "\r\n")},
		{byteOrder, bytes.TrimPrefix(body, bom)},
		{byteOrder, with(bom, string(body))},
		{charset, fromLatin(trimmed)},
		{charset, toLatin(trimmed)},
		{entities, []byte(html.UnescapeString(string(trimmed)))},
		{stringOf, unquote(trimmed)},
	} {
		if v.body != nil && !yield(v.change, v.body) {
			return false
		}
	}
	return true
}

// windows are the characters that Windows-1252 has where Latin-1 has control characters.
const windows = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ"

// fromLatin undoes UTF-8 that was read as Latin-1 or Windows-1252: each character becomes the byte that it was. Nil where that cannot have been.
func fromLatin(body []byte) []byte {
	bytesOf := make(map[rune]byte, 32)
	n := byte(0x80)
	for _, r := range windows {
		bytesOf[r] = n
		n++
	}
	out := make([]byte, 0, len(body))
	for _, r := range string(body) {
		if b, ok := bytesOf[r]; ok {
			out = append(out, b)
		} else if r > 0xff {
			return nil
		} else {
			out = append(out, byte(r))
		}
	}
	return out
}

// toLatin undoes UTF-8 that was converted to Latin-1.
func toLatin(body []byte) []byte {
	if utf8.Valid(body) {
		return nil
	}
	out := make([]rune, 0, len(body))
	for _, b := range body {
		out = append(out, rune(b))
	}
	return []byte(string(out))
}

// unquote takes a body out of a JSON string, with its quotes or without.
func unquote(body []byte) []byte {
	if !bytes.ContainsRune(body, '\\') {
		return nil
	}
	if !bytes.HasPrefix(body, []byte(`"`)) {
		body = append(append([]byte(`"`), body...), '"')
	}
	var text string
	if json.Unmarshal(body, &text) != nil {
		return nil
	}
	return []byte(text)
}

// A printer is a way to print JSON strings: which characters are escaped that need not be.
type printer struct{ ascii, html, slash bool }

// printers are those of usual libraries: JavaScript's, Go's, Python's, PHP's, and PHP's without unicode escapes.
var printers = []printer{{}, {html: true}, {ascii: true}, {ascii: true, slash: true}, {slash: true}}

// reprints yields a JSON text as usual libraries print it: with its strings as they are or printed anew, with its keys as they are or sorted, and with the
// usual ways of spacing.
func reprints(text []byte, yield func(change, []byte) bool) {
	for _, p := range printers { // with its white space as it is
		if !yield(escapes, p.print(text)) {
			return
		}
	}
	var compact bytes.Buffer
	if json.Compact(&compact, text) != nil || !spacings(spacing, compact.Bytes(), yield) {
		return
	}
	for _, p := range printers {
		if !spacings(reencoded, p.print(compact.Bytes()), yield) {
			return
		}
	}
	sorted := sortKeys(text)
	for _, p := range printers {
		if sorted != nil && !spacings(reencoded, p.print(sorted), yield) {
			return
		}
	}
}

// spacings yields compact JSON with the usual white space in it. It returns false when the asker has enough.
func spacings(c change, compact []byte, yield func(change, []byte) bool) bool {
	spaced := [][]byte{compact, append(compact[:len(compact):len(compact)], '\n'), loosen(compact)}
	if indentable(compact) {
		for _, step := range []string{"  ", "    ", "\t"} {
			var b bytes.Buffer
			if json.Indent(&b, compact, "", step) == nil {
				spaced = append(spaced, b.Bytes(), append(b.Bytes()[:b.Len():b.Len()], '\n'))
			}
		}
	}
	for _, b := range spaced {
		if !yield(c, b) {
			return false
		}
	}
	return true
}

// indentable keeps deep JSON from growing beyond measure.
func indentable(compact []byte) bool {
	depth, deepest, lines := 0, 0, 0
	for _, c := range compact {
		switch c {
		case '{', '[':
			depth, lines = depth+1, lines+2
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		case ',':
			lines++
		}
	}
	return lines*(4*deepest+1) <= 4*MaxExplained
}

// loosen puts a space after each comma and colon, as Python does.
func loosen(compact []byte) []byte {
	out := make([]byte, 0, len(compact)+len(compact)/8)
	inside := false
	for i := 0; i < len(compact); i++ {
		c := compact[i]
		out = append(out, c)
		switch {
		case inside && c == '\\' && i+1 < len(compact):
			i++
			out = append(out, compact[i])
		case c == '"':
			inside = !inside
		case !inside && (c == ',' || c == ':'):
			out = append(out, ' ')
		}
	}
	return out
}

// sortKeys prints JSON with the keys of its objects in order, compact. Numbers stay as they are written.
func sortKeys(text []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	out, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return out
}

// print prints valid JSON with its strings escaped another way, and everything else as it is.
func (p printer) print(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		if text[i] != '"' {
			out = append(out, text[i])
			i++
			continue
		}
		end := i + 1
		for end < len(text) && text[end] != '"' {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end+1, len(text))
		var s string
		if json.Unmarshal(text[i:end], &s) == nil {
			out = p.appendString(out, s)
		} else {
			out = append(out, text[i:end]...)
		}
		i = end
	}
	return out
}

func (p printer) appendString(out []byte, s string) []byte {
	out = append(out, '"')
	for _, r := range s {
		switch short := strings.IndexRune("\"\\\b\f\n\r\t", r); {
		case short >= 0:
			out = append(out, '\\', `"\bfnrt`[short])
		case p.slash && r == '/':
			out = append(out, `\/`...)
		case r < ' ', p.html && (r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029'), p.ascii && r > '~' && r <= 0xffff:
			out = appendEscape(out, r)
		case p.ascii && r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = appendEscape(appendEscape(out, high), low)
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '"')
}

func appendEscape(out []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(out, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
