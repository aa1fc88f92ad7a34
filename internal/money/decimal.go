package money

import (
	"bytes"
	"encoding/json"
	"errors"
)

// Decimal is a decimal as a caller wrote it in JSON, as a string or as a number, without going through a float. Which amount it is
// can be said only once the currency is known: see [Parse].
type Decimal string

// UnmarshalJSON keeps the digits as written. Exponents and other exotic numbers are refused by [Parse] later.
func (d *Decimal) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if len(b) > 64 {
		return errors.New("an amount has 64 characters at most")
	}
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*d = Decimal(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return errors.New(`an amount is a decimal string such as "75.00", or a number`)
	}
	*d = Decimal(n)
	return nil
}

// Number is a decimal that is printed into JSON as a bare number.
type Number string

// MarshalJSON writes the digits as they are.
func (n Number) MarshalJSON() ([]byte, error) { return []byte(n), nil }
