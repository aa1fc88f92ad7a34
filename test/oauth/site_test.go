package oauth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// patience is how long a test waits for what should happen at once; test machines may be busy.
const patience = time.Minute

// serial numbers what tests make, so that names differ.
var serial atomic.Int64

func numbered(name string) string { return fmt.Sprintf("%s %d", name, serial.Add(1)) }

// site is a server, and what tests have made there.
type site struct {
	house  *harness.House
	server *harness.Server
	URL    string
	issuer string // what it calls itself: URL, unless it was told another
	client *http.Client

	mu   sync.Mutex // guards what tests share
	org  *org
	boss *person
}

func newSite(h *harness.House, s *harness.Server) *site {
	return &site{house: h, server: s, URL: s.URL, issuer: s.URL, client: &http.Client{
		Timeout:       patience,
		Transport:     harness.Published().Transport(&http.Transport{MaxIdleConnsPerHost: 128}),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// sites are those of stages, which tests share.
var sites struct {
	sync.Mutex
	all map[*harness.Stage]*site
}

// onSites runs f on a server with SQLite and on one with PostgreSQL, which all tests share.
func onSites(t *testing.T, f func(t *testing.T, s *site)) {
	t.Helper()
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) { f(t, siteOf(st)) })
}

func siteOf(st *harness.Stage) *site {
	sites.Lock()
	defer sites.Unlock()
	if sites.all == nil {
		sites.all = map[*harness.Stage]*site{}
	}
	if sites.all[st] == nil {
		sites.all[st] = newSite(st.House, st.Server)
	}
	return sites.all[st]
}

// own runs f on servers of the test's own, with flags.
func own(t *testing.T, flags []string, f func(t *testing.T, s *site)) {
	t.Helper()
	t.Parallel()
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		t.Parallel()
		f(t, newSite(h, h.Serve(t, slices.Concat(always, flags)...)))
	})
}

// The lives of a server whose tokens do not live long. A refresh may be repeated for as long as grace.
const (
	accessLife, codeLife  = 3 * time.Second, 2 * time.Second
	idleLife, wholeLife   = 5 * time.Second, 9 * time.Second
	grace                 = 2 * time.Second
	deviceLife, pushLife  = 4 * time.Second, 2 * time.Second
	margin                = 300 * time.Millisecond // beyond an end, so that it is past it by any clock's grain
	withinASecondOnAnyone = time.Second
)

// brief runs f on servers whose tokens do not live long, which all tests share.
func brief(t *testing.T, f func(t *testing.T, s *site)) {
	t.Helper()
	harness.OnStagesWith(t, "brief", []string{
		"--oauth-access-life", accessLife.String(), "--oauth-code-life", codeLife.String(),
		"--oauth-refresh-idle", idleLife.String(), "--oauth-refresh-absolute", wholeLife.String(), "--oauth-grace", grace.String(),
		"--oauth-device-life", deviceLife.String(), "--oauth-push-life", pushLife.String(),
	}, func(t *testing.T, st *harness.Stage) { f(t, siteOf(st)) })
}

// reply is what a request was answered with.
type reply struct {
	harness.Answer
	asked string // method and path
	URL   *url.URL
}

// send makes a request, and notes all secrets that go either way.
func (s *site) send(t testing.TB, r *http.Request) reply {
	t.Helper()
	return send(t, s.client, r)
}

