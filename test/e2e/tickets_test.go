package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/png"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/ticketcode"
)

// attendee makes an account without a role in the organisation, and a client that has a personal token of theirs.
func (o *org) attendee(t *testing.T) (email string, c *harness.Client) {
	t.Helper()
	email = somebody()
	o.st.Feed(t, password+"\n", "user", "create", email, "--password-stdin")
	var token struct{ Token string }
	out := o.st.Run(t, "user", "token", email, "--org", o.slug, "--json")
	if err := json.Unmarshal(out, &token); err != nil || token.Token == "" {
		t.Fatalf("user token wrote %s", out)
	}
	return email, o.st.Client(token.Token)
}

// device is what a gate without network has: what the public documents say, and nothing else.
type device struct {
	public  *harness.Client
	org     string
	keys    *ticketcode.KeySet
	revoked *ticketcode.Revocations
}

// device fetches an organisation's documents.
func (o *org) device(t *testing.T, id string) *device {
	t.Helper()
	d := &device{public: o.st.Client(""), org: id, revoked: ticketcode.NewRevocations(id)}
	d.fetch(t)
	return d
}

func (d *device) fetch(t *testing.T) {
	t.Helper()
	var err error
	if d.keys, err = ticketcode.ParseKeySet(d.public.Call(t, 200, "GET", "/.well-known/stagedoor-keys.json?org="+d.org, nil).Body); err != nil {
		t.Fatal(err)
	}
	var l struct{ List []byte }
	d.public.Call(t, 200, "GET", fmt.Sprintf("/.well-known/stagedoor-revocations.json?org=%s&since=%d", d.org, d.revoked.Seq()), nil).Decode(t, &l)
	if err := d.revoked.Apply(d.keys, l.List, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// scan says what the device makes of a code, without asking anybody.
func (d *device) scan(code, event string) string {
	token, err := d.keys.Verify(code, time.Now())
	switch {
	case err != nil:
		return "no ticket"
	case token.Tag != ticketcode.EventTag(d.org, event):
		return "another event"
	case d.revoked.Revoked(token):
		return "revoked"
	}
	return "welcome to " + token.Ticket.String()
}

// orgID is the organisation's id, as commands tell it.
func (o *org) orgID(t *testing.T) string {
	t.Helper()
	var all struct {
		Organisations []struct{ ID, Slug string }
	}
	out := o.st.Run(t, "org", "list", "--json")
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatalf("org list wrote %.300s: %v", out, err)
	}
	for _, one := range all.Organisations {
		if one.Slug == o.slug {
			return one.ID
		}
	}
	t.Fatalf("org list does not tell of %s", o.slug)
	return ""
}

// purchase has somebody buy tickets for themselves and returns their ids and codes.
func purchase(t *testing.T, c *harness.Client, event, listing string, n int) (ids, codes []string) {
	t.Helper()
	a := c.Call(t, 201, "POST", "/api/v1/tickets", body{
		"eventId": event, "listingId": listing, "quantity": n, "customer": body{"phone": body{"number": "5551234567", "countryCode": "+47"}},
	})
	for i := range n {
		ids, codes = append(ids, text(t, a, fmt.Sprintf("tickets.%d.id", i))), append(codes, text(t, a, fmt.Sprintf("tickets.%d.code", i)))
		harness.Secret(codes[i], text(t, a, fmt.Sprintf("tickets.%d.shortCode", i)))
	}
	return ids, codes
}

func TestATicketIsBoughtShownGivenAwayAndCancelled(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		event := o.event(t)
		_, kari := o.attendee(t)
		olas, ola := o.attendee(t)
		ids, codes := purchase(t, kari, event, o.listing(t, event), 2)
		gate := o.device(t, o.orgID(t))
		for i := range ids {
			if got := gate.scan(codes[i], event); got != "welcome to "+ids[i] {
				t.Errorf("at the gate the code of %s is %s", ids[i], got)
			}
		}
		if got := gate.scan(codes[0], "EV-other"); got != "another event" {
			t.Errorf("at another event's gate the code is %s", got)
		}

		path := "/api/v1/tickets/" + ids[0]
		expect(t, kari.Call(t, 200, "GET", path, nil).Body, "code", codes[0], "status", "valid")
		expect(t, kari.Call(t, 200, "GET", "/api/v1/tickets?eventId="+event, nil).Body, "meta.pagination.total", 2, "data.0.code", absent{})
		expect(t, kari.Call(t, 200, "GET", path+"/verify?code="+url.QueryEscape(codes[0]), nil).Body, "valid", true)
		expect(t, kari.Call(t, 200, "PATCH", path, body{"holder": body{"name": "Kari"}}).Body, "holder.name", "Kari")
		if m, err := png.Decode(bytes.NewReader(kari.Call(t, 200, "GET", path+"/qr.png?size=200", nil).Body)); err != nil || m.Bounds().Dx() != 200 {
			t.Errorf("qr.png: %v", err)
		}
		kari.Call(t, 200, "GET", path+"/qr.svg", nil)

		kari.Call(t, 200, "POST", path+"/transfer", body{"email": olas})
		accepted := ola.Call(t, 200, "POST", path+"/transfer", body{"action": "accept", "name": "Ola"})
		expect(t, accepted.Body, "ticket.holder.email", olas, "ticket.generation", 2)
		fresh := text(t, accepted, "ticket.code")
		harness.Secret(fresh, text(t, accepted, "ticket.shortCode"))
		if got := gate.scan(codes[0], event); got != "welcome to "+ids[0] {
			t.Errorf("a gate that has heard nothing says %s", got)
		}
		gate.fetch(t)
		if got := gate.scan(codes[0], event); got != "revoked" {
			t.Errorf("after the transfer the old code is %s", got)
		}
		if got := gate.scan(fresh, event); got != "welcome to "+ids[0] {
			t.Errorf("after the transfer the new code is %s", got)
		}
		expect(t, o.Call(t, 200, "GET", path+"/verify?code="+url.QueryEscape(codes[0]), nil).Body, "valid", false, "reason", "revoked_generation")
		expect(t, kari.Call(t, 200, "GET", path+"/transfers", nil).Body, "data.0.state", "accepted", "data.0.to", olas)

		o.Call(t, 200, "POST", "/api/v1/tickets/"+ids[1]+"/block", nil)
		gate.fetch(t)
		if got := gate.scan(codes[1], event); got != "revoked" {
			t.Errorf("the code of a blocked ticket is %s", got)
		}
		o.Call(t, 200, "POST", "/api/v1/tickets/"+ids[1]+"/unblock", nil)
		gate.fetch(t)
		if got := gate.scan(codes[1], event); got != "welcome to "+ids[1] {
			t.Errorf("the code of an unblocked ticket is %s", got)
		}
		expect(t, o.Call(t, 200, "POST", path+"/cancel", nil).Body, "status", "void")
		o.Call(t, 204, "DELETE", "/api/v1/tickets/"+ids[1], nil)
		gate.fetch(t)
		for _, code := range []string{codes[0], codes[1], fresh} {
			if got := gate.scan(code, event); got != "revoked" {
				t.Errorf("a code of a cancelled ticket is %s", got)
			}
		}
	})
}

