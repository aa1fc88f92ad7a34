package native_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/dialect/native"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

func TestEveryRouteTakesItsScopeAndNoOther(t *testing.T) {
	eachScene(t, func(t *testing.T, s *scene) {
		boss := s.user(s.org, "boss@example.com", org.Owner)
		all := append(s.full(boss), s.credentials(boss, scope.All())...)
		for _, one := range scope.All().List() {
			all = append(all, s.credentials(boss, scope.Of(one))...)
			all = append(all, s.credentials(boss, scope.All()&^scope.Of(one))...)
		}
		for _, role := range append(org.Roles(), "") { // what the role of the person takes away
			u := s.someone(role)
			full, _ := s.personal(s.org, u, org.TokenInput{})
			every, _ := s.personal(s.org, u, org.TokenInput{Scopes: scope.All()})
			all = append(
				all, who{fmt.Sprintf("full token of %q", role), access.Personal, full, scope.All(), true, role},
				who{fmt.Sprintf("token of %q with all scopes", role), access.Personal, every, scope.All(), false, role},
				who{fmt.Sprintf("app of %q", role), access.Grant, s.app(s.org, "App").allowed(u, role.Allows()), role.Allows(), false, role},
			)
		}
		for _, p := range s.api.Permissions() {
			s.again()
			for _, w := range all {
				target, body := s.prepare(p)
				r := s.try(p, target, body, w.credential)
				refusal := w.refusal(p)
				switch {
				case refusal != "":
					if r.status != http.StatusForbidden || r.text("code") != refusal {
						t.Errorf("%s %s for the %s = %d %s, want 403 %s", p.Method, p.Path, w.name, r.status, r.raw, refusal)
					}
					want := fmt.Sprintf(`error="insufficient_scope", scope="%s"`, p.Scope)
					if got := r.header.Get("WWW-Authenticate"); (refusal == "insufficient_scope") != strings.Contains(got, want) {
						t.Errorf("%s %s for the %s: WWW-Authenticate %q", p.Method, p.Path, w.name, got)
					}
				case w.app() && strings.HasPrefix(p.Path, "/api/v1/webhooks/{id}"): // which is the organisation's, not the app's
					if r.status != http.StatusNotFound {
						t.Errorf("%s %s for the %s = %d %s, want 404", p.Method, p.Path, w.name, r.status, r.raw)
					}
				case w.credential != s.key && (strings.HasPrefix(p.Path, "/api/v1/dev-endpoints/{") || p.Path == "/api/events"): // of another account
					if r.status != http.StatusNotFound {
						t.Errorf("%s %s for the %s = %d %s, want 404", p.Method, p.Path, w.name, r.status, r.raw)
					}
				case strings.HasPrefix(p.Path, "/api/v1/tokens/{"): // somebody else's; see below for one's own
					if r.status != http.StatusNotFound {
						t.Errorf("%s %s for the %s = %d %s, want 404", p.Method, p.Path, w.name, r.status, r.raw)
					}
				case w.person() && w.role == "" && (p.Path == "/api/v1/orders/{orderId}" || strings.HasPrefix(p.Path, "/api/v1/tickets/{") || strings.HasPrefix(p.Path, "/api/v1/holds/{")):
					if r.status != http.StatusNotFound { // another's
						t.Errorf("%s %s for the %s = %d %s, want 404", p.Method, p.Path, w.name, r.status, r.raw)
					}
				case w.person() && w.role == "" && p.Method == "POST" && (p.Path == "/api/v1/orders" || p.Path == "/api/v1/tickets"):
					if want := http.StatusBadRequest; r.status != want { // in the name of another
						t.Errorf("%s %s for the %s = %d %s, want %d", p.Method, p.Path, w.name, r.status, r.raw, want)
					}
				case w.person() && w.role == "" && p.Path == "/api/v1/passport/{user}":
					if r.status != http.StatusNotFound { // another's
						t.Errorf("%s %s for the %s = %d %s, want 404", p.Method, p.Path, w.name, r.status, r.raw)
					}
				default:
					if r.status/100 != 2 {
						t.Errorf("%s %s for the %s = %d %s, want success", p.Method, p.Path, w.name, r.status, r.raw)
					}
					if p.Method != "GET" {
						s.again() // what it was about has changed
					}
				}
			}
		}
	})
}

