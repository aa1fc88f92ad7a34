package webhook_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/stagedoorhq/stagedoor/webhook"
)

// The secret that the examples share; a real one comes from the environment.
const exampleSecret = "whsec_c3RhZ2Vkb29yLWV4YW1wbGUtc2VjcmV0LTAwMDAwMDE="

// deliver signs a message and posts it to the handler, as a sender would.
func deliver(handler http.Handler, scheme webhook.Scheme, key string, m webhook.Message) {
	signer, err := webhook.NewSigner(scheme, webhook.Key{Text: key})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest(http.MethodPost, "/webhooks", bytes.NewReader(m.Body))
	if err := signer.SetHeaders(r.Header, m); err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code)
}

// A receiver of portal's deliveries. The delivery's id is remembered, because a delivery may come twice.
func ExampleReceiver() {
	verifier, err := webhook.NewVerifier(webhook.Portal, webhook.Key{Text: exampleSecret})
	if err != nil {
		fmt.Println(err)
		return
	}
	seen := make(map[string]bool) // a table in a real receiver
	handler := &webhook.Receiver{
		Verifier: verifier,
		Handle: func(w http.ResponseWriter, r *http.Request, m webhook.Message) {
			if seen[m.ID] {
				return // 200: it was handled
			}
			seen[m.ID] = true
			fmt.Printf("%s %s\n", m.Event, m.Body)
		},
	}

	m := webhook.Message{
		ID: "7d4c6f0e-52a1-4c39-9a55-0d8f3a1b2c4d", Event: "order.accepted",
		Time: time.Now(), Body: []byte(`{"event":"order.accepted","orderId":"order_1782900000123"}`),
	}
	deliver(handler, webhook.Portal, exampleSecret, m)
	deliver(handler, webhook.Portal, exampleSecret, m)
	deliver(handler, webhook.Portal, webhook.NewSecret(), m)
	// Output:
	// order.accepted {"event":"order.accepted","orderId":"order_1782900000123"}
	// 200
	// 200
	// 401
}

// A receiver of portal's deliveries written out, for those who want to see every step.
func ExampleVerifier_portal() {
	verifier, err := webhook.NewVerifier(webhook.Portal, webhook.Key{Text: exampleSecret})
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier = verifier.WithTolerance(30 * time.Minute) // as in portal's own sample; five minutes are the default

	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "cannot read the body", http.StatusBadRequest)
			return
		}
		m, err := verifier.Verify(r.Header, body, time.Now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		fmt.Println(m.ID, m.Event, len(m.Body))
		w.WriteHeader(http.StatusOK)
	})

	deliver(handler, webhook.Portal, exampleSecret, webhook.Message{
		ID: "7d4c6f0e-52a1-4c39-9a55-0d8f3a1b2c4d", Event: "order.fulfilled",
		Time: time.Now(), Body: []byte(`{"event":"order.fulfilled"}`),
	})
	// Output:
	// 7d4c6f0e-52a1-4c39-9a55-0d8f3a1b2c4d order.fulfilled 27
	// 200
}

// A receiver of pullup's deliveries. Neither time nor id is signed; what is remembered must come from the signed body.
func ExampleVerifier_pullup() {
	verifier, err := webhook.NewVerifier(webhook.Pullup, webhook.Key{Text: exampleSecret})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := &webhook.Receiver{
		Verifier: verifier,
		Handle: func(w http.ResponseWriter, r *http.Request, m webhook.Message) {
			fmt.Printf("%s\n", m.Body)
		},
	}

	deliver(handler, webhook.Pullup, exampleSecret, webhook.Message{
		ID: "5c1e9a2b-0d7a-4f6e-8b1c-2f3a4b5c6d7e", Event: "event.soldout",
		Time: time.Now(), Body: []byte(`{"id":"evt_5c1e9a2b","event":"event.soldout"}`),
	})
	// Output:
	// {"id":"evt_5c1e9a2b","event":"event.soldout"}
	// 200
}

