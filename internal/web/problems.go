package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Problems turns errors into answers: RFC 9457 problem details.
type Problems struct {
	Log *slog.Logger // receives what must not be shown; slog.Default when nil
	// Metadata is the URL at which clients learn how to get a token (RFC 9728); "" where nobody gives any.
	Metadata string
}

// document is the body. Members beyond RFC 9457's own: code, a stable name for programs; errors, what is wrong with each field of the
// input; requestId, which also stands in our log.
type document struct {
	Type      string               `json:"type"`
	Title     string               `json:"title"`
	Status    int                  `json:"status"`
	Detail    string               `json:"detail"`
	Code      string               `json:"code"`
	Errors    []problem.FieldError `json:"errors,omitempty"`
	RequestID string               `json:"requestId,omitempty"`
}

// Render returns the answer to a request that failed with err. A [problem.Error] is shown; the errors that reading a body ends with are
// understood; all else is logged in full and shown as an internal error with the request's id.
func (p Problems) Render(r *http.Request, err error) (status int, header http.Header, body []byte) {
	shown := p.Shown(r, err)
	d := document{Type: "about:blank", RequestID: RequestID(r.Context())}
	header = http.Header{"Content-Type": {"application/problem+json"}, "Cache-Control": {"no-store"}}
	if shown == nil {
		d.Status, d.Code = http.StatusInternalServerError, "internal"
		d.Detail = "Something went wrong on our side. Try again; if it stays, tell the operator the requestId."
	} else {
		d.Status, d.Code, d.Detail, d.Errors = shown.Kind.Status(), shown.Code, shown.Detail, shown.Fields
		demand(header, shown, p.Metadata)
	}
	d.Title = http.StatusText(d.Status)
	return d.Status, header, encode(d)
}

// Shown returns what of err may be shown, for faces with error bodies of their own: a [problem.Error], or nil for an internal error, which it logs in full.
func (p Problems) Shown(r *http.Request, err error) *problem.Error {
	shown := problem.As(err)
	if shown == nil {
		shown = understood(r, err)
	}
	if shown == nil || shown.Kind == problem.Insufficient && db.Full(err) {
		p.logger().ErrorContext(r.Context(), "request failed", "request_id", RequestID(r.Context()), "method", r.Method, "path", discreet(r), "error", err)
	}
	return shown
}

// Write answers the request with err.
func (p Problems) Write(w http.ResponseWriter, r *http.Request, err error) {
	status, header, body := p.Render(r, err)
	for name, values := range header {
		w.Header()[name] = values
	}
	w.Header().Del("Etag")
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // a problem is JSON, and nosniff; the client may be gone
}

func (p Problems) logger() *slog.Logger {
	if p.Log == nil {
		return slog.Default()
	}
	return p.Log
}

// understood returns the problem in an error of the standard library or of a full disk, or nil.
func understood(r *http.Request, err error) *problem.Error {
	var tooLarge *http.MaxBytesError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &tooLarge):
		return bodyTooLarge(tooLarge.Limit)
	case r.Context().Err() != nil && errors.Is(err, context.Canceled):
		return problem.New(problem.Unavailable, "cancelled", "The client went away before the request was handled.")
	case errors.Is(err, context.DeadlineExceeded):
		return problem.New(problem.Unavailable, "timeout", "The request took too long. Try again later.")
	case db.Full(err):
		full := problem.New(problem.Insufficient, "storage_full", "The server has no room left, and nothing was changed. Try again later.")
		full.RetryAfter = time.Minute
		return full
	case errors.As(err, &timeout) && timeout.Timeout():
		return problem.New(problem.Invalid, "body_timeout", "The body came in too slowly. Send the request again.")
	}
	return nil
}

// demand sets the headers that go with a status.
func demand(header http.Header, p *problem.Error, metadata string) {
	if p.RetryAfter > 0 {
		header.Set("Retry-After", strconv.FormatInt(int64(math.Ceil(p.RetryAfter.Seconds())), 10))
	} else if p.Kind == problem.Unavailable {
		header.Set("Retry-After", "1")
	}
	if p.Nonce != "" {
		header.Set("DPoP-Nonce", p.Nonce)
	}
	if p.Kind != problem.Unauthorized && p.Challenge == "" {
		return
	}
	challenge := cmp.Or(p.Scheme, "Bearer") + ` realm="stagedoor"`
	if p.Challenge != "" {
		challenge += ", " + p.Challenge
	}
	if metadata != "" {
		challenge += `, resource_metadata="` + metadata + `"` // RFC 9728 §5.1
	}
	header.Set("WWW-Authenticate", challenge)
}

func encode(d document) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		panic(err) // strings and numbers only
	}
	return b.Bytes()
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

func bodyTooLarge(limit int64) *problem.Error {
	return problem.New(problem.TooLarge, "body_too_large", "The body is larger than %d bytes; send less at once.", limit)
}
