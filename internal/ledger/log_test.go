package ledger_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
)

func TestPlacesAreTextAndBack(t *testing.T) {
	for _, text := range []string{"0-0-0", "1-zz-1y2p0ij32e8e7"} {
		if p, ok := ledger.ParsePlace(text); !ok || p.String() != text {
			t.Errorf("ParsePlace(%q) = %v, %v", text, p, ok)
		}
	}
	for _, text := range []string{"", "0", "0-0", "0-0-0-0", "0-0--1", "-1-0-0", "00-0-0", "0-0-Z", "0-0-+1", "0-0-1y2p0ij32e8e8", " 0-0-0"} {
		if p, ok := ledger.ParsePlace(text); ok {
			t.Errorf("ParsePlace(%q) = %v, want none", text, p)
		}
	}
}

func FuzzParsePlace(f *testing.F) {
	f.Add("0-0-0")
	f.Add("1-2s-zz")
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := ledger.ParsePlace(text)
		if !ok {
			return
		}
		if p.String() != text || p.Compare(p.Before()) <= 0 || p.Compare(p) != 0 {
			t.Errorf("ParsePlace(%q) = %v, before it %v", text, p, p.Before())
		}
	})
}

// A table beside the ledger is tailed as the ledger is.
func TestALogIsReadInTheOrderOfPlaces(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		create := "CREATE TABLE diary (seq INTEGER PRIMARY KEY, word TEXT NOT NULL)"
		if d.Engine() == db.PostgreSQL {
			create = "CREATE TABLE diary (seq BIGINT PRIMARY KEY, word TEXT NOT NULL, epoch BIGINT NOT NULL, xid BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint))"
		}
		log := l.Log("diary", "seq bigint", "word text")
		rung, end := log.Listen()
		defer end()
		write := func(words ...string) {
			t.Helper()
			err := d.Write(t.Context(), "", func(tx *db.Tx) error {
				first, err := tx.Numbers(len(words))
				rows := make([][]any, len(words))
				for i, w := range words {
					rows[i] = []any{first + int64(i), w}
				}
				if err != nil {
					return err
				}
				return log.Append(tx, rows...)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := d.WriteAlone(t.Context(), func(tx *db.Tx) error { _, err := tx.Exec(create); return err }); err != nil {
			t.Fatal(err)
		}
		write("a", "b", "c")
		<-rung
		q := d.Read(t.Context())
		read := func(p ledger.Place, limit int, not string) (words []string, last ledger.Place) {
			t.Helper()
			rows, err := ledger.After(log, q, p, limit, ledger.Query{Columns: "word", Where: "word <> $1", Args: []any{not}}, func(r db.Rows, more ...any) (w string, err error) {
				return w, r.Scan(append([]any{&w}, more...)...)
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				words, last = append(words, row.Row), row.Place
			}
			return words, last
		}
		words, second := read(ledger.Place{}, 2, "")
		if !slices.Equal(words, []string{"a", "b"}) {
			t.Errorf("the first two are %v", words)
		}
		if words, _ := read(second.Before(), 9, "c"); !slices.Equal(words, []string{"b"}) {
			t.Errorf("from just before the second, without c: %v", words)
		}
		last, err := log.Last(q)
		if err != nil {
			t.Fatal(err)
		}
		write("d")
		if words, _ := read(last, 9, ""); !slices.Equal(words, []string{"d"}) {
			t.Errorf("after what was the last: %v", words)
		}
		place, seq, found, err := log.Newest(q, "word < $1", "d")
		if words, _ := read(place, 9, ""); err != nil || !found || !slices.Equal(words, []string{"d"}) {
			t.Errorf("after the newest before d: %v; found %v, %v", words, found, err)
		}
		same, found, err := log.Find(q, seq, "word = $1", "c")
		if err != nil || !found || same != place {
			t.Errorf("Find = %v, %v, %v; want %v", same, found, err, place)
		}
		if _, found, err := log.Find(q, seq, "word = $1", "a"); found || err != nil {
			t.Errorf("Find of another word = %v, %v", found, err)
		}
		if _, _, found, err := log.Newest(q, "word = $1", "x"); found || err != nil {
			t.Errorf("Newest of none = %v, %v", found, err)
		}
	})
}

func TestFactsOfAnOrganisationComeWithTheirPrivateData(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, l *ledger.Ledger) {
		const n = 10
		for i := range n {
			data := fmt.Appendf(nil, `{"n":%d}`, i)
			appendFacts(t, d, l, &fact.Fact{Org: int64(i%2 + 1), Kind: "acme.n", Data: data, Private: i < 5})
		}
		var got []string
		looks := 0
		for p, more := (ledger.Place{}), true; more; looks++ {
			var own []ledger.Entry
			var err error
			if own, p, more, err = l.OfOrg(d.Read(t.Context()), 2, p, 3); err != nil {
				t.Fatal(err)
			}
			for _, e := range own {
				got = append(got, string(e.Fact.Data))
			}
		}
		if want := []string{`{"n":1}`, `{"n":3}`, `{"n":5}`, `{"n":7}`, `{"n":9}`}; !slices.Equal(got, want) || looks != 4 {
			t.Errorf("%d looks found %v, want 4 and %v", looks, got, want)
		}
	})
}
