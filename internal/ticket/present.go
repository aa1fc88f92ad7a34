package ticket

import (
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
)

// Verdict is what a presented code is worth. What the door's own rules say comes on top of it.
type Verdict string

// The verdicts.
const (
	Genuine      Verdict = "genuine"            // a current code of the ticket
	Unknown      Verdict = "unknown"            // no code of this organisation
	BadSignature Verdict = "bad_signature"      // it looks like a code, and nobody who may has signed it
	Outdated     Verdict = "revoked_generation" // of an earlier generation of the ticket
	NotYet       Verdict = "not_yet"            // before the ticket's window
	TooLate      Verdict = "too_late"           // after it
)

// Presented is what somebody showed at the door.
type Presented struct {
	Verdict Verdict
	Ticket  Ticket // the zero value where the verdict is Unknown or BadSignature
	Class   int    // which kind of ticket, for lists that admit some kinds only; 0 for the plain kind
}

// Present tells what a code is worth at an instant: an offline code ("SD1:…"), a rotating one, or a short one as people type it. It changes nothing.
func (r *Roll) Present(ctx context.Context, q db.Querier, org int64, code string, at time.Time) (Presented, error) {
	panic("ticket: codes are not wired yet")
}
