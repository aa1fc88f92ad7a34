package hookbridge

import (
	"bytes"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Problems finds what of an error may be shown, nil for an internal one, and logs what must not be. web.Problems does.
type Problems interface {
	Shown(r *http.Request, err error) *problem.Error
}

// fault is what went wrong, in the body of whatever is no success.
type fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// The codes of HookBridge's specification. Others are the trade's own, in capitals.
const (
	codeInvalid      = "INVALID_REQUEST"      // 400
	codeUnauthorized = "UNAUTHORIZED"         // 401
	codeNotFound     = "NOT_FOUND"            // 404
	codeMismatch     = "IDEMPOTENCY_MISMATCH" // 409
	codePartial      = "PARTIAL_DELETE_FAILURE"
	codeDelete       = "DELETE_FAILED"
	codeInternal     = "INTERNAL_ERROR"
)

// endpointNotFound is of an endpoint that a parameter names; one in the path is NOT_FOUND.
const endpointNotFound = "endpoint_not_found"

// refuse answers a request that failed with err.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := a.Problems.Shown(r, err)
	if p == nil {
		a.fail(w, r, http.StatusInternalServerError, fault{codeInternal, "Something went wrong on our side. Try again; if it stays, tell the operator the request_id."})
		return
	}
	status, f := p.Kind.Status(), fault{strings.ToUpper(p.Code), message(p)}
	switch p.Kind {
	case problem.Invalid:
		if p.Code != endpointNotFound {
			f.Code = codeInvalid
		}
	case problem.NotFound:
		f.Code = codeNotFound
	case problem.Unauthorized:
		f.Code, f.Message = codeUnauthorized, "Invalid or missing API key. "+f.Message
		scheme, challenge := "Bearer", ""
		if p.Scheme != "" {
			scheme = p.Scheme
		}
		if p.Challenge != "" {
			challenge = ", " + p.Challenge
		}
		w.Header().Set("WWW-Authenticate", scheme+` realm="stagedoor"`+challenge+`, resource_metadata="`+a.PublicURL+`/.well-known/oauth-protected-resource"`) // RFC 9728 §5.1
	case problem.Forbidden:
		if p.Challenge != "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="stagedoor", `+p.Challenge) // RFC 6750 §3.1
		}
	case problem.Mismatch:
		if p.Code == "idempotency_key_reused" {
			status, f.Code = http.StatusConflict, codeMismatch
		}
	}
	if p.Nonce != "" {
		w.Header().Set("DPoP-Nonce", p.Nonce)
	}
	switch {
	case p.RetryAfter > 0:
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	case p.Kind == problem.Unavailable:
		w.Header().Set("Retry-After", "1")
	}
	a.fail(w, r, status, f)
}

// message says what is wrong, with each field by its name.
func message(p *problem.Error) string {
	if len(p.Fields) == 0 {
		return p.Detail
	}
	said := make([]string, len(p.Fields))
	for i, f := range p.Fields {
		said[i] = f.Detail
		if name := strings.ReplaceAll(strings.TrimPrefix(f.Pointer, "/"), "/", "."); name != "" {
			said[i] = name + ": " + f.Detail
		}
	}
	return strings.Join(said, " ")
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, status int, f fault) {
	var b bytes.Buffer
	b.WriteString(`{"error":`)
	if err := write(&b, f); err != nil {
		panic(err) // texts only
	}
	b.WriteString(`,"meta":{`)
	b.WriteString(a.endOfMeta(r))
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client may be gone
}
