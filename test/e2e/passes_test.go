package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/pass/apple"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

// counter is an organisation that hands out passes: Apple and Google are played, and somebody is told of every step.
type counter struct {
	*admission
	server        *harness.Server
	apns          *harness.APNs
	chain         *harness.Chain // number 1, whose owners are asked for every second
	google        *harness.GoogleWallet
	roots         []byte // of Apple's passes
	hook          *harness.Receiver
	authorization string // that deliveries must have
	heard         []string
}

// atCounters runs f at a counter on each database, with tickets that were sold.
func atCounters(t *testing.T, tickets int, f func(t *testing.T, c *counter)) {
	t.Helper()
	t.Parallel()
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		t.Parallel()
		c := &counter{apns: harness.NewAPNs(t), chain: harness.PlayChain(t), google: harness.PlayGoogle(t, "3388000000012345678"), authorization: fmt.Sprintf("a-project-secret-%d-4711", serial.Add(1))}
		file, err := apple.NewIdentity(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		identity, err := apple.ReadIdentity(file, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		c.roots = identity.Roots()
		certificate := filepath.Join(t.TempDir(), "pass.pem")
		if err := os.WriteFile(certificate, file, 0o600); err != nil {
			t.Fatal(err)
		}
		c.server = h.Serve(t, "--log-level", "debug", "--apple-pass-cert", certificate, "--apns", c.apns.URL, "--apns-ca", c.apns.CA, "--google-service-account", c.google.Account,
			"--google-issuer", c.google.Issuer, "--google-wallet-api", c.google.API, "--google-save-url", c.google.SaveURL, "--google-callback-keys", c.google.KeysFile,
			"--evm-rpc", "1="+c.chain.URL, "--evm-recheck", "1s")
		slug, key := h.Org(t, "Hall")
		o := &org{Client: c.server.Client(key), st: &harness.Stage{House: h, Server: c.server}, slug: slug}
		c.admission = o.admission(t, tickets)
		c.listen(t)
		f(t, c)
		if out := string(h.Run(t, "audit")); strings.Contains(out, "passes") {
			t.Errorf("audit: %s", out)
		}
	})
}

// listen has somebody told.
func (c *counter) listen(t *testing.T) {
	t.Helper()
	harness.Secret(c.authorization)
	c.hook = harness.Receive(t, nil)
	set := c.Call(t, 200, "PUT", "/v0/project/webhook", body{"url": c.hook.URL, "authorization": c.authorization})
	expect(t, set.Body, "url", c.hook.URL, "authorization", c.authorization)
}

// hears waits until exactly this has come next, with the authorization that was set, and its result is what GET answers.
func (c *counter) hears(t *testing.T, event, pass string) harness.Got {
	t.Helper()
	c.heard = append(c.heard, event)
	all := c.hook.Await(t, soon, func(all []harness.Got) bool { return len(all) >= len(c.heard) })
	var names []string
	for _, g := range all {
		names = append(names, name(g))
	}
	if diff := cmp.Diff(c.heard, names); diff != "" {
		t.Fatalf("deliveries (-want +got):\n%s", diff)
	}
	last := all[len(all)-1]
	if got := last.Header.Values("Authorization"); len(got) != 1 || got[0] != c.authorization {
		t.Errorf("%s: Authorization is %.20q", event, got)
	}
	if last.Header.Get("X-Delivery-Id") == "" {
		t.Errorf("%s has no X-Delivery-Id", event)
	}
	var told struct{ Result json.RawMessage }
	if err := json.Unmarshal(last.Body, &told); err != nil {
		t.Fatalf("%s: %v\n%s", event, err, last.Body)
	}
	if is := strings.TrimSpace(string(c.Call(t, 200, "GET", "/v0/passes/"+pass, nil).Body)); string(told.Result) != is {
		t.Errorf("%s tells\n%s\nand GET answers\n%s", event, told.Result, is)
	}
	return last
}

// nothingElse makes one more pass, and holds that nothing is told before it that was not heard.
func (c *counter) nothingElse(t *testing.T) {
	t.Helper()
	wallet := body{"chain": body{"name": "evm", "network": 1}, "address": "0x52908400098527886E0F7030069857D2E4169EE7"}
	last := c.Call(t, 200, "POST", "/v0/passes", body{"platform": "apple", "wallet": wallet, "barcode": body{"message": "the last of all"}})
	c.hears(t, "pass:create", text(t, last, "id"))
}

