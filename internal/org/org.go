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
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/money"
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
func Create(tx *db.Tx, in Input) (Org, error) { panic("unwritten") }

// ByNumber finds an organisation by its number; org_not_found.
func ByNumber(q db.Querier, no int64) (Org, error) { panic("unwritten") }

// BySlug finds an organisation by its slug; org_not_found.
func BySlug(q db.Querier, slug string) (Org, error) { panic("unwritten") }

// All lists the organisations, oldest first.
func All(q db.Querier) ([]Org, error) { panic("unwritten") }
