package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// Ten thousand people want a hundred seats through holds: some order, some change their minds, some walk away, and their holds expire. Never is a seat sold
// twice, and in the end all are sold.
func TestHoldsNeverSellBeyondStock(t *testing.T) {
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		people := 2_000
		if harness.Long() {
			people = 10_000
		}
		slug, key := h.Org(t, "On sale")
		s := h.Serve(t)
		c := s.Client(key)
		c.HTTP = &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxConnsPerHost: 200, MaxIdleConnsPerHost: 200}}
		hook := harness.Receive(t, nil)
		h.Run(t, "endpoint", "create", "--org", slug, "--url", hook.URL, "--format", "pullup", "--event", "event.soldout", "--allow-target", "127.0.0.0/8", "--json")
		c.Call(t, 201, "POST", "/api/v1/events", newEvent("eventId", "SALE"))
		c.Call(t, 201, "POST", "/api/v1/events/SALE/pools", body{"name": "Hall", "capacity": 60})
		wants := []body{}
		for _, name := range []string{"Adult", "Child"} {
			made := c.Call(t, 201, "POST", "/api/v1/events/SALE/ticket-types", body{"name": name, "price": "75.00", "pools": []string{"Hall"}})
			wants = append(wants, body{"ticketTypeId": text(t, made, "ticketTypeId")})
		}
		seats := make([]string, 40)
		for i := range seats {
			seats[i] = "S" + string(rune('A'+i/10)) + string(rune('0'+i%10))
		}
		listed := c.Call(t, 201, "POST", "/api/v1/inventory", newListing("SALE", "quantity", 40, "seats", seats))
		wants = append(wants, body{"listingId": text(t, listed, "listingId")})
		time.Sleep(1500 * time.Millisecond) // the endpoint was made beside the server

		sold, others := holdRush(c, people, wants)
		if len(others) != 0 {
			t.Errorf("unexpected answers: %v", others)
		}
		if sold > 100 {
			t.Errorf("%d orders were placed for 100 seats", sold)
		}
		// Whoever comes later gets what is left, as the last holds expire.
		for end := time.Now().Add(time.Minute); sold < 100 && time.Now().Before(end); {
			more, others := orderRush(c, 30, wants)
			if sold += more; len(others) != 0 {
				t.Fatalf("unexpected answers: %v", others)
			}
		}
		if sold != 100 {
			t.Errorf("%d of 100 seats were sold in the end", sold)
		}
		for path, n := range map[string]int{
			"/api/v1/holds?eventId=SALE&status=active&limit=1": 0, "/api/v1/orders?eventId=SALE&limit=1": 100,
		} {
			expect(t, c.Call(t, 200, "GET", path, nil).Body, "meta.pagination.total", n)
		}
		expect(t, c.Call(t, 200, "GET", "/api/v1/events/SALE", nil).Body, "numberOfSeats", 0)
		expect(t, c.Call(t, 200, "GET", "/api/v1/events/SALE/pools/Hall", nil).Body, "held", 0, "sold", 60, "free", 0)
		hook.Await(t, time.Minute, func(all []harness.Got) bool { return len(all) >= 1 })
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if n := len(hook.All()); n != 1 {
			t.Errorf("event.soldout came %d times, want once", n)
		}
		expect(t, hook.All()[0].Body, "event", "event.soldout", "data.event_id", "SALE", "data.capacity", 100, "data.sold", 100)
		h.Run(t, "audit")
	})
}

// tally counts answers that were not to be expected.
type tally struct {
	mu     sync.Mutex // guards others
	others map[string]int
}

func (y *tally) note(what string, a harness.Answer, err error) {
	var p struct{ Code string }
	_ = json.Unmarshal(a.Body, &p)
	y.mu.Lock()
	defer y.mu.Unlock()
	if err != nil {
		what += ": " + err.Error()
	}
	y.others[what+": "+http.StatusText(a.Status)+" "+p.Code]++
}

func codeOf(a harness.Answer) string {
	var p struct{ Code string }
	_ = json.Unmarshal(a.Body, &p)
	return p.Code
}

// crowd has 200 connections do something n times and returns how often it did what it should.
func crowd(n int, do func(i int, y *tally) bool) (int, map[string]int) {
	var next, ok atomic.Int64
	y := &tally{others: map[string]int{}}
	var callers sync.WaitGroup
	for range 200 {
		callers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if do(int(i), y) {
					ok.Add(1)
				}
			}
		})
	}
	callers.Wait()
	return int(ok.Load()), y.others
}

