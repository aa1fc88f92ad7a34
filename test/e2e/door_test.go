package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// admission is an event with tickets that were sold, and their codes.
type admission struct {
	*org
	event   string
	email   string // of whoever bought them
	tickets []string
	codes   []string
}

func (o *org) admission(t *testing.T, n int) *admission {
	t.Helper()
	a := &admission{org: o, event: o.event(t), email: somebody()}
	order := o.order(t, a.event, "listingId", o.listing(t, a.event, "quantity", n), "quantity", n, "customer", buyer(a.email))
	page := o.Call(t, 200, "GET", "/api/v1/tickets?orderId="+order, nil)
	for _, id := range column(t, page, "data", "id") {
		a.tickets = append(a.tickets, id)
		a.codes = append(a.codes, text(t, o.Call(t, 200, "GET", "/api/v1/tickets/"+id, nil), "code"))
	}
	if len(a.tickets) != n {
		t.Fatalf("%d tickets, want %d", len(a.tickets), n)
	}
	return a
}

func (a *admission) scan(t *testing.T, c *harness.Client, code string, over ...any) harness.Answer {
	t.Helper()
	return c.Call(t, 200, "POST", "/api/v1/checkin/scan", with(body{"code": code, "eventId": a.event}, over...))
}

func TestPeopleComeInAtTheDoor(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		a := open(t, st).admission(t, 3)
		h, all := a.hook(t, "pullup", nil), a.hook(t, "standard", nil)
		north := text(t, a.Call(t, 201, "POST", "/api/v1/gates", body{"name": "North"}), "id")

		// The specification's own words, and ours.
		first := a.Call(t, 200, "POST", "/api/v1/checkin/scan", body{"code": a.codes[0], "event_id": a.event})
		expect(t, first.Body, "status", "checked_in", "ticket.id", a.tickets[0], "ticket.email", absent{}, "checkin.direction", "entry")
		expect(t, a.scan(t, a.Client, a.codes[0], "gate", north).Body, "status", "already_checked_in", "first.checkinId", text(t, first, "checkin.id"))
		expect(t, a.scan(t, a.Client, "SD1:NOTHING").Body, "status", "invalid", "ticket", absent{})
		expect(t, a.scan(t, a.Client, a.codes[1], "gate", "North", "nonce", "n1").Body, "status", "checked_in", "checkin.gate", "North")
		expect(t, a.scan(t, a.Client, a.codes[1], "gate", "North", "nonce", "n1").Body, "status", "checked_in")
		expect(t, a.scan(t, a.Client, a.codes[2], "eventId", a.org.event(t)).Body, "status", "wrong_event", "ticket", absent{})
		expect(t, a.Call(t, 200, "GET", "/api/v1/tickets/"+a.tickets[0], nil).Body, "status", "checked_in")

		g := h.await(t, "checkin.completed", 1)
		expect(t, g.Body, "data.event_id", a.event, "data.checked_in_at", text(t, first, "checkin.at"), "data.user_id", absent{})
		all.await(t, "checkin.denied", 1)
		if names := h.quiet(t, a.org); strings.Count(strings.Join(names, " "), "checkin.completed") != 2 {
			t.Errorf("pullup heard %v, want checkin.completed once for each of two tickets", names)
		}

		expect(t, a.Call(t, 200, "GET", "/api/v1/events/"+a.event+"/attendance", nil).Body, "inside", 2, "admitted", 2, "byGate.1.gate", "North")
		in := text(t, first, "checkin.id")
		expect(t, a.Call(t, 200, "PATCH", "/api/v1/checkin/"+in, body{"note": "left a bag"}).Body, "note", "left a bag")
		for range 2 {
			a.Call(t, 204, "DELETE", "/api/v1/checkin/"+in, nil)
		}
		expect(t, a.Call(t, 200, "GET", "/api/v1/checkin/"+in, nil).Body, "status", "undone")
		expect(t, a.Call(t, 200, "GET", "/api/v1/tickets/"+a.tickets[0], nil).Body, "status", "valid")
		expect(t, a.Call(t, 200, "GET", "/api/v1/checkin?status=checked_in&event_id="+a.event, nil).Body, "meta.pagination.total", 1)
		found := a.Call(t, 200, "GET", "/api/v1/checkin/search?eventId="+a.event+"&q="+url.QueryEscape(a.email), nil)
		if n := len(column(t, found, "data", "id")); n != 3 {
			t.Errorf("the search found %d tickets, want 3", n)
		}
		expect(t, a.Call(t, 201, "POST", "/api/v1/checkin", body{"ticketId": a.tickets[0], "gate": "South"}).Body, "status", "checked_in", "checkin.gate", "South")
		a.Call(t, 200, "POST", "/api/v1/tickets/"+a.tickets[2]+"/cancel", nil)
		expect(t, a.scan(t, a.Client, a.codes[2]).Body, "status", "cancelled")
	})
}

