package db_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
	"github.com/stagedoorhq/stagedoor/internal/db/pgtest"
)

// unmigrated are databases without a schema.
func unmigrated(t *testing.T) map[string]db.Config {
	t.Helper()
	configs := map[string]db.Config{"sqlite": {File: filepath.Join(t.TempDir(), "stagedoor.db")}}
	if pgtest.Unavailable() == "" {
		configs["postgres"] = db.Config{URL: pgtest.Shared(t).Fresh(t, "", nil)}
	}
	return configs
}

func open(t testing.TB, c db.Config) *db.DB {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	d, err := db.Open(t.Context(), c)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return d
}

func TestMigrateBringsTheSchemaUpToDate(t *testing.T) {
	t.Parallel()
	for engine, c := range unmigrated(t) {
		t.Run(engine, func(t *testing.T) {
			d := open(t, c)
			have, want, err := d.SchemaVersion(t.Context())
			if have != 0 || want < 1 || err != nil {
				t.Errorf("SchemaVersion of an empty database: %d, %d, %v", have, want, err)
			}
			for range 2 { // the second time there is nothing to do
				if err := d.Migrate(t.Context()); err != nil {
					t.Fatalf("Migrate: %v", err)
				}
				if have, _, err := d.SchemaVersion(t.Context()); have != want || err != nil {
					t.Errorf("SchemaVersion after Migrate: %d, %v; want %d", have, err, want)
				}
			}
			mustWrite(t, d, func(tx *db.Tx) error { _, err := tx.Numbers(1); return err })
		})
	}
}

// TestListingsOfTheSameNameSurviveTheMigration: 0022 has an external id name one listing, and older programs let several have it.
func TestListingsOfTheSameNameSurviveTheMigration(t *testing.T) {
	t.Parallel()
	for engine, c := range unmigrated(t) {
		t.Run(engine, func(t *testing.T) {
			d := open(t, c)
			if err := d.MigrateTo(t.Context(), 21); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, d, func(tx *db.Tx) error {
				for i, l := range []struct{ org, external, status string }{
					{"1", "x", "active"}, {"1", "x", "paused"}, {"1", "x", "withdrawn"}, {"1", "", "active"}, {"1", "", "active"}, {"2", "x", "draft"}, {"1", "y", "expired"},
				} {
					_, err := tx.Exec(`INSERT INTO listings (org_id, id, event_no, event_id, external_id, section, row_name, quantity, held, sold, high_water, price, currency,
							split_rule, status, version, created_at, updated_at)
						VALUES (CAST($1 AS BIGINT), $2, 1, 'E', $3, 'A', '1', 1, 0, 0, 0, 100, 'EUR', 'any', $4, 1, 7200000000, 7200000000)`, l.org, fmt.Sprint(i), l.external, l.status)
					if err != nil {
						return err
					}
				}
				return nil
			})
			if err := d.Migrate(t.Context()); err != nil {
				t.Fatalf("Migrate: %v", err)
			}
			keyed, err := db.All(d.Read(t.Context()), db.Value[string], `SELECT id FROM listings WHERE external_key IS NOT NULL AND delivery_kind = 'transfer'
				AND deliverability = 'ok' AND barcoded = 0 AND due_at IS NULL AND updated_hour = 2 ORDER BY id`)
			if got := strings.Join(keyed, " "); got != "1 5" || err != nil {
				t.Errorf("the external id names the listings %s, %v; want the newest that is not at its end, 1, and the other organisation's, 5", got, err)
			}
		})
	}
}

