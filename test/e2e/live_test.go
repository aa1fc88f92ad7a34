package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// dev makes a developer endpoint and returns its id and secret.
func (o *org) dev(t *testing.T) (id, secret string) {
	t.Helper()
	a := o.Call(t, 201, "POST", "/api/v1/dev-endpoints", nil)
	return text(t, a, "id"), text(t, a, "secret")
}

var evt = regexp.MustCompile(`^evt_[0-9a-f]+$`)

// The line of the specification, but for the server's address and the id.
func TestTheSpecificationsLineSendsToADeveloperEndpoint(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		curl := harness.Tool(t, "curl", "the specification's line is tried with it")
		o := open(t, st)
		id, _ := o.dev(t)
		if !regexp.MustCompile(`^DEV-[2-9A-HJ-NP-Z]{4}$`).MatchString(id) {
			t.Errorf("the endpoint's id is %s, want the form of DEV-A3K9", id)
		}
		expect(t, o.Call(t, 200, "GET", "/api/v1/dev-endpoints/"+id, nil).Body, "url", st.URL+"/api/webhook/"+id, "secret", absent{})
		expect(t, o.Call(t, 200, "GET", "/api/v1/dev-endpoints", nil).Body, "data.0.id", id, "meta.pagination.total", 1)
		for _, typ := range []string{"application/json", "text/plain", "application/x-www-form-urlencoded"} {
			line := []string{"-sS", "-X", "POST", st.URL + "/api/webhook/" + id, "-H", "Content-Type: " + typ, "-d", `{"event":"ticket.purchased"}`}
			out, err := exec.CommandContext(t.Context(), curl, line...).CombinedOutput()
			if err != nil {
				t.Fatalf("curl: %v %s", err, out)
			}
			if got := members(t, out, ""); !slices.Equal(got, []string{"status", "id"}) {
				t.Errorf("answered %s, want status and id alone", out)
			}
			expect(t, out, "status", "received", "id", evt)
		}
		list := o.Call(t, 200, "GET", "/api/events?user_id="+id, nil)
		if got := members(t, list.Body, ""); !slices.Equal(got, []string{"data", "has_more"}) {
			t.Errorf("the list has the members %v", got)
		}
		expect(t, list.Body, "has_more", false, "data.#", 3, "data.0.event", "ticket.purchased", "data.0.known", true, "data.0.body", `{"event":"ticket.purchased"}`,
			"data.0.signature.verdict", "none", "data.0.headers.Content-Type", "application/x-www-form-urlencoded", "data.0.answer.status", 200)
		expect(t, o.Call(t, 200, "GET", "/api/events?limit=2&user_id="+id, nil).Body, "has_more", true, "data.#", 2)
	})
}

// const expected = hmac("sha256", secret, body); assert(sig === expected)
func TestADeveloperEndpointChecksTheSpecificationsSignature(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		id, secret := o.dev(t)
		const sent = `{"event":"stamp.awarded"}`
		sign := func(key string) string {
			mac := hmac.New(sha256.New, []byte(key))
			mac.Write([]byte(sent))
			return hex.EncodeToString(mac.Sum(nil))
		}
		for _, c := range []struct{ signature, verdict string }{{sign(secret), "verified"}, {sign(secret + "x"), "failed"}, {strings.ToUpper(sign(secret)), "failed"}} {
			o.Call(t, 200, "POST", "/api/webhook/"+id, sent, "x-pullup-signature", c.signature, "X-API-Key", "")
			expect(t, o.Call(t, 200, "GET", "/api/events?user_id="+id, nil).Body, "data.0.signature.verdict", c.verdict, "data.0.signature.scheme", "pullup")
		}
		// A webhook of the server's own cannot lead there: deliveries never go to the server itself, whatever the operator has opened.
		a := try(t, o.Client, "POST", "/api/v1/webhooks", body{"url": st.URL + "/api/webhook/" + id, "events": []string{"*"}})
		refused(t, a, 400, "validation_failed")
	})
}

