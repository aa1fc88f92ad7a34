package endpoint

import (
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// A partner's interface may know of one webhook for each project. It is the oldest endpoint in the partner's format that its owner (the organisation itself, or an app) has made,
// by whichever way; and it is told of everything that the format carries.

// Sole returns that endpoint; nil when there is none.
func (b *Book) Sole(q db.Querier, whose Whose, format string) (*Endpoint, error) {
	const some = 100
	which := Page{Format: format, Limit: some}
	for {
		found, _, err := b.Page(q, whose, which)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			if e.Grant == whose.Grant { // the organisation's list has those of apps too
				return e, nil
			}
			which.After = e.Number
		}
		if len(found) < some {
			return nil, nil //nolint:nilnil // there is none
		}
	}
}

// SoleInput is what that endpoint is to be.
type SoleInput struct {
	URL    URL
	Secret *string // nil leaves what there is, "" has none sent: the format is [Static]
	// Sees is what an app's may be told of; it is asked only for one that is made, and may be nil for the organisation's own.
	Sees func(tx *db.Tx) (scope.Set, error)
}

// PutSole makes that endpoint, with what happens to one thing told in order, or changes it. One that failed for too long goes on, and one that its owner paused stays so. It fails as
// [Book.Create] and [Book.Update] do.
func (b *Book) PutSole(tx *db.Tx, whose Whose, format string, in SoleInput, by audit.By) (*Endpoint, error) {
	e, err := b.Sole(tx, whose, format)
	if err != nil {
		return nil, err
	}
	if e != nil {
		all := []string{Wildcard} // whatever was chosen for it elsewhere
		return b.Update(tx, whose, e.ID, Change{URL: &in.URL, Events: &all, Secret: in.Secret, Revive: true}, 0, by)
	}
	s := Spec{URL: in.URL, Format: format, Events: []string{Wildcard}, NoSecret: true, Options: Options{Ordered: true}, Grant: whose.Grant}
	if in.Secret != nil {
		s.Secret = *in.Secret
	}
	if in.Sees != nil && s.Grant != 0 {
		if s.Sees, err = in.Sees(tx); err != nil {
			return nil, err
		}
	}
	return b.Create(tx, whose.Org, s, by)
}
