package passkit_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/dialect/passkit"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const (
	phone  = "4ea9d3f0c1b24d3e8a7f6b5c4d3e2f1a"
	pushes = `{"pushToken":"8a7b6c5d4e3f2a1b8a7b6c5d4e3f2a1b8a7b6c5d4e3f2a1b8a7b6c5d4e3f2a1b"}`
)

func TestADeviceRegistersOnce(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		p := s.pass(pass.Apple, "one")
		if a := s.must(201, "POST", p.registration(phone), pushes, "Authorization", p.authorization()); a.body != "" {
			t.Errorf("the answer has the body %q", a.body)
		}
		s.must(200, "POST", p.registration(phone), pushes, "Authorization", p.authorization())
		s.must(200, "POST", p.registration(phone), `{"pushToken":"00ff"}`, "Authorization", p.authorization())
		if got := s.now(p); got.Open != 1 || len(got.Registrations) != 1 {
			t.Errorf("one device has registered, and the pass is on %d: %+v", got.Open, got.Registrations)
		}
		s.must(201, "POST", p.registration("another"), pushes, "Authorization", p.authorization())
		s.must(200, "DELETE", p.registration(phone), "", "Authorization", p.authorization())
		s.must(200, "DELETE", p.registration(phone), "", "Authorization", p.authorization())
		s.must(200, "DELETE", p.registration("nobody"), "", "Authorization", p.authorization())
		if got := s.now(p); got.Open != 1 || len(got.Registrations) != 2 || got.Registrations[0].DeletedAt.IsZero() {
			t.Errorf("after one of two has gone, the pass is on %d: %+v", got.Open, got.Registrations)
		}
		s.must(201, "POST", p.registration(phone), pushes, "Authorization", p.authorization())
	})
}

func TestWhatIsNoRegistrationIsRefused(t *testing.T) {
	s := lite(t)
	p := s.pass(pass.Apple, "one")
	for _, body := range []string{
		``, `{`, `[]`, `"00ff"`, `{}`, `{"pushToken":null}`, `{"pushToken":1}`, `{"pushToken":""}`, `{"pushToken":"xyz"}`, `{"pushToken":"` + strings.Repeat("0", 201) + `"}`,
		`{"pushToken":"00"}{}`, "{\"pushToken\":\"00\x00\"}",
	} {
		if a := s.must(400, "POST", p.registration(phone), body, "Authorization", p.authorization()); a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s is answered with a %s", body, a.header.Get("Content-Type"))
		}
	}
	s.must(413, "POST", p.registration(phone), `{"pushToken":"00","more":"`+strings.Repeat("x", 5000)+`"}`, "Authorization", p.authorization())
	s.must(400, "POST", p.registration(strings.Repeat("d", 129)), pushes, "Authorization", p.authorization())
	s.must(400, "POST", p.registration("a%07b"), pushes, "Authorization", p.authorization())
	s.must(400, "POST", p.registration("a%ffb"), pushes, "Authorization", p.authorization())
	s.must(400, "DELETE", p.registration(strings.Repeat("d", 129)), "", "Authorization", p.authorization())
	if got := s.now(p); got.Open != 0 || got.Version != 1 {
		t.Errorf("what was refused has registered %d devices", got.Open)
	}
	s.must(201, "POST", p.registration(strings.Repeat("d", 128)), `{"pushToken":"`+strings.Repeat("0", 200)+`"}`, "Authorization", p.authorization())
}

// Whatever is wrong with the token is the same 401, so that nobody learns which passes there are.
func TestOnlyThePassesTokenOpensIt(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		p, other, googles := s.pass(pass.Apple, "one"), s.pass(pass.Apple, "two"), s.pass(pass.Google, "three")
		s.must(201, "POST", p.registration(phone), pushes, "Authorization", p.authorization())
		swap := func(path, from, to string) string { return strings.Replace(path, from, to, 1) }
		for what, c := range map[string]struct{ path, authorization string }{
			"nothing":         {"", ""},
			"no token":        {"", "ApplePass"},
			"an empty token":  {"", "ApplePass "},
			"another scheme":  {"", "Bearer " + p.token},
			"another's token": {"", other.authorization()},
			"a longer token":  {"", p.authorization() + "0"},
			"a shorter token": {"", p.authorization()[:len(p.authorization())-1]},
			"another pass":    {other.Serial, p.authorization()},
			"no pass":         {strings.Repeat("0", 32), p.authorization()},
			"Google's pass":   {googles.Serial, googles.authorization()},
			"another type":    {"pass.another", p.authorization()},
		} {
			for _, route := range [][3]string{{"POST", p.registration("new"), pushes}, {"DELETE", p.registration(phone), ""}, {"GET", p.path(), ""}} {
				path := route[1]
				switch c.path {
				case "":
				case "pass.another":
					path = swap(path, typeID, c.path)
				default:
					path = swap(path, p.Serial, c.path)
				}
				a := s.must(401, route[0], path, route[2], "Authorization", c.authorization)
				if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "ApplePass ") {
					t.Errorf("%s %s with %s: WWW-Authenticate %q", route[0], route[1], what, got)
				}
				if !strings.Contains(a.body, `"not_authorized"`) {
					t.Errorf("%s %s with %s says %s", route[0], route[1], what, a.body)
				}
			}
		}
		s.must(200, "GET", p.path(), "", "Authorization", "applepass "+p.token) // schemes have no case (RFC 9110 §11.1)
		if got := s.now(p); got.Open != 1 {
			t.Errorf("after all that the pass is on %d devices", got.Open)
		}
	})
}

