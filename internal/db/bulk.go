package db

import (
	"fmt"
	"strings"
)

// Bulk is a statement for many rows: one text that SQLite runs for each row, and one that PostgreSQL runs once for all of them, its
// parameters being arrays of the columns.
type Bulk struct {
	one   string
	many  string
	types []string
}

// NewBulk makes a Bulk from both texts and the types of the parameters: bigint, text, bytea or boolean. In the second text parameter N is
// an array of type N, so it usually reads FROM unnest($1::bigint[], $2::text[]).
func NewBulk(one, many string, types ...string) *Bulk {
	for _, t := range types {
		switch t {
		case "bigint", "text", "bytea", "boolean":
		default:
			panic(fmt.Sprintf("db.NewBulk: %q is not a type", t))
		}
	}
	return &Bulk{one: one, many: many, types: types}
}

// BulkInsert makes the Bulk that inserts rows into a table. Each column is written as "name type"; suffix, such as ON CONFLICT DO NOTHING,
// follows both texts.
func BulkInsert(table, suffix string, columns ...string) *Bulk {
	var names, params, arrays, types []string
	for i, c := range columns {
		name, typ, _ := strings.Cut(c, " ")
		names, types = append(names, name), append(types, typ)
		params = append(params, fmt.Sprintf("$%d", i+1))
		arrays = append(arrays, fmt.Sprintf("$%d::%s[]", i+1, typ))
	}
	into := "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") "
	return NewBulk(
		into+"VALUES ("+strings.Join(params, ", ")+") "+suffix,
		into+"SELECT * FROM unnest("+strings.Join(arrays, ", ")+") "+suffix,
		types...)
}

// columns turns rows into one array per parameter, as pgx encodes fastest.
func (b *Bulk) columns(rows [][]any) ([]any, error) {
	out := make([]any, len(b.types))
	for i, t := range b.types {
		var err error
		switch t {
		case "bigint":
			out[i], err = column[int64](rows, i)
		case "text":
			out[i], err = column[string](rows, i)
		case "boolean":
			out[i], err = column[bool](rows, i)
		case "bytea":
			c := make([][]byte, len(rows))
			for n, row := range rows {
				v, verr := value(row[i])
				if verr != nil {
					err = verr
					break
				}
				c[n], _ = v.([]byte)
			}
			out[i] = c
		}
		if err != nil {
			return nil, fmt.Errorf("argument $%d: %w", i+1, err)
		}
	}
	return out, nil
}

func column[T any](rows [][]any, i int) (any, error) {
	all := make([]T, len(rows))
	var null []*T // only when a NULL is among them
	for n, row := range rows {
		v, err := value(row[i])
		if err != nil {
			return nil, err
		}
		if v == nil {
			if null == nil {
				null = make([]*T, len(rows))
				for k := range n {
					null[k] = &all[k]
				}
			}
			continue
		}
		t, ok := v.(T)
		if !ok {
			return nil, fmt.Errorf("a %T where a %T belongs", row[i], t)
		}
		all[n] = t
		if null != nil {
			null[n] = &all[n]
		}
	}
	if null != nil {
		return null, nil
	}
	return all, nil
}
