package native_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/dialect/native"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Every route is tried with every sort of credential and every scope. The routes come from the API itself: one that is new is tried on the day that it
// appears, and fails until the tables below say how to make what its path and its body name.

// Words that stand in what is made: one in what only the organisation may see, one in what is public.
const (
	private = "zebra"
	public  = "giraffe"
)

// scene is an organisation where something is made of everything. What has been made for a request is remembered for it, so that a path and a body
// name the same things.
type scene struct {
	*house
	made map[string]string
	n    int
}

func (s *scene) again() { s.made = map[string]string{} }

func (s *scene) name() string {
	s.n++
	return fmt.Sprintf("%s %d", private, s.n)
}

// object makes what a path or a body names, by the segment before its name in paths: "events/eventId".
func (s *scene) object(noun string) string {
	s.t.Helper()
	if s.made[noun] == "" {
		make := makers()[noun]
		if make == nil {
			s.t.Fatalf("nobody knows how to make %q; add it to makers in scene_test.go", noun)
		}
		s.made[noun] = make(s)
	}
	return s.made[noun]
}

func (s *scene) create(path string, body any, id string) string {
	s.t.Helper()
	return s.must(201, "POST", path, body).text(id)
}

// makers make one of everything that paths name, as the organisation.
func makers() map[string]func(s *scene) string {
	return map[string]func(s *scene) string{
		"events/eventId": func(s *scene) string { return s.event(public + " night") },
		"inventory/listingId": func(s *scene) string {
			return s.create("/api/v1/inventory", map[string]any{
				"eventId": s.object("events/eventId"), "section": public, "row": "A", "quantity": 9, "price": "10",
			}, "listingId")
		},
		"ticket-types/ticketTypeId": func(s *scene) string {
			return s.create("/api/v1/events/"+s.object("events/eventId")+"/ticket-types", map[string]any{"name": public, "price": "10", "quantity": 9}, "ticketTypeId")
		},
		"pools/pool": func(s *scene) string {
			name := s.name()
			s.must(201, "POST", "/api/v1/events/"+s.object("events/eventId")+"/pools", map[string]any{"name": name, "capacity": 9})
			return url.PathEscape(name)
		},
		"holds/holdId": func(s *scene) string {
			return s.create("/api/v1/holds", map[string]any{"eventId": s.object("events/eventId"), "listingId": s.object("inventory/listingId"), "quantity": 1}, "id")
		},
		"orders/orderId": func(s *scene) string {
			o := orderOf(s.object("events/eventId"), s.object("inventory/listingId"), 1)
			o["customer"].(map[string]any)["email"] = private + "@example.com"
			return s.create("/api/v1/orders", o, "order.orderId")
		},
		"webhooks/id": func(s *scene) string {
			return s.create("/api/v1/webhooks", map[string]any{"url": "http://127.0.0.1:9/" + private, "format": "standard", "events": []string{"*"}}, "id")
		},
		"deliveries/deliveryId": func(s *scene) string {
			return s.must(202, "POST", "/api/v1/webhooks/"+s.object("webhooks/id")+"/test", nil).text("id")
		},
		"dev-endpoints/id": func(s *scene) string { return s.create("/api/v1/dev-endpoints", map[string]any{}, "id") },
		"clients/clientId": func(s *scene) string { return string(s.app(s.org, s.name()).ID) },
		"grants/grantId": func(s *scene) string {
			a := s.app(s.org, s.name())
			a.itself(scope.Of(scope.EventsRead))
			return string(a.grant(org.User{}))
		},
		"keys/keyId":      func(s *scene) string { return s.create("/api/v1/keys", map[string]any{"name": s.name()}, "id") },
		"people/personId": func(s *scene) string { return string(s.someone(org.Member).ID) },
		"members/userId":  func(s *scene) string { return string(s.someone(org.Member).ID) },
		"tokens/tokenId": func(s *scene) string {
			_, t := s.personal(s.org, s.owner(), org.TokenInput{Name: s.name()})
			return string(t)
		},
		"stamps/stampTypeId": func(s *scene) string {
			return s.create("/api/v1/stamps", map[string]any{"name": public + " stamp", "collection": public, "rule": map[string]any{"on": "checkin"}}, "id")
		},
		"awarded/stampId": func(s *scene) string {
			return s.must(200, "POST", "/api/v1/stamps/"+s.object("stamps/stampTypeId")+"/award", map[string]any{
				"email": s.email(), "eventId": s.object("events/eventId"), "note": private,
			}).text("id")
		},
		"passport/user": func(s *scene) string { return string(s.someone(org.Member).ID) },
		"ticket-keys/publicKey": func(s *scene) string {
			former := s.must(200, "GET", "/api/v1/ticket-keys", nil).text("data.0.publicKey")
			s.must(201, "POST", "/api/v1/ticket-keys/rotate", nil)
			return former
		},
		"tickets/ticketId": func(s *scene) string { return s.ticketsOf(s.object("orders/orderId"))[0] },
		"checkin/checkinId": func(s *scene) string {
			return s.create("/api/v1/checkin", map[string]any{"ticketId": s.object("tickets/ticketId"), "note": private}, "checkin.id")
		},
		"checkin-lists/listId": func(s *scene) string {
			return s.create("/api/v1/checkin-lists", map[string]any{"eventId": s.object("events/eventId"), "name": s.name()}, "id")
		},
		"gates/gateId":     func(s *scene) string { return s.create("/api/v1/gates", map[string]any{"name": s.name()}, "id") },
		"devices/deviceId": func(s *scene) string { return s.create("/api/v1/devices", map[string]any{"name": s.name()}, "id") },
		"invitations/linkId": func(s *scene) string {
			return s.create("/api/v1/invitations", map[string]any{"email": s.email(), "role": "staff"}, "id")
		},
	}
}

