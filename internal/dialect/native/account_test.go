package native_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// list returns the texts of a list in the answer.
func (r response) list(path string) (all []string) {
	list, _ := r.at(path).([]any)
	for _, one := range list {
		all = append(all, one.(string))
	}
	return all
}

// refused wants a problem with a code.
func (r response) refused(t *testing.T, code string) {
	t.Helper()
	r.want(t, "code", code)
}

func TestProfileSaysWhoseTokenThisIs(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		kari := h.user(h.org, "Kari@example.com", org.Staff)
		full, _ := h.personal(h.org, kari, org.TokenInput{})
		r := h.as(full, 200, "GET", "/api/v1/profile", nil)
		r.want(t, "id", string(kari.ID), "email", "Kari@example.com", "emailVerified", true, "name", "Name of Kari@example.com", "role", "staff",
			"organisation.name", "Harbor Jazz", "organisation.slug", "harbor-jazz", "version", 1)
		if want := strings.Fields(org.Staff.Allows().String()); !slices.Equal(r.list("scopes"), want) {
			t.Errorf("scopes = %v, want those of the role, %v", r.list("scopes"), want)
		}
		h.as(full, 412, "PATCH", "/api/v1/profile", `{"name":"x"}`, "If-Match", `"7"`)
		r = h.as(full, 200, "PATCH", "/api/v1/profile", map[string]any{"name": " Kari N. "}, "If-Match", `"1"`)
		r.want(t, "name", "Kari N.", "version", 2)
		if r.header.Get("ETag") != `"2"` {
			t.Errorf("ETag = %q, want \"2\"", r.header.Get("ETag"))
		}
		h.as(full, 400, "PATCH", "/api/v1/profile", map[string]any{"name": "a\nb"}).want(t, "errors.0.pointer", "/name")
		h.as(full, 200, "PATCH", "/api/v1/profile", map[string]any{}).want(t, "name", "Kari N.", "version", 2)

		blind, _ := h.personal(h.org, kari, org.TokenInput{Scopes: scope.Of(scope.ProfileWrite)})
		r = h.as(blind, 200, "PATCH", "/api/v1/profile", map[string]any{"name": "Kari"})
		r.want(t, "email", nil, "emailVerified", false, "name", "Kari")
		if strings.Contains(strings.ToLower(string(r.raw)), "example.com") {
			t.Errorf("a token that may not read the profile is shown the address: %s", r.raw)
		}
		app := h.app(h.org, "App")
		h.as(app.allowed(kari, scope.Of(scope.ProfileRead)), 200, "GET", "/api/v1/profile", nil).want(t, "id", string(kari.ID), "scopes.0", "profile:read")
		h.as(app.itself(scope.Of(scope.ProfileRead)), 403, "GET", "/api/v1/profile", nil).refused(t, "person_only")
		h.must(403, "PATCH", "/api/v1/profile", map[string]any{"name": "x"}).refused(t, "person_only")
	})
}

func TestTokenMakesNoMightierToken(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		kari := h.user(h.org, "kari@example.com", org.Owner)
		full, _ := h.personal(h.org, kari, org.TokenInput{})
		r := h.as(full, 201, "POST", "/api/v1/tokens", map[string]any{"name": "mine"})
		r.want(t, "name", "mine", "full", true, "expiresAt", nil, "lastUsedAt", nil)
		h.as(r.text("token"), 200, "GET", "/api/v1/members", nil) // it administrates
		if got := r.header.Get("Location"); got != "/api/v1/tokens/"+r.text("id") {
			t.Errorf("Location = %q", got)
		}

		narrow := h.as(full, 201, "POST", "/api/v1/tokens", map[string]any{"scopes": []string{"events:read", "tickets:read"}, "expiresInDays": 10})
		narrow.want(t, "full", false)
		token := narrow.text("token")
		for _, body := range []map[string]any{{}, {"name": "x"}, {"scopes": []string{"events:read"}}} {
			r := h.as(token, 201, "POST", "/api/v1/tokens", body)
			r.want(t, "full", false)
			for _, s := range r.list("scopes") {
				if s != "events:read" && s != "tickets:read" {
					t.Errorf("POST /tokens %v made %s; its maker has no %s", body, r.raw, s)
				}
			}
			if expires, err := time.Parse(time.RFC3339, r.text("expiresAt")); err != nil || expires.After(time.Now().Add(10*24*time.Hour)) {
				t.Errorf("POST /tokens %v made a token until %q; its maker is good for 10 days", body, r.text("expiresAt"))
			}
		}
		r = h.as(token, 403, "POST", "/api/v1/tokens", map[string]any{"scopes": []string{"events:read", "events:write"}})
		r.refused(t, "insufficient_scope")
		if got := r.header.Get("WWW-Authenticate"); !strings.Contains(got, `scope="events:read events:write"`) {
			t.Errorf("WWW-Authenticate = %q", got)
		}
		h.as(token, 400, "POST", "/api/v1/tokens", map[string]any{"expiresInDays": 11}).want(t, "errors.0.pointer", "/expiresInDays")
		h.as(full, 400, "POST", "/api/v1/tokens", map[string]any{"scopes": []string{}}).want(t, "errors.0.pointer", "/scopes")
		h.as(full, 400, "POST", "/api/v1/tokens", map[string]any{"scopes": []string{"everything"}}).want(t, "errors.0.pointer", "/scopes/0")
		h.as(token, 403, "GET", "/api/v1/members", nil).refused(t, "administration_only")

		app := h.app(h.org, "App")
		for _, other := range []string{h.key, app.allowed(kari, scope.All()), app.itself(scope.All())} {
			h.as(other, 403, "POST", "/api/v1/tokens", map[string]any{}).refused(t, "person_only")
		}
	})
}

