package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// spring is a pull endpoint that is listened to. Its paths are good on every node, and after every restart.
type spring struct {
	events string // path of its events
	stream string // and of their stream
	ingest string // and of its ingest URL
}

func newSpring(t *testing.T, c *harness.Client) spring {
	t.Helper()
	made := c.Call(t, 201, "POST", "/v1/pull-endpoints", body{"name": "Listened to"})
	u, err := url.Parse(text(t, made, "data.ingest_url"))
	if err != nil {
		t.Fatal(err)
	}
	harness.Secret(text(t, made, "data.secret_token"))
	events := "/v1/pull-endpoints/" + text(t, made, "data.id") + "/events"
	return spring{events: events, stream: events + "/stream", ingest: u.Path}
}

// send posts to the endpoint and returns the event's id; "" when there is no answer.
func (s spring) send(t *testing.T, c *harness.Client, sent, contentType string) string {
	t.Helper()
	a, err := c.Do(context.Background(), "POST", s.ingest, sent, "X-API-Key", "", "Content-Type", contentType)
	if err != nil {
		return ""
	}
	if a.Status != 202 {
		t.Errorf("the endpoint answers %d %s", a.Status, a.Body)
		return ""
	}
	return text(t, a, "data.event_id")
}

func (s spring) some(t *testing.T, c *harness.Client, n int) []string {
	t.Helper()
	all := make([]string, n)
	for i := range all {
		all[i] = s.send(t, c, fmt.Sprintf(`{"n":%d}`, i), "application/json")
	}
	return all
}

// arrivals reads the ids of the next n events of a stream, which has nothing else.
func arrivals(t *testing.T, s *harness.Stream, n int) []string {
	t.Helper()
	var ids []string
	for range n {
		e := s.Must(t)
		if e.Type != "" {
			t.Fatalf("the stream has a %s: %s", e.Type, e.Data)
		}
		expect(t, e.Data, "id", e.ID)
		ids = append(ids, e.ID)
	}
	return ids
}

func TestAPullEndpointIsListenedTo(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		s := newSpring(t, o.Client)
		now, whole, raw := o.Stream(t, s.stream), o.Stream(t, s.stream+"?payload=true"), o.Stream(t, s.stream+"?payload=true&encoding=base64")
		const pretty = "{\r\n  \"type\": \"order.paid\",\n  \"n\": 1.50\r\n}\n"
		ids := []string{s.send(t, o.Client, pretty, "application/json"), s.send(t, o.Client, "\xff\x00", "application/octet-stream")}

		first := now.Must(t)
		expect(t, first.Data, "id", ids[0], "status", "stored", "size_bytes", len(pretty), "event_type", nil, "fetched_at", nil, "payload", absent{}, "headers", absent{})
		var listed struct{ Data []json.RawMessage }
		o.Call(t, 200, "GET", s.events, nil).Decode(t, &listed)
		if got, want := members(t, first.Data, ""), members(t, listed.Data[0], ""); !slices.Equal(got, want) {
			t.Errorf("an event of the stream has the members %v, and one of the list %v", got, want)
		}
		fetched := o.Call(t, 200, "GET", s.events+"/"+ids[0]+"?preview=true", nil)
		e := whole.Must(t)
		expect(t, e.Data, "id", ids[0], "payload.type", "order.paid", "headers.content-type", "application/json")
		if got, want := members(t, e.Data, ""), members(t, fetched.Body, "data"); !slices.Equal(got, want) {
			t.Errorf("an event with its payload has the members %v in the stream, and %v when it is fetched", got, want)
		}
		expect(t, whole.Must(t).Data, "id", ids[1], "payload", base64.StdEncoding.EncodeToString([]byte("\xff\x00")))
		expect(t, raw.Must(t).Data, "id", ids[0], "payload", base64.StdEncoding.EncodeToString([]byte(pretty)))

		// Listening moves nothing; what was acknowledged is told all the same, and what was deleted is not.
		expect(t, o.Call(t, 200, "GET", s.events, nil).Body, "data.#", 2)
		ids = append(ids, s.some(t, o.Client, 3)...)
		o.Call(t, 200, "POST", s.events+"/ack", body{"event_ids": ids[2:3]})
		o.Call(t, 200, "DELETE", s.events+"/"+ids[3], nil)
		again := o.Stream(t, s.stream+"?after="+ids[0])
		if got, want := arrivals(t, again, 3), []string{ids[1], ids[2], ids[4]}; !slices.Equal(got, want) {
			t.Errorf("after the first come %v, want %v", got, want)
		}
		acked := o.Stream(t, s.stream, "Last-Event-ID", ids[1]).Must(t)
		expect(t, acked.Data, "id", ids[2], "status", "delivered")
		if got, want := arrivals(t, o.Stream(t, s.stream+"?after=start"), 4), []string{ids[0], ids[1], ids[2], ids[4]}; !slices.Equal(got, want) {
			t.Errorf("from the start come %v, want %v", got, want)
		}
	})
}

