package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/test/published"
)

// topics are StubHub's.
var topics = []string{"Sales", "ProvisionalSale", "CancelProvisionalSale", "SaleUpdates", "SellerListingUpdates", "Ping", "ReTransferTicket"}

// desk is somebody who sells through StubHub's API: an organisation, a client with one credential for /v2, and a webhook.
type desk struct {
	*org
	v2            *harness.Client
	hook          *harness.Receiver
	authorization string // that deliveries must have
	webhook       int
	event         string // as /api/v1 calls it
	eventNo       int
}

// newDesk makes a desk whose client speaks by c, with an event and a webhook for all topics. answer is what its receiver answers; nil is 200.
func newDesk(t *testing.T, o *org, c *harness.Client, answer func(n int, g harness.Got) int) *desk {
	t.Helper()
	d := &desk{org: o, v2: c, hook: harness.Receive(t, answer), authorization: fmt.Sprintf("Bearer desk-key-%d-4711", serial.Add(1))}
	harness.Secret(strings.TrimPrefix(d.authorization, "Bearer "))
	d.v2.Header = http.Header{"User-Agent": {"desk/1.0"}}
	d.event = o.event(t)
	for _, e := range d.items(t, "/catalog/events") {
		d.eventNo = e.ID
	}
	if d.eventNo == 0 {
		t.Fatal("/catalog/events does not have the event")
	}
	made := c.Call(t, 201, "POST", "/v2/webhooks", body{"name": "Desk", "url": d.hook.URL, "authorization_header": d.authorization, "topics": topics})
	d.webhook = number(t, made.Body, "id")
	return d
}

// item is what every item of a collection has.
type item struct {
	ID int `json:"id"`
}

// items are those of a collection's first page.
func (d *desk) items(t *testing.T, path string) []item {
	t.Helper()
	var page struct {
		Embedded struct{ Items []item } `json:"_embedded"`
	}
	d.v2.Call(t, 200, "GET", path, nil).Decode(t, &page)
	return page.Embedded.Items
}

// places are barcodes as StubHub writes them: for each value a seat, from the first.
func places(values ...string) []body {
	all := make([]body, len(values))
	for i, v := range values {
		all[i] = body{"seat_ordinal": i + 1, "barcode_values": []string{v}}
	}
	return all
}

// list lists tickets and returns the number that /v2 has for the listing, and the id that /api/v1 has.
func (d *desk) list(t *testing.T, section string, more ...any) (no int, id string) {
	t.Helper()
	made := d.v2.Call(t, 201, "POST", fmt.Sprintf("/v2/events/%d/sellerlistings", d.eventNo), with(body{
		"seating": body{"section": section, "row": "C", "seat_from": "7", "seat_to": "8"}, "ticket_type": "ETicket", "split_type": "Any", "number_of_tickets": 2,
		"ticket_price": body{"amount": 52.25, "currency_code": "USD"}, "external_id": "desk-" + section,
	}, more...))
	no = number(t, made.Body, "id")
	if got, want := made.Header.Get("Location"), fmt.Sprintf("/v2/sellerlistings/%d", no); !strings.HasSuffix(got, want) {
		t.Errorf("Location of the listing is %q, want %q", got, want)
	}
	for _, l := range at(t, d.Call(t, 200, "GET", "/api/v1/inventory?status=all&eventId="+d.event, nil).Body, "data").([]any) {
		if one := l.(map[string]any); one["section"] == section {
			id = one["listingId"].(string)
		}
	}
	if id == "" {
		t.Fatalf("/api/v1/inventory does not have the listing in section %s", section)
	}
	return no, id
}

// told is a delivery, and which resource it is about.
type told struct {
	harness.Got
	Topic, Action string
	Self          string // the link
	Sale          int
}

// what is "topic/action".
func (g told) what() string { return g.Topic + "/" + g.Action }

func (d *desk) read(t *testing.T, g harness.Got) told {
	t.Helper()
	var p struct {
		Topic, Action string
		Links         struct{ Self struct{ Href string } } `json:"_links"`
		Embedded      struct {
			Sale struct{ ID int }
		} `json:"_embedded"`
	}
	if err := json.Unmarshal(g.Body, &p); err != nil {
		t.Fatalf("a delivery is not JSON: %v\n%s", err, g.Body)
	}
	return told{g, p.Topic, p.Action, p.Links.Self.Href, p.Embedded.Sale.ID}
}

