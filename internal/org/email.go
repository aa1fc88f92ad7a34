package org

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ValidEmail takes what looks like one address (RFC 5321's lengths) with a dotted domain; whether it exists, only a message can tell.
func ValidEmail(s string) bool {
	if len(s) > 254 || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return false
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return false
	}
	local, domain, _ := strings.Cut(s, "@")
	return len(local) <= 64 && strings.Trim(domain, ".") == domain && strings.Contains(domain, ".") && !strings.Contains(domain, "..") &&
		!strings.ContainsAny(domain, "[]@")
}

// lowered is how addresses are compared: upper and lower case are alike, and spaces around an address are nobody's.
func lowered(email string) string { return strings.ToLower(strings.TrimSpace(email)) }
