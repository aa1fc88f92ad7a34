package google_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/google"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const issuer = "3388000000022345678"

var now = time.Date(2047, 6, 1, 12, 0, 0, 0, time.UTC)

// made is one account for all tests, since making a key takes long.
var made = sync.OnceValues(google.NewAccount)

// nobody is an account of nobody's.
func nobody(t testing.TB) *google.Account {
	t.Helper()
	file, err := made()
	if err != nil {
		t.Fatal(err)
	}
	a, err := google.ReadAccount(file)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func wallet(t testing.TB, c google.Config) *google.Wallet {
	t.Helper()
	if c.Account == nil {
		c.Account = nobody(t)
	}
	c.Issuer = issuer
	if c.Now == nil {
		c.Now = func() time.Time { return now }
	}
	w, err := google.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func harborJazz() event.Event {
	latitude, longitude := 43.6591, -70.2568
	return event.Event{
		No: 17, ID: "evn_harbor", Name: "Harbor Jazz", URL: "https://harbor.example/jazz", Status: event.Published,
		StartLocal: "2047-08-14T20:30:00", EndLocal: "2047-08-14T23:30:00", Timezone: "America/New_York",
		StartsAt: time.Date(2047, 8, 15, 0, 30, 0, 0, time.UTC), EndsAt: time.Date(2047, 8, 15, 3, 30, 0, 0, time.UTC),
		Venue: event.Venue{ID: 3, Name: "Pier Hall", City: "Portland", Region: "ME", Country: "US", Latitude: &latitude, Longitude: &longitude},
	}
}

func ticketFace() pass.Face {
	e := harborJazz()
	return pass.Face{
		ID: "6b1c6f0e-9d5a-4a57-8a2d-0f6a2f1f4d11", Serial: "6b1c6f0e9d5a4a578a2d0f6a2f1f4d11", Style: pass.EventTicket, Org: "Harbor Concerts", OrgNo: 4,
		Event: &e,
		Ticket: &pass.TicketFace{
			ID: "tkt_0123456789abcdefghjkmnpqrs", Section: "A", Row: "3", Seat: "12", Holder: "Ada Lovelace", Order: "TIC-7K2M9QXPW", Place: 2, Places: 3,
		},
		Barcode:   pass.Barcode{Format: pass.QR, Message: "SD1.AAECAwQFBgcICQoLDA0ODw", AltText: "TIC-7K2M9QXPW"},
		ExpiresAt: time.Date(2047, 8, 16, 3, 30, 0, 0, time.UTC),
	}
}

func designedFace() pass.Face {
	f := ticketFace()
	f.Design = pass.Design{
		Description: "A ticket", LogoText: "Harbor", BackgroundColor: "rgb(12, 34,255)",
		Header:    []pass.Field{{Key: "gate", Label: "Gate", Value: "East"}},
		Primary:   []pass.Field{{Key: "act", Label: "Act", Value: "The Longshoremen"}},
		Secondary: []pass.Field{{Key: "gate", Label: "Gate again", Value: "West"}, {Key: "empty", Label: "Nothing"}},
		Back:      []pass.Field{{Key: "terms & such", Label: "Terms", Value: "No <refunds> & no returns"}},
		Messages:  []pass.Message{{ID: "m1", Header: "Doors", Body: "Doors open at 19:30."}, {Body: "Bring an umbrella."}},
		Locations: []pass.Location{{Latitude: 43.6591, Longitude: -70.2568, Text: "You are here"}},
	}
	f.ImageURLs = map[string]string{"logo": "https://tickets.example/v0/images/aa", "strip": "https://tickets.example/v0/images/bb", "icon": "http://no.example/"}
	return f
}

func genericFace() pass.Face {
	f := designedFace()
	f.Style, f.Event, f.Ticket = pass.Generic, nil, nil
	f.Barcode = pass.Barcode{Format: pass.PDF417, Message: "Grüße"}
	f.ExpiresAt = time.Time{}
	return f
}

func rotatingFace() pass.Face {
	f := ticketFace()
	f.Barcode.Rotation = &pass.Rotation{Secret: []byte("0123456789abcdefghij"), Step: 15 * time.Second}
	return f
}

// golden compares JSON with a file.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, got, "", "  "); err != nil {
		t.Fatalf("%s: %v in %s", name, err, got)
	}
	b.WriteByte('\n')
	path := filepath.Join("testdata", name+".golden.json")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
