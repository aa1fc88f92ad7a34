package account

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/org"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed assets/account.css
var styleSheet []byte

// templates are the pages by name, each with the layout.
func templates() map[string]*template.Template {
	all := map[string]*template.Template{}
	layout := template.Must(template.ParseFS(pageFiles, "pages/layout.html"))
	files, err := pageFiles.ReadDir("pages")
	if err != nil {
		panic(err) // they are embedded
	}
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), ".html"); name != "layout" {
			all[name] = template.Must(template.Must(layout.Clone()).ParseFS(pageFiles, path.Join("pages", f.Name())))
		}
	}
	return all
}

// page is what the layout shows. Body is what the page's own template shows beside it.
type page struct {
	Title      string
	Wide       bool
	At         string // which of the signed-in person's pages this is, for the navigation
	Said       string // what was done
	Complaints []complaint
	Body       any

	// These are show's to fill in.
	Who    *org.User // who is signed in; nil for nobody
	CSRF   string
	SignUp bool // strangers may make accounts
	Mail   bool // there is a mail server
}

// field is a field of a form that people type into.
type field struct {
	ID, Name, Label, Type, Value string
	Complete                     string // autocomplete, of the names that HTML knows
	Hint                         string
	Fault                        string // what is wrong with it
	Blamed                       bool   // the complaint above all is about it
	Required, Focus              bool
	Min, Max                     int // of the characters; 0 for none
}

// DescribedBy are the ids of what is said about the field.
func (f field) DescribedBy() string {
	var ids []string
	if f.Blamed {
		ids = append(ids, "complaints")
	}
	if f.Fault != "" {
		ids = append(ids, f.ID+"-fault")
	}
	if f.Hint != "" {
		ids = append(ids, f.ID+"-hint")
	}
	return strings.Join(ids, " ")
}

// complain adds a complaint about a field.
func (d *page) complain(field, text string) {
	d.Complaints = append(d.Complaints, complaint{field, text})
}

// Field makes a field for a template. Its name is what follows the last hyphen of the id. The options are required, focus and hint:…; of a page with complaints,
// the first field that one is about has the focus instead.
func (d page) Field(id, label, kind, complete, value string, options ...string) field {
	f := field{ID: id, Name: id[strings.LastIndexByte(id, '-')+1:], Label: label, Type: kind, Value: value, Complete: complete}
	for _, o := range options {
		f.Required = f.Required || o == "required"
		f.Focus = f.Focus || o == "focus"
		if hint, ok := strings.CutPrefix(o, "hint:"); ok {
			f.Hint = hint
		}
	}
	switch complete {
	case "new-password":
		f.Min = org.MinPassword
		f.Hint = fmt.Sprintf("At least %d characters. A few words that nobody else would put together are easy to remember.", org.MinPassword)
	case "name":
		f.Max = 200
	}
	d.blame(&f)
	return f
}

// blame says what is wrong with a field. A complaint about no field in particular is one about who somebody is: then the password is typed again.
func (d page) blame(f *field) {
	for i, c := range d.Complaints {
		about := c.Field
		if about == "" && f.Complete == "current-password" {
			about, f.Blamed = f.ID, true
		} else if about == f.ID {
			f.Fault = c.Text
		}
		if i == 0 {
			f.Focus = about == f.ID
		}
	}
}

// Fault is what is wrong with a group of fields, by its id; "" for nothing.
func (d page) Fault(id string) string {
	for _, c := range d.Complaints {
		if c.Field == id {
			return c.Text
		}
	}
	return ""
}

// show answers with a page. formTo are the origins beside our own that the page's forms lead to.
func (v *visit) show(status int, name string, d page, formTo ...string) error {
	d.CSRF, d.SignUp, d.Mail = v.token(), v.p.SignUp, v.p.Mail != nil
	if v.signedIn() {
		d.Who = &v.user
	}
	var b bytes.Buffer
	if err := v.p.templates[name].ExecuteTemplate(&b, "layout", d); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	private(v.w.Header(), formTo...)
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(b.Bytes()) // the browser may be gone
	return nil
}

// private keeps a page from caches, frames and Referer headers, and from loading or sending to anything but our own.
func private(h http.Header, formTo ...string) {
	forms := "'self'"
	for _, origin := range formTo {
		if plainOrigin(origin) {
			forms += " " + origin
		}
	}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action "+forms+"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// plainOrigin tells whether an origin can stand in a policy without being more than one source: hosts may have ; and , in them as far as RFC 3986 goes.
func plainOrigin(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/[]+") == ""
}

// lead is a link to where somebody may go from a page.
type lead struct{ Href, Text string }

type sayBody struct {
	Sentence string
	Leads    []lead
}

// say shows a heading and a sentence.
func (v *visit) say(status int, heading, sentence string, leads ...lead) error {
	return v.show(status, "say", page{Title: heading, Body: sayBody{sentence, leads}})
}

// to sends the browser on.
func (v *visit) to(path string) error {
	private(v.w.Header())
	v.w.Header().Set("Location", path)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// maxNext bounds a path to go on to, in bytes.
const maxNext = 8 << 10

// local is a path of this server, with its query, that a browser may be sent on to; or without. It has no scheme and no host, also not for browsers, which
// take \ for / and pass over tabs and line breaks.
func local(next, without string) string {
	if len(next) > maxNext || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsFunc(next, func(r rune) bool { return r == '\\' || r <= ' ' || r >= 0x7f }) {
		return without
	}
	return next
}

// style is the style sheet.
type style struct{ tag string }

func newStyle() style {
	sum := sha256.Sum256(styleSheet)
	return style{`"` + hex.EncodeToString(sum[:8]) + `"`}
}

// serve has browsers ask each time whether it has changed, so that pages never come with the look of another release.
func (s style) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/css; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", s.tag)
	http.ServeContent(w, r, "account.css", time.Time{}, bytes.NewReader(styleSheet))
}