// hears waits until exactly these have come in all, and returns the last. It holds each new one against what every delivery must be.
func (d *desk) hears(t *testing.T, want ...string) told {
	t.Helper()
	all := d.hook.Await(t, soon, func(all []harness.Got) bool { return len(all) >= len(want) })
	var got []string
	for _, g := range all {
		got = append(got, d.read(t, g).what())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("deliveries (-want +got):\n%s", diff)
	}
	last := d.read(t, all[len(all)-1])
	if got := last.Header.Values("Authorization"); len(got) != 1 || got[0] != d.authorization {
		t.Errorf("%s: Authorization is %.20q", last.what(), got)
	}
	expect(t, last.Body, "_embedded.webhook.id", d.webhook, "_embedded.webhook.authorization_header", nil)
	d.follows(t, last)
	return last
}

// follows goes to each link of a payload with the desk's own credential.
func (d *desk) follows(t *testing.T, g told) {
	t.Helper()
	all := published.Links(g.Body)
	if len(all) == 0 {
		t.Errorf("%s has no links: %s", g.what(), g.Body)
	}
	for _, link := range all {
		path, ours := strings.CutPrefix(link.Href, d.st.URL)
		if !ours {
			t.Errorf("%s: the link %s leads to %s, which is not this server", g.what(), link.Relation, link.Href)
			continue
		}
		d.v2.Call(t, 200, "GET", path, nil)
	}
}

// token is one of an app's own that asks for StubHub's scopes.
func (o *org) token(t *testing.T, scopes ...string) *harness.Client {
	t.Helper()
	made := o.Call(t, 201, "POST", "/api/v1/oauth/clients", body{"name": "Desk", "scopes": scopes, "grantTypes": []string{"client_credentials"}})
	return o.st.Client(o.st.Token(t, text(t, made, "clientId"), text(t, made, "clientSecret"), scopes...))
}

var stubhubScopes = []string{
	"read:webhooks", "write:webhooks", "read:sales", "write:sales", "read:sellerlistings", "write:sellerlistings", "read:events", "read:venues", "read:user",
}

// eachCredential runs f with a key and with a token, on each stage.
func eachCredential(t *testing.T, f func(t *testing.T, o *org, c *harness.Client)) {
	t.Helper()
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		t.Run("key", func(t *testing.T) {
			o := open(t, st)
			f(t, o, o.key(t))
		})
		t.Run("token", func(t *testing.T) {
			o := open(t, st)
			f(t, o, o.token(t, stubhubScopes...))
		})
	})
}

