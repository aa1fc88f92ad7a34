package e2e

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// listening runs stagedoor listen with a receiver of the test's, until stop is called, which lets it end as Ctrl-C does. It returns once the stream is open, with
// what it said first.
func (o *org) listening(t *testing.T, state string, args ...string) (first []byte, stop func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), harness.Binary(t), append([]string{"listen", "--json", "--state", state}, args...)...)
	cmd.Env = append(os.Environ(), "STAGEDOOR_URL="+o.st.URL, "STAGEDOOR_KEY="+o.Key)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	next := func() []byte {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("it ended: %v", cmd.Wait())
		}
		return append([]byte(nil), lines.Bytes()...)
	}
	first = next()
	if line := next(); !strings.Contains(string(line), `"connected"`) {
		t.Fatalf("it said %s, want that it is connected", line)
	}
	return first, func() {
		t.Helper()
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ended with %v", err)
		}
	}
}

// A listener gets what a webhook would get, signed with its own secret, and also what happened while it was away.
func TestAListenerGetsWhatAWebhookWould(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		for _, format := range []string{"pullup", "portal", "standard", "cloudevents"} {
			t.Run(format, func(t *testing.T) {
				o := open(t, st)
				event := map[string]string{"pullup": "ticket.purchased"}[format]
				if event == "" {
					event = "order.confirmed"
				}
				h := o.hook(t, format, nil, "events", []string{event})
				r := &hook{Receiver: harness.Receive(t, nil), Format: format}
				state := filepath.Join(t.TempDir(), "state.json")
				args := []string{"--forward", r.URL, "--format", format, "--events", event}
				first, stop := o.listening(t, state, args...)
				secret, _ := at(t, first, "secret").(string)
				r.Verify(t, schemes[format], secret)
				o.asClient(t, "trigger", event)
				r.await(t, event, 1)
				stop()
				o.asClient(t, "trigger", event) // while it is away
				_, stop = o.listening(t, state, append(args, "--secret", secret)...)
				r.await(t, event, 2)
				stop()
				h.await(t, event, 2)
				want := map[string]bool{}
				for _, g := range h.All() {
					want[string(g.Body)] = true
				}
				got := r.All()
				for _, g := range got {
					if !want[string(g.Body)] || g.Header.Get("Content-Type") != h.All()[0].Header.Get("Content-Type") {
						t.Errorf("the listener got %s\nwith %v, which no webhook got", g.Body, g.Header)
					}
				}
				if len(got) != 2 {
					t.Errorf("the listener got %d deliveries, want 2", len(got))
				}
			})
		}
	})
}

// What a developer endpoint took in is passed on byte for byte, with the signature that it came with.
func TestAListenerPassesOnWhatADeveloperEndpointTookIn(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		dev := o.Call(t, 201, "POST", "/api/v1/dev-endpoints", nil)
		id, secret := text(t, dev, "id"), text(t, dev, "secret")
		r := harness.Receive(t, nil)
		r.Verify(t, webhook.Pullup, secret)
		state := filepath.Join(t.TempDir(), "state.json")
		_, stop := o.listening(t, state, "--forward", r.URL, "--dev", id)
		sent := []byte(`{ "event":"ticket.purchased",  "größe": [1.0] }`)
		signer, err := webhook.NewSigner(webhook.Pullup, webhook.Key{Text: secret})
		if err != nil {
			t.Fatal(err)
		}
		header := http.Header{}
		if err := signer.SetHeaders(header, webhook.Message{ID: "d1", Event: "ticket.purchased", Body: sent, Time: time.Now()}); err != nil {
			t.Fatal(err)
		}
		post := func() {
			t.Helper()
			o.Call(t, 200, "POST", "/api/webhook/"+id, sent, "x-pullup-signature", header.Get("X-Pullup-Signature"))
		}
		post()
		r.Await(t, soon, func(all []harness.Got) bool { return len(all) == 1 })
		stop()
		post()
		_, stop = o.listening(t, state, "--forward", r.URL, "--dev", id)
		r.Await(t, soon, func(all []harness.Got) bool { return len(all) == 2 })
		stop()
		for _, g := range r.All() {
			if string(g.Body) != string(sent) || g.Bad != nil {
				t.Errorf("came %s: %v", g.Body, g.Bad)
			}
		}
	})
}
