package trigger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/trigger"
)

// server notes the calls and answers as an API does.
type server struct {
	calls  []string
	bodies []map[string]any
	fail   error // of the third call and those after it
	inside bool  // somebody is
}

func (s *server) Call(_ context.Context, method, path string, body, answer any) error {
	s.calls = append(s.calls, method+" "+path)
	sent, _ := json.Marshal(body)
	var b map[string]any
	if err := json.Unmarshal(sent, &b); err != nil {
		return err
	}
	s.bodies = append(s.bodies, b)
	if s.fail != nil && len(s.calls) > 2 {
		return s.fail
	}
	*answer.(*json.RawMessage) = fmt.Appendf(nil, `{"eventId":"evn_1","listingId":"lst_1","order":{"orderId":"order_1"},"id":"id_1",
		"data":[{"id":"tkt_1"},{"checkinId":"chk_2","status":"conflict"}],"code":"SD1:1","checkin":{"id":"chk_1"},"status":%q}`, s.scanned(b["direction"]))
	return nil
}

// scanned is how the last call is answered when it is a scan.
func (s *server) scanned(direction any) string {
	switch {
	case s.calls[len(s.calls)-1] != "POST /api/v1/checkin/scan":
		return "active"
	case direction == "exit":
		s.inside = false
		return "checked_out"
	case s.inside:
		return "already_checked_in"
	}
	s.inside = true
	return "checked_in"
}

func do(t *testing.T, s trigger.Server, event string, sets ...string) (made []trigger.Made, err error) {
	t.Helper()
	e, err := trigger.ByName(event)
	if err != nil {
		t.Fatal(err)
	}
	err = e.Do(t.Context(), s, sets, func(m trigger.Made) { made = append(made, m) })
	return made, err
}

func TestAnEventIsMadeByCalls(t *testing.T) {
	s := &server{}
	made, err := do(t, s, "order.fulfilled", "event.name=Gala = 1", "order.quantity=2", "order.customer.phone.number=\"5551234\"", "change.transferMethod=pickup", "listing.price=30.50")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"POST /api/v1/events", "POST /api/v1/inventory", "POST /api/v1/orders", "PATCH /api/v1/orders"}
	if diff := cmp.Diff(want, s.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]trigger.Made{{"event", "evn_1"}, {"listing", "lst_1"}, {"order", "order_1"}}, made); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
	event, listing, order, change := s.bodies[0], s.bodies[1], s.bodies[2], s.bodies[3]
	customer := map[string]any{"email": "trigger@example.com", "phone": map[string]any{"number": "5551234", "countryCode": "+1"}}
	switch {
	case event["name"] != "Gala = 1":
		t.Errorf("event: %v", event)
	case listing["eventId"] != "evn_1" || listing["price"] != 30.5:
		t.Errorf("listing: %v", listing)
	case order["listingId"] != "lst_1" || order["quantity"] != 2.0 || !cmp.Equal(order["customer"], any(customer)):
		t.Errorf("order: %v", order)
	case change["orderId"] != "order_1" || change["status"] != "fulfilled" || change["transferMethod"] != "pickup":
		t.Errorf("change: %v", change)
	}
}

func TestWhatCannotBeSetIsRefusedBeforeAnythingIsMade(t *testing.T) {
	for set, says := range map[string]string{
		"ticket.name=x":  `no "ticket" to set; there is event (`,
		"name=x":         "order.quantity=2",
		"order.quantity": "order.quantity=2",
		"order..x=1":     "order.quantity=2",
		".x=1":           "order.quantity=2",
		"change.x=1":     `no "change" to set`,
	} {
		s := &server{}
		_, err := do(t, s, "order.confirmed", set)
		if p := problem.As(err); p == nil || p.Kind != problem.Invalid || !strings.Contains(p.Detail, says) {
			t.Errorf("--set %s: %v, want %q", set, err, says)
		}
		if len(s.calls) > 0 {
			t.Errorf("--set %s: %v were called", set, s.calls)
		}
	}
	s := &server{}
	if _, err := do(t, s, "order.confirmed", "order.quantity.x=1"); problem.As(err) == nil {
		t.Errorf("a field of a number: %v, want a problem", err)
	}
	if _, err := trigger.ByName("order.eaten"); problem.As(err) == nil || !strings.Contains(err.Error(), "--list") {
		t.Errorf("an unknown event: %v", err)
	}
}

func TestAFailureSaysWhereAndOfWhat(t *testing.T) {
	s := &server{fail: problem.Field("/customer/email", "invalid", "This is no e-mail address.")}
	made, err := do(t, s, "order.confirmed")
	if p := problem.As(err); p == nil || p.Detail != "order.customer.email: This is no e-mail address." || len(p.Fields) > 0 || p.Kind != problem.Invalid {
		t.Errorf("%v, want the field as it is set", err)
	}
	if len(made) != 2 {
		t.Errorf("made: %v", made)
	}
	s = &server{fail: errors.New("gone")}
	if _, err := do(t, s, "order.confirmed"); err == nil || err.Error() != "order: gone" {
		t.Errorf("%v, want the step and the error", err)
	}
}

// What a trigger makes can be told from what others made.
func TestEverythingSaysTrigger(t *testing.T) {
	var names []string
	for _, e := range trigger.Table() {
		if slices.Contains(names, e.Name) || len(e.Formats) == 0 || !slices.IsSorted(e.Formats) || e.Says == "" {
			t.Errorf("%s stands in the table twice, or is not described", e.Name)
		}
		names = append(names, e.Name)
		s := &server{}
		if _, err := do(t, s, e.Name); err != nil {
			t.Errorf("%s: %v", e.Name, err)
			continue
		}
		for i, b := range s.bodies {
			if name, ok := b["name"].(string); ok && s.calls[i] != "PATCH" && !strings.HasPrefix(name, "Trigger ") {
				t.Errorf("%s makes something with the name %q", e.Name, name)
			}
			if text := fmt.Sprint(b); strings.Contains(text, "{") {
				t.Errorf("%s: %s %s leaves something to fill in", e.Name, s.calls[i], text)
			}
		}
	}
}
