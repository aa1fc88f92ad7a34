package dashboard

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// gathering is an event of today for which somebody has tickets.
type gathering struct {
	*hall
	event, name, email string
	tickets, codes     []string
}

func (h *hall) gathering(t testing.TB, n int) *gathering {
	t.Helper()
	no := serial.Add(1)
	e := &gathering{hall: h, name: fmt.Sprintf("Evening %d", no), email: fmt.Sprintf("guest%d@example.com", no)}
	starts := time.Now().UTC().Truncate(time.Second)
	var made struct{ EventID, ListingID string }
	h.Call(t, 201, "POST", "/api/v1/events", map[string]any{
		"name": e.name, "startLocal": starts.Format("2006-01-02T15:04:05"), "timezone": "Etc/UTC", "venue": "Pier Hall", "city": "Oslo", "country": "NO", "currency": "USD",
	}).Decode(t, &made)
	e.event = made.EventID
	h.Call(t, 201, "POST", "/api/v1/inventory", map[string]any{"eventId": e.event, "section": "101", "row": "A", "quantity": n, "price": "75.00"}).Decode(t, &made)
	var bought struct {
		Tickets []struct{ ID, Code string }
	}
	h.Call(t, 201, "POST", "/api/v1/tickets", map[string]any{
		"eventId": e.event, "listingId": made.ListingID, "quantity": n, "customer": map[string]any{"email": e.email, "phone": map[string]any{"number": "5551234567", "countryCode": "+1"}},
	}).Decode(t, &bought)
	for _, one := range bought.Tickets {
		e.tickets, e.codes = append(e.tickets, one.ID), append(e.codes, one.Code)
	}
	return e
}

// scan presents a code and returns what was answered.
func (e *gathering) scan(t testing.TB, c *harness.Client, code string, more ...string) string {
	t.Helper()
	scan := map[string]any{"code": code, "eventId": e.event}
	for i := 0; i+1 < len(more); i += 2 {
		scan[more[i]] = more[i+1]
	}
	var said struct{ Status string }
	c.Call(t, 200, "POST", "/api/v1/checkin/scan", scan).Decode(t, &said)
	return said.Status
}

// show presses the button of a filter, and waits until the address says what was filtered by.
func (b *tab) show(by string) *tab {
	b.t.Helper()
	return b.press("Show").until("what is filtered by "+by, "document.readyState === 'complete' && location.search.includes("+quoted(by)+")")
}

// file downloads the page's list as a file, and returns its lines without the head.
func (b *tab) file() [][]string {
	b.t.Helper()
	b.until("a file to download", `document.readyState === 'complete' && document.querySelector('.pager a[download]')`)
	text := eval[string](b, `fetch(document.querySelector('.pager a[download]').href).then((r) => r.text())`)
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(lines) == 0 {
		b.t.Fatalf("%s has the file %q: %v", b.where(), text, err)
	}
	return lines[1:]
}