func TestADeveloperEndpointAnswersAsItWasTold(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		id, _ := o.dev(t)
		path := "/api/v1/dev-endpoints/" + id
		a := o.Call(t, 200, "PATCH", path, body{"answer": body{"status": 503, "body": "later", "delayMs": 30}})
		expect(t, a.Body, "answer.status", 503, "answer.body", "later", "answer.delayMs", 30, "version", 2)
		send := func() (int, string) {
			resp, err := http.Post(st.URL+"/api/webhook/"+id, "application/json", strings.NewReader(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, _ := io.ReadAll(resp.Body)
			return resp.StatusCode, string(b)
		}
		if status, got := send(); status != 503 || got != "later" {
			t.Errorf("answered %d %q", status, got)
		}
		refused(t, try(t, o.Client, "PATCH", path, body{"answer": body{"status": 100}}), 400, "validation_failed")
		refused(t, try(t, o.Client, "PATCH", path, body{"answer": body{"delayMs": 30001}}), 400, "validation_failed")
		refused(t, try(t, o.Client, "PATCH", path, body{"answer": body{"body": strings.Repeat("x", 4097)}}), 400, "validation_failed")
		expect(t, o.Call(t, 200, "PATCH", path, body{}).Body, "version", 2, "answer.status", 503)
		expect(t, o.Call(t, 200, "PATCH", path, body{"answer": nil}).Body, "answer.status", 200, "answer.body", nil, "answer.delayMs", 0)
		if status, got := send(); status != 200 || !strings.HasPrefix(got, `{"status":"received","id":"evt_`) {
			t.Errorf("answered %d %q", status, got)
		}
		for range 4 {
			o.dev(t)
		}
		refused(t, try(t, o.Client, "POST", "/api/v1/dev-endpoints", nil), 409, "too_many_dev_endpoints")
		o.Call(t, 204, "DELETE", path, nil)
		refused(t, try(t, o.Client, "POST", "/api/webhook/"+id, body{}), 404, "dev_endpoint_not_found")
		refused(t, try(t, o.Client, "GET", "/api/events?user_id="+id, nil), 404, "dev_endpoint_not_found")
	})
}

func TestStreamsAreForTheirOwn(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o, other := open(t, st), open(t, st)
		id, _ := o.dev(t)
		events, stream := "/api/events?user_id="+id, "/api/v1/stream"
		sse := []string{"Accept", "text/event-stream"}
		for _, c := range []*harness.Client{other.Client, o.key(t), o.key(t, "--scope", "webhooks:manage")} { // another organisation, and other accounts of this one
			refused(t, try(t, c, "GET", events, nil), 404, "dev_endpoint_not_found")
			refused(t, try(t, c, "GET", events, nil, sse...), 404, "dev_endpoint_not_found")
			refused(t, try(t, c, "GET", "/api/v1/dev-endpoints/"+id, nil), 404, "dev_endpoint_not_found")
		}
		narrow := o.key(t, "--scope", "events:read", "--scope", "tickets:read")
		for _, path := range []string{events, stream, "/api/v1/dev-endpoints"} {
			refused(t, try(t, narrow, "GET", path, nil, sse...), 403, "insufficient_scope")
			refused(t, try(t, o.Client, "GET", path, nil, append(sse, "X-API-Key", "")...), 401, "missing_api_key")
		}
		refused(t, try(t, o.Client, "GET", "/api/events", nil), 400, "validation_failed")
		refused(t, try(t, o.Client, "GET", stream+"?kinds=nothing", nil), 400, "validation_failed")

		s, theirs := o.Stream(t, stream+"?kinds=acme.*&attempts=false"), other.Stream(t, stream)
		o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.ours", "data": body{}})
		other.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.theirs", "data": body{}})
		expect(t, s.Must(t).Data, "kind", "acme.ours", "id", evt)
		expect(t, theirs.Must(t).Data, "kind", "acme.theirs")
	})
}

