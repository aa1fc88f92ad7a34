package web_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/web"
)

// echoHead answers with the head, "-" for none, and reads the body to its end first if the path says so.
func echoHead(s *web.Server) {
	s.Mux().HandleFunc("/head/{how}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("how") == "read" {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		head := web.Head(r)
		if head == nil {
			head = []byte("-")
		}
		_, _ = w.Write(head)
	})
}

// converse writes a request to a connection in pieces and returns the body of its answer.
func converse(t *testing.T, c net.Conn, answers *bufio.Reader, pieces ...string) string {
	t.Helper()
	for _, p := range pieces {
		if _, err := io.WriteString(c, p); err != nil {
			t.Fatal(err)
		}
	}
	return answerOf(t, answers)
}

func answerOf(t *testing.T, answers *bufio.Reader) string {
	t.Helper()
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func talk(t *testing.T, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, bufio.NewReader(c)
}

// TestHeadIsAsItCame is line 35 of the checklist as far as heads go: order, case, spaces and repeated names stay.
func TestHeadIsAsItCame(t *testing.T) {
	addr, _, _ := start(t, web.Config{}, echoHead)
	c, answers := talk(t, addr)
	long := "X-Long: " + strings.Repeat("a", 10_000) + "\r\n"
	for i, one := range []struct {
		line   string
		head   string
		body   string
		pieces int // how many bytes are sent at a time, 0 for all
	}{
		{"GET /head/x?token=secret HTTP/1.1", "Host: a\r\nx-LOWER: 1\r\nX-Lower:   2\r\naccept:*/*\r\n", "", 0},
		{"POST /head/read HTTP/1.1", "Host: a\r\nContent-Length: 5\r\nB: 1\r\nA: 2\r\n", "hello", 0},
		{"POST /head/x HTTP/1.1", "Host: a\r\nContent-Length: 5\r\n" + long, "hello", 0},
		{"POST /head/read HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n", "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", 0},
		{"POST /head/read HTTP/1.1", "Host: a\r\nContent-Length: 3\r\n", "\r\n\r", 1},
		{"\r\nPOST /head/read HTTP/1.1", "Host: a\r\nContent-Length: 1\r\n", "\n", 2},
		{"GET /head/x HTTP/1.1", "Host: a\nBare: line ends\n", "", 0},
		{"GET /head/x HTTP/1.0", "Connection: keep-alive\r\n", "", 3},
		{"GET /head/x HTTP/1.1", "Host: last\r\n", "", 0},
	} {
		all := one.line + "\r\n" + one.head + "\r\n" + one.body
		size := one.pieces
		if size == 0 {
			size = len(all)
		}
		var pieces []string
		for from := 0; from < len(all); from += size {
			pieces = append(pieces, all[from:min(from+size, len(all))])
		}
		if got := converse(t, c, answers, pieces...); got != one.head {
			t.Errorf("request %d: head %.200q, want %.200q", i, got, one.head)
		}
	}
}

// Requests that are sent at once have the right head or none, and what comes after them the right one.
func TestHeadOfPipelinedRequestsIsNeverAnothers(t *testing.T) {
	addr, _, _ := start(t, web.Config{}, echoHead)
	c, answers := talk(t, addr)
	var all strings.Builder
	const n = 50
	for i := range n {
		fmt.Fprintf(&all, "GET /head/x HTTP/1.1\r\nHost: a\r\nX-No: %d\r\n\r\n", i)
	}
	if _, err := io.WriteString(c, all.String()); err != nil {
		t.Fatal(err)
	}
	known := 0
	for i := range n {
		got, want := answerOf(t, answers), fmt.Sprintf("Host: a\r\nX-No: %d\r\n", i)
		if got == want {
			known++
		} else if got != "-" {
			t.Errorf("request %d: head %q, want %q or none", i, got, want)
		}
	}
	if known == 0 {
		t.Error("not even the head of the first is known")
	}
	if got := converse(t, c, answers, "GET /head/x HTTP/1.1\r\nHost: after\r\n\r\n"); got != "Host: after\r\n" {
		t.Errorf("the head after them is %q", got)
	}
}

// A head that is being sent while the request before is handled is known all the same.
func TestHeadThatComesDuringTheRequestBefore(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	addr, _, _ := start(t, web.Config{}, func(s *web.Server) {
		s.Mux().HandleFunc("GET /wait", func(w http.ResponseWriter, r *http.Request) {
			if first.CompareAndSwap(false, true) {
				close(entered)
				<-release
			}
			_, _ = w.Write(web.Head(r))
		})
	})
	c, answers := talk(t, addr)
	if _, err := io.WriteString(c, "GET /wait HTTP/1.1\r\nHost: one\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	if _, err := io.WriteString(c, "GET /wait HTTP/1.1\r\nHost: two\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	close(release)
	for _, want := range []string{"Host: one\r\n", "Host: two\r\n"} {
		if got := answerOf(t, answers); got != want {
			t.Errorf("head %q, want %q", got, want)
		}
	}
}

func TestHeadOverTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, certFile, keyFile, 1)
	addr, _, _ := start(t, web.Config{TLSCert: certFile, TLSKey: keyFile}, func(s *web.Server) {
		echoHead(s)
		s.Mux().HandleFunc("GET /tls", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.Proto, " ", r.TLS != nil && r.TLS.HandshakeComplete, " ", web.Secure(r.Context()))
		})
	})
	for proto, want := range map[string]string{"http/1.1": "Host: a\r\nx-B: 1\r\n", "": "Host: a\r\nx-B: 1\r\n"} {
		config := &tls.Config{InsecureSkipVerify: true} // the certificate is our own
		if proto != "" {
			config.NextProtos = []string{proto}
		}
		c, err := tls.Dial("tcp", addr, config)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		answers := bufio.NewReader(c)
		for range 2 {
			if got := converse(t, c, answers, "GET /head/x HTTP/1.1\r\nHost: a\r\nx-B: 1\r\n\r\n"); got != want {
				t.Errorf("%q: head %q, want %q", proto, got, want)
			}
		}
		if got := converse(t, c, answers, "GET /tls HTTP/1.1\r\nHost: a\r\n\r\n"); got != "HTTP/1.1 true true" {
			t.Errorf("%q: what the handler knows of TLS: %s", proto, got)
		}
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for path, want := range map[string]string{"/head/x": "-", "/tls": "HTTP/2.0 true true"} {
		resp, err := client.Get("https://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != want {
			t.Errorf("GET %s over HTTP/2 = %q, want %q", path, body, want)
		}
	}
	plain, answers := talk(t, addr)
	if got := converse(t, plain, answers, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.Contains(got, "https") {
		t.Errorf("a request without TLS is told %q", got)
	}
}

// A handshake that does not go on is ended, and does not hold up others nor the end.
func TestHandshakeThatStalls(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, certFile, keyFile, 1)
	addr, _, stop := start(t, web.Config{TLSCert: certFile, TLSKey: keyFile, MaxIdle: 3}, echoHead)
	var silent []net.Conn
	for range 5 {
		c, _ := talk(t, addr)
		silent = append(silent, c)
	}
	if _, err := silent[0].Read(make([]byte, 1)); err == nil { // pushed out by those after it
		t.Error("the connection that has waited longest is still there")
	}
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := converse(t, c, bufio.NewReader(c), "GET /head/x HTTP/1.1\r\nHost: a\r\n\r\n"); got != "Host: a\r\n" {
		t.Errorf("head %q", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestHeadOutsideOfAServer(t *testing.T) {
	r, err := http.NewRequest("GET", "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := web.Head(r); got != nil {
		t.Errorf("head %q, want none", got)
	}
}

// Bodies of paths that bound them themselves are not cut; others are.
func TestOwnBodies(t *testing.T) {
	addr, _, _ := start(t, web.Config{MaxBody: 10}, func(s *web.Server) {
		s.OwnBodies("/own/", "/self/")
		s.OwnBodies("/mine/")
		s.Mux().HandleFunc("POST /{where}/", func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			fmt.Fprint(w, len(b), " ", err)
		})
	})
	body := bytes.Repeat([]byte("x"), 100)
	for _, own := range []string{"/own/x", "/self/x", "/mine/x"} {
		if resp, got := send(t, "POST", "http://"+addr+own, bytes.NewReader(body)); resp.StatusCode != 200 || got != "100 <nil>" {
			t.Errorf("a body of 100 bytes on %s: %d %s", own, resp.StatusCode, got)
		}
	}
	if resp, _ := send(t, "POST", "http://"+addr+"/other/x", bytes.NewReader(body)); resp.StatusCode != 413 {
		t.Errorf("a body of 100 bytes elsewhere: %d", resp.StatusCode)
	}
}

// BenchmarkRequest is what a request costs, all in all, with its head recorded.
func BenchmarkRequest(b *testing.B) {
	addr, _, _ := start(b, web.Config{}, func(s *web.Server) {
		s.Mux().HandleFunc("GET /x", func(http.ResponseWriter, *http.Request) {})
	})
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	answers := bufio.NewReader(c)
	request := []byte("GET /x HTTP/1.1\r\nHost: a\r\nUser-Agent: " + strings.Repeat("a", 300) + "\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}