func TestListsGatesAndDevicesAreSetUp(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		a := open(t, st).admission(t, 1)
		gate := text(t, a.Call(t, 201, "POST", "/api/v1/gates", body{"name": "Stage"}), "id")
		expect(t, a.Call(t, 200, "GET", "/api/v1/gates", nil).Body, "data.0.id", gate)
		expect(t, a.Call(t, 200, "GET", "/api/v1/gates/"+gate, nil).Body, "name", "Stage")
		expect(t, a.Call(t, 200, "PATCH", "/api/v1/gates/"+gate, body{"name": "Backstage"}).Body, "name", "Backstage")
		expect(t, a.Call(t, 200, "GET", "/api/v1/checkin-lists?eventId="+a.event, nil).Body, "data.0.default", true)
		list := text(t, a.Call(t, 201, "POST", "/api/v1/checkin-lists", body{"eventId": a.event, "name": "Backstage", "policy": "reentry", "gates": []string{gate}}), "id")
		expect(t, a.Call(t, 200, "GET", "/api/v1/checkin-lists/"+list, nil).Body, "policy", "reentry")
		expect(t, a.Call(t, 200, "PATCH", "/api/v1/checkin-lists/"+list, body{"name": "Crew"}).Body, "name", "Crew")

		made := a.Call(t, 201, "POST", "/api/v1/devices", body{"name": "Scanner", "gates": []string{gate}, "events": []string{a.event}})
		device := text(t, made, "id")
		expect(t, a.Call(t, 200, "GET", "/api/v1/devices", nil).Body, "data.0.id", device)
		nobody := st.Client("")
		enrolled := nobody.Call(t, 200, "POST", "/api/v1/devices/enroll", body{"code": text(t, made, "code")})
		refused(t, try(t, nobody, "POST", "/api/v1/devices/enroll", body{"code": text(t, made, "code")}), 401, "invalid_code")
		scanner := st.Client(text(t, enrolled, "credential"))
		for _, direction := range []string{"entry", "exit", "entry"} {
			status := map[string]string{"entry": "checked_in", "exit": "checked_out"}[direction]
			expect(t, a.scan(t, scanner, a.codes[0], "listId", list, "direction", direction).Body, "status", status, "checkin.gate", "Backstage", "checkin.deviceId", device)
		}
		if r := try(t, scanner, "GET", "/api/v1/orders", nil); r.Status != 403 {
			t.Errorf("a device reads orders: %d %s", r.Status, r.Body)
		}
		expect(t, a.Call(t, 200, "PATCH", "/api/v1/devices/"+device, body{"name": "Tablet"}).Body, "name", "Tablet")
		a.Call(t, 204, "DELETE", "/api/v1/devices/"+device, nil)
		a.Call(t, 404, "GET", "/api/v1/devices/"+device, nil)
		eventually(t, func() bool { return try(t, scanner, "GET", "/api/v1/gates", nil).Status == 401 })

		refused(t, try(t, a.Client, "DELETE", "/api/v1/checkin-lists/"+list, nil), 409, "list_in_use")
		unused := text(t, a.Call(t, 201, "POST", "/api/v1/checkin-lists", body{"eventId": a.event, "name": "Mistake"}), "id")
		a.Call(t, 204, "DELETE", "/api/v1/checkin-lists/"+unused, nil)
		a.Call(t, 204, "DELETE", "/api/v1/gates/"+gate, nil)
	})
}

func TestTenScannersByHTTPAdmitACodeOnce(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		a := open(t, st).admission(t, 20)
		for _, code := range a.codes {
			got := make([]string, 10)
			start := make(chan struct{})
			var all sync.WaitGroup
			for i := range got {
				all.Go(func() {
					<-start
					got[i] = text(t, try(t, a.Client, "POST", "/api/v1/checkin/scan", body{"code": code, "gate": fmt.Sprintf("Gate %d", i)}), "status")
				})
			}
			close(start)
			all.Wait()
			if n := strings.Count(strings.Join(got, " ")+" ", "checked_in "); strings.Count(strings.Join(got, " "), "already_checked_in") != 9 || n != 10 {
				t.Fatalf("ten scanners were told %v, want one checked_in", got)
			}
		}
		expect(t, a.Call(t, 200, "GET", "/api/v1/events/"+a.event+"/attendance", nil).Body, "inside", 20, "admitted", 20)
	})
}

func TestWhatWasScannedWithoutANetworkIsMerged(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		a := open(t, st).admission(t, 2)
		bundle := a.Call(t, 200, "GET", "/api/v1/checkin/bundle?eventId="+a.event, nil)
		upload := func(device, gate string, ago time.Duration) harness.Answer {
			return a.Call(t, 200, "POST", "/api/v1/checkin/upload", body{"deviceId": device, "bundleId": text(t, bundle, "bundleId"), "scans": []body{{
				"seq": 1, "code": a.codes[0], "gate": gate, "scannedAt": time.Now().Add(time.Hour - ago).UTC().Format(time.RFC3339),
			}}})
		}
		expect(t, upload("b", "South", time.Minute).Body, "data.0.status", "checked_in")
		expect(t, upload("a", "North", 2*time.Minute).Body, "data.0.status", "checked_in")
		expect(t, upload("b", "South", time.Minute).Body, "data.0.status", "conflict", "data.0.known", true)
		expect(t, a.Call(t, 200, "GET", "/api/v1/checkin/conflicts?eventId="+a.event, nil).Body, "meta.pagination.total", 1, "data.0.held.gate", "North", "data.0.other.gate", "South")
		expect(t, a.Call(t, 200, "GET", "/api/v1/checkin/bundle?eventId="+a.event, nil).Body, "used.0.ticketId", a.tickets[0], "used.0.gate", "North")
	})
}
