package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/webhook"
)

func TestAWebhookIsMadeReadChangedAndDeleted(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		a := o.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": "https://example.com/hooks", "events": []string{"event.updated"}})
		id := text(t, a, "id")
		expect(t, a.Body, "url", "https://example.com/hooks", "format", "pullup", "active", true, "secret", filled, "createdAt", instant, "events.#", 1, "events.0", "event.updated")
		if !strings.HasPrefix(id, "wh_") || !strings.HasPrefix(text(t, a, "secret"), "whsec_") || !strings.HasSuffix(a.Header.Get("Location"), "/api/v1/webhooks/"+id) {
			t.Errorf("id %s, Location %s, secret %.8s…", id, a.Header.Get("Location"), text(t, a, "secret"))
		}
		path := "/api/v1/webhooks/" + id
		secret := text(t, a, "secret")
		patched := o.Call(t, 200, "PATCH", path, body{
			"url": "https://example.com/other", "events": []string{"*"}, "active": false, "retry": body{"delays": []int{1, 2}}, "rateLimit": 5,
			"redact": true, "headers": body{"X-Team": "blue"},
		})
		for _, source := range []harness.Answer{patched, o.Call(t, 200, "GET", path, nil)} {
			expect(t, source.Body, "url", "https://example.com/other", "events.0", "*", "active", false, "rateLimit", 5, "redact", true,
				"headers.X-Team", "blue", "secret", absent{})
			expect(t, source.Body, "retry.delays.0", 1, "retry.delays.1", 2)
			if strings.Contains(string(source.Body), secret) {
				t.Error("the secret is shown again")
			}
		}
		if version := number(t, patched.Body, "version"); !same(at(t, o.Call(t, 200, "PATCH", path, body{}).Body, "version"), version) {
			t.Error("the version grew without a change")
		}
		list := o.Call(t, 200, "GET", "/api/v1/webhooks", nil)
		expect(t, list.Body, "data.#", 1, "data.0.id", id, "data.0.secret", absent{})
		o.Call(t, 204, "DELETE", path, nil)
		refused(t, o.Call(t, 404, "GET", path, nil), 404, "")
	})
}

