package org

import (
	"log/slog"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/seal"
)

// Apps is what people have allowed apps, which follows what becomes of people. The program wires package oauth's registry to it.
type Apps interface {
	// SignOut ends all tokens that apps have for a person. What the person has allowed stays.
	SignOut(tx *db.Tx, user int64, reason string) error
	// Reach says what a person may do in an organisation from now on. It is called inside of [db.DB.Configure].
	Reach(tx *db.Tx, org, user int64, may scope.Set) error
}

// PeopleConfig is what [People] stand on.
type PeopleConfig struct {
	DB   *db.DB
	Keys *seal.Keyring
	Apps Apps         // nil where nothing follows
	Log  *slog.Logger // slog.Default when nil

	// Weak has passwords hashed at next to no cost, which protects nobody: for tests whose subject is something else.
	Weak bool
}

// People signs people up and in, and knows what they are in which organisation. It is safe for use by many goroutines.
type People struct {
	PeopleConfig
	hashing chan struct{} // a place for each password that is being hashed: each takes 64 MiB
}

// NewPeople makes it.
func NewPeople(c PeopleConfig) *People {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &People{PeopleConfig: c, hashing: make(chan struct{}, maxHashing)}
}
