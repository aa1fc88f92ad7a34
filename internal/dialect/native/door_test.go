package native_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// codes are tickets' ids.
type codes struct{}

func (codes) Present(_ context.Context, q db.Querier, org int64, code string, _ time.Time) (ticket.Presented, error) {
	t, err := ticket.ByID(q, org, id.Ticket(code))
	if problem.As(err) != nil {
		return ticket.Presented{Verdict: ticket.Unknown}, nil //nolint:nilerr // it is a verdict
	}
	return ticket.Presented{Verdict: ticket.Genuine, Ticket: t}, err
}

// ticketsOf are an order's tickets, the last first.
func (h *house) ticketsOf(order string) []string {
	h.t.Helper()
	page, _, err := ticket.List(h.db.Read(h.t.Context()), h.org, ticket.Filter{Order: id.Order(order)})
	if err != nil || len(page) == 0 {
		h.t.Fatalf("order %s has %d tickets: %v", order, len(page), err)
	}
	var all []string
	for _, t := range page {
		all = append(all, string(t.ID))
	}
	return all
}

// sold sells n tickets of a new event.
func (h *house) sold(n int) (event string, tickets []string) {
	h.t.Helper()
	event = h.event("Harbor Jazz Night")
	o := h.must(201, "POST", "/api/v1/orders", orderOf(event, h.listing(event, n, "10"), n)).text("order.orderId")
	return event, h.ticketsOf(o)
}

func TestScanningAtTheDoor(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event, tk := h.sold(3)
		gate := h.must(201, "POST", "/api/v1/gates", map[string]any{"name": "North"}).text("id")
		scan := func(body map[string]any) response { return h.must(200, "POST", "/api/v1/checkin/scan", body) }
		first := scan(map[string]any{"code": tk[0], "event_id": event, "gate": gate, "nonce": "n1"})
		first.want(t, "status", "checked_in", "ticket.id", tk[0], "ticket.section", "101", "ticket.name", nil, "ticket.email", nil, "checkin.gate", "North", "checkin.entry", 1)
		in := first.text("checkin.id")
		scan(map[string]any{"code": tk[0], "event_id": event, "gate": gate, "nonce": "n1"}).want(t, "status", "checked_in", "checkin.id", in)
		h.must(422, "POST", "/api/v1/checkin/scan", map[string]any{"code": tk[1], "nonce": "n1"}).want(t, "code", "nonce_reused")
		scan(map[string]any{"code": tk[0]}).want(t, "status", "already_checked_in", "reason", "already_inside", "first.checkinId", in, "first.gate", "North")
		scan(map[string]any{"code": "nobody's"}).want(t, "status", "invalid", "reason", "unknown", "ticket", nil, "checkin.ticketId", nil)
		other := h.event("Another")
		scan(map[string]any{"code": tk[1], "eventId": other}).want(t, "status", "wrong_event", "ticket", nil, "checkin.ticketId", nil, "checkin.eventId", nil)
		h.must(404, "POST", "/api/v1/checkin/scan", map[string]any{"code": tk[1], "listId": "lst_x"}).want(t, "code", "list_not_found")
		h.must(400, "POST", "/api/v1/checkin/scan", map[string]any{"code": tk[1], "gate": "gat_x"}).want(t, "errors.0.pointer", "/gate")

		h.must(201, "POST", "/api/v1/checkin", map[string]any{"ticketId": tk[1], "note": "on crutches"}).want(t, "status", "checked_in", "checkin.note", "on crutches")
		h.must(400, "POST", "/api/v1/checkin", map[string]any{"ticketId": tk[1], "force": true}).want(t, "errors.0.pointer", "/note")
		h.must(404, "POST", "/api/v1/checkin", map[string]any{"ticketId": "tkt_x"})
		h.must(200, "GET", "/api/v1/events/"+event+"/attendance", nil).want(t, "inside", 2, "admitted", 2, "byGate.0.gate", nil, "byGate.0.admitted", 1, "byGate.1.gate", "North")
		h.must(200, "GET", "/api/v1/checkin/"+in, nil).want(t, "status", "checked_in", "ticketId", tk[0], "mode", "online")
		h.must(200, "PATCH", "/api/v1/checkin/"+in, map[string]any{"note": "left a bag", "gate": "South"}).want(t, "note", "left a bag", "gate", "South")
		h.must(204, "DELETE", "/api/v1/checkin/"+in, nil)
		h.must(204, "DELETE", "/api/v1/checkin/"+in, nil)
		h.must(200, "GET", "/api/v1/checkin/"+in, nil).want(t, "status", "undone")
		h.must(200, "GET", "/api/v1/events/"+event+"/attendance", nil).want(t, "inside", 1, "admitted", 1)

		all := h.must(200, "GET", "/api/v1/checkin?limit=2&event_id="+event, nil)
		all.want(t, "meta.pagination.total", 4, "meta.pagination.hasMore", true, "data.0.status", "checked_in", "meta.filters.eventId", event)
		h.must(200, "GET", "/api/v1/checkin?limit=2&event_id="+event+"&cursor="+all.text("meta.pagination.nextCursor"), nil).want(t, "data.1.status", "undone")
		h.must(200, "GET", "/api/v1/checkin?status=undone&ticketId="+tk[0], nil).want(t, "meta.pagination.total", 1)
		h.must(200, "GET", "/api/v1/checkin?gate=South", nil).want(t, "meta.pagination.total", 1)
		h.must(200, "GET", "/api/v1/checkin/search?q=buyer&eventId="+event, nil).want(t, "data.0.email", "buyer@example.com", "data.1.status", "checked_in")
		h.must(400, "GET", "/api/v1/checkin/search?q=buyer", nil).want(t, "errors.0.pointer", "eventId")
	})
}