// pass makes a pass of a ticket and returns its id and link.
func (c *counter) pass(t *testing.T, ticket, platform string, over ...any) (id, link string) {
	t.Helper()
	made := c.Call(t, 200, "POST", "/v0/passes", with(body{"ticketId": ticket, "platform": platform}, over...))
	id, link = text(t, made, "id"), text(t, made, "fileURL")
	harness.Secret(link[strings.LastIndexByte(link, '/')+1:])
	g := c.hears(t, "pass:create", id)
	expect(t, g.Body, "result.platform", platform, "result.registrations.#", 0, "result.expiredAt", nil, "result.expireAction", nil, "result.lastScannedAt", nil, "result.ownerAddress", nil)
	return id, link
}

// phone makes an iPhone.
func (c *counter) phone() *harness.Phone {
	p := harness.NewPhone(c.apns)
	p.Roots = c.roots
	return p
}

// installed makes a pass of a ticket and puts it on a phone.
func (c *counter) installed(t *testing.T, ticket string) (id string, on *harness.Phone, pkpass *harness.Pkpass) {
	t.Helper()
	id, link := c.pass(t, ticket, "apple")
	on = c.phone()
	pkpass = on.Add(t, link)
	expect(t, c.hears(t, "pass:register", id).Body, "result.registrations.#", 1, "result.registrations.0.deletedAt", nil)
	return id, on, pkpass
}

// within is how long a device may take to show what has changed: a second, or what a machine needs that runs other tests beside.
const within = 20 * time.Second

// saving follows a link of Google's to where it leads.
func saving(t *testing.T, link string) string {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 302 {
		t.Fatalf("GET of the link = %d", resp.StatusCode)
	}
	to := resp.Header.Get("Location")
	harness.Secret(to[strings.LastIndexByte(to, '.')+1:]) // the signature of the token
	return to
}

// A ticket's pass is made, installed, changed, scanned and revoked, and every step of it is told.
func TestATicketIsInAnIPhonesWallet(t *testing.T) {
	atCounters(t, 1, func(t *testing.T, c *counter) {
		id, on, pass := c.installed(t, c.tickets[0])
		if pass.Message() != c.codes[0] {
			t.Errorf("the pass shows %.12q…, want the ticket's code", pass.Message())
		}
		if pass.WebService != c.server.URL+"/passkit" || !pass.Has("Harbor Jazz Night") || pass.Voided {
			t.Errorf("the pass: web service %s, voided %v\n%s", pass.WebService, pass.Voided, pass.Files["pass.json"])
		}
		if status := on.Register(t, pass); status != 200 {
			t.Errorf("a device that registers again is answered with %d", status)
		}

		// The event begins an hour later: the phone shows it at once, and nobody is told of each pass.
		c.Call(t, 200, "PATCH", "/api/v1/events/"+c.event, body{"startLocal": "2031-08-14T21:30:00"})
		changed := time.Now()
		pass = on.Updated(t, pass, within)
		t.Logf("the phone has the new time after %v", time.Since(changed).Round(time.Millisecond))
		if !strings.Contains(string(pass.Files["pass.json"]), "2031-08-14T21:30:00+02:00") {
			t.Errorf("the phone shows\n%s", pass.Files["pass.json"])
		}
		if _, news := on.Fetch(t, pass); news {
			t.Error("a pass that has not changed was fetched again")
		}

		// At the door, and by the older way.
		expect(t, c.scan(t, c.Client, pass.Message()).Body, "status", "checked_in")
		expect(t, c.hears(t, "pass:scan", id).Body, "result.lastScannedAt", filled)
		expect(t, c.scan(t, c.Client, pass.Message()).Body, "status", "already_checked_in")
		c.hears(t, "pass:scan", id)
		c.Call(t, 200, "GET", "/v0/scan?dryRun=true&data="+url.QueryEscape(pass.Message()), nil)
		expect(t, c.Call(t, 200, "GET", "/v0/scan?data="+url.QueryEscape(pass.Message()), nil).Body, "id", id, "message", pass.Message())
		c.hears(t, "pass:scan", id)

		// It is called off.
		c.Call(t, 200, "PATCH", "/api/v1/events/"+c.event, body{"status": "cancelled"})
		if pass = on.Updated(t, pass, within); !pass.Has("Cancelled") {
			t.Errorf("the event is off, and the phone shows\n%s", pass.Files["pass.json"])
		}

		// A device goes, and comes again.
		on.Remove(t, pass)
		expect(t, c.hears(t, "pass:unregister", id).Body, "result.registrations.0.deletedAt", filled)
		other := c.phone()
		link := text(t, c.Call(t, 200, "GET", "/v0/passes/"+id+"/distribute", nil), "distribution.apple.url")
		harness.Secret(link[strings.LastIndexByte(link, '/')+1:])
		pass = other.Add(t, link)
		expect(t, c.hears(t, "pass:register", id).Body, "result.registrations.#", 2)

		// The organisation revokes it: once, and the phone shows it.
		expect(t, c.Call(t, 200, "POST", "/v0/passes/"+id+"/expire", nil).Body, "expireAction", "ADMIN_REVOKE", "expiredAt", filled)
		expect(t, c.hears(t, "pass:expire", id).Body, "result.expireAction", "ADMIN_REVOKE")
		c.Call(t, 200, "DELETE", "/v0/passes/"+id, nil)
		if pass = other.Updated(t, pass, within); !pass.Voided {
			t.Error("the phone does not show that the pass is void")
		}
		if status := c.phone().Register(t, pass); status != 200 {
			t.Errorf("a device that registers for a void pass is answered with %d", status)
		}
		c.nothingElse(t)
	})
}