// A desk that knows StubHub's API lists tickets, sells them, has trouble with them, and is told of all of it once and in order.
func TestAStubHubSaleIsToldFromListingToTrouble(t *testing.T) {
	eachCredential(t, func(t *testing.T, o *org, c *harness.Client) {
		d := newDesk(t, o, c, nil)
		_, listing := d.list(t, "B", "barcodes", places("778812340001", "778812340002"))
		d.Call(t, 200, "PUT", "/api/v1/events/"+d.event+"/barcode-rule", body{"pattern": "[0-9]{12}"})

		// Somebody thinks about it, and does not buy.
		d.Call(t, 201, "POST", "/api/v1/holds", body{"eventId": d.event, "listingId": listing, "quantity": 2, "seconds": 2})
		first := d.hears(t, "ProvisionalSale/Created")
		expect(t, first.Body, "_embedded.event.id", d.eventNo, "_embedded.event.name", "Harbor Jazz Night", "_embedded.sale.id", first.Sale, "_embedded.sale.number_of_tickets", 2,
			"_embedded.sale.seating.section", "B", "_embedded.sale.seating.row", "C", "_embedded.sale.seating.seat_from", "7", "_embedded.sale.seating.seat_to", "8",
			"_embedded.sale.proceeds.amount", amount("104.50"), "_embedded.sale.proceeds.currency_code", "USD", "_embedded.venue.name", "Pier Hall",
			"_embedded.venue._embedded.country.code", "NO")
		expired := d.hears(t, "ProvisionalSale/Created", "CancelProvisionalSale/Cancelled")
		if expired.Sale != first.Sale || expired.Self != first.Self {
			t.Errorf("what was cancelled is sale %d at %s, what was provisional %d at %s", expired.Sale, expired.Self, first.Sale, first.Self)
		}

		// Somebody else does.
		hold := text(t, d.Call(t, 201, "POST", "/api/v1/holds", body{"eventId": d.event, "listingId": listing, "quantity": 2}), "id")
		heard := []string{"ProvisionalSale/Created", "CancelProvisionalSale/Cancelled", "ProvisionalSale/Created"}
		provisional := d.hears(t, heard...)
		step := func(what string) told {
			t.Helper()
			heard = append(heard, what)
			g := d.hears(t, heard...)
			if g.Sale != provisional.Sale {
				t.Errorf("%s is about sale %d, want %d", what, g.Sale, provisional.Sale)
			}
			return g
		}
		order := text(t, d.Call(t, 201, "POST", "/api/v1/orders", body{"holdId": hold, "customer": customer()}), "order.orderId")
		sold := step("Sales/Created")
		expect(t, sold.Body, "barcodes.#", 2, "barcodes.0.status", "Received", "barcodes.0.seat_ordinal", 1, "barcodes.0.row", "C", "barcodes.0.seat", "7",
			"barcodes.0.barcode_values.0", "778812340001", "barcodes.1.barcode_values.0", "778812340002")
		if provisional.Sale == first.Sale {
			t.Errorf("two sales have the id %d", first.Sale)
		}

		// What it uploads is wrong, then right, and then it does not arrive.
		sale := fmt.Sprintf("/v2/sales/%d", sold.Sale)
		d.v2.Call(t, 200, "PATCH", sale, body{"barcodes": places("TEN", "778812340012")})
		failed := step("SaleUpdates/FailedBarcodeValidation")
		expect(t, failed.Body, "barcodes.0.status", "FailedValidation", "barcodes.0.barcode_values.0", "TEN", "barcodes.1.status", "Received")
		expect(t, d.v2.Call(t, 200, "GET", sale, nil).Body, "id", sold.Sale, "number_of_tickets", 2, "external_listing_id", "desk-B", "barcodes.0.status", "FailedValidation")

		d.v2.Call(t, 200, "PATCH", sale, body{"barcodes": places("778812340011", "778812340012")})
		expect(t, step("Sales/Fulfilled").Body, "barcodes.0.status", "Received", "barcodes.0.barcode_values.0", "778812340011")
		expect(t, d.Call(t, 200, "GET", "/api/v1/orders/"+order, nil).Body, "status", "fulfilled", "transferMethod", "digital_download")

		d.Call(t, 200, "POST", "/api/v1/orders/"+order+"/not-received", body{"note": "nothing in the app"})
		step("ReTransferTicket/Created")

		// Other listings: the codes of one fail, those of another do not come in time.
		heard = append(heard, "SellerListingUpdates/FailedBarcodeValidation")
		no, _ := d.list(t, "D", "barcodes", places("nonsense", "778812340021"))
		wrong := d.hears(t, heard...)
		expect(t, wrong.Body, "_embedded.seller_listing.id", no, "_embedded.sale", absent{}, "barcodes.0.status", "FailedValidation", "barcodes.0.barcode_values", absent{},
			"barcodes.0.barcode_values_sha256_hashed.0", "999aaa8645bb72ff599e143b1e3d2a94777127f4783a69f067251f7bbebc5ab6")

		heard = append(heard, "SellerListingUpdates/ListingDeliverabilityExpired")
		no, listing = d.list(t, "E")
		d.lapses(t, listing)
		expect(t, d.hears(t, heard...).Body, "_embedded.seller_listing.id", no, "_embedded.event.id", d.eventNo)
		expect(t, d.v2.Call(t, 200, "GET", fmt.Sprintf("/v2/sellerlistings/%d", no), nil).Body, "undeliverable", true)

		heard = append(heard, "Ping/Created")
		d.v2.Call(t, 202, "POST", fmt.Sprintf("/v2/webhooks/%d/ping", d.webhook), nil)
		if ping := d.hears(t, heard...); !strings.HasSuffix(ping.Self, fmt.Sprintf("/v2/webhooks/%d", d.webhook)) {
			t.Errorf("the ping's link to itself is %s", ping.Self)
		}
		d.each(t)
	})
}

