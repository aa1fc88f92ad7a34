package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// asClient runs a command that speaks to the organisation's server with its key.
func (o *org) asClient(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), harness.Binary(t), args...)
	cmd.Env = append(os.Environ(), "STAGEDOOR_URL="+o.st.URL, "STAGEDOOR_KEY="+o.Key)
	var diag bytes.Buffer
	cmd.Stderr = &diag
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("stagedoor %s: %v\n%s%s", strings.Join(args, " "), err, out, diag.Bytes())
	}
	return out
}

// Whatever trigger lists happens, and each format that carries it tells of it.
func TestEveryTriggerTellsItsEvent(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		var list struct {
			Events []struct {
				Event   string
				Formats []string
			}
		}
		if err := json.Unmarshal(o.asClient(t, "trigger", "--list", "--json"), &list); err != nil {
			t.Fatal(err)
		}
		if len(list.Events) < 20 {
			t.Fatalf("it lists %d events only", len(list.Events))
		}
		for _, e := range list.Events {
			t.Run(e.Event, func(t *testing.T) {
				var hooks []*hook
				for _, format := range e.Formats {
					hooks = append(hooks, o.hook(t, format, nil, "events", []string{e.Event}))
				}
				out := o.asClient(t, "trigger", e.Event, "--json")
				if n := len(members(t, out, "made")); n == 0 {
					t.Errorf("it made nothing: %s", out)
				}
				for _, h := range hooks {
					h.await(t, e.Event, 1)
					if names := h.names(); slices.ContainsFunc(names, func(n string) bool { return n != e.Event }) {
						t.Errorf("%s: %v came", h.Format, names)
					}
					o.Call(t, 204, "DELETE", "/api/v1/webhooks/"+h.ID, nil)
				}
			})
		}
	})
}

func TestATriggerTakesOtherValues(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		out := o.asClient(t, "trigger", "order.fulfilled", "--json", "--set", "event.name=Gala", "--set", "order.quantity=2", "--set", `listing.price="12.50"`, "--set", "change.transferMethod=pickup")
		id, _ := at(t, out, "made.order").(string)
		a := o.Call(t, 200, "GET", "/api/v1/orders/"+id, nil)
		expect(t, a.Body, "eventName", "Gala", "quantity", 2, "totalAmount", 25, "status", "fulfilled", "transferMethod", "pickup")
	})
}
