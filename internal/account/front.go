package account

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Person returns who is signed in; nil when nobody is.
func (p *Pages) Person(r *http.Request) (*oauth.Person, error) {
	v, err := p.visit(nil, r)
	if err != nil || !v.signedIn() {
		return nil, err
	}
	return &oauth.Person{No: v.user.No, ID: v.user.ID, Email: v.user.Email, Session: v.session.No}, nil
}

// Visitor returns who is signed in, the session, and the token of its forms; a zero user for nobody.
func (p *Pages) Visitor(r *http.Request) (org.User, org.Session, string, error) {
	v, err := p.visit(nil, r)
	if err != nil || !v.signedIn() {
		return org.User{}, org.Session{}, "", err
	}
	return v.user, v.session, v.token(), nil
}

// SignIn sends the browser to sign in and then back to path.
func (p *Pages) SignIn(w http.ResponseWriter, r *http.Request, path string) {
	v := &visit{p: p, w: w, r: r}
	_ = v.to("/login?next=" + url.QueryEscape(page.Local(path, "/account"))) // cannot fail
}

type consentBody struct {
	App, Host       string
	Device          string // the code that a device shows; "" for an app that is redirected to
	Request, Action string
	Scopes, Beyond  []scope.Scope // what it asks for, and of that what the person may not do there themselves
	Places          []placeRow    // more than one
	Place           placeRow      // where there is one only
}

type placeRow struct{ ID, Name, As string }

// Consent asks whether an app may act for somebody.
func (p *Pages) Consent(w http.ResponseWriter, r *http.Request, c oauth.Consent) {
	d := consentBody{App: c.ClientName, Host: shownHost(c.Host), Device: c.UserCode, Request: c.Request, Action: "/oauth/consent", Scopes: c.Scopes}
	if c.UserCode != "" {
		d.Action = "/oauth/device/consent"
	}
	for _, place := range c.Places {
		d.Places = append(d.Places, placeRow{string(place.ID), place.Name, as(org.Role(place.Role))})
	}
	if len(c.Places) == 1 {
		d.Place, d.Places = d.Places[0], nil
		d.Scopes, d.Beyond = divided(c.Scopes, c.Places[0].May)
	}
	var to []string
	if c.Target != "" {
		to = []string{c.Target}
	}
	p.front(w, r, http.StatusOK, "consent", sheet{Title: "Allow an app to act for you?", Body: d}, to...)
}

// divided divides scopes into those that a person has and the others.
func divided(asked []scope.Scope, may scope.Set) (has, lacks []scope.Scope) {
	for _, s := range asked {
		if may.Has(s) {
			has = append(has, s)
		} else {
			lacks = append(lacks, s)
		}
	}
	return has, lacks
}

// as says what somebody is.
func as(r org.Role) string {
	switch r {
	case org.Owner, org.Admin:
		return "an " + string(r)
	case org.Staff:
		return "staff at the door"
	case "":
		return "an attendee"
	}
	return "a " + string(r)
}

// shownHost is a host as a person is shown it: in ASCII, so that no letter looks like another's (RFC 5890 §2.3.2.1), or with all else than ASCII as
// escapes where it is no name.
func shownHost(host string) string {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, ""
	}
	ascii, err := idna.Punycode.ToASCII(name)
	if err != nil || strings.ContainsFunc(ascii, func(r rune) bool { return r <= ' ' || r >= utf8.RuneSelf }) {
		ascii = url.PathEscape(name)
	}
	if port != "" {
		return net.JoinHostPort(strings.Trim(ascii, "[]"), port)
	}
	return ascii
}

type codeBody struct{ UserCode string }

// Code asks for a device's code.
func (p *Pages) Code(w http.ResponseWriter, r *http.Request, userCode, complaint string, status int) {
	d := sheet{Title: "Connect a device", Body: codeBody{userCode}}
	if complaint != "" {
		d.complain("user_code", complaint)
	}
	p.front(w, r, status, "code", d)
}

// Say shows a page with a heading and a sentence, from which nothing leads on.
func (p *Pages) Say(w http.ResponseWriter, r *http.Request, status int, heading, sentence string) {
	p.front(w, r, status, "say", sheet{Title: heading, Body: sayBody{Sentence: sentence}})
}

func (p *Pages) front(w http.ResponseWriter, r *http.Request, status int, name string, d sheet, formTo ...string) {
	v, err := p.visit(w, r)
	if err == nil {
		err = v.show(status, name, d, formTo...)
	}
	if err != nil {
		v.fail(err)
	}
}
