// Package ethpass has software that nobody here wrote take what the built binary makes for wallets: OpenSSL verifies Apple's passes, and from npm pass-js and
// passkit-generator read them, jose verifies what is for Google, and viem is the wallet that signs, and the chain that is asked.
package ethpass

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/pass/apple"
	"github.com/stagedoorhq/stagedoor/test/harness"
)

//go:embed client/package.json client/package-lock.json client/.npmrc client/*.mjs
var files embed.FS

// publicURL is how the outside would reach the servers: phones, and pass-js, take a pass whose web service has TLS only.
const publicURL = "https://tickets.example.com"

// signing is what the servers of stages sign Apple's passes with.
var signing papers

// chain is where the servers of stages ask what there is on chain 1.
var chain = newGateway()

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "stagedoor-ethpass-")
	if err == nil {
		defer os.RemoveAll(dir)
		signing, err = newPapers(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer chain.Close()
	return harness.Main(m, false, "--public-url", publicURL, "--apple-pass-cert", signing.File, "--apple-wwdr", signing.Above, "--evm-rpc", "1="+chain.URL)
}

func TestLockFilePinsContentAndNoRegistry(t *testing.T) { harness.Pinned(t, "client", files) }

const unrun = "software of other people did not look at our passes"

// node is a program of client, with what it needs beside it.
func node(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	modules, program := harness.Modules(t, "wallet-clients", "client", files, unrun), harness.Tool(t, "node", unrun)
	dir := t.TempDir()
	for _, name := range []string{"desk.mjs", script} {
		text, err := files.ReadFile("client/" + name)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	must(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
	cmd := exec.CommandContext(t.Context(), program, "--preserve-symlinks", "--preserve-symlinks-main", filepath.Join(dir, script))
	cmd.Env = append(os.Environ(), "NODE_OPTIONS=", "NODE_NO_WARNINGS=1")
	return cmd
}

// runs runs a program to its end, and reads what it says at last.
func runs(t *testing.T, script string, given, said any) {
	t.Helper()
	cmd := node(t, script)
	text, err := json.Marshal(given)
	must(t, err)
	cmd.Env = append(cmd.Env, "GIVEN="+string(text))
	var wrong bytes.Buffer
	cmd.Stderr = &wrong
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, out, wrong.Bytes())
	}
	if err := json.Unmarshal(out, said); err != nil {
		t.Fatalf("%s wrote %q\n%s", script, out, wrong.Bytes())
	}
}

// body is a JSON object.
type body = map[string]any

// desk is an organisation that makes passes.
type desk struct {
	*harness.Client
}

var serial atomic.Int64

func open(t *testing.T, st *harness.Stage) *desk {
	t.Helper()
	_, key := st.Org(t, fmt.Sprintf("Hall %d", serial.Add(1)))
	return &desk{st.Client(key)}
}

// ticket sells a ticket.
func (d *desk) ticket(t *testing.T) string {
	t.Helper()
	var event struct{ EventID string }
	d.Call(t, 201, "POST", "/api/v1/events", body{
		"name": "Sørens Jazz – «Live»", "startLocal": "2031-08-14T20:30:00", "timezone": "Europe/Oslo", "venue": "Pier Hall", "city": "Oslo", "country": "NO",
		"currency": "USD",
	}).Decode(t, &event)
	var listing struct{ ListingID string }
	d.Call(t, 201, "POST", "/api/v1/inventory", body{"eventId": event.EventID, "section": "101", "row": "A", "quantity": 1, "price": "75.00"}).Decode(t, &listing)
	var made struct{ Order struct{ OrderID string } }
	d.Call(t, 201, "POST", "/api/v1/orders", body{
		"eventId": event.EventID, "listingId": listing.ListingID, "quantity": 1,
		"customer": body{"email": "buyer@example.com", "phone": body{"number": "5551234567", "countryCode": "+1"}},
	}).Decode(t, &made)
	var tickets struct{ Data []struct{ ID string } }
	d.Call(t, 200, "GET", "/api/v1/tickets?orderId="+made.Order.OrderID, nil).Decode(t, &tickets)
	if len(tickets.Data) != 1 {
		t.Fatalf("order %s has %d tickets, want 1", made.Order.OrderID, len(tickets.Data))
	}
	return tickets.Data[0].ID
}

// code is what a ticket's barcode says.
func (d *desk) code(t *testing.T, ticket string) string {
	t.Helper()
	var one struct{ Code string }
	d.Call(t, 200, "GET", "/api/v1/tickets/"+ticket, nil).Decode(t, &one)
	harness.Secret(one.Code)
	return one.Code
}

// pass is a pass that was made.
type pass struct {
	ID               string
	BarcodeSignature string
	Distribution     struct{ Apple, Google *struct{ URL string } }
}

// pass makes a pass.
func (d *desk) pass(t *testing.T, request body) (p pass) {
	t.Helper()
	d.Call(t, 200, "POST", "/v0/passes", request).Decode(t, &p)
	return p
}

// pick picks up a pass by its download link.
func (d *desk) pick(t *testing.T, p pass) []byte {
	t.Helper()
	if p.Distribution.Apple == nil {
		t.Fatalf("the pass %s has no link for Apple's wallet", p.ID)
	}
	path, ours := strings.CutPrefix(p.Distribution.Apple.URL, publicURL)
	if !ours {
		t.Fatalf("the link %s is not below %s", p.Distribution.Apple.URL, publicURL)
	}
	nobody := harness.Client{URL: d.URL, HTTP: d.HTTP}
	a := nobody.Call(t, 200, "GET", path, nil)
	if got := a.Header.Get("Content-Type"); got != apple.MediaType {
		t.Errorf("the pass is of the type %q, want %q", got, apple.MediaType)
	}
	return a.Body
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
