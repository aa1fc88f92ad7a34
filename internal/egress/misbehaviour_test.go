package egress_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/egress"
)

func TestSecurity28_Misbehaviour(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	big := bytes.Repeat([]byte("b"), 16<<20)
	cases := []struct {
		name   string
		serve  func(net.Conn, *bufio.Reader)
		body   []byte
		code   egress.Code
		status int
	}{
		{"accepts and never reads", deaf, big, egress.CodeTimeout, 0},
		{"reads and never answers", silent, nil, egress.CodeTimeout, 0},
		{"closes at once", func(net.Conn, *bufio.Reader) {}, nil, egress.CodeReset, 0},
		{"a byte of a header now and then", pouring(ok+"X: ", "a", 5*time.Millisecond), nil, egress.CodeTimeout, 0},
		{"a byte of the body now and then", pouring(ok+"\r\n", "a", 5*time.Millisecond), nil, egress.CodeTimeout, 200},
		{"a chunk now and then", pouring(ok+"Transfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", 5*time.Millisecond), nil, egress.CodeTimeout, 200},
		{"header of 1 MiB", answeringOnce(ok + "X: " + strings.Repeat("a", 1<<20) + "\r\n\r\n"), nil, egress.CodeBadResponse, 0},
		{"10 000 headers", answeringOnce(ok + strings.Repeat("X-A: b\r\n", 10_000) + "\r\n"), nil, egress.CodeBadResponse, 0},
		{"endless headers", pouring(ok, "X-A: b\r\n", 0), nil, egress.CodeBadResponse, 0},
		{"endless status line", pouring("HTTP/1.1 200 ", "OK", 0), nil, egress.CodeBadResponse, 0},
		{"endless body", pouring(ok+"\r\n", strings.Repeat("a", 4096), 0), nil, egress.CodeOK, 200},
		{"endless chunks", pouring(ok+"Transfer-Encoding: chunked\r\n\r\n", "1000\r\n"+strings.Repeat("a", 4096)+"\r\n", 0), nil, egress.CodeOK, 200},
		{"endless tiny chunks with extensions", pouring(ok+"Transfer-Encoding: chunked\r\n\r\n", "1;"+strings.Repeat("x", 200)+"\r\na\r\n", 0), nil, egress.CodeBadResponse, 200},
		{"endless trailers", pouring(ok+"Transfer-Encoding: chunked\r\n\r\n0\r\n", "X-A: b\r\n", 0), nil, egress.CodeBadResponse, 200},
		{"body of 1 GiB", pouring(ok+"Content-Length: 1073741824\r\n\r\n", strings.Repeat("a", 4096), 0), nil, egress.CodeOK, 200},
		{"Content-Length too large", answeringOnce(ok + "Content-Length: 10\r\n\r\nabc"), nil, egress.CodeReset, 200},
		{"Content-Length too small", answeringOnce(ok + "Content-Length: 1\r\n\r\nabc"), nil, egress.CodeOK, 200},
		{"RST before an answer", resetting(""), nil, egress.CodeReset, 0},
		{"RST within the head", resetting(ok + "Content-"), nil, egress.CodeReset, 0},
		{"RST within the body", resetting(ok + "Content-Length: 10\r\n\r\nabc"), nil, egress.CodeReset, 200},
		{"RST within a body without length", resetting(ok + "\r\nabc"), nil, egress.CodeReset, 200},
		{"100 without end", pouring("", "HTTP/1.1 100 Continue\r\n\r\n", 0), nil, egress.CodeBadResponse, 0},
		{"103 without end", pouring("", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 0), nil, egress.CodeBadResponse, 0},
		{"100 and 103 first", answeringOnce("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n"), nil, egress.CodeOK, 200},
		{"101", answeringOnce("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"), nil, egress.CodeBadResponse, 0},
		{"status 0", answeringOnce("HTTP/1.1 000 Nothing\r\n\r\n"), nil, egress.CodeBadResponse, 0},
		{"status 99", answeringOnce("HTTP/1.1 099 Early\r\n\r\n"), nil, egress.CodeBadResponse, 0},
		{"status 600", answeringOnce("HTTP/1.1 600 Late\r\n\r\n"), nil, egress.CodeBadResponse, 0},
		{"status 999", answeringOnce("HTTP/1.1 999 Denied\r\n\r\n"), nil, egress.CodeBadResponse, 0},
		{"status -1", answeringOnce("HTTP/1.1 -01 Below\r\n\r\n"), nil, egress.CodeBadResponse, 0},
		{"status of four digits", answeringOnce("HTTP/1.1 2000 OK\r\n\r\n"), nil, egress.CodeBadResponse, 0},
		{"HTTP/2 preface", answeringOnce("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), nil, egress.CodeBadResponse, 0},
		{"HTTP/0.9", answeringOnce("hello\r\n"), nil, egress.CodeBadResponse, 0},
		{"SSH", answeringOnce("SSH-2.0-OpenSSH_9.9\r\n"), nil, egress.CodeBadResponse, 0},
		{"noise", answeringOnce("\x00\x01\x02\n\n\n\x16\x03\x01"), nil, egress.CodeBadResponse, 0},
		{"HTTP/1.0", answeringOnce("HTTP/1.0 200 OK\r\n\r\nbody"), nil, egress.CodeOK, 200},
		{"lines that end in LF", answeringOnce("HTTP/1.1 200\nContent-Length: 2\n\nok"), nil, egress.CodeOK, 200},
		{"answers early and closes", func(conn net.Conn, _ *bufio.Reader) {
			_, _ = io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
		}, big, egress.CodeOK, 413},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := receive(t, tc.serve)
			c := newClient(t, egress.Options{})
			timeout := 20 * time.Second
			if tc.code == egress.CodeTimeout {
				timeout = impatient
			}
			out := c.Do(t.Context(), &egress.Request{Target: target(t, r.url), Body: tc.body, Timeout: timeout})
			if out.Code != tc.code || out.Status != tc.status || (out.Detail == "") != (out.Code == "") {
				t.Errorf("Do = code %q, status %d, detail %q; want code %q, status %d", out.Code, out.Status, out.Detail, tc.code, tc.status)
			}
			if len(out.Body) > egress.DefaultKeep {
				t.Errorf("%d bytes of the body were kept, want at most %d", len(out.Body), egress.DefaultKeep)
			}
			if n := r.accepted.Load(); n != 1 {
				t.Errorf("the receiver was called %d times, want once", n)
			}
		})
	}
}

