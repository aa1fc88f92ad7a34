package org

import (
	"context"
	"crypto/subtle"
	_ "embed"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/problem"
	"golang.org/x/text/unicode/norm"
)

// The bounds of a password.
const (
	MinPassword = 12   // characters
	MaxPassword = 1024 // bytes
)

// maxHashing is how many passwords are hashed at a time: each takes 64 MiB, and four processors for a while.
const maxHashing = 2

// Password is a password that was checked and hashed. The zero Password is none: nobody can sign in with one.
type Password struct{ phc string }

// leaked are passwords of at least [MinPassword] characters that are commonly tried, in lower case and sorted: keyboard walks, words with digits
// and years, and well-known phrases.
//
//go:embed leaked.txt
var leakedText string

var leaked = sync.OnceValue(func() []string { return strings.Split(strings.TrimSpace(leakedText), "\n") })

// Hash checks a new password and hashes it, which takes some 70 ms on two processors and 64 MiB: it is done before a transaction, and only a few at a
// time. It fails with a problem about /password: too_short, too_long, invalid (not text), or leaked (commonly tried, or made of the e-mail address).
//
// Passwords are brought to Unicode's form NFC (RFC 8265 §4.2.2), because keyboards differ in how they write the same letter. Nothing else about them
// is changed.
func (p *People) Hash(ctx context.Context, email, plain string) (Password, error) {
	if err := checkPassword(email, norm.NFC.String(plain)); err != nil {
		return Password{}, err
	}
	if err := p.begin(ctx); err != nil {
		return Password{}, err
	}
	defer p.end()
	return p.hashed(plain), nil
}

// hashed is a password's hash at today's cost.
func (p *People) hashed(plain string) Password {
	return Password{newDigest(norm.NFC.String(plain), p.cost()).String()}
}

// cost is what new passwords are hashed with.
func (p *People) cost() cost {
	if p.Weak {
		return cost{memory: 64, time: 1, lanes: 1}
	}
	return today
}

// matches tells whether the password is the one that was hashed.
func (d digest) matches(plain string) bool {
	plain = norm.NFC.String(plain)
	return len(plain) <= MaxPassword && subtle.ConstantTimeCompare(d.of(plain, len(d.hash)), d.hash) == 1
}

// begin waits until another password may be hashed.
func (p *People) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p.hashing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *People) end() { <-p.hashing }

func checkPassword(email, plain string) error {
	simple := strings.ToLower(plain)
	local, _, _ := strings.Cut(lowered(email), "@")
	_, known := slices.BinarySearch(leaked(), simple)
	switch {
	case len(plain) > MaxPassword:
		return problem.Field("/password", "too_long", "A password has at most %d bytes.", MaxPassword)
	case !utf8.ValidString(plain) || strings.ContainsRune(plain, 0):
		return problem.Field("/password", "invalid", "A password is text.")
	case utf8.RuneCountInString(plain) < MinPassword:
		return problem.Field("/password", "too_short", "A password has at least %d characters. A few words that nobody else would put together are easy to remember.", MinPassword)
	case known || repeats(simple):
		return problem.Field("/password", "leaked", "This password is one of those that are tried first. Choose another.")
	case simple == lowered(email) || local != "" && strings.ReplaceAll(simple, local, "") == "":
		return problem.Field("/password", "leaked", "The e-mail address is no password. Choose another.")
	}
	return nil
}

// repeats tells whether a text is a piece of one to three characters over and over.
func repeats(s string) bool {
	runes := []rune(s)
	for n := 1; n <= 3; n++ {
		if slices.Equal(runes[n:], runes[:len(runes)-n]) {
			return true
		}
	}
	return false
}
