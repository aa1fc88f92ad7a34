// Package gate is the door of a live event: it decides who comes in, and remembers who did, also where the devices had no network.
//
// A [Door] takes what was presented ([Door.Scan]) and answers with an [Outcome]. Whatever is presented leaves a [Checkin]: what was presented, when and
// where is written once and never changes. The rules are those of a [List], which belongs to an event: whom it admits, through which gates, when, how often,
// and whether people may come in again after they left. An event that has no default list of its own has one all the same, where each ticket is good for one
// entry. Devices are scanners with a credential of their own that is good for the door only; gates are names of places.
//
// What a check-in counts for is computed, by one function, from all that came through the door with the same ticket on the same list, in the order
// of (instant, device, the device's number): see [Door.Upload]. Of two entries without an exit between them the earlier one holds the entry, and the other is a
// conflict that names it. So whatever order uploads arrive in, the end is the same. What was scanned online is decided when it is scanned, and then stands
// after all that was known at that moment; an upload may still bring to light what came before it.
//
// Each check-in has at least one fact, and one more whenever it counts for something else than before; its last fact says what it counts for. The first
// admission of a ticket on a list is checkin.admitted, of which there is one, in whatever order things come to light. Later ones, after an exit, and
// those that take the place of one that was told already, are checkin.readmitted. No fact holds a code or personal data.
//
// At most one admission of a ticket on a list is open at a time, and its entries have the numbers 1, 2, …: indexes of the database see to both. A
// ticket's presence is inside as long as one of its admissions is open.
package gate

import (
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Ledger is where facts are written down.
type Ledger interface {
	Append(tx *db.Tx, facts ...*fact.Fact) error
}

// Codes tells what presented codes are worth. It is a [ticket.Roll].
type Codes interface {
	Present(ctx context.Context, q db.Querier, org int64, code string, at time.Time) (ticket.Presented, error)
}

// Door lets people in and out.
type Door struct {
	ledger Ledger
	codes  Codes
}

// New makes a door.
func New(l Ledger, c Codes) *Door { return &Door{ledger: l, codes: c} }

// skew is how far a device's word of when it scanned is taken for the check of a code that rotates.
const skew = 2 * time.Minute

// Look finds what a scan names: what its code is worth, its list and its gate. It is done outside of the transaction that will act on it, where nobody waits
// for it; [Door.Scan] looks again at what counts. It fails as Scan does.
func (d *Door) Look(ctx context.Context, q db.Querier, org int64, s *Scan, now time.Time) error {
	at := now
	if !s.ScannedAt.IsZero() && s.ScannedAt.After(now.Add(-skew)) && s.ScannedAt.Before(now) {
		at = s.ScannedAt
	}
	shown := ticket.Presented{Verdict: ticket.Genuine}
	var err error
	if s.Code == "" {
		shown.Ticket, err = ticket.ByID(q, org, s.Ticket)
		shown.Class = shown.Ticket.Class
	} else {
		shown, err = d.codes.Present(ctx, q, org, s.Code, at)
	}
	if err != nil {
		return err
	}
	s.seen = &seen{shown: shown}
	if s.seen.gate, err = s.By.gate(q, org, s.Gate); err != nil {
		return err
	}
	s.seen.list, err = s.list(q, org, shown.Ticket)
	return err
}
