// Package dashboard tests the pages of the built binary in a real Chromium, as the people who use them would: each story once, on both databases where what the server keeps matters.
//
// A page fails its test when the browser's console has an error, when the content policy was violated, or when axe-core finds something serious. With STAGEDOOR_SCREENSHOTS=DIR
// (make screenshots), the main pages are also pictured there: light, dark, and on a phone.
package dashboard

import (
	"context"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) { // nobody has said
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))) // most of a story is waiting for the browser
	}
	code := harness.Main(m, false)
	if chromium.stop != nil {
		chromium.stop()
	}
	os.Exit(code)
}

// patience is how long a test waits for what should happen at once; test machines may be busy.
const patience = 90 * time.Second

// chromium is the browser that all tests of this process share. It lives as long as the process does, which is why it is kept here.
var chromium struct {
	sync.Once
	ctx  context.Context
	stop context.CancelFunc
	err  error
}

// browser starts Chromium; without, the test is passed over, but not where everything must be there.
func browser(t testing.TB) context.Context {
	t.Helper()
	path := program(t)
	chromium.Do(func() { chromium.ctx, chromium.stop, chromium.err = start(path) })
	if chromium.err != nil {
		t.Fatal(chromium.err)
	}
	return chromium.ctx
}

// program finds Chromium.
func program(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("Chromium is not installed: run scripts/deps")
	}
	t.Skip("Chromium is not installed (scripts/deps): no page was looked at")
	return ""
}

// start starts a browser.
func start(path string, more ...chromedp.ExecAllocatorOption) (context.Context, context.CancelFunc, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("force-color-profile", "srgb"))
	allocator, stopAll := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	ctx, stop := chromedp.NewContext(allocator)
	return ctx, func() { stop(); stopAll() }, chromedp.Do(ctx)
}

// tab is one tab in a browser profile of its own: it shares no cookie with others.
type tab struct {
	t    testing.TB
	ctx  context.Context
	base string // URL of the server
	org  string // id of the organisation whose pages are looked at

	mu       sync.Mutex // guards below
	troubles []string   // what the browser complained of
	offline  bool       // requests are expected to fail
}

// newTab opens a tab. What the browser complains of until the test's end fails the test.
func newTab(t testing.TB, base string) *tab {
	t.Helper()
	return newTabIn(t, browser(t), base, chromedp.WithNewBrowserContext())
}

func newTabIn(t testing.TB, browser context.Context, base string, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, stop := chromedp.NewContext(browser, options...)
	b := &tab{t: t, ctx: ctx, base: base}
	err := chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *cdpruntime.EventExceptionThrown:
			b.trouble("exception: " + ev.ExceptionDetails.Text + " " + described(ev.ExceptionDetails.Exception))
		case *cdpruntime.EventConsoleAPICalled:
			if ev.Type == cdpruntime.ConsoleAPICalledTypeError || ev.Type == cdpruntime.ConsoleAPICalledTypeAssert {
				text := ""
				for _, a := range ev.Args {
					text += " " + described(a)
				}
				b.trouble("console." + string(ev.Type) + ":" + text)
			}
		case *cdplog.EventEntryAdded:
			if ev.Entry.Level == "error" && !expected(ev.Entry) && !(b.isOffline() && ev.Entry.Source == "network") {
				b.trouble(string(ev.Entry.Source) + ": " + ev.Entry.Text + " " + ev.Entry.URL)
			}
		}
	})
	if err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, s := range b.troubles {
			t.Errorf("the browser complains: %s", s)
		}
	})
	return b
}

func described(o *cdpruntime.RemoteObject) string {
	if o == nil {
		return ""
	}
	if o.Description != "" {
		return o.Description
	}
	return string(o.Value)
}

// expected are complaints that a test provokes: a page that answers with a status of 4xx is one of ours, with its own words.
func expected(e *cdplog.Entry) bool {
	return e.Source == "network" && strings.Contains(e.Text, "status of 4")
}

// cut says whether requests are expected to fail from now on.
func (b *tab) cut(offline bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.offline = offline
}

