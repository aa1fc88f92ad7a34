package page

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// MaxForm bounds a form, in bytes.
const MaxForm = 64 << 10

// Forged is the problem of a form that is not from a page of ours.
func Forged() error {
	return problem.New(problem.Forbidden, "forged_form", "The form is from a page that this browser was shown too long ago, or not at all. Load the page again, and send it again.")
}

// SameOrigin tells whether a request can be from a page of ours. Pages are served with a referrer policy under which browsers say "Origin: null" of our
// own posts too (Fetch §3.2), and those that do not send Sec-Fetch-Site, as none does without TLS, say nothing else: then the form's token alone decides.
func SameOrigin(origin *http.CrossOriginProtection, r *http.Request) bool {
	if r.Header.Get("Origin") == "null" && r.Header.Get("Sec-Fetch-Site") == "" {
		return true
	}
	return origin.Check(r) == nil
}

// ReadForm reads a form of text fields, of at most so many bytes, each at most once but for those named. It fails with unsupported_media_type, body_too_large and invalid_form.
func ReadForm(w http.ResponseWriter, r *http.Request, most int64, repeated ...string) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, problem.New(problem.Unsupported, "unsupported_media_type", "Only forms are taken here. Load the page again, and send its form.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, problem.New(problem.TooLarge, "body_too_large", "The form is too large: it may have %d KiB. Go back and write less.", most>>10)
	}
	form, parseErr := url.ParseQuery(string(body))
	if err != nil || parseErr != nil {
		return nil, invalidForm("The form could not be read. Load the page again, and send it again.")
	}
	return form, CheckForm(form, repeated...)
}

// CheckForm refuses what no page of ours sends: a field twice that is not one of those named, and what is not text.
func CheckForm(form url.Values, repeated ...string) error {
	for name, values := range form {
		if len(values) > 1 && !contains(repeated, name) {
			return invalidForm("A field of the form is there twice. Load the page again, and send it again.")
		}
		if text := name + strings.Join(values, ""); !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return invalidForm("A field of the form is not text. Go back and write it anew.")
		}
	}
	return nil
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func invalidForm(detail string) error {
	return problem.New(problem.Invalid, "invalid_form", "%s", detail)
}

// maxNext bounds a path to go on to, in bytes.
const maxNext = 8 << 10

// Local is a path of this server, with its query, that a browser may be sent on to; or without. It has no scheme and no host, also not for browsers, which
// take \ for / and pass over tabs and line breaks.
func Local(next, without string) string {
	if len(next) > maxNext || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsFunc(next, func(r rune) bool { return r == '\\' || r <= ' ' || r >= 0x7f }) {
		return without
	}
	return next
}