func TestAPullEndpointsStreamIsForItsOwn(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o, other := open(t, st), open(t, st)
		s := newSpring(t, o.Client)
		for _, c := range []struct {
			who    *harness.Client
			path   string
			status int
			code   string
		}{
			{other.Client, s.stream, 404, "NOT_FOUND"},
			{st.Client(""), s.stream, 401, "UNAUTHORIZED"},
			{o.key(t, "--scope", "events:read"), s.stream, 403, "INSUFFICIENT_SCOPE"},
			{o.Client, "/v1/pull-endpoints/nonsense/events/stream", 400, "INVALID_REQUEST"},
			{o.Client, s.stream + "?after=nonsense", 400, "INVALID_REQUEST"},
			{o.Client, s.stream + "?payload=perhaps", 400, "INVALID_REQUEST"},
		} {
			expect(t, c.who.Call(t, c.status, "GET", c.path, nil).Body, "error.code", c.code)
		}
		if a, err := o.Do(t.Context(), "HEAD", s.stream, nil); err != nil || a.Status != 200 || a.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("HEAD is answered %d %v, %v", a.Status, a.Header, err)
		}
		k := o.Call(t, 201, "POST", "/api/v1/keys", body{"scopes": []string{"webhooks:manage"}})
		deleted := newSpring(t, o.Client)
		ending := []*harness.Stream{st.Client(text(t, k, "key")).Stream(t, s.stream), o.Stream(t, deleted.stream)}
		o.Call(t, 204, "DELETE", "/api/v1/keys/"+text(t, k, "id"), nil)
		o.Call(t, 200, "DELETE", strings.TrimSuffix(deleted.events, "/events"), nil)
		for i, one := range ending {
			if e := one.Must(t); e.Type != "bye" {
				t.Errorf("stream %d goes on with %s %s", i, e.Type, e.Data)
			}
			if _, err := one.Next(); err == nil {
				t.Errorf("stream %d does not end", i)
			}
		}
	})
}

// The server is killed again and again while senders send and somebody listens. Of what was accepted nothing is missing, and nothing comes twice.
func TestAPullEndpointsStreamGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		_, key := h.Org(t, "Hall")
		server := h.Serve(t)
		s := newSpring(t, server.Client(key))
		accepted, seen := map[string]bool{}, map[string]int{}
		var order []string
		last := "start"
		open := func(c *harness.Client) *harness.Stream { return c.Stream(t, s.stream, "Last-Event-ID", last) }
		listen := func(stream *harness.Stream, enough func() bool) {
			defer stream.Close()
			for !enough() {
				e, err := stream.Next()
				if err != nil {
					return // the server was killed
				}
				if e.Type != "" {
					t.Errorf("the stream has a %s: %s", e.Type, e.Data)
				}
				seen[e.ID]++
				order, last = append(order, e.ID), e.ID
			}
		}
		for range 4 {
			c := server.Client(key)
			var mu sync.Mutex
			var senders sync.WaitGroup
			var count, alive atomic.Int64
			alive.Store(1)
			for range 4 {
				senders.Go(func() {
					for alive.Load() > 0 {
						if id := s.send(t, c, "{}", "application/json"); id != "" {
							mu.Lock()
							accepted[id] = true
							mu.Unlock()
							count.Add(1)
						}
					}
				})
			}
			begun := len(order)
			listen(open(c), func() bool { return len(order) >= begun+20 }) // leaves in the midst of it
			var listener sync.WaitGroup
			again := open(c)
			listener.Go(func() { listen(again, func() bool { return false }) })
			for now := count.Load(); count.Load() < now+20; {
			}
			server.Kill()
			alive.Store(0)
			senders.Wait()
			listener.Wait()
			server = h.Serve(t)
		}
		c := server.Client(key)
		final := s.send(t, c, "{}", "application/json")
		listen(open(c), func() bool { return last == final })
		for id := range accepted {
			if seen[id] == 0 {
				t.Errorf("%s was accepted, and the stream does not have it", id)
			}
		}
		for id, n := range seen {
			if n > 1 {
				t.Errorf("the stream has %s %d times", id, n)
			}
		}
		all := c.Stream(t, s.stream+"?after=start")
		if got := arrivals(t, all, len(order)); !slices.Equal(got, order) {
			t.Error("who listens from the start has another order")
		}
		t.Logf("%d events, of which %d were answered", len(order), len(accepted))
	})
}

