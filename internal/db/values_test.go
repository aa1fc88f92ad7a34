package db_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/db/dbtest"
)

// things makes a table with a column of each type.
func things(t *testing.T, d *db.DB) {
	t.Helper()
	mustWrite(t, d, func(tx *db.Tx) error {
		_, err := tx.Exec("CREATE TABLE things (k BIGINT PRIMARY KEY, i BIGINT, s TEXT, y BYTEA, b BOOLEAN)")
		return err
	})
}

type thing struct {
	I *int64
	S *string
	Y []byte
	B *bool
}

// sameBytes tells NULL from empty, and is quicker than looking at each byte.
func sameBytes(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func scanThing(r db.Rows) (v thing, err error) { return v, r.Scan(&v.I, &v.S, &v.Y, &v.B) }

func ptr[T any](v T) *T { return &v }

// values are what must come back as it went in.
func values() []thing {
	large := strings.Repeat("Zauberflöte ✓ ", 100_000)
	return []thing{
		{},
		{ptr[int64](0), ptr(""), []byte{}, ptr(false)},
		{ptr[int64](1), ptr("x"), []byte{0}, ptr(true)},
		{ptr[int64](math.MaxInt64), ptr(`'quoted' "twice" \ back $1 ?1 :a @b`), []byte("\x00\xff'\\"), ptr(true)},
		{ptr[int64](math.MinInt64), ptr("日本 🎟️ \u2028 \t\n\r"), bytes.Repeat([]byte{0, 1, 254, 255}, 500_000), ptr(false)},
		{ptr[int64](-1), &large, nil, nil},
		{nil, ptr("null, 1, ü"), []byte("text"), nil},
		{ptr[int64](1 << 53), nil, []byte{}, ptr(true)},
	}
}

func TestValuesComeBackAsTheyWentIn(t *testing.T) {
	const insert = "INSERT INTO things (k, i, s, y, b) VALUES ($1, $2, $3, $4, $5)"
	bulk := db.BulkInsert("things", "", "k bigint", "i bigint", "s text", "y bytea", "b boolean")
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		things(t, d)
		ways := map[string]func(tx *db.Tx, all [][]any) error{
			"Exec": func(tx *db.Tx, all [][]any) error {
				for _, args := range all {
					if n, err := tx.Exec(insert, args...); n != 1 || err != nil {
						return fmt.Errorf("Exec: %d rows: %w", n, err)
					}
				}
				return nil
			},
			"Later": func(tx *db.Tx, all [][]any) error {
				for _, args := range all {
					if err := tx.Later(insert, args...); err != nil {
						return err
					}
				}
				return nil
			},
			"Bulk": func(tx *db.Tx, all [][]any) error { return tx.Bulk(bulk, all) },
			"Bulk in parts": func(tx *db.Tx, all [][]any) error {
				return errors.Join(tx.Bulk(bulk, all[:3]), tx.Bulk(bulk, nil), tx.Bulk(bulk, all[3:]))
			},
			"Query": func(tx *db.Tx, all [][]any) error {
				for _, args := range all {
					if _, err := db.One(tx, db.Value[int64], insert+" RETURNING k", args...); err != nil {
						return err
					}
				}
				return nil
			},
		}
		for name, write := range ways {
			mustWrite(t, d, func(tx *db.Tx) error { _, err := tx.Exec("DELETE FROM things"); return err })
			want := values()
			mustWrite(t, d, func(tx *db.Tx) error {
				var all [][]any
				for k, v := range want {
					all = append(all, []any{k, v.I, v.S, v.Y, v.B})
				}
				return write(tx, all)
			})
			got, err := db.All(d.Read(t.Context()), scanThing, "SELECT i, s, y, b FROM things ORDER BY k")
			if err != nil {
				t.Fatalf("%s: read: %v", name, err)
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(sameBytes)); diff != "" {
				t.Errorf("%s: what came back differs from what went in (-want +got):\n%.2000s", name, diff)
			}
		}
	})
}

func TestNamedTypesAreTakenAndGiven(t *testing.T) {
	type (
		kind   string
		number int64
		flag   bool
		small  int32
	)
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		things(t, d)
		mustWrite(t, d, func(tx *db.Tx) error {
			_, err := tx.Exec("INSERT INTO things (k, i, s, y, b) VALUES ($1, $2, $3, $4, $5)", small(7), number(8), kind("order.accepted"), json.RawMessage(`{}`), flag(true))
			return err
		})
		var k small
		var i *number
		var s kind
		var y json.RawMessage
		var b flag
		var plain int
		rows, err := d.Read(t.Context()).Query("SELECT k, i, s, y, b, i FROM things WHERE s = $1 AND b = TRUE", kind("order.accepted"))
		if err != nil {
			t.Fatalf("Query: %v", err)
		}
		defer rows.Close()
		if !rows.Next() {
			t.Fatalf("no row: %v", rows.Err())
		}
		if err := rows.Scan(&k, &i, &s, &y, &b, &plain); err != nil {
			t.Fatalf("Scan: %v", err)
		}
		if k != 7 || i == nil || *i != 8 || s != "order.accepted" || string(y) != "{}" || !bool(b) || plain != 8 {
			t.Errorf("got %v %v %q %q %v %v", k, i, s, y, b, plain)
		}
	})
}

