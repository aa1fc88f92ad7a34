package fact

import "time"

// Instant is a moment as facts and answers print it: UTC, RFC 3339, always three digits of a second. What is finer is cut off.
type Instant time.Time

// Layout is how an Instant is written.
const Layout = "2006-01-02T15:04:05.000Z"

// String returns the instant in [Layout].
func (i Instant) String() string { return time.Time(i).UTC().Format(Layout) }

// MarshalText writes the instant in [Layout].
func (i Instant) MarshalText() ([]byte, error) {
	return time.Time(i).UTC().AppendFormat(nil, Layout), nil
}

// UnmarshalText reads any RFC 3339 time.
func (i *Instant) UnmarshalText(b []byte) error {
	t, err := time.Parse(time.RFC3339, string(b))
	if err != nil {
		return err
	}
	*i = Instant(t.UTC())
	return nil
}

// Equal tells whether two instants are printed alike.
func (i Instant) Equal(o Instant) bool {
	return time.Time(i).Truncate(time.Millisecond).Equal(time.Time(o).Truncate(time.Millisecond))
}