// What ends a ticket ends its passes.
func TestPassesEndWithTheirTickets(t *testing.T) {
	atCounters(t, 2, func(t *testing.T, c *counter) {
		id, on, pass := c.installed(t, c.tickets[0])
		c.Call(t, 200, "POST", "/api/v1/tickets/"+c.tickets[0]+"/cancel", nil)
		expect(t, c.hears(t, "pass:expire", id).Body, "result.expireAction", "TICKET_VOID", "result.expiredAt", filled)
		if pass = on.Updated(t, pass, within); !pass.Voided {
			t.Error("the ticket is void, and the phone does not show it")
		}
		expect(t, c.Call(t, 200, "GET", "/v0/scan?data="+url.QueryEscape(c.codes[0]), nil).Body, "id", id, "scanResult.valid", false)
		c.hears(t, "pass:scan", id)

		_, kari := c.attendee(t)
		olas, ola := c.attendee(t)
		ids, _ := purchase(t, kari, c.event, c.listing(t, c.event, "section", "B"), 1)
		made := kari.Call(t, 200, "POST", "/v0/passes", body{"ticketId": ids[0], "platform": "apple"})
		karis, link := text(t, made, "id"), text(t, made, "fileURL")
		harness.Secret(link[strings.LastIndexByte(link, '/')+1:])
		c.hears(t, "pass:create", karis)
		phone := c.phone()
		pass = phone.Add(t, link)
		c.hears(t, "pass:register", karis)
		kari.Call(t, 200, "POST", "/api/v1/tickets/"+ids[0]+"/transfer", body{"email": olas})
		ola.Call(t, 200, "POST", "/api/v1/tickets/"+ids[0]+"/transfer", body{"action": "accept", "name": "Ola"})
		expect(t, c.hears(t, "pass:expire", karis).Body, "result.expireAction", "TRANSFERRED")
		if pass = phone.Updated(t, pass, within); !pass.Voided {
			t.Error("the ticket is somebody else's, and the phone does not show it")
		}
		olasPass := text(t, ola.Call(t, 200, "POST", "/v0/passes", body{"ticketId": ids[0], "platform": "apple"}), "id")
		c.hears(t, "pass:create", olasPass)
		kari.Call(t, 404, "POST", "/v0/passes", body{"ticketId": ids[0], "platform": "apple"})
		c.nothingElse(t)
	})
}

// Apple says that a device has a pass no more; where Apple has trouble, the device is told later, and where Apple says nothing, the others are told.
func TestWhatApplesPushServiceSays(t *testing.T) {
	atCounters(t, 3, func(t *testing.T, c *counter) {
		id, gone, _ := c.installed(t, c.tickets[0])
		_, on, pass := c.installed(t, c.tickets[1])
		_, unheard, _ := c.installed(t, c.tickets[2])
		c.apns.Answer(unheard.Token, harness.AppleHangs) // nobody else waits for that
		c.apns.Answer(gone.Token, harness.Unregistered)
		c.apns.Answer(on.Token, harness.AppleIsDown)
		c.Call(t, 200, "PATCH", "/api/v1/events/"+c.event, body{"startLocal": "2031-08-14T21:30:00"})
		expect(t, c.hears(t, "pass:unregister", id).Body, "result.registrations.0.deletedAt", filled)
		again := c.apns.Await(t, on.Token, 2, within)
		if all := c.apns.Pushes(on.Token); again.Status != 200 || all[0].Status != 500 {
			t.Errorf("the device was pushed: %+v", all)
		}
		if got := on.Refresh(t, pass); !slices.Equal(got, []string{pass.Serial}) {
			t.Errorf("the device is told that %v have changed", got)
		}
		c.Call(t, 200, "PATCH", "/api/v1/events/"+c.event, body{"startLocal": "2031-08-14T22:30:00"})
		on.Updated(t, pass, within)
		if n := len(c.apns.Pushes(gone.Token)); n != 1 {
			t.Errorf("a device that has the pass no more was pushed %d times", n)
		}
		c.nothingElse(t)
	})
}

