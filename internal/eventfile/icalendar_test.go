package eventfile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/eventfile"
)

// vcalendar wraps lines, separated by \n, in a calendar.
func vcalendar(lines string) string {
	return strings.ReplaceAll("BEGIN:VCALENDAR\nVERSION:2.0\n"+lines+"\nEND:VCALENDAR\n", "\n", "\r\n")
}

// icalendarEvent reads one event with the given further lines.
func icalendarEvent(t *testing.T, lines, zone string) eventfile.Event {
	t.Helper()
	return one(t, "x.ics", vcalendar("BEGIN:VEVENT\nUID:e-1\nSUMMARY:E\n"+lines+"\nEND:VEVENT"), zone)
}

func TestICalendarTimes(t *testing.T) {
	for _, test := range []struct{ lines, want string }{
		{"DTSTART;VALUE=DATE:20270814", "2027-08-14T00:00:00 – 2027-08-14T00:00:00 Europe/Oslo"},
		{"DTSTART;VALUE=DATE:20270814\nDTEND;VALUE=DATE:20270817", "2027-08-14T00:00:00 – 2027-08-16T00:00:00 Europe/Oslo"},
		{"DTSTART;VALUE=DATE:20270814\nDTEND;VALUE=DATE:20270814", "2027-08-14T00:00:00 – 2027-08-14T00:00:00 Europe/Oslo"},
		{"DTSTART:20270814\nDURATION:P2D", "2027-08-14T00:00:00 – 2027-08-15T00:00:00 Europe/Oslo"},
		{"DTSTART:20270814T203000\nDTEND:20270814T230000", "2027-08-14T20:30:00 – 2027-08-14T23:00:00 Europe/Oslo"},
		{"DTSTART:20270814T183000Z\nDURATION:PT1H30M", "2027-08-14T20:30:00 – 2027-08-14T22:00:00 Europe/Oslo"},
		{"DTSTART;TZID=Asia/Tokyo:20270814T203000\nDTEND:20270814T130000Z", "2027-08-14T20:30:00 – 2027-08-14T22:00:00 Asia/Tokyo"},
		{"DTSTART;TZID=Asia/Tokyo:20270814T203000\nDTEND;TZID=Europe/Oslo:20270814T150000", "2027-08-14T20:30:00 – 2027-08-14T22:00:00 Asia/Tokyo"},
		{"DTSTART;TZID=/mozilla.org/20050126_1/Europe/Berlin:20270814T203000", "2027-08-14T20:30:00 –  Europe/Berlin"},
		{"DTSTART;TZID=\"Eastern Standard Time\":20270814T203000", "2027-08-14T20:30:00 –  America/New_York"},
		{"DTSTART;TZID=UTC:20270814T203000", "2027-08-14T20:30:00 –  UTC"},
		// The night of 30 to 31 October has 25 hours: a day later is the same clock, 24 hours later is not.
		{"DTSTART:20271030T200000\nDURATION:P1D", "2027-10-30T20:00:00 – 2027-10-31T20:00:00 Europe/Oslo"},
		{"DTSTART:20271030T200000\nDURATION:PT24H", "2027-10-30T20:00:00 – 2027-10-31T19:00:00 Europe/Oslo"},
		// Skipped by the clocks, and there twice.
		{"DTSTART;TZID=Europe/Oslo:20270328T023000\nDTEND;TZID=Europe/Oslo:20270328T024500", "2027-03-28T02:30:00 – 2027-03-28T02:45:00 Europe/Oslo"},
		{"DTSTART;TZID=Europe/Oslo:20271031T023000", "2027-10-31T02:30:00 –  Europe/Oslo"},
	} {
		ev := icalendarEvent(t, test.lines, "Europe/Oslo")
		if got := ev.StartLocal + " – " + ev.EndLocal + " " + ev.Timezone; got != test.want {
			t.Errorf("%q gave %s, want %s", test.lines, got, test.want)
		}
	}
}

