// Package account is where people sign up, sign in, and see what they have allowed: plain HTML that works without JavaScript.
//
// It serves /login, /sign-up, /sign-out, /account (name, password, sessions, tokens, "apps with access"), and the pages behind one-time links:
// /invitation/{secret}, /reset/{secret}, /verify/{secret}; /offer/{ticket}, where somebody accepts a ticket that was offered to their address. It is also the authorization server's front: oauth.Front.
//
// # What is promised
//
//   - Every form carries a token that is bound to the session (or, before there is one, to a cookie of its own), and cross-origin posts are refused.
//   - No page says whether an account exists, and no answer's time does: what is done only for those that exist is done after the answer.
//   - Pages load and send nothing elsewhere; the consent page may also send to where the app wants its answer.
//   - What an app, a browser or a person calls itself is shown as text, and never runs into the text around it.
//   - An address counts as somebody's only once they have opened a link that was sent to it and shown that the account is theirs: who makes an account
//     with another's address does not get them to confirm it.
//
// Links are sent by mail where the operator has set up a mail server; otherwise the page says to ask the organiser, who can print one with the
// stagedoor command. Mail goes out in the background; [Pages.Close] waits for it.
//
// The look is assets/account.css, which says at its head how other pages share it.
package account

import (
	"context"
	"html/template"
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
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Config is what the pages stand on.
type Config struct {
	DB       *db.DB
	Keys     *seal.Keyring
	People   *org.People
	Registry *oauth.Registry
	Tickets  *ticket.Roll
	Mail     *mail.Sender // nil where there is no mail server

	PublicURL string // of the server, without a slash at its end; cookies are Secure when it is https
	SignUp    bool   // strangers may make accounts
	// ClientAddr is the network address of the client of a request, which a proxy may stand before; the peer's where nil.
	ClientAddr func(context.Context) netip.Addr

	Log *slog.Logger     // slog.Default when nil
	Now func() time.Time // time.Now when nil
}

// Pages are the pages. They implement oauth.Front. They are safe for use by many goroutines.
type Pages struct {
	Config
	templates map[string]*template.Template
	style     style
	origin    *http.CrossOriginProtection
	clients   *budgets // what strangers ask for that costs us something, by network address
	letters   *budgets // mail that strangers can have sent, by the address that it goes to

	sending sync.WaitGroup // mail on its way
}

// New makes them.
func New(c Config) *Pages {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	p := &Pages{
		Config: c, templates: templates(), style: newStyle(), origin: http.NewCrossOriginProtection(),
		// A whole audience may sign up behind one address. A person needs few letters.
		clients: newBudgets(100, time.Second), letters: newBudgets(3, 10*time.Minute),
	}
	if u, err := url.Parse(c.PublicURL); err == nil && u.Host != "" {
		_ = p.origin.AddTrustedOrigin(u.Scheme + "://" + u.Host) // our own, whatever Host a proxy before us sends; it was made to fit
	}
	return p
}

// Close waits for mail that is on its way: a minute at most, which is how long one may take. No request may come afterwards.
func (p *Pages) Close() { p.sending.Wait() }

// Routes puts the pages on the mux.
func (p *Pages) Routes(mux *http.ServeMux) {
	for pattern, page := range map[string]func(*visit) error{
		"GET /login":                p.signInPage,
		"POST /login":               p.signIn,
		"GET /sign-up":              p.signUpPage,
		"POST /sign-up":             p.signUp,
		"POST /sign-out":            p.signOut,
		"GET /reset":                p.resetAsk,
		"POST /reset":               p.resetSend,
		"GET /reset/{secret}":       p.resetPage,
		"POST /reset/{secret}":      p.reset,
		"GET /verify/{secret}":      p.verifyPage,
		"POST /verify/{secret}":     p.verify,
		"GET /invitation/{secret}":  p.invitationPage,
		"POST /invitation/{secret}": p.join,
	} {
		mux.HandleFunc(pattern, p.serve(page))
	}
	for pattern, page := range map[string]func(*visit) error{
		"GET /account":                      p.account,
		"POST /account/name":                p.rename,
		"POST /account/password":            p.changePassword,
		"POST /account/verify":              p.sendVerification,
		"POST /account/sessions/{id}/end":   p.endSession,
		"POST /account/sessions/end-others": p.endOthers,
		"POST /account/tokens":              p.makeToken,
		"POST /account/tokens/{id}/revoke":  p.endToken,
		"GET /account/apps":                 p.apps,
		"GET /offer/{ticket}":               p.offerPage,
		"POST /offer/{ticket}":              p.answerOffer,
		"POST /account/apps/{id}/remove":    p.removeApp,
	} {
		mux.HandleFunc(pattern, p.serveSignedIn(page))
	}
	mux.HandleFunc("GET /assets/account.css", p.style.serve)
	mux.Handle("GET /sign-in", http.RedirectHandler("/login", http.StatusMovedPermanently)) // where it was in former releases
}
