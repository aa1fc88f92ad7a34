// Package harness runs the built binary for tests that go through the outside door: it builds or finds it, starts and kills servers, runs commands, and
// speaks to the API.
package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
)

// Binary returns the path of the stagedoor binary: STAGEDOOR_BIN, or one that is built for this test process.
func Binary(t testing.TB) string {
	t.Helper()
	if bin := os.Getenv("STAGEDOOR_BIN"); bin != "" {
		return bin
	}
	bin, err := build()
	if err != nil {
		t.Fatalf("build stagedoor: %v", err)
	}
	return bin
}

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "stagedoor-bin-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "stagedoor")
	_, here, _, _ := runtime.Caller(0)
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/stagedoor")
	cmd.Dir = filepath.Join(filepath.Dir(here), "..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return bin, nil
})

// Long tells whether the full counts are asked for.
func Long() bool { return os.Getenv("STAGEDOOR_LONG") == "1" }

// House is an installation: a data folder and, on PostgreSQL, a database.
type House struct {
	Data     string
	Database string   // "" for SQLite
	Env      []string // added to the environment of what is run, as "NAME=value"
	Closed   bool     // servers may not deliver to this machine
	bin      string
}

// Beside returns an installation in another data folder, and with another database on PostgreSQL.
func (h *House) Beside(data, database string) *House {
	return &House{Data: data, Database: database, bin: h.bin}
}

// Each runs f on a fresh installation on SQLite, and on one on PostgreSQL with fsync on or off.
func Each(t *testing.T, fsync bool, f func(t *testing.T, h *House)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		f(t, &House{Data: filepath.Join(t.TempDir(), "data"), bin: Binary(t)})
	})
	t.Run("postgres", func(t *testing.T) {
		var url string
		if fsync {
			if why := pgtest.Unavailable(); why != "" {
				pgtest.Shared(t) // skips, or fails where it must not be skipped
			}
			c, err := pgtest.Start(pgtest.Options{Fsync: true})
			if err != nil {
				t.Fatalf("start PostgreSQL: %v", err)
			}
			t.Cleanup(c.Stop)
			if err := c.CreateDatabase(t.Context(), "stagedoor", ""); err != nil {
				t.Fatalf("create database: %v", err)
			}
			url = c.URL("stagedoor")
		} else {
			url = pgtest.Shared(t).Fresh(t, "empty", func(context.Context, string) error { return nil })
		}
		f(t, &House{Data: filepath.Join(t.TempDir(), "data"), Database: url, bin: Binary(t)})
	})
}

// args are the flags that name the installation.
func (h *House) args() []string {
	a := []string{"--data", h.Data}
	if h.Database != "" {
		a = append(a, "--database", h.Database)
	}
	return a
}

// Run runs a command on the installation and returns what it wrote to standard output; it fails the test when the command fails.
func (h *House) Run(t testing.TB, args ...string) []byte {
	t.Helper()
	out, stderr, err := h.Try(args...)
	if err != nil {
		t.Fatalf("stagedoor %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr)
	}
	return out
}

// Feed is Run for a command that reads standard input.
func (h *House) Feed(t testing.TB, stdin string, args ...string) []byte {
	t.Helper()
	out, stderr, err := h.try(stdin, args)
	if err != nil {
		t.Fatalf("stagedoor %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr)
	}
	return out
}

// Try runs a command on the installation.
func (h *House) Try(args ...string) (stdout, stderr []byte, err error) { return h.try("", args) }

func (h *House) try(stdin string, args []string) (stdout, stderr []byte, err error) {
	cmd := h.command(append(args, h.args()...)...)
	var out, diag bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &diag
	err = cmd.Run()
	Notice(out.String())
	return out.Bytes(), diag.Bytes(), err
}

// command is the binary with arguments and the installation's environment.
func (h *House) command(args ...string) *exec.Cmd {
	cmd := exec.Command(h.bin, args...)
	cmd.Env = append(os.Environ(), h.Env...)
	return cmd
}

// Org makes an organisation with an API key and returns its slug and the key.
func (h *House) Org(t testing.TB, name string) (slug, key string) {
	t.Helper()
	var org struct{ ID, Name, Slug string }
	must(t, json.Unmarshal(h.Run(t, "org", "create", name, "--json"), &org))
	var k struct{ ID, Key string }
	must(t, json.Unmarshal(h.Run(t, "key", "create", "--org", org.Slug, "--json"), &k))
	return org.Slug, k.Key
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Server is a server that runs.
type Server struct {
	URL  string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of the process, once done is closed

	mu   sync.Mutex // guards below
	log  bytes.Buffer
	said []string
}

var address = regexp.MustCompile(`https?://127\.0\.0\.1:\d+`)

// Serve starts a server that may deliver to this machine, and returns when it answers.
func (h *House) Serve(t testing.TB, extra ...string) *Server {
	t.Helper()
	s, err := h.Start(extra...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill()
		if trouble := s.Trouble(); trouble != "" {
			t.Errorf("the server's log has %s", trouble)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", tail(s.Log(), 6000))
		}
	})
	return s
}

// Start is Serve without a test to fail.
func (h *House) Start(extra ...string) (*Server, error) {
	args := append([]string{"serve", "--listen", "127.0.0.1:0"}, extra...)
	if !h.Closed {
		args = append(args, "--allow-target", "127.0.0.0/8")
	}
	s := &Server{cmd: h.command(append(args, h.args()...)...), done: make(chan struct{})}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.cmd.Stderr = (*logWriter)(s)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	remember(s)
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			s.mu.Lock()
			s.said = append(s.said, lines.Text())
			s.mu.Unlock()
			if url := address.FindString(lines.Text()); url != "" {
				select {
				case found <- url:
				default:
				}
			}
		}
		s.err = s.cmd.Wait()
		close(s.done)
	}()
	select {
	case s.URL = <-found:
		return s, nil
	case <-s.done:
		return nil, fmt.Errorf("serve ended: %w\n%s", s.err, s.Log())
	case <-time.After(60 * time.Second):
		s.Kill()
		return nil, fmt.Errorf("serve did not say where it listens within a minute\n%s", s.Log())
	}
}

