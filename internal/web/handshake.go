package web

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// handshakes is a listener that has the TLS handshake behind it when it hands a connection over, because only then is it known whether HTTP/2 comes, which
// net/http wants to have as it is, or HTTP/1.1, of which heads are recorded. Who does not come to an end with it is dropped like who does not come to an end
// with a head, and connections under way count among those that wait.
type handshakes struct {
	net.Listener
	config  *tls.Config // with NextProtos
	timeout time.Duration
	idle    *idle
	log     *slog.Logger

	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	all   sync.WaitGroup // of the goroutines
	ready chan handshake
}

type handshake struct {
	conn net.Conn
	err  error
}

func newHandshakes(l net.Listener, config *tls.Config, timeout time.Duration, i *idle, log *slog.Logger) *handshakes {
	h := &handshakes{Listener: l, config: config, timeout: timeout, idle: i, log: log, ready: make(chan handshake)}
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.all.Go(h.accept)
	return h
}

// Accept returns the next connection that is ready.
func (h *handshakes) Accept() (net.Conn, error) {
	select {
	case one := <-h.ready:
		return one.conn, one.err
	case <-h.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close closes the listener and what is under way.
func (h *handshakes) Close() error {
	h.stop()
	err := h.Listener.Close()
	h.all.Wait()
	return err
}

func (h *handshakes) accept() {
	for {
		c, err := h.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			h.hand(nil, err) // net/http waits a while when it is for want of descriptors, and ends otherwise
			continue
		}
		h.all.Go(func() { h.shake(c) })
	}
}

func (h *handshakes) hand(c net.Conn, err error) {
	select {
	case h.ready <- handshake{c, err}:
	case <-h.ctx.Done():
		if c != nil {
			_ = c.Close()
		}
	}
}

func (h *handshakes) shake(c net.Conn) {
	ctx, cancel := context.WithTimeout(h.ctx, h.timeout)
	defer cancel()
	h.idle.note(c, http.StateNew)
	secured := tls.Server(c, h.config)
	err := secured.HandshakeContext(ctx)
	h.idle.note(c, http.StateClosed)
	switch {
	case err != nil:
		h.refuse(c, err)
	case secured.ConnectionState().NegotiatedProtocol == "h2":
		h.hand(secured, nil)
	default:
		h.hand(&secureRecorder{recorder: recorder{Conn: secured}, tls: secured}, nil)
	}
}

// refuse drops a connection, with a word for those who forgot the s of https.
func (h *handshakes) refuse(c net.Conn, err error) {
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) && plain.Conn != nil && looksLikeHTTP(plain.RecordHeader) {
		_ = c.SetWriteDeadline(time.Now().Add(h.timeout))
		_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\n\r\nThis address is served by https; send the request there.\n")
	}
	_ = c.Close()
	h.log.Debug("tls handshake", "client", c.RemoteAddr().String(), "err", err)
}

// looksLikeHTTP tells whether what should have been TLS begins like a request.
func looksLikeHTTP(b [5]byte) bool {
	switch string(b[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "PATCH", "DELET", "OPTIO":
		return true
	}
	return false
}
