package account_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/account"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

func TestAccountIsForWhoIsSignedIn(t *testing.T) {
	some(t, options{}, func(h *house) {
		b := h.browser()
		b.get("/account").leads("/login?next=%2Faccount")
		b.get("/account/apps?a=b").leads("/login?next=%2Faccount%2Fapps%3Fa%3Db")
		b.header.Set("Cookie", "stagedoor_session=nonsense")
		b.get("/account").leads("/login?next=%2Faccount")
	})
}

func TestNameCanBeChanged(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", "")
		p.get("/account").form("/account/name").with("name", "Kåre <b>").submit().leads("/account?done=name").follow().says("Your name is saved.")
		if got := p.user().Name; got != "Kåre <b>" {
			t.Errorf("the name is %q", got)
		}
		v := p.get("/account").form("/account/name").with("name", strings.Repeat("x", 201)).submit().must(400).says("at most 200 characters")
		if got := v.form("/account/name").values.Get("name"); len(got) != 201 {
			t.Errorf("what was typed has become %q", got)
		}
	})
}

func TestPasswordChangeAsksForTheOneBefore(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", "")
		elsewhere := h.browser()
		elsewhere.signIn("kari@example.com", password).must(303)
		f := p.get("/account").form("/account/password").with("current", "not "+password, "password", "another "+password)
		f.submit().must(403).says("is another one")
		f.with("current", password, "password", "short").submit().must(400).says("at least 12 characters")
		if !elsewhere.signedIn() {
			t.Error("a change that failed signed somebody out")
		}
		f.with("password", "another "+password).submit().leads("/account?done=password").follow().must(200).says("Your password is set.")
		if elsewhere.signedIn() {
			t.Error("the other browser is still signed in")
		}
		h.browser().signIn("kari@example.com", "another "+password).must(303)
	})
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", "")
		phone, library, stranger := h.browser(), h.browser(), h.person("ola@example.com", "")
		phone.header.Set("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1")
		library.header.Set("User-Agent", "<script>alert(1)</script>")
		h.comeFrom("2001:db8::7")
		phone.signIn("kari@example.com", password)
		library.signIn("kari@example.com", password)
		v := p.get("/account").says("Safari on iPhone", "2001:db8::7", "<script>alert(1)</script>", "This browser")

		var ends []*form
		for _, f := range v.forms() {
			if strings.HasPrefix(f.action, "/account/sessions/ses_") {
				ends = append(ends, f)
			}
		}
		if len(ends) != 2 {
			t.Fatalf("%d sessions can be ended, want the two others", len(ends))
		}
		theirs := stranger.get("/account").forms()[0].values
		stranger.post(ends[1].action, theirs).must(303)
		if !phone.signedIn() {
			t.Fatal("somebody else has ended a session")
		}
		ends[1].submit().leads("/account?done=session") // the older one of the two: the phone's
		ends[1].submit().leads("/account?done=session")
		if phone.signedIn() || !library.signedIn() {
			t.Errorf("the phone is signed in: %v, the library: %v", phone.signedIn(), library.signedIn())
		}
		phone.signIn("kari@example.com", password).must(303)
		p.get("/account").form("/account/sessions/end-others").submit().leads("/account?done=others")
		if phone.signedIn() || library.signedIn() || !p.signedIn() {
			t.Error("all others are to be signed out, and this one not")
		}
	})
}

func TestBrowsersAreCalledByTheirNames(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36":                     "Chrome on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0":           "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":               "Safari on Mac",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36": "Samsung Internet on Android",
		"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/141.0 Mobile/15E148 Safari/604.1":       "Chrome on iPad",
		"curl/8.5.0":            "curl/8.5.0",
		"":                      "A browser",
		strings.Repeat("x", 99): strings.Repeat("x", 40) + "…",
	} {
		if got := account.Browser(agent); got != want {
			t.Errorf("Browser(%q) = %q, want %q", agent, got, want)
		}
	}
}

// tokensOf are a person's tokens.
func tokensOf(p *person) []org.Token {
	return read(p.h, func(q db.Querier) ([]org.Token, error) { return org.Tokens(q, 0, p.No) })
}

func TestTokensAreShownOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", org.Admin)
		f := p.get("/account").form("/account/tokens").with("name", "Box <office>", "may", "ticked", "days", "30")
		f.values["scope"] = []string{"events:read", "tickets:read"}
		v := f.submit().must(200).says("it is shown this once", "Box <office>")
		_, rest, _ := strings.Cut(v.words(), "sdp_")
		secret := "sdp_" + rest[:min(len(rest), 52)]
		token, u, _, err := org.AuthenticateToken(h.db.Read(t.Context()), secret, h.time())
		if err != nil || u.No != p.No || token.Org != h.org.No || token.Full || token.Scopes != scope.Of(scope.EventsRead, scope.TicketsRead) {
			t.Errorf("the token %q is %+v of %s, %v", secret, token, u.ID, err)
		}
		if life := token.ExpiresAt.Sub(token.CreatedAt); life.Hours() != 30*24 {
			t.Errorf("the token lives %v", life)
		}
		p.get("/account").says("Box <office>", "events:read, tickets:read", "never used").saysNot("sdp_")
		entries := read(h, func(q db.Querier) ([]audit.Entry, error) {
			return audit.List(q, h.org.No, audit.Filter{Action: "token.created", Limit: 9})
		})
		if len(entries) != 1 || entries[0].Actor != string(p.ID) {
			t.Errorf("the audit log says %+v", entries)
		}

		other := h.person("ola@example.com", org.Owner)
		end := "/account/tokens/" + string(token.ID) + "/revoke"
		other.post(end, other.get("/account").forms()[0].values).must(404)
		p.get("/account").form(end).submit().leads("/account?done=token")
		if left := tokensOf(p); len(left) != 0 {
			t.Errorf("there are tokens left: %+v", left)
		}
	})
}

