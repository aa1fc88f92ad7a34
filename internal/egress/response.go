package egress

import (
	"bytes"
	"io"
	"strings"
	"time"
)

// reader reads an answer from a connection through a buffer that grows up to what a head may take. It is a parser of what strangers
// write: it accepts what RFC 9112 lets a client accept and where a message could be read in two ways, it refuses.
type reader struct {
	src   io.Reader
	buf   []byte
	r, w  int       // buf[r:w] has come and is not used yet
	head  int       // bytes that heads, interim answers, chunk lines and trailers may still take
	first time.Time // when the first byte came
}

const readBuffer = 4 << 10

func (in *reader) reset(src io.Reader) {
	if cap(in.buf) == 0 || cap(in.buf) > 4*readBuffer {
		in.buf = make([]byte, readBuffer)
	}
	*in = reader{src: src, buf: in.buf[:cap(in.buf)], head: MaxHead}
}

// fill reads more, at least a byte. Slices of the buffer that were handed out before are not valid afterwards.
func (in *reader) fill() error {
	if in.r == in.w {
		in.r, in.w = 0, 0
	}
	if in.w == len(in.buf) {
		if in.r == 0 {
			in.buf = append(in.buf, make([]byte, len(in.buf))...) // bounded by in.head, which every line is charged to
		}
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	}
	n, err := in.src.Read(in.buf[in.w:])
	in.w += n
	switch {
	case n > 0:
		if in.first.IsZero() {
			in.first = time.Now()
		}
		return nil // an error will come again
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}

var errHeadSize = badResponse("The head of the answer is larger than 64 KiB.")

// line returns the next line without its end, CRLF or LF (RFC 9112, 2.2).
func (in *reader) line() ([]byte, error) {
	line, err := in.untilLF()
	return bytes.TrimSuffix(line, []byte("\r")), err
}

// untilLF returns what comes before the next LF, and consumes both.
func (in *reader) untilLF() ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(in.buf[in.r+seen:in.w], '\n'); i >= 0 {
			line := in.buf[in.r : in.r+seen+i]
			in.r += len(line) + 1
			if in.head -= len(line) + 1; in.head < 0 {
				return nil, errHeadSize
			}
			return line, nil
		}
		if seen = in.w - in.r; seen >= in.head {
			return nil, errHeadSize
		}
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
}

// answer is the head of an answer: its status and what decides where its body ends.
type answer struct {
	status  int
	fields  Header
	old     bool  // HTTP/1.0
	last    bool  // the connection ends with this answer
	chunked bool  // Transfer-Encoding: chunked
	length  int64 // Content-Length, -1 without one
}

// maxInterim is how many interim answers (100, 103) may come before the real one.
const maxInterim = 5

var (
	errStatusLine = badResponse("The answer does not begin with an HTTP/1.1 status line.")
	errStatus     = badResponse("The answer's status is not a number from 100 to 599.")
	errSwitch     = badResponse("The receiver tried to switch protocols.")
	errInterim    = badResponse("The receiver sent too many interim answers.")
	errField      = badResponse("The answer has a malformed header field.")
	errLength     = badResponse("The answer has a malformed or contradictory Content-Length.")
	errCoding     = badResponse("The answer has a transfer coding other than chunked.")
	errBoth       = badResponse("The answer has both Content-Length and Transfer-Encoding.")
	errChunk      = badResponse("The answer's chunks are malformed.")
)

// readHead reads heads up to the first that is not interim.
func (in *reader) readHead() (answer, error) {
	for range maxInterim + 1 {
		a, err := in.oneHead()
		switch {
		case err != nil:
			return answer{}, err
		case a.status == 101:
			return answer{}, errSwitch
		case a.status >= 200:
			return a, nil
		case a.chunked:
			return answer{}, errCoding // an interim answer has no body
		}
	}
	return answer{}, errInterim
}

