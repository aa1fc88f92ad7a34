package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/provider"
)

// Security checklist, line 37: challenges are answered only where they are configured, and give back nothing that could be HTML.
func TestLine37OtherRequestsAreNoChallenges(t *testing.T) {
	const nonce = "qgg8vlvZRS6UYooatFL8Aw"
	slack, zoom := trial("slack", nonce), trial("zoom", nonce)
	for _, c := range []struct {
		name, method string
		scheme       provider.Scheme
		body         []byte
		query        string
	}{
		{"no preset", "POST", generic(""), slack, ""},
		{"another preset", "POST", preset("github"), slack, ""},
		{"another's", "POST", preset("zoom"), slack, ""},
		{"another's", "POST", preset("slack"), zoom, ""},
		{"another's", "GET", preset("slack"), nil, "crc_token=" + nonce},
		{"no secret", "POST", provider.Scheme{Provider: "slack"}, slack, ""},
		{"no secret", "POST", provider.Scheme{Provider: "zoom"}, zoom, ""},
		{"no secret", "GET", provider.Scheme{Provider: "twitter"}, nil, "crc_token=" + nonce},
		{"another method", "GET", preset("slack"), slack, ""},
		{"another method", "PUT", preset("zoom"), zoom, ""},
		{"another method", "POST", preset("twitter"), []byte(sentBody), "crc_token=" + nonce},
		{"no token", "GET", preset("twitter"), nil, ""},
		{"no token", "GET", preset("twitter"), nil, "crc_token="},
		{"two tokens", "GET", preset("twitter"), nil, "crc_token=a&crc_token=b"},
		{"a query that cannot be read", "GET", preset("twitter"), nil, "crc_token=a&%zz"},
		{"an event", "POST", preset("slack"), []byte(`{"type":"event_callback","challenge":"abc"}`), ""},
		{"an event", "POST", preset("zoom"), []byte(`{"event":"meeting.started","payload":{"plainToken":"abc"}}`), ""},
		{"a number", "POST", preset("slack"), []byte(`{"type":"url_verification","challenge":7}`), ""},
		{"no challenge", "POST", preset("slack"), []byte(`{"type":"url_verification"}`), ""},
		{"deep", "POST", preset("slack"), []byte(`{"type":"url_verification","challenge":"abc","x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}"), ""},
		{"large", "POST", preset("slack"), []byte(`{"type":"url_verification","challenge":"abc","x":"` + strings.Repeat("x", 16<<10) + `"}`), ""},
	} {
		if a, ok := c.scheme.Challenge(c.method, provider.Request{Header: http.Header{}, Body: c.body, RawQuery: c.query}); ok {
			t.Errorf("%s: %s %.60q ?%s to %q is answered with %q", c.name, c.method, c.body, c.query, c.scheme.Provider, a.Body)
		}
	}
}

// What is signed for whoever asks must not be what CheckHMAC takes for a delivery, and what is given back must not be HTML.
func TestLine37ChallengesSignAndReflectNothingElse(t *testing.T) {
	for _, nonce := range []string{
		"<script>alert(1)</script>", "<b>", "a&b", `a"b`, "a'b", "a b", "a\nb", "v0:1700000000:{}", "1700000000:{}", "a:b", "v0:1700000000:7", "{}", `{"a":1}`, "[]", "a,b", "ü", "a\x00", "a\xff", "",
		strings.Repeat("a", 513), sentBody,
	} {
		for _, name := range []string{"slack", "zoom"} {
			if a, ok := preset(name).Challenge("POST", provider.Request{Body: trial(name, nonce)}); ok {
				t.Errorf("%s: %.40q is answered with %.80q", name, nonce, a.Body)
			}
		}
		query := "crc_token=" + strings.NewReplacer("&", "%26", " ", "%20", "\n", "%0A", "+", "%2B").Replace(nonce)
		if a, ok := preset("twitter").Challenge("GET", provider.Request{RawQuery: query}); ok {
			t.Errorf("twitter: %.40q is answered with %.80q", nonce, a.Body)
		}
	}
}
