package oauth_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const (
	issuer   = "https://id.example.com"
	home     = 1 // the organisation whose apps they are
	away     = 2 // another, to which ada belongs too
	callback = "https://app.example.com/callback?from=stagedoor"
)

var (
	ada   = &oauth.Person{No: 11, ID: "usr_ada", Email: "ada@example.com", Session: 101}
	brian = &oauth.Person{No: 12, ID: "usr_brian", Email: "brian@example.com", Session: 102}
)

// people are who belongs where: ada to home and away, brian to neither.
type people struct{}

func (people) Places(_ db.Querier, user, client int64) ([]oauth.Place, error) {
	at := func(org int64, role string, may scope.Set) oauth.Place {
		return oauth.Place{Org: org, ID: orgID(org), Name: fmt.Sprintf("House %d", org), Role: role, May: may}
	}
	if user != ada.No {
		return []oauth.Place{at(client, "", scope.Of(scope.EventsRead, scope.TicketsRead))}, nil
	}
	return []oauth.Place{at(home, "owner", scope.All()), at(away, "staff", scope.Of(scope.EventsRead, scope.CheckinWrite))}, nil
}

func (people) Named(_ db.Querier, user, org int64) (id.User, id.Org, error) {
	return map[int64]id.User{ada.No: ada.ID, brian.No: brian.ID}[user], orgID(org), nil
}

func orgID(org int64) id.Org { return id.Org(fmt.Sprintf("org_%d", org)) }

// front stands for the pages: it says in JSON what it would show.
type front struct {
	mu     sync.Mutex // guards person
	person *oauth.Person
}

func (f *front) Person(*http.Request) (*oauth.Person, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.person, nil
}

func (f *front) Genuine(_ *http.Request, token string) bool { return token == "genuine" }

func (f *front) SignIn(w http.ResponseWriter, r *http.Request, path string) {
	http.Redirect(w, r, "/login?next="+url.QueryEscape(path), http.StatusSeeOther)
}

func (f *front) Consent(w http.ResponseWriter, _ *http.Request, c oauth.Consent) {
	w.Header().Set("Content-Type", "text/x-consent")
	_ = json.NewEncoder(w).Encode(c)
}

func (f *front) Code(w http.ResponseWriter, _ *http.Request, _, complaint string, status int) {
	w.WriteHeader(status)
	_, _ = w.Write([]byte(complaint))
}

func (f *front) Say(w http.ResponseWriter, _ *http.Request, status int, heading, sentence string) {
	w.Header().Set("Content-Type", "text/x-page")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(heading + ": " + sentence))
}

// heard is the ledger and the endpoints: what they were told, after the commit.
type heard struct {
	mu     sync.Mutex // guards the rest
	facts  []fact.Fact
	limits []string
}

func (h *heard) Append(tx *db.Tx, facts ...*fact.Fact) error {
	tx.OnCommit(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, f := range facts {
			h.facts = append(h.facts, *f)
		}
	})
	return nil
}

func (h *heard) Limit(tx *db.Tx, org, _ int64, sees scope.Set) error {
	tx.OnCommit(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.limits = append(h.limits, fmt.Sprintf("%d: %s", org, sees))
	})
	return nil
}

func (h *heard) takeFacts() []fact.Fact {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.facts
	h.facts = nil
	return all
}

func (h *heard) takeLimits() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.limits
	h.limits = nil
	return all
}

// site is a server over a database.
type site struct {
	t     testing.TB
	db    *db.DB
	apps  *oauth.Registry
	s     *oauth.Server
	mux   *http.ServeMux
	front *front
	heard *heard
	log   *bytes.Buffer
}

// operator is who does things to apps.
var operator = audit.By{Actor: audit.Operator, Address: "192.0.2.1"}

func open(t testing.TB, d *db.DB, change ...func(*oauth.Config)) *site {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	p := &site{t: t, db: d, front: &front{person: ada}, heard: &heard{}, mux: http.NewServeMux(), log: &bytes.Buffer{}}
	p.apps = &oauth.Registry{Keys: keys, Endpoints: p.heard, Ledger: p.heard}
	c := oauth.Config{DB: d, Registry: p.apps, People: people{}, Front: p.front, Issuer: issuer, Log: slog.New(slog.NewTextHandler(p.log, nil))}
	for _, f := range change {
		f(&c)
	}
	p.s = oauth.New(c)
	p.s.Routes(p.mux)
	t.Cleanup(func() {
		if p.log.Len() > 0 {
			t.Errorf("the server logged:\n%s", p.log)
		}
	})
	return p
}

// each runs a test with a site on each database.
func each(t *testing.T, f func(t *testing.T, p *site)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) { f(t, open(t, d)) })
}

// lite opens a site on SQLite, for tests of what no database has a say in.
func lite(t testing.TB, change ...func(*oauth.Config)) *site {
	t.Helper()
	return open(t, dbtest.Open(t, dbtest.SQLite(t)), change...)
}

