package event_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// jazz is an event with everything.
var jazz = event.Input{
	ID: "EV-7001", Name: "Harbor Jazz Night", Description: "Two sets.\nDoors at seven.", Category: "jazz", URL: "https://harbor.example.test/jazz",
	StartLocal: "2027-08-14T20:30:00", EndLocal: "2027-08-14T23:00:00", Timezone: "Europe/Oslo",
	Venue: "Pier Hall", City: "Oslo", Region: "", Country: "NO", Currency: "EUR",
}

func TestEventIsFoundAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		made := h.mustCreate(jazz)
		if got := made.StartsAt.Format(time.RFC3339); got != "2027-08-14T18:30:00Z" || made.Status != event.Published || made.Version != 1 {
			t.Errorf("Create made %s, %s, version %d; want 2027-08-14T18:30:00Z, published, 1", got, made.Status, made.Version)
		}
		if l := made.Venue.Location(); l != "Oslo, NO" {
			t.Errorf("Location = %q, want Oslo, NO", l)
		}
		got, err := h.byID("EV-7001")
		if diff := cmp.Diff(made, got); err != nil || diff != "" {
			t.Errorf("ByID: %v, -made +found:\n%s", err, diff)
		}
		h.write(func(tx *db.Tx) error {
			a, err := event.Lock(tx, h.org, "EV-7001")
			if diff := cmp.Diff(made, a); err != nil || diff != "" {
				t.Errorf("Lock: %v, -made +found:\n%s", err, diff)
			}
			b, err := event.LockNo(tx, h.org, made.No)
			if diff := cmp.Diff(made, b); err != nil || diff != "" {
				t.Errorf("LockNo: %v, -made +found:\n%s", err, diff)
			}
			return nil
		})
		other := h.organisation("Other")
		if _, err := event.ByID(d.Read(t.Context()), other, "EV-7001"); !problem.Is(err, "event_not_found") {
			t.Errorf("another organisation's ByID = %v, want event_not_found", err)
		}
		if _, err := h.create(jazz); !problem.Is(err, "event_exists") {
			t.Errorf("Create with an id that is taken = %v, want event_exists", err)
		}
		if k := h.log.kinds(); k != "event.published" {
			t.Errorf("facts: %s, want event.published", k)
		}
	})
}

func TestDefaultsComeFromTheOrganisation(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	e := h.mustCreate(event.Input{Name: "Small", StartLocal: "2027-01-02T19:00"})
	if e.Timezone != "Europe/Oslo" || e.Currency != "NOK" || !id.ValidEvent(string(e.ID)) || e.StartLocal != "2027-01-02T19:00:00" {
		t.Errorf("Create made %+v, want zone Europe/Oslo, NOK, an id and seconds", e)
	}
	if e.EndLocal != "" || e.EndsAt.Sub(e.StartsAt) != 6*time.Hour || e.Venue != (event.Venue{}) {
		t.Errorf("an event without an end ends after %s at %+v, want 6h, nowhere", e.EndsAt.Sub(e.StartsAt), e.Venue)
	}
}

func TestAllDayEventEndsWithItsLastDay(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	for _, c := range []struct{ start, end, starts, ends string }{
		{"2027-03-27T00:00:00", "2027-03-28T00:00:00", "2027-03-26T23:00:00Z", "2027-03-28T22:00:00Z"}, // the last day has 23 hours
		{"2027-05-01T00:00:00", "", "2027-04-30T22:00:00Z", "2027-05-01T22:00:00Z"},
	} {
		e := h.mustCreate(event.Input{Name: "Fair", StartLocal: c.start, EndLocal: c.end, AllDay: true})
		if s, n := e.StartsAt.Format(time.RFC3339), e.EndsAt.Format(time.RFC3339); s != c.starts || n != c.ends {
			t.Errorf("whole days %s to %q run from %s to %s, want %s to %s", c.start, c.end, s, n, c.starts, c.ends)
		}
	}
}

