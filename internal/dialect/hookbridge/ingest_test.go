package hookbridge_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/web"
)

type rejection struct {
	ID                string
	ReasonCode        string `json:"reason_code"`
	ReasonDetail      string `json:"reason_detail"`
	ReceivedAt        string `json:"received_at"`
	InboundEndpointID string `json:"inbound_endpoint_id"`
	PullEndpointID    string `json:"pull_endpoint_id"`
	SourceIP          string `json:"source_ip"`
	HeadersRedacted   string `json:"headers_redacted"`
}

// rejections are what an endpoint has refused, oldest first.
func (s *site) rejections(e endpoint) []rejection {
	s.t.Helper()
	if err := s.depot.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return get[[]rejection](s, "/v1/inbound-rejections?pull_endpoint_id="+e.ID)
}

func (s *site) reasons(e endpoint) []string {
	s.t.Helper()
	got := []string{}
	for _, r := range s.rejections(e) {
		got = append(got, r.ReasonCode)
	}
	return got
}

// sent checks what a sender was answered.
func (s *site) sent(a answer, status int, code string) {
	s.t.Helper()
	f := read[taken](s, a)
	if a.status != status || (f.Error == nil) != (code == "") || f.Error != nil && (f.Error.Code != code || f.Error.Message == "") || f.Meta.RequestID == "" {
		s.t.Errorf("answered %d %s, want %d %s", a.status, a.raw, status, code)
	}
}

func TestWhatIsTakenIsAnsweredAsTheOwnerSays(t *testing.T) {
	s := lite(t, settings{})
	for _, code := range []int{200, 201, 202, 204, 205, 226, 299} {
		e := s.make(map[string]any{"ingest_response_code": code, "idempotency_header_names": []string{"X-Event-ID"}})
		var first string
		for _, status := range []string{"stored", "duplicate"} {
			a := s.send(e, "{}", "X-Event-ID", "1")
			if a.status != code {
				t.Fatalf("answered %d, want %d", a.status, code)
			}
			if code == 204 || code == 205 {
				if len(a.raw) > 0 || a.header.Get("Content-Type") != "" {
					t.Errorf("%d with the body %q", code, a.raw)
				}
				continue
			}
			got := read[taken](s, a)
			if got.Data.Status != status || got.Meta.RequestID != a.header.Get("X-Request-Id") || a.header.Get("Content-Type") != "application/json" {
				t.Errorf("answered %s, want it %s", a.raw, status)
			}
			if first == "" {
				first = got.Data.EventID
			} else if first != got.Data.EventID {
				t.Errorf("the duplicate is %s, the event %s", got.Data.EventID, first)
			}
		}
		if got := s.ids(e.events(), ""); len(got) != 1 {
			t.Errorf("%d events are stored, want one", len(got))
		}
	}
}