// app is a client with its secret.
type app struct {
	oauth.Client
	secret string
	p      *site
}

// input is a confidential app's.
func input() oauth.ClientInput {
	return oauth.ClientInput{
		Name: "Box Office", Redirects: []string{callback}, Scopes: scope.Of(scope.EventsRead, scope.TicketsRead, scope.WebhooksManage),
		GrantTypes: []oauth.GrantType{oauth.AuthorizationCode, oauth.RefreshToken, oauth.ClientCredentials},
	}
}

// public is the input of an app that has no secret.
func public() oauth.ClientInput {
	in := input()
	in.AuthMethod, in.GrantTypes = oauth.Public, nil
	return in
}

func (p *site) app(in oauth.ClientInput) app {
	p.t.Helper()
	a := app{p: p}
	p.write(func(tx *db.Tx) (err error) {
		a.Client, a.secret, err = p.apps.CreateClient(tx, home, in, operator)
		return err
	})
	return a
}

// write runs fn in a transaction that has to succeed.
func (p *site) write(fn func(tx *db.Tx) error) {
	p.t.Helper()
	if err := p.db.Write(p.t.Context(), "", fn); err != nil {
		p.t.Fatalf("Write: %v", err)
	}
}

func (p *site) configure(fn func(tx *db.Tx) error) {
	p.t.Helper()
	if err := p.db.Configure(p.t.Context(), fn); err != nil {
		p.t.Fatalf("Configure: %v", err)
	}
}

// age makes everything older: what is kept of the times of codes and tokens moves into the past.
func (p *site) age(by time.Duration) {
	p.t.Helper()
	p.write(func(tx *db.Tx) error {
		for _, s := range []string{
			`UPDATE oauth_codes SET created_at = created_at - $1, expires_at = expires_at - $1, used_at = used_at - $1`,
			`UPDATE oauth_access_tokens SET created_at = created_at - $1, expires_at = expires_at - $1, revoked_at = revoked_at - $1`,
			`UPDATE oauth_refresh_tokens SET created_at = created_at - $1, expires_at = expires_at - $1, used_at = used_at - $1, successor_until = successor_until - $1`,
			`UPDATE oauth_families SET created_at = created_at - $1, expires_at = expires_at - $1, revoked_at = revoked_at - $1`,
			`UPDATE oauth_requests SET created_at = created_at - $1, expires_at = expires_at - $1, used_at = used_at - $1`,
			`UPDATE oauth_secrets SET created_at = created_at - $1, expires_at = expires_at - $1`,
			`UPDATE oauth_proofs SET expires_at = expires_at - $1`,
		} {
			if _, err := tx.Exec(s, by.Microseconds()); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *site) count(table string) int {
	p.t.Helper()
	n, err := db.One(p.db.Read(p.t.Context()), db.Value[int], `SELECT count(*) FROM `+table)
	if err != nil {
		p.t.Fatalf("count %s: %v", table, err)
	}
	return n
}

// actions are the entries of the audit log of an organisation, oldest first.
func (p *site) actions(org int64) []string {
	p.t.Helper()
	all, err := audit.List(p.db.Read(p.t.Context()), org, audit.Filter{Limit: 1000})
	if err != nil {
		p.t.Fatalf("audit.List: %v", err)
	}
	slices.Reverse(all)
	said := make([]string, len(all))
	for i, e := range all {
		said[i] = e.Action
	}
	return said
}

// reply is what the server answered.
type reply struct {
	status int
	header http.Header
	body   string
	asked  string
}

func (r reply) String() string {
	return fmt.Sprintf("%s = %d %s%s", r.asked, r.status, r.body, r.header.Get("Location"))
}

// json reads a member of the answer.
func (r reply) json(name string) string {
	var m map[string]any
	if json.Unmarshal([]byte(r.body), &m) != nil || m[name] == nil {
		return ""
	}
	return fmt.Sprint(m[name])
}

// query are the parameters of a redirect to the app; nil when there is none.
func (r reply) query() url.Values {
	u, err := url.Parse(r.header.Get("Location"))
	if err != nil || r.status != http.StatusSeeOther || !strings.HasPrefix(u.String(), callback) {
		return nil
	}
	return u.Query()
}

func (p *site) do(r *http.Request) reply {
	w := httptest.NewRecorder()
	p.mux.ServeHTTP(w, r.WithContext(p.t.Context()))
	return reply{w.Code, w.Result().Header, w.Body.String(), r.Method + " " + r.URL.Path}
}

func (p *site) get(path string, v url.Values) reply {
	return p.do(httptest.NewRequest(http.MethodGet, path+"?"+v.Encode(), nil))
}

// post sends a form; headers are names and values.
func (p *site) post(path string, v url.Values, headers ...string) reply {
	return p.postText(path, v.Encode(), headers...)
}

func (p *site) postText(path, body string, headers ...string) reply {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return p.do(r)
}

// post sends a form as the app.
func (a app) post(path string, v url.Values) reply {
	v = with(v)
	switch a.AuthMethod {
	case oauth.SecretBasic:
		return a.p.post(path, v, "Authorization", basic(string(a.ID), a.secret))
	case oauth.SecretPost:
		v.Set("client_secret", a.secret)
	}
	v.Set("client_id", string(a.ID))
	return a.p.post(path, v)
}

func basic(user, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(user)+":"+url.QueryEscape(secret)))
}

// with is a copy of parameters with others; an empty one is left out.
func with(v url.Values, more ...string) url.Values {
	c := url.Values{}
	for name, list := range v {
		c[name] = slices.Clone(list)
	}
	for i := 0; i < len(more); i += 2 {
		c.Set(more[i], more[i+1])
		if more[i+1] == "" {
			c.Del(more[i])
		}
	}
	return c
}

// verifier makes a code verifier and its challenge.
func verifier() (verifier, challenge string) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	verifier = base64.RawURLEncoding.EncodeToString(raw)
	sum := sha256.Sum256([]byte(verifier))
	return verifier, base64.RawURLEncoding.EncodeToString(sum[:])
}

