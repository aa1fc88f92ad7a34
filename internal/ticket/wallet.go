package ticket

import (
	"context"
	"fmt"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// WalletCode is what a wallet shows of a ticket. It is the same at any instant: where the event's codes rotate, the wallet makes the rest by itself.
type WalletCode struct {
	Static string        // all of the code, or what comes before "-", the Unix time, "-" and the password (RFC 6238, SHA-1, 8 digits)
	Step   time.Duration // how long a password is shown; 0 where codes do not rotate
	Secret []byte        // of the ticket's passwords; nil with it
	Short  string        // to type: XXXX-XXXX-XXXX
}

// WalletCode returns what a wallet shows of a ticket. It fails with ticket_without_code. Outside of a transaction, showing a short code for the first time writes
// it down in one of its own.
func (r *Roll) WalletCode(ctx context.Context, q db.Querier, t Ticket) (WalletCode, error) {
	if !t.HasCodes() {
		return WalletCode{}, problem.New(problem.Conflict, "ticket_without_code", "The ticket is %s; a valid one has a code.", t.Validity)
	}
	b, err := r.needCodebook(ctx, q, t.org)
	if err != nil {
		return WalletCode{}, err
	}
	c := WalletCode{}
	if c.Static, err = b.sign(t); err != nil {
		return WalletCode{}, fmt.Errorf("code of ticket %s: %w", t.ID, err)
	}
	if is, rotates := b.rotations[t.EventNo]; rotates {
		raw, _ := t.ID.Bytes() // it has been signed
		c.Step, c.Secret = is.Step, is.codes.Secret(raw, uint16(t.Generation))
	}
	c.Short, err = r.shortCode(ctx, q, b, t)
	return c, err
}