type logWriter Server

func (w *logWriter) Write(p []byte) (int, error) {
	s := (*Server)(w)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

// Log returns what the server wrote to standard error so far.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Said returns the lines that the server wrote to standard output so far.
func (s *Server) Said() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.said...)
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// PID is the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Kill ends the server with SIGKILL and waits for its end. Killing twice is fine.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
}

// Stop asks the server to end and waits; it returns the process's error.
func (s *Server) Stop() error {
	if err := s.Signal(os.Interrupt); err != nil {
		return err
	}
	return s.Wait(time.Minute)
}

// Signal sends the server a signal; to one that has ended, nothing.
func (s *Server) Signal(sig os.Signal) error {
	if err := s.cmd.Process.Signal(sig); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Wait waits until the server has ended and returns the process's error; one that does not end is killed.
func (s *Server) Wait(within time.Duration) error {
	select {
	case <-s.done:
		return s.err
	case <-time.After(within):
		s.Kill()
		return fmt.Errorf("the server did not stop within %v", within)
	}
}

// Client speaks to an API with a key.
type Client struct {
	URL    string // of the server
	Key    string
	HTTP   *http.Client
	Header http.Header // added to every request

	Contract *Contract // that every exchange is held against; nil for none
	server   *Server   // that was asked
}

// Client returns a client for the server.
func (s *Server) Client(key string) *Client {
	return &Client{URL: s.URL, Key: key, server: s, HTTP: &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
}

// Answer is what a request was answered with.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Decode reads the body as JSON.
func (a Answer) Decode(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		t.Fatalf("answer %d is not JSON: %v\n%s", a.Status, err, a.Body)
	}
}

// Do makes a request; body is JSON text, a value to encode, or nil. header is names and values; an empty value removes one.
func (c *Client) Do(ctx context.Context, method, path string, body any, header ...string) (Answer, error) {
	a, _, err := c.exchange(ctx, method, path, body, header) // what is wrong is also kept by the contract
	return a, err
}

func (c *Client) get(path string) (Answer, error) {
	return c.Do(context.Background(), "GET", path, nil)
}

// exchange makes a request and says what of it is not as in the contract.
func (c *Client) exchange(ctx context.Context, method, path string, body any, header []string) (Answer, []string, error) {
	sent, err := encoded(body)
	if err != nil {
		return Answer{}, nil, err
	}
	a, wrong, err := c.roundTrip(ctx, method, path, sent, header)
	if err != nil || c.Contract == nil {
		return a, wrong, err
	}
	return a, append(wrong, c.Contract.check(method, path, sent, a)...), nil
}

func encoded(body any) ([]byte, error) {
	switch b := body.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(b), nil
	case []byte:
		return b, nil
	default:
		return json.Marshal(b)
	}
}

// roundTrip makes a request and says what of it is not as StubHub publishes it.
func (c *Client) roundTrip(ctx context.Context, method, path string, sent []byte, header []string) (Answer, []string, error) {
	var r io.Reader
	if sent != nil {
		r = bytes.NewReader(sent)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, r)
	if err != nil {
		return Answer{}, nil, err
	}
	if c.Key != "" {
		req.Header.Set("X-API-Key", c.Key)
	}
	if sent != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, v := range c.Header {
		req.Header[name] = v
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return Answer{}, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	Notice(string(text))
	a := Answer{resp.StatusCode, resp.Header, text}
	if err != nil {
		return a, nil, err
	}
	return a, Published().Exchange(req, sent, a.Status, a.Header, a.Body), nil
}

// Call makes a request that must be answered with the status.
func (c *Client) Call(t testing.TB, want int, method, path string, body any, header ...string) Answer {
	t.Helper()
	a, wrong, err := c.exchange(t.Context(), method, path, body, header)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	for _, w := range wrong {
		t.Errorf("OpenAPI: %s\ngot: %.2000s", w, a.Body)
	}
	if a.Status != want {
		t.Fatalf("%s %s = %d, want %d\nsent: %s\ngot: %.2000s\n%s", method, path, a.Status, want, shown(body), a.Body, c.logOf(a))
	}
	return a
}

func shown(body any) string {
	text, _ := encoded(body)
	return tail(string(text), 1000)
}

// logOf is what the server logged about a request that it answered with 5xx.
func (c *Client) logOf(a Answer) string {
	if a.Status < 500 || c.server == nil {
		return ""
	}
	return c.server.LogOf(a.Header.Get("X-Request-Id"))
}
