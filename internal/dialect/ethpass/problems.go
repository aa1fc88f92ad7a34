package ethpass

import (
	"fmt"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/dialect/house"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Problems finds what of an error may be shown, nil for an internal one, and logs what must not be. web.Problems does.
type Problems interface {
	Shown(r *http.Request, err error) *problem.Error
}

// fault is the body of whatever is no success.
type fault struct {
	Message string `json:"message"`
}

const internal = "Something went wrong on our side. Try again; if it stays, tell the operator the X-Request-Id."

// refuse answers a request that failed with err. names are what the client calls fields, by the pointers of the trade's problems.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, names map[string]string, err error) {
	p := a.Problems.Shown(r, err)
	if p == nil {
		fail(w, http.StatusInternalServerError, internal)
		return
	}
	a.challenge(w, p)
	again(w.Header(), p)
	fail(w, statusOf(p), message(p, names))
}

// caught turns a panic into an error that is logged and answered as all others are, so that clients read a message then too. It is deferred.
func caught(err *error) {
	switch v := recover(); v {
	case nil:
	case http.ErrAbortHandler:
		panic(v) // on purpose: the connection is to be cut
	default:
		*err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
	}
}

// statusOf is a problem's status; of those that ethpass's clients do not know, the one that comes closest.
func statusOf(p *problem.Error) int {
	switch p.Kind {
	case problem.Precondition, problem.Mismatch:
		return http.StatusConflict
	}
	return p.Kind.Status()
}

// challenge says how a client can show who it is.
func (a *API) challenge(w http.ResponseWriter, p *problem.Error) {
	with := ""
	if p.Challenge != "" {
		with = ", " + p.Challenge
	}
	switch {
	case p.Kind == problem.Unauthorized:
		scheme := "Bearer"
		if p.Scheme != "" {
			scheme = p.Scheme
		}
		w.Header().Set("WWW-Authenticate", scheme+` realm="stagedoor"`+with+`, resource_metadata="`+a.PublicURL+`/.well-known/oauth-protected-resource"`) // RFC 9728 §5.1
	case p.Kind == problem.Forbidden && with != "":
		w.Header().Set("WWW-Authenticate", `Bearer realm="stagedoor"`+with) // RFC 6750 §3.1
	}
	if p.Nonce != "" {
		w.Header().Set("DPoP-Nonce", p.Nonce)
	}
}

// again says when it is worth trying again.
func again(h http.Header, p *problem.Error) {
	switch {
	case p.RetryAfter > 0:
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	case p.Kind == problem.Unavailable, p.Kind == problem.TooMany:
		h.Set("Retry-After", "1")
	}
}

// message says what is wrong, with each field by its name.
func message(p *problem.Error, names map[string]string) string {
	if len(p.Fields) == 0 {
		return p.Detail
	}
	said := make([]string, len(p.Fields))
	for i, f := range p.Fields {
		said[i] = f.Detail
		if name := spelled(f, names); name != "" {
			said[i] = name + ": " + f.Detail
		}
	}
	return strings.Join(said, " ")
}

// spelled is what the client calls a field: what names say of its pointer, or of the nearest above it with the rest behind; else the pointer with dots.
func spelled(f problem.FieldError, names map[string]string) string {
	if f.In != "" {
		return f.Pointer // of the query, a header or the path
	}
	rest := ""
	for at := f.Pointer; at != ""; {
		if name, ok := names[at]; ok {
			return name + strings.ReplaceAll(rest, "/", ".")
		}
		cut := strings.LastIndexByte(at, '/')
		if cut < 0 {
			break
		}
		at, rest = at[:cut], at[cut:]+rest
	}
	return strings.ReplaceAll(strings.TrimPrefix(f.Pointer, "/"), "/", ".")
}

func fail(w http.ResponseWriter, status int, text string) {
	body, err := house.Encode(fault{text})
	if err != nil {
		panic(err) // a text
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}
