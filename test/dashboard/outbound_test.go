package dashboard

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// TestAWebhookIsMadeAndTestedInTheBrowser: from no webhook to a test delivery that arrived, whose bytes the page shows; the list shows what comes by itself.
func TestAWebhookIsMadeAndTestedInTheBrowser(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		in := harness.Receive(t, nil)
		b := h.signIn(t)
		b.press("Webhooks").sees("There is no webhook yet").sound("webhooks-none")
		b.press("Make a webhook").sees("cloudevents", "stubhub").sound("webhook-formats")
		b.press("Take standard").sees("order.confirmed").fill("url", "ftp://example.com").press("Make the webhook")
		b.until("a complaint", "document.querySelector('#hook-url[aria-invalid]')")
		b.sound("webhook-form")
		b.fill("url", in.URL, "description", "The hall's own").press("Make the webhook").sees("Copy it now")
		secret := eval[string](b, `document.querySelector('.card.new code').textContent`)
		harness.Secret(secret)
		in.Verify(t, webhook.Standard, secret)
		b.sound("webhook-secret")
		b.press("Send a test delivery").sees("Delivered: the receiver answered 200", "The hall's own").seesNot(secret)
		b.sees("endpoint.pinged") // the list below shows it by itself
		b.sound("webhook")
		b.press("See what was sent and answered").sees("Attempt 1: delivered", "Webhook-Signature", "First byte").sound("delivery")
		if eval[bool](b, "document.body.textContent.includes("+quoted(secret)+")") {
			t.Error("the page of a delivery shows the webhook's secret")
		}
		sent := in.All()[0]
		if raw := eval[string](b, `[...document.querySelectorAll('details details')].find((d) => d.innerText.includes('Raw body')).querySelector('code').textContent`); raw != string(sent.Body) {
			t.Errorf("the page shows the raw body %q, want what came: %q", raw, sent.Body)
		}
		b.press("Deliver again").sees("due again", "after 2 attempts", "Attempt 2: delivered")

		b.open("~/deliveries").sees("endpoint.pinged")
		h.Call(t, 202, "POST", "/api/v1/messages", map[string]any{"event": "shuttle.delayed", "data": map[string]any{"minutes": 10}})
		b.sees("shuttle.delayed").sound("deliveries")
		for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) { // counting runs a second or so behind
			if b.open("~/webhooks").sees("The hall's own"); strings.Contains(b.words(), "100 %") {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("the list of webhooks does not count what was delivered:\n%s", b.words())
			}
		}
		b.sound("webhooks")
	})
}

// TestAWebhookThatBreaksSaysWhy: a receiver that fails, and everything that can be done about it.
func TestAWebhookThatBreaksSaysWhy(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		var broken atomic.Bool
		broken.Store(true)
		in := harness.Receive(t, func(int, harness.Got) int {
			if broken.Load() {
				return 500
			}
			return 200
		})
		var made struct{ ID, Secret string }
		h.Call(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": in.URL, "format": "portal", "events": []string{"*"}, "retry": map[string]any{"delays": []int{}}}).Decode(t, &made)
		harness.Secret(made.Secret)
		b := h.signIn(t)
		b.open("~/webhooks/"+made.ID).press("Send a test delivery").sees("The receiver failed", "Look into your application's log").press("See what was sent and answered")
		b.sees("500 Internal Server Error", "this webhook has no retries").sound("delivery-failed")
		if command := eval[string](b, `[...document.querySelectorAll('details details')].find((d) => d.innerText.includes('curl')).querySelector('code').textContent`); !strings.Contains(command, "--data-binary") ||
			!strings.Contains(command, in.URL) {
			t.Errorf("the curl command is %q", command)
		}
		b.open("~/deliveries?state=failed").sees("The receiver failed", in.URL)
		broken.Store(false)
		b.open("~/webhooks/"+made.ID).fill("since", "2020-01-01T00:00").press("Recover").sees("1 delivery is due again")
		b.until("the delivery to arrive", "document.querySelector('#rows').innerText.includes('delivered')")

		// Rotated with an overlap: a receiver that knows the old secret takes deliveries, and one that knows the new one too.
		in.Verify(t, webhook.Portal, made.Secret)
		b.fill("hours", "1").press("Rotate").sees("The secret is rotated", "signs beside it until")
		next := eval[string](b, `document.querySelector('.card.new code').textContent`)
		harness.Secret(next)
		b.press("Send a test delivery").sees("Delivered: the receiver answered 200")
		in.Lenient()
		b.press("Send a test delivery").sees("Delivered: the receiver answered 200")
		all := in.Await(t, patience, func(all []harness.Got) bool { return len(all) >= 4 })
		if got := all[len(all)-1].Header.Get("X-Webhook-Signature-Next"); got == "" {
			t.Error("a delivery during the overlap has no signature of the new secret")
		}

		// Paused: what happens is skipped, and the page says so.
		b.press("Pause").sees("The webhook is paused", "Turn it on").seesNot("Send a test delivery").sound("webhook-paused")
		b.press("Turn it on").sees("The webhook is on")
		b.press("Change").fill("description", "Tickets only", "#hook-ticked", "true").press("Change the webhook")
		b.sees("Tick at least one event").fill("#event-order\\.accepted", "true").press("Change the webhook").sees("The webhook is changed", "Tickets only", "order.accepted")
		b.press("Change").press("pullup").sees("in the vocabulary of Pullup").press("Change the webhook").sees("Tick at least one event")
		b.fill("#hook-all", "true").press("Change the webhook").sees("The webhook is changed", "in x-pullup-signature")
		b.press("Delete").sees("Delete the webhook to").press("Delete the webhook").sees("The webhook is deleted", "There is no webhook yet")
	})
}

