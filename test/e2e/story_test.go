package e2e

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/test/interop/portal/receiver"
	"github.com/stagedoorhq/stagedoor/webhook"
)

var (
	uuid       = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	instant    = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	orderID    = regexp.MustCompile(`^order_\d+$`)
	ticNumber  = regexp.MustCompile(`^TIC-[0-9A-Z]{9}$`)
	listingHex = regexp.MustCompile(`^[0-9a-f]{24}$`)
)

// story is an order on its way, and the endpoints that are told of it.
type story struct {
	*org
	event, listing, order string
	portal, standard, v1a *hook
	cloud, pullup         *hook
	printed               []*receiver.Receiver
	steps                 int // webhooks of the order so far
}

// Every step of an order reaches every subscriber, each in its own vocabulary, exactly as specified.
func TestAnOrderMovesOnAndEverySubscriberHearsOfIt(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		s := &story{org: open(t, st)}
		s.subscribe(t)
		s.event = s.org.event(t, "eventId", "EV-7001")
		s.listing = s.org.listing(t, s.event, "section", "B", "row", "4", "price", "50.22", "seats", []string{"1", "2", "3", "4", "5", "6"}, "quantity", 6)

		s.step(t, "order.confirmed", "", "", s.Call(t, 201, "POST", "/api/v1/orders", newOrder(s.event, "listingId", s.listing, "quantity", 3)))
		s.step(t, "order.accepted", "confirmed", "", s.move(t, 200, s.order, "accepted"))
		s.step(t, "order.purchase_issues", "accepted", "", s.Call(t, 200, "POST", "/api/v1/orders/"+s.order+"/issue", body{"reason": "the seller does not answer"}))
		s.step(t, "order.confirmed", "purchase_issues", "", s.move(t, 200, s.order, "confirmed"))
		s.step(t, "order.fulfilled", "confirmed", "email Sent as PDF", s.move(t, 200, s.order, "fulfilled", "transferMethod", "email", "transferNote", "Sent as PDF"))
		s.step(t, "order.cancelled", "fulfilled", "", s.move(t, 200, s.order, "cancelled"))

		part := s.Call(t, 200, "POST", "/api/v1/orders/"+s.order+"/refund", body{"amount": "50.66", "reason": "one of three"})
		expect(t, s.Call(t, 200, "GET", "/api/v1/orders/"+s.order, nil).Body, "status", "cancelled", "refundedAmount", amount("50.66"))
		s.heard(t, "order.refunded", "part of the refund", part)
		s.step(t, "order.refunded", "cancelled", "", s.Call(t, 200, "POST", "/api/v1/orders/"+s.order+"/refund", nil))
		expect(t, s.Call(t, 200, "GET", "/api/v1/orders/"+s.order, nil).Body, "status", "refunded", "refundedAmount", amount("150.66"), "totalAmount", amount("150.66"))

		s.others(t)
	})
}

func (s *story) subscribe(t *testing.T) {
	t.Helper()
	s.cloud = s.hook(t, "cloudevents", nil)
	s.v1a = s.hook(t, "standard", nil, "signature", "v1a")
	s.pullup = s.hook(t, "", nil, "format", absent{})
	for _, sample := range []receiver.Sample{receiver.Verification, receiver.Replay} {
		secret := webhook.NewSecret()
		r := receiver.Start(t, secret, sample)
		s.st.Run(t, "endpoint", "create", "--org", s.slug, "--url", r.URL, "--format", "portal", "--secret", secret, "--allow-target", "127.0.0.0/8", "--json")
		s.printed = append(s.printed, r)
	}
	s.portal = s.cliHook(t, "portal")
	s.standard = s.cliHook(t, "standard", "--signature", "v1") // the last, so that the others are noticed with it
	noticed(t, s.Client, s.standard.Receiver)
}

// cliHook makes an endpoint by the command, beside the running server.
func (s *story) cliHook(t *testing.T, format string, more ...string) *hook {
	t.Helper()
	h := &hook{Receiver: harness.Receive(t, nil), Format: format}
	out := s.st.Run(t, append([]string{"endpoint", "create", "--org", s.slug, "--url", h.URL, "--format", format, "--allow-target", "127.0.0.0/8", "--json"}, more...)...)
	var made struct{ ID, Secret string }
	if err := json.Unmarshal(out, &made); err != nil || made.Secret == "" {
		t.Fatalf("endpoint create wrote %s", out)
	}
	h.ID, h.Secret = made.ID, made.Secret
	h.Verify(t, schemes[format], made.Secret)
	return h
}

