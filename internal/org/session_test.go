package org_test

import (
	"crypto/sha256"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// session starts a session, which has to succeed.
func (h *house) session(u org.User, in org.SignIn) (s org.Session, cookie string) {
	h.t.Helper()
	h.must("StartSession", func(tx *db.Tx) (err error) {
		s, cookie, err = h.StartSession(tx, u.No, in)
		return err
	})
	return s, cookie
}

func TestCookieIsWhoSignedIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.user("kari@example.com")
		s, cookie := h.signIn(in("KARI@example.com", right))
		u, got, err := h.SessionOf(h.ctx(), cookie, s.CreatedAt)
		if diff := cmp.Diff(s, got); err != nil || u.Email != "kari@example.com" || diff != "" {
			t.Errorf("SessionOf = %+v, %v, -started +found:\n%s", u, err, diff)
		}
		if s.Agent != "Test/1" || s.Address != "192.0.2.1" || s.ExpiresAt != s.CreatedAt.Add(30*24*time.Hour) || len(cookie) < 52 {
			t.Errorf("the session is %+v, its cookie has %d characters", s, len(cookie))
		}
		for _, wrong := range []string{"", cookie + "0", cookie[1:], strings.ToUpper(cookie), string(s.ID)} {
			if _, _, err := h.SessionOf(h.ctx(), wrong, s.CreatedAt); !problem.Is(err, "no_session") {
				t.Errorf("SessionOf(%q) = %v, want no_session", wrong, err)
			}
		}
		stored, err := db.One(h.q(), db.Value[[]byte], `SELECT hash FROM sessions`)
		if sum := sha256.Sum256([]byte(cookie)); err != nil || !slices.Equal(stored, sum[:]) {
			t.Errorf("what is stored of the cookie is %x, %v; want its SHA-256", stored, err)
		}
	})
}

func TestSessionEndsAfterThirtyDaysHoweverBusy(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		s, cookie := h.session(u, in("", ""))
		for day := range 30 {
			if _, _, err := h.SessionOf(h.ctx(), cookie, s.CreatedAt.Add(time.Duration(day)*24*time.Hour)); err != nil {
				t.Fatalf("SessionOf on day %d: %v", day, err)
			}
		}
		if _, _, err := h.SessionOf(h.ctx(), cookie, s.ExpiresAt); !problem.Is(err, "no_session") {
			t.Errorf("SessionOf at its end = %v, want no_session", err)
		}
		if list, err := org.Sessions(h.q(), u.No, s.ExpiresAt); err != nil || len(list) != 0 {
			t.Errorf("Sessions at its end = %v, %v; want none", list, err)
		}
	})
}

func TestUseOfASessionIsNotedOnceAMinute(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		s, cookie := h.session(u, in("", ""))
		for _, c := range []struct{ after, noted int }{{59, 0}, {60, 60}, {119, 60}, {120, 120}, {90, 120}} {
			if _, _, err := h.SessionOf(h.ctx(), cookie, s.CreatedAt.Add(time.Duration(c.after)*time.Second)); err != nil {
				t.Fatal(err)
			}
			list, err := org.Sessions(h.q(), u.No, s.CreatedAt)
			if want := s.CreatedAt.Add(time.Duration(c.noted) * time.Second); err != nil || len(list) != 1 || !list[0].SeenAt.Equal(want) {
				t.Errorf("after a use at %d s: %+v, %v; want it seen at %d s", c.after, list, err, c.noted)
			}
		}
	})
}

