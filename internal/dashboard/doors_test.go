package dashboard_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/dashboard"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// visitors has whom a cookie names signed in.
type visitors map[string]org.User

const token = "the form's"

func (vs visitors) Visitor(r *http.Request) (org.User, org.Session, string, error) {
	c, err := r.Cookie("who")
	if err != nil {
		return org.User{}, org.Session{}, "", nil //nolint:nilerr // nobody is signed in
	}
	return vs[c.Value], org.Session{No: 1}, token, nil
}

func (visitors) SignIn(w http.ResponseWriter, r *http.Request, path string) {
	http.Redirect(w, r, "/login?next="+url.QueryEscape(path), http.StatusSeeOther)
}

// TestEveryPageIsForWhoMay goes through all ways into the pages, as nobody, as somebody of another organisation, as each role, and with a form that is not from our pages. None of
// them comes as far as what the page does: there is nothing behind these pages, and they would panic.
func TestEveryPageIsForWhoMay(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	keys, err := seal.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	people := org.NewPeople(org.PeopleConfig{DB: d, Keys: keys, Apps: &oauth.Registry{Keys: keys}})
	var hall, other org.Org
	in := visitors{}
	err = d.Configure(context.Background(), func(tx *db.Tx) (err error) {
		if hall, err = org.Create(tx, org.Input{Name: "The Hall"}); err != nil {
			return err
		}
		if other, err = org.Create(tx, org.Input{Name: "Another"}); err != nil {
			return err
		}
		for _, role := range append(org.Roles(), "stranger", "attendee") {
			u, err := people.Create(tx, org.UserInput{Email: string(role) + "@example.com"}, audit.By{Actor: audit.Operator})
			if err != nil {
				return err
			}
			in[string(role)] = u
			at, as := hall, role
			switch role {
			case "stranger":
				at, as = other, org.Owner
			case "attendee":
				continue
			}
			if err := people.SetRole(tx, at.No, u.No, as, audit.By{Actor: audit.Operator}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	f := dashboard.New(mux, dashboard.Config{Frame: frame.Config{DB: d, Visitors: in, PublicURL: "http://127.0.0.1"}})
	if n := len(f.Routes()); n < 100 {
		t.Fatalf("there are %d ways into the pages only", n)
	}
	for _, r := range f.Routes() {
		path := "/o/" + string(hall.ID) + regexp.MustCompile(`{[a-zA-Z]+}`).ReplaceAllString(r.Path, "x")
		as := func(who string, want int, method string, body string) {
			t.Helper()
			q := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
			if who != "" {
				q.AddCookie(&http.Cookie{Name: "who", Value: who})
			}
			q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, q)
			if w.Code != want {
				t.Errorf("%s %s as %q with %q = %d, want %d\n%.500s", r.Method, r.Path, who, body, w.Code, want, w.Body)
			}
			csp := w.Header().Get("Content-Security-Policy")
			if who != "" && (!strings.HasPrefix(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || w.Header().Get("Cache-Control") != "no-store") {
				t.Errorf("%s %s as %s comes with the policy %q and Cache-Control %q", r.Method, r.Path, who, csp, w.Header().Get("Cache-Control"))
			}
		}
		good := "csrf=" + url.QueryEscape(token)
		as("", http.StatusSeeOther, r.Method, good)
		as("stranger", http.StatusNotFound, r.Method, good)
		as("attendee", http.StatusNotFound, r.Method, good)
		for _, role := range org.Roles() {
			allowed := (r.Need.Scope == "" || role.Allows().Has(r.Need.Scope)) && (!r.Need.Admin || role.Administrates())
			if !allowed {
				as(string(role), http.StatusForbidden, r.Method, good)
			}
		}
		if r.Method == http.MethodPost {
			as("owner", http.StatusForbidden, r.Method, "")
			as("owner", http.StatusForbidden, r.Method, "csrf=anothers")
		}
	}
}

// TestEveryPageCanBeMade: templates are read when they are first shown, so that one that is wrong would be found by whoever looks at it.
func TestEveryPageCanBeMade(t *testing.T) {
	rooms, err := filepath.Glob("*/pages")
	if err != nil || len(rooms) < 6 {
		t.Fatalf("the rooms are %q, %v", rooms, err)
	}
	for _, room := range append(rooms, "pages") {
		if n := frame.Pages(os.DirFS(filepath.Dir(room))).Make(); n == 0 {
			t.Errorf("%s has no pages", room)
		}
	}
}
