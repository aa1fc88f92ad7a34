// Package org holds organisations, to which everything else belongs, and the API keys that their programs sign in with.
//
// An [Org] has a number that every other table carries and that never leaves the program, an id and a slug that do, and defaults for
// what its events leave out. A [Key] is shown once, when it is made: what is kept is its SHA-256, which recognises it and gives nothing
// away. [Authenticate] turns a presented key into a [Principal]: whose it is and what it may do.
//
// What may be done with which scope is the business of the faces; keeping Authenticate off the database for a second is that of
// package access.
package org

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Org is an organisation.
type Org struct {
	No        int64 // the number that other tables carry
	ID        id.Org
	Slug      string // 1 to 64 of a-z 0-9 -, for people and commands
	Name      string
	Currency  money.Currency // of events that name none
	Timezone  string         // IANA, of events that name none
	CreatedAt time.Time
}

// Input is what an organisation is made from.
type Input struct {
	Name     string         // 1 to 200 characters
	Slug     string         // derived from the name when empty
	Currency money.Currency // USD when empty
	Timezone string         // UTC when empty
}

// Create makes an organisation. A slug that was derived from the name is made unique; one that was given and is taken is a conflict,
// slug_taken.
func Create(tx *db.Tx, in Input) (Org, error) {
	o := Org{ID: id.NewOrg(), Slug: in.Slug, Name: strings.TrimSpace(in.Name), Currency: in.Currency, Timezone: in.Timezone, CreatedAt: tx.Now()}
	if o.Currency == "" {
		o.Currency = "USD"
	}
	if o.Timezone == "" {
		o.Timezone = "UTC"
	}
	if err := o.check(in.Slug != ""); err != nil {
		return Org{}, err
	}
	var err error
	if o.Slug, err = freeSlug(tx, o.Slug, o.Name); err != nil {
		return Org{}, err
	}
	o.No, err = db.One(tx, db.Value[int64], `
		INSERT INTO orgs (id, slug, name, currency, timezone, created_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING org_id`,
		o.ID, o.Slug, o.Name, o.Currency, o.Timezone, tx.Micros())
	if err != nil {
		return Org{}, fmt.Errorf("create organisation: %w", err)
	}
	return o, nil
}

func (o Org) check(slug bool) error {
	var f problem.Fields
	if n := utf8.RuneCountInString(o.Name); n < 1 || n > 200 || !utf8.ValidString(o.Name) || strings.ContainsFunc(o.Name, unicode.IsControl) {
		f.Add("/name", "invalid", "Give the organisation a name of 1 to 200 characters on one line.")
	}
	if slug && !validSlug(o.Slug) {
		f.Add("/slug", "invalid", "A slug has 1 to 64 of the characters a-z 0-9 -, and neither begins nor ends with -.")
	}
	if !o.Currency.Valid() {
		f.Add("/currency", "invalid", "%q is not a currency; use a code of ISO 4217 such as EUR.", o.Currency)
	}
	if _, err := time.LoadLocation(o.Timezone); err != nil || o.Timezone == "Local" {
		f.Add("/timezone", "invalid", "%q is not a time zone; use an IANA name such as Europe/Oslo.", o.Timezone)
	}
	return f.Err()
}

const columns = `org_id, id, slug, name, currency, timezone, created_at`

func scan(r db.Rows) (Org, error) {
	var o Org
	var created int64
	err := r.Scan(&o.No, &o.ID, &o.Slug, &o.Name, &o.Currency, &o.Timezone, &created)
	o.CreatedAt = time.UnixMicro(created).UTC()
	return o, err
}

// ByNumber finds an organisation by its number; org_not_found.
func ByNumber(q db.Querier, no int64) (Org, error) {
	o, err := db.One(q, scan, `SELECT `+columns+` FROM orgs WHERE org_id = $1`, no)
	if errors.Is(err, db.ErrNoRow) {
		return Org{}, problem.New(problem.NotFound, "org_not_found", "There is no such organisation.")
	}
	return o, err
}

// ByID finds an organisation by its id; org_not_found.
func ByID(q db.Querier, o id.Org) (Org, error) {
	found, err := db.One(q, scan, `SELECT `+columns+` FROM orgs WHERE id = $1`, o)
	if errors.Is(err, db.ErrNoRow) {
		return Org{}, problem.New(problem.NotFound, "org_not_found", "There is no such organisation.")
	}
	return found, err
}

// Only returns the one organisation that there is; false where there are more, or none.
func Only(q db.Querier) (Org, bool, error) {
	some, err := db.All(q, scan, `SELECT `+columns+` FROM orgs ORDER BY org_id LIMIT 2`)
	if err != nil || len(some) != 1 {
		return Org{}, false, err
	}
	return some[0], true, nil
}

// BySlug finds an organisation by its slug; org_not_found.
func BySlug(q db.Querier, slug string) (Org, error) {
	o, err := db.One(q, scan, `SELECT `+columns+` FROM orgs WHERE slug = $1`, slug)
	if errors.Is(err, db.ErrNoRow) {
		return Org{}, problem.New(problem.NotFound, "org_not_found", "There is no organisation with the slug %q.", slug)
	}
	return o, err
}

// All lists the organisations, oldest first.
func All(q db.Querier) ([]Org, error) {
	return db.All(q, scan, `SELECT `+columns+` FROM orgs ORDER BY org_id`)
}