func TestDeviceIsEnrolledOnceAndIsGoodForTheDoorOnly(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event, tk := h.sold(2)
		other, otherTk := h.sold(1)
		gate := h.must(201, "POST", "/api/v1/gates", map[string]any{"name": "North"}).text("id")
		made := h.must(201, "POST", "/api/v1/devices", map[string]any{"name": "Scanner 1", "gates": []string{gate}, "events": []string{event}})
		device := made.text("id")
		made.want(t, "enrolledAt", nil)
		code := strings.ToLower(strings.ReplaceAll(made.text("code"), "-", " "))
		enrolled := h.must(200, "POST", "/api/v1/devices/enroll", map[string]any{"code": code, "name": "Tablet"}, "X-API-Key", "")
		enrolled.want(t, "id", device, "name", "Tablet", "scopes.0", "checkin:read", "gates.0", gate)
		h.must(401, "POST", "/api/v1/devices/enroll", map[string]any{"code": code}, "X-API-Key", "").want(t, "code", "invalid_code")
		h.must(400, "POST", "/api/v1/devices/enroll", map[string]any{}, "X-API-Key", "").want(t, "errors.0.pointer", "/code")
		credential := enrolled.text("credential")
		as := []string{"X-API-Key", credential}

		h.must(200, "POST", "/api/v1/checkin/scan", map[string]any{"code": tk[0]}, as...).want(t, "status", "checked_in", "checkin.gate", "North", "checkin.deviceId", device)
		h.must(200, "POST", "/api/v1/checkin/scan", map[string]any{"code": otherTk[0]}, as...).want(t, "status", "wrong_event", "ticket", nil)
		h.must(403, "POST", "/api/v1/checkin/scan", map[string]any{"code": tk[1], "gate": "South"}, as...).want(t, "code", "other_gate")
		h.must(403, "POST", "/api/v1/checkin", map[string]any{"ticketId": tk[1], "force": true, "note": "x"}, as...).want(t, "code", "not_for_devices")
		h.must(403, "GET", "/api/v1/events/"+other+"/attendance", nil, as...).want(t, "code", "other_event")
		h.must(400, "GET", "/api/v1/checkin", nil, as...).want(t, "errors.0.pointer", "eventId")
		h.must(200, "GET", "/api/v1/checkin?eventId="+event, nil, as...).want(t, "meta.pagination.total", 1)
		h.must(200, "GET", "/api/v1/checkin/search?q=buyer&eventId="+event, nil, as...)

		w := who{"device", access.Device, credential, scope.Of(scope.CheckinRead, scope.CheckinWrite), false, ""}
		s := &scene{house: h}
		s.again()
		for _, p := range h.api.Permissions() {
			if refusal := w.refusal(p); refusal != "" {
				target, body := s.prepare(p)
				if r := h.try(p, target, body, credential); r.status != 403 || r.text("code") != refusal {
					t.Errorf("%s %s for the device = %d %s, want 403 %s", p.Method, p.Path, r.status, r.raw, refusal)
				}
			}
		}

		h.must(200, "PATCH", "/api/v1/devices/"+device, map[string]any{"events": []string{}}).want(t, "name", "Tablet", "version", 3)
		h.must(200, "GET", "/api/v1/devices", nil).want(t, "data.0.id", device)
		h.must(204, "DELETE", "/api/v1/devices/"+device, nil)
		h.must(204, "DELETE", "/api/v1/devices/"+device, nil)
		h.must(404, "GET", "/api/v1/devices/"+device, nil)
		eventually(t, func() bool { return h.call("GET", "/api/v1/gates", nil, as...).status == 401 })
	})
}

