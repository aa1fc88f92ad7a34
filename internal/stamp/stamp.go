// Package stamp keeps the stamps that people collect: what can be earned, who has it, and the passport that shows it.
//
// An [Album] keeps an organisation's stamp types. A [Type] has a name, art, a collection that it belongs to, and a [Rule] that says how it is earned:
//
//	checkin   by coming in, once for each event or once at all
//	count     by coming in to so many events, or so often
//	manual    by hand only; every other type can be awarded by hand too
//
// Rules follow the ledger: [Album.Follow] is a step of a follower and takes the door's facts, each of which has effect once. A [Stamp] belongs to a
// person by their e-mail address, so it is there for somebody who has no account yet and makes one later. Of each type a person has one stamp, or one
// for each event: a unique index says so. A stamp can be taken away (by hand, or by a check-in that was undone, where the rule says so) and given
// again; it stays the same stamp:
//
//	held ⇄ revoked
//
// What was taken away by hand comes back by hand only. Each step appends exactly one fact, whose subject is the stamp, and a stamp's version is the number of
// its facts. Asking for what is so already is a success that changes nothing.
//
// A [Passport] is what a person has in an organisation: their stamps, how complete each collection is, and how often they came in.
//
// Personal data (addresses, notes) is in no fact. Who is at the door, is the holder of the ticket at the moment at which its fact is taken.
package stamp

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

// Stamp is a stamp in somebody's passport.
type Stamp struct {
	No        int64 // the number that other tables carry
	ID        id.Stamp
	Type      Type
	Person    person.Address // whose it is; empty once erased
	EventID   id.Event       // where it was earned; empty where it was awarded for none
	TicketID  id.Ticket      // of whoever came in; may be empty
	CheckinID id.Checkin     // by which the rule was fulfilled; empty for those awarded by hand
	Reason    Reason         // of the award
	Actor     string         // who awarded it by hand: usr_…, key_…, gnt_…
	Note      string         // what they wrote, at most 1,000 characters; empty once erased
	AwardedAt time.Time
	RevokedAt time.Time // zero while it is held
	Version   int64     // how many facts it has

	org        int64
	revokedFor Reason
}

// Held tells whether the stamp is in the passport.
func (s Stamp) Held() bool { return s.RevokedAt.IsZero() }

// Reason says why a stamp was awarded or revoked.
type Reason string

// The reasons. The first three are those of awards.
const (
	ByCheckin Reason = "checkin"
	ByCount   Reason = "count"
	ByHand    Reason = "manual"
	Undone    Reason = "undone" // the check-in by which it was earned was undone
)

// Snapshot is the data of facts about stamps, as of that moment.
type Snapshot struct {
	StampID     id.Stamp      `json:"stampId"`
	StampTypeID id.StampType  `json:"stampTypeId"`
	Name        string        `json:"name"`
	Collection  string        `json:"collection"`
	EventID     id.Event      `json:"eventId,omitempty"`
	TicketID    id.Ticket     `json:"ticketId,omitempty"`
	CheckinID   id.Checkin    `json:"checkinId,omitempty"`
	AwardedAt   fact.Instant  `json:"awardedAt"`
	RevokedAt   *fact.Instant `json:"revokedAt,omitempty"` // stamp.revoked
	Reason      Reason        `json:"reason"`              // of the award, or of the revocation
	Version     int64         `json:"version"`
}

// Snapshot returns the stamp as facts show it.
func (s Stamp) Snapshot() Snapshot {
	shown := Snapshot{
		StampID: s.ID, StampTypeID: s.Type.ID, Name: s.Type.Name, Collection: s.Type.Collection, EventID: s.EventID, TicketID: s.TicketID,
		CheckinID: s.CheckinID, AwardedAt: fact.Instant(s.AwardedAt), Reason: s.Reason, Version: s.Version,
	}
	if !s.Held() {
		at := fact.Instant(s.RevokedAt)
		shown.RevokedAt, shown.Reason = &at, s.revokedFor
	}
	return shown
}

// told is the fact of the stamp's last step.
func (s Stamp) told() (*fact.Fact, error) {
	data, err := json.Marshal(s.Snapshot())
	if err != nil {
		return nil, err
	}
	kind := fact.StampAwarded
	if !s.Held() {
		kind = fact.StampRevoked
	}
	return &fact.Fact{Org: s.org, Kind: kind, Subject: string(s.ID), Version: s.Version, Data: data}, nil
}

// Ledger is where facts are written down.
type Ledger interface {
	Append(tx *db.Tx, facts ...*fact.Fact) error
}

// Album keeps stamp types and awards stamps.
type Album struct {
	ledger Ledger
}

// New makes an album.
func New(l Ledger) *Album { return &Album{ledger: l} }

// tell appends the facts that there are.
func (a *Album) tell(tx *db.Tx, facts ...*fact.Fact) error {
	facts = slices.DeleteFunc(facts, func(f *fact.Fact) bool { return f == nil })
	if len(facts) == 0 {
		return nil
	}
	if err := a.ledger.Append(tx, facts...); err != nil {
		return fmt.Errorf("append facts of stamps: %w", err)
	}
	return nil
}
