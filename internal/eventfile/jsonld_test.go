package eventfile_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/eventfile"
)

func TestJSONLDShapesOfADocument(t *testing.T) {
	const ev = `{"@type":"Event","@id":"e-1","name":"E","startDate":"2027-01-01"}`
	for _, doc := range []string{
		ev,
		"[" + ev + "]",
		`{"@graph":[` + ev + `]}`,
		`{"@graph":` + ev + `}`,
		`[{"@graph":[{"@type":"WebPage"},` + ev + `]}]`,
		`{"@type":"ItemList","itemListElement":[{"@type":"ListItem","position":1,"item":` + ev + `}]}`,
		`[{"@type":["http://schema.org/Event"],"@id":"e-1","http://schema.org/name":[{"@value":"E"}],"http://schema.org/startDate":[{"@value":"2027-01-01"}]}]`,
	} {
		if got := one(t, "x.jsonld", doc, ""); got.EventID != "e-1" || got.Name != "E" || got.Line != 1 {
			t.Errorf("%s gave %+v, want the event e-1", doc, got)
		}
	}
}

func TestJSONLDEmptyListIsNoFault(t *testing.T) {
	if events, bad := readAll(t, "x.json", []byte("[]"), ""); len(events)+len(bad) != 0 {
		t.Errorf("[] gave %v and %v, want nothing", events, bad)
	}
}

// jsonldEvent reads an event with the given further members.
func jsonldEvent(t *testing.T, members, zone string) eventfile.Event {
	t.Helper()
	return one(t, "x.json", `{"@type":"Event","@id":"e-1","name":"E",`+members+`}`, zone)
}

func TestJSONLDTimes(t *testing.T) {
	for _, test := range []struct{ start, end, want string }{
		{"2027-08-14", "", "2027-08-14T00:00:00 – 2027-08-14T00:00:00 Europe/Oslo"},
		{"2027-08-14", "2027-08-15T12:00", "2027-08-14T00:00:00 – 2027-08-15T00:00:00 Europe/Oslo"},
		{"2027-08-14T20:30", "2027-08-14T23:00", "2027-08-14T20:30:00 – 2027-08-14T23:00:00 Europe/Oslo"},
		{"2027-08-14 20:30:00", "2027-08-14", "2027-08-14T20:30:00 –  Europe/Oslo"},
		{"2027-08-14T20:30:00.250", "", "2027-08-14T20:30:00 –  Europe/Oslo"},
		// UTC is how programs write an instant: it is told in the default zone.
		{"2027-08-14T18:30:00Z", "2027-08-14T21:00:00Z", "2027-08-14T20:30:00 – 2027-08-14T23:00:00 Europe/Oslo"},
		{"2027-08-14T18:30:00+00:00", "", "2027-08-14T20:30:00 –  Europe/Oslo"},
		// An offset that the default zone has at that moment is the default zone's.
		{"2027-08-14T20:30:00+02:00", "2027-08-14T21:00:00Z", "2027-08-14T20:30:00 – 2027-08-14T23:00:00 Europe/Oslo"},
		{"2027-01-14T20:30:00+0100", "", "2027-01-14T20:30:00 –  Europe/Oslo"},
		// Another keeps its wall clock.
		{"2027-01-14T20:30:00+02:00", "", "2027-01-14T20:30:00 –  Etc/GMT-2"},
		{"2027-01-14T20:30:00-08", "", "2027-01-14T20:30:00 –  Etc/GMT+8"},
		{"2027-01-14T20:30:00+05:30", "2027-01-14T22:30:00+05:30", "2027-01-14T20:30:00 – 2027-01-14T22:30:00 Asia/Kolkata"},
		{"2027-01-14T20:30:00+10:30", "", "2027-01-14T20:30:00 –  Australia/Adelaide"},
		// One that no place keeps is told in the default zone.
		{"2027-01-14T20:30:00+01:17", "", "2027-01-14T20:13:00 –  Europe/Oslo"},
	} {
		members := `"startDate":"` + test.start + `"`
		if test.end != "" {
			members += `,"endDate":"` + test.end + `"`
		}
		ev := jsonldEvent(t, members, "Europe/Oslo")
		if got := ev.StartLocal + " – " + ev.EndLocal + " " + ev.Timezone; got != test.want {
			t.Errorf("%s gave %s, want %s", members, got, test.want)
		}
	}
}