func TestFaultyWebhooksAreRefused(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		good := func() body {
			return body{"url": "https://example.com/hooks", "events": []string{"*"}, "format": "portal"}
		}
		keeper := text(t, o.Call(t, 201, "POST", "/api/v1/webhooks", good()), "id")
		for _, c := range []struct {
			pointer string
			over    []any
		}{
			{"/url", []any{"url", absent{}}},
			{"/url", []any{"url", ""}},
			{"/url", []any{"url", "example.com/hooks"}},
			{"/url", []any{"url", "ftp://example.com/hooks"}},
			{"/url", []any{"url", "javascript:alert(1)"}},
			{"/url", []any{"url", "http://example.com/hooks"}}, // https is required but for allowed targets
			{"/url", []any{"url", "https://user:pass@example.com/hooks"}},
			{"/url", []any{"url", "https://example.com\\@10.0.0.1/"}},
			{"/url", []any{"url", "https://example.com/" + strings.Repeat("x", 2100)}},
			{"/url", []any{"url", "https://10.0.0.1/hooks"}},
			{"/url", []any{"url", "https://192.168.1.1/hooks"}},
			{"/url", []any{"url", "https://172.16.0.1/hooks"}},
			{"/url", []any{"url", "https://169.254.169.254/latest/meta-data"}},
			{"/url", []any{"url", "https://100.64.0.1/"}},
			{"/url", []any{"url", "https://0.0.0.0/"}},
			{"/url", []any{"url", "https://[::1]/"}},
			{"/url", []any{"url", "https://[fe80::1%25eth0]/"}},
			{"/url", []any{"url", "https://[::ffff:10.0.0.1]/"}},
			{"/url", []any{"url", "https://[fd00:ec2::254]/"}},
			{"/url", []any{"url", "https://2130706433/"}},
			{"/url", []any{"url", "https://0x7f000001/"}},
			{"/url", []any{"url", "https://0177.0.0.1/"}},
			{"/url", []any{"url", "https://127.1/"}},
			{"/url", []any{"url", "https://db.internal/"}},
			{"/url", []any{"url", "https://printer.local/"}},
			{"/url", []any{"url", "https://intranet/"}},
			{"/url", []any{"url", "https://168.63.129.16/"}},
			{"/url", []any{"url", "https://example.com:22/"}},
			{"/url", []any{"url", st.URL + "/api/v1/messages"}}, // the server's own address stays refused
			{"/events", []any{"events", []string{}}},
			{"/events", []any{"events", absent{}}},
			{"/events", []any{"events", "order.accepted"}},
			{"/events/0", []any{"events", []string{"ticket.purchased"}}},
			{"/events/1", []any{"events", []string{"order.accepted", "order.eaten"}}},
			{"/format", []any{"format", "morse"}},
			{"/retry", []any{"retry", []int{1}}},
			{"/retry/delays", []any{"retry", body{"delays": []int{-1}}}},
			{"/rateLimit", []any{"rateLimit", -1}},
			{"/headers", []any{"headers", body{"X-Webhook-Signature": "sha256=00"}}},
			{"/headers", []any{"headers", body{"Host": "example.org"}}},
			{"/headers", []any{"headers", body{"Content-Length": "1"}}},
			{"/headers", []any{"headers", body{"X-A": "a\r\nX-B: b"}}},
			{"/headers", []any{"headers", body{"X A": "a"}}},
			{"/signature", []any{"signature", "v9", "format", "standard"}},
			{"/colour", []any{"colour", 1}},
		} {
			for _, route := range []string{"POST /api/v1/webhooks", "PATCH /api/v1/webhooks/" + keeper} {
				method, path, _ := strings.Cut(route, " ")
				b := with(good(), c.over...)
				if method == "PATCH" {
					if _, gone := c.over[1].(absent); gone || c.pointer == "/format" || c.pointer == "/signature" {
						continue
					}
					b = with(body{}, c.over...)
				}
				a := try(t, o.Client, method, path, b)
				if a.Status != 400 && a.Status != 422 {
					t.Errorf("%s with %.80v = %d, want 400: %.300s", method, c.over, a.Status, a.Body)
					continue
				}
				refused(t, a, 400, "")
				if got := pointers(t, a); len(got) != 1 || !strings.HasPrefix(got[0], c.pointer) {
					t.Errorf("%s with %.80v: faults at %v, want %s", method, c.over, got, c.pointer)
				}
			}
		}
		expect(t, o.Call(t, 200, "GET", "/api/v1/webhooks", nil).Body, "data.#", 1, "data.0.url", "https://example.com/hooks", "data.0.version", 1)
	})
}

// Without --allow-target the addresses of this machine are closed too.
func TestWithoutAllowTargetThisMachineIsClosed(t *testing.T) {
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		h.Closed = true
		_, key := h.Org(t, "Closed")
		c := h.Serve(t).Client(key)
		for _, url := range []string{"http://127.0.0.1:8080/x", "https://127.0.0.1/x", "https://localhost/x", "http://10.0.0.1/x"} {
			refused(t, c.Call(t, 400, "POST", "/api/v1/webhooks", body{"url": url, "events": []string{"*"}}), 400, "")
		}
	})
}

func TestATestDeliveryIsSent(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		for _, format := range []string{"portal", "pullup", "standard", "cloudevents"} {
			h := o.hook(t, format, nil)
			a := try(t, o.Client, "POST", "/api/v1/webhooks/"+h.ID+"/test", nil)
			if a.Status/100 != 2 {
				t.Fatalf("test of a %s endpoint = %d %s", format, a.Status, a.Body)
			}
			got := h.Await(t, soon, func(all []harness.Got) bool { return len(all) == 1 })
			if got[0].Bad != nil {
				t.Errorf("the test delivery of %s does not verify: %v", format, got[0].Bad)
			}
		}
	})
}