// TestSalesAreNumberedByTheMigration: orders and the holds that they were have one number in common, others have others, new ones come behind; and a program that
// knows nothing of sales can go on for a while.
func TestSalesAreNumberedByTheMigration(t *testing.T) {
	t.Parallel()
	for engine, c := range unmigrated(t) {
		t.Run(engine, func(t *testing.T) {
			d := open(t, c)
			if err := d.MigrateTo(t.Context(), 24); err != nil {
				t.Fatal(err)
			}
			add := func(orders []int64, holds map[int64]any) {
				t.Helper()
				mustWrite(t, d, func(tx *db.Tx) error {
					for _, no := range orders {
						if _, err := tx.Exec(`INSERT INTO orders (order_no, org_id, number, event_no, event_id, event_name, event_starts_at, event_timezone, event_venue,
								event_location, listing_no, listing_id, section, row_name, units, quantity, currency, unit_price, total, captured, refunded, payment_provider,
								payment_reference, status, previous_status, transfer_method, version, created_at, updated_at)
							VALUES ($1, 1, $2, 1, 'E', 'E', 0, 'UTC', '', '', 1, 'L', 'A', '1', '[0]', 1, 'EUR', 100, 100, 100, 0, '', '', 'confirmed', '', '', 1, 0, 0)`,
							no, fmt.Sprint("TIC-", no)); err != nil {
							return err
						}
					}
					for no, order := range holds {
						status, ended := "expired", int64(1)
						if order != nil {
							status = "converted"
						}
						if _, err := tx.Exec(`INSERT INTO holds (hold_no, org_id, id, event_no, event_id, listing_no, listing_id, section, row_name, units, quantity, price,
								currency, holder, status, extended, order_no, created_at, expires_at, ended_at)
							VALUES ($1, 1, $2, 1, 'E', 1, 'L', 'A', '1', '[0]', 1, 100, 'EUR', '', $3, FALSE, $4, 0, 1, $5)`, no, fmt.Sprint("hold_", no), status, order, ended); err != nil {
							return err
						}
					}
					return nil
				})
			}
			add([]int64{400, 500, 600}, map[int64]any{1: nil, 2: int64(500), 3: nil})
			if err := d.Migrate(t.Context()); err != nil {
				t.Fatalf("Migrate: %v", err)
			}
			add([]int64{700, 800}, map[int64]any{7: nil, 8: int64(800)}) // as the older program does
			numbers := func(sql string) (all []int64) {
				t.Helper()
				all, err := db.All(d.Read(t.Context()), db.Value[int64], sql)
				if err != nil {
					t.Fatal(err)
				}
				return all
			}
			orders := numbers(`SELECT COALESCE(sale_no, 0) FROM orders ORDER BY order_no`)
			holds := numbers(`SELECT COALESCE(sale_no, 0) FROM holds ORDER BY hold_no`)
			if want := []int64{1, 2, 3, 0, 0}; !slices.Equal(orders, want) {
				t.Errorf("orders are the sales %d, want %d", orders, want)
			}
			if want := []int64{4, 2, 5, 0, 0}; !slices.Equal(holds, want) {
				t.Errorf("holds are the sales %d, want %d", holds, want)
			}
			mustWrite(t, d, func(tx *db.Tx) error {
				n, err := tx.Serial("sales")
				if n != 6 {
					t.Errorf("the next sale is %d, want 6", n)
				}
				return err
			})
		})
	}
}

