package frame

import "net/url"

// PageSize is how many rows a page of a list has.
const PageSize = 50

// Pager is what stands below a list: where the next rows are, and back to the first.
type Pager struct {
	First string // address of the first page; "" on it
	Next  string // of the next page; "" on the last
	CSV   string // of the whole list as a file; "" where there is none
}

// Pager makes what stands below a list whose next page begins after a cursor; "" for the last page. The cursor is in the address as "after", and filters stay. csv tells
// whether the page answers ?format=csv too.
func (v *Visit) Pager(next string, csv bool) Pager {
	q := v.R.URL.Query()
	var p Pager
	if q.Get("after") != "" {
		p.First = v.address(q, "after", "")
	}
	if next != "" {
		p.Next = v.address(q, "after", next)
	}
	if csv {
		q.Del("after")
		p.CSV = v.address(q, "format", "csv")
	}
	return p
}

func (v *Visit) address(q url.Values, name, value string) string {
	changed := url.Values{}
	for n, values := range q {
		changed[n] = values
	}
	if value == "" {
		changed.Del(name)
	} else {
		changed.Set(name, value)
	}
	if len(changed) == 0 {
		return v.R.URL.Path
	}
	return v.R.URL.Path + "?" + changed.Encode()
}

// WantsCSV tells whether the list is wanted as a file.
func (v *Visit) WantsCSV() bool { return v.R.URL.Query().Get("format") == "csv" }
