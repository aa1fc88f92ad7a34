package native_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

func (h *house) stampType(name string, rule map[string]any) string {
	h.t.Helper()
	return h.must(201, "POST", "/api/v1/stamps", map[string]any{"name": name, "collection": "Season", "rule": rule}).text("id")
}

// ticketOf sells somebody a ticket.
func (h *house) ticketOf(event, email string) ticket.Ticket {
	h.t.Helper()
	o := orderOf(event, h.listing(event, 1, "10"), 1)
	o["customer"].(map[string]any)["email"] = email
	placed := h.must(201, "POST", "/api/v1/orders", o).text("order.orderId")
	page, _, err := ticket.List(h.db.Read(h.t.Context()), h.org, ticket.Filter{Order: id.Order(placed)})
	if err != nil || len(page) != 1 {
		h.t.Fatalf("tickets of %s: %d, %v", placed, len(page), err)
	}
	return page[0]
}

// admit has the door say that somebody came in, and the stamps follow.
func (h *house) admit(t ticket.Ticket) {
	h.t.Helper()
	data, err := json.Marshal(gate.Snapshot{CheckinID: id.NewCheckin(), TicketID: t.ID, EventID: t.EventID, At: fact.Instant(h.api.Now())})
	if err != nil {
		h.t.Fatal(err)
	}
	f := &fact.Fact{Org: h.org, Kind: fact.CheckinAdmitted, Subject: "chk", Data: data}
	if err := h.db.Write(h.t.Context(), "", func(tx *db.Tx) error {
		if err := h.api.Ledger.Append(tx, f); err != nil {
			return err
		}
		return h.api.Stamps.Follow(tx, []*fact.Fact{f})
	}); err != nil {
		h.t.Fatal(err)
	}
}

func TestStampTypesAreMadeChangedAndDeleted(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		made := h.must(201, "POST", "/api/v1/stamps", map[string]any{
			"name": "First night", "description": "For coming.", "collection": "Season", "art": "https://cdn.example.com/a.png",
			"rule": map[string]any{"on": "count", "threshold": 3, "venue": "Pier Hall", "revokeOnUndo": true},
		})
		path := made.header.Get("Location")
		made.want(t, "name", "First night", "rule.on", "count", "rule.threshold", 3, "rule.counts", "events", "rule.repeat", "once", "rule.revokeOnUndo", true,
			"active", true, "retired", false, "version", 1)
		got := h.must(200, "GET", path, nil)
		if diff := cmp.Diff(made.body, got.body); diff != "" || got.header.Get("ETag") != `"1"` {
			t.Errorf("GET %s (-made +got), ETag %s:\n%s", path, got.header.Get("ETag"), diff)
		}
		h.must(412, "PATCH", path, map[string]any{"name": "x"}, "If-Match", `"7"`).want(t, "code", "version_mismatch")
		h.must(200, "PATCH", path, map[string]any{"art": nil, "active": false, "rule": map[string]any{"on": "checkin"}}, "If-Match", `"1"`).
			want(t, "version", 2, "active", false, "art", nil, "rule.on", "checkin", "rule.repeat", "event", "rule.threshold", nil, "rule.revokeOnUndo", nil)
		h.stampType("Other", map[string]any{"on": "manual"})
		for query, want := range map[string]int{"": 2, "?status=active": 1, "?status=inactive": 1, "?status=retired": 0, "?collection=Season": 2, "?collection=X": 0, "?status=all&limit=1": 2} {
			h.must(200, "GET", "/api/v1/stamps"+query, nil).want(t, "meta.pagination.total", want)
		}
		h.must(412, "DELETE", path, nil, "If-Match", `"1"`)
		h.must(204, "DELETE", path, nil)
		h.must(404, "DELETE", path, nil).want(t, "code", "stamp_type_not_found")
		for faults, body := range map[string]any{
			"/rule/threshold not_counted": map[string]any{"name": "a", "rule": map[string]any{"on": "checkin", "threshold": 2}},
			"/art invalid_art":            map[string]any{"name": "a", "art": "data:text/html,x", "rule": map[string]any{"on": "manual"}},
		} {
			if r := h.must(400, "POST", "/api/v1/stamps", body); strings.Join(r.faults(), ", ") != faults {
				t.Errorf("POST /api/v1/stamps %v: %q, want %s", body, r.faults(), faults)
			}
		}
		h.must(404, "POST", "/api/v1/stamps", map[string]any{"name": "a", "rule": map[string]any{"on": "checkin", "eventId": "nowhere"}}).want(t, "code", "event_not_found")
	})
}

