package account_test

import (
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/stagedoorhq/stagedoor/internal/account"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

var _ oauth.Front = (*account.Pages)(nil)

func TestConsentSaysWhoWhereAndWhat(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", org.Owner)
		name := `<img src=x onerror=alert(1)>"'&amp;{{.}}`
		v := p.get(h.app(name, "https://wonder.example.com/cb?tenant=1", scope.EventsRead, scope.StampsWrite)).must(200)
		v.says(name, "wonder.example.com", scope.EventsRead.Words(), scope.StampsWrite.Words(), "In The Hall, where you are an owner.", "kari@example.com")
		v.saysNot(scope.TicketsRead.Words(), "tenant", "In which organisation?")
		f := v.form("/oauth/consent")
		if got := f.values["scope"]; !slices.Equal(got, []string{"events:read", "stamps:write"}) || f.values.Get("org") != string(h.org.ID) {
			t.Errorf("the form has %v", f.values)
		}
		if strings.Contains(string(v.Body), "<img") {
			t.Errorf("the app's name is part of the page:\n%s", v.Body)
		}
	})
}

func TestConsentIsForOneOrganisation(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", org.Owner)
		p.join(h.newOrg("Another <Hall>"), org.Staff)
		f := p.get(h.app("Wonder", "https://app.example.com/cb", scope.EventsRead)).must(200).
			says("In which organisation?", "The Hall where you are an owner", "Another <Hall> where you are staff at the door").form("/oauth/consent")
		if len(f.boxes["org"]) != 2 || f.values.Get("org") == "" {
			t.Errorf("the form has %v of %v", f.values["org"], f.boxes["org"])
		}
		f.with("org", f.boxes["org"][1], "decision", "allow").submit().must(303)
		p.get("/account/apps").says("Wonder", "In "+read(h, func(q db.Querier) (string, error) {
			grants, err := oauth.GrantsOf(q, p.No)
			if err != nil || len(grants) != 1 {
				t.Fatalf("the grants are %+v, %v", grants, err)
			}
			o, err := org.ByNumber(q, grants[0].Org)
			if string(o.ID) != f.boxes["org"][1] {
				t.Errorf("chosen was %s, the grant is in %s", f.boxes["org"][1], o.ID)
			}
			return o.Name, err
		}))
	})
}

// TestConsentDoesNotOfferWhatThePersonMayNotDo: it says so instead.
func TestConsentDoesNotOfferWhatThePersonMayNotDo(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", "")
		v := p.get(h.app("Wonder", "https://app.example.com/cb", scope.EventsRead, scope.EventsWrite, scope.WebhooksManage)).must(200)
		v.says("where you are an attendee", "you may not do there yourself", scope.EventsWrite.Words(), scope.WebhooksManage.Words())
		if got := v.form("/oauth/consent").boxes["scope"]; !slices.Equal(got, []string{"events:read"}) {
			t.Errorf("offered are %v", got)
		}
	})
}

func TestHostsAreShownInASCII(t *testing.T) {
	for host, want := range map[string]string{
		"app.example.com": "app.example.com", "127.0.0.1:8080": "127.0.0.1:8080", "[::1]:8080": "[::1]:8080", "com.example.app": "com.example.app",
		"bücher.example": "xn--bcher-kva.example", "аррӏе.example": "xn--80ak6aa92e.example", "bücher.example:8443": "xn--bcher-kva.example:8443",
		"a\u202eb.example": "xn--ab-g4t.example", "xn--bcher-kva.example": "xn--bcher-kva.example",
	} {
		if got := account.ShownHost(host); got != want {
			t.Errorf("ShownHost(%q) = %q, want %q", host, got, want)
		}
	}
	for _, host := range []string{"a b", "a\u00a0b", "\xff", "", "a\nb", "é\u0000"} {
		if got := account.ShownHost(host); strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("ShownHost(%q) = %q", host, got)
		}
	}
}

// TestFormsOfTheConsentLeadBackToTheAppOnly: browsers apply form-action to the redirect that follows, too. A target that would be more than one source is
// left out: then the browser refuses the redirect.
func TestFormsOfTheConsentLeadBackToTheAppOnly(t *testing.T) {
	some(t, options{}, func(h *house) {
		for target, want := range map[string]string{
			"https://app.example.com": "form-action 'self' https://app.example.com;", "http://127.0.0.1:49152": "form-action 'self' http://127.0.0.1:49152;",
			"http://[::1]:49152": "form-action 'self' http://[::1]:49152;", "com.example.app:": "form-action 'self' com.example.app:;", "": "form-action 'self';",
			"https://a;script-src": "form-action 'self';", "https://a,b": "form-action 'self';", "https://a *": "form-action 'self';", "https://'unsafe-inline'": "form-action 'self';",
			"https://*.example.com": "form-action 'self';",
		} {
			w := httptest.NewRecorder()
			h.pages.Consent(w, httptest.NewRequestWithContext(t.Context(), "GET", "/oauth/authorize", nil), oauth.Consent{ClientName: "Wonder", Target: target})
			if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "; "+want+" ") {
				t.Errorf("with the target %q, Content-Security-Policy is %s", target, csp)
			}
		}
	})
}

