package oauth

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// authorize is the authorization endpoint (RFC 6749 §3.1): GET, or POST of the same parameters.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	text := r.URL.RawQuery
	switch r.Method {
	case http.MethodHead: // which the mux takes for a GET: a look from afar would use a pushed request up
		w.Header().Set("Allow", "GET, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case http.MethodPost:
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
	var nowhere *lost
	var refused *fault
	switch {
	case err == nil:
		s.decide(w, r, req, c)
	case errors.As(err, &nowhere):
		s.Front.Say(w, r, http.StatusBadRequest, "This link does not work", nowhere.sentence)
	case errors.As(err, &refused):
		s.redirect(w, req, url.Values{"error": {refused.code}, "error_description": {refused.description}})
	default:
		s.say(w, r, err)
	}
}

// insecure tells whether the issuer is plain http on a machine that is not this one: answers would go out in the clear (RFC 9700 §2.6).
func insecure(issuer string) bool {
	u, err := url.Parse(issuer)
	return err != nil || u.Scheme != "https" && !loopback(u.Hostname()) && u.Hostname() != "localhost"
}

// decide asks the person, unless that is not needed.
func (s *Server) decide(w http.ResponseWriter, r *http.Request, req request, c Client) {
	person, err := s.Front.Person(r)
	if err != nil {
		s.say(w, r, err)
		return
	}
	if person == nil && req.Prompt == "none" {
		s.redirect(w, req, url.Values{"error": {"login_required"}})
		return
	}
	if person == nil {
		path, err := s.parked(r, req, &c)
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
		s.redirect(w, req, done)
	case req.Prompt == "none":
		s.redirect(w, req, url.Values{"error": {"consent_required"}})
	default:
		s.ask(w, r, req, &c, person)
	}
}

// parked is the path that leads back to the request after the sign-in. A pushed request was used up by reading it, and one that was posted has no
// address: it is kept as if it had been pushed. Anybody can have that done, so it has a bound.
func (s *Server) parked(r *http.Request, req request, c *Client) (string, error) {
	if r.Method == http.MethodGet && r.URL.Query().Get("request_uri") == "" {
		return r.URL.RequestURI(), nil
	}
	if err := s.fromAddress(r); err != nil {
		return "", err
	}
	secret, err := s.keep(r.Context(), "pushed", c, 0, req, consentLife)
	return "/oauth/authorize?" + url.Values{"client_id": {string(req.Client)}, "request_uri": {requestURI + secret}}.Encode(), err
}

// allowedBefore gives a code at once when the person has allowed as much before. Only a client that shows who it is may be trusted with that: anybody
// can send somebody here in the name of a public one (RFC 8252 §8.6).
func (s *Server) allowedBefore(r *http.Request, req request, c *Client, person *Person) (url.Values, error) {
	if c.AuthMethod == Public || req.Prompt == "consent" {
		return nil, nil
	}
	grants, err := GrantsOf(s.DB.Read(r.Context()), person.No)
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		// In another organisation than the app's it is for the person to say where they want to act, and whether they still belong there.
		if g.ClientID != c.ID || g.Org != c.Org || !g.Scopes.Covers(req.scopes()) {
			continue
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

// say shows a person that something failed.
func (s *Server) say(w http.ResponseWriter, r *http.Request, err error) {
	var f *fault
	if errors.As(err, &f) {
		for name, value := range f.header {
			w.Header().Set(name, value)
		}
		s.Front.Say(w, r, statusOf(f), "This does not work", f.description)
		return
	}
	s.Log.ErrorContext(r.Context(), "authorization failed", "request_id", r.Header.Get("X-Request-Id"), "error", err)
	s.Front.Say(w, r, http.StatusInternalServerError, "Something went wrong", "It is our fault. Go back and try again.")
}