func TestTextColumnIsReadAsJSON(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		got, err := db.One(d.Read(t.Context()), db.Value[json.RawMessage], "SELECT CAST($1 AS TEXT)", `{"a": 1}`)
		if err != nil || string(got) != `{"a": 1}` {
			t.Errorf("text read into json.RawMessage: %q, %v", got, err)
		}
	})
}

func TestNullDoesNotGoIntoAPlainPlace(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := d.Read(t.Context())
		for name, err := range map[string]error{
			"int64":  second(db.One(q, db.Value[int64], "SELECT CAST(NULL AS BIGINT)")),
			"string": second(db.One(q, db.Value[string], "SELECT CAST(NULL AS TEXT)")),
			"bool":   second(db.One(q, db.Value[bool], "SELECT CAST(NULL AS BOOLEAN)")),
		} {
			if err == nil {
				t.Errorf("NULL was scanned into a %s", name)
			}
		}
		if n, err := db.One(q, db.Value[*int64], "SELECT CAST(NULL AS BIGINT)"); n != nil || err != nil {
			t.Errorf("NULL into a *int64: %v, %v", n, err)
		}
		if _, err := db.One(q, db.Value[int32], "SELECT CAST($1 AS BIGINT)", int64(1)<<40); err == nil {
			t.Error("2^40 was scanned into an int32")
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestParametersAreCountedAndNumbered(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := d.Read(t.Context())
		var args []any
		var params []string
		for i := 1; i <= 12; i++ {
			args = append(args, fmt.Sprint("v", i))
			params = append(params, fmt.Sprintf("CAST($%d AS TEXT)", i))
		}
		got, err := db.One(q, db.Value[string], "SELECT "+strings.Join(params, " || ")+" || CAST($1 AS TEXT) || ' $1 costs $10; -- no' /* $13 ; */ -- $14", args...)
		if want := "v1v2v3v4v5v6v7v8v9v10v11v12v1 $1 costs $10; -- no"; err != nil || got != want {
			t.Errorf("twelve parameters and dollars in a string: %q, %v; want %q", got, err, want)
		}
		if _, err := db.One(q, db.Value[string], "SELECT CAST($1 AS TEXT)", "a", "b"); err == nil {
			t.Error("two arguments for one parameter were taken")
		}
		if _, err := db.One(q, db.Value[string], "SELECT CAST($1 AS TEXT) || CAST($2 AS TEXT)", "a"); err == nil {
			t.Error("one argument for two parameters was taken")
		}
		err = d.Write(t.Context(), "", func(tx *db.Tx) error {
			_, err := tx.Exec("UPDATE configuration SET revision = revision + 0 * $1", 1, 2)
			return err
		})
		if err == nil {
			t.Error("Exec took two arguments for one parameter")
		}
	})
}

func TestListsGoInAsJSON(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		names := []string{"plain", `it's`, `"double"`, "日本 🎟️", `back\slash`, "", "$1", "x,y", "ints($1)"}
		numbers := []int64{0, -1, 1 << 53, math.MaxInt64, math.MinInt64}
		things(t, d)
		mustWrite(t, d, func(tx *db.Tx) error {
			for i, s := range names {
				if err := tx.Later("INSERT INTO things (k, i, s) VALUES ($1, $2, $3)", i, numbers[i%len(numbers)], s); err != nil {
					return err
				}
			}
			return nil
		})
		list := func(v any) string {
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		for _, c := range []struct {
			where string
			args  []any
			want  int64
		}{
			{"s IN texts($1)", []any{list(names)}, 9},
			{"s IN texts($1)", []any{list(names[1:3])}, 2},
			{"s IN texts($1)", []any{"[]"}, 0},
			{"i IN ints($1)", []any{list(numbers)}, 9},
			{"i IN ints($1)", []any{list(numbers[3:4])}, 2},
			{"i IN ints($1)", []any{"[]"}, 0},
			{"i IN ints($2) AND s IN texts($1) AND k >= $3", []any{list(names), list(numbers[:1]), 1}, 1},
		} {
			got, err := db.One(d.Read(t.Context()), db.Value[int64], "SELECT count(*) FROM things WHERE "+c.where, c.args...)
			if err != nil || got != c.want {
				t.Errorf("things WHERE %s with %v: %d, %v; want %d", c.where, c.args, got, err, c.want)
			}
			mustWrite(t, d, func(tx *db.Tx) error {
				n, err := tx.Exec("UPDATE things SET b = TRUE WHERE "+c.where, c.args...)
				if n != c.want {
					t.Errorf("UPDATE things WHERE %s with %v changed %d rows, want %d", c.where, c.args, n, c.want)
				}
				return err
			})
		}
	})
}