// lapses has what was promised for a listing come to its end in a few seconds.
func (d *desk) lapses(t *testing.T, listing string) {
	t.Helper()
	for wait := 2 * time.Second; ; wait *= 2 {
		by := time.Now().UTC().Add(wait).Format(time.RFC3339Nano)
		a := try(t, d.Client, "PATCH", "/api/v1/inventory/"+listing, body{"deliveryKind": "barcode", "deliverBy": by})
		if a.Status == 200 {
			return
		}
		if a.Status != 400 || wait > time.Minute { // on a slow machine the instant may have passed meanwhile
			t.Fatalf("a listing to be delivered by %s: %d %s", by, a.Status, a.Body)
		}
	}
}

// each holds all deliveries against each other: ids are unique, and the same facts are not told twice.
func (d *desk) each(t *testing.T) {
	t.Helper()
	ids := map[string]bool{}
	for _, g := range d.hook.All() {
		id := g.Header.Get("VGG-DeliveryId")
		if ids[id] {
			t.Errorf("two deliveries have the id %s", id)
		}
		ids[id] = true
	}
}

// While the first delivery about a sale fails, the next ones about it wait; what is sent again is the same, and has the same id.
func TestAFailedStubHubDeliveryIsSentAgainBeforeTheNextOfItsSale(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		d := newDesk(t, o, o.key(t), func(n int, _ harness.Got) int {
			if n <= 2 {
				return 503
			}
			return 200
		})
		var endpoint string
		for _, e := range at(t, o.Call(t, 200, "GET", "/api/v1/webhooks", nil).Body, "data").([]any) {
			endpoint = e.(map[string]any)["id"].(string)
		}
		o.Call(t, 200, "PATCH", "/api/v1/webhooks/"+endpoint, body{"retry": body{"delays": []int{1, 1, 1}}})
		_, listing := d.list(t, "B")
		hold := text(t, o.Call(t, 201, "POST", "/api/v1/holds", body{"eventId": d.event, "listingId": listing, "quantity": 2}), "id")
		order := text(t, o.Call(t, 201, "POST", "/api/v1/orders", body{"holdId": hold, "customer": customer()}), "order.orderId")
		o.move(t, 200, order, "accepted")
		d.hears(t, "ProvisionalSale/Created", "ProvisionalSale/Created", "ProvisionalSale/Created", "Sales/Created", "Sales/Accepted")
		all := d.hook.All()
		for _, g := range all[1:3] {
			if g.Header.Get("VGG-DeliveryId") != all[0].Header.Get("VGG-DeliveryId") || string(g.Body) != string(all[0].Body) {
				t.Errorf("what was sent again is delivery %s, at first it was %s:\n%s\n%s", g.Header.Get("VGG-DeliveryId"), all[0].Header.Get("VGG-DeliveryId"), g.Body, all[0].Body)
			}
		}
	})
}