// TestABlockedTicketIsRefusedAtTheDoor: a ticket is found by its holder and its seat's event, blocked, and the door refuses it until it is unblocked; cancelling asks first.
func TestABlockedTicketIsRefusedAtTheDoor(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		b := h.signIn(t)
		b.open("~/tickets").sees("There is no ticket yet")
		e := h.gathering(t, 3)
		b.open("~/tickets").fill("q", e.email).show("q=guest").sees(e.tickets[0], e.tickets[2], e.name).sound("tickets")
		if lines := b.file(); len(lines) != 3 || strings.Contains(fmt.Sprint(lines), e.codes[0]) {
			t.Errorf("the file of tickets has %d lines: %v", len(lines), lines)
		}
		b.fill("q", "A 1").show("q=A").sees("choose which")
		b.open("~/tickets").fill("status", "blocked").show("status=blocked").sees("There is no such ticket")
		b.open("~/tickets/"+e.tickets[0]).sees(e.email, "place 1 of 3", "Nothing has happened").seesNot(e.codes[0])
		b.press("Show the code").sees("To type at the door")
		b.until("the QR code to be drawn", "document.querySelector('img.qr').naturalWidth > 0")
		b.sound("ticket")
		b.press("Block").sees("The ticket is blocked")
		if said := e.scan(t, h.Client, e.codes[0]); said != "blocked" {
			t.Errorf("a blocked ticket is %q at the door", said)
		}
		b.press("Unblock").sees("The ticket is valid again", "blocked") // the latter among what happened at the door
		if said := e.scan(t, h.Client, e.codes[0]); said != "checked_in" {
			t.Errorf("an unblocked ticket is %q at the door", said)
		}
		b.open("~/tickets/"+e.tickets[2]).press("Have codes rotate").sees("Have the codes of this event rotate?").press("Have them rotate").sees("The codes of the event rotate", "good for 30.0 s")
		if said := e.scan(t, h.Client, e.codes[2]); said != "invalid" {
			t.Errorf("a code that does not rotate is %q at the door", said)
		}
		b.press("Stop rotating").sees("Stop rotating the codes of this event?").press("Stop rotating").sees("do not rotate any more")
		b.open("~/tickets/" + e.tickets[1]).press("Cancel the ticket").sees("Cancel this ticket?").press("No, go back").sees("Its code")
		b.press("Cancel the ticket").sees("Cancel this ticket?").press("Cancel the ticket").sees("The ticket is cancelled", "has no code")
		if said := e.scan(t, h.Client, e.codes[1]); said != "cancelled" {
			t.Errorf("a cancelled ticket is %q at the door", said)
		}
	})
}

// TestTicketsAreOfferedAndTakenBack: a wrong address is said beside its field; an offer is in the list of transfers until it is taken back.
func TestTicketsAreOfferedAndTakenBack(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		e := h.gathering(t, 1)
		b := h.signIn(t)
		b.open("~/transfers").sees("No ticket was offered")
		b.open("~/tickets/"+e.tickets[0]).fill("#offer-email", e.email).press("Offer the ticket").sees("That is the holder's own address")
		b.fill("#offer-email", "friend@example.com").press("Offer the ticket").sees("The ticket is offered to friend@example.com", "offered")
		b.open("~/transfers").fill("state", "offered").show("state=offered").sees(e.tickets[0], "friend@example.com").sound("transfers")
		b.press("Take it back").sees("The offer is taken back", "revoked")
		if lines := b.file(); len(lines) != 1 || lines[0][2] != "revoked" {
			t.Errorf("the file of transfers: %v", lines)
		}
		b.open("~/tickets/"+e.tickets[0]).fill("#holder-name", "Kari <b>Nordmann</b>").press("Correct").sees("The holder is corrected", "Kari <b>Nordmann</b>")
	})
}

// TestAttendanceMovesByItself: the counts, the gates, the refused and the latest check-ins change while somebody scans, also for staff, who see no webhooks.
func TestAttendanceMovesByItself(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		e := h.gathering(t, 4)
		staff := fmt.Sprintf("staff%d@example.com", serial.Add(1))
		h.member(t, staff, "staff")
		b, k := h.signIn(t), h.signInAs(t, staff)
		b.open("~/gates").sees("There is no gate yet").fill("#gate-name", "North").press("Make the gate").sees("The gate is made")
		b.fill("#gate-name", "north").press("Make the gate").sees("Another gate has this name").sound("gates")
		for _, one := range []*tab{b, k} {
			one.open("~/attendance").sees("Today and now").sound("attendance-events").press(e.name).sees("Nobody was scanned yet")
			one.until("the stream", "document.getElementById('door-state').textContent === 'Live'")
		}
		for _, code := range e.codes[:3] {
			if said := e.scan(t, h.Client, code, "gate", "North"); said != "checked_in" {
				t.Fatalf("the door says %s", said)
			}
		}
		e.scan(t, h.Client, e.codes[0])
		e.scan(t, h.Client, "SD1:NOTHING")
		for _, one := range []*tab{b, k} {
			one.until("three inside", "document.getElementById('inside').textContent === '3' && document.getElementById('admitted').textContent === '3'")
			one.until("two refused", "document.getElementById('refused').textContent === '2'")
			one.sees("North", "is in already", "not a code of ours", e.tickets[2])
		}
		b.sound("attendance")
		b.press("All check-ins").fill("status", "checked_in").show("status=checked_in")
		if lines := b.file(); len(lines) != 3 || lines[0][7] != "North" {
			t.Errorf("the file of check-ins: %v", lines)
		}
		b.sound("checkins").pressIn(e.tickets[2], "Undo").sees("Undo this check-in?").press("Undo it").sees("The check-in is undone")
		k.until("two inside", "document.getElementById('inside').textContent === '2'")
		k.open("~/gates").seesNot("Make the gate", "Rename")
	})
}