// holdRush has people hold one ticket for a second each, and order it, release it or leave it. It returns how many were sold.
func holdRush(c *harness.Client, people int, wants []body) (sold int, others map[string]int) {
	ctx := context.Background()
	return crowd(people, func(i int, y *tally) bool {
		in := body{"eventId": "SALE", "quantity": 1, "seconds": 1}
		for name, v := range wants[i%len(wants)] {
			in[name] = v
		}
		a, err := c.Do(ctx, "POST", "/api/v1/holds", in)
		if err != nil || a.Status != 201 {
			if err != nil || codeOf(a) != "not_enough_tickets" {
				y.note("hold", a, err)
			}
			return false
		}
		var h struct{ ID string }
		_ = json.Unmarshal(a.Body, &h)
		switch i % 5 {
		case 0, 1: // walks away
			return false
		case 2:
			if a, err = c.Do(ctx, "DELETE", "/api/v1/holds/"+h.ID, nil); err != nil || a.Status != 204 {
				y.note("release", a, err)
			}
			return false
		}
		a, err = c.Do(ctx, "POST", "/api/v1/orders", body{"holdId": h.ID, "customer": customer()})
		if err != nil || a.Status != 201 {
			if err != nil || codeOf(a) != "hold_expired" { // on a slow machine a second is short
				y.note("order", a, err)
			}
			return false
		}
		return true
	})
}

// orderRush has people order without a hold.
func orderRush(c *harness.Client, people int, wants []body) (sold int, others map[string]int) {
	return crowd(people, func(i int, y *tally) bool {
		in := newOrder("SALE", "quantity", 1)
		for name, v := range wants[i%len(wants)] {
			in[name] = v
		}
		a, err := c.Do(context.Background(), "POST", "/api/v1/orders", in)
		if err != nil || a.Status != 201 && codeOf(a) != "not_enough_tickets" {
			y.note("order", a, err)
		}
		return err == nil && a.Status == 201
	})
}

// The way of a primary sale: pools, types, a hold, its order; and event.soldout for each time it sells out.
func TestAHoldBecomesAnOrderAndSellsTheEventOut(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		hook := o.hook(t, "pullup", nil)
		every := o.hook(t, "standard", nil, "events", []string{"hold.placed", "hold.released", "hold.expired"})
		ev := o.event(t)
		pools := "/api/v1/events/" + ev + "/pools"
		o.Call(t, 201, "POST", pools, body{"name": "Hall 500", "capacity": 5, "blocked": 1})
		hall := pools + "/" + url.PathEscape("Hall 500")
		o.Call(t, 201, "POST", pools, body{"name": "Spare", "capacity": 5})
		o.Call(t, 204, "DELETE", pools+"/Spare", nil)
		expect(t, o.Call(t, 200, "GET", pools, nil).Body, "meta.pagination.total", 1, "data.0.name", "Hall 500")
		types := "/api/v1/events/" + ev + "/ticket-types"
		adult := text(t, o.Call(t, 201, "POST", types, body{"name": "Adult", "price": "75.00", "faceValue": "70.00", "pools": []string{"Hall 500"}, "perCustomer": 4}), "ticketTypeId")
		child := text(t, o.Call(t, 201, "POST", types, body{"name": "Child", "price": "25.00", "pools": []string{"Hall 500"}, "code": "sesame"}), "ticketTypeId")
		expect(t, o.Call(t, 200, "GET", types, nil).Body, "meta.pagination.total", 2)
		expect(t, o.Call(t, 200, "GET", "/api/v1/inventory?eventId="+ev, nil).Body, "meta.pagination.total", 2, "data.0.section", "Child", "data.0.quantity", 4)
		refused(t, try(t, o.Client, "DELETE", hall, nil), 409, "pool_in_use")
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "ticketTypeId", child)), 403, "access_code_wrong")
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "ticketTypeId", adult, "quantity", 5)), 409, "not_enough_tickets")

		held := o.Call(t, 201, "POST", "/api/v1/holds", body{"eventId": ev, "ticketTypeId": adult, "quantity": 3})
		hold := "/api/v1/holds/" + text(t, held, "id")
		expect(t, held.Body, "status", "active", "totalAmount", amount("225"), "extended", false)
		expect(t, o.Call(t, 200, "GET", hall, nil).Body, "held", 3, "free", 1)
		o.Call(t, 200, "PATCH", "/api/v1/ticket-types/"+adult, body{"price": "80.00"})
		expect(t, o.Call(t, 200, "POST", hold+"/extend", nil).Body, "extended", true)
		refused(t, try(t, o.Client, "POST", hold+"/extend", nil), 409, "hold_already_extended")
		order := newOrder(ev, "holdId", text(t, held, "id"), "quantity", absent{})
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", with(order, "quantity", 2)), 400, "validation_failed")
		placed := o.Call(t, 201, "POST", "/api/v1/orders", with(order, "quantity", absent{}))
		expect(t, placed.Body, "order.quantity", 3, "order.totalAmount", amount("225"), "order.section", "Adult")
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", order), 409, "hold_converted")
		refused(t, try(t, o.Client, "DELETE", hold, nil), 409, "hold_converted")
		expect(t, o.Call(t, 200, "GET", hold, nil).Body, "status", "converted", "orderId", text(t, placed, "order.orderId"))
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "ticketTypeId", adult, "quantity", 2)), 409, "not_enough_tickets")
		o.Call(t, 200, "PATCH", hall, body{"blocked": 0})
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "ticketTypeId", adult, "quantity", 2)), 409, "customer_limit_reached")

		short := o.Call(t, 201, "POST", "/api/v1/holds", body{"eventId": ev, "ticketTypeId": child, "quantity": 2, "accessCode": "sesame", "seconds": 1})
		every.await(t, "hold.expired", 1)
		expect(t, o.Call(t, 200, "GET", "/api/v1/holds/"+text(t, short, "id"), nil).Body, "status", "expired")
		again := o.Call(t, 201, "POST", "/api/v1/holds", body{"eventId": ev, "ticketTypeId": child, "quantity": 2, "accessCode": "sesame"})
		o.Call(t, 204, "DELETE", "/api/v1/holds/"+text(t, again, "id"), nil)
		o.Call(t, 204, "DELETE", "/api/v1/holds/"+text(t, again, "id"), nil) // twice is fine
		every.await(t, "hold.released", 1)
		last := o.order(t, ev, "ticketTypeId", child, "accessCode", "sesame")
		expect(t, hook.await(t, "event.soldout", 1).Body, "data.event_id", ev, "data.capacity", 5, "data.sold", 5)
		expect(t, o.Call(t, 200, "GET", "/api/v1/ticket-types/"+adult, nil).Body, "status", "sold_out", "quantity", 0)
		o.move(t, 200, last, "cancelled")
		held = o.Call(t, 201, "POST", "/api/v1/holds", body{"eventId": ev, "section": "Child", "row": "GA", "quantity": 2, "accessCode": "sesame"})
		o.Call(t, 201, "POST", "/api/v1/orders", body{"holdId": text(t, held, "id"), "customer": customer()})
		hook.await(t, "event.soldout", 2)
		expect(t, o.Call(t, 200, "GET", "/api/v1/holds?eventId="+ev+"&status=converted", nil).Body, "meta.pagination.total", 2)
		o.Call(t, 204, "DELETE", "/api/v1/ticket-types/"+child, nil)
		n := 0
		for _, name := range hook.quiet(t, o) {
			if name == "event.soldout" {
				n++
			}
		}
		if n != 2 {
			t.Errorf("event.soldout came %d times, want 2", n)
		}
	})
}