// Every attempt at a delivery has the same id and body, and a time and signature of its own; the log shows each as it was.
func TestAFailingDeliveryIsRetriedUntilItWorked(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		answers := []int{500, 204, 302, 200} // portal: only 200 counts
		h := o.hook(t, "portal", func(n int, _ harness.Got) int { return answers[min(n, 4)-1] }, "retry", body{"delays": []int{1, 1, 1}}, "headers", body{"X-Team": "blue"})
		ev := o.event(t)
		o.order(t, ev, "listingId", o.listing(t, ev))
		all := h.Await(t, soon, func(all []harness.Got) bool { return len(all) == 4 })
		var first, last int64
		for i, g := range all {
			if g.Header.Get("X-Webhook-Delivery") != all[0].Header.Get("X-Webhook-Delivery") || string(g.Body) != string(all[0].Body) || g.Header.Get("X-Team") != "blue" {
				t.Errorf("attempt %d differs from the first: %v\n%s", i+1, g.Header, g.Body)
			}
			stamp, err := strconv.ParseInt(g.Header.Get("X-Webhook-Timestamp"), 10, 64)
			if err != nil || stamp < last {
				t.Errorf("attempt %d has the timestamp %q after %d", i+1, g.Header.Get("X-Webhook-Timestamp"), last)
			}
			if last = stamp; i == 0 {
				first = stamp
			}
			if i > 0 && (g.At.Sub(all[i-1].At) < 750*time.Millisecond) {
				t.Errorf("attempt %d came %v after the one before, with a delay of 1 s ± 20 %%", i+1, g.At.Sub(all[i-1].At))
			}
		}
		if last-first < 2 { // three delays of at least 0.8 s each
			t.Errorf("the last of four attempts has the timestamp %d, the first %d: it was not made anew", last, first)
		}
		if all[3].Header.Get("X-Webhook-Signature") == all[0].Header.Get("X-Webhook-Signature") {
			t.Error("the last attempt bears the first one's signature")
		}

		var d harness.Answer
		eventually(t, func() bool {
			d = o.Call(t, 200, "GET", "/api/v1/webhooks/"+h.ID+"/deliveries", nil)
			return at(t, d.Body, "data.0.state") == "delivered"
		})
		expect(t, d.Body, "data.#", 1, "data.0.id", all[0].Header.Get("X-Webhook-Delivery"), "data.0.event", "order.confirmed", "data.0.nextAttemptAt", nil, "data.0.attempts.#", 4)
		for i, g := range all {
			p := fmt.Sprintf("data.0.attempts.%d.", i)
			expect(t, d.Body, p+"status", answers[i], p+"request.body", string(g.Body))
			sent, _ := at(t, d.Body, p+"request.headers").(map[string]any)
			for _, name := range []string{"X-Webhook-Signature", "X-Webhook-Timestamp", "X-Webhook-Event", "X-Webhook-Delivery", "Content-Type", "X-Team", "User-Agent"} {
				if !hasHeader(sent, name, g.Header.Get(name)) {
					t.Errorf("attempt %d: the log's request headers have not %s: %s\n%v", i+1, name, g.Header.Get(name), sent)
				}
			}
			if _, ok := at(t, d.Body, p+"timings").(map[string]any); !ok {
				t.Errorf("attempt %d has no timings: %s", i+1, d.Body)
			}
		}
	})
}

func hasHeader(headers map[string]any, name, value string) bool {
	for n, v := range headers {
		if strings.EqualFold(n, name) && fmt.Sprint(v) == value {
			return true
		}
	}
	return false
}

