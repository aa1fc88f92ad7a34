package oauth_test

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

func TestConsentIsUsedOnce(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		c := p.consent(p.get("/oauth/authorize", a.ask()))
		replies := at(10, func(int) reply { return p.post("/oauth/consent", allow(c)) })
		codes := 0
		for _, r := range replies {
			if r.query().Get("code") != "" {
				codes++
			} else if r.status != 403 {
				t.Errorf("%s, want 403", r)
			}
		}
		if codes != 1 || p.count("oauth_codes") != 1 || p.count("oauth_grants") != 1 {
			t.Errorf("10 answers to one page made %d codes (%d kept) and %d grants, want one of each", codes, p.count("oauth_codes"), p.count("oauth_grants"))
		}
	})
}

func TestConsentIsForItsSession(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	c := p.consent(p.get("/oauth/authorize", a.ask()))
	refuse := func(what string, form url.Values) {
		t.Helper()
		if r := p.post("/oauth/consent", form); r.status != 403 || r.header.Get("Location") != "" {
			t.Errorf("%s: %s, want 403", what, r)
		}
	}
	refuse("a forged form", allow(c, "csrf", "forged"))
	refuse("a form without a token", allow(c, "csrf", ""))
	refuse("a request that nobody made", allow(c, "request", "nothing"))
	p.front.person = &oauth.Person{No: ada.No, ID: ada.ID, Session: 999}
	refuse("another session of the same person", allow(c))
	p.front.person = brian
	refuse("another person", allow(c))
	p.front.person = nil
	refuse("nobody", allow(c))
	p.front.person = ada
	p.age(10*time.Minute + time.Second)
	refuse("an old page", allow(c))

	for name, form := range map[string]url.Values{
		"no decision": allow(c, "decision", ""), "no request": allow(c, "request", ""), "decision twice": twice(allow(c), "decision"),
	} {
		if r := p.post("/oauth/consent", form); r.status != 400 {
			t.Errorf("%s: %s, want 400", name, r)
		}
	}
	if n := p.count("oauth_grants"); n != 0 {
		t.Errorf("%d grants were made", n)
	}
	if r := p.get("/oauth/consent", allow(c)); r.status != 405 {
		t.Errorf("%s, want 405", r)
	}
}

func TestPersonGivesWhatTheyTickAndMayDoThemselves(t *testing.T) {
	ask := []string{"scope", "events:read tickets:read webhooks:manage"}
	for name, c := range map[string]struct {
		who   *oauth.Person
		form  []string // changes of the form
		ticks []string
		want  string // the scopes of the tokens; "" for access_denied
		org   int64
	}{
		"everything":                {ada, nil, []string{"events:read", "tickets:read", "webhooks:manage"}, "events:read tickets:read webhooks:manage", home},
		"less":                      {ada, nil, []string{"tickets:read"}, "tickets:read", home},
		"more than was asked":       {ada, nil, []string{"events:read", "events:write"}, "events:read", home},
		"what there is not":         {ada, nil, []string{"events:read", "fly"}, "events:read", home},
		"nothing":                   {ada, nil, nil, "", 0},
		"no":                        {ada, []string{"decision", "deny"}, []string{"events:read"}, "", 0},
		"neither yes nor no":        {ada, []string{"decision", "perhaps"}, []string{"events:read"}, "", 0},
		"elsewhere, as staff":       {ada, []string{"org", "org_2"}, []string{"events:read", "tickets:read"}, "events:read", away},
		"elsewhere, nothing left":   {ada, []string{"org", "org_2"}, []string{"tickets:read"}, "", 0},
		"where they do not belong":  {brian, []string{"org", "org_2"}, []string{"events:read"}, "", 0},
		"attendee":                  {brian, nil, []string{"events:read", "webhooks:manage"}, "events:read", home},
		"attendee without an org":   {brian, []string{"org", ""}, []string{"events:read"}, "events:read", home},
		"which of several, unknown": {ada, []string{"org", ""}, []string{"events:read"}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := lite(t)
			p.front.person = c.who
			a := p.app(input())
			check, challenge := verifier()
			form := allow(p.consent(p.get("/oauth/authorize", a.ask(append(ask, "code_challenge", challenge)...))), c.form...)
			form["scope"] = c.ticks
			q := p.post("/oauth/consent", form).query()
			if q.Get("state") != "s1" || q.Get("iss") != issuer {
				t.Errorf("the answer is %v, want state and iss in it", q)
			}
			if c.want == "" {
				if q.Get("error") != "access_denied" || p.count("oauth_grants") != 0 {
					t.Errorf("the answer is %v with %d grants, want access_denied and none", q, p.count("oauth_grants"))
				}
				return
			}
			r := a.post("/oauth/token", exchange(q.Get("code"), check))
			b, err := oauth.Authenticate(p.db.Read(t.Context()), a.got(r).access, time.Now())
			if err != nil || r.json("scope") != c.want || b.Scopes.String() != c.want || b.Org != c.org || b.UserNo != c.who.No {
				t.Errorf("%s, Authenticate = %+v, %v; want %s in organisation %d", r, b, err, c.want, c.org)
			}
		})
	}
}

