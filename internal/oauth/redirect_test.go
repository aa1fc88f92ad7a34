package oauth_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/oauth"
)

func TestRedirectURIsThatCanBeRegistered(t *testing.T) {
	for uri, want := range map[string]bool{
		"https://app.example.com":                              true,
		"https://app.example.com/callback?from=stagedoor":      true,
		"https://app.example.com:8443/a/b.html":                true,
		"http://127.0.0.1/callback":                            true,
		"http://127.0.0.1:7777/callback":                       true,
		"http://127.1.2.3/callback":                            true,
		"http://[::1]/callback":                                true,
		"http://[::1]:7777/":                                   true,
		"http://localhost/callback":                            true,
		"http://localhost:7777/callback":                       true,
		"com.example.app:/callback":                            true,
		"com.example.app://callback/x":                         true,
		"https://app.example.com/" + strings.Repeat("a", 1900): true,

		"":                                                     false,
		"/callback":                                            false,
		"//app.example.com/callback":                           false,
		"app.example.com/callback":                             false,
		"https:///callback":                                    false,
		"https:callback":                                       false,
		"https://app.example.com/#":                            false,
		"https://app.example.com/#fragment":                    false,
		"https://user@app.example.com/":                        false,
		"https://user:pw@app.example.com/":                     false,
		"https://app.example.com/a/../b":                       false,
		"https://app.example.com/..":                           false,
		"https://app.example.com/./a":                          false,
		"https://app.example.com/%2e%2e/a":                     false,
		"https://app.example.com/a b":                          false,
		"https://app.example.com/\n":                           false,
		"https://app.example.com/\x00":                         false,
		"https://app.example.com/\x7f":                         false,
		`https://app.example.com\@evil`:                        false,
		"https://bücher.example/":                              false,
		"https://app.example.com/%zz":                          false,
		"http://app.example.com/callback":                      false,
		"http://localhost.example.com/":                        false,
		"http://10.0.0.1/":                                     false,
		"http://0.0.0.0/":                                      false,
		"http://user@127.0.0.1/":                               false,
		"javascript:alert(1)":                                  false,
		"JavaScript:alert(1)":                                  false,
		"data:text/html,x":                                     false,
		"file:///etc/passwd":                                   false,
		"myapp:/callback":                                      false,
		"ftp://app.example.com/":                               false,
		"https://app.example.com/" + strings.Repeat("a", 2000): false,
	} {
		if got := oauth.Registrable(uri); got != want {
			t.Errorf("%.60q can be registered: %v, want %v", uri, got, want)
		}
	}
}