// TestCheckinListsAreMadeAndChanged: what the form says is what the API shows, and what is wrong is said with all that was typed still there.
func TestCheckinListsAreMadeAndChanged(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		e := h.gathering(t, 1)
		b := h.signIn(t)
		b.open("~/attendance/"+e.event).press("Make a list").fill("name", "VIP", "policy", "reentry", "sections", "101\n102", "classes", "x").press("Make the list").sees("Classes are whole numbers")
		if kept := eval[string](b, "document.querySelector('[name=sections]').value"); kept != "101\n102" {
			t.Errorf("the form forgot the sections: %q", kept)
		}
		b.fill("classes", "1, 2", "perDay", "2", "opensAt", "2031-08-14T18:30").sound("checkin-list").press("Make the list").sees("The check-in list is made", "VIP")
		var lists struct {
			Data []struct {
				Name, Policy, OpensAt string
				Sections              []string
				Classes               []int
				Limits                struct{ PerDay int }
			}
		}
		h.Call(t, 200, "GET", "/api/v1/checkin-lists?eventId="+e.event, nil).Decode(t, &lists)
		last := lists.Data[len(lists.Data)-1]
		if got := fmt.Sprint(last); got != "{VIP reentry 2031-08-14T18:30:00.000Z [101 102] [1 2] {2}}" && got != "{VIP reentry 2031-08-14T18:30:00Z [101 102] [1 2] {2}}" {
			t.Errorf("the list is %s", got)
		}
		b.press("VIP").fill("name", "Guests").press("Save the list").sees("The check-in list is changed", "Guests")
		b.press("Guests").press("Delete the list").sees("Delete this check-in list?").press("Delete the list").sees("The check-in list is deleted").seesNot("Guests")
	})
}

// TestDevicesArePairedByTheirLink: the link is shown once and good for one phone; its credential is good for the device's event and no other, and for nothing once it is revoked.
func TestDevicesArePairedByTheirLink(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		e, other := h.gathering(t, 1), h.gathering(t, 1)
		b := h.signIn(t)
		b.open("~/devices").sees("There is no device yet").fill("#device-name", "Main entrance", "#event-"+e.event, "true").press("Make the device").sees("Pair Main entrance")
		link := eval[string](b, "document.querySelector('.card.new code').textContent")
		page, code, ok := strings.Cut(link, "#pair=")
		if !ok || page != st.URL+"/door" || len(code) != len("7K3QX-M40ZP") {
			t.Fatalf("the link is %.30q", link)
		}
		b.until("the QR code to be drawn", "document.querySelector('img.qr').naturalWidth > 0")
		b.sound("device")
		var paired struct{ Credential string }
		st.Client("").Call(t, 200, "POST", "/api/v1/devices/enroll", map[string]any{"code": code}).Decode(t, &paired)
		harness.Secret(paired.Credential)
		newTab(t, st.URL).open("/door#pair=" + code).sees("The device's code") // it was used
		d := st.Client(paired.Credential)
		if said := e.scan(t, d, e.codes[0]); said != "checked_in" {
			t.Errorf("the device's scan says %s", said)
		}
		if said := other.scan(t, d, other.codes[0]); said != "wrong_event" {
			t.Errorf("the device's scan at another event says %s", said)
		}
		d.Call(t, 403, "GET", "/api/v1/tickets/"+e.tickets[0], nil)
		b.open("~/devices").seesNot(code, "not paired yet").sees("Main entrance", e.name).sound("devices")
		b.press("Revoke").sees("Revoke this device?").press("Revoke the device").sees("The device is revoked", "There is no device yet")
		end := time.Now().Add(patience)
		for {
			a, err := d.Do(t.Context(), "GET", "/api/v1/gates", nil)
			if err == nil && a.Status == 401 {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the revoked device still gets in: %d, %v", a.Status, err)
			}
		}
	})
}

