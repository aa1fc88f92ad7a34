package oauth_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/oauth"
)

func FuzzParams(f *testing.F) {
	for _, s := range []string{"", "a=b&c=d", "a=b&a=c", "a=&a=", "a=%00", "a=%ff", "%zz=1", "a=b;c=d", "grant_type=refresh_token&refresh_token=x", "&&=&", "a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := oauth.ParseParams(text)
		if err != nil {
			if p != nil {
				t.Errorf("ParseParams(%q) = %v beside the error %v", text, p, err)
			}
			return
		}
		sent, err := url.ParseQuery(text)
		if err != nil {
			t.Errorf("ParseParams(%q) took what is no form: %v", text, err)
		}
		for name, v := range p {
			if v == "" || !utf8.ValidString(v) || strings.Contains(v, "\x00") || len(sent[name]) != 1 || sent[name][0] != v {
				t.Errorf("ParseParams(%q) has %q=%q; it was sent as %q", text, name, v, sent[name])
			}
		}
		for name, list := range sent {
			if _, has := p[name]; len(list) != 1 || list[0] != "" && !has {
				t.Errorf("ParseParams(%q) = %v, without %q=%q", text, p, name, list)
			}
		}
	})
}

func FuzzBasic(f *testing.F) {
	for _, s := range []string{"", ":", "a:b", "a%3Ab:c+d", "a%zz:b", "no colon", "ü:%C3%BC", "a:b:c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		header := "Basic " + base64.StdEncoding.EncodeToString([]byte(raw))
		user, secret, ok := oauth.Basic(header)
		if ok {
			if again, twice, ok := oauth.Basic("basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(user)+":"+url.QueryEscape(secret)))); !ok || again != user || twice != secret {
				t.Errorf("Basic(%q) = %q, %q; encoded and read again %q, %q, %v", raw, user, secret, again, twice, ok)
			}
		}
		if oauth.Showing(http.Header{"Authorization": {header}}, nil) != ok {
			t.Errorf("a request with %q shows its client: %v", raw, !ok)
		}
		_, _, _ = oauth.Basic(raw)
	})
}

// What may be redirected to is what was registered, but for the port of a loopback address; and where that leads is the same host.
func FuzzRedirect(f *testing.F) {
	for _, own := range []string{"https://app.example.com/cb", "http://127.0.0.1/cb", "http://[::1]:80/cb?x", "com.example.app:/cb"} {
		f.Add(own, own)
		f.Add(own, own+"#")
		f.Add(own, "http://127.0.0.1:80@evil.example/cb")
		f.Add(own, "http://127.0.0.1:51004/cb")
	}
	f.Fuzz(func(t *testing.T, own, asked string) {
		if !oauth.Registrable(own) || !oauth.Redirectable(own, asked) {
			return
		}
		a, err := url.Parse(asked)
		if err != nil {
			t.Fatalf("%q, which is registered as %q, is no URI: %v", asked, own, err)
		}
		o, err := url.Parse(own)
		if err != nil {
			t.Fatalf("%q was registered: %v", own, err)
		}
		if a.Scheme != o.Scheme || a.Hostname() != o.Hostname() || a.EscapedPath() != o.EscapedPath() || a.RawQuery != o.RawQuery || a.User != nil || a.Fragment != "" {
			t.Errorf("a client that has registered %q may be redirected to %q", own, asked)
		}
		if own != asked && (a.Scheme != "http" || a.Hostname() == "localhost") {
			t.Errorf("a client that has registered %q may be redirected to %q, which is no loopback address", own, asked)
		}
	})
}
