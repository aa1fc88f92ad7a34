package dashboard

import (
	"bufio"
	"encoding/json"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
	"github.com/chromedp/chromedp"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// film writes a film for the browser's camera that shows codes one after another, each for a while with nothing between, and begins anew at its end: uncompressed YUV4MPEG2.
func film(t *testing.T, codes ...string) string {
	t.Helper()
	const width, height, fps = 640, 480, 10
	file := filepath.Join(t.TempDir(), "door.y4m")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n", width, height, fps)
	grey := make([]byte, width*height/2)
	for i := range grey {
		grey[i] = 128
	}
	frames := func(code string, n int) {
		luma := make([]byte, width*height)
		for i := range luma {
			luma[i] = 235
		}
		if code != "" {
			picture, err := qr.Encode(code, qr.M, qr.Auto)
			if err == nil {
				picture, err = barcode.Scale(picture, 400, 400)
			}
			if err != nil {
				t.Fatal(err)
			}
			for y := range 400 {
				for x := range 400 {
					luma[(y+40)*width+x+120] = 16 + color.GrayModel.Convert(picture.At(x, y)).(color.Gray).Y/255*219
				}
			}
		}
		for range n {
			_, _ = w.WriteString("FRAME\n")
			_, _ = w.Write(luma)
			_, _ = w.Write(grey)
		}
	}
	for _, code := range codes {
		frames(code, 2*fps)
		frames("", 4*fps) // the same code counts again once it was away for three seconds
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// phone opens the door's page in a browser whose camera shows a film.
func phone(t *testing.T, base, film string) *tab {
	t.Helper()
	ctx, stop, err := start(program(t), chromedp.Flag("use-fake-device-for-media-stream", true), chromedp.Flag("use-fake-ui-for-media-stream", true),
		chromedp.Flag("use-file-for-fake-video-capture", film))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	b := newTabIn(t, ctx, base)
	b.do(chromedp.EmulateViewport(390, 844))
	return b
}

// doorway is an event with tickets, and a device for its door.
type doorway struct {
	*harness.Client
	event string
	ids   []string
	codes []string
	pair  string // the device's one-time code
}

func newDoorway(t *testing.T, h *harness.House, c *harness.Client, slug string, tickets int) *doorway {
	t.Helper()
	e := &doorway{Client: c}
	var event struct{ EventID string }
	c.Call(t, 201, "POST", "/api/v1/events", map[string]any{
		"name": "Harbor Jazz Night", "startLocal": "2031-08-14T20:30:00", "timezone": "Europe/Oslo", "venue": "Pier Hall", "city": "Oslo", "country": "NO", "currency": "USD",
	}).Decode(t, &event)
	e.event = event.EventID
	var listing struct{ ListingID string }
	c.Call(t, 201, "POST", "/api/v1/inventory", map[string]any{"eventId": e.event, "section": "101", "row": "A", "quantity": 20, "price": "75.00"}).Decode(t, &listing)
	email := fmt.Sprintf("guest%d@example.com", serial.Add(1))
	h.Feed(t, "a few words of their own\n", "user", "create", email, "--password-stdin")
	var token struct{ Token string }
	if err := json.Unmarshal(h.Run(t, "user", "token", email, "--org", slug, "--json"), &token); err != nil {
		t.Fatal(err)
	}
	guest := *c
	guest.Key = token.Token
	var bought struct {
		Tickets []struct{ ID, Code, ShortCode string }
	}
	guest.Call(t, 201, "POST", "/api/v1/tickets", map[string]any{
		"eventId": e.event, "listingId": listing.ListingID, "quantity": tickets, "customer": map[string]any{"phone": map[string]any{"number": "5551234567", "countryCode": "+47"}},
	}).Decode(t, &bought)
	for _, one := range bought.Tickets {
		harness.Secret(one.Code, one.ShortCode)
		e.ids, e.codes = append(e.ids, one.ID), append(e.codes, one.Code)
	}
	var device struct{ Code string }
	c.Call(t, 201, "POST", "/api/v1/devices", map[string]any{"name": "Tablet", "events": []string{e.event}}).Decode(t, &device)
	e.pair = device.Code
	return e
}

// verdict waits for a verdict, as the phone shows it.
func (b *tab) verdict(word, text string) *tab {
	b.t.Helper()
	return b.until("the verdict "+word+" "+text, fmt.Sprintf(`!document.getElementById('verdict').hidden && document.getElementById('verdict').innerText.includes(%s) && document.getElementById('verdict').innerText.includes(%s)`, quoted(word), quoted(text)))
}

// typed presents a code by hand, as a hand scanner does.
func (b *tab) typed(code string) *tab {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('verdict').hidden = true"))
	b.fill("#typed-code", code)
	return b.press("Check")
}

// TestAPhoneAdmitsByItsCamera: paired by a link, its camera reads a ticket, which is admitted once; who is inside is shown.
func TestAPhoneAdmitsByItsCamera(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		slug, key := st.Org(t, fmt.Sprintf("Door %d", serial.Add(1)))
		e := newDoorway(t, st.House, st.Client(key), slug, 1)
		b := phone(t, st.URL, film(t, e.codes[0]))
		b.open("/door#pair=" + e.pair).sees("What do you admit to?")
		if at := b.where(); strings.Contains(at, e.pair) {
			t.Errorf("the code stays in the address: %s", at)
		}
		b.fill("#gate", "North").press("Open the door").verdict("ADMIT", "Welcome").picture("door-admit")
		b.until("one inside", `document.getElementById('inside').innerText === '1'`)
		b.verdict("IN ALREADY", "In already since") // the film begins anew
		b.sound("door")
	})
}

// TestAPhoneTakesTypedCodesToo: what is revoked or forged is not admitted, and who is inside is shown.
func TestAPhoneTakesTypedCodesToo(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		slug, key := st.Org(t, fmt.Sprintf("Door %d", serial.Add(1)))
		e := newDoorway(t, st.House, st.Client(key), slug, 3)
		e.Call(t, 204, "DELETE", "/api/v1/tickets/"+e.ids[2], nil)
		b := phone(t, st.URL, film(t, ""))
		b.open("/door#pair=" + e.pair).sees("What do you admit to?").press("Open the door").sees("Ready to decide")
		b.typed(e.codes[2]).verdict("STOP", "cancelled")
		last := map[bool]string{true: "B", false: "A"}[strings.HasSuffix(e.codes[1], "A")]
		forged := e.codes[1][:len(e.codes[1])-1] + last
		b.typed(forged).verdict("STOP", "no valid code")
		b.typed(e.codes[1]).verdict("ADMIT", "Welcome")
		b.until("one inside", `document.getElementById('inside').innerText === '1'`)
		b.open("/login").open("/door#pair="+e.pair).sees("Harbor Jazz Night", "Ready to decide") // the link was used: the phone stays what it is
		b.typed(e.codes[0]).verdict("ADMIT", "Welcome")
	})
}