// TestSignInReplacesTheSessionOfTheBrowser: whoever planted a cookie in a browser does not get to know the session that follows.
func TestSignInReplacesTheSessionOfTheBrowser(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		kari, ola := h.user("kari@example.com"), h.user("ola@example.com")
		_, planted := h.session(ola, in("", ""))
		again := in("kari@example.com", right)
		again.Former = planted
		_, first := h.signIn(again)
		again.Former = first
		_, second := h.signIn(again)
		again.Former = "made up"
		_, third := h.signIn(again)
		for i, c := range []string{planted, first} {
			if _, _, err := h.SessionOf(h.ctx(), c, h.now(t)); !problem.Is(err, "no_session") {
				t.Errorf("former session %d = %v, want no_session", i+1, err)
			}
		}
		if second == first || first == planted || third == "made up" {
			t.Error("a sign-in kept the cookie")
		}
		if _, _, err := h.SessionOf(h.ctx(), second, h.now(t)); err != nil {
			t.Errorf("a cookie that nobody had ended another session: %v", err)
		}
		me := string(kari.ID) + " " + string(kari.ID)
		h.wantTold(0, "user.created operator "+string(kari.ID), "user.created operator "+string(ola.ID), "session.started "+string(ola.ID)+" "+string(ola.ID),
			"session.ended "+string(ola.ID)+" "+string(ola.ID), "session.started "+me, "session.ended "+me, "session.started "+me, "session.started "+me)
	})
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u, other := h.user("kari@example.com"), h.user("ola@example.com")
		a, ca := h.session(u, in("", ""))
		b, cb := h.session(u, in("", ""))
		c, cc := h.session(u, in("", ""))
		_, co := h.session(other, in("", ""))
		list, err := org.Sessions(h.q(), u.No, h.now(t))
		if diff := cmp.Diff([]org.Session{c, b, a}, list); err != nil || diff != "" {
			t.Fatalf("Sessions: %v, -want +got:\n%s", err, diff)
		}
		me := audit.By{Actor: string(u.ID)}
		h.must("SignOut of another's", func(tx *db.Tx) error { return h.SignOut(tx, other.No, a.ID, 0, me) })
		for range 2 {
			h.must("SignOut", func(tx *db.Tx) error { return h.SignOut(tx, u.No, b.ID, 0, me) })
		}
		h.wantSessions(map[string]bool{ca: true, cb: false, cc: true, co: true})
		if len(h.apps.signedOut) != 0 {
			t.Errorf("the end of one session signed apps out: %q", h.apps.signedOut)
		}
		h.must("SignOut of all others", func(tx *db.Tx) error { return h.SignOut(tx, u.No, "", c.No, me) })
		h.wantSessions(map[string]bool{ca: false, cb: false, cc: true, co: true})
		if want := []string{"signed_out_everywhere"}; !slices.Equal(h.apps.signedOut, want) {
			t.Errorf("apps were signed out for %q, want %q", h.apps.signedOut, want)
		}
		ended := 0
		for _, e := range h.told(0) {
			if strings.HasPrefix(e, "session.ended ") {
				ended++
			}
		}
		if ended != 2 {
			t.Errorf("the log tells of %d ends, want 2: of one, and of all others", ended)
		}
	})
}

// wantSessions checks which cookies are good.
func (h *house) wantSessions(want map[string]bool) {
	h.t.Helper()
	for cookie, good := range want {
		if _, _, err := h.SessionOf(h.ctx(), cookie, h.now(h.t)); (err == nil) != good {
			h.t.Errorf("a session that should be good: %v, is %v", good, err)
		}
	}
}

func TestSessionOfSomebodyErasedIsOver(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		_, cookie := h.session(u, in("", ""))
		h.must("erase", func(tx *db.Tx) error {
			_, err := tx.Exec(`UPDATE users SET erased_at = $1 WHERE user_no = $2`, tx.Micros(), u.No)
			return err
		})
		if _, _, err := h.SessionOf(h.ctx(), cookie, h.now(t)); !problem.Is(err, "no_session") {
			t.Errorf("SessionOf = %v, want no_session", err)
		}
	})
}

func TestBrowserIsKeptOnOneShortLine(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.user("kari@example.com")
		for _, agent := range []string{strings.Repeat("å", 500), "two\r\nlines\x00", "bad \xff text", ""} {
			s, _ := h.session(u, org.SignIn{Agent: agent, Address: netip.MustParseAddr("::ffff:192.0.2.1")})
			if !utf8.ValidString(s.Agent) || utf8.RuneCountInString(s.Agent) > 200 || strings.ContainsAny(s.Agent, "\r\n\x00") || s.Address != "192.0.2.1" {
				t.Errorf("of %.20q is kept %q, from %s", agent, s.Agent, s.Address)
			}
		}
	})
}
