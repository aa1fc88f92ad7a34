package account_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/page"
)

func TestSignInLeadsOnAndRotatesTheSession(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", "")
		was := p.cookie("stagedoor_session")
		b := h.browser()
		b.get("/account/apps").leads("/login?next=%2Faccount%2Fapps").follow().
			form("/login").with("email", "Kari@Example.com", "password", password).submit().leads("/account/apps")
		b.get("/account").must(200).says("kari@example.com", "Firefox on Linux", "192.0.2.1")
		if got := b.cookie("stagedoor_session"); got == was || len(got) != 52 {
			t.Errorf("the session's cookie is %q; another browser has %q", got, was)
		}

		p.get("/login").must(200).says("You are signed in as kari@example.com")
		p.signIn("kari@example.com", password).leads("/")
		if p.cookie("stagedoor_session") == was {
			t.Error("a new sign-in left the session as it was")
		}
		old := h.browser()
		old.header.Set("Cookie", "stagedoor_session="+was)
		if old.signedIn() {
			t.Error("the session before the sign-in is still good")
		}
	})
}

func TestFailedSignInTellsNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.person("kari@example.com", org.Owner)
		var pages []string
		for _, email := range []string{"kari@example.com", "nobody@example.com"} {
			b := h.browser()
			v := b.get("/login?next=/account/apps").form("/login").with("email", email, "password", "not "+password).submit().must(401)
			v.says("The e-mail address or the password is not right.")
			f := v.form("/login")
			if f.values.Get("email") != email || f.values.Get("next") != "/account/apps" || f.values.Get("password") != "" {
				t.Errorf("the form has %v", f.values)
			}
			if v.Header.Get("Www-Authenticate") != "" || b.cookie("stagedoor_session") != "" {
				t.Errorf("the headers are %v", v.Header)
			}
			pages = append(pages, strings.NewReplacer(email, "…", f.values.Get("csrf"), "…").Replace(string(v.Body)))
		}
		if diff := cmp.Diff(pages[0], pages[1]); diff != "" {
			t.Errorf("the pages differ, -known +unknown:\n%s", diff)
		}
	})
}

func TestTooManyTriesAreTold(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.person("kari@example.com", "")
		b := h.browser()
		for range 30 { // some are free; on a slow machine the first waits may be over before the next try
			v := b.signIn("kari@example.com", "not "+password)
			if v.Status == 401 {
				continue
			}
			v.must(429).says("too many tries")
			v.form("/login")
			if n, err := strconv.Atoi(v.Header.Get("Retry-After")); err != nil || n < 1 || n > 900 {
				t.Errorf("Retry-After is %q", v.Header.Get("Retry-After"))
			}
			return
		}
		t.Error("thirty wrong passwords, and each was looked at")
	})
}

// next are what somebody might be sent on to after a sign-in, and where they are sent.
var next = map[string]string{
	"/account/apps": "/account/apps", "/oauth/authorize?a=b&c=%2F%2Fd": "/oauth/authorize?a=b&c=%2F%2Fd", "/": "/", "/a//b": "/a//b", "/a?b=https://c": "/a?b=https://c",
	"/a:b@c": "/a:b@c",
	"":       "", "account": "", "https://evil.example": "", "//evil.example": "", "///evil.example": "", "/\\evil.example": "", "\\\\evil.example": "", "/a\\b": "",
	"/\t/evil.example": "", "/\n/evil.example": "", "\t//evil.example": "", " //evil.example": "", "/ /evil.example": "", "/\x00": "", "/a\r\nSet-Cookie: b=c": "", "/\x7f": "",
	"/\u0085": "", "/\u2028": "", "/é": "", "javascript:alert(1)": "", "https:evil.example": "", "http:///evil.example": "", "//": "", "//evil.example/..": "",
	"?a=b": "", "#a": "", "/" + strings.Repeat("a", 8<<10): "",
}