type changed struct {
	SerialNumbers []string
	LastUpdated   string
}

// changed asks what has changed for a device, which is something.
func (s *site) changed(device, since string) (c changed) {
	s.t.Helper()
	a := s.must(200, "GET", list(device, since), "")
	if err := json.Unmarshal([]byte(a.body), &c); err != nil || a.header.Get("Content-Type") != "application/json" || c.LastUpdated == "" {
		s.t.Fatalf("what has changed: %s %s", a.header.Get("Content-Type"), a.body)
	}
	return c
}

func TestADeviceAsksWhatHasChanged(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		s.must(204, "GET", list(phone, ""), "")
		one, two, three := s.pass(pass.Apple, "one"), s.pass(pass.Apple, "two"), s.pass(pass.Apple, "three")
		for _, p := range []made{one, two} {
			s.must(201, "POST", p.registration(phone), pushes, "Authorization", p.authorization())
		}
		s.must(201, "POST", three.registration("another"), pushes, "Authorization", three.authorization())

		c := s.changed(phone, "")
		if diff := cmp.Diff([]string{one.Serial, two.Serial}, c.SerialNumbers); diff != "" {
			t.Errorf("a device that asks first (-want +got):\n%s", diff)
		}
		s.must(204, "GET", list(phone, c.LastUpdated), "")

		s.change(two, "deux")
		next := s.changed(phone, c.LastUpdated)
		if diff := cmp.Diff([]string{two.Serial}, next.SerialNumbers); diff != "" {
			t.Errorf("after a change (-want +got):\n%s", diff)
		}
		s.must(204, "GET", list(phone, next.LastUpdated), "")
		s.change(one, "une")
		s.change(three, "trois")
		if got := s.changed(phone, c.LastUpdated).SerialNumbers; len(got) != 2 {
			t.Errorf("a device that missed a change is told of %v", got)
		}
		for _, odd := range []string{"x", "1.5", "99999999999999999999"} {
			if got := s.changed(phone, odd).SerialNumbers; len(got) != 2 {
				t.Errorf("since %s: %v, want both", odd, got)
			}
		}
		s.must(204, "GET", strings.Replace(list(phone, ""), typeID, "pass.another", 1), "")
		s.must(204, "GET", list(strings.ToUpper(phone), ""), "")
		s.must(400, "GET", list(strings.Repeat("d", 129), ""), "")

		s.must(200, "DELETE", two.registration(phone), "", "Authorization", two.authorization())
		if got := s.changed(phone, "").SerialNumbers; len(got) != 1 {
			t.Errorf("after one was removed: %v", got)
		}
	})
}

// fetch fetches a pass.
func (s *site) fetch(p made) (got pressed, lastModified string) {
	s.t.Helper()
	a := s.must(200, "GET", p.path(), "", "Authorization", p.authorization())
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.header.Get("Content-Type") != "application/vnd.apple.pkpass" {
		s.t.Fatalf("the pass is %s %s", a.header.Get("Content-Type"), a.body)
	}
	return got, a.header.Get("Last-Modified")
}

