package webhook_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/webhook"
)

// The fuzz targets hold that no header makes Verify panic, and that whatever it accepts carries, whole and between separators,
// the one signature that belongs to the body.

func FuzzPortalHeaders(f *testing.F) {
	for _, v := range readVectors(f).Vectors {
		if h := headerOf(v.Headers); v.Scheme == "portal" && len(v.Body.Repeat) == 0 {
			f.Add(h.Get("X-Webhook-Signature"), h.Get("X-Webhook-Signature-Next"), h.Get("X-Webhook-Timestamp"), v.Body.bytes())
		}
	}
	verifier := newVerifier(f, webhook.Portal, text(oldSecret, newSecret)...)
	f.Fuzz(func(t *testing.T, signature, next, timestamp string, body []byte) {
		h := http.Header{"X-Webhook-Signature": {signature}, "X-Webhook-Timestamp": {timestamp}}
		if next != "" {
			h["X-Webhook-Signature-Next"] = []string{next}
		}
		if _, err := verifier.Verify(h, body, time.Unix(sentAt, 0)); err != nil {
			return
		}
		at, err := strconv.ParseInt(timestamp, 10, 64)
		if err != nil || at < sentAt-tolerance || at > sentAt+tolerance || strconv.FormatInt(at, 10) != timestamp {
			t.Fatalf("accepted the timestamp %q", timestamp)
		}
		if !listed(signature+","+next, ",", portalMAC(oldSecret, at, body), portalMAC(newSecret, at, body)) {
			t.Fatalf("accepted %q and %q for %q at %q", signature, next, body, timestamp)
		}
	})
}

func FuzzPullupHeaders(f *testing.F) {
	for _, v := range readVectors(f).Vectors {
		if h := headerOf(v.Headers); v.Scheme == "pullup" && len(v.Body.Repeat) == 0 {
			f.Add(h.Get("X-Pullup-Signature"), h.Get("X-Pullup-Signature-Next"), v.Body.bytes())
		}
	}
	verifier := newVerifier(f, webhook.Pullup, text(oldSecret, newSecret)...)
	f.Fuzz(func(t *testing.T, signature, next string, body []byte) {
		h := http.Header{"X-Pullup-Signature": {signature}}
		if next != "" {
			h["X-Pullup-Signature-Next"] = []string{next}
		}
		if _, err := verifier.Verify(h, body, time.Unix(sentAt, 0)); err != nil {
			return
		}
		for _, secret := range []string{oldSecret, newSecret} {
			if want := hexMAC(secret, string(body)); signature == want || next == want {
				return
			}
		}
		t.Fatalf("accepted %q and %q for %q", signature, next, body)
	})
}

func FuzzStandardHeaders(f *testing.F) {
	for _, v := range readVectors(f).Vectors {
		if h := headerOf(v.Headers); v.Scheme == "standard" && len(v.Body.Repeat) == 0 {
			f.Add(h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), h.Get("Webhook-Signature"), v.Body.bytes())
		}
	}
	verifier := newVerifier(f, webhook.Standard, text(oldSecret, printPublic(newPrivate))...)
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature}}
		if _, err := verifier.Verify(h, body, time.Unix(sentAt, 0)); err != nil {
			return
		}
		at, err := strconv.ParseInt(timestamp, 10, 64)
		if err != nil || at < sentAt-tolerance || at > sentAt+tolerance || strings.Contains(id, ".") {
			t.Fatalf("accepted the id %q and the timestamp %q", id, timestamp)
		}
		if !listed(signature, " ", v1Secret(oldSecret, id, at, body), v1aSign(newPrivate, id, at, body)) {
			t.Fatalf("accepted %q for %q, %q at %q", signature, id, body, timestamp)
		}
	})
}

// FuzzKey holds that a printed key that is taken for signing and for verifying can do both, and that no text makes parsing panic.
func FuzzKey(f *testing.F) {
	for _, k := range readVectors(f).Keys {
		f.Add(k.Scheme, k.Key)
	}
	f.Fuzz(func(t *testing.T, scheme, key string) {
		signer, signErr := webhook.NewSigner(webhook.Scheme(scheme), webhook.Key{Text: key})
		verifier, verifyErr := webhook.NewVerifier(webhook.Scheme(scheme), webhook.Key{Text: key})
		if signErr != nil || verifyErr != nil {
			return
		}
		m := aMessage()
		h := make(http.Header)
		if err := signer.SetHeaders(h, m); err != nil {
			t.Fatalf("SetHeaders with %q: %v", key, err)
		}
		if _, err := verifier.Verify(h, m.Body, m.Time); err != nil {
			t.Fatalf("Verify with %q: %v", key, err)
		}
	})
}

func listed(list, separator string, wanted ...string) bool {
	for entry := range strings.SplitSeq(list, separator) {
		for _, w := range wanted {
			if entry == w {
				return true
			}
		}
	}
	return false
}

// FuzzExplain holds that nothing that is pasted makes Explain panic, and that it finds verified what Verify verifies, and nothing else.
func FuzzExplain(f *testing.F) {
	for _, v := range readVectors(f).Vectors {
		var head strings.Builder
		for _, h := range v.Headers {
			head.WriteString(h.Name + ": " + h.text() + "\n")
		}
		if len(v.Body.Repeat) == 0 && len(v.Keys) == 1 {
			f.Add(v.Scheme, head.String(), v.Body.bytes(), v.Keys[0].Key)
		}
	}
	f.Add("portal", `{"x-webhook-signature":"sha256=ab"}`, []byte(`[[[1,{"a":"\ud800\n"}]]]`), "whsec_")
	f.Fuzz(func(t *testing.T, scheme, head string, body []byte, secret string) {
		h, err := webhook.ParseHeaders(head)
		if err != nil {
			h = http.Header{"X-Webhook-Signature": {head}, "Authorization": {head}}
		}
		now := time.Unix(sentAt, 0)
		e := webhook.Explain(webhook.Scheme(scheme), webhook.Received{Header: h, Body: body, At: now}, webhook.Key{Text: secret},
			webhook.Candidate{Name: "old", Key: webhook.Key{Text: oldSecret, Until: now}})
		if e.Verdict == "" || e.What == "" || e.Advice == "" {
			t.Fatalf("Explain: got %+v", e)
		}
		verified := false
		if verifier, err := webhook.NewVerifier(webhook.Scheme(scheme), webhook.Key{Text: secret}); err == nil && secret != oldSecret {
			_, err = verifier.Verify(h, body, now)
			verified = err == nil
		}
		if verified != (e.Verdict == webhook.Verified) && len(body) <= webhook.MaxExplained {
			t.Fatalf("Explain: got %s %s, want verified %v", e.Verdict, e.Cause, verified)
		}
	})
}
