package ticketcode

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238's default, and the only one that Google Wallet knows; HMAC does not rest on collisions
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RotatingLen is the length of a rotating code in characters: a static one, "-", ten digits of time, "-", eight digits of password.
const RotatingLen = TextLen + 1 + timeDigits + 1 + passwordDigits

const (
	timeDigits     = 10
	passwordDigits = 8
	defaultPeriod  = 30
	minPeriod      = 15
	maxPeriod      = 30
	minSeed        = 16
	maxSeed        = 64
)

// An Algorithm is the hash function of a one-time password.
type Algorithm string

const (
	// SHA1 is what most implementations of RFC 6238 have, and the only one of Google Wallet's.
	SHA1 Algorithm = "SHA1"

	// SHA256 is for events whose codes are shown by an app of one's own.
	SHA256 Algorithm = "SHA256"
)

// A Rotation makes and verifies the codes of an event that asks for rotating ones. Such a code is the static one, "-", the time at which
// it was shown in Unix seconds (10 digits), "-", and the one-time password of that time (RFC 6238, 8 digits): what Google Wallet makes
// of a rotatingBarcode whose valuePattern is the static code and "-{totp_timestamp_seconds}-{totp_value_0}".
//
// The secret of a ticket is derived from a seed that the event has, so a gate needs no list of secrets: see Secret. Whoever knows the
// seed can make the passwords of all tickets of the event, though no tickets. A Rotation may be used by several goroutines at once. It
// never shows its seed when it is printed.
type Rotation struct {
	seed      []byte
	period    int64 // seconds
	algorithm Algorithm
}

// NewRotation returns the Rotation of an event with that seed, 16 to 64 random bytes, whose codes change after each period of 15 to 30
// whole seconds; zero means 30. The empty Algorithm is SHA1. It fails if a bound is not kept.
func NewRotation(seed []byte, period time.Duration, algorithm Algorithm) (*Rotation, error) {
	if len(seed) < minSeed || len(seed) > maxSeed {
		return nil, fmt.Errorf("ticketcode: the seed has %d bytes, want %d to %d", len(seed), minSeed, maxSeed)
	}
	if period == 0 {
		period = defaultPeriod * time.Second
	}
	if period%time.Second != 0 || period < minPeriod*time.Second || period > maxPeriod*time.Second {
		return nil, fmt.Errorf("ticketcode: the period is %v, want whole seconds from %d to %d", period, minPeriod, maxPeriod)
	}
	switch algorithm {
	case "":
		algorithm = SHA1
	case SHA1, SHA256:
	default:
		return nil, errors.New("ticketcode: the algorithm is neither SHA1 nor SHA256")
	}
	return &Rotation{seed: slices.Clone(seed), period: int64(period / time.Second), algorithm: algorithm}, nil
}

// String names the algorithm, not the seed.
func (r *Rotation) String() string { return "ticketcode.Rotation(" + string(r.algorithm) + ")" }

// GoString is String.
func (r *Rotation) GoString() string { return r.String() }

// Secret returns the secret of a ticket's generation, which is what a wallet is given: HKDF-SHA256 (RFC 5869) of the event's seed with
// no salt and the info "stagedoor rotating ticket 1 ", the algorithm's name, a zero byte, the ticket's id (16 bytes) and the generation
// (2 bytes, big-endian). It has 20 bytes for SHA1 and 32 for SHA256, the lengths that RFC 4226 §4 and RFC 6238 §5.1 advise.
func (r *Rotation) Secret(ticket TicketID, generation uint16) []byte {
	info := append([]byte("stagedoor rotating ticket 1 "+string(r.algorithm)+"\x00"), ticket[:]...)
	info = binary.BigEndian.AppendUint16(info, generation)
	secret, err := hkdf.Key(sha256.New, r.seed, nil, string(info), r.hash()().Size())
	if err != nil {
		panic("ticketcode: " + err.Error()) // cannot be: the lengths are ours
	}
	return secret
}

func (r *Rotation) hash() func() hash.Hash {
	if r.algorithm == SHA256 {
		return sha256.New
	}
	return sha1.New
}

// Text returns the code to show at an instant, [RotatingLen] characters, for a static code. It fails with [Malformed] or [WrongVersion]
// if that is none, and with [Malformed] if the instant does not lie between 2001 and 2286, when seconds have ten digits.
func (r *Rotation) Text(static string, at time.Time) (string, error) {
	t, err := ParseUnverified(static)
	if err != nil {
		return "", err
	}
	shown := strconv.FormatInt(at.Unix(), 10)
	if _, ok := parseShown(shown); !ok {
		return "", &Error{Malformed, "the instant does not lie between 2001 and 2286"}
	}
	return static + "-" + shown + "-" + r.password(t, at.Unix()), nil
}

// Verify is [KeySet.Verify] for rotating codes. The time in the code may be one period off, either way: a code that was just replaced
// still counts, and so do clocks that are a little wrong. So for up to two periods a code can be shown twice; what admits once is the
// gate's memory. Besides the Reasons of KeySet.Verify it fails with [NotRotating] for static codes and [NotCurrent].
func (r *Rotation) Verify(keys *KeySet, text string, now time.Time) (Token, error) {
	if len(text) == TextLen && strings.HasPrefix(text, Prefix) {
		return Token{}, &Error{NotRotating, ""}
	}
	if len(text) != RotatingLen {
		return Token{}, &Error{Malformed, "a rotating code has 174 characters"}
	}
	static, rest := text[:TextLen], text[TextLen:]
	shown, ok := parseShown(rest[1 : 1+timeDigits])
	password := rest[RotatingLen-TextLen-passwordDigits:]
	if !ok || rest[0] != '-' || rest[1+timeDigits] != '-' || !digits(password) {
		return Token{}, &Error{Malformed, "what follows the static code is not a time and a password"}
	}
	t, err := keys.Verify(static, now)
	if err != nil {
		return Token{}, err
	}
	if off := shown/r.period - now.Unix()/r.period; off < -1 || off > 1 {
		return Token{}, &Error{NotCurrent, "its time is " + strconv.FormatInt(now.Unix()-shown, 10) + " s ago"}
	}
	if subtle.ConstantTimeCompare([]byte(password), []byte(r.password(t, shown))) != 1 {
		return Token{}, &Error{NotCurrent, "the password is not that of its time"}
	}
	return t, nil
}

// parseShown takes Unix seconds of ten digits.
func parseShown(s string) (int64, bool) {
	if len(s) != timeDigits || s[0] == '0' || !digits(s) {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func (r *Rotation) password(t Token, unix int64) string {
	return totp(r.hash(), r.Secret(t.Ticket, t.Generation), unix/r.period)
}

// totp is RFC 6238's password of eight digits for a time step, which is RFC 4226's for that counter (§5.3).
func totp(h func() hash.Hash, secret []byte, step int64) string {
	mac := hmac.New(h, secret)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", passwordDigits, n%100_000_000)
}
