// Package person finds a person in what others wrote. A person is an e-mail [Address]; what is searched are messages, envelopes, answers of strangers
// and notes, which hold it as it is, or as JSON, URLs and HTML write it.
package person

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Address is an e-mail address in lower case: upper and lower case are alike, in both parts, as everywhere in this program. The empty one is nobody's.
type Address string

// Of is how an address is compared.
func Of(email string) Address { return Address(strings.ToLower(strings.TrimSpace(email))) }

// Is tells whether the text is the address, and nothing else.
func (a Address) Is(email string) bool { return a != "" && Of(email) == a }

// Format keeps the address out of whatever is formatted with it: logs, errors.
func (a Address) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[address]")) }

// MarshalJSON keeps it out of JSON too: who means to show it converts it to a string.
func (a Address) MarshalJSON() ([]byte, error) { return json.Marshal("[address]") }

// rounds is how many escapes within escapes are taken off: a URL in JSON in JSON has three.
const rounds = 4

// In tells whether the address stands in a text: not as a part of another address, and whatever of JSON's escapes, those of URLs and those of HTML
// it is written with. The text may be cut off anywhere. What is compressed or in base64 is not looked into.
func (a Address) In(text []byte) bool {
	if a == "" || len(text) < len(a) {
		return false
	}
	text = bytes.ToLower(text)
	for range rounds {
		if a.stands(text) {
			return true
		}
		plain := bytes.ToLower(unescape(text))
		if bytes.Equal(plain, text) {
			return false
		}
		text = plain
	}
	return a.stands(text)
}

// Within tells whether the address stands in a text in any way, also as a part of a longer one: for names and keys that are made from it.
func (a Address) Within(text string) bool {
	return a != "" && strings.Contains(strings.ToLower(text), string(a))
}

// stands looks for the address between characters that are no part of one.
func (a Address) stands(text []byte) bool {
	for {
		i := bytes.Index(text, []byte(a))
		if i < 0 {
			return false
		}
		before, _ := utf8.DecodeLastRune(text[:i])
		if !(i > 0 && partOfLocal(before)) && !goesOn(text[i+len(a):]) {
			return true
		}
		text = text[i+1:]
	}
}

// partOfLocal tells whether a character before an address makes it the end of a longer one. Of the others that RFC 5322 allows, such as ' and =,
// quotes and assignments are more likely.
func partOfLocal(r rune) bool {
	return unicode.IsLetter(r) && r != utf8.RuneError || unicode.IsDigit(r) || strings.ContainsRune("._-+", r)
}

// goesOn tells whether a text after an address makes it the beginning of a longer one: a dot does, when something follows it.
func goesOn(text []byte) bool {
	r, n := utf8.DecodeRune(text)
	if r == '.' {
		r, _ = utf8.DecodeRune(text[n:])
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-')
}

// unescape takes one layer of escapes off.
func unescape(text []byte) []byte {
	if bytes.IndexByte(text, '\\') >= 0 {
		text = unescapeJSON(text)
	}
	if bytes.IndexByte(text, '%') >= 0 {
		text = unescapeURL(text)
	}
	if bytes.IndexByte(text, '&') >= 0 {
		text = []byte(html.UnescapeString(string(text)))
	}
	return text
}

var control = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'b': '\b', 'f': '\f'}

func unescapeJSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out = append(out, text[i])
			continue
		}
		i++
		if text[i] == 'u' && i+4 < len(text) {
			if n, err := strconv.ParseUint(string(text[i+1:i+5]), 16, 32); err == nil {
				out = utf8.AppendRune(out, rune(n))
				i += 4
				continue
			}
		}
		if c, ok := control[text[i]]; ok {
			out = append(out, c)
			continue
		}
		out = append(out, text[i])
	}
	return out
}

func unescapeURL(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if s, err := url.PathUnescape(string(text[i : i+3])); err == nil {
				out = append(out, s...)
				i += 2
				continue
			}
		}
		out = append(out, text[i])
	}
	return out
}
