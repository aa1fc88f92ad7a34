package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
	"github.com/stagedoorhq/stagedoor/webhook"
)

func newHook(url string, over ...any) body {
	return with(body{"name": "Door desk", "url": url, "topics": []string{"Sales"}}, over...)
}

func TestStubHubsWebhooksAreThoseOfItsFormat(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		r := harness.Receive(t, nil)
		native := o.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": r.URL, "events": []string{"*"}, "format": "stubhub", "description": "Box office"})
		o.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": r.URL, "events": []string{"*"}, "format": "standard"})
		made := o.Call(t, 201, "POST", "/v2/webhooks", newHook(r.URL, "authorization_header", "Bearer desk-key"))

		list := o.Call(t, 200, "GET", "/v2/webhooks", nil)
		expect(t, list.Body, "total_items", 2, "_embedded.items.0.name", "Box office", "_embedded.items.0.topics.#", 7,
			"_embedded.items.0.authorization_header", text(t, native, "secret"), "_embedded.items.1.name", "Door desk", "_embedded.items.1.authorization_header", "Bearer desk-key")
		expect(t, o.Call(t, 200, "GET", "/api/v1/webhooks", nil).Body, "data.#", 3, "data.2.format", "stubhub", "data.2.description", "Door desk", "data.2.events.0", "Sales",
			"data.2.ordered", true, "data.2.secret", absent{})

		rotate := "/api/v1/webhooks/" + text(t, native, "id") + "/rotate-secret"
		expect(t, o.Call(t, 400, "POST", rotate, nil).Body, "errors.0.pointer", "/secret", "errors.0.code", "required") // nobody has agreed on what would be made
		expect(t, o.Call(t, 200, "POST", rotate, body{"secret": "Bearer box-office", "overlapSeconds": 0}).Body, "secret", "Bearer box-office")
		expect(t, o.Call(t, 200, "GET", "/v2/webhooks", nil).Body, "_embedded.items.0.authorization_header", "Bearer box-office")

		path := fmt.Sprint("/v2/webhooks/", number(t, made.Body, "id"))
		r.Verify(t, webhook.Static, "Bearer desk-key")
		o.Call(t, 202, "POST", path+"/ping", nil) // although it has not subscribed to Ping
		got := r.Await(t, soon, func(all []harness.Got) bool { return len(all) > 0 })
		if got[0].Bad != nil || !strings.Contains(string(got[0].Body), `"topic":"Ping"`) {
			t.Errorf("the ping came as %s with Authorization %q", got[0].Body, got[0].Header.Get("Authorization"))
		}
		o.Call(t, 200, "PATCH", path, body{"authorization_header": ""})
		r.Lenient()
		o.Call(t, 202, "POST", path+"/ping", nil)
		got = r.Await(t, soon, func(all []harness.Got) bool { return len(all) > 1 })
		if a := got[1].Header.Get("Authorization"); a != "" {
			t.Errorf("after it was cleared, Authorization is %q", a)
		}
		o.Call(t, 204, "DELETE", path, nil)
		expect(t, o.Call(t, 200, "GET", "/api/v1/webhooks", nil).Body, "data.#", 2)
	})
}

// hookPage is a page of StubHub's webhooks.
type hookPage struct {
	Links struct {
		Next struct{ Href string }
	} `json:"_links"`
	Embedded struct {
		Items []struct{ ID int64 }
	} `json:"_embedded"`
}