func TestRefusalsOfTheIngestURL(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(map[string]any{"verify_static_token": true, "token_header_name": "X-Token", "token_value": "0123456789abcdef"})
		base, _, _ := strings.Cut(e.ingest(), e.SecretToken)
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			req, err := http.NewRequestWithContext(t.Context(), method, s.url+e.ingest(), nil)
			if err != nil {
				t.Fatal(err)
			}
			a := s.do(req)
			if a.header.Get("Allow") != "POST" {
				t.Errorf("%s: Allow %q", method, a.header.Get("Allow"))
			}
			if method != "HEAD" {
				s.sent(a, 405, "INVALID_METHOD")
			}
		}
		s.sent(s.sendTo(base+"wrong", "{}"), 401, "INVALID_SECRET")
		s.sent(s.sendTo("/v1/webhooks/receive/"+nobody+"/"+e.SecretToken, "{}"), 404, "ENDPOINT_NOT_FOUND")
		s.sent(s.sendTo("/v1/webhooks/receive/x/"+e.SecretToken, "{}"), 404, "ENDPOINT_NOT_FOUND")
		s.sent(s.send(e, "{}"), 401, "STATIC_TOKEN_FAILED")
		s.sent(s.send(e, "{}", "X-Token", "0123456789abcdee"), 401, "STATIC_TOKEN_FAILED")
		s.store(e, "{}", "X-Token", "0123456789abcdef")
		want := append(slices.Repeat([]string{"invalid_method"}, 6), "invalid_secret", "static_token_failed", "static_token_failed")
		if diff := cmp.Diff(want, s.reasons(e)); diff != "" {
			t.Errorf("rejections (-want +got):\n%s", diff)
		}
		all := s.rejections(e)
		last := all[len(all)-1]
		if last.PullEndpointID != e.ID || last.InboundEndpointID != e.ID || last.SourceIP != "127.0.0.1" || last.ReasonDetail == "" || last.ReceivedAt == "" || last.ID == "" ||
			strings.Contains(last.HeadersRedacted, "0123456789abcde") || !json.Valid([]byte(last.HeadersRedacted)) || !strings.Contains(strings.ToLower(last.HeadersRedacted), "x-token") {
			t.Errorf("rejection: %+v", last)
		}
		s.must(200, "POST", e.path()+"/pause", nil)
		a := s.send(e, "{}", "X-Token", "0123456789abcdef")
		if s.sent(a, 503, "PAUSED"); a.header.Get("Retry-After") != "60" {
			t.Errorf("Retry-After %q of a paused endpoint", a.header.Get("Retry-After"))
		}
		if got := s.ids(e.events(), ""); len(got) != 1 {
			t.Errorf("while it is paused, the endpoint has %v", got)
		}
		s.must(200, "POST", e.path()+"/resume", nil)
		s.store(e, "{}", "X-Token", "0123456789abcdef")
		if n := len(s.reasons(e)); n != len(want) {
			t.Errorf("%d rejections, want that a paused endpoint's are none", n)
		}
		if n := len(s.ids("/v1/inbound-rejections", "limit=2")); n != len(want) {
			t.Errorf("%d rejections in pages of two", n)
		}
		if got := get[[]rejection](s, "/v1/inbound-rejections?order=desc&limit=1&inbound_endpoint_id="+e.ID); len(got) != 1 || got[0].ID != last.ID {
			t.Errorf("the newest: %+v", got)
		}
		s.must(200, "DELETE", e.path(), nil)
		s.sent(s.send(e, "{}", "X-Token", "0123456789abcdef"), 404, "ENDPOINT_DELETED")
	})
}

// TestLine34LargeBodies: a body above the limit is refused before it is read, whatever is said of its length.
func TestLine34LargeBodies(t *testing.T) {
	s := lite(t, settings{pull: pull.Config{MaxBody: 2 << 20}, web: web.Config{MaxBody: 1 << 10}})
	e := s.make(nil)
	head := "POST " + e.ingest() + " HTTP/1.1\r\nHost: a\r\n"
	for name, request := range map[string]string{
		"announced":               head + "Content-Length: 99999999999\r\n\r\n",
		"announced and asked for": head + "Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n",
	} {
		resp, body := s.raw(request)
		if resp.StatusCode != 413 || !resp.Close || !strings.Contains(body, "PAYLOAD_TOO_LARGE") {
			t.Errorf("%s: %d %s, close %v", name, resp.StatusCode, body, resp.Close)
		}
	}
	if id := s.store(e, strings.Repeat("x", 2<<20)); s.event(e, id).SizeBytes != 2<<20 {
		t.Error("a body as large as may be is not whole")
	}
	s.sent(s.send(e, strings.Repeat("x", 2<<20+1)), 413, "PAYLOAD_TOO_LARGE")

	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	written := make(chan int, 1)
	go func() { // chunks without an end
		n, _ := io.WriteString(c, head+"Transfer-Encoding: chunked\r\n\r\n")
		chunk := "10000\r\n" + strings.Repeat("x", 1<<16) + "\r\n"
		for {
			m, err := io.WriteString(c, chunk)
			if n += m; err != nil || n > 1<<30 {
				written <- n
				return
			}
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 413 {
		t.Errorf("chunks without an end: %d", resp.StatusCode)
	}
	resp.Body.Close()
	c.Close()
	if n := <-written; n > 512<<20 {
		t.Errorf("%d bytes were taken before the answer", n)
	}
	if diff := cmp.Diff(slices.Repeat([]string{"payload_too_large"}, 4), s.reasons(e)); diff != "" {
		t.Errorf("rejections (-want +got):\n%s", diff)
	}
}

// TestLine34LyingAndSlowBodies: what ends early or trickles in is not stored.
func TestLine34LyingAndSlowBodies(t *testing.T) {
	s := lite(t, settings{web: web.Config{BodyGrace: 100 * time.Millisecond, BodyRate: 1 << 20, HeaderTimeout: 200 * time.Millisecond}})
	e := s.make(nil)
	head := "POST " + e.ingest() + " HTTP/1.1\r\nHost: a\r\n"
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, head+"Content-Length: 10\r\n\r\nhello"); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil && resp.StatusCode < 400 {
		t.Errorf("a body that ends early: %d", resp.StatusCode)
	}
	for name, request := range map[string]string{
		"a body that does not come":  head + "Content-Length: 10\r\n\r\nhello",
		"chunks that do not come":    head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"chunks that are none":       head + "Transfer-Encoding: chunked\r\n\r\nhello\r\n",
		"a head that does not end":   head + "X-A: ",
		"two lengths":                head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
		"a length that is no number": head + "Content-Length: x\r\n\r\n",
	} {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil) // an answer, or the end of the connection: in either case somebody has had enough
		if err == nil && resp.StatusCode < 400 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		c.Close()
	}
	if got := s.ids(e.events(), ""); len(got) != 0 {
		t.Errorf("stored: %v", got)
	}
}