func TestStampsAreAwardedAndTakenAway(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		kari := h.guest("kari@example.com")
		one := h.stampType("Volunteer", map[string]any{"on": "manual"})
		path := "/api/v1/stamps/" + one
		award := func(body map[string]any) response {
			t.Helper()
			return h.must(200, "POST", path+"/award", body)
		}
		first := award(map[string]any{"email": "Kari@Example.com", "note": "thanks"})
		first.want(t, "stampTypeId", one, "name", "Volunteer", "reason", "manual", "email", nil, "note", nil)
		held := h.ticketOf(h.event("Night"), "kari@example.com")
		for _, body := range []map[string]any{
			{"email": "kari@example.com"}, {"ticketId": held.ID}, {"user": h.must(200, "GET", "/api/v1/people?email=kari@example.com", nil).text("data.0.id")},
		} {
			award(body).want(t, "id", first.text("id"))
		}
		award(map[string]any{"user": h.must(200, "GET", "/api/v1/people?email=new@example.com", nil).text("data.0.id")}) // a per_…
		for _, tt := range []struct {
			body   map[string]any
			status int
			want   string
		}{
			{map[string]any{}, 400, "/email one_of"},
			{map[string]any{"user": "usr_x", "email": "a@example.com"}, 400, "/user one_of"},
			{map[string]any{"email": "nobody"}, 400, "/email invalid"},
			{map[string]any{"user": "usr_x"}, 404, "person_not_found"},
			{map[string]any{"ticketId": "tkt_x"}, 404, "ticket_not_found"},
			{map[string]any{"email": "a@example.com", "eventId": "nowhere"}, 404, "event_not_found"},
		} {
			r := h.must(tt.status, "POST", path+"/award", tt.body)
			if got := strings.Join(r.faults(), ", "); got != tt.want && r.text("code") != tt.want {
				t.Errorf("award %v: %s, want %s", tt.body, r.raw, tt.want)
			}
		}
		h.must(200, "GET", path+"/awards", nil).want(t, "meta.pagination.total", 2, "data.1.id", first.text("id"), "data.1.email", "kari@example.com", "data.1.note", "thanks")
		h.as(kari, 403, "GET", path+"/awards", nil)
		h.as(kari, 200, "GET", "/api/v1/passport/me", nil).want(t, "total", 1, "stamps.0.id", first.text("id"), "stamps.0.note", nil, "stamps.0.email", nil)

		h.must(204, "DELETE", path, nil) // it is retired
		h.must(200, "GET", path, nil).want(t, "retired", true, "active", false)
		h.must(409, "POST", path+"/award", map[string]any{"email": "b@example.com"}).want(t, "code", "stamp_type_retired")
		h.must(409, "PATCH", path, map[string]any{"name": "b"}).want(t, "code", "stamp_type_retired")
		h.as(kari, 200, "GET", path, nil) // she has it
		h.as(h.guest("ola@example.com"), 404, "GET", path, nil)
		for range 2 {
			h.must(204, "DELETE", "/api/v1/stamps/awarded/"+first.text("id"), nil)
		}
		h.must(404, "DELETE", "/api/v1/stamps/awarded/stp_x", nil).want(t, "code", "stamp_not_found")
		h.as(kari, 200, "GET", "/api/v1/passport/me", nil).want(t, "total", 0, "stamps.0", nil)
		h.as(kari, 404, "GET", path, nil)
		export := h.must(200, "GET", "/api/v1/people/"+h.must(200, "GET", "/api/v1/people?email=kari@example.com", nil).text("data.0.id")+"/export", nil)
		export.want(t, "stamps.0.id", first.text("id"), "stamps.0.note", "thanks", "checkins.0", nil)
		if export.text("stamps.0.revokedAt") == "" {
			t.Errorf("the export does not say that the stamp was taken away: %s", export.raw)
		}
	})
}

func TestAwardWithAKeyIsMadeOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		path := "/api/v1/stamps/" + h.stampType("Volunteer", map[string]any{"on": "manual"}) + "/award"
		body := map[string]any{"email": "kari@example.com"}
		first := h.must(200, "POST", path, body, "Idempotency-Key", "k")
		if again := h.must(200, "POST", path, body, "Idempotency-Key", "k"); string(again.raw) != string(first.raw) || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("again = %s, %v; want %s, replayed", again.raw, again.header, first.raw)
		}
		h.must(422, "POST", path, map[string]any{"email": "ola@example.com"}, "Idempotency-Key", "k")
	})
}

