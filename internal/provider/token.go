package provider

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const (
	minToken = 16 // characters
	maxToken = 1024
)

// HashToken returns the SHA-256 of a token's value, which is all that is kept of it, or an Invalid problem at /token_value: it wants 16 to 1024 characters, none of
// them a control character and no white space around them.
func HashToken(value string) ([]byte, error) {
	switch {
	case utf8.RuneCountInString(value) < minToken:
		return nil, problem.Field("/token_value", "out_of_range", "A token has at least %d characters.", minToken)
	case !plain(value, maxToken):
		return nil, problem.Field("/token_value", "invalid", "A token has up to %d characters and no control characters.", maxToken)
	case strings.TrimSpace(value) != value:
		return nil, problem.Field("/token_value", "invalid", "A token has no white space around it.")
	}
	sum := sha256.Sum256([]byte(value))
	return sum[:], nil
}

// CheckToken returns nil or a *Refusal with [StaticTokenFailed]. Without a hash to compare with it returns nil.
func (s Scheme) CheckToken(r Request) error {
	if len(s.Token.SHA256) == 0 {
		return nil
	}
	header := s.tokenHeader()
	var values []string
	if header != "" {
		values = r.Header.Values(header)
	}
	if s.Token.Query != "" {
		query, _ := url.ParseQuery(r.RawQuery) // what could be read of it
		values = append(values[:len(values):len(values)], query[s.Token.Query]...)
	}
	if len(values) > MaxSignatures {
		return &Refusal{StaticTokenFailed, "the token stands there too often"}
	}
	match := 0
	for _, value := range values {
		match |= s.compare(value)
		if strings.EqualFold(header, authorization) {
			match |= s.compare(withoutScheme(value))
		}
	}
	if match == 0 {
		return &Refusal{StaticTokenFailed, s.tokenDetail(header, len(values) > 0)}
	}
	return nil
}

// compare takes the same time for every value of a length: digests are compared, and all of them.
func (s Scheme) compare(value string) int {
	sum := sha256.Sum256([]byte(value))
	return subtle.ConstantTimeCompare(sum[:], s.Token.SHA256)
}

const authorization = "Authorization"

// withoutScheme is the token of an Authorization header (RFC 6750 §2.1), so that an owner may give it without "Bearer".
func withoutScheme(value string) string {
	if scheme, token, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return token
	}
	return value
}

// tokenHeader is where the token is looked for. StubHub has one place for it.
func (s Scheme) tokenHeader() string {
	if s.Token.Header == "" && s.Token.Query == "" && s.Provider == "stubhub" {
		return authorization
	}
	return s.Token.Header
}

func (s Scheme) tokenDetail(header string, there bool) string {
	var places []string
	if header != "" {
		places = append(places, "the header "+header)
	}
	if s.Token.Query != "" {
		places = append(places, "the query parameter "+s.Token.Query)
	}
	place := strings.Join(places, " or ")
	switch {
	case place == "":
		return "neither a header nor a query parameter is configured for the token"
	case there:
		return "the token in " + place + " is not the one that is configured"
	}
	return "the token is missing: it belongs into " + place
}

// Mask returns header lines with *** for the value of a secret that is sent as it is: the token, and the Authorization of providers that sign nothing.
// Everything else stays as it was written, and the lines themselves where there is no such header.
func (s Scheme) Mask(head []byte) []byte {
	fixed := s.Provider == "stubhub" || s.Provider == "stagedoor"
	if s.Token.Header == "" && !fixed {
		return head
	}
	masked := make([]byte, 0, len(head))
	hidden := false
	for line := range bytes.Lines(head) {
		if line[0] == ' ' || line[0] == '\t' { // of the line before (RFC 9112 §5.2)
			if !hidden {
				masked = append(masked, line...)
			}
			continue
		}
		name, _, _ := bytes.Cut(line, []byte(":"))
		called := string(bytes.TrimSpace(name))
		hidden = s.Token.Header != "" && strings.EqualFold(called, s.Token.Header) || fixed && strings.EqualFold(called, authorization)
		if hidden {
			line = append(bytes.Clone(name), ": ***\r\n"...)
		}
		masked = append(masked, line...)
	}
	return masked
}

// Redact returns the query with *** for the token's value, for logs. Everything else stays as it was written.
func (s Scheme) Redact(rawQuery string) string {
	if s.Token.Query == "" || rawQuery == "" {
		return rawQuery
	}
	var b strings.Builder
	for rest := rawQuery; ; {
		end := strings.IndexAny(rest, "&;")
		pair := rest
		if end >= 0 {
			pair = rest[:end]
		}
		b.WriteString(s.redactPair(pair))
		if end < 0 {
			return b.String()
		}
		b.WriteByte(rest[end])
		rest = rest[end+1:]
	}
}

func (s Scheme) redactPair(pair string) string {
	key, _, ok := strings.Cut(pair, "=")
	name, err := url.QueryUnescape(key)
	if !ok || name != s.Token.Query && (err == nil || key != s.Token.Query) {
		return pair
	}
	return key + "=***"
}
