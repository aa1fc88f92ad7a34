package account

import (
	"crypto/hmac"
	"encoding/base64"
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/page"
)

// read reads a form, and makes sure that it is from one of our pages.
func (v *visit) read() error {
	if !page.SameOrigin(v.p.origin, v.r) {
		return page.Forged()
	}
	form, err := page.ReadForm(v.w, v.r, page.MaxForm, "scope")
	if err != nil {
		return err
	}
	if !v.genuine(form.Get("csrf")) {
		return page.Forged()
	}
	v.form = form
	return nil
}

// Genuine tells whether a form's token is the one of the browser that sends it.
func (p *Pages) Genuine(r *http.Request, token string) bool {
	v, err := p.visit(nil, r)
	return err == nil && p.origin.Check(r) == nil && v.genuine(token)
}

func (v *visit) genuine(token string) bool {
	seed := v.seed()
	return seed != "" && hmac.Equal([]byte(token), []byte(v.p.tokenOf(seed)))
}

// token is what the forms of the page that is about to be shown carry.
func (v *visit) token() string {
	if v.csrf != "" {
		return v.csrf
	}
	seed := v.seed()
	if seed == "" {
		value := id.Secret("")
		v.p.setCookie(v.w, v.p.seedCookie(), value, http.SameSiteStrictMode, 0)
		seed = "browser " + value
	}
	v.csrf = v.p.tokenOf(seed)
	return v.csrf
}

func (p *Pages) seedCookie() string { return p.cookieName("stagedoor_csrf") }

// seed is what the browser's forms are bound to: the session, or before there is one a cookie of their own; "" when there is neither.
func (v *visit) seed() string {
	if v.signedIn() {
		return "session " + string(v.session.ID)
	}
	if c, err := v.r.Cookie(v.p.seedCookie()); err == nil && c.Value != "" {
		return "browser " + c.Value
	}
	return ""
}

func (p *Pages) tokenOf(seed string) string {
	return base64.RawURLEncoding.EncodeToString(p.Keys.MAC([]byte("form token of " + seed)))
}
