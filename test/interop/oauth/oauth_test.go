// Package oauth has OAuth clients that nobody here wrote go the whole way, unmodified: golang.org/x/oauth2, and from npm oauth4webapi and openid-client. The
// test is the person with the browser; the client is theirs.
package oauth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"golang.org/x/net/html"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m, false, "--oauth-per-minute", "0")) }

const redirect = "https://app.example.com/cb"

var serial atomic.Int64

// house is an organisation with its owner, who is signed in, and apps.
type house struct {
	st      *harness.Stage
	key     string
	browser *http.Client
}

func open(t *testing.T, st *harness.Stage) *house {
	t.Helper()
	slug, key := st.Org(t, fmt.Sprintf("Interop %d", serial.Add(1)))
	jar, _ := cookiejar.New(nil)
	h := &house{st, key, &http.Client{
		Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), redirect) {
				return http.ErrUseLastResponse // that is the app's
			}
			return nil
		},
	}}
	email, password := fmt.Sprintf("owner%d@interop.example", serial.Add(1)), "a lantern made of wicker"
	st.Feed(t, password+"\n", "user", "create", email, "--org", slug, "--role", "owner", "--password-stdin", "--json")
	h.send(t, h.page(t, st.URL+"/login"), "/login", "email", email, "password", password)
	return h
}

// client is an app's credentials.
type client struct {
	ID     string `json:"clientId"`
	Secret string `json:"clientSecret,omitempty"`
}

func (h *house) client(t *testing.T, method string, grants ...string) client {
	t.Helper()
	var c client
	h.st.Server.Client(h.key).Call(t, 201, "POST", "/api/v1/oauth/clients", map[string]any{
		"name": "An app", "authMethod": method, "redirectUris": []string{redirect}, "scopes": []string{"events:read", "tickets:read"},
		"grantTypes": append([]string{"authorization_code", "refresh_token"}, grants...),
	}).Decode(t, &c)
	return c
}

// answer is where a browser ended up.
type answer struct {
	url  *url.URL
	doc  *html.Node
	back string // the app's URL, when it led there
}

func (h *house) page(t *testing.T, url string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return h.load(t, r)
}

func (h *house) load(t *testing.T, r *http.Request) answer {
	t.Helper()
	resp, err := h.browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 400 {
		t.Fatalf("%s %s = %d %v\n%s", r.Method, r.URL.Path, resp.StatusCode, err, text)
	}
	for _, c := range resp.Cookies() {
		harness.Secret(c.Value)
	}
	harness.Notice(resp.Header.Get("Location"))
	doc, err := html.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.Request.URL, doc, resp.Header.Get("Location")}
}

// send fills a page's form for a path and sends it.
func (h *house) send(t *testing.T, p answer, action string, fields ...string) answer {
	t.Helper()
	for n := range p.doc.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" || attr(n, "action") != action {
			continue
		}
		v := url.Values{}
		for in := range n.Descendants() {
			kind := attr(in, "type")
			if in.Data == "input" && kind != "submit" && (kind != "checkbox" && kind != "radio" || has(in, "checked")) {
				v.Add(attr(in, "name"), attr(in, "value"))
			}
		}
		for i := 0; i < len(fields); i += 2 {
			v.Set(fields[i], fields[i+1])
		}
		r, err := http.NewRequestWithContext(t.Context(), "POST", h.st.URL+action, strings.NewReader(v.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", h.st.URL)
		return h.load(t, r)
	}
	t.Fatalf("%s has no form for %s", p.url, action)
	return answer{}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// allow goes where an app sends the browser, allows what is asked, and returns the URL that the app sees.
func (h *house) allow(t *testing.T, to string) string {
	t.Helper()
	p := h.page(t, to)
	if p.back == "" {
		p = h.send(t, p, "/oauth/consent", "decision", "allow")
	}
	if !strings.HasPrefix(p.back, redirect+"?") {
		t.Fatalf("the browser ended at %s (%s)", p.url, p.back)
	}
	return p.back
}

// enter enters a device's code, and allows what the device asks.
func (h *house) enter(t *testing.T, page, code string) {
	t.Helper()
	p := h.send(t, h.page(t, page), "/oauth/device/code", "user_code", code)
	h.send(t, p, "/oauth/device/consent", "decision", "allow")
}

func encode(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}
