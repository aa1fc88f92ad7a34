package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"sync"
)

// Head returns the header lines of a request as they came over the wire, in their order and with their case and spaces, each with its line end; not the
// request line, which may have secrets in it. net/http keeps none of that. It is nil where it is not known: over HTTP/2, which has no lines; for a request
// that was sent before the answer to the one before (RFC 9112 §9.3.2); and outside of a [Server]. The caller owns it.
func Head(r *http.Request) []byte {
	c, ok := r.Context().Value(headKey{}).(*recorder)
	if !ok || r.ProtoMajor != 1 {
		return nil
	}
	return c.lines(r)
}

type headKey struct{}

// recorder is a connection that remembers the head of the request that came last. It costs a copy of the head, which lies in memory until the connection
// waits for the next.
type recorder struct {
	net.Conn
	mu    sync.Mutex // guards the rest: net/http waits for the end of the connection in a goroutine of its own
	head  []byte     // with the request line and the blank one; nothing when it is not known
	over  bool       // the head is complete, or it cannot be known
	ahead []byte     // what came of the next request while this one was handled
}

const keptHead = 4 << 10 // bytes of memory that a connection that waits keeps for its next head

// Read notes what comes in, up to the end of a head.
func (c *recorder) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.note(b[:n], len(b) == 1)
	}
	return n, err
}

// note takes what came in. Only one byte is asked for when net/http looks whether the connection is still there, while a request is handled.
func (c *recorder) note(b []byte, looking bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if looking && (c.over || len(c.head) == 0) {
		c.ahead = append(c.ahead[:0], b...)
		return
	}
	if c.over {
		return
	}
	if len(c.head) == 0 {
		b = bytes.TrimLeft(b, "\r\n") // RFC 9112 §2.2
	}
	from := max(0, len(c.head)-3)
	c.head = append(c.head, b...)
	if end := endOfHead(c.head[from:]); end >= 0 {
		c.head, c.over = c.head[:from+end], true
	} else if len(c.head) > maxHeader+4096 { // what net/http takes at most
		c.head, c.over = nil, true
	}
}

// endOfHead is where the blank line ends, -1 for none yet. Line ends may lack the CR (RFC 9112 §2.2).
func endOfHead(b []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return -1
		}
		from += i + 1
		switch rest := b[from:]; {
		case len(rest) > 0 && rest[0] == '\n':
			return from + 1
		case len(rest) > 1 && rest[0] == '\r' && rest[1] == '\n':
			return from + 2
		}
	}
}

// next begins anew: the connection waits for a request.
func (c *recorder) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = false
	if cap(c.head) > keptHead {
		c.head = nil
	}
	c.head = append(c.head[:0], bytes.TrimLeft(c.ahead, "\r\n")...)
	c.ahead = c.ahead[:0]
}

// lines returns the header lines if the head is the request's. It is not when net/http had some of the request already before the one before was answered.
func (c *recorder) lines(r *http.Request) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	line, rest, found := bytes.Cut(c.head, []byte("\n"))
	if !found || !c.over || !isLine(string(bytes.TrimRight(line, "\r")), r) {
		return nil
	}
	rest = bytes.TrimSuffix(bytes.TrimSuffix(rest, []byte("\n")), []byte("\r"))
	return bytes.Clone(rest)
}

// isLine tells whether a line is a request's first.
func isLine(line string, r *http.Request) bool {
	line, method := strings.CutPrefix(line, r.Method)
	line, proto := strings.CutSuffix(line, r.Proto)
	return method && proto && len(line) == len(r.RequestURI)+2 && line[0] == ' ' && line[len(line)-1] == ' ' && line[1:len(line)-1] == r.RequestURI
}

// CloseWrite lets net/http tell a client that nothing more comes while it still reads what the client sends.
func (c *recorder) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// secureRecorder is a recorder within TLS: net/http asks it for the request's TLS.
type secureRecorder struct {
	recorder
	tls *tls.Conn
}

func (c *secureRecorder) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// recording is a listener of connections that remember heads.
type recording struct{ net.Listener }

func (l recording) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &recorder{Conn: c}, nil
}

// recorded is the recorder of a connection; nil for HTTP/2's.
func recorded(c net.Conn) *recorder {
	switch c := c.(type) {
	case *recorder:
		return c
	case *secureRecorder:
		return &c.recorder
	}
	return nil
}

// heard is the server's ConnContext hook.
func heard(ctx context.Context, c net.Conn) context.Context {
	if h := recorded(c); h != nil {
		return context.WithValue(ctx, headKey{}, h)
	}
	return ctx
}

// noteState is the server's ConnState hook.
func (s *Server) noteState(c net.Conn, state http.ConnState) {
	if state == http.StateIdle {
		if h := recorded(c); h != nil {
			h.next()
		}
	}
	s.idle.note(c, state)
}
