package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/proof"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// document reads a metadata document.
func (p *site) document(path string) map[string]any {
	p.t.Helper()
	r := p.get(path, nil)
	var m map[string]any
	if err := json.Unmarshal([]byte(r.body), &m); err != nil || r.status != 200 || r.header.Get("Content-Type") != "application/json" {
		p.t.Fatalf("%s: %v", r, err)
	}
	return m
}

func texts(v any) []string {
	list, _ := v.([]any)
	all := make([]string, len(list))
	for i, one := range list {
		all[i], _ = one.(string)
	}
	return all
}

func TestMetadataSaysWhatThereIs(t *testing.T) {
	p := lite(t)
	m := p.document("/.well-known/oauth-authorization-server")
	if m["issuer"] != issuer || m["authorization_response_iss_parameter_supported"] != true {
		t.Errorf("issuer is %v, iss %v", m["issuer"], m["authorization_response_iss_parameter_supported"])
	}
	for name, want := range map[string][]string{
		"response_types_supported":                         {"code"},
		"response_modes_supported":                         {"query"},
		"code_challenge_methods_supported":                 {"S256"},
		"grant_types_supported":                            {"authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"},
		"token_endpoint_auth_methods_supported":            {"none", "client_secret_basic", "client_secret_post", "private_key_jwt"},
		"introspection_endpoint_auth_methods_supported":    {"client_secret_basic", "client_secret_post", "private_key_jwt"},
		"dpop_signing_alg_values_supported":                proof.Algorithms(),
		"token_endpoint_auth_signing_alg_values_supported": proof.Algorithms(),
		"scopes_supported":                                 strings.Fields(scope.All().String()),
	} {
		if diff := cmp.Diff(want, texts(m[name])); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	for name, v := range m {
		to, ok := v.(string)
		if !strings.HasSuffix(name, "_endpoint") {
			continue
		}
		path, below := strings.CutPrefix(to, issuer)
		if !ok || !below {
			t.Errorf("%s is %v, want a URL below the issuer", name, v)
			continue
		}
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := p.do(httptest.NewRequest(method, path, nil))
			if r.status == 404 || method == http.MethodPost && r.status == 405 {
				t.Errorf("%s (%s): %s", name, to, r)
			}
		}
	}
	a := p.app(input())
	for _, kind := range texts(m["grant_types_supported"]) {
		if r := a.post("/oauth/token", url.Values{"grant_type": {kind}}); r.json("error") == "unsupported_grant_type" {
			t.Errorf("%s is advertised: %s", kind, r)
		}
	}
	for _, kind := range []string{"password", "implicit", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:jwt-bearer"} {
		if slices.Contains(texts(m["grant_types_supported"]), kind) {
			t.Errorf("%s is advertised", kind)
		}
		refused(t, a.post("/oauth/token", url.Values{"grant_type": {kind}}), 400, "unsupported_grant_type")
	}
}

func TestResourcesSayWhereTokensComeFrom(t *testing.T) {
	p := lite(t)
	for _, path := range []string{"", "/api/v0", "/api/v1", "/v0", "/v1", "/v2"} {
		m := p.document("/.well-known/oauth-protected-resource" + path)
		if m["resource"] != issuer+path || !slices.Equal(texts(m["authorization_servers"]), []string{issuer}) || !slices.Equal(texts(m["bearer_methods_supported"]), []string{"header"}) {
			t.Errorf("the metadata of %q is %v", path, m)
		}
	}
	if r := p.get("/.well-known/oauth-protected-resource/elsewhere", nil); r.status != 404 {
		t.Errorf("%s, want 404", r)
	}
}

func TestIssuerWithAPathHasItInserted(t *testing.T) {
	p := lite(t, func(c *oauth.Config) { c.Issuer = issuer + "/tickets" })
	if m := p.document("/.well-known/oauth-authorization-server/tickets"); m["issuer"] != issuer+"/tickets" {
		t.Errorf("issuer is %v", m["issuer"])
	}
}
