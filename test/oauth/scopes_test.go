package oauth

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/dialect/hookbridge"
	"github.com/stagedoorhq/stagedoor/internal/dialect/stubhub"
	roles "github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

// operation is one of the API's, as its document says.
type operation struct {
	method, path string
	scope        scope.Scope // "" for what no app may do: administration, and a person's own tokens
}

// noApp are the codes with which apps are refused what none may do.
var noApp = []string{"administration_only", "person_only"}

func (op operation) String() string { return op.method + " " + op.path }

// operations are all of the document's below /api/: a new route is among them on the day it appears.
func (s *site) operations(t *testing.T) []operation {
	t.Helper()
	c, err := s.server.Contract()
	if err != nil {
		t.Fatal(err)
	}
	var all []operation
	for _, name := range c.Operations() {
		op := operation{}
		op.method, op.path, _ = strings.Cut(name, " ")
		if !strings.HasPrefix(op.path, "/api/") || strings.HasSuffix(op.path, "/openapi.json") || op.path == "/api/webhook/{devId}" || op.path == "/api/v1/devices/enroll" { // for everybody
			continue
		}
		item := c.Doc["paths"].(map[string]any)[op.path].(map[string]any)[strings.ToLower(op.method)].(map[string]any)
		security, _ := item["security"].([]any)
		if len(security) == 0 {
			t.Errorf("%s needs nothing", op)
		}
		for _, one := range security {
			for _, v := range one.(map[string]any) {
				scopes, _ := v.([]any)
				if len(scopes) > 1 {
					t.Errorf("%s needs several scopes: %v", op, scopes)
				}
				for _, sc := range scopes {
					op.scope = scope.Scope(sc.(string))
				}
			}
		}
		if op.scope != "" && !scope.All().Has(op.scope) {
			t.Errorf("%s needs %q, which is no scope", op, op.scope)
		}
		all = append(all, op)
	}
	for _, p := range stubhub.New(http.NewServeMux(), stubhub.Config{}).Permissions() {
		all = append(all, operation{p.Method, p.Path, p.Scope})
	}
	for _, p := range hookbridge.New(http.NewServeMux(), hookbridge.Config{}).Permissions() {
		all = append(all, operation{p.Method, p.Path, p.Scope})
	}
	if len(all) < 30 {
		t.Fatalf("the document has %d operations", len(all))
	}
	return all
}

// at is the operation's path with ids in it: those of objects, or, with none, ids that nobody has.
func (op operation) at(t *testing.T, objects map[string]string) string {
	t.Helper()
	path := op.path
	for {
		before, rest, found := strings.Cut(path, "{")
		if !found && path == "/api/v1/stream" {
			return path + "?kinds=nothing" // who may is told so, instead of a stream without an end
		}
		if !found {
			return path
		}
		name, after, _ := strings.Cut(rest, "}")
		value := "nobodys"
		if objects != nil {
			noun := before[strings.LastIndex(strings.TrimSuffix(before, "/"), "/")+1:] + name // "webhooks/id"
			if strings.HasPrefix(path, "/v2/") || strings.HasPrefix(path, "/catalog/") {
				noun = strings.TrimPrefix(before, "/") + name // "v2/webhooks/id"
			}
			if value = objects[noun]; value == "" {
				t.Errorf("%s: give the test an object for %s", op, noun)
				value = "nobodys"
			}
		}
		path = before + value + after
	}
}

// code is what the answer calls the error; /v1 writes codes in capitals, within error.
func (r reply) code() string {
	if c := r.text("error.code"); c != "" {
		return strings.ToLower(c)
	}
	return r.text("code")
}

// garbage is no JSON: who is refused is refused before anybody looks at it.
const garbage = `{`

func (op operation) ask(t *testing.T, s *site, path, body string, header ...string) reply {
	t.Helper()
	var b []byte
	if op.method != "GET" && op.method != "DELETE" {
		b = []byte(body)
	}
	return s.do(t, op.method, path, b, append([]string{"Content-Type", "application/json"}, header...)...)
}