// The same with Google: a link, a callback when it is saved, a changed class, and a callback when it is removed.
func TestATicketIsInGooglesWallet(t *testing.T) {
	atCounters(t, 1, func(t *testing.T, c *counter) {
		id, link := c.pass(t, c.tickets[0], "google")
		object := c.save(t, saving(t, link))
		expect(t, c.hears(t, "pass:register", id).Body, "result.registrations.#", 1)
		if got := c.google.Thing(object)["barcode"].(map[string]any)["value"]; got != c.codes[0] {
			t.Errorf("the object's barcode is %v", got)
		}
		class := c.google.Thing(object)["classId"].(string)

		c.Call(t, 200, "PATCH", "/api/v1/events/"+c.event, body{"startLocal": "2031-08-14T21:30:00"})
		c.google.Await(t, within, class, func(thing harness.GoogleThing) bool {
			raw, err := json.Marshal(thing)
			return err == nil && strings.Contains(string(raw), "2031-08-14T21:30:00")
		})
		callback := c.google.Sign(t, harness.GoogleCallback{Class: class, Object: object, Event: "del"})
		for range 2 { // the second is the first again
			if status := c.google.Post(t, c.server.URL+"/passkit/google", callback); status != 200 {
				t.Errorf("a callback was answered with %d", status)
			}
		}
		expect(t, c.hears(t, "pass:unregister", id).Body, "result.registrations.0.deletedAt", filled)
		forged := harness.PlayGoogle(t, c.google.Issuer).Sign(t, harness.GoogleCallback{Class: class, Object: object, Event: "save"})
		if status := c.google.Post(t, c.server.URL+"/passkit/google", forged); status != 403 {
			t.Errorf("a callback that somebody else has signed was answered with %d", status)
		}
		c.Call(t, 200, "POST", "/v0/passes/"+id+"/expire", body{"expireAction": "USER_REVOKE"})
		expect(t, c.hears(t, "pass:expire", id).Body, "result.expireAction", "USER_REVOKE")
		c.google.Await(t, within, object, func(thing harness.GoogleThing) bool { return strings.EqualFold(fmt.Sprint(thing["state"]), "expired") })
		c.nothingElse(t)
	})
}

// Codes that change as time goes by are Google's to show; Apple's wallet has none to show then.
func TestARotatingCodeIsInGooglesWallet(t *testing.T) {
	atCounters(t, 2, func(t *testing.T, c *counter) {
		apples, on, pass := c.installed(t, c.tickets[0])
		id, link := c.pass(t, c.tickets[0], "google")
		object := c.save(t, saving(t, link))
		c.hears(t, "pass:register", id)
		c.Call(t, 200, "PATCH", "/api/v1/events/"+c.event+"/ticket-codes", body{"rotatingCodes": true, "stepSeconds": 30})
		if pass = on.Updated(t, pass, within); pass.Message() != "" {
			t.Errorf("the iPhone shows the code %.12q…, which is none any more", pass.Message())
		}
		c.google.Await(t, within, object, func(thing harness.GoogleThing) bool { return thing["rotatingBarcode"] != nil })
		refused := c.Call(t, 409, "POST", "/v0/passes", body{"ticketId": c.tickets[1], "platform": "apple"})
		expect(t, refused.Body, "message", filled)

		expect(t, c.scan(t, c.Client, c.google.Code(t, object, time.Now())).Body, "status", "checked_in")
		c.hears(t, "pass:scan", id)

		// A pass that is made now is known to Google before the link leads there.
		other, link := c.pass(t, c.tickets[1], "google")
		object = c.save(t, saving(t, link))
		c.hears(t, "pass:register", other)
		expect(t, c.scan(t, c.Client, c.google.Code(t, object, time.Now())).Body, "status", "checked_in")
		c.hears(t, "pass:scan", other)

		// As it was before.
		c.Call(t, 200, "PATCH", "/api/v1/events/"+c.event+"/ticket-codes", body{"rotatingCodes": false})
		if pass = on.Updated(t, pass, within); pass.Message() != c.codes[0] {
			t.Errorf("the iPhone shows %.12q…, want the ticket's code", pass.Message())
		}
		c.Call(t, 200, "DELETE", "/v0/passes/"+apples, nil)
		c.hears(t, "pass:expire", apples)
		c.nothingElse(t)
	})
}