func TestCodesOfDevicesCannotBeGuessedQuickly(t *testing.T) {
	h := lite(t)
	limited := 0
	for i := range 30 {
		if r := h.call("POST", "/api/v1/devices/enroll", map[string]any{"code": fmt.Sprintf("AAAAA-%05d", i)}, "X-API-Key", ""); r.status == 429 {
			limited++
		}
	}
	if limited == 0 {
		t.Error("30 codes could be tried at once, want 429 after some")
	}
}

func TestListsSayWhoComesIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event, tk := h.sold(2)
		h.must(200, "GET", "/api/v1/checkin-lists?eventId="+event, nil).want(t, "meta.pagination.total", 1, "data.0.default", true, "data.0.policy", "single", "data.0.id", nil)
		gate := h.must(201, "POST", "/api/v1/gates", map[string]any{"name": "Backstage"}).text("id")
		h.must(409, "POST", "/api/v1/gates", map[string]any{"name": "BACKSTAGE"}).want(t, "code", "gate_exists")
		made := h.must(201, "POST", "/api/v1/checkin-lists", map[string]any{
			"eventId": event, "name": "Backstage", "policy": "reentry", "gates": []string{gate}, "limits": map[string]any{"perDay": 3}, "display": []string{"name", "email"},
			"opensAt": "2030-01-01T00:00:00Z",
		})
		list := made.text("id")
		made.want(t, "limits.perDay", 3, "opensAt", "2030-01-01T00:00:00.000Z", "closesAt", nil, "version", 1)
		h.must(400, "POST", "/api/v1/checkin-lists", map[string]any{"eventId": event, "name": " ", "gates": []string{"gat_x"}}).
			want(t, "errors.0.pointer", "/name", "errors.1.pointer", "/gates/0")
		h.must(412, "PATCH", "/api/v1/checkin-lists/"+list, map[string]any{"name": "x"}, "If-Match", `"7"`)
		h.must(200, "PATCH", "/api/v1/checkin-lists/"+list, map[string]any{"opensAt": nil}).want(t, "opensAt", nil, "version", 2)
		h.must(400, "PATCH", "/api/v1/checkin-lists/"+list, map[string]any{"opensAt": "soon"}).want(t, "errors.0.pointer", "/opensAt")
		scan := map[string]any{"code": tk[0], "listId": list, "gate": "Front"}
		h.must(200, "POST", "/api/v1/checkin/scan", scan).want(t, "status", "wrong_list", "reason", "wrong_gate")
		scan["gate"] = "backstage"
		h.must(200, "POST", "/api/v1/checkin/scan", scan).want(t, "status", "checked_in", "ticket.email", "buyer@example.com", "ticket.section", nil, "checkin.listId", list)
		h.must(409, "PATCH", "/api/v1/checkin-lists/"+list, map[string]any{"policy": "single"}).want(t, "code", "list_in_use")
		h.must(409, "DELETE", "/api/v1/checkin-lists/"+list, nil)
		h.must(200, "PATCH", "/api/v1/gates/"+gate, map[string]any{"name": "Stage"}).want(t, "name", "Stage", "version", 2)
		h.must(204, "DELETE", "/api/v1/gates/"+gate, nil)
		h.must(404, "DELETE", "/api/v1/gates/"+gate, nil)
		unused := h.must(201, "POST", "/api/v1/checkin-lists", map[string]any{"eventId": event, "name": "Mistake"}).text("id")
		h.must(204, "DELETE", "/api/v1/checkin-lists/"+unused, nil)
	})
}

