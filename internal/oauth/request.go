package oauth

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

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
	Device    string    `json:"device,omitempty"` // the code that a device shows, which then asks instead of a redirect URI
}

func (r *request) scopes() scope.Set {
	set, _ := scope.Parse(r.Scopes) // it was written by String
	return set
}

func (r request) encode() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // texts only
	}
	return string(b)
}

// lost is a request that cannot be answered by a redirect: who asks, or where the answer should go, is not known.
type lost struct{ sentence string }

func (l *lost) Error() string { return l.sentence }

// requested reads a request. With a fault, the request says where the answer goes.
func (s *Server) requested(ctx context.Context, text string) (request, Client, error) {
	p, err := parseParams(text)
	if err != nil {
		return s.twice(ctx, text, err)
	}
	c, err := clientNamed(s.DB.Read(ctx), 0, id.Client(p["client_id"]))
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
	c, err := clientNamed(s.DB.Read(ctx), 0, id.Client(values.Get("client_id")))
	uri := values.Get("redirect_uri")
	if err != nil && !problem.Is(err, "client_not_found") && !problem.Is(err, "invalid_text") {
		return request{}, Client{}, err
	}
	if err != nil || !c.registered(uri) {
		return request{}, Client{}, &lost{"The app that sent you here, or where it wants you back, is not known. Tell its makers."}
	}
	return request{Client: c.ID, Redirect: uri, State: values.Get("state")}, c, why
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

// resources are the parts of this server that tokens can be asked for (RFC 8707), beside the whole of it. /v0 and /api/v0 have the same routes, but a token for one
// of them is for that one: what a token is good for is read off its URL.
var resources = []string{"/api/v0", "/api/v1", "/v0", "/v1", "/v2"}

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