func TestTokensAreThePersonsOwn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		kari, ola := h.user(h.org, "kari@example.com", org.Member), h.user(h.org, "ola@example.com", org.Owner)
		full, first := h.personal(h.org, kari, org.TokenInput{Name: "first"})
		fellow, others := h.personal(h.org, ola, org.TokenInput{Name: "others"})
		elsewhere, _ := h.newOrg("Elsewhere")
		away, awayID := h.personal(elsewhere, kari, org.TokenInput{Name: "away"})
		second := h.as(full, 201, "POST", "/api/v1/tokens", map[string]any{"name": "second"})

		r := h.as(full, 200, "GET", "/api/v1/tokens", nil)
		if diff := cmp.Diff([]string{string(first), second.text("id")}, ids(r, "id")); diff != "" {
			t.Errorf("tokens (-want +got):\n%s", diff)
		}
		if strings.Contains(string(r.raw), "sdp_") {
			t.Errorf("the list shows a token: %s", r.raw)
		}
		h.as(full, 404, "DELETE", "/api/v1/tokens/"+string(others), nil).refused(t, "token_not_found")
		h.as(full, 404, "DELETE", "/api/v1/tokens/"+string(awayID), nil).refused(t, "token_not_found") // another organisation's business
		h.as(fellow, 404, "DELETE", "/api/v1/tokens/"+string(first), nil).refused(t, "token_not_found")
		for range 2 {
			h.as(full, 204, "DELETE", "/api/v1/tokens/"+second.text("id"), nil)
		}
		h.as(second.text("token"), 401, "GET", "/api/v1/profile", nil).refused(t, "invalid_token")
		h.as(away, 200, "GET", "/api/v1/profile", nil)
		h.as(full, 200, "GET", "/api/v1/tokens?limit=1&offset=1", nil).want(t, "meta.pagination.total", 1, "data.0", nil)
	})
}

func TestKeysAreShownOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		body := map[string]any{"name": "till", "scopes": []string{"events:read", "read:webhooks"}, "perMinute": 60}
		r := h.must(201, "POST", "/api/v1/keys", body, "Idempotency-Key", "k1")
		r.want(t, "name", "till", "full", false, "perMinute", 60, "scopes.0", "events:read", "scopes.1", "webhooks:manage", "lastUsedAt", nil)
		again := h.must(201, "POST", "/api/v1/keys", body, "Idempotency-Key", "k1")
		if again.text("key") != r.text("key") || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("the same request again made %s, after %s", again.raw, r.raw)
		}
		h.as(r.text("key"), 200, "GET", "/api/v1/events", nil)
		h.as(r.text("key"), 403, "GET", "/api/v1/keys", nil).refused(t, "administration_only")
		list := h.must(200, "GET", "/api/v1/keys", nil)
		list.want(t, "meta.pagination.total", 2, "data.1.id", r.text("id"), "data.0.full", true, "data.1.key", nil)
		if strings.Contains(string(list.raw), `"sd_`) {
			t.Errorf("the list shows a key: %s", list.raw)
		}
		kept, err := db.All(h.db.Read(t.Context()), db.Value[[]byte], "SELECT answer FROM idempotency")
		if err != nil || len(kept) != 1 || strings.Contains(string(kept[0]), r.text("key")) {
			t.Errorf("the kept answer is %q, %v; want one that is sealed", kept, err)
		}
		for range 2 {
			h.must(204, "DELETE", "/api/v1/keys/"+r.text("id"), nil)
		}
		h.must(200, "GET", "/api/v1/keys", nil).want(t, "meta.pagination.total", 1)
		h.must(404, "DELETE", "/api/v1/keys/key_none", nil).refused(t, "key_not_found")
		h.must(400, "POST", "/api/v1/keys", map[string]any{"scopes": []string{}}).want(t, "errors.0.pointer", "/scopes")
		h.must(400, "POST", "/api/v1/keys", map[string]any{"scopes": []string{"x"}, "perMinute": 1}).want(t, "errors.0.code", "unknown_scope")
		h.must(201, "POST", "/api/v1/keys", map[string]any{}).want(t, "full", true)
	})
}

