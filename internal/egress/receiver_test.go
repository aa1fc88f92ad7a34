package egress_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// impatient is the deadline of attempts that are expected to run into it. Nothing is asserted about how fast anything is.
const impatient = 300 * time.Millisecond

// receiver is a TCP server that does with each connection what a test says, the fault server of the checklist.
type receiver struct {
	url      string
	accepted atomic.Int64
	wg       sync.WaitGroup
}

// receive starts a receiver. The function's connection is closed when it returns, and when the test ends.
func receive(t testing.TB, serve func(conn net.Conn, in *bufio.Reader)) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return receiveOn(t, l, "http", serve)
}

func receiveOn(t testing.TB, l net.Listener, scheme string, serve func(conn net.Conn, in *bufio.Reader)) *receiver {
	r := &receiver{url: scheme + "://" + l.Addr().String() + "/"}
	ctx, cancel := context.WithCancel(context.Background())
	r.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.accepted.Add(1)
			r.wg.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
				serve(conn, bufio.NewReader(conn))
			})
		}
	})
	t.Cleanup(func() { cancel(); _ = l.Close(); r.wg.Wait() })
	return r
}

// readRequest reads one request and reports whether there was one.
func readRequest(r io.Reader) bool {
	in, ok := r.(*bufio.Reader)
	if !ok {
		in = bufio.NewReader(r)
	}
	req, err := http.ReadRequest(in)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err == nil
}

// answering answers every request on every connection with the same bytes.
func answering(answer string) func(net.Conn, *bufio.Reader) {
	return func(conn net.Conn, in *bufio.Reader) {
		for readRequest(in) {
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
		}
	}
}

// answeringOnce answers one request and closes.
func answeringOnce(answer string) func(net.Conn, *bufio.Reader) {
	return func(conn net.Conn, in *bufio.Reader) {
		readRequest(in)
		_, _ = io.WriteString(conn, answer)
	}
}

// pouring answers with a beginning and then the same bytes without end.
func pouring(head, more string, pause time.Duration) func(net.Conn, *bufio.Reader) {
	chunk := []byte(more)
	return func(conn net.Conn, in *bufio.Reader) {
		readRequest(in)
		_, err := io.WriteString(conn, head)
		for err == nil {
			time.Sleep(pause)
			_, err = conn.Write(chunk)
		}
	}
}

func silent(conn net.Conn, _ *bufio.Reader) { _, _ = io.Copy(io.Discard, conn) }

// deaf reads nothing until the other side has given up.
func deaf(conn net.Conn, _ *bufio.Reader) {
	for range 20 {
		time.Sleep(impatient / 10)
	}
}

// resetting closes a connection with RST instead of FIN.
func resetting(before string) func(net.Conn, *bufio.Reader) {
	return func(conn net.Conn, in *bufio.Reader) {
		readRequest(in)
		_, _ = io.WriteString(conn, before)
		time.Sleep(20 * time.Millisecond) // let it arrive: a reset overtakes what is not read yet
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
}
