package oauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

func TestRefreshRotates(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		for _, in := range []oauth.ClientInput{input(), public()} {
			a := p.app(in)
			first := a.tokens()
			second := a.got(a.refresh(first.refresh))
			if second.refresh == "" || second.refresh == first.refresh || second.access == first.access {
				t.Errorf("%s: a refresh of %+v gave %+v, want new tokens", a.AuthMethod, first, second)
			}
			if !p.good(first.access) || !p.good(second.access) {
				t.Errorf("%s: access tokens are good: %v and %v; a refresh ends none", a.AuthMethod, p.good(first.access), p.good(second.access))
			}
		}
	})
}

func TestRefreshWithinTheGraceGivesTheSameAnswer(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		first := a.tokens()
		answer := a.refresh(first.refresh)
		a.got(answer)
		p.age(9 * time.Second)
		if again := a.refresh(first.refresh); again.body != answer.body || again.status != 200 {
			t.Errorf("again, within the grace: %s, want %s", again, answer.body)
		}
		if n := p.count("oauth_refresh_tokens"); n != 2 {
			t.Errorf("there are %d refresh tokens, want the first and its child", n)
		}
		other := p.app(input())
		refused(t, other.refresh(first.refresh), 400, "invalid_grant")
		if !p.good(answer.json("access_token")) {
			t.Error("another client that showed the token has ended it")
		}
	})
}

func TestConcurrentRefreshesHaveOneChild(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(public())
		first := a.tokens()
		replies := at(100, func(int) reply { return a.refresh(first.refresh) })
		for _, r := range replies {
			if r.status != 200 || r.body != replies[0].body {
				t.Fatalf("one refresh got %s, another %s", r, replies[0])
			}
		}
		if n := p.count("oauth_refresh_tokens"); n != 2 {
			t.Errorf("100 refreshes of one token made %d, want the first and its child", n)
		}
		if !p.good(replies[0].json("access_token")) {
			t.Error("the family ended within the grace")
		}
		p.age(11 * time.Second)
		refused(t, a.refresh(first.refresh), 400, "invalid_grant")
		if p.good(replies[0].json("access_token")) {
			t.Error("the family lives although its first token came after the grace")
		}
	})
}

func TestRefreshAfterTheGraceEndsTheFamily(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		first := a.tokens()
		second := a.got(a.refresh(first.refresh))
		other := a.tokens()
		p.age(10*time.Second + time.Millisecond)
		refused(t, a.refresh(first.refresh), 400, "invalid_grant")
		for what, token := range map[string]string{"first": first.access, "second": second.access} {
			if p.good(token) {
				t.Errorf("the %s access token is good although the family ended", what)
			}
		}
		refused(t, a.refresh(second.refresh), 400, "invalid_grant")
		if !p.good(other.access) {
			t.Error("another family of the same grant ended too")
		}
		facts := p.heard.takeFacts()
		if len(facts) != 1 || facts[0].Kind != fact.AccessReuseDetected || !strings.HasPrefix(facts[0].Subject, "gnt_") || facts[0].Org != home {
			t.Fatalf("the ledger has %+v, want one access.reuse_detected", facts)
		}
		for _, want := range []string{`"reason":"refresh_token_reused"`, `"clientId":"` + string(a.ID) + `"`, `"grantId":"` + facts[0].Subject + `"`} {
			if !strings.Contains(string(facts[0].Data), want) {
				t.Errorf("the fact's data is %s, want %s in it", facts[0].Data, want)
			}
		}
		if count(p.actions(home), "family.revoked") != 1 {
			t.Errorf("the audit log has %v, want family.revoked once", p.actions(home))
		}
	})
}

func TestWithoutGraceTheSecondUseEndsTheFamily(t *testing.T) {
	p := lite(t, func(c *oauth.Config) { c.Grace = -1 })
	a := p.app(input())
	first := a.tokens()
	second := a.got(a.refresh(first.refresh))
	refused(t, a.refresh(first.refresh), 400, "invalid_grant")
	if p.good(second.access) {
		t.Error("the family lives")
	}
	if n := p.count("oauth_refresh_tokens WHERE successor IS NOT NULL"); n != 0 {
		t.Error("an answer was kept although there is no grace")
	}
}