func TestOnlyOwnersSayWhoTheOwnersAre(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		people := map[org.Role]org.User{}
		tokens := map[org.Role]string{}
		for _, role := range org.Roles() {
			people[role] = h.user(h.org, string(role)+"@example.com", role)
			tokens[role], _ = h.personal(h.org, people[role], org.TokenInput{})
		}
		path := func(role org.Role) string { return "/api/v1/members/" + string(people[role].ID) }
		r := h.as(tokens[org.Admin], 200, "GET", "/api/v1/members", nil)
		r.want(t, "meta.pagination.total", 4, "data.0.userId", string(people[org.Owner].ID), "data.0.email", "owner@example.com", "data.0.role", "owner")
		for _, who := range []string{tokens[org.Admin], h.key} {
			h.as(who, 403, "PATCH", path(org.Member), `{"role":"owner"}`).refused(t, "owners_only")
			h.as(who, 403, "PATCH", path(org.Owner), `{"role":"staff"}`).refused(t, "owners_only")
			h.as(who, 403, "DELETE", path(org.Owner), nil).refused(t, "owners_only")
			h.as(who, 403, "POST", "/api/v1/invitations", `{"email":"new@example.com","role":"owner"}`).refused(t, "owners_only")
			h.as(who, 200, "PATCH", path(org.Member), `{"role":"admin"}`).want(t, "role", "admin", "userId", string(people[org.Member].ID))
			h.as(who, 200, "PATCH", path(org.Member), `{"role":"member"}`)
			h.as(who, 200, "PATCH", path(org.Owner), `{"role":"owner"}`) // as it is
		}
		h.as(tokens[org.Owner], 409, "PATCH", path(org.Owner), `{"role":"admin"}`).refused(t, "last_owner")
		h.as(tokens[org.Owner], 409, "DELETE", path(org.Owner), nil).refused(t, "last_owner")
		h.as(tokens[org.Owner], 200, "PATCH", path(org.Member), `{"role":"owner"}`)
		h.as(tokens[org.Owner], 204, "DELETE", path(org.Owner), nil)
		h.must(404, "PATCH", path(org.Owner), `{"role":"staff"}`).refused(t, "member_not_found")
		h.must(404, "DELETE", "/api/v1/members/usr_none", nil).refused(t, "member_not_found")
		h.must(400, "PATCH", path(org.Staff), `{"role":"king"}`).want(t, "errors.0.pointer", "/role")
		h.must(204, "DELETE", path(org.Staff), nil)
		eventually(t, func() bool { // what is remembered of a token is half a second old at most
			return h.call("GET", "/api/v1/events/x/cancel-orders", nil, "X-API-Key", tokens[org.Staff]).text("code") == "insufficient_role"
		})
	})
}

func TestInvitationIsALinkThatIsShownOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		r := h.must(201, "POST", "/api/v1/invitations", `{"email":"New@example.com","role":"member"}`)
		secret, ok := strings.CutPrefix(r.text("url"), "https://tickets.example/invitation/")
		if !ok || secret == "" {
			t.Errorf("url = %q", r.text("url"))
		}
		r.want(t, "email", "New@example.com", "role", "member")
		list := h.must(200, "GET", "/api/v1/invitations", nil)
		list.want(t, "meta.pagination.total", 1, "data.0.id", r.text("id"), "data.0.url", nil)
		if _, err := org.LinkOf(h.db.Read(t.Context()), org.Invitation, secret, time.Now()); err != nil {
			t.Errorf("the link cannot be used: %v", err)
		}
		h.must(204, "DELETE", "/api/v1/invitations/"+r.text("id"), nil)
		if _, err := org.LinkOf(h.db.Read(t.Context()), org.Invitation, secret, time.Now()); !problem.Is(err, "link_invalid") {
			t.Errorf("the link of an invitation that was taken back: %v, want link_invalid", err)
		}
		h.must(200, "GET", "/api/v1/invitations", nil).want(t, "meta.pagination.total", 0)
		h.must(404, "DELETE", "/api/v1/invitations/lnk_none", nil).refused(t, "link_not_found")
		h.must(400, "POST", "/api/v1/invitations", `{"email":"nobody","role":"member"}`).want(t, "errors.0.pointer", "/email")
	})
}

