package stubhub

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Pages have 100 items when nothing is said and 1,000 at most: who asks for more gets that many, and follows the links.
const (
	usualPage = 100
	mostPage  = 1000
)

// paging is what the query says of pages.
type paging struct {
	page   int // from 1
	size   int
	sort   string // one of the route's, "" for its first; "-" before it for descending
	desc   bool
	cursor []string // where the page before ended; nil for by number
}

// offset is how many items lie before the page, where it has no cursor.
func (p paging) offset() int { return (p.page - 1) * p.size }

// paging reads page, page_size, sort and cursor. sorts are the fields that the route sorts by, the usual one first.
func (c *call) paging(sorts ...string) (paging, error) {
	q := query{values: c.request.URL.Query()}
	p := paging{page: q.number("page", 1), size: min(q.number("page_size", usualPage), mostPage), sort: sorts[0]}
	if s := q.values.Get("sort"); s != "" {
		for name := range strings.SplitSeq(s, ",") { // the first decides, as no two items are alike in it
			if !slices.Contains(sorts, strings.TrimPrefix(name, "-")) {
				q.fault("sort", "Sort by one of %s, with - before it for the last first.", strings.Join(sorts, ", "))
			}
		}
		first, _, _ := strings.Cut(s, ",")
		p.sort, p.desc = strings.TrimPrefix(first, "-"), strings.HasPrefix(first, "-")
	}
	if s := q.values.Get("cursor"); s != "" {
		var ok bool
		if p.cursor, ok = openCursor(s, p.order()); !ok {
			q.fault("cursor", noCursor)
		}
	}
	return p, q.faults.Err()
}

func (p paging) order() string {
	if p.desc {
		return "-" + p.sort
	}
	return p.sort
}

// A cursor says in which order a list was and where its page ended.
func (p paging) closeCursor(ends ...string) string {
	b, err := json.Marshal(append([]string{p.order()}, ends...))
	if err != nil {
		panic(err) // texts only
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

const noCursor = "This is no cursor of a list in this order; begin again without it."

// badCursor refuses a cursor whose ends are not the route's.
func badCursor() error {
	var q query
	q.fault("cursor", noCursor)
	return q.faults.Err()
}

func openCursor(s, order string) ([]string, bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	var all []string
	if err != nil || json.Unmarshal(b, &all) != nil || len(all) < 2 || all[0] != order {
		return nil, false
	}
	return all[1:], true
}

// query reads parameters and notes what is wrong with them.
type query struct {
	values url.Values
	faults problem.Fields
}

func (q *query) fault(name, detail string, args ...any) {
	var one problem.Fields
	one.Add(name, "invalid", detail, args...)
	one[0].In = "query"
	q.faults = append(q.faults, one...)
}

// number reads a number from 1 on.
func (q *query) number(name string, usual int) int {
	s := q.values.Get(name)
	if s == "" {
		return usual
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 1 {
		q.fault(name, "Use a whole number from 1 on.")
		return usual
	}
	return int(n)
}

// collection is a page of a list.
type collection[T any] struct {
	TotalItems int   `json:"total_items"`
	Page       int   `json:"page"`
	PageSize   int   `json:"page_size"`
	Links      links `json:"_links"`
	Embedded   struct {
		Items []T `json:"items"`
	} `json:"_embedded"`
}

// withDeleted is a page that also tells of what is gone.
type withDeleted[T any] struct {
	TotalItems int   `json:"total_items"`
	Page       int   `json:"page"`
	PageSize   int   `json:"page_size"`
	Links      links `json:"_links"`
	Embedded   struct {
		DeletedItems []T `json:"deleted_items"`
		Items        []T `json:"items"`
	} `json:"_embedded"`
}

func (c *collection[T]) deleting(gone []T) withDeleted[T] {
	if gone == nil {
		gone = []T{}
	}
	w := withDeleted[T]{TotalItems: c.TotalItems, Page: c.Page, PageSize: c.PageSize, Links: c.Links}
	w.Embedded.DeletedItems, w.Embedded.Items = gone, c.Embedded.Items
	return w
}

// newCollection makes a page with its links. next is the cursor behind its last item, "" where the list ends with it; it stands beside page in the link, so that
// who follows the links misses nothing while items come and go.
func newCollection[T any](a *API, r *http.Request, p paging, items []T, total int, next string) *collection[T] {
	if items == nil {
		items = []T{}
	}
	c := &collection[T]{TotalItems: total, Page: p.page, PageSize: p.size, Links: links{}}
	c.Embedded.Items = items
	to := func(page int, cursor string) link {
		q := r.URL.Query()
		q.Set("page", strconv.Itoa(page))
		q.Set("page_size", strconv.Itoa(p.size))
		q.Del("cursor")
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		return link{Href: string(a.places) + r.URL.Path + "?" + q.Encode()}
	}
	c.Links["self"] = to(p.page, r.URL.Query().Get("cursor"))
	c.Links["first"] = to(1, "")
	c.Links["last"] = to(max(1, (total+p.size-1)/p.size), "")
	if next != "" {
		c.Links["next"] = to(p.page+1, strings.TrimPrefix(next, byNumber))
	}
	if p.page > 1 {
		c.Links["prev"] = to(p.page-1, "")
	}
	return c
}
