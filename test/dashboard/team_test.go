package dashboard

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// TestMembersAreInvitedAndHaveRoles: an owner invites, changes a role, and removes; a member sees nothing of it.
func TestMembersAreInvitedAndHaveRoles(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		guest := fmt.Sprintf("kari%d@example.com", serial.Add(1))
		h.member(t, guest, "staff")
		b := h.signIn(t)
		b.press("Members").fill("email", "not an address").press("Invite")
		b.until("a complaint", "document.querySelector('#complaints') || document.querySelector(':invalid')")
		b.open("~/members").fill("email", "new."+guest, "#invite-role", "admin").press("Invite").sees("/invitation/", "new."+guest)
		b.pressIn(guest, "Change") // nothing chosen anew: it stays what it is
		b.sees("The role is changed").sound("members")

		file := eval[string](b, `fetch('/o/`+h.id+`/members?format=csv').then((r) => r.text())`)
		if lines := strings.Split(strings.TrimSpace(file), "\n"); len(lines) != 3 || !strings.Contains(file, ","+guest+",,staff,") {
			t.Errorf("the file of members is\n%s", file)
		}

		k := h.signInAs(t, guest)
		k.seesNot("Members", "Webhooks").open("~/members").sees("Your role does not allow this")
		b.open("~/members").pressIn(guest, "Remove").sees("Remove " + guest).press("Remove them").sees("They are not a member any more")
		k.open("~").sees("There is no such organisation")
	})
}

// TestKeysAreMadeAndRevoked: a key is shown once, does what was ticked, and nothing once it is revoked.
func TestKeysAreMadeAndRevoked(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		b := h.signIn(t)
		b.open("~/keys").press("Make the key")
		b.until("the browser to ask for a choice", "document.querySelector('#key-everything:invalid')")
		b.fill("#key-ticked", "true").press("Make the key").sees("Tick what the key may do")
		b.fill("name", "Box office", "#key-ticked", "true", "#scope-events\\:read", "true").press("Make the key").sees("Copy it now")
		key := eval[string](b, `document.querySelector('.card.new code').textContent`)
		harness.Secret(key)
		c := st.Client(key)
		c.Call(t, 200, "GET", "/api/v1/events", nil)
		c.Call(t, 403, "GET", "/api/v1/orders", nil)
		b.open("~/keys").seesNot(key).sees("Box office").sound("keys")
		b.pressIn("Box office", "Revoke").sees("Revoke this key?").press("Revoke the key").sees("The key is revoked").seesNot("Box office")
		end := time.Now().Add(patience)
		for {
			a, err := c.Do(t.Context(), "GET", "/api/v1/events", nil)
			if err == nil && a.Status == 401 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("the revoked key still works: %d, %v", a.Status, err)
			}
		}
		b.open("~/audit").sees("key.revoked", h.email).sound("audit")
	})
}

// TestAnAppsWebhooksStopWhenItsConsentIsTakenAway is the whole life of an app: made here, allowed by its owner in the browser, it makes a webhook, hears of what happens, and no more once
// its consent is revoked.
func TestAnAppsWebhooksStopWhenItsConsentIsTakenAway(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		codes := make(chan string, 1)
		back := harness.Serve(t, func(w http.ResponseWriter, r *http.Request) {
			if code := r.URL.Query().Get("code"); code != "" {
				codes <- code
			}
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Back</title><p>Back at the app</p></html>`)
		})
		b := h.signIn(t)
		b.open("~/apps").sees("The organisation has no app yet").sound("apps-none")
		b.press("Make an app").fill("name", "Seat map", "redirectUris", back, "#scope-events\\:read", "true", "#scope-webhooks\\:manage", "true").press("Make the app").sees("Copy it now")
		secret := eval[string](b, `document.querySelector('.card.new code').textContent`)
		harness.Secret(secret)
		client := eval[string](b, `document.querySelector('dl code').textContent`)
		b.sound("app")

		verifier := strings.Repeat("curtain-", 8)
		sum := sha256.Sum256([]byte(verifier))
		q := url.Values{
			"response_type": {"code"}, "client_id": {client}, "redirect_uri": {back}, "scope": {"events:read webhooks:manage"}, "state": {"x"},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		}
		b.open("/oauth/authorize?" + q.Encode()).sees("Allow Seat map to act for you?").press("Allow").sees("Back at the app")
		token := exchange(t, st, client, secret, url.Values{"grant_type": {"authorization_code"}, "code": {<-codes}, "redirect_uri": {back}, "code_verifier": {verifier}})
		app := st.Client(token)
		hears := harness.Receive(t, nil)
		app.Call(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": hears.URL, "format": "standard", "events": []string{"event.published"}})
		event := func(name string) {
			h.Call(t, 201, "POST", "/api/v1/events", map[string]any{"name": name, "startLocal": "2031-08-14T20:30:00", "timezone": "Europe/Oslo", "venue": "Pier Hall", "city": "Oslo", "country": "NO", "currency": "USD"})
		}
		event("First night")
		hears.Await(t, patience, func(all []harness.Got) bool { return len(all) == 1 })

		b.open("~/apps").sees("Seat map", h.email).pressIn(h.email, "Take it away").sees("end at once").press("Take it away").sees("may not act here any more")
		mine := harness.Receive(t, nil)
		h.Call(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": mine.URL, "format": "standard", "events": []string{"event.published"}})
		event("Second night")
		mine.Await(t, patience, func(all []harness.Got) bool { return len(all) == 1 }) // so the second was told, and not to the app
		if got := hears.All(); len(got) != 1 {
			t.Errorf("the app's webhook got %d deliveries, want the one before its consent was taken away", len(got))
		}
		b.open("~/webhooks").seesNot(hears.URL)
		b.open("~/apps/"+client).press("Delete the app").sees("Delete the app Seat map?").press("Delete the app").sees("The app is deleted", "The organisation has no app yet")
	})
}

// exchange gets an access token.
func exchange(t *testing.T, st *harness.Stage, client, secret string, form url.Values) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", st.URL+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(client), url.QueryEscape(secret))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct {
		Token string `json:"access_token"`
		Error string
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got.Token == "" {
		t.Fatalf("POST /oauth/token = %d, %v %v", resp.StatusCode, got.Error, err)
	}
	harness.Secret(got.Token)
	return got.Token
}
