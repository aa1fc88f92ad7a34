package oauth_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

func TestClientIsFoundAgain(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a, b := p.app(input()), p.app(public())
		q := p.db.Read(t.Context())
		all, err := oauth.Clients(q, home)
		if diff := cmp.Diff([]oauth.Client{a.Client, b.Client}, all); err != nil || diff != "" {
			t.Errorf("Clients: %v, -made +found:\n%s", err, diff)
		}
		for _, org := range []int64{home, 0} {
			if got, err := oauth.ClientByID(q, org, a.ID); err != nil || cmp.Diff(a.Client, got) != "" {
				t.Errorf("ClientByID(%d): %v, -made +found:\n%s", org, err, cmp.Diff(a.Client, got))
			}
		}
		if _, err := oauth.ClientByID(q, away, a.ID); !problem.Is(err, "client_not_found") {
			t.Errorf("ClientByID of another organisation = %v, want client_not_found", err)
		}
		if !strings.HasPrefix(a.secret, "sds_") || len(a.secret) < 50 || b.secret != "" || len(a.Secrets) != 1 || len(b.Secrets) != 0 {
			t.Errorf("secrets are %q and %q, kept %v and %v", a.secret, b.secret, a.Secrets, b.Secrets)
		}
		kept, err := db.One(q, db.Value[[]byte], `SELECT hash FROM oauth_secrets`)
		if err != nil || strings.Contains(string(kept), a.secret) || len(kept) != 32 {
			t.Errorf("the secret is kept as %q, %v; want a MAC", kept, err)
		}
	})
}

func TestClientIsChecked(t *testing.T) {
	p := lite(t)
	for name, c := range map[string]struct {
		change func(*oauth.ClientInput)
		field  string // "" for fine
	}{
		"nothing but what is needed": {func(in *oauth.ClientInput) { in.AuthMethod, in.GrantTypes = "", nil }, ""},
		"machine without redirects": {func(in *oauth.ClientInput) {
			in.GrantTypes, in.Redirects = []oauth.GrantType{oauth.ClientCredentials}, nil
		}, ""},
		"no name":        {func(in *oauth.ClientInput) { in.Name = " " }, "/name"},
		"long name":      {func(in *oauth.ClientInput) { in.Name = strings.Repeat("x", 101) }, "/name"},
		"two lines":      {func(in *oauth.ClientInput) { in.Name = "a\nb" }, "/name"},
		"no text":        {func(in *oauth.ClientInput) { in.Name = "\xff" }, "/name"},
		"no scopes":      {func(in *oauth.ClientInput) { in.Scopes = 0 }, "/scopes"},
		"unknown method": {func(in *oauth.ClientInput) { in.AuthMethod = "client_secret_jwt" }, "/authMethod"},
		"password": {func(in *oauth.ClientInput) {
			in.GrantTypes = []oauth.GrantType{oauth.AuthorizationCode, "password"}
		}, "/grantTypes/1"},
		"public machine": {func(in *oauth.ClientInput) { in.AuthMethod = oauth.Public }, "/grantTypes/2"},
		"no redirects":   {func(in *oauth.ClientInput) { in.Redirects = nil }, "/redirectUris"},
		"bad redirect":   {func(in *oauth.ClientInput) { in.Redirects = []string{callback, "javascript:alert(1)"} }, "/redirectUris/1"},
		"21 redirects":   {func(in *oauth.ClientInput) { in.Redirects = slices.Repeat([]string{callback}, 21) }, "/redirectUris"},
		"keys missing":   {func(in *oauth.ClientInput) { in.AuthMethod = oauth.PrivateKey }, "/jwks"},
		"keys for none":  {func(in *oauth.ClientInput) { in.JWKS = `{"keys":[]}` }, "/jwks"},
		"no keys":        {func(in *oauth.ClientInput) { in.AuthMethod, in.JWKS = oauth.PrivateKey, `{"keys":[]}` }, "/jwks"},
		"secret keys": {func(in *oauth.ClientInput) {
			in.AuthMethod, in.JWKS = oauth.PrivateKey, `{"keys":[{"kty":"oct","k":"AAAA"}]}`
		}, "/jwks"},
	} {
		t.Run(name, func(t *testing.T) {
			in := input()
			c.change(&in)
			err := p.db.Write(t.Context(), "", func(tx *db.Tx) error {
				_, _, err := p.apps.CreateClient(tx, home, in, operator)
				return err
			})
			if c.field == "" {
				if err != nil {
					t.Errorf("CreateClient(%+v): %v", in, err)
				}
				return
			}
			if e := problem.As(err); e == nil || len(e.Fields) != 1 || e.Fields[0].Pointer != c.field {
				t.Errorf("CreateClient(%+v) = %v, want a problem about %s", in, err, c.field)
			}
		})
	}
}

func (p *site) change(a app, in oauth.ClientInput, version int64) (c oauth.Client, err error) {
	err = p.db.Write(p.t.Context(), "", func(tx *db.Tx) (err error) {
		c, err = p.apps.UpdateClient(tx, home, a.ID, in, version, operator)
		return err
	})
	return c, err
}