func TestAuditLogIsReadBackwards(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		other, _ := h.newOrg("Elsewhere")
		h.app(other, "Not ours")
		boss := h.user(h.org, "boss@example.com", org.Owner)
		token, _ := h.personal(h.org, boss, org.TokenInput{})
		var made []string
		for range 5 {
			made = append([]string{h.as(token, 201, "POST", "/api/v1/keys", `{"scopes":["events:read"]}`).text("id")}, made...)
		}
		var got []string
		path := "/api/v1/audit?action=key.created&actor=" + string(boss.ID) + "&limit=2"
		pages := 0
		for next := path; next != ""; pages++ {
			r := h.as(token, 200, "GET", next, nil)
			for i := range ids(r, "id") {
				got = append(got, r.text("data."+string(rune('0'+i))+".subject"))
			}
			if next = ""; r.at("meta.pagination.hasMore") == true {
				next = path + "&cursor=" + url.QueryEscape(r.text("meta.pagination.nextCursor"))
			}
		}
		if diff := cmp.Diff(made, got); diff != "" || pages != 3 {
			t.Errorf("the keys that were made, newest first, on %d pages (-want +got):\n%s", pages, diff)
		}
		r := h.must(200, "GET", "/api/v1/audit?subject="+made[0], nil)
		r.want(t, "data.0.action", "key.created", "data.0.actor", string(boss.ID), "data.0.address", "127.0.0.1", "data.0.detail.scopes", "events:read", "data.1", nil)
		at := r.text("data.0.at")
		h.must(200, "GET", "/api/v1/audit?subject="+made[0]+"&since="+at, nil).want(t, "data.0.subject", made[0], "meta.filters.since", at)
		h.must(200, "GET", "/api/v1/audit?subject="+made[0]+"&until="+at, nil).want(t, "data.0", nil)
		h.must(200, "GET", "/api/v1/audit?action=client.created", nil).want(t, "data.0", nil) // another organisation's
		h.must(400, "GET", "/api/v1/audit?cursor=x", nil).want(t, "errors.0.code", "invalid_cursor")
		h.must(400, "GET", "/api/v1/audit?limit=101", nil)
	})
}

func TestAppsAndGrantsOnTheWire(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		r := h.must(201, "POST", "/api/v1/oauth/clients", map[string]any{"name": "Seating", "redirectUris": []string{redirect}, "scopes": []string{"events:read", "write:sales"}})
		r.want(t, "authMethod", "client_secret_basic", "scopes.1", "tickets:write", "grantTypes.0", "authorization_code", "requireDpop", false, "secrets.0.n", 1, "version", 1)
		id, secret := r.text("clientId"), r.text("clientSecret")
		path := "/api/v1/oauth/clients/" + id
		if !strings.HasPrefix(id, "oa_") || !strings.HasPrefix(secret, "sds_") || r.header.Get("Location") != path {
			t.Errorf("POST /oauth/clients = %s, Location %q", r.raw, r.header.Get("Location"))
		}
		h.must(200, "GET", path, nil).want(t, "clientSecret", nil, "name", "Seating")
		h.must(200, "GET", "/api/v1/oauth/clients", nil).want(t, "meta.pagination.total", 1, "data.0.clientId", id)
		h.must(412, "PATCH", path, `{"name":"x"}`, "If-Match", `"2"`).refused(t, "version_mismatch")
		h.must(200, "PATCH", path, `{"name":"Seats"}`, "If-Match", `"1"`).want(t, "name", "Seats", "scopes.1", "tickets:write", "version", 2)
		h.must(400, "PATCH", path, `{"scopes":["x"]}`).want(t, "errors.0.pointer", "/scopes/0")
		rotated := h.must(200, "POST", path+"/rotate-secret", `{"overlapSeconds":60}`)
		if rotated.text("clientSecret") == secret || rotated.at("secrets.1") == nil {
			t.Errorf("rotate-secret = %s; want another secret beside the first", rotated.raw)
		}

		kari, app := h.user(h.org, "kari@example.com", org.Owner), h.app(h.org, "App")
		access := app.allowed(kari, scope.Of(scope.EventsRead))
		app.itself(scope.Of(scope.EventsRead))
		grants := h.must(200, "GET", "/api/v1/oauth/grants", nil)
		grants.want(t, "meta.pagination.total", 2, "data.0.userId", nil, "data.1.userId", string(kari.ID), "data.1.clientId", string(app.ID), "data.1.clientName", "App", "data.1.scopes.0", "events:read")
		grant := "/api/v1/oauth/grants/" + grants.text("data.1.id")
		h.must(200, "GET", grant, nil).want(t, "userId", string(kari.ID))
		h.must(204, "DELETE", grant, nil)
		h.must(404, "DELETE", grant, nil).refused(t, "grant_not_found")
		eventually(t, func() bool { return h.call("GET", "/api/v1/events", nil, "X-API-Key", access).status == 401 })
		h.must(412, "DELETE", path, nil, "If-Match", `"1"`)
		h.must(204, "DELETE", path, nil)
		h.must(404, "GET", path, nil).refused(t, "client_not_found")
	})
}
