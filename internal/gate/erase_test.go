package gate_test

import (
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/person"
)

func TestNotesAreErasedWithThePerson(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		hers, other, quiet := h.ticket(), h.ticket(), h.ticket()
		h.scan(gate.Scan{Ticket: hers, Note: "on crutches"})
		named := h.scan(gate.Scan{Ticket: other, Note: "vouched for by " + kari})
		left := h.scan(gate.Scan{Ticket: quiet, Note: "left a bag"})
		q := h.db.Read(t.Context())
		found, next, err := gate.Mentions(q, house, "", person.Of(kari))
		if err != nil || len(found) != 1 || found[0] != named.Checkin.ID || next != "" {
			t.Fatalf("Mentions = %v, %q, %v; want the one note with the address", found, next, err)
		}
		h.write(func(tx *db.Tx) error {
			if err := gate.EraseNotes(tx, house, found); err != nil {
				return err
			}
			n, err := gate.EraseNotesOf(tx, house, []id.Ticket{hers})
			if err == nil && n != 1 {
				t.Errorf("EraseNotesOf blanked %d notes, want 1", n)
			}
			return err
		})
		all, err := gate.Of(q, house, []id.Ticket{hers, other, quiet}, 10)
		if err != nil || len(all) != 3 {
			t.Fatalf("Of = %d check-ins, %v", len(all), err)
		}
		for _, c := range all {
			if kept := c.ID == left.Checkin.ID; kept != (c.Note != "") || strings.Contains(c.Note, "@") {
				t.Errorf("check-in %s has the note %q", c.ID, c.Note)
			}
		}
	})
}
