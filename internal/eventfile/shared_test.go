package eventfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stagedoorhq/stagedoor/internal/eventfile"
)

// TestRealCalendarIsTheSameInThreeForms reads 377 real events, whose files lie beside the project where it is developed.
func TestRealCalendarIsTheSameInThreeForms(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("../shared/data is not here: the real calendars are not compared")
	}
	const events = 377
	var first []eventfile.Event
	for _, name := range []string{"conferences-2026.csv", "conferences-2026.jsonld", "conferences-2026.ics"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, bad := readAll(t, name, data, "Europe/Oslo")
		if len(got) != events || len(bad) != 0 {
			t.Fatalf("%s gave %d events and the bad rows %v, want %d and none", name, len(got), bad, events)
		}
		if first == nil {
			first = got
			continue
		}
		if diff := cmp.Diff(first, got, cmpopts.IgnoreFields(eventfile.Event{}, "Line")); diff != "" {
			t.Errorf("%s differs from the CSV file (-csv +this):\n%s", name, diff)
		}
	}

	online, regions, withoutCountry := 0, 0, 0
	for _, ev := range first {
		if ev.Online {
			online++
		}
		if ev.Region != "" {
			regions++
		}
		if ev.Country == "" {
			withoutCountry++
		}
		if ev.EventID != ev.SourceID || !ev.AllDay || ev.EndLocal < ev.StartLocal {
			t.Errorf("the CSV file gave %+v, want its own id, whole days and an end after the start", ev)
		}
	}
	if online != 55 || withoutCountry != 55 || regions != 65 {
		t.Errorf("the CSV file gave %d online, %d without country, %d with region; want 55, 55, 65", online, withoutCountry, regions)
	}
}
