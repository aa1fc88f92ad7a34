package app_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

func TestAuditOfWhatIsRightIsClean(t *testing.T) {
	each(t, func(t *testing.T, c app.Config) {
		core := open(t, c.Unhurried())
		o := newOrg(t, core, "hall")
		sell(t, core, o) // nobody wanted to hear of this
		admit(t, core, o.No)
		newEndpoint(t, core, o)
		sell(t, core, o)
		admit(t, core, o.No)
		a, err := core.Audit(t.Context())
		if err != nil {
			t.Fatalf("Audit: %v", err)
		}
		if len(a.Differences) > 0 {
			t.Errorf("Audit found %v, want nothing", a.Differences)
		}
		if a.Facts != 2*a.Deliveries["pending"] || a.Facts == 0 {
			t.Errorf("Audit counted %d facts and %v deliveries, want a delivery for every second fact", a.Facts, a.Deliveries)
		}
	})
}

// admit lets one ticket in.
func admit(t *testing.T, core *app.Core, o int64) {
	t.Helper()
	page, _, err := ticket.List(core.DB.Read(t.Context()), o, ticket.Filter{Status: ticket.StatusValid, Limit: 1})
	if err != nil || len(page) == 0 {
		t.Fatalf("no ticket to admit: %v", err)
	}
	s := gate.Scan{By: gate.By{ID: "key_1"}, Ticket: page[0].ID}
	err = core.Gates.Look(t.Context(), core.DB.Read(t.Context()), o, &s, time.Now())
	if err == nil {
		err = core.DB.Write(t.Context(), "", func(tx *db.Tx) error {
			_, err := core.Gates.Scan(tx, o, s)
			return err
		})
	}
	if err != nil {
		t.Fatalf("admit: %v", err)
	}
}

func TestAuditSaysWhatDiffers(t *testing.T) {
	tampering := []struct{ name, sql, part, says string }{
		{"a delivery is missing", "DELETE FROM deliveries WHERE fact_seq = (SELECT max(fact_seq) FROM deliveries)", "deliveries", "1 facts that the endpoint wh_"},
		{"a fact is missing", "DELETE FROM facts WHERE seq = (SELECT max(seq) FROM facts)", "deliveries", "1 deliveries are of no fact"},
		{"a delivery changed hands", "UPDATE deliveries SET org_id = org_id + 1", "deliveries", "go to no endpoint of their organisation"},
		{"a delivery arrived by itself", "UPDATE deliveries SET state = 1", "deliveries", "without an attempt"},
		{"a sale is not counted", "UPDATE listings SET sold = sold - 1", "stock", ""},
		{"a claim is missing", "DELETE FROM claims WHERE ordinal = 0", "stock", ""},
		{"an order is cheaper", "UPDATE orders SET quantity = 1, total = unit_price, captured = 0 WHERE quantity = 2", "orders", ""},
		{"a ticket is missing", "DELETE FROM tickets WHERE ticket_no = (SELECT max(ticket_no) FROM tickets)", "tickets", "has 3 places and 2 tickets"},
		{"a ticket's fact is missing", "DELETE FROM facts WHERE seq = (SELECT max(seq) FROM facts WHERE kind = 'ticket.issued')", "tickets", "has version 1 and 0 facts"},
		{"a ticket outlives its order", "UPDATE orders SET status = 'cancelled'", "tickets", "2 of its tickets are not void"},
		{"a ticket is not issued", "UPDATE tickets SET validity = 'reserved'", "tickets", "3 of its tickets are reserved"},
		{"a ticket is of no order", "UPDATE tickets SET event_no = event_no + 1", "tickets", "5 tickets are of no order"},
		{"a ticket became another", "UPDATE tickets SET generation = 2", "tickets", "is of generation 2 after 0 transfers"},
		{"a stamp's fact is missing", "DELETE FROM facts WHERE kind = 'stamp.awarded'", "stamps", "1 stamps have more or fewer facts"},
		{"a stamp is of no type", "DELETE FROM stamp_types", "stamps", "1 stamps are of no type"},
		{"a stamp repeats", "UPDATE stamp_types SET per_event = TRUE", "stamps", "1 stamps are unique in something else"},
		{"somebody inside is outside", "UPDATE tickets SET presence = 'outside'", "door", "1 tickets are outside with an open admission"},
		{"nobody came in", "DELETE FROM checkins", "door", "1 tickets are inside without an open admission"},
		{"an entry counts for none", "UPDATE checkins SET result = 'conflict', entry_no = NULL, open = FALSE", "door", "counts for conflict, entry 0, and should for admitted, entry 1"},
		{"an admission was never told", "UPDATE checkins SET told = FALSE", "door", "was told 0 times"},
		{"a check-in's fact is missing", "DELETE FROM facts WHERE kind = 'checkin.admitted'", "door", "1 check-ins have another number of facts"},
		{"a fact was put aside", "INSERT INTO ledger_parked (follower, seq, day, org_id, reason, parked_at) VALUES ('x', 1, 1, 1, 'broken', 1)", "ledger", "1 facts were put aside"},
	}
	each(t, func(t *testing.T, c app.Config) {
		core := open(t, c)
		o := newOrg(t, core, "hall")
		newEndpoint(t, core, o)
		sell(t, core, o)
		reward(t, core, o)
		admit(t, core, o.No)
		for _, tt := range tampering {
			t.Run(tt.name, func(t *testing.T) {
				// The tampering is undone after the audit: it is looked at inside of the transaction that made it.
				var a app.Audit
				err := core.DB.Configure(t.Context(), func(tx *db.Tx) error {
					n, err := tx.Exec(tt.sql)
					if err != nil || n == 0 {
						t.Fatalf("%s: %d rows, %v", tt.sql, n, err)
					}
					a, err = core.AuditIn(tx)
					if err != nil {
						return err
					}
					return errUndo
				})
				if err != errUndo { //nolint:errorlint // it comes back as it is
					t.Fatalf("Configure: %v", err)
				}
				var said []string
				for _, d := range a.Differences {
					if d.Part == tt.part {
						said = append(said, d.What)
					}
				}
				if !contains(said, tt.says) {
					t.Errorf("Audit found %v, want something about %s that says %q", a.Differences, tt.part, tt.says)
				}
			})
		}
	})
}

