package hookbridge_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// What differs from run to run in an answer, and what stands for it.
var (
	uuids    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	instants = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[0-9:.]+Z"`)
	millis   = regexp.MustCompile(`(_ms"): \d+`)
	made     = regexp.MustCompile(`\b(req_|sdi_|key_)[0-9a-z]+`)
	opaque   = regexp.MustCompile(`("next_cursor|"token)": "[^"]+"`)
	ports    = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// script writes exchanges down.
type script struct {
	*site
	text  strings.Builder
	names map[string]string // of ids
}

func (s *script) plain(text string) string {
	text = uuids.ReplaceAllStringFunc(text, func(id string) string {
		if s.names[id] == "" {
			s.names[id] = fmt.Sprintf("<id %d>", len(s.names)+1)
		}
		return s.names[id]
	})
	text = instants.ReplaceAllString(text, `"<time>"`)
	text = millis.ReplaceAllString(text, "$1: 0")
	text = made.ReplaceAllString(text, "<${1}…>")
	text = opaque.ReplaceAllString(text, `$1": "<…>"`)
	return ports.ReplaceAllString(text, "<address>")
}

// note writes an exchange down.
func (s *script) note(method, path string, content any, a answer) answer {
	s.t.Helper()
	var b bytes.Buffer
	if len(a.raw) > 0 {
		if err := json.Indent(&b, bytes.TrimSpace(a.raw), "", "  "); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, a.raw)
		}
	}
	text := ""
	if content != nil {
		text = " " + fmt.Sprint(content)
	}
	s.text.WriteString(s.plain(fmt.Sprintf("%s %s%s\n%d %s\n%s\n\n", method, path, text, a.status, a.header.Get("Content-Type"), b.String())))
	return a
}

func (s *script) api(method, path string, content any) answer {
	s.t.Helper()
	return s.note(method, path, content, s.call(method, path, content))
}

func (s *script) in(e endpoint, content string, header ...string) string {
	s.t.Helper()
	a := s.note("POST", e.ingest(), content, s.send(e, content, header...))
	return read[taken](s.site, a).Data.EventID
}

// TestGoldenAnswers has one answer of each route, and of each way of the ingest URL to refuse, in a file.
func TestGoldenAnswers(t *testing.T) {
	s := &script{site: lite(t, settings{}), names: map[string]string{}}
	e := read[endpoint](s.site, s.api("POST", all, `{"name":"Box office feed","event_type_source":"body","event_type_path":"type",`+
		`"verify_static_token":true,"token_header_name":"X-Token","token_value":"0123456789abcdef","allowed_cidrs":["203.0.113.0/24"],"idempotency_header_names":["X-Event-ID"]}`)).Data
	s.api("POST", all, `{"retention_days":0,"event_type_source":"query"}`)
	s.api("GET", all, nil)
	const token = "0123456789abcdef"
	one := s.in(e, `{"type":"ticket.sold","n":1}`, "X-Token", token, "X-Event-ID", "1", "User-Agent", "sender/1")
	s.in(e, `{"type":"ticket.sold","n":1}`, "X-Token", token, "X-Event-ID", "1", "User-Agent", "sender/1")
	two := s.in(e, `not JSON`, "X-Token", token, "Content-Type", "text/plain", "User-Agent", "sender/1")
	s.in(e, `{}`, "User-Agent", "sender/1")
	s.api("PUT", e.ingest(), nil)
	s.api("GET", e.events()+"?limit=1", nil)
	s.api("GET", e.events()+"/"+one+"?preview=true", nil)
	s.api("GET", e.events()+"/"+one, nil)
	claimed := s.api("POST", e.events()+"/claim", `{"limit":2,"lease_seconds":60}`)
	if got := read[[]event](s.site, claimed).Data; len(got) > 0 {
		body := `{"token":"` + got[0].Claim.Token + `"}`
		s.note("POST", e.path()+"/claims/extend", `{"token":"<…>"}`, s.call("POST", e.path()+"/claims/extend", body))
		s.note("POST", e.path()+"/claims/release", `{"token":"<…>"}`, s.call("POST", e.path()+"/claims/release", body))
		s.note("POST", e.path()+"/claims/release", `{"token":"<…>"}`, s.call("POST", e.path()+"/claims/release", body))
	}
	s.api("POST", e.events()+"/ack", `{"event_ids":["`+one+`"]}`)
	s.api("POST", e.events()+"/ack", `{"event_ids":["`+nobody+`"]}`)
	s.api("DELETE", e.events()+"/"+two, nil)
	s.api("GET", e.events()+"/"+two, nil)
	s.api("GET", e.events()+"/"+two+"?preview=true", nil)
	s.api("POST", e.events()+"/delete-batch", `{"message_ids":["`+two+`","`+nobody+`"]}`)
	s.api("GET", "/v1/pull-logs", nil)
	s.api("GET", "/v1/pull-metrics", nil)
	if err := s.depot.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.api("GET", "/v1/inbound-rejections", nil)
	s.api("POST", e.events()+"/delete-all?status=delivered", nil)
	s.api("GET", e.path(), nil)
	s.api("PATCH", e.path(), `{"name":"Renamed"}`)
	s.api("POST", e.path()+"/pause", nil)
	s.note("POST", e.ingest(), "{}", s.send(e, "{}"))
	s.api("POST", e.path()+"/resume", nil)
	s.api("DELETE", e.path(), nil)
	s.note("POST", e.ingest(), "{}", s.send(e, "{}"))
	s.api("GET", e.path(), nil)
	s.api("GET", all+"/x", nil)
	s.api("GET", "/v1/pull-metrics?pull_endpoint_id="+nobody, nil)
	s.note("GET", all, "without a key", s.call("GET", all, nil, "Authorization", ""))
	golden(t, "testdata/answers.golden.txt", s.text.String())
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