func TestPassportIsOnesOwnOrTheOrganisationsToSee(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		event := h.event("Night")
		h.stampType("Came", map[string]any{"on": "checkin"})
		h.stampType("By hand", map[string]any{"on": "manual"})
		h.admit(h.ticketOf(event, "Kari@example.com")) // who has no account yet
		h.admit(h.ticketOf(event, "member@example.com"))
		whole := []any{
			"total", 1, "stamps.0.name", "Came", "stamps.0.eventId", event, "stamps.0.reason", "checkin", "checkins.total", 1, "checkins.events", 1,
			"collections.0.name", "Season", "collections.0.types", 2, "collections.0.has", 1, "collections.0.complete", false,
		}
		empty := []any{"total", 0, "stamps.0", nil, "checkins.total", 0, "collections.0.has", 0}

		opaque := h.must(200, "GET", "/api/v1/people?email=nobody@example.com", nil).text("data.0.id")
		h.must(200, "GET", "/api/v1/passport/"+opaque, nil).want(t, append(empty, "user", opaque)...)

		kari := h.user(h.org, "kari@example.com", "")
		token, _ := h.personal(h.org, kari, org.TokenInput{})
		for _, name := range []string{"me", string(kari.ID)} {
			h.as(token, 200, "GET", "/api/v1/passport/"+name, nil).want(t, append(whole, "user", string(kari.ID))...)
		}
		h.must(200, "GET", "/api/v1/passport/"+string(kari.ID), nil).want(t, whole...)

		member := h.user(h.org, "member@example.com", org.Member)
		theirs, _ := h.personal(h.org, member, org.TokenInput{})
		h.as(theirs, 200, "GET", "/api/v1/passport/me", nil).want(t, append(whole, "user", string(member.ID))...)
		h.as(theirs, 200, "GET", "/api/v1/passport/"+string(kari.ID), nil).want(t, whole...)

		for _, name := range []string{string(member.ID), opaque, "usr_x", "kari@example.com"} {
			h.as(token, 404, "GET", "/api/v1/passport/"+name, nil).want(t, "code", "person_not_found")
		}
		h.must(404, "GET", "/api/v1/passport/me", nil).want(t, "code", "person_not_found") // a key is nobody
		staff, _ := h.personal(h.org, h.user(h.org, "staff@example.com", org.Staff), org.TokenInput{})
		h.as(staff, 403, "GET", "/api/v1/passport/me", nil).want(t, "code", "insufficient_role")

		h.admit(h.ticketOf(event, "shy@example.com"))
		u := h.unverified("shy@example.com")
		before, _ := h.personal(h.org, u, org.TokenInput{})
		h.as(before, 200, "GET", "/api/v1/passport/me", nil).want(t, empty...)
		h.alone("verify", func(tx *db.Tx) error { return h.people.Verify(tx, u.No) })
		after, _ := h.personal(h.org, u, org.TokenInput{})
		h.as(after, 200, "GET", "/api/v1/passport/me", nil).want(t, whole...)
	})
}

func TestAttendeeSeesWhatCanBeEarned(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		guest := h.guest("guest@example.com")
		open := h.stampType("Open", map[string]any{"on": "manual"})
		hidden := h.must(201, "POST", "/api/v1/stamps", map[string]any{
			"name": "Hidden", "collection": "Secret", "active": false, "rule": map[string]any{"on": "manual"},
		}).text("id")
		for query, want := range map[string][]string{"": {open}, "?status=all": {open}, "?status=inactive": nil, "?collection=Secret": nil} {
			r := h.as(guest, 200, "GET", "/api/v1/stamps"+query, nil)
			if diff := cmp.Diff(want, ids(r, "id")); diff != "" {
				t.Errorf("stamps%s (-want +got):\n%s", query, diff)
			}
			r.want(t, "meta.pagination.total", len(want))
		}
		h.as(guest, 404, "GET", "/api/v1/stamps/"+hidden, nil).want(t, "code", "stamp_type_not_found")
		h.as(guest, 200, "GET", "/api/v1/collections", nil).want(t, "meta.pagination.total", 1, "data.0.name", "Season", "data.0.types", 1, "data.0.stampTypes.0.id", open)
		first := h.must(200, "GET", "/api/v1/collections?limit=1", nil)
		first.want(t, "meta.pagination.total", 2, "data.0.name", "Season", "meta.pagination.hasMore", true)
		h.must(200, "GET", "/api/v1/collections?limit=1&cursor="+first.text("meta.pagination.nextCursor"), nil).want(t, "data.0.name", "Secret", "meta.pagination.hasMore", false)
		h.as(guest, 403, "POST", "/api/v1/stamps/"+open+"/award", map[string]any{"email": "guest@example.com"}).want(t, "code", "insufficient_role")
		h.must(200, "POST", "/api/v1/stamps/"+hidden+"/award", map[string]any{"email": "guest@example.com"})
		h.as(guest, 200, "GET", "/api/v1/stamps/"+hidden, nil).want(t, "name", "Hidden")
		h.as(guest, 200, "GET", "/api/v1/passport/me", nil).want(t, "collections.1.name", "Secret", "collections.1.complete", true)
	})
}