// bodies are what is sent where something is sent, in a form that succeeds.
var bodies = map[string]func(s *scene) any{
	"POST /api/v1/events":                         func(*scene) any { return map[string]any{"name": "Another", "startLocal": "2037-08-14T20:30:00"} },
	"PATCH /api/v1/events/{eventId}":              func(*scene) any { return map[string]any{"city": "Bergen"} },
	"POST /api/v1/events/{eventId}/cancel-orders": nothing,
	"POST /api/v1/inventory": func(s *scene) any {
		return map[string]any{"eventId": s.object("events/eventId"), "section": "1", "row": "B", "quantity": 2, "price": "5"}
	},
	"PATCH /api/v1/inventory/{listingId}": func(*scene) any { return map[string]any{"price": "12"} },
	"POST /api/v1/events/{eventId}/ticket-types": func(s *scene) any {
		return map[string]any{"name": s.name(), "price": "10", "quantity": 9}
	},
	"PATCH /api/v1/ticket-types/{ticketTypeId}":   func(*scene) any { return map[string]any{"price": "12"} },
	"POST /api/v1/events/{eventId}/pools":         func(s *scene) any { return map[string]any{"name": s.name(), "capacity": 9} },
	"PATCH /api/v1/events/{eventId}/pools/{pool}": func(*scene) any { return map[string]any{"capacity": 12} },
	"POST /api/v1/holds": func(s *scene) any {
		return map[string]any{"eventId": s.object("events/eventId"), "listingId": s.object("inventory/listingId"), "quantity": 1}
	},
	"POST /api/v1/holds/{holdId}/extend":                           nothing,
	"POST /api/v1/orders":                                          func(s *scene) any { return orderOf(s.object("events/eventId"), s.object("inventory/listingId"), 1) },
	"PATCH /api/v1/orders":                                         func(s *scene) any { return map[string]any{"orderId": s.object("orders/orderId"), "status": "accepted"} },
	"POST /api/v1/orders/{orderId}/refund":                         func(*scene) any { return map[string]any{"amount": "1"} },
	"POST /api/v1/orders/{orderId}/issue":                          func(*scene) any { return map[string]any{"reason": "wrong seat"} },
	"POST /api/v1/orders/{orderId}/not-received":                   func(*scene) any { return map[string]any{"note": "no mail"} },
	"PUT /api/v1/orders/{orderId}/barcodes":                        func(s *scene) any { return forPlaces(private + url.PathEscape(s.name())) },
	"PUT /api/v1/inventory/{listingId}/barcodes":                   func(s *scene) any { return forPlaces(public + url.PathEscape(s.name())) },
	"PUT /api/v1/events/{eventId}/barcode-rule":                    func(*scene) any { return map[string]any{"minLength": 4} },
	"POST /api/v1/webhooks":                                        func(*scene) any { return map[string]any{"url": "http://127.0.0.1:9/", "events": []string{"*"}} },
	"PATCH /api/v1/webhooks/{id}":                                  func(*scene) any { return map[string]any{"rateLimit": 5} },
	"POST /api/v1/webhooks/{id}/test":                              nothing,
	"POST /api/v1/webhooks/{id}/rotate-secret":                     nothing,
	"POST /api/v1/webhooks/{id}/deliveries/{deliveryId}/redeliver": nothing,
	"POST /api/v1/webhooks/{id}/recover":                           func(*scene) any { return map[string]any{"since": "2037-01-01T00:00:00Z"} },
	"POST /api/v1/messages":                                        func(*scene) any { return map[string]any{"event": "acme.happened", "data": map[string]any{}} },
	"POST /api/v1/dev-endpoints":                                   func(*scene) any { return map[string]any{} },
	"PATCH /api/v1/dev-endpoints/{id}":                             func(*scene) any { return map[string]any{"answer": map[string]any{"status": 503}} },
	"POST /api/v1/oauth/clients": func(*scene) any {
		return map[string]any{"name": "Other", "redirectUris": []string{redirect}, "scopes": []string{"events:read"}}
	},
	"PATCH /api/v1/oauth/clients/{clientId}":              func(*scene) any { return map[string]any{"name": "Renamed"} },
	"POST /api/v1/oauth/clients/{clientId}/rotate-secret": nothing,
	"PATCH /api/v1/profile":                               func(s *scene) any { return map[string]any{"name": "Kari"} },
	"POST /api/v1/tokens":                                 func(*scene) any { return map[string]any{} },
	"POST /api/v1/keys":                                   func(*scene) any { return map[string]any{"scopes": []string{"events:read"}} },
	"PATCH /api/v1/members/{userId}":                      func(*scene) any { return map[string]any{"role": "staff"} },
	"POST /api/v1/stamps":                                 func(*scene) any { return map[string]any{"name": "Another", "rule": map[string]any{"on": "manual"}} },
	"PATCH /api/v1/stamps/{stampTypeId}":                  func(*scene) any { return map[string]any{"description": "Changed"} },
	"POST /api/v1/stamps/{stampTypeId}/award": func(s *scene) any {
		return map[string]any{"email": s.email(), "eventId": s.object("events/eventId")}
	},
	"POST /api/v1/tickets":                        func(s *scene) any { return orderOf(s.object("events/eventId"), s.object("inventory/listingId"), 1) },
	"PATCH /api/v1/tickets/{ticketId}":            func(*scene) any { return map[string]any{"holder": map[string]any{"name": "Kari"}} },
	"POST /api/v1/tickets/{ticketId}/cancel":      nothing,
	"POST /api/v1/tickets/{ticketId}/block":       nothing,
	"POST /api/v1/tickets/{ticketId}/unblock":     nothing,
	"POST /api/v1/tickets/{ticketId}/transfer":    func(*scene) any { return map[string]any{"action": "offer", "email": "friend@example.com"} },
	"POST /api/v1/ticket-keys/rotate":             nothing,
	"POST /api/v1/ticket-keys/{publicKey}/retire": nothing,
	"PATCH /api/v1/events/{eventId}/ticket-codes": func(*scene) any { return map[string]any{"rotatingCodes": true, "stepSeconds": 15} },
	"POST /api/v1/checkin/scan": func(s *scene) any {
		return map[string]any{"code": s.object("tickets/ticketId"), "eventId": s.object("events/eventId")}
	},
	"POST /api/v1/checkin": func(s *scene) any {
		return map[string]any{"ticketId": s.object("tickets/ticketId"), "eventId": s.object("events/eventId")}
	},
	"POST /api/v1/checkin/upload": func(s *scene) any {
		s.n++
		return map[string]any{"scans": []any{map[string]any{"seq": s.n, "code": "nobody's", "scannedAt": "2037-08-14T18:00:00Z"}}}
	},
	"PATCH /api/v1/checkin/{checkinId}": func(*scene) any { return map[string]any{"note": "seen"} },
	"POST /api/v1/checkin-lists": func(s *scene) any {
		return map[string]any{"eventId": s.object("events/eventId"), "name": "Balcony", "policy": "reentry"}
	},
	"PATCH /api/v1/checkin-lists/{listId}": func(*scene) any { return map[string]any{"name": "Stalls"} },
	"POST /api/v1/gates":                   func(s *scene) any { s.n++; return map[string]any{"name": fmt.Sprintf("Gate %d", s.n)} },
	"PATCH /api/v1/gates/{gateId}":         func(s *scene) any { s.n++; return map[string]any{"name": fmt.Sprintf("Gate %d", s.n)} },
	"POST /api/v1/devices":                 func(*scene) any { return map[string]any{"name": "Scanner"} },
	"PATCH /api/v1/devices/{deviceId}":     func(*scene) any { return map[string]any{"name": "Other scanner"} },
	"POST /api/v1/invitations": func(s *scene) any {
		s.n++
		return map[string]any{"email": fmt.Sprintf("guest%d@example.com", s.n), "role": "staff"}
	},
}