func (b *tab) isOffline() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.offline
}

func (b *tab) trouble(s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.troubles = append(b.troubles, s)
}

// do makes steps in the browser, and ends the test when one cannot be made.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v\nat %s, which says:\n%.3000s", err, b.where(), b.words())
	}
}

// eval evaluates JavaScript and returns what came of it.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return v
}

func quoted(s string) string { j, _ := json.Marshal(s); return string(j) }

// open goes to a path: of the organisation's pages when it begins with "~", as "~/orders".
func (b *tab) open(path string) *tab {
	b.t.Helper()
	if after, ok := strings.CutPrefix(path, "~"); ok {
		path = "/o/" + b.org + after
	}
	b.do(chromedp.Navigate(b.base + path))
	return b
}

func (b *tab) where() string {
	s, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return s
}

// words is the text of the page as a person reads it.
func (b *tab) words() string {
	s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	if err != nil {
		return err.Error()
	}
	return s
}

// until waits for a JavaScript expression to be true.
func (b *tab) until(what, script string) *tab {
	b.t.Helper()
	end := time.Now().Add(patience)
	for {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("Boolean("+script+")"))
		if err == nil && ok {
			return b
		}
		if time.Now().After(end) {
			b.t.Fatalf("waited %s for %s (%v), at %s, which says:\n%.3000s", patience, what, err, b.where(), b.words())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// sees waits until the page says all of this.
func (b *tab) sees(texts ...string) *tab {
	b.t.Helper()
	for _, text := range texts {
		b.until("the page to say "+text, "document.body && document.body.innerText.includes("+quoted(text)+")")
	}
	return b
}

// seesNot checks that the page says nothing of this now.
func (b *tab) seesNot(texts ...string) *tab {
	b.t.Helper()
	words := b.words()
	for _, text := range texts {
		if strings.Contains(words, text) {
			b.t.Errorf("%s says %q:\n%s", b.where(), text, words)
		}
	}
	return b
}

// fill types into fields, given as names and values; a select is set, and a tick is set by "true" and "false".
func (b *tab) fill(fields ...string) *tab {
	b.t.Helper()
	for i := 0; i+1 < len(fields); i += 2 {
		b.until("a field "+fields[i], "document.querySelector("+quoted(fieldSelector(fields[i]))+")")
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => {
			const f = document.querySelector(%s), v = %s;
			if (f.type === 'checkbox' || f.type === 'radio') f.checked = v === 'true'; else f.value = v;
			f.dispatchEvent(new Event('input', {bubbles: true})); f.dispatchEvent(new Event('change', {bubbles: true}));
		})()`, quoted(fieldSelector(fields[i])), quoted(fields[i+1]))))
	}
	return b
}

// fieldSelector is the field of the page's content with a name; what begins with "#" is an id already.
func fieldSelector(name string) string {
	if strings.HasPrefix(name, "#") {
		return name
	}
	return "main [name='" + name + "']"
}

// press clicks the button or the link whose text this is, once it is there; the first of the page's content.
func (b *tab) press(text string) *tab {
	b.t.Helper()
	find := `[...document.querySelectorAll('main button, main a, main summary, nav a, header button')].find((e) => e.innerText.trim() === ` + quoted(text) + ` && e.offsetParent !== null && !e.disabled)`
	return b.until("something to press that says "+text, clicked(find))
}

// follow presses what leads to another page, and waits until that is there: for when the page before says already what the next one is to say.
func (b *tab) follow(text string) *tab {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void]("window.isBefore = true"))
	b.press(text)
	return b.until("the next page", "!window.isBefore && document.readyState === 'complete'")
}

// pressIn clicks the button or link of the row, card or item that says something.
func (b *tab) pressIn(row, text string) *tab {
	b.t.Helper()
	find := `[...document.querySelectorAll('main tr, main li, main section, main article')].filter((e) => e.innerText.includes(` + quoted(row) + `)).sort((a, b) => a.innerText.length - b.innerText.length)` +
		`.flatMap((r) => [...r.querySelectorAll('button, a, summary')]).find((e) => e.innerText.trim() === ` + quoted(text) + ` && e.offsetParent !== null)`
	return b.until("something to press beside "+row+" that says "+text, clicked(find))
}

// clicked is a script that clicks what another finds, and is true once that is there.
func clicked(find string) string { return `((e) => { e?.click(); return e })(` + find + `)` }

//go:embed client/package.json client/package-lock.json client/.npmrc
var client embed.FS

// sound checks the page with axe-core, and pictures it where that is asked for. The name is the picture's; "" for none.
func (b *tab) sound(name string) *tab {
	b.t.Helper()
	modules := harness.Modules(b.t, "dashboard", "client", client, "axe-core, which finds what keeps people from using a page, could not be installed")
	axe, err := os.ReadFile(filepath.Join(modules, "axe-core", "axe.min.js"))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, scheme := range []string{"light", "dark"} {
		b.scheme(scheme)
		b.do(chromedp.Evaluate[chromedp.Void](string(axe) + "; undefined"))
		found := eval[[]string](b, `axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical')
			.map((v) => v.impact + ' ' + v.id + ': ' + v.help + '\n' + v.nodes.slice(0, 5).map((n) => '    ' + n.html + '\n    ' + n.failureSummary).join('\n')))`)
		for _, f := range found {
			b.t.Errorf("%s (%s): axe-core finds %s", b.where(), scheme, f)
		}
		b.picture(name + "-" + scheme)
	}
	b.scheme("light")
	b.do(chromedp.EmulateViewport(390, 844))
	if wide := eval[int](b, `document.documentElement.scrollWidth`); wide > 391 {
		b.t.Errorf("%s is %d pixels wide on a phone of 390", b.where(), wide)
	}
	b.picture(name + "-phone")
	b.do(chromedp.EmulateViewport(1280, 900))
	return b
}

func (b *tab) scheme(s string) {
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s}}})
		return err
	}))
}

func (b *tab) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("STAGEDOOR_SCREENSHOTS")
	if dir == "" || strings.HasPrefix(name, "-") {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

var serial atomic.Int64

// hall is an organisation of the test's own, with an owner who can sign in.
type hall struct {
	*harness.Client // with a key that may do everything
	st              *harness.Stage
	slug, id        string
	email, password string
}

// newHall makes an organisation on a stage.
func newHall(t testing.TB, st *harness.Stage) *hall {
	t.Helper()
	n := serial.Add(1)
	slug, key := st.Org(t, fmt.Sprintf("Hall %d", n))
	h := &hall{Client: st.Client(key), st: st, slug: slug, email: fmt.Sprintf("owner%d@example.com", n), password: fmt.Sprintf("curtain rises %d times", n)}
	h.member(t, h.email, "owner")
	var all struct {
		Organisations []struct{ ID, Slug string }
	}
	if err := json.Unmarshal(st.Run(t, "org", "list", "--json"), &all); err != nil {
		t.Fatal(err)
	}
	for _, o := range all.Organisations {
		if o.Slug == slug {
			h.id = o.ID
		}
	}
	return h
}

// member makes a person with the owner's password and a role in the organisation.
func (h *hall) member(t testing.TB, email, role string) {
	t.Helper()
	h.st.Feed(t, h.password+"\n", "user", "create", email, "--org", h.slug, "--role", role, "--password-stdin", "--json")
}

// signIn opens a tab in which the owner is signed in, on the organisation's first page.
func (h *hall) signIn(t testing.TB) *tab { return h.signInAs(t, h.email) }

func (h *hall) signInAs(t testing.TB, email string) *tab {
	t.Helper()
	b := newTab(t, h.st.URL)
	b.org = h.id
	b.do(chromedp.EmulateViewport(1280, 900))
	b.open("/login").fill("email", email, "password", h.password).press("Sign in")
	b.until("the first page", "location.pathname === "+quoted("/o/"+h.id))
	return b
}

// before has a script run in each page that is loaded from now on, before the page's own.
func (b *tab) before(script string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	}))
}