// A receiver of Standard Webhooks, or of CloudEvents signed the same way, that also takes v1a signatures while its sender moves
// from a shared secret to a key pair.
func ExampleVerifier_standard() {
	private, public := webhook.NewKeyPair()
	verifier, err := webhook.NewVerifier(webhook.Standard, webhook.Key{Text: exampleSecret}, webhook.Key{Text: public})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := &webhook.Receiver{
		Verifier: verifier,
		Handle: func(w http.ResponseWriter, r *http.Request, m webhook.Message) {
			fmt.Println(m.ID) // signed: the key to remember
		},
	}

	m := webhook.Message{ID: "evt_5c1e9a2b", Time: time.Now(), Body: []byte(`{"type":"order.accepted"}`)}
	deliver(handler, webhook.Standard, exampleSecret, m)
	deliver(handler, webhook.Standard, private, m)
	// Output:
	// evt_5c1e9a2b
	// 200
	// evt_5c1e9a2b
	// 200
}

// A receiver of StubHub's or ethpass's deliveries, which carry a fixed Authorization header.
func ExampleVerifier_static() {
	verifier, err := webhook.NewVerifier(webhook.Static, webhook.Key{Text: "Bearer desk-key"})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := &webhook.Receiver{
		Verifier: verifier,
		Handle: func(w http.ResponseWriter, r *http.Request, m webhook.Message) {
			fmt.Println(r.Header.Get("VGG-Topic"), len(m.Body))
		},
	}

	r := httptest.NewRequest(http.MethodPost, "/in", bytes.NewReader([]byte(`{}`)))
	r.Header.Set("Authorization", "Bearer desk-key")
	r.Header.Set("VGG-Topic", "Sales")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output:
	// Sales 2
	// 200
}

// Why a delivery was refused can be asked for by its reason.
func ExampleReason() {
	verifier, err := webhook.NewVerifier(webhook.Portal, webhook.Key{Text: exampleSecret})
	if err != nil {
		fmt.Println(err)
		return
	}
	signer, err := webhook.NewSigner(webhook.Portal, webhook.Key{Text: exampleSecret})
	if err != nil {
		fmt.Println(err)
		return
	}
	sent := time.Unix(1782900000, 0)
	h := make(http.Header)
	if err := signer.SetHeaders(h, webhook.Message{ID: "1", Event: "order.accepted", Time: sent}); err != nil {
		fmt.Println(err)
		return
	}

	_, err = verifier.Verify(h, nil, sent.Add(time.Hour))
	fmt.Println(errors.Is(err, webhook.TooOld))
	fmt.Println(err)
	// Output:
	// true
	// webhook: X-Webhook-Timestamp: the timestamp is too old: by 3600 s, at most 300 s are allowed
}

