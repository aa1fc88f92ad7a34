package oauth

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestLine46EveryRefreshReplacesTheToken(t *testing.T) {
	brief(t, func(t *testing.T, s *site) {
		b := s.owner(t)
		for _, a := range []*app{s.app(t), s.confidential(t)} {
			had := map[string]bool{}
			got := b.grant(t, a)
			first := got.refresh
			for range 3 {
				had[got.refresh], had[got.access] = true, true
				got = newTokens(t, a.refresh(t, got.refresh))
				if had[got.refresh] || had[got.access] || !strings.HasPrefix(got.refresh, "sdr_") {
					t.Error("a refresh gave out a token that was given out before")
				}
			}
			time.Sleep(grace + margin)
			a.refresh(t, first).refused(t, 400, "invalid_grant")
		}
	})
}

func TestLine47AnOldTokenEndsTheFamily(t *testing.T) {
	brief(t, func(t *testing.T, s *site) {
		o := s.newOrg(t)
		hook := harness.Receive(t, nil)
		o.api(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": hook.URL, "events": []string{"access.reuse_detected"}, "format": "standard"})
		p, a := o.person(t, "owner"), o.app(t)
		first := p.grant(t, a)
		second := newTokens(t, a.refresh(t, first.refresh))
		other := p.grant(t, a)
		time.Sleep(grace + margin)
		a.refresh(t, first.refresh).refused(t, 400, "invalid_grant")
		s.dead(t, first.access)
		s.dead(t, second.access)
		a.refresh(t, second.refresh).refused(t, 400, "invalid_grant")
		newTokens(t, a.refresh(t, other.refresh)) // what came of another authorization

		got := hook.Await(t, patience, func(all []harness.Got) bool { return len(all) > 0 })
		if text := string(got[0].Body); !strings.Contains(text, "access.reuse_detected") || !strings.Contains(text, a.ID) || len(harness.Leaks(text)) > 0 {
			t.Errorf("the owner was told %s", text)
		}
		r := o.api(t, 200, "GET", "/api/v1/audit?action=family.revoked", nil)
		if text := string(r.Body); !strings.Contains(text, "family.revoked") || !strings.Contains(text, a.ID) {
			t.Errorf("the audit log has %s", text)
		}
	})
}

func TestLine48WithinTheGraceTheAnswerIsTheSame(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		b := s.owner(t)
		for _, a := range []*app{s.app(t), s.confidential(t)} {
			old := b.grant(t, a)
			next := newTokens(t, a.refresh(t, old.refresh))
			for range 3 {
				again := newTokens(t, a.refresh(t, old.refresh))
				if again.refresh != next.refresh {
					t.Error("within the grace, the same token gave a second child")
				}
				s.alive(t, again.access)
			}
			s.app(t).refresh(t, old.refresh).refused(t, 400, "invalid_grant") // a thief has no grace
			newTokens(t, a.refresh(t, next.refresh))
		}
		// Not for ever: who asks on and on does not do so because an answer was lost.
		a := s.app(t)
		old := b.grant(t, a)
		newTokens(t, a.refresh(t, old.refresh))
		for n := 0; ; n += 100 {
			all := race(100, func(int) reply { return a.refresh(t, old.refresh) })
			if i := slices.IndexFunc(all, func(r reply) bool { return r.Status != 200 }); i >= 0 {
				all[i].refused(t, 400, "invalid_grant")
				break
			}
			if n >= 2000 {
				t.Fatalf("the same answer was given %d times", n)
			}
		}
	})
}

func TestLine49ManyRefreshesOneChild(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.app(t)
		token := oneChild(t, a, s.owner(t).grant(t, a).refresh, 100)
		for range rounds(t) { // each for the child of the one before
			token = oneChild(t, a, token, 50)
		}
		s.alive(t, newTokens(t, a.refresh(t, token)).access) // and the family lives
	})
}

// oneChild refreshes at once n times, checks that one child came of it, and returns it.
func oneChild(t *testing.T, a *app, token string, n int) string {
	t.Helper()
	child := ""
	for _, r := range race(n, func(int) reply { return a.refresh(t, token) }) {
		if r.Status != 200 {
			r.refused(t, 400, "invalid_grant") // beyond how often an answer is repeated
			continue
		}
		if child != "" && r.text("refresh_token") != child {
			t.Error("two children came of one refresh token")
		}
		child = r.text("refresh_token")
	}
	if child == "" {
		t.Fatal("of all refreshes none succeeded")
	}
	return child
}

func TestLine49TheFamilyIsDeadIfOneComesLater(t *testing.T) {
	brief(t, func(t *testing.T, s *site) {
		a := s.app(t)
		old := s.owner(t).grant(t, a)
		child := oneChild(t, a, old.refresh, 10)
		time.Sleep(grace + margin)
		a.refresh(t, old.refresh).refused(t, 400, "invalid_grant")
		a.refresh(t, child).refused(t, 400, "invalid_grant")
	})
}