// TestAPhoneUsesTheBrowsersDetectorWhereThereIsOne: a stub of BarcodeDetector is asked instead of the decoder.
func TestAPhoneUsesTheBrowsersDetectorWhereThereIsOne(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		slug, key := st.Org(t, fmt.Sprintf("Door %d", serial.Add(1)))
		e := newDoorway(t, st.House, st.Client(key), slug, 1)
		b := phone(t, st.URL, film(t, ""))
		b.before(`globalThis.BarcodeDetector = class { static async getSupportedFormats() { return ['qr_code'] } async detect() { return [{ rawValue: ` + quoted(e.codes[0]) + ` }] } }`)
		b.open("/door#pair="+e.pair).sees("What do you admit to?").press("Open the door").verdict("ADMIT", "Welcome")
	})
}

// TestAPhoneAdmitsWithoutANetworkAndUploadsLater: the server is gone, the page is loaded again all the same, decides by its bundle, and tells the server when it is back.
func TestAPhoneAdmitsWithoutANetworkAndUploadsLater(t *testing.T) {
	t.Parallel()
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		server := h.Serve(t)
		slug, key := h.Org(t, "Harbor Hall")
		e := newDoorway(t, h, server.Client(key), slug, 4)
		e.Call(t, 204, "DELETE", "/api/v1/tickets/"+e.ids[2], nil)
		e.Call(t, 201, "POST", "/api/v1/checkin-lists", map[string]any{"eventId": e.event, "name": "Entrance", "default": true})
		e.Call(t, 200, "POST", "/api/v1/checkin/scan", map[string]any{"eventId": e.event, "code": e.codes[3]}) // at another gate
		b := phone(t, server.URL, film(t, ""))
		b.open("/door#pair=" + e.pair).sees("What do you admit to?").press("Open the door")
		b.sees("Harbor Jazz Night", "Ready to decide")
		b.typed(e.codes[1]).verdict("ADMIT", "Welcome")
		b.until("the service worker to have the page", `navigator.serviceWorker.ready.then((r) => r.active.state === 'activated')`)

		b.cut(true)
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
		b.open("/door").sees("Harbor Jazz Night", "Ready to decide")
		b.typed(e.codes[0]).verdict("ADMIT", "without a network")
		b.typed(e.codes[0]).verdict("IN ALREADY", "In already since")
		b.typed(e.codes[1]).verdict("IN ALREADY", "In already since") // which was admitted with a network
		b.typed(e.codes[3]).verdict("IN ALREADY", "In already since") // which the bundle knows of
		b.typed(e.codes[2]).verdict("STOP", "cancelled")
		b.typed("SD1:NONSENSE").verdict("STOP", "no valid code")
		b.sees("6 to upload", "offline").sound("door-offline")

		again := h.Serve(t, "--listen", strings.TrimPrefix(server.URL, "http://"))
		b.cut(false)
		b.until("all to be uploaded", `!document.getElementById('facts').innerText.includes('to upload')`)
		c := again.Client(key)
		var was struct {
			Data []struct{ TicketID, Status, Mode string }
		}
		c.Call(t, 200, "GET", "/api/v1/checkin?eventId="+e.event+"&limit=100", nil).Decode(t, &was)
		offline := map[string]int{}
		for _, one := range was.Data {
			if one.Mode == "offline" {
				offline[one.Status]++
			}
		}
		if offline["checked_in"] != 1 || offline["already_checked_in"] != 3 {
			t.Errorf("the server knows of these scans without a network: %v", offline)
		}
		b.until("three inside", `document.getElementById('inside').innerText === '3'`)
	})
}