// step holds an answer and the webhook that it caused against the specification. transfer is the transfer method and note, if any.
func (s *story) step(t *testing.T, event, previous, transfer string, a harness.Answer) {
	t.Helper()
	status := strings.TrimPrefix(event, "order.")
	s.answer(t, event, status, previous, a)
	g := s.heard(t, event, event, a)

	order := []string{"eventId", "eventName", "eventDate", "eventVenue", "eventLocation", "section", "row", "listingId", "quantity", "status", "totalAmount", "currency", "customer"}
	switch {
	case transfer != "":
		order = append(order, "transferMethod", "transferNote", "previousStatus", "createdAt", "updatedAt")
	case previous != "":
		order = append(order, "createdAt", "updatedAt", "previousStatus")
	default:
		order = append(order, "createdAt", "updatedAt")
	}
	if diff := cmp.Diff([]string{"event", "orderId", "order", "timestamp"}, members(t, g.Body, "")); diff != "" {
		t.Errorf("%s: members of the delivery (-specified +sent):\n%s", event, diff)
	}
	sent := members(t, g.Body, "order")
	if event == "order.refunded" { // says how much beside what is specified
		sent = slices.DeleteFunc(sent, func(m string) bool { return m == "refundAmount" || m == "refundedAmount" })
	}
	if diff := cmp.Diff(order, sent); diff != "" {
		t.Errorf("%s: members of the delivery's order (-specified +sent):\n%s", event, diff)
	}
	expect(t, g.Body, "event", event, "orderId", s.order, "timestamp", instant,
		"order.eventId", "EV-7001", "order.eventName", "Harbor Jazz Night", "order.eventDate", "2031-08-14T18:30:00.000Z",
		"order.eventVenue", "Pier Hall", "order.eventLocation", "Oslo, NO", "order.section", "B", "order.row", "4", "order.listingId", s.listing,
		"order.quantity", 3, "order.status", status, "order.totalAmount", raw("150.66"), "order.currency", "USD",
		"order.customer.email", "buyer@example.com", "order.customer.phone.number", "5551234567", "order.customer.phone.countryCode", "+1",
		"order.createdAt", instant, "order.updatedAt", instant)
	if previous != "" {
		expect(t, g.Body, "order.previousStatus", previous)
	}
	if transfer != "" {
		method, note, _ := strings.Cut(transfer, " ")
		expect(t, g.Body, "order.transferMethod", method, "order.transferNote", note)
	}
}

// native is the status as the API calls it, which is as the portal format does but for one.
func native(status string) any {
	if status == "purchase_issues" {
		return regexp.MustCompile(`^(purchase_issues|issue)$`)
	}
	if status == "" {
		return absent{}
	}
	return status
}

// answer holds the envelope of POST and PATCH /orders, of issue and of refund against the specification.
func (s *story) answer(t *testing.T, event, status, previous string, a harness.Answer) {
	t.Helper()
	if diff := cmp.Diff([]string{"success", "message", "order", "webhook", "timestamp"}, members(t, a.Body, "")); diff != "" {
		t.Errorf("%s: members of the answer (-specified +sent):\n%s", event, diff)
	}
	if s.order == "" {
		s.order = text(t, a, "order.orderId")
		if got, want := a.Header.Get("Location"), "/api/v1/orders/"+s.order; !strings.HasSuffix(got, want) {
			t.Errorf("Location of the order is %q, want %q", got, want)
		}
	}
	specified := []string{
		"orderId", "orderNumber", "eventId", "eventName", "eventDate", "eventVenue", "eventLocation", "section", "row", "listingId", "quantity",
		"status", "totalAmount", "customer", "createdAt", "updatedAt", "previousStatus",
	}
	if previous == "" {
		specified = specified[:len(specified)-1]
	}
	got := members(t, a.Body, "order")
	for _, m := range specified {
		if !slices.Contains(got, m) {
			t.Errorf("%s: the answer's order has no %s: %v", event, m, got)
		}
	}
	expect(t, a.Body, "success", true, "message", filled, "timestamp", instant, "webhook.event", event, "webhook.sent", true,
		"order.orderId", orderID, "order.orderNumber", ticNumber, "order.eventDate", "2031-08-14T18:30:00.000Z", "order.eventVenue", "Pier Hall",
		"order.eventLocation", "Oslo, NO", "order.listingId", listingHex, "order.quantity", 3, "order.totalAmount", raw("150.66"), "order.currency", "USD",
		"order.status", native(status), "order.previousStatus", native(previous), "order.createdAt", instant, "order.updatedAt", instant)
	if slices.Contains([]string{"accepted", "fulfilled", "cancelled"}, status) {
		expect(t, a.Body, "message", fmt.Sprintf("Order %s updated to %s successfully", s.order, status))
	}
}

