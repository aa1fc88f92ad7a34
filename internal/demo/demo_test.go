package demo_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stagedoorhq/stagedoor/internal/demo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// screen is a terminal that a test reads.
type screen struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the screen shows a match and returns it with its groups.
func (s *screen) await(t *testing.T, pattern string) []string {
	t.Helper()
	want := regexp.MustCompile(pattern)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if m := want.FindStringSubmatch(s.String()); m != nil {
			return m
		}
	}
	t.Fatalf("the demonstration never showed %s; it showed:\n%s", pattern, s)
	return nil
}

func config(s *screen) demo.Config {
	return demo.Config{Listen: "127.0.0.1:0", Out: s, Log: slog.New(slog.DiscardHandler), Getenv: func(string) string { return "" }}
}

// start shows the demonstration until the test ends, which must be a good end.
func start(t *testing.T, c demo.Config) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- demo.Run(ctx, c) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run = %v after it was told to end, want nil", err)
		}
	})
}

func TestPrintedLinesWork(t *testing.T) {
	var s screen
	start(t, config(&s))
	get := s.await(t, `curl -s -H 'X-API-Key: (sd_\w+)' '(http://[^']+)'\n`)
	if status, body := call(t, http.MethodGet, get[2], get[1], ""); status != http.StatusOK || !strings.Contains(body, "The Paper Lanterns") {
		t.Errorf("the first curl line got %d %.300s, want 200 and the season", status, body)
	}
	post := s.await(t, `curl -s -H 'X-API-Key: (sd_\w+)' -H 'Content-Type: application/json' '(http://[^']+)' \\\n +-d '([^']+)'\n`)
	if status, body := call(t, http.MethodPost, post[2], post[1], post[3]); status != http.StatusCreated {
		t.Errorf("the second curl line got %d %.300s, want 201", status, body)
	}
	// What comes of it is shown below.
	s.await(t, `(?s)Your turn.*→ box office  order\.confirmed .*200 verified`)
}

func call(t *testing.T, method, url, key, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return res.StatusCode, string(text)
}

func TestStoryTwiceInOneFolder(t *testing.T) {
	c := config(nil)
	c.Data, c.Once = t.TempDir(), true
	for range 2 {
		var s screen
		c.Out = &s
		if err := demo.Run(t.Context(), c); err != nil {
			t.Fatalf("Run = %v; it showed:\n%s", err, &s)
		}
		s.await(t, `All 18 deliveries arrived, each with a valid signature`)
	}
}

func TestTakenPortIsAvoidedUnlessItWasAskedFor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:8080")
	if err == nil { // else somebody else has taken it already
		defer l.Close()
	}
	var s screen
	c := config(&s)
	c.Listen = ""
	start(t, c)
	if m := s.await(t, `server +http://127\.0\.0\.1:(\d+)`); m[1] == "8080" {
		t.Errorf("the demonstration says that it listens on %s, which is taken", m[1])
	}
	s.await(t, "Your turn")

	c = config(new(screen))
	c.Listen, c.Once = "127.0.0.1:8080", true
	if err := demo.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), "8080") || strings.Contains(err.Error(), "\n") {
		t.Errorf("Run on a taken port = %v, want one sentence that names it", err)
	}
}

func TestTemporaryFolderGoes(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var s screen
	c := config(&s)
	c.Once = true
	if err := demo.Run(t.Context(), c); err != nil {
		t.Fatalf("Run = %v", err)
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("Run left %v (%v), want nothing", left, err)
	}
}
