package e2e

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// TestAPullEndpointHandsOnToAWebhook: what a provider posts arrives at the webhook byte for byte, signed with the webhook's secret, under the event's id; it is tried
// again when that fails, and what was deleted meanwhile is not sent any more.
func TestAPullEndpointHandsOnToAWebhook(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		c := open(t, st)
		fails := make(chan bool, 100)
		to := harness.Receive(t, func(int, harness.Got) int {
			select {
			case <-fails:
				return http.StatusServiceUnavailable
			default:
				return http.StatusOK
			}
		})
		var hook struct{ ID, Secret string }
		c.Call(t, 201, "POST", "/api/v1/webhooks", map[string]any{
			"url": to.URL, "format": "forward", "events": []string{"*"}, "retry": map[string]any{"delays": []int{1, 1, 1}},
		}).Decode(t, &hook)
		to.Verify(t, webhook.Standard, hook.Secret)
		var other struct{ ID string }
		c.Call(t, 201, "POST", "/api/v1/webhooks", map[string]any{"url": to.URL, "events": []string{"checkin.completed"}}).Decode(t, &other)
		for _, bad := range []string{"wh_00000000000000000000000000", other.ID} {
			if a := c.Call(t, 400, "POST", "/v1/pull-endpoints", map[string]any{"forward_to": bad}); !bytes.Contains(a.Body, []byte("forward_to")) {
				t.Errorf("forward_to %s: %s, want the field named", bad, a.Body)
			}
		}
		var box struct {
			Data struct {
				ID        string `json:"id"`
				Ingest    string `json:"ingest_url"`
				ForwardTo string `json:"forward_to"`
			}
		}
		c.Call(t, 201, "POST", "/v1/pull-endpoints", map[string]any{"provider": "github", "forward_to": hook.ID}).Decode(t, &box)
		if box.Data.ForwardTo != hook.ID {
			t.Errorf("forward_to is shown as %q, want %q", box.Data.ForwardTo, hook.ID)
		}
		path := box.Data.Ingest[strings.Index(box.Data.Ingest, "/v1/"):]
		post := func(body []byte, header ...string) (id string) {
			t.Helper()
			var taken struct {
				Data struct {
					ID string `json:"event_id"`
				}
			}
			a := c.Call(t, 202, "POST", path, string(body), append(header, "X-API-Key", "", "X-GitHub-Event", "push", "Content-Type", "application/x-thing; v=1")...)
			a.Decode(t, &taken)
			return taken.Data.ID
		}
		bodies := [][]byte{[]byte("{ \"a\" : 1 }\r\n"), []byte("\xff\x00 no text"), []byte("3")}
		ids := map[string]string{}
		fails <- true
		for _, b := range bodies {
			ids[post(b)] = string(b)
		}
		got := to.Await(t, time.Minute, func(all []harness.Got) bool { return len(all) == len(bodies)+1 })
		for _, g := range got {
			if want := ids[g.Header.Get("Webhook-Id")]; g.Bad != nil || want != string(g.Body) || g.Header.Get("Content-Type") != "application/x-thing; v=1" {
				t.Errorf("%s came with %q of type %q, %v; want %q", g.Header.Get("Webhook-Id"), g.Body, g.Header.Get("Content-Type"), g.Bad, want)
			}
		}
		for range 2 {
			fails <- true
		}
		gone := post([]byte("delete me"))
		to.Await(t, time.Minute, func(all []harness.Got) bool { return len(all) > len(got) })
		c.Call(t, 200, "DELETE", "/v1/pull-endpoints/"+box.Data.ID+"/events/"+gone, nil)

		back := post([]byte("round and round"), "Webhook-Id", gone) // as it would come if the webhook led here

		c.Call(t, 200, "PATCH", "/v1/pull-endpoints/"+box.Data.ID, map[string]any{"forward_to": ""})
		kept := post([]byte("not handed on"))
		c.Call(t, 202, "POST", "/api/v1/webhooks/"+hook.ID+"/test", nil)
		to.Await(t, time.Minute, func(all []harness.Got) bool { return bytes.Contains(all[len(all)-1].Body, []byte(hook.ID)) })
		for _, g := range to.All() {
			switch g.Header.Get("Webhook-Id") {
			case kept:
				t.Errorf("%s was handed on, though the endpoint hands on nothing any more", kept)
			case back:
				t.Errorf("%s was handed on, though it had come from here", back)
			}
		}
	})
}