// TestStampsAreMadeAndAwardedByHand: a stamp type with a rule, an award by hand that the API knows of, and its revocation.
func TestStampsAreMadeAndAwardedByHand(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		b := h.signIn(t)
		b.open("~/stamps").sees("There is no stamp yet").press("Make a stamp").fill("name", "Regular", "on", "count", "repeat", "once", "threshold", "0").press("Make the stamp").sees("Give a whole number from 1 on")
		b.fill("threshold", "3").sound("stamp-new").press("Make the stamp").sees("The stamp can be earned", "coming in to 3 different events", "Nobody has it yet")
		b.fill("#award-email", "kari@example.com", "#award-note", "for the band").press("Award the stamp").sees("The stamp is awarded", "kari@example.com", "for the band").sound("stamp")
		b.fill("#award-email", "KARI@example.com").press("Award the stamp").sees("They have this stamp already")
		if lines := b.file(); len(lines) != 1 || lines[0][1] != "kari@example.com" {
			t.Errorf("the file of awards: %v", lines)
		}
		var types, awards struct {
			Data []struct{ ID, Email, Actor string }
		}
		h.Call(t, 200, "GET", "/api/v1/stamps", nil).Decode(t, &types)
		h.Call(t, 200, "GET", "/api/v1/stamps/"+types.Data[0].ID+"/awards", nil).Decode(t, &awards)
		if len(awards.Data) != 1 || awards.Data[0].Email != "kari@example.com" || !strings.HasPrefix(awards.Data[0].Actor, "usr_") {
			t.Errorf("the awards are %+v", awards.Data)
		}
		b.fill("#stamp-name", "Old friend").press("Save the stamp").sees("The stamp is changed", "Old friend")
		b.press("Take away").sees("Take this stamp away?").press("Take it away").sees("The stamp is taken away", "Nobody has it yet")
		b.open("~/stamps").sees("Old friend").sound("stamps")
	})
}

// hears waits for an event of ethpass's webhook about a pass ("" for any), and returns it.
func hears(t *testing.T, r *harness.Receiver, event, pass string) harness.Got {
	t.Helper()
	var found harness.Got
	r.Await(t, patience, func(all []harness.Got) bool {
		for _, g := range all {
			var told struct {
				Event  string
				Result struct {
					ID           string
					ExpireAction string
				}
			}
			if json.Unmarshal(g.Body, &told) == nil && told.Event == event && (pass == "" || told.Result.ID == pass) {
				found = g
				return true
			}
		}
		return false
	})
	return found
}