// denied checks that a token was refused for what it may do.
func (op operation) denied(t *testing.T, who string, r reply, codes ...string) {
	t.Helper()
	if r.Status != 403 || !slices.Contains(codes, r.code()) {
		t.Errorf("%s for %s = %d %s, want 403 and one of %v", op, who, r.Status, r.code(), codes)
	}
	if w := strings.ReplaceAll(r.challenges(), `",scope=`, `", scope=`); r.code() == "insufficient_scope" && !strings.Contains(w, fmt.Sprintf(`error="insufficient_scope", scope="%s"`, op.scope)) {
		t.Errorf("%s for %s: WWW-Authenticate %q", op, who, w)
	}
}

func TestLine57EveryScopeOnEveryRoute(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		ops := s.operations(t)
		a := s.confidential(t, "scopes", names(scope.All()))
		p := s.owner(t)
		p.grant(t, a, "scope", scope.All().String()) // from now on nobody is asked
		for _, has := range scope.All().List() {
			person := p.grant(t, a, "scope", string(has)).access
			service := a.machine(t, "scope", string(has)).access
			for who, token := range map[string]string{"a person's app with ": person, "an app itself with ": service} {
				for _, op := range ops {
					r := op.ask(t, s, op.at(t, nil), garbage, "Authorization", "Bearer "+token)
					switch {
					case op.scope == "":
						op.denied(t, who+string(has), r, noApp...)
					case op.scope != has:
						op.denied(t, who+string(has), r, "insufficient_scope")
					case token == service && r.Status == 403 && r.code() != "insufficient_scope": // it has no person, and so no profile
					case r.Status == 401 || r.Status == 403 || r.Status >= 500:
						t.Errorf("%s for %s%s = %d %s", op, who, has, r.Status, r.Body)
					}
				}
			}
		}
		everything := p.grant(t, a, "scope", scope.All().String()).access
		for _, op := range ops {
			r := op.ask(t, s, op.at(t, nil), garbage, "Authorization", "Bearer "+everything)
			if op.scope == "" {
				op.denied(t, "an owner's app with all scopes", r, noApp...)
			} else if r.Status == 401 || r.Status == 403 {
				t.Errorf("%s for all scopes = %d %s", op, r.Status, r.Body)
			}
			for _, header := range [][]string{nil, {"Authorization", "Bearer sda_x"}, {"X-API-Key", "sd_x"}, {"Authorization", "Basic x"}} {
				if r := op.ask(t, s, op.at(t, nil), garbage, header...); r.Status != 401 || r.challenges() == "" {
					t.Errorf("%s for nobody = %d", op, r.Status)
				}
			}
		}
	})
}

// A token may do what its scopes say and its person may.
func TestLine57AnAppMayNoMoreThanItsPerson(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		ops := s.operations(t)
		a := s.confidential(t, "scopes", names(scope.All()))
		people := map[roles.Role]*person{"": s.attendee(t)}
		for _, role := range roles.Roles() {
			people[role] = s.home(t).person(t, string(role))
		}
		for role, p := range people {
			k := a.ask("scope", scope.All().String())
			page := p.authorize(t, k).must(t, 200)
			f := page.form(t, "/oauth/consent").with("decision", "allow")
			if f.values.Get("org") == "" && len(f.boxes["org"]) > 0 {
				f.values.Set("org", f.boxes["org"][0])
			}
			f.values["scope"] = names(scope.All()) // whatever the page offers
			got := k.back(t, p.submit(t, f))
			if got.Get("code") == "" {
				t.Errorf("%q: consent brings back %v", role, got)
				continue
			}
			token := newTokens(t, k.exchange(t, got.Get("code"))).access
			for _, op := range ops {
				r := op.ask(t, s, op.at(t, nil), garbage, "Authorization", "Bearer "+token)
				who := fmt.Sprintf("the app of a person with the role %q", role)
				switch {
				case op.scope == "":
					op.denied(t, who, r, noApp...)
				case !role.Allows().Has(op.scope):
					op.denied(t, who, r, "insufficient_role", "insufficient_scope")
				case role == "" && r.Status == 403:
					op.denied(t, who, r, "insufficient_role") // not a route for attendees
				case r.Status == 401 || r.Status == 403 || r.Status >= 500:
					t.Errorf("%s for %s = %d %s", op, who, r.Status, r.Body)
				}
			}
		}
	})
}