// device starts a device's request, and returns the code that it shows.
func (h *house) device(app string) string {
	u, err := url.Parse(app)
	if err != nil {
		h.t.Fatal(err)
	}
	v := h.browser().post("/oauth/device", url.Values{"client_id": {u.Query().Get("client_id")}}).must(200)
	var got struct {
		UserCode string `json:"user_code"`
	}
	if err := json.Unmarshal(v.Body, &got); err != nil || got.UserCode == "" {
		h.t.Fatalf("the device got %s", v.Body)
	}
	return got.UserCode
}

func TestDeviceIsConnectedByItsCode(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", org.Owner)
		code := h.device(h.app("Wonder", "https://app.example.com/cb", scope.EventsRead))
		h.browser().get("/oauth/device?user_code=" + code).leads("/login?next=" + url.QueryEscape("/oauth/device?user_code="+code))
		v := p.get("/oauth/device").must(200).form("/oauth/device/code").with("user_code", "BCDF-GHJK").submit().must(400).says("No device shows this code now")
		if in := v.input("/oauth/device/code", "user_code"); attr(in, "aria-invalid") != "true" || attr(in, "autocomplete") != "one-time-code" {
			t.Errorf("the field is %v", in.Attr)
		}
		v = p.get("/oauth/device?user_code=" + code).must(200).says("Does the device before you show this code?").form("/oauth/device/code").submit().must(200)
		v.says(code, "Wonder", scope.EventsRead.Words()).form("/oauth/device/consent").with("decision", "allow").submit().must(200).says("The device may go on")
	})
}

func TestPersonIsWhoIsSignedIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", "")
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		if who, err := h.pages.Person(r); who != nil || err != nil {
			t.Errorf("without a cookie, Person = %+v, %v", who, err)
		}
		r.Header.Set("Cookie", "stagedoor_session="+p.cookie("stagedoor_session"))
		sessions := read(h, func(q db.Querier) ([]org.Session, error) { return org.Sessions(q, p.No, h.time()) })
		want := oauth.Person{No: p.No, ID: p.ID, Email: "kari@example.com", Session: sessions[0].No}
		if who, err := h.pages.Person(r); err != nil || who == nil || *who != want {
			t.Errorf("Person = %+v, %v; want %+v", who, err, want)
		}
	})
}

func TestGenuineFormsHaveTheTokenOfTheirSession(t *testing.T) {
	some(t, options{}, func(h *house) {
		p, b := h.person("kari@example.com", ""), h.browser()
		mine, strange := p.get("/account").forms()[0].values.Get("csrf"), b.get("/login").forms()[0].values.Get("csrf")
		for _, c := range []struct {
			what   string
			b      *browser
			token  string
			header []string
			want   bool
		}{
			{"the session's", p.browser, mine, nil, true},
			{"the session's, from our own page", p.browser, mine, []string{"Sec-Fetch-Site", "same-origin"}, true},
			{"the session's, from another site", p.browser, mine, []string{"Sec-Fetch-Site", "cross-site"}, false},
			{"the session's, with another Origin", p.browser, mine, []string{"Origin", "https://evil.example"}, false},
			{"the session's, with an Origin that is hidden", p.browser, mine, []string{"Origin", "null"}, false},
			{"another's", p.browser, strange, nil, false},
			{"none", p.browser, "", nil, false},
			{"the browser's own", b, strange, nil, true},
			{"a session's, of another browser", b, mine, nil, false},
			{"none, of a browser that has none", h.browser(), "", nil, false},
		} {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/oauth/consent", nil)
			u, _ := url.Parse(h.server.URL)
			for _, cookie := range c.b.client.Jar.Cookies(u) {
				r.AddCookie(cookie)
			}
			for i := 0; i < len(c.header); i += 2 {
				r.Header.Set(c.header[i], c.header[i+1])
			}
			if got := h.pages.Genuine(r, c.token); got != c.want {
				t.Errorf("%s: Genuine = %v, want %v", c.what, got, c.want)
			}
		}
	})
}

// TestNamesDoNotRunIntoThePage: a name that is written from right to left turns nothing round but itself.
func TestNamesDoNotRunIntoThePage(t *testing.T) {
	some(t, options{}, func(h *house) {
		strange := "\u202egnp.yrwenom\u2066"
		w := httptest.NewRecorder()
		h.pages.Consent(w, httptest.NewRequestWithContext(t.Context(), "GET", "/oauth/authorize", nil), oauth.Consent{
			ClientName: strange, Host: "app.example.com", Places: []oauth.Place{{ID: id.NewOrg(), Name: strange}, {ID: id.NewOrg(), Name: strange}},
		})
		doc, err := html.Parse(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for n := range doc.Descendants() {
			if n.Type == html.TextNode && strings.Contains(n.Data, strange) {
				if found++; n.Parent.Data != "bdi" {
					t.Errorf("the name stands in <%s>: %q", n.Parent.Data, n.Data)
				}
			}
		}
		if found != 3 {
			t.Errorf("the name stands in %d places, want 3", found)
		}
	})
}