// Nothing is sold before the sale begins or after it ended, and who is refused learns when.
func TestAnEventIsSoldBetweenItsInstants(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		soon, past := time.Now().Add(time.Hour).UTC().Truncate(time.Second), time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
		ev := o.event(t, "onSaleAt", soon.Format(time.RFC3339))
		l := o.listing(t, ev)
		for path, in := range map[string]body{"orders": newOrder(ev, "listingId", l), "holds": {"eventId": ev, "listingId": l, "quantity": 1}} {
			a := try(t, o.Client, "POST", "/api/v1/"+path, in)
			refused(t, a, 409, "not_on_sale_yet")
			expect(t, a.Body, "detail", "The sale begins at "+soon.Format("2006-01-02T15:04:05.000Z")+"; come back then.")
		}
		expect(t, o.Call(t, 200, "GET", "/api/v1/events/"+ev, nil).Body, "onSaleAt", soon.Format("2006-01-02T15:04:05.000Z"), "numberOfSeats", 0)
		o.Call(t, 200, "PATCH", "/api/v1/events/"+ev, body{"onSaleAt": nil})
		held := o.Call(t, 201, "POST", "/api/v1/holds", body{"eventId": ev, "listingId": l, "quantity": 2})
		o.Call(t, 200, "PATCH", "/api/v1/events/"+ev, body{"offSaleAt": past.Format(time.RFC3339)})
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "listingId", l)), 409, "sale_ended")
		o.Call(t, 201, "POST", "/api/v1/orders", body{"holdId": text(t, held, "id"), "customer": customer()}) // it was held in time
		refused(t, try(t, o.Client, "PATCH", "/api/v1/events/"+ev, body{"onSaleAt": "tomorrow"}), 400, "validation_failed")
		refused(t, try(t, o.Client, "PATCH", "/api/v1/events/"+ev, body{"onSaleAt": soon.Format(time.RFC3339)}), 400, "validation_failed")
	})
}
