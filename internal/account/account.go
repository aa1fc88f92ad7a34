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
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
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
	// ClientAddr is the network address of the client of a request, which a proxy may stand before; the peer's where nil.
	ClientAddr func(context.Context) netip.Addr

	Log *slog.Logger     // slog.Default when nil
	Now func() time.Time // time.Now when nil
}

// Pages are the pages. They implement oauth.Front.
type Pages struct {
	Config
	origin  *http.CrossOriginProtection
	mailing sync.WaitGroup // mail on its way
}

// New makes them.
func New(c Config) *Pages {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	p := &Pages{Config: c, origin: http.NewCrossOriginProtection()}
	if u, err := url.Parse(c.PublicURL); err == nil && u.Host != "" {
		_ = p.origin.AddTrustedOrigin(u.Scheme + "://" + u.Host) // our own, whatever Host a proxy before us sends; it was made to fit
	}
	return p
}

// Close waits for mail that is on its way.
func (p *Pages) Close() { p.mailing.Wait() }

// Routes puts the pages on the mux.
func (p *Pages) Routes(mux *http.ServeMux) {
	for pattern, page := range map[string]func(*visit) error{
		"GET /sign-in":                      p.signInPage,
		"POST /sign-in":                     p.signIn,
		"GET /sign-up":                      p.signUpPage,
		"POST /sign-up":                     p.signUp,
		"POST /sign-out":                    p.signOut,
		"GET /reset":                        p.resetAsk,
		"POST /reset":                       p.resetSend,
		"GET /reset/{secret}":               p.resetPage,
		"POST /reset/{secret}":              p.reset,
		"GET /verify/{secret}":              p.verifyPage,
		"POST /verify/{secret}":             p.verify,
		"GET /invitation/{secret}":          p.invitationPage,
		"POST /invitation/{secret}":         p.join,
		"GET /account":                      p.signedIn(p.account),
		"POST /account/name":                p.signedIn(p.rename),
		"POST /account/password":            p.signedIn(p.changePassword),
		"POST /account/verify":              p.signedIn(p.sendVerification),
		"POST /account/sessions/{id}/end":   p.signedIn(p.endSession),
		"POST /account/sessions/end-others": p.signedIn(p.endOthers),
		"POST /account/tokens":              p.signedIn(p.makeToken),
		"POST /account/tokens/{id}/revoke":  p.signedIn(p.endToken),
		"GET /account/apps":                 p.signedIn(p.apps),
		"POST /account/apps/{id}/remove":    p.signedIn(p.removeApp),
	} {
		mux.HandleFunc(pattern, p.serve(page))
	}
	mux.HandleFunc("GET /assets/account.css", styles)
}
