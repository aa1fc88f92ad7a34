package oauth_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
)

func TestTokensAreRevoked(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		for _, in := range []oauth.ClientInput{input(), public()} {
			a := p.app(in)
			for _, hint := range []string{"", "access_token", "refresh_token", "nonsense"} {
				one, other := a.tokens(), a.tokens()
				if r := a.post("/oauth/revoke", url.Values{"token": {one.access}, "token_type_hint": {hint}}); r.status != 200 {
					t.Errorf("%s, want 200", r)
				}
				if p.good(one.access) || !p.good(other.access) {
					t.Errorf("after its revocation the access token is good: %v; another: %v", p.good(one.access), p.good(other.access))
				}
				one = a.got(a.refresh(one.refresh)) // the family lives
				for range 2 {
					if r := a.post("/oauth/revoke", url.Values{"token": {one.refresh}, "token_type_hint": {hint}}); r.status != 200 {
						t.Errorf("%s, want 200", r)
					}
				}
				refused(t, a.refresh(one.refresh), 400, "invalid_grant")
				if p.good(one.access) || !p.good(other.access) {
					t.Errorf("after the refresh token's revocation the access token is good: %v; another: %v", p.good(one.access), p.good(other.access))
				}
			}
		}
		if n := count(p.actions(home), "family.revoked"); n != 8 {
			t.Errorf("family.revoked stands %d times in the audit log, want once for each of 8", n)
		}
	})
}

func TestRevocationIsOfOnesOwn(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a, b := p.app(input()), p.app(input())
		mine := a.tokens()
		for _, token := range []string{mine.access, mine.refresh} {
			refused(t, b.post("/oauth/revoke", url.Values{"token": {token}}), 400, "invalid_grant")
		}
		if !p.good(mine.access) {
			t.Error("another app has ended a token")
		}
		a.got(a.refresh(mine.refresh))
		for _, token := range []string{"unknown", "sda_unknown", strings.Repeat("x", 10_000), "ünï"} {
			if r := a.post("/oauth/revoke", url.Values{"token": {token}}); r.status != 200 {
				t.Errorf("%s, want 200", r)
			}
		}
		refused(t, a.post("/oauth/revoke", nil), 400, "invalid_request")
		refused(t, p.post("/oauth/revoke", url.Values{"token": {mine.access}}), 401, "invalid_client")
	})
}

func TestIntrospectionTellsAClientOfItsOwnTokens(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		mine := a.tokens("resource", issuer+"/api/v1")
		own := a.got(a.post("/oauth/token", machine))
		for name, c := range map[string]struct {
			token string
			life  time.Duration
			want  map[string]any
		}{
			"access":  {mine.access, time.Hour, map[string]any{"scope": "events:read tickets:read", "sub": "usr_ada", "token_type": "Bearer", "aud": issuer + "/api/v1"}},
			"refresh": {mine.refresh, 30 * 24 * time.Hour, map[string]any{"scope": "events:read tickets:read", "sub": "usr_ada", "aud": issuer + "/api/v1"}},
			"its own": {own.access, time.Hour, map[string]any{"scope": "events:read", "sub": string(a.ID), "token_type": "Bearer"}},
		} {
			r := a.post("/oauth/introspect", url.Values{"token": {c.token}})
			var got map[string]any
			if err := json.Unmarshal([]byte(r.body), &got); err != nil || r.status != 200 || r.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %s %v", name, r, err)
			}
			iat, _ := got["iat"].(float64)
			exp, _ := got["exp"].(float64)
			if since := time.Now().Unix() - int64(iat); since < -60 || since > 60 || exp-iat != c.life.Seconds() {
				t.Errorf("%s: iat %v and exp %v, want now and %s later", name, iat, exp, c.life)
			}
			delete(got, "iat")
			delete(got, "exp")
			c.want["active"], c.want["client_id"], c.want["iss"], c.want["org"] = true, string(a.ID), issuer, string(orgID(home))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s: -want +got:\n%s", name, diff)
			}
		}
	})
}

