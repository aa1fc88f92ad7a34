// Package form says what form a request to one of the JSON interfaces has to have, before anybody reads what is in it: a printable URL ([URL]), a media
// type that is JSON's ([MediaType]), a body that came in whole ([Body]) and is strict JSON ([JSON]). What is not so is a problem that says what to send.
package form

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// URL refuses what no path or query of ours contains and not every database can compare with: broken escapes, text that is not UTF-8,
// and control characters.
func URL(u *url.URL) error {
	if !Printable(u.Path) {
		return problem.New(problem.Invalid, "invalid_path", "The path is not UTF-8, or has control characters.")
	}
	if u.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return problem.New(problem.Invalid, "invalid_query", "The query is not form-encoded; escape % as %25 and ; as %3B.")
	}
	var bad problem.Fields
	for name, values := range query {
		if !Printable(name) || !Printable(strings.Join(values, "")) {
			bad = append(bad, problem.FieldError{
				Pointer: strings.ToValidUTF8(name, "\ufffd"), In: "query", Code: "invalid_character",
				Detail: "The value is UTF-8 without control characters.",
			})
		}
	}
	return bad.Err()
}

// Printable tells whether a text is UTF-8 without control characters.
func Printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range []byte(s) {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// MediaType lets JSON through; a body without a type is taken for JSON.
func MediaType(h http.Header, length int64) error {
	if length == 0 {
		return nil
	}
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return problem.New(problem.Unsupported, "unsupported_encoding", "Bodies are not decompressed here; send the JSON as it is.")
	}
	given := h.Get("Content-Type")
	if given == "" || given == "application/json" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(given)
	if err != nil || kind != "application/json" && (!strings.HasPrefix(kind, "application/") || !strings.HasSuffix(kind, "+json")) {
		return problem.New(problem.Unsupported, "unsupported_media_type", "Send JSON, with Content-Type: application/json.")
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return problem.New(problem.Unsupported, "unsupported_charset", "JSON is UTF-8; leave the charset out.")
	}
	return nil
}

// Body reads the body of a request whole; nil where it has none. What ends too early is incomplete_body.
func Body(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.ContentLength == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(min(r.ContentLength, 1<<20)) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(r.Body); err != nil {
		return nil, Broken(err)
	}
	return b.Bytes(), nil
}

// Broken says what a body that ends too early is: the client's fault.
func Broken(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return problem.New(problem.Invalid, "incomplete_body", "The body ended before the length that was announced.")
	}
	return err
}