// TestEveryFormatHasItsForm: a webhook of each format is made in the browser, with what it needs.
func TestEveryFormatHasItsForm(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		in := harness.Receive(t, nil)
		b := h.signIn(t)
		for _, f := range []struct{ format, event, shown string }{
			{"standard", "order.confirmed", "whsec_"},
			{"cloudevents", "order.confirmed", "whsec_"},
			{"pullup", "ticket.purchased", "whsec_"},
			{"portal", "order.accepted", "whsec_"},
			{"stubhub", "Sales", "Bearer of " + h.slug},
			{"ethpass", "pass:scan", "Bearer of " + h.slug},
		} {
			b.open("~/webhooks/new").press("Take "+f.format).fill("url", in.URL, "#hook-ticked", "true").press("Make the webhook").sees("Tick at least one event")
			if strings.HasPrefix(f.shown, "Bearer") {
				b.fill("secret", f.shown)
			}
			b.fill("#event-"+strings.NewReplacer(".", `\.`, ":", `\:`).Replace(f.event), "true").press("Make the webhook").sees("Copy it now")
			secret := eval[string](b, `document.querySelector('.card.new code').textContent`)
			harness.Secret(secret)
			if !strings.HasPrefix(secret, f.shown) {
				t.Errorf("a webhook in the format %s has the secret %.8s…, want one that begins with %.8s", f.format, secret, f.shown)
			}
			b.press("Go to the webhook").sees(f.format, f.event, in.URL).seesNot(secret)
		}
		b.open("~/webhooks/new?format=standard").fill("url", in.URL, "signature", "v1a", "headers", "X-Tenant: 42", "retry", "5 60", "rateLimit", "20").press("Make the webhook").sees("The public key", "whpk_")
		b.press("Go to the webhook").sees("Public key", "whpk_", "X-Tenant: 42", "again after 5 s, 1 min", "20 a second").press("Change")
		b.fill("headers", "no header", "rateLimit", "20").press("Change the webhook").sees("Each line of the headers is a name")
		b.fill("headers", "Host: elsewhere").press("Change the webhook").sees("This has not been done")
		b.fill("headers", "X-Tenant: 43").press("Change the webhook").sees("The webhook is changed", "X-Tenant: 43")
	})
}

// TestManyWebhooksArePagedThroughAndFound: more than a page of them, and a list that is paused while something happens.
func TestManyWebhooksArePagedThroughAndFound(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		in := harness.Receive(t, func(n int, _ harness.Got) int {
			if n == 1 {
				return 503
			}
			return 200
		})
		var w struct{ ID, Secret string }
		for n := range 53 {
			format := "standard"
			if n%2 == 1 {
				format = "portal"
			}
			h.Call(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": in.URL + "/tenant-" + strconv.Itoa(n), "format": format, "events": []string{"*"}, "active": n == 0}).Decode(t, &w)
			harness.Secret(w.Secret)
		}
		b := h.signIn(t)
		rows := func() int { return eval[int](b, "document.querySelectorAll('main tbody tr').length") }
		b.open("~/webhooks").sees("There are 53", "52 are off", "tenant-52")
		if n := rows(); n != 50 {
			t.Errorf("the first page has %d webhooks, want 50", n)
		}
		b.press("Next page").sees("tenant-0", "Back to the first page")
		if n := rows(); n != 3 {
			t.Errorf("the second page has %d webhooks, want 3", n)
		}
		b.open("~/webhooks").fill("text", "TENANT-41").press("Show").sees("tenant-41").seesNot("tenant-42")
		b.open("~/webhooks").fill("kind", "portal").press("Show")
		b.until("the 26 webhooks in the format portal", "location.search.includes('kind=portal') && document.querySelectorAll('main tbody tr').length === 26")
		b.fill("text", "nobody").press("Show").sees("No webhook fits")
		csv := eval[string](b, "fetch('/o/"+h.id+"/webhooks?format=csv').then((r) => r.text())")
		if n := strings.Count(csv, "\n"); n != 54 {
			t.Errorf("the file has %d lines, want 53 and a head", n)
		}
		b.open("~/deliveries").fill("webhook", "tenant-5").press("Show").sees("Several webhooks fit")

		// The first is sent a message, answers that it needs a rest, and then takes it: the list tells, but not while it is paused.
		b.open("~/deliveries").sees("Live").press("Pause").sees("Paused")
		h.Call(t, 202, "POST", "/api/v1/messages", map[string]any{"event": "hall.opened", "data": map[string]any{}})
		in.Await(t, patience, func(all []harness.Got) bool { return len(all) > 0 })
		b.seesNot("hall.opened").press("Go on").sees("hall.opened", "retrying")
	})
}

// TestAReceiverThatAsksForARestIsLeftAlone: the page says what the receiver asked for, and when it is tried again.
func TestAReceiverThatAsksForARestIsLeftAlone(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		url := harness.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "600")
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		var w struct{ ID, Secret string }
		h.Call(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": url, "format": "standard", "events": []string{"*"}}).Decode(t, &w)
		harness.Secret(w.Secret)
		h.Call(t, 202, "POST", "/api/v1/webhooks/"+w.ID+"/test", nil)
		d := tried(t, h, w.ID)
		b := h.signIn(t)
		b.open("~/deliveries/"+d).sees("The receiver asked to wait 10 min at least (Retry-After)", "It is tried again (the format's own retries: again after 10 s", "Next try", "circuit is open").sound("delivery-resting")
		b.open("~/webhooks/"+w.ID).sees("Its circuit is open", "failing", "Nothing but failures since")
		b.open("~/webhooks?state=failing").sees(url)
		b.open("~/deliveries/" + d).press("Deliver again").sees("The delivery is due again")
	})
}
