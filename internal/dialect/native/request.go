package native

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/form"
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
	if err := form.URL(c.request.URL); err != nil {
		return err
	}
	if c.request.Method == http.MethodGet || c.request.Method == http.MethodDelete {
		return nil
	}
	if err := form.MediaType(c.request.Header, c.request.ContentLength); err != nil {
		return err
	}
	c.body, err = form.Body(c.request)
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
