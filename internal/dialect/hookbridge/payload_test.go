package hookbridge_test

import (
	"mime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dialect/hookbridge"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// A payload is a stranger's, and who opens it in a browser must not run it: it is kept as a file, nobody guesses what it is, and nothing in it is loaded.
func TestAPayloadIsItsExactBytesAndHarmless(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	page := "<!doctype html><script>alert(document.domain)</script>"
	sites(t, func(t *testing.T, s *site) {
		e := s.make(nil)
		for _, c := range []struct{ sent, body, media, suffix string }{
			{"application/json", "{ \"a\" : 1.00,\r\n \"a\":\"<&>\" }\n", "application/json", ".json"},
			{"Application/JSON; charset=UTF-8", "null", "application/json; charset=utf-8", ".json"},
			{"application/vnd.github+json", "[]", "application/vnd.github+json", ".json"},
			{"application/x-www-form-urlencoded", "payload=%7B%7D", "application/x-www-form-urlencoded", ".bin"},
			{"text/plain; charset=utf-7", "+ADw-script+AD4-", "text/plain", ".txt"},
			{"text/plain; charset=iso-8859-1", "Gr\xf6\xdfe", "text/plain; charset=iso-8859-1", ".txt"},
			{"application/octet-stream", string(all), "application/octet-stream", ".bin"},
			{"", string(all), "application/octet-stream", ".bin"},
			{"text/html", page, "application/octet-stream", ".bin"},
			{"text/html+json", page, "application/octet-stream", ".bin"},
			{"image/svg+xml", page, "application/octet-stream", ".bin"},
			{"application/xhtml+xml", page, "application/octet-stream", ".bin"},
			{"multipart/x-mixed-replace; boundary=b", page, "application/octet-stream", ".bin"},
			{"application/javascript", "alert(1)", "application/octet-stream", ".bin"},
			{"text/html, application/json", page, "application/octet-stream", ".bin"},
			{"application/json; x=\"", page, "application/octet-stream", ".bin"},
			{"nothing of the kind", page, "application/octet-stream", ".bin"},
			{"application/json", "", "application/json", ".json"},
			{"text/plain", strings.Repeat("long\x00", 100_000), "text/plain", ".txt"},
		} {
			event := s.store(e, c.body, "Content-Type", c.sent)
			path := e.events() + "/" + event + "/payload"
			a := s.call("GET", path, nil)
			if a.status != 200 || string(a.raw) != c.body {
				t.Errorf("%q: %d with %d bytes, want 200 with the %d that came", c.sent, a.status, len(a.raw), len(c.body))
			}
			for name, want := range map[string]string{
				"Content-Type": c.media, "Content-Disposition": `attachment; filename="` + event + c.suffix + `"`, "X-Content-Type-Options": "nosniff",
				"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "no-store", "Content-Length": strconv.Itoa(len(c.body)),
			} {
				if got := a.header.Values(name); len(got) != 1 || got[0] != want {
					t.Errorf("%q: %s is %q, want %q", c.sent, name, got, want)
				}
			}
			head := s.call("HEAD", path, nil)
			if head.status != 200 || len(head.raw) != 0 || head.header.Get("Content-Type") != c.media || head.header.Get("Content-Length") != strconv.Itoa(len(c.body)) {
				t.Errorf("%q: HEAD = %d %v", c.sent, head.status, head.header)
			}
			if got := get[event0](s, e.events()+"/"+event+"?preview=true"); got.Status != "stored" {
				t.Errorf("%q: the event is %s, want as it was", c.sent, got.Status)
			}
		}
	})
}

type event0 struct{ Status string }

func TestAPayloadThatIsNotThere(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		e, another := s.make(nil), s.make(nil)
		event := s.store(e, `{"email":"kari@example.com"}`)
		path := e.events() + "/" + event + "/payload"
		for who, header := range map[string]string{"another organisation": "Bearer " + s.other(), "an app": "Bearer app-1"} {
			if s.refused(404, "NOT_FOUND", "GET", path, nil, "Authorization", header) == "" {
				t.Errorf("%s: nothing is said", who)
			}
		}
		s.refused(401, "UNAUTHORIZED", "GET", path, nil, "Authorization", "")
		s.refused(403, "INSUFFICIENT_SCOPE", "GET", path, nil, "Authorization", "Bearer "+s.newKey(scope.EventsRead))
		s.refused(404, "NOT_FOUND", "GET", another.events()+"/"+event+"/payload", nil)
		s.refused(404, "NOT_FOUND", "GET", e.events()+"/"+another.ID+"/payload", nil)
		s.refused(400, "INVALID_REQUEST", "GET", e.events()+"/evt_1/payload", nil)
		s.refused(400, "INVALID_REQUEST", "GET", "/v1/pull-endpoints/x/events/"+event+"/payload", nil)
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
			a := s.call(method, path, nil)
			if a.status != 405 || a.header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s = %d, Allow %q", method, a.status, a.header.Get("Allow"))
			}
		}
		if n, err := pull.EraseTraces(t.Context(), s.db, s.org, person.Of("kari@example.com")); n != 1 || err != nil {
			t.Fatalf("EraseTraces = %d, %v", n, err)
		}
		s.refused(410, "PAYLOAD_ERASED", "GET", path, nil)
		s.must(200, "DELETE", e.events()+"/"+event, nil)
		s.refused(410, "MESSAGE_DELETED", "GET", path, nil)
		late := s.store(e, "x")
		s.pass(31 * 24 * time.Hour)
		s.refused(404, "NOT_FOUND", "GET", e.events()+"/"+late+"/payload", nil)
		s.must(200, "DELETE", e.path(), nil)
		s.refused(404, "NOT_FOUND", "GET", path, nil)
	})
}

// FuzzPayloadType holds that whatever a sender says its body is, a browser is told nothing that it would run.
func FuzzPayloadType(f *testing.F) {
	for _, sent := range []string{"application/json", "text/html", "text/plain;charset=utf-8", "application/a+json; charset=x", "text/plain\x00", "application/;", "; charset=utf-8"} {
		f.Add(sent)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		got, suffix := hookbridge.Harmless(sent)
		media, params, err := mime.ParseMediaType(got)
		if err != nil || !slices.Contains([]string{".bin", ".json", ".txt"}, suffix) {
			t.Fatalf("%q: %q, %q (%v)", sent, got, suffix, err)
		}
		switch delete(params, "charset"); {
		case len(params) > 0:
			t.Errorf("%q: parameters %v", sent, params)
		case media == "application/json", media == "text/plain", media == "application/octet-stream", media == "application/x-www-form-urlencoded":
		case strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"):
		default:
			t.Errorf("%q: it is handed out as %q", sent, media)
		}
	})
}
