package account_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/stagedoorhq/stagedoor/internal/account"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// changing is what differs from run to run: secrets, ids, days.
var changing = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`name="csrf" value="[\w-]{43}"`), `name="csrf" value="CSRF"`},
	{regexp.MustCompile(`name="request" value="[0-9a-z]{52}"`), `name="request" value="REQUEST"`},
	{regexp.MustCompile(`\b(org|ses|tok|gnt|tkt)_[0-9a-z]{26}\b`), `${1}_ID`},
	{regexp.MustCompile(`\bsdp_[0-9a-z]{52}\b`), `sdp_SECRET`},
	{regexp.MustCompile(`\b[0-9a-z]{52}\b`), `SECRET`},
	{regexp.MustCompile(`\b\d{1,2} (January|February|March|April|May|June|July|August|September|October|November|December) \d{4}\b`), `DAY`},
	{regexp.MustCompile(`\b[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}\b`), `CODE`},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), `https://tickets.example.org`},
}

// golden compares a text with the file of that name.
func golden(t *testing.T, name, text string) {
	t.Helper()
	for _, c := range changing {
		text = c.what.ReplaceAllString(text, c.with)
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s differs, -want +got (make golden rewrites it):\n%s", name, diff)
	}
}

// TestPagesAreAsTheyWere shows every page, in its different states, and holds each to what every page has to keep.
func TestPagesAreAsTheyWere(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.stop(0)
		for name, v := range everyPage(h) {
			t.Run(name, func(t *testing.T) {
				golden(t, name+".html", string(v.Body))
				accessible(t, v)
			})
		}
	})
}

// everyPage are the pages that there are.
func everyPage(h *house) map[string]*view {
	b, p, a := h.browser(), h.person("kari@example.com", org.Owner), h.person("ola@example.com", "")
	all := map[string]*view{
		"sign-in":         b.get("/login?next=/account/apps"),
		"sign-in-made":    b.get("/login?made=1"),
		"sign-in-failed":  b.signIn("kari@example.com", "x"),
		"sign-in-again":   p.get("/login"),
		"sign-up":         b.get("/sign-up?next=/account/apps"),
		"sign-up-faults":  b.get("/sign-up").form("/sign-up").with("email", "ola", "name", strings.Repeat("x", 201), "password", password).submit(),
		"reset-ask":       b.get("/reset"),
		"reset-sent":      b.get("/reset").form("/reset").with("email", "nobody@example.com").submit(),
		"reset":           b.get(a.link(org.Reset)),
		"link-of-nothing": b.get("/reset/nonsense"),
		"verify":          a.get(a.link(org.Verification)),
		"verify-stranger": b.get(a.link(org.Verification)),
		"invitation":      b.get(h.invite("new@example.com", org.Staff)),
		"invitation-own":  a.get(h.invite("ola@example.com", org.Member)),
		"invitation-has":  b.get(h.invite("ola@example.com", org.Member)),
		"forged":          b.post("/login", nil),
		"account":         a.get("/account?done=name"),
		"apps-none":       a.get("/account/apps"),
		"code":            a.get("/oauth/device"),
	}
	all["offer"] = h.verified("eva@example.com").get("/offer/" + string(h.offer("eva@example.com").Ticket))
	app := h.app("Wonder", "https://wonder.example.com/cb", scope.EventsRead, scope.TicketsRead, scope.WebhooksManage)
	all["consent-attendee"] = a.get(app)
	all["consent"] = p.get(app)
	code := h.device(app)
	all["code-confirm"] = p.get("/oauth/device?user_code=" + code)
	all["consent-device"] = all["code-confirm"].form("/oauth/device/code").submit()
	all["consent"].form("/oauth/consent").with("decision", "allow").submit().must(303)
	all["apps"] = p.get("/account/apps")
	f := p.get("/account").form("/account/tokens").with("name", "Box office", "may", "ticked", "days", "30")
	all["account-token-faults"] = f.submit()
	f.values["scope"] = []string{"events:read", "tickets:read"}
	all["account-token"] = f.submit()
	all["account-owner"] = p.get("/account")
	p.join(h.newOrg("Another Hall"), org.Admin)
	all["consent-several"] = p.get(app)
	return all
}

