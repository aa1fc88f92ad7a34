package gate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// TestDoorsAreTallied: by list, by gate, and why somebody was refused; another event's check-ins are not among them.
func TestDoorsAreTallied(t *testing.T) {
	each(t, func(t *testing.T, h *hall) {
		h.event("F")
		all, other := h.buy("E", "B", 3), h.buy("F", "B", 1)
		var vip gate.List
		h.write(func(tx *db.Tx) (err error) {
			vip, err = gate.CreateList(tx, house, gate.Input{Event: "E", Name: "VIP", Policy: gate.Reentry})
			if err == nil {
				vip, err = gate.ListByID(tx, house, vip.ID)
			}
			return err
		})
		for _, s := range []gate.Scan{
			{Code: code(all[0]), Event: "E", Gate: "North"},
			{Code: code(all[1]), Event: "E"},
			{Code: code(all[2]), Event: "E", List: vip.ID, Gate: "North"},
			{Code: code(all[2]), Event: "E", List: vip.ID, Gate: "North", Direction: gate.Exit},
			{Code: code(all[0]), Event: "E"},
			{Code: code(all[1]), Event: "E"},
			{Code: "FORGED x", Event: "E"},
			{Code: code(other[0]), Event: "F", Gate: "North"},
		} {
			h.scan(s)
		}
		got, err := gate.TallyOf(h.db.Read(t.Context()), house, "E")
		if err != nil {
			t.Fatal(err)
		}
		want := gate.Tally{
			Inside: 2, Admitted: 3, Refused: 3,
			Lists:   []gate.ListCount{{Admitted: 2}, {ListNo: vip.No, Admitted: 1, Exited: 1}},
			Gates:   []gate.Count{{Admitted: 1}, {Gate: "North", Admitted: 2, Exited: 1}},
			Reasons: []gate.Refusals{{Said: gate.Already, N: 2}, {Said: gate.Invalid, N: 1}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("TallyOf (-want +got):\n%s", diff)
		}
		if a, err := gate.AttendanceOf(h.db.Read(t.Context()), house, "E"); err != nil || a.Inside != got.Inside || a.Admitted != got.Admitted {
			t.Errorf("AttendanceOf = %+v, %v; TallyOf counts %d inside and %d admitted", a, err, got.Inside, got.Admitted)
		}
		if _, err := gate.TallyOf(h.db.Read(t.Context()), house+1, "E"); !problem.Is(err, "event_not_found") {
			t.Errorf("TallyOf by another organisation = %v, want event_not_found", err)
		}
		page, total, err := gate.Find(h.db.Read(t.Context()), house, gate.Filter{Event: "E", Limit: 2, Uncounted: true})
		if err != nil || len(page) != 2 || total != 0 || page[0].Status() != gate.Invalid {
			t.Errorf("Find without a count = %d of %d, %v", len(page), total, err)
		}
	})
}