func TestClientChanges(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		in := a.Input()
		in.Name, in.AuthMethod, in.Redirects = "Door", oauth.SecretPost, []string{callback, "com.example.app:/back"}
		in.Scopes, in.RequirePAR, in.RequireDPoP, in.GrantTypes = scope.Of(scope.CheckinRead), true, true, []oauth.GrantType{oauth.AuthorizationCode}
		now, err := p.change(a, in, 1)
		if err != nil || now.Version != 2 || cmp.Diff(in, now.Input()) != "" {
			t.Fatalf("UpdateClient = %+v, %v; want version 2 and\n%+v", now, err, in)
		}
		if found, err := oauth.ClientByID(p.db.Read(t.Context()), home, a.ID); err != nil || cmp.Diff(now, found) != "" {
			t.Errorf("ClientByID after it: %v, -answered +found:\n%s", err, cmp.Diff(now, found))
		}
		if same, err := p.change(a, in, 2); err != nil || same.Version != 2 {
			t.Errorf("a change that changes nothing = version %d, %v; want 2", same.Version, err)
		}
		if _, err := p.change(a, input(), 1); !problem.Is(err, "version_mismatch") {
			t.Errorf("a change of version 1 = %v, want version_mismatch", err)
		}
		for _, m := range []oauth.AuthMethod{oauth.Public, oauth.PrivateKey} {
			other := in
			other.AuthMethod = m
			if m == oauth.PrivateKey {
				other.JWKS = newKey(t).set
			}
			if _, err := p.change(a, other, 0); err == nil || !strings.Contains(err.Error(), "/authMethod") {
				t.Errorf("to %s = %v, want a problem about /authMethod", m, err)
			}
		}
		if got := p.actions(home); !slices.Equal(got, []string{"client.created", "client.changed"}) {
			t.Errorf("the audit log has %v", got)
		}
	})
}

func TestSecretIsReplacedWithAnOverlap(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		rotate := func(overlap time.Duration) (secret string) {
			t.Helper()
			p.write(func(tx *db.Tx) (err error) {
				a.Client, secret, err = p.apps.RotateSecret(tx, home, a.ID, overlap, operator)
				return err
			})
			return secret
		}
		good := func(secret string) bool {
			return p.post("/oauth/token", machine, "Authorization", basic(string(a.ID), secret)).status == 200
		}
		first, second := a.secret, rotate(time.Hour)
		if !good(first) || !good(second) || len(a.Secrets) != 2 || a.Secrets[0].ExpiresAt.IsZero() || !a.Secrets[1].ExpiresAt.IsZero() {
			t.Errorf("during the overlap the secrets are good: %v and %v, kept %+v; want both", good(first), good(second), a.Secrets)
		}
		third := rotate(oauth.MaxOverlap)
		if good(first) || !good(second) || !good(third) || len(a.Secrets) != 2 {
			t.Errorf("after another rotation the secrets are good: %v, %v, %v; want the last two", good(first), good(second), good(third))
		}
		p.age(oauth.MaxOverlap + time.Second)
		if good(second) || !good(third) {
			t.Errorf("after the overlap the secrets are good: %v and %v; want the new one", good(second), good(third))
		}
		fourth := rotate(0)
		if good(third) || !good(fourth) || len(a.Secrets) != 1 {
			t.Errorf("without an overlap the secrets are good: %v and %v", good(third), good(fourth))
		}
		if n := count(p.actions(home), "client.secret_rotated"); n != 3 {
			t.Errorf("client.secret_rotated stands %d times in the audit log, want 3", n)
		}
	})
}

func TestRotationIsRefused(t *testing.T) {
	p := lite(t)
	a, b := p.app(input()), p.app(public())
	for name, c := range map[string]struct {
		org     int64
		id      id.Client
		overlap time.Duration
		code    string
	}{
		"longer than a week":   {home, a.ID, oauth.MaxOverlap + 1, "validation_failed"},
		"negative":             {home, a.ID, -1, "validation_failed"},
		"without a secret":     {home, b.ID, 0, "no_secret"},
		"another organisation": {away, a.ID, 0, "client_not_found"},
	} {
		err := p.db.Write(t.Context(), "", func(tx *db.Tx) error {
			_, _, err := p.apps.RotateSecret(tx, c.org, c.id, c.overlap, operator)
			return err
		})
		if !problem.Is(err, c.code) {
			t.Errorf("%s: RotateSecret = %v, want %s", name, err, c.code)
		}
	}
}

