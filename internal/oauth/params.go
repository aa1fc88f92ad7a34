package oauth

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxForm bounds a form, in bytes.
const maxForm = 64 << 10

// params are the parameters of a request: each once, none empty (RFC 6749 §3.1, §3.2: an empty one is as if it were left out).
type params map[string]string

// fault is an error of the protocol (RFC 6749 §4.1.2.1, §5.2).
type fault struct {
	code        string
	description string
	status      int               // 400 when 0
	header      map[string]string // beside the usual
}

// Error is what is wrong.
func (f *fault) Error() string { return f.code + ": " + f.description }

func bad(code, description string) *fault { return &fault{code: code, description: description} }

func invalidRequest(description string) *fault { return bad("invalid_request", description) }

// parseParams reads form-encoded parameters. Which ones there may be is the caller's to know.
func parseParams(text string) (params, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, invalidRequest("The parameters are not form-encoded.")
	}
	p := params{}
	for name, list := range values {
		if len(list) > 1 {
			return nil, invalidRequest("A parameter is there twice.")
		}
		if !utf8.ValidString(name) || !utf8.ValidString(list[0]) || strings.ContainsRune(name+list[0], 0) {
			return nil, invalidRequest("A parameter is not text.")
		}
		if list[0] != "" {
			p[name] = list[0]
		}
	}
	return p, nil
}

// readForm reads the parameters of a POST: from the body only, which is a form of at most 64 KiB.
func readForm(w http.ResponseWriter, r *http.Request) (params, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, invalidRequest("Send the parameters as application/x-www-form-urlencoded.")
	}
	if r.URL.RawQuery != "" {
		return nil, invalidRequest("Send the parameters in the body, not in the query.") // RFC 6749 §3.2
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &fault{code: "invalid_request", description: "The body is larger than 64 KiB.", status: http.StatusRequestEntityTooLarge}
	}
	if err != nil {
		return nil, invalidRequest("The body could not be read.")
	}
	return parseParams(string(body))
}
