package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/web"
)

// journal is a log that a test can read.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// start serves c on a free port of the loopback and returns its address and its log. Routes puts the routes on the mux.
func start(t testing.TB, c web.Config, routes func(s *web.Server)) (addr string, log *journal, stop func() error) {
	t.Helper()
	log = &journal{}
	c.Log = slog.New(slog.NewJSONHandler(log, nil))
	s, err := web.New(c)
	if err != nil {
		t.Fatalf("New(%+v): %v", c, err)
	}
	if routes != nil {
		routes(s)
	}
	a, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-served })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return a.String(), log, stop
}

func send(t *testing.T, method, url string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: body: %v", method, url, err)
	}
	return resp, string(b)
}

type document struct {
	Type, Title, Detail, Code, RequestID string
	Status                               int
	Errors                               []problem.FieldError
}

func wantProblem(t *testing.T, resp *http.Response, body string, status int, code string) document {
	t.Helper()
	var d document
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		t.Fatalf("body %q is not JSON: %v", body, err)
	}
	if resp.StatusCode != status || d.Status != status || d.Code != code || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %d %s %s, want a problem %d %s", resp.StatusCode, resp.Header.Get("Content-Type"), body, status, code)
	}
	if d.RequestID == "" || d.RequestID != resp.Header.Get("X-Request-Id") {
		t.Errorf("requestId %q in the body, %q in the header; want the same", d.RequestID, resp.Header.Get("X-Request-Id"))
	}
	if d.Type == "" || d.Title != http.StatusText(status) || d.Detail == "" {
		t.Errorf("problem %s lacks its type, title or detail", body)
	}
	return d
}

func TestRequestIDIsTakenOverOnlyWhenHarmless(t *testing.T) {
	addr, log, _ := start(t, web.Config{}, func(s *web.Server) {
		s.Mux().HandleFunc("GET /id", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, web.RequestID(r.Context())) })
	})
	for given, kept := range map[string]bool{
		"abc-123": true, "req_1.2:3/4+5=": true, strings.Repeat("a", 128): true,
		"": false, strings.Repeat("a", 129): false, "a b": false, `a"b`: false, "ä": false,
	} {
		resp, body := send(t, "GET", "http://"+addr+"/id", nil, "X-Request-Id", given)
		got := resp.Header.Get("X-Request-Id")
		if body != got || got == "" || (got == given) != kept {
			t.Errorf("X-Request-Id %q: answer says %q, handler saw %q; kept should be %t", given, got, body, kept)
		}
		if !strings.Contains(log.String(), got) {
			t.Errorf("X-Request-Id %q does not appear in the log", got)
		}
	}
}

func TestErrorsAreShownOrLoggedNeverBoth(t *testing.T) {
	addr, log, _ := start(t, web.Config{}, func(s *web.Server) {
		fail := func(err error) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) { s.Problems().Write(w, r, err) }
		}
		s.Mux().HandleFunc("GET /shown", fail(fmt.Errorf("load: %w", problem.Field("/name", "too_long", "A name has 10 characters at most."))))
		s.Mux().HandleFunc("GET /hidden", fail(errors.New("the disk at /var/secret is full")))
		s.Mux().HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("a secret thought") })
		s.Mux().HandleFunc("GET /later", fail(&problem.Error{Kind: problem.TooMany, Code: "rate_limited", Detail: "Slow down.", RetryAfter: 1500 * time.Millisecond}))
		s.Mux().HandleFunc("GET /who", fail(problem.New(problem.Unauthorized, "no_credentials", "Send a key.")))
	})
	resp, body := send(t, "GET", "http://"+addr+"/shown", nil)
	d := wantProblem(t, resp, body, 400, "validation_failed")
	if len(d.Errors) != 1 || d.Errors[0].Pointer != "/name" || d.Errors[0].Code != "too_long" || d.Errors[0].Detail == "" {
		t.Errorf("errors = %+v, want one of /name", d.Errors)
	}

	resp, body = send(t, "GET", "http://"+addr+"/hidden", nil)
	d = wantProblem(t, resp, body, 500, "internal")
	if strings.Contains(body, "secret") {
		t.Errorf("an internal error is shown: %s", body)
	}
	if !strings.Contains(log.String(), "/var/secret") || !strings.Contains(log.String(), d.RequestID) {
		t.Errorf("the log lacks the internal error or its request id %s: %s", d.RequestID, log)
	}

	resp, body = send(t, "GET", "http://"+addr+"/panic", nil)
	wantProblem(t, resp, body, 500, "internal")
	if strings.Contains(body, "thought") || !strings.Contains(log.String(), "a secret thought") {
		t.Errorf("a panic belongs into the log and not into the answer %s", body)
	}

	resp, body = send(t, "GET", "http://"+addr+"/later", nil)
	wantProblem(t, resp, body, 429, "rate_limited")
	if got := resp.Header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After = %q, want 2 (rounded up)", got)
	}
	resp, body = send(t, "GET", "http://"+addr+"/who", nil)
	wantProblem(t, resp, body, 401, "no_credentials")
	if got := resp.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
		t.Errorf("WWW-Authenticate = %q, want Bearer", got)
	}
}