// What was let in with a key does not outlive it.
func TestAStreamEndsWhenItsKeyIsRevoked(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		k := o.Call(t, 201, "POST", "/api/v1/keys", body{"scopes": []string{"webhooks:manage"}})
		s := st.Client(text(t, k, "key")).Stream(t, "/api/v1/stream")
		o.Call(t, 204, "DELETE", "/api/v1/keys/"+text(t, k, "id"), nil)
		if e := s.Must(t); e.Type != "bye" {
			t.Errorf("the stream goes on with %s %s", e.Type, e.Data)
		}
		if _, err := s.Next(); err == nil {
			t.Error("the stream does not end")
		}
	})
}

// A server is killed and starts again; who listened goes on where they were, with what was told between.
func TestAStreamGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		_, key := h.Org(t, "Hall")
		const rounds, each = 4, 25
		var server *harness.Server
		var c *harness.Client
		start := func() {
			server = h.Serve(t)
			c = server.Client(key)
		}
		start()
		dev := text(t, c.Call(t, 201, "POST", "/api/v1/dev-endpoints", nil), "id")
		receiver := harness.Receive(t, nil)
		c.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": receiver.URL, "format": "standard", "events": []string{"*"}})

		sent, n := map[string][]string{}, 0
		tell := func(count int) {
			for range count {
				n++
				a := c.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.n", "data": body{"n": n}})
				sent["fact"] = append(sent["fact"], text(t, a, "id"))
				sent["event"] = append(sent["event"], text(t, c.Call(t, 200, "POST", "/api/webhook/"+dev, body{"n": n}), "id"))
			}
		}
		got, attempts := map[string][]string{}, map[string]int{}
		last := map[string]string{}
		listen := func(what, path string, until int) {
			s := c.Stream(t, path, "Last-Event-ID", last[what])
			for len(got[what]) < until || what == "fact" && len(attempts) < until {
				e := s.Must(t)
				var j struct{ ID, DeliveryID string }
				e.Decode(t, &j)
				switch e.Type {
				case "attempt":
					attempts[j.DeliveryID]++
				case "", "fact":
					got[what] = append(got[what], j.ID)
				default:
					t.Fatalf("the stream has a %s: %s", e.Type, e.Data)
				}
			}
			last[what] = s.LastID
			s.Close()
		}
		last["fact"], last["event"] = "start", "start"
		for round := range rounds {
			tell(each)
			listen("fact", "/api/v1/stream", round*each+each/2) // leaves in the midst of it
			listen("event", "/api/events?user_id="+dev, round*each+each/2)
			server.Kill()
			start()
		}
		tell(1)
		listen("fact", "/api/v1/stream", n)
		listen("event", "/api/events?user_id="+dev, n)
		for what := range sent {
			if !slices.Equal(got[what], sent[what]) {
				t.Errorf("of %d %ss the stream has %d, or others, or in another order:\n%v\n%v", n, what, len(got[what]), sent[what], got[what])
			}
		}
		for d, times := range attempts {
			if times > 1 { // made again after a kill, it would have another number; the log has each once
				t.Logf("delivery %s has %d attempts", d, times)
			}
		}
		gap := c.Stream(t, "/api/events?user_id="+dev, "Last-Event-ID", "evt_512f000000000fffff")
		if e := gap.Must(t); e.Type != "gap" {
			t.Errorf("after an event that is not kept comes %s %s, want a gap", e.Type, e.Data)
		}
	})
}