// Who follows the next links sees each webhook that was there throughout once, while others come and go.
func TestPagingThroughManyWebhooksMissesNone(t *testing.T) {
	many := 1000
	if harness.Long() {
		many = 10_000
	}
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		make := func(ctx context.Context) (id int64, err error) {
			a, err := o.Do(ctx, "POST", "/v2/webhooks", newHook("http://127.0.0.1:9/in", "topics", []string{"ReTransferTicket"}))
			if err != nil {
				return 0, err
			}
			if a.Status != 201 {
				return 0, fmt.Errorf("POST /v2/webhooks = %d %s", a.Status, a.Body)
			}
			var h struct{ ID int64 }
			a.Decode(t, &h)
			return h.ID, nil
		}
		var mu sync.Mutex // guards stay and leave
		stay, leave := map[int64]bool{}, []int64{}
		var n atomic.Int64
		var makers sync.WaitGroup
		for range 8 {
			makers.Go(func() {
				for n.Add(1) <= int64(many) {
					id, err := make(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if id%4 == 0 {
						leave = append(leave, id)
					} else {
						stay[id] = true
					}
					mu.Unlock()
				}
			})
		}
		makers.Wait()
		if t.Failed() {
			t.FailNow()
		}
		for _, sort := range []string{"created_at", "-created_at"} {
			ctx, stop := context.WithCancel(t.Context())
			var churn sync.WaitGroup
			for range 2 {
				churn.Go(func() {
					for ctx.Err() == nil {
						mu.Lock()
						var gone int64
						if len(leave) > 0 {
							i := rand.IntN(len(leave))
							gone = leave[i]
							leave[i] = leave[len(leave)-1]
							leave = leave[:len(leave)-1]
						}
						mu.Unlock()
						if gone != 0 {
							if a, err := o.Do(ctx, "DELETE", fmt.Sprint("/v2/webhooks/", gone), nil); err == nil && a.Status != 204 {
								t.Errorf("DELETE = %d %s", a.Status, a.Body)
							}
						}
						if id, err := make(ctx); err == nil {
							mu.Lock()
							leave = append(leave, id)
							mu.Unlock()
						} else if ctx.Err() == nil {
							t.Error(err)
							return
						}
					}
				})
			}
			seen := map[int64]int{}
			pages := 0
			for next := "/v2/webhooks?page_size=50&sort=" + sort; next != "" && pages < many; pages++ {
				var p hookPage
				o.Call(t, 200, "GET", strings.TrimPrefix(next, o.URL), nil).Decode(t, &p)
				for _, h := range p.Embedded.Items {
					seen[h.ID]++
				}
				next = p.Links.Next.Href
			}
			stop()
			churn.Wait()
			if pages < len(stay)/50 {
				t.Errorf("by %s, the list ended after %d pages", sort, pages)
			}
			for id := range stay {
				if seen[id] != 1 {
					t.Errorf("by %s, webhook %d, which was there throughout, was shown %d times", sort, id, seen[id])
				}
			}
			for id, n := range seen {
				if n != 1 {
					t.Errorf("by %s, webhook %d was shown %d times", sort, id, n)
				}
			}
		}
	})
}

// X-Forwarded-Proto is believed from proxies that were named, and from nobody else.
func TestHTTPSAndOneWebhookPerTopicAreSwitches(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		if st.Database != "" {
			t.Skip("does not depend on the database")
		}
		for proxy, status := range map[string]int{"127.0.0.0/8": 200, "10.0.0.0/8": 400} {
			h := st.Beside(t.TempDir(), "")
			_, key := h.Org(t, "Switches")
			c := h.Serve(t, "--require-https", "--one-webhook-per-topic", "--trusted-proxy", proxy).Client(key)
			refused := c.Call(t, 400, "GET", "/v2/webhooks", nil)
			expect(t, refused.Body, "code", "https_required", "message", filled)
			expect(t, c.Call(t, 400, "GET", "/v2/webhooks", nil, "X-Forwarded-Proto", "https, http").Body, "code", "https_required")
			c.Call(t, status, "GET", "/v2/webhooks", nil, "X-Forwarded-Proto", "https")
			c.Call(t, 200, "GET", "/api/v1/webhooks", nil) // which has no such rule
			if status != 200 {
				continue
			}
			c.Call(t, 201, "POST", "/v2/webhooks", newHook("http://127.0.0.1:9/in"), "X-Forwarded-Proto", "https", "Idempotency-Key", "one")
			again := c.Call(t, 400, "POST", "/v2/webhooks", newHook("http://127.0.0.1:9/in"), "X-Forwarded-Proto", "https")
			if expect(t, again.Body, "code", "validation_failed"); !strings.Contains(string(again.Body), `"errors":{"webhook.topics":[`) {
				t.Errorf("the same topic again: %s", again.Body)
			}
		}
	})
}
