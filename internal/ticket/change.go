package ticket

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// maxName is how many characters a holder's name has at most.
const maxName = 200

// Cancel voids one ticket and appends ticket.voided; what was offered of it is revoked. Its place stays the order's and no money moves: whoever
// wants the place on sale again cancels the order, whoever owes money refunds it. The fact is nil when the ticket was void already.
// version is If-Match, 0 for whatever there is. It fails with ticket_not_found and version_mismatch.
func (r *Roll) Cancel(tx *db.Tx, org int64, ticket id.Ticket, version int64) (Ticket, *fact.Fact, error) {
	t, err := lock(tx, org, ticket, version)
	if err != nil || t.Validity == Void {
		return t, nil, err
	}
	told, err := t.void(tx, TicketCancelled)
	if err == nil {
		err = r.written(tx, t, told...)
	}
	if err != nil || len(told) == 0 {
		return t, nil, err
	}
	return t, told[len(told)-1], nil
}

// Block keeps a valid ticket from admitting anybody and appends ticket.blocked; the fact is nil when it was blocked already. What was
// offered of it stays offered, and cannot be accepted meanwhile. It fails as Cancel does, and with invalid_transition.
func (r *Roll) Block(tx *db.Tx, org int64, ticket id.Ticket, version int64) (Ticket, *fact.Fact, error) {
	return r.become(tx, org, ticket, version, Blocked, fact.TicketBlocked)
}

// Unblock makes a blocked ticket valid again and appends ticket.unblocked; the fact is nil when it was valid already. It fails as Block does.
func (r *Roll) Unblock(tx *db.Tx, org int64, ticket id.Ticket, version int64) (Ticket, *fact.Fact, error) {
	return r.become(tx, org, ticket, version, Valid, fact.TicketUnblocked)
}

func (r *Roll) become(tx *db.Tx, org int64, ticket id.Ticket, version int64, to Validity, kind fact.Kind) (Ticket, *fact.Fact, error) {
	t, err := lock(tx, org, ticket, version)
	if err != nil || t.Validity == to {
		return t, nil, err
	}
	if err := mayGo(t.Validity, to); err != nil {
		return Ticket{}, nil, err
	}
	t.Validity = to
	f, err := t.step(tx, kind, nil)
	if err != nil {
		return Ticket{}, nil, err
	}
	return t, f, r.written(tx, t, f)
}

// SetPresence notes that a ticket's holder came in or went out. It appends no fact and leaves the version: what happened at the door is the
// door's to tell. Only a valid ticket lets somebody in (ticket_not_valid); everybody may leave.
func (r *Roll) SetPresence(tx *db.Tx, org int64, ticket id.Ticket, to Presence) (Ticket, error) {
	t, err := lock(tx, org, ticket, 0)
	if err != nil || t.Presence == to {
		return t, err
	}
	if to == Inside && t.Validity != Valid {
		return Ticket{}, problem.New(problem.Conflict, "ticket_not_valid", "The ticket is %s and lets nobody in.", t.Validity)
	}
	t.Presence, t.UpdatedAt = to, tx.Now()
	return t, update(tx, t)
}

// HolderChange says what to correct of a holder; nil leaves what there is.
type HolderChange struct {
	Version int64   // If-Match: the version that the change was made for; 0 for whatever there is
	Name    *string // at most 200 characters on one line, without @; may be empty
	Email   *string
}

func (c *HolderChange) check() error {
	var f problem.Fields
	if c.Name != nil {
		checkName(&f, "/holder/name", *c.Name)
	}
	if c.Email != nil {
		trimmed := strings.TrimSpace(*c.Email)
		if c.Email = &trimmed; !org.ValidEmail(trimmed) {
			f.Add("/holder/email", "invalid", "Give an e-mail address such as kari@example.com.")
		}
	}
	return f.Err()
}

// checkName keeps addresses out of names: a person is erased by their address, which must be found wherever it stands.
func checkName(f *problem.Fields, pointer, name string) {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) || strings.Contains(name, "@") {
		f.Add(pointer, "invalid", "Give a name of at most %d characters on one line, without @.", maxName)
	}
}

// SetHolder corrects who holds a ticket and appends ticket.changed; the fact is nil when nothing is another. It is a correction: the
// generation stays, so codes stay good. Giving a ticket to somebody else is a transfer. With another address, what was offered by the
// holder before is revoked. It fails with field errors, as Cancel does, and with invalid_transition for a void ticket.
func (r *Roll) SetHolder(tx *db.Tx, org int64, ticket id.Ticket, c HolderChange) (Ticket, *fact.Fact, error) {
	if err := c.check(); err != nil {
		return Ticket{}, nil, err
	}
	t, err := lock(tx, org, ticket, c.Version)
	if err != nil {
		return Ticket{}, nil, err
	}
	if t.Validity == Void {
		return Ticket{}, nil, problem.New(problem.Conflict, "invalid_transition", "The ticket is void, and its holder stays who it was.")
	}
	var told []*fact.Fact
	var changes []string
	if c.Name != nil && *c.Name != t.Holder.Name {
		t.Holder.Name, changes = *c.Name, append(changes, "holderName")
	}
	if c.Email != nil && *c.Email != t.Holder.Email {
		if !strings.EqualFold(*c.Email, t.Holder.Email) {
			if told, err = t.withdraw(tx); err != nil {
				return Ticket{}, nil, err
			}
		}
		t.Holder.Email, changes = *c.Email, append(changes, "holderEmail")
	}
	if changes == nil {
		return t, nil, nil
	}
	if t.Version == 0 { // not issued yet
		t.UpdatedAt = tx.Now()
		return t, nil, update(tx, t)
	}
	f, err := t.step(tx, fact.TicketChanged, func(s *Snapshot) { s.Changes = changes })
	if err != nil {
		return Ticket{}, nil, err
	}
	return t, f, r.written(tx, t, append(told, f)...)
}