// All that we have of the published operations is there, by a token that asked for StubHub's scopes.
func TestTheResourcesOfStubHubsAPI(t *testing.T) {
	eachCredential(t, func(t *testing.T, o *org, c *harness.Client) {
		d := newDesk(t, o, c, nil)
		root := d.v2.Call(t, 200, "GET", "/v2", nil)
		for _, link := range published.Links(root.Body) {
			d.v2.Call(t, 200, "GET", strings.TrimPrefix(link.Href, d.st.URL), nil)
		}
		expect(t, d.v2.Call(t, 200, "GET", "/v2/user", nil).Body, "_links.user:webhooks.href", d.st.URL+"/v2/webhooks")

		// Webhooks.
		hook := fmt.Sprintf("/v2/webhooks/%d", d.webhook)
		got := d.v2.Call(t, 200, "GET", hook, nil)
		expect(t, got.Body, "name", "Desk", "authorization_header", d.authorization, "topics.#", len(topics))
		if again := d.v2.Call(t, 304, "GET", hook, nil, "If-None-Match", got.Header.Get("ETag")); len(again.Body) > 0 {
			t.Errorf("304 with a body: %s", again.Body)
		}
		expect(t, d.v2.Call(t, 200, "PATCH", hook, body{"name": "Desk, north"}).Body, "name", "Desk, north", "authorization_header", d.authorization)

		// Events and venues.
		event := d.v2.Call(t, 200, "GET", fmt.Sprintf("/catalog/events/%d", d.eventNo), nil)
		expect(t, event.Body, "id", d.eventNo, "name", "Harbor Jazz Night", "start_date", filled, "status", "Normal")
		venues := d.items(t, "/catalog/venues")
		if len(venues) != 1 {
			t.Fatalf("/catalog/venues has %d venues, want 1", len(venues))
		}
		expect(t, d.v2.Call(t, 200, "GET", fmt.Sprintf("/catalog/venues/%d", venues[0].ID), nil).Body, "id", venues[0].ID, "name", "Pier Hall", "city", "Oslo")

		// Listings.
		no, listing := d.list(t, "B")
		path := fmt.Sprintf("/v2/sellerlistings/%d", no)
		expect(t, d.v2.Call(t, 200, "GET", path, nil).Body, "id", no, "external_id", "desk-B", "number_of_tickets", 2, "ticket_price.amount", amount("52.25"))
		expect(t, d.v2.Call(t, 200, "PATCH", path, body{"ticket_price": body{"amount": 60, "currency_code": "USD"}}).Body, "ticket_price.amount", amount("60"))
		const external = "/v2/externalsellerlistings/desk-B"
		expect(t, d.v2.Call(t, 200, "GET", external, nil).Body, "id", no)
		expect(t, d.v2.Call(t, 200, "PATCH", external, body{"notes": "Restricted view"}).Body, "id", no)
		d.list(t, "G")
		d.v2.Call(t, 204, "DELETE", "/v2/externalsellerlistings/desk-G", nil)
		other := d.v2.Call(t, 201, "POST", "/v2/sellerlistings", body{
			"event": body{"name": "Harbor Jazz Night", "start_date": "2031-08-14T18:30:00Z"},
			"venue": body{"name": "Pier Hall", "city": "Oslo"}, "country": body{"code": "NO"},
			"seating": body{"section": "F", "row": "A"}, "ticket_type": "ETicket", "split_type": "Any", "number_of_tickets": 3,
			"ticket_price": body{"amount": 52.25, "currency_code": "USD"},
		})
		gone := fmt.Sprintf("/v2/sellerlistings/%d", number(t, other.Body, "id"))
		d.v2.Call(t, 204, "DELETE", gone, nil)
		if all := d.items(t, "/v2/sellerlistings"); !slices.Contains(all, item{no}) {
			t.Errorf("/v2/sellerlistings has %v, without %d", all, no)
		}

		// Sales: one that is confirmed, one that is rejected.
		confirmed, rejected := o.order(t, d.event, "listingId", listing, "quantity", 1), o.order(t, d.event, "listingId", listing, "quantity", 1)
		sales := d.items(t, "/v2/sales")
		if recent := d.items(t, "/v2/sales/recentupdates"); len(recent) != len(sales) {
			t.Errorf("/v2/sales/recentupdates has %d sales, want %d", len(recent), len(sales))
		}
		if len(sales) != 2 {
			t.Fatalf("/v2/sales has %d sales, want 2", len(sales))
		}
		expect(t, d.v2.Call(t, 200, "PATCH", fmt.Sprintf("/v2/sales/%d", sales[0].ID), body{"confirmed": true}).Body, "id", sales[0].ID)
		expect(t, o.Call(t, 200, "GET", "/api/v1/orders/"+confirmed, nil).Body, "status", "accepted")
		d.v2.Call(t, 204, "DELETE", fmt.Sprintf("/v2/sales/%d", sales[1].ID), nil)
		expect(t, o.Call(t, 200, "GET", "/api/v1/orders/"+rejected, nil).Body, "status", "cancelled")
		d.v2.Call(t, 200, "GET", fmt.Sprintf("/v2/sales/%d", sales[0].ID), nil)

		d.v2.Call(t, 204, "DELETE", hook, nil)
		expect(t, d.v2.Call(t, 404, "GET", hook, nil).Body, "code", "not_found")
	})
}