func TestScansWithoutANetwork(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event, tk := h.sold(2)
		path := "/api/v1/checkin/bundle?eventId=" + event
		bundle := h.must(200, "GET", path, nil)
		bundle.want(t, "event.eventId", event, "lists.0.default", true)
		tag := bundle.header.Get("ETag")
		if r := h.call("GET", path, nil, "If-None-Match", tag); r.status != 304 && r.header.Get("ETag") == tag {
			t.Errorf("the same bundle again = %d %s, want 304", r.status, r.raw)
		}
		scans := func(device, gate, at string) map[string]any {
			return map[string]any{"deviceId": device, "bundleId": bundle.text("bundleId"), "scans": []any{
				map[string]any{"seq": 1, "code": tk[0], "gate": gate, "scannedAt": at},
				map[string]any{"seq": 2, "ticketId": "tkt_x", "scannedAt": at},
				map[string]any{"seq": 3, "code": tk[1], "scannedAt": at, "offlineResult": "blocked"},
			}}
		}
		soon := func(minutes int) string {
			return time.Now().Add(time.Duration(minutes) * time.Minute).UTC().Format(time.RFC3339)
		}
		late, early := scans("b", "South", soon(20)), scans("a", "North", soon(10))
		h.must(200, "POST", "/api/v1/checkin/upload", late).want(t, "data.0.status", "checked_in", "data.0.known", false, "data.1.status", "rejected",
			"data.1.code", "ticket_not_found", "data.2.status", "blocked")
		won := h.must(200, "POST", "/api/v1/checkin/upload", early)
		won.want(t, "data.0.status", "checked_in")
		h.must(200, "POST", "/api/v1/checkin/upload", late).want(t, "data.0.status", "conflict", "data.0.known", true, "data.0.against", won.text("data.0.checkinId"))
		h.must(200, "GET", "/api/v1/checkin/conflicts?eventId="+event, nil).want(t, "meta.pagination.total", 1, "data.0.ticketId", tk[0], "data.0.held.gate", "North",
			"data.0.other.gate", "South", "data.0.other.against.gate", "North")
		h.must(200, "GET", "/api/v1/checkin?status=conflict&eventId="+event, nil).want(t, "meta.pagination.total", 1)
		h.must(200, "GET", path, nil, "If-None-Match", tag).want(t, "used.0.ticketId", tk[0], "used.0.entries", 1, "used.0.inside", true, "used.0.gate", "North")
		h.must(400, "POST", "/api/v1/checkin/upload", map[string]any{"bundleId": "x", "scans": []any{map[string]any{"seq": 1, "code": "x", "scannedAt": soon(1)}}}).
			want(t, "errors.0.pointer", "/bundleId")
	})
}