// Signing during a rotation: until its end the old secret signs the header that receivers compare, and the new one's signature
// goes beside it; afterwards the new one signs alone. The same Signer does both.
func ExampleSigner_AppendHeaders() {
	end := time.Unix(1782900000, 0)
	signer, err := webhook.NewSigner(webhook.Portal,
		webhook.Key{Text: "the old secret", Until: end},
		webhook.Key{Text: "the new secret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	m := webhook.Message{ID: "7d4c6f0e-52a1-4c39-9a55-0d8f3a1b2c4d", Event: "order.accepted", Body: []byte(`{}`)}
	for _, m.Time = range []time.Time{end.Add(-time.Second), end} {
		headers, err := signer.AppendHeaders(nil, m)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, h := range headers {
			fmt.Printf("%s: %s\n", h.Name, h.Value)
		}
		fmt.Println()
	}
	// Output:
	// X-Webhook-Signature: sha256=c7483cf39c37b66c8323094b04f1e4e178c17a8ae0100be57bba47418a7b481e
	// X-Webhook-Timestamp: 1782899999
	// X-Webhook-Event: order.accepted
	// X-Webhook-Delivery: 7d4c6f0e-52a1-4c39-9a55-0d8f3a1b2c4d
	// X-Webhook-Signature-Next: sha256=089a6136dc95797032fd7f7255e9b70c80cb718fa148dc79239b91c4d6ccaeb7
	//
	// X-Webhook-Signature: sha256=40cb08ba770a451d949a50ef2c868042c85ba396752649de7cd5f5b093f6839f
	// X-Webhook-Timestamp: 1782900000
	// X-Webhook-Event: order.accepted
	// X-Webhook-Delivery: 7d4c6f0e-52a1-4c39-9a55-0d8f3a1b2c4d
}

// A Signer's headers set on a request. Sign each attempt anew: a receiver refuses an old timestamp.
func ExampleSigner_SetHeaders() {
	signer, err := webhook.NewSigner(webhook.Standard, webhook.Key{Text: exampleSecret})
	if err != nil {
		fmt.Println(err)
		return
	}
	body := []byte(`{"type":"order.accepted","timestamp":"2026-07-01T10:00:00Z","data":{}}`)
	r, err := http.NewRequest(http.MethodPost, "https://receiver.example/webhooks", bytes.NewReader(body))
	if err != nil {
		fmt.Println(err)
		return
	}
	m := webhook.Message{ID: "evt_5c1e9a2b", Time: time.Unix(1782900000, 0), Body: body}
	if err := signer.SetHeaders(r.Header, m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Header.Get("webhook-id"))
	fmt.Println(r.Header.Get("webhook-timestamp"))
	fmt.Println(r.Header.Get("webhook-signature"))
	// Output:
	// evt_5c1e9a2b
	// 1782900000
	// v1,v61qlUKnzRFiz4qxQGJqoqczzmwTqvRtIWaH3Yhwras=
}

// A delivery from a log, whose body went through a JSON parser before it was verified.
func ExampleExplain() {
	headers, err := webhook.ParseHeaders(`> POST /webhooks HTTP/1.1
> Host: receiver.example
> X-Webhook-Signature: sha256=870f991f4ec7880f481a911663b57df220a944ecbc11f3a46be4702bb9e4fd9e
> X-Webhook-Timestamp: 1782900000`)
	if err != nil {
		fmt.Println(err)
		return
	}
	scheme, _ := webhook.Detect(headers)
	e := webhook.Explain(scheme, webhook.Received{
		Header: headers,
		Body:   []byte(`{"event": "order.accepted", "venue": "Café"}`),
		At:     time.Unix(1782900002, 0),
	}, webhook.Key{Text: exampleSecret})
	fmt.Println(scheme, e.Verdict, e.Cause)
	fmt.Println(e.What)
	// Output:
	// portal changed_body json_reencoded
	// The body is not the one that was signed: its JSON was parsed and printed again.
}

// Secrets that the sender knows tell whether the receiver has another.
func ExampleExplain_knownSecrets() {
	signer, err := webhook.NewSigner(webhook.Pullup, webhook.Key{Text: "the new secret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Unix(1782900000, 0)
	r := webhook.Received{Header: make(http.Header), Body: []byte(`{}`), At: now}
	if err := signer.SetHeaders(r.Header, webhook.Message{ID: "1", Event: "event.soldout", Time: now, Body: r.Body}); err != nil {
		fmt.Println(err)
		return
	}
	e := webhook.Explain(webhook.Pullup, r, webhook.Key{Text: "the old secret"},
		webhook.Candidate{Name: "the endpoint's secret", Key: webhook.Key{Text: "the new secret"}},
		webhook.Candidate{Name: "the endpoint's former secret", Key: webhook.Key{Text: "the old secret", Until: now.Add(-time.Hour)}})
	fmt.Println(e.Verdict)
	fmt.Println(e.What)
	fmt.Println(e.Advice)
	// Output:
	// expired_secret
	// The pasted secret is the endpoint's former secret, which has come to its end; the delivery was signed with the endpoint's secret.
	// Put the endpoint's present secret into your receiver.
}

// Headers as Node prints them.
func ExampleParseHeaders() {
	headers, err := webhook.ParseHeaders(`{ 'content-type': 'application/json', 'webhook-id': 'evt_5c1e9a2b', 'webhook-timestamp': '1782900000' }`)
	fmt.Println(headers.Get("Webhook-Id"), err)
	// Output:
	// evt_5c1e9a2b <nil>
}

// A receiver of several formats can be told apart by their headers.
func ExampleDetect() {
	scheme, ok := webhook.Detect(http.Header{"X-Pullup-Signature": {"…"}, "Authorization": {"Bearer desk-key"}})
	fmt.Println(scheme, ok)
	// Output: pullup true
}
