package oauth_test

import (
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
)

func TestWhatHasHadItsTimeIsForgotten(t *testing.T) {
	const day = 24 * time.Hour
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		first := a.tokens()
		a.got(a.refresh(first.refresh))
		a.got(a.post("/oauth/token", machine))
		a.post("/oauth/par", a.ask())
		check := func(when string, want map[string]int) {
			t.Helper()
			p.sweep()
			for table, n := range want {
				if got := p.count(table); got != n {
					t.Errorf("%s there are %d rows of %s, want %d", when, got, table, n)
				}
			}
		}
		check("at first", map[string]int{"oauth_access_tokens": 3, "oauth_refresh_tokens": 2, "oauth_codes": 1, "oauth_requests": 2, "oauth_families": 2})
		p.age(10*time.Minute + time.Second)
		check("after ten minutes", map[string]int{"oauth_access_tokens": 3, "oauth_codes": 1, "oauth_requests": 0, "oauth_families": 2})
		p.age(2 * time.Hour)
		check("after two hours", map[string]int{"oauth_access_tokens": 0, "oauth_codes": 1, "oauth_families": 2})
		p.age(day)
		check("after a day", map[string]int{"oauth_codes": 0, "oauth_refresh_tokens": 2, "oauth_families": 1})
		p.age(30 * day)
		check("after a month", map[string]int{"oauth_refresh_tokens": 0, "oauth_families": 1})
		p.age(150 * day)
		check("after half a year", map[string]int{"oauth_families": 0, "oauth_grants": 2, "oauth_clients": 1})
	})
}

func TestTokenThatWasUsedIsKnownUntilItsEnd(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	first := a.tokens()
	second := a.got(a.refresh(first.refresh))
	p.age(29 * 24 * time.Hour)
	p.sweep()
	refused(t, a.refresh(first.refresh), 400, "invalid_grant")
	refused(t, a.refresh(second.refresh), 400, "invalid_grant")
	if len(p.heard.takeFacts()) != 1 {
		t.Error("a token that was used 29 days ago came again, and nobody was told")
	}
}

// An access token that comes of the last refresh is good for its whole life, although its family can be refreshed no more.
func TestLastAccessTokenOutlivesItsFamily(t *testing.T) {
	p := lite(t, func(c *oauth.Config) { c.RefreshAbsolute, c.AccessLife = time.Hour, 5*time.Hour })
	a := p.app(input())
	first := a.tokens()
	p.age(59 * time.Minute)
	last := a.got(a.refresh(first.refresh))
	p.age(4 * time.Hour)
	p.sweep()
	if !p.good(last.access) {
		t.Error("the last access token ended with its family")
	}
}

func TestSweepTakesManyRowsInSteps(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		p.write(func(tx *db.Tx) error {
			for i := range 2500 {
				if err := tx.Later(`INSERT INTO oauth_proofs (hash, expires_at) VALUES ($1, 1)`, []byte{byte(i), byte(i >> 8)}); err != nil {
					return err
				}
			}
			return nil
		})
		p.sweep()
		if n := p.count("oauth_proofs"); n != 0 {
			t.Errorf("%d of 2500 are left", n)
		}
	})
}

func TestRunBlanksAnswersSoon(t *testing.T) {
	c := dbtest.SQLite(t)
	synctest.Test(t, func(t *testing.T) {
		c.Now = time.Now
		p := open(t, dbtest.Open(t, c))
		a := p.app(input())
		first := a.tokens()
		a.got(a.refresh(first.refresh))
		go p.s.Run(t.Context())
		time.Sleep(16 * time.Second)
		synctest.Wait()
		if n := p.count("oauth_refresh_tokens WHERE successor IS NOT NULL"); n != 0 {
			t.Errorf("%d answers are sealed 16 seconds after the refresh, want none beyond the grace and 5 seconds", n)
		}
		time.Sleep(12 * time.Minute)
		synctest.Wait()
		if n := p.count("oauth_requests"); n != 0 {
			t.Errorf("%d requests are kept after 12 minutes", n)
		}
		if r := a.post("/oauth/revoke", url.Values{"token": {first.access}}); r.status != 200 {
			t.Errorf("%s, want 200", r)
		}
	})
}
