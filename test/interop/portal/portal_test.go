// These tests hold deliveries that package webhook signs against the receivers printed in the portal specification, run unchanged.
package portal_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/interop/portal/receiver"
	"github.com/stagedoorhq/stagedoor/webhook"
)

const (
	secret      = "whsec_cG9ydGFsLWludGVyb3AtdGVzdC1zZWNyZXQtMDAwMDE="
	freshSecret = "whsec_cG9ydGFsLWludGVyb3AtdGVzdC1zZWNyZXQtMDAwMDI="
)

var samples = map[string]receiver.Sample{"verification": receiver.Verification, "replay": receiver.Replay}

func message(event string) webhook.Message {
	body := `{"event":"` + event + `","orderId":"order_1782900000123","order":{"eventId":"EV-7001","eventName":"Harbor Jazz Night",` +
		`"eventVenue":"Café de l’Écluse","eventLocation":"Tromsø, 🇳🇴","section":"B","row":"4","quantity":2,"totalAmount":118.5,` +
		`"customer":{"email":"kari@example.test"}},"timestamp":"2026-07-02T08:15:00.210Z"}`
	return webhook.Message{
		ID: "7d4c6f0e-52a1-4c39-9a55-0d8f3a1b2c4d", Event: event, Time: time.Now(), Body: []byte(body),
	}
}

// post signs the message with the keys and returns the receiver's answer; change may spoil the request.
func post(t *testing.T, r *receiver.Receiver, m webhook.Message, change func(*http.Request), keys ...webhook.Key) (int, string) {
	t.Helper()
	signer, err := webhook.NewSigner(webhook.Portal, keys...)
	if err != nil {
		t.Fatalf("NewSigner: %v", err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL, bytes.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if err := signer.SetHeaders(request.Header, m); err != nil {
		t.Fatalf("SetHeaders: %v", err)
	}
	change(request)
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("POST %s: %v", r.URL, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("POST %s: %v", r.URL, err)
	}
	return response.StatusCode, string(answer)
}

func asIs(*http.Request) {}

func TestPrintedReceiversAcceptEveryEvent(t *testing.T) {
	events := []string{
		"order.confirmed", "order.accepted", "order.purchase_issues", "order.fulfilled", "order.cancelled", "order.refunded",
	}
	for name, sample := range samples {
		t.Run(name, func(t *testing.T) {
			r := receiver.Start(t, secret, sample)
			for _, event := range events {
				status, answer := post(t, r, message(event), asIs, webhook.Key{Text: secret})
				if status != http.StatusOK || answer != `{"received":true}` {
					t.Errorf("%s: got %d %s, want 200", event, status, answer)
				}
			}
			for i, d := range r.Await(t, len(events)) {
				want := message(events[i])
				if d.Event != want.Event || d.ID != want.ID || d.Status != http.StatusOK || !bytes.Equal(d.Body, want.Body) {
					t.Errorf("delivery %d: got %s %s, %d, %s", i, d.Event, d.ID, d.Status, d.Body)
				}
			}
		})
	}
}

func TestPrintedReceiversRefuseWhatIsNotGenuine(t *testing.T) {
	cases := []struct {
		name   string
		key    string
		change func(*http.Request)
		status map[receiver.Sample]int
	}{
		{"wrong secret", freshSecret, asIs, map[receiver.Sample]int{receiver.Verification: 401, receiver.Replay: 401}},
		{"another timestamp", secret, func(r *http.Request) {
			r.Header.Set("X-Webhook-Timestamp", "1782900000")
		}, map[receiver.Sample]int{receiver.Verification: 401, receiver.Replay: 401}},
		{"another body", secret, func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(`{}`)), 2
		}, map[receiver.Sample]int{receiver.Verification: 401, receiver.Replay: 401}},
		// The first sample compares without looking at the lengths, which throws.
		{"truncated signature", secret, func(r *http.Request) {
			r.Header.Set("X-Webhook-Signature", "sha256=00")
		}, map[receiver.Sample]int{receiver.Verification: 500, receiver.Replay: 401}},
	}
	for name, sample := range samples {
		t.Run(name, func(t *testing.T) {
			r := receiver.Start(t, secret, sample)
			for _, c := range cases {
				status, answer := post(t, r, message("order.accepted"), c.change, webhook.Key{Text: c.key})
				if status != c.status[sample] {
					t.Errorf("%s: got %d %s, want %d", c.name, status, answer, c.status[sample])
				}
			}
		})
	}
}

// A receiver that compares one value lives through a rotation: with the old secret until the end of the overlap, with the new one after.
func TestPrintedReceiversLiveThroughARotation(t *testing.T) {
	for name, sample := range samples {
		t.Run(name, func(t *testing.T) {
			old, fresh := receiver.Start(t, secret, sample), receiver.Start(t, freshSecret, sample)
			m := message("order.fulfilled")
			for _, c := range []struct {
				name string
				to   *receiver.Receiver
				end  time.Time
				want int
			}{
				{"during the overlap, old secret", old, m.Time.Add(time.Hour), 200},
				{"during the overlap, new secret", fresh, m.Time.Add(time.Hour), 401},
				{"after the overlap, old secret", old, m.Time, 401},
				{"after the overlap, new secret", fresh, m.Time, 200},
			} {
				status, answer := post(t, c.to, m, asIs, webhook.Key{Text: secret, Until: c.end}, webhook.Key{Text: freshSecret})
				if status != c.want {
					t.Errorf("%s: got %d %s, want %d", c.name, status, answer, c.want)
				}
			}
		})
	}
}

// An attempt signed when the delivery was first tried would be refused half an hour later: every attempt is signed anew.
func TestReplaySampleRefusesOldTimestamps(t *testing.T) {
	r := receiver.Start(t, secret, receiver.Replay)
	for age, want := range map[time.Duration]int{25 * time.Minute: 200, 35 * time.Minute: 401} {
		m := message("order.accepted")
		m.Time = m.Time.Add(-age)
		if status, answer := post(t, r, m, asIs, webhook.Key{Text: secret}); status != want {
			t.Errorf("signed %v ago: got %d %s, want %d", age, status, answer, want)
		}
	}
}
