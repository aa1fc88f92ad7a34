package oauth

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// waiting is a device that waits for a person.
type waiting struct {
	reply
	app            *app
	code, userCode string
}

// device starts the way of an app on a device without a browser.
func (a *app) device(t testing.TB, over ...string) *waiting {
	t.Helper()
	r := a.post(t, "/oauth/device", set(url.Values{"scope": {"events:read"}}, over)).must(t, 200)
	w := &waiting{r, a, r.text("device_code"), r.text("user_code")}
	harness.Secret(w.userCode, strings.ReplaceAll(w.userCode, "-", ""))
	return w
}

func (w *waiting) poll(t testing.TB) reply {
	t.Helper()
	return w.app.token(t, device, "device_code", w.code)
}

// enter has the person enter a code, and returns what comes of it.
func (p *person) enter(t testing.TB, userCode string) *page {
	t.Helper()
	return p.submit(t, p.get(t, "/oauth/device").must(t, 200).form(t, "/oauth/device/code").with("user_code", userCode)).follow(t)
}

// decideOn answers the consent page of a device.
func (p *person) decideOn(t testing.TB, w *waiting, decision string) *page {
	t.Helper()
	f := p.enter(t, w.userCode).form(t, "/oauth/device/consent")
	if f.values.Get("org") == "" && len(f.boxes["org"]) > 0 {
		f.values.Set("org", f.boxes["org"][0])
	}
	return p.submit(t, f.with("decision", decision))
}

func (p *person) approve(t testing.TB, w *waiting) {
	t.Helper()
	if got := p.decideOn(t, w, "allow").follow(t); got.Status != 200 {
		t.Fatalf("allowing a device = %d\n%s", got.Status, got.words())
	}
}

const consonants = "BCDFGHJKLMNPQRSTVWXZ"

func TestLine88UserCodesAreEasyToTypeAndHardToGuess(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a, b := s.confidential(t), s.attendee(t) // who enters more than five codes a minute has to wait, so not the owner whom others share
		had := map[string]bool{}
		for range 10 {
			w := a.device(t)
			letters := strings.ReplaceAll(w.userCode, "-", "")
			if len(letters) < 8 || strings.Trim(letters, consonants) != "" || had[letters] {
				t.Errorf("the user code %s", w.userCode)
			}
			had[letters] = true
		}
		for _, written := range []func(string) string{
			strings.ToLower, func(c string) string { return strings.ReplaceAll(c, "-", "") }, func(c string) string { return " " + strings.ReplaceAll(c, "-", " ") + " " },
		} {
			w := a.device(t)
			w.userCode = written(w.userCode)
			b.approve(t, w)
			newTokens(t, w.poll(t))
		}
		w := a.device(t)
		s.keeps(t, w.code, strings.ReplaceAll(w.userCode, "-", ""))
		guesser := s.attendee(t)
		locked := false
		for range 12 {
			p := guesser.enter(t, "BCDF-GHJK")
			if p.Header.Get("Location") != "" || p.Status/100 == 5 || p.Status == 200 && strings.Contains(string(p.Body), "/oauth/device/consent") {
				t.Fatalf("a wrong guess = %d\n%s", p.Status, p.words())
			}
			if locked = p.Status == 429; locked {
				break
			}
		}
		if !locked {
			t.Fatal("12 wrong guesses were taken")
		}
		if p := guesser.enter(t, w.userCode); p.Status != 429 {
			t.Errorf("after too many wrong guesses, a right one = %d", p.Status)
		}
		s.attendee(t).approve(t, w) // another person is not locked
	})
}

