package eventfile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/eventfile"
)

// csvEvent reads one row of the columns id, name and those of header.
func csvEvent(t *testing.T, header, fields, zone string) eventfile.Event {
	t.Helper()
	return one(t, "x.csv", "id,name,"+header+"\ne-1,E,"+fields+"\n", zone)
}

func TestCSVTimes(t *testing.T) {
	const header = "start_date,start_time,end_date,end_time,timezone"
	for _, test := range []struct{ fields, start, end, zone string }{
		{"2027-08-14,,,,", "2027-08-14T00:00:00 all day", "2027-08-14T00:00:00", "Europe/Oslo"},
		{"2027-08-14,,2027-08-16,,Asia/Tokyo", "2027-08-14T00:00:00 all day", "2027-08-16T00:00:00", "Asia/Tokyo"},
		{"2027-08-14,20:30,,,", "2027-08-14T20:30:00", "", "Europe/Oslo"},
		{"2027-08-14,20:30:15,2027-08-14,,", "2027-08-14T20:30:15", "", "Europe/Oslo"},
		{"2027-08-14,20:30,2027-08-15,,", "2027-08-14T20:30:00", "2027-08-16T00:00:00", "Europe/Oslo"},
		{"2027-08-14,20:30,,02:00,", "2027-08-14T20:30:00", "2027-08-15T02:00:00", "Europe/Oslo"},
		{"2027-08-14,20:30,2027-08-14,20:30,", "2027-08-14T20:30:00", "", "Europe/Oslo"},
		{"2027-08-14,20:30,,,W. Europe Standard Time", "2027-08-14T20:30:00", "", "Europe/Berlin"},
		{"2027-03-28,02:30,,,", "2027-03-28T02:30:00", "", "Europe/Oslo"},                         // skipped by the clocks
		{"2027-10-31,02:30,,02:45,", "2027-10-31T02:30:00", "2027-10-31T02:45:00", "Europe/Oslo"}, // there twice
	} {
		ev := csvEvent(t, header, test.fields, "Europe/Oslo")
		start := ev.StartLocal
		if ev.AllDay {
			start += " all day"
		}
		if start != test.start || ev.EndLocal != test.end || ev.Timezone != test.zone {
			t.Errorf("%s gave %s to %s in %s; want %s to %s in %s", test.fields, start, ev.EndLocal, ev.Timezone, test.start, test.end, test.zone)
		}
	}
}

func TestCSVPlaces(t *testing.T) {
	const header = "start_date,venue,city,region,country,online"
	type place struct {
		Venue, City, Region, Country string
		Online                       bool
	}
	for _, test := range []struct {
		fields string
		want   place
	}{
		{`,"San Jose, CA",,U.S.A.,`, place{City: "San Jose", Region: "CA", Country: "US"}},
		{`,"San Jose, CA",California,usa,`, place{City: "San Jose, CA", Region: "California", Country: "US"}},
		{`,"Ash, near Aldershot",,UK,`, place{City: "Ash, near Aldershot", Country: "GB"}},
		{`,Tbilisi,,Georgia,no`, place{City: "Tbilisi", Country: "GE"}},
		{`,Brno,,Czech Republic,0`, place{City: "Brno", Country: "CZ"}},
		{`,İstanbul,,Türkiye,`, place{City: "İstanbul", Country: "TR"}},
		{`Oslo,Oslo,,no,`, place{City: "Oslo", Country: "NO"}},
		{`,Berlin,,Germany,true`, place{City: "Berlin", Country: "DE"}},
		{`,,,,TRUE`, place{Online: true}},
		{`,,,,`, place{}},
	} {
		ev := csvEvent(t, header, "2027-01-01,"+test.fields, "")
		got := place{ev.Venue, ev.City, ev.Region, ev.Country, ev.Online}
		if got != test.want {
			t.Errorf("%s gave %+v, want %+v", test.fields, got, test.want)
		}
	}
}