func send(t testing.TB, c *http.Client, r *http.Request) reply {
	t.Helper()
	a, err := try(c, r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return a
}

// try is send where a failing connection is no failure of the test.
func try(c *http.Client, r *http.Request) (reply, error) {
	if r.GetBody != nil {
		if b, err := r.GetBody(); err == nil {
			text, _ := io.ReadAll(b)
			harness.Notice(string(text))
		}
	}
	resp, err := c.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	for _, cookie := range resp.Cookies() {
		harness.Secret(cookie.Value)
	}
	harness.Notice(string(text), resp.Header.Get("Location"))
	return reply{harness.Answer{Status: resp.StatusCode, Header: resp.Header, Body: text}, r.Method + " " + r.URL.Path, r.URL}, nil
}

// request is a request to the server; header is names and values.
func (s *site) request(t testing.TB, method, path string, body []byte, header ...string) *http.Request {
	t.Helper()
	var b io.Reader
	if body != nil {
		b = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, b)
	if err != nil {
		t.Fatalf("%s %.200s: %v", method, path, err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func (s *site) do(t testing.TB, method, path string, body []byte, header ...string) reply {
	t.Helper()
	return s.send(t, s.request(t, method, path, body, header...))
}

const formType = "application/x-www-form-urlencoded"

// form posts a form.
func (s *site) form(t testing.TB, path string, values url.Values, header ...string) reply {
	t.Helper()
	return s.do(t, "POST", path, []byte(values.Encode()), append([]string{"Content-Type", formType}, header...)...)
}

// value is what stands at a path such as "data.0.id" of the JSON body; nil for nothing.
func (r reply) value(path string) any {
	var v any
	if json.Unmarshal(r.Body, &v) != nil {
		return nil
	}
	for name := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[name]
		case []any:
			i := -1
			if _, err := fmt.Sscan(name, &i); err != nil || i < 0 || i >= len(node) {
				return nil
			}
			v = node[i]
		default:
			return nil
		}
	}
	return v
}

// text is the text at a path, "" for none.
func (r reply) text(path string) string {
	s, _ := r.value(path).(string)
	return s
}

// challenges are all that WWW-Authenticate says; there may be one for each scheme.
func (r reply) challenges() string { return strings.Join(r.Header.Values("Www-Authenticate"), ", ") }

// must ends the test unless the status is as wanted.
func (r reply) must(t testing.TB, status int) reply {
	t.Helper()
	if r.Status != status {
		t.Fatalf("%s = %d, want %d\n%.1500s", r.asked, r.Status, status, r.Body)
	}
	return r
}

// refused checks that the reply is an error as RFC 6749 §5.2 wants it.
func (r reply) refused(t testing.TB, status int, code string) {
	t.Helper()
	if r.Status != status || r.text("error") != code {
		t.Errorf("%s = %d %q, want %d %q\n%.600s", r.asked, r.Status, r.text("error"), status, code, r.Body)
		return
	}
	if r.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		t.Errorf("%s: the error has Cache-Control %q and Content-Type %q", r.asked, r.Header.Get("Cache-Control"), r.Header.Get("Content-Type"))
	}
}

// bearer makes a request to a resource with an access token.
func (s *site) bearer(t testing.TB, token, method, path string, body any) reply {
	t.Helper()
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body)
	}
	return s.do(t, method, path, text, "Authorization", "Bearer "+token, "Content-Type", "application/json")
}

// alive checks that an access token with events:read is good.
func (s *site) alive(t testing.TB, token string) {
	t.Helper()
	if r := s.bearer(t, token, "GET", "/api/v1/events", nil); r.Status != 200 {
		t.Errorf("a token that should be good: %s = %d %.300s", r.asked, r.Status, r.Body)
	}
}

// dead checks that an access token is refused by all requests that begin a second from now or later.
func (s *site) dead(t testing.TB, token string) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		asked := time.Now()
		r := s.bearer(t, token, "GET", "/api/v1/events", nil)
		if r.Status == 401 {
			if r.text("code") != "invalid_token" || !strings.Contains(r.challenges(), `error="invalid_token"`) {
				t.Errorf("a token that ended: %s %q", r.Body, r.challenges())
			}
			return
		}
		if asked.Sub(began) > withinASecondOnAnyone {
			t.Errorf("a token that should have ended is good %v later: %d", asked.Sub(began), r.Status)
			return
		}
	}
}

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: it does not come about", what)
		}
	}
}
