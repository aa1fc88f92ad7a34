package eventfile_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/eventfile"
)

func FuzzCSV(f *testing.F)       { fuzz(f, "sample.csv") }
func FuzzJSONLD(f *testing.F)    { fuzz(f, "sample.jsonld") }
func FuzzICalendar(f *testing.F) { fuzz(f, "sample.ics") }

// fuzz holds the promises of the package for any bytes of the sample's form.
func fuzz(f *testing.F, sample string) {
	data, err := os.ReadFile(filepath.Join("testdata", sample))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("id,name,start_date\na,\"A,2027-01-01\nb,B,2027-01-01\n"))
	f.Add([]byte(`[{"@type":"Event","@id":"a","name":"A","startDate":"2027-01-01T10:00+02:00","location":["Oslo, Norway"]}]`))
	f.Add([]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nSUMMARY;X=1,\"2\":A\nDTSTART;TZID=Europe/Oslo:20270101T100000\nDURATION:PT1H\nEND:VEVENT\nEND:VCALENDAR"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := eventfile.Open(sample, bytes.NewReader(data), eventfile.Options{Timezone: "Europe/Oslo"})
		if err != nil {
			return
		}
		lines := 1 + bytes.Count(data, []byte("\n"))
		seen := make(map[string]bool)
		var first []eventfile.Event
		for ev, err := range r.All() {
			if err != nil {
				checkRowError(t, err, lines)
				continue
			}
			checkEvent(t, ev, lines)
			if seen[ev.EventID] {
				t.Errorf("EventID %q came twice", ev.EventID)
			}
			seen[ev.EventID] = true
			first = append(first, ev)
		}
		var second []eventfile.Event
		for ev, err := range r.All() {
			if err == nil {
				second = append(second, ev)
			}
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("the second All() differs from the first (-first +second):\n%s", diff)
		}
	})
}

func checkRowError(t *testing.T, err error, lines int) {
	t.Helper()
	var row *eventfile.RowError
	if !errors.As(err, &row) {
		t.Fatalf("All() yielded %v, which is no RowError", err)
	}
	if row.Line < 1 || row.Line > lines || row.Detail == "" {
		t.Errorf("RowError %+v of a file of %d lines", row, lines)
	}
}

var eventIDForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func checkEvent(t *testing.T, ev eventfile.Event, lines int) {
	t.Helper()
	if !eventIDForm.MatchString(ev.EventID) || ev.SourceID == "" || ev.Name == "" || ev.Status == "" || ev.Line < 1 || ev.Line > lines {
		t.Errorf("%+v lacks what every event has (of %d lines)", ev, lines)
	}
	start, err := time.Parse(eventfile.Layout, ev.StartLocal)
	if err != nil {
		t.Errorf("StartLocal %q: %v", ev.StartLocal, err)
	}
	if ev.EndLocal != "" {
		if end, err := time.Parse(eventfile.Layout, ev.EndLocal); err != nil || end.Before(start) {
			t.Errorf("%s ends at %q: %v", ev.StartLocal, ev.EndLocal, err)
		}
	}
	if ev.AllDay && (ev.EndLocal == "" || start.Hour()+start.Minute()+start.Second() != 0) {
		t.Errorf("the event of whole days is from %q to %q", ev.StartLocal, ev.EndLocal)
	}
	if _, err := time.LoadLocation(ev.Timezone); err != nil || ev.Timezone == "" || ev.Timezone == "Local" {
		t.Errorf("Timezone %q: %v", ev.Timezone, err)
	}
	if n := len(ev.Country); n != 0 && n != 2 {
		t.Errorf("Country %q is not of two letters", ev.Country)
	}
	for _, s := range append([]string{ev.SourceID, ev.Name, ev.Venue, ev.City, ev.Region, ev.Category}, ev.Keywords...) {
		for _, r := range s {
			if unicode.IsControl(r) {
				t.Errorf("the text %q has a control character", s)
			}
		}
	}
}
