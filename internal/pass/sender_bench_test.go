package pass_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// BenchmarkTold changes an event and waits until all devices with its passes were told, by a push service that takes a millisecond.
func BenchmarkTold(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			c := dbtest.SQLite(b)
			if engine == "postgres" {
				c = dbtest.PostgreSQL(b)
			}
			h := newTour(b, dbtest.Open(b, c))
			h.crowd(h.ticket("E"), b.N)
			h.follow()
			var told atomic.Int64
			h.run(pass.SenderConfig{Pusher: &apns{answer: func(context.Context, string) pass.Result {
				time.Sleep(time.Millisecond)
				told.Add(1)
				return pass.Result{}
			}}})
			b.ResetTimer()
			began := time.Now()
			h.change("E", event.Patch{Name: set("Jazz")})
			h.follow()
			for told.Load() < int64(b.N) || h.count(`pass_pushes`) > 0 {
				time.Sleep(10 * time.Millisecond)
			}
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "told/s")
		})
	}
}
