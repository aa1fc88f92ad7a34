package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/ticketcode"
)

// page verifies the codes that it is given, with the keys and revocations that the server publishes, and says what came of each.
const page = `<!doctype html><meta charset="utf-8"><title>Gate</title><script type="module">
import { importKeys, verifyTicket, eventTag, Revocations, Refused } from './verify.mjs';
const { server, org, event, codes } = await (await fetch('./task')).json();
let result;
try {
  const keys = await importKeys(await (await fetch(server + '/.well-known/stagedoor-keys.json?org=' + org)).json());
  const published = await (await fetch(server + '/.well-known/stagedoor-revocations.json?org=' + org)).json();
  const revocations = new Revocations(org);
  await revocations.apply(keys, Uint8Array.from(atob(published.list), (c) => c.charCodeAt(0)));
  const open = await eventTag(org, event);
  const verdicts = [];
  for (const code of codes) {
    try {
      const token = await verifyTicket(keys, code);
      verdicts.push(token.tag !== open ? 'other' : revocations.revoked(token) ? 'revoked' : 'welcome');
    } catch (err) {
      if (!(err instanceof Refused)) throw err;
      verdicts.push('refused');
    }
  }
  result = { verdicts, agent: navigator.userAgent };
} catch (err) {
  result = { error: String(err) };
}
await fetch('./result', { method: 'POST', body: JSON.stringify(result) });
</script>`

// TestAPageInABrowserVerifiesCodes: Chromium's own Ed25519, on a page that has the published documents and nothing else.
func TestAPageInABrowserVerifiesCodes(t *testing.T) {
	chromium := browser(t)
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		event := o.event(t)
		_, kari := o.attendee(t)
		ids, codes := purchase(t, kari, event, o.listing(t, event), 2)
		other := o.event(t)
		_, others := purchase(t, kari, other, o.listing(t, other), 1)
		o.Call(t, 204, "DELETE", "/api/v1/tickets/"+ids[1], nil)

		shown := []string{codes[0], codes[1], others[0]}
		want := []string{"welcome", "revoked", "other"}
		random := rand.New(rand.NewPCG(4, 4))
		for len(shown) < 500 {
			if changed := mutated(random, codes[0]); changed != codes[0] {
				shown, want = append(shown, changed), append(want, "refused")
			}
		}
		org := o.orgID(t)
		got := verdicts(t, chromium, body{"server": st.URL, "org": org, "event": event, "codes": shown})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("what the page says (-want +got):\n%s", diff)
		}
	})
}

// browser finds Chromium; without, the test is passed over, but not where everything must be there.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("Chromium is not installed: run scripts/deps")
	}
	t.Skip("Chromium is not installed (scripts/deps): no page verified codes")
	return ""
}

// verdicts opens the page in a browser and returns what it says.
func verdicts(t *testing.T, chromium string, task body) []string {
	t.Helper()
	result := make(chan []byte, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page)
	})
	mux.HandleFunc("GET /verify.mjs", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		http.ServeFile(w, r, "../../ticketcode/verify.mjs")
	})
	mux.HandleFunc("GET /task", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(task) })
	mux.HandleFunc("POST /result", func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		result <- b
	})
	site := httptest.NewServer(mux)
	defer site.Close()

	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-port=0",
		"--disable-background-networking", "--disable-component-update", "--user-data-dir="+t.TempDir(), site.URL)
	cmd.WaitDelay = 10 * time.Second
	var said bytes.Buffer // to be read once the browser has ended
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	defer func() { stop(); <-ended }()
	var answer struct {
		Verdicts     []string
		Agent, Error string
	}
	select {
	case b := <-result:
		if err := json.Unmarshal(b, &answer); err != nil || answer.Error != "" {
			t.Fatalf("the page says %s", b)
		}
	case <-ended:
		t.Fatalf("the browser ended: %s", said.String())
	case <-time.After(2 * time.Minute):
		stop()
		<-ended
		t.Fatalf("the page says nothing: %s", said.String())
	}
	t.Logf("%d codes in %s", len(answer.Verdicts), answer.Agent)
	return answer.Verdicts
}

// mutated changes a code: one to three characters of its alphabet, or the bits behind them, so that many are well-formed and none is signed.
func mutated(random *rand.Rand, code string) string {
	if random.IntN(2) == 0 {
		b := []byte(code)
		for range 1 + random.IntN(3) {
			b[len(ticketcode.Prefix)+random.IntN(len(b)-len(ticketcode.Prefix))] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"[random.IntN(45)]
		}
		return string(b)
	}
	raw, err := ticketcode.DecodeBase45(code[len(ticketcode.Prefix):])
	if err != nil {
		panic(fmt.Sprintf("a code that is none: %v", err))
	}
	raw[random.IntN(len(raw))] ^= 1 << random.IntN(8)
	return ticketcode.Prefix + ticketcode.EncodeBase45(raw)
}
