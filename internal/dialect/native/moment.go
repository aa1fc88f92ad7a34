package native

import (
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// moment is an instant as a caller writes it: left out, a PATCH leaves it as it is; null or "" is none.
type moment struct{ to *string }

// UnmarshalJSON notes that the field was there.
func (m *moment) UnmarshalJSON(b []byte) error {
	m.to = new(string)
	return unmarshalOrNull(b, m.to)
}

// Schema is a string or null.
func (moment) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true, Examples: []any{"2027-03-01T10:00:00Z"}}
}

// time reads the instant: nil where nothing was said, the zero time for none.
func (m moment) time(f *problem.Fields, pointer string) *time.Time {
	switch {
	case m.to == nil:
		return nil
	case *m.to == "":
		return &time.Time{}
	}
	t, err := time.Parse(time.RFC3339, *m.to)
	if err != nil {
		f.Add(pointer, "invalid", "Give an instant with its offset, such as 2027-03-01T10:00:00Z.")
		return nil
	}
	t = t.UTC()
	return &t
}

// windowOf reads the instants between which something is sold.
func windowOf(onSaleAt, offSaleAt moment) (from, until *time.Time, err error) {
	var f problem.Fields
	from, until = onSaleAt.time(&f, "/onSaleAt"), offSaleAt.time(&f, "/offSaleAt")
	return from, until, f.Err()
}

// orZero is the value, the zero value for none.
func orZero[T any](v *T) (value T) {
	if v != nil {
		value = *v
	}
	return value
}
