package apple_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/apple"
)

// with is the concert, changed.
func with(change func(f *pass.Face, e *event.Event)) pass.Face {
	f := concert()
	change(&f, f.Event)
	return f
}

// member is a pass of no ticket.
func member() pass.Face {
	return pass.Face{
		ID: "5c1f4b5e-7d3a-4f43-9a57-2b1d8f0a6c12", Serial: "0f86d081884c7d659a2feaa0c55ad016", Token: "3bb80d537b1da3e38bd30361aa855687",
		Style: pass.Generic, Org: "Nordlys Konserter", Owner: "0x52908400098527886E0F7030069857D2E4169EE7",
		NFTs: []pass.NFT{
			{Contract: "0x8617E340B3D01FA5F11F306F4090FD50E238070D", Interface: "0x80ac58cd", TokenID: "42"},
			{Contract: "0x8617E340B3D01FA5F11F306F4090FD50E238070D", Interface: "0x80ac58cd", TokenID: "43"},
		},
		Barcode: pass.Barcode{Format: pass.Aztec, Message: "MEMBER-42"},
		Design:  pass.Design{Description: "Friend of the house"},
	}
}

var faces = map[string]pass.Face{
	"event": concert(),
	"festival": with(func(f *pass.Face, e *event.Event) {
		e.Name, e.AllDay, e.StartLocal, e.EndLocal = "Three Days", true, "2026-07-03T00:00:00", "2026-07-05T00:00:00"
		e.StartsAt, e.EndsAt = time.Date(2026, 7, 2, 22, 0, 0, 0, time.UTC), time.Date(2026, 7, 5, 22, 0, 0, 0, time.UTC)
		e.Venue = event.Venue{Name: "The Field", Region: "Viken", Country: "NO"}
		*f.Ticket = pass.TicketFace{ID: "tk-2", Order: "A7K2-9QXM", Place: 3, Places: 4}
		f.Barcode = pass.Barcode{Format: pass.PDF417, Message: "SD1-ÅÄÖ"}
	}),
	"online": with(func(f *pass.Face, e *event.Event) {
		e.Name, e.Online, e.Venue, e.Timezone = "A talk", true, event.Venue{}, "America/New_York"
		*f.Ticket = pass.TicketFace{ID: "tk-2", Order: "A7K2-9QXM", Place: 1, Places: 1}
		f.Barcode = pass.Barcode{Format: pass.QR, Message: "вход 1"}
		f.ExpiresAt = time.Time{}
	}),
	"cancelled": with(func(_ *pass.Face, e *event.Event) { e.Status = event.Cancelled }),
	"postponed": with(func(_ *pass.Face, e *event.Event) { e.Status = event.Postponed }),
	"rescheduled": with(func(_ *pass.Face, e *event.Event) {
		e.PreviousStart, e.StartsAt, e.EndsAt = e.StartsAt, e.StartsAt.AddDate(0, 6, 0), e.EndsAt.AddDate(0, 6, 0)
	}),
	"moved": with(func(f *pass.Face, e *event.Event) { f.Ticket.Row, f.Ticket.Seat = "A", "2" }),
	"void":  with(func(f *pass.Face, _ *event.Event) { f.Void = true }),
	"designed": with(func(f *pass.Face, e *event.Event) {
		e.Status = event.Cancelled
		f.Design = pass.Design{
			Description: "An evening with Aurora", LogoText: "NORDLYS", BackgroundColor: "rgb(250,240,200)",
			Header:    []pass.Field{{Key: "notice", Label: "Level", Value: "2"}},
			Primary:   []pass.Field{{Key: "event", Label: "Tonight", Value: "Aurora"}},
			Secondary: []pass.Field{{Key: "gate", Label: "Gate", Value: "B", TextAlignment: "PKTextAlignmentRight", ChangeMessage: "Gate changed to %@"}, {Key: "gate", Label: "Lane", Value: "4"}, {Value: "no key"}},
			Back:      []pass.Field{{Key: "status", Label: "Terms", Value: "No refunds"}},
			Locations: []pass.Location{{Latitude: 1.5, Longitude: -2.25, Text: "Nearly there"}},
		}
	}),
	"places": with(func(f *pass.Face, _ *event.Event) {
		f.Design.RelevantAt = time.Date(2026, 6, 12, 16, 30, 0, 0, time.UTC)
		for n := range 12 {
			f.Design.Locations = append(f.Design.Locations, pass.Location{Latitude: float64(n), Longitude: 1})
		}
	}),
	"generic": member(),
	"bare":    {ID: "x", Serial: "s", Token: "0123456789abcdef", Style: pass.Generic, Org: "Nordlys Konserter"},
}

func TestWhatPassesSay(t *testing.T) {
	p := press(t)
	for name, f := range faces {
		t.Run(name, func(t *testing.T) {
			files := made(t, p, f)
			golden(t, name+".json", files["pass.json"])
			checkKeys(t, files["pass.json"])
		})
	}
}