// Two nodes on one database: whoever listens at either has what came to both, in the same order, and goes on at the other when one is gone.
func TestAPullEndpointsStreamGoesOnAtAnotherNode(t *testing.T) {
	t.Parallel()
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		if h.Database == "" {
			t.Skip("SQLite has one node")
		}
		_, key := h.Org(t, "Nodes")
		sealed, err := os.ReadFile(filepath.Join(h.Data, "master.key"))
		if err != nil {
			t.Fatal(err)
		}
		other := h.Beside(filepath.Join(t.TempDir(), "second"), h.Database)
		other.Env = []string{"STAGEDOOR_MASTER_KEY=" + strings.TrimSpace(string(sealed))}
		one, two := h.Serve(t), other.Serve(t)
		a, b := one.Client(key), two.Client(key)
		waited(t, a, b)
		s := newSpring(t, a)
		atA, atB := a.Stream(t, s.stream), b.Stream(t, s.stream)
		const each = 60
		var mu sync.Mutex
		var sent []string
		var senders sync.WaitGroup
		for _, c := range []*harness.Client{a, b, a, b} {
			senders.Go(func() {
				ids := s.some(t, c, each)
				mu.Lock()
				defer mu.Unlock()
				sent = append(sent, ids...)
			})
		}
		half, all := arrivals(t, atA, 2*each), arrivals(t, atB, 4*each)
		senders.Wait()
		one.Kill()
		half = append(half, arrivals(t, b.Stream(t, s.stream, "Last-Event-ID", atA.LastID), 2*each)...)
		if !slices.Equal(half, all) {
			t.Error("who changed the node has another order, or others, than who did not")
		}
		slices.Sort(sent)
		slices.Sort(all)
		if !slices.Equal(all, sent) {
			t.Errorf("of %d events the streams have %d, or others", len(sent), len(all))
		}
	})
}

// waited checks that who waits at one node is told of what comes to another.
func waited(t *testing.T, here, there *harness.Client) {
	t.Helper()
	listed, claimed := newSpring(t, here), newSpring(t, here)
	answers := make(chan harness.Answer, 2)
	go func() {
		a, _ := there.Do(context.Background(), "GET", listed.events+"?wait=30", nil)
		answers <- a
	}()
	go func() {
		a, _ := there.Do(context.Background(), "POST", claimed.events+"/claim", body{"wait": 30})
		answers <- a
	}()
	inFlight(t, there, 2+1) // and the one that asks
	ids := []string{listed.send(t, here, "{}", "application/json"), claimed.send(t, here, "{}", "application/json")}
	for range 2 {
		a := <-answers
		if a.Status != http.StatusOK || !slices.Contains(ids, text(t, a, "data.0.id")) {
			t.Errorf("who waited at the other node is answered %d %s", a.Status, a.Body)
		}
	}
}

// Who listens with payloads and does not read takes nothing from senders and from others who listen.
func TestASlowReaderDelaysNoSender(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		o := open(t, st)
		s := newSpring(t, o.Client)
		for range 5 {
			conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", strings.TrimPrefix(st.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "GET %s?payload=true HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n\r\n", s.stream, o.Key)
			if _, err := conn.Read(make([]byte, 1)); err != nil { // the stream is open; no more of it is read
				t.Fatal(err)
			}
		}
		quick := o.Stream(t, s.stream+"?payload=true")
		big := `"` + strings.Repeat("x", 900<<10) + `"`
		for range 25 { // more than the connections' buffers hold
			id := s.send(t, o.Client, big, "application/json")
			e := quick.Must(t)
			if e.ID != id || len(e.Data) < len(big) {
				t.Fatalf("%s with %d bytes comes, want %s", e.ID, len(e.Data), id)
			}
		}
	})
}

// A stop does not wait for those who wait.
func TestStreamsAndWaitsOfPullEndpointsEndWithTheServer(t *testing.T) {
	t.Parallel()
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		_, key := h.Org(t, "Hall")
		server := h.Serve(t)
		c := server.Client(key)
		s := newSpring(t, c)
		stream := c.Stream(t, s.stream)
		answers := make(chan harness.Answer, 2)
		for _, ask := range []func() (harness.Answer, error){
			func() (harness.Answer, error) { return c.Do(context.Background(), "GET", s.events+"?wait=30", nil) },
			func() (harness.Answer, error) {
				return c.Do(context.Background(), "POST", s.events+"/claim", body{"wait": 30})
			},
		} {
			go func() {
				a, err := ask()
				if err != nil {
					t.Errorf("a request that waits: %v", err)
				}
				answers <- a
			}()
		}
		inFlight(t, c, 3+1) // and the one that asks
		if err := server.Stop(); err != nil {
			t.Errorf("stop with a stream and requests that wait: %v", err)
		}
		if e := stream.Must(t); e.Type != "bye" {
			t.Errorf("the stream's last event is %s, want bye", e.Type)
		}
		for range 2 {
			if a := <-answers; a.Status != http.StatusOK {
				t.Errorf("who waited is answered %d %s", a.Status, a.Body)
			} else {
				expect(t, a.Body, "data.#", 0)
			}
		}
		if log := server.Log(); strings.Contains(log, "still under way") {
			t.Errorf("the server had to break off requests:\n%s", log)
		}
	})
}

// inFlight waits until a server has so many requests under way.
func inFlight(t *testing.T, c *harness.Client, n int) {
	t.Helper()
	want := fmt.Sprintf("\nstagedoor_http_requests_in_flight %d\n", n)
	for {
		a, err := c.Do(t.Context(), "GET", "/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(a.Body), want) {
			return
		}
	}
}
