package oauth

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// request is an authorization request that was found in order (RFC 6749 §4.1.1).
type request struct {
	Client    id.Client `json:"client"`
	Redirect  string    `json:"redirect"`
	State     string    `json:"state,omitempty"`
	Challenge string    `json:"challenge"`
	Scopes    string    `json:"scopes"`
	Resource  string    `json:"resource,omitempty"`
	Proof     string    `json:"proof,omitempty"` // dpop_jkt
	Prompt    string    `json:"prompt,omitempty"`
}

func (r *request) scopes() scope.Set {
	set, _ := scope.Parse(r.Scopes) // it was written by String
	return set
}

// lost is a request that cannot be answered by a redirect: who asks, or where the answer should go, is not known.
type lost struct{ sentence string }

func (l *lost) Error() string { return l.sentence }

// authorize is the authorization endpoint (RFC 6749 §3.1): GET, or POST of the same parameters.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		body, err := formText(w, r)
		if err != nil {
			s.say(w, r, err)
			return
		}
		text = body
	}
	if insecure(s.Issuer) {
		s.Front.Say(w, r, http.StatusBadRequest, "This server is not set up for apps", "Apps need https. Tell the operator to serve it, or to set --public-url.")
		return
	}
	req, c, err := s.requested(r.Context(), text)
	switch e := err.(type) {
	case nil:
		s.decide(w, r, req, c)
	case *lost:
		s.Front.Say(w, r, http.StatusBadRequest, "This link does not work", e.sentence)
	case *fault:
		s.redirect(w, r, req, url.Values{"error": {e.code}, "error_description": {e.description}})
	default:
		s.say(w, r, err)
	}
}

// insecure tells whether the issuer is plain http on a machine that is not this one: answers would go out in the clear (RFC 9700 §2.6).
func insecure(issuer string) bool {
	u, err := url.Parse(issuer)
	return err != nil || u.Scheme != "https" && !loopback(u.Hostname()) && u.Hostname() != "localhost"
}

// requested reads a request. With a fault, the request says where the answer goes.
func (s *Server) requested(ctx context.Context, text string) (request, Client, error) {
	p, err := parseParams(text)
	if err != nil {
		return s.twice(ctx, text, err)
	}
	c, err := ClientByID(s.DB.Read(ctx), 0, id.Client(p["client_id"]))
	if problem.Is(err, "client_not_found") {
		return request{}, c, &lost{"The app that sent you here is not known. Go back to it, and tell its makers."}
	}
	if err != nil {
		return request{}, c, err
	}
	if uri := p["request_uri"]; uri != "" {
		req, err := s.pushed(ctx, &c, uri)
		return req, c, err
	}
	if c.RequirePAR {
		return request{}, c, &lost{"The app that sent you here has to push its requests (RFC 9126). Tell its makers."}
	}
	req, err := s.check(&c, p)
	return req, c, err
}

// twice answers a request whose parameters cannot be read, by a redirect where client and redirect URI are beyond doubt.
func (s *Server) twice(ctx context.Context, text string, why error) (request, Client, error) {
	values, _ := url.ParseQuery(text)
	if len(values["client_id"]) != 1 || len(values["redirect_uri"]) > 1 || len(values["state"]) > 1 {
		return request{}, Client{}, &lost{"The app sent you here with a request that cannot be read. Tell its makers."}
	}
	c, err := ClientByID(s.DB.Read(ctx), 0, id.Client(values.Get("client_id")))
	uri := values.Get("redirect_uri")
	if err != nil || !c.registered(uri) {
		return request{}, Client{}, &lost{"The app that sent you here, or where it wants you back, is not known. Tell its makers."}
	}
	return request{Client: c.ID, Redirect: uri, State: strings.ToValidUTF8(values.Get("state"), "")}, c, why
}

