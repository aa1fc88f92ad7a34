package passkit_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// callback is Google's word that somebody has saved or deleted a pass.
func (s *site) callback(status int, c said) answer {
	s.t.Helper()
	raw, err := json.Marshal(c)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.must(status, "POST", "/passkit/google", string(raw))
}

func TestGooglesCallbacksCountOnce(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		p := s.pass(pass.Google, "one")
		is := func(open int, version int64) {
			t.Helper()
			if got := s.now(p); got.Open != open || got.Version != version {
				t.Fatalf("the pass is on %d devices and has version %d, want %d and %d", got.Open, got.Version, open, version)
			}
		}
		save, again := said{true, p.Serial, true, "n-1"}, said{true, p.Serial, true, "n-2"}
		if a := s.callback(200, save); a.body != "" {
			t.Errorf("the answer has the body %q", a.body)
		}
		is(1, 2)
		s.callback(200, save) // as it was
		s.callback(200, again)
		is(1, 2)
		s.callback(200, said{true, p.Serial, false, "n-3"})
		is(0, 3)
		s.callback(200, save) // late, and known
		is(0, 3)
		s.callback(200, said{true, p.Serial, false, "n-4"})
		is(0, 3)
		s.callback(200, said{true, p.Serial, true, "n-5"})
		is(1, 4)
	})
}

func TestWhatGoogleHasNotSignedIsRefused(t *testing.T) {
	s := lite(t)
	p := s.pass(pass.Google, "one")
	s.callback(403, said{false, p.Serial, true, "n-1"})
	s.must(400, "POST", "/passkit/google", "{")
	s.must(400, "POST", "/passkit/google", "")
	s.must(413, "POST", "/passkit/google", `{"signed":true,"serial":"`+strings.Repeat("0", 40<<10)+`"}`)
	if got := s.now(p); got.Open != 0 {
		t.Errorf("the pass is on %d devices", got.Open)
	}
	s.callback(200, said{true, p.Serial, true, "n-1"}) // a nonce that was refused is not used up
	if got := s.now(p); got.Open != 1 {
		t.Errorf("after a callback that is signed, the pass is on %d devices", got.Open)
	}
}

// Google says again what is not answered 200, so nothing is gained by telling it that a pass is not there.
func TestCallbacksOfNoPassAreTaken(t *testing.T) {
	s := lite(t)
	apples := s.pass(pass.Apple, "one")
	s.callback(200, said{true, strings.Repeat("0", 32), true, "n-1"})
	s.callback(200, said{true, apples.Serial, true, "n-2"})
	if got := s.now(apples); got.Open != 0 {
		t.Errorf("Apple's pass is on %d devices by Google's word", got.Open)
	}
	if log := s.log.String(); strings.Count(log, "pass_not_found") != 2 {
		t.Errorf("the log does not say that there are no such passes:\n%s", log)
	}
}
