package remote_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/remote"
)

const key = "sd_remote_secret"

func serve(t *testing.T, h http.HandlerFunc) *remote.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	s, err := remote.New(srv.URL+"/", key, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestACallIsJSONBothWays(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != "PATCH" || r.URL.Path != "/api/v1/orders" || string(body) != `{"a":1}` || r.Header.Get("Content-Type") != "application/json" ||
			r.Header.Get("Authorization") != "Bearer "+key {
			t.Errorf("%s %s %s\n%v", r.Method, r.URL, body, r.Header)
		}
		_, _ = io.WriteString(w, `{"b":2}`)
	})
	var answer struct{ B int }
	if err := s.Call(t.Context(), "PATCH", "/api/v1/orders", map[string]int{"a": 1}, &answer); err != nil || answer.B != 2 {
		t.Errorf("Call = %v, answer %+v", err, answer)
	}
}

func TestWhatIsRefusedIsAProblemInTheServersWords(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		says   string
		final  bool
	}{
		{400, `{"detail":"No such thing.","errors":[{"pointer":"/a","detail":"Not so."}]}`, "No such thing. (/a: Not so.)", true},
		{403, `{"detail":"You may not."}`, "You may not.", true},
		{404, `{"error":{"code":"NOT_FOUND","message":"Nothing here."},"meta":{"request_id":"req_1"}}`, "Nothing here.", true},
		{402, `Pay.`, "answered 402 Payment Required", true},
		{404, `<html>`, "Is it a Stagedoor of this version?", true},
		{429, `{"detail":"Slow down."}`, "Slow down.", false},
		{500, ``, "answered 500", false},
		{502, ``, "answered 502", false},
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		err := s.Call(t.Context(), "GET", "/x", nil, nil)
		p := problem.As(err)
		if p == nil || !strings.Contains(err.Error(), c.says) || remote.Final(err) != c.final || p.RetryAfter != 7*time.Second {
			t.Errorf("%d: Call = %v (%+v), want %q, final %v, again after 7 s", c.status, err, p, c.says, c.final)
		}
	}
}

func TestTheKeyGoesNowhereElse(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("a request went elsewhere: %v", r.Header) }))
	defer elsewhere.Close()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	err := s.Call(t.Context(), "POST", "/x", nil, nil)
	if !remote.Final(err) || !strings.Contains(err.Error(), elsewhere.URL) || strings.Contains(err.Error(), key) {
		t.Errorf("Call = %v, want where it leads, and no key", err)
	}
	gone, err := remote.New("http://127.0.0.1:1", key, "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Call(t.Context(), "GET", "/x", nil, nil); err == nil || remote.Final(err) || strings.Contains(err.Error(), key) {
		t.Errorf("Call = %v, want that it cannot be reached, and no key", err)
	}
}

func TestAnEventThatIsTooLongEndsTheStream(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "id: 1\ndata: short\n\n")
		for range 5 << 10 {
			_, _ = w.Write([]byte("data: " + strings.Repeat("x", 1017) + "\n"))
		}
	})
	st, err := s.Open(t.Context(), "/", "")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var got []string
	for e, err := range st.Events() {
		if err != nil {
			if len(got) != 1 || got[0] != "1 short" {
				t.Errorf("before %v came %v, want the short event", err, got)
			}
			return
		}
		got = append(got, e.ID+" "+e.Data)
	}
	t.Error("the stream did not end with an error")
}