func TestWithoutMailPagesAreAsTheyWere(t *testing.T) {
	some(t, options{noMail: true, noSignUp: true}, func(h *house) {
		for name, v := range map[string]*view{
			"sign-in-closed": h.browser().get("/login"), "reset-ask-no-mail": h.browser().get("/reset"), "sign-up-closed": h.browser().get("/sign-up"),
		} {
			golden(t, name+".html", string(v.Body))
			accessible(t, v)
		}
	})
}

func TestLettersAreAsTheyWere(t *testing.T) {
	some(t, options{}, func(h *house) {
		h.account("kari@example.com")
		for name, ask := range map[string]func(){
			"invitation": func() {
				h.pages.Invited(org.Link{Email: "a@example.com", Role: org.Staff}, "The Hall", strings.Repeat("s", 52))
			},
			"reset":        func() { h.browser().get("/reset").form("/reset").with("email", "kari@example.com").submit().must(200) },
			"verification": func() { signUp(h, "b@example.com") },
			"taken":        func() { signUp(h, "kari@example.com") },
			"offer": func() {
				h.pages.Offered(ticket.Transfer{
					Ticket: "tkt_00000000000000000000000000", To: "c@example.com", ExpiresAt: time.Date(2027, 8, 14, 18, 30, 0, 0, time.UTC),
				}, "The Hall", "Harbor Jazz Night")
			},
		} {
			before := len(h.letters())
			ask()
			all := h.letters()
			if len(all) != before+1 {
				t.Fatalf("%s: %d letters have come", name, len(all)-before)
			}
			l := all[before]
			golden(t, "letter-"+name+".txt", "To: "+l.To+"\nSubject: "+l.Subject+"\n\n"+l.Text)
		}
	})
}

func signUp(h *house, email string) {
	h.browser().get("/sign-up").form("/sign-up").with("email", email, "password", "another "+password).submit().must(303)
}

// accessible holds a page to what people need who do not see it, or have no mouse; and to the policy that it comes with.
func accessible(t *testing.T, v *view) {
	t.Helper()
	ids, labelled := map[string]bool{}, map[string]bool{}
	headings, mains, focused := 0, 0, 0
	for n := range v.doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("the id %s is there twice", id)
			}
			ids[id] = true
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s> has the attribute %s, which the policy forbids", n.Data, a.Key)
			}
		}
		switch n.Data {
		case "label":
			labelled[attr(n, "for")] = true
		case "h1":
			headings++
		case "main":
			mains++
		case "script", "style", "iframe", "object", "base", "img":
			t.Errorf("there is a <%s>", n.Data)
		case "html":
			if attr(n, "lang") != "en" {
				t.Error("the page does not say its language")
			}
		case "title":
			if title := words(n); !strings.HasSuffix(title, " · Stagedoor") {
				t.Errorf("the title is %q", title)
			}
		}
		if has(n, "autofocus") {
			focused++
		}
	}
	if headings != 1 || mains != 1 || focused > 1 {
		t.Errorf("the page has %d <h1>, %d <main> and %d fields with focus", headings, mains, focused)
	}
	for n := range v.doc.Descendants() {
		if n.Type == html.ElementNode {
			refers(t, n, ids, labelled)
		}
	}
}

// complete are the values of autocomplete that pages use.
var complete = []string{"username", "current-password", "new-password", "one-time-code", "name", "off"}

