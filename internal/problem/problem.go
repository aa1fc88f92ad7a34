// Package problem holds the errors that a caller may act on: a kind, a stable code, and a sentence that is safe to show and says
// what to do. Whatever is not a problem is internal: it is logged in full and shown as nothing.
//
// The HTTP faces turn a problem into their own vocabulary's error body; `/api/v1` uses RFC 9457.
package problem

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Kind says what sort of problem it is. Each kind has one HTTP status.
type Kind int

// The kinds.
const (
	Invalid        Kind = iota + 1 // the input is wrong; 400
	Unauthorized                   // no credential, or not a valid one; 401
	Forbidden                      // the credential does not allow it; 403
	NotFound                       // there is no such thing for this caller; 404
	Conflict                       // the state of things does not allow it now; 409
	Gone                           // it was there and has been removed; 410
	Precondition                   // If-Match named another version; 412
	TooLarge                       // the body is larger than allowed; 413
	Unsupported                    // the media type is not understood; 415
	Mismatch                       // understood but not possible, such as a reused idempotency key; 422
	TooMany                        // slow down; 429
	Unavailable                    // not now; 503
	MethodUnknown                  // 405
	NotAcceptable                  // 406
	RequiresLength                 // 411
	Insufficient                   // there is no room to keep it; 507
)

var statuses = [...]int{
	Invalid: 400, Unauthorized: 401, Forbidden: 403, NotFound: 404, Conflict: 409, Gone: 410, Precondition: 412, TooLarge: 413,
	Unsupported: 415, Mismatch: 422, TooMany: 429, Unavailable: 503, MethodUnknown: 405, NotAcceptable: 406, RequiresLength: 411,
	Insufficient: 507,
}

// Status is the kind's HTTP status; 500 for a kind that does not exist.
func (k Kind) Status() int {
	if k < Invalid || int(k) >= len(statuses) {
		return http.StatusInternalServerError
	}
	return statuses[k]
}

// Error is a problem. Build one with [New] or [Field] and add to it with the With methods.
type Error struct {
	Kind   Kind
	Code   string // stable, snake_case, for programs
	Detail string // a sentence for people that says what to do
	Fields []FieldError

	RetryAfter time.Duration // for TooMany, Unavailable and Insufficient; zero when unknown

	// Challenge are the parameters of WWW-Authenticate beside the realm, such as error="invalid_token" (RFC 6750 §3). With it, the header is also sent
	// with kinds other than Unauthorized.
	Challenge string
	// Scheme is the challenge's; Bearer when empty.
	Scheme string
	// Nonce is what the next proof of the client has to carry (RFC 9449 §8), for DPoP-Nonce.
	Nonce string
}

// FieldError says what is wrong with one field of the input.
type FieldError struct {
	Pointer string `json:"pointer"`        // RFC 6901 JSON pointer into the body, or the name of a query parameter or header
	In      string `json:"in,omitempty"`   // "query", "header" or "path"; empty for the body
	Code    string `json:"code,omitempty"` // stable, snake_case
	Detail  string `json:"detail"`         // what to do
}

// Error returns the detail and the fields' details.
func (e *Error) Error() string {
	s := e.Detail
	for _, f := range e.Fields {
		s += fmt.Sprintf(" (%s: %s)", f.Pointer, f.Detail)
	}
	return s
}

// New makes a problem. The detail is formatted like fmt.Sprintf and shown to the caller: no secret, no internal name belongs in it.
func New(kind Kind, code, detail string, args ...any) *Error {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	return &Error{Kind: kind, Code: code, Detail: detail}
}

// Field makes an Invalid problem about one field of the body; pointer is a JSON pointer such as "/customer/email".
func Field(pointer, code, detail string, args ...any) *Error {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	return &Error{
		Kind: Invalid, Code: "validation_failed", Detail: "The request is not valid; see errors.",
		Fields: []FieldError{{Pointer: pointer, Code: code, Detail: detail}},
	}
}

// Fields collects field problems, so that a caller learns of all of them at once.
type Fields []FieldError

// Add notes what is wrong with a field of the body.
func (f *Fields) Add(pointer, code, detail string, args ...any) {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	*f = append(*f, FieldError{Pointer: pointer, Code: code, Detail: detail})
}

// Err returns an Invalid problem with all fields, or nil when there are none.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Code: "validation_failed", Detail: "The request is not valid; see errors.", Fields: f}
}

// Is tells whether err is a problem with the given code.
func Is(err error, code string) bool {
	var p *Error
	return errors.As(err, &p) && p.Code == code
}

// As returns the problem in err's chain, or nil when err is internal.
func As(err error) *Error {
	var p *Error
	if errors.As(err, &p) {
		return p
	}
	return nil
}