func TestADeviceFetchesAPassWhenItHasChanged(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		p := s.pass(pass.Apple, "one")
		got, at := s.fetch(p)
		if diff := cmp.Diff(pressed{p.Serial, p.token, "one", false}, got); diff != "" {
			t.Errorf("the pass (-want +got):\n%s", diff)
		}
		for i, message := range []string{"two", "three", "four"} { // within a second, and yet each is told apart
			if a := s.must(304, "GET", p.path(), "", "Authorization", p.authorization(), "If-Modified-Since", at); a.body != "" || a.header.Get("Last-Modified") != at {
				t.Errorf("304 with %q, Last-Modified %q, want %q", a.body, a.header.Get("Last-Modified"), at)
			}
			s.change(p, message)
			before := at
			s.must(200, "GET", p.path(), "", "Authorization", p.authorization(), "If-Modified-Since", before)
			if got, at = s.fetch(p); got.Message != message || at == before {
				t.Errorf("after change %d the pass says %q, and was modified %s; before %s", i+1, got.Message, at, before)
			}
		}
		s.must(200, "GET", p.path(), "", "Authorization", p.authorization(), "If-Modified-Since", "yesterday")
		s.must(401, "GET", p.path(), "", "If-Modified-Since", at)
		if a := s.must(200, "HEAD", p.path(), "", "Authorization", p.authorization()); a.body != "" || a.header.Get("Last-Modified") != at {
			t.Errorf("HEAD: %q, Last-Modified %q", a.body, a.header.Get("Last-Modified"))
		}
		if when, err := http.ParseTime(at); err != nil || time.Until(when) > 5*time.Second {
			t.Errorf("Last-Modified %q: %v", at, err)
		}
	})
}

func TestAnExpiredPassIsFetchedButNotTaken(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		p := s.pass(pass.Apple, "one")
		s.must(201, "POST", p.registration(phone), pushes, "Authorization", p.authorization())
		since := s.changed(phone, "").LastUpdated
		_, at := s.fetch(p)
		s.write(func(tx *db.Tx) error {
			_, err := s.book.Expire(tx, s.org, p.ID, pass.AdminRevoke)
			return err
		})
		if got := s.changed(phone, since).SerialNumbers; len(got) != 1 {
			t.Errorf("after the pass has expired, its device hears of %v", got)
		}
		s.must(200, "GET", p.path(), "", "Authorization", p.authorization(), "If-Modified-Since", at)
		if got, _ := s.fetch(p); !got.Void {
			t.Error("the pass is not void")
		}
		s.must(200, "POST", p.registration("another"), pushes, "Authorization", p.authorization())
		s.must(200, "POST", p.registration(phone), pushes, "Authorization", p.authorization())
		if got := s.now(p); got.Open != 1 {
			t.Errorf("an expired pass was taken by others: it is on %d devices", got.Open)
		}
		s.must(200, "DELETE", p.registration(phone), "", "Authorization", p.authorization())
		if got := s.now(p); got.Open != 0 {
			t.Errorf("after its device has removed it, it is on %d", got.Open)
		}
	})
}

func TestAPassIsOnSoManyDevices(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		p := s.pass(pass.Apple, "one")
		for i := range pass.MaxOpen {
			s.must(201, "POST", p.registration(fmt.Sprint("device-", i)), pushes, "Authorization", p.authorization())
		}
		a := s.must(429, "POST", p.registration("one-more"), pushes, "Authorization", p.authorization())
		if !strings.Contains(a.body, `"too_many_devices"`) {
			t.Errorf("one device more: %s", a.body)
		}
		s.must(200, "POST", p.registration("device-0"), pushes, "Authorization", p.authorization())
		s.must(200, "DELETE", p.registration("device-0"), "", "Authorization", p.authorization())
		s.must(201, "POST", p.registration("one-more"), pushes, "Authorization", p.authorization())
	})
}

func TestWhatDevicesReportIsLoggedWithoutSecrets(t *testing.T) {
	s := lite(t)
	p := s.pass(pass.Apple, "one")
	report := func(status int, logs ...string) {
		t.Helper()
		raw, err := json.Marshal(map[string]any{"logs": logs})
		if err != nil {
			t.Fatal(err)
		}
		s.must(status, "POST", "/passkit/v1/log", string(raw))
	}
	report(200, "[2031-06-01 19:00:00 +0200] Get pass task (pass type "+typeID+", serial number "+p.Serial+", if-modified-since (null); with web service url "+
		public+"/passkit) encountered error: Authentication failure", "token "+p.token, "two\nlines level=ERROR")
	log := s.log.String()
	for _, want := range []string{"encountered error: Authentication failure", typeID, public, `two\nlines`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not have %q:\n%s", want, log)
		}
	}
	for _, secret := range []string{p.Serial, p.token} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q:\n%s", secret, log)
		}
	}
	many := make([]string, 150)
	for i := range many {
		many[i] = strings.Repeat("long ", 200) // 1,000 bytes
	}
	before := strings.Count(s.log.String(), "reports")
	for range 2 { // what fits into the body
		report(200, many[:40]...)
	}
	report(200, strings.Split(strings.Repeat("x ", 150), " ")...)
	if n := strings.Count(s.log.String(), "reports") - before; n != 180 {
		t.Errorf("%d lines were logged, want 180", n)
	}
	if strings.Contains(s.log.String(), strings.Repeat("long ", 101)) {
		t.Error("a long line was logged whole")
	}
	report(413, many...)
	s.must(400, "POST", "/passkit/v1/log", "{")
	s.must(200, "POST", "/passkit/v1/log", "{}")
}