func TestTheLogKeeps16KiBOfAnAnswer(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		long := strings.Repeat("sorry ", 20_000)
		r := harness.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(503)
			_, _ = w.Write([]byte(long))
		})
		id := text(t, o.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": r, "events": []string{"*"}, "format": "standard", "retry": body{"delays": []int{}}}), "id")
		o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.x", "data": body{}})
		eventually(t, func() bool {
			d := o.Call(t, 200, "GET", "/api/v1/webhooks/"+id+"/deliveries", nil)
			if at(t, d.Body, "data.0.state") != "failed" {
				return false
			}
			kept, _ := at(t, d.Body, "data.0.attempts.0.response.body").(string)
			if len(kept) != 16<<10 || !strings.HasPrefix(long, kept) {
				t.Errorf("%d bytes of the answer were kept: %.40q", len(kept), kept)
			}
			expect(t, d.Body, "data.0.attempts.0.status", 503)
			return true
		})
	})
}

func TestRedeliveryKeepsTheID(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "portal", nil)
		ev := o.event(t)
		o.order(t, ev, "listingId", o.listing(t, ev))
		first := h.await(t, "order.confirmed", 1)
		id := first.Header.Get("X-Webhook-Delivery")
		path := "/api/v1/webhooks/" + h.ID + "/deliveries"
		eventually(t, func() bool { return at(t, o.Call(t, 200, "GET", path, nil).Body, "data.0.state") == "delivered" })
		if a := try(t, o.Client, "POST", path+"/"+id+"/redeliver", nil); a.Status/100 != 2 {
			t.Fatalf("redeliver = %d %s", a.Status, a.Body)
		}
		again := h.await(t, "order.confirmed", 2)
		if again.Header.Get("X-Webhook-Delivery") != id || string(again.Body) != string(first.Body) {
			t.Errorf("the redelivery is %s %s", again.Header.Get("X-Webhook-Delivery"), again.Body)
		}
		eventually(t, func() bool {
			d := o.Call(t, 200, "GET", path, nil)
			return at(t, d.Body, "data.0.state") == "delivered" && number(t, d.Body, "data.#") == 1 && number(t, d.Body, "data.0.attempts.#") == 2
		})
		expect(t, o.Call(t, 200, "GET", path+"/"+id, nil).Body, "id", id, "state", "delivered", "attempts.#", 2)
		refused(t, try(t, o.Client, "POST", path+"/00000000-0000-4000-8000-000000000000/redeliver", nil), 404, "")
	})
}

func TestWhatFailedIsRecovered(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		well := false
		h := o.hook(t, "standard", func(int, harness.Got) int {
			if well {
				return 200
			}
			return 500
		}, "retry", body{"delays": []int{}}, "events", []string{"acme.x"})
		o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.x", "data": body{"n": 0}})
		h.await(t, "acme.x", 1)
		time.Sleep(1100 * time.Millisecond)
		since := time.Now().UTC().Format(time.RFC3339Nano)
		for i := 1; i <= 3; i++ {
			o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.x", "data": body{"n": i}})
		}
		h.await(t, "acme.x", 4)
		path := "/api/v1/webhooks/" + h.ID
		eventually(t, func() bool {
			return number(t, o.Call(t, 200, "GET", path+"/deliveries?state=failed", nil).Body, "data.#") == 4
		})
		h.Pause(func() { well = true })
		if a := try(t, o.Client, "POST", path+"/recover", body{"since": since}); a.Status/100 != 2 {
			t.Fatalf("recover = %d %s", a.Status, a.Body)
		}
		all := h.Await(t, soon, func(all []harness.Got) bool { return ok(all) == 3 })
		ids := map[string]int{}
		for _, g := range all {
			ids[g.Header.Get("Webhook-Id")]++
		}
		if len(ids) != 4 {
			t.Errorf("four messages came with %d ids", len(ids))
		}
		refused(t, try(t, o.Client, "POST", path+"/recover", body{}), 400, "")
		refused(t, try(t, o.Client, "POST", path+"/recover", body{"since": "yesterday"}), 400, "")
	})
}