func TestRedirectURIIsComparedByteForByte(t *testing.T) {
	for _, c := range []struct {
		own, asked string
		want       bool
	}{
		{"https://app.example.com/cb", "https://app.example.com/cb", true},
		{"https://app.example.com/cb", "https://app.example.com/cb/", false},
		{"https://app.example.com/cb", "https://app.example.com/cb?", false},
		{"https://app.example.com/cb", "https://app.example.com/cb?x=y", false},
		{"https://app.example.com/cb", "https://app.example.com/cb#", false},
		{"https://app.example.com/cb", "https://app.example.com/CB", false},
		{"https://app.example.com/cb", "https://APP.example.com/cb", false},
		{"https://app.example.com/cb", "HTTPS://app.example.com/cb", false},
		{"https://app.example.com/cb", "https://app.example.com:443/cb", false},
		{"https://app.example.com/cb", "https://app.example.com/c%62", false},
		{"https://app.example.com/cb", "https://app.example.com/x/../cb", false},
		{"https://app.example.com/cb", "https://user@app.example.com/cb", false},
		{"https://app.example.com/cb", "https://www.app.example.com/cb", false},
		{"https://app.example.com/cb", "https://app.example.com.evil.example/cb", false},
		{"https://app.example.com/cb", "http://app.example.com/cb", false},
		{"https://app.example.com/cb", "https://app.example.com", false},
		{"com.example.app:/cb", "com.example.app:/cb", true},
		{"com.example.app:/cb", "com.example.app://cb", false},

		// On a loopback address any port will do, and nothing else may differ (RFC 8252 §7.3).
		{"http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", true},
		{"http://127.0.0.1:80/cb", "http://127.0.0.1:51004/cb", true},
		{"http://127.0.0.1:80/cb", "http://127.0.0.1/cb", true},
		{"http://[::1]/cb?x=y", "http://[::1]:51004/cb?x=y", true},
		{"http://[::1]:1/cb", "http://[::1]/cb", true},
		{"http://127.0.0.1/cb", "http://127.0.0.1:51004/cb/", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:51004/cb?x", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:51004", false},
		{"http://127.0.0.1/cb", "http://127.0.0.2:51004/cb", false},
		{"http://127.0.0.1/cb", "http://[::1]:51004/cb", false},
		{"http://127.0.0.1/cb", "https://127.0.0.1:51004/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:65536/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:80x/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:80#@evil.example/cb", false},
		{"http://127.0.0.1/cb", `http://127.0.0.1:80\@evil.example/cb`, false},
		{"http://127.0.0.1/cb", "http://evil@127.0.0.1:80/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1.evil.example:80/cb", false},
		{"http://[::1]/cb", "http://::1:80/cb", false},
		{"http://[::1]/cb", "http://[::1:80/cb", false},
		{"http://[::1]/cb", "http://[0:0:0:0:0:0:0:1]:80/cb", false},
		{"http://localhost/cb", "http://localhost/cb", true},
		{"http://localhost/cb", "http://localhost:51004/cb", false}, // a name may lead elsewhere (RFC 8252 §8.3)
		{"http://localhost/cb", "http://127.0.0.1/cb", false},
		{"https://127.0.0.1/cb", "https://127.0.0.1:51004/cb", false},
	} {
		if got := oauth.Redirectable(c.own, c.asked); got != c.want {
			t.Errorf("a client that has registered %s may be redirected to %s: %v, want %v", c.own, c.asked, got, c.want)
		}
	}
}

func TestRedirectLeadsToWhereItWasAskedFor(t *testing.T) {
	p := lite(t)
	for own, c := range map[string]struct{ asked, host, target, want string }{
		"http://127.0.0.1/cb":         {"http://127.0.0.1:51004/cb", "127.0.0.1:51004", "http://127.0.0.1:51004", "http://127.0.0.1:51004/cb?code="},
		"http://[::1]/cb":             {"http://[::1]:51004/cb", "[::1]:51004", "http:", "http://[::1]:51004/cb?code="},
		"com.example.app:/cb":         {"com.example.app:/cb", "com.example.app", "com.example.app:", "com.example.app:/cb?code="},
		"https://a.example":           {"https://a.example", "a.example", "https://a.example", "https://a.example?code="},
		"https://A.example/%7Ecb?x=/": {"https://A.example/%7Ecb?x=/", "A.example", "https://A.example", "https://A.example/%7Ecb?x=/&code="},
	} {
		in := public()
		in.Redirects = []string{own}
		a := p.app(in)
		page := p.consent(p.get("/oauth/authorize", a.ask("redirect_uri", c.asked)))
		if page.Host != c.host || page.Target != c.target {
			t.Errorf("%s: the page shows %q and leads to %q, want %q and %q", c.asked, page.Host, page.Target, c.host, c.target)
		}
		to := p.post("/oauth/consent", allow(page)).header.Get("Location")
		if !strings.HasPrefix(to, c.want) {
			t.Errorf("%s: redirected to %s, want %s…", c.asked, to, c.want)
		}
		code, err := url.Parse(to)
		if err != nil || code.Query().Get("state") != "s1" {
			t.Errorf("%s: redirected to %s: %v", c.asked, to, err)
		}
	}
}
