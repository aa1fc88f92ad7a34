package scope_test

import (
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

func TestSetsAreWrittenInTheOrderOfTheSpecification(t *testing.T) {
	const every = "profile:read profile:write events:read events:write tickets:read tickets:write checkin:read checkin:write stamps:read stamps:write webhooks:manage"
	if got := scope.All().String(); got != every {
		t.Errorf("All() = %q, want the eleven of the specification: %q", got, every)
	}
	set, err := scope.Parse("webhooks:manage events:read webhooks:manage")
	if err != nil || set.String() != "events:read webhooks:manage" {
		t.Errorf("Parse = %q, %v; want each once, in the specification's order", set, err)
	}
	for _, s := range scope.All().List() {
		if s.Words() == "" {
			t.Errorf("%s has no words for people", s)
		}
	}
}

func TestNamesOfStubHubStandForOurs(t *testing.T) {
	for name, want := range scope.Aliases() {
		if got, err := scope.Parse(name); err != nil || got != scope.Of(want) || want == "" {
			t.Errorf("Parse(%q) = %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"read:webhooks", "write:webhooks"} {
		if got, _ := scope.Named(name); got != scope.WebhooksManage {
			t.Errorf("Named(%q) = %q, want webhooks:manage", name, got)
		}
	}
}

func TestMalformedScopesAreRefused(t *testing.T) {
	for _, text := range []string{" ", "events:read ", " events:read", "events:read  tickets:read", "events", "events:*", "EVENTS:READ", "events:read,tickets:read", "administration"} {
		if set, err := scope.Parse(text); err == nil {
			t.Errorf("Parse(%q) = %q, want an error", text, set)
		}
	}
}

func TestScopesDoNotImplyOneAnother(t *testing.T) {
	for _, s := range scope.All().List() {
		if got := scope.Of(s).List(); len(got) != 1 || got[0] != s {
			t.Errorf("Of(%s).List() = %v, want itself alone", s, got)
		}
	}
	if !scope.All().Covers(scope.Of(scope.EventsRead)) || scope.Of(scope.EventsRead).Covers(scope.All()) {
		t.Error("Covers has its sides the wrong way round")
	}
}

// TestEveryKindOfFactIsSeenByDecision: a new kind of fact is nobody's but the organisation's until somebody says otherwise.
func TestEveryKindOfFactIsSeenByDecision(t *testing.T) {
	own := map[string]bool{"endpoint": true, "access": true}
	for _, k := range fact.Native() {
		noun, _, _ := strings.Cut(string(k), ".")
		if scope.All().Sees(k) == own[noun] {
			t.Errorf("a set of all scopes sees %s: %v", k, scope.All().Sees(k))
		}
		if scope.Set(0).Sees(k) {
			t.Errorf("no scopes at all see %s", k)
		}
	}
	if !scope.Of(scope.WebhooksManage).Sees("acme.moved") || (scope.All() &^ scope.Of(scope.WebhooksManage)).Sees("acme.moved") {
		t.Error("an organisation's own messages are seen with webhooks:manage, and with nothing else")
	}
	if !scope.Of(scope.TicketsRead).Sees(fact.OrderConfirmed) || scope.Of(scope.EventsRead).Sees(fact.OrderConfirmed) {
		t.Error("orders are seen with tickets:read, and with nothing else")
	}
}
