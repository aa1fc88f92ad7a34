package provider_test

import (
	"bytes"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stagedoorhq/stagedoor/internal/provider"
)

// Security checklist, line 39: a header that is present and empty is not one that is absent, and no two events have one key.
func TestLine39EveryDifferenceOfHeadersIsOneOfKeys(t *testing.T) {
	names := []string{"X-Event-ID", "x-tenant"}
	seen := map[string]string{}
	for name, h := range map[string]http.Header{
		"one":                     {"X-Event-Id": {"1"}},
		"the other":               {"X-Tenant": {"1"}},
		"both":                    {"X-Event-Id": {"1"}, "X-Tenant": {"1"}},
		"both, cut elsewhere":     {"X-Event-Id": {"11"}, "X-Tenant": {""}},
		"both, cut elsewhere too": {"X-Event-Id": {""}, "X-Tenant": {"11"}},
		"empty":                   {"X-Event-Id": {""}},
		"empty, twice":            {"X-Event-Id": {"", ""}},
		"both empty":              {"X-Event-Id": {""}, "X-Tenant": {""}},
		"two lines":               {"X-Event-Id": {"1", "2"}},
		"two lines, turned round": {"X-Event-Id": {"2", "1"}},
		"two lines as one":        {"X-Event-Id": {"1, 2"}},
		"white space":             {"X-Event-Id": {"1 "}},
	} {
		key := provider.DedupKey(names, h)
		if len(key) != 32 {
			t.Fatalf("%s: a key of %d bytes, want 32", name, len(key))
		}
		if other := seen[string(key)]; other != "" {
			t.Errorf("%s and %s have one key", name, other)
		}
		seen[string(key)] = name
	}
	for name, h := range map[string]http.Header{"nothing": nil, "another": {"X-Other": {"1"}}, "no lines": {"X-Event-Id": nil}} {
		if key := provider.DedupKey(names, h); key != nil {
			t.Errorf("%s: key %x, want nil", name, key)
		}
	}
	if key := provider.DedupKey(nil, http.Header{"X-Event-Id": {"1"}}); key != nil {
		t.Errorf("no headers configured: key %x, want nil", key)
	}
}

func TestDedupKeysAreStable(t *testing.T) {
	h := http.Header{"X-Event-Id": {"evt_1"}, "X-Other": {"whatever"}}
	key := provider.DedupKey([]string{"X-Event-ID"}, h)
	h.Set("X-Other", "changed")
	if again := provider.DedupKey([]string{"x-event-id"}, h); !bytes.Equal(key, again) {
		t.Errorf("the case of a name or another header changes the key: %x, %x", key, again)
	}
	// Keys are kept: a program that makes others would store what a sender repeats.
	if got := hex.EncodeToString(key); got != keptKey {
		t.Errorf("the key of X-Event-ID: evt_1 was %s, and is now %s", keptKey, got)
	}
}

// TestDedupKeysNeverMeet is the promise of lengths, for any values.
func TestDedupKeysNeverMeet(t *testing.T) {
	names := []string{"A", "B", "C"}
	rapid.Check(t, func(t *rapid.T) {
		headers := rapid.Custom(func(t *rapid.T) http.Header {
			h := http.Header{}
			for _, name := range names {
				if lines := rapid.SliceOfN(rapid.StringMatching(`[ab]{0,3}`), 0, 2).Draw(t, name); len(lines) > 0 {
					h[name] = lines
				}
			}
			return h
		})
		one, two := headers.Draw(t, "one"), headers.Draw(t, "two")
		same := true
		for _, name := range names {
			same = same && slices.Equal(one[name], two[name])
		}
		if equal := bytes.Equal(provider.DedupKey(names, one), provider.DedupKey(names, two)); equal != same {
			t.Fatalf("keys of %v and %v are equal: %v", one, two, equal)
		}
	})
}

func TestDedupHeadersThatAreRefused(t *testing.T) {
	pointers(t, provider.ValidateDedup([]string{"X-A", "X A", "x-a", ""}), "/idempotency_header_names/1", "/idempotency_header_names/2", "/idempotency_header_names/3")
	var many []string
	for i := range 11 {
		many = append(many, "X-"+strconv.Itoa(i))
	}
	pointers(t, provider.ValidateDedup(many), "/idempotency_header_names")
	pointers(t, provider.ValidateDedup([]string{strings.Repeat("x", 257)}), "/idempotency_header_names/0")
	if err := provider.ValidateDedup(many[:10]); err != nil {
		t.Errorf("ten headers: %v", err)
	}
}

// keptKey is the SHA-256 of the sizes and texts, made with Python's hashlib and struct.
const keptKey = "b64c4380e78b67c93db8a74fc50c87ffeb624827e37934b21609b71f17e9fef2"
