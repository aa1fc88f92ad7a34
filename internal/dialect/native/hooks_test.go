package native_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

func hookTo(rec *receiver) map[string]any {
	return map[string]any{"url": rec.URL, "format": "standard", "events": []string{"*"}}
}

// Webhooks of an app: it sees and touches its own, the organisation all of them.
func TestAppHasItsOwnWebhooks(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		rec := newReceiver(t)
		boss := h.user(h.org, "boss@example.com", org.Owner)
		one, two := h.app(h.org, "One"), h.app(h.org, "Two")
		tokens := []string{one.allowed(boss, scope.All()), one.itself(scope.All()), two.itself(scope.All()), h.key}
		hooks := make([]string, len(tokens))
		for i, token := range tokens {
			hooks[i] = h.as(token, 201, "POST", "/api/v1/webhooks", hookTo(rec)).text("id")
		}
		for i, token := range tokens {
			want := hooks[i : i+1]
			if token == h.key {
				want = hooks
			}
			r := h.as(token, 200, "GET", "/api/v1/webhooks", nil)
			r.want(t, "meta.pagination.total", len(want))
			if diff := cmp.Diff(want, ids(r, "id")); diff != "" {
				t.Errorf("webhooks that credential %d sees (-want +got):\n%s", i, diff)
			}
			for j, hook := range hooks {
				path := "/api/v1/webhooks/" + hook
				status := func(ok int) int {
					if token != h.key && i != j {
						return 404
					}
					return ok
				}
				h.as(token, status(200), "GET", path, nil)
				h.as(token, status(200), "PATCH", path, `{"description":"mine"}`)
				h.as(token, status(200), "POST", path+"/rotate-secret", nil)
				h.as(token, status(200), "GET", path+"/deliveries", nil)
				d := h.must(202, "POST", path+"/test", nil).text("id")
				h.as(token, status(200), "GET", path+"/deliveries/"+d, nil)
				h.as(token, status(202), "POST", path+"/deliveries/"+d+"/redeliver", nil)
				h.as(token, status(202), "POST", path+"/test", nil)
				h.as(token, status(202), "POST", path+"/recover", `{"since":"2020-01-01T00:00:00Z"}`)
			}
		}
		for i, token := range tokens[:3] {
			h.as(token, 404, "DELETE", "/api/v1/webhooks/"+hooks[3], nil)
			h.as(token, 204, "DELETE", "/api/v1/webhooks/"+hooks[i], nil)
		}
		h.must(200, "GET", "/api/v1/webhooks", nil).want(t, "meta.pagination.total", 1)
	})
}

func TestWebhookOfAnAppIsToldWhatItsScopesShow(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.run()
		app := h.app(h.org, "App")
		recs := map[string]*receiver{}
		for name, scopes := range map[string]scope.Set{
			"events": scope.Of(scope.WebhooksManage, scope.EventsRead), "orders": scope.Of(scope.WebhooksManage, scope.TicketsRead), "neither": scope.Of(scope.WebhooksManage),
		} {
			recs[name] = newReceiver(t)
			h.as(app.itself(scopes), 201, "POST", "/api/v1/webhooks", hookTo(recs[name]))
		}
		all := newReceiver(t)
		h.must(201, "POST", "/api/v1/webhooks", hookTo(all))
		event := h.event("Night")
		h.must(201, "POST", "/api/v1/orders", orderOf(event, h.listing(event, 1, "10"), 1))
		h.must(202, "POST", "/api/v1/messages", `{"event":"acme.last","data":{}}`)
		told := func(r *receiver) string {
			r.mu.Lock()
			defer r.mu.Unlock()
			return strings.Join(r.got, "\n")
		}
		for name, want := range map[string][3]bool{"events": {true, false, true}, "orders": {false, true, true}, "neither": {false, false, true}} {
			eventually(t, func() bool { return strings.Contains(told(recs[name]), "acme.last") })
			eventually(t, func() bool { // nothing is on its way to anybody
				n, err := db.One(h.db.Read(t.Context()), db.Value[int], "SELECT count(*) FROM deliveries WHERE state = 0")
				return err == nil && n == 0
			})
			for i, kind := range []string{`"event.published"`, `"order.confirmed"`, `"acme.last"`} {
				if !strings.Contains(told(all), kind) {
					t.Fatalf("the organisation's own webhook was not told of %s: %s", kind, told(all))
				}
				if strings.Contains(told(recs[name]), kind) != want[i] {
					t.Errorf("the webhook that may see %s was told %s; want %s: %t", name, told(recs[name]), kind, want[i])
				}
			}
		}
	})
}