func nothing(*scene) any { return nil }

// queries are what routes ask for in the query.
var queries = map[string]func(s *scene) string{
	"GET /api/v1/inventory":         func(s *scene) string { return "?eventId=" + s.object("events/eventId") },
	"GET /api/events":               func(s *scene) string { return "?user_id=" + s.object("dev-endpoints/id") },
	"GET /api/v1/people":            func(*scene) string { return "?email=somebody@example.net" },
	"GET /api/v1/checkin/search":    func(s *scene) string { return "?q=nobody&eventId=" + s.object("events/eventId") },
	"GET /api/v1/checkin/conflicts": func(s *scene) string { return "?event_id=" + s.object("events/eventId") },
	"GET /api/v1/checkin/bundle":    func(s *scene) string { return "?eventId=" + s.object("events/eventId") },
}

// befores are what has to be done before a route has something to answer.
var befores = map[string]func(s *scene){
	"GET /api/v1/events/{eventId}/cancel-orders": func(s *scene) {
		s.must(202, "POST", "/api/v1/events/"+s.object("events/eventId")+"/cancel-orders", nil)
	},
}

// room leaves of developer endpoints only what the scene has made, for an account can have few.
func (s *scene) room() {
	s.alone("make room for developer endpoints", func(tx *db.Tx) error {
		_, err := tx.Exec("DELETE FROM dev_endpoints WHERE id <> $1", s.made["dev-endpoints/id"])
		return err
	})
}

