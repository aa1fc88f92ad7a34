package oauth

import (
	"net/http"
	"slices"

	"github.com/stagedoorhq/stagedoor/internal/proof"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// metadata says what the server can do (RFC 8414). It is made of the tables that the server works by, so it says no more and no less.
func (s *Server) metadata(w http.ResponseWriter, _ *http.Request) {
	callers := slices.DeleteFunc(slices.Clone(methods), func(m AuthMethod) bool { return m == Public })
	s.answer(w, http.StatusOK, map[string]any{
		"issuer":                                                   s.Issuer,
		"authorization_endpoint":                                   s.Issuer + "/oauth/authorize",
		"token_endpoint":                                           s.Issuer + "/oauth/token",
		"revocation_endpoint":                                      s.Issuer + "/oauth/revoke",
		"introspection_endpoint":                                   s.Issuer + "/oauth/introspect",
		"pushed_authorization_request_endpoint":                    s.Issuer + "/oauth/par",
		"device_authorization_endpoint":                            s.Issuer + "/oauth/device",
		"response_types_supported":                                 []string{"code"},
		"response_modes_supported":                                 []string{"query"},
		"grant_types_supported":                                    grantTypes,
		"code_challenge_methods_supported":                         []string{"S256"},
		"authorization_response_iss_parameter_supported":           true,
		"scopes_supported":                                         scope.All().List(),
		"token_endpoint_auth_methods_supported":                    methods,
		"revocation_endpoint_auth_methods_supported":               methods,
		"introspection_endpoint_auth_methods_supported":            callers,
		"token_endpoint_auth_signing_alg_values_supported":         proof.Algorithms(),
		"revocation_endpoint_auth_signing_alg_values_supported":    proof.Algorithms(),
		"introspection_endpoint_auth_signing_alg_values_supported": proof.Algorithms(),
		"dpop_signing_alg_values_supported":                        proof.Algorithms(),
		"require_pushed_authorization_requests":                    false,
		"prompt_values_supported":                                  []string{"none", "consent"},
		"service_documentation":                                    s.Issuer + "/openapi.json",
	})
}

// protected says where tokens for a resource of this server come from (RFC 9728).
func (s *Server) protected(path string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, http.StatusOK, map[string]any{
			"resource": s.Issuer + path, "authorization_servers": []string{s.Issuer}, "scopes_supported": scope.All().List(),
			"bearer_methods_supported": []string{"header"}, "dpop_signing_alg_values_supported": proof.Algorithms(),
			"resource_documentation": s.Issuer + "/openapi.json",
		})
	}
}
