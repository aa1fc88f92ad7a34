package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestAListingShowsWhatIsForSaleAndWhatWasListed(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		a := o.Call(t, 201, "POST", "/api/v1/inventory", newListing(ev, "quantity", 10, "externalId", "ext-1"))
		id := text(t, a, "listingId")
		if got := a.Header.Get("Location"); !strings.HasSuffix(got, "/api/v1/inventory/"+id) {
			t.Errorf("Location is %q", got)
		}
		want := []any{
			"listingId", listingHex, "eventId", ev, "section", "101", "row", "A", "quantity", 10, "totalQuantity", 10, "price", "75.00", "currency", "USD",
			"splitRule", "any", "externalId", "ext-1", "status", "active",
		}
		expect(t, a.Body, want...)
		expect(t, o.Call(t, 200, "GET", "/api/v1/inventory/"+id, nil).Body, want...)

		order := o.order(t, ev, "listingId", id, "quantity", 3)
		expect(t, o.Call(t, 200, "GET", "/api/v1/inventory/"+id, nil).Body, "quantity", 7, "totalQuantity", 10)
		expect(t, o.Call(t, 200, "GET", "/api/v1/events/"+ev, nil).Body, "numberOfSeats", 7)
		expect(t, o.Call(t, 200, "PATCH", "/api/v1/inventory/"+id, body{"totalQuantity": 12}).Body, "quantity", 9, "totalQuantity", 12)
		refused(t, try(t, o.Client, "PATCH", "/api/v1/inventory/"+id, body{"totalQuantity": 2}), 409, "") // three are sold
		o.move(t, 200, order, "cancelled")
		expect(t, o.Call(t, 200, "GET", "/api/v1/inventory/"+id, nil).Body, "quantity", 12, "totalQuantity", 12)
		expect(t, o.Call(t, 200, "GET", "/api/v1/events/"+ev, nil).Body, "numberOfSeats", 12)

		list := o.Call(t, 200, "GET", "/api/v1/inventory?eventId="+ev, nil)
		expect(t, list.Body, "data.#", 1, "data.0.listingId", id, "data.0.quantity", 12, "data.0.price", "75.00", "meta.event.eventId", ev, "meta.event.name", "Harbor Jazz Night",
			"meta.pagination.total", 1, "meta.filters.listingId", nil, "meta.filters.minPrice", nil, "meta.filters.maxPrice", nil, "meta.filters.quantity", nil,
			"meta.filters.sortBy", "price", "meta.filters.sortOrder", "asc")
	})
}

// A listing leaves the inventory by itself, is told of once, and holds of before are good.
func TestDatesTakeAListingOffTheMarket(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "standard", nil, "events", []string{"listing.changed", "listing.deliverability_expired"})
		ev := o.event(t)
		l := o.listing(t, ev, "quantity", 4, "deliveryKind", "barcode", "externalId", "ext-1")
		path := "/api/v1/inventory/" + l
		h.await(t, "listing.changed", 1)
		held := text(t, o.Call(t, 201, "POST", "/api/v1/holds", body{"eventId": ev, "listingId": l, "quantity": 1}), "id")
		// comes gives the listing a date that comes soon, however slow the machine is.
		comes := func(date string) {
			t.Helper()
			for wait := time.Second; wait < time.Hour; wait *= 2 {
				a := try(t, o.Client, "PATCH", path, body{date: time.Now().Add(wait).UTC().Format(time.RFC3339Nano)})
				if a.Status == 200 {
					return
				}
				refused(t, a, 400, "")
			}
		}
		comes("deliverBy")
		told := h.await(t, "listing.deliverability_expired", 1)
		expect(t, told.Body, "data.listingId", l, "data.externalId", "ext-1", "data.quantity", 0, "data.deliverability", "expired", "data.status", "active", "data.event.name", "Harbor Jazz Night")
		expect(t, o.Call(t, 200, "GET", path, nil).Body, "quantity", 0, "deliverability", "expired", "status", "active")
		expect(t, o.Call(t, 200, "GET", "/api/v1/inventory?eventId="+ev, nil).Body, "meta.pagination.total", 0)
		expect(t, o.Call(t, 200, "GET", "/api/v1/inventory?eventId="+ev+"&status=all&externalId=ext-1", nil).Body, "data.0.deliverability", "expired")
		expect(t, o.Call(t, 200, "GET", "/api/v1/events/"+ev, nil).Body, "numberOfSeats", 0)
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "listingId", l)), 409, "listing_not_on_sale")
		o.Call(t, 201, "POST", "/api/v1/orders", newOrder(ev, "holdId", held, "quantity", absent{}))

		expect(t, o.Call(t, 200, "PATCH", path, body{"deliverBy": nil}).Body, "quantity", 3, "deliverability", "ok")
		expect(t, h.await(t, "listing.changed", 3).Body, "data.changes", raw(`["quantity","deliverBy","deliverability"]`))
		o.order(t, ev, "listingId", l)

		refused(t, try(t, o.Client, "POST", "/api/v1/inventory", newListing(ev, "externalId", "ext-1")), 409, "external_id_taken")
		comes("expiresAt")
		expect(t, h.await(t, "listing.changed", 5).Body, "data.status", "expired", "data.quantity", 0)
		expect(t, o.Call(t, 200, "GET", path, nil).Body, "status", "expired")
		refused(t, try(t, o.Client, "PATCH", path, body{"expiresAt": nil}), 409, "invalid_transition")
		o.Call(t, 201, "POST", "/api/v1/inventory", newListing(ev, "externalId", "ext-1"))
		expired := 0
		for _, g := range h.All() {
			if name(g) == "listing.deliverability_expired" {
				expired++
			}
		}
		if expired != 1 {
			t.Errorf("that it cannot be delivered was told %d times, want once", expired)
		}
	})
}