func TestLine50ARefreshMayNarrowButNeverWiden(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.confidential(t)
		got := s.owner(t).grant(t, a, "scope", "events:read tickets:read")
		narrow := newTokens(t, a.refresh(t, got.refresh, "scope", "events:read"))
		if narrow.text("scope") != "events:read" {
			t.Errorf("the narrowed token has %q", narrow.text("scope"))
		}
		s.bearer(t, narrow.access, "GET", "/api/v1/orders", nil).must(t, 403)
		for _, wide := range []string{"events:write", "events:read events:write", "nonsense"} {
			a.refresh(t, narrow.refresh, "scope", wide).refused(t, 400, "invalid_scope")
		}
		whole := newTokens(t, a.refresh(t, narrow.refresh)) // and the refusals used nothing up
		if whole.text("scope") != "events:read tickets:read" {
			t.Errorf("the refresh after that has %q", whole.text("scope"))
		}
		s.bearer(t, whole.access, "GET", "/api/v1/orders", nil).must(t, 200)
	})
}

func TestLine51ARefreshTokenIsForItsClient(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		a := s.app(t)
		got := s.owner(t).grant(t, a)
		for _, other := range []*app{s.app(t), s.confidential(t), s.newOrg(t).app(t)} {
			other.refresh(t, got.refresh).refused(t, 400, "invalid_grant")
		}
		newTokens(t, a.refresh(t, got.refresh)) // others can neither use it up nor end it
		a.refresh(t, got.access).refused(t, 400, "invalid_grant")
		if r := s.bearer(t, got.refresh, "GET", "/api/v1/events", nil); r.Status != 401 {
			t.Errorf("a refresh token used as an access token = %d", r.Status)
		}
	})
}

func TestLine52IdleAndWholeLifeEnd(t *testing.T) {
	brief(t, func(t *testing.T, s *site) {
		a := s.app(t)
		idle := s.owner(t).grant(t, a)
		busy := s.owner(t).grant(t, a)
		began := time.Now()
		for ; time.Since(began) < wholeLife-idleLife/2; time.Sleep(idleLife / 4) {
			busy = newTokens(t, a.refresh(t, busy.refresh))
		}
		a.refresh(t, idle.refresh).refused(t, 400, "invalid_grant") // more than idleLife has passed
		time.Sleep(time.Until(began.Add(wholeLife + margin)))
		a.refresh(t, busy.refresh).refused(t, 400, "invalid_grant") // less than idleLife after it was made
	})
}

func TestLine53WhatEndsAFamily(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		o := s.newOrg(t)
		p, a := o.person(t, "admin"), o.app(t)
		ended := func(what string, got tokens) {
			t.Helper()
			s.dead(t, got.access)
			if r := a.refresh(t, got.refresh); r.Status != 400 && r.Status != 401 {
				t.Errorf("%s: the refresh = %d", what, r.Status)
			}
		}
		grant := func() tokens {
			got := p.grant(t, a)
			s.alive(t, got.access)
			return got
		}

		got := grant()
		changed := "another-" + p.Password
		harness.Secret(changed)
		f := p.get(t, "/account").form(t, "/account/password").with("current", p.Password, "password", changed)
		p.submit(t, f).follow(t)
		p.Password = changed
		ended("a password change", got)

		got = grant()
		p.remove(t, a)
		ended("the consent was withdrawn", got)

		got = grant()
		var list struct {
			Data []struct{ ID, ClientID string }
		}
		_ = json.Unmarshal(o.api(t, 200, "GET", "/api/v1/oauth/grants", nil).Body, &list)
		if len(list.Data) != 1 {
			t.Fatalf("there are %d grants, want the one that lives", len(list.Data))
		}
		o.api(t, 204, "DELETE", "/api/v1/oauth/grants/"+list.Data[0].ID, nil)
		ended("the organisation ended the grant", got)

		got = grant()
		f = p.get(t, "/account").form(t, "/account/sessions/end-others")
		p.submit(t, f).follow(t)
		ended("signed out everywhere", got)

		got = grant()
		o.api(t, 204, "DELETE", "/api/v1/oauth/clients/"+a.ID, nil)
		ended("the app was deleted", got)
		p.authorize(t, a.ask()).stays(t, 400)
	})
}

// remove takes an app's access away, on the page of apps with access.
func (p *person) remove(t *testing.T, a *app) {
	t.Helper()
	page := p.get(t, "/account/apps").must(t, 200)
	grants := a.org.api(t, 200, "GET", "/api/v1/oauth/grants", nil)
	for _, f := range page.forms() {
		id, ok := strings.CutSuffix(strings.TrimPrefix(f.action, "/account/apps/"), "/remove")
		if ok && strings.HasPrefix(id, "gnt_") && a.holds(grants, id) {
			p.submit(t, f).must(t, 303)
			return
		}
	}
	t.Fatalf("the page of apps has nothing to remove %s with: %s\n%s", a.ID, page.words(), grants.Body)
}

// holds tells whether a grant in a list is the app's.
func (a *app) holds(list reply, grant string) bool {
	var l struct{ Data []map[string]any }
	_ = json.Unmarshal(list.Body, &l)
	for _, g := range l.Data {
		if text, _ := json.Marshal(g); g["id"] == grant && strings.Contains(string(text), a.ID) {
			return true
		}
	}
	return false
}
