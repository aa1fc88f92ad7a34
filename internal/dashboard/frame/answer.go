package frame

import (
	"encoding/base64"
	"encoding/csv"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// saidCookie carries what was done to the page that is shown next.
const saidCookie = "stagedoor_said"

// Done goes to a path below the organisation, which says what was done.
func (v *Visit) Done(path, said string) error {
	http.SetCookie(v.W, &http.Cookie{ //nolint:gosec // G124: Secure behind TLS
		Name: saidCookie, Value: base64.RawURLEncoding.EncodeToString([]byte(said)), Path: "/o/", MaxAge: 60, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: strings.HasPrefix(v.PublicURL, "https://"),
	})
	return v.To(v.Path(path))
}

// To sends the browser on to a path of this server.
func (v *Visit) To(path string) error {
	page.Private(v.W.Header(), page.Policy{})
	if v.HX() {
		v.W.Header().Set("HX-Location", path)
		v.W.WriteHeader(http.StatusNoContent)
		return nil
	}
	v.W.Header().Set("Location", path)
	v.W.WriteHeader(http.StatusSeeOther)
	return nil
}

// said takes what was done from the browser.
func (v *Visit) said() string {
	c, err := v.R.Cookie(saidCookie)
	if err != nil {
		return ""
	}
	http.SetCookie(v.W, &http.Cookie{Name: saidCookie, Path: "/o/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode}) //nolint:gosec // G124: it says nothing
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(text) > 500 {
		return ""
	}
	return string(text)
}

type question struct {
	Question, Consequence, Yes, Back, Action string
	Fields                                   url.Values
}

// Sure tells whether somebody has said that they are sure to do what this POST does. The first time it asks, and answers the request: the caller just returns.
// The question is a whole sentence; what follows from a yes is the consequence; yes is the button's text; back is where a no leads.
func (v *Visit) Sure(ask, consequence, yes, back string) (bool, error) {
	if v.Form.Get("sure") == "yes" {
		return true, nil
	}
	fields := url.Values{}
	for name, values := range v.Form {
		if name != "csrf" {
			fields[name] = values
		}
	}
	return false, v.Show(v.own, "sure", http.StatusOK, View{Title: ask, Data: question{ask, consequence, yes, v.Path(back), v.R.URL.RequestURI(), fields}})
}

// CSV answers with a file of a list: all of it, as it is read. Cells that a spreadsheet would run as a formula are made text.
func (v *Visit) CSV(name string, header []string, rows iter.Seq2[[]string, error]) error {
	next, stop := iter.Pull2(rows)
	defer stop()
	row, err, more := next()
	if more && err != nil {
		return err // nothing was answered yet
	}
	h := v.W.Header()
	page.Private(h, page.Policy{})
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	w := csv.NewWriter(v.W)
	_ = w.Write(header)
	for more && err == nil {
		for i := range row {
			row[i] = harmless(row[i])
		}
		_ = w.Write(row)
		row, err, more = next()
	}
	w.Flush()
	if err != nil { // the answer has begun: it must not look whole
		v.Log.ErrorContext(v.R.Context(), "list broke off", "path", v.R.Pattern, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// harmless keeps spreadsheets from taking a cell for a formula (OWASP, CSV injection).
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// headings are what pages say of problems, by their codes.
var headings = map[string]string{
	"forged_form":       "This page is out of date",
	"insufficient_role": "Your role does not allow this",
	"internal":          "Something went wrong",
}

// fail shows what went wrong: a problem in its own words, all else in none.
func (v *Visit) fail(err error) {
	shown := problem.As(err)
	if shown == nil {
		request := ""
		if v.RequestID != nil {
			request = v.RequestID(v.R.Context())
		}
		v.Log.ErrorContext(v.R.Context(), "page failed", "request_id", request, "path", v.R.Pattern, "error", err)
		shown = problem.New(0, "internal", "It is our fault. Go back and try again; if it stays, tell the operator the number %s.", request)
	}
	heading, known := headings[shown.Code]
	switch {
	case known:
	case shown.Kind == problem.NotFound:
		heading = "It is not there"
	default:
		heading = "This has not been done"
	}
	d := View{Title: heading, Data: Sentences(shown)}
	if err := v.Show(v.own, "problem", shown.Kind.Status(), d); err != nil {
		v.Log.ErrorContext(v.R.Context(), "page failed", "path", v.R.Pattern, "error", err)
	}
}

// Sentences are what a problem says to a person.
func Sentences(p *problem.Error) []string {
	if len(p.Fields) == 0 {
		return []string{p.Detail}
	}
	var all []string
	for _, f := range p.Fields {
		all = append(all, f.Detail)
	}
	return all
}

// Wrong returns what a problem says of a form, whose fields' ids are the prefix and the first part of the pointer, or the name that is given for the pointer; and false where
// it is no problem that the form can do anything about.
func Wrong(err error, prefix string, named map[string]string) (page.Complaints, int, bool) {
	p := problem.As(err)
	if p == nil || p.Kind == problem.Forbidden || p.Kind == problem.NotFound {
		return nil, 0, false
	}
	return page.ComplaintsOf(p, prefix, named), p.Kind.Status(), true
}