// TestLine34NothingIsDecompressed: a bomb is stored as the bytes that it is.
func TestLine34NothingIsDecompressed(t *testing.T) {
	s := lite(t, settings{})
	e := s.make(map[string]any{"event_type_source": "body", "event_type_path": "type"})
	bomb := "\x1f\x8b\x08\x00not really"
	got := s.event(e, s.store(e, bomb, "Content-Encoding", "gzip", "Content-Type", "application/json"))
	if want := `"` + base64.StdEncoding.EncodeToString([]byte(bomb)) + `"`; string(got.Payload) != want || got.EventType != nil || got.Headers["content-encoding"] != "gzip" {
		t.Errorf("stored: %+v", got)
	}
}

// TestLine35RawRequest: heads and bodies are stored as they came.
func TestLine35RawRequest(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(nil)
		body := make([]byte, 1000)
		for i := range body {
			body[i] = byte(i)
		}
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		answers := bufio.NewReader(c)
		write := func(text string) {
			t.Helper()
			if _, err := io.WriteString(c, text); err != nil {
				t.Fatal(err)
			}
		}
		status := func() (int, taken) {
			t.Helper()
			resp, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var got sentBody
			if resp.StatusCode != 100 {
				if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
					t.Fatal(err)
				}
			}
			return resp.StatusCode, got.Data
		}
		write("POST " + e.ingest() + "?q=1 HTTP/1.1\r\nHost: hooks.example.test\r\nx-twice: one\r\ncontent-TYPE: application/octet-stream\r\nX-Twice:  two \r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
		if code, _ := status(); code != 100 {
			t.Fatalf("Expect: 100-continue is answered %d", code)
		}
		write(string(body))
		code, first := status()
		if code != 202 {
			t.Fatalf("answered %d", code)
		}
		write("POST " + e.ingest() + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n")
		code, second := status()
		if code != 202 {
			t.Fatalf("chunks and a trailer are answered %d", code)
		}
		got := get[event](s, e.events()+"/"+first.EventID+"?encoding=base64")
		var text string
		if err := json.Unmarshal(got.Payload, &text); err != nil {
			t.Fatal(err)
		}
		if raw, err := base64.StdEncoding.DecodeString(text); err != nil || sha256.Sum256(raw) != sha256.Sum256(body) {
			t.Errorf("the body is not the one that was sent: %v, %d bytes", err, len(raw))
		}
		want := [][2]string{
			{"Host", "hooks.example.test"}, {"x-twice", "one"}, {"content-TYPE", "application/octet-stream"}, {"X-Twice", "two"}, {"Content-Length", "1000"}, {"Expect", "100-continue"},
		}
		if diff := cmp.Diff(want, got.HeaderLines); diff != "" {
			t.Errorf("header lines (-want +got):\n%s", diff)
		}
		if got.Headers["x-twice"] != "one, two" || got.ContentType != "application/octet-stream" {
			t.Errorf("headers %v, content_type %q", got.Headers, got.ContentType)
		}
		if got := s.event(e, second.EventID); string(got.Payload) != `"YWJjZGU="` || got.SizeBytes != 5 {
			t.Errorf("of chunks: %s", got.Payload)
		}
	})
}

