package stamp

import (
	"errors"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Award says to whom a stamp is given by hand: one of Email and Ticket.
type Award struct {
	Email  string    // an e-mail address
	Ticket id.Ticket // whose holder has it
	Event  id.Event  // where it was earned; that of the ticket, or none, when empty
	Note   string    // at most 1,000 characters
	Actor  string    // who awards it: usr_…, key_…, gnt_…
}

// Award gives a stamp by hand and appends stamp.awarded; the fact is nil when the person has it already. It fails with field errors, stamp_type_not_found,
// stamp_type_retired, ticket_not_found, event_not_found and nobody_holds_it.
func (a *Album) Award(tx *db.Tx, org int64, one id.StampType, in Award) (Stamp, *fact.Fact, error) {
	t, err := lockType(tx, org, one)
	if err != nil {
		return Stamp{}, nil, err
	}
	if t.Retired() {
		return Stamp{}, nil, errRetired()
	}
	s := Stamp{Type: t, Reason: ByHand, Actor: in.Actor, org: org}
	if err := s.fill(tx, in); err != nil {
		return Stamp{}, nil, err
	}
	s, f, err := give(tx, s)
	if err == nil {
		err = a.tell(tx, f)
	}
	return s, f, err
}

// fill checks what is to be given to whom.
func (s *Stamp) fill(tx *db.Tx, in Award) error {
	var f problem.Fields
	s.Note = prose(&f, "/note", in.Note, 1_000)
	switch {
	case (in.Email == "") == (in.Ticket == ""):
		f.Add("/email", "one_of", "Say to whom: one of user, email and ticketId.")
	case in.Email != "" && !org.ValidEmail(in.Email):
		f.Add("/email", "invalid", "Give an e-mail address such as kari@example.com.")
	}
	if s.Type.Rule.Repeat == PerEvent && in.Event == "" && in.Ticket == "" {
		f.Add("/eventId", "required", "This stamp is had once for each event: say for which.")
	}
	if err := f.Err(); err != nil {
		return err
	}
	s.Person, s.EventID, s.TicketID = person.Of(in.Email), in.Event, in.Ticket
	if in.Ticket != "" {
		t, err := ticket.ByID(tx, s.org, in.Ticket)
		switch {
		case err != nil:
			return err
		case t.Holder.Email == "":
			return problem.New(problem.Conflict, "nobody_holds_it", "The ticket has no holder any more; name somebody by e-mail address.")
		case s.EventID != "" && s.EventID != t.EventID:
			return problem.Field("/eventId", "another_event", "The ticket is for another event; leave eventId out.")
		}
		s.Person, s.EventID = person.Of(t.Holder.Email), t.EventID
	}
	if s.EventID == "" {
		return nil
	}
	_, err := event.ByID(tx, s.org, s.EventID)
	return err
}

// give puts a stamp into a passport, whose type is locked, and returns its fact, which is nil when it is there already, or was taken away by hand and is not
// given by hand.
func give(tx *db.Tx, s Stamp) (Stamp, *fact.Fact, error) {
	onceIn := s.Type.Rule.onceIn(s.EventID)
	s.ID, s.AwardedAt, s.Version = id.NewStamp(), tx.Now(), 1
	no, err := db.One(tx, db.Value[int64], `INSERT INTO stamps (org_id, id, type_no, person, once_in, event_id, ticket_id, checkin_id, reason, actor, note, awarded_at, revoked_for,
			version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '', 1)
		ON CONFLICT (type_no, person, once_in) WHERE person <> '' DO NOTHING RETURNING stamp_no`,
		s.org, s.ID, s.Type.No, string(s.Person), onceIn, s.EventID, s.TicketID, s.CheckinID, s.Reason, s.Actor, s.Note, s.AwardedAt.UnixMicro())
	if err == nil {
		s.No = no
		f, err := s.told()
		return s, f, err
	}
	if !errors.Is(err, db.ErrNoRow) {
		return Stamp{}, nil, fmt.Errorf("award stamp: %w", err)
	}
	has, err := db.One(tx, scanStamp, selectStamp+`WHERE s.type_no = $1 AND s.person = $2 AND s.once_in = $3`, s.Type.No, string(s.Person), onceIn)
	if err != nil {
		return Stamp{}, nil, fmt.Errorf("award stamp: %w", err)
	}
	if has.Held() || has.revokedFor == ByHand && s.Reason != ByHand {
		return has, nil, nil
	}
	s.No, s.ID, s.Version = has.No, has.ID, has.Version+1
	_, err = tx.Exec(`UPDATE stamps SET event_id = $2, ticket_id = $3, checkin_id = $4, reason = $5, actor = $6, note = $7, awarded_at = $8, revoked_at = NULL,
		revoked_for = '', version = $9 WHERE stamp_no = $1`, s.No, s.EventID, s.TicketID, s.CheckinID, s.Reason, s.Actor, s.Note, s.AwardedAt.UnixMicro(), s.Version)
	if err != nil {
		return Stamp{}, nil, fmt.Errorf("award stamp again: %w", err)
	}
	f, err := s.told()
	return s, f, err
}

// Revoke takes a stamp away by hand and appends stamp.revoked; the fact is nil when it was taken away already. It fails with stamp_not_found.
func (a *Album) Revoke(tx *db.Tx, org int64, one id.Stamp) (Stamp, *fact.Fact, error) {
	find := func() (Stamp, error) {
		s, err := db.One(tx, scanStamp, selectStamp+`WHERE s.org_id = $1 AND s.id = $2`, org, one)
		if errors.Is(err, db.ErrNoRow) {
			return Stamp{}, problem.New(problem.NotFound, "stamp_not_found", "There is no such stamp here.")
		}
		return s, err
	}
	s, err := find()
	if err == nil {
		_, err = lockType(tx, org, s.Type.ID)
	}
	if err == nil {
		s, err = find() // as it is now
	}
	if err != nil {
		return Stamp{}, nil, fmt.Errorf("revoke stamp: %w", err)
	}
	s, f, err := take(tx, s, ByHand)
	if err == nil {
		err = a.tell(tx, f)
	}
	return s, f, err
}

// take takes a stamp, whose type is locked, out of a passport and returns its fact, which is nil when it is not in there.
func take(tx *db.Tx, s Stamp, why Reason) (Stamp, *fact.Fact, error) {
	had := s.Held()
	if !had && (why != ByHand || s.revokedFor == ByHand) {
		return s, nil, nil
	}
	s.revokedFor = why // also of what was undone: by hand is for good
	if had {
		s.RevokedAt, s.Version = tx.Now(), s.Version+1
	}
	_, err := tx.Exec(`UPDATE stamps SET revoked_at = $2, revoked_for = $3, version = $4 WHERE stamp_no = $1`, s.No, s.RevokedAt.UnixMicro(), why, s.Version)
	if err != nil || !had {
		return s, nil, err
	}
	f, err := s.told()
	return s, f, err
}