func TestAuditWhileOrdersComeInIsClean(t *testing.T) {
	each(t, func(t *testing.T, c app.Config) {
		c.Listen = "127.0.0.1:0"
		core := open(t, c)
		serve(t, core)
		o := newOrg(t, core, "hall")
		newEndpoint(t, core, o)
		var sellers sync.WaitGroup
		defer sellers.Wait()
		stop := make(chan struct{})
		defer close(stop)
		for range 2 {
			sellers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						sell(t, core, o)
					}
				}
			})
		}
		beside := open(t, c) // as the command is
		for range 10 {
			a, err := beside.Audit(t.Context())
			if err != nil || len(a.Differences) > 0 {
				t.Errorf("Audit = %v, %v, want nothing that differs", a.Differences, err)
			}
		}
	})
}

func TestADeletedEventLeavesNothingListed(t *testing.T) {
	each(t, func(t *testing.T, c app.Config) {
		core := open(t, c)
		o := newOrg(t, core, "hall")
		for range 2 { // the second time, the external id is free again
			write(t, core, func(tx *db.Tx) error {
				e, err := core.Events.Create(tx, o.No, event.Input{ID: "e", Name: "Night", StartLocal: "2090-01-01T20:00:00"})
				if err != nil {
					return err
				}
				_, err = core.Stock.Create(tx, o.No, inventory.Input{Event: e.ID, ExternalID: "x", Section: "A", Row: "1", Quantity: 10, Price: "20.00"})
				return err
			})
			write(t, core, func(tx *db.Tx) error { return core.Events.Delete(tx, o.No, "e", 0) })
		}
		if a, err := core.Audit(t.Context()); err != nil || len(a.Differences) != 0 {
			t.Errorf("Audit = %v, %v", a.Differences, err)
		}
	})
}
