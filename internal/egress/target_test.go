package egress_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/stagedoorhq/stagedoor/internal/egress"
)

// TestSecurityURLs covers the lines of the checklist that are about a URL's text. Nothing in it is looked up.
func TestSecurityURLs(t *testing.T) {
	cases := []struct {
		line   int
		url    string
		reason egress.Reason
	}{
		{2, "https://[fe80::1%25eth0]/", egress.ReasonHost},
		{2, "https://[::1%25lo]/", egress.ReasonHost},
		{2, "https://[2606:4700::1%25eth0]/", egress.ReasonHost},
		{2, "https://[fe80::1%eth0]/", egress.ReasonHost},

		{3, "https://127.1/", egress.ReasonHost},
		{3, "https://2130706433/", egress.ReasonHost},
		{3, "https://0x7f000001/", egress.ReasonHost},
		{3, "https://0x7f.1/", egress.ReasonHost},
		{3, "https://0X7F.1/", egress.ReasonHost},
		{3, "https://0177.0.0.1/", egress.ReasonHost},
		{3, "https://017700000001/", egress.ReasonHost},
		{3, "https://0/", egress.ReasonHost},
		{3, "https://1.2.3.4.5/", egress.ReasonHost},
		{3, "https://1.2.3.256/", egress.ReasonHost},
		{3, "https://①②⑦.0.0.1/", egress.ReasonHost},
		{3, "https://１２７.0.0.1/", egress.ReasonHost},
		{3, "https://127。0。0。1/", egress.ReasonHost},
		{3, "https://127.0.0.1./", egress.ReasonHost},
		{3, "https://8.8.8.8./", egress.ReasonHost},
		{3, "https://example.com./", egress.ReasonHost},
		{3, "https://example.0x/", egress.ReasonHost},
		{3, "https://%31%32%37.0.0.1/", egress.ReasonHost},
		{3, "https://a.%A0/", egress.ReasonHost},
		{3, "https://[127.0.0.1]/", egress.ReasonURL},
		{3, "https://[::127.0.0.1]/", egress.ReasonAddress},
		{3, "https://[v1.x]/", egress.ReasonURL},

		{4, "https://localhost/", egress.ReasonHost},
		{4, "https://LOCALHOST/", egress.ReasonHost},
		{4, "https://localhost./", egress.ReasonHost},
		{4, "https://a.localhost/", egress.ReasonHost},
		{4, "https://printer.local/", egress.ReasonHost},
		{4, "https://db.internal/", egress.ReasonHost},
		{4, "https://nas.home.arpa/", egress.ReasonHost},
		{4, "https://intranet/", egress.ReasonHost},
		{4, "https://metadata.google.internal/", egress.ReasonHost},
		{4, "https://metadata/", egress.ReasonHost},
		{4, "https://api.default.svc.cluster.local/", egress.ReasonHost},

		{11, "http://93.184.216.34/", egress.ReasonScheme},
		{11, "http://example.com/", egress.ReasonScheme},
		{11, "file:///etc/passwd", egress.ReasonScheme},
		{11, "gopher://example.com/", egress.ReasonScheme},
		{11, "ftp://example.com/", egress.ReasonScheme},
		{11, "ws://example.com/", egress.ReasonScheme},
		{11, "unix:///var/run/docker.sock", egress.ReasonScheme},
		{11, "data:text/plain,x", egress.ReasonURL},
		{11, "javascript:alert(1)", egress.ReasonURL},
		{11, "", egress.ReasonURL},
		{11, "//example.com/", egress.ReasonURL},
		{11, "example.com/hook", egress.ReasonURL},
		{11, "https:example.com", egress.ReasonURL},
		{11, "https:///hook", egress.ReasonURL},
		{11, "://example.com/", egress.ReasonScheme},

		{12, "https://93.184.216.34:0/", egress.ReasonPort},
		{12, "https://93.184.216.34:/", egress.ReasonPort},
		{12, "https://93.184.216.34:65536/", egress.ReasonPort},
		{12, "https://93.184.216.34:0443/", egress.ReasonPort},
		{12, "https://93.184.216.34:80/", egress.ReasonPort},
		{12, "https://93.184.216.34:22/", egress.ReasonPort},
		{12, "https://93.184.216.34:2375/", egress.ReasonPort},
		{12, "https://93.184.216.34:5432/", egress.ReasonPort},
		{12, "https://example.com:6379/", egress.ReasonPort},
		{12, "https://[2606:4700::1]:11211/", egress.ReasonPort},

		{13, "https://user:secret@example.com/", egress.ReasonURL},
		{13, "https://@example.com/", egress.ReasonURL},
		{13, "https://a#@b", egress.ReasonURL},
		{13, "https://a?@b", egress.ReasonURL},
		{13, `https://a\@b`, egress.ReasonURL},
		{13, `https:\\example.com\`, egress.ReasonURL},
		{13, "https://example.com/a b", egress.ReasonURL},
		{13, " https://example.com/", egress.ReasonURL},
		{13, "https://example.com/\t", egress.ReasonURL},
		{13, "https://exa\nmple.com/", egress.ReasonURL},
		{13, "https://example.com/\r\nHost:%20x", egress.ReasonURL},
		{13, "https://example.com/\x00", egress.ReasonURL},
		{13, "https://example.com/\x7f", egress.ReasonURL},
		{13, "https://example.com/\xff", egress.ReasonURL},
		{13, "https://example.com/%zz", egress.ReasonURL},
		{13, "https://example.com/" + strings.Repeat("a", 2048), egress.ReasonURL},
		{13, "https://example.com/" + strings.Repeat("é", 600), egress.ReasonURL}, // too long once it is encoded

		{14, "https://xn--a/", egress.ReasonHost},
		{14, "https://xn--/", egress.ReasonHost},
		{14, "https://-a.example/", egress.ReasonHost},
		{14, "https://a..example/", egress.ReasonHost},
		{14, "https://\u200b.example/", egress.ReasonHost},
		{14, "https://a\u0301\u202e.example/", egress.ReasonHost},
		{14, "https://" + strings.Repeat("a", 64) + ".example/", egress.ReasonHost},
		{14, "https://ex!ample.com/", egress.ReasonHost},
		{14, "https://ex\u2024ample\u2100.com/", egress.ReasonHost},
	}
	p := egress.NewPolicy(egress.Config{Resolver: noDNS(t)})
	for _, c := range cases {
		t.Run(fmt.Sprintf("%02d %.60q", c.line, c.url), func(t *testing.T) {
			got, err := p.CheckURL(t.Context(), c.url)
			if reason(err) != c.reason {
				t.Errorf("CheckURL(%q) = %v, %v; want it refused for its %s", c.url, got, err, c.reason)
			}
		})
	}
}

// noDNS is a resolver that fails the test when it is asked.
func noDNS(t *testing.T) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("a name was looked up")
		return nil, errors.New("not here")
	}}
}

func TestURLsInNormalForm(t *testing.T) {
	dns := startDNS(t, func(q dnsmessage.Question, m *dnsmessage.Message) {
		addAddress(q, m, q.Name, netip.MustParseAddr("93.184.216.34"))
	})
	p := egress.NewPolicy(egress.Config{Resolver: dns.resolver, Ports: []uint16{8443}})
	cases := map[string]string{
		"HTTPS://Example.COM":                        "https://example.com",
		"https://example.com:443/Path?b=1&a=2":       "https://example.com/Path?b=1&a=2",
		"https://example.com:8443/":                  "https://example.com:8443/",
		"https://example.com/a#fragment":             "https://example.com/a",
		"https://example.com/?":                      "https://example.com/?",
		"https://example.com/to?mail=a@b.com":        "https://example.com/to?mail=a@b.com",
		"https://example.com/@user":                  "https://example.com/@user",
		"https://example.com/%41é?q=é":               "https://example.com/A%C3%A9?q=%C3%A9",
		"https://example.com/a%2Fb":                  "https://example.com/a%2Fb",
		"https://my_host.example.com/":               "https://my_host.example.com/",
		"https://bücher.example/":                    "https://xn--bcher-kva.example/",
		"https://BÜCHER.example/":                    "https://xn--bcher-kva.example/",
		"https://\u0430pple.com/":                    "https://xn--pple-43d.com/", // Cyrillic а: line 14
		"https://xn--bcher-kva.example/":             "https://xn--bcher-kva.example/",
		"https://ｅｘａｍｐｌｅ.com/":                       "https://example.com/",
		"https://93.184.216.34/":                     "https://93.184.216.34/",
		"https://[2606:4700:0:0::1]/":                "https://[2606:4700::1]/",
		"https://[::ffff:93.184.216.34]:8443/":       "https://93.184.216.34:8443/",
		"https://example.com/a/../b//c?x=%0d%0aHost": "https://example.com/a/../b//c?x=%0d%0aHost",
	}
	for raw, want := range cases {
		got, err := p.CheckURL(t.Context(), raw)
		if err != nil {
			t.Errorf("CheckURL(%q): %v, want %s", raw, err, want)
			continue
		}
		if got.String() != want {
			t.Errorf("CheckURL(%q) = %s, want %s", raw, got, want)
		}
		if again := target(t, got.String()); again.String() != want || *again != *got {
			t.Errorf("Parse(%q) = %+v, want the same as before, %+v", got.String(), again, got)
		}
	}
}