// check finds out whether a request is in order. A *lost is for what comes before the redirect URI is known to be good.
func (s *Server) check(c *Client, p params) (request, error) {
	req := request{Client: c.ID, Redirect: p["redirect_uri"], State: p["state"], Challenge: p["code_challenge"], Proof: p["dpop_jkt"], Prompt: p["prompt"]}
	switch {
	case req.Redirect == "" && len(c.Redirects) == 1:
		req.Redirect = c.Redirects[0]
	case req.Redirect == "":
		return req, &lost{"The app does not say where it wants you back. Tell its makers."}
	case !c.registered(req.Redirect):
		return req, &lost{"The app wants you back at a place that it has not registered. Tell its makers."}
	}
	switch p["response_type"] {
	case "code":
	case "":
		return req, invalidRequest("response_type is missing; it is code.")
	default:
		return req, bad("unsupported_response_type", "The only response_type is code.")
	}
	switch {
	case !c.may(AuthorizationCode):
		return req, bad("unauthorized_client", "This client is not registered for authorization codes.")
	case p["request"] != "":
		return req, bad("request_not_supported", "Push the request instead (RFC 9126).")
	case p["response_mode"] != "" && p["response_mode"] != "query":
		return req, invalidRequest("The only response_mode is query.")
	case req.Challenge == "":
		return req, invalidRequest("code_challenge is missing: every client needs PKCE (RFC 7636).")
	case p["code_challenge_method"] != "S256":
		return req, invalidRequest("code_challenge_method is S256 and nothing else.")
	case !isHash(req.Challenge):
		return req, invalidRequest("code_challenge is the base64url of a SHA-256: 43 characters.")
	case req.Proof != "" && !isHash(req.Proof):
		return req, invalidRequest("dpop_jkt is the base64url of a SHA-256: 43 characters.")
	}
	var err error
	if req.Scopes, err = asked(c, p["scope"]); err != nil {
		return req, err
	}
	req.Resource, err = s.resource(p["resource"])
	return req, err
}

