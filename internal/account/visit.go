package account

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// maxForm bounds a form, in bytes.
const maxForm = 64 << 10

// visit is one request of a browser.
type visit struct {
	p       *Pages
	w       http.ResponseWriter
	r       *http.Request
	user    org.User // who is signed in; zero for nobody
	session org.Session
	form    url.Values // of a POST
	csrf    string     // once it was made
}

// serve makes a handler of a page.
func (p *Pages) serve(do func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := p.visit(w, r)
		if err == nil && r.Method == http.MethodPost {
			err = v.read()
		}
		if err == nil {
			err = do(v)
		}
		if err != nil {
			v.fail(err)
		}
	}
}

// visit finds out who is signed in.
func (p *Pages) visit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	v := &visit{p: p, w: w, r: r}
	cookie, err := r.Cookie(p.cookieName())
	if err != nil {
		return v, nil
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

// signedIn is a page for people who are signed in; others are asked to.
func (p *Pages) signedIn(do func(*visit) error) func(*visit) error {
	return func(v *visit) error {
		if v.user.No == 0 {
			return v.to("/sign-in?next=" + url.QueryEscape(local(v.r.URL.RequestURI(), "/account")))
		}
		return do(v)
	}
}

var errForged = problem.New(problem.Forbidden, "forged_form", "The form did not come from a page that this browser was shown just now. Go back, load the page again, and send it again.")

// read reads a form, and makes sure that it is from one of our pages.
func (v *visit) read() error {
	if err := v.p.origin.Check(v.r); err != nil {
		return errForged
	}
	body, err := io.ReadAll(http.MaxBytesReader(v.w, v.r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return problem.New(problem.TooLarge, "body_too_large", "The form is too large.")
	}
	form, parseErr := url.ParseQuery(string(body))
	if err != nil || parseErr != nil {
		return problem.New(problem.Invalid, "invalid_form", "The form could not be read.")
	}
	for name, values := range form {
		if len(values) > 1 && name != "scope" {
			return problem.New(problem.Invalid, "invalid_form", "A field of the form is there twice.")
		}
		if text := name + strings.Join(values, ""); !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return problem.New(problem.Invalid, "invalid_form", "A field of the form is not text.")
		}
	}
	v.form = form
	if !v.p.Genuine(v.r, form.Get("csrf")) {
		return errForged
	}
	return nil
}

const seedCookie = "stagedoor_csrf"

// token is the forms' token: bound to the session, or before there is one to a cookie of its own.
func (v *visit) token() string {
	if v.csrf != "" {
		return v.csrf
	}
	seed := v.p.seed(v.r)
	if seed == "" {
		seed = id.Secret("")
		http.SetCookie(v.w, &http.Cookie{
			Name: seedCookie, Value: seed, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: v.p.secure(),
		})
	}
	v.csrf = v.p.tokenOf(seed)
	return v.csrf
}

func (p *Pages) tokenOf(seed string) string {
	return base64.RawURLEncoding.EncodeToString(p.Keys.MAC([]byte("form token " + seed)))
}

// seed is what a browser's forms are bound to; "" when there is nothing yet.
func (p *Pages) seed(r *http.Request) string {
	if c, err := r.Cookie(p.cookieName()); err == nil && c.Value != "" {
		if _, _, err := p.People.SessionOf(r.Context(), c.Value, p.Now()); err == nil {
			return "session " + c.Value
		}
	}
	if c, err := r.Cookie(seedCookie); err == nil {
		return c.Value
	}
	return ""
}

// Genuine tells whether a form's token is the one of the browser that sends it.
func (p *Pages) Genuine(r *http.Request, token string) bool {
	seed := p.seed(r)
	return seed != "" && p.origin.Check(r) == nil && hmac.Equal([]byte(token), []byte(p.tokenOf(seed)))
}

func (p *Pages) secure() bool { return strings.HasPrefix(p.PublicURL, "https://") }

func (p *Pages) cookieName() string {
	if p.secure() {
		return "__Host-stagedoor_session"
	}
	return "stagedoor_session"
}

// enter gives the browser its session.
func (v *visit) enter(cookie string) {
	http.SetCookie(v.w, &http.Cookie{
		Name: v.p.cookieName(), Value: cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: v.p.secure(),
		MaxAge: int(org.SessionLife.Seconds()),
	})
}

func (v *visit) address() netip.Addr {
	if v.p.ClientAddr != nil {
		return v.p.ClientAddr(v.r.Context())
	}
	a, _ := netip.ParseAddrPort(v.r.RemoteAddr)
	return a.Addr().Unmap()
}

// by is who is signed in, for the audit log.
func (v *visit) by() audit.By { return by(v.user.ID, v.address()) }

func by(u id.User, from netip.Addr) audit.By {
	b := audit.By{Actor: string(u)}
	if from.IsValid() {
		b.Address = from.String()
	}
	return b
}

// coming is what a sign-in knows of the browser.
func (v *visit) coming() org.SignIn {
	in := org.SignIn{Address: v.address(), Agent: v.r.UserAgent()}
	if c, err := v.r.Cookie(v.p.cookieName()); err == nil {
		in.Former = c.Value
	}
	return in
}

// fail shows what went wrong: a problem in its own words, all else in none.
func (v *visit) fail(err error) {
	shown := problem.As(err)
	if shown == nil {
		v.p.Log.ErrorContext(v.r.Context(), "page failed", "request_id", v.r.Header.Get("X-Request-Id"), "path", v.r.Pattern, "error", err)
		shown = problem.New(0, "internal", "Something went wrong on our side. Go back and try again.")
	}
	if shown.RetryAfter > 0 {
		v.w.Header().Set("Retry-After", strconv.Itoa(int(shown.RetryAfter.Seconds())+1))
	}
	if err := v.say(shown.Kind.Status(), "This does not work", sentence(shown)); err != nil {
		v.p.Log.ErrorContext(v.r.Context(), "page failed", "error", err)
	}
}

// sentence is what a problem says to a person.
func sentence(p *problem.Error) string {
	if len(p.Fields) == 0 {
		return p.Detail
	}
	said := make([]string, len(p.Fields))
	for i, f := range p.Fields {
		said[i] = f.Detail
	}
	return strings.Join(said, " ")
}
