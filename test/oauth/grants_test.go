package oauth

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// ticking publishes a message every 50 ms until the test ends.
func (o *org) ticking(t *testing.T) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				r := o.s.request(t, "POST", "/api/v1/messages", []byte(`{"event":"acme.tick","data":{}}`), "X-API-Key", o.key, "Content-Type", "application/json")
				_, _ = try(o.s.client, r)
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
	})
}

func TestLine95WebhooksEndWithTheirGrant(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		o := s.newOrg(t)
		p := o.person(t, "owner")
		own := harness.Receive(t, nil)
		o.api(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": own.URL, "events": []string{"acme.tick"}, "format": "standard"})

		ways := []struct {
			name string
			end  func(t *testing.T, a *app, got tokens)
		}{
			{"the organisation ends the grant", func(t *testing.T, a *app, _ tokens) { o.api(t, 204, "DELETE", "/api/v1/oauth/grants/"+a.grant(t), nil) }},
			{"the person withdraws it", func(t *testing.T, a *app, _ tokens) { p.remove(t, a) }},
			{"the app is deleted", func(t *testing.T, a *app, _ tokens) { o.api(t, 204, "DELETE", "/api/v1/oauth/clients/"+a.ID, nil) }},
		}
		apps, got, hooks := make([]*app, len(ways)), make([]tokens, len(ways)), make([]*harness.Receiver, len(ways))
		for i := range ways {
			apps[i] = o.confidential(t)
			got[i] = p.grant(t, apps[i], "scope", "webhooks:manage events:read")
			hooks[i] = harness.Receive(t, nil)
			s.bearer(t, got[i].access, "POST", "/api/v1/webhooks", map[string]any{"url": hooks[i].URL, "events": []string{"*"}, "format": "standard"}).must(t, 201)
		}
		o.ticking(t)
		some := func(n int) func([]harness.Got) bool { return func(all []harness.Got) bool { return len(all) >= n } }
		ended := make([]time.Time, len(ways))
		for i, w := range ways {
			hooks[i].Await(t, patience, some(3))
			w.end(t, apps[i], got[i])
			ended[i] = time.Now()
		}
		own.Await(t, patience, some(len(own.All())+60)) // three seconds and more of ticks, which the organisation's own webhook gets
		for i, w := range ways {
			late := 0
			for _, g := range hooks[i].All() {
				if g.At.After(ended[i].Add(time.Second)) {
					late++
				}
			}
			if late > 0 {
				t.Errorf("%s: %d deliveries came more than a second later", w.name, late)
			}
		}
		if list := string(o.api(t, 200, "GET", "/api/v1/webhooks", nil).Body); strings.Contains(list, hooks[0].URL) {
			t.Errorf("the endpoint is there still: %s", list)
		}
	})
}

func TestLine95PullEndpointsEndWithTheirGrant(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		o := s.newOrg(t)
		p := o.person(t, "owner")
		for name, end := range map[string]func(a *app){
			"the organisation ends the grant": func(a *app) { o.api(t, 204, "DELETE", "/api/v1/oauth/grants/"+a.grant(t), nil) },
			"the person withdraws it":         func(a *app) { p.remove(t, a) },
			"the app is deleted":              func(a *app) { o.api(t, 204, "DELETE", "/api/v1/oauth/clients/"+a.ID, nil) },
		} {
			a := o.confidential(t)
			token := p.grant(t, a, "scope", "webhooks:manage").access
			made := s.bearer(t, token, "POST", "/v1/pull-endpoints", map[string]any{}).must(t, 201)
			_, path, _ := strings.Cut(made.text("data.ingest_url"), "/v1/")
			s.do(t, "POST", "/v1/"+path, []byte("{}")).must(t, 202)
			o.api(t, 200, "GET", "/v1/pull-endpoints/"+made.text("data.id"), nil)
			end(a)
			if r := s.do(t, "POST", "/v1/"+path, []byte("{}")); r.Status != 404 || r.text("error.code") != "ENDPOINT_DELETED" {
				t.Errorf("%s: something that is sent after it is answered %d %s", name, r.Status, r.Body)
			}
			o.api(t, 404, "GET", "/v1/pull-endpoints/"+made.text("data.id"), nil)
		}
	})
}

// grant is the id of the grant that the app has in its organisation.
func (a *app) grant(t *testing.T) string {
	t.Helper()
	list := a.org.api(t, 200, "GET", "/api/v1/oauth/grants", nil)
	var l struct{ Data []struct{ ID string } }
	_ = json.Unmarshal(list.Body, &l)
	for _, g := range l.Data {
		if a.holds(list, g.ID) {
			return g.ID
		}
	}
	t.Fatalf("%s has no grant: %s", a.ID, list.Body)
	return ""
}

// An app's webhooks get what its scopes may see, and no more.
func TestLine95WebhooksOfAGrantSeeWhatItMay(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		o := s.newOrg(t)
		p, a := o.person(t, "owner"), o.confidential(t)
		hook := harness.Receive(t, nil)
		got := p.grant(t, a, "scope", "webhooks:manage events:read")
		s.bearer(t, got.access, "POST", "/api/v1/webhooks", map[string]any{"url": hook.URL, "events": []string{"*"}, "format": "standard"}).must(t, 201)
		ev := o.api(t, 201, "POST", "/api/v1/events", newEvent()).text("eventId")
		o.order(t, ev, "buyer@example.com")
		o.api(t, 202, "POST", "/api/v1/messages", map[string]any{"event": "acme.done", "data": map[string]any{}})
		names := map[string]bool{}
		hook.Await(t, patience, func(all []harness.Got) bool {
			for _, g := range all {
				var b struct{ Type string }
				_ = json.Unmarshal(g.Body, &b)
				names[b.Type] = true
			}
			return names["acme.done"] && len(names) > 1
		})
		for name := range names {
			if strings.HasPrefix(name, "order.") || strings.HasPrefix(name, "access.") {
				t.Errorf("an app without tickets:read was told of %s", name)
			}
		}
	})
}

// order sells two tickets of an event to somebody, and returns the order's id.
func (o *org) order(t testing.TB, event, email string) string {
	t.Helper()
	l := o.api(t, 201, "POST", "/api/v1/inventory", map[string]any{"eventId": event, "section": numbered("S"), "row": "A", "quantity": 20, "price": "75.00"}).text("listingId")
	return o.api(t, 201, "POST", "/api/v1/orders", map[string]any{
		"eventId": event, "listingId": l, "quantity": 2, "customer": map[string]any{"email": email, "phone": map[string]any{"number": "5551234567", "countryCode": "+1"}},
	}).text("order.orderId")
}
