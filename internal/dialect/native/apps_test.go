package native_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

var none audit.By

// front stands in for the pages: one person is signed in, and the page where they are asked is the secret that its form would have.
type front struct{ person oauth.Person }

func (f *front) Person(*http.Request) (*oauth.Person, error) { return &f.person, nil }
func (f *front) Genuine(*http.Request, string) bool          { return true }
func (f *front) SignIn(w http.ResponseWriter, _ *http.Request, _ string) {
	w.WriteHeader(http.StatusTeapot)
}

func (f *front) Consent(w http.ResponseWriter, _ *http.Request, c oauth.Consent) {
	fmt.Fprint(w, c.Request)
}

func (f *front) Code(w http.ResponseWriter, _ *http.Request, _, _ string, status int) {
	w.WriteHeader(status)
}

func (f *front) Say(w http.ResponseWriter, _ *http.Request, status int, heading, sentence string) {
	w.WriteHeader(status)
	fmt.Fprint(w, heading, ": ", sentence)
}

// places says that everybody can act in the app's organisation and in no other.
type places struct{}

func (places) Places(q db.Querier, user, client int64) ([]oauth.Place, error) {
	o, err := org.ByNumber(q, client)
	if err != nil {
		return nil, err
	}
	role, err := org.RoleOf(q, client, user)
	return []oauth.Place{{Org: o.No, ID: o.ID, Name: o.Name, Role: string(role), May: role.Allows()}}, err
}

func (places) Named(db.Querier, int64, int64) (id.User, id.Org, error) { return "", "", nil }

func (h *house) alone(what string, f func(tx *db.Tx) error) {
	h.t.Helper()
	if err := h.db.Configure(h.t.Context(), f); err != nil {
		h.t.Fatalf("%s: %v", what, err)
	}
}

// user makes a person whose address is known to be theirs, with a role in an organisation ("" for none).
func (h *house) user(o int64, email string, role org.Role) (u org.User) {
	h.t.Helper()
	h.alone("make "+email, func(tx *db.Tx) (err error) {
		if u, err = h.people.Create(tx, org.UserInput{Email: email, Name: "Name of " + email, Verified: true}, audit.By{}); err != nil {
			return err
		}
		return h.people.SetRole(tx, o, u.No, role, audit.By{})
	})
	return u
}

// personal makes a personal token; without scopes a full one.
func (h *house) personal(o int64, u org.User, in org.TokenInput) (token string, name id.Token) {
	h.t.Helper()
	h.alone("make token", func(tx *db.Tx) error {
		t, secret, err := org.CreateToken(tx, o, u.No, in, audit.By{})
		token, name = secret, t.ID
		return err
	})
	return token, name
}

// client is an app with its secret.
type client struct {
	*house
	oauth.Client
	secret string
}

const redirect = "https://app.example/back"

// app registers an app that may ask for everything.
func (h *house) app(o int64, name string) *client {
	h.t.Helper()
	a := &client{house: h}
	h.alone("make app", func(tx *db.Tx) (err error) {
		a.Client, a.secret, err = h.apps.CreateClient(tx, o, oauth.ClientInput{
			Name: name, Redirects: []string{redirect}, Scopes: scope.All(), GrantTypes: []oauth.GrantType{oauth.AuthorizationCode, oauth.ClientCredentials},
		}, audit.By{})
		return err
	})
	return a
}

// send makes a request without a socket.
func (h *house) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.server.ServeHTTP(w, r)
	return w
}

func (a *client) post(path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(string(a.ID), a.secret)
	return a.send(r)
}

func (a *client) token(form url.Values) string {
	a.t.Helper()
	w := a.post("/oauth/token", form)
	var t struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &t); err != nil || t.AccessToken == "" {
		a.t.Fatalf("POST /oauth/token %v = %d %s", form, w.Code, w.Body)
	}
	return t.AccessToken
}

// itself is a token of the app's own.
func (a *client) itself(scopes scope.Set) string {
	a.t.Helper()
	return a.token(url.Values{"grant_type": {"client_credentials"}, "scope": {scopes.String()}})
}

// allowed is a token that a person allows the app.
func (a *client) allowed(u org.User, scopes scope.Set) string {
	a.t.Helper()
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	a.front.person = oauth.Person{No: u.No, ID: u.ID, Email: u.Email, Session: u.No}
	w := a.send(httptest.NewRequest("GET", "/oauth/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {string(a.ID)}, "redirect_uri": {redirect}, "scope": {scopes.String()}, "prompt": {"consent"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode(), nil))
	if w.Code != http.StatusOK {
		a.t.Fatalf("GET /oauth/authorize = %d %s", w.Code, w.Body)
	}
	form := url.Values{"request": {w.Body.String()}, "decision": {"allow"}, "csrf": {"x"}}
	for _, s := range scopes.List() {
		form.Add("scope", string(s))
	}
	w = a.post("/oauth/consent", form)
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		a.t.Fatalf("POST /oauth/consent = %d %s, Location %q", w.Code, w.Body, w.Header().Get("Location"))
	}
	return a.token(url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {redirect}, "code_verifier": {verifier}})
}

// grant is the id of what a person has allowed the app; of what the app has for itself for nobody.
func (a *client) grant(u org.User) id.Grant {
	a.t.Helper()
	all, err := oauth.Grants(a.db.Read(a.t.Context()), a.Org)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, g := range all {
		if g.ClientID == a.ID && g.UserNo == u.No {
			return g.ID
		}
	}
	a.t.Fatalf("%s has allowed the app nothing", u.ID)
	return ""
}

// late is a server whose tokens are over when they are given.
func (h *house) late() *oauth.Server {
	return oauth.New(oauth.Config{
		DB: h.db, Registry: h.apps, People: places{}, Front: h.front, Issuer: "http://127.0.0.1", AccessLife: time.Microsecond,
	})
}