// save saves an object as a phone does. Where the class names no URL, because it is not https, Google's double calls back by itself.
func (c *counter) save(t *testing.T, link string) (object string) {
	t.Helper()
	object, status := c.google.Save(t, link)
	if status == 0 {
		class := c.google.Thing(object)["classId"].(string)
		status = c.google.Post(t, c.server.URL+"/passkit/google", c.google.Sign(t, harness.GoogleCallback{Class: class, Object: object, Event: "save"}))
	}
	if status != 200 {
		t.Fatalf("the callback was answered with %d", status)
	}
	return object
}

// Whoever owns a token of a chain signs that the pass is to be theirs, once; when it is somebody else's, the pass is over.
func TestATokensPassIsItsOwners(t *testing.T) {
	atCounters(t, 1, func(t *testing.T, c *counter) {
		key, err := evm.NewKey(bytes.Repeat([]byte{7}, 32))
		if err != nil {
			t.Fatal(err)
		}
		owner, contract := key.Address().String(), "0x"+strings.Repeat("3", 40)
		c.chain.Give(contract, "2a", owner)
		onChain := body{"name": "evm", "network": 1}
		asked := c.Call(t, 200, "POST", "/v0/challenges", body{"chain": onChain, "address": owner})
		signature := key.Sign(text(t, asked, "message"))
		wanted := body{
			"platform": "apple", "barcode": body{"message": "member 42 of " + owner}, "nft": body{"contractAddress": contract, "tokenId": "42"},
			"wallet": body{"chain": onChain, "address": owner, "signature": fmt.Sprintf("0x%x", signature[:]), "signatureMessage": text(t, asked, "message")},
		}
		made := c.Call(t, 200, "POST", "/v0/passes", wanted)
		id, link := text(t, made, "id"), text(t, made, "fileURL")
		harness.Secret(link[strings.LastIndexByte(link, '/')+1:])
		expect(t, made.Body, "signatureVerified", true, "ownerAddress", owner)
		expect(t, c.hears(t, "pass:create", id).Body, "result.ownerAddress", owner, "result.chain.network", "1", "result.nfts.0.tokenId", "42")
		c.Call(t, 409, "POST", "/v0/passes", wanted) // a challenge counts once
		c.Call(t, 403, "POST", "/v0/passes", body{
			"platform": "apple", "barcode": body{"message": "member 43"}, "nft": body{"contractAddress": contract, "tokenId": "43"}, "wallet": body{"chain": onChain, "address": owner},
		})
		on := c.phone()
		pass := on.Add(t, link)
		c.hears(t, "pass:register", id)
		expect(t, c.Call(t, 200, "GET", "/v0/scan?data="+url.QueryEscape(pass.Message()), nil).Body, "id", id, "nfts.0.valid", true, "scanResult.valid", true)
		c.hears(t, "pass:scan", id)

		c.chain.Give(contract, "2a", "0x"+strings.Repeat("4", 40))
		expect(t, c.hears(t, "pass:expire", id).Body, "result.expireAction", "OWNERSHIP_TRANSFER", "result.ownerAddress", owner)
		if pass = on.Updated(t, pass, within); !pass.Voided {
			t.Error("the token is somebody else's, and the phone does not show it")
		}
		c.nothingElse(t)
	})
}