// 1,000 who listen all hear everything, in order.
func TestAThousandListen(t *testing.T) {
	readers, messages := 100, 20
	if harness.Long() {
		readers, messages = 1000, 100
	}
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		var keys []*harness.Client
		for range (readers + 99) / 100 {
			keys = append(keys, o.key(t))
		}
		streams := make([]*harness.Stream, readers)
		for i := range streams {
			streams[i] = keys[i/100].Stream(t, "/api/v1/stream?kinds=acme.*&attempts=false")
		}
		_, err := harness.OpenStream(t.Context(), http.DefaultClient, st.URL+"/api/v1/stream", "X-API-Key", keys[0].Key)
		if err == nil || !strings.Contains(err.Error(), "429") {
			t.Errorf("the 101st stream of a key: %v, want 429", err)
		}
		var all sync.WaitGroup
		failed := make(chan error, readers)
		for i, s := range streams {
			all.Go(func() {
				for n := range messages {
					e, err := s.Next()
					var f struct{ Data struct{ N int } }
					if err == nil {
						err = json.Unmarshal(e.Data, &f)
					}
					if err == nil && f.Data.N != n {
						err = errors.New("another message")
					}
					if err != nil {
						failed <- fmt.Errorf("reader %d, message %d: %s: %w", i, n, e.Data, err)
						return
					}
				}
			})
		}
		for n := range messages {
			o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.n", "data": body{"N": n}})
		}
		all.Wait()
		close(failed)
		for err := range failed {
			t.Error(err)
		}
	})
}

// Who opens streams and does not read takes nothing from deliveries.
func TestASlowReaderDelaysNoDelivery(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		for range 5 {
			conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", strings.TrimPrefix(st.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n", o.Key)
			if _, err := conn.Read(make([]byte, 1)); err != nil { // the stream is open; no more of it is read
				t.Fatal(err)
			}
		}
		h := o.hook(t, "standard", nil)
		big := strings.Repeat("x", 200<<10)
		const n = 100 // more than the connections' buffers hold
		for i := range n {
			o.Call(t, 202, "POST", "/api/v1/messages", body{"event": fmt.Sprintf("acme.n%d", i), "data": body{"a": big}})
		}
		h.Await(t, soon, func(all []harness.Got) bool { return len(all) >= n })
	})
}

func TestStreamsEndWithTheServer(t *testing.T) {
	t.Parallel()
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		_, key := h.Org(t, "Hall")
		server := h.Serve(t)
		c := server.Client(key)
		dev := text(t, c.Call(t, 201, "POST", "/api/v1/dev-endpoints", body{"answer": body{"delayMs": 30000}}), "id")
		s, d := c.Stream(t, "/api/v1/stream"), c.Stream(t, "/api/events?user_id="+dev)
		answered := make(chan error, 1)
		go func() {
			_, err := c.Do(context.Background(), "POST", "/api/webhook/"+dev, `{}`)
			answered <- err
		}()
		d.Must(t)
		if err := server.Stop(); err != nil {
			t.Errorf("stop with streams and an answer that is held back: %v", err)
		}
		for _, one := range []*harness.Stream{s, d} {
			if e := one.Must(t); e.Type != "bye" {
				t.Errorf("the last event is %s, want bye", e.Type)
			}
		}
		if err := <-answered; err != nil {
			t.Errorf("the answer that was held back: %v", err)
		}
		if log := server.Log(); strings.Contains(log, "still under way") {
			t.Errorf("the server had to break off requests:\n%s", log)
		}
	})
}

// How soon after the commit a reader has it is measured by the bench; here it is only printed.
func TestTheMetricsTellOfStreams(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		s := o.Stream(t, "/api/v1/stream")
		o.Call(t, 202, "POST", "/api/v1/messages", body{"event": "acme.n", "data": body{}})
		s.Must(t)
		resp, err := http.Get(st.URL + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		for _, want := range []string{`stagedoor_stream_readers{of="organisation"}`, `stagedoor_stream_lag_seconds_count{log="facts"}`} {
			if !strings.Contains(string(b), want) {
				t.Errorf("/metrics has no %s", want)
			}
		}
	})
}
