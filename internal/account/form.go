package account

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// maxForm bounds a form, in bytes.
const maxForm = 64 << 10

// read reads a form, and makes sure that it is from one of our pages.
func (v *visit) read() error {
	if !v.p.sameOrigin(v.r) {
		return forged()
	}
	form, err := parse(v.w, v.r)
	if err != nil {
		return err
	}
	if !v.genuine(form.Get("csrf")) {
		return forged()
	}
	v.form = form
	return nil
}

func forged() error {
	return problem.New(problem.Forbidden, "forged_form", "The form is from a page that this browser was shown too long ago, or not at all. Load the page again, and send it again.")
}

// sameOrigin tells whether a request can be from a page of ours. Pages are served with a referrer policy under which browsers say "Origin: null" of our
// own posts too (Fetch §3.2), and those that do not send Sec-Fetch-Site, as none does without TLS, say nothing else: then the form's token alone decides.
func (p *Pages) sameOrigin(r *http.Request) bool {
	if r.Header.Get("Origin") == "null" && r.Header.Get("Sec-Fetch-Site") == "" {
		return true
	}
	return p.origin.Check(r) == nil
}

// parse reads a form of text fields, each at most once but for scope.
func parse(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, problem.New(problem.Unsupported, "unsupported_media_type", "Only forms are taken here. Load the page again, and send its form.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, problem.New(problem.TooLarge, "body_too_large", "The form is too large: it may have 64 KiB. Go back and write less.")
	}
	form, parseErr := url.ParseQuery(string(body))
	if err != nil || parseErr != nil {
		return nil, invalidForm("The form could not be read. Load the page again, and send it again.")
	}
	for name, values := range form {
		if len(values) > 1 && name != "scope" {
			return nil, invalidForm("A field of the form is there twice. Load the page again, and send it again.")
		}
		if text := name + strings.Join(values, ""); !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return nil, invalidForm("A field of the form is not text. Go back and write it anew.")
		}
	}
	return form, nil
}

func invalidForm(detail string) error { return problem.New(problem.Invalid, "invalid_form", detail) }

// Genuine tells whether a form's token is the one of the browser that sends it.
func (p *Pages) Genuine(r *http.Request, token string) bool {
	v, err := p.visit(nil, r)
	return err == nil && p.origin.Check(r) == nil && v.genuine(token)
}

func (v *visit) genuine(token string) bool {
	seed := v.seed()
	return seed != "" && hmac.Equal([]byte(token), []byte(v.p.tokenOf(seed)))
}

// token is what the forms of the page that is about to be shown carry.
func (v *visit) token() string {
	if v.csrf != "" {
		return v.csrf
	}
	seed := v.seed()
	if seed == "" {
		value := id.Secret("")
		v.p.setCookie(v.w, v.p.seedCookie(), value, http.SameSiteStrictMode, 0)
		seed = "browser " + value
	}
	v.csrf = v.p.tokenOf(seed)
	return v.csrf
}

func (p *Pages) seedCookie() string { return p.cookieName("stagedoor_csrf") }

// seed is what the browser's forms are bound to: the session, or before there is one a cookie of their own; "" when there is neither.
func (v *visit) seed() string {
	if v.signedIn() {
		return "session " + string(v.session.ID)
	}
	if c, err := v.r.Cookie(v.p.seedCookie()); err == nil && c.Value != "" {
		return "browser " + c.Value
	}
	return ""
}

func (p *Pages) tokenOf(seed string) string {
	return base64.RawURLEncoding.EncodeToString(p.Keys.MAC([]byte("form token of " + seed)))
}
