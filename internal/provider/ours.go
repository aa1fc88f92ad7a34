package provider

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/webhook"
)

// form is a scheme of package webhook and the header by which a request of it is known.
type form struct {
	scheme webhook.Scheme
	header string
	brand  string // what its headers begin with instead of "Webhook-"
	object bool   // the body has to be a JSON object: see pullupForm
}

var (
	standardForm = form{scheme: webhook.Standard, header: "Webhook-Signature"}
	svixForm     = form{scheme: webhook.Standard, header: "Svix-Signature", brand: "Svix-"}
	portalForm   = form{scheme: webhook.Portal, header: "X-Webhook-Signature"}
	staticForm   = form{scheme: webhook.Static, header: "Authorization"}

	// A pullup signature covers the body alone and a portal signature a time, a dot and the body, with the same key: whoever has seen one of the latter could
	// send its whole text as a body of the former, which is never an object.
	pullupForm = form{scheme: webhook.Pullup, header: "X-Pullup-Signature", object: true}
)

// ours are the forms that a provider sends, of which a request has one. The first whose header is there counts, and no other: nothing falls back to a weaker one.
type ours []form

func (o ours) headers() (signature, stamp string) {
	if len(o) > 1 && o[0].brand == "" {
		return "", ""
	}
	switch o[0].scheme {
	case webhook.Standard:
		return o[0].header, strings.Replace(o[0].header, "Signature", "Timestamp", 1)
	default:
		return o[0].header, ""
	}
}

func (o ours) timed() bool { return o[0].scheme != webhook.Static }

func (o ours) checkSecret(secret string) string {
	for _, f := range o {
		if _, err := f.verifier(secret); err == nil {
			return ""
		}
	}
	switch o[0].scheme {
	case webhook.Standard:
		return "The secret of this provider is whsec_ and the base64 of 24 to 64 bytes."
	case webhook.Static:
		return "Give the whole value of the Authorization header: printable ASCII without spaces around it."
	}
	return "Give the webhook's secret as it was shown, or its public key whpk_…: printable ASCII without spaces around it."
}

// verifier fails for a secret that the form cannot have. Everybody may know a public key, so it is no fixed value.
func (f form) verifier(secret string) (*webhook.Verifier, error) {
	if f.scheme == webhook.Static && strings.HasPrefix(secret, "whpk_") {
		return nil, errors.New("a public key is no secret")
	}
	return webhook.NewVerifier(f.scheme, webhook.Key{Text: secret})
}

func (o ours) check(h HMAC, r Request, now time.Time) error {
	for _, f := range o {
		if r.Header.Values(f.header) != nil {
			return f.check(h, r, now)
		}
	}
	if len(o) > 1 && o[0].brand == "" {
		return refuse("no header is there that Stagedoor signs with, such as Webhook-Signature or X-Webhook-Signature")
	}
	return o[0].refuse("the header %s is missing", o[0].header)
}

func (f form) check(h HMAC, r Request, now time.Time) error {
	v, err := f.verifier(h.Secret)
	if err != nil {
		return f.refuse("the secret that is configured is none that %s is checked with", f.header)
	}
	_, err = v.WithTolerance(h.ttl()).Verify(f.rename(r.Header), r.Body, now)
	if err == nil && f.object && !isObject(r.Body) {
		return noMatch(f.header)
	}
	if err == nil {
		return nil
	}
	var wrong *webhook.Error
	if !errors.As(err, &wrong) {
		return f.refuse("the signature could not be checked")
	}
	return f.say(wrong)
}

// say puts an error of package webhook, which holds nothing of what was sent, into the words of this one.
func (f form) say(e *webhook.Error) error {
	name := e.Header
	if f.brand != "" {
		name = f.brand + strings.TrimPrefix(name, standardBrand)
	}
	switch e.Reason {
	case webhook.MissingHeader:
		return f.refuse("the header %s is missing", name)
	case webhook.NoMatch:
		if f.scheme == webhook.Static {
			return f.refuse("the value of %s is not the one that is configured", name)
		}
		return noMatch(name)
	case webhook.Malformed:
		return f.refuse("the header %s is not in its form: %s", name, e.Detail)
	}
	return f.refuse("%s in %s %s", e.Reason, name, e.Detail)
}

func (f form) refuse(detail string, args ...any) error {
	err := refuse(detail, args...)
	var r *Refusal
	if f.scheme == webhook.Static && errors.As(err, &r) {
		r.Reason = StaticTokenFailed
	}
	return err
}

const standardBrand = "Webhook-"

// rename gives a brand's headers the names of Standard Webhooks.
func (f form) rename(h http.Header) http.Header {
	if f.brand == "" {
		return h
	}
	renamed := make(http.Header, 3)
	for _, name := range f.scheme.Headers() {
		if lines := h.Values(f.brand + strings.TrimPrefix(name, standardBrand)); lines != nil {
			renamed[name] = lines
		}
	}
	return renamed
}
