package db_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
)

// BenchmarkWrite measures callers that each insert one small row and wait until it is on disk. Both databases sync their commits.
//
//	go test -run '^$' -bench Write ./internal/db
func BenchmarkWrite(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkWrite(b, dbtest.SQLite(b)) })
	b.Run("postgres", func(b *testing.B) {
		if reason := pgtest.Unavailable(); reason != "" {
			b.Skip(reason)
		}
		cluster, err := pgtest.Start(pgtest.Options{Fsync: true})
		if err != nil {
			b.Fatalf("start PostgreSQL: %v", err)
		}
		b.Cleanup(cluster.Stop)
		benchmarkWrite(b, db.Config{URL: cluster.URL("postgres")})
	})
}

func benchmarkWrite(b *testing.B, c db.Config) {
	d := dbtest.Open(b, c)
	ctx := context.Background()
	err := d.Write(ctx, "", func(tx *db.Tx) error {
		_, err := tx.Exec("CREATE TABLE small (k BIGINT PRIMARY KEY, name TEXT NOT NULL, at BIGINT NOT NULL)")
		return err
	})
	if err != nil {
		b.Fatalf("make table: %v", err)
	}
	var next atomic.Int64
	for _, callers := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						err := d.Write(ctx, "", func(tx *db.Tx) error {
							return tx.Later("INSERT INTO small (k, name, at) VALUES ($1, $2, $3)", next.Add(1), "a small row", tx.Micros())
						})
						if err != nil {
							b.Errorf("Write: %v", err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