func (in *reader) oneHead() (answer, error) {
	a := answer{length: -1}
	line, err := in.line()
	if err != nil {
		return a, err
	}
	if err := a.setStatus(line); err != nil {
		return a, err
	}
	for {
		line, err := in.line()
		if err != nil {
			return a, err
		}
		if len(line) == 0 {
			return a, a.check()
		}
		if err := a.addField(line); err != nil {
			return a, err
		}
	}
}

// setStatus reads "HTTP/1.1 200 OK".
func (a *answer) setStatus(line []byte) error {
	version, rest, ok := bytes.Cut(line, []byte(" "))
	switch {
	case !ok:
		return errStatusLine
	case string(version) == "HTTP/1.0":
		a.old, a.last = true, true
	case string(version) != "HTTP/1.1":
		return errStatusLine
	}
	if len(rest) < 3 || len(rest) > 3 && rest[3] != ' ' {
		return errStatus
	}
	for _, c := range rest[:3] {
		if c < '0' || c > '9' {
			return errStatus
		}
		a.status = a.status*10 + int(c-'0')
	}
	if a.status < 100 || a.status > 599 {
		return errStatus
	}
	return nil
}

// addField takes in one header line. A line that continues the one before (obsolete folding) begins with white space, which is
// no token, and so is refused.
func (a *answer) addField(line []byte) error {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || !isToken(name) {
		return errField
	}
	value = bytes.Trim(value, " \t")
	for _, c := range value {
		if (c < ' ' && c != '\t') || c == 0x7f {
			return errField
		}
	}
	switch {
	case is(name, "content-length"):
		return a.setLength(value)
	case is(name, "transfer-encoding"):
		if a.chunked || !is(value, "chunked") {
			return errCoding
		}
		a.chunked = true
	case is(name, "connection"):
		a.last = a.last || hasClose(value)
	default:
		a.keepField(name, value)
	}
	return nil
}

// is compares without regard to case.
func is(text []byte, lower string) bool {
	return len(text) == len(lower) && bytes.EqualFold(text, []byte(lower))
}

func hasClose(value []byte) bool {
	for option := range bytes.SplitSeq(value, []byte(",")) {
		if is(bytes.Trim(option, " \t"), "close") {
			return true
		}
	}
	return false
}

// setLength takes a Content-Length, which may come twice only if it says the same (RFC 9112, 6.3).
func (a *answer) setLength(value []byte) error {
	if len(value) == 0 || len(value) > 18 {
		return errLength
	}
	n := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return errLength
		}
		n = n*10 + int64(c-'0')
	}
	if a.length >= 0 && a.length != n {
		return errLength
	}
	a.length = n
	return nil
}

// kept are the fields of an answer that an Outcome carries.
var kept = [...]string{"Content-Type", "Location", "Retry-After", "Webhook-Delivery"}

const (
	maxKeptValue  = 2 << 10
	maxKeptFields = 16
)

func (a *answer) keepField(name, value []byte) {
	for _, k := range kept {
		if !is(name, k) || len(a.fields) >= maxKeptFields {
			continue
		}
		text := string(value[:min(len(value), maxKeptValue)])
		a.fields = append(a.fields, Field{k, strings.ToValidUTF8(text, "\uFFFD")})
	}
}

// bodyless reports that the status rules a body out, whatever the fields say (RFC 9112, 6.3).
func (a *answer) bodyless() bool { return a.status == 204 || a.status == 304 }

// leavesOpen reports that the connection can carry another answer after this one: it is to stay, and it was certain where this
// one ends. A length without a body is certain to us, but who knows to the receiver.
func (a *answer) leavesOpen() bool {
	switch {
	case a.last:
		return false
	case a.bodyless():
		return a.length <= 0 && !a.chunked
	}
	return a.chunked || a.length >= 0
}

// check looks at the head as a whole once it is complete (RFC 9112, 6.1 and 6.3).
func (a *answer) check() error {
	switch {
	case a.chunked && a.length >= 0:
		return errBoth
	case a.chunked && a.old:
		return errCoding // HTTP/1.0 has none
	}
	return nil
}
