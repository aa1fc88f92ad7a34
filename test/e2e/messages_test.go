package e2e

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestAMessageReachesWhoSubscribedByItsName(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		named := o.hook(t, "standard", nil, "events", []string{"acme.badge.printed"})
		all := o.hook(t, "cloudevents", nil)
		pullup := o.hook(t, "pullup", nil)
		o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.other", "data": body{}})
		a := o.Call(t, 202, "POST", "/api/v1/messages", `{"event":"acme.badge.printed","data":{"b":1,"a":[1.50,"é",{"n":12345678901234567890}],"html":"<&>"}}`)
		expect(t, a.Body, "id", regexp.MustCompile(`^evt_`))

		g := named.await(t, "acme.badge.printed", 1)
		if got := g.Header.Get("Webhook-Id"); got != text(t, a, "id") {
			t.Errorf("webhook-id is %q, want the message's id %s", got, a.Body)
		}
		// The data arrives as it was given: member order and numbers too.
		if !strings.Contains(strings.NewReplacer(" ", "", "\n", "").Replace(string(g.Body)), `"b":1,"a":[1.50,"é",{"n":12345678901234567890}]`) {
			t.Errorf("the data came as %s", g.Body)
		}
		expect(t, g.Body, "type", "acme.badge.printed", "data.html", "<&>")
		if n := len(named.All()); n != 1 {
			t.Errorf("%d deliveries came to an endpoint that wants one name", n)
		}
		expect(t, all.await(t, "acme.badge.printed", 1).Body, "type", "acme.badge.printed", "id", text(t, a, "id"), "data.b", 1)
		all.await(t, "acme.other", 1)
		expect(t, pullup.await(t, "acme.badge.printed", 1).Body, "event", "acme.badge.printed", "data.b", 1)
	})
}

func TestMessagesComeInBatchesOfUpTo500(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "standard", nil)
		batch := func(n int) body {
			var all []body
			for i := range n {
				all = append(all, body{"event": "acme.row", "data": body{"i": i}})
			}
			return body{"messages": all}
		}
		a := o.Call(t, 202, "POST", "/api/v1/messages", batch(500))
		ids := map[string]bool{}
		for _, id := range regexp.MustCompile(`"(evt_[^"]+)"`).FindAllStringSubmatch(string(a.Body), -1) {
			ids[id[1]] = true
		}
		if len(ids) != 500 {
			t.Errorf("500 messages got %d ids: %.300s", len(ids), a.Body)
		}
		h.Await(t, soon, func(all []harness.Got) bool {
			for _, g := range all {
				delete(ids, g.Header.Get("Webhook-Id"))
			}
			return len(ids) == 0
		})
		refused(t, try(t, o.Client, "POST", "/api/v1/messages", batch(501)), 400, "")
		refused(t, try(t, o.Client, "POST", "/api/v1/messages", batch(0)), 400, "")
		bad := batch(3)
		bad["messages"].([]body)[1]["event"] = "order.mine"
		a = try(t, o.Client, "POST", "/api/v1/messages", bad)
		refused(t, a, 400, "")
		if got := pointers(t, a); len(got) != 1 || got[0] != "/messages/1/event" {
			t.Errorf("the fault of the second message is at %v", got)
		}
		o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.end", "data": body{}})
		h.await(t, "acme.end", 1)
		if n := len(h.All()); n != 501 {
			t.Errorf("%d deliveries came, want 501: a batch is taken whole or not at all", n)
		}
	})
}

func TestMessageNamesAndDataAreChecked(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		for _, event := range []string{
			"order.mine", "event.mine", "listing.mine", "ticket.x", "pool.x", "refund.x", "endpoint.x", "checkin.x", "stamp.x", "pass.x", "hold.x", "sale.x", "transfer.x",
			"registration.x", "access.x", "message.x", "plain", "", ".", "acme.", ".acme", "acme..x", "acme x.y", "acme.\u0000", strings.Repeat("a.", 500) + "a",
		} {
			a := try(t, o.Client, "POST", "/api/v1/messages", body{"event": event, "data": body{}})
			refused(t, a, 400, "")
			if got := pointers(t, a); len(got) == 0 || got[0] != "/event" {
				t.Errorf("the event %.40q: faults at %v", event, got)
			}
		}
		for _, data := range []string{`[]`, `"x"`, `1`, `null`, `true`} {
			refused(t, try(t, o.Client, "POST", "/api/v1/messages", `{"event":"acme.x","data":`+data+`}`), 400, "")
		}
		refused(t, try(t, o.Client, "POST", "/api/v1/messages", `{"event":"acme.x"}`), 400, "")
		refused(t, try(t, o.Client, "POST", "/api/v1/messages", `{"event":"acme.x","data":{},"colour":1}`), 400, "")
		refused(t, try(t, o.Client, "POST", "/api/v1/messages", `{"event":"acme.x","data":{},"messages":[]}`), 400, "")

		const limit = 256 << 10
		sized := func(n int) string {
			return `{"event":"acme.x","data":{"a":"` + strings.Repeat("x", n-len(`{"a":""}`)) + `"}}`
		}
		o.Call(t, 202, "POST", "/api/v1/messages", sized(limit))
		if a := try(t, o.Client, "POST", "/api/v1/messages", sized(limit+1)); a.Status != 400 && a.Status != 413 {
			t.Errorf("a message of 256 KiB and one byte: %d %s", a.Status, a.Body)
		}
		hook := try(t, o.Client, "POST", "/api/v1/webhooks", body{"url": "https://example.com/x", "events": []string{"order.mine"}, "format": "standard"})
		refused(t, hook, 400, "")
	})
}

func TestAKeyOrdersItsMessages(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		failures := map[string]int{}
		h := o.hook(t, "standard", func(_ int, g harness.Got) int {
			if id := g.Header.Get("Webhook-Id"); failures[id] == 0 && len(failures) < 3 {
				failures[id]++
				return 503
			}
			return 200
		}, "retry", body{"delays": []int{1, 1, 1}})
		for i := range 40 {
			o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.step", "key": fmt.Sprint("k", i%2), "data": body{"key": i % 2, "n": i / 2}})
		}
		all := h.Await(t, soon, func(all []harness.Got) bool { return ok(all) == 40 })
		next := map[int]int{}
		for _, g := range all {
			var b struct{ Data struct{ Key, N int } }
			_ = json.Unmarshal(g.Body, &b)
			if g.Status == 200 {
				if b.Data.N != next[b.Data.Key] {
					t.Fatalf("message %d of key %d came where %d was next", b.Data.N, b.Data.Key, next[b.Data.Key])
				}
				next[b.Data.Key]++
			}
		}
	})
}

// ok counts the deliveries that were answered with 200.
func ok(all []harness.Got) int {
	n := 0
	for _, g := range all {
		if g.Status == 200 {
			n++
		}
	}
	return n
}