func TestICalendarZonesOfItsOwn(t *testing.T) {
	const event = "\nBEGIN:VEVENT\nUID:e-1\nSUMMARY:E\nDTSTART;TZID=X:20270814T203000\nEND:VEVENT"
	ev := one(t, "x.ics", vcalendar("BEGIN:VTIMEZONE\nTZID:X\nX-LIC-LOCATION:Europe/Madrid\nEND:VTIMEZONE"+event), "")
	if ev.Timezone != "Europe/Madrid" {
		t.Errorf("a TZID whose VTIMEZONE has X-LIC-LOCATION gave %s, want Europe/Madrid", ev.Timezone)
	}
	ev = one(t, "x.ics", vcalendar("X-WR-TIMEZONE:Europe/Lisbon\nBEGIN:VEVENT\nUID:e-1\nSUMMARY:E\nDTSTART:20270814\nEND:VEVENT"), "Asia/Tokyo")
	if ev.Timezone != "Europe/Lisbon" {
		t.Errorf("an event without zone in a calendar of Lisbon gave %s, want Europe/Lisbon", ev.Timezone)
	}
}

func TestICalendarTextsAreUnescapedAndUnfolded(t *testing.T) {
	ev := icalendarEvent(t, strings.Join([]string{
		"DTSTART:20270814",
		`DESCRIPTION:a\, b\; c\\ d\nnext\: raw, comma`,
		" \tand t",
		"\the end \xc3",
		" \xa9t\xc3\xa9", // folded within a character
		`LOCATION:St. John's Hall\, Main St\, Valletta VLT\, Malta`,
		"URL;VALUE=URI:https://e.example/?a=1,2;b",
		`CATEGORIES:a\,b,c`,
		"X-BROKEN;=:",
	}, "\n"), "")
	if want := "a, b; c\\ d\nnext: raw, comma\tand the end été"; ev.Description != want {
		t.Errorf("Description = %q, want %q", ev.Description, want)
	}
	if ev.URL != "https://e.example/?a=1,2;b" || ev.City != "Valletta VLT" || ev.Venue != "St. John's Hall, Main St" || ev.Country != "MT" {
		t.Errorf("URL, venue, city, country = %q, %q, %q, %q", ev.URL, ev.Venue, ev.City, ev.Country)
	}
	if diff := cmp.Diff([]string{"a,b", "c"}, ev.Keywords); diff != "" {
		t.Errorf("Keywords differ (-want +got):\n%s", diff)
	}
}

func TestICalendarUIDLosesItsHostOnlyWhereTheRestIsDistinctive(t *testing.T) {
	for _, test := range []struct{ uid, want string }{
		{"conf-07bd1a7a4b@conference-data", "conf-07bd1a7a4b"},
		{"conf-07bd1a7a4b", "conf-07bd1a7a4b"},
		{"19960401T080045Z-4000F192713@example.com", "19960401T080045Z-4000F192713"},
		{"17@example.com", "17@example.com"},
		{"1234567890@example.com", "1234567890@example.com"},
		{"gala@example.com", "gala@example.com"},
		{"the gala night@example.com", "the gala night@example.com"},
	} {
		ev := one(t, "x.ics", vcalendar("BEGIN:VEVENT\nUID:"+test.uid+"\nSUMMARY:E\nDTSTART:20270814\nEND:VEVENT"), "")
		if ev.SourceID != test.want {
			t.Errorf("UID %s gave SourceID %s, want %s", test.uid, ev.SourceID, test.want)
		}
	}
}

func TestICalendarStatus(t *testing.T) {
	if ev := icalendarEvent(t, "DTSTART:20270814\nSTATUS:CANCELLED", ""); ev.Status != eventfile.Cancelled {
		t.Errorf("STATUS:CANCELLED gave %s", ev.Status)
	}
	if ev := icalendarEvent(t, "DTSTART:20270814\nSTATUS:tentative", ""); ev.Status != eventfile.Scheduled {
		t.Errorf("STATUS:tentative gave %s", ev.Status)
	}
	ev := one(t, "x.ics", vcalendar("METHOD:CANCEL\nBEGIN:VEVENT\nUID:e-1\nSUMMARY:E\nDTSTART:20270814\nEND:VEVENT"), "")
	if ev.Status != eventfile.Cancelled {
		t.Errorf("METHOD:CANCEL gave %s", ev.Status)
	}
}