// TestAWalletProjectIsSetUpAndARevokedPassIsTold is ethpass's dashboard: the project's secret is generated and opens /v0, its webhook is set and tried, and a pass that is revoked here
// arrives there as pass:expire, with the Authorization that was set.
func TestAWalletProjectIsSetUpAndARevokedPassIsTold(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		e := h.gathering(t, 1)
		b := h.signIn(t)
		b.open("~/wallets").sees("No webhook is set", st.URL+"/v0").press("Generate a project secret").sees("Copy it now")
		secret := eval[string](b, "document.querySelector('#project-secret code').textContent")
		harness.Secret(secret)
		program := st.Client(secret)
		program.Call(t, 200, "GET", "/v0/project", nil)
		program.Call(t, 403, "GET", "/api/v1/devices", nil)

		hook := harness.Receive(t, nil)
		b.open("~/wallets").seesNot(secret)
		b.fill("url", hook.URL, "keep", "own", "#hook-secret", "").press("Set the webhook").sees("Type the secret")
		if kept := eval[string](b, "document.querySelector('[name=url]').value"); kept != hook.URL {
			t.Errorf("the form forgot the URL: %q", kept)
		}
		b.fill("keep", "make").press("Set the webhook").sees("shown this once", "active")
		authorization := eval[string](b, "document.querySelector('#hook-secret-given code').textContent")
		harness.Secret(authorization)
		b.open("~/wallets").seesNot(authorization).press("Test it").sees("A test is under way")
		if got := hears(t, hook, "pass:expire", "").Header.Values("Authorization"); len(got) != 1 || got[0] != authorization {
			t.Errorf("the test has the Authorization %.20q", got)
		}
		var set struct {
			URL              string
			AuthorizationSet bool
		}
		program.Call(t, 200, "GET", "/v0/project/webhook", nil).Decode(t, &set)
		if set.URL != hook.URL || !set.AuthorizationSet {
			t.Errorf("GET /v0/project/webhook says %+v", set)
		}

		var made struct{ ID string }
		program.Call(t, 200, "POST", "/v0/passes", map[string]any{"ticketId": e.tickets[0], "platform": "apple", "externalId": "order-17"}).Decode(t, &made)
		program.Call(t, 200, "POST", "/v0/passes/"+made.ID+"/registrations", nil)
		hears(t, hook, "pass:register", made.ID)
		b.open("~/passes").fill("q", "order-17").show("q=order-17").sees(made.ID, e.name, "active").seesNot("webhook-test").sound("passes")
		b.press(made.ID).sees("On 1 device now", "pass:create").press("Make a link").sees(st.URL + "/api/link/")
		b.open("~/passes/"+made.ID).press("Revoke").sees("Revoke this pass?").press("Revoke the pass").sees("The pass is revoked", "USER_REVOKE")
		got := hears(t, hook, "pass:expire", made.ID)
		if a := got.Header.Values("Authorization"); len(a) != 1 || a[0] != authorization {
			t.Errorf("pass:expire has the Authorization %.20q", a)
		}
		if !strings.Contains(string(got.Body), `"expireAction":"USER_REVOKE"`) {
			t.Errorf("pass:expire says %s", got.Body)
		}
		b.open("~/passes/"+made.ID).sees("pass:expire", "pass:register").sound("pass")
		b.open("~/passes").fill("status", "expired", "event", e.event).show("status=expired").sees(made.ID)
		if lines := b.file(); len(lines) != 1 || lines[0][5] != "expired" {
			t.Errorf("the file of passes: %v", lines)
		}
		b.press("Design").fill("backgroundColor", "red").press("Save the design").sees("Write a colour as")
		b.fill("backgroundColor", "rgb(122,31,61)", "logoText", "The Hall").press("Save the design").sees("The design is changed").sound("pass-design")
		b.open("~/wallets").sees("pass:expire", "delivered").sound("wallets")
		b.press("Remove the webhook").sees("Remove the webhook?").press("Remove the webhook").sees("The webhook is removed", "No webhook is set")
		program.Call(t, 404, "GET", "/v0/project/webhook", nil)
	})
}