// heard waits for the portal delivery that an answer promised, holds its headers against the specification, and has the same fact arrive
// at all who subscribed.
func (s *story) heard(t *testing.T, event, what string, a harness.Answer) harness.Got {
	t.Helper()
	expect(t, a.Body, "webhook.event", event, "webhook.sent", true)
	s.steps++
	all := s.portal.Await(t, soon, func(all []harness.Got) bool { return len(all) >= s.steps })
	g := all[s.steps-1]
	if g.Bad != nil || name(g) != event {
		t.Fatalf("%s: delivery %d is %s: %v", what, s.steps, name(g), g.Bad)
	}
	stamp, _ := strconv.ParseInt(g.Header.Get("X-Webhook-Timestamp"), 10, 64)
	if age := g.At.Unix() - stamp; age < -2 || age > 60 {
		t.Errorf("%s: X-Webhook-Timestamp is %q, which is %d seconds ago", what, g.Header.Get("X-Webhook-Timestamp"), age)
	}
	for header, want := range map[string]*regexp.Regexp{
		"X-Webhook-Signature": regexp.MustCompile(`^sha256=[0-9a-f]{64}$`), "X-Webhook-Event": regexp.MustCompile("^" + regexp.QuoteMeta(event) + "$"),
		"X-Webhook-Delivery": uuid, "Content-Type": regexp.MustCompile(`^application/json`),
	} {
		if got := g.Header.Values(header); len(got) != 1 || !want.MatchString(got[0]) {
			t.Errorf("%s: %s is %q", what, header, got)
		}
	}
	s.described(t, s.portal, g)
	for _, p := range s.printed {
		d := p.Await(t, s.steps)[s.steps-1]
		if d.Status != 200 || d.Event != event || string(d.Body) != string(g.Body) {
			t.Errorf("%s: the receiver of the specification answered %d to %s\n%s", what, d.Status, d.Event, d.Body)
		}
	}
	return g
}

// described holds a delivery against the webhooks section of the server's document.
func (s *story) described(t *testing.T, h *hook, g harness.Got) {
	t.Helper()
	format := h.Format
	if format == "" {
		format = "pullup"
	}
	if strings.HasPrefix(name(g), "mark.") {
		return
	}
	if err := s.st.Contract.Webhook(format+":"+name(g), g.Header.Get("Content-Type"), g.Body); err != nil {
		t.Errorf("%s: %v", h.Format, err)
	}
}