// checkKeys: Wallet refuses a pass in which a key of a field is there twice, or empty.
func checkKeys(t *testing.T, raw []byte) {
	t.Helper()
	var doc struct {
		EventTicket, Generic map[string][]struct{ Key string }
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, groups := range []map[string][]struct{ Key string }{doc.EventTicket, doc.Generic} {
		for group, fields := range groups {
			for _, f := range fields {
				if f.Key == "" || seen[f.Key] {
					t.Errorf("the key %q of %s is empty, or there twice", f.Key, group)
				}
				seen[f.Key] = true
			}
		}
	}
}

// TestPhonesHearOfChanges: a phone compares the fields of the old and the new pass by their keys. It tells of one that has a change message; of several, no more than
// that there are some.
func TestPhonesHearOfChanges(t *testing.T) {
	p := press(t)
	said := func(f pass.Face) map[string][2]string {
		var doc struct {
			EventTicket map[string][]struct{ Key, Value, ChangeMessage string }
		}
		if err := json.Unmarshal(made(t, p, f)["pass.json"], &doc); err != nil {
			t.Fatal(err)
		}
		out := map[string][2]string{}
		for _, group := range doc.EventTicket {
			for _, f := range group {
				if f.ChangeMessage != "" {
					out[f.Key] = [2]string{f.Value, f.ChangeMessage}
				}
			}
		}
		return out
	}
	before := said(faces["event"])
	for name, want := range map[string]string{"cancelled": "status", "postponed": "status", "rescheduled": "date", "moved": "seat", "void": "", "event": ""} {
		var changed []string
		for key, now := range said(faces[name]) {
			if was, there := before[key]; there && was != now {
				changed = append(changed, key)
			}
		}
		if got := strings.Join(changed, " "); got != want {
			t.Errorf("after %q the phone tells of the fields %q, want %q", name, got, want)
		}
	}
	if got := said(faces["cancelled"])["status"]; got != [2]string{"Cancelled", "Status: %@"} {
		t.Errorf("the phone says of a cancelled event: %q", got)
	}
}

func TestRotatingCodesAreRefused(t *testing.T) {
	f := with(func(f *pass.Face, _ *event.Event) {
		f.Barcode.Rotation = &pass.Rotation{Secret: []byte("x"), Step: time.Minute}
	})
	if _, err := press(t).Make(f, today); !isProblem(err, "rotating_codes") {
		t.Errorf("Make of codes that rotate: %v, want rotating_codes", err)
	}
}

func TestWithoutAServiceThereIsNoToken(t *testing.T) {
	doc := made(t, apple.NewPress(identity(t), ""), concert())["pass.json"]
	if bytes.Contains(doc, []byte("webServiceURL")) || bytes.Contains(doc, []byte(concert().Token)) {
		t.Errorf("pass.json without a web service: %s", doc)
	}
}

// TestWordsAreInAllLanguages: what pass.json has of our own words is in each language, and in a form that phones read.
func TestWordsAreInAllLanguages(t *testing.T) {
	p := press(t)
	english := map[string]bool{}
	for _, name := range []string{"event", "festival", "online", "cancelled", "postponed", "rescheduled", "generic"} {
		files := made(t, p, faces[name])
		var doc struct {
			EventTicket, Generic map[string][]struct{ Label, ChangeMessage string }
		}
		if err := json.Unmarshal(files["pass.json"], &doc); err != nil {
			t.Fatal(err)
		}
		for _, groups := range []map[string][]struct{ Label, ChangeMessage string }{doc.EventTicket, doc.Generic} {
			for _, fields := range groups {
				for _, f := range fields {
					english[f.Label], english[f.ChangeMessage] = true, true
				}
			}
		}
	}
	delete(english, "")
	for _, word := range []string{"Cancelled", "Postponed", "As planned", "Online"} {
		english[word] = true
	}
	files := made(t, p, concert())
	languages := 0
	for name, text := range files {
		language, ok := strings.CutSuffix(name, ".lproj/pass.strings")
		if !ok {
			continue
		}
		languages++
		words := readStrings(t, name, string(text))
		for word := range english {
			if words[word] == "" {
				t.Errorf("%s has no word for %q", language, word)
			}
		}
		for word, own := range words {
			if strings.Count(word, "%@") != strings.Count(own, "%@") {
				t.Errorf("%s: %q for %q", language, own, word)
			}
			if language == "en" && word != own {
				t.Errorf("en: %q for %q", own, word)
			}
		}
	}
	if languages != 9 {
		t.Errorf("a pass speaks %d languages, want 9", languages)
	}
}

// readStrings reads a strings file: "key" = "value";
func readStrings(t *testing.T, name, text string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(text) {
		parts := strings.Split(strings.TrimSuffix(line, "\n"), `"`)
		if len(parts) != 5 || parts[0] != "" || parts[2] != " = " || parts[4] != ";" {
			t.Fatalf("%s: the line %q is not \"key\" = \"value\";", name, line)
		}
		out[parts[1]] = parts[3]
	}
	return out
}

func TestTheSameFaceGivesTheSameFiles(t *testing.T) {
	p, q := press(t), press(t)
	a, b := made(t, p, faces["designed"]), made(t, q, faces["designed"])
	for name := range a {
		if name != "signature" && !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s differs between two passes of one face", name)
		}
	}
	first, err := p.Make(concert(), today)
	if err != nil {
		t.Fatal(err)
	}
	if got := fileOrder(t, first); got[0] != "pass.json" || !slices.Equal(got[len(got)-2:], []string{"manifest.json", "signature"}) {
		t.Errorf("the files of a pass are %q", got)
	}
}
