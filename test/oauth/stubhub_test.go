package oauth

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// hooksOf lists the ids of the webhooks that somebody with a token sees under /v2.
func (s *site) hooksOf(t *testing.T, token string) (all []string) {
	t.Helper()
	r := s.bearer(t, token, "GET", "/v2/webhooks", nil).must(t, 200)
	for i := range int(r.value("total_items").(float64)) {
		all = append(all, fmt.Sprint(r.value(fmt.Sprint("_embedded.items.", i, ".id"))))
	}
	return all
}

// A client of StubHub's asks for StubHub's scopes, and has its own webhooks.
func TestStubHubsClientsHaveWebhooksOfTheirOwn(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		hook := harness.Receive(t, nil)
		o := s.newOrg(t)
		in := map[string]any{"name": "Desk", "url": hook.URL, "topics": []string{"Sales"}, "authorization_header": "Bearer desk-key"}
		p := o.person(t, "owner")
		one, two := o.confidential(t, "scopes", []string{"webhooks:manage", "events:read"}), o.confidential(t, "scopes", []string{"webhooks:manage", "tickets:read"})
		tokens := []string{
			one.machine(t, "scope", "read:webhooks write:webhooks").access, two.machine(t, "scope", "write:webhooks").access,
			p.grant(t, one, "scope", "read:webhooks write:webhooks").access,
		}
		ids := make([]string, len(tokens))
		for i, token := range tokens {
			ids[i] = fmt.Sprint(s.bearer(t, token, "POST", "/v2/webhooks", in).must(t, 201).value("id"))
		}
		own := fmt.Sprint(o.api(t, 201, "POST", "/v2/webhooks", in).value("id"))
		for i, token := range tokens {
			if got := s.hooksOf(t, token); !slices.Equal(got, ids[i:i+1]) {
				t.Errorf("app %d sees the webhooks %v, want %v", i, got, ids[i:i+1])
			}
			for j, id := range append(slices.Clone(ids), own) {
				want := func(ok int) int {
					if i == j {
						return ok
					}
					return 404
				}
				s.bearer(t, token, "GET", "/v2/webhooks/"+id, nil).must(t, want(200))
				s.bearer(t, token, "PATCH", "/v2/webhooks/"+id, map[string]any{"name": "Mine"}).must(t, want(200))
				s.bearer(t, token, "POST", "/v2/webhooks/"+id+"/ping", nil).must(t, want(202))
				if i != j {
					s.bearer(t, token, "DELETE", "/v2/webhooks/"+id, nil).must(t, 404)
				}
			}
		}
		if got := o.api(t, 200, "GET", "/v2/webhooks", nil).value("total_items"); got != 4. {
			t.Errorf("the organisation sees %v webhooks, want those of its apps and its own: 4", got)
		}
		gone := one.grant(t) // a grant takes its webhooks along
		before := len(s.hooksOf(t, tokens[1]))
		o.api(t, 204, "DELETE", "/api/v1/oauth/grants/"+gone, nil)
		if got := o.api(t, 200, "GET", "/v2/webhooks", nil).value("total_items"); got != 3. || before != 1 {
			t.Errorf("after a grant ended there are %v webhooks, want 3", got)
		}
	})
}

func TestTokenForV2IsGoodThereOnly(t *testing.T) {
	onSites(t, func(t *testing.T, s *site) {
		o := s.newOrg(t)
		a := o.confidential(t, "scopes", []string{"webhooks:manage"})
		v2 := a.machine(t, "scope", "read:webhooks", "resource", s.issuer+"/v2").access
		s.bearer(t, v2, "GET", "/v2/webhooks", nil).must(t, 200)
		s.bearer(t, v2, "GET", "/api/v1/webhooks", nil).must(t, 401)
		native := a.machine(t, "scope", "read:webhooks", "resource", s.issuer+"/api/v1").access
		s.bearer(t, native, "GET", "/api/v1/webhooks", nil).must(t, 200)
		if r := s.bearer(t, native, "GET", "/v2/webhooks", nil).must(t, 401); r.text("code") != "requires_authentication" {
			t.Errorf("a token for /api/v1 at /v2 = %s", r.Body)
		}
	})
}
