package eventfile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	_ "time/tzdata" // the zones of the tests, whatever the machine has

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/eventfile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// readAll reads data as the file name and gives its events and its bad rows.
func readAll(t *testing.T, name string, data []byte, zone string) (events []eventfile.Event, bad []string) {
	t.Helper()
	r, err := eventfile.Open(name, bytes.NewReader(data), eventfile.Options{Timezone: zone})
	if err != nil {
		t.Fatalf("Open(%q) = %v", name, err)
	}
	for ev, err := range r.All() {
		var row *eventfile.RowError
		switch {
		case err == nil:
			events = append(events, ev)
		case errors.As(err, &row):
			bad = append(bad, row.Error())
		default:
			t.Fatalf("All() of %q yielded %v, which is no RowError", name, err)
		}
	}
	if n := len(events) + len(bad); n != r.Len() {
		t.Errorf("Len() of %q = %d, but All yielded %d rows", name, r.Len(), n)
	}
	return events, bad
}

// one reads data, which must hold one good event.
func one(t *testing.T, name, data, zone string) eventfile.Event {
	t.Helper()
	events, bad := readAll(t, name, []byte(data), zone)
	if len(events) != 1 || len(bad) != 0 {
		t.Fatalf("%s gave the events %v and the bad rows %q, want one event; it holds:\n%s", name, events, bad, data)
	}
	return events[0]
}

func TestSamplesGiveTheirGoldenRecords(t *testing.T) {
	for _, name := range []string{"sample.csv", "sample.jsonld", "sample.ics"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Events  []eventfile.Event
				BadRows []string
			}
			got.Events, got.BadRows = readAll(t, name, data, "Europe/Oslo")
			checkGolden(t, filepath.Join("testdata", name+".golden.json"), got)
		})
	}
}

func checkGolden(t *testing.T, file string, v any) {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, buf.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), buf.String()); diff != "" {
		t.Errorf("differs from %s (-golden +now); go test -update rewrites it:\n%s", file, diff)
	}
}

func TestReadingTwiceGivesTheSame(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "sample.csv"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := eventfile.Open("sample.csv", bytes.NewReader(data), eventfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var passes [2][]eventfile.Event
	for i := range passes {
		for ev, err := range r.All() {
			if err == nil {
				passes[i] = append(passes[i], ev)
			}
		}
	}
	if diff := cmp.Diff(passes[0], passes[1]); diff != "" {
		t.Errorf("the second All() differs from the first (-first +second):\n%s", diff)
	}
}

func TestSecondRowWithAnIDIsBad(t *testing.T) {
	events, bad := readAll(t, "x.csv", []byte("id,name,start_date\na-1,One,2027-01-01\na-1,Two,2027-01-02\na-2,Three,2027-01-03\n"), "")
	want := []string{"line 3: has the same id as line 2: “a-1”"}
	if diff := cmp.Diff(want, bad); diff != "" || len(events) != 2 {
		t.Errorf("gave %d events and bad rows differ (-want +got):\n%s", len(events), diff)
	}
}

func TestEventIDIsTheSourceIDWhereItFits(t *testing.T) {
	for _, test := range []struct{ source, want string }{
		{"conf-07bd1a7a4b", "conf-07bd1a7a4b"},
		{"A.b_c-9", "A.b_c-9"},
		{strings.Repeat("x", 64), strings.Repeat("x", 64)},
		// These three are for ever: events are kept under them.
		{"https://harbour.example/jazz", "src-7dd73fb35371a38f0da1d70882de7f59"},
		{"..", "src-5ec1f7e700f37c3d0b2981d04855fc34"},
		{strings.Repeat("x", 65), "src-9537c5fdf120482f7d58d25e9ed583f5"},
	} {
		ev := one(t, "x.csv", "id,name,start_date\n"+test.source+",N,2027-01-01\n", "")
		if ev.SourceID != test.source || ev.EventID != test.want {
			t.Errorf("the id %q gave SourceID %q, EventID %q; want EventID %q", test.source, ev.SourceID, ev.EventID, test.want)
		}
	}
}

func TestWholeFileFaultsAreSentences(t *testing.T) {
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for _, test := range []struct{ name, data, want string }{
		{"x.csv", "", "the file is empty"},
		{"x.ics", " \r\n", "the file is empty"},
		{"x", "hello", "the file is neither JSON-LD (.jsonld, .json) nor CSV with our header (.csv) nor iCalendar (.ics)"},
		{"x.csv", "PK\x03\x04...", "the file is a spreadsheet or zip archive: export it as CSV"},
		{"x.csv", "\xff\xfei\x00d\x00", "the file is UTF-16: save it as UTF-8"},
		{"x.json", "\x1f\x8b\x08", "the file is compressed: unpack it first"},
		{"x.ics", "<!DOCTYPE html><title>Sign in</title>", "the file is a web page: save the calendar that it links to"},
		{"x.csv", "id;name;start_date\n", "line 1: the columns are separated by semicolons or tabs: export the file with commas"},
		{"x.csv", "id,name\n", "line 1: the column start_date is missing"},
		{"x.csv", "id,name,start_date,name\n", "line 1: the column name is there twice"},
		{"x.csv", "id,name,start_date,colour\n", "line 1: “colour” is not a column; the columns are id, name, url, start_date, end_date, start_time, end_time, timezone, venue, city, region, country, latitude, longitude, online, category, topics, status, description, currency"},
		{"x.json", "{\n\"a\": 1,\n}", "line 3: the file is not JSON: invalid character '}' looking for beginning of object key string"},
		{"x.json", "{} {}", "line 1: the file is not JSON: invalid character '{' after top-level value"},
		{"x.json", "\n" + deep, "line 2: the JSON is nested more than 32 deep"},
		{"x.json", `{"hello": "world"}`, "the file holds JSON, but no schema.org Event in it"},
		{"x.ics", "BEGIN:VEVENT\r\n", "line 1: an iCalendar file begins with BEGIN:VCALENDAR"},
		{"x.ics", "BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:X\n", 20), "line 17: components are nested more than 16 deep"},
	} {
		_, err := eventfile.Open(test.name, strings.NewReader(test.data), eventfile.Options{})
		if err == nil || err.Error() != test.want {
			t.Errorf("Open(%q, %.40q) = %v; want %s", test.name, test.data, err, test.want)
		}
	}
}