func TestRepeatsWithinTheGraceAreBounded(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	first := a.tokens()
	second := a.got(a.refresh(first.refresh))
	p.write(func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE oauth_refresh_tokens SET replays = $1 WHERE used_at IS NOT NULL`, oauth.MaxReplays)
		return err
	})
	refused(t, a.refresh(first.refresh), 400, "invalid_grant")
	if p.good(second.access) {
		t.Error("the family lives")
	}
}

func TestScopeShrinksForOneRefreshAndNeverGrows(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		first := a.tokens()
		r := a.refresh(first.refresh, "scope", "events:read")
		if second := a.got(r); r.json("scope") != "events:read" {
			t.Errorf("%s, want the scope events:read", r)
		} else if b, err := oauth.Authenticate(p.db.Read(t.Context()), second.access, time.Now()); err != nil || b.Scopes != scope.Of(scope.EventsRead) {
			t.Errorf("Authenticate = %v, %v; want events:read alone", b.Scopes, err)
		}
		third := a.refresh(r.json("refresh_token"))
		if a.got(third); third.json("scope") != "events:read tickets:read" {
			t.Errorf("the next refresh gave %q, want what was allowed", third.json("scope"))
		}
		for _, more := range []string{"events:read webhooks:manage", "fly", "events:read  tickets:read"} {
			refused(t, a.refresh(third.json("refresh_token"), "scope", more), 400, "invalid_scope")
		}
		a.got(a.refresh(third.json("refresh_token"))) // which has not used it up
	})
}

func TestRefreshGivesNoMoreThanClientAndGrantHaveNow(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		first := a.tokens()
		in := input()
		in.Scopes = scope.Of(scope.EventsRead, scope.WebhooksManage)
		p.write(func(tx *db.Tx) error {
			_, err := p.apps.UpdateClient(tx, home, a.ID, in, 0, operator)
			return err
		})
		r := a.refresh(first.refresh)
		if a.got(r); r.json("scope") != "events:read" {
			t.Errorf("%s, want what the client may still ask for", r)
		}
		in.Scopes = scope.Of(scope.StampsRead)
		p.write(func(tx *db.Tx) error {
			_, err := p.apps.UpdateClient(tx, home, a.ID, in, 0, operator)
			return err
		})
		refused(t, a.refresh(r.json("refresh_token")), 400, "invalid_grant")

		b := p.app(input())
		first = b.tokens()
		b.tokens("scope", "tickets:read") // the person allows less now
		if r := b.refresh(first.refresh); b.got(r).access == "" || r.json("scope") != "tickets:read" {
			t.Errorf("%s, want what the person still allows", r)
		}
		if who, err := oauth.Authenticate(p.db.Read(t.Context()), first.access, time.Now()); err != nil || who.Scopes != scope.Of(scope.TicketsRead) {
			t.Errorf("the token from before may %v, %v; what was taken back is gone at once", who.Scopes, err)
		}
	})
}

func TestRefreshTokenEnds(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		const day = 24 * time.Hour
		a := p.app(input())
		idle := a.tokens()
		p.age(30*day - time.Minute)
		busy := a.got(a.refresh(idle.refresh))
		for range 5 { // up to 180 days after the authorization, used each month
			p.age(30*day - time.Minute)
			busy = a.got(a.refresh(busy.refresh))
		}
		p.age(5*time.Minute + time.Second) // 6 minutes were left
		busy = a.got(a.refresh(busy.refresh))
		p.age(time.Minute)
		refused(t, a.refresh(busy.refresh), 400, "invalid_grant")

		idle = a.tokens()
		p.age(30*day + time.Second)
		refused(t, a.refresh(idle.refresh), 400, "invalid_grant")
		if p.good(idle.access) {
			t.Error("an access token is good after 30 days")
		}
	})
}

func TestRefreshTokenIsForItsClient(t *testing.T) {
	p := lite(t)
	a, b := p.app(input()), p.app(input())
	first := a.tokens()
	refused(t, b.refresh(first.refresh), 400, "invalid_grant")
	refused(t, a.refresh(first.access), 400, "invalid_grant")
	refused(t, a.refresh(""), 400, "invalid_request")
	a.got(a.refresh(first.refresh))
	in := input()
	in.GrantTypes = []oauth.GrantType{oauth.AuthorizationCode}
	refused(t, p.app(in).refresh(first.refresh), 400, "unauthorized_client")
}

func TestAnswersAreSealedAndForgotten(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		first := a.tokens()
		second := a.got(a.refresh(first.refresh))
		kept, err := db.One(p.db.Read(t.Context()), db.Value[[]byte], `SELECT successor FROM oauth_refresh_tokens WHERE successor IS NOT NULL`)
		if err != nil || strings.Contains(string(kept), second.access) || strings.Contains(string(kept), second.refresh) {
			t.Errorf("the kept answer is %q, %v; want it sealed", kept, err)
		}
		p.sweep()
		if again := a.refresh(first.refresh); again.status != 200 {
			t.Errorf("%s: the sweep took an answer within its grace", again)
		}
		p.age(10 * time.Second)
		p.sweep()
		if n := p.count("oauth_refresh_tokens WHERE successor IS NOT NULL"); n != 0 {
			t.Errorf("%d answers are kept after the grace", n)
		}
		if !p.good(second.access) {
			t.Error("the sweep ended a token that is good")
		}
	})
}

func (p *site) sweep() {
	p.t.Helper()
	if err := p.s.Sweep(p.t.Context()); err != nil {
		p.t.Fatalf("Sweep: %v", err)
	}
}
