package provider_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/provider"
)

// FuzzSignatureForms holds that no signature makes the check without a preset panic, and that whatever it lets in carries, in one of its spellings, a signature of
// the body, alone or with its time.
func FuzzSignatureForms(f *testing.F) {
	for _, s := range senders() {
		h := s.sign(secret, sentAt, []byte(sentBody))
		f.Add(h.Get(s.signature), h.Get("X-Timestamp"), []byte(sentBody), s.stamp != "")
	}
	f.Add("t=1700000000,v1="+strings.Repeat("0", 64)+",v1="+hexSum(secret, "1700000000."+sentBody), "", []byte(sentBody), false)
	f.Fuzz(func(t *testing.T, value, stamp string, body []byte, timed bool) {
		s := generic("")
		if timed {
			s = generic("X-Timestamp")
		}
		if s.Check(provider.Request{Header: http.Header{"X-Signature": {value}, "X-Timestamp": {stamp}}, Body: body}, now) != nil {
			return
		}
		texts := []string{string(body)}
		if timed {
			texts = append(texts, stamp+"."+string(body), "v0:"+stamp+":"+string(body))
		}
		for _, m := range regexp.MustCompile(`t=([0-9TZ:.+-]+)`).FindAllStringSubmatch(value, -1) {
			texts = append(texts, m[1]+"."+string(body))
		}
		for _, text := range texts {
			if carries(value, sum(secret, text)) {
				return
			}
		}
		t.Fatalf("let in %q at %q for %q", value, stamp, body)
	})
}

// carries is whether a MAC stands in a header in one of its spellings.
func carries(value string, mac []byte) bool {
	return strings.Contains(strings.ToLower(value), hex.EncodeToString(mac)) ||
		strings.Contains(value, base64.RawStdEncoding.EncodeToString(mac)) || strings.Contains(value, base64.RawURLEncoding.EncodeToString(mac))
}

// FuzzPresetHeaders is the same for the presets: a signature that is let in is one of the texts that the provider signs.
func FuzzPresetHeaders(f *testing.F) {
	for i, s := range senders() {
		h := s.sign(secret, sentAt, []byte(sentBody))
		f.Add(i, h.Get(s.signature), h.Get(s.stamp), "msg_1", []byte(sentBody))
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		f.Fatal(err)
	}
	all := senders()
	f.Fuzz(func(t *testing.T, which int, value, stamp, id string, body []byte) {
		if which < 0 || which >= len(all) {
			return
		}
		s := all[which]
		h := http.Header{"Webhook-Id": {id}, "Svix-Id": {id}}
		if s.stamp != "" {
			h.Set(s.stamp, stamp)
		}
		h.Set(s.signature, value)
		if s.scheme.Check(provider.Request{Header: h, Body: body}, now) != nil || s.fixed() && value == secret {
			return
		}
		texts := []string{string(body), stamp + "." + string(body), "v0:" + stamp + ":" + string(body)}
		for _, m := range regexp.MustCompile(`t=([0-9TZ:.+-]+)`).FindAllStringSubmatch(value, -1) {
			texts = append(texts, m[1]+"."+string(body))
		}
		for _, text := range texts {
			if carries(value, sum(secret, text)) || carries(value, sum(string(raw), id+"."+text)) {
				return
			}
		}
		t.Fatalf("%s let in %q at %q, %q for %q", s.name, value, stamp, id, body)
	})
}

var (
	names      = regexp.MustCompile(`^[A-Za-z]+(\.[A-Za-z]+)*$`)
	surrogates = regexp.MustCompile(`(?i)\\ud[89a-f]`)
)

// FuzzJSONPath holds that no path and no body make Of panic, that what it finds is a type, and that encoding/json finds the same.
func FuzzJSONPath(f *testing.F) {
	for path, body := range map[string]string{
		"type": `{"type":"x"}`, "$.a.b": `{"a":{"b":"x"}}`, "a[0].b": `{"a":[{"b":"x"}]}`, "$['a.b']": `{"a.b":"\u00fc"}`, "a.0": `{"a":["x"]}`, "a.b": `{"a":{"b":"\n"},"a":{"b":"y"}}`,
		"a": `{"a" : "\ud83c\udfab" , "b" : [1, 2.5e-7, true, null, "\\"]}`, "$[1]": `[[[[[[[[`, "a..b": `{"a":7}`, "b": "{\"b\":\"\xff\"}",
	} {
		f.Add(path, []byte(body))
	}
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		e := provider.EventType{Source: "body", Path: path}
		got, ok := e.Of(nil, body)
		if ok != (got != "") || !utf8.ValidString(got) || utf8.RuneCountInString(got) > 255 || strings.ContainsFunc(got, unicode.IsControl) {
			t.Fatalf("%q of %q = %q, %v: no type", path, body, got, ok)
		}
		if err := e.Validate(); ok && err != nil {
			t.Fatalf("%q of %q = %q, and Validate: %v", path, body, got, err)
		}
		if !names.MatchString(path) || len(path) > 60 || !utf8.Valid(body) || surrogates.Match(body) || bytes.Count(body, []byte("{"))+bytes.Count(body, []byte("[")) > 64 {
			return
		}
		var v any
		_ = json.Unmarshal(body, &v)
		for name := range strings.SplitSeq(path, ".") {
			fields, _ := v.(map[string]any)
			v = fields[name]
		}
		want, _ := v.(string)
		if utf8.RuneCountInString(want) > 255 || strings.ContainsFunc(want, unicode.IsControl) {
			want = ""
		}
		if got != want {
			t.Fatalf("%q of %q = %q, and %q by encoding/json", path, body, got, want)
		}
	})
}