func TestSecurity28_MemoryStaysSmall(t *testing.T) {
	for name, serve := range map[string]func(net.Conn, *bufio.Reader){
		"endless body":    pouring("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("a", 4096), 0),
		"endless headers": pouring("HTTP/1.1 200 OK\r\n", "X-A: b\r\n", 0),
		"endless line":    pouring("HTTP/1.1 200 OK\r\nX: ", strings.Repeat("a", 4096), 0),
		"kept headers":    pouring("HTTP/1.1 200 OK\r\n", "Location: "+strings.Repeat("a", 3000)+"\r\n", 0),
	} {
		r := receive(t, serve)
		c := newClient(t, egress.Options{})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c.Do(t.Context(), &egress.Request{Target: target(t, r.url)})
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
			t.Errorf("%s: an attempt allocated %d bytes, want less than 1 MiB", name, grown)
		}
	}
}

func TestSecurity28_GzipIsNotDecompressed(t *testing.T) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write(make([]byte, 10<<20))
	_ = zip.Close()
	r := receive(t, answering(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", packed.Len(), packed.Bytes())))
	out := newClient(t, egress.Options{}).Do(t.Context(), &egress.Request{Target: target(t, r.url)})
	if want := packed.Bytes()[:min(packed.Len(), egress.DefaultKeep)]; !bytes.Equal(out.Body, want) {
		t.Errorf("the body is not the bytes that came: got %d bytes, want %d", len(out.Body), len(want))
	}
}

func TestSecurity28_RefusedConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	_ = l.Close()
	out := newClient(t, egress.Options{}).Do(t.Context(), &egress.Request{Target: target(t, url)})
	if out.Code != egress.CodeConnect || strings.Contains(out.Detail, "127.") {
		t.Errorf("Do = %+v, want code %q without an address", out, egress.CodeConnect)
	}
}

