package oauth

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"golang.org/x/net/html"
)

// browser is what a person looks at pages with. It keeps cookies, runs no scripts, and follows no redirect by itself.
type browser struct {
	s       *site
	client  *http.Client
	address string // that it says it comes from
}

func (s *site) browser() *browser {
	jar, _ := cookiejar.New(nil)
	c := *s.client
	c.Jar = jar
	n := serial.Add(1)
	return &browser{s, &c, fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)}
}

// page is what a browser got.
type page struct {
	reply
	b   *browser
	doc *html.Node
}

func (b *browser) load(t testing.TB, r *http.Request) *page {
	t.Helper()
	p := &page{reply: send(t, b.client, r), b: b}
	var err error
	if p.doc, err = html.Parse(bytes.NewReader(p.Body)); err != nil {
		t.Fatalf("%s is no HTML: %v", p.asked, err)
	}
	for _, f := range p.forms() {
		harness.Secret(f.values.Get("csrf"), f.values.Get("request"))
	}
	return p
}

func (b *browser) get(t testing.TB, path string, header ...string) *page {
	t.Helper()
	return b.load(t, b.s.request(t, "GET", path, nil, append([]string{"X-Forwarded-For", b.address}, header...)...))
}

func (b *browser) post(t testing.TB, path string, values url.Values, header ...string) *page {
	t.Helper()
	header = append([]string{"Content-Type", formType, "Origin", b.s.issuer, "X-Forwarded-For", b.address}, header...)
	return b.load(t, b.s.request(t, "POST", path, []byte(values.Encode()), header...))
}

// follow goes where pages of this server redirect to, until there is a page or the way leads to another server.
func (p *page) follow(t testing.TB) *page {
	t.Helper()
	for range 10 {
		to := p.Header.Get("Location")
		if to == "" {
			return p
		}
		u, err := p.URL.Parse(to)
		if err != nil {
			t.Fatalf("%s redirects to %q: %v", p.asked, to, err)
		}
		if u.Host != p.URL.Host {
			return p
		}
		p = p.b.get(t, u.RequestURI())
	}
	t.Fatalf("%s: redirects without end", p.asked)
	return nil
}

// location is where the page redirects to; it ends the test when it does not.
func (p *page) location(t testing.TB) *url.URL {
	t.Helper()
	u, err := url.Parse(p.Header.Get("Location"))
	if err != nil || p.Header.Get("Location") == "" {
		t.Fatalf("%s = %d with Location %q, want a redirect\n%s", p.asked, p.Status, p.Header.Get("Location"), p.words())
	}
	return u
}

// form is a form of a page, filled as the page says.
type form struct {
	action string
	values url.Values
	boxes  map[string][]string // what could be ticked or chosen, by name
}

func (p *page) forms() []*form {
	var all []*form
	for n := range p.doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == "form" && strings.EqualFold(attr(n, "method"), "post") {
			all = append(all, readForm(n))
		}
	}
	return all
}

// form returns the page's form that posts to a path; it ends the test when there is none.
func (p *page) form(t testing.TB, action string) *form {
	t.Helper()
	for _, f := range p.forms() {
		if path, _, _ := strings.Cut(f.action, "?"); path == action || f.action == "" && p.URL.Path == action {
			return f
		}
	}
	t.Fatalf("%s = %d has no form for %s\n%s", p.asked, p.Status, action, p.words())
	return nil
}

func readForm(n *html.Node) *form {
	f := &form{action: attr(n, "action"), values: url.Values{}, boxes: map[string][]string{}}
	for in := range n.Descendants() {
		if in.Type != html.ElementNode || attr(in, "name") == "" {
			continue
		}
		name, value := attr(in, "name"), attr(in, "value")
		switch kind := attr(in, "type"); {
		case in.Data == "select":
			f.choose(name, in)
		case in.Data == "input" && (kind == "checkbox" || kind == "radio"):
			f.boxes[name] = append(f.boxes[name], value)
			if has(in, "checked") {
				f.values.Add(name, value)
			}
		case in.Data == "input" && kind != "submit", in.Data == "textarea":
			f.values.Add(name, value)
		}
	}
	return f
}

func (f *form) choose(name string, in *html.Node) {
	chosen := ""
	for o := range in.Descendants() {
		if o.Type == html.ElementNode && o.Data == "option" {
			f.boxes[name] = append(f.boxes[name], attr(o, "value"))
			if chosen == "" || has(o, "selected") {
				chosen = attr(o, "value")
			}
		}
	}
	f.values.Set(name, chosen)
}

// with sets fields, given as names and values.
func (f *form) with(fields ...string) *form {
	for i := 0; i < len(fields); i += 2 {
		f.values.Set(fields[i], fields[i+1])
	}
	return f
}

// submit posts a form.
func (b *browser) submit(t testing.TB, f *form) *page {
	t.Helper()
	return b.post(t, f.action, f.values)
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// words is the text of the page, as a person reads it.
func (p *page) words() string {
	var b strings.Builder
	for n := range p.doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" && n.Parent.Data != "script" {
			b.WriteString(strings.Join(strings.Fields(n.Data), " ") + " ")
		}
	}
	return strings.TrimSpace(b.String())
}

// stays checks that a page is shown, which leads nowhere by itself.
func (p *page) stays(t testing.TB, status int) {
	t.Helper()
	if p.Status != status || p.Header.Get("Location") != "" || !strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%s?%.200s = %d with Location %q and Content-Type %q, want a page with %d\n%.300s",
			p.asked, p.URL.RawQuery, p.Status, p.Header.Get("Location"), p.Header.Get("Content-Type"), status, p.words())
	}
	if refresh := p.Header.Get("Refresh"); refresh != "" || bytes.Contains(bytes.ToLower(p.Body), []byte(`http-equiv="refresh"`)) {
		t.Errorf("%s refreshes itself", p.asked)
	}
}

// must ends the test unless the status is as wanted.
func (p *page) must(t testing.TB, status int) *page {
	t.Helper()
	if p.Status != status {
		t.Fatalf("%s = %d to %q, want %d\n%.600s", p.asked, p.Status, p.Header.Get("Location"), status, p.words())
	}
	return p
}
