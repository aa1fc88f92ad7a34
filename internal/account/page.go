package account

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed assets/account.css
var styleSheet []byte

// pages are the templates by name, each with the layout.
var pages = func() map[string]*template.Template {
	all := map[string]*template.Template{}
	layout := template.Must(template.ParseFS(pageFiles, "pages/layout.html"))
	for _, name := range []string{
		"sign-in", "sign-up", "say", "reset-ask", "reset", "verify", "invitation", "consent", "code", "apps", "account",
	} {
		all[name] = template.Must(template.Must(layout.Clone()).ParseFS(pageFiles, "pages/"+name+".html"))
	}
	return all
}()

// page is what the templates show. Each takes what it needs.
type page struct {
	Title     string
	Narrow    bool
	Who       *org.User
	CSRF      string
	Complaint string // what is wrong with what was sent
	Said      string // what was done

	Next, Email, Name string
	SignUp, Mail, New bool
	Sentence          string
	Org               string
	Role              org.Role
	Consent           *oauth.Consent
	UserCode          string
	Verified          bool
	Secret            string
	Grants            []grantRow
	Sessions          []sessionRow
	Tokens            []tokenRow
	Orgs              []org.Org
	Scopes            []scope.Scope
}

func styles(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=3600")
	_, _ = w.Write(styleSheet) // the browser may be gone
}

// show answers with a page. formTo are the origins beside our own that the page's forms lead to.
func (v *visit) show(status int, name string, data page, formTo ...string) error {
	data.CSRF, data.SignUp, data.Mail = v.token(), v.p.SignUp, v.p.Mail != nil
	if v.user.No != 0 {
		data.Who = &v.user
	}
	var b bytes.Buffer
	if err := pages[name].ExecuteTemplate(&b, "layout", data); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	private(v.w.Header(), formTo...)
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(b.Bytes()) //nolint:gosec // the template has escaped it; the browser may be gone
	return nil
}

// private keeps a page from caches, frames and Referer headers, and from loading or sending to anything but our own.
func private(h http.Header, formTo ...string) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action "+
		strings.Join(append([]string{"'self'"}, formTo...), " ")+"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// say shows a heading and a sentence.
func (v *visit) say(status int, heading, sentence string) error {
	return v.show(status, "say", page{Title: heading, Sentence: sentence, Narrow: true})
}

// to sends the browser on.
func (v *visit) to(path string) error {
	private(v.w.Header())
	v.w.Header().Set("Location", path)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// local is a path of this server that a browser may be sent on to, or without.
func local(next, without string) string {
	if len(next) > 8<<10 || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsFunc(next, func(r rune) bool { return r == '\\' || r <= ' ' || r == 0x7f }) {
		return without
	}
	return next
}