// isHash tells whether a text can be the base64url of a SHA-256.
func isHash(s string) bool {
	return len(s) == 43 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// asked are the scopes that a client asks for; all that it may where it says nothing.
func asked(c *Client, text string) (string, error) {
	set, err := scope.Parse(text)
	switch {
	case err != nil:
		return "", bad("invalid_scope", "There is a scope that does not exist; the scopes are "+scope.All().String()+".")
	case text == "":
		set = c.Scopes
	case !c.Scopes.Covers(set):
		return "", bad("invalid_scope", "The client may ask for these scopes only: "+c.Scopes.String()+".")
	}
	return set.String(), nil
}

// resources are the parts of this server that tokens can be asked for (RFC 8707), beside the whole of it.
var resources = []string{"/api/v1", "/v0", "/v1", "/v2"}

func (s *Server) resource(asked string) (string, error) {
	if asked == "" || asked == s.Issuer || asked == s.Issuer+"/" {
		return "", nil
	}
	for _, path := range resources {
		if asked == s.Issuer+path {
			return asked, nil
		}
	}
	return "", bad("invalid_target", "The resource is not part of this server.")
}

// narrowed is what a token is for: what the client asks for at the token endpoint, which is no more than was allowed (RFC 8707 §2.2).
func (s *Server) narrowed(allowed, asked string) (string, error) {
	if asked == "" {
		return allowed, nil
	}
	one, err := s.resource(asked)
	if err == nil && allowed != "" && one != allowed {
		err = bad("invalid_target", "The tokens of this authorization are for "+allowed+".")
	}
	return one, err
}

// decide asks the person, unless that is not needed.
func (s *Server) decide(w http.ResponseWriter, r *http.Request, req request, c Client) {
	person, err := s.Front.Person(r)
	if err != nil {
		s.say(w, r, err)
		return
	}
	if person == nil && req.Prompt == "none" {
		s.redirect(w, r, req, url.Values{"error": {"login_required"}})
		return
	}
	if person == nil {
		path, err := s.parked(r, req)
		if err != nil {
			s.say(w, r, err)
			return
		}
		s.Front.SignIn(w, r, path)
		return
	}
	done, err := s.allowedBefore(r, req, &c, person)
	switch {
	case err != nil:
		s.say(w, r, err)
	case done != nil:
		s.redirect(w, r, req, done)
	case req.Prompt == "none":
		s.redirect(w, r, req, url.Values{"error": {"consent_required"}})
	default:
		s.ask(w, r, req, &c, person)
	}
}

// parked is the path that leads back to the request after the sign-in. A pushed request was used up by reading it, so it is pushed anew.
func (s *Server) parked(r *http.Request, req request) (string, error) {
	if r.Method == http.MethodGet && r.URL.Query().Get("request_uri") == "" {
		return r.URL.RequestURI(), nil
	}
	uri, err := s.park(r.Context(), req)
	return "/oauth/authorize?" + url.Values{"client_id": {string(req.Client)}, "request_uri": {uri}}.Encode(), err
}

// allowedBefore gives a code at once when the person has allowed as much before. Only a client that shows who it is may be trusted with that: anybody
// can send somebody here in the name of a public one (RFC 8252 §8.6).
func (s *Server) allowedBefore(r *http.Request, req request, c *Client, person *Person) (url.Values, error) {
	if c.AuthMethod == Public || req.Prompt == "consent" {
		return nil, nil
	}
	q := s.DB.Read(r.Context())
	grants, err := GrantsOf(q, person.No)
	if err != nil {
		return nil, err
	}
	places, err := s.People.Places(q, person.No, c.Org)
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		if g.ClientID != c.ID || !g.Scopes.Covers(req.scopes()) {
			continue
		}
		if len(places) > 1 && g.Org != c.Org {
			continue // which of several it should be is for the person to say
		}
		var code string
		err := s.DB.Write(r.Context(), "", func(tx *db.Tx) (err error) {
			code, err = s.code(tx, req, c, g)
			return err
		})
		return url.Values{"code": {code}}, err
	}
	return nil, nil
}

// code makes an authorization code for a grant.
func (s *Server) code(tx *db.Tx, req request, c *Client, g Grant) (string, error) {
	code := id.Secret(codePrefix)
	scopes := req.scopes() & g.Scopes
	return code, tx.Later(`INSERT INTO oauth_codes (hash, org_id, grant_no, client_no, redirect_uri, challenge, scopes, thumbprint, resource, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		hash(code), g.Org, g.No, c.No, req.Redirect, req.Challenge, scopes.String(), req.Proof, req.Resource, tx.Micros(), tx.Now().Add(s.CodeLife).UnixMicro())
}

// redirect answers the client: what is said, the state as it came, and who says it (RFC 9207).
func (s *Server) redirect(w http.ResponseWriter, r *http.Request, req request, say url.Values) {
	u, err := url.Parse(req.Redirect)
	if err != nil {
		s.say(w, r, err)
		return
	}
	say.Set("iss", s.Issuer)
	if req.State != "" {
		say.Set("state", req.State)
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += say.Encode()
	private(w)
	w.Header().Set("Location", u.String())
	w.WriteHeader(http.StatusSeeOther) // 303: what was posted here is not posted there (RFC 9700 §4.12)
}

// private keeps a page or redirect from caches, frames and Referer headers.
func private(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

// say shows a person that something failed.
func (s *Server) say(w http.ResponseWriter, r *http.Request, err error) {
	if f, ok := err.(*fault); ok {
		s.Front.Say(w, r, statusOf(f), "This does not work", f.description)
		return
	}
	s.Log.ErrorContext(r.Context(), "authorization failed", "request_id", r.Header.Get("X-Request-Id"), "error", err)
	s.Front.Say(w, r, http.StatusInternalServerError, "Something went wrong", "It is our fault. Go back and try again.")
}

func (r request) encode() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // texts only
	}
	return string(b)
}
