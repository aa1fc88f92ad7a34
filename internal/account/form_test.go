package account_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/account"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// posts are all paths that forms go to, those of strangers first.
func posts(h *house, p *person) (open, own []string) {
	return []string{"/login", "/sign-up", "/sign-out", "/reset", p.link(org.Reset), p.link(org.Verification), h.invite("new@example.com", org.Staff)},
		[]string{
			"/account/name", "/account/password", "/account/verify", "/account/sessions/ses_x/end", "/account/sessions/end-others", "/account/tokens",
			"/account/tokens/tok_x/revoke", "/account/apps/gnt_x/remove",
		}
}

func TestFormsAreForTheBrowserThatWasShownThem(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p, other, stranger := h.person("kari@example.com", org.Owner), h.person("ola@example.com", org.Owner), h.browser()
		token := func(b *browser) string {
			path := "/account"
			if !b.signedIn() {
				path = "/login"
			}
			return b.get(path).forms()[0].values.Get("csrf")
		}
		mine, theirs, strange, another := token(p.browser), token(other.browser), token(stranger), token(h.browser())
		before := p.user()
		fill := func(csrf string) url.Values {
			return url.Values{"csrf": {csrf}, "email": {"kari@example.com"}, "name": {"Mallory"}, "current": {password}, "password": {"another " + password}, "org": {string(h.org.ID)}}
		}
		refused := func(b *browser, path, what string, v url.Values, header ...string) {
			t.Helper()
			if got := b.post(path, v, header...); got.Status != 403 || len(got.Header.Values("Set-Cookie")) > 1 {
				t.Errorf("POST %s %s = %d, want 403", path, what, got.Status)
			}
		}
		open, own := posts(h, p)
		for _, path := range open {
			for what, csrf := range map[string]string{"of another browser": another, "of somebody's session": theirs, "that is empty": "", "that is none": "x"} {
				refused(stranger, path, "with a token "+what, fill(csrf))
			}
		}
		for _, path := range append(open, own...) {
			for what, csrf := range map[string]string{"from before the sign-in": strange, "of somebody else's session": theirs, "that is empty": "", "that is cut": mine[:42]} {
				refused(p.browser, path, "with a token "+what, fill(csrf))
			}
			none := fill("")
			none.Del("csrf")
			refused(p.browser, path, "without a token", none)
			refused(p.browser, path+"?csrf="+mine, "with a token in the query", none)
			refused(p.browser, path, "from another site", fill(mine), "Sec-Fetch-Site", "cross-site")
			refused(p.browser, path, "from a site next to it", fill(mine), "Sec-Fetch-Site", "same-site")
			refused(p.browser, path, "with another's Origin", fill(mine), "Origin", "https://evil.example")
			refused(p.browser, path, "from a page that hides where it is", fill(mine), "Origin", "null", "Sec-Fetch-Site", "cross-site")
		}
		for _, path := range own {
			stranger.post(path, fill(strange)).leads("/login?next=%2Faccount")
		}
		if now := p.user(); now != before || !p.signedIn() {
			t.Errorf("something was done: %+v", now)
		}
	})
}

// TestBrowsersThatSayLittleCanSendForms: without TLS, browsers tell neither whence a form comes, nor, under our referrer policy, its Origin.
func TestBrowsersThatSayLittleCanSendForms(t *testing.T) {
	some(t, options{}, func(h *house) {
		h.account("kari@example.com")
		for _, header := range [][]string{{"Origin", "null"}, {}, {"Origin", h.server.URL}, {"Sec-Fetch-Site", "same-origin", "Origin", "null"}} {
			h.browser().get("/login").form("/login").with("email", "kari@example.com", "password", password).submit(header...).leads("/")
		}
		forged := h.browser().get("/login").form("/login").with("email", "kari@example.com", "password", password, "csrf", "x")
		forged.submit("Origin", "null").must(403)
	})
}

func TestProxiesMayChangeTheHost(t *testing.T) {
	some(t, options{secure: true}, func(h *house) {
		h.account("kari@example.com")
		b := h.browser()
		b.client.Jar = nil
		v := b.get("/login")
		seed := v.setCookie("__Host-stagedoor_csrf")
		b.header.Set("Cookie", seed.Name+"="+seed.Value)
		v.form("/login").with("email", "kari@example.com", "password", password).submit("Origin", "https://tickets.example.org").must(303)
	})
}

