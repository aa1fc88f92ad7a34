package webhook_test

import (
	"bytes"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/webhook"
)

func newSigner(t testing.TB, scheme webhook.Scheme, keys ...webhook.Key) *webhook.Signer {
	t.Helper()
	s, err := webhook.NewSigner(scheme, keys...)
	if err != nil {
		t.Fatalf("NewSigner(%s): %v", scheme, err)
	}
	return s
}

func newVerifier(t testing.TB, scheme webhook.Scheme, keys ...webhook.Key) *webhook.Verifier {
	t.Helper()
	v, err := webhook.NewVerifier(scheme, keys...)
	if err != nil {
		t.Fatalf("NewVerifier(%s): %v", scheme, err)
	}
	return v
}

func aMessage() webhook.Message {
	return webhook.Message{ID: aDelivery, Event: anEvent, Time: time.Unix(sentAt, 0), Body: []byte(aJSON)}
}

func text(keys ...string) []webhook.Key {
	var list []webhook.Key
	for _, k := range keys {
		list = append(list, webhook.Key{Text: k})
	}
	return list
}

var schemes = []webhook.Scheme{webhook.Portal, webhook.Pullup, webhook.Standard, webhook.Static}

func TestExpiredKeysDoNotSign(t *testing.T) {
	end := time.Unix(sentAt, 0)
	for _, scheme := range schemes {
		s := newSigner(t, scheme, webhook.Key{Text: oldSecret, Until: end})
		m := aMessage()
		dst := []webhook.Header{{Name: "Content-Type", Value: "application/json"}}
		got, err := s.AppendHeaders(dst, m)
		if !errors.Is(err, webhook.ErrExpired) || !reflect.DeepEqual(got, dst) {
			t.Errorf("%s: AppendHeaders at the key's end: got %v, %v, want the headers as they were and ErrExpired", scheme, got, err)
		}
		m.Time = end.Add(-time.Nanosecond)
		if _, err := s.AppendHeaders(nil, m); err != nil {
			t.Errorf("%s: AppendHeaders just before the key's end: %v", scheme, err)
		}
	}
}

// With more than two keys, the header itself is the oldest one's and the …-Next header the newest one's.
func TestRotationWithinARotation(t *testing.T) {
	end := time.Unix(sentAt+60, 0)
	s := newSigner(t, webhook.Portal,
		webhook.Key{Text: oldSecret, Until: end}, webhook.Key{Text: otherSecret, Until: end.Add(time.Minute)}, webhook.Key{Text: newSecret})
	h := make(http.Header)
	m := aMessage()
	sign := func() {
		t.Helper()
		if err := s.SetHeaders(h, m); err != nil {
			t.Fatalf("SetHeaders: %v", err)
		}
	}
	check := func(name, secret string) {
		t.Helper()
		want := ""
		if secret != "" {
			want = portalMAC(secret, m.Time.Unix(), m.Body)
		}
		if got := h.Get(name); got != want {
			t.Errorf("%s at %v: got %q, want %q", name, m.Time.UTC(), got, want)
		}
	}
	sign()
	check("X-Webhook-Signature", oldSecret)
	check("X-Webhook-Signature-Next", newSecret)
	m.Time = end
	sign()
	check("X-Webhook-Signature", otherSecret)
	check("X-Webhook-Signature-Next", newSecret)
	m.Time = end.Add(time.Minute)
	sign() // on the same headers: what the earlier attempt left must go
	check("X-Webhook-Signature", newSecret)
	check("X-Webhook-Signature-Next", "")
}

func TestMessagesThatCannotBeHeadersAreRefused(t *testing.T) {
	cases := []struct {
		name   string
		change func(*webhook.Message)
		refuse []webhook.Scheme
	}{
		{"no time", func(m *webhook.Message) { m.Time = time.Time{} }, schemes},
		{"no id", func(m *webhook.Message) { m.ID = "" }, schemes[:3]},
		{"id with a line end", func(m *webhook.Message) { m.ID = "a\r\nx-injected: 1" }, schemes[:3]},
		{"id with a space", func(m *webhook.Message) { m.ID = "a b" }, schemes[:3]},
		{"id with a dot", func(m *webhook.Message) { m.ID = "a.b" }, schemes[2:3]},
		{"no event", func(m *webhook.Message) { m.Event = "" }, schemes[:2]},
		{"event with a line end", func(m *webhook.Message) { m.Event = "a\nb" }, schemes[:2]},
		{"event with other letters", func(m *webhook.Message) { m.Event = "bestellung.geändert" }, schemes[:2]},
	}
	for _, c := range cases {
		for _, scheme := range schemes {
			m := aMessage()
			c.change(&m)
			_, err := newSigner(t, scheme, text(oldSecret)...).AppendHeaders(nil, m)
			want := false
			for _, s := range c.refuse {
				want = want || s == scheme
			}
			if refused := err != nil; refused != want {
				t.Errorf("%s, %s: AppendHeaders: got %v, want refused %v", scheme, c.name, err, want)
			}
		}
	}
}

