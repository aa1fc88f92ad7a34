package pass

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/id"
)

// These statements run for every scan and every change, beside tables of millions. Each must find its rows by an index that leads to few: SQLite's planner, which
// asks for no statistics, says so. What they do is tested from outside.
func TestStatementsFindTheirRowsByIndex(t *testing.T) {
	d := dbtest.Open(t, dbtest.SQLite(t))
	ofEvent, _ := wave{org: 1, eventNo: 2}.where()
	ofOrg, _ := wave{org: 1}.where()
	type statement struct {
		what, sql, by string // by is an index that is used
		args          []any
	}
	statements := []statement{
		{"the pass of a ticket's code", selectPass + fmt.Sprintf(showsTicket, "=") + fmt.Sprintf(newestActive, 4) + ` LIMIT 1`, "passes_of_ticket", []any{1, 1, 1, 1}},
		{"how many passes a ticket has", countOfTicket, "passes_of_ticket", []any{1, "apple", 1}},
		{"the pass of a barcode", selectPass + `WHERE p.org_id = $1 AND p.barcode_mac = $2` + fmt.Sprintf(newestActive, 3) + ` LIMIT 1`, "passes_barcode", []any{1, []byte{1}, 1}},
		{"the last of an event's wave", lastOfWave + ofEvent, "passes_of_event", []any{1}},
		{"the next of an event's wave", fmt.Sprintf(nextOfWave, ofEvent), "passes_of_event", []any{1, 0, 9, 500}},
		{"the last of an organisation's wave", lastOfWave + ofOrg, "passes_active", []any{1}},
		{"the next of an organisation's wave", fmt.Sprintf(nextOfWave, ofOrg), "passes_active", []any{1, 0, 9, 500}},
		{"pushes to devices that were forgotten", dropClosed, "pass_pushes_once", []any{"[1]"}},
		{"pushes to Apple that nobody sends", appleLane.sweep(), "pass_pushes_made", []any{1, 500}},
		{"pushes to Google that nobody sends", googleLane.sweep(), "pass_pushes_made", []any{1, 500}},
		{"the passes that changed last", selectPass + recent, "passes_by_change", []any{1}},
		{"the scans, counted", countScans, "COVERING INDEX pass_scans_of_org", []any{1}},
		{"the passes, counted", countPasses, "COVERING INDEX passes_counted", []any{1}},
		{"passes that expired long ago", forgetPasses, "passes_forgotten", []any{1, 100}},
		{"devices to forget", forgetDevices, "pass_registrations_of_pass", []any{"[1]", 1}},
	}
	for _, c := range []struct {
		what, by string
		Filter
	}{
		{"a ticket's", "passes_of_ticket", Filter{Ticket: id.NewTicket([16]byte{15: 5})}},
		{"an owner's", "passes_of_owner", Filter{Owner: "0x0000000000000000000000000000000000000001"}},
		{"the last scanned", "passes_by_scan", Filter{Sort: "lastScannedAt"}},
		{"the last expired", "passes_by_end", Filter{Sort: "expiredAt"}},
		{"owners, upwards", "passes_of_owner", Filter{Sort: "ownerAddress", Ascending: true}},
		{"owners, downwards", "passes_of_owner", Filter{Sort: "ownerAddress"}},
		{"an event's", "passes_of_event", Filter{EventNo: 2}},
		{"an event's that are older", "passes_of_event", Filter{EventNo: 2, Before: 7}},
		{"those that are older", "", Filter{Before: 7}},
		{"the newest", "", Filter{}},
		{"the newest that are active", "", Filter{Expired: new(bool)}},
	} {
		c.Limit = 50
		text, args, _ := c.text(1)
		statements = append(statements, statement{"a list of " + c.what, selectPass + text, c.by, args})
	}
	for _, c := range statements {
		plan := explained(t, d, c.sql, c.args...)
		t.Logf("%s:\n%s", c.what, plan)
		all := strings.Contains(plan, "SCAN p") || strings.Contains(plan, "SCAN r ") || c.by != "" && strings.Contains(plan, "passes_of_org ")
		sorted := strings.HasPrefix(c.what, "a list") && strings.Contains(plan, "TEMP B-TREE")
		if all || sorted || !strings.Contains(plan, c.by) {
			t.Errorf("%s: it does not go by %s, but as follows:\n%s", c.what, c.by, plan)
		}
	}
}

// explained is how SQLite would go about a statement.
func explained(t *testing.T, d *db.DB, sql string, args ...any) string {
	t.Helper()
	var plan strings.Builder
	err := d.Write(t.Context(), "", func(tx *db.Tx) error {
		_, err := db.All(tx, func(r db.Rows) (struct{}, error) {
			var a, b, c int64
			var line string
			err := r.Scan(&a, &b, &c, &line)
			plan.WriteString(line + "\n")
			return struct{}{}, err
		}, `EXPLAIN QUERY PLAN `+sql, args...)
		return err
	})
	if err != nil {
		t.Fatalf("EXPLAIN %s: %v", sql, err)
	}
	return plan.String()
}
