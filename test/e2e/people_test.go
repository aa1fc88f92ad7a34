package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// somebody is an address of the test's own.
func somebody() string { return fmt.Sprintf("somebody%d@people.example", serial.Add(1)) }

// person finds somebody.
func (o *org) person(t *testing.T, email string) harness.Answer {
	t.Helper()
	return o.Call(t, 200, "GET", "/api/v1/people?email="+url.QueryEscape(email), nil)
}

// buyer is a customer with an address.
func buyer(email string) body {
	return body{"email": email, "phone": body{"number": "5551234567", "countryCode": "+1"}}
}

func TestPeopleWithoutAnAccountHaveAnOpaqueID(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o, other := open(t, st), open(t, st)
		email, ev := somebody(), o.event(t)
		id := o.order(t, ev, "listingId", o.listing(t, ev), "customer", buyer(email))
		a := o.person(t, strings.ToUpper(email))
		expect(t, a.Body, "data.0.account", false, "data.0.orders", 1, "data.0.role", absent{})
		one, again := text(t, a, "data.0.id"), text(t, o.person(t, email), "data.0.id")
		if !strings.HasPrefix(one, "per_") || one == again || strings.Contains(one, "somebody") {
			t.Errorf("the ids are %s and %s, want two that begin with per_", one, again)
		}
		path := "/api/v1/people/" + one
		for _, bad := range []string{"per_", "per_000", one[:len(one)-2] + "zz", "usr_06h1eq9ffhxxbdps1yj2vkn34w", "order_1", email} {
			refused(t, try(t, o.Client, "GET", "/api/v1/people/"+bad+"/export", nil), 404, "person_not_found")
			refused(t, try(t, o.Client, "DELETE", "/api/v1/people/"+bad, nil), 404, "person_not_found")
		}
		refused(t, try(t, other.Client, "GET", path+"/export", nil), 404, "person_not_found")
		refused(t, try(t, other.Client, "DELETE", path, nil), 404, "person_not_found")
		few := o.key(t, "--scope", "tickets:read", "--scope", "profile:read")
		for _, way := range [][2]string{{"GET", path + "/export"}, {"DELETE", path}, {"GET", "/api/v1/people?email=" + email}} {
			if a := try(t, few, way[0], way[1], nil); a.Status != 403 {
				t.Errorf("%s %s with a key that may not administrate = %d", way[0], way[1], a.Status)
			}
		}
		expect(t, o.Call(t, 200, "GET", path+"/export", nil).Body, "email", strings.ToUpper(email), "account", absent{}, "orders.0.orderId", id)
		for range 2 {
			o.Call(t, 204, "DELETE", path, nil)
		}
		got := o.Call(t, 200, "GET", "/api/v1/orders/"+id, nil)
		expect(t, got.Body, "customer.email", "", "customer.phone.number", "", "status", "confirmed")
		expect(t, o.person(t, email).Body, "data.0.orders", 0)
	})
}

func TestFindingNeedsAnAddress(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		for _, q := range []string{"", "?email=", "?email=nobody", "?email=a%40b%00c.example"} {
			if a := try(t, o.Client, "GET", "/api/v1/people"+q, nil); a.Status != 400 {
				t.Errorf("GET /api/v1/people%s = %d, want 400", q, a.Status)
			}
		}
	})
}

// An organisation that somebody only bought from, or that only says so, neither sees nor ends their account.
func TestAnOrderInSomebodysNameGivesNoPowerOverTheirAccount(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o, home := open(t, st), open(t, st)
		email, ev := somebody(), o.event(t)
		st.Feed(t, password+"\n", "user", "create", email, "--name", "Somebody Real", "--password-stdin")
		if id := text(t, o.person(t, email), "data.0.id"); !strings.HasPrefix(id, "per_") {
			t.Errorf("an organisation that has nothing to do with the account is told of it: %s", id)
		}
		o.order(t, ev, "listingId", o.listing(t, ev), "customer", buyer(email))
		id := text(t, o.person(t, email), "data.0.id")
		for range 2 { // also after it was written down that it was exported
			expect(t, o.Call(t, 200, "GET", "/api/v1/people/"+id+"/export", nil).Body, "account", absent{}, "membership", absent{})
		}
		refused(t, try(t, home.Client, "DELETE", "/api/v1/people/"+id, nil), 404, "person_not_found")
		for range 2 {
			o.Call(t, 204, "DELETE", "/api/v1/people/"+id, nil)
		}
		if out := string(st.Run(t, "user", "list", "--json")); !strings.Contains(out, email) {
			t.Error("the account is gone")
		}
		expect(t, st.Run(t, "erase", "--email", email, "--json"), "account", true, "orders", 0)
		if out := string(st.Run(t, "user", "list", "--json")); strings.Contains(out, email) {
			t.Error("the operator's command leaves the account")
		}
	})
}

func TestErasingFromOneOrganisationLeavesWhatIsAnothers(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		here, there := open(t, st), open(t, st)
		email := somebody()
		var made struct{ ID string }
		_ = json.Unmarshal(st.Feed(t, password+"\n", "user", "create", email, "--org", here.slug, "--role", "member", "--password-stdin", "--json"), &made)
		st.Run(t, "user", "role", email, "--org", there.slug, "--role", "owner")
		var orders [2]string
		for i, o := range []*org{here, there} {
			ev := o.event(t)
			orders[i] = o.order(t, ev, "listingId", o.listing(t, ev), "customer", buyer(email))
			o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.mail", "data": body{"to": email}})
		}
		path := "/api/v1/people/" + made.ID
		expect(t, there.Call(t, 200, "GET", path+"/export", nil).Body, "membership.role", "owner")
		for range 2 {
			here.Call(t, 204, "DELETE", path, nil)
		}
		expect(t, here.Call(t, 200, "GET", "/api/v1/orders/"+orders[0], nil).Body, "customer.email", "")
		expect(t, there.Call(t, 200, "GET", "/api/v1/orders/"+orders[1], nil).Body, "customer.email", email)
		a := there.Call(t, 200, "GET", path+"/export", nil)
		expect(t, a.Body, "account.id", made.ID, "membership.role", "owner", "messages.0.event", "acme.mail")
		refused(t, try(t, there.Client, "DELETE", path, nil), 409, "last_owner")
		if out := string(st.Run(t, "user", "list", "--org", here.slug, "--json")); strings.Contains(out, email) {
			t.Errorf("the membership is there still: %s", out)
		}
		expect(t, st.Run(t, "erase", "--email", email, "--org", there.slug, "--json"), "account", true, "member", true, "orders", 1, "messages", 1)
		refused(t, try(t, there.Client, "GET", path+"/export", nil), 404, "person_not_found")
		there.Call(t, 204, "DELETE", path, nil)
	})
}
