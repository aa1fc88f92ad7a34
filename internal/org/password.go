package org

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/problem"
	"golang.org/x/crypto/argon2"
)

// The bounds of a password.
const (
	MinPassword = 12   // characters
	MaxPassword = 1024 // bytes
)

// The cost of a hash: argon2id with 64 MiB, one pass, four lanes (RFC 9106 §4 takes the memory that can be spared first). A hash carries its
// own, so they can be raised: older ones are renewed when their owner signs in.
const (
	memory     = 64 << 10 // KiB
	passes     = 1
	lanes      = 4
	saltSize   = 16
	hashSize   = 32
	maxHashing = 2 // at a time
)

// Password is a password that was checked and hashed. The zero Password is none: nobody can sign in with one.
type Password struct{ phc string }

// leaked are passwords of at least [MinPassword] characters that are commonly tried, in lower case and sorted: keyboard walks, words with digits
// and years, and well-known phrases.
//
//go:embed leaked.txt
var leakedText string

var leaked = sync.OnceValue(func() []string { return strings.Split(strings.TrimSpace(leakedText), "\n") })

// Hash checks a new password and hashes it, which takes some 50 ms and 64 MiB: it is done before a transaction, and only a few at a time. It fails
// with a problem about /password: too_short, too_long, invalid (not text), or leaked (commonly tried, or made of the e-mail address).
func (p *People) Hash(ctx context.Context, email, plain string) (Password, error) {
	if err := checkPassword(email, plain); err != nil {
		return Password{}, err
	}
	if err := p.begin(ctx); err != nil {
		return Password{}, err
	}
	defer p.end()
	return hashPassword(plain), nil
}

func (p *People) begin(ctx context.Context) error {
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

// repeats tells whether a text is one short piece over and over.
func repeats(s string) bool {
	for n := 1; n <= 3; n++ {
		if len(s)%n == 0 && strings.Repeat(s[:n], len(s)/n) == s {
			return true
		}
	}
	return false
}

func hashPassword(plain string) Password {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails, crypto/rand aborts the process instead
	sum := argon2.IDKey([]byte(plain), salt, passes, memory, lanes, hashSize)
	b64 := base64.RawStdEncoding.EncodeToString
	return Password{fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, lanes, b64(salt), b64(sum))}
}

// nobody is a hash that no password has.
func nobody() Password {
	b64 := base64.RawStdEncoding.EncodeToString
	return Password{fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, lanes, b64(make([]byte, saltSize)), b64(make([]byte, hashSize)))}
}

// matches tells whether the password is the one that was hashed. current is false for a hash with other costs than today's.
func (w Password) matches(plain string) (ok, current bool) {
	h, err := parsePHC(w.phc)
	if err != nil || len(plain) > MaxPassword {
		return false, false
	}
	sum := argon2.IDKey([]byte(plain), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.sum)))
	return subtle.ConstantTimeCompare(sum, h.sum) == 1, h.memory == memory && h.passes == passes && h.lanes == lanes
}

type phc struct {
	memory, passes uint32
	lanes          uint8
	salt, sum      []byte
}

// parsePHC reads a hash as it is stored. Costs beyond what could be meant are refused: they would stop the server.
func parsePHC(s string) (h phc, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, fmt.Errorf("not an argon2id hash")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.lanes); err != nil {
		return h, fmt.Errorf("costs of a hash: %w", err)
	}
	if h.memory < 8 || h.memory > 1<<20 || h.passes < 1 || h.passes > 16 || h.lanes < 1 || h.lanes > 16 {
		return h, fmt.Errorf("costs of a hash are out of bounds")
	}
	if h.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return h, fmt.Errorf("salt of a hash: %w", err)
	}
	if h.sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(h.sum) < 16 || len(h.sum) > 64 || len(h.salt) < 8 {
		return h, fmt.Errorf("sum of a hash is damaged")
	}
	return h, nil
}