func TestKeysAndRotatingCodesByAPI(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		event := o.event(t)
		_, kari := o.attendee(t)
		ids, codes := purchase(t, kari, event, o.listing(t, event), 1)
		gate := o.device(t, o.orgID(t))
		first := text(t, o.Call(t, 200, "GET", "/api/v1/ticket-keys", nil), "data.0.publicKey")
		o.Call(t, 201, "POST", "/api/v1/ticket-keys/rotate", nil)
		refused(t, try(t, kari, "POST", "/api/v1/ticket-keys/rotate", nil), 403, "administration_only")
		after := text(t, kari.Call(t, 200, "GET", "/api/v1/tickets/"+ids[0], nil), "code")
		if got := gate.scan(after, event); got != "no ticket" {
			t.Errorf("before the gate has the new key, its code is %s", got)
		}
		gate.fetch(t)
		for _, code := range []string{codes[0], after} {
			if got := gate.scan(code, event); got != "welcome to "+ids[0] {
				t.Errorf("while keys overlap a code is %s", got)
			}
		}
		o.Call(t, 200, "POST", "/api/v1/ticket-keys/"+first+"/retire", nil)
		gate.fetch(t)
		if before, now := gate.scan(codes[0], event), gate.scan(after, event); before != "no ticket" || now != "welcome to "+ids[0] {
			t.Errorf("after the first key was retired, its code is %s, and the new one's is %s", before, now)
		}

		rotation := "/api/v1/events/" + event + "/ticket-codes"
		expect(t, o.Call(t, 200, "PATCH", rotation, body{"rotatingCodes": true, "stepSeconds": 15}).Body, "rotatingCodes", true, "stepSeconds", 15)
		expect(t, o.Call(t, 200, "GET", rotation, nil).Body, "rotatingCodes", true)
		a := kari.Call(t, 200, "GET", "/api/v1/tickets/"+ids[0], nil)
		if code := text(t, a, "code"); len(code) != ticketcode.RotatingLen {
			t.Errorf("the code has %d characters, want %d", len(code), ticketcode.RotatingLen)
		}
		expect(t, a.Body, "codeExpiresAt", instant)
		expect(t, o.Call(t, 200, "GET", "/api/v1/tickets/"+ids[0]+"/verify?code="+url.QueryEscape(after), nil).Body, "valid", false, "reason", "not_current")
	})
}

func TestPublicDocumentsSayWhoseTheyAre(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		open(t, st)
		open(t, st)
		public := st.Client("")
		for _, path := range []string{"/.well-known/stagedoor-keys.json", "/.well-known/stagedoor-revocations.json"} {
			refused(t, try(t, public, "GET", path, nil), http.StatusBadRequest, "")
			refused(t, try(t, public, "GET", path+"?org=org_00000000000000000000000000", nil), http.StatusNotFound, "org_not_found")
		}
	})
}
