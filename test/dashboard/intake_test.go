package dashboard

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// post posts to a URL as a sender does.
func post(t *testing.T, url, body string, header ...string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// run runs a curl command that a page shows.
func run(t *testing.T, command string) {
	t.Helper()
	harness.Tool(t, "curl", "the command that a page shows was not run")
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s\n%v\n%s", command, err, out)
	}
}

// TestTheInspectorShowsWhatComesAsItComes: without reloading, held back while it is paused, found by a search, with a verdict on its signature, and sent on byte for byte.
func TestTheInspectorShowsWhatComesAsItComes(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b := newHall(t, st).signIn(t)
		b.open("~/inspector").press("Make a developer endpoint").sees("Its secret", "Nothing has come yet").sound("inspector-new")
		secret := eval[string](b, `document.querySelector('.card.new code').textContent`)
		harness.Secret(secret)
		url := eval[string](b, `document.querySelector('main h1 ~ *, main').ownerDocument.body.innerText.match(/http\S+\/api\/webhook\/DEV-\w+/)[0]`)
		b.open("~/inspector").sees("Live")

		run(t, eval[string](b, `document.querySelector('main pre').textContent`)) // what the page has one copy
		b.sees("hello")
		post(t, url, `{"event":"order.accepted","data":{"n":1}}`)
		b.sees("order.accepted").seesNot("Nothing has come yet")
		b.press("Pause").sees("Paused")
		post(t, url, `{"event":"order.cancelled","data":{"n":2}}`)
		post(t, url, `{"event":"<img src=x onerror=console.error('ran')>","data":{"x":"</script><script>console.error('ran')</script>"}}`, "X-Evil", "<b onmouseover=console.error('ran')>")
		time.Sleep(time.Second) // so that it would have come, were it not held back
		b.seesNot("order.cancelled").press("Go on").sees("order.cancelled", "<img src=x onerror")
		b.sound("inspector")

		b.press("<img src=x onerror=console.error('ran')>").sees("<b onmouseover", "</script><script>").sound("inspector-request")
		b.open("~/inspector").fill("search", `"n":2`).follow("Show").sees("order.cancelled").seesNot("order.accepted")

		sent := []byte(`{"event":"ticket.purchased","data":{"kæri":true}}`)
		signed := func(secret string) []string {
			s, err := webhook.NewSigner(webhook.Pullup, webhook.Key{Text: secret})
			if err != nil {
				t.Fatal(err)
			}
			head, err := s.AppendHeaders(nil, webhook.Message{ID: "d1", Event: "ticket.purchased", Time: time.Now(), Body: sent})
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, h := range head {
				all = append(all, h.Name, h.Value)
			}
			return all
		}
		b.open("~/inspector").sees("Live")
		post(t, url, string(sent), signed(secret)...)
		b.sees("ticket.purchased")
		b.until("it to be verified", `[...document.querySelectorAll('main tr')].some((r) => r.innerText.includes('ticket.purchased') && r.innerText.includes('verified') && !r.innerText.includes('not'))`)
		post(t, url, string(sent), signed("another secret altogether")...)
		b.sees("not verified").fill("verdict", "failed").follow("Show").follow("ticket.purchased").sees("not verified")
		b.until("what to do about it", `document.querySelector('main .note.bad p.heading').innerText.length > 10`)

		got := harness.Receive(t, nil)
		b.fill("url", got.URL).press("Send it").sees("What came of it", "200")
		all := got.Await(t, patience, func(all []harness.Got) bool { return len(all) == 1 })
		if !bytes.Equal(all[0].Body, sent) {
			t.Errorf("the replay brought %q, want %q", all[0].Body, sent)
		}
		b.fill("url", "http://169.254.169.254/").press("Send it").sees("This has not been done")
		b.open("~/inspector").press("Delete").sees("what it has taken is gone").press("Delete it").sees("is deleted")
	})
}

// TestPullEndpointsShowWhatTheyTakeAndRefuse: one for GitHub takes what is signed and refuses what is not, and an event is acknowledged by hand.
func TestPullEndpointsShowWhatTheyTakeAndRefuse(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b := newHall(t, st).signIn(t)
		b.open("~/pull").sees("A pull endpoint takes in the webhooks").press("Make a pull endpoint")
		b.fill("name", "Repository", "provider", "github", "days", "900").press("Make it").sees("This has not been done")
		secret := fmt.Sprintf("hub secret %d", serial.Add(1))
		b.fill("days", "7", "secret", secret).press("Make it").sees("Its address")
		url := eval[string](b, `document.body.innerText.match(/http\S+\/v1\/webhooks\/receive\/[^'\s]+/)[0]`)
		harness.Secret(url[strings.LastIndexByte(url, '/')+1:])
		at := eval[string](b, `[...document.querySelectorAll('dl code')].map((e) => e.textContent)[0]`)
		b.open("~/pull/" + at).sees("Live")
		body := `{"action":"opened","text":"<script>console.error('ran')</script>"}`
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		if status := post(t, url, body, "X-GitHub-Event", "issues", "X-GitHub-Delivery", "d1", "X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil))); status != 202 {
			t.Fatalf("what is signed is answered %d", status)
		}
		b.sees("issues")
		if status := post(t, url, body, "X-GitHub-Event", "issues", "X-GitHub-Delivery", "d2", "X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64)); status != 401 {
			t.Fatalf("what is not signed by the secret is answered %d", status)
		}
		b.open("~/pull/" + at)
		b.until("the refusal to be there", `(() => { if (document.body.innerText.includes('hmac_failed')) return true; location.reload(); return false })()`)
		b.sound("pull").press("All that was refused").sees("hmac_failed")
		b.open("~/pull/"+at).press("issues").sees("<script>console.error", "opened").sound("pull-event")
		b.press("Acknowledge").sees("is acknowledged", "acknowledged")
		b.open("~/pull").sees("Repository").press("Repository").press("Delete").press("Delete it").sees("is deleted")
	})
}
