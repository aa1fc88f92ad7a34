package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// somebodyWithARole makes an account with a role in the organisation, and a client that has a personal token of theirs.
func (o *org) somebodyWithARole(t *testing.T, role string) (id, email string, c *harness.Client) {
	t.Helper()
	email = somebody()
	var user struct{ ID string }
	out := o.st.Feed(t, password+"\n", "user", "create", email, "--org", o.slug, "--role", role, "--password-stdin", "--json")
	if err := json.Unmarshal(out, &user); err != nil || user.ID == "" {
		t.Fatalf("user create wrote %s", out)
	}
	var token struct{ Token string }
	out = o.st.Run(t, "user", "token", email, "--org", o.slug, "--json")
	if err := json.Unmarshal(out, &token); err != nil || token.Token == "" {
		t.Fatalf("user token wrote %s", out)
	}
	return user.ID, email, o.st.Client(token.Token)
}

// tokenOf asks the token endpoint for a token of the app's own (RFC 6749 §4.4).
func tokenOf(t *testing.T, c *harness.Client, id, secret string) (status int, token string) {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(id, secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer.AccessToken
}

func TestAnOwnerRunsTheAppsByAPI(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		made := o.Call(t, 201, "POST", "/api/v1/oauth/clients", body{"name": "Box office", "scopes": []string{"events:read"}, "grantTypes": []string{"client_credentials"}})
		id, first := text(t, made, "clientId"), text(t, made, "clientSecret")
		path := "/api/v1/oauth/clients/" + id
		expect(t, o.Call(t, 200, "GET", "/api/v1/oauth/clients", nil).Body, "data.0.clientId", id, "data.0.clientSecret", absent{})
		expect(t, o.Call(t, 200, "PATCH", path, body{"name": "Front of house"}).Body, "name", "Front of house", "scopes.0", "events:read")
		expect(t, o.Call(t, 200, "GET", path, nil).Body, "name", "Front of house", "clientSecret", absent{})

		second := text(t, o.Call(t, 200, "POST", path+"/rotate-secret", body{}), "clientSecret")
		if first == second {
			t.Error("the new secret is the one before")
		}
		for _, secret := range []string{first, second} { // both are good for the overlap
			if status, token := tokenOf(t, o.Client, id, secret); status != 200 {
				t.Errorf("the token endpoint answered %d", status)
			} else {
				st.Client(token).Call(t, 200, "GET", "/api/v1/events", nil)
			}
		}
		_, token := tokenOf(t, o.Client, id, second)
		app := st.Client(token)
		refused(t, try(t, app, "GET", "/api/v1/oauth/grants", nil), 403, "")

		grants := o.Call(t, 200, "GET", "/api/v1/oauth/grants", nil)
		expect(t, grants.Body, "data.0.clientId", id, "data.0.userId", nil)
		grant := "/api/v1/oauth/grants/" + text(t, grants, "data.0.id")
		expect(t, o.Call(t, 200, "GET", grant, nil).Body, "clientName", "Front of house", "scopes.0", "events:read")
		o.Call(t, 204, "DELETE", grant, nil)
		over(t, app)

		_, token = tokenOf(t, o.Client, id, second)
		app = st.Client(token)
		app.Call(t, 200, "GET", "/api/v1/events", nil)
		o.Call(t, 204, "DELETE", path, nil)
		over(t, app)
		refused(t, try(t, o.Client, "GET", path, nil), 404, "")
		if status, _ := tokenOf(t, o.Client, id, second); status != 401 {
			t.Errorf("an app that was deleted gets %d from the token endpoint", status)
		}
	})
}