func TestUnknownPathsAndMethodsAreProblems(t *testing.T) {
	addr, _, _ := start(t, web.Config{}, func(s *web.Server) {
		s.Mux().HandleFunc("GET /things/{id}", func(http.ResponseWriter, *http.Request) {})
	})
	resp, body := send(t, "GET", "http://"+addr+"/nothing", nil)
	wantProblem(t, resp, body, 404, "no_such_route")
	resp, body = send(t, "DELETE", "http://"+addr+"/things/1", nil)
	wantProblem(t, resp, body, 405, "method_not_allowed")
	if got := resp.Header.Get("Allow"); got != "GET, HEAD" {
		t.Errorf("Allow = %q, want GET, HEAD", got)
	}
}

func TestEveryAnswerHasSecurityHeaders(t *testing.T) {
	addr, _, _ := start(t, web.Config{}, nil)
	for _, path := range []string{"/healthz", "/nothing"} {
		resp, _ := send(t, "GET", "http://"+addr+path, nil)
		for _, name := range []string{"X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy", "Cross-Origin-Resource-Policy", "Cache-Control"} {
			if resp.Header.Get(name) == "" {
				t.Errorf("GET %s: no %s", path, name)
			}
		}
	}
}

func TestBodyLimit(t *testing.T) {
	addr, _, _ := start(t, web.Config{MaxBody: 1000}, func(s *web.Server) {
		s.Mux().HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				s.Problems().Write(w, r, err)
				return
			}
			fmt.Fprint(w, len(b))
		})
	})
	url := "http://" + addr + "/"
	if resp, body := send(t, "POST", url, strings.NewReader(strings.Repeat("x", 1000))); resp.StatusCode != 200 || body != "1000" {
		t.Errorf("1000 bytes of 1000: got %d %s", resp.StatusCode, body)
	}
	resp, body := send(t, "POST", url, strings.NewReader(strings.Repeat("x", 1001)))
	wantProblem(t, resp, body, 413, "body_too_large")
	resp, body = send(t, "POST", url, io.MultiReader(strings.NewReader(strings.Repeat("x", 1001)))) // chunked
	wantProblem(t, resp, body, 413, "body_too_large")

	// A body that is announced too large is refused before a byte of it is read.
	conn := dial(t, addr)
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
	if line, _ := bufio.NewReader(conn).ReadString('\n'); !strings.Contains(line, "413") {
		t.Errorf("Expect: 100-continue with 1001 bytes: got %q, want 413 at once", line)
	}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestSlowClientsAreCutOff(t *testing.T) {
	c := web.Config{HeaderTimeout: 50 * time.Millisecond, BodyGrace: 50 * time.Millisecond, BodyRate: 1 << 20}
	addr, _, _ := start(t, c, func(s *web.Server) {
		s.Mux().HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				s.Problems().Write(w, r, err)
			}
		})
	})
	head := dial(t, addr)
	fmt.Fprint(head, "POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	if b, err := io.ReadAll(head); err != nil {
		t.Errorf("a head that never ends: got %q, %v; want the connection closed", b, err)
	}
	body := dial(t, addr)
	fmt.Fprint(body, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1")
	if b, err := io.ReadAll(body); err != nil || !strings.Contains(string(b), "body_timeout") {
		t.Errorf("a body that never ends: got %q, %v; want a problem body_timeout and the connection closed", b, err)
	}
}

func TestHandlerMayTakeLongerThanTheBody(t *testing.T) {
	addr, _, _ := start(t, web.Config{HeaderTimeout: 20 * time.Millisecond, BodyGrace: 20 * time.Millisecond, BodyRate: 1 << 20}, func(s *web.Server) {
		s.Mux().HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				s.Problems().Write(w, r, err)
				return
			}
			select {
			case <-r.Context().Done():
				t.Error("the body's deadline ended the request")
			case <-time.After(1500 * time.Millisecond):
			}
		})
	})
	if resp, body := send(t, "POST", "http://"+addr+"/", strings.NewReader("x")); resp.StatusCode != 200 {
		t.Errorf("got %d %s, want 200", resp.StatusCode, body)
	}
}

