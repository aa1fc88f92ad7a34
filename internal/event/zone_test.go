package event_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"github.com/stagedoorhq/stagedoor/internal/event"
)

func TestWallClockBecomesInstant(t *testing.T) {
	for _, c := range []struct{ zone, local, want, story string }{
		{"Europe/Oslo", "2027-08-14T20:30:00", "2027-08-14T18:30:00Z", "summer"},
		{"Europe/Oslo", "2027-01-14T20:30:00", "2027-01-14T19:30:00Z", "winter"},
		{"Europe/Oslo", "2027-03-28T02:30:00", "2027-03-28T01:30:00Z", "skipped: 02:30 becomes 03:30 summer time"},
		{"Europe/Oslo", "2027-03-28T03:00:00", "2027-03-28T01:00:00Z", "just after the gap"},
		{"Europe/Oslo", "2027-10-31T02:30:00", "2027-10-31T00:30:00Z", "comes twice: the first"},
		{"Europe/Oslo", "2027-10-31T03:00:00", "2027-10-31T02:00:00Z", "just after the repetition"},
		{"America/New_York", "2027-03-14T02:00:00", "2027-03-14T07:00:00Z", "the first moment of a gap"},
		{"America/New_York", "2027-11-07T01:59:59", "2027-11-07T05:59:59Z", "the last moment of what comes twice"},
		{"Australia/Lord_Howe", "2027-10-03T02:10:00", "2027-10-02T15:40:00Z", "a gap of half an hour"},
		{"Australia/Lord_Howe", "2027-04-04T01:40:00", "2027-04-03T14:40:00Z", "half an hour twice"},
		{"Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T22:00:00Z", "a whole day was skipped"},
		{"Asia/Kathmandu", "2027-01-01T00:00:00", "2026-12-31T18:15:00Z", "an odd offset"},
		{"UTC", "2027-01-01T00:00:00", "2027-01-01T00:00:00Z", "no offset"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		w, _ := time.Parse(event.Layout, c.local)
		if got := event.Instant(w, zone).Format(time.RFC3339); got != c.want {
			t.Errorf("%s in %s (%s) is %s, want %s", c.local, c.zone, c.story, got, c.want)
		}
	}
}

// TestInstantIsTheFirstThatShowsTheWallClock compares with a search among all offsets that hold around it.
func TestInstantIsTheFirstThatShowsTheWallClock(t *testing.T) {
	names := []string{
		"Europe/Oslo", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Asia/Tehran",
		"America/Caracas", "Asia/Pyongyang", "Antarctica/Troll", "Europe/Dublin", "Asia/Gaza", "Africa/Cairo", "America/Santiago",
	}
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(names).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		// Half of them near a change of the clocks.
		w := time.Unix(rapid.Int64Range(0, 2_500_000_000).Draw(t, "unix"), 0).UTC()
		if _, end := w.In(zone).ZoneBounds(); !end.IsZero() && rapid.Bool().Draw(t, "near a change") {
			_, offset := end.Zone()
			w = end.UTC().Add(time.Duration(offset+rapid.IntRange(-8000, 8000).Draw(t, "off by")) * time.Second)
		}
		got := event.Instant(w, zone)
		if want := first(w, zone); !got.Equal(want) {
			t.Fatalf("%s in %s is %s, want %s", w.Format(event.Layout), zone, got.Format(time.RFC3339), want.UTC().Format(time.RFC3339))
		}
	})
}

// first searches for the earliest instant that shows w, and where none does takes the offset before the gap.
func first(w time.Time, zone *time.Location) time.Time {
	t := w.Add(-30 * time.Hour).In(zone)
	for {
		_, offset := t.Zone()
		candidate := w.Add(-time.Duration(offset) * time.Second).In(zone)
		_, end := t.ZoneBounds()
		if end.IsZero() || candidate.Before(end) {
			return candidate
		}
		if !end.After(t) { // at the end of some leap years far ahead, ZoneBounds gives back what it was given
			t = t.Add(time.Hour)
			continue
		}
		_, after := end.Zone()
		if w.Add(-time.Duration(after) * time.Second).Before(end) {
			return candidate // w lies in the gap at end
		}
		t = end
	}
}

// FuzzWallClock: what is taken as a wall clock has one normal form, and every zone knows when that is.
func FuzzWallClock(f *testing.F) {
	for _, s := range []string{"2027-08-14T20:30:00", "2027-08-14T20:30", "2027-08-14T20:30:00Z", "2027-03-28T02:30:00", "0000-00-00T00:00:00", "9998-12-31T23:59:59"} {
		f.Add(s)
	}
	zone, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, err := event.Wall(s)
		if err != nil {
			return
		}
		again, err := event.Wall(w.Format(event.Layout))
		if err != nil || !again.Equal(w) {
			t.Errorf("Wall(%q) is %s, which is read as %s, %v", s, w, again, err)
		}
		if got := event.Instant(w, zone); got.Sub(w).Abs() > 26*time.Hour {
			t.Errorf("%q in Oslo is %s", s, got)
		}
	})
}