// Without Apple's certificate and Google's account all of it works but the telling: passes are whole, and verify by what the installation has made for itself.
func TestPassesWithoutAnyAccount(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		a := o.admission(t, 1)
		link := text(t, a.Call(t, 200, "POST", "/v0/passes", body{"ticketId": a.tickets[0], "platform": "apple"}), "fileURL")
		harness.Secret(link[strings.LastIndexByte(link, '/')+1:])
		on := harness.NewPhone(harness.NewAPNs(t))
		pass := on.Add(t, link)
		a.Call(t, 200, "PATCH", "/api/v1/events/"+a.event, body{"startLocal": "2031-08-14T21:30:00"})
		eventually(t, func() bool { return len(on.Refresh(t, pass)) == 1 })
		a.Call(t, 200, "DELETE", "/v0/passes/"+text(t, a.Call(t, 200, "GET", "/v0/passes?ticketId="+a.tickets[0], nil), "0.id"), nil)
		eventually(t, func() bool { pass, _ = on.Fetch(t, pass); return pass.Voided })
		on.Remove(t, pass)

		link = text(t, a.Call(t, 200, "POST", "/v0/passes", body{"ticketId": a.tickets[0], "platform": "google"}), "fileURL")
		if to := saving(t, link); !strings.HasPrefix(to, "https://pay.google.com/gp/v/save/") {
			t.Errorf("the link leads to %.60s", to)
		}
		for _, gone := range []string{strings.Repeat("0", 32), "x"} {
			if got := try(t, o.Client, "GET", "/api/link/"+gone, nil); got.Status != 404 {
				t.Errorf("a link that was never made: %d", got.Status)
			}
		}
	})
}

// A certificate that ends within a month is said wherever an operator looks.
func TestAPassCertificatesEndIsSaid(t *testing.T) {
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		certificate := func(name string, made time.Time) string {
			file, err := apple.NewIdentity(made) // good for ten years
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		ending, lasting := certificate("ending.pem", time.Now().AddDate(-10, 0, 20)), certificate("lasting.pem", time.Now())
		s := h.Serve(t, "--apple-pass-cert", ending, "--apns", "https://127.0.0.1:1")
		eventually(t, func() bool {
			return strings.Contains(s.Log(), "level=WARN") && strings.Contains(s.Log(), "--apple-pass-cert")
		})
		shown := string(s.Client("").Call(t, 200, "GET", "/metrics", nil).Body)
		left := regexp.MustCompile(`(?m)^stagedoor_pass_certificate_expiry_seconds (\S+)$`).FindStringSubmatch(shown)
		if left == nil {
			t.Fatalf("the metrics do not have the certificate's end:\n%s", shown)
		}
		if seconds, err := strconv.ParseFloat(left[1], 64); err != nil || seconds < 15*86400 || seconds > 25*86400 {
			t.Errorf("by the metrics the certificate ends in %s seconds", left[1])
		}
		for _, want := range []string{`stagedoor_pass_pushes_waiting{wallet="apple"} 0`, `stagedoor_pass_pushes_oldest_seconds{wallet="apple"} 0`, `stagedoor_follower_lag_seconds{follower="pass"} 0`} {
			if !strings.Contains(shown, want) {
				t.Errorf("the metrics do not have %s", want)
			}
		}
		if strings.Contains(shown, `wallet="google"`) {
			t.Error("the metrics have what Google is to be told, where Google is told nothing")
		}
		for file, want := range map[string]string{ending: `"check":"pass certificate","ok":false`, lasting: `"check":"pass certificate","ok":true`, "absent.pem": `"check":"pass certificate","ok":false`} {
			if out, _, _ := h.Try("doctor", "--json", "--apple-pass-cert", file); !strings.Contains(string(out), want) {
				t.Errorf("doctor with %s says %s, want %s", filepath.Base(file), out, want)
			}
		}
		if out, _, _ := h.Try("doctor", "--json"); strings.Contains(string(out), "pass certificate") {
			t.Errorf("doctor without a certificate says %s", out)
		}
		for _, bad := range [][]string{
			{"--apple-pass-cert", "absent.pem"},
			{"--apple-pass-cert", filepath.Join(h.Data, "master.key")},
			{"--google-service-account", "absent.json", "--google-issuer", "1"},
			{"--google-service-account", lasting, "--google-issuer", "1"},
			{"--google-callback-keys", "absent.json", "--google-issuer", "1"},
			{"--google-callback-keys", lasting, "--google-issuer", "1"},
			{"--google-callback-keys", "http://keys.example/keys"},
			{"--apns", "https://127.0.0.1:1", "--apns-ca", "absent.pem"},
		} {
			if s, err := h.Beside(t.TempDir(), "").Start(bad...); err == nil {
				s.Kill()
				t.Errorf("serve %v has started", bad)
			} else if flag := bad[len(bad)-2]; !strings.Contains(err.Error(), flag) && !strings.Contains(err.Error(), bad[0]) {
				t.Errorf("serve %v: %v", bad, err)
			}
		}
	})
}