func TestInventoryIsFilteredAndSorted(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		ids := map[string]string{}
		for name, over := range map[string][]any{
			"cheap": {"section", "C", "row", "1", "price", "9.90", "quantity", 2},
			"fair":  {"section", "A", "row", "3", "price", "50", "quantity", 4, "splitRule", "avoid_one"},
			"dear":  {"section", "B", "row", "2", "price", "200.01", "quantity", 20},
		} {
			ids[o.listing(t, ev, over...)] = name
		}
		first := func() (id string) {
			for id, name := range ids {
				if name == "fair" {
					return id
				}
			}
			return ""
		}()
		for query, want := range map[string]string{
			"": "cheap fair dear", "&sortOrder=desc": "dear fair cheap", "&sortBy=section": "fair dear cheap", "&sortBy=row": "cheap dear fair",
			"&sortBy=section&sortOrder=desc": "cheap dear fair", "&minPrice=50": "fair dear", "&maxPrice=50": "cheap fair", "&minPrice=9.91&maxPrice=200.00": "fair",
			"&minPrice=200.01": "dear", "&maxPrice=200": "cheap fair", "&quantity=2": "cheap fair dear", "&quantity=3": "dear", "&quantity=4": "fair dear",
			"&quantity=20": "dear", "&listingId=" + first: "fair", "&minPrice=1000": "", "&listingId=" + strings.Repeat("0", 24): "",
		} {
			a := o.Call(t, 200, "GET", "/api/v1/inventory?eventId="+ev+query, nil)
			got := []string{}
			for _, id := range column(t, a, "data", "listingId") {
				got = append(got, ids[id])
			}
			if s := strings.Join(got, " "); s != want {
				t.Errorf("GET /inventory?eventId=…%s gave %q, want %q", query, s, want)
			}
		}
		expect(t, o.Call(t, 200, "GET", "/api/v1/inventory?eventId="+ev+"&minPrice=9.91&maxPrice=200&quantity=4&sortBy=row&sortOrder=desc&listingId="+first, nil).Body,
			"meta.filters.minPrice", amount("9.91"), "meta.filters.maxPrice", amount("200"), "meta.filters.quantity", 4, "meta.filters.sortBy", "row",
			"meta.filters.sortOrder", "desc", "meta.filters.listingId", first)
		for _, query := range []string{"quantity=0", "quantity=21", "quantity=two", "minPrice=cheap", "maxPrice=NaN", "minPrice=1e400", "minPrice=-1", "maxPrice=0x10"} {
			refused(t, try(t, o.Client, "GET", "/api/v1/inventory?eventId="+ev+"&"+query, nil), 400, "")
		}
		refused(t, try(t, o.Client, "GET", "/api/v1/inventory", nil), 400, "")
		refused(t, try(t, o.Client, "GET", "/api/v1/inventory?eventId=none", nil), 404, "")
	})
}

func TestTheSplitRuleSaysWhatCanBeBought(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		for rule, sells := range map[string]map[int]bool{ // of six
			"any":                 {1: true, 2: true, 3: true, 4: true, 5: true, 6: true, 7: false},
			"none":                {1: false, 2: false, 5: false, 6: true, 7: false},
			"avoid_one":           {1: true, 2: true, 4: true, 5: false, 6: true},
			"avoid_one_and_three": {1: true, 2: true, 3: false, 4: true, 5: false, 6: true},
			"pairs":               {1: false, 2: true, 3: false, 4: true, 5: false, 6: true},
		} {
			for n, sold := range sells {
				l := o.listing(t, ev, "quantity", 6, "splitRule", rule)
				a := try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "listingId", l, "quantity", n))
				if sold && a.Status != 201 {
					t.Errorf("%d of 6 with %s: %d %s", n, rule, a.Status, a.Body)
				} else if !sold {
					refused(t, a, 409, "")
				}
			}
		}
	})
}