// TestPagesAboutGuestsAreForWhoMay goes through all of them, with the ids of what there is, as staff, as a member, as the owner of another organisation, and with forms that are not
// from our pages, after which all is as it was.
func TestPagesAboutGuestsAreForWhoMay(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h, other := newHall(t, st), newHall(t, st)
		e := h.gathering(t, 1)
		var list, gate, device, kind, made struct{ ID string }
		h.Call(t, 201, "POST", "/api/v1/checkin-lists", map[string]any{"eventId": e.event, "name": "VIP"}).Decode(t, &list)
		h.Call(t, 201, "POST", "/api/v1/gates", map[string]any{"name": "North"}).Decode(t, &gate)
		h.Call(t, 201, "POST", "/api/v1/devices", map[string]any{"name": "Main"}).Decode(t, &device)
		h.Call(t, 201, "POST", "/api/v1/stamps", map[string]any{"name": "Regular", "rule": map[string]any{"on": "manual"}}).Decode(t, &kind)
		h.Call(t, 200, "POST", "/v0/passes", map[string]any{"ticketId": e.tickets[0], "platform": "apple"}).Decode(t, &made)
		var in struct {
			Checkin struct{ ID string }
		}
		h.Call(t, 200, "POST", "/api/v1/checkin/scan", map[string]any{"code": e.codes[0], "eventId": e.event}).Decode(t, &in)

		ticket, door, stamp, pass := "/tickets/"+e.tickets[0], "/attendance/"+e.event, "/stamps/"+kind.ID, "/passes/"+made.ID
		routes := map[string][]string{ // by the least role that may
			"staff": {"GET /attendance", "GET " + door, "GET " + door + "/now", "GET " + door + "/checkins", "GET " + door + "/lists/" + list.ID, "GET /gates"},
			"member": {
				"GET /tickets", "GET " + ticket, "GET /transfers", "GET " + door + "/lists/new", "GET /stamps", "GET /stamps/new", "GET " + stamp, "GET /passes", "GET " + pass, "GET /passes/design",
				"POST " + ticket + "/block", "POST " + ticket + "/unblock", "POST " + ticket + "/cancel", "POST " + ticket + "/holder", "POST " + ticket + "/offer", "POST " + ticket + "/rotation",
				"POST /transfers/" + e.tickets[0] + "/revoke", "POST " + door + "/lists/new", "POST " + door + "/lists/" + list.ID, "POST " + door + "/lists/" + list.ID + "/delete",
				"POST /gates", "POST /gates/" + gate.ID, "POST /gates/" + gate.ID + "/delete", "POST /stamps/new", "POST " + stamp, "POST " + stamp + "/delete", "POST " + stamp + "/award",
				"POST " + stamp + "/awards/stp_x/revoke", "POST " + pass + "/expire", "POST " + pass + "/link", "POST /passes/design",
			},
			"admin": {
				"GET /devices", "GET /wallets", "POST /devices", "POST /devices/" + device.ID + "/revoke", "POST /wallets/secret", "POST /wallets/secret/key_x/revoke", "POST /wallets/webhook",
				"POST /wallets/webhook/remove", "POST /wallets/webhook/test",
			},
		}
		rank := map[string]int{"staff": 1, "member": 2, "admin": 3}
		status := func(b *tab, route string) int {
			method, path, _ := strings.Cut(route, " ")
			body := ""
			if method == "POST" {
				body = ", body: new URLSearchParams({sure: 'yes', name: 'Forged', email: 'forged@example.com'})"
			}
			return eval[int](b, fmt.Sprintf(`fetch(%s, {method: %s%s}).then((r) => r.status)`, quoted("/o/"+h.id+path), quoted(method), body))
		}
		stranger := other.signIn(t)
		for _, role := range []string{"staff", "member", "admin"} {
			who := fmt.Sprintf("%s%d@example.com", role, serial.Add(1))
			h.member(t, who, role)
			b := h.signInAs(t, who)
			for least, some := range routes {
				for _, route := range some {
					want := 200
					if rank[role] < rank[least] || strings.HasPrefix(route, "POST") { // whose form has no token
						want = 403
					}
					if got := status(b, route); got != want {
						t.Errorf("%s as %s = %d, want %d", route, role, got, want)
					}
					if role == "admin" {
						if got := status(stranger, route); got != 404 {
							t.Errorf("%s as an owner of another organisation = %d, want 404", route, got)
						}
					}
				}
			}
		}
		if a := string(h.Call(t, 200, "GET", "/api/v1/tickets/"+e.tickets[0], nil).Body); !strings.Contains(a, `"status":"checked_in"`) || strings.Contains(a, "orged") {
			t.Errorf("a form without a token has changed the ticket: %s", a)
		}
		if a := string(h.Call(t, 200, "GET", "/v0/passes/"+made.ID, nil).Body); strings.Contains(a, "USER_REVOKE") {
			t.Errorf("a form without a token has revoked the pass: %s", a)
		}
		for _, path := range []string{"/api/v1/gates", "/api/v1/devices", "/api/v1/stamps", "/api/v1/checkin-lists?eventId=" + e.event} {
			if a := string(h.Call(t, 200, "GET", path, nil).Body); strings.Contains(a, "Forged") || !strings.Contains(a, "North") && !strings.Contains(a, "Main") && !strings.Contains(a, "Regular") && !strings.Contains(a, "VIP") {
				t.Errorf("a form without a token has changed %s: %s", path, a)
			}
		}
	})
}
