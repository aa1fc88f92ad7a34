package ticketcode_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/ticketcode"
)

func TestNewShortCodesAreRightAndDiffer(t *testing.T) {
	form := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$`)
	seen := map[string]bool{}
	for range 1000 {
		code := ticketcode.NewShortCode()
		if !form.MatchString(code) || seen[code] {
			t.Fatalf("NewShortCode: got %q, seen before: %v", code, seen[code])
		}
		seen[code] = true
		if got, err := ticketcode.ParseShortCode(code); err != nil || got != code {
			t.Fatalf("ParseShortCode(%q): got %q, %v", code, got, err)
		}
		ten := strings.ReplaceAll(code, "-", "")[:10]
		if want := plainShortCode(ten); code != want {
			t.Fatalf("NewShortCode: got %q, want %q", code, want)
		}
	}
}

func TestShortCodeOfBitsIsTheSameEachTime(t *testing.T) {
	for bits, want := range map[uint64]string{0: plainShortCode("0000000000"), 1: plainShortCode("0000000001"), 1<<50 - 1: plainShortCode("ZZZZZZZZZZ"), 1 << 50: plainShortCode("0000000000")} {
		if got := ticketcode.ShortCodeOf(bits); got != want {
			t.Errorf("ShortCodeOf(%#x): got %s, want %s", bits, got, want)
		}
	}
}

// TestTwoMistypedCharactersAreFound tries every change of one character and of two.
func TestTwoMistypedCharactersAreFound(t *testing.T) {
	code := []byte(strings.ReplaceAll(plainShortCode("7K2MQ9XD4T"), "-", ""))
	for i := range code {
		for j := range i + 1 {
			for _, a := range []byte(crockford) {
				for _, b := range []byte(crockford) {
					typed := append([]byte(nil), code...)
					typed[j], typed[i] = b, a
					if string(typed) == string(code) {
						continue
					}
					if got, err := ticketcode.ParseShortCode(string(typed)); err == nil {
						t.Fatalf("ParseShortCode(%s) instead of %s: got %s", typed, code, got)
					}
				}
			}
		}
	}
}