func TestIdleConnectionsAreBounded(t *testing.T) {
	addr, _, _ := start(t, web.Config{MaxIdle: 3}, nil)
	first := dial(t, addr)
	for range 3 {
		dial(t, addr)
	}
	if b, err := io.ReadAll(first); err != nil || len(b) != 0 {
		t.Errorf("the connection that waited longest: got %q, %v; want it closed", b, err)
	}
	if resp, _ := send(t, "GET", "http://"+addr+"/healthz", nil); resp.StatusCode != 200 {
		t.Errorf("a new client got %d, want 200", resp.StatusCode)
	}
}

func TestClientBehindTrustedProxy(t *testing.T) {
	for _, c := range []struct {
		name, trusted, forwarded, want string
	}{
		{"no proxy is trusted", "", "203.0.113.9", "127.0.0.1"},
		{"the peer is not the trusted one", "10.0.0.0/8", "203.0.113.9", "127.0.0.1"},
		{"right-most hop", "127.0.0.0/8", "198.51.100.1, 203.0.113.9", "203.0.113.9"},
		{"right-most untrusted hop", "127.0.0.0/8 10.0.0.0/8", "198.51.100.1, 203.0.113.9, 10.1.1.1", "203.0.113.9"},
		{"all hops are trusted", "127.0.0.0/8 10.0.0.0/8", "10.1.1.2, 10.1.1.1", "10.1.1.2"},
		{"a forged hop ends the search", "127.0.0.0/8 10.0.0.0/8", "203.0.113.9, nonsense, 10.1.1.1", "10.1.1.1"},
		{"none", "127.0.0.0/8", "", "127.0.0.1"},
		{"mapped IPv4 and ports", "127.0.0.0/8", "[2001:db8::1]:443, ::ffff:203.0.113.9", "203.0.113.9"},
		{"IPv6 with port", "127.0.0.0/8", "[2001:db8::1]:443", "2001:db8::1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var trusted []netip.Prefix
			for _, p := range strings.Fields(c.trusted) {
				trusted = append(trusted, netip.MustParsePrefix(p))
			}
			addr, _, _ := start(t, web.Config{TrustedProxies: trusted}, func(s *web.Server) {
				s.Mux().HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, web.Client(r.Context())) })
			})
			if _, got := send(t, "GET", "http://"+addr+"/", nil, "X-Forwarded-For", c.forwarded); got != c.want {
				t.Errorf("X-Forwarded-For %q through trusted %q: client %s, want %s", c.forwarded, c.trusted, got, c.want)
			}
		})
	}
}

func TestSecureIsWhatATrustedProxySays(t *testing.T) {
	for _, c := range []struct {
		trusted, forwarded string
		want               bool
	}{
		{"", "https", false},
		{"10.0.0.0/8", "https", false},
		{"127.0.0.0/8", "https", true},
		{"127.0.0.0/8", "HTTPS", true},
		{"127.0.0.0/8", "http", false},
		{"127.0.0.0/8", "", false},
		{"127.0.0.0/8", "http, https", true}, // the last word is the trusted one's
		{"127.0.0.0/8", "https, http", false},
	} {
		var trusted []netip.Prefix
		if c.trusted != "" {
			trusted = append(trusted, netip.MustParsePrefix(c.trusted))
		}
		addr, _, _ := start(t, web.Config{TrustedProxies: trusted}, func(s *web.Server) {
			s.Mux().HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, web.Secure(r.Context())) })
		})
		if _, got := send(t, "GET", "http://"+addr+"/", nil, "X-Forwarded-Proto", c.forwarded); got != fmt.Sprint(c.want) {
			t.Errorf("X-Forwarded-Proto %q through trusted %q: secure %s, want %t", c.forwarded, c.trusted, got, c.want)
		}
	}
}

func TestAccessLogHasNoSecrets(t *testing.T) {
	addr, log, _ := start(t, web.Config{}, nil)
	send(t, "GET", "http://"+addr+"/healthz?token=hush1", strings.NewReader("hush2"), "Authorization", "Bearer hush3", "X-Api-Key", "hush4")
	if !strings.Contains(log.String(), "/healthz") || strings.Contains(log.String(), "hush") {
		t.Errorf("access log = %s; want the path and no secret", log)
	}
}

