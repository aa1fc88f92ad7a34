package dashboard

import (
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// received is a delivery as somebody pastes it.
func received(g harness.Got) (headers, body string) {
	var b strings.Builder
	for name, values := range g.Header {
		b.WriteString(name + ": " + values[0] + "\n")
	}
	return b.String(), string(g.Body)
}

// TestTheDebuggerSaysWhatIsWrongWithASignature goes through all verdicts with a delivery that was really sent.
func TestTheDebuggerSaysWhatIsWrongWithASignature(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		in := harness.Receive(t, nil)
		var w struct{ ID, Secret string }
		h.Call(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": in.URL, "format": "standard", "events": []string{"*"}}).Decode(t, &w)
		harness.Secret(w.Secret)
		h.Call(t, 202, "POST", "/api/v1/webhooks/"+w.ID+"/test", nil)
		headers, body := received(in.Await(t, patience, func(all []harness.Got) bool { return len(all) > 0 })[0])
		d := tried(t, h, w.ID)

		b := h.signIn(t)
		at := func(g time.Time) string { return g.UTC().Format("2006-01-02T15:04") }
		now := at(in.All()[0].At)
		b.open("~/debugger").fill("headers", "nonsense").press("Say what is wrong").sees("is not a header")
		paste := func(headers, body, secret, ours, received string) *tab {
			b.open("~/debugger").fill("headers", headers, "body", body, "secret", secret, "ours", ours, "at", received)
			return b.press("Say what is wrong")
		}
		paste(headers, body, w.Secret, "", now).sees("It is verified", "exactly this body").sound("debugger-verified")
		paste(headers, body, webhook.NewSecret(), w.ID, now).sees("Wrong secret", "the webhook's present secret", "Its webhook is ours").sound("debugger")
		paste(headers, strings.Replace(body, "true", "false", 1), w.Secret, d, now).sees("Changed body", "compared with what was sent")
		paste(headers, strings.Replace(body, ":", ": ", 1), w.Secret, d, now).sees("Changed body")
		paste(headers, body, w.Secret, "", at(in.All()[0].At.Add(time.Hour))).sees("Clock", "Secret and body are right")
		paste("X-Webhook-Signature: sha256=00", body, w.Secret, w.ID, now).sees("Wrong format")
		if eval[bool](b, "document.documentElement.outerHTML.includes("+quoted(w.Secret)+")") {
			t.Error("the debugger shows a secret")
		}

		// A secret that has come to its end: rotated without an overlap to keep it.
		h.Call(t, 200, "POST", "/api/v1/webhooks/"+w.ID+"/rotate-secret", map[string]any{"overlapSeconds": 1}).Decode(t, &w)
		harness.Secret(w.Secret)
		paste(headers, body, "", w.ID, at(time.Now().Add(2*time.Minute))).sees("Expired secret", "Put the endpoint's present secret")

		// From the page of a delivery, what was sent is filled in already.
		b.open("~/deliveries/" + d).press("Debug its signature").sees("Signature debugger")
		b.until("the body to be filled in", "document.querySelector('#debug-body').value.includes('endpoint.pinged')")

		other := newHall(t, st).signIn(t)
		other.open("~/debugger?ours=" + w.ID).sees("There is no webhook").open("~/debugger?ours=" + d).sees("There is no such delivery")
	})
}

// TestChartsShowWhatWasDelivered: what was sent is counted, drawn, and told in a table.
func TestChartsShowWhatWasDelivered(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		b := h.signIn(t)
		b.open("~/charts").sees("Nothing was sent in 24 hours").sound("charts-none")
		in := harness.Receive(t, func(n int, _ harness.Got) int {
			if n == 3 {
				return 500
			}
			return 200
		})
		var w struct{ ID, Secret string }
		h.Call(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": in.URL, "format": "standard", "events": []string{"hall.ticked"}, "retry": map[string]any{"delays": []int{}}}).Decode(t, &w)
		harness.Secret(w.Secret)
		for n := range 4 {
			h.Call(t, 202, "POST", "/api/v1/messages", map[string]any{"event": "hall.ticked", "data": map[string]any{"n": n}})
			in.Await(t, patience, func(all []harness.Got) bool { return len(all) > n })
		}
		for _, span := range []string{"1h", "24h", "7d", "30d"} {
			counted := func() bool {
				return eval[bool](b, `document.body.innerText.includes("4 attempts") || document.body.innerText.includes("4\nattempts")`)
			}
			for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) { // counting runs a second or so behind
				if b.open("~/charts?span=" + span); counted() {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("the charts of %s do not count the four attempts:\n%s", span, b.words())
				}
			}
			b.sees("75 %", "failed for good")
			if n := eval[int](b, `document.querySelectorAll('svg.chart rect.good title, svg.chart rect.bad title').length`); n < 2 {
				t.Errorf("the chart of %s has %d bars, want those of what was delivered and failed", span, n)
			}
		}
		b.open("~/charts?span=1h&webhook="+w.ID).sees("4", "alone").press("The same as a table, for each 1 min").sound("charts")
	})
}
