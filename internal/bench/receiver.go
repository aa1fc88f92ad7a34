package bench

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// behaviour is how an endpoint of the receiver treats a request.
type behaviour int32

const (
	answers behaviour = iota // 200 at once
	fails                    // 500 at once
	hangs                    // reads the request and never answers
)

// receiver is where deliveries arrive: up to maxEndpoints endpoints on one address, each with its behaviour.
type receiver struct {
	book     *book
	listener net.Listener
	ways     [maxEndpoints]atomic.Int32 // behaviours
	silent   atomic.Bool                // all endpoints hang
	reached  atomic.Uint32              // the endpoints that something has arrived at, as bits, the sick ones included

	wait   sync.WaitGroup
	mu     sync.Mutex // guards the fields below
	conns  map[net.Conn]struct{}
	closed bool
}

func newReceiver(ctx context.Context, b *book) (*receiver, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{book: b, listener: l, conns: map[net.Conn]struct{}{}}
	r.wait.Go(r.accept)
	return r, nil
}

// url is the address of endpoint i.
func (r *receiver) url(i int) string { return "http://" + r.listener.Addr().String() + endpointPath(i) }

// close ends all connections and waits for their goroutines.
func (r *receiver) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	r.closed = true
	for c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.wait.Wait()
}

func (r *receiver) accept() {
	for {
		c, err := r.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors, for one; it passes
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if r.keep(c) {
			r.wait.Go(func() { r.serve(c) })
		}
	}
}

// keep enters a connection among those that close ends. It closes it and reports false when the receiver is closed.
func (r *receiver) keep(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = c.Close()
		return false
	}
	r.conns[c] = struct{}{}
	return true
}

func (r *receiver) drop(c net.Conn) {
	r.mu.Lock()
	delete(r.conns, c)
	r.mu.Unlock()
	_ = c.Close()
}

var (
	okAnswer       = []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	failAnswer     = []byte("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
	notFoundAnswer = []byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
)

// serve answers the requests of one connection. An answer goes out before the arrival is entered in the book, so that the
// book's work does not delay the peer; the instant of the arrival is taken before both.
func (r *receiver) serve(c net.Conn) {
	defer r.drop(c)
	w := newWire(c)
	for {
		head, body, err := w.next()
		if err != nil {
			return
		}
		at := r.book.now()
		i, ok := readEndpoint(head)
		if !ok {
			if _, err := c.Write(notFoundAnswer); err != nil {
				return
			}
			continue
		}
		r.reached.Or(1 << i)
		way := behaviour(r.ways[i].Load())
		if r.silent.Load() {
			way = hangs
		}
		switch way {
		case hangs:
			_, _ = io.Copy(io.Discard, c) // until the peer gives up
			return
		case fails:
			_, err = c.Write(failAnswer)
		default:
			_, err = c.Write(okAnswer)
			r.enter(i, body, at)
		}
		if err != nil {
			return
		}
	}
}

func (r *receiver) enter(i int, body []byte, at int64) {
	n, ok := readNumber(body)
	if !ok {
		r.book.strays.Add(1)
		return
	}
	r.book.arrived(n, i, at, readInstant(body))
}
