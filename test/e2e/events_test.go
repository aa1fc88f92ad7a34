package e2e

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

func TestAnEventHasThePortalsFieldsAndItsOwn(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		a := o.Call(t, 201, "POST", "/api/v1/events", newEvent("eventId", "EV-7001", "endLocal", "2031-08-14T23:00:00", "region", "Oslo fylke", "category", "music"))
		if got := a.Header.Get("Location"); !strings.HasSuffix(got, "/api/v1/events/EV-7001") {
			t.Errorf("Location is %q", got)
		}
		for _, source := range [][]byte{a.Body, o.Call(t, 200, "GET", "/api/v1/events/EV-7001", nil).Body} {
			expect(t, source, "eventId", "EV-7001", "name", "Harbor Jazz Night", "date", "2031-08-14", "time", "8:30 PM", "isoDate", "2031-08-14T18:30:00.000Z",
				"location", "Pier Hall", "numberOfSeats", 0, "timezone", "Europe/Oslo", "startLocal", "2031-08-14T20:30:00", "endLocal", "2031-08-14T23:00:00",
				"venue", "Pier Hall", "city", "Oslo", "region", "Oslo fylke", "country", "NO", "category", "music", "currency", "USD", "status", "published",
				"allDay", false, "version", 1)
		}
		o.listing(t, "EV-7001", "quantity", 96)
		list := o.Call(t, 200, "GET", "/api/v1/events", nil)
		expect(t, list.Body, "data.#", 1, "data.0.eventId", "EV-7001", "data.0.numberOfSeats", 96, "data.0.isoDate", "2031-08-14T18:30:00.000Z",
			"meta.pagination.total", 1, "meta.pagination.limit", 50, "meta.pagination.offset", 0, "meta.pagination.hasMore", false, "meta.pagination.nextOffset", nil,
			"meta.filters.venue", nil, "meta.filters.sortBy", "date", "meta.filters.sortOrder", "asc")
	})
}