func TestNewConsentChangesTheGrant(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		a.tokens("scope", "events:read")
		q := p.db.Read(t.Context())
		first, err := oauth.GrantsOf(q, ada.No)
		if err != nil || len(first) != 1 || first[0].Version != 1 {
			t.Fatalf("GrantsOf = %+v, %v; want one", first, err)
		}
		p.heard.takeLimits()
		a.tokens("scope", "events:read webhooks:manage")
		a.tokens("scope", "events:read webhooks:manage") // which changes nothing
		a.tokens("scope", "tickets:read")
		now, err := oauth.GrantByID(q, home, first[0].ID)
		if err != nil || now.Version != 3 || now.Scopes != scope.Of(scope.TicketsRead) || p.count("oauth_grants") != 1 {
			t.Errorf("the grant is %+v, %v, of %d; want version 3 with tickets:read, and no other", now, err, p.count("oauth_grants"))
		}
		// Webhooks see what is allowed while the app may manage them, and else end.
		if diff := cmp.Diff([]string{"1: events:read webhooks:manage", "1: events:read webhooks:manage", "1: "}, p.heard.takeLimits()); diff != "" {
			t.Errorf("endpoints were limited to: -want +got:\n%s", diff)
		}
		said := p.actions(home)
		if count(said, "grant.created") != 1 || count(said, "grant.changed") != 2 {
			t.Errorf("the audit log has %v, want grant.created and grant.changed twice", said)
		}
	})
}

func TestEachPersonAndOrganisationHasAGrant(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a, b := p.app(input()), p.app(input())
		a.tokens()
		b.tokens()
		c := p.consent(p.get("/oauth/authorize", a.ask("prompt", "consent")))
		p.post("/oauth/consent", allow(c, "org", string(orgID(away))))
		p.front.person = brian
		a.tokens()
		q := p.db.Read(t.Context())
		for name, c := range map[string]struct {
			list func() ([]oauth.Grant, error)
			want int
		}{
			"Grants(home)":    {func() ([]oauth.Grant, error) { return oauth.Grants(q, home) }, 3},
			"Grants(away)":    {func() ([]oauth.Grant, error) { return oauth.Grants(q, away) }, 1},
			"GrantsOf(ada)":   {func() ([]oauth.Grant, error) { return oauth.GrantsOf(q, ada.No) }, 3},
			"GrantsOf(brian)": {func() ([]oauth.Grant, error) { return oauth.GrantsOf(q, brian.No) }, 1},
			"GrantsOf(0)":     {func() ([]oauth.Grant, error) { return oauth.GrantsOf(q, 0) }, 0},
		} {
			got, err := c.list()
			newestFirst := slices.IsSortedFunc(got, func(a, b oauth.Grant) int { return int(b.No - a.No) })
			if err != nil || len(got) != c.want || !newestFirst {
				t.Errorf("%s = %+v, %v; want %d, newest first", name, got, err, c.want)
			}
		}
	})
}

func TestAppThatWasDeletedMeanwhileGetsNothing(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	c := p.consent(p.get("/oauth/authorize", a.ask()))
	p.configure(func(tx *db.Tx) error { return p.apps.DeleteClient(tx, home, a.ID, 0, operator) })
	if r := p.post("/oauth/consent", allow(c)); r.status != 403 || p.count("oauth_grants") != 0 {
		t.Errorf("%s, %d grants; want 403 and none", r, p.count("oauth_grants"))
	}
}