func TestEveryRouteRefusesWhatIsNoCredential(t *testing.T) {
	eachScene(t, func(t *testing.T, s *scene) {
		boss := s.user(s.org, "boss@example.com", org.Owner)
		over, _ := s.personal(s.org, boss, org.TokenInput{Expires: time.Microsecond})
		ended, token := s.personal(s.org, boss, org.TokenInput{})
		key := s.must(201, "POST", "/api/v1/keys", map[string]any{})
		s.must(204, "DELETE", "/api/v1/keys/"+key.text("id"), nil)
		a, gone, deleted := s.app(s.org, "All"), s.app(s.org, "Gone"), s.app(s.org, "Deleted")
		withdrawn, dead := gone.allowed(boss, scope.All()), deleted.itself(scope.All())
		s.alone("end credentials", func(tx *db.Tx) error {
			if err := org.RevokeToken(tx, boss.No, token, none); err != nil {
				return err
			}
			if err := s.apps.RevokeGrant(tx, s.org, gone.grant(boss), "test", none); err != nil {
				return err
			}
			return s.apps.DeleteClient(tx, s.org, deleted.ID, 0, none)
		})
		mux := http.NewServeMux()
		s.late().Routes(mux)
		server := s.server
		s.server = mux
		expired := a.itself(scope.All())
		s.server = server
		for _, p := range s.api.Permissions() {
			target, body := s.prepare(p)
			if r := s.try(p, target, body, ""); r.status != 401 || !strings.Contains(r.header.Get("WWW-Authenticate"), "Bearer") || strings.Contains(r.header.Get("WWW-Authenticate"), "error=") {
				t.Errorf("%s %s without a credential = %d %q; want 401 and a challenge without an error", p.Method, p.Path, r.status, r.header.Get("WWW-Authenticate"))
			}
			for name, credential := range map[string]string{
				"garbage": "x", "an unknown key": "sd_x", "an unknown personal token": "sdp_x", "an unknown access token": "sda_x",
				"a revoked key": key.text("key"), "a revoked personal token": ended, "an expired personal token": over,
				"an expired access token": expired, "a token of a grant that was withdrawn": withdrawn, "a token of an app that was deleted": dead,
			} {
				if r := s.try(p, target, body, credential); r.status != 401 || !strings.Contains(r.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
					t.Errorf("%s %s with %s = %d %q; want 401 invalid_token", p.Method, p.Path, name, r.status, r.header.Get("WWW-Authenticate"))
				}
			}
		}
	})
}

// What another organisation has is not there, whatever one may do at home; and a list of one's own has nothing of it.
func TestEveryRouteHidesOtherOrganisations(t *testing.T) {
	eachScene(t, func(t *testing.T, s *scene) {
		number, key := s.newOrg("Elsewhere")
		there := &scene{house: &house{}}
		*there.house = *s.house
		there.org, there.key = number, key
		there.again()
		stranger := s.user(number, "stranger@example.com", org.Owner)
		strangers := append(there.full(stranger), there.credentials(stranger, scope.All())...)
		for noun := range makers() {
			s.object(noun)
		}
		before := s.snapshot()
		for _, p := range s.api.Permissions() {
			for _, w := range strangers {
				target, body := s.prepare(p)
				r := s.try(p, target, body, w.credential)
				about := s.names(target, body)
				refusal := w.refusal(p)
				switch {
				case refusal != "":
					if r.status != http.StatusForbidden || r.text("code") != refusal {
						t.Errorf("%s %s for the %s of another organisation = %d %s, want 403 %s", p.Method, p.Path, w.name, r.status, r.raw, refusal)
					}
				case about && r.status != http.StatusNotFound:
					t.Errorf("%s %s for the %s of another organisation = %d %s, want 404", p.Method, target, w.name, r.status, r.raw)
				case !about && r.status/100 != 2:
					t.Errorf("%s %s for the %s of another organisation = %d %s, want success at home", p.Method, target, w.name, r.status, r.raw)
				}
				s.hides(p, target, w.name, r, private, public)
			}
		}
		if diff := cmp.Diff(before, s.snapshot()); diff != "" {
			t.Errorf("what the organisation has was changed from outside (-before +after):\n%s", diff)
		}
	})
}

// names tells whether a request names something that was made.
func (s *scene) names(target string, body any) bool {
	b, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, one := range s.made {
		if strings.Contains(target, one) || strings.Contains(string(b), `"`+one+`"`) {
			return true
		}
	}
	return false
}

// hides checks that an answer has nothing of the organisation: no word of its, and no id that was not in the request.
func (s *scene) hides(p native.Permission, target, name string, r response, words ...string) {
	s.t.Helper()
	for _, word := range words {
		if strings.Contains(strings.ToLower(string(r.raw)), word) {
			s.t.Errorf("%s %s shows the %s something: %s", p.Method, target, name, r.raw)
		}
	}
	for noun, one := range s.made {
		if strings.Contains(string(r.raw), one) && r.status < 400 {
			s.t.Errorf("%s %s shows the %s the id of %s: %s", p.Method, target, name, noun, r.raw)
		}
	}
}

// volatile are routes whose answers are never twice the same, or are about whoever asks.
var volatile = []string{
	"/api/v1/stream", "/api/v1/profile", "/api/v1/audit", "/api/v1/keys", "/api/v1/people", "/api/v1/people/{personId}/export", "/api/v1/tickets/{ticketId}/verify",
}

// snapshot is all that the organisation sees of what was made.
func (s *scene) snapshot() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for _, p := range s.api.Permissions() {
		if p.Method != "GET" || p.Own || befores["GET "+p.Path] != nil || slices.Contains(volatile, p.Path) {
			continue
		}
		target, _ := s.prepare(p)
		all[target] = string(s.must(200, "GET", target, nil).raw)
	}
	return all
}

