// Package reference is the dashboard's pages that show what the API is: the operations and the webhooks of the server's own OpenAPI document (OpenAPI 3.1), for people.
//
// A page has the operations of one tag, or the webhooks of one format. What is shown is read from the document that the server hands out at /openapi.json, once, when the server starts: so it
// cannot say anything else.
package reference

import (
	"embed"
	"fmt"
	"net/http"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Config is what the pages stand on.
type Config struct {
	Document []byte // an OpenAPI document; nil for none
}

//go:embed pages/*.html
var files embed.FS

var pages = frame.Pages(files)

// room has the pages.
type room struct{ book book }

// New puts the pages on a frame. A document that cannot be read is a mistake of ours.
func New(f *frame.Frame, c Config) {
	r := &room{}
	if c.Document != nil {
		b, err := read(c.Document, f.PublicURL)
		if err != nil {
			panic(fmt.Sprintf("the API's document: %v", err))
		}
		r.book = b
	}
	f.Get("/reference", frame.Member, r.contents)
	f.Get("/reference/{chapter}", frame.Member, r.chapter)
}

func (r *room) contents(v *frame.Visit) error {
	return v.Show(pages, "contents", http.StatusOK, frame.View{Title: "API reference", At: "/reference", Data: r.book})
}

func (r *room) chapter(v *frame.Visit) error {
	for _, c := range append(r.book.Chapters, r.book.Webhooks...) {
		if c.Slug == v.R.PathValue("chapter") {
			return v.Show(pages, "chapter", http.StatusOK, frame.View{Title: c.Name, At: "/reference", Data: c})
		}
	}
	return problem.New(problem.NotFound, "no_such_page", "The API has no such part. Its contents are on the page before.")
}