func TestAnEventHasDefaults(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		a := o.Call(t, 201, "POST", "/api/v1/events", body{"name": "Bare", "startLocal": "2031-08-14T20:30:00", "timezone": "Asia/Tokyo"})
		expect(t, a.Body, "eventId", regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`), "status", "published", "currency", regexp.MustCompile(`^[A-Z]{3}$`),
			"isoDate", "2031-08-14T11:30:00.000Z", "time", "8:30 PM")
	})
}

func TestWallTimesBecomeInstantsInTheirZone(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		for _, c := range []struct{ local, zone, date, clock, iso string }{
			{"2031-01-14T00:05:00", "America/New_York", "2031-01-14", "12:05 AM", "2031-01-14T05:05:00.000Z"},
			{"2031-07-14T12:00:00", "America/New_York", "2031-07-14", "12:00 PM", "2031-07-14T16:00:00.000Z"},
			{"2031-07-14T01:00:00", "Pacific/Auckland", "2031-07-14", "1:00 AM", "2031-07-13T13:00:00.000Z"},
			{"2031-07-14T09:15:00", "Asia/Kolkata", "2031-07-14", "9:15 AM", "2031-07-14T03:45:00.000Z"},
		} {
			a := o.Call(t, 201, "POST", "/api/v1/events", newEvent("startLocal", c.local, "timezone", c.zone))
			expect(t, a.Body, "date", c.date, "time", c.clock, "isoDate", c.iso)
		}
	})
}

func TestAnEventOfWholeDaysEndsWithItsLastDay(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		a := o.Call(t, 201, "POST", "/api/v1/events", newEvent("allDay", true, "startLocal", "2031-08-14T00:00:00", "endLocal", "2031-08-15T00:00:00"))
		expect(t, a.Body, "allDay", true, "startLocal", "2031-08-14T00:00:00", "date", "2031-08-14", "isoDate", "2031-08-13T22:00:00.000Z")
	})
}

func TestEventsAreListedByStatus(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		o.event(t, "eventId", "coming")
		o.event(t, "eventId", "over", "startLocal", "2021-08-14T20:30:00")
		o.event(t, "eventId", "planned", "status", "draft")
		o.event(t, "eventId", "off", "startLocal", "2031-08-15T20:30:00")
		o.Call(t, 200, "PATCH", "/api/v1/events/off", body{"status": "cancelled"})
		for status, want := range map[string][]string{
			"": {"coming"}, "?status=active": {"coming"}, "?status=past": {"over"}, "?status=draft": {"planned"}, "?status=cancelled": {"off"},
			"?status=all&sortBy=name&limit=100": nil,
		} {
			a := o.Call(t, 200, "GET", "/api/v1/events"+status, nil)
			if want == nil {
				expect(t, a.Body, "meta.pagination.total", 4, "data.#", 4)
			} else if diff := cmp.Diff(want, column(t, a, "data", "eventId")); diff != "" {
				t.Errorf("GET /events%s (-want +got):\n%s", status, diff)
			}
		}
	})
}

func TestEventsAreFilteredByVenueAndSorted(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		o.event(t, "eventId", "a", "name", "Delta", "venue", "Pier Hall", "startLocal", "2031-03-01T20:00:00")
		o.event(t, "eventId", "b", "name", "Alpha", "venue", "Zoo & Garden, \"north\"", "startLocal", "2031-02-01T20:00:00")
		o.event(t, "eventId", "c", "name", "Charlie", "venue", "Arena", "startLocal", "2031-04-01T20:00:00")
		o.Call(t, 200, "PATCH", "/api/v1/events/b", body{"category": "changed last"})
		for query, want := range map[string]string{
			"": "b a c", "?sortBy=date&sortOrder=desc": "c a b", "?sortBy=name": "b c a", "?sortBy=name&sortOrder=desc": "a c b",
			"?sortBy=venue": "c a b", "?sortBy=lastUpdated": "a c b", "?sortBy=lastUpdated&sortOrder=desc": "b c a",
			"?venue=Pier%20Hall": "a", "?venue=" + url.QueryEscape(`Zoo & Garden, "north"`): "b", "?venue=Nowhere": "",
		} {
			a := o.Call(t, 200, "GET", "/api/v1/events"+query, nil)
			if got := strings.Join(column(t, a, "data", "eventId"), " "); got != want {
				t.Errorf("GET /events%s gave %q, want %q", query, got, want)
			}
		}
		expect(t, o.Call(t, 200, "GET", "/api/v1/events?venue=Arena&sortBy=name&sortOrder=desc", nil).Body,
			"meta.filters.venue", "Arena", "meta.filters.sortBy", "name", "meta.filters.sortOrder", "desc")
	})
}

func TestListsArePaged(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		for i := range 7 {
			o.event(t, "eventId", fmt.Sprintf("e%d", i), "startLocal", fmt.Sprintf("2031-08-%02dT20:00:00", 10+i/2)) // some at the same time
		}
		ev := "e0"
		for i := range 7 {
			o.listing(t, ev, "section", fmt.Sprint(i), "price", "10")
		}
		for i := range 7 {
			o.order(t, ev, "section", fmt.Sprint(i), "row", "A")
		}
		for path, id := range map[string]string{"/api/v1/events?": "eventId", "/api/v1/inventory?eventId=e0&": "listingId", "/api/v1/orders?": "orderId"} {
			all := column(t, o.Call(t, 200, "GET", path+"limit=100", nil), "data", id)
			if len(all) != 7 {
				t.Fatalf("GET %s gave %d of 7", path, len(all))
			}
			byOffset, byCursor := o.pages(t, path, id, "offset", "nextOffset"), o.pages(t, path, id, "cursor", "nextCursor")
			if diff := cmp.Diff(all, byOffset); diff != "" {
				t.Errorf("GET %s page by page (-want +got):\n%s", path, diff)
			}
			if diff := cmp.Diff(all, byCursor); diff != "" {
				t.Errorf("GET %s by cursor (-want +got):\n%s", path, diff)
			}
			beyond := o.Call(t, 200, "GET", path+"offset=50", nil)
			expect(t, beyond.Body, "data.#", 0, "meta.pagination.total", 7, "meta.pagination.hasMore", false, "meta.pagination.nextOffset", nil)
		}
	})
}

// pages reads a list three at a time and returns the ids.
func (o *org) pages(t *testing.T, path, id, parameter, next string) []string {
	t.Helper()
	var all []string
	query := "limit=3"
	for page := range 3 {
		a := o.Call(t, 200, "GET", path+query, nil)
		all = append(all, column(t, a, "data", id)...)
		more := at(t, a.Body, "meta.pagination."+next)
		expect(t, a.Body, "meta.pagination.hasMore", page < 2, "meta.pagination.limit", 3, "meta.pagination.total", 7)
		if (more == nil) != (page == 2) {
			t.Errorf("GET %s: %s of page %d is %v", path+query, next, page, more)
		}
		query = fmt.Sprintf("limit=3&%s=%s", parameter, url.QueryEscape(fmt.Sprint(more)))
	}
	return all
}

func TestPagesOutsideTheirBoundsAreRefused(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		ev := o.event(t)
		for _, path := range []string{"/api/v1/events?", "/api/v1/inventory?eventId=" + ev + "&", "/api/v1/orders?"} {
			for _, query := range []string{
				"limit=0", "limit=101", "limit=-1", "limit=ten", "limit=1.5", "limit=99999999999999999999", "offset=-1", "offset=x", "cursor=forged", "cursor=%00",
				"sortOrder=up", "sortBy=colour",
			} {
				if strings.HasPrefix(path, "/api/v1/orders") && strings.HasPrefix(query, "sort") {
					continue
				}
				refused(t, try(t, o.Client, "GET", path+query, nil), 400, "")
			}
			o.Call(t, 200, "GET", path+"limit=1", nil)
			o.Call(t, 200, "GET", path+"limit=100", nil)
		}
		refused(t, try(t, o.Client, "GET", "/api/v1/events?status=odd", nil), 400, "")
		other := text(t, func() harness.Answer {
			o.event(t)
			return o.Call(t, 200, "GET", "/api/v1/events?limit=1", nil)
		}(), "meta.pagination.nextCursor")
		refused(t, try(t, o.Client, "GET", "/api/v1/orders?cursor="+url.QueryEscape(other), nil), 400, "") // a cursor of another list
	})
}

func TestAnEventIsChangedAndItsVersionGrows(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "pullup", nil, "events", []string{"event.updated"})
		ev := o.event(t)
		h.await(t, "event.updated", 1)
		a := o.Call(t, 200, "PATCH", "/api/v1/events/"+ev, body{"name": "Harbor Jazz Nights", "startLocal": "2031-08-15T21:00:00"})
		expect(t, a.Body, "name", "Harbor Jazz Nights", "date", "2031-08-15", "time", "9:00 PM", "venue", "Pier Hall", "version", 2)
		g := h.await(t, "event.updated", 2)
		expect(t, g.Body, "data.event_id", ev)
		for _, field := range []string{"name", "start"} {
			if !strings.Contains(fmt.Sprint(at(t, g.Body, "data.changes")), field) {
				t.Errorf("the changes do not name %s: %s", field, g.Body)
			}
		}
	})
}

func TestEventsAreDeletedWhileDrafts(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		draft := o.event(t, "status", "draft")
		o.Call(t, 204, "DELETE", "/api/v1/events/"+draft, nil)
		refused(t, o.Call(t, 404, "GET", "/api/v1/events/"+draft, nil), 404, "")
		sold := o.event(t)
		o.order(t, sold, "listingId", o.listing(t, sold))
		refused(t, try(t, o.Client, "DELETE", "/api/v1/events/"+sold, nil), 409, "")
		o.Call(t, 200, "GET", "/api/v1/events/"+sold, nil)
	})
}

func TestACancelledEventSellsNothingMore(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "portal", nil)
		ev := o.event(t)
		l := o.listing(t, ev)
		orders := []string{o.order(t, ev, "listingId", l), o.order(t, ev, "listingId", l), o.order(t, ev, "listingId", l)}
		o.move(t, 200, orders[1], "fulfilled")
		o.move(t, 200, orders[2], "cancelled")
		expect(t, o.Call(t, 200, "PATCH", "/api/v1/events/"+ev, body{"status": "cancelled"}).Body, "status", "cancelled", "numberOfSeats", 0)
		refused(t, try(t, o.Client, "POST", "/api/v1/orders", newOrder(ev, "listingId", l)), 409, "")
		expect(t, o.Call(t, 200, "GET", "/api/v1/orders/"+orders[0], nil).Body, "status", "confirmed") // orders stay until they are cancelled

		a := o.Call(t, 202, "POST", "/api/v1/events/"+ev+"/cancel-orders", nil)
		expect(t, a.Body, "total", 2)
		eventually(t, func() bool {
			p := o.Call(t, 200, "GET", "/api/v1/events/"+ev+"/cancel-orders", nil)
			return at(t, p.Body, "state") == "done" && number(t, p.Body, "done") == 2
		})
		for _, order := range orders {
			expect(t, o.Call(t, 200, "GET", "/api/v1/orders/"+order, nil).Body, "status", "cancelled")
		}
		h.await(t, "order.cancelled", 3)
	})
}

func TestFaultyEventsAreRefused(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		for _, c := range []struct {
			pointer string
			over    []any
		}{
			{"/eventId", []any{"eventId", ""}},
			{"/eventId", []any{"eventId", strings.Repeat("x", 65)}},
			{"/eventId", []any{"eventId", "a b"}},
			{"/eventId", []any{"eventId", "å"}},
			{"/name", []any{"name", absent{}}},
			{"/name", []any{"name", ""}},
			{"/name", []any{"name", 7}},
			{"/name", []any{"name", nil}},
			{"/startLocal", []any{"startLocal", absent{}}},
			{"/startLocal", []any{"startLocal", "2031-02-30T20:30:00"}},
			{"/startLocal", []any{"startLocal", "2031-08-14T20:30:00Z"}},
			{"/startLocal", []any{"startLocal", "tomorrow"}},
			{"/timezone", []any{"timezone", "Europe/Atlantis"}},
			{"/timezone", []any{"timezone", "../../etc/passwd"}},
			{"/timezone", []any{"timezone", "Local"}},
			{"/endLocal", []any{"endLocal", "2031-08-14T19:00:00"}},
			{"/country", []any{"country", "Norway"}},
			{"/country", []any{"country", "XX"}},
			{"/currency", []any{"currency", "DOLLARS"}},
			{"/currency", []any{"currency", "ZZZ"}},
			{"/status", []any{"status", "sold"}},
			{"/colour", []any{"colour", "red"}},
		} {
			b := newEvent(c.over...)
			a := try(t, o.Client, "POST", "/api/v1/events", b)
			refused(t, a, 400, "")
			if got := pointers(t, a); len(got) != 1 || got[0] != c.pointer {
				t.Errorf("POST /events with %v: faults at %v, want %s", c.over, got, c.pointer)
			}
		}
		expect(t, o.Call(t, 200, "GET", "/api/v1/events?status=all", nil).Body, "meta.pagination.total", 0)
		o.event(t, "eventId", "twice")
		refused(t, try(t, o.Client, "POST", "/api/v1/events", newEvent("eventId", "twice")), 409, "")
		refused(t, o.Call(t, 404, "GET", "/api/v1/events/none", nil), 404, "")
		refused(t, o.Call(t, 404, "PATCH", "/api/v1/events/none", body{"name": "x"}), 404, "")
	})
}