// A device's name is all that it takes to learn which passes it has, so no log has one.
func TestNoLogHasADevicesName(t *testing.T) {
	s := lite(t)
	p := s.pass(pass.Apple, "one")
	s.must(201, "POST", p.registration(phone), pushes, "Authorization", p.authorization())
	s.must(200, "GET", list(phone, ""), "")
	s.must(200, "DELETE", p.registration(phone), "", "Authorization", p.authorization())
	s.must(401, "DELETE", p.registration(phone), "")
	for _, path := range []string{"/passkit/v1/devices/" + phone, "/passkit/v1/devices/" + phone + "/registrations", list(phone, "") + "/a/b"} {
		s.must(404, "GET", path, "")
	}
	s.must(404, "PUT", p.registration(phone), "{}")
	log := s.log.String()
	for _, secret := range []string{phone, p.token, "8a7b6c5d4e3f2a1b"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q:\n%s", secret, log)
		}
	}
	if !strings.Contains(log, "/passkit/v1/devices/…/registrations/") {
		t.Errorf("the log has no requests:\n%s", log)
	}
}

func TestOthersPathsAreNotThere(t *testing.T) {
	s := lite(t)
	for _, path := range []string{"/passkit", "/passkit/", "/passkit/v1", "/passkit/v1/", "/passkit/v1/nothing", "/passkit/v2/log", "/passkit/v1/passes/" + typeID} {
		s.must(404, "GET", path, "")
	}
	s.must(405, "GET", "/passkit/v1/log", "")
	s.must(405, "GET", "/passkit/google", "")
}

func TestReportsOfOneNetworkAreBounded(t *testing.T) {
	s := lite(t)
	for range 60 {
		s.must(200, "POST", "/passkit/v1/log", "{}")
	}
	if a := s.must(429, "POST", "/passkit/v1/log", "{}"); a.header.Get("Retry-After") == "" {
		t.Errorf("nothing says when to come again: %v", a.header)
	}
	s.must(204, "GET", list(phone, ""), "") // what devices need has a budget of its own
}

// FuzzRegistration: whatever is sent is a push token, or refused with a problem.
func FuzzRegistration(f *testing.F) {
	for _, seed := range []string{pushes, `{"pushToken":"00ff"}`, `{"pushToken":""}`, `{"pushToken":[]}`, `{"PUSHTOKEN":"0","pushToken":"1"}`, `[]`, ``, "\x00", `{"pushToken":"\u0030"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		token, err := passkit.PushToken(raw)
		switch {
		case err != nil && problem.As(err) == nil:
			t.Errorf("PushToken(%q): %v, want a problem", raw, err)
		case err == nil && (token == "" || len(token) > 200 || strings.Trim(token, "0123456789abcdefABCDEF") != ""):
			t.Errorf("PushToken(%q) = %q", raw, token)
		}
	})
}

// longWord is what may be a secret.
var longWord = regexp.MustCompile(`[0-9A-Za-z]{16,}`)

// FuzzLog: whatever is sent, few and short lines come of it, without what looks like a secret.
func FuzzLog(f *testing.F) {
	for _, seed := range []string{`{"logs":["a","b"]}`, `{"logs":null}`, `{"logs":[1]}`, `{"logs":["ApplePass 0123456789abcdef0123456789abcdef"]}`, `{`, `{"logs":["\ud800","\u0000"]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		lines, err := passkit.LogLines(raw)
		if err != nil && problem.As(err) == nil {
			t.Errorf("LogLines(%q): %v, want a problem", raw, err)
		}
		if len(lines) > 100 {
			t.Errorf("%d lines", len(lines))
		}
		for _, line := range lines {
			if word := longWord.FindString(line); word != "" {
				t.Errorf("a line has the word %q", word)
			}
			if len(line) > 510 {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
	})
}
