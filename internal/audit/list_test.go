package audit_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

// Entries of a time are found where they are, although only their numbers have an index.
func TestAListOfATimeHasWhatIsOfIt(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const n = 2000
		begin := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
		write(t, d, func(tx *db.Tx) error {
			for i := range n {
				if err := audit.Append(tx, audit.Entry{Org: int64(1 + i%2), Action: "key.created", Subject: fmt.Sprint(i)}); err != nil {
					return err
				}
			}
			_, err := tx.Exec("UPDATE audit_entries SET at = $1 + CAST(subject AS BIGINT) * 60000000", begin.UnixMicro())
			return err
		})
		for _, c := range []struct{ from, to int }{{0, n}, {0, 10}, {500, 510}, {1, 1999}, {1990, n}, {n, n + 5}, {700, 700}} {
			for _, bounds := range []struct{ since, until bool }{{true, true}, {true, false}, {false, true}} {
				f := audit.Filter{Limit: n, Action: "key.created"}
				from, to := 0, n
				if bounds.since {
					f.Since, from = begin.Add(time.Duration(c.from)*time.Minute), c.from
				}
				if bounds.until {
					f.Until, to = begin.Add(time.Duration(c.to)*time.Minute), min(c.to, n)
				}
				var want []string
				for i := to - 1; i >= from; i-- {
					if i%2 == 0 {
						want = append(want, fmt.Sprint(i))
					}
				}
				if got := subjects(t, d, 1, f); !slices.Equal(got, want) {
					t.Errorf("from %v until %v there are %d entries, want %d", f.Since, f.Until, len(got), len(want))
				}
			}
		}
	})
}
