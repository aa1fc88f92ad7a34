package native

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Paging are the parameters that every list takes.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many at most."`
	Offset int    `query:"offset" minimum:"0" maximum:"1000000000" default:"0" doc:"How many to pass over. Not with cursor."`
	Cursor string `query:"cursor" maxLength:"400" doc:"Goes on where a former page ended: its meta.pagination.nextCursor, with the same filters."`
}

// list is the envelope of lists.
type list[T, F any] struct {
	Data []T         `json:"data" nullable:"false"`
	Meta listMeta[F] `json:"meta"`
}

type listMeta[F any] struct {
	Pagination paginationJSON `json:"pagination"`
	Filters    F              `json:"filters" doc:"What the list was asked for; null where nothing was said."`
}

type paginationJSON struct {
	Total      int     `json:"total" doc:"How many there are on all pages."`
	Limit      int     `json:"limit"`
	Offset     int     `json:"offset"`
	HasMore    bool    `json:"hasMore"`
	NextOffset *int    `json:"nextOffset" doc:"null on the last page."`
	NextCursor *string `json:"nextCursor" doc:"null on the last page."`
}

// place is where a page begins.
type place struct {
	offset int
	after  string // the last item of the page before, for lists that go on from an item; else empty
	bind   []byte // what a cursor is bound to
}

// place finds where the page begins. A cursor is bound to its list: organisation, kind and filters. That keeps mistakes apart, not attackers:
// a cursor says where to go on and nothing about what may be seen.
func (p Paging) place(c *call, kind string, filters any) (place, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %+v", c.Org, kind, filters))
	at := place{offset: p.Offset, bind: sum[:6]}
	if p.Cursor == "" {
		return at, nil
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(p.Cursor)
	if err != nil || len(raw) < len(at.bind) || string(raw[:len(at.bind)]) != string(at.bind) {
		return place{}, badCursor()
	}
	offset, n := binary.Uvarint(raw[len(at.bind):])
	if n <= 0 || offset > 1_000_000_000 {
		return place{}, badCursor()
	}
	at.offset, at.after = int(offset), string(raw[len(at.bind)+n:])
	return at, nil
}

func badCursor() error {
	return &problem.Error{
		Kind: problem.Invalid, Code: "validation_failed", Detail: "The request is not valid; see errors.",
		Fields: []problem.FieldError{{
			Pointer: "cursor", In: "query", Code: "invalid_cursor",
			Detail: "Take the cursor from meta.pagination.nextCursor of a former page, and keep the filters as they were.",
		}},
	}
}

func (at place) cursor(offset int, after string) string {
	raw := binary.AppendUvarint(append([]byte(nil), at.bind...), uint64(offset))
	return base64.RawURLEncoding.EncodeToString(append(raw, after...))
}

// newList makes a page. after names the item that a next page goes on from, for lists that do so.
func newList[T, F any](p Paging, at place, data []T, total int, filters F, after string) list[T, F] {
	l := list[T, F]{Data: data, Meta: listMeta[F]{Filters: filters, Pagination: paginationJSON{Total: total, Limit: p.Limit, Offset: at.offset}}}
	if data == nil {
		l.Data = []T{}
	}
	if next := at.offset + len(data); len(data) > 0 && next < total {
		cursor := at.cursor(next, after)
		l.Meta.Pagination.HasMore, l.Meta.Pagination.NextOffset, l.Meta.Pagination.NextCursor = true, &next, &cursor
	}
	return l
}