// TestTheMigrationClosesWhatIsListedForDeletedEvents: 0031 has listings of such events come to their end, as deleting one does now.
func TestTheMigrationClosesWhatIsListedForDeletedEvents(t *testing.T) {
	t.Parallel()
	for engine, c := range unmigrated(t) {
		t.Run(engine, func(t *testing.T) {
			d := open(t, c)
			if err := d.MigrateTo(t.Context(), 29); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, d, func(tx *db.Tx) error {
				for no, status := range []string{"published", "deleted"} {
					for _, sql := range []string{
						`INSERT INTO events (event_no, org_id, id, name, description, category, url, online, start_local, end_local, timezone, all_day, starts_at, ends_at, currency,
							status, version, created_at, updated_at) VALUES ($1, 1, $2, 'E', '', '', '', FALSE, '', '', 'UTC', FALSE, 0, 0, 'EUR', $2, 1, 0, 7)`,
						`INSERT INTO listings (listing_no, org_id, id, event_no, event_id, external_id, external_key, section, row_name, quantity, held, sold, high_water, price, currency,
							split_rule, status, version, created_at, updated_at, due_at, barcoded)
							VALUES ($1, 1, $2, $1, $2, $2, $2, 'A', '1', 3, 0, 0, 0, 100, 'EUR', 'any', 'active', 1, 0, 0, 5, 1)`,
						`INSERT INTO pools (event_no, org_id, capacity, held, sold, blocked, exhausted) VALUES ($1, 1, 3, 0, 0, 0, $2 = '')`,
						`INSERT INTO barcode_sets (set_no, org_id, event_no, listing_no, ordinal, row_name, seat, status, n, sealed, received_at)
							VALUES ($1, 1, $1, $1, 0, $2, '', 'received', 1, '', 0)`,
						`INSERT INTO barcode_values (event_no, digest, org_id, listing_no, ordinal, set_no) VALUES ($1, $2, 1, $1, 0, $1)`,
					} {
						if _, err := tx.Exec(sql, int64(no+1), status); err != nil {
							return fmt.Errorf("%w in %s", err, sql)
						}
					}
				}
				return nil
			})
			if err := d.Migrate(t.Context()); err != nil {
				t.Fatalf("Migrate: %v", err)
			}
			got, err := db.All(d.Read(t.Context()), func(r db.Rows) (string, error) {
				var listing, status string
				var keyed, due bool
				var numbers [6]int
				err := r.Scan(&listing, &status, &keyed, &due, &numbers[0], &numbers[1], &numbers[2], &numbers[3], &numbers[4], &numbers[5])
				return fmt.Sprint(listing, " ", status, " ", keyed, " ", due, " ", numbers), err
			}, `SELECT l.id, l.status, l.external_key IS NOT NULL, l.due_at IS NOT NULL, l.version, l.barcoded, p.capacity, p.blocked,
					(SELECT count(*) FROM barcode_values v WHERE v.listing_no = l.listing_no),
					(SELECT count(*) FROM barcode_sets b WHERE b.listing_no = l.listing_no AND b.replaced_at IS NULL)
				FROM listings l JOIN pools p ON p.event_no = l.event_no ORDER BY l.listing_no`)
			want := []string{"published active true true [1 1 3 0 1 1]", "deleted withdrawn false false [2 0 0 0 0 0]"}
			if !slices.Equal(got, want) || err != nil {
				t.Errorf("listings (status, key, date, version, barcodes, capacity, blocked, values, sets) are\n%s, %v, want\n%s", strings.Join(got, "\n"), err, strings.Join(want, "\n"))
			}
		})
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		mustWrite(t, d, func(tx *db.Tx) error {
			_, err := tx.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, TRUE)")
			return err
		})
		err := d.Migrate(t.Context())
		if !errors.Is(err, db.ErrNewerSchema) {
			t.Fatalf("Migrate of a newer schema: %v, want ErrNewerSchema", err)
		}
		for _, part := range []string{"has schema 99999", "start the newer program", "backup"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("Migrate of a newer schema says %q, without %q", err, part)
			}
		}
		if have, want, err := d.SchemaVersion(t.Context()); have != 99999 || want >= have || err != nil {
			t.Errorf("SchemaVersion of a newer schema: %d, %d, %v", have, want, err)
		}
	})
}

func TestNodesThatMigrateTogetherTakeTurns(t *testing.T) {
	t.Parallel()
	for engine, c := range unmigrated(t) {
		t.Run(engine, func(t *testing.T) {
			var wg sync.WaitGroup
			for range 4 {
				d := open(t, c)
				wg.Go(func() {
					if err := d.Migrate(t.Context()); err != nil {
						t.Errorf("Migrate beside others: %v", err)
					}
				})
			}
			wg.Wait()
			d := open(t, c)
			if have, want, err := d.SchemaVersion(t.Context()); have != want || err != nil {
				t.Errorf("SchemaVersion: %d of %d, %v", have, want, err)
			}
			n, err := db.One(d.Read(t.Context()), db.Value[int64], "SELECT count(*) FROM configuration")
			if n != 1 || err != nil {
				t.Errorf("configuration has %d rows (%v), want 1: a migration ran twice", n, err)
			}
		})
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		config db.Config
		want   string
	}{
		{db.Config{}, "no database given"},
		{db.Config{URL: "postgres://user:secret@host:port/name"}, "write postgres://user:password@host:5432/name"},
		{db.Config{File: t.TempDir() + "/missing/folder/x.db"}, "missing/folder"},
	} {
		d, err := db.Open(t.Context(), c.config)
		if err == nil {
			_ = d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Open(%+v): %v, want an error with %q and no password", c.config, err, c.want)
		}
	}
}
