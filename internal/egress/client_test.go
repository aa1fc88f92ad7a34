package egress_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/egress"
)

// loopback opens this machine's own network, where the receivers of the tests are.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// newClient makes a client with loopback opened.
func newClient(t testing.TB, o egress.Options) *egress.Client {
	t.Helper()
	c := egress.NewClient(egress.NewPolicy(egress.Config{Allow: loopback}), o)
	t.Cleanup(c.Close)
	return c
}

func target(t testing.TB, raw string) *egress.Target {
	t.Helper()
	tg, err := egress.Parse(raw)
	if err != nil {
		t.Fatalf("Parse(%q): %v", raw, err)
	}
	return tg
}

func TestRequestArrivesAsWritten(t *testing.T) {
	type seen struct {
		method, uri, host, body string
		header                  http.Header
	}
	var got seen
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = seen{r.Method, r.RequestURI, r.Host, string(b), r.Header}
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(202)
		_, _ = io.WriteString(w, "thanks")
	}))
	defer srv.Close()
	c := newClient(t, egress.Options{})
	for i := range 3 {
		out := c.Do(t.Context(), &egress.Request{
			Target:  target(t, srv.URL+"/a%20b?x=1&y=é#gone"),
			Header:  egress.Header{{Name: "X-One", Value: "1"}, {Name: "content-type", Value: "application/json"}},
			Body:    []byte(`{"a":1}`),
			Timeout: 5 * time.Second,
			PoolKey: "e1",
		})
		if out.Code != "" || out.Status != 202 || string(out.Body) != "thanks" || out.Header.Get("Content-Type") != "text/plain" {
			t.Fatalf("Do = %+v, want 202 thanks", out)
		}
		if out.Reused != (i > 0) {
			t.Errorf("request %d: Reused = %v", i, out.Reused)
		}
		if got.method != "POST" || got.uri != "/a%20b?x=1&y=%C3%A9" || got.body != `{"a":1}` || !strings.HasSuffix(srv.URL, got.host) {
			t.Errorf("the receiver saw %+v", got)
		}
		if got.header.Get("X-One") != "1" || got.header.Get("User-Agent") != "Stagedoor" || got.header.Get("Accept-Encoding") != "" {
			t.Errorf("the receiver saw headers %v", got.header)
		}
	}
}

func TestRequestsThatCannotBeWritten(t *testing.T) {
	r := receive(t, silent)
	c := newClient(t, egress.Options{})
	for name, req := range map[string]*egress.Request{
		"no target":      {},
		"CONNECT":        {Method: "CONNECT"},
		"split method":   {Method: "GET / HTTP/1.1\r\nX:"},
		"Content-Length": {Header: egress.Header{{Name: "content-length", Value: "0"}}},
		"Host":           {Header: egress.Header{{Name: "Host", Value: "internal"}}},
		"chunked":        {Header: egress.Header{{Name: "Transfer-Encoding", Value: "chunked"}}},
		"split value":    {Header: egress.Header{{Name: "X", Value: "a\r\nHost: internal"}}},
		"split name":     {Header: egress.Header{{Name: "X: a\r\nY", Value: "b"}}},
		"empty name":     {Header: egress.Header{{Value: "b"}}},
	} {
		if name != "no target" {
			req.Target = target(t, r.url)
		}
		if out := c.Do(t.Context(), req); out.Code != egress.CodeBadRequest {
			t.Errorf("%s: Do = %+v, want code %q", name, out, egress.CodeBadRequest)
		}
	}
	if n := r.accepted.Load(); n != 0 {
		t.Errorf("%d connections were made, want none", n)
	}
}

func TestSecurity20_PublicTellsOpenedTargets(t *testing.T) {
	r := receive(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"))
	if out := newClient(t, egress.Options{}).Do(t.Context(), &egress.Request{Target: target(t, r.url)}); out.Status != 200 || out.Public {
		t.Errorf("Do = %+v, want an answer that is not public", out)
	}
}

func TestSecurity30_RetryAfterOfAnAnswer(t *testing.T) {
	r := receive(t, answering("HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nRetry-After: NaN\r\nretry-after: 120\r\nContent-Length: 0\r\n\r\n"))
	out := newClient(t, egress.Options{}).Do(t.Context(), &egress.Request{Target: target(t, r.url)})
	if d, ok := egress.RetryAfter(out.Header, time.Now()); d != 2*time.Minute || !ok {
		t.Errorf("RetryAfter(%v) = %v, %v; want the longest, 2m", out.Header, d, ok)
	}
}