func TestTokensGetNoMoreThanWasTicked(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p := h.person("kari@example.com", org.Owner)
		elsewhere := h.newOrg("Elsewhere")
		for _, c := range []struct {
			what   string
			may    string
			scopes []string
			with   []string
			status int
			want   scope.Set // 0 for everything
		}{
			{"everything", "everything", nil, nil, 200, 0},
			{"nothing said", "", nil, nil, 200, 0},
			{"ticked, and everything", "everything", []string{"events:read"}, nil, 200, scope.Of(scope.EventsRead)},
			{"ticked only", "ticked", []string{"events:read"}, nil, 200, scope.Of(scope.EventsRead)},
			{"nothing ticked", "ticked", nil, nil, 400, 0},
			{"something unknown", "", []string{"administration"}, nil, 400, 0},
			{"something unknown beside", "everything", []string{"events:read", "x"}, nil, 400, 0},
			{"no days", "everything", nil, []string{"days", "0"}, 400, 0},
			{"too many days", "everything", nil, []string{"days", "3651"}, 400, 0},
			{"days that are none", "everything", nil, []string{"days", "soon"}, 400, 0},
			{"a long name", "everything", nil, []string{"name", strings.Repeat("x", 201)}, 400, 0},
			{"another organisation", "everything", nil, []string{"org", string(elsewhere.ID)}, 400, 0},
			{"no organisation", "everything", nil, []string{"org", ""}, 400, 0},
		} {
			before := len(tokensOf(p))
			f := p.get("/account").form("/account/tokens").with("may", c.may).with(c.with...)
			f.values["scope"] = c.scopes
			v := f.submit()
			after := tokensOf(p)
			if v.Status != c.status || len(after) != before+btoi(c.status == 200) {
				t.Errorf("%s = %d, and %d tokens are made\n%s", c.what, v.Status, len(after)-before, v.words())
				continue
			}
			if c.status != 200 {
				if got := v.form("/account/tokens").values["scope"]; !slices.Equal(got, known(c.scopes)) {
					t.Errorf("%s: ticked are %v, want what was", c.what, got)
				}
				continue
			}
			if last := after[len(after)-1]; last.Full != (c.want == 0) || c.want != 0 && last.Scopes != c.want {
				t.Errorf("%s: the token is %+v", c.what, last)
			}
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// known are the names of scopes among texts.
func known(names []string) (all []string) {
	for _, n := range names {
		if _, ok := scope.Named(n); ok {
			all = append(all, n)
		}
	}
	return all
}

func TestPeopleWithoutOrganisationMakeNoTokens(t *testing.T) {
	some(t, options{}, func(h *house) {
		p := h.person("kari@example.com", "")
		v := p.get("/account").saysNot("Tokens for your own programs")
		f := v.forms()[0].values
		f.Set("org", string(h.org.ID))
		p.post("/account/tokens", f).must(400).says("Choose an organisation that you belong to.")
	})
}

func TestAppsAreListedAndTheirAccessEnds(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		p, other := h.person("kari@example.com", org.Owner), h.person("ola@example.com", org.Owner)
		p.get("/account/apps").says("No app may act for you.")
		ask := h.app("Wonder <b>", "https://app.example.com/cb", scope.EventsRead, scope.TicketsRead)
		f := p.get(ask).must(200).form("/oauth/consent").with("decision", "allow")
		if back := f.submit().must(303).Header.Get("Location"); !strings.HasPrefix(back, "https://app.example.com/cb?code=sdc_") {
			t.Fatalf("the consent leads to %q", back)
		}
		v := p.get("/account/apps").says("Wonder <b>", "The Hall", scope.EventsRead.Words(), scope.TicketsRead.Words()).saysNot(scope.EventsWrite.Words())
		grants := read(h, func(q db.Querier) ([]oauth.Grant, error) { return oauth.GrantsOf(q, p.No) })
		if len(grants) != 1 {
			t.Fatalf("the grants are %+v", grants)
		}
		remove := "/account/apps/" + string(grants[0].ID) + "/remove"
		other.post(remove, other.get("/account").forms()[0].values).must(http.StatusNotFound)
		v.form(remove).submit().leads("/account/apps?done=removed").follow().says("has no access any more", "No app may act for you.")
		v.form(remove).submit().must(404).says("It is not there any more")
		entries := read(h, func(q db.Querier) ([]audit.Entry, error) {
			return audit.List(q, h.org.No, audit.Filter{Action: "grant.revoked", Limit: 9})
		})
		if len(entries) != 1 || entries[0].Actor != string(p.ID) || entries[0].Address != "192.0.2.1" {
			t.Errorf("the audit log says %+v", entries)
		}
	})
}
