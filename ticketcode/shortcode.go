package ticketcode

import (
	"crypto/rand"
	"encoding/binary"
	"strings"
)

// The short code is ten random characters and two check characters in Crockford's base32 alphabet, in groups of four: "7K2M-Q9XD-4TQ5".
// It has 50 random bits. The check characters are those of a Reed-Solomon code over GF(32): with the characters d0 to d11 as numbers,
// their sum is zero, and so is the polynomial d0·x^11 + … + d11 at x = 2, where the field's polynomial is x^5+x^2+1. Two such rows leave
// no way to change one or two characters, so every mistyped character and every two that change places are found, and all but one in
// 1024 of worse mistakes.

const (
	shortAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	shortLen      = 12
	shortRandom   = 10
	maxTyped      = 64 // bytes of what was typed, separators and all
)

// NewShortCode returns a new code to type, three groups of four characters such as "7K2M-Q9XD-4TQ5". Its 50 bits come from
// crypto/rand; whoever stores it makes it unique among the tickets of an event and tries again if it is not.
//
// A short code names a ticket and proves nothing. Like a generation it ends with a transfer: a new holder gets a new one. A door that
// takes them limits guesses: with a hundred thousand tickets, one guess in ten thousand million is right.
func NewShortCode() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: it ends the program if the system has no randomness
	return ShortCodeOf(binary.BigEndian.Uint64(b[:]))
}

// ShortCodeOf returns the code to type that stands for the lower 50 of the bits, for whoever derives codes instead of keeping them. What is
// derived must be as hard to guess as what is drawn: the bits are some of a MAC's under a secret key.
func ShortCodeOf(bits uint64) string {
	var d [shortLen]byte
	for i := shortRandom - 1; i >= 0; i-- {
		d[i] = byte(bits % 32)
		bits /= 32
	}
	sum, value := shortSums(d[:shortRandom])
	value = double(double(value)) // behind them two more characters follow
	for c := range byte(32) {
		if double(c)^c == sum^value {
			d[10], d[11] = c, sum^c
		}
	}
	return printShort(d)
}

// ParseShortCode returns the code that was typed, in the form of NewShortCode. Case does not matter, nor do spaces and hyphens. The
// letters that the alphabet leaves out are taken for what they look like: O for 0, I and L for 1, U for V. It fails with [Malformed] if
// that is no code of twelve characters, and with [Mistyped] if the check characters do not fit.
func ParseShortCode(typed string) (string, error) {
	malformed := &Error{Malformed, "a code to type has twelve letters and digits"}
	if len(typed) > maxTyped {
		return "", malformed
	}
	var d [shortLen]byte
	n := 0
	for _, c := range typed {
		if isSeparator(c) {
			continue
		}
		i := strings.IndexRune(shortAlphabet, lookAlike(c))
		if i < 0 || n == shortLen {
			return "", malformed
		}
		d[n] = byte(i)
		n++
	}
	if n != shortLen {
		return "", malformed
	}
	if sum, value := shortSums(d[:]); sum != 0 || value != 0 {
		return "", &Error{Mistyped, ""}
	}
	return printShort(d), nil
}

// isSeparator knows spaces and hyphens, also those that keyboards and word processors put in their place.
func isSeparator(c rune) bool {
	return c == ' ' || c == '\u00a0' || c == '-' || (c >= '\u2010' && c <= '\u2015')
}

func lookAlike(c rune) rune {
	if c >= 'a' && c <= 'z' {
		c -= 'a' - 'A'
	}
	switch c {
	case 'O':
		return '0'
	case 'I', 'L':
		return '1'
	case 'U':
		return 'V'
	}
	return c
}

// shortSums returns the sum of the characters and the value of the polynomial at 2; both are zero for a whole code.
func shortSums(d []byte) (sum, value byte) {
	for _, c := range d {
		sum ^= c
		value = double(value) ^ c
	}
	return sum, value
}

// double multiplies by 2 in GF(32).
func double(c byte) byte {
	c <<= 1
	if c >= 32 {
		c ^= 0b100101
	}
	return c
}

func printShort(d [shortLen]byte) string {
	var s strings.Builder
	for i, c := range d {
		if i == 4 || i == 8 {
			s.WriteByte('-')
		}
		s.WriteByte(shortAlphabet[c])
	}
	return s.String()
}