func TestUnknownDefaultZoneIsRefused(t *testing.T) {
	for _, zone := range []string{"Europe/Atlantis", "Local", "../../etc/passwd"} {
		_, err := eventfile.Open("x.csv", strings.NewReader("id,name,start_date\n"), eventfile.Options{Timezone: zone})
		if err == nil || !strings.HasPrefix(err.Error(), "default time zone: ") {
			t.Errorf("Open with the zone %q = %v; want an error about the default time zone", zone, err)
		}
	}
}

func TestBoundsAreHeld(t *testing.T) {
	t.Run("bytes", func(t *testing.T) {
		_, err := eventfile.Open("x.csv", &endless{}, eventfile.Options{})
		if err == nil || err.Error() != "the file is larger than 64 MiB: split it" {
			t.Errorf("Open of an endless file = %v; want a refusal", err)
		}
	})
	t.Run("events", func(t *testing.T) {
		for name, data := range map[string]string{
			"x.csv":  "id,name,start_date\n" + strings.Repeat("a,b,2027-01-01\n", eventfile.MaxEvents+1),
			"x.json": "[" + strings.Repeat(`{"@type":"Event"},`, eventfile.MaxEvents) + `{"@type":"Event"}]`,
			"x.ics":  "BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:VEVENT\nEND:VEVENT\n", eventfile.MaxEvents+1) + "END:VCALENDAR\n",
		} {
			_, err := eventfile.Open(name, strings.NewReader(data), eventfile.Options{})
			if err == nil || err.Error() != "the file has more than 100000 events: split it" {
				t.Errorf("Open(%q) with one event too many = %v; want a refusal", name, err)
			}
		}
	})
	t.Run("row", func(t *testing.T) {
		long := strings.Repeat("x", 1<<20)
		for name, data := range map[string]string{
			"x.csv":  "id,name,start_date\na," + long + ",2027-01-01\nb,B,2027-01-01\n",
			"x.json": `[{"@type":"Event","name":"` + long + `"},{"@type":"Event","@id":"b","name":"B","startDate":"2027-01-01"}]`,
			"x.ics": "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDESCRIPTION:" + long + "\n " + long +
				"\nEND:VEVENT\nBEGIN:VEVENT\nUID:b\nSUMMARY:B\nDTSTART:20270101\nEND:VEVENT\nEND:VCALENDAR\n",
		} {
			events, bad := readAll(t, name, []byte(data), "")
			if len(events) != 1 || len(bad) != 1 || !strings.Contains(bad[0], "larger than 1024 KiB") {
				t.Errorf("%s with a huge row gave %d events and %q, want the other event and a refusal", name, len(events), bad)
			}
		}
	})
}

// endless is a file without end.
type endless struct{}

func (*endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestFormIsToldByContentWhereTheNameSaysNothing(t *testing.T) {
	for _, data := range []string{
		"\xef\xbb\xbfname,id,start_date\nB,b,2027-01-01\n",
		"\r\n{\"@type\":\"Event\",\"@id\":\"b\",\"name\":\"B\",\"startDate\":\"2027-01-01\"}",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:b\nSUMMARY:B\nDTSTART;VALUE=DATE:20270101\nEND:VEVENT\nEND:VCALENDAR\n",
	} {
		for _, name := range []string{"", "-", "download.txt"} {
			if ev := one(t, name, data, ""); ev.EventID != "b" || ev.StartLocal != "2027-01-01T00:00:00" {
				t.Errorf("Open(%q, %q) gave %+v, want the event b", name, data, ev)
			}
		}
	}
}