// ask is an authorization request in order.
func (a app) ask(more ...string) url.Values {
	_, challenge := verifier()
	return with(url.Values{
		"response_type": {"code"}, "client_id": {string(a.ID)}, "redirect_uri": {callback}, "state": {"s1"}, "code_challenge": {challenge},
		"code_challenge_method": {"S256"}, "scope": {"events:read tickets:read"},
	}, more...)
}

// consent is the page that a person was shown.
func (p *site) consent(r reply) oauth.Consent {
	p.t.Helper()
	var c oauth.Consent
	if err := json.Unmarshal([]byte(r.body), &c); err != nil || r.status != http.StatusOK || r.header.Get("Content-Type") != "text/x-consent" {
		p.t.Fatalf("%s, want the page that asks for consent", r)
	}
	return c
}

// allow is the form of a person who allows what is asked, at home.
func allow(c oauth.Consent, more ...string) url.Values {
	v := url.Values{"request": {c.Request}, "csrf": {"genuine"}, "decision": {"allow"}, "org": {string(orgID(home))}}
	for _, s := range c.Scopes {
		v.Add("scope", string(s))
	}
	return with(v, more...)
}

// code is a code for the app, allowed by whoever is signed in, with the verifier.
func (a app) code(more ...string) (code, check string) {
	a.p.t.Helper()
	check, challenge := verifier()
	r := a.p.get("/oauth/authorize", a.ask(append([]string{"code_challenge", challenge, "prompt", "consent"}, more...)...))
	r = a.p.post("/oauth/consent", allow(a.p.consent(r)))
	if code = r.query().Get("code"); code == "" {
		a.p.t.Fatalf("%s, want a code", r)
	}
	return code, check
}

// exchange is the form that exchanges a code.
func exchange(code, check string, more ...string) url.Values {
	return with(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {check}, "redirect_uri": {callback}}, more...)
}

// pair are tokens.
type pair struct{ access, refresh string }

// tokens are the app's, allowed by whoever is signed in.
func (a app) tokens(more ...string) pair {
	a.p.t.Helper()
	code, check := a.code(more...)
	return a.got(a.post("/oauth/token", exchange(code, check)))
}

func (a app) got(r reply) pair {
	a.p.t.Helper()
	if r.status != http.StatusOK || r.json("access_token") == "" {
		a.p.t.Fatalf("%s, want tokens", r)
	}
	return pair{r.json("access_token"), r.json("refresh_token")}
}

func refreshing(token string, more ...string) url.Values {
	return with(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, more...)
}

func (a app) refresh(token string, more ...string) reply {
	return a.post("/oauth/token", refreshing(token, more...))
}

// good tells whether an access token is.
func (p *site) good(access string) bool {
	_, err := oauth.Authenticate(p.db.Read(p.t.Context()), access, time.Now())
	return err == nil
}

// refused checks the answer to a program.
func refused(t testing.TB, r reply, status int, code string) {
	t.Helper()
	if r.status != status || r.json("error") != code || r.json("error_description") == "" {
		t.Errorf("%s, want %d %s", r, status, code)
	}
	if r.header.Get("Cache-Control") != "no-store" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s has the header %v, want JSON that is not kept", r, r.header)
	}
	described(t, r.json("error_description"))
}

// described checks that a description has only what RFC 6749 §5.2 permits.
func described(t testing.TB, text string) {
	t.Helper()
	if strings.ContainsFunc(text, func(c rune) bool { return c < 0x20 || c > 0x7e || c == '"' || c == '\\' }) {
		t.Errorf("the description %q has characters that RFC 6749 §5.2 does not permit", text)
	}
}