func TestICalendarBadPropertiesHaveTheirLine(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"RRULE:FREQ=DAILY", "line 6: RRULE: recurring events are not supported; list each date"},
		{"RECURRENCE-ID:20270814T203000", "line 6: RECURRENCE-ID: recurring events are not supported; list each date"},
		{"DTEND:20270813T203000", "line 6: DTEND: is before the start"},
		{"DTEND:2027-08-15", "line 6: DTEND: “2027-08-15” is not a date or time: write it as 20260814, 20260814T203000 or 20260814T203000Z"},
		{"DURATION:P", "line 6: DURATION: “P” is not a duration: write it as PT2H30M or P3D"},
		{"DURATION:P99999999999999999999D", "line 6: DURATION: “P99999999999999999999D” is not a duration: write it as PT2H30M or P3D"},
		{"DURATION:-PT1H", "line 6: DURATION: “-PT1H” is not a duration: write it as PT2H30M or P3D"},
		{"STATUS:PERHAPS", "line 6: STATUS: “PERHAPS” is not one of TENTATIVE, CONFIRMED, CANCELLED"},
		{"URL:mailto:box@example.com", "line 6: URL: “mailto:box@example.com” is not a web address that begins with https:// or http://"},
		{"DESCRIPTION:caf\xe9", "line 6: DESCRIPTION: is not UTF-8: save the file as UTF-8"},
		// go-ical would panic on these two.
		{"LOCATION;X=1", "line 6: LOCATION: “LOCATION;X=1” is not of the form NAME:VALUE or NAME;PARAMETER=VALUE:VALUE"},
		{`LOCATION;X="1"2:Oslo`, "line 6: LOCATION: “LOCATION;X=\"1\"2:Oslo” is not of the form NAME:VALUE or NAME;PARAMETER=VALUE:VALUE"},
		{"no name at all", "line 6: “no name at all” is not of the form NAME:VALUE or NAME;PARAMETER=VALUE:VALUE"},
	} {
		data := vcalendar("BEGIN:VEVENT\nUID:bad\nDTSTART:20270814T203000\n" + test.line +
			"\nSUMMARY:B\nEND:VEVENT\nBEGIN:VEVENT\nUID:ok\nSUMMARY:OK\nDTSTART:20270814\nEND:VEVENT")
		events, bad := readAll(t, "x.ics", []byte(data), "")
		if diff := cmp.Diff([]string{test.want}, bad); diff != "" || len(events) != 1 {
			t.Errorf("%s gave %d events, want the one after; bad rows (-want +got):\n%s", test.line, len(events), diff)
		}
	}
}

func TestICalendarCutOffFileIsReported(t *testing.T) {
	whole := vcalendar("BEGIN:VEVENT\nUID:a\nSUMMARY:A\nDTSTART:20270814\nEND:VEVENT\nBEGIN:VEVENT\nUID:b\nSUMMARY:B\nDTSTART:20270814\nEND:VEVENT")
	for _, test := range []struct {
		until  string
		events int
		want   []string
	}{
		{"END:VCALENDAR", 2, []string{"line 12: END:VCALENDAR is missing: the file was cut off, events may be missing"}},
		{"SUMMARY:B", 1, []string{"line 8: BEGIN:VEVENT has no END:VEVENT"}},
	} {
		part, _, _ := strings.Cut(whole, test.until)
		events, bad := readAll(t, "x.ics", []byte(part), "")
		if diff := cmp.Diff(test.want, bad); diff != "" || len(events) != test.events {
			t.Errorf("a file cut before %s gave %d events, want %d; bad rows (-want +got):\n%s", test.until, len(events), test.events, diff)
		}
	}
	_, bad := readAll(t, "x.ics", []byte(whole+"BEGIN:VEVENT\nUID:c\nEND:VEVENT\n"), "")
	if diff := cmp.Diff([]string{"line 14: BEGIN:VEVENT stands outside BEGIN:VCALENDAR and END:VCALENDAR"}, bad); diff != "" {
		t.Errorf("an event after the calendar: bad rows (-want +got):\n%s", diff)
	}
}