func TestJSONLDPlaces(t *testing.T) {
	type place struct {
		Venue, City, Region, Country string
		Online                       bool
	}
	for _, test := range []struct {
		location string
		want     place
	}{
		{`null`, place{}},
		{`[]`, place{}},
		{`"Pune, India"`, place{City: "Pune", Country: "IN"}},
		{`"Online"`, place{Online: true}},
		{`"https://live.example"`, place{Online: true}},
		{`"Springfield, Hall 3"`, place{Venue: "Springfield, Hall 3"}},
		{`{"@type":"VirtualLocation","url":"https://live.example"}`, place{Online: true}},
		{`[{"@type":"Place","name":"The Hall"},{"@type":"VirtualLocation"}]`, place{Venue: "The Hall"}},
		{`{"@type":"Place","name":"Virtual"}`, place{Online: true}},
		{`{"@type":"Place","name":"The Hall, Oslo, Norway"}`, place{Venue: "The Hall", City: "Oslo", Country: "NO"}},
		{`{"@type":"PostalAddress","addressLocality":"Oslo","addressCountry":"NOR"}`, place{City: "Oslo", Country: "NO"}},
		{
			`{"@type":"Place","name":"San Jose, CA","address":{"addressLocality":"San Jose","addressRegion":"CA","addressCountry":"US"}}`,
			place{City: "San Jose", Region: "CA", Country: "US"},
		},
		{
			`{"@type":"MusicVenue","name":"Berghain","address":["Am Wriezener Bahnhof, 10243 Berlin, Germany"]}`,
			place{Venue: "Berghain", City: "Berlin", Country: "DE"},
		},
	} {
		ev := jsonldEvent(t, `"startDate":"2027-01-01","location":`+test.location, "")
		if got := (place{ev.Venue, ev.City, ev.Region, ev.Country, ev.Online}); got != test.want {
			t.Errorf("location %s gave %+v, want %+v", test.location, got, test.want)
		}
	}
}

func TestJSONLDStatusTypeAndTexts(t *testing.T) {
	for _, test := range []struct {
		members          string
		status, category string
	}{
		{`"eventStatus":"https://schema.org/EventPostponed"`, "postponed", ""},
		{`"eventStatus":{"@id":"http://schema.org/EventCancelled"}`, "cancelled", ""},
		{`"eventStatus":["EventMovedOnline","EventRescheduled"]`, "rescheduled", ""},
		{`"previousStartDate":"2026-01-01"`, "rescheduled", ""},
		{`"previousStartDate":null,"eventStatus":null`, "scheduled", ""},
		{`"keywords":"jazz, brass"`, "scheduled", "jazz"},
		{`"@type":["Event","VisualArtsEvent"],"keywords":"jazz"`, "scheduled", "visual arts"},
		{`"@type":"Festival"`, "scheduled", "festival"},
	} {
		ev := jsonldEvent(t, `"startDate":"2027-01-01",`+test.members, "")
		if string(ev.Status) != test.status || ev.Category != test.category {
			t.Errorf("%s gave %s, %q; want %s, %q", test.members, ev.Status, ev.Category, test.status, test.category)
		}
	}
}

func TestControlCharactersDoNotGetThrough(t *testing.T) {
	ev := jsonldEvent(t, `"startDate":"2027-01-01","description":"a\u0000b\r\n\tc\u0007","name":" Big\u0000\nNight\t "`, "")
	if ev.Name != "Big Night" || ev.Description != "ab\n\tc" {
		t.Errorf("gave the name %q and description %q, want %q and %q", ev.Name, ev.Description, "Big Night", "ab\n\tc")
	}
}

func TestJSONLDIdentity(t *testing.T) {
	for _, test := range []struct{ members, want string }{
		{`"@id":"a","identifier":"b","url":"https://c.example"`, "a"},
		{`"@id":"_:b0","identifier":17,"url":"https://c.example"`, "17"},
		{`"identifier":{"@type":"PropertyValue","name":"box office","value":"b"}`, "b"},
		{`"url":"https://c.example"`, "https://c.example"},
	} {
		ev := one(t, "x.json", `{"@type":"Event","name":"E","startDate":"2027-01-01",`+test.members+`}`, "")
		if diff := cmp.Diff(test.want, ev.SourceID); diff != "" {
			t.Errorf("%s: SourceID differs (-want +got):\n%s", test.members, diff)
		}
	}
}
