package frame

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/stagedoorhq/stagedoor/internal/page"
)

//go:embed pages/*.html
var pageFiles embed.FS

// templates are pages by name, each made when it is first shown: a server that shows none has none in memory.
type templates struct {
	named map[string]func() *template.Template
}

// Templates are a room's pages by name: see [Pages].
type Templates = templates

// Pages reads a room's templates: pages/NAME.html is the page NAME and defines "body". What is in pages/_*.html can be used by all of them. A template sees a [View].
func Pages(files fs.FS) *Templates {
	base := template.Must(page.Pieces().ParseFS(pageFiles, "pages/_*.html"))
	if shared, _ := fs.Glob(files, "pages/_*.html"); len(shared) > 0 {
		base = template.Must(base.ParseFS(files, "pages/_*.html"))
	}
	all := &templates{map[string]func() *template.Template{}}
	names, err := fs.Glob(files, "pages/[a-z]*.html")
	if err != nil {
		panic(err) // the pattern is good
	}
	for _, file := range names {
		all.named[strings.TrimSuffix(path.Base(file), ".html")] = sync.OnceValue(func() *template.Template {
			return template.Must(template.Must(base.Clone()).ParseFS(files, file))
		})
	}
	return all
}

// Make makes all pages now. It panics over one that is wrong, which is a mistake of ours that a test finds.
func (t *templates) Make() (n int) {
	for _, made := range t.named {
		made()
		n++
	}
	return n
}

// View is what a template sees. Its methods (see words.go) show instants, amounts and fields.
type View struct {
	*Visit
	page.Complaints        // what is wrong with the form that was sent
	Title           string // of the page, without the product's name
	At              string // the path of the navigation's entry that the page belongs to, such as "/orders"
	Wide            bool   // the page uses the whole width
	Data            any    // what the page's own template shows
	Said            string // what was done
	CSRF            string
}

// Show answers with a page of a room.
func (v *Visit) Show(all *Templates, name string, status int, d View) error {
	d.Visit, d.CSRF = v, v.csrf
	if d.Said == "" {
		d.Said = v.said()
	}
	return v.render(all, name, "layout", status, d)
}

// Fragment answers with a template of a page alone, for htmx.
func (v *Visit) Fragment(all *Templates, name, part string, d View) error {
	d.Visit, d.CSRF = v, v.csrf
	return v.render(all, name, part, 200, d)
}

func (v *Visit) render(all *Templates, name, part string, status int, d View) error {
	made := all.named[name]
	if made == nil {
		return fmt.Errorf("there is no page %s", name)
	}
	var b bytes.Buffer
	if err := made().ExecuteTemplate(&b, part, d); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	page.Private(v.W.Header(), page.Policy{Scripts: true})
	v.W.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.W.Header().Set("Vary", "HX-Request, Cookie")
	v.W.WriteHeader(status)
	_, _ = v.W.Write(b.Bytes()) // the browser may be gone
	return nil
}