func TestOddFormsAreRefused(t *testing.T) {
	some(t, options{}, func(h *house) {
		p := h.person("kari@example.com", org.Owner)
		csrf := p.get("/account").forms()[0].values.Get("csrf")
		open, own := posts(h, p)
		for _, path := range append(open, own...) {
			for what, c := range map[string]struct {
				kind, body string
				status     int
			}{
				"a field twice":        {formType, "csrf=" + csrf + "&name=a&name=b", 400},
				"the token twice":      {formType, "csrf=" + csrf + "&csrf=" + csrf, 400},
				"NUL":                  {formType, "csrf=" + csrf + "&name=a%00b", 400},
				"NUL in a name":        {formType, "csrf=" + csrf + "&na%00me=a", 400},
				"what is no UTF-8":     {formType, "csrf=" + csrf + "&name=%ff", 400},
				"no UTF-8, as it is":   {formType, "csrf=" + csrf + "&name=\xff", 400},
				"a broken escape":      {formType, "csrf=" + csrf + "&name=%zz", 400},
				"a semicolon":          {formType, "csrf=" + csrf + ";name=a", 400},
				"too much":             {formType, "csrf=" + csrf + "&name=" + strings.Repeat("a", 64<<10), 413},
				"JSON":                 {"application/json", `{"csrf":"` + csrf + `"}`, 415},
				"files":                {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n" + csrf + "\r\n--x--\r\n", 415},
				"nothing, of no type":  {"", "", 415},
				"plain text":           {"text/plain", "csrf=" + csrf, 415},
				"a type that is none":  {formType + "; charset=\"", "csrf=" + csrf, 415},
				"something, no fields": {formType, "&&==&", 403},
			} {
				if v := p.do("POST", path, c.kind, c.body); v.Status != c.status {
					t.Errorf("POST %s with %s = %d, want %d\n%s", path, what, v.Status, c.status, v.words())
				}
			}
		}
		p.do("POST", "/account/name", formType+"; charset=UTF-8", "csrf="+csrf+"&name=K%C3%A5re").leads("/account?done=name")
	})
}

func TestPagesArePrivate(t *testing.T) {
	some(t, options{}, func(h *house) {
		p, b := h.person("kari@example.com", org.Owner), h.browser()
		ask := h.app("Wonder", "https://app.example.com/cb", scope.EventsRead)
		for name, v := range map[string]*view{
			"sign-in": b.get("/login"), "sign-up": b.get("/sign-up"), "reset": b.get("/reset"), "a used link": b.get("/reset/x"), "to sign in": b.get("/account"),
			"account": p.get("/account"), "apps": p.get("/account/apps"), "invitation": b.get(h.invite("ola@example.com", org.Staff)), "verify": b.get(p.link(org.Verification)),
			"refused": b.post("/login", url.Values{}), "failed": b.signIn("kari@example.com", "x"), "consent": p.get(ask), "code": p.get("/oauth/device"),
			"said": p.get("/oauth/authorize"), "done": p.get("/account").form("/account/name").submit(),
		} {
			for header, want := range map[string]string{
				"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			} {
				if got := v.Header.Get(header); got != want {
					t.Errorf("%s: %s is %q, want %q", name, header, got, want)
				}
			}
			want := "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
			if name == "consent" {
				want = strings.Replace(want, "form-action 'self'", "form-action 'self' https://app.example.com", 1)
			}
			if got := v.Header.Get("Content-Security-Policy"); got != want {
				t.Errorf("%s: Content-Security-Policy is\n%s, want\n%s", name, got, want)
			}
			if kind := v.Header.Get("Content-Type"); v.Status/100 != 3 && kind != "text/html; charset=utf-8" {
				t.Errorf("%s: Content-Type is %q", name, kind)
			}
		}
	})
}

func TestStyleSheetIsAskedForAgainAndSentOnce(t *testing.T) {
	some(t, options{}, func(h *house) {
		v := h.browser().get("/assets/account.css").must(200)
		if string(v.Body) != account.StyleSheet() || v.Header.Get("Content-Type") != "text/css; charset=utf-8" || v.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("the style sheet has %d bytes and the headers %v", len(v.Body), v.Header)
		}
		if v := h.browser().do("GET", "/assets/account.css", "", "", "If-None-Match", v.Header.Get("Etag")); v.Status != http.StatusNotModified || len(v.Body) != 0 {
			t.Errorf("again = %d with %d bytes", v.Status, len(v.Body))
		}
	})
}
