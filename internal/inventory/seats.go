package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// mayReplace checks what was sold against a new section, row or seats.
func (l Listing) mayReplace(tx *db.Tx, org int64, before Listing) error {
	moved := l.Section != before.Section || l.Row != before.Row
	if !moved && slices.Equal(l.Seats, before.Seats) {
		return nil
	}
	if l.Held+l.Sold > 0 {
		last, err := db.One(tx, db.Value[int], `SELECT COALESCE(MAX(ordinal), -1) FROM claims WHERE listing_no = $1`, l.No)
		if err != nil {
			return fmt.Errorf("look for sold seats of listing %s: %w", l.ID, err)
		}
		same := 0
		for same < min(len(l.Seats), len(before.Seats)) && l.Seats[same] == before.Seats[same] {
			same++
		}
		if moved || last >= same {
			return problem.New(problem.Conflict, "listing_has_sales",
				"Tickets of this listing are sold: section and row stay, and so do the seats up to the last one that is sold.")
		}
	}
	return l.checkSeatsFree(tx, org)
}

// dropSeats forgets what was free behind the end of a shorter list of seats.
func (l *Listing) dropSeats(tx *db.Tx, before Listing) error {
	if l.Seats == nil || l.highWater <= len(l.Seats) {
		return nil
	}
	l.highWater = len(l.Seats)
	tx.Forget(knownGaps{l.No})
	if err := tx.Later(`DELETE FROM gaps WHERE listing_no = $1 AND ordinal >= $2`, l.No, l.highWater); err != nil {
		return fmt.Errorf("drop seats of listing %s: %w", before.ID, err)
	}
	return nil
}

// checkSeatsFree makes sure that no other listing of the event offers or has sold one of the seats; seat_taken.
func (l Listing) checkSeatsFree(tx *db.Tx, org int64) error {
	if l.Seats == nil {
		return nil
	}
	others, err := db.All(tx, scan, `SELECT `+columns+` FROM listings l WHERE l.org_id = $1 AND l.event_no = $2 AND l.section = $3 AND l.row_name = $4
		AND l.seats IS NOT NULL AND l.status NOT IN ('withdrawn', 'expired') AND l.listing_no <> $5`, org, l.EventNo, l.Section, l.Row, l.No)
	if err != nil {
		return fmt.Errorf("look for seats of others: %w", err)
	}
	taken, err := db.All(tx, db.Value[string], `SELECT seat FROM claims WHERE org_id = $1 AND event_no = $2 AND section = $3 AND row_name = $4
		AND seat IS NOT NULL AND listing_no <> $5`, org, l.EventNo, l.Section, l.Row, l.No)
	if err != nil {
		return fmt.Errorf("look for sold seats: %w", err)
	}
	for _, o := range others {
		if o.AsOf(tx.Now()).Status != Expired {
			taken = append(taken, o.Seats...)
		}
	}
	if both := slices.DeleteFunc(slices.Clone(l.Seats), func(s string) bool { return !slices.Contains(taken, s) }); len(both) > 0 {
		return problem.New(problem.Conflict, "seat_taken", "Another listing of this event has section %s, row %s, seat %s.",
			l.Section, l.Row, strings.Join(both[:min(len(both), 10)], ", "))
	}
	return nil
}
