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
	"github.com/stagedoorhq/stagedoor/internal/page"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed assets/account.css
var styleSheet []byte

// templates are the pages by name, each with the layout.
func templates() map[string]*template.Template {
	all := map[string]*template.Template{}
	layout := template.Must(page.Pieces().ParseFS(pageFiles, "pages/layout.html"))
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

// sheet is what the layout shows. Body is what the page's own template shows beside it.
type sheet struct {
	Title           string
	Wide            bool
	At              string // which of the signed-in person's pages this is, for the navigation
	Said            string // what was done
	page.Complaints        // what is wrong with the form that was sent
	Body            any

	// These are show's to fill in.
	Who    *org.User // who is signed in; nil for nobody
	CSRF   string
	SignUp bool // strangers may make accounts
	Mail   bool // there is a mail server
}

// complain adds a complaint about a field.
func (d *sheet) complain(field, text string) {
	d.Complaints = append(d.Complaints, page.Complaint{Field: field, Text: text})
}

// show answers with a page. formTo are the origins beside our own that the page's forms lead to.
func (v *visit) show(status int, name string, d sheet, formTo ...string) error {
	d.CSRF, d.SignUp, d.Mail = v.token(), v.p.SignUp, v.p.Mail != nil
	if v.signedIn() {
		d.Who = &v.user
	}
	var b bytes.Buffer
	if err := v.p.templates[name].ExecuteTemplate(&b, "layout", d); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	page.Private(v.w.Header(), page.Policy{FormTo: formTo})
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(b.Bytes()) // the browser may be gone
	return nil
}

// lead is a link to where somebody may go from a page.
type lead struct{ Href, Text string }

type sayBody struct {
	Sentence string
	Leads    []lead
}

// say shows a heading and a sentence.
func (v *visit) say(status int, heading, sentence string, leads ...lead) error {
	return v.show(status, "say", sheet{Title: heading, Body: sayBody{sentence, leads}})
}

// to sends the browser on.
func (v *visit) to(path string) error {
	page.Private(v.w.Header(), page.Policy{})
	v.w.Header().Set("Location", path)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
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