func TestLine89WhatADeviceHears(t *testing.T) {
	brief(t, func(t *testing.T, s *site) {
		a, b := s.confidential(t), s.attendee(t)
		w := a.device(t)
		every, _ := w.value("interval").(float64)
		life, _ := w.value("expires_in").(float64)
		if time.Duration(life)*time.Second != deviceLife || every < 1 {
			t.Errorf("the device got %s", w.Body)
		}
		w.poll(t).refused(t, 400, "authorization_pending")
		w.poll(t).refused(t, 400, "slow_down")
		w.poll(t).refused(t, 400, "slow_down")

		denied := a.device(t)
		b.decideOn(t, denied, "deny")
		denied.poll(t).refused(t, 400, "access_denied")

		time.Sleep(deviceLife + margin)
		w.poll(t).refused(t, 400, "expired_token")
		if p := b.enter(t, w.userCode); p.Status/100 == 2 && strings.Contains(string(p.Body), "/oauth/device/consent") {
			t.Error("a user code is taken after its end")
		}
		other := s.confidential(t)
		fresh := a.device(t)
		other.token(t, device, "device_code", fresh.code).refused(t, 400, "invalid_grant")
		a.token(t, device, "device_code", "sdd_"+random()).refused(t, 400, "invalid_grant")
		a.token(t, device).refused(t, 400, "invalid_request")
	})
}

// After a slow_down the device waits five seconds longer, and again: who then polls at the first pace hears it again, who polls at the slower one does not.
func TestLine89SlowDownPersists(t *testing.T) {
	if !harness.Long() {
		t.Skip("takes half a minute; STAGEDOOR_LONG=1 runs it")
	}
	onSites(t, func(t *testing.T, s *site) {
		w := s.confidential(t).device(t)
		every, _ := w.value("interval").(float64)
		pace := time.Duration(every) * time.Second
		w.poll(t).refused(t, 400, "authorization_pending")
		w.poll(t).refused(t, 400, "slow_down")
		time.Sleep(pace + margin)
		w.poll(t).refused(t, 400, "slow_down")
		time.Sleep(pace + 10*time.Second + margin)
		w.poll(t).refused(t, 400, "authorization_pending")
	})
}

func TestLine90TheCompleteLinkAsksForConfirmation(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a, b := s.confidential(t), s.attendee(t)
		w := a.device(t)
		if uri := w.text("verification_uri"); uri != s.issuer+"/oauth/device" {
			t.Errorf("verification_uri is %q", uri)
		}
		u, err := url.Parse(w.text("verification_uri_complete"))
		if err != nil || !strings.HasPrefix(u.String(), s.issuer+"/oauth/device?") || !strings.Contains(u.RawQuery, w.userCode) {
			t.Fatalf("verification_uri_complete is %q", w.text("verification_uri_complete"))
		}
		p := b.get(t, u.RequestURI()).must(t, 200)
		f := p.form(t, "/oauth/device/code")
		if f.values.Get("user_code") != w.userCode {
			t.Errorf("the page shows the code %q, not %q", f.values.Get("user_code"), w.userCode)
		}
		w.poll(t).refused(t, 400, "authorization_pending") // looking is not allowing
		p = b.submit(t, f).follow(t).must(t, 200)
		if words := p.words(); !strings.Contains(words, w.userCode) {
			t.Errorf("the consent page does not show the code:\n%s", words)
		}
		p.form(t, "/oauth/device/consent")
		to := s.browser().get(t, u.RequestURI()) // who is not signed in does that first, and comes back
		if at := to.location(t); at.Path != "/login" || !strings.Contains(at.RawQuery, "user_code") {
			t.Errorf("who is not signed in goes to %s", at)
		}
	})
}

func TestLine91ADeviceCodeIsGoodOnce(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a, b := s.confidential(t), s.attendee(t)
		for range 2 {
			w := a.device(t)
			b.approve(t, w)
			won := 0
			for _, r := range race(20, func(int) reply { return w.poll(t) }) {
				if r.Status == 200 {
					won++
				} else if e := r.text("error"); r.Status != 400 || e != "invalid_grant" && e != "slow_down" {
					t.Errorf("a poll beside others = %d %s", r.Status, r.Body)
				}
			}
			if won != 1 {
				t.Errorf("%d of 20 polls got a token", won)
			}
			if r := w.poll(t); r.Status != 400 {
				t.Errorf("a poll after that = %d", r.Status)
			}
			p := b.enter(t, w.userCode)
			if strings.Contains(string(p.Body), "/oauth/device/consent") {
				t.Error("the user code is taken again")
			}
		}
		bound := s.bound(t)
		w := bound.device(t)
		b.approve(t, w)
		got := newTokens(t, w.poll(t))
		bound.use(t, got.access, "GET", "/api/v1/events").must(t, 200)
	})
}
