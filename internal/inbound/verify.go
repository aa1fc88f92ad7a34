package inbound

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/webhook"
)

// schemes are those of package webhook with the header by which a request shows each.
var schemes = []struct {
	scheme webhook.Scheme
	header string
}{
	{webhook.Pullup, "X-Pullup-Signature"}, {webhook.Portal, "X-Webhook-Signature"}, {webhook.Standard, "Webhook-Signature"},
}

// check verifies a request in each scheme that it shows: one that holds is enough. An Authorization that is the secret itself counts; one that is
// something else may be meant for others.
func check(secret string, h http.Header, body []byte, now time.Time) Signature {
	s := Signature{Verdict: None, Reason: "The request has no signature header that is known here."}
	for _, one := range schemes {
		if h[one.header] == nil {
			continue
		}
		err := verify(one.scheme, secret, h, body, now)
		if err == nil {
			return Signature{Verdict: Verified, Scheme: string(one.scheme)}
		}
		if s.Verdict == None {
			s = Signature{Verdict: Failed, Scheme: string(one.scheme), Reason: reason(err)}
		}
	}
	if s.Verdict == None && h["Authorization"] != nil && verify(webhook.Static, secret, h, body, now) == nil {
		return Signature{Verdict: Verified, Scheme: string(webhook.Static)}
	}
	return s
}

func verify(scheme webhook.Scheme, secret string, h http.Header, body []byte, now time.Time) error {
	v, err := webhook.NewVerifier(scheme, webhook.Key{Text: secret})
	if err == nil {
		_, err = v.Verify(h, body, now)
	}
	return err
}

// reason says why a signature does not hold.
func reason(err error) string {
	if w := (*webhook.Error)(nil); errors.As(err, &w) {
		return strings.TrimPrefix(w.Error(), "webhook: ")
	}
	return "The signature could not be checked."
}
