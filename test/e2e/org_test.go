package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// soon is how long a test waits for what should happen at once; test machines may be busy.
const soon = 90 * time.Second

// org is an organisation of the test's own, seen through the API with a key that may do everything.
type org struct {
	*harness.Client
	st   *harness.Stage
	slug string
}

var serial atomic.Int64

// open makes an organisation on a stage.
func open(t *testing.T, st *harness.Stage) *org {
	t.Helper()
	slug, key := st.Org(t, fmt.Sprintf("Hall %d", serial.Add(1)))
	return &org{Client: st.Client(key), st: st, slug: slug}
}

// key makes another key of the organisation.
func (o *org) key(t *testing.T, args ...string) *harness.Client {
	t.Helper()
	var k struct{ ID, Key string }
	out := o.st.Run(t, append([]string{"key", "create", "--org", o.slug, "--json"}, args...)...)
	if err := json.Unmarshal(out, &k); err != nil || k.Key == "" {
		t.Fatalf("key create wrote %s", out)
	}
	return o.st.Client(k.Key)
}

// body is a JSON object to send.
type body = map[string]any

// absent stands for a member that is not there.
type absent struct{}

// with sets members of a body, given as names and values; absent removes one.
func with(b body, over ...any) body {
	for i := 0; i < len(over); i += 2 {
		name := over[i].(string)
		if _, gone := over[i+1].(absent); gone {
			delete(b, name)
		} else {
			b[name] = over[i+1]
		}
	}
	return b
}

func newEvent(over ...any) body {
	return with(body{
		"name": "Harbor Jazz Night", "startLocal": "2031-08-14T20:30:00", "timezone": "Europe/Oslo",
		"venue": "Pier Hall", "city": "Oslo", "country": "NO", "currency": "USD",
	}, over...)
}

// event makes an event and returns its id.
func (o *org) event(t *testing.T, over ...any) string {
	t.Helper()
	return text(t, o.Call(t, 201, "POST", "/api/v1/events", newEvent(over...)), "eventId")
}

func newListing(event string, over ...any) body {
	return with(body{"eventId": event, "section": "101", "row": "A", "quantity": 20, "price": "75.00"}, over...)
}

// listing lists tickets and returns the listing's id.
func (o *org) listing(t *testing.T, event string, over ...any) string {
	t.Helper()
	return text(t, o.Call(t, 201, "POST", "/api/v1/inventory", newListing(event, over...)), "listingId")
}

func customer() body {
	return body{"email": "buyer@example.com", "phone": body{"number": "5551234567", "countryCode": "+1"}}
}

func newOrder(event string, over ...any) body {
	return with(body{"eventId": event, "quantity": 2, "customer": customer()}, over...)
}

// order places an order and returns its id.
func (o *org) order(t *testing.T, event string, over ...any) string {
	t.Helper()
	return text(t, o.Call(t, 201, "POST", "/api/v1/orders", newOrder(event, over...)), "order.orderId")
}

// move sets an order's status.
func (o *org) move(t *testing.T, want int, order, status string, over ...any) harness.Answer {
	t.Helper()
	return o.Call(t, want, "PATCH", "/api/v1/orders", with(body{"orderId": order, "status": status}, over...))
}

// hook is a webhook endpoint, and what it receives.
type hook struct {
	*harness.Receiver
	ID, Secret, Format string
}

// hook makes an endpoint whose deliveries are verified. answer says the status for each; nil is 200.
func (o *org) hook(t *testing.T, format string, answer func(n int, g harness.Got) int, over ...any) *hook {
	t.Helper()
	h := &hook{Receiver: harness.Receive(t, answer), Format: format}
	a := o.Call(t, 201, "POST", "/api/v1/webhooks", with(body{"url": h.URL, "events": []string{"*"}, "format": format}, over...))
	h.ID, h.Secret = text(t, a, "id"), text(t, a, "secret")
	h.Verify(t, schemes[format], h.Secret)
	return h
}

var schemes = map[string]webhook.Scheme{
	"": webhook.Pullup, "portal": webhook.Portal, "pullup": webhook.Pullup, "standard": webhook.Standard, "cloudevents": webhook.Standard,
}

// noticed publishes messages until a receiver that was made beside the server hears one. A server notices what was
// made beside it within a second (design, decision 13).
func noticed(t *testing.T, c *harness.Client, r *harness.Receiver) {
	t.Helper()
	eventually(t, func() bool {
		c.Call(t, 202, "POST", "/api/v1/messages", body{"event": "mark.hello", "data": body{}})
		return len(r.All()) > 0
	})
}

// name is the event that a delivery tells, as its format calls it.
func name(g harness.Got) string {
	var b struct{ Event, Type string }
	_ = json.Unmarshal(g.Body, &b)
	return b.Event + b.Type
}

// await waits for the n'th delivery of an event and returns it. Every delivery must verify.
func (h *hook) await(t *testing.T, event string, n int) harness.Got {
	t.Helper()
	var found harness.Got
	got := h.Receiver.Await(t, soon, func(all []harness.Got) bool {
		left := n
		for _, g := range all {
			if name(g) == event {
				if left--; left == 0 {
					found = g
					return true
				}
			}
		}
		return false
	})
	for _, g := range got {
		if g.Bad != nil {
			t.Fatalf("%s delivery of %s does not verify: %v\n%v", h.Format, name(g), g.Bad, g.Header)
		}
	}
	return found
}

// names are the events that have come so far, in order.
func (h *hook) names() []string {
	var all []string
	for _, g := range h.All() {
		all = append(all, name(g))
	}
	return all
}

// quiet waits until a message that was published now has come, so that what was to come before it has come too, and returns all names
// but the message's. The endpoint's format must carry messages.
func (h *hook) quiet(t *testing.T, o *org) []string {
	t.Helper()
	mark := fmt.Sprintf("mark.n%d", serial.Add(1))
	o.Call(t, 202, "POST", "/api/v1/messages", body{"event": mark, "data": body{}})
	h.await(t, mark, 1)
	time.Sleep(200 * time.Millisecond) // deliveries of one lane run beside each other
	var rest []string
	for _, n := range h.names() {
		if !strings.HasPrefix(n, "mark.") {
			rest = append(rest, n)
		}
	}
	return rest
}

// eventually waits until something holds.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); !holds(); {
		if time.Now().After(deadline) {
			t.Fatal("it does not come about")
		}
		time.Sleep(100 * time.Millisecond)
	}
}
