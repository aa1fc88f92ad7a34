package account

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// visit is one request of a browser.
type visit struct {
	p       *Pages
	w       http.ResponseWriter // nil where nothing is to be answered
	r       *http.Request
	user    org.User // who is signed in; zero for nobody
	session org.Session
	form    url.Values // of a POST
	csrf    string     // once it was made
}

// visit finds out who is signed in.
func (p *Pages) visit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	v := &visit{p: p, w: w, r: r}
	cookie, err := r.Cookie(p.sessionCookie())
	if err != nil {
		return v, nil //nolint:nilerr // who has no cookie is nobody
	}
	u, s, err := p.People.SessionOf(r.Context(), cookie.Value, p.Now())
	if problem.Is(err, "no_session") {
		return v, nil
	}
	if err == nil {
		v.user, v.session = u, s
	}
	return v, err
}

// serve makes a handler of a page.
func (p *Pages) serve(do func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := p.visit(w, r)
		if err == nil {
			err = v.answer(do)
		}
		if err != nil {
			v.fail(err)
		}
	}
}

// serveSignedIn makes a handler of a page for people who are signed in. Others are asked to; what they sent is not looked at.
func (p *Pages) serveSignedIn(do func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := p.visit(w, r)
		switch {
		case err != nil:
		case v.signedIn():
			err = v.answer(do)
		case r.Method == http.MethodPost: // nobody can come back to where it went
			p.SignIn(w, r, "/account")
		default:
			p.SignIn(w, r, r.URL.RequestURI())
		}
		if err != nil {
			v.fail(err)
		}
	}
}

func (v *visit) answer(do func(*visit) error) error {
	if v.r.Method == http.MethodPost {
		if err := v.read(); err != nil {
			return err
		}
	}
	return do(v)
}

func (v *visit) signedIn() bool { return v.user.No != 0 }

func (p *Pages) secure() bool { return strings.HasPrefix(p.PublicURL, "https://") }

// cookieName has the prefix that keeps a cookie from being set by anybody else of the domain (RFC 6265bis §4.1.3.2), where that is possible.
func (p *Pages) cookieName(name string) string {
	if p.secure() {
		return "__Host-" + name
	}
	return name
}

func (p *Pages) sessionCookie() string { return p.cookieName("stagedoor_session") }

func (p *Pages) setCookie(w http.ResponseWriter, name, value string, site http.SameSite, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: site, Secure: p.secure(), MaxAge: maxAge}) //nolint:gosec // G124: Secure behind TLS, see secure
}

// enter gives the browser its session.
func (v *visit) enter(cookie string) {
	v.p.setCookie(v.w, v.p.sessionCookie(), cookie, http.SameSiteLaxMode, int(org.SessionLife.Seconds()))
}

// leave takes it away.
func (v *visit) leave() { v.p.setCookie(v.w, v.p.sessionCookie(), "", http.SameSiteLaxMode, -1) }

// address is the network address that the request came from; the zero Addr when it is not known.
func (v *visit) address() netip.Addr {
	if v.p.ClientAddr != nil {
		return v.p.ClientAddr(v.r.Context())
	}
	a, _ := netip.ParseAddrPort(v.r.RemoteAddr)
	return a.Addr().Unmap()
}

// by is who is signed in, for the audit log.
func (v *visit) by() audit.By { return v.as(v.user.ID) }

// as is somebody else at this browser, for the audit log.
func (v *visit) as(u id.User) audit.By {
	b := audit.By{Actor: string(u)}
	if a := v.address(); a.IsValid() {
		b.Address = a.String()
	}
	return b
}

// coming is what a sign-in knows of the browser.
func (v *visit) coming(email, password string) org.SignIn {
	in := org.SignIn{Email: email, Password: password, Address: v.address(), Agent: v.r.UserAgent()}
	if c, err := v.r.Cookie(v.p.sessionCookie()); err == nil {
		in.Former = c.Value
	}
	return in
}
