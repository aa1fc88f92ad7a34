package frame_test

import (
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// somebody is always signed in.
type somebody struct{ org.User }

func (s somebody) Visitor(*http.Request) (org.User, org.Session, string, error) {
	return s.User, org.Session{No: 1}, "t", nil
}

func (somebody) SignIn(http.ResponseWriter, *http.Request, string) { panic("somebody is signed in") }

var pages = frame.Pages(fstest.MapFS{"pages/list.html": {Data: []byte(
	`{{define "body"}}<h1>{{.Title}}</h1><p>{{.Data}}</p><p>{{.When .Data}}</p><p>{{.WhenIn .Data "Europe/Oslo"}}</p>{{end}}`,
)}})

// answer shows a page to somebody.
func answer(t *testing.T, r *http.Request, do frame.Page) *httptest.ResponseRecorder {
	t.Helper()
	return answerWith(t, frame.Config{}, r, do)
}

func answerWith(t *testing.T, c frame.Config, r *http.Request, do frame.Page) *httptest.ResponseRecorder {
	t.Helper()
	d := dbtest.Open(t, dbtest.SQLite(t))
	people := org.NewPeople(org.PeopleConfig{DB: d})
	var who somebody
	err := d.Write(t.Context(), "", func(tx *db.Tx) (err error) {
		who.User, err = people.Create(tx, org.UserInput{Email: "kari@example.com"}, audit.By{Actor: audit.Operator})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	c.DB, c.Visitors, c.PublicURL = d, who, "http://127.0.0.1"
	f := frame.New(mux, c)
	f.Anywhere("/x", do)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

func TestListsAsFilesRunNothing(t *testing.T) {
	rows := func(yield func([]string, error) bool) {
		_ = yield([]string{"=1+1", "+47 555", "-2", "@SUM(A1)", "\tx", "a,\"b\"\nc", "plain"}, nil)
	}
	w := answer(t, httptest.NewRequestWithContext(t.Context(), "GET", "/x?format=csv", nil), func(v *frame.Visit) error {
		if !v.WantsCSV() {
			t.Error("the file is wanted")
		}
		return v.CSV("orders", []string{"a", "b", "c", "d", "e", "f", "g"}, iter.Seq2[[]string, error](rows))
	})
	want := "a,b,c,d,e,f,g\n'=1+1,'+47 555,'-2,'@SUM(A1),'\tx,\"a,\"\"b\"\"\nc\",plain\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" || w.Header().Get("Content-Disposition") != `attachment; filename="orders.csv"` {
		t.Errorf("the file (-want +got):\n%s\n%v", diff, w.Header())
	}
}

// TestBrokenListsDoNotLookWhole: one that fails at once is a page that says so; one that fails on the way breaks the connection off.
func TestBrokenListsDoNotLookWhole(t *testing.T) {
	broken := func(after int) iter.Seq2[[]string, error] {
		return func(yield func([]string, error) bool) {
			for range after {
				if !yield([]string{"x"}, nil) {
					return
				}
			}
			yield(nil, errors.New("the disk is gone"))
		}
	}
	w := answer(t, httptest.NewRequestWithContext(t.Context(), "GET", "/x", nil), func(v *frame.Visit) error { return v.CSV("x", []string{"a"}, broken(0)) })
	if w.Code != 500 || strings.Contains(w.Body.String(), "disk") {
		t.Errorf("a list that cannot be read = %d\n%s", w.Code, w.Body)
	}
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // it is that very value
			t.Errorf("a list that broke off ends with %v", p)
		}
	}()
	answer(t, httptest.NewRequestWithContext(t.Context(), "GET", "/x", nil), func(v *frame.Visit) error { return v.CSV("x", []string{"a"}, broken(2)) })
}

func TestInstantsAreInTheViewersZone(t *testing.T) {
	at := time.Date(2031, 8, 14, 18, 30, 0, 0, time.UTC)
	for zone, want := range map[string]string{
		"":                        "14 Aug 2031, 18:30:00 UTC",
		"America%2FNew_York":      "14 Aug 2031, 14:30:00 EDT",
		"../../etc/passwd":        "14 Aug 2031, 18:30:00 UTC",
		"Local":                   "14 Aug 2031, 18:30:00 UTC",
		strings.Repeat("x", 1000): "14 Aug 2031, 18:30:00 UTC",
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/x", nil)
		r.AddCookie(&http.Cookie{Name: "stagedoor_zone", Value: zone})
		w := answer(t, r, func(v *frame.Visit) error { return v.Show(pages, "list", 200, frame.View{Title: "T", Data: at}) })
		if body := w.Body.String(); !strings.Contains(body, ">"+want+"<") || !strings.Contains(body, "20:30 CEST<") {
			t.Errorf("in the zone %.40q:\n%s", zone, body)
		}
	}
}

func TestProblemsAreShownInTheirOwnWordsAndOthersInNone(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		says   string
	}{
		{problem.New(problem.Conflict, "sold_out", "There are <2> left."), 409, "There are &lt;2&gt; left."},
		{problem.Field("/name", "required", "Give it a name."), 400, "Give it a name."},
		{errors.New("secret"), 500, "It is our fault."},
	} {
		w := answer(t, httptest.NewRequestWithContext(t.Context(), "GET", "/x", nil), func(*frame.Visit) error { return c.err })
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v is shown as %d\n%s", c.err, w.Code, w.Body)
		}
	}
}

