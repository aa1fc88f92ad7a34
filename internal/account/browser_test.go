package account_test

import (
	"bytes"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// browser keeps cookies, runs no scripts, and follows no redirect by itself.
type browser struct {
	h      *house
	client *http.Client
	header http.Header // that it sends with each request
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{h, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, http.Header{
		"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"},
	}}
}

// view is what a browser got.
type view struct {
	*browser
	path   string
	Status int
	Header http.Header
	Body   []byte
	doc    *html.Node
}

func (b *browser) do(method, path, kind, body string, header ...string) *view {
	b.h.t.Helper()
	r, err := http.NewRequestWithContext(b.h.t.Context(), method, b.h.server.URL+path, strings.NewReader(body))
	if err != nil {
		b.h.t.Fatal(err)
	}
	for name, values := range b.header {
		r.Header[name] = values
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.h.t.Fatal(err)
	}
	text, err := bodyOf(resp)
	if err != nil {
		b.h.t.Fatal(err)
	}
	doc, err := html.Parse(bytes.NewReader(text))
	if err != nil {
		b.h.t.Fatalf("%s %s is no HTML: %v", method, path, err)
	}
	return &view{b, path, resp.StatusCode, resp.Header, text, doc}
}

func (b *browser) get(path string) *view { b.h.t.Helper(); return b.do("GET", path, "", "") }

const formType = "application/x-www-form-urlencoded"

func (b *browser) post(path string, values url.Values, header ...string) *view {
	b.h.t.Helper()
	return b.do("POST", path, formType, values.Encode(), header...)
}

// signIn signs in on the page for it.
func (b *browser) signIn(email, password string) *view {
	b.h.t.Helper()
	return b.get("/login").form("/login").with("email", email, "password", password).submit()
}

// signedIn tells whether somebody is.
func (b *browser) signedIn() bool { b.h.t.Helper(); return b.get("/account").Status == 200 }

// cookie is the value of a cookie; "" for none.
func (b *browser) cookie(name string) string {
	u, _ := url.Parse(b.h.server.URL)
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// must ends the test unless the status is as wanted.
func (v *view) must(status int) *view {
	v.h.t.Helper()
	if v.Status != status {
		v.h.t.Fatalf("%s = %d to %q, want %d\n%.800s", v.path, v.Status, v.Header.Get("Location"), status, v.words())
	}
	return v
}

// leads ends the test unless the browser is sent on to the path.
func (v *view) leads(to string) *view {
	v.h.t.Helper()
	if v.must(303); v.Header.Get("Location") != to {
		v.h.t.Fatalf("%s leads to %q, want %q", v.path, v.Header.Get("Location"), to)
	}
	return v
}

// follow goes where the browser is sent on to.
func (v *view) follow() *view { v.h.t.Helper(); return v.must(303).get(v.Header.Get("Location")) }

// says checks that a person reads all of this on the page.
func (v *view) says(texts ...string) *view {
	v.h.t.Helper()
	words := v.words()
	for _, text := range texts {
		if !strings.Contains(words, text) {
			v.h.t.Errorf("%s does not say %q:\n%s", v.path, text, words)
		}
	}
	return v
}

// saysNot checks that a person reads nothing of this on the page.
func (v *view) saysNot(texts ...string) *view {
	v.h.t.Helper()
	words := v.words()
	for _, text := range texts {
		if strings.Contains(words, text) {
			v.h.t.Errorf("%s says %q:\n%s", v.path, text, words)
		}
	}
	return v
}

// words is the text of the page as a person reads it, with what stands in its fields.
func (v *view) words() string { return words(v.doc) }

func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == "input" && slices.Contains([]string{"text", "email"}, attr(d, "type")) {
			b.WriteString(" " + attr(d, "value") + " ")
		}
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
			if d.NextSibling == nil && !slices.Contains([]string{"bdi", "strong", "code", "a", "span"}, d.Parent.Data) {
				b.WriteString(" ")
			}
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// form is a form of a page, filled as the page says.
type form struct {
	v      *view
	action string
	values url.Values
	boxes  url.Values // what can be ticked or chosen
}

func (v *view) forms() []*form {
	var all []*form
	for n := range v.doc.Descendants() {
		if n.Data == "form" && n.Type == html.ElementNode {
			all = append(all, v.readForm(n))
		}
	}
	return all
}

func (v *view) readForm(n *html.Node) *form {
	f := &form{v, attr(n, "action"), url.Values{}, url.Values{}}
	if f.action == "" {
		f.action = v.path
	}
	for in := range n.Descendants() {
		name, kind := attr(in, "name"), attr(in, "type")
		switch {
		case in.Data == "input" && (kind == "checkbox" || kind == "radio"):
			f.boxes.Add(name, attr(in, "value"))
			if has(in, "checked") {
				f.values.Add(name, attr(in, "value"))
			}
		case in.Data == "input":
			f.values.Add(name, attr(in, "value"))
		case in.Data == "option":
			of := attr(in.Parent, "name")
			f.boxes.Add(of, attr(in, "value"))
			if !f.values.Has(of) || has(in, "selected") {
				f.values.Set(of, attr(in, "value"))
			}
		}
	}
	return f
}

// form returns the page's form for a path; it ends the test when there is none.
func (v *view) form(action string) *form {
	v.h.t.Helper()
	for _, f := range v.forms() {
		if f.action == action {
			return f
		}
	}
	v.h.t.Fatalf("%s = %d has no form for %s\n%s", v.path, v.Status, action, v.words())
	return nil
}

// with sets fields, given as names and values.
func (f *form) with(fields ...string) *form {
	for i := 0; i < len(fields); i += 2 {
		f.values.Set(fields[i], fields[i+1])
	}
	return f
}

func (f *form) submit(header ...string) *view {
	f.v.h.t.Helper()
	return f.v.post(f.action, f.values, header...)
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

// input is a field of a form of the page.
func (v *view) input(action, name string) *html.Node {
	v.h.t.Helper()
	for n := range v.doc.Descendants() {
		if n.Data != "form" || n.Type != html.ElementNode || attr(n, "action") != action {
			continue
		}
		for in := range n.Descendants() {
			if in.Data == "input" && attr(in, "name") == name {
				return in
			}
		}
	}
	v.h.t.Fatalf("%s has no field %s in a form for %s", v.path, name, action)
	return nil
}

// setCookie is a cookie that the page set.
func (v *view) setCookie(name string) *http.Cookie {
	v.h.t.Helper()
	for _, line := range v.Header.Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(line); err == nil && c.Name == name {
			return c
		}
	}
	v.h.t.Fatalf("%s sets no cookie %s: %q", v.path, name, v.Header.Values("Set-Cookie"))
	return nil
}