// over waits for the second in which what was revoked is refused.
func over(t *testing.T, c *harness.Client) {
	t.Helper()
	begun := time.Now()
	for try(t, c, "GET", "/api/v1/events", nil).Status != 401 {
		if time.Since(begun) > soon {
			t.Fatal("a token is good still after what it rests on has gone")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestAnOwnerRunsTheHouseByAPI(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		owner, _, me := o.somebodyWithARole(t, "owner")
		other, email, them := o.somebodyWithARole(t, "member")

		key := me.Call(t, 201, "POST", "/api/v1/keys", body{"name": "Door", "scopes": []string{"events:read"}})
		few := st.Client(text(t, key, "key"))
		few.Call(t, 200, "GET", "/api/v1/events", nil)
		refused(t, try(t, few, "GET", "/api/v1/orders", nil), 403, "insufficient_scope")
		if all := me.Call(t, 200, "GET", "/api/v1/keys", nil); strings.Contains(string(all.Body), text(t, key, "key")) {
			t.Error("the list of keys shows a key")
		}
		me.Call(t, 204, "DELETE", "/api/v1/keys/"+text(t, key, "id"), nil)
		over(t, few)

		refused(t, try(t, them, "GET", "/api/v1/members", nil), 403, "")
		expect(t, me.Call(t, 200, "PATCH", "/api/v1/members/"+other, body{"role": "admin"}).Body, "role", "admin", "email", email)
		eventually(t, func() bool { return try(t, them, "GET", "/api/v1/members", nil).Status == 200 })
		refused(t, try(t, me, "PATCH", "/api/v1/members/"+owner, body{"role": "member"}), 409, "last_owner")
		me.Call(t, 204, "DELETE", "/api/v1/members/"+other, nil)
		eventually(t, func() bool { return try(t, them, "GET", "/api/v1/members", nil).Status == 403 })

		link := me.Call(t, 201, "POST", "/api/v1/invitations", body{"email": somebody(), "role": "staff"})
		if u := text(t, link, "url"); !strings.HasPrefix(u, o.URL+"/") {
			t.Errorf("the invitation's link is %s", u)
		}
		expect(t, me.Call(t, 200, "GET", "/api/v1/invitations", nil).Body, "data.0.id", text(t, link, "id"), "data.0.url", absent{})
		me.Call(t, 204, "DELETE", "/api/v1/invitations/"+text(t, link, "id"), nil)
		expect(t, me.Call(t, 200, "GET", "/api/v1/invitations", nil).Body, "data.0", absent{})

		log := string(me.Call(t, 200, "GET", "/api/v1/audit", nil).Body)
		for _, action := range []string{"key.created", "key.revoked", "member.changed", "member.removed"} {
			if !strings.Contains(log, `"`+action+`"`) {
				t.Errorf("the audit log does not have %s: %s", action, log)
			}
		}
	})
}

func TestAPersonSeesToTheirOwnTokens(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		id, email, me := o.somebodyWithARole(t, "member")
		expect(t, me.Call(t, 200, "GET", "/api/v1/profile", nil).Body, "id", id, "email", email, "role", "member", "organisation.slug", o.slug)
		expect(t, me.Call(t, 200, "PATCH", "/api/v1/profile", body{"name": "Kari"}).Body, "name", "Kari")
		expect(t, me.Call(t, 200, "GET", "/api/v1/profile", nil).Body, "name", "Kari")
		refused(t, try(t, o.Client, "GET", "/api/v1/profile", nil), 403, "person_only")

		made := me.Call(t, 201, "POST", "/api/v1/tokens", body{"name": "Laptop", "scopes": []string{"events:read"}, "expiresInDays": 1})
		laptop := st.Client(text(t, made, "token"))
		laptop.Call(t, 200, "GET", "/api/v1/events", nil)
		refused(t, try(t, laptop, "GET", "/api/v1/profile", nil), 403, "insufficient_scope")
		if all := me.Call(t, 200, "GET", "/api/v1/tokens", nil); strings.Contains(string(all.Body), text(t, made, "token")) {
			t.Error("the list of tokens shows a token")
		}
		me.Call(t, 204, "DELETE", "/api/v1/tokens/"+text(t, made, "id"), nil)
		over(t, laptop)
	})
}