// A secret that is short is known by its route alone, and there also where its path is not written as it should be.
func TestAccessLogHasNoShortSecrets(t *testing.T) {
	addr, log, _ := start(t, web.Config{}, func(s *web.Server) {
		s.Mux().HandleFunc("/short/{secret}", func(http.ResponseWriter, *http.Request) {})
	})
	for _, path := range []string{"/short/hush", "/short//hush", "/short/./hush", "//short/hush"} {
		send(t, "GET", "http://"+addr+path, nil)
	}
	if strings.Contains(log.String(), "hush") || strings.Count(log.String(), "/short/…") < 4 {
		t.Errorf("access log = %s; want the paths and no secret", log)
	}
}

// Also where the link is called in a way that no route has.
func TestAccessLogHasNoOneTimeLinks(t *testing.T) {
	addr, log, _ := start(t, web.Config{}, func(s *web.Server) {
		s.Mux().HandleFunc("GET /reset/{secret}", func(http.ResponseWriter, *http.Request) {})
	})
	secret := id.Secret("")
	for _, way := range [][2]string{{"GET", "/reset/" + secret}, {"PUT", "/reset/" + secret}, {"GET", "/reset/" + secret + "/"}, {"GET", "/rest/x" + secret + "."}} {
		send(t, way[0], "http://"+addr+way[1], nil)
	}
	if strings.Contains(log.String(), secret) || strings.Count(log.String(), "/reset/…") != 3 {
		t.Errorf("access log = %s; want the paths and no secret", log)
	}
}

func TestReadyzSaysWhatFails(t *testing.T) {
	addr, log, _ := start(t, web.Config{Ready: map[string]func(context.Context) error{
		"database": func(context.Context) error { return errors.New("no route to 10.9.8.7") },
		"schema":   func(context.Context) error { return nil },
	}}, nil)
	resp, body := send(t, "GET", "http://"+addr+"/readyz", nil)
	if want := `{"status":"unavailable","failed":["database"]}` + "\n"; resp.StatusCode != 503 || body != want {
		t.Errorf("GET /readyz = %d %s, want 503 %s", resp.StatusCode, body, want)
	}
	if !strings.Contains(log.String(), "10.9.8.7") {
		t.Errorf("the reason is not in the log: %s", log)
	}
	addr, _, _ = start(t, web.Config{}, nil)
	for _, path := range []string{"/readyz", "/healthz"} {
		if resp, body := send(t, "GET", "http://"+addr+path, nil); resp.StatusCode != 200 || body != `{"status":"ok"}`+"\n" {
			t.Errorf("GET %s = %d %s, want 200 ok", path, resp.StatusCode, body)
		}
	}
}

func TestMetricsCountByRoute(t *testing.T) {
	addr, _, _ := start(t, web.Config{}, func(s *web.Server) {
		s.Mux().HandleFunc("GET /things/{id}", func(http.ResponseWriter, *http.Request) {})
	})
	send(t, "GET", "http://"+addr+"/things/1", nil)
	send(t, "GET", "http://"+addr+"/things/2", nil)
	send(t, "BREW", "http://"+addr+"/pot", nil)
	_, page := send(t, "GET", "http://"+addr+"/metrics", nil)
	for _, want := range []string{
		`stagedoor_http_requests_total{method="GET",route="GET /things/{id}",status="200"} 2`,
		`stagedoor_http_requests_total{method="other",route="none",status="404"} 1`,
		`stagedoor_http_request_seconds_count{method="GET",route="GET /things/{id}"} 2`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("GET /metrics lacks %s:\n%s", want, page)
		}
	}
}

func TestMetricsOnTheirOwnListener(t *testing.T) {
	var metrics net.Addr
	addr, _, _ := start(t, web.Config{}, func(s *web.Server) {
		var err error
		if metrics, err = s.ListenMetrics("127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	})
	if resp, _ := send(t, "GET", "http://"+metrics.String()+"/metrics", nil); resp.StatusCode != 200 {
		t.Errorf("GET /metrics on its own listener: %d, want 200", resp.StatusCode)
	}
	if resp, _ := send(t, "GET", "http://"+addr+"/metrics", nil); resp.StatusCode != 404 {
		t.Errorf("GET /metrics on the main listener: %d, want 404", resp.StatusCode)
	}
}

func TestStopLetsRequestsEnd(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	addr, _, stop := start(t, web.Config{}, func(s *web.Server) {
		s.Mux().HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
			close(begun)
			<-finish
			fmt.Fprint(w, "done")
		})
	})
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + addr + "/slow")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		answered <- string(b)
	}()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for { // until nobody is let in any more
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		conn.Close()
	}
	close(finish)
	if got := <-answered; got != "done" {
		t.Errorf("the request under way got %q, want done", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve: %v", err)
	}
}
