package harness

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Token asks for a token of an app's own (RFC 6749 §4.4).
func (s *Server) Token(t testing.TB, id, secret string, scopes ...string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {strings.Join(scopes, " ")}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/oauth/token", strings.NewReader(form.Encode()))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(id, secret)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.AccessToken == "" {
		t.Fatalf("the token endpoint answered %d: %v", resp.StatusCode, err)
	}
	Secret(answer.AccessToken)
	return answer.AccessToken
}
