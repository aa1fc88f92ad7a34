package provider_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/provider"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

type nodeCase struct {
	Provider string `json:"provider"`
	Secret   string `json:"secret"`
	Stamp    string `json:"stamp"`
	ID       string `json:"id"`
	Body     []byte `json:"body"` // base64
}

type nodeAnswer struct {
	Headers   map[string]string `json:"headers"`
	Challenge map[string]string `json:"challenge"`
}

// node has testdata/sign.mjs sign the cases with Node.js's crypto, which shares no code with what is tested.
func node(t *testing.T, cases []nodeCase) []nodeAnswer {
	t.Helper()
	path := harness.Tool(t, "node", "Node.js's crypto is the oracle of every signature")
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "testdata/sign.mjs")
	var complaints bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node testdata/sign.mjs: %v\n%s", err, complaints.String())
	}
	var answers []nodeAnswer
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(cases) {
		t.Fatalf("node testdata/sign.mjs answered %d of %d cases: %v", len(answers), len(cases), err)
	}
	return answers
}

// TestNodeSignsAndWeLetIn has Node.js sign as every provider publishes, over the bodies of line 24 of the security checklist.
func TestNodeSignsAndWeLetIn(t *testing.T) {
	bodies := []string{
		"", "7", `{"name":"Zürich – 東京"}`, "{\"a\":\"\xff\xfe\x80\"}", "{\r\n\"a\": 1\r\n}\r\n", `{"a":"\u00fc\ud83c\udfab\u2028"}`, "{" + strings.Repeat(" ", 256<<10) + "}", "{\x00}",
	}
	schemes := map[string]provider.Scheme{
		"stagedoor/standard": preset("stagedoor"), "stagedoor/portal": preset("stagedoor"), "stagedoor/pullup": preset("stagedoor"), "stagedoor/stubhub": preset("stagedoor"),
		"/hex": generic(""), "/sha256=hex": generic(""), "/base64": generic(""), "/base64url": generic(""), "/list": generic(""),
		"/hex of time and body": generic("X-Timestamp"), "/base64 of time and body": generic("X-Timestamp"), "/body, and a time": generic("X-Timestamp"),
	}
	for _, name := range provider.Names() {
		if name != "stagedoor" {
			schemes[name] = preset(name)
		}
	}
	var cases []nodeCase
	for name := range schemes {
		for _, body := range bodies {
			if object := strings.HasPrefix(body, "{"); !object && (name == "twitter" || name == "stagedoor/pullup") {
				continue // they send objects
			}
			cases = append(cases, nodeCase{name, secret, strconv.Itoa(sentAt), "msg_1", []byte(body)})
		}
	}
	for i, answer := range node(t, cases) {
		c := cases[i]
		h := http.Header{}
		for name, value := range answer.Headers {
			h.Set(name, value)
		}
		name := fmt.Sprintf("%s, %d bytes %.20q", c.Provider, len(c.Body), c.Body)
		r := provider.Request{Header: h, Body: c.Body}
		admitted(t, name, schemes[c.Provider], r, now)
		if h.Get("Authorization") != "" {
			continue
		}
		r.Body = append([]byte("{"), c.Body...)
		refused(t, name+", changed", schemes[c.Provider], r, now, provider.HMACFailed)
	}
}

// Security checklist, line 37: challenges are answered as Node.js computes the answers.
func TestLine37ChallengesAreAnsweredAsPublished(t *testing.T) {
	nonces := []string{"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "qgg8vlvZRS6UYooatFL8Aw", "9b4507b3-9040-4669-9ca3-6b94edb50553", base64.StdEncoding.EncodeToString([]byte{0xff, 0xef, 1, 0})}
	var cases []nodeCase
	for _, name := range []string{"slack", "zoom", "twitter"} {
		for _, nonce := range nonces {
			cases = append(cases, nodeCase{name, secret, strconv.Itoa(sentAt), nonce, trial(name, nonce)})
		}
	}
	for i, want := range node(t, cases) {
		c := cases[i]
		r, method := provider.Request{Header: http.Header{}, Body: c.Body}, http.MethodPost
		for name, value := range want.Headers {
			r.Header.Set(name, value)
		}
		if c.Provider == "twitter" {
			method, r.Body, r.RawQuery = http.MethodGet, nil, "crc_token="+url.QueryEscape(c.ID)+"&nonce=abc"
		} else {
			admitted(t, c.Provider+"'s challenge", preset(c.Provider), r, now)
		}
		got, ok := preset(c.Provider).Challenge(method, r)
		var fields map[string]string
		if err := json.Unmarshal(got.Body, &fields); err != nil || !ok || got.Status != http.StatusOK || got.ContentType != "application/json" {
			t.Errorf("%s: Challenge = %d %s %q, %v", c.Provider, got.Status, got.ContentType, got.Body, ok)
			continue
		}
		if diff := cmp.Diff(want.Challenge, fields); diff != "" {
			t.Errorf("%s answers otherwise than Node.js (-want +got):\n%s", c.Provider, diff)
		}
	}
}

// trial is the body with which a provider tries an address.
func trial(name, nonce string) []byte {
	fields := map[string]any{"token": "Jhj5dZrVaK7ZwHHjRyZWjbDl", "challenge": nonce, "type": "url_verification"}
	if name == "zoom" {
		fields = map[string]any{"payload": map[string]string{"plainToken": nonce}, "event_ts": 1654503849680, "event": "endpoint.url_validation"}
	}
	body, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return body
}