// TestARevokedDeviceIsSentAway: its credential ends, and the phone says so.
func TestARevokedDeviceIsSentAway(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		slug, key := st.Org(t, fmt.Sprintf("Door %d", serial.Add(1)))
		e := newDoorway(t, st.House, st.Client(key), slug, 1)
		b := phone(t, st.URL, film(t, ""))
		b.open("/door").sees("The device's code")
		b.fill("#code", "AAAAA-AAAAA").press("Pair this phone")
		b.until("a complaint", `!document.getElementById('pair-problem').hidden`)
		b.sound("door-pair").fill("#code", e.pair).press("Pair this phone").sees("What do you admit to?").sound("door-setup").press("Open the door").sees("Ready to decide")
		var all struct{ Data []struct{ ID string } }
		e.Call(t, 200, "GET", "/api/v1/devices", nil).Decode(t, &all)
		e.Call(t, 204, "DELETE", "/api/v1/devices/"+all.Data[0].ID, nil)
		for end := time.Now().Add(patience); !strings.Contains(b.words(), "may not scan any more"); { // a credential is remembered for a second at most
			if time.Now().After(end) {
				t.Fatalf("the phone goes on scanning:\n%s", b.words())
			}
			b.do(chromedp.Evaluate[chromedp.Void](`(() => { document.getElementById('typed-code').value = ` + quoted(e.codes[0]) + `; document.getElementById('typed').requestSubmit(); })()`))
			time.Sleep(100 * time.Millisecond)
		}
	})
}
