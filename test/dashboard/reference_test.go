package dashboard

import (
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// TestTheReferenceShowsEveryOperation that the server's own document has, and each webhook's example.
func TestTheReferenceShowsEveryOperation(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b := newHall(t, st).signIn(t)
		b.press("API reference").sees("Place an order", "Webhooks of the format pullup").sound("reference")
		missing := eval[[]string](b, `fetch('/openapi.json').then((r) => r.json()).then((d) => Object.values(d.paths).flatMap((p) => Object.values(p)).map((o) => o.operationId)
			.filter((id) => id && !document.querySelector('main a[href$="#' + CSS.escape(id) + '"]')))`)
		if len(missing) > 0 {
			t.Errorf("the contents lack %v", missing)
		}
		b.press("Place an order").sees("POST /api/v1/orders", "tickets:write", "curl -X POST").sound("reference-orders")
		b.open("~/reference/webhooks-pullup").sees("ticket.purchased").pressIn("ticket.purchased", "Example").sees("created_at")
	})
}
