package frame

import (
	"context"
	"crypto/hmac"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Visit is one request of somebody who is signed in.
type Visit struct {
	*Frame
	W    http.ResponseWriter
	R    *http.Request
	User org.User
	Org  org.Org           // zero outside of any
	Role org.Role          // what the person is in Org
	Who  *access.Principal // the person with all that their role allows in Org; nil outside
	Form url.Values        // of a POST
	In   []org.Membership  // where the person belongs, by the organisations' names
	Zone *time.Location    // the viewer's, as the browser has said; UTC before it has

	session org.Session
	csrf    string
	need    Need
	most    int64
}

func (f *Frame) serve(need Need, most int64, do Page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.enter(w, r, func(v *Visit) error {
			v.need, v.most = need, most
			if err := v.into(); err != nil {
				return err
			}
			if r.Method == http.MethodPost {
				if err := v.read(); err != nil {
					return err
				}
			}
			return do(v)
		})
	}
}

// enter finds out who is there and where they belong, and sends who is not signed in to do so.
func (f *Frame) enter(w http.ResponseWriter, r *http.Request, do Page) {
	v := &Visit{Frame: f, W: w, R: r, Zone: zone(r)}
	u, s, token, err := f.Visitors.Visitor(r)
	if err == nil && u.No == 0 {
		if r.Header.Get("HX-Request") != "" {
			w.Header().Set("HX-Refresh", "true") // the whole page shows where to sign in
		}
		back := r.URL.RequestURI()
		if r.Method != http.MethodGet { // nobody can come back to where it went
			back = "/"
		}
		f.Visitors.SignIn(w, r, back)
		return
	}
	if err == nil {
		v.User, v.session, v.csrf = u, s, token
		v.In, err = org.Memberships(f.DB.Read(r.Context()), u.No)
	}
	if err == nil {
		err = do(v)
	}
	if err != nil {
		v.fail(err)
	}
}

// into enters the organisation of the path.
func (v *Visit) into() error {
	for _, m := range v.In {
		if string(m.Org.ID) != v.R.PathValue("org") || m.Role == "" {
			continue
		}
		v.Org, v.Role, v.Who = m.Org, m.Role, v.principal(m)
		if !v.need.Met(v.Who) {
			return problem.New(problem.Forbidden, "insufficient_role", "Your role in %s does not allow this. Ask an owner or an administrator of it.", m.Org.Name)
		}
		return nil
	}
	return problem.New(problem.NotFound, "org_not_found", "There is no such organisation, or you do not belong to it. Choose one of yours.")
}

func (v *Visit) principal(m org.Membership) *access.Principal {
	return &access.Principal{
		Org: m.Org.No, OrgID: m.Org.ID, Kind: access.Personal, Credential: string(v.session.ID), Scopes: m.Role.Allows(), Allowed: m.Role.Allows(),
		Full: true, Admin: m.Role.Administrates(), User: v.User.ID, UserNo: v.User.No,
	}
}

// Still looks again whether the person may see what this page shows, for streams.
func (v *Visit) Still(ctx context.Context) (*access.Principal, error) {
	u, s, _, err := v.Visitors.Visitor(v.R.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	if u.No != v.User.No || s.No != v.session.No {
		return nil, access.Invalid("You are signed out.")
	}
	again := &Visit{Frame: v.Frame, R: v.R, User: u, session: s, need: v.need}
	if again.In, err = org.Memberships(v.DB.Read(ctx), u.No); err != nil {
		return nil, err
	}
	return again.Who, again.into()
}

// read reads the form of a POST, and makes sure that it is from one of our pages.
func (v *Visit) read() (err error) {
	if !page.SameOrigin(v.origin, v.R) {
		return page.Forged()
	}
	if strings.HasPrefix(v.R.Header.Get("Content-Type"), "multipart/form-data") {
		v.Form, err = v.multipart()
	} else {
		v.Form, err = page.ReadForm(v.W, v.R, v.most, v.repeated()...)
	}
	if err == nil && !hmac.Equal([]byte(v.Form.Get("csrf")), []byte(v.csrf)) {
		err = page.Forged()
	}
	return err
}

// repeated are the names of fields that may be there more than once: those of ticks.
func (v *Visit) repeated() []string { return []string{"scope", "event", "gate", "tick"} }

// multipart reads a form with files, all of it in memory. Files are read with [Visit.File].
func (v *Visit) multipart() (url.Values, error) {
	v.R.Body = http.MaxBytesReader(v.W, v.R.Body, v.most)
	if err := v.R.ParseMultipartForm(v.most); err != nil {
		return nil, problem.New(problem.TooLarge, "body_too_large", "The file is too large, or did not come whole: it may have %d MiB. Send a smaller one.", max(v.most>>20, 1))
	}
	form := url.Values(v.R.MultipartForm.Value)
	return form, page.CheckForm(form, v.repeated()...)
}

// Spend takes one from the person's budget for what costs more than a page: so many of a kind in a minute.
func (v *Visit) Spend(kind string, perMinute int) error {
	if v.Frame.Config.Spend == nil {
		return nil
	}
	err := v.Frame.Config.Spend("dashboard "+kind+" "+string(v.User.ID), perMinute)
	if problem.Is(err, "rate_limited") {
		return problem.New(problem.TooMany, "rate_limited", "This is done for you %d times a minute at most. Wait a moment, and do it again.", perMinute)
	}
	return err
}

// Path is a path of the organisation's pages, such as "/orders".
func (v *Visit) Path(path string) string { return "/o/" + string(v.Org.ID) + path }

// Read is for statements that only read.
func (v *Visit) Read() db.Querier { return v.DB.Read(v.R.Context()) }

// Write runs a transaction, at most for as long as the browser waits.
func (v *Visit) Write(do func(*db.Tx) error) error { return v.DB.Write(v.R.Context(), "", do) }

// Configure runs a transaction that changes who wants what, or who may do what.
func (v *Visit) Configure(do func(*db.Tx) error) error { return v.DB.Configure(v.R.Context(), do) }

// Query is a parameter of the address, without white space around it and bounded in length.
func (v *Visit) Query(name string) string {
	s := strings.TrimSpace(v.R.URL.Query().Get(name))
	if len(s) > 500 {
		return ""
	}
	return s
}

// Value is a field of the form, without white space around it.
func (v *Visit) Value(name string) string { return strings.TrimSpace(v.Form.Get(name)) }

// By is who is signed in, for the audit log.
func (v *Visit) By() audit.By {
	b := audit.By{Actor: string(v.User.ID)}
	if v.ClientAddr != nil {
		if a := v.ClientAddr(v.R.Context()); a.IsValid() {
			b.Address = a.String()
		}
	}
	return b
}

// SessionID is the public id of the session, for what counts by credential.
func (v *Visit) SessionID() id.Session { return v.session.ID }

// HX tells whether htmx asks, for a fragment.
func (v *Visit) HX() bool { return v.R.Header.Get("HX-Request") == "true" }

// zoneCookie is where our script writes the browser's zone.
const zoneCookie = "stagedoor_zone"

func zone(r *http.Request) *time.Location {
	c, err := r.Cookie(zoneCookie)
	if err != nil || len(c.Value) > 64 {
		return time.UTC
	}
	name, err := url.QueryUnescape(c.Value)
	if err != nil || name == "" || strings.EqualFold(name, "local") {
		return time.UTC
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return z
}
