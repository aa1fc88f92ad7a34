package pull_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/provider"
	"github.com/stagedoorhq/stagedoor/internal/pull"
)

// BenchmarkReceive takes events of 1 KiB in, from 64 senders, to disk.
//
//	go test -run '^$' -bench Receive ./internal/pull
func BenchmarkReceive(b *testing.B) {
	body := `{"type":"order.paid","data":"` + strings.Repeat("x", 990) + `"}`
	for engine, config := range map[string]func(testing.TB) *house{
		"sqlite": func(t testing.TB) *house {
			return open(t, dbtest.Open(t, dbtest.SQLite(t)), pull.Config{PerSecond: 1e9, Burst: 1e9})
		},
		"postgres": func(t testing.TB) *house {
			return open(t, dbtest.Open(t, dbtest.PostgreSQL(t)), pull.Config{PerSecond: 1e9, Burst: 1e9})
		},
	} {
		for _, keyed := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/keyed=%v", engine, keyed), func(b *testing.B) {
				h := config(b)
				s := pull.Settings{EventType: provider.EventType{Source: "body", Path: "type"}}
				if keyed {
					s.DedupHeaders = []string{"X-Id"}
				}
				e := h.make(me, s)
				var n atomic.Int64
				b.SetParallelism(32)
				b.ResetTimer()
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						if _, err := h.send(e.to(body, "X-Id", fmt.Sprint(n.Add(1)), "Content-Type", "application/json")); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}