// A client that is to read more reads no more than that either.
func TestSecurity29_BodyStopsWhereTheClientSays(t *testing.T) {
	const most = 2 << 20
	for size, kept := range map[int]int{most: most, most + 1: most, most - 1: most - 1} {
		content := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		r := receive(t, answering(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size, content)))
		out := newClient(t, egress.Options{MaxBody: most}).Do(t.Context(), &egress.Request{Method: "GET", Target: target(t, r.url), Keep: 1 << 30, PoolKey: "e"})
		if out.Code != "" || string(out.Body) != content[:kept] || out.Truncated != (kept < size) {
			t.Errorf("%d bytes: code %q, %d bytes kept, truncated %v; want %d bytes", size, out.Code, len(out.Body), out.Truncated, kept)
		}
	}
}

func TestSecurity29_BodyStopsAt64KiB(t *testing.T) {
	for _, tc := range []struct {
		size, keep, kept int
		reused           bool // whether the connection survives
	}{
		{0, 0, 0, true},
		{5, 0, 5, true},
		{16 << 10, 0, 16 << 10, true},
		{16<<10 + 1, 0, 16 << 10, true},
		{16<<10 + 1, 20 << 10, 16<<10 + 1, true},
		{64 << 10, 0, 16 << 10, true},
		{64 << 10, 1 << 20, 64 << 10, true},
		{64<<10 + 1, 1 << 20, 64 << 10, false},
		{1 << 20, 0, 16 << 10, false},
	} {
		content := strings.Repeat("0123456789abcdef", tc.size/16+1)[:tc.size]
		for form, answer := range map[string]string{
			"length":  fmt.Sprintf("Content-Length: %d\r\n\r\n%s", tc.size, content),
			"chunked": "Transfer-Encoding: chunked\r\n\r\n" + chunked(content, 1000) + "0\r\nX-Trailer: t\r\n\r\n",
			"close":   "Connection: close\r\n\r\n" + content,
		} {
			serve := answering("HTTP/1.1 200 OK\r\n" + answer)
			if form == "close" {
				serve = answeringOnce("HTTP/1.1 200 OK\r\n" + answer)
			}
			r := receive(t, serve)
			c := newClient(t, egress.Options{})
			req := &egress.Request{Target: target(t, r.url), Keep: tc.keep, PoolKey: "e"}
			for i := range 2 {
				out := c.Do(t.Context(), req)
				if out.Code != "" || out.Status != 200 || string(out.Body) != content[:tc.kept] || out.Truncated != (tc.kept < tc.size) {
					t.Errorf("%s, %d bytes, request %d: code %q, status %d, %d bytes kept, truncated %v; want %d bytes",
						form, tc.size, i, out.Code, out.Status, len(out.Body), out.Truncated, tc.kept)
				}
				if want := i > 0 && tc.reused && form != "close"; out.Reused != want {
					t.Errorf("%s, %d bytes, request %d: Reused = %v, want %v", form, tc.size, i, out.Reused, want)
				}
			}
		}
	}
}

func chunked(content string, size int) string {
	var b strings.Builder
	for content != "" {
		n := min(size, len(content))
		fmt.Fprintf(&b, "%x;ext=\"1\"\r\n%s\r\n", n, content[:n])
		content = content[n:]
	}
	return b.String()
}

