package stubhub

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Problems finds what of an error may be shown, nil for an internal one, and logs what must not be. web.Problems does.
type Problems interface {
	Shown(r *http.Request, err error) *problem.Error
}

// fault is the body of whatever is no success. Error and ErrorDescription are there with status 401 only: some clients read a body of OAuth's form.
type fault struct {
	Code             string              `json:"code"`
	Message          string              `json:"message"`
	Errors           map[string][]string `json:"errors"`
	Error            string              `json:"error,omitempty"`
	ErrorDescription string              `json:"error_description,omitempty"`
}

// The codes that StubHub publishes.
const (
	codeHTTPSRequired     = "https_required"
	codeUserAgentRequired = "user_agent_required"
	codeInvalidBody       = "invalid_request_body"
	codeValidation        = "validation_failed"
	codeUnauthorized      = "requires_authentication"
	codeScope             = "insufficient_scope"
	codeNotFound          = "not_found"
	codeInternal          = "internal_server_error"
	codeSaleAction        = "invalid_sale_action"           // 403
	codeListingAction     = "invalid_seller_listing_action" // 403
)

// refuse answers a request that failed with err.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, rt route, err error) {
	p := a.Problems.Shown(r, err)
	if p == nil {
		a.fail(w, http.StatusInternalServerError, fault{Code: codeInternal, Message: "Something went wrong on our side. Try again; if it stays, tell the operator the X-Request-Id."})
		return
	}
	status, f := p.Kind.Status(), fault{Code: p.Code, Message: p.Detail, Errors: rt.errors(p.Fields)}
	switch p.Kind {
	case problem.Unauthorized:
		f.Code, f.Error, f.ErrorDescription = codeUnauthorized, "invalid_token", p.Detail
		if p.Scheme != "" {
			w.Header().Set("WWW-Authenticate", p.Scheme+` realm="stagedoor", `+p.Challenge) // a token that is bound to a key, which gokit's clients do not have
			break
		}
		// gokit's client reads the parameters between commas, without a space before error, and wants another behind it.
		w.Header().Set("WWW-Authenticate", `Bearer realm="stagedoor",error="invalid_token",error_description="`+quoted(p.Detail)+
			`",resource_metadata="`+a.PublicURL+`/.well-known/oauth-protected-resource"`) // RFC 9728 §5.1
	case problem.NotFound:
		f.Code = codeNotFound
	case problem.Unsupported, problem.TooLarge:
		f.Code = codeInvalidBody
	case problem.Invalid:
		switch p.Code {
		case "invalid_json", "incomplete_body":
			f.Code = codeInvalidBody
		case "invalid_query", "invalid_path":
			f.Code = codeValidation
		}
	case problem.Forbidden:
		if p.Challenge != "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="stagedoor",`+strings.ReplaceAll(p.Challenge, ", ", ",")) // RFC 6750 §3.1
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
	a.fail(w, status, f)
}

func (a *API) fail(w http.ResponseWriter, status int, f fault) {
	body, err := json.Marshal(f)
	if err != nil {
		panic(err) // texts only
	}
	w.Header().Set("Content-Type", HAL)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone
}

// quoted is a text inside a quoted-string (RFC 9110 §5.6.4).
func quoted(s string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) }

// errors says what is wrong with which field, in StubHub's words; nil where no field is.
func (rt route) errors(fields []problem.FieldError) map[string][]string {
	if len(fields) == 0 {
		return nil
	}
	m := map[string][]string{}
	for _, f := range fields {
		name := rt.field(f)
		if !slices.Contains(m[name], f.Detail) {
			m[name] = append(m[name], f.Detail)
		}
	}
	return m
}

// field is "resource.field". A pointer of the trade's, or the one above it, is looked up among the route's names, else written as StubHub writes names.
func (rt route) field(f problem.FieldError) string {
	if f.In != "" {
		return f.Pointer // of the query, a header or the path
	}
	for at := f.Pointer; at != ""; at = at[:max(0, strings.LastIndexByte(at, '/'))] {
		if name, ok := rt.names[at]; ok {
			return rt.resource + "." + name
		}
	}
	path := strings.Split(strings.TrimPrefix(f.Pointer, "/"), "/")
	for i, p := range path {
		path[i] = snake(p)
	}
	return strings.TrimSuffix(fmt.Sprintf("%s.%s", rt.resource, strings.Join(path, ".")), ".")
}

// snake writes fieldName as field_name. What begins with a capital is none of ours and stays.
func snake(s string) string {
	if s == "" || unicode.IsUpper(rune(s[0])) {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		if unicode.IsUpper(c) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}