// What is another person's is not there, neither for an attendee nor for a colleague.
func TestEveryRouteHidesOtherPeople(t *testing.T) {
	eachScene(t, func(t *testing.T, s *scene) {
		a := s.app(s.org, "Guests")
		may := org.Role("").Allows()
		var guests []who
		for _, u := range []org.User{s.user(s.org, "guest@example.org", ""), s.unverified("shy@example.org")} {
			token, _ := s.personal(s.org, u, org.TokenInput{})
			guests = append(
				guests, who{"token of " + u.Email, access.Personal, token, scope.All(), true, ""},
				who{"app of " + u.Email, access.Grant, a.allowed(u, may), may, false, ""},
			)
		}
		for noun := range makers() {
			s.object(noun)
		}
		for _, p := range s.api.Permissions() {
			for _, w := range guests {
				target, body := s.prepare(p)
				r := s.try(p, target, body, w.credential)
				switch refusal := w.refusal(p); {
				case refusal != "":
					if r.status != http.StatusForbidden || r.text("code") != refusal {
						t.Errorf("%s %s for the %s = %d %s, want 403 %s", p.Method, p.Path, w.name, r.status, r.raw, refusal)
					}
				case strings.HasPrefix(p.Path, "/api/v1/events"), strings.HasPrefix(p.Path, "/api/v1/inventory"), strings.HasPrefix(p.Path, "/api/v1/stamps"),
					strings.HasPrefix(p.Path, "/api/v1/ticket-types"), p.Path == "/api/v1/collections": // all of it is public
					if r.status != http.StatusOK {
						t.Errorf("%s %s for the %s = %d %s, want 200: it is public", p.Method, target, w.name, r.status, r.raw)
					}
					s.hides(p, target, w.name, r.without(s), private)
					continue
				case p.Method == "POST" && p.Path == "/api/v1/holds": // of what is public
					if r.status != 201 && r.status != 403 {
						t.Errorf("%s %s for the %s = %d %s, want 201, or 403 before the address is verified", p.Method, target, w.name, r.status, r.raw)
					}
					s.hides(p, target, w.name, r.without(s), private)
					continue
				case strings.Contains(p.Path, "{"):
					if r.status != http.StatusNotFound {
						t.Errorf("%s %s for the %s = %d %s, want 404", p.Method, target, w.name, r.status, r.raw)
					}
				case p.Method == "POST" && (p.Path == "/api/v1/orders" || p.Path == "/api/v1/tickets"):
					if r.status != 400 && r.status != 403 {
						t.Errorf("%s %s for the %s, in the name of another = %d %s, want 400 or 403", p.Method, target, w.name, r.status, r.raw)
					}
				case r.status/100 != 2:
					t.Errorf("%s %s for the %s = %d %s, want success", p.Method, target, w.name, r.status, r.raw)
				}
				s.hides(p, target, w.name, r, private, public)
			}
		}

		colleague, _ := s.personal(s.org, s.user(s.org, "colleague@example.org", org.Owner), org.TokenInput{})
		for _, p := range s.api.Permissions() {
			if !p.Own {
				continue
			}
			target, body := s.prepare(p)
			r := s.try(p, target, body, colleague)
			if about := strings.Contains(p.Path, "{"); about && r.status != 404 || !about && r.status/100 != 2 {
				t.Errorf("%s %s for a colleague = %d %s", p.Method, target, r.status, r.raw)
			}
			s.hides(p, target, "colleague", r, private)
		}
	})
}

// without leaves out the ids that are public.
func (r response) without(s *scene) response {
	text := string(r.raw)
	for _, noun := range []string{"events/eventId", "inventory/listingId", "stamps/stampTypeId", "ticket-types/ticketTypeId"} {
		text = strings.ReplaceAll(text, s.made[noun], "")
	}
	r.raw = []byte(text)
	return r
}

func TestPermissionsAreThoseOfTheDocument(t *testing.T) {
	h := lite(t)
	var got, want []string
	for _, p := range h.api.Permissions() {
		ways := map[string]any{}
		switch {
		case p.Admin:
			ways = map[string]any{"apiKey": []any{}, "bearer": []any{}}
		case p.Own:
			ways = map[string]any{"bearer": []any{}}
		default:
			for _, way := range []string{"apiKey", "bearer", "oauth2"} {
				ways[way] = []any{string(p.Scope)}
			}
		}
		got = append(got, fmt.Sprint(p.Method, " ", p.Path, " ", ways))
	}
	for path, item := range h.doc.document["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			if strings.HasSuffix(path, "/openapi.json") || strings.HasPrefix(path, "/.well-known/") || path == "/api/webhook/{devId}" || path == "/api/v1/devices/enroll" { // for everybody
				continue
			}
			ways := map[string]any{}
			security, _ := op.(map[string]any)["security"].([]any)
			for _, one := range security {
				for way, scopes := range one.(map[string]any) {
					ways[way] = scopes
				}
			}
			want = append(want, fmt.Sprint(strings.ToUpper(method), " ", path, " ", ways))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the permissions are not what openapi.json says (-document +permissions):\n%s", diff)
	}
}