// others looks at what came to the endpoints of the other formats.
func (s *story) others(t *testing.T) {
	t.Helper()
	want := []string{
		"event.published", "listing.changed", "order.confirmed", "order.accepted", "order.issue_raised", "order.confirmed", "order.fulfilled",
		"order.cancelled", "refund.completed", "refund.completed",
		"ticket.issued", "ticket.issued", "ticket.issued", "ticket.voided", "ticket.voided", "ticket.voided",
	}
	slices.Sort(want)
	for _, h := range []*hook{s.standard, s.v1a, s.cloud} {
		h.Await(t, soon, func(all []harness.Got) bool {
			told := slices.DeleteFunc(slices.Clone(all), func(g harness.Got) bool { return strings.HasPrefix(name(g), "mark.") })
			return len(told) >= len(want)
		})
		names, got := h.quiet(t, s.org), h.All()
		slices.Sort(names)
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", h.Format, diff)
		}
		for _, g := range got {
			if g.Bad != nil {
				t.Errorf("%s: %s does not verify: %v", h.Format, name(g), g.Bad)
			}
			s.described(t, h, g)
			s.open(t, h, g)
		}
	}
	if got := s.v1a.All()[0].Header.Get("Webhook-Signature"); !strings.HasPrefix(got, "v1a,") {
		t.Errorf("an endpoint with the signature v1a got %q", got)
	}
	if !strings.HasPrefix(s.v1a.Secret, "whpk_") {
		t.Errorf("the endpoint with the signature v1a shows %.8q…, want the public key whpk_…", s.v1a.Secret)
	}
	s.pullup.await(t, "ticket.cancelled", 3)
	heard := map[string]int{}
	for _, g := range s.pullup.All() {
		if strings.HasPrefix(name(g), "mark.") {
			continue
		}
		if diff := cmp.Diff([]string{"id", "event", "created_at", "data"}, members(t, g.Body, "")); diff != "" {
			t.Errorf("pullup delivery of %s (-want +got):\n%s", name(g), diff)
		}
		heard[name(g)]++
		s.described(t, s.pullup, g)
		expect(t, g.Body, "id", regexp.MustCompile(`^evt_`), "data.event_id", "EV-7001")
		if strings.HasPrefix(name(g), "ticket.") {
			expect(t, g.Body, "data.ticket_id", regexp.MustCompile(`^tkt_[0-9a-z]{26}$`), "data.order_id", s.order, "data.tier", "B", "data.places", 3,
				"data.price.amount", "50.22", "data.price.currency", "USD")
		}
		if got := g.Header.Get("X-Pullup-Event"); got != name(g) {
			t.Errorf("x-pullup-event of %s is %q", name(g), got)
		}
	}
	if diff := cmp.Diff(map[string]int{"event.updated": 1, "ticket.purchased": 3, "ticket.cancelled": 3}, heard); diff != "" {
		t.Errorf("pullup deliveries (-want +got):\n%s", diff)
	}
}

// open holds an envelope of the two open formats against its standard.
func (s *story) open(t *testing.T, h *hook, g harness.Got) {
	t.Helper()
	id := g.Header.Get("Webhook-Id")
	if !strings.HasPrefix(id, "evt_") {
		t.Errorf("%s: webhook-id is %q, want the fact's id", h.Format, id)
	}
	signed(t, h, g)
	if h.Format == "cloudevents" {
		expect(t, g.Body, "specversion", "1.0", "id", id, "source", filled, "type", filled, "time", filled, "datacontenttype", "application/json")
		if ct := g.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/cloudevents+json") {
			t.Errorf("cloudevents: Content-Type is %q", ct)
		}
	} else if diff := cmp.Diff([]string{"type", "timestamp", "data"}, members(t, g.Body, "")); diff != "" {
		t.Errorf("standard: members (-want +got):\n%s", diff)
	}
	if strings.HasPrefix(name(g), "order.") {
		expect(t, g.Body, "data.orderId", s.order, "data.customer.email", "buyer@example.com")
	}
}

// signed verifies a signature as Standard Webhooks 1.0.0 describes it, without our own package.
func signed(t *testing.T, h *hook, g harness.Got) {
	t.Helper()
	content := g.Header.Get("Webhook-Id") + "." + g.Header.Get("Webhook-Timestamp") + "." + string(g.Body)
	version, value, _ := strings.Cut(g.Header.Get("Webhook-Signature"), ",")
	_, encoded, _ := strings.Cut(h.Secret, "_")
	key, err1 := base64.StdEncoding.DecodeString(encoded)
	signature, err2 := base64.StdEncoding.DecodeString(value)
	if err1 != nil || err2 != nil {
		t.Fatalf("not base64: %.12q… or %q", h.Secret, value)
	}
	right := false
	switch version {
	case "v1":
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(content))
		right = hmac.Equal(mac.Sum(nil), signature)
	case "v1a":
		right = ed25519.Verify(key, []byte(content), signature)
	}
	if !right {
		t.Errorf("%s: %s is no signature of %.80s…", h.Format, g.Header.Get("Webhook-Signature"), content)
	}
}

// An endpoint that asks for redaction hears the same, without the customer.
func TestARedactedEndpointHearsNothingOfThePerson(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		hooks := []*hook{o.hook(t, "portal", nil, "redact", true), o.hook(t, "standard", nil, "redact", true), o.hook(t, "cloudevents", nil, "redact", true)}
		ev := o.event(t)
		o.order(t, ev, "listingId", o.listing(t, ev))
		for _, h := range hooks {
			g := h.await(t, "order.confirmed", 1)
			for _, private := range []string{"buyer@example.com", "5551234567"} {
				if strings.Contains(string(g.Body), private) {
					t.Errorf("%s: a redacted delivery has %q in it: %s", h.Format, private, g.Body)
				}
			}
		}
	})
}