func TestSecurity29_ContextEndsAnAttempt(t *testing.T) {
	r := receive(t, silent)
	c := newClient(t, egress.Options{})

	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if out := c.Do(ctx, &egress.Request{Target: target(t, r.url)}); out.Code != egress.CodeCancelled {
		t.Errorf("Do with a context that is cancelled = %+v, want code %q", out, egress.CodeCancelled)
	}
	if out := c.Do(ctx, &egress.Request{Target: target(t, r.url)}); out.Code != egress.CodeCancelled {
		t.Errorf("Do with a cancelled context = %+v, want code %q", out, egress.CodeCancelled)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if out := c.Do(ctx, &egress.Request{Target: target(t, r.url)}); out.Code != egress.CodeTimeout {
		t.Errorf("Do with a context's deadline = %+v, want code %q", out, egress.CodeTimeout)
	}
}

func TestCloseEndsAttempts(t *testing.T) {
	arrived := make(chan struct{})
	r := receive(t, func(conn net.Conn, in *bufio.Reader) {
		readRequest(in)
		close(arrived)
		silent(conn, in)
	})
	c := newClient(t, egress.Options{})
	done := make(chan egress.Outcome)
	go func() { done <- c.Do(context.Background(), &egress.Request{Target: target(t, r.url)}) }()
	<-arrived
	c.Close()
	if out := <-done; out.Code != egress.CodeCancelled {
		t.Errorf("Do during Close = %+v, want code %q", out, egress.CodeCancelled)
	}
	if out := c.Do(context.Background(), &egress.Request{Target: target(t, r.url)}); out.Code != egress.CodeCancelled {
		t.Errorf("Do after Close = %+v, want code %q", out, egress.CodeCancelled)
	}
	if n := r.accepted.Load(); n != 1 {
		t.Errorf("%d connections were made, want none after Close", n)
	}
	c.Close() // twice is fine
}

func TestSecurity10_RedirectIsNeverFollowed(t *testing.T) {
	elsewhere := receive(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, location := range []string{
			elsewhere.url, "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd",
			"https://example.com:22/", "/", "//127.0.0.1/", "\xff\xfe",
		} {
			r := receive(t, answering(fmt.Sprintf("HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", status, location)))
			out := newClient(t, egress.Options{}).Do(t.Context(), &egress.Request{Target: target(t, r.url)})
			want := strings.ToValidUTF8(location, "\uFFFD")
			if out.Code != "" || out.Status != status || out.Header.Get("location") != want {
				t.Errorf("Do = %+v, want status %d with Location %q", out, status, want)
			}
			if n := r.accepted.Load() + elsewhere.accepted.Load(); n != 1 {
				t.Errorf("%d to %q: %d connections, want one", status, location, n)
			}
		}
	}
}

// TestSecurity23_AmbiguousAnswers: what two readers could understand differently is no answer, and ends the connection.
func TestSecurity23_AmbiguousAnswers(t *testing.T) {
	for name, answer := range map[string]string{
		"both lengths":              "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"both, the other way round": "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
		"two lengths":               "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"list of lengths":           "Content-Length: 3, 3\r\n\r\nabc",
		"negative length":           "Content-Length: -1\r\n\r\n",
		"signed length":             "Content-Length: +3\r\n\r\nabc",
		"hexadecimal length":        "Content-Length: 0x3\r\n\r\nabc",
		"empty length":              "Content-Length:\r\n\r\nabc",
		"enormous length":           "Content-Length: 99999999999999999999\r\n\r\nabc",
		"unknown coding":            "Transfer-Encoding: gzip\r\n\r\nabc",
		"two codings":               "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"chunked twice":             "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"space before the colon":    "Content-Length : 3\r\n\r\nabc",
		"folded line":               "X: a\r\n Content-Length: 3\r\n\r\nabc",
		"line without colon":        "Nonsense\r\n\r\n",
		"empty name":                ": x\r\n\r\n",
		"CR in a value":             "X: a\rContent-Length: 3\r\n\r\n",
		"NUL in a value":            "X: a\x00b\r\n\r\n",
		"chunk size missing":        "Transfer-Encoding: chunked\r\n\r\n\r\nabc\r\n0\r\n\r\n",
		"chunk size not a number":   "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"chunk size negative":       "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
		"chunk size with 0x":        "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
		"chunk size enormous":       "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
		"chunk longer than said":    "Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
		"chunk line ends in LF":     "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
		"chunk begins with LF":      "Transfer-Encoding: chunked\r\n\r\n\n",
		"chunk extension with CR":   "Transfer-Encoding: chunked\r\n\r\n3;a\rb\r\nabc\r\n0\r\n\r\n",
		"malformed trailer":         "Transfer-Encoding: chunked\r\n\r\n0\r\nnonsense\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := receive(t, answering("HTTP/1.1 200 OK\r\n"+answer))
			c := newClient(t, egress.Options{})
			for i := range int64(2) {
				out := c.Do(t.Context(), &egress.Request{Target: target(t, r.url), PoolKey: "e"})
				if out.Code != egress.CodeBadResponse {
					t.Errorf("Do = %+v, want code %q", out, egress.CodeBadResponse)
				}
				if n := r.accepted.Load(); n != i+1 {
					t.Errorf("%d requests used %d connections, want one each", i+1, n)
				}
			}
		})
	}
}