func TestSectionAndRowPickTheCheapestListingThatFits(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		whole := o.listing(t, ev, "price", "40", "quantity", 4, "splitRule", "none")
		split := o.listing(t, ev, "price", "55.5", "quantity", 4)
		o.listing(t, ev, "price", "90", "quantity", 20)
		o.listing(t, ev, "price", "1", "quantity", 20, "row", "B")
		for _, c := range []struct {
			quantity int
			listing  string
			total    amount
		}{{2, split, "111"}, {4, whole, "160"}} {
			a := o.Call(t, 201, "POST", "/api/v1/orders", newOrder(ev, "section", "101", "row", "A", "quantity", c.quantity))
			expect(t, a.Body, "order.listingId", c.listing, "order.totalAmount", c.total, "order.section", "101", "order.row", "A")
		}
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "section", "101", "row", "Z")), 409, "not_enough_tickets")
	})
}

// Seats go by lowest ordinal, and those that come back are sold again first.
func TestSeatsAreGivenFromTheLowest(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "standard", nil, "events", []string{"order.confirmed"})
		ev := o.event(t)
		l := o.listing(t, ev, "seats", []string{"11", "12", "13", "14", "15"}, "quantity", 5)
		seats := func(n, quantity int) (string, string) {
			id := o.order(t, ev, "listingId", l, "quantity", quantity)
			return id, fmt.Sprint(at(t, h.await(t, "order.confirmed", n).Body, "data.seats"))
		}
		first, got := seats(1, 2)
		if got != "[11 12]" {
			t.Errorf("the first two seats are %s", got)
		}
		if _, got := seats(2, 1); got != "[13]" {
			t.Errorf("the third seat is %s", got)
		}
		o.move(t, 200, first, "cancelled")
		if _, got := seats(3, 1); got != "[11]" {
			t.Errorf("the seat after a cancellation is %s", got)
		}
	})
}

func TestListingsArePausedAndTakenAway(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		l := o.listing(t, ev)
		sells := func(want int) {
			t.Helper()
			expect(t, o.Call(t, 200, "GET", "/api/v1/inventory?eventId="+ev, nil).Body, "data.#", want)
			expect(t, o.Call(t, 200, "GET", "/api/v1/events/"+ev, nil).Body, "numberOfSeats", want*20)
		}
		sells(1)
		o.Call(t, 200, "PATCH", "/api/v1/inventory/"+l, body{"status": "paused"})
		sells(0)
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "listingId", l)), 409, "")
		expect(t, o.Call(t, 200, "PATCH", "/api/v1/inventory/"+l, body{"status": "active", "price": 80.5, "splitRule": "pairs"}).Body, "price", "80.50", "splitRule", "pairs")
		sells(1)
		o.Call(t, 204, "DELETE", "/api/v1/inventory/"+l, nil)
		sells(0)
		if a := try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "listingId", l)); a.Status != 404 && a.Status != 409 {
			t.Errorf("an order of a listing that was taken away: %d %s", a.Status, a.Body)
		}
	})
}

func TestFaultyListingsAreRefused(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		for _, c := range []struct {
			pointer string
			over    []any
		}{
			{"/eventId", []any{"eventId", absent{}}},
			{"/section", []any{"section", absent{}}},
			{"/row", []any{"row", 4}},
			{"/quantity", []any{"quantity", absent{}}},
			{"/quantity", []any{"quantity", 0}},
			{"/quantity", []any{"quantity", -4}},
			{"/quantity", []any{"quantity", 1.5}},
			{"/quantity", []any{"quantity", "4"}},
			{"/price", []any{"price", absent{}}},
			{"/price", []any{"price", "-1"}},
			{"/price", []any{"price", "75.005"}},
			{"/price", []any{"price", "75,00"}},
			{"/price", []any{"price", "1e2"}},
			{"/price", []any{"price", "free"}},
			{"/price", []any{"price", true}},
			{"/price", []any{"price", "99999999999999999999"}},
			{"/currency", []any{"currency", "usd dollar"}},
			{"/splitRule", []any{"splitRule", "odd"}},
			{"/status", []any{"status", "sold"}},
			{"/totalQuantity", []any{"totalQuantity", 4}},
			{"/listingId", []any{"listingId", strings.Repeat("a", 24)}},
		} {
			a := try(t, o.Client, "POST", "/api/v1/inventory", newListing(ev, c.over...))
			refused(t, a, 400, "")
			if got := pointers(t, a); len(got) != 1 || got[0] != c.pointer {
				t.Errorf("POST /inventory with %v: faults at %v, want %s", c.over, got, c.pointer)
			}
		}
		a := try(t, o.Client, "POST", "/api/v1/inventory", newListing(ev, "seats", []string{"1", "2"}, "quantity", 3))
		refused(t, a, 400, "")
		refused(t, try(t, o.Client, "POST", "/api/v1/inventory", newListing("none")), 404, "")
		if diff := cmp.Diff([]string{}, column(t, o.Call(t, 200, "GET", "/api/v1/inventory?eventId="+ev, nil), "data", "listingId")); diff != "" {
			t.Errorf("refused listings are there:\n%s", diff)
		}
	})
}