func TestHeadersNamesAllThatIsSet(t *testing.T) {
	for _, scheme := range schemes {
		known := make(map[string]bool)
		for _, name := range scheme.Headers() {
			if name != http.CanonicalHeaderKey(name) {
				t.Errorf("%s: %q is not canonical", scheme, name)
			}
			known[name] = true
		}
		s := newSigner(t, scheme, text(oldSecret, newSecret)...)
		headers, err := s.AppendHeaders(nil, aMessage())
		if err != nil {
			t.Fatalf("%s: AppendHeaders: %v", scheme, err)
		}
		if len(headers) != len(known) {
			t.Errorf("%s: got %d headers during a rotation, want %d", scheme, len(headers), len(known))
		}
		for _, h := range headers {
			if !known[h.Name] {
				t.Errorf("%s: sets %s, which Headers does not name", scheme, h.Name)
			}
		}
	}
	if got := webhook.Scheme("other").Headers(); got != nil {
		t.Errorf("an unknown scheme has headers: %v", got)
	}
	if _, err := webhook.NewSigner("other", text(oldSecret)...); err == nil {
		t.Error("NewSigner takes an unknown scheme")
	}
}

func TestSetHeadersKeepsOtherHeaders(t *testing.T) {
	h := http.Header{"Content-Type": {"application/json"}, "X-Webhook-Signature": {"stale", "staler"}, "X-Webhook-Signature-Next": {"stale"}}
	if err := newSigner(t, webhook.Portal, text(oldSecret)...).SetHeaders(h, aMessage()); err != nil {
		t.Fatalf("SetHeaders: %v", err)
	}
	if h.Get("Content-Type") == "" || len(h["X-Webhook-Signature"]) != 1 || h["X-Webhook-Signature-Next"] != nil {
		t.Errorf("SetHeaders left %v", h)
	}
}

// One Signer and one Verifier serve many goroutines; run with -race.
func TestSignerAndVerifierAreSharedSafely(t *testing.T) {
	private, public := webhook.NewKeyPair()
	s := newSigner(t, webhook.Standard, text(oldSecret, private)...)
	v := newVerifier(t, webhook.Standard, text(public, oldSecret)...)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 50 {
				m := aMessage()
				m.Body = bytes.Repeat([]byte{byte('a' + i)}, j*100)
				h := make(http.Header)
				if err := s.SetHeaders(h, m); err != nil {
					t.Errorf("SetHeaders: %v", err)
					return
				}
				if _, err := v.Verify(h, m.Body, m.Time); err != nil {
					t.Errorf("Verify: %v", err)
					return
				}
			}
		})
	}
	group.Wait()
}

// TestSigningAllocatesLittle keeps the delivery engine's path cheap: one string for all values of the headers.
func TestSigningAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	private, _ := webhook.NewKeyPair()
	for _, c := range []struct {
		name   string
		signer *webhook.Signer
		most   float64
	}{
		{"portal", newSigner(t, webhook.Portal, text(oldSecret)...), 1},
		{"portal, rotation", newSigner(t, webhook.Portal, text(oldSecret, newSecret)...), 1},
		{"pullup", newSigner(t, webhook.Pullup, text(oldSecret)...), 1},
		{"standard v1", newSigner(t, webhook.Standard, text(oldSecret)...), 1},
		{"standard v1a", newSigner(t, webhook.Standard, text(private)...), 3},
		{"static", newSigner(t, webhook.Static, text(oldSecret)...), 0},
	} {
		m := aMessage()
		m.Body = bytes.Repeat([]byte("x"), 1024)
		dst := make([]webhook.Header, 0, 8)
		got := testing.AllocsPerRun(1000, func() {
			if _, err := c.signer.AppendHeaders(dst, m); err != nil {
				t.Fatalf("AppendHeaders: %v", err)
			}
		})
		if got > c.most {
			t.Errorf("%s: AppendHeaders: got %v allocations, want at most %v", c.name, got, c.most)
		}
	}
}

func BenchmarkAppendHeaders(b *testing.B) {
	private, _ := webhook.NewKeyPair()
	for _, c := range []struct {
		name   string
		signer *webhook.Signer
	}{
		{"portal", newSigner(b, webhook.Portal, text(oldSecret)...)},
		{"pullup", newSigner(b, webhook.Pullup, text(oldSecret)...)},
		{"standard-v1", newSigner(b, webhook.Standard, text(oldSecret)...)},
		{"standard-v1a", newSigner(b, webhook.Standard, text(private)...)},
		{"static", newSigner(b, webhook.Static, text(oldSecret)...)},
	} {
		b.Run(c.name+"/1KiB", func(b *testing.B) {
			m := aMessage()
			m.Body = bytes.Repeat([]byte("x"), 1024)
			dst := make([]webhook.Header, 0, 8)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.signer.AppendHeaders(dst, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	private, public := webhook.NewKeyPair()
	for _, c := range []struct {
		name         string
		scheme       webhook.Scheme
		sign, verify string
	}{
		{"portal", webhook.Portal, oldSecret, oldSecret},
		{"pullup", webhook.Pullup, oldSecret, oldSecret},
		{"standard-v1", webhook.Standard, oldSecret, oldSecret},
		{"standard-v1a", webhook.Standard, private, public},
		{"static", webhook.Static, oldSecret, oldSecret},
	} {
		b.Run(c.name+"/1KiB", func(b *testing.B) {
			m := aMessage()
			m.Body = []byte(strings.Repeat("x", 1024))
			h := make(http.Header)
			if err := newSigner(b, c.scheme, text(c.sign)...).SetHeaders(h, m); err != nil {
				b.Fatal(err)
			}
			v := newVerifier(b, c.scheme, text(c.verify)...)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(h, m.Body, m.Time); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
