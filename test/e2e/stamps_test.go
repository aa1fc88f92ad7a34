package e2e

import (
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// A stamp that is awarded by hand is in the passport, and whoever asked for it is told.
func TestAnAwardedStampIsInThePassportAndIsTold(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "pullup", nil, "events", []string{"stamp.awarded"})
		email, ev := somebody(), o.event(t)
		made := o.Call(t, 201, "POST", "/api/v1/stamps", body{
			"name": "Volunteer", "collection": "Season 2031", "rule": body{"on": "manual", "repeat": "event"},
			"art": "data:image/svg+xml,%3Csvg%20xmlns=%22http://www.w3.org/2000/svg%22%20viewBox=%220%200%202%202%22%3E%3Ccircle%20r=%221%22/%3E%3C/svg%3E",
		})
		kind := text(t, made, "id")
		path := "/api/v1/stamps/" + kind
		expect(t, o.Call(t, 200, "GET", "/api/v1/stamps", nil).Body, "data.#", 1, "data.0.id", kind, "data.0.art", filled, "data.0.rule.repeat", "event")
		expect(t, o.Call(t, 200, "PATCH", path, body{"description": "For those who helped."}).Body, "version", 2, "name", "Volunteer")
		refused(t, try(t, o.Client, "POST", path+"/award", body{"email": email}), 400, "validation_failed")
		a := o.Call(t, 200, "POST", path+"/award", body{"email": strings.ToUpper(email), "eventId": ev, "note": "thank you"})
		again := o.Call(t, 200, "POST", path+"/award", body{"email": email, "eventId": ev})
		if text(t, again, "id") != text(t, a, "id") {
			t.Errorf("awarded again, the stamp is %s, was %s", text(t, again, "id"), text(t, a, "id"))
		}
		expect(t, o.Call(t, 200, "GET", path+"/awards", nil).Body, "data.#", 1, "data.0.email", email, "data.0.note", "thank you")
		person := text(t, o.person(t, email), "data.0.id")
		passport := o.Call(t, 200, "GET", "/api/v1/passport/"+person, nil)
		expect(t, passport.Body, "total", 1, "stamps.0.id", text(t, a, "id"), "stamps.0.eventId", ev, "stamps.0.awardedAt", instant, "collections.0.name", "Season 2031",
			"collections.0.has", 1, "collections.0.complete", true, "checkins.total", 0)
		expect(t, o.Call(t, 200, "GET", "/api/v1/collections", nil).Body, "data.0.name", "Season 2031", "data.0.types", 1)

		told := h.await(t, "stamp.awarded", 1)
		expect(t, told.Body, "event", "stamp.awarded", "data.stamp_id", text(t, a, "id"), "data.stamp_type_id", kind, "data.name", "Volunteer",
			"data.collection", "Season 2031", "data.event_id", ev, "data.awarded_at", at(t, passport.Body, "stamps.0.awardedAt"))
		if s := strings.ToLower(string(told.Body)); strings.Contains(s, email) || strings.Contains(s, "thank you") {
			t.Errorf("the delivery has what is personal: %s", told.Body)
		}

		o.Call(t, 204, "DELETE", "/api/v1/stamps/awarded/"+text(t, a, "id"), nil)
		expect(t, o.Call(t, 200, "GET", "/api/v1/passport/"+person, nil).Body, "total", 0)
		o.Call(t, 200, "POST", path+"/award", body{"email": email, "eventId": ev})
		told = h.await(t, "stamp.awarded", 2) // its being taken away is not pullup's
		expect(t, told.Body, "data.stamp_id", text(t, a, "id"))
		o.Call(t, 204, "DELETE", path, nil)
		expect(t, o.Call(t, 200, "GET", "/api/v1/passport/"+person, nil).Body, "total", 1)
		expect(t, o.Call(t, 200, "GET", path, nil).Body, "retired", true)
		if out := string(st.Run(t, "audit")); strings.Contains(out, "stamps") {
			t.Errorf("audit: %s", out)
		}
	})
}

func TestErasedPeopleHaveNoStamps(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		email := somebody()
		path := "/api/v1/stamps/" + text(t, o.Call(t, 201, "POST", "/api/v1/stamps", body{"name": "Volunteer", "rule": body{"on": "manual"}}), "id")
		o.Call(t, 200, "POST", path+"/award", body{"email": email, "note": "for " + email})
		id := text(t, o.person(t, email), "data.0.id")
		expect(t, o.Call(t, 200, "GET", "/api/v1/people/"+id+"/export", nil).Body, "stamps.#", 1, "stamps.0.note", "for "+email)
		expect(t, st.Run(t, "erase", "--email", email, "--org", o.slug, "--json"), "stamps", 1)
		a := o.Call(t, 200, "GET", path+"/awards", nil)
		expect(t, a.Body, "meta.pagination.total", 1, "data.0.email", absent{}, "data.0.note", absent{})
		expect(t, st.Run(t, "erase", "--email", email, "--org", o.slug, "--json"), "stamps", 0)
		o.Call(t, 200, "POST", path+"/award", body{"email": email}) // who comes back begins anew
		expect(t, o.Call(t, 200, "GET", path+"/awards", nil).Body, "meta.pagination.total", 2)
	})
}
