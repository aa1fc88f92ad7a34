package dashboard

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// aReason is a way to fail, and what the page of the delivery says of it.
type aReason struct {
	name string
	url  func(t *testing.T) string
	// title and remedy are what the page says: what happened, and what to do next.
	title, remedy string
}

// reasons all happen to a server that is here: what is sent to them is sent for real.
var reasons = []aReason{
	{"dns", func(*testing.T) string { return "https://nowhere.invalid/webhooks" }, "The host name", "dig|typing mistake"},
	{"refused", closedPort, "No connection could be made", "See that the receiver runs and listens on the port"},
	{"tls", selfSigned, "certificate is not from a known authority", "Use a certificate of a public authority"},
	{"timeout", tooSlow, "The receiver took too long to answer", "Answer at once with 200 and do the work afterwards"},
	{"500", answers(500), "The receiver failed", "Look into your application's log"},
	{"302", movedTo("https://new.example/in?token=x"), "The receiver redirects to another address", "It leads to https://new.example."},
	{"too large", giant, "The head of the answer is too large", "Send fewer or smaller headers"},
	{"body too large", answers(413), "The delivery is too large for the receiver", "Raise the limit for request bodies"},
	{"wrong signature", otherSecret, "The receiver refused the signature or the secret", "Check the secret in your receiver"},
}

// TestAFailedDeliveryNamesItsReasonAndTheRemedy makes real receivers fail in each way there is, and reads the page.
func TestAFailedDeliveryNamesItsReasonAndTheRemedy(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		failed := map[string]string{} // webhooks, by the reason's name
		for _, r := range reasons {
			failed[r.name] = failing(t, h, r.url(t))
		}
		b := h.signIn(t)
		for _, r := range reasons {
			d := tried(t, h, failed[r.name])
			b.open("~/deliveries/" + d).sees(r.title)
			seesOne(b, strings.Split(r.remedy, "|")...)
			b.open("~/deliveries?webhook=" + failed[r.name])
			b.until("the list to say why, of "+r.name, "document.querySelector('#rows').innerText.includes("+quoted(inLists(r))+")")
		}
		b.open("~/deliveries/" + tried(t, h, failed["302"])).sound("delivery-redirected")
		b.open("~/deliveries/" + tried(t, h, failed["timeout"])).sound("delivery-timeout")
		b.open("~/deliveries/" + tried(t, h, failed["wrong signature"])).press("Debug its signature").sees("Signature debugger")

		// Disabled by its owner with a delivery pending: it is not sent, and the page says that the webhook is off.
		in := harness.Receive(t, func(int, harness.Got) int { return 503 })
		var w struct{ ID, Secret string }
		h.Call(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": in.URL, "format": "standard", "events": []string{"*"}, "retry": map[string]any{"delays": []int{3600}}}).Decode(t, &w)
		harness.Secret(w.Secret)
		h.Call(t, 202, "POST", "/api/v1/webhooks/"+w.ID+"/test", nil)
		d := tried(t, h, w.ID)
		b.open("~/deliveries/" + d).sees("Next try")
		b.open("~/webhooks/" + w.ID).press("Pause").sees("The webhook is paused")
		b.open("~/deliveries/"+d).sees("The webhook is paused", "Set the webhook to active").sound("delivery-paused")
	})
}

// TestADeliveryToABlockedAddressSaysSo: a webhook of the operator's leads to a private network that is not opened with --allow-target. Nothing is sent there.
func TestADeliveryToABlockedAddressSaysSo(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		var w struct{ ID, Secret string }
		if err := json.Unmarshal(st.Run(t, "endpoint", "create", "--url", "https://10.20.30.40/webhooks", "--org", h.slug, "--format", "standard", "--json"), &w); err != nil {
			t.Fatal(err)
		}
		harness.Secret(w.Secret)
		h.Call(t, 202, "POST", "/api/v1/webhooks/"+w.ID+"/test", nil)
		b := h.signIn(t)
		b.open("~/deliveries/"+tried(t, h, w.ID)).sees("The address is not open to deliveries", "ask the operator to start this server with --allow-target").sound("delivery-blocked")
	})
}

