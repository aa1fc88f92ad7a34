package egress

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of the headers that a tenant may add to requests.
const (
	MaxHeaders     = 32       // how many
	MaxHeaderBytes = 16 << 10 // names and values together, as they are sent
)

// Field is one header field. Names are sent as they are written.
type Field struct {
	Name, Value string
}

// Header is a list of header fields in the order in which they are sent or came.
type Header []Field

// Get returns the value of the first field of that name, in whatever case, or "".
func (h Header) Get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// framing are the fields that decide where a message ends, whom it is for and what becomes of the connection. Only the
// client writes them: two opinions about one of them are how requests are smuggled.
var framing = []string{
	"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Expect",
	"HTTP2-Settings",
}

// reserved are the fields besides framing that a tenant may not set, because a dialect does or because an answer would come in a
// form that we do not read.
var reserved = []string{"Content-Type", "Content-Encoding", "Accept-Encoding"}

// reservedPrefixes begin the fields of proxies, and those in which dialects carry signatures, events and delivery ids.
var reservedPrefixes = []string{"proxy-", "x-webhook-", "x-pullup-", "webhook-", "vgg-"}

// CheckHeaders says whether a tenant's own headers may be added to requests: at most [MaxHeaders] in [MaxHeaderBytes], names
// that are tokens (RFC 9110, 5.6.2), each given once and none that the client or a dialect writes itself, values of
// printable ASCII. Authorization is allowed. The error is a *[Refused] that names the header.
func CheckHeaders(h Header) error {
	if len(h) > MaxHeaders {
		return refuse(ReasonHeader, fmt.Sprintf("There are %d headers; at most %d are allowed.", len(h), MaxHeaders))
	}
	size := 0
	for i, f := range h {
		if sentence := faultOf(f); sentence != "" {
			return &Refused{Reason: ReasonHeader, Detail: sentence, Header: f.Name}
		}
		again := func(earlier Field) bool { return strings.EqualFold(earlier.Name, f.Name) }
		if slices.ContainsFunc(h[:i], again) {
			return &Refused{Reason: ReasonHeader, Detail: fmt.Sprintf("Header %s is given twice.", f.Name), Header: f.Name}
		}
		size += len(f.Name) + len(": ") + len(f.Value) + len("\r\n")
	}
	if size > MaxHeaderBytes {
		return refuse(ReasonHeader, fmt.Sprintf("The headers take %d bytes; at most %d are allowed.", size, MaxHeaderBytes))
	}
	return nil
}

// faultOf returns what is wrong with a tenant's header, or "".
func faultOf(f Field) string {
	switch {
	case !isToken(f.Name):
		return "A header name may hold letters, digits and !#$%&'*+-.^_`|~ only, and must not be empty."
	case isReserved(f.Name):
		return fmt.Sprintf("Header %s is set by the sender and cannot be changed.", f.Name)
	case !isValue(f.Value):
		return fmt.Sprintf("The value of header %s must be printable ASCII, without line breaks.", f.Name)
	case f.Value != strings.Trim(f.Value, " \t"):
		return fmt.Sprintf("The value of header %s begins or ends with white space.", f.Name)
	}
	return ""
}

func isReserved(name string) bool {
	for _, p := range reservedPrefixes {
		if len(name) >= len(p) && strings.EqualFold(name[:len(p)], p) {
			return true
		}
	}
	same := func(other string) bool { return strings.EqualFold(name, other) }
	return isFraming(name) || slices.ContainsFunc(reserved, same)
}

func isFraming(name string) bool {
	for _, other := range framing {
		if len(name) == len(other) && strings.EqualFold(name, other) {
			return true
		}
	}
	return false
}

// isToken is RFC 9110's token. It takes both kinds of text because answers are read as bytes.
func isToken[T string | []byte](name T) bool {
	for i := range len(name) {
		if !tokenBytes[name[i]] {
			return false
		}
	}
	return len(name) > 0
}

var tokenBytes = func() (table [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		table[c] = true
	}
	return table
}()

// isValue is what we send as a value: printable ASCII, spaces and tabs.
func isValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; (c < ' ' && c != '\t') || c > '~' {
			return false
		}
	}
	return true
}
