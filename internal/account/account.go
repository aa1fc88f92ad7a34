// Package account is where people sign up, sign in, and see what they have allowed: plain HTML that works without JavaScript.
//
// It serves /sign-in, /sign-up, /sign-out, /account (name, password, sessions, tokens, "apps with access"), and the pages behind one-time links:
// /invitation/{secret}, /reset/{secret}, /verify/{secret}. It is also the authorization server's front: oauth.Front.
//
// Every form carries a token that is bound to the session (or, before there is one, to a cookie of its own), and cross-origin posts are refused. A
// page never says whether an account exists. Links are sent by mail where the operator has set up a mail server; otherwise the page says to ask the
// organiser, who can print one with the stagedoor command.
package account

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/mail"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// Config is what the pages stand on.
type Config struct {
	DB       *db.DB
	Keys     *seal.Keyring
	People   *org.People
	Registry *oauth.Registry
	Mail     *mail.Sender // nil where there is no mail server

	PublicURL string // of the server, without a slash at its end; cookies are Secure when it is https
	SignUp    bool   // strangers may make accounts

	Log *slog.Logger
	Now func() time.Time
}

// Pages are the pages. They implement oauth.Front.
type Pages struct{ Config }

// New makes them.
func New(c Config) *Pages { return &Pages{c} }

// Routes puts the pages on the mux.
func (p *Pages) Routes(mux *http.ServeMux) {}

// LinkURL is the address of a one-time link, as it is sent or printed.
func LinkURL(publicURL string, kind org.LinkKind, secret string) string {
	path := map[org.LinkKind]string{org.Invitation: "/invitation/", org.Reset: "/reset/", org.Verification: "/verify/"}[kind]
	return publicURL + path + secret
}
