// Package google speaks with Google's wallet: it makes save links, keeps classes and objects up to date through Google's REST API ([Wallet]), and verifies what
// Google calls back ([Callbacks]).
//
// With Google, what several passes have in common is a class, and one pass is an object of it. An event's passes have a class of their own; passes of no ticket
// share one for each organisation. Nothing is at Google until somebody saves a pass: the save link carries class and object, signed by the [Account], and Google
// makes both. From then on changes go through the API: [Wallet.Object] for one pass, [Wallet.Class] for an event; of what is not there neither tells Google anything.
//
// Two passes are made through the API before they are saved, and their links only name them ([Wallet.Link]): those whose code rotates, because what it is made
// from must not go through browsers, and those whose link would be longer than Google advises.
//
// With an account of nobody's ([NewAccount]) links are made and callbacks verified all the same, so all but Google itself can be tried. Such an account never
// connects to Google: it asks for its tokens at the API that [Config] names.
package google

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// Where Google is.
const (
	googleAPI  = "https://walletobjects.googleapis.com/walletobjects/v1"
	googleSave = "https://pay.google.com/gp/v/save"
	googleKeys = "https://pay.google.com/gp/m/issuer/keys"
)

// Config says how to speak with Google.
type Config struct {
	Account  *Account
	Issuer   string // the issuer id, in decimal
	API      string // https://walletobjects.googleapis.com/walletobjects/v1 when empty
	SaveURL  string // https://pay.google.com/gp/v/save when empty
	Callback string // the URL that Google calls back; it has to be https to be of use
	Origins  []string
	Now      func() time.Time
}

// Wallet is Google's wallet. It is a [pass.Syncer] and safe for use by many goroutines.
type Wallet struct {
	account  *Account
	issuer   string
	api      string
	save     string
	callback string
	origins  []string
	live     bool // there is an API to speak to
	now      func() time.Time
	client   *http.Client
	tokens   *tokens
}

var _ pass.Syncer = (*Wallet)(nil)

// New makes a wallet.
func New(c Config) (*Wallet, error) {
	if c.Account == nil {
		return nil, errors.New("wallet of Google: no service account")
	}
	if !isIssuer(c.Issuer) {
		return nil, fmt.Errorf("wallet of Google: the issuer id is %q, and has to be 1 to 20 digits; the Google Pay & Wallet Console shows it", c.Issuer)
	}
	w := &Wallet{
		account: c.Account, issuer: c.Issuer, api: orElse(c.API, googleAPI), save: orElse(c.SaveURL, googleSave),
		origins: append([]string{}, c.Origins...), live: c.API != "" || !c.Account.Test, now: c.Now, client: newClient(true),
	}
	for _, u := range []string{w.api, w.save} {
		if err := checkURL(u); err != nil {
			return nil, fmt.Errorf("wallet of Google: %w", err)
		}
	}
	if strings.HasPrefix(c.Callback, "https://") || c.API != "" { // Google refuses a class with another
		w.callback = c.Callback
	}
	if w.now == nil {
		w.now = time.Now
	}
	w.tokens = newTokens(c.Account, w.tokenURL(), w.client, w.now)
	return w, nil
}

// Close ends the connections.
func (w *Wallet) Close() { w.client.CloseIdleConnections() }

// tokenURL is where tokens are to be had. Google knows nothing of an account that we made, so it is not asked.
func (w *Wallet) tokenURL() string {
	if !w.account.Test {
		return w.account.tokenURL
	}
	u, err := url.Parse(w.api)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/token"
}

// newClient makes a client for Google, which may keep its connections. API and keys stand where they stand: a redirect is an answer like another, and is not
// followed.
func newClient(keep bool) *http.Client {
	return &http.Client{
		Timeout: 15 * time.Second,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 100, MaxIdleConnsPerHost: 32, MaxConnsPerHost: 128,
			IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 12 * time.Second,
			MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: !keep,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// checkURL tells whether a URL can be connected to without others listening: https, or http on this machine, where tests are.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return errors.New("an address is no URL")
	}
	if u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%q has to be without a name, a password and a fragment", u.Redacted())
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%q has to begin with https://; http:// is for this machine alone", s)
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func isIssuer(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return strings.TrimRight(s, "/")
}