func TestDeliveriesForADisabledEndpointAreKeptAndRecovered(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		gone := true
		owner := o.hook(t, "standard", nil, "events", []string{"endpoint.disabled"})
		h := o.hook(t, "standard", func(int, harness.Got) int {
			if gone {
				return 410
			}
			return 200
		}, "events", []string{"acme.x"})
		path := "/api/v1/webhooks/" + h.ID
		since := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
		o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.x", "data": body{"n": 1}})
		eventually(t, func() bool { return at(t, o.Call(t, 200, "GET", path, nil).Body, "active") == false }) // 410 disables
		if body := string(o.Call(t, 200, "GET", path, nil).Body); !strings.Contains(body, "410") && !strings.Contains(strings.ToLower(body), "gone") {
			t.Errorf("the owner cannot see why the endpoint is disabled: %s", body)
		}
		expect(t, owner.await(t, "endpoint.disabled", 1).Body, "type", "endpoint.disabled")
		o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.x", "data": body{"n": 2}})
		eventually(t, func() bool {
			states := column(t, o.Call(t, 200, "GET", path+"/deliveries", nil), "data", "state")
			return len(states) == 2 && slices.Contains(states, "skipped") && slices.Contains(states, "failed")
		})
		if n := len(h.All()); n != 1 {
			t.Errorf("%d requests came to the endpoint that said 410", n)
		}
		h.Pause(func() { gone = false })
		o.Call(t, 200, "PATCH", path, body{"active": true})
		if a := try(t, o.Client, "POST", path+"/recover", body{"since": since}); a.Status/100 != 2 {
			t.Fatalf("recover = %d %s", a.Status, a.Body)
		} else {
			expect(t, a.Body, "recovered", 2)
		}
		t.Cleanup(func() {
			if t.Failed() {
				a, _ := o.Do(context.Background(), "GET", path+"/deliveries", nil)
				t.Logf("deliveries: %s", a.Body)
			}
		})
		h.Await(t, soon, func(all []harness.Got) bool { return ok(all) == 2 })
	})
}

// While a secret is rotated, receivers with the old and with the new one both accept; after the overlap only the new.
func TestARotationHasAnOverlap(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		for _, format := range []string{"standard", "portal", "pullup"} {
			h := o.hook(t, format, func(int, harness.Got) int { return 200 })
			a := o.Call(t, 200, "POST", "/api/v1/webhooks/"+h.ID+"/rotate-secret", body{"overlapSeconds": 3600})
			fresh := text(t, a, "secret")
			if fresh == h.Secret {
				t.Fatalf("%s: the secret is the old one", format)
			}
			h.Receiver.Lenient()
			o.Call(t, 202, "POST", "/api/v1/webhooks/"+h.ID+"/test", nil)
			g := h.Receiver.Await(t, soon, func(all []harness.Got) bool { return len(all) == 1 })[0]
			if err := verifies(schemes[format], h.Secret, g); err != nil {
				t.Errorf("%s: the old secret does not verify during the overlap: %v", format, err)
			}
			err := verifies(schemes[format], fresh, g)
			if format == "standard" && err != nil {
				t.Errorf("standard: the new secret does not verify during the overlap: %v", err)
			}
			if next := map[string]string{"portal": "X-Webhook-Signature-Next", "pullup": "X-Pullup-Signature-Next"}[format]; next != "" && g.Header.Get(next) == "" {
				t.Errorf("%s: no %s: %v", format, next, g.Header)
			}

			fresher := text(t, o.Call(t, 200, "POST", "/api/v1/webhooks/"+h.ID+"/rotate-secret", body{"overlapSeconds": 0}), "secret")
			o.Call(t, 202, "POST", "/api/v1/webhooks/"+h.ID+"/test", nil)
			g = h.Receiver.Await(t, soon, func(all []harness.Got) bool { return len(all) == 2 })[1]
			if err := verifies(schemes[format], fresher, g); err != nil {
				t.Errorf("%s: without overlap the new secret does not verify: %v", format, err)
			}
			for _, old := range []string{h.Secret, fresh} {
				if verifies(schemes[format], old, g) == nil {
					t.Errorf("%s: an old secret verifies after the overlap", format)
				}
			}
		}
	})
}

