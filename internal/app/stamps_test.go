package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/app"
	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/person"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// earn makes a stamp type.
func earn(t *testing.T, core *app.Core, o org.Org, on stamp.Reason) (kind stamp.Type) {
	t.Helper()
	write(t, core, func(tx *db.Tx) (err error) {
		kind, err = core.Stamps.Create(tx, o.No, stamp.Input{Name: "Came", Rule: stamp.Rule{On: on}})
		return err
	})
	return kind
}

// reward gives A a stamp.
func reward(t *testing.T, core *app.Core, o org.Org) {
	t.Helper()
	kind := earn(t, core, o, stamp.ByHand)
	write(t, core, func(tx *db.Tx) error {
		_, _, err := core.Stamps.Award(tx, o.No, kind.ID, stamp.Award{Email: "A@example.com", Note: "thanks"})
		return err
	})
}

// A server follows the door, and shows how far behind it is.
func TestServerFollowsTheDoor(t *testing.T) {
	each(t, func(t *testing.T, c app.Config) {
		c.Listen = "127.0.0.1:0"
		core := open(t, c)
		o := newOrg(t, core, "hall")
		sell(t, core, o)
		earn(t, core, o, stamp.ByCheckin)
		served := serve(t, core)
		page, _, err := ticket.List(core.DB.Read(t.Context()), o.No, ticket.Filter{})
		if err != nil || len(page) == 0 {
			t.Fatalf("List: %d, %v", len(page), err)
		}
		data, err := json.Marshal(gate.Snapshot{CheckinID: "chk_1", TicketID: page[0].ID, EventID: page[0].EventID, At: fact.Instant(time.Now())})
		if err != nil {
			t.Fatal(err)
		}
		write(t, core, func(tx *db.Tx) error {
			return core.Ledger.Append(tx, &fact.Fact{Org: o.No, Kind: fact.CheckinAdmitted, Subject: "chk_1", Data: data})
		})
		for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			p, err := stamp.PassportOf(core.DB.Read(t.Context()), o.No, person.Of("a@example.com"), stamp.Page{})
			if err != nil {
				t.Fatal(err)
			}
			if p.Total == 1 {
				break
			}
			if time.Now().After(end) {
				t.Fatal("the stamp did not come in a minute")
			}
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, served+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil || !strings.Contains(string(text), `stagedoor_follower_lag_seconds{follower="stamp"} 0`) {
			t.Errorf("the metrics have no lag of the follower of stamps, or another than 0; %v", err)
		}
		if found, err := core.Audit(t.Context()); err != nil || len(found.Differences) > 0 {
			t.Errorf("Audit finds %v, %v", found.Differences, err)
		}
	})
}

// Thousands of check-ins go in steps.
func TestErasingManyCheckins(t *testing.T) {
	each(t, func(t *testing.T, c app.Config) {
		core := open(t, c)
		o := newOrg(t, core, "hall")
		reward(t, core, o)
		write(t, core, func(tx *db.Tx) error {
			for i := range 1200 {
				if _, err := tx.Exec(`INSERT INTO stamp_visits (org_id, checkin_id, person, ticket_id, event_id, venue, at, undone)
					VALUES ($1, $2, 'a@example.com', '', '', '', 1, FALSE)`, o.No, fmt.Sprint(i)); err != nil {
					return err
				}
			}
			return nil
		})
		for _, want := range []int{1201, 0} {
			done, err := core.Erase(t.Context(), 0, person.Of("a@example.com"), audit.By{Actor: audit.Operator})
			if err != nil || done.Stamps != want {
				t.Errorf("Erase = %+v, %v; want %d stamps", done, err, want)
			}
		}
	})
}
