package ticket

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/ticketcode"
)

// Verdict is what a presented code is worth. What the door's own rules say comes on top of it.
type Verdict string

// The verdicts. All but Genuine let nobody in.
const (
	Genuine      Verdict = "genuine"            // a current code of the ticket
	Unknown      Verdict = "unknown"            // no code of this organisation
	BadSignature Verdict = "bad_signature"      // it looks like a code, and nobody who may has signed it
	Outdated     Verdict = "revoked_generation" // of an earlier generation of the ticket
	NotYet       Verdict = "not_yet"            // before the ticket's window
	TooLate      Verdict = "too_late"           // after it
	NotCurrent   Verdict = "not_current"        // of an event whose codes rotate: a static one, or one of another moment, such as a picture
)

// Presented is what somebody showed at the door.
type Presented struct {
	Verdict Verdict
	Ticket  Ticket // the zero value where the verdict is Unknown or BadSignature
	Class   int    // which kind of ticket, for lists that admit some kinds only; 0 for the plain kind
}

// Present tells what a code is worth at an instant: an offline code ("SD1:…"), a rotating one, or a short one as people type it. It changes nothing. Where
// the codebook is in memory, it reads one row, and none for what no key has signed.
//
// The window is that which the ticket has now, whatever it had when the code was made.
func (r *Roll) Present(_ context.Context, q db.Querier, org int64, code string, at time.Time) (Presented, error) {
	b, err := r.codebook(q, org)
	if err != nil {
		return Presented{}, err
	}
	if b == nil { // nobody was ever shown a code
		return Presented{Verdict: Unknown}, nil
	}
	code = strings.TrimSpace(code) // of scanners that send a line end behind what they read; no code begins or ends with white space
	if strings.HasPrefix(code, ticketcode.Prefix) {
		return r.presentSigned(q, org, b, code, at)
	}
	short, err := ticketcode.ParseShortCode(code)
	if err != nil {
		return Presented{Verdict: Unknown}, nil //nolint:nilerr // what is wrong with it is nobody's concern
	}
	var generation int
	t, err := db.One(q, func(rows db.Rows) (Ticket, error) { return scanWith(rows, &generation) }, `SELECT `+columns+`, s.generation
		FROM ticket_short_codes s JOIN tickets t ON t.ticket_no = s.ticket_no WHERE s.org_id = $1 AND s.lookup = $2`, org, b.lookup(short))
	return judged(t, err, generation, at)
}

// presentSigned judges a code that says that it is signed.
func (r *Roll) presentSigned(q db.Querier, org int64, b *codebook, code string, at time.Time) (Presented, error) {
	static := code
	if len(code) == ticketcode.RotatingLen {
		static = code[:ticketcode.TextLen]
	}
	token, err := b.verify(static, at)
	if errors.Is(err, ticketcode.UnknownKey) && time.Since(b.read) > fresh/10 { // another node may have made a key just now
		r.forget(org, b)
		if b, err = r.codebook(q, org); err != nil || b == nil {
			return Presented{Verdict: Unknown}, err
		}
		token, err = b.verify(static, at)
	}
	switch {
	case errors.Is(err, ticketcode.UnknownKey), errors.Is(err, ticketcode.BadSignature):
		return Presented{Verdict: BadSignature}, nil
	case err != nil:
		return Presented{Verdict: Unknown}, nil //nolint:nilerr // the verdict says it
	}
	no, mark := int64(binary.BigEndian.Uint64(token.Ticket[:8])), int64(binary.BigEndian.Uint64(token.Ticket[8:]))
	t, err := db.One(q, scan, selectTicket+`WHERE t.ticket_no = $1 AND t.mark = $2 AND t.org_id = $3`, no, mark, org)
	p, err := judged(t, err, int(token.Generation), at)
	if err != nil || p.Verdict != Genuine {
		return p, err
	}
	if is, rotates := b.rotations[t.EventNo]; rotates {
		if _, err := is.codes.Verify(b.keys, code, at); err != nil && !outsideWindow(err) {
			p.Verdict = NotCurrent
		}
	}
	return p, nil
}

// verify tells whether the organisation has signed a static code. Whether now lies in the window that it says is not asked.
func (b *codebook) verify(static string, at time.Time) (ticketcode.Token, error) {
	token, err := b.keys.Verify(static, at)
	if outsideWindow(err) {
		return ticketcode.ParseUnverified(static)
	}
	return token, err
}

// outsideWindow tells whether a code is genuine but for its window.
func outsideWindow(err error) bool {
	return errors.Is(err, ticketcode.NotYet) || errors.Is(err, ticketcode.TooLate)
}

// judged is the verdict on a genuine code of a generation of the ticket that was found.
func judged(t Ticket, err error, generation int, at time.Time) (Presented, error) {
	if errors.Is(err, db.ErrNoRow) {
		return Presented{Verdict: Unknown}, nil
	}
	if err != nil {
		return Presented{}, fmt.Errorf("ticket of a code: %w", err)
	}
	p := Presented{Verdict: Genuine, Ticket: t, Class: t.Class}
	switch {
	case generation != t.Generation:
		p.Verdict = Outdated
	case !t.ValidFrom.IsZero() && at.Before(t.ValidFrom):
		p.Verdict = NotYet
	case !t.ValidUntil.IsZero() && !at.Before(t.ValidUntil):
		p.Verdict = TooLate
	}
	return p, nil
}

// forget has the next look at a codebook read it anew.
func (r *Roll) forget(org int64, b *codebook) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.books[org] == b {
		delete(r.books, org)
	}
}
