package scanner_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/scanner"
)

// TestThePageAndAllThatItKeepsIsServed: each file that the service worker keeps is there, for good, and everything comes with a policy that lets nothing else run.
func TestThePageAndAllThatItKeepsIsServed(t *testing.T) {
	mux := http.NewServeMux()
	scanner.Routes(mux)
	get := func(path string) *httptest.ResponseRecorder {
		t.Helper()
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		csp := w.Header().Get("Content-Security-Policy")
		if w.Code != 200 || !strings.HasPrefix(csp, "default-src 'none'; script-src 'self';") || strings.Contains(csp, "unsafe") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("GET %s = %d with the policy %q", path, w.Code, csp)
		}
		return w
	}
	page, worker := get("/door"), get("/door/sw.js")
	if text := page.Body.String(); strings.Contains(text, "<style") || regexp.MustCompile(`<script[^>]*>[^<]`).MatchString(text) || regexp.MustCompile(`\son[a-z]+=`).MatchString(text) {
		t.Errorf("the page has a script or a style inline:\n%s", text)
	}
	if page.Header().Get("Cache-Control") != "no-cache" || worker.Header().Get("Service-Worker-Allowed") != "/door" {
		t.Errorf("the page comes with %v, the worker with %v", page.Header(), worker.Header())
	}
	kept := regexp.MustCompile(`"(/door/[0-9a-f]{16}/[^"]+)"`).FindAllStringSubmatch(worker.Body.String(), -1)
	if len(kept) < 10 {
		t.Fatalf("the worker keeps %d files", len(kept))
	}
	for _, file := range kept {
		w := get(file[1])
		if !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Body.Len() == 0 {
			t.Errorf("%s comes with %v", file[1], w.Header())
		}
		if strings.HasSuffix(file[1], "js") && !strings.HasPrefix(w.Header().Get("Content-Type"), "text/javascript") {
			t.Errorf("%s is %s", file[1], w.Header().Get("Content-Type"))
		}
	}
	for _, used := range regexp.MustCompile(`(?:href|src)="(/door/[^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1) {
		if !strings.Contains(worker.Body.String(), `"`+used[1]+`"`) {
			t.Errorf("the page loads %s, which the worker does not keep", used[1])
		}
	}
}