// TestWhatWasDoneIsSaidOnce: by the page after, and not by the one after that.
func TestWhatWasDoneIsSaidOnce(t *testing.T) {
	w := answer(t, httptest.NewRequestWithContext(t.Context(), "GET", "/x", nil), func(v *frame.Visit) error { return v.Done("/orders", "The order <x> is accepted.") })
	if w.Code != http.StatusSeeOther || !strings.HasSuffix(w.Header().Get("Location"), "/orders") {
		t.Fatalf("it leads to %d %q", w.Code, w.Header().Get("Location"))
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/x", nil)
	r.AddCookie(w.Result().Cookies()[0])
	w = answer(t, r, func(v *frame.Visit) error { return v.Show(pages, "list", 200, frame.View{Data: time.Time{}}) })
	if !strings.Contains(w.Body.String(), "The order &lt;x&gt; is accepted.") || w.Result().Cookies()[0].MaxAge >= 0 {
		t.Errorf("the page after does not say it once: %v\n%s", w.Result().Cookies(), w.Body)
	}
}

func TestPagesOfListsKeepTheirFilters(t *testing.T) {
	var p, last frame.Pager
	answer(t, httptest.NewRequestWithContext(t.Context(), "GET", "/x?status=open&after=50", nil), func(v *frame.Visit) error {
		p, last = v.Pager("100", true), v.Pager("", false)
		return v.To("/")
	})
	want := frame.Pager{First: "/x?status=open", Next: "/x?" + url.Values{"status": {"open"}, "after": {"100"}}.Encode(), CSV: "/x?format=csv&status=open"}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("Pager (-want +got):\n%s", diff)
	}
	if last.Next != "" || last.CSV != "" || last.First == "" {
		t.Errorf("of the last page, Pager = %+v", last)
	}
}

// TestWhatCostsMoreHasABudget: of the person, and when it is spent the page says so.
func TestWhatCostsMoreHasABudget(t *testing.T) {
	spent := map[string]int{}
	w := answerWith(t, frame.Config{Spend: func(name string, perMinute int) error {
		if spent[name]++; spent[name] > perMinute {
			return problem.New(problem.TooMany, "rate_limited", "Slow down.")
		}
		return nil
	}}, httptest.NewRequestWithContext(t.Context(), "GET", "/x", nil), func(v *frame.Visit) error {
		for range 2 {
			if err := v.Spend("replay", 2); err != nil {
				t.Errorf("within the budget: %v", err)
			}
		}
		return v.Spend("replay", 2)
	})
	if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "2 times a minute at most") || len(spent) != 1 {
		t.Errorf("beyond the budget = %d, of %v\n%s", w.Code, spent, w.Body)
	}
}