func TestCSVBadFieldsAreNamed(t *testing.T) {
	for _, test := range []struct{ header, fields, want string }{
		{"start_date", "", "start_date: is missing"},
		{"start_date", "2027-02-30", "start_date: “2027-02-30” is not a date: write it as 2026-08-14"},
		{"start_date", "0027-02-03", "start_date: the year 27 is not one of 1900 to 2999"},
		{"start_date,end_date", "2027-02-03,2027-02-02", "end_date: is before the start"},
		{"start_date,start_time", "2027-02-03,8 pm", "start_time: “8 pm” is not a time of day: write it as 20:30"},
		{"start_date,end_time", "2027-02-03,20:00", "end_time: is there without start_time"},
		{"start_date,start_time,end_date,end_time", "2027-02-03,20:00,2027-02-03,19:00", "end_date: is before the start"},
		{"start_date,timezone", "2027-02-03,CEST+1", "timezone: “CEST+1” is not a time zone: write an IANA name such as Europe/Oslo"},
		{"start_date,url", "2027-02-03,www.example.com", "url: “www.example.com” is not a web address that begins with https:// or http://"},
		{"start_date,online", "2027-02-03,perhaps", "online: “perhaps” is neither true nor false"},
		{"start_date,status", "2027-02-03,maybe", "status: “maybe” is not one of scheduled, postponed, rescheduled, cancelled"},
		{"start_date,currency", "2027-02-03,euro", "currency: “EURO” is not a currency: write the three letters of ISO 4217, such as EUR"},
		{"start_date,city", "2027-02-03,M\xfcnchen", "city: is not UTF-8: save the file as UTF-8"},
		{"start_date,venue", "2027-02-03," + strings.Repeat("x", 1001), "venue: has 1001 characters, at most 1000 are taken"},
		{"start_date", "2027-02-03,more", "has 4 columns, the header has 3"},
	} {
		data := "id,name," + test.header + "\nbad,B," + test.fields + "\nok,OK,2027-01-01" + strings.Repeat(",", strings.Count(test.header, ",")) + "\n"
		events, bad := readAll(t, "x.csv", []byte(data), "")
		if diff := cmp.Diff([]string{"line 2: " + test.want}, bad); diff != "" || len(events) != 1 {
			t.Errorf("%s = %s gave %d events, want the row after; bad rows (-want +got):\n%s", test.header, test.fields, len(events), diff)
		}
	}
}

// A forgotten mark makes the csv package read on up to the next one, over rows that are well.
func TestCSVForgottenQuotationMarkCostsItsOwnRow(t *testing.T) {
	data := "id,name,start_date\r\n" +
		"\r\n" +
		"a,\"A,2027-01-01\r\n" + // line 3
		"b,B,2027-01-02\r\n" +
		"c,\"C, and more\",2027-01-03\r\n" +
		"d,D\"\"D\",2027-01-04\r\n" + // line 6
		"e,\"two\r\nlines\",2027-01-05\r\n" +
		"f,\"F,2027-01-06\r\n" + // line 9, the last
		""
	events, bad := readAll(t, "x.csv", []byte(data), "")
	var got []string
	for _, ev := range events {
		got = append(got, ev.EventID+" "+ev.Name)
	}
	if diff := cmp.Diff([]string{"b B", "c C, and more", "e two lines"}, got); diff != "" {
		t.Errorf("events differ (-want +got):\n%s", diff)
	}
	var lines []string
	for _, b := range bad {
		line, _, _ := strings.Cut(b, ":")
		lines = append(lines, line)
	}
	if diff := cmp.Diff([]string{"line 3", "line 6", "line 9"}, lines); diff != "" {
		t.Errorf("lines of bad rows differ (-want +got):\n%s\n%q", diff, bad)
	}
}

func TestCSVHeaderInAnyOrderAndCase(t *testing.T) {
	ev := one(t, "X.CSV", "\xef\xbb\xbfStart_Date, NAME ,Topics,id\n2027-01-01, N ,b; a;;b,i-1\n", "")
	want := eventfile.Event{
		SourceID: "i-1", EventID: "i-1", Name: "N", StartLocal: "2027-01-01T00:00:00", EndLocal: "2027-01-01T00:00:00", AllDay: true,
		Timezone: "UTC", Category: "b", Keywords: []string{"b", "a"}, Status: eventfile.Scheduled, Line: 2,
	}
	if diff := cmp.Diff(want, ev); diff != "" {
		t.Errorf("differs (-want +got):\n%s", diff)
	}
}

// The help text must not fall behind: its example is read, and so is every column that it names.
func TestCSVHeaderTextIsTrue(t *testing.T) {
	_, example, _ := strings.Cut(eventfile.CSVHeader, "For example:")
	example, _, _ = strings.Cut(example, "The file is")
	var lines []string
	for line := range strings.Lines(example) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	ev := one(t, "x.csv", strings.Join(lines, "\n")+"\n", "")
	if ev.EventID != "evt-1" || ev.City != "Bergen" || ev.Country != "NO" || ev.EndLocal != "2026-08-16T00:00:00" {
		t.Errorf("the example of CSVHeader gave %+v", ev)
	}

	var columns []string
	for line := range strings.Lines(eventfile.CSVHeader) {
		if word, _, ok := strings.Cut(strings.TrimPrefix(line, "  "), "  "); ok && strings.HasPrefix(line, "  ") {
			columns = append(columns, word)
		}
	}
	if len(columns) != 20 {
		t.Errorf("CSVHeader lists %d columns %q, want 20", len(columns), columns)
	}
	if _, err := eventfile.Open("x.csv", strings.NewReader(strings.Join(columns, ",")), eventfile.Options{}); err != nil {
		t.Errorf("a header of the columns that CSVHeader lists is refused: %v", err)
	}
}
