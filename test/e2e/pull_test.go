package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// A pull endpoint takes what its server's settings let it take, answers who waits when it stops, and has everything when it runs again.
func TestPullEndpointOverAStop(t *testing.T) {
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		_, key := h.Org(t, "Pull")
		s := h.Serve(t, "--pull-max-body", "2097152", "--pull-max-events", "3")
		c := s.Client(key)
		made := c.Call(t, 201, "POST", "/v1/pull-endpoints", body{"name": "Feed"})
		path := "/v1/pull-endpoints/" + text(t, made, "data.id")
		_, ingest, _ := strings.Cut(text(t, made, "data.ingest_url"), "/v1/")
		send := func(size int) int {
			t.Helper()
			resp, err := http.Post(s.URL+"/v1/"+ingest, "application/octet-stream", bytes.NewReader(make([]byte, size)))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp.StatusCode
		}
		for i, one := range []struct{ size, want int }{{2 << 20, 202}, {2<<20 + 1, 413}, {10, 202}, {0, 202}, {10, 507}} {
			if got := send(one.size); got != one.want {
				t.Errorf("the body %d, of %d bytes, is answered %d, want %d", i, one.size, got, one.want)
			}
		}
		var list struct{ Data []struct{ ID string } }
		if err := json.Unmarshal(c.Call(t, 200, "GET", path+"/events", nil).Body, &list); err != nil || len(list.Data) != 3 {
			t.Fatalf("the list has %v, %v", list, err)
		}
		ids := []string{list.Data[0].ID, list.Data[1].ID}
		expect(t, c.Call(t, 200, "POST", path+"/events/ack", body{"event_ids": ids}).Body, "data.acknowledged", 2)

		answered := make(chan harness.Answer, 1)
		go func() {
			a, err := c.Do(t.Context(), "GET", path+"/events?status=stored&event_type=none&wait=30", nil)
			if err != nil {
				t.Errorf("who waits is not answered: %v", err)
			}
			answered <- a
		}()
		eventually(t, func() bool { // it waits, beside the request that asks
			return bytes.Contains(c.Call(t, 200, "GET", "/metrics", nil).Body, []byte("stagedoor_http_requests_in_flight 2"))
		})
		began := time.Now()
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 14*time.Second {
			t.Errorf("the stop took %s: it waited for who waits", took)
		}
		<-answered

		s = h.Serve(t)
		c = s.Client(key)
		expect(t, c.Call(t, 200, "GET", path, nil).Body, "data.counts.delivered", 2, "data.counts.stored", 1)
		expect(t, c.Call(t, 200, "GET", path+"/events/"+list.Data[2].ID, nil).Body, "data.status", "fetched", "data.size_bytes", 0)
	})
}