func TestLine57AnExpiredTokenOnEveryRoute(t *testing.T) {
	brief(t, func(t *testing.T, s *site) {
		a := s.confidential(t, "scopes", names(scope.All()))
		token := s.owner(t).grant(t, a, "scope", scope.All().String()).access
		time.Sleep(accessLife + margin)
		for _, op := range s.operations(t) {
			if r := op.ask(t, s, op.at(t, nil), garbage, "Authorization", "Bearer "+token); r.Status != 401 || r.text("code") != "invalid_token" && r.text("error") != "invalid_token" && r.code() != "unauthorized" {
				t.Errorf("%s for an expired token = %d %s", op, r.Status, r.Body)
			}
		}
	})
}

// furnish makes one object of each kind, which the paths of operations can name: by the segment before the id, and the id's name.
func (o *org) furnish(t *testing.T, p *person, a *app) map[string]string {
	t.Helper()
	hook := harness.Receive(t, nil)
	w := o.api(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": hook.URL, "events": []string{"*"}, "format": "standard"}).text("id")
	ev := o.api(t, 201, "POST", "/api/v1/events", newEvent()).text("eventId")
	order := o.order(t, ev, "buyer@example.com")
	l := o.api(t, 200, "GET", "/api/v1/inventory?eventId="+ev, nil).text("data.0.listingId")
	someone := o.api(t, 200, "GET", "/api/v1/people?email=buyer@example.com", nil).text("data.0.id")
	ticket := o.api(t, 200, "GET", "/api/v1/people/"+someone+"/export", nil).text("tickets.0.id")
	kind := o.api(t, 201, "POST", "/api/v1/events/"+ev+"/ticket-types", map[string]any{"name": "Seat", "price": "75.00", "quantity": 9}).text("ticketTypeId")
	stamp := o.api(t, 201, "POST", "/api/v1/stamps", map[string]any{"name": "Volunteer", "rule": map[string]any{"on": "manual"}}).text("id")
	key := o.api(t, 200, "GET", "/api/v1/ticket-keys", nil).text("data.0.publicKey")
	o.api(t, 201, "POST", "/api/v1/ticket-keys/rotate", nil)
	p.grant(t, a)
	hook.Await(t, patience, func(all []harness.Got) bool { return len(all) > 0 })
	var d string
	eventually(t, "a delivery in the list", func() bool {
		d = o.api(t, 200, "GET", "/api/v1/webhooks/"+w+"/deliveries", nil).text("data.0.id")
		return d != ""
	})
	o.api(t, 201, "POST", "/api/v1/inventory", map[string]any{"eventId": ev, "section": "Z", "row": "9", "quantity": 2, "price": "5", "externalId": "pos-1"})
	made := o.api(t, 201, "POST", "/v1/pull-endpoints", map[string]any{})
	pulled := made.text("data.id")
	_, ingest, _ := strings.Cut(made.text("data.ingest_url"), "/v1/")
	o.api(t, 202, "POST", "/v1/"+ingest, map[string]any{})
	number := func(path string) string { // of the first item of a list under /v2
		href := o.api(t, 200, "GET", path, nil).text("_embedded.items.0._links.self.href")
		return href[strings.LastIndex(href, "/")+1:]
	}
	return map[string]string{
		"v2/sales/saleId": number("/v2/sales"), "v2/sellerlistings/listingId": number("/v2/sellerlistings"), "v2/externalsellerlistings/externalId": "pos-1",
		"catalog/events/eventId": number("/catalog/events"), "v2/events/eventId": number("/catalog/events"), "catalog/venues/venueId": number("/catalog/venues"),
		"events/eventId": ev, "inventory/listingId": l, "orders/orderId": order, "webhooks/id": w, "deliveries/deliveryId": d, "clients/clientId": a.ID, "grants/grantId": a.grant(t),
		"keys/keyId": o.api(t, 201, "POST", "/api/v1/keys", map[string]any{"scopes": []string{"events:read"}}).text("id"), "members/userId": p.ID,
		"invitations/linkId":        o.api(t, 201, "POST", "/api/v1/invitations", map[string]any{"email": "guest@people.example", "role": "staff"}).text("id"),
		"people/personId":           p.ID,
		"tickets/ticketId":          ticket,
		"checkin/checkinId":         o.api(t, 201, "POST", "/api/v1/checkin", map[string]any{"ticketId": ticket}).text("checkin.id"),
		"checkin-lists/listId":      o.api(t, 201, "POST", "/api/v1/checkin-lists", map[string]any{"eventId": ev, "name": "Balcony"}).text("id"),
		"gates/gateId":              o.api(t, 201, "POST", "/api/v1/gates", map[string]any{"name": "North"}).text("id"),
		"devices/deviceId":          o.api(t, 201, "POST", "/api/v1/devices", map[string]any{"name": "Scanner"}).text("id"),
		"ticket-types/ticketTypeId": kind, "pools/pool": "Seat",
		"holds/holdId":          o.api(t, 201, "POST", "/api/v1/holds", map[string]any{"eventId": ev, "ticketTypeId": kind, "quantity": 1}).text("id"),
		"stamps/stampTypeId":    stamp,
		"awarded/stampId":       o.api(t, 200, "POST", "/api/v1/stamps/"+stamp+"/award", map[string]any{"email": "buyer@example.com"}).text("id"),
		"passport/user":         p.ID,
		"ticket-keys/publicKey": key,
		"v2/webhooks/id":        fmt.Sprint(o.api(t, 201, "POST", "/v2/webhooks", map[string]any{"name": "Desk", "url": hook.URL, "topics": []string{"Sales"}}).value("id")),
		"pull-endpoints/id":     pulled,
		"events/event_id":       o.api(t, 200, "GET", "/v1/pull-endpoints/"+pulled+"/events", nil).text("data.0.id"),
		"dev-endpoints/id":      o.api(t, 201, "POST", "/api/v1/dev-endpoints", nil).text("id"),
	}
}

// personalToken makes a token on the person's page and returns it with its public id.
func (p *person) personalToken(t *testing.T) (id, token string) {
	t.Helper()
	f := p.get(t, "/account").form(t, "/account/tokens").with("name", numbered("Token"), "days", "1")
	if f.values.Get("org") == "" && len(f.boxes["org"]) > 0 {
		f.values.Set("org", f.boxes["org"][0])
	}
	_, after, found := strings.Cut(p.submit(t, f).must(t, 200).words(), "sdp_")
	token, _, _ = strings.Cut("sdp_"+after, " ")
	if !found {
		t.Error("the page does not show the new token")
	}
	for _, f := range p.get(t, "/account").forms() {
		if id, ok := strings.CutPrefix(f.action, "/account/tokens/tok_"); ok {
			return "tok_" + strings.TrimSuffix(id, "/revoke"), token
		}
	}
	t.Fatal("the page lists no token")
	return "", ""
}

// Objects of other organisations and of other people are not there.
func TestLine57ObjectsOfOthersAreNotThere(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		mine, theirs := s.newOrg(t), s.newOrg(t)
		p, stranger, colleague := mine.person(t, "owner"), theirs.person(t, "owner"), mine.person(t, "owner")
		a := mine.confidential(t, "scopes", names(scope.All()))
		objects := mine.furnish(t, p, a)
		objects["tokens/tokenId"], _ = p.personalToken(t)
		_, fellow := colleague.personalToken(t)
		b := theirs.confidential(t, "scopes", names(scope.All()))
		foreign := stranger.grant(t, b, "scope", scope.All().String()).access
		visitor := s.attendee(t).grant(t, a, "scope", "events:read tickets:read tickets:write profile:read checkin:read stamps:read").access
		for _, op := range s.operations(t) {
			if !strings.Contains(op.path, "{") {
				continue
			}
			path := op.at(t, objects)
			gone := func(who string, r reply) {
				t.Helper()
				if r.Status != 404 && (op.method == "GET" || op.method == "DELETE" || r.Status != 400 && r.Status != 422) {
					t.Errorf("%s for %s = %d %s, want 404", op, who, r.Status, r.Body)
				}
			}
			for _, body := range []string{`{}`, garbage} {
				if op.scope != "" {
					gone("an app of another organisation", op.ask(t, s, path, body, "Authorization", "Bearer "+foreign))
				}
				r := op.ask(t, s, path, body, "X-API-Key", theirs.key)
				if op.scope != "" || r.text("code") != "person_only" {
					gone("the key of another organisation", r)
				}
			}
			public := slices.ContainsFunc([]string{"/api/v1/events", "/api/v1/inventory", "/api/v1/ticket-types", "/api/v1/stamps"}, func(s string) bool {
				return strings.HasPrefix(op.path, s)
			})
			if op.scope != "" && !public {
				r := op.ask(t, s, path, `{}`, "Authorization", "Bearer "+visitor)
				if r.Status != 403 {
					gone("an attendee", r)
				}
			}
			if strings.HasPrefix(op.path, "/api/v1/tokens/") {
				gone("a colleague", op.ask(t, s, path, `{}`, "Authorization", "Bearer "+fellow))
			}
		}
		for noun, id := range objects { // and nothing of them was changed or ended
			if path := map[string]string{
				"events/eventId": "/api/v1/events/", "inventory/listingId": "/api/v1/inventory/", "orders/orderId": "/api/v1/orders/", "webhooks/id": "/api/v1/webhooks/",
				"clients/clientId": "/api/v1/oauth/clients/", "grants/grantId": "/api/v1/oauth/grants/",
			}[noun]; path != "" {
				if v, ok := mine.api(t, 200, "GET", path+id, nil).value("version").(float64); ok && v > 2 {
					t.Errorf("%s %s has the version %v", noun, id, v)
				}
			}
		}
	})
}