func TestWrongInputNamesEveryField(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	_, err := h.create(event.Input{
		Name: " ", URL: "ftp://x", StartLocal: "14.8.2027", EndLocal: "2027-08-14T20:30:00Z", Timezone: "Oslo", Country: "ZZ", Currency: "Kroner",
		Venue: "two\nlines", Description: strings.Repeat("x", 50_001),
	})
	var got []string
	if p := problem.As(err); p != nil {
		for _, f := range p.Fields {
			got = append(got, f.Pointer)
		}
	}
	want := []string{"/name", "/description", "/url", "/venue", "/country", "/currency", "/timezone", "/startLocal", "/endLocal"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields -want +got:\n%s", diff)
	}
	for _, c := range []struct {
		story string
		in    event.Input
	}{
		{"ends before it starts", event.Input{Name: "A", StartLocal: "2027-01-02T19:00:00", EndLocal: "2027-01-02T18:00:00"}},
		{"whole days at a time of day", event.Input{Name: "A", StartLocal: "2027-01-02T19:00:00", AllDay: true}},
		{"id with a slash", event.Input{ID: "a/b", Name: "A", StartLocal: "2027-01-02T19:00:00"}},
		{"new and cancelled", event.Input{Name: "A", StartLocal: "2027-01-02T19:00:00", Status: event.Cancelled}},
		{"zone Local", event.Input{Name: "A", StartLocal: "2027-01-02T19:00:00", Timezone: "Local"}},
		{"a zone outside", event.Input{Name: "A", StartLocal: "2027-01-02T19:00:00", Timezone: "../../etc/passwd"}},
		{"no UTF-8", event.Input{Name: "A\xff", StartLocal: "2027-01-02T19:00:00"}},
		{"fraction", event.Input{Name: "A", StartLocal: "2027-01-02T19:00:00.5"}},
	} {
		if _, err := h.create(c.in); !problem.Is(err, "validation_failed") {
			t.Errorf("Create of an event that is wrong (%s) = %v, want validation_failed", c.story, err)
		}
	}
	if k := h.log.kinds(); k != "" {
		t.Errorf("refused events appended %s", k)
	}
}

func TestListFiltersAndSorts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		now := time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)
		for _, in := range []event.Input{
			{ID: "b", Name: "beta", Venue: "Quay", StartLocal: "2027-07-02T20:00:00"},
			{ID: "a", Name: "Alpha", Venue: "Pier Hall", StartLocal: "2027-07-03T20:00:00"},
			{ID: "c", Name: "Gamma", StartLocal: "2027-07-01T20:00:00"},
			{ID: "running", Name: "Run", Venue: "quay", StartLocal: "2027-05-31T23:00:00", EndLocal: "2027-06-01T03:00:00"},
			{ID: "over", Name: "Over", Venue: "Quay", StartLocal: "2027-05-31T10:00:00"},
			{ID: "draft", Name: "Draft", StartLocal: "2027-07-01T20:00:00", Status: event.Draft},
			{ID: "off", Name: "Off", StartLocal: "2027-07-01T20:00:00"},
			{ID: "later", Name: "Later", StartLocal: "2027-07-01T20:00:00"},
		} {
			h.mustCreate(in)
		}
		for e, s := range map[id.Event]event.Status{"off": event.Cancelled, "later": event.Postponed} {
			if _, err := h.update(e, event.Patch{Status: &s}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.update("c", event.Patch{Category: ptr("late change")}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			f     event.Filter
			want  string
			total int
		}{
			{event.Filter{}, "running c b a", 4},
			{event.Filter{Status: "active", SortBy: "date", SortOrder: "desc"}, "a b c running", 4},
			{event.Filter{SortBy: "name"}, "a b c running", 4},
			{event.Filter{SortBy: "venue"}, "c a b running", 4},
			{event.Filter{SortBy: "lastUpdated", SortOrder: "desc", Limit: 1}, "c", 4},
			{event.Filter{Venue: "QUAY"}, "running b", 2},
			{event.Filter{Limit: 2, Offset: 1}, "c b", 4},
			{event.Filter{Offset: 9}, "", 4},
			{event.Filter{Status: "past"}, "over", 1},
			{event.Filter{Status: "cancelled"}, "off", 1},
			{event.Filter{Status: "draft"}, "draft", 1},
			{event.Filter{Status: "postponed"}, "later", 1},
			{event.Filter{Status: "all", SortBy: "name", Venue: "quay"}, "b over running", 3},
		} {
			c.f.Now = now
			page, total, err := event.List(d.Read(t.Context()), h.org, c.f)
			var ids []string
			for _, e := range page {
				ids = append(ids, string(e.ID))
			}
			if got := strings.Join(ids, " "); err != nil || got != c.want || total != c.total {
				t.Errorf("List(%+v) = %s of %d, %v; want %s of %d", c.f, got, total, err, c.want, c.total)
			}
		}
		for _, f := range []event.Filter{{Limit: 101}, {Limit: -1}, {Offset: -1}, {SortBy: "price"}, {SortOrder: "up"}, {Status: "deleted"}, {Venue: "\xff"}} {
			if _, _, err := event.List(d.Read(t.Context()), h.org, f); !problem.Is(err, "validation_failed") {
				t.Errorf("List(%+v) = %v, want validation_failed", f, err)
			}
		}
	})
}

func TestImportTwiceChangesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		records := []event.Record{
			event.Record(jazz),
			{ID: "bad", Name: "", StartLocal: "2027-01-01T00:00:00"},
			{ID: "fair", Name: "Fair", StartLocal: "2027-05-01T00:00:00", EndLocal: "2027-05-03T00:00:00", AllDay: true, Timezone: "Asia/Tokyo", Venue: "幕張メッセ"},
			{ID: "off", Name: "Off", StartLocal: "2027-05-01T00:00:00", Status: event.Cancelled},
			{ID: "no/id", Name: "X", StartLocal: "2027-01-01T00:00:00"},
			{ID: "later", Name: "Later", StartLocal: "2027-05-01T00:00:00", Status: event.Postponed},
		}
		run := func() string {
			t.Helper()
			var all []string
			h.write(func(tx *db.Tx) error {
				all = nil
				out, err := h.cal.Import(tx, h.org, records...)
				for _, i := range out {
					all = append(all, string(i.Outcome))
					if (i.Outcome == event.Refused) != (i.Err != nil) {
						t.Errorf("%s is %s with error %v", i.ID, i.Outcome, i.Err)
					}
				}
				return err
			})
			return strings.Join(all, " ")
		}
		if got := run(); got != "added refused added added refused added" {
			t.Errorf("the first import: %s", got)
		}
		if k := h.log.kinds(); k != "event.published event.published event.cancelled event.postponed" {
			t.Errorf("facts of the first import: %s", k)
		}
		if got, k := run(), h.log.kinds(); got != "unchanged refused unchanged unchanged refused unchanged" || k != "" {
			t.Errorf("the second import: %s, facts: %s; want nothing new", got, k)
		}

		records[0].Description, records[0].Venue, records[0].City, records[0].Country = "", "", "", "" // left out: stays
		records[2].EndLocal = "2027-05-04T00:00:00"
		records[3].Status = "" // does not bring it back
		records[5].Status, records[5].StartLocal = "", "2027-06-01T00:00:00"
		if got, k := run(), h.log.kinds(); got != "unchanged refused changed unchanged refused changed" || k != "event.changed event.rescheduled" {
			t.Errorf("the changed import: %s, facts: %s", got, k)
		}
	})
}

// TestSnapshotIsAContract: subscribers read this.
func TestSnapshotIsAContract(t *testing.T) {
	e := event.Event{
		No: 7, ID: "EV-7001", Name: "Harbor Jazz Night", Description: "Two sets.", Category: "jazz", URL: "https://harbor.example.test/jazz",
		StartLocal: "2027-08-14T20:30:00", EndLocal: "2027-08-14T23:00:00", Timezone: "Europe/Oslo",
		StartsAt: time.Date(2027, 8, 14, 18, 30, 0, 0, time.UTC), EndsAt: time.Date(2027, 8, 14, 21, 0, 0, 0, time.UTC),
		PreviousStart: time.Date(2027, 8, 13, 18, 30, 0, 0, time.UTC),
		Venue:         event.Venue{ID: 3, Name: "Pier Hall", City: "Oslo", Region: "Østlandet", Country: "NO"}, Currency: "EUR",
		Status: event.Published, Version: 4,
		CreatedAt: time.Date(2027, 1, 1, 10, 0, 0, 123_456_000, time.UTC), UpdatedAt: time.Date(2027, 1, 2, 10, 0, 0, 999_999_000, time.UTC),
	}
	s := e.Snapshot()
	s.Changes = []string{"startLocal"}
	got, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "snapshot.json", append(got, '\n'))
}

func TestSalesHaveABeginningAndAnEnd(t *testing.T) {
	from, until := time.Date(2027, 3, 1, 10, 0, 0, 0, time.UTC), time.Date(2027, 4, 1, 10, 0, 0, 0, time.UTC)
	e := event.Event{Status: event.Published, EndsAt: until.AddDate(1, 0, 0), OnSaleAt: from, OffSaleAt: until}
	for _, c := range []struct {
		at   time.Time
		code string
	}{
		{from.Add(-time.Nanosecond), "not_on_sale_yet"}, {from, ""}, {until.Add(-time.Nanosecond), ""}, {until, "sale_ended"}, {e.EndsAt, "event_not_on_sale"},
	} {
		err := e.Sells(c.at)
		if c.code == "" && err != nil || c.code != "" && !problem.Is(err, c.code) || e.OnSale(c.at) != (err == nil) {
			t.Errorf("Sells(%v) = %v, want %q", c.at, err, c.code)
		}
	}
	if err := e.Sells(from.Add(-time.Second)); !strings.Contains(err.Error(), "2027-03-01T10:00:00.000Z") {
		t.Errorf("before the sale: %v, want the instant of its beginning", err)
	}
}