func TestNextIsAPathOfThisServer(t *testing.T) {
	for sent, want := range next {
		if got := page.Local(sent, ""); got != want {
			t.Errorf("Local(%.100q) = %q, want %q", sent, got, want)
		}
		if got := page.Local(sent, "/account"); want == "" && got != "/account" {
			t.Errorf("Local(%.100q) = %q, want what is there without", sent, got)
		}
	}
	some(t, options{}, func(h *house) {
		p := h.person("kari@example.com", "")
		for sent, want := range next {
			v := p.get("/login?next=" + url.QueryEscape(sent)).must(200)
			if got := v.form("/login").values.Get("next"); got != want {
				t.Errorf("the form of next=%.100q has %q, want %q", sent, got, want)
			}
		}
		for _, sent := range []string{"//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example"} {
			p.get("/login").form("/login").with("email", "kari@example.com", "password", password, "next", sent).submit().leads("/")
			f := h.browser().get("/sign-up").form("/sign-up").with("email", "ola@example.com", "password", "another "+password, "next", sent)
			f.submit().leads("/login?made=1")
		}
	})
}

func TestSignOutEndsTheSession(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", "")
		was := p.cookie("stagedoor_session")
		p.get("/account").form("/sign-out").submit().leads("/login")
		if p.cookie("stagedoor_session") != "" {
			t.Error("the browser has a session's cookie still")
		}
		old := h.browser()
		old.header.Set("Cookie", "stagedoor_session="+was)
		if old.signedIn() {
			t.Error("the session is still good")
		}
	})
}

func TestSignUpMakesAnAccountThatHasToBeConfirmed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		b := h.browser()
		f := b.get("/sign-up?next=/account/apps").form("/sign-up").with("email", " ola@example.com ", "name", "Ola", "password", password)
		f.submit().leads("/login?made=1&next=%2Faccount%2Fapps").follow().must(200).says("its account is ready").
			form("/login").with("email", "ola@example.com", "password", password).submit().leads("/account/apps")
		mine := b.get("/account").says("Not confirmed yet")
		if name := attr(mine.input("/account/name", "name"), "value"); name != "Ola" {
			t.Errorf("the account's name is %q", name)
		}

		l := h.letter()
		if l.To != "ola@example.com" {
			t.Errorf("the letter is to %s", l.To)
		}
		b.get(h.path(l)).form(h.path(l)).submit().leads("/account?done=verified").follow().says("Your address is confirmed.")
		b.get("/account").saysNot("Not confirmed yet")
	})
}

func TestSignUpDoesNotTellThatThereIsAnAccount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", "")
		before := p.user()
		b := h.browser()
		b.get("/sign-up").form("/sign-up").with("email", "KARI@example.com", "name", "Mallory", "password", "another "+password).submit().leads("/login?made=1")
		if diff := cmp.Diff(before, p.user()); diff != "" {
			t.Errorf("the account has changed:\n%s", diff)
		}
		b.signIn("kari@example.com", "another "+password).must(401)
		if !p.signedIn() {
			t.Error("its owner was signed out")
		}
		if l := h.letter(); l.To != "KARI@example.com" || !strings.Contains(l.Subject, "already") || linkIn.MatchString(l.Text) {
			t.Errorf("the letter to the owner is %+v", l)
		}
		entries := read(h, func(q db.Querier) ([]audit.Entry, error) {
			return audit.List(q, 0, audit.Filter{Action: "sign_up.repeated", Limit: 9})
		})
		if len(entries) != 1 || entries[0].Subject != string(p.ID) || entries[0].Actor != "" {
			t.Errorf("the audit log says %+v", entries)
		}
	})
}

