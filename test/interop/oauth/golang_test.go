package oauth

import (
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

func endpoint(st *harness.Stage, style oauth2.AuthStyle) oauth2.Endpoint {
	return oauth2.Endpoint{AuthURL: st.URL + "/oauth/authorize", TokenURL: st.URL + "/oauth/token", DeviceAuthURL: st.URL + "/oauth/device", AuthStyle: style}
}

// reads checks that a client with a token reads events.
func reads(t *testing.T, c *http.Client, st *harness.Stage) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", st.URL+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 {
		t.Errorf("GET /api/v1/events = %d %s", resp.StatusCode, text)
	}
}

func TestGoClientsGetAndRefreshTokens(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := open(t, st)
		for method, style := range map[string]oauth2.AuthStyle{
			"none": oauth2.AuthStyleInParams, "client_secret_basic": oauth2.AuthStyleInHeader, "client_secret_post": oauth2.AuthStyleAutoDetect,
		} {
			c := h.client(t, method)
			config := &oauth2.Config{ClientID: c.ID, ClientSecret: c.Secret, Endpoint: endpoint(st, style), RedirectURL: redirect, Scopes: []string{"events:read", "tickets:read"}}
			verifier := oauth2.GenerateVerifier()
			harness.Secret(verifier)
			back, err := url.Parse(h.allow(t, config.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier))))
			if err != nil || back.Query().Get("state") != "a state" {
				t.Fatalf("%s: the app got %s back (%v)", method, back, err)
			}
			token, err := config.Exchange(t.Context(), back.Query().Get("code"), oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatalf("%s: exchange: %v", method, err)
			}
			harness.Secret(token.AccessToken, token.RefreshToken)
			if left := time.Until(token.Expiry); left < 50*time.Minute || left > time.Hour {
				t.Errorf("%s: the token is good for %v", method, left)
			}
			reads(t, config.Client(t.Context(), token), st)
			first := token.AccessToken
			token.Expiry = time.Now().Add(-time.Minute) // so the library refreshes it
			source := config.TokenSource(t.Context(), token)
			next, err := source.Token()
			if err != nil {
				t.Fatalf("%s: refresh: %v", method, err)
			}
			harness.Secret(next.AccessToken, next.RefreshToken)
			if next.AccessToken == first || next.RefreshToken == token.RefreshToken {
				t.Errorf("%s: nothing was replaced", method)
			}
			reads(t, oauth2.NewClient(t.Context(), source), st)
		}
	})
}

func TestGoClientsActForThemselves(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := open(t, st)
		for method, style := range map[string]oauth2.AuthStyle{"client_secret_basic": oauth2.AuthStyleAutoDetect, "client_secret_post": oauth2.AuthStyleInParams} {
			c := h.client(t, method, "client_credentials")
			for _, path := range []string{"/oauth/token", "/oauth2/token"} {
				config := &clientcredentials.Config{ClientID: c.ID, ClientSecret: c.Secret, TokenURL: st.URL + path, Scopes: []string{"read:events"}, AuthStyle: style} // StubHub's name
				reads(t, config.Client(t.Context()), st)
			}
		}
	})
}

func TestGoDevicesWaitForTheirPerson(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := open(t, st)
		c := h.client(t, "none", deviceGrant)
		config := &oauth2.Config{ClientID: c.ID, Endpoint: endpoint(st, oauth2.AuthStyleInParams), Scopes: []string{"events:read"}}
		device, err := config.DeviceAuth(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		harness.Secret(device.DeviceCode, device.UserCode)
		h.enter(t, device.VerificationURIComplete, device.UserCode)
		token, err := config.DeviceAccessToken(t.Context(), device)
		if err != nil {
			t.Fatal(err)
		}
		harness.Secret(token.AccessToken, token.RefreshToken)
		reads(t, config.Client(t.Context(), token), st)
	})
}
