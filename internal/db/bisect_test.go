package db_test

import (
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

func TestBisectFindsWhereRowsBecomeNewer(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const rows, every = 3000, 7 // numbers 7, 14, …, which have twice that as their instants
		err := d.WriteAlone(t.Context(), func(tx *db.Tx) error {
			if _, err := tx.Exec("CREATE TABLE diary (no BIGINT PRIMARY KEY, at BIGINT NOT NULL)"); err != nil {
				return err
			}
			b := db.BulkInsert("diary", "", "no bigint", "at bigint")
			all := make([][]any, rows)
			for i := range all {
				n := int64(i+1) * every
				all[i] = []any{n, 2 * n}
			}
			return tx.Bulk(b, all)
		})
		if err != nil {
			t.Fatal(err)
		}
		const newest = rows * every
		for _, number := range []int64{-10, 0, 1, 7, 8, 9999, newest - 1, newest, newest + 1, 1 << 50} {
			low, high, err := db.Bisect(d.Read(t.Context()), newest, 2*number, "SELECT no, at FROM diary WHERE no >= $1 ORDER BY no LIMIT 1")
			if err != nil {
				t.Fatal(err)
			}
			at := max(0, min(number, newest+1))
			if low > at || high < at || high-low > 256 {
				t.Errorf("Bisect at %d = %d, %d; want two around it", number, low, high)
			}
		}
		if _, _, err := db.Bisect(d.Read(t.Context()), newest, 5, "SELECT no FROM nowhere WHERE no >= $1"); err == nil {
			t.Error("Bisect in a table that is not there gave no error")
		}
	})
}