// prepare makes what the route's request names.
func (s *scene) prepare(p native.Permission) (target string, body any) {
	s.t.Helper()
	route := p.Method + " " + p.Path
	if before := befores[route]; before != nil {
		before(s)
	}
	if strings.Contains(p.Path, "dev-endpoints") || p.Path == "/api/events" {
		s.room()
	}
	segments := strings.Split(p.Path, "/")
	for i, seg := range segments {
		if name, ok := strings.CutPrefix(seg, "{"); ok {
			segments[i] = s.object(segments[i-1] + "/" + strings.TrimSuffix(name, "}"))
		}
	}
	target = strings.Join(segments, "/")
	if query := queries[route]; query != nil {
		target += query(s)
	}
	if p.Method == "POST" || p.Method == "PATCH" || p.Method == "PUT" {
		make := bodies[route]
		if make == nil {
			s.t.Fatalf("%s: say in bodies in scene_test.go what is sent to it", route)
		}
		body = make(s)
	}
	return target, body
}

// try makes a request with a credential, without a socket.
func (h *house) try(p native.Permission, target string, body any, credential string) response {
	h.t.Helper()
	var text string
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			h.t.Fatal(err)
		}
		text = string(b)
	}
	r := httptest.NewRequest(p.Method, target, strings.NewReader(text))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if credential != "" {
		r.Header.Set("Authorization", "Bearer "+credential)
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	w := &reader{ResponseRecorder: httptest.NewRecorder(), seen: cancel}
	h.server.ServeHTTP(w, r.WithContext(ctx))
	got := response{status: w.Code, header: w.Result().Header, raw: w.Body.Bytes()}
	if got.isJSON() {
		if err := json.Unmarshal(got.raw, &got.body); err != nil {
			h.t.Fatalf("%s %s answers %q, which is no JSON object: %v", p.Method, target, got.raw, err)
		}
	}
	h.doc.check(h.t, p.Method, target, got)
	return got
}

