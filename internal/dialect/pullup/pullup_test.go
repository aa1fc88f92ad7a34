package pullup_test

import (
	"context"
	"encoding/json"
	"flag"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/dialect/dialecttest"
	"github.com/stagedoorhq/stagedoor/internal/dialect/pullup"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/webhook"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestDialect(t *testing.T) {
	dialecttest.Suite{
		New: func(dialecttest.People) delivery.Dialect { return pullup.New() }, Scheme: webhook.Pullup, Update: *update,
	}.Run(t)
}

// TestSpecificationsSixMayBeSubscribed, also where nothing leads to them yet.
func TestSpecificationsSixMayBeSubscribed(t *testing.T) {
	events := pullup.New().Events()
	for _, name := range []string{
		"ticket.purchased", "ticket.cancelled", "checkin.completed", "event.updated", "event.soldout", "stamp.awarded",
	} {
		if !slices.Contains(events, name) {
			t.Errorf("Events() = %q lacks %q", events, name)
		}
	}
}

// TestNamesAreSnakeCase in every envelope of ours, and changes names fields of the event that stands beside it.
func TestNamesAreSnakeCase(t *testing.T) {
	d := pullup.New()
	good := regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*$`)
	var check func(what string, v any)
	check = func(what string, v any) {
		if o, ok := v.(map[string]any); ok {
			for name, inner := range o {
				if !good.MatchString(name) {
					t.Errorf("envelope of %s has the name %q, want snake_case", what, name)
				}
				check(what, inner)
			}
		}
	}
	for _, c := range dialecttest.Cases() {
		name, ok := d.Name(c.Fact.Kind)
		if !ok {
			continue
		}
		b, err := d.Render(context.Background(), c.Fact, dialecttest.Endpoint("pullup", false))
		if err != nil {
			t.Fatalf("Render(%s) failed: %v", c.Name, err)
		}
		var env map[string]any
		if err := json.Unmarshal(b, &env); err != nil {
			t.Fatalf("Render(%s) is not JSON: %v", c.Name, err)
		}
		check(c.Name, env)
		if name != "event.updated" {
			continue
		}
		data := env["data"].(map[string]any)
		changes := data["changes"].([]any)
		if len(changes) == 0 {
			t.Errorf("envelope of %s says that nothing changed:\n%s", c.Name, b)
		}
		for _, field := range changes {
			if _, ok := data["event"].(map[string]any)[field.(string)]; !ok {
				t.Errorf("envelope of %s says that %q changed, which its event has not:\n%s", c.Name, field, b)
			}
		}
	}
}

// TestOrdersAreNotTold: they are the portal's.
func TestOrdersAreNotTold(t *testing.T) {
	for _, k := range []fact.Kind{fact.OrderConfirmed, fact.OrderFulfilled, fact.RefundCompleted, fact.ListingChanged, fact.EndpointFailing} {
		if name, ok := pullup.New().Name(k); ok {
			t.Errorf("Name(%s) = %q, want none", k, name)
		}
	}
}

func TestMessageIDIsTheDeliverys(t *testing.T) {
	d := id.Delivery{Day: 20475, Seq: 41, Endpoint: 12}
	if got := pullup.New().MessageID(&fact.Fact{ID: id.Fact{Day: 20475, Seq: 41}}, d); got != d.String() {
		t.Errorf("MessageID() = %q, want the delivery's UUID %q", got, d)
	}
}

// TestSignatureIsBareHexOfTheBody, as the specification's sample compares it.
func TestSignatureIsBareHexOfTheBody(t *testing.T) {
	s, err := pullup.New().Signer(dialecttest.Endpoint("pullup", false))
	if err != nil {
		t.Fatal(err)
	}
	h, err := s.AppendHeaders(nil, webhook.Message{ID: "d", Event: "event.updated", Time: dialecttest.At(), Body: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"X-Pullup-Signature", "X-Pullup-Event", "X-Pullup-Delivery"}
	var got []string
	for _, f := range h {
		got = append(got, f.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers differ (-want +got):\n%s", diff)
	}
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(h[0].Value) {
		t.Errorf("x-pullup-signature is %q, want 64 hexadecimal digits", h[0].Value)
	}
}