func TestSignUpSaysWhatIsWrong(t *testing.T) {
	some(t, options{}, func(h *house) {
		for _, c := range []struct{ email, name, password, field string }{
			{"ola", "Ola", password, "email"},
			{"", "Ola", password, "email"},
			{"ola@example.com", "Ola", "short", "password"},
			{"ola@example.com", "Ola", "passwordpassword", "password"},
			{"ola@example.com", "Ola", "ola@example.com", "password"},
			{"ola@example.com", strings.Repeat("x", 201), password, "name"},
		} {
			v := h.browser().get("/sign-up?next=/account/apps").form("/sign-up").with("email", c.email, "name", c.name, "password", c.password).submit().must(400)
			in := v.input("/sign-up", c.field)
			if attr(in, "aria-invalid") != "true" || !has(in, "autofocus") || !strings.Contains(attr(in, "aria-describedby"), c.field+"-fault") {
				t.Errorf("%+v: the field is %v", c, in.Attr)
			}
			if f := v.form("/sign-up"); f.values.Get("email") != c.email || f.values.Get("name") != c.name || f.values.Get("password") != "" || f.values.Get("next") != "/account/apps" {
				t.Errorf("%+v: the form has %v", c, f.values)
			}
		}
		if l := h.letters(); len(l) != 0 {
			t.Errorf("letters were sent: %+v", l)
		}
	})
}

func TestSignUpCanBeSwitchedOff(t *testing.T) {
	some(t, options{noSignUp: true}, func(h *house) {
		b := h.browser()
		b.get("/sign-up").must(404).says("invitation")
		if strings.Contains(string(b.get("/login").Body), "/sign-up") {
			t.Error("the sign-in leads to the sign-up")
		}
		f := b.get("/login").form("/login").values
		b.post("/sign-up", url.Values{"csrf": f["csrf"], "email": {"ola@example.com"}, "password": {password}}).must(404)
		b.signIn("ola@example.com", password).must(401)
	})
}

// TestStrangersAreBoundedByTheirNetwork: a bad sign-up costs what a good one does, but for the hashing.
func TestStrangersAreBoundedByTheirNetwork(t *testing.T) {
	some(t, options{}, func(h *house) {
		h.stop(0)
		b := h.browser()
		h.comeFrom("2001:db8:0:1::1")
		f := b.get("/sign-up").form("/sign-up").with("email", "ola@example.com", "password", "short")
		for range 100 {
			f.submit().must(400)
		}
		h.comeFrom("2001:db8:0:1:ffff::2") // the same household
		v := f.submit().must(429).says("Too many")
		if v.Header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After is %q", v.Header.Get("Retry-After"))
		}
		b.get("/reset").form("/reset").with("email", "ola@example.com").submit().must(429)
		h.comeFrom("2001:db8:0:2::1")
		f.submit().must(400)
		h.comeFrom("2001:db8:0:1::1")
		h.stop(time.Second)
		f.submit().must(400)
		f.submit().must(429)
	})
}

func TestCookiesAreForThisSiteAlone(t *testing.T) {
	for name, secure := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			some(t, options{secure: secure}, func(h *house) {
				h.account("kari@example.com")
				prefix := ""
				if secure {
					prefix = "__Host-"
				}
				b := h.browser()
				b.client.Jar = nil // it would not send Secure cookies back by http
				v := b.get("/login")
				seed := v.setCookie(prefix + "stagedoor_csrf")
				b.header.Set("Cookie", seed.Name+"="+seed.Value)
				in := v.form("/login").with("email", "kari@example.com", "password", password).submit().must(303).setCookie(prefix + "stagedoor_session")
				for _, c := range []*http.Cookie{seed, in} {
					if !c.HttpOnly || c.Secure != secure || c.Path != "/" || c.Domain != "" {
						t.Errorf("the cookie is %s", c.Raw)
					}
				}
				if seed.SameSite != http.SameSiteStrictMode || in.SameSite != http.SameSiteLaxMode {
					t.Errorf("the cookies are %q and %q", seed.Raw, in.Raw)
				}
				if in.MaxAge != int(org.SessionLife.Seconds()) || seed.MaxAge != 0 {
					t.Errorf("the cookies live %d and %d seconds", in.MaxAge, seed.MaxAge)
				}
			})
		})
	}
}