type sentBody = body[taken]

// TestLine36Tokens: a static token is taken from the header or the query, and neither it nor the secret of the URL is in a log.
func TestLine36Tokens(t *testing.T) {
	s := lite(t, settings{})
	const token = "correct-horse-battery-staple"
	e := s.make(map[string]any{"verify_static_token": true, "token_header_name": "X-Token", "token_query_param": "tok", "token_value": token})
	s.store(e, "1", "X-Token", token)
	if a := s.sendTo(e.ingest()+"?a=b&tok="+token, "2"); a.status != 202 {
		t.Errorf("the token in the query: %d %s", a.status, a.raw)
	}
	const guess = "wrong-horse-battery-staple"
	for _, wrong := range []answer{
		s.send(e, "3"), s.send(e, "3", "X-Token", guess), s.send(e, "3", "X-Token", token+"x"), s.send(e, "3", "X-Token", token[:20]), s.send(e, "3", "tok", token),
		s.sendTo(e.ingest()+"?tok="+guess, "3"), s.sendTo(e.ingest()+"?TOK="+token, "3"), s.sendTo(e.ingest()+"?tok=", "3"),
	} {
		s.sent(wrong, 401, "STATIC_TOKEN_FAILED")
	}
	base, _, _ := strings.Cut(e.ingest(), e.SecretToken)
	s.sendTo(base+e.SecretToken[:30], "4")                                   // a secret that was not copied whole
	s.sendTo(e.ingest()+"/x?tok="+token, "4")                                // and one with something behind it
	s.sendTo(e.ingest(), strings.Repeat("x", 1<<20+1), "X-Token", token)     // too large
	s.call("GET", e.ingest()+"?tok="+token, nil)                             // the wrong method
	s.sendTo(strings.ToUpper(base[:4])+base[4:]+e.SecretToken+"?tok=x", "4") // another path
	if err := s.depot.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := s.log.String()
	for _, secret := range []string{token, guess, e.SecretToken, e.SecretToken[:30], url.QueryEscape(token), "tok="} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
	if n := strings.Count(log, "/v1/webhooks/receive/"+e.ID+"/…"); n < 10 {
		t.Errorf("only %d requests to the ingest URL are in the log:\n%s", n, log)
	}
	for _, r := range s.rejections(e) {
		if text := fmt.Sprint(r); strings.Contains(text, token) || strings.Contains(text, guess) || strings.Contains(text, e.SecretToken) {
			t.Errorf("a rejection has a secret in it: %s", text)
		}
	}
}

// signed is the header of a Stripe signature.
func signed(secret, body string, at time.Time, more ...string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	return strings.Join(append([]string{fmt.Sprint("t=", at.Unix())}, append(more, "v1="+hex.EncodeToString(mac.Sum(nil)))...), ",")
}

