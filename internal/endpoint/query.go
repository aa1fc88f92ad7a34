package endpoint

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

func (b *Book) scanLive(r db.Rows) (*Endpoint, error) {
	e, _, damaged, err := b.scan(r)
	return e, errors.Join(err, damaged)
}

// Whose says whose endpoints are meant. Others are not there.
type Whose struct {
	Org   int64
	Grant int64 // those that an app made on this grant; 0 for all of the organisation, which apps made too
}

// theirs is the condition that goes with [Whose]: $1 is the organisation, $2 the grant.
const theirs = `e.org_id = $1 AND (e.grant_no = $2 OR $2 = 0) AND e.deleted_at IS NULL`

// Get returns an endpoint, or a NotFound problem.
func (b *Book) Get(q db.Querier, whose Whose, i id.Webhook) (*Endpoint, error) {
	e, err := db.One(q, b.scanLive, "SELECT "+columns+from+" WHERE "+theirs+" AND e.id = $3", whose.Org, whose.Grant, i)
	if errors.Is(err, db.ErrNoRow) {
		return nil, problem.New(problem.NotFound, "webhook_not_found", "There is no webhook %s.", clip(string(i)))
	}
	return e, err
}

// ByNumber is Get for an endpoint's number, which partners' interfaces call its id; in one format.
func (b *Book) ByNumber(q db.Querier, whose Whose, format string, number int64) (*Endpoint, error) {
	e, err := db.One(q, b.scanLive, "SELECT "+columns+from+" WHERE "+theirs+" AND e.endpoint_id = $3 AND e.format = $4", whose.Org, whose.Grant, number, format)
	if errors.Is(err, db.ErrNoRow) {
		return nil, problem.New(problem.NotFound, "webhook_not_found", "There is no webhook %d.", number)
	}
	return e, err
}

func (b *Book) byNumber(q db.Querier, number int64) (*Endpoint, error) {
	return db.One(q, b.scanLive, "SELECT "+columns+from+" WHERE e.endpoint_id = $1 AND e.deleted_at IS NULL", number)
}

// List returns a page of endpoints, oldest first, and how many there are in all.
func (b *Book) List(q db.Querier, whose Whose, limit, offset int) ([]*Endpoint, int, error) {
	return b.Page(q, whose, Page{Limit: limit, Offset: offset})
}

// Page says which of a list are wanted.
type Page struct {
	Format string // "" for all
	Newest bool   // newest first, else oldest first: endpoints are numbered as they are made
	After  int64  // the number of the endpoint where the page before ended; 0 to begin
	Offset int    // how many are passed over
	Limit  int
}

// Page returns a part of a list and how many endpoints the whole has. Whoever goes through it by After sees each that was there all the time once.
func (b *Book) Page(q db.Querier, whose Whose, p Page) ([]*Endpoint, int, error) {
	where := theirs
	if p.Format != "" {
		where += " AND e.format = $3"
	} else {
		where += " AND $3 = ''"
	}
	total, err := db.One(q, db.Value[int], "SELECT count(*) FROM endpoints e WHERE "+where, whose.Org, whose.Grant, p.Format)
	if err != nil {
		return nil, 0, err
	}
	behind, order := " AND e.endpoint_id > $4", " ORDER BY e.endpoint_id"
	if p.Newest {
		behind, order = " AND e.endpoint_id < $4", order+" DESC"
		if p.After == 0 {
			p.After = math.MaxInt64
		}
	}
	all, err := db.All(q, b.scanLive, "SELECT "+columns+from+" WHERE "+where+behind+order+" LIMIT $5 OFFSET $6",
		whose.Org, whose.Grant, p.Format, p.After, p.Limit, p.Offset)
	return all, total, err
}

// Search selects endpoints for [Book.Find]. Zero fields select all.
type Search struct {
	Text     string // in the URL or the description, upper and lower case of A-Z alike
	Format   string // only those of one format
	Disabled bool   // only those that are off, by their owner or by the engine
	Failing  bool   // only those that have given nothing but failures for some time
	Before   int64  // the number of the endpoint where the page before ended; 0 to begin
	Limit    int
}

// Find returns endpoints, newest first, with their health, and whether there are more. Nothing is counted.
func (b *Book) Find(q db.Querier, whose Whose, s Search) (page []*Endpoint, more bool, err error) {
	if s.Before == 0 {
		s.Before = math.MaxInt64
	}
	sql, args := findText, []any{whose.Org, whose.Grant, s.Before, s.Limit + 1}
	if s.Text != "" {
		args = append(args, "%"+escapeLike.Replace(strings.ToLower(s.Text))+"%")
		sql += ` AND (lower(e.url) LIKE $5 ESCAPE '\' OR lower(e.description) LIKE $5 ESCAPE '\')`
	}
	if s.Format != "" {
		args = append(args, s.Format)
		sql += ` AND e.format = $` + strconv.Itoa(len(args))
	}
	if s.Disabled {
		sql += ` AND (NOT e.active OR e.disabled_reason <> '')`
	}
	if s.Failing {
		sql += ` AND h.failing_since IS NOT NULL`
	}
	page, err = db.All(q, b.scanLive, sql+` ORDER BY e.endpoint_id DESC LIMIT $4`, args...)
	if more = len(page) > s.Limit; more {
		page = page[:s.Limit]
	}
	return page, more, err
}

const findText = "SELECT " + columns + from + " WHERE " + theirs + " AND e.endpoint_id < $3"

var escapeLike = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// Tally is how many endpoints there are.
type Tally struct{ All, Disabled, Failing int }

// Count counts endpoints: all, those that are off, and those that have given nothing but failures for some time.
func (b *Book) Count(q db.Querier, whose Whose) (Tally, error) {
	return db.One(q, func(r db.Rows) (t Tally, err error) { return t, r.Scan(&t.All, &t.Disabled, &t.Failing) },
		`SELECT count(*), COALESCE(sum(CASE WHEN NOT e.active OR e.disabled_reason <> '' THEN 1 ELSE 0 END), 0), count(h.failing_since)`+from+` WHERE `+theirs,
		whose.Org, whose.Grant)
}