// TestAReceiverThatIsGoneIsDisabledAndCanBeTurnedOnAgain: after 410 nothing more is sent, the pages say so, and what was missed can be had.
func TestAReceiverThatIsGoneIsDisabledAndCanBeTurnedOnAgain(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		h := newHall(t, st)
		in := harness.Receive(t, func(n int, _ harness.Got) int {
			if n == 1 {
				return 410
			}
			return 200
		})
		hook := failing(t, h, in.URL)
		d := tried(t, h, hook)
		b := h.signIn(t)
		b.open("~/deliveries/"+d).sees("The receiver answered 410 Gone", "It is not tried again: 410 means")
		for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) { // it is disabled a moment later
			if b.open("~/webhooks/" + hook); strings.Contains(b.words(), "We have disabled this webhook: its receiver answered 410 Gone") {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("the webhook of a receiver that is gone is not disabled:\n%s", b.words())
			}
		}
		b.sees("disabled").sound("webhook-disabled")
		b.open("~/webhooks?state=off").sees(in.URL).open("~/deliveries/" + d).sees("The webhook is off").seesNot("Deliver again")
		b.open("~/webhooks/"+hook).press("Turn it on").sees("The webhook is on").fill("since", "2020-01-01T00:00").press("Recover").sees("1 delivery is due again")
		in.Await(t, patience, func(all []harness.Got) bool { return len(all) == 2 })
		b.open("~/deliveries/" + d).sees("Attempt 2: delivered")
	})
}

// inLists is what a list says of a reason, where no detail of the attempt is looked at.
func inLists(r aReason) string {
	switch r.name {
	case "tls":
		return "No secure connection could be made"
	case "too large":
		return "The answer is not proper HTTP/1.1"
	case "timeout":
		return "The attempt took too long"
	}
	return r.title
}

// failing makes a webhook that is tried once, and has a test delivery sent to it.
func failing(t *testing.T, h *hall, url string) (webhook string) {
	t.Helper()
	var w struct{ ID, Secret string }
	h.Call(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": url, "format": "standard", "events": []string{"order.confirmed"}, "retry": map[string]any{"delays": []int{}}}).Decode(t, &w)
	harness.Secret(w.Secret)
	h.Call(t, 202, "POST", "/api/v1/webhooks/"+w.ID+"/test", nil)
	return w.ID
}

// tried waits until the newest delivery of a webhook was tried, and returns its id.
func tried(t *testing.T, h *hall, webhook string) string {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		var page struct {
			Data []struct {
				ID       string
				Attempts []struct{}
			}
		}
		h.Call(t, 200, "GET", "/api/v1/webhooks/"+webhook+"/deliveries", nil).Decode(t, &page)
		if len(page.Data) > 0 && len(page.Data[0].Attempts) > 0 {
			return page.Data[0].ID
		}
		if time.Now().After(end) {
			t.Fatalf("the webhook %s was sent nothing for %v", webhook, patience)
		}
	}
}

// seesOne waits until the page says one of these.
func seesOne(b *tab, texts ...string) {
	b.t.Helper()
	var any []string
	for _, text := range texts {
		any = append(any, "document.body.innerText.includes("+quoted(text)+")")
	}
	b.until("the page to say "+strings.Join(texts, " or "), strings.Join(any, " || "))
}

// closedPort is a URL at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String() + "/webhooks"
}

// selfSigned is a receiver whose certificate nobody has signed but itself.
func selfSigned(t *testing.T) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL + "/webhooks"
}

// tooSlow takes longer for its answer than is waited for.
func tooSlow(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server see that the sender has gone
		select {
		case <-r.Context().Done():
		case <-time.After(2 * patience):
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/webhooks"
}

func answers(status int) func(t *testing.T) string {
	return func(t *testing.T) string {
		return harness.Serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	}
}

func movedTo(where string) func(t *testing.T) string {
	return func(t *testing.T) string {
		return harness.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", where)
			w.WriteHeader(http.StatusFound)
		})
	}
}

// giant answers with more headers than anybody reads.
func giant(t *testing.T) string {
	return harness.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 100 {
			w.Header().Add("Set-Cookie", strings.Repeat("c", 1024))
		}
		w.WriteHeader(http.StatusOK)
	})
}

// otherSecret verifies with a secret that is not the webhook's.
func otherSecret(t *testing.T) string {
	in := harness.Receive(t, nil)
	in.Verify(t, webhook.Standard, webhook.NewSecret())
	return in.URL
}