func TestIntrospectionSaysNoMoreThanNotActive(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a, b := p.app(input()), p.app(input())
		foreign := b.tokens()
		used, revoked, ended, withdrawn := a.tokens(), a.tokens(), a.tokens(), a.tokens()
		code, _ := a.code()
		a.got(a.refresh(used.refresh))
		a.post("/oauth/revoke", url.Values{"token": {revoked.access}})
		a.post("/oauth/revoke", url.Values{"token": {ended.refresh}})
		check := func(name, token string) {
			t.Helper()
			if r := a.post("/oauth/introspect", url.Values{"token": {token}}); r.status != 200 || strings.TrimSpace(r.body) != `{"active":false}` {
				t.Errorf("%s: %s, want exactly {\"active\":false}", name, r)
			}
		}
		check("garbage", "garbage")
		check("a code", code)
		check("the secret", a.secret)
		check("another's access token", foreign.access)
		check("another's refresh token", foreign.refresh)
		check("a refresh token that was used", used.refresh)
		check("a revoked access token", revoked.access)
		check("a revoked refresh token", ended.refresh)
		check("an access token whose refresh token was revoked", ended.access)
		p.configure(func(tx *db.Tx) error { return p.apps.RevokeGrantsOf(tx, home, ada.No, "withdrawn", operator) })
		check("an access token of a grant that was withdrawn", withdrawn.access)
		check("a refresh token of a grant that was withdrawn", withdrawn.refresh)
		old := a.tokens()
		p.age(time.Hour)
		check("an access token that has ended", old.access)
		p.age(30 * 24 * time.Hour)
		check("a refresh token that has ended", old.refresh)
	})
}

func TestIntrospectionIsForClientsThatShowWhoTheyAre(t *testing.T) {
	p := lite(t)
	a, b := p.app(input()), p.app(public())
	mine := b.tokens()
	refused(t, p.post("/oauth/introspect", url.Values{"token": {mine.access}}), 401, "invalid_client")
	refused(t, b.post("/oauth/introspect", url.Values{"token": {mine.access}}), 401, "invalid_client")
	refused(t, p.post("/oauth/introspect", url.Values{"token": {mine.access}}, "Authorization", basic(string(a.ID), "sds_wrong")), 401, "invalid_client")
	refused(t, a.post("/oauth/introspect", nil), 400, "invalid_request")
}

// counting counts queries, and remembers the last.
type counting struct {
	db.Querier
	n    int
	sql  string
	args []any
}

func (c *counting) Query(sql string, args ...any) (db.Rows, error) {
	c.n++
	c.sql, c.args = sql, args
	return c.Querier.Query(sql, args...)
}

func TestAuthenticateIsOneLookUpByIndex(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		mine := p.app(input()).tokens()
		for _, token := range []string{mine.access, mine.refresh, "", "garbage"} {
			q := &counting{Querier: p.db.Read(t.Context())}
			_, err := oauth.Authenticate(q, token, time.Now())
			if (err == nil) != (token == mine.access) || q.n != 1 {
				t.Errorf("Authenticate made %d queries: %v; want one", q.n, err)
			}
			if plan := p.plan(q.sql, q.args...); strings.Contains(plan, "SCAN") || strings.Contains(plan, "Seq Scan") {
				t.Errorf("Authenticate reads a whole table:\n%s", plan)
			}
		}
	})
}

// plan is how the database would go about a query, even if its tables are small.
func (p *site) plan(sql string, args ...any) string {
	p.t.Helper()
	var b strings.Builder
	err := p.db.WriteAlone(p.t.Context(), func(tx *db.Tx) error {
		how := "EXPLAIN QUERY PLAN "
		if p.db.Engine() == db.PostgreSQL {
			how = "EXPLAIN (COSTS OFF) "
			if _, err := tx.Exec("SET LOCAL enable_seqscan = off"); err != nil {
				return err
			}
		}
		rows, err := tx.Query(how+sql, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var line string
			var n int64
			if p.db.Engine() == db.PostgreSQL {
				err = rows.Scan(&line)
			} else {
				err = rows.Scan(&n, &n, &n, &line)
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(&b, line)
		}
		return nil
	})
	if err != nil {
		p.t.Fatalf("EXPLAIN: %v", err)
	}
	return b.String()
}

func TestAccessTokenEndsToTheSecond(t *testing.T) {
	p := lite(t)
	mine := p.app(input()).tokens()
	q := p.db.Read(t.Context())
	b, err := oauth.Authenticate(q, mine.access, time.Now())
	if err != nil || b.Expires.Sub(b.Created) != time.Hour {
		t.Fatalf("Authenticate = %+v, %v; want an hour", b, err)
	}
	for at, want := range map[time.Time]bool{b.Expires.Add(-time.Microsecond): true, b.Expires: false, b.Expires.Add(time.Second): false} {
		if _, err := oauth.Authenticate(q, mine.access, at); (err == nil) != want {
			t.Errorf("Authenticate %s before its end: %v, want it good: %v", b.Expires.Sub(at), err, want)
		}
	}
}
