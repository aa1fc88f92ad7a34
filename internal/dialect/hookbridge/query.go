package hookbridge

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// query reads parameters and notes what is wrong with them. What nobody reads is ignored.
type query struct {
	values url.Values
	read   []string // names that a cursor is bound to, with their values
	faults problem.Fields
}

func (c *call) query() *query { return &query{values: c.request.URL.Query()} }

func (q *query) fault(name, detail string, args ...any) {
	var one problem.Fields
	one.Add(name, "invalid", detail, args...)
	one[0].In = "query"
	q.faults = append(q.faults, one...)
}

// text reads a parameter by which a list is filtered.
func (q *query) text(name string) string {
	s := q.values.Get(name)
	q.read = append(q.read, name, s)
	return s
}

// one reads a filter that is one of some words; usual where nothing is said.
func (q *query) one(name, usual string, words ...string) string {
	s := q.text(name)
	if s == "" {
		return usual
	}
	if !slices.Contains(words, s) {
		q.fault(name, "Use one of %s.", strings.Join(words, ", "))
		return usual
	}
	return s
}

// instant reads a filter by time; zero where nothing is said.
func (q *query) instant(name string) time.Time {
	s := q.text(name)
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		q.fault(name, "Expected a time with an offset, such as 2027-08-14T20:30:00Z; a + in a query is written %%2B.")
		return time.Time{}
	}
	return t.UTC()
}

// flag reads true or false; it is no filter.
func (q *query) flag(name string) bool {
	switch q.values.Get(name) {
	case "", "false":
	case "true":
		return true
	default:
		q.fault(name, "Use true or false.")
	}
	return false
}

// number reads a whole number between bounds; it is no filter.
func (q *query) number(name string, usual, least, most int) int {
	s := q.values.Get(name)
	if s == "" {
		return usual
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		q.fault(name, "Use a whole number from %d to %d.", least, most)
		return usual
	}
	return n
}

// place is where a page ended, of a list that is in order of an instant and then of a number. The zero place is before the first page.
type place struct {
	at time.Time
	no int64
}

const (
	cursorSize = 24 // a sum over the list and its filters, an instant, a number
	sumSize    = 8
)

// sum is what a cursor is bound to: the list, by its path, and its filters. It is asked for when all filters have been read.
func (q *query) sum(path string) []byte {
	h := sha256.New()
	for _, part := range append([]string{path}, q.read...) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	return h.Sum(nil)[:sumSize]
}

// cursor reads where the page before ended. It is asked for when all filters have been read.
func (q *query) cursor(path string) place {
	s := q.values.Get("cursor")
	if s == "" {
		return place{}
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != cursorSize || string(b[:sumSize]) != string(q.sum(path)) {
		q.fault("cursor", "This is no cursor of this list with these filters; begin again without it.")
		return place{}
	}
	return place{time.UnixMicro(int64(binary.BigEndian.Uint64(b[8:]))).UTC(), int64(binary.BigEndian.Uint64(b[16:]))}
}

// after is the end of a list's page: the cursor behind a place, if there is more.
func (q *query) after(path string, p place, more bool) *page {
	if !more {
		return &page{}
	}
	b := binary.BigEndian.AppendUint64(q.sum(path), uint64(p.at.UnixMicro()))
	b = binary.BigEndian.AppendUint64(b, uint64(p.no))
	return &page{more: true, next: base64.RawURLEncoding.EncodeToString(b)}
}
