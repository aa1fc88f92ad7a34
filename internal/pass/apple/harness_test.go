package apple_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/apple"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// today is now: openssl looks at the certificates by the machine's clock.
var today = time.Now()

// identityPEM is a test identity. Its keys take a moment, so the tests share one.
var identityPEM = sync.OnceValues(func() ([]byte, error) { return apple.NewIdentity(today) })

func identity(t testing.TB) *apple.Identity {
	t.Helper()
	b, err := identityPEM()
	if err != nil {
		t.Fatalf("NewIdentity: %v", err)
	}
	i, err := apple.ReadIdentity(b, "", nil)
	if err != nil {
		t.Fatalf("ReadIdentity of NewIdentity: %v", err)
	}
	return i
}

func press(t testing.TB) *apple.Press {
	return apple.NewPress(identity(t), "https://tickets.example/passkit")
}

// bundle are the files of a pass.
type bundle map[string][]byte

// made makes a pass and unpacks it.
func made(t testing.TB, p *apple.Press, f pass.Face) bundle {
	t.Helper()
	b, err := p.Make(f, today)
	if err != nil {
		t.Fatalf("Make: %v", err)
	}
	return unpacked(t, b)
}

func unpacked(t testing.TB, b []byte) bundle {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatalf("the pass is no zip: %v", err)
	}
	out := bundle{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		if _, twice := out[f.Name]; twice {
			t.Errorf("%s is in the pass twice", f.Name)
		}
		if out[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
	}
	return out
}

// golden compares JSON with a file, indented.
func golden(t *testing.T, name string, raw []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	b.WriteByte('\n')
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s differs (-want +got), go test -update rewrites it:\n%s", path, diff)
	}
}

// openssl runs openssl, which is what others check signatures with.
func openssl(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is not installed; the tests of signatures need it (Debian's package openssl)")
		}
		t.Skip("openssl is not installed; install it (Debian's package openssl) to check signatures")
	}
	return exec.CommandContext(t.Context(), path, args...).CombinedOutput()
}

// folder writes files into a new folder and returns it.
func folder(t *testing.T, files bundle) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// concert is a pass of a seat at an event in Oslo.
func concert() pass.Face {
	lat, long := 59.9127, 10.7461
	return pass.Face{
		ID: "0c1f4b5e-7d3a-4f43-9a57-2b1d8f0a6c11", Serial: "9f86d081884c7d659a2feaa0c55ad015", Token: "2bb80d537b1da3e38bd30361aa855686",
		Style: pass.EventTicket, Org: "Nordlys Konserter", OrgNo: 1,
		Event: &event.Event{
			No: 7, ID: "ev-42", Name: "Aurora & the “Night” Band", URL: "https://nordlys.example/aurora",
			StartLocal: "2026-06-12T20:00:00", Timezone: "Europe/Oslo",
			StartsAt: time.Date(2026, 6, 12, 18, 0, 0, 0, time.UTC), EndsAt: time.Date(2026, 6, 12, 21, 30, 0, 0, time.UTC),
			Venue:  event.Venue{ID: 3, Name: "Sentralen", City: "Oslo", Country: "NO", Latitude: &lat, Longitude: &long},
			Status: event.Published,
		},
		Ticket:    &pass.TicketFace{ID: "tk-1", Section: "Parkett", Row: "C", Seat: "14", Holder: "Kari Nordmann", Order: "A7K2-9QXM", Place: 1, Places: 2},
		Barcode:   pass.Barcode{Format: pass.QR, Message: "SD1-ABCDEF0123456789", AltText: "A7K2-9QXM · 1"},
		ExpiresAt: time.Date(2026, 6, 13, 21, 30, 0, 0, time.UTC),
	}
}

func isProblem(err error, code string) bool { return problem.Is(err, code) }

// fileOrder are the names of a pass's files as they follow each other.
func fileOrder(t *testing.T, b []byte) (names []string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	return names
}