// Whose orders are whose: a person's app sees those of the person's own address, once it was shown to be theirs, and of no organisation but the app's.
func TestLine62NobodySeesTicketsOfOthers(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		type holder struct {
			token string
			sees  map[string]bool // orders
		}
		var all []string
		var holders []*holder
		for range 2 {
			o := s.newOrg(t)
			a := o.confidential(t)
			ev := o.api(t, 201, "POST", "/api/v1/events", newEvent()).text("eventId")
			boss := &holder{o.person(t, "owner").grant(t, a, "scope", "tickets:read").access, map[string]bool{}}
			for range 3 {
				p := o.verified(t)
				h := &holder{p.grant(t, a, "scope", "tickets:read").access, map[string]bool{}}
				for _, email := range []string{p.Email, strings.ToUpper(p.Email), p.Email + ".evil.example"} {
					order := o.order(t, ev, email)
					all = append(all, order)
					boss.sees[order] = true
					h.sees[order] = !strings.HasSuffix(email, "evil.example")
				}
				holders = append(holders, h)
			}
			unverified := s.attendee(t)
			order := o.order(t, ev, unverified.Email)
			all, boss.sees[order] = append(all, order), true
			holders = append(holders, boss, &holder{unverified.grant(t, a, "scope", "tickets:read").access, nil})
		}
		for i, h := range holders {
			var list struct{ Data []struct{ OrderID string } }
			r := s.bearer(t, h.token, "GET", "/api/v1/orders?limit=100", nil).must(t, 200)
			if err := json.Unmarshal(r.Body, &list); err != nil {
				t.Fatal(err)
			}
			listed := map[string]bool{}
			for _, o := range list.Data {
				listed[o.OrderID] = true
			}
			want := maps.Clone(h.sees)
			maps.DeleteFunc(want, func(_ string, sees bool) bool { return !sees })
			if !maps.Equal(listed, want) && len(listed)+len(want) > 0 {
				t.Errorf("person %d is shown the orders %v, and may see %v", i, listed, want)
			}
		}
		for range 150 {
			i, order := rand.IntN(len(holders)), all[rand.IntN(len(all))]
			h := holders[i]
			want := 404
			if h.sees[order] {
				want = 200
			}
			if r := s.bearer(t, h.token, "GET", "/api/v1/orders/"+order, nil); r.Status != want {
				t.Errorf("person %d reads the order %s: %d, want %d", i, order, r.Status, want)
			}
			if want == 200 {
				continue
			}
			for _, path := range []string{"/refund", "/issue"} {
				if r := s.bearer(t, h.token, "POST", "/api/v1/orders/"+order+path, map[string]any{}); r.Status != 403 && r.Status != 404 {
					t.Errorf("person %d with tickets:read, %s of %s = %d", i, path, order, r.Status)
				}
			}
		}
	})
}

// verified is a person of no organisation whose address is known to be theirs.
func (o *org) verified(t testing.TB) *person {
	t.Helper()
	return o.person(t, "")
}
