package egress_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/stagedoorhq/stagedoor/internal/egress"
)

func TestSecurity23_SurplusBytesDoNotAnswerTheNextRequest(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	const forged = "HTTP/1.1 500 Forged\r\nContent-Length: 0\r\n\r\n"
	forgedLater := make(chan struct{}, 8)
	for name, serve := range map[string]func(net.Conn, *bufio.Reader){
		"with the answer": answering(answer + forged),
		"after 204":       answering("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"),
		"later": func(conn net.Conn, in *bufio.Reader) {
			for readRequest(in) {
				_, _ = io.WriteString(conn, answer)
				time.Sleep(20 * time.Millisecond)
				_, _ = io.WriteString(conn, forged)
				forgedLater <- struct{}{}
			}
		},
	} {
		r := receive(t, serve)
		c := newClient(t, egress.Options{})
		for i := range int64(3) {
			out := c.Do(t.Context(), &egress.Request{Target: target(t, r.url), PoolKey: "e"})
			if out.Code != "" || out.Status > 204 || out.Reused {
				t.Errorf("%s: request %d: %+v, want 200 over a new connection", name, i, out)
			}
			if name == "later" {
				<-forgedLater
			}
		}
	}
}

func TestStaleConnectionIsReplacedOnce(t *testing.T) {
	var requests atomic.Int64
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	r := receive(t, func(conn net.Conn, in *bufio.Reader) {
		if readRequest(in) {
			requests.Add(1)
			_, _ = io.WriteString(conn, answer)
		}
		if readRequest(in) { // the second on a connection is read, and the connection closed without a word
			requests.Add(1)
		}
	})
	c := newClient(t, egress.Options{})
	req := &egress.Request{Target: target(t, r.url), PoolKey: "e"}
	first, second := c.Do(t.Context(), req), c.Do(t.Context(), req)
	if first.Status != 200 || second.Status != 200 || second.Reused || requests.Load() != 3 {
		t.Errorf("Do twice = %+v, %+v with %d requests; want 200 twice, the second sent again over a new connection", first, second, requests.Load())
	}
}

func TestConnectionClosedWhileIdleIsNotUsed(t *testing.T) {
	closed := make(chan struct{}, 2)
	r := receive(t, func(conn net.Conn, in *bufio.Reader) {
		readRequest(in)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		_ = conn.Close()
		closed <- struct{}{}
	})
	c := newClient(t, egress.Options{})
	for range 2 {
		out := c.Do(t.Context(), &egress.Request{Target: target(t, r.url), PoolKey: "e"})
		if out.Status != 200 || out.Reused {
			t.Errorf("Do = %+v, want 200 over a new connection", out)
		}
		<-closed
	}
}

func TestFreshConnectionThatFailsIsNotTriedAgain(t *testing.T) {
	r := receive(t, func(_ net.Conn, in *bufio.Reader) { readRequest(in) })
	out := newClient(t, egress.Options{}).Do(t.Context(), &egress.Request{Target: target(t, r.url)})
	if out.Code != egress.CodeReset || r.accepted.Load() != 1 {
		t.Errorf("Do = %+v over %d connections, want code %q over one", out, r.accepted.Load(), egress.CodeReset)
	}
}

func TestSecurity17_ConnectionsAreNotSharedBetweenKeys(t *testing.T) {
	r := receive(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	other := receive(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	c := newClient(t, egress.Options{})
	do := func(key, url string) bool {
		out := c.Do(t.Context(), &egress.Request{Target: target(t, url), PoolKey: key})
		if out.Status != 200 {
			t.Fatalf("Do = %+v, want 200", out)
		}
		return out.Reused
	}
	got := []bool{
		do("a", r.url), do("b", r.url), do("a", r.url), do("b", r.url), // each its own
		do("a", other.url),                 // another receiver under the same key
		do("a", r.url), do("a", r.url+"x"), // the old one was given up; another path is the same receiver
	}
	want := []bool{false, false, true, true, false, false, true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reused (-want +got):\n%s", diff)
	}
	c.CloseKey("a")
	if do("a", r.url) || !do("b", r.url) {
		t.Error("CloseKey(a) did not close the connections of a, and only those")
	}
}

func TestIdleConnectionsAreBounded(t *testing.T) {
	open := new(atomic.Int64)
	gate := make(chan struct{})
	var waiting sync.WaitGroup
	r := receive(t, func(conn net.Conn, in *bufio.Reader) {
		open.Add(1)
		defer open.Add(-1)
		for readRequest(in) {
			waiting.Done()
			<-gate
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	burst := func(c *egress.Client, keys ...string) {
		var wg sync.WaitGroup
		waiting.Add(8)
		for i := range 8 {
			wg.Go(func() {
				c.Do(context.Background(), &egress.Request{Target: target(t, r.url), PoolKey: keys[i%len(keys)]})
			})
		}
		waiting.Wait()
		for range 8 {
			gate <- struct{}{}
		}
		wg.Wait()
	}
	eventually := func(what string, want int64) {
		t.Helper()
		for range 200 {
			if open.Load() == want {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("%s: %d connections are open, want %d", what, open.Load(), want)
	}
	c := newClient(t, egress.Options{IdlePerKey: 3})
	burst(c, "a")
	eventually("three per key", 3)
	c.Close()
	eventually("after Close", 0)

	c = newClient(t, egress.Options{IdleTotal: 5})
	burst(c, "a", "b")
	eventually("five altogether", 5)
	c.Close()

	c = newClient(t, egress.Options{IdleTimeout: 50 * time.Millisecond})
	burst(c, "a", "b")
	eventually("idle for too long", 0)
}

func TestManySendersAtOnce(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // after the receiver and the client have been closed
	r := receive(t, func(conn net.Conn, in *bufio.Reader) {
		for i := 0; ; i++ {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			body, _ := io.ReadAll(req.Body)
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			if i%10 == 9 {
				return // now and then a connection dies
			}
		}
	})
	c := newClient(t, egress.Options{IdlePerKey: 4, IdleTotal: 6})
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for i := range 50 {
				body := fmt.Sprintf("%d-%d", worker, i)
				out := c.Do(ctx, &egress.Request{Target: target(t, r.url), PoolKey: fmt.Sprint(worker % 3), Body: []byte(body)})
				if out.Status != 200 || string(out.Body) != body {
					t.Errorf("Do = %+v, want %q back", out, body)
				}
			}
		})
	}
	wg.Wait()
}