func verifies(scheme webhook.Scheme, secret string, g harness.Got) error {
	v, err := webhook.NewVerifier(scheme, webhook.Key{Text: secret})
	if err == nil {
		_, err = v.Verify(g.Header, g.Body, g.At)
	}
	return err
}

// A subscription holds from the place in the ledger at which it was made or changed.
func TestASubscriptionHoldsFromWhereItWasMade(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		say := func(event string) { o.Call(t, 202, "POST", "/api/v1/messages", body{"event": event, "data": body{}}) }
		say("acme.a")
		h := o.hook(t, "standard", nil, "events", []string{"acme.a"})
		say("acme.b")
		say("acme.a")
		o.Call(t, 200, "PATCH", "/api/v1/webhooks/"+h.ID, body{"events": []string{"acme.b", "mark.done"}})
		say("acme.a")
		say("acme.b")
		say("mark.done")
		h.await(t, "mark.done", 1)
		h.await(t, "acme.b", 1)
		names := h.names()
		slices.Sort(names)
		if diff := cmp.Diff([]string{"acme.a", "acme.b", "mark.done"}, names); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
	})
}

func TestRetryAfterIsAMinimum(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		var times []time.Time
		came := make(chan struct{}, 10)
		r := harness.Serve(t, func(w http.ResponseWriter, _ *http.Request) {
			times = append(times, time.Now())
			if len(times) == 1 {
				w.Header().Set("Retry-After", strconv.Itoa(3))
				w.WriteHeader(503)
			}
			came <- struct{}{}
		})
		o.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": r, "events": []string{"*"}, "format": "standard", "retry": body{"delays": []int{1}}})
		o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.x", "data": body{}})
		for range 2 {
			select {
			case <-came:
			case <-time.After(soon):
				t.Fatal("the second attempt does not come")
			}
		}
		if gap := times[1].Sub(times[0]); gap < 2900*time.Millisecond {
			t.Errorf("the second attempt came after %v, and the receiver had asked for 3 s", gap)
		}
	})
}

func TestARedirectIsAFailureAndIsNotFollowed(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		trap := harness.Receive(t, nil)
		r := harness.Serve(t, func(w http.ResponseWriter, req *http.Request) {
			http.Redirect(w, req, trap.URL, http.StatusTemporaryRedirect)
		})
		id := text(t, o.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": r, "events": []string{"*"}, "format": "standard", "retry": body{"delays": []int{}}}), "id")
		o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.x", "data": body{}})
		eventually(t, func() bool {
			d := o.Call(t, 200, "GET", "/api/v1/webhooks/"+id+"/deliveries", nil)
			return at(t, d.Body, "data.0.state") == "failed" && same(at(t, d.Body, "data.0.attempts.0.status"), 307)
		})
		if len(trap.All()) != 0 {
			t.Error("the redirect was followed")
		}
	})
}

// pullup's signature is over the body alone, as its specification has it.
func TestPullupSignsTheBody(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		h := o.hook(t, "pullup", nil)
		o.event(t)
		g := h.await(t, "event.updated", 1)
		if got := g.Header.Get("X-Pullup-Signature"); len(got) != hex.EncodedLen(sha256.Size) {
			t.Errorf("x-pullup-signature is %q, want a bare hexadecimal digest", got)
		}
		if g.Header.Get("X-Pullup-Delivery") == "" || g.Header.Get("X-Pullup-Event") != "event.updated" {
			t.Errorf("pullup headers: %v", g.Header)
		}
	})
}
