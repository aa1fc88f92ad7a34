package delivery_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
)

// sink answers every request with 200 at once and counts them.
func sink(b *testing.B, n *atomic.Int64) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReaderSize(c, 8<<10)
				for {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					n.Add(1)
					if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String() + "/hook"
}

// BenchmarkDelivered publishes facts of 1 KiB from 32 goroutines and waits until all have arrived.
func BenchmarkDelivered(b *testing.B) {
	data := json.RawMessage(`{"pad":"` + strings.Repeat("x", 1000) + `"}`)
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, endpoints := range []int{1, 10} {
			b.Run(fmt.Sprintf("%s/%d", engine, endpoints), func(b *testing.B) {
				c := dbtest.SQLite(b)
				if engine == "postgres" {
					c = dbtest.PostgreSQL(b)
				}
				h := open(b, dbtest.Open(b, c), nil)
				var arrived atomic.Int64
				for range endpoints {
					h.subscribe(sink(b, &arrived), endpoint.Options{})
				}
				b.ResetTimer()
				began := time.Now()
				var next atomic.Int64
				var writers sync.WaitGroup
				for range 32 {
					writers.Go(func() {
						for next.Add(1) <= int64(b.N) {
							if err := h.db.Write(context.Background(), "", func(tx *db.Tx) error {
								return h.ledger.Append(tx, &fact.Fact{Org: org, Kind: "acme.happened", Private: true, Data: data})
							}); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				writers.Wait()
				b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "accepted/s")
				for arrived.Load() < int64(b.N*endpoints) {
					time.Sleep(time.Millisecond)
				}
				b.ReportMetric(float64(b.N*endpoints)/time.Since(began).Seconds(), "delivered/s")
			})
		}
	}
}
