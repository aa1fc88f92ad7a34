package egress_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/egress"
)

// BenchmarkClient sends deliveries of 1 KiB to a receiver that does as little as possible, with 16 senders as a lane has:
// once with this package, once with net/http as it would be used in its place.
func BenchmarkClient(b *testing.B) {
	url := "http://" + benchReceiver(b) + "/hook"
	payload := strings.Repeat("x", 1024)
	header := egress.Header{
		{"Content-Type", "application/json"},
		{"X-Webhook-Event", "order.accepted"},
		{"X-Webhook-Delivery", "7d9f1a52-3c1e-4d3b-9c53-3d7f2f6a1a10"},
		{"X-Webhook-Timestamp", "1790000000"},
		{"X-Webhook-Signature", "sha256=" + strings.Repeat("0123456789abcdef", 4)},
	}

	b.Run("egress", func(b *testing.B) {
		c := newClient(b, egress.Options{})
		r := &egress.Request{Target: target(b, url), Body: []byte(payload), PoolKey: "e", Header: header}
		senders(b, func() bool {
			return c.Do(context.Background(), r).Status == 200
		})
	})
	b.Run("egress-cancellable", func(b *testing.B) {
		c := newClient(b, egress.Options{})
		r := &egress.Request{Target: target(b, url), Body: []byte(payload), PoolKey: "e", Header: header}
		senders(b, func() bool {
			return c.Do(b.Context(), r).Status == 200
		})
	})
	b.Run("net-http", func(b *testing.B) {
		transport := &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true}
		defer transport.CloseIdleConnections()
		c := &http.Client{Transport: transport, Timeout: 15 * time.Second}
		senders(b, func() bool {
			req, err := http.NewRequest("POST", url, strings.NewReader(payload))
			if err != nil {
				return false
			}
			for _, f := range header {
				req.Header.Set(f.Name, f.Value)
			}
			resp, err := c.Do(req)
			if err != nil {
				return false
			}
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
			_ = resp.Body.Close()
			return resp.StatusCode == 200
		})
	})
}

func senders(b *testing.B, send func() bool) {
	b.Helper()
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if !send() {
				b.Error("a request failed")
				return
			}
		}
	})
}

// benchReceiver answers every request of known size with 200, and allocates nothing, so that the figures are the client's.
func benchReceiver(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerAll(conn)
		}
	}()
	return l.Addr().String()
}

func answerAll(conn net.Conn) {
	defer conn.Close()
	answer := []byte("HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT\r\nContent-Length: 2\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nok")
	in := bufio.NewReader(conn)
	for {
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(bytes.TrimSpace(line)) == 0 {
				break
			}
		}
		if _, err := in.Discard(1024); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}