// Line 95 of the OAuth checklist, and what could get around it: an app whose grant has just ended is still remembered by the door.
func TestWebhooksEndWithTheirGrantAndNoneComesAfterIt(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.run()
		rec, app, boss := newReceiver(t), h.app(h.org, "App"), h.user(h.org, "boss@example.com", org.Owner)
		token := app.allowed(boss, scope.All())
		hook := h.as(token, 201, "POST", "/api/v1/webhooks", hookTo(rec)).text("id")
		h.as(token, 202, "POST", "/api/v1/messages", `{"event":"acme.first","data":{}}`)
		eventually(t, func() bool { return rec.count() == 1 })

		h.must(204, "DELETE", "/api/v1/oauth/grants/"+string(app.grant(boss)), nil)
		if r := h.call("POST", "/api/v1/webhooks", hookTo(rec), "X-API-Key", token); r.status != 401 {
			t.Errorf("POST /webhooks a moment after the grant ended = %d %s, want 401", r.status, r.raw)
		}
		h.must(404, "GET", "/api/v1/webhooks/"+hook, nil)
		h.must(200, "GET", "/api/v1/webhooks", nil).want(t, "meta.pagination.total", 0)
		h.must(200, "GET", "/api/v1/audit?action=webhook.deleted", nil).want(t, "data.0.subject", hook, "data.0.detail.reason", "grant_ended")

		witness := newReceiver(t)
		h.must(201, "POST", "/api/v1/webhooks", hookTo(witness))
		h.must(202, "POST", "/api/v1/messages", `{"event":"acme.second","data":{}}`)
		eventually(t, func() bool { return witness.count() == 1 })
		if rec.count() != 1 {
			t.Errorf("the app was told %v", rec.got)
		}
	})
}

// What takes a person's rights away takes them from the webhooks of the person's apps.
func TestWebhookOfAnAppFollowsTheRoleOfItsPerson(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		app, admin := h.app(h.org, "App"), h.user(h.org, "admin@example.com", org.Admin)
		token := app.allowed(admin, scope.All())
		hook := h.as(token, 201, "POST", "/api/v1/webhooks", hookTo(newReceiver(t))).text("id")
		h.must(200, "PATCH", "/api/v1/members/"+string(admin.ID), `{"role":"member"}`) // who may have no webhooks
		h.must(404, "GET", "/api/v1/webhooks/"+hook, nil)
		if r := h.call("POST", "/api/v1/webhooks", hookTo(newReceiver(t)), "X-API-Key", token); r.status != 403 {
			t.Errorf("POST /webhooks a moment after the role changed = %d %s, want 403", r.status, r.raw)
		}
	})
}

func TestWhatIsDoneToWebhooksIsInTheAuditLog(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.user(h.org, "boss@example.com", org.Owner)
		token, _ := h.personal(h.org, boss, org.TokenInput{})
		hook := h.as(token, 201, "POST", "/api/v1/webhooks", hookTo(newReceiver(t))).text("id")
		path := "/api/v1/webhooks/" + hook
		h.as(token, 200, "POST", path+"/rotate-secret", nil)
		d := h.as(token, 202, "POST", path+"/test", nil).text("id")
		h.as(token, 202, "POST", path+"/deliveries/"+d+"/redeliver", nil)
		h.as(token, 202, "POST", path+"/recover", map[string]any{"since": time.Now().Add(-time.Hour).UTC()})
		h.as(token, 204, "DELETE", path, nil)
		r := h.as(token, 200, "GET", "/api/v1/audit?actor="+string(boss.ID), nil)
		for i, want := range []string{"webhook.deleted", "webhook.recovered", "delivery.redelivered", "webhook.secret_rotated", "webhook.created"} {
			subject := hook
			if want == "delivery.redelivered" {
				subject = d
			}
			at := "data." + string(rune('0'+i)) + "."
			r.want(t, at+"action", want, at+"subject", subject, at+"address", "127.0.0.1")
		}
		r.want(t, "data.2.detail.webhook", hook, "data.1.detail.recovered", 0)
	})
}