func TestSignaturesAndChallenges(t *testing.T) {
	s := lite(t, settings{})
	const secret = "whsec_of_stripe_0123456789"
	for _, members := range []map[string]any{
		{"verify_hmac": true, "hmac_header_name": "Stripe-Signature", "timestamp_header_name": "Stripe-Signature", "timestamp_ttl_seconds": 300, "hmac_secret": secret},
		{"provider": "stripe", "hmac_secret": secret},
	} {
		e := s.make(members)
		if !e.VerifyHMAC {
			t.Fatalf("%v: signatures are not checked", members)
		}
		s.store(e, `{"type":"x"}`, "Stripe-Signature", signed(secret, `{"type":"x"}`, s.now(), "v1="+strings.Repeat("0", 64)))
		for name, h := range map[string]string{
			"another body": signed(secret, `{}`, s.now()), "another secret": signed("x", `{"type":"x"}`, s.now()), "nothing": "",
			"an old one": signed(secret, `{"type":"x"}`, s.now().Add(-302*time.Second)), "one of the future": signed(secret, `{"type":"x"}`, s.now().Add(310*time.Second)),
		} {
			if a := s.send(e, `{"type":"x"}`, "Stripe-Signature", h); a.status != 401 {
				t.Errorf("%s: %d %s", name, a.status, a.raw)
			}
		}
		if diff := cmp.Diff(slices.Repeat([]string{"hmac_failed"}, 5), s.reasons(e)); diff != "" {
			t.Errorf("rejections (-want +got):\n%s", diff)
		}
	}
	slack := s.make(map[string]any{"provider": "slack", "hmac_secret": secret})
	body := `{"type":"url_verification","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}`
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "v0:%d:%s", s.now().Unix(), body)
	stamp := fmt.Sprint(s.now().Unix())
	a := s.send(slack, body, "X-Slack-Request-Timestamp", stamp, "X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)), "Content-Type", "application/json")
	if a.status != 200 || !strings.Contains(string(a.raw), "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P") || strings.Contains(a.header.Get("Content-Type"), "html") || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("Slack's challenge is answered %d %q %s", a.status, a.header.Get("Content-Type"), a.raw)
	}
	if a := s.send(slack, body, "X-Slack-Request-Timestamp", stamp); a.status != 401 {
		t.Errorf("a challenge that is not signed: %d %s", a.status, a.raw)
	}
	twitter := s.make(map[string]any{"provider": "twitter", "hmac_secret": secret})
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+twitter.ingest()+"?crc_token=abc", nil)
	if err != nil {
		t.Fatal(err)
	}
	mac = hmac.New(sha256.New, []byte(secret))
	io.WriteString(mac, "abc")
	if a := s.do(req); a.status != 200 || !strings.Contains(string(a.raw), "sha256="+base64.StdEncoding.EncodeToString(mac.Sum(nil))) {
		t.Errorf("Twitter's challenge is answered %d %s", a.status, a.raw)
	}
	if n := len(s.ids(slack.events(), "")) + len(s.ids(twitter.events(), "")); n != 0 {
		t.Errorf("%d challenges were stored", n)
	}
}

// TestLine38Networks: an allow-list is about the peer, or about what a trusted proxy says of it.
func TestLine38Networks(t *testing.T) {
	const listed = "203.0.113.0/24"
	allow := map[string]any{"verify_ip_allowlist": true, "allowed_cidrs": []string{listed, "2001:db8:1::/48", "::ffff:198.51.100.7/128"}}
	t.Run("no proxy", func(t *testing.T) {
		s := lite(t, settings{})
		e := s.make(allow)
		s.sent(s.send(e, "1"), 403, "IP_NOT_ALLOWED")
		s.sent(s.send(e, "1", "X-Forwarded-For", "203.0.113.9"), 403, "IP_NOT_ALLOWED")
		s.sent(s.send(e, "1", "Forwarded", "for=203.0.113.9"), 403, "IP_NOT_ALLOWED")
		local := s.make(map[string]any{"verify_ip_allowlist": true, "allowed_cidrs": []string{"127.0.0.1"}})
		s.store(local, "1", "X-Forwarded-For", "203.0.113.9")
		if r := s.rejections(e); len(r) != 3 || r[1].SourceIP != "127.0.0.1" || r[1].ReasonCode != "ip_not_allowed" {
			t.Errorf("rejections: %+v", r)
		}
	})
	t.Run("proxy", func(t *testing.T) {
		s := lite(t, settings{web: web.Config{TrustedProxies: []netip.Prefix{loopback}}})
		e := s.make(allow)
		for hops, want := range map[string]int{
			"203.0.113.9": 202, "198.51.100.1, 203.0.113.9": 202, "203.0.113.9, 198.51.100.1": 403, "203.0.113.9, 127.0.0.5": 202, "203.0.114.9": 403,
			"2001:db8:1::5": 202, "2001:db8:2::5": 403, "::ffff:203.0.113.9": 202, "198.51.100.7": 202, "::ffff:198.51.100.7": 202, "198.51.100.8": 403, "x": 403, "": 403,
		} {
			if a := s.send(e, "1", "X-Forwarded-For", hops); a.status != want {
				t.Errorf("X-Forwarded-For %q: %d %s, want %d", hops, a.status, a.raw, want)
			}
		}
	})
}

