package oauth

import (
	"net/url"
	"strconv"
	"testing"
)

// A server that is asked more often than 30 times a minute, by one client or from one address, says so.
func TestLine45TheTokenEndpointHasABound(t *testing.T) {
	own(t, []string{"--oauth-per-minute", "30"}, func(t *testing.T, s *site) {
		a, b := s.confidential(t), s.confidential(t)
		if n := untilBound(t, func(i int) reply { return a.post(t, "/oauth/token", machineForm, "X-Forwarded-For", address(i)) }); n < 25 || n > 45 {
			t.Errorf("one client was answered %d times", n)
		}
		b.post(t, "/oauth/token", machineForm, "X-Forwarded-For", address(100)).must(t, 200) // another client, from another address
		n := untilBound(t, func(int) reply {
			return s.form(t, "/oauth/token", machineForm, "X-Forwarded-For", address(200), "Authorization", basic("oa_guess"+random(), random()))
		})
		if n < 25 || n > 45 {
			t.Errorf("one address guessed %d times", n)
		}
		for _, path := range []string{"/oauth/revoke", "/oauth/introspect", "/oauth/device"} {
			if r := a.post(t, path, url.Values{"token": {"x"}}, "X-Forwarded-For", address(201)); r.Status != 429 {
				t.Errorf("%s of a client that asked too often = %d, want 429", path, r.Status)
			}
		}
	})
}

var machineForm = url.Values{"grant_type": {"client_credentials"}, "scope": {"events:read"}}

func address(i int) string { return "192.0.2." + strconv.Itoa(i%256) }

// untilBound asks until the answer is 429, and returns how often it was another.
func untilBound(t *testing.T, ask func(i int) reply) int {
	t.Helper()
	for n := range 100 {
		r := ask(n)
		if r.Status != 429 {
			continue
		}
		if after, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || after < 1 || after > 60 {
			t.Errorf("%s: Retry-After is %q", r.asked, r.Header.Get("Retry-After"))
		}
		if r.text("error") == "" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s = 429 %s", r.asked, r.Body)
		}
		return n
	}
	t.Error("100 requests were answered")
	return 100
}

func TestLine79TooManyPushesAreBounded(t *testing.T) {
	own(t, []string{"--oauth-per-minute", "30"}, func(t *testing.T, s *site) {
		a := s.confidential(t)
		if n := untilBound(t, func(int) reply { return a.post(t, "/oauth/par", a.ask().Values) }); n < 25 || n > 45 {
			t.Errorf("%d pushes were taken", n)
		}
	})
}
