package event_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { dbtest.Main(m) }

// log is a ledger in memory.
type log struct{ facts []*fact.Fact }

func (l *log) Append(tx *db.Tx, facts ...*fact.Fact) error {
	at := tx.Now()
	tx.OnCommit(func() {
		for _, f := range facts {
			f.At = at
			l.facts = append(l.facts, f)
		}
	})
	return nil
}

// kinds are the kinds that came since the last call, in order.
func (l *log) kinds() string {
	var all []string
	for _, f := range l.facts {
		all = append(all, string(f.Kind))
	}
	l.facts = nil
	return strings.Join(all, " ")
}

// house is a database with one organisation and its calendar.
type house struct {
	*testing.T
	db      *db.DB
	log     *log
	cal     *event.Calendar
	org     int64
	ordered bool // what Ordered answers
}

func open(t *testing.T, d *db.DB) *house {
	h := &house{T: t, db: d, log: &log{}}
	h.cal = event.New(h.log, func(db.Querier, int64, int64) (bool, error) { return h.ordered, nil })
	h.org = h.organisation("House")
	return h
}

func (h *house) organisation(name string) int64 {
	h.Helper()
	var o org.Org
	h.write(func(tx *db.Tx) (err error) {
		o, err = org.Create(tx, org.Input{Name: name, Currency: "NOK", Timezone: "Europe/Oslo"})
		return err
	})
	return o.No
}

func (h *house) write(fn func(tx *db.Tx) error) {
	h.Helper()
	if err := h.db.Write(h.Context(), "", fn); err != nil {
		h.Fatal(err)
	}
}

func (h *house) create(in event.Input) (e event.Event, err error) {
	err = h.db.Write(h.Context(), "", func(tx *db.Tx) (err error) {
		e, err = h.cal.Create(tx, h.org, in)
		return err
	})
	return e, err
}

func (h *house) mustCreate(in event.Input) event.Event {
	h.Helper()
	e, err := h.create(in)
	if err != nil {
		h.Fatalf("Create(%+v): %v", in, err)
	}
	return e
}

func (h *house) update(e id.Event, p event.Patch) (out event.Event, err error) {
	err = h.db.Write(h.Context(), "", func(tx *db.Tx) (err error) {
		out, err = h.cal.Update(tx, h.org, e, p)
		return err
	})
	return out, err
}

func (h *house) delete(e id.Event, version int64) error {
	return h.db.Write(h.Context(), "", func(tx *db.Tx) error { return h.cal.Delete(tx, h.org, e, version) })
}

func (h *house) byID(e id.Event) (event.Event, error) {
	return event.ByID(h.db.Read(h.Context()), h.org, e)
}

func ptr[T any](v T) *T { return &v }

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

func TestEachChangeAppendsOneFact(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		made := h.mustCreate(jazz)
		h.log.kinds()
		for _, c := range []struct {
			story   string
			patch   event.Patch
			kind    fact.Kind // empty for none
			changes []string
		}{
			{"nothing", event.Patch{}, "", nil},
			{"the same again", event.Patch{Name: ptr("Harbor Jazz Night"), Status: ptr(event.Published), StartLocal: ptr("2027-08-14T20:30")}, "", nil},
			{"name and venue", event.Patch{Name: ptr("Harbor Jazz"), Venue: ptr("Quay")}, fact.EventChanged, []string{"name", "venue"}},
			{"end", event.Patch{EndLocal: ptr("")}, fact.EventChanged, []string{"endLocal"}},
			{"postponed", event.Patch{Status: ptr(event.Postponed)}, fact.EventPostponed, []string{"status"}},
			{"a new date", event.Patch{Status: ptr(event.Published), StartLocal: ptr("2027-09-14T20:30:00")}, fact.EventRescheduled, []string{"startLocal", "status"}},
			{"another zone", event.Patch{Timezone: ptr("Europe/London")}, fact.EventRescheduled, []string{"timezone"}},
			{"cancelled", event.Patch{Status: ptr(event.Cancelled)}, fact.EventCancelled, []string{"status"}},
			{"cancelled again", event.Patch{Status: ptr(event.Cancelled)}, "", nil},
			{"why", event.Patch{Description: ptr("Storm.")}, fact.EventChanged, []string{"description"}},
		} {
			before, _ := h.byID(made.ID)
			after, err := h.update(made.ID, c.patch)
			if err != nil {
				t.Fatalf("Update (%s): %v", c.story, err)
			}
			if c.kind == "" {
				if len(h.log.facts) != 0 || after.Version != before.Version {
					t.Errorf("Update (%s) appended %s and led to version %d, want nothing and %d", c.story, h.log.kinds(), after.Version, before.Version)
				}
				continue
			}
			if len(h.log.facts) != 1 {
				t.Fatalf("Update (%s) appended %s, want %s", c.story, h.log.kinds(), c.kind)
			}
			f := h.log.facts[0]
			var s event.Snapshot
			if err := json.Unmarshal(f.Data, &s); err != nil {
				t.Fatal(err)
			}
			if f.Kind != c.kind || f.Subject != "EV-7001" || f.Version != after.Version || after.Version != before.Version+1 {
				t.Errorf("Update (%s) appended %s of %s, version %d; want %s of EV-7001, version %d", c.story, f.Kind, f.Subject, f.Version, c.kind, after.Version)
			}
			if diff := cmp.Diff(c.changes, s.Changes); diff != "" {
				t.Errorf("Update (%s): changes -want +got:\n%s", c.story, diff)
			}
			if kept, _ := h.byID(made.ID); !cmp.Equal(kept, after) {
				t.Errorf("Update (%s) returned what is not kept:\n%s", c.story, cmp.Diff(kept, after))
			}
			if c.kind == fact.EventRescheduled && !after.PreviousStart.Equal(before.StartsAt) {
				t.Errorf("Update (%s): previous start %s, want %s", c.story, after.PreviousStart, before.StartsAt)
			}
			h.log.kinds()
		}
	})
}