func TestLimitsOfTheIngestURL(t *testing.T) {
	s := lite(t, settings{pull: pull.Config{MaxEvents: 2}})
	e := s.make(nil)
	first := s.store(e, "1")
	s.store(e, "2")
	a := s.send(e, "3")
	if s.sent(a, 507, "QUOTA_EXCEEDED"); a.header.Get("Retry-After") == "" {
		t.Error("507 without Retry-After")
	}
	s.must(200, "DELETE", e.events()+"/"+first, nil)
	s.store(e, "3")

	fast := lite(t, settings{pull: pull.Config{PerSecond: 0.001, Burst: 2}})
	e = fast.make(nil)
	fast.store(e, "1")
	fast.store(e, "2")
	a = fast.send(e, "3")
	if fast.sent(a, 429, "RATE_LIMITED"); a.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
}

// TestLine39Duplicates: of many requests under one key at once, one is stored, and all are answered with its id.
func TestLine39Duplicates(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e := s.make(map[string]any{"idempotency_header_names": []string{"X-A", "X-B"}})
		var mu sync.Mutex
		seen := map[string]int{}
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				a := s.send(e, "{}", "X-A", "1")
				got := read[taken](s, a).Data
				mu.Lock()
				defer mu.Unlock()
				seen[got.EventID]++
				seen[got.Status]++
			})
		}
		all.Wait()
		if len(seen) != 3 || seen["stored"] != 1 || seen["duplicate"] != 19 {
			t.Errorf("answers: %v", seen)
		}
		for i, header := range [][]string{{"X-A", "1", "X-B", "2"}, {"X-B", "1"}, nil, nil} {
			s.store(e, fmt.Sprint(i), header...)
		}
	})
}

// Security checklist 34: whoever has not the URL's secret, or may not send now, is answered before a byte of the body is there.
func TestLine34StrangersAreAnsweredBeforeTheirBody(t *testing.T) {
	s := lite(t, settings{})
	e := s.make(nil)
	path := strings.TrimPrefix(e.IngestURL, public)
	s.must(200, "POST", e.path()+"/pause", nil)
	for path, want := range map[string]int{
		"/v1/webhooks/receive/" + nobody + "/x": 404,
		"/v1/webhooks/receive/" + e.ID + "/x":   401,
		path:                                    503,
	} {
		if resp, body := s.raw("POST " + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n"); resp.StatusCode != want {
			t.Errorf("%s without its body: %d %s, want %d", path, resp.StatusCode, body, want)
		}
	}
}

func FuzzIngest(f *testing.F) {
	f.Add("POST", "/v1/webhooks/receive/"+nobody+"/x?a=b", "X: y\r\n", []byte("{}"))
	f.Add("GET", "/v1/webhooks/receive/%00/%ff", "Content-Length: 5\r\n", []byte("x"))
	f.Add("POST", "/v1/pull-endpoints/x/events/ack", "Transfer-Encoding: chunked\r\n", []byte("0\r\n\r\n"))
	s := lite(f, settings{web: web.Config{BodyGrace: 50 * time.Millisecond, HeaderTimeout: 100 * time.Millisecond}})
	f.Fuzz(func(t *testing.T, method, path, head string, body []byte) {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = c.Write(slices.Concat([]byte(method+" "+path+" HTTP/1.1\r\nHost: a\r\n"+head+"\r\n"), body))
		_ = c.(*net.TCPConn).CloseWrite()
		got, _ := io.ReadAll(c)
		if bytes.HasPrefix(got, []byte("HTTP/1.1 500")) {
			t.Errorf("%q %q %q %q: %s", method, path, head, body, got)
		}
	})
}