// FuzzCIDR holds that what is read of a network is a network in its one spelling, and that addresses are admitted in both of theirs.
func FuzzCIDR(f *testing.F) {
	for _, c := range []string{"10.0.0.0/8", "::ffff:10.0.0.0/104", "2001:db8::/32", "fe80::1%eth0", "0.0.0.0/0", "::/0", "10.0.0.1", "::ffff:0:0/95", "1.2.3.4/032"} {
		f.Add(c, []byte{10, 1, 2, 3})
	}
	f.Fuzz(func(t *testing.T, cidr string, peer []byte) {
		networks, err := provider.ParseNetworks([]string{cidr})
		if (err == nil) != (len(networks) == 1) {
			t.Fatalf("ParseNetworks(%q) = %v, %v", cidr, networks, err)
		}
		if err != nil {
			return
		}
		n := networks[0]
		again, err := provider.ParseNetworks([]string{n.String()})
		if err != nil || again[0] != n || n != n.Masked() || n.Addr().Is4In6() || n.Addr().Zone() != "" {
			t.Fatalf("ParseNetworks(%q) = %v, which is read as %v, %v", cidr, n, again, err)
		}
		s := provider.Scheme{Networks: networks}
		if !s.Admits(n.Addr()) || !s.Admits(netip.AddrFrom16(n.Addr().As16())) {
			t.Fatalf("%v does not admit its own first address", n)
		}
		if addr, ok := netip.AddrFromSlice(peer); ok && s.Admits(addr) != s.Admits(netip.AddrFrom16(addr.As16())) {
			t.Fatalf("%v admits %v in one spelling only", n, addr)
		}
	})
}

// FuzzQuery holds that a token which is let in is none of what Redact leaves.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{"key=a+token+of+24+characters", "a=1;key=a%20token%20of%2024%20characters&b", "%6bey=a+token%20of+24+characters", "key=x&key=a+token+of+24+characters"} {
		f.Add(q)
	}
	hash, err := provider.HashToken(tokenValue)
	if err != nil {
		f.Fatal(err)
	}
	s := provider.Scheme{Token: provider.Token{Query: "key", SHA256: hash}}
	f.Fuzz(func(t *testing.T, query string) {
		left := s.Redact(query)
		if s.CheckToken(provider.Request{RawQuery: left}) == nil {
			t.Fatalf("Redact(%q) leaves the token: %q", query, left)
		}
		if again := s.Redact(left); again != left {
			t.Fatalf("Redact(%q) = %q, and of that %q", query, left, again)
		}
	})
}

// FuzzDedupHeaders holds that names and values of any kind make a key or none, and that each value counts.
func FuzzDedupHeaders(f *testing.F) {
	f.Add("X-Event-ID", "evt_1", "evt_2")
	f.Add("a b\r\n", "", "\x00")
	f.Fuzz(func(t *testing.T, name, one, two string) {
		h := http.Header{}
		if key := provider.DedupKey([]string{name}, h); key != nil {
			t.Fatalf("no header %q, and the key %x", name, key)
		}
		h.Set(name, one)
		first := provider.DedupKey([]string{name}, h)
		h.Set(name, two)
		second := provider.DedupKey([]string{name}, h)
		if len(first) != 32 || bytes.Equal(first, second) != (one == two) {
			t.Fatalf("%q: %q and %q have the keys %x and %x", name, one, two, first, second)
		}
		if _, ok := (provider.EventType{Source: "header", Path: name}).Of(h, nil); ok && two == "" {
			t.Fatalf("an empty %q is a type", name)
		}
		_ = provider.ValidateDedup([]string{name, one, two})
	})
}

// FuzzChallenge holds that what is answered is JSON of texts that have no character of HTML.
func FuzzChallenge(f *testing.F) {
	f.Add("slack", trial("slack", "abc"), "")
	f.Add("zoom", trial("zoom", "abc"), "")
	f.Add("twitter", []byte{}, "crc_token=abc&nonce=d")
	f.Fuzz(func(t *testing.T, name string, body []byte, query string) {
		for _, method := range []string{"GET", "POST"} {
			a, ok := preset(name).Challenge(method, provider.Request{Body: body, RawQuery: query})
			if !ok {
				continue
			}
			var fields map[string]string
			if err := json.Unmarshal(a.Body, &fields); err != nil || a.Status != 200 || a.ContentType != "application/json" {
				t.Fatalf("%s: %d %s %q: %v", name, a.Status, a.ContentType, a.Body, err)
			}
			for _, text := range fields {
				if strings.ContainsAny(text, "<>&\"' :{") {
					t.Fatalf("%s gives back %q", name, text)
				}
			}
		}
	})
}