func TestDraftsAreSilent(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	in := jazz
	in.Status = event.Draft
	e := h.mustCreate(in)
	if _, err := h.update(e.ID, event.Patch{StartLocal: ptr("2027-08-13T20:30:00")}); err != nil {
		t.Fatal(err)
	}
	if k := h.log.kinds(); k != "" {
		t.Errorf("a draft appended %s", k)
	}
	out, err := h.update(e.ID, event.Patch{Status: ptr(event.Published)})
	if k := h.log.kinds(); err != nil || k != "event.published" || !out.PreviousStart.IsZero() {
		t.Errorf("publishing: %v, facts %s, previous start %s; want event.published and none", err, k, out.PreviousStart)
	}
}

func TestStatusGoesByTheTable(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		all := []event.Status{event.Draft, event.Published, event.Postponed, event.Cancelled, event.Completed}
		path := map[event.Status][]event.Status{
			event.Draft: {}, event.Published: {event.Published}, event.Postponed: {event.Published, event.Postponed},
			event.Cancelled: {event.Published, event.Cancelled}, event.Completed: {event.Published, event.Completed},
		}
		allowed := map[string]bool{
			"draft published": true, "published postponed": true, "published cancelled": true, "published completed": true,
			"postponed published": true, "postponed cancelled": true,
		}
		for _, from := range all {
			for _, to := range all {
				in := jazz
				in.ID, in.Status = "", event.Draft
				e := h.mustCreate(in)
				for _, s := range path[from] {
					if _, err := h.update(e.ID, event.Patch{Status: ptr(s)}); err != nil {
						t.Fatal(err)
					}
				}
				out, err := h.update(e.ID, event.Patch{Status: ptr(to)})
				switch ok := from == to || allowed[string(from+" "+to)]; {
				case ok && (err != nil || out.Status != to):
					t.Errorf("%s to %s = %s, %v; want it allowed", from, to, out.Status, err)
				case !ok && !problem.Is(err, "invalid_transition"):
					t.Errorf("%s to %s = %v, want invalid_transition", from, to, err)
				}
			}
		}
		e := h.mustCreate(event.Input{Name: "A", StartLocal: "2027-01-02T19:00:00"})
		if _, err := h.update(e.ID, event.Patch{Status: ptr(event.Status("deleted"))}); !problem.Is(err, "validation_failed") {
			t.Errorf("status deleted by Update = %v, want validation_failed", err)
		}
	})
}

func TestVersionGuardsChanges(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.SQLite(t)))
	e := h.mustCreate(jazz)
	if _, err := h.update(e.ID, event.Patch{Version: 2, Name: ptr("X")}); !problem.Is(err, "version_mismatch") {
		t.Errorf("Update for another version = %v, want version_mismatch", err)
	}
	if err := h.delete(e.ID, 2); !problem.Is(err, "version_mismatch") {
		t.Errorf("Delete of another version = %v, want version_mismatch", err)
	}
	if _, err := h.update(e.ID, event.Patch{Version: 1, Name: ptr("X")}); err != nil {
		t.Errorf("Update for the right version = %v", err)
	}
}

func TestDeletedEventFreesItsID(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		e := h.mustCreate(jazz)
		h.ordered = true
		if err := h.delete(e.ID, 0); !problem.Is(err, "event_has_orders") {
			t.Errorf("Delete of an event with orders = %v, want event_has_orders", err)
		}
		h.ordered = false
		if err := h.delete(e.ID, 1); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		if err := h.delete(e.ID, 0); !problem.Is(err, "event_not_found") {
			t.Errorf("a second Delete = %v, want event_not_found", err)
		}
		if _, err := h.byID(e.ID); !problem.Is(err, "event_not_found") {
			t.Errorf("ByID of a deleted event = %v, want event_not_found", err)
		}
		if k := h.log.kinds(); k != "event.published event.deleted" {
			t.Errorf("facts: %s", k)
		}
		if again := h.mustCreate(jazz); again.No == e.No {
			t.Error("the new event took the deleted one's number")
		}
		if page, total, err := event.List(d.Read(t.Context()), h.org, event.Filter{Status: "all"}); len(page) != 1 || total != 1 || err != nil {
			t.Errorf("List = %d events of %d, %v; want only the new one", len(page), total, err)
		}
	})
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

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s -want +got (rewrite with -update):\n%s", file, diff)
	}
}