func TestExecCountsTheRowsThatItChanged(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		mustWrite(t, d, func(tx *db.Tx) error {
			for _, c := range []struct {
				sql  string
				want int64
			}{
				{"INSERT INTO notes (name, n) VALUES ('a', 1), ('b', 2), ('c', 3)", 3},
				{"INSERT INTO notes (name, n) VALUES ('a', 1) ON CONFLICT DO NOTHING", 0},
				{"INSERT INTO notes (name, n) VALUES ('a', 1), ('d', 4) ON CONFLICT DO NOTHING", 1},
				{"CREATE TABLE more (n BIGINT)", 0},
				{"UPDATE notes SET n = 9 WHERE name IN ('a', 'b')", 2},
				{"UPDATE notes SET n = 9 WHERE name = 'nobody'", 0},
				{"INSERT INTO notes (name, n) VALUES ('a', 7) ON CONFLICT (name) DO UPDATE SET n = excluded.n WHERE notes.n = 1", 0},
				{"INSERT INTO notes (name, n) VALUES ('a', 7) ON CONFLICT (name) DO UPDATE SET n = excluded.n WHERE notes.n = 9", 1},
				{"\n\t-- all of them\n\tDELETE FROM notes", 4},
				{"DROP TABLE more", 0},
			} {
				if n, err := tx.Exec(c.sql); n != c.want || err != nil {
					t.Errorf("Exec(%q): %d, %v; want %d", c.sql, n, err, c.want)
				}
			}
			return nil
		})
	})
}

func TestSchemaChangeOfAFunctionThatFailsIsUndone(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		errs := group(t, d, note("good"), func(tx *db.Tx) error {
			_, err := tx.Exec("CREATE TABLE half (n BIGINT)")
			return errors.Join(err, errRefused)
		})
		if errs[0] != nil || !errors.Is(errs[1], errRefused) {
			t.Fatalf("got %v", errs)
		}
		if _, err := db.All(d.Read(t.Context()), db.Value[int64], "SELECT n FROM half"); err == nil {
			t.Error("the table of a function that failed is there")
		}
	})
}

func TestOneAndAll(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		q := d.Read(t.Context())
		if _, err := db.One(q, db.Value[string], "SELECT name FROM notes"); !errors.Is(err, db.ErrNoRow) {
			t.Errorf("One without a row: %v, want ErrNoRow", err)
		}
		if all, err := db.All(q, db.Value[string], "SELECT name FROM notes"); len(all) != 0 || err != nil {
			t.Errorf("All without a row: %v, %v", all, err)
		}
		if _, err := db.All(q, db.Value[string], "SELECT nothing FROM nowhere"); err == nil || !strings.Contains(err.Error(), `in "SELECT nothing`) {
			t.Errorf("a query that is wrong: %v, want an error with its text", err)
		}
		mustWrite(t, d, func(tx *db.Tx) error { return errors.Join(note("a")(tx), note("b")(tx)) })
		if all, err := db.All(q, db.Value[string], "SELECT name FROM notes ORDER BY name"); len(all) != 2 || err != nil {
			t.Errorf("All: %v, %v", all, err)
		}
		stop := errors.New("stop")
		for range 20 { // connections must come back
			if _, err := db.All(q, func(db.Rows) (int, error) { return 0, stop }, "SELECT name FROM notes"); !errors.Is(err, stop) {
				t.Errorf("All whose scan fails: %v, want its error", err)
			}
			if _, err := db.One(q, func(r db.Rows) (int, error) { return 0, r.Scan() }, "SELECT name FROM notes"); err == nil {
				t.Error("Scan of one column into no place was taken")
			}
		}
	})
}

func TestQuerySeesWhatLaterAndBulkWrote(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		bulk := db.BulkInsert("notes", "ON CONFLICT (name) DO NOTHING", "name text", "n bigint")
		mustWrite(t, d, func(tx *db.Tx) error {
			if err := tx.Later("INSERT INTO notes (name, n) VALUES ('later', 1)"); err != nil {
				return err
			}
			if err := tx.Bulk(bulk, [][]any{{"bulk", 2}, {"later", 3}}); err != nil {
				return err
			}
			if err := tx.Later("UPDATE notes SET n = n + 10 WHERE name = 'bulk'"); err != nil {
				return err
			}
			got, err := db.All(tx, func(r db.Rows) (s string, err error) {
				var n int
				err = r.Scan(&s, &n)
				return fmt.Sprint(s, n), err
			}, "SELECT name, n FROM notes ORDER BY name")
			if diff := cmp.Diff([]string{"bulk12", "later1"}, got); diff != "" {
				t.Errorf("in the transaction (-want +got):\n%s", diff)
			}
			return err
		})
	})
}

func TestReadSideWritesNothing(t *testing.T) {
	d, _ := onSQLite(t)
	rows, err := d.Read(t.Context()).Query("INSERT INTO notes (name, n) VALUES ('x', 1) RETURNING n")
	if err == nil {
		rows.Next()
		err = rows.Err()
		rows.Close()
	}
	if err == nil || has(t, d, "x") {
		t.Errorf("the read side wrote: error %v", err)
	}
}