func TestDeletedClientIsGoneWithAllThatItHad(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a, b := p.app(input()), p.app(input())
		mine, others := a.tokens(), b.tokens()
		own := a.got(a.post("/oauth/token", machine))
		code, check := a.code()
		err := p.db.Configure(t.Context(), func(tx *db.Tx) error { return p.apps.DeleteClient(tx, home, a.ID, 7, operator) })
		if !problem.Is(err, "version_mismatch") {
			t.Errorf("DeleteClient of another version = %v, want version_mismatch", err)
		}
		p.heard.takeLimits()
		p.configure(func(tx *db.Tx) error { return p.apps.DeleteClient(tx, home, a.ID, 1, operator) })
		if p.good(mine.access) || p.good(own.access) || !p.good(others.access) {
			t.Errorf("tokens are good: %v, %v; another app's %v", p.good(mine.access), p.good(own.access), p.good(others.access))
		}
		refused(t, a.post("/oauth/token", exchange(code, check)), 401, "invalid_client")
		refused(t, a.refresh(mine.refresh), 401, "invalid_client")
		if got := p.heard.takeLimits(); !slices.Equal(got, []string{"1: ", "1: "}) {
			t.Errorf("endpoints were limited to %q, want to nothing for both grants", got)
		}
		q := p.db.Read(t.Context())
		if all, err := oauth.Clients(q, home); err != nil || len(all) != 1 || all[0].ID != b.ID {
			t.Errorf("Clients = %v, %v", all, err)
		}
		if gone, err := oauth.GrantsOf(q, ada.No); err != nil || len(gone) != 1 {
			t.Errorf("GrantsOf = %v, %v; want the other app's", gone, err)
		}
		if n := p.count("oauth_secrets"); n != 1 {
			t.Errorf("%d secrets are kept, want the other app's", n)
		}
		said := p.actions(home)
		if count(said, "client.deleted") != 1 || count(said, "grant.revoked") != 2 {
			t.Errorf("the audit log has %v", said)
		}
		err = p.db.Configure(t.Context(), func(tx *db.Tx) error { return p.apps.DeleteClient(tx, home, a.ID, 0, operator) })
		if !problem.Is(err, "client_not_found") {
			t.Errorf("DeleteClient again = %v, want client_not_found", err)
		}
	})
}

func TestGrantIsWithdrawn(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		mine := a.tokens()
		p.front.person = brian
		others := a.tokens()
		q := p.db.Read(t.Context())
		list, err := oauth.GrantsOf(q, ada.No)
		if err != nil || len(list) != 1 {
			t.Fatalf("GrantsOf = %v, %v", list, err)
		}
		revoke := func(org int64) error {
			return p.db.Configure(t.Context(), func(tx *db.Tx) error { return p.apps.RevokeGrant(tx, org, list[0].ID, "withdrawn", operator) })
		}
		if err := revoke(away); !problem.Is(err, "grant_not_found") {
			t.Errorf("RevokeGrant in another organisation = %v, want grant_not_found", err)
		}
		if err := revoke(home); err != nil {
			t.Errorf("RevokeGrant: %v", err)
		}
		if p.good(mine.access) || !p.good(others.access) {
			t.Errorf("tokens are good: %v, another person's %v", p.good(mine.access), p.good(others.access))
		}
		refused(t, a.refresh(mine.refresh), 400, "invalid_grant")
		if _, err := oauth.GrantByID(q, home, list[0].ID); !problem.Is(err, "grant_not_found") {
			t.Errorf("GrantByID after it = %v, want grant_not_found", err)
		}
		p.front.person = ada
		a.tokens() // allowed anew
		if again, err := oauth.GrantsOf(q, ada.No); err != nil || len(again) != 1 || again[0].ID == list[0].ID {
			t.Errorf("GrantsOf after it was allowed anew = %v, %v; want another grant", again, err)
		}
	})
}

func TestSignOutEndsTokensAndKeepsGrants(t *testing.T) {
	each(t, func(t *testing.T, p *site) {
		a := p.app(input())
		mine := a.tokens()
		own := a.got(a.post("/oauth/token", machine))
		p.front.person = brian
		others := a.tokens()
		p.write(func(tx *db.Tx) error { return p.apps.SignOut(tx, ada.No, "password_changed") })
		if p.good(mine.access) || !p.good(others.access) || !p.good(own.access) {
			t.Errorf("tokens are good: %v; another person's %v, the app's own %v", p.good(mine.access), p.good(others.access), p.good(own.access))
		}
		refused(t, a.refresh(mine.refresh), 400, "invalid_grant")
		if kept, err := oauth.GrantsOf(p.db.Read(t.Context()), ada.No); err != nil || len(kept) != 1 {
			t.Errorf("GrantsOf = %v, %v; want the grant to stay", kept, err)
		}
	})
}

func TestReachLimitsWebhooks(t *testing.T) {
	p := lite(t)
	a := p.app(input())
	a.tokens("scope", "events:read tickets:read webhooks:manage")
	p.heard.takeLimits()
	for _, may := range []scope.Set{scope.All(), scope.Of(scope.EventsRead, scope.WebhooksManage), scope.Of(scope.EventsRead), 0} {
		p.configure(func(tx *db.Tx) error { return p.apps.Reach(tx, home, ada.No, may) })
	}
	p.configure(func(tx *db.Tx) error { return p.apps.Reach(tx, away, ada.No, 0) })
	p.configure(func(tx *db.Tx) error { return p.apps.Reach(tx, home, brian.No, 0) })
	if diff := cmp.Diff([]string{"1: events:read tickets:read webhooks:manage", "1: events:read webhooks:manage", "1: ", "1: "}, p.heard.takeLimits()); diff != "" {
		t.Errorf("endpoints were limited to: -want +got:\n%s", diff)
	}
}