// reader goes when it has seen the beginning of a stream.
type reader struct {
	*httptest.ResponseRecorder
	seen func()
}

func (r *reader) Flush() {
	r.ResponseRecorder.Flush()
	r.seen()
}

// owner is the organisation's owner, who is made once.
func (h *house) owner() org.User {
	h.t.Helper()
	u, err := org.UserByEmail(h.db.Read(h.t.Context()), private+"@owner.example")
	if err != nil {
		u = h.user(h.org, private+"@owner.example", org.Owner)
	}
	return u
}

func (s *scene) email() string {
	s.n++
	return fmt.Sprintf("%s%d@example.com", private, s.n)
}

func (s *scene) someone(role org.Role) org.User {
	s.t.Helper()
	return s.user(s.org, s.email(), role)
}

// who is a credential with what is known of it.
type who struct {
	name       string
	kind       access.Kind
	credential string
	scopes     scope.Set
	full       bool
	role       org.Role // of a person
}

func (w who) app() bool    { return w.kind == access.Grant || w.kind == access.Service }
func (w who) person() bool { return w.kind == access.Grant || w.kind == access.Personal }

// refusal is the code with which the credential is refused by a route; "" where it may use it.
func (w who) refusal(p native.Permission) string {
	may := scope.All()
	if w.person() {
		may = w.role.Allows()
	}
	switch {
	case p.Admin && !(w.full && !w.app() && (!w.person() || w.role.Administrates())):
		return "administration_only"
	case p.Own && w.kind != access.Personal:
		return "person_only"
	case p.Admin, p.Own:
		return ""
	case !w.scopes.Has(p.Scope):
		return "insufficient_scope"
	case !may.Has(p.Scope), w.person() && w.role == "" && !p.Attendees:
		return "insufficient_role"
	case p.Path == "/api/v1/profile" && !w.person():
		return "person_only"
	case p.Path == "/api/v1/checkin/search" && w.app():
		return "staff_only"
	}
	return ""
}

// credentials are those of an organisation with a set of scopes: one of each kind, a person's by an owner.
func (s *scene) credentials(boss org.User, scopes scope.Set) []who {
	s.t.Helper()
	a := s.app(s.org, "App") // one for each set: a second consent would replace what the first gave
	name := strings.ReplaceAll(scopes.String(), " ", "+")
	token, _ := s.personal(s.org, boss, org.TokenInput{Scopes: scopes})
	return []who{
		{"key with " + name, access.APIKey, s.newKey(org.KeyInput{Scopes: scopes}), scopes, false, ""},
		{"owner's token with " + name, access.Personal, token, scopes, false, org.Owner},
		{"owner's app with " + name, access.Grant, a.allowed(boss, scopes), scopes, false, org.Owner},
		{"app itself with " + name, access.Service, a.itself(scopes), scopes, false, ""},
	}
}

// full are an organisation's mightiest credentials.
func (s *scene) full(boss org.User) []who {
	s.t.Helper()
	token, _ := s.personal(s.org, boss, org.TokenInput{})
	return []who{
		{"full key", access.APIKey, s.key, scope.All(), true, ""},
		{"owner's full token", access.Personal, token, scope.All(), true, org.Owner},
	}
}

// unverified makes an attendee whose address may be anybody's.
func (h *house) unverified(email string) (u org.User) {
	h.t.Helper()
	h.alone("make "+email, func(tx *db.Tx) (err error) {
		u, err = h.people.Create(tx, org.UserInput{Email: email}, none)
		return err
	})
	return u
}

func eachScene(t *testing.T, f func(t *testing.T, s *scene)) {
	each(t, func(t *testing.T, h *house) {
		s := &scene{house: h}
		s.again()
		f(t, s)
	})
}
