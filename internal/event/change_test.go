package event_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

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

func TestWhatRefusesADeletionKeepsTheEvent(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		h := open(t, d)
		e := h.mustCreate(jazz)
		refuse, seen := errors.New("no"), []id.Event{}
		h.cal.OnDelete(func(tx *db.Tx, org int64, gone event.Event) error {
			if _, err := event.LockNo(tx, org, gone.No); err != nil {
				t.Errorf("LockNo of what is about to be deleted: %v", err)
			}
			seen = append(seen, gone.ID)
			return refuse
		})
		if err := h.delete(e.ID, 0); !errors.Is(err, refuse) {
			t.Errorf("Delete = %v, want %v", err, refuse)
		}
		if _, err := h.byID(e.ID); err != nil {
			t.Errorf("ByID of an event that stays: %v", err)
		}
		refuse = nil
		if err := h.delete(e.ID, 0); err != nil || len(seen) != 2 || seen[1] != e.ID {
			t.Errorf("Delete = %v; what follows was told of %v", err, seen)
		}
	})
}
