package egress

import (
	"net/http"
	"strconv"
	"time"
)

// Limits of an attempt and of what is read of an answer.
const (
	DefaultTimeout = 15 * time.Second
	MaxTimeout     = 30 * time.Second
	MaxHead        = 64 << 10 // bytes of status line and header fields, interim answers and trailers included
	MaxBody        = 64 << 10 // bytes of a body, unless the client's Options say otherwise; what is longer is cut off
	DefaultKeep    = 16 << 10 // bytes of a body that an Outcome carries
)

// Request is one request to a target.
type Request struct {
	// Method is GET, POST, PUT, PATCH or DELETE; empty is POST.
	Method string

	Target *Target

	// Header is sent in this order, after Host and User-Agent and before Content-Length, which the client writes. A User-Agent
	// in it takes the place of the client's own. Fields that frame a message (Content-Length, Connection and so on) make the
	// request a CodeBadRequest, as do values with line breaks: [CheckHeaders] refuses them earlier and more politely.
	Header Header

	// Body is sent as it is. It is not kept after the request.
	Body []byte

	// Timeout bounds the whole attempt; 0 is DefaultTimeout and more than MaxTimeout is MaxTimeout. A deadline of the context
	// that comes earlier holds as well.
	Timeout time.Duration

	// PoolKey names whose connections may be used: requests with different keys never share one. For deliveries it is the
	// endpoint's id.
	PoolKey string

	// Keep is how much of the answer's body the Outcome carries, in bytes; 0 is DefaultKeep, and it is no more than the client reads.
	Keep int
}

func (r *Request) timeout() time.Duration {
	if r.Timeout <= 0 {
		return DefaultTimeout
	}
	return min(r.Timeout, MaxTimeout)
}

// keep is how much is kept by a client that reads so much at most.
func (r *Request) keep(most int) int {
	if r.Keep <= 0 {
		return min(DefaultKeep, most)
	}
	return min(r.Keep, most)
}

var (
	errMethod = &fault{CodeBadRequest, "The request has a method that is not sent."}
	errTarget = &fault{CodeBadRequest, "The request has no target."}
	errHeader = &fault{CodeBadRequest, "The request has a header that cannot be sent."}
)

// appendHead appends the head of the request as it goes over the wire. Accept-Encoding is never sent: answers are read as they come.
func (r *Request) appendHead(b []byte, agent string) ([]byte, error) {
	if r.Target == nil {
		return b, errTarget
	}
	switch r.Method {
	case "":
		b = append(b, "POST"...)
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		b = append(b, r.Method...)
	default:
		return b, errMethod
	}
	b = append(b, ' ')
	b = append(b, r.Target.path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, r.Target.host...)
	b = append(b, "\r\n"...)
	if r.Header.Get("User-Agent") == "" {
		b = appendField(b, Field{"User-Agent", agent})
	}
	for _, f := range r.Header {
		if !isToken(f.Name) || isFraming(f.Name) || !isValue(f.Value) {
			return b, errHeader
		}
		b = appendField(b, f)
	}
	if len(r.Body) > 0 || r.Method != http.MethodGet {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(r.Body)), 10)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

func appendField(b []byte, f Field) []byte {
	b = append(b, f.Name...)
	b = append(b, ": "...)
	b = append(b, f.Value...)
	return append(b, "\r\n"...)
}
