package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// consentLife is how long a request waits for a person.
const consentLife = 10 * time.Minute

// ask shows the person who asks for what.
func (s *Server) ask(w http.ResponseWriter, r *http.Request, req request, c *Client, person *Person) {
	places, err := s.People.Places(s.DB.Read(r.Context()), person.No, c.Org)
	if err != nil {
		s.say(w, r, err)
		return
	}
	secret, err := s.keep(r.Context(), "consent", c, person.Session, req, consentLife)
	if err != nil {
		s.say(w, r, err)
		return
	}
	private(w)
	s.Front.Consent(w, r, Consent{
		Person: person, ClientName: c.Name, Host: hostOf(req.Redirect), Target: origin(req.Redirect), Scopes: req.scopes().List(), Places: places, Request: secret,
	})
}

// keep writes a request down under a secret that is good once.
func (s *Server) keep(ctx context.Context, kind string, c *Client, session int64, req request, life time.Duration) (string, error) {
	secret := id.Secret("")
	return secret, s.DB.Write(ctx, "", func(tx *db.Tx) error { return keep(tx, kind, secret, c, session, req, life) })
}

func keep(tx *db.Tx, kind, secret string, c *Client, session int64, req request, life time.Duration) error {
	return tx.Later(`INSERT INTO oauth_requests (hash, kind, org_id, client_no, session_no, parameters, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		hash(secret), kind, c.Org, c.No, session, req.encode(), tx.Micros(), tx.Now().Add(life).UnixMicro())
}

var errNotKept = errors.New("no such request, or it was used")

// use takes a kept request: one conditional UPDATE, so of any who try only one gets it.
func use(tx *db.Tx, kind, secret string, client, session int64) (request, error) {
	var req request
	text, err := db.One(tx, db.Value[string], `UPDATE oauth_requests SET used_at = $1 WHERE hash = $2 AND kind = $3 AND session_no = $4 AND (client_no = $5 OR $5 = 0)
		AND used_at IS NULL AND expires_at > $1 RETURNING parameters`, tx.Micros(), hash(secret), kind, session, client)
	if errors.Is(err, db.ErrNoRow) {
		return req, errNotKept
	}
	if err != nil {
		return req, err
	}
	return req, json.Unmarshal([]byte(text), &req)
}

// answer is what a person has said on the page.
type answer struct {
	request string
	csrf    string
	allow   bool
	org     id.Org
	scopes  scope.Set
}

// readAnswer reads the page's form; it may name several scopes.
func readAnswer(w http.ResponseWriter, r *http.Request) (answer, error) {
	text, err := formText(w, r)
	if err != nil {
		return answer{}, err
	}
	form, err := url.ParseQuery(text)
	if err != nil || len(form["request"]) != 1 || len(form["decision"]) != 1 || len(form["org"]) > 1 {
		return answer{}, invalidRequest("The form is not complete.")
	}
	a := answer{request: form.Get("request"), csrf: form.Get("csrf"), allow: form.Get("decision") == "allow", org: id.Org(form.Get("org"))}
	for _, name := range form["scope"] {
		a.scopes |= scope.Of(scope.Scope(name))
	}
	return a, nil
}

// consent is where the page's form goes.
func (s *Server) consent(w http.ResponseWriter, r *http.Request) {
	a, err := readAnswer(w, r)
	if err != nil {
		s.say(w, r, err)
		return
	}
	person, err := s.Front.Person(r)
	if err != nil {
		s.say(w, r, err)
		return
	}
	if person == nil || !s.Front.Genuine(r, a.csrf) {
		s.Front.Say(w, r, http.StatusForbidden, "This page is not yours any more", "Go back to the app and begin again.")
		return
	}
	var req request
	var say url.Values
	err = s.DB.Configure(r.Context(), func(tx *db.Tx) (err error) { // webhooks of the app follow what is allowed
		if req, err = use(tx, "consent", a.request, 0, person.Session); err != nil {
			return err
		}
		if req.Device != "" {
			return errNotKept // the page was about something else
		}
		say, err = s.answered(tx, req, a, person, audit.By{Actor: string(person.ID), Address: s.address(r)})
		return err
	})
	if errors.Is(err, errNotKept) || problem.Is(err, "client_not_found") {
		s.Front.Say(w, r, http.StatusForbidden, "This page was used already", "Go back to the app and begin again.")
		return
	}
	if err != nil {
		s.say(w, r, err)
		return
	}
	s.redirect(w, req, say)
}

// answered does what the person said and returns what the client is told.
func (s *Server) answered(tx *db.Tx, req request, a answer, person *Person, by audit.By) (url.Values, error) {
	c, err := clientNamed(tx, 0, req.Client)
	if err != nil {
		return nil, err
	}
	g, err := s.grant(tx, &c, req.scopes(), a, person, by)
	if err != nil || g.No == 0 {
		return url.Values{"error": {"access_denied"}, "error_description": {"The person did not allow it."}}, err
	}
	code, err := s.code(tx, req, &c, g)
	return url.Values{"code": {code}}, err
}

// grant makes the grant that a person gives; none when they said no, or when nothing is left of what was asked that they may do there themselves.
func (s *Server) grant(tx *db.Tx, c *Client, asked scope.Set, a answer, person *Person, by audit.By) (Grant, error) {
	places, err := s.People.Places(tx, person.No, c.Org)
	if err != nil || !a.allow {
		return Grant{}, err
	}
	i := slices.IndexFunc(places, func(p Place) bool { return p.ID == a.org })
	if i < 0 && a.org == "" && len(places) == 1 {
		i = 0
	}
	if i < 0 {
		return Grant{}, nil
	}
	given := asked & a.scopes & places[i].May
	if given == 0 {
		return Grant{}, nil
	}
	g, err := s.Registry.allow(tx, c, places[i].Org, person.No, given, by)
	if err == nil && s.Registry.Endpoints != nil {
		sees := given
		if !given.Has(scope.WebhooksManage) {
			sees = 0
		}
		err = s.Registry.Endpoints.Limit(tx, g.Org, g.No, sees)
	}
	return g, err
}