// refers checks what an element refers to, and is called by.
func refers(t *testing.T, n *html.Node, ids, labelled map[string]bool) {
	t.Helper()
	for _, name := range []string{"for", "aria-describedby", "aria-labelledby"} {
		for id := range strings.FieldsSeq(attr(n, name)) {
			if !ids[id] {
				t.Errorf("<%s> refers to %s, which is not there", n.Data, id)
			}
		}
	}
	for _, name := range []string{"href", "src", "action"} {
		to := attr(n, name)
		if to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) && (!strings.HasPrefix(to, "#") || !ids[to[1:]]) {
			t.Errorf("<%s> leads to %q", n.Data, to)
		}
	}
	kind := attr(n, "type")
	switch {
	case n.Data == "select" || n.Data == "input" && kind != "hidden":
		if !labelled[attr(n, "id")] {
			t.Errorf("the field %q has no label", attr(n, "name"))
		}
		if n.Data == "input" && kind != "checkbox" && kind != "radio" && !slices.Contains(complete, attr(n, "autocomplete")) {
			t.Errorf("the field %q has autocomplete %q", attr(n, "name"), attr(n, "autocomplete"))
		}
		if kind == "password" && has(n, "value") {
			t.Error("a password is shown again")
		}
	case n.Data == "button" && words(n) == "", n.Data == "a" && words(n) == "":
		t.Errorf("a <%s> says nothing", n.Data)
	case n.Data == "form":
		f := (&view{}).readForm(n)
		if attr(n, "method") != "post" || len(f.values.Get("csrf")) != 43 {
			t.Errorf("the form for %q has the method %q and the token %q", f.action, attr(n, "method"), f.values.Get("csrf"))
		}
	}
}

var property = regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`)

// TestTextCanBeRead computes the contrast of colours that stand on each other (WCAG 2.2, 1.4.3 and 1.4.11), in light and dark.
func TestTextCanBeRead(t *testing.T) {
	light, dark, ok := strings.Cut(account.StyleSheet(), "prefers-color-scheme: dark")
	if !ok {
		t.Fatal("there is no dark scheme")
	}
	for scheme, text := range map[string]string{"light": light, "dark": dark} {
		colors := map[string]string{}
		for _, m := range property.FindAllStringSubmatch(text, -1) {
			colors[m[1]] = m[2]
		}
		for _, c := range []struct {
			on   string
			text string
			min  float64
		}{
			{"paper", "ink quiet accent accent-strong", 4.5},
			{"card", "ink quiet accent accent-strong bad good", 4.5},
			{"well", "ink", 4.5},
			{"accent", "accent-ink", 4.5},
			{"accent-strong", "accent-ink", 4.5},
			{"good-paper", "good", 4.5},
			{"bad-paper", "bad", 4.5},
			{"card", "edge focus", 3},
			{"well", "edge", 3},
			{"paper", "focus", 3},
		} {
			for name := range strings.FieldsSeq(c.text) {
				if got := contrast(t, colors[name], colors[c.on]); got < c.min {
					t.Errorf("%s: --%s on --%s has a contrast of %.2f, want %.1f at least", scheme, name, c.on, got, c.min)
				}
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + .05) / (min(x, y) + .05)
}

func luminance(t *testing.T, color string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(color, "#"), 16, 32)
	if err != nil {
		t.Fatalf("the colour %q: %v", color, err)
	}
	part := func(shift int) float64 {
		c := float64(n>>shift&255) / 255
		if c <= .04045 {
			return c / 12.92
		}
		return math.Pow((c+.055)/1.055, 2.4)
	}
	return .2126*part(16) + .7152*part(8) + .0722*part(0)
}

// TestStyleSheetLoadsNothing: pages need nothing from elsewhere.
func TestStyleSheetLoadsNothing(t *testing.T) {
	for _, not := range []string{"url(", "@import", "@font-face", "image-set", "http:", "https:"} {
		if strings.Contains(account.StyleSheet(), not) {
			t.Errorf("the style sheet has %s in it", fmt.Sprintf("%q", not))
		}
	}
}
