package db

import "errors"

// Bisect finds where in a table rows become as new as an instant, when its numbers and instants grow together and only the numbers have an index: two numbers
// near each other, of which what stands before the lower is older, and what stands at or after the higher is not. newest is the highest number that there is; the text
// reads number and instant of the first row at or after the number $1. It takes some twenty reads of one row. Whoever has instants that are a little out of order asks for
// one that is a little earlier, or later.
func Bisect(q Querier, newest, instant int64, sql string, args ...any) (low, high int64, err error) {
	const near = 256
	type row struct{ number, at int64 }
	for high = newest + 1; high-low > near; {
		middle := low + (high-low)/2
		found, err := One(q, func(r Rows) (v row, err error) { return v, r.Scan(&v.number, &v.at) }, sql, append([]any{middle}, args...)...)
		if err != nil && !errors.Is(err, ErrNoRow) {
			return 0, 0, err
		}
		if err != nil || found.at >= instant {
			high = middle
		} else {
			low = found.number + 1
		}
	}
	return low, max(high, low), nil
}
