package native

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// call is a request that was let in.
type call struct {
	*access.Principal
	api     *API
	request *http.Request
	body    []byte                                                       // as it came; nil for methods without one
	judge   func(ctx context.Context, c *call) (unfit string, err error) // see judged; nil where nobody judges
}

type callKey struct{}

func callOf(ctx context.Context) *call { return ctx.Value(callKey{}).(*call) }

// humaContext is huma's interface by a name that can be embedded: its own is also its method's.
type humaContext huma.Context

// entered is huma's context of a request that was let in: it carries the call, and the body that was read.
type entered struct {
	humaContext
	context context.Context
	body    *bytes.Reader
}

// Context has the call.
func (e entered) Context() context.Context { return e.context }

// BodyReader reads the body again.
func (e entered) BodyReader() io.Reader { return e.body }

// Unwrap leads humago to the request itself.
func (e entered) Unwrap() huma.Context { return e.humaContext }

// enter is what every route begins with: who is it, may it, and what does it send.
func (a *API) enter(need access.Need) func(ctx huma.Context, next func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		c := &call{api: a, request: r}
		if err := c.open(w, need); err != nil {
			a.refuse(w, r, err)
			return
		}
		next(entered{humaContext: ctx, context: context.WithValue(r.Context(), callKey{}, c), body: bytes.NewReader(c.body)})
	}
}

func (c *call) open(w http.ResponseWriter, need access.Need) error {
	p, limit, err := c.api.Door.Enter(c.request, need)
	limit.Header(w.Header())
	if err != nil {
		return err
	}
	c.Principal = p
	if err := checkURL(c.request.URL); err != nil {
		return err
	}
	if c.request.Method == http.MethodGet || c.request.Method == http.MethodDelete {
		return nil
	}
	if err := checkMediaType(c.request.Header, c.request.ContentLength); err != nil {
		return err
	}
	c.body, err = readBody(c.request)
	return err
}

// refuse answers a request that did not get as far as huma.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, header, body := a.Problems.Render(r, err)
	for name, values := range header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // a problem is JSON, and nosniff; the client may be gone
}

// checkURL refuses what no path or query of ours contains and not every database can compare with: broken escapes, text that is not UTF-8,
// and control characters.
func checkURL(u *url.URL) error {
	if !printable(u.Path) {
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
		if !printable(name) || !printable(strings.Join(values, "")) {
			bad = append(bad, problem.FieldError{
				Pointer: strings.ToValidUTF8(name, "\ufffd"), In: "query", Code: "invalid_character",
				Detail: "The value is UTF-8 without control characters.",
			})
		}
	}
	return bad.Err()
}

func printable(s string) bool {
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

// checkMediaType lets JSON through; a body without a type is taken for JSON.
func checkMediaType(h http.Header, length int64) error {
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

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.ContentLength == 0 {
		return nil, nil
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(min(r.ContentLength, 1<<20)) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(r.Body); err != nil {
		return nil, bodyError(err)
	}
	return b.Bytes(), nil
}

// bodyError says what a body that ends too early is: the client's fault.
func bodyError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return problem.New(problem.Invalid, "incomplete_body", "The body ended before the length that was announced.")
	}
	return err
}

// ifMatch returns the version that If-Match asks for: 0 for any, -1 for one that no resource ever had (RFC 9110 §13.1.1: the comparison is
// strong, so a weak tag matches nothing).
func ifMatch(header string) (int64, error) {
	header = strings.TrimSpace(header)
	if header == "" || header == "*" {
		return 0, nil
	}
	if strings.Contains(header, ",") {
		return 0, &problem.Error{
			Kind: problem.Invalid, Code: "validation_failed", Detail: "The request is not valid; see errors.",
			Fields: []problem.FieldError{{Pointer: "If-Match", In: "header", Code: "too_many", Detail: "Give the one ETag that the change is made for."}},
		}
	}
	tag, opened := strings.CutPrefix(header, `"`)
	tag, closed := strings.CutSuffix(tag, `"`)
	if version, err := strconv.ParseInt(tag, 10, 64); err == nil && opened && closed && version > 0 {
		return version, nil
	}
	return -1, nil
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// repeatable is what tells this request from others, for its Idempotency-Key. Only POST has one: the other methods can be repeated anyway.
func (c *call) repeatable() idempotency.Request {
	r := idempotency.Request{Org: c.Org, Principal: c.Credential, Route: c.request.Pattern}
	if c.request.Method == http.MethodPost {
		r.Key = c.request.Header.Get("Idempotency-Key")
	}
	if r.Key != "" {
		r.Hash = idempotency.Hash([]byte(c.request.URL.Path), []byte(c.request.URL.RawQuery), c.body)
	}
	return r
}
