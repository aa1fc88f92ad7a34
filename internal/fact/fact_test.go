package fact_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/fact"
)

func TestNativeKindsAreReservedNames(t *testing.T) {
	seen := map[fact.Kind]bool{}
	for _, k := range fact.Native() {
		if !fact.ValidName(string(k)) || !fact.Reserved(string(k)) || seen[k] {
			t.Errorf("kind %s: valid %v, reserved %v, listed before %v", k, fact.ValidName(string(k)), fact.Reserved(string(k)), seen[k])
		}
		seen[k] = true
	}
}

func TestReserved(t *testing.T) {
	for name, want := range map[string]bool{
		"order.accepted": true, "order": true, "ticket.x.y": true, "stagedoor.anything": true, "transfer.done": true, "": false,
		"orders.accepted": false, "acme.order": false, "my-order.accepted": false, ".order": false,
	} {
		if got := fact.Reserved(name); got != want {
			t.Errorf("Reserved(%q) is %v", name, got)
		}
	}
}

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"a.b": true, "acme.thing_happened.v-2": true, "A.B": true, "1.2": true, "a.b.c.d.e.f.g.h": true, "a." + strings.Repeat("x", 126): true,
		"": false, "a": false, "ab": false, "abc": false, ".": false, "..": false, "a.": false, ".a": false, "a..b": false, "a.b.c.d.e.f.g.h.i": false,
		"a." + strings.Repeat("x", 127): false, "a.b c": false, "a.ü": false, "a.b\n": false, "a.b\x00": false, "a.*": false, "a/b.c": false,
	} {
		if got := fact.ValidName(name); got != want {
			t.Errorf("ValidName(%q) is %v", name, got)
		}
	}
}

func FuzzValidName(f *testing.F) {
	f.Add("order.accepted")
	f.Add("a..b")
	f.Fuzz(func(t *testing.T, s string) {
		if !fact.ValidName(s) {
			return
		}
		if n := strings.Count(s, "."); n < 1 || n > 7 || strings.Contains(s, "..") || strings.ContainsAny(s, "\x00 /*\n\"'<>") || len(s) > 128 {
			t.Errorf("ValidName(%q) is true", s)
		}
	})
}

func TestDay(t *testing.T) {
	berlin := time.FixedZone("CEST", 7200)
	for at, want := range map[time.Time]int32{
		time.Unix(0, 0): 0, time.Date(1970, 1, 1, 23, 59, 59, 999, time.UTC): 0, time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC): 1,
		time.Date(2027, 8, 15, 1, 0, 0, 0, berlin): 21044, time.Date(2027, 8, 14, 0, 0, 0, 0, time.UTC): 21044,
	} {
		if got := fact.Day(at); got != want {
			t.Errorf("Day(%v) is %d, want %d", at, got, want)
		}
	}
}
