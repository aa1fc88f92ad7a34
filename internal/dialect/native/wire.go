package native

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stagedoorhq/stagedoor/internal/money"
)

// The wire shapes are structs whose names end in JSON; the document leaves that ending out. Their doc tags are the document's words.

// instant prints a time as the portal specification does: UTC, milliseconds, Z.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// maybe is instant, or "" for the zero time.
func maybe(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return instant(t)
}

// orNull returns nil for the zero value, which is null on the wire.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// number is an exact decimal, printed as a JSON number.
type number money.Number

// MarshalJSON prints the digits.
func (n number) MarshalJSON() ([]byte, error) { return money.Number(n).MarshalJSON() }

// Schema is a number's.
func (number) Schema(huma.Registry) *huma.Schema { return &huma.Schema{Type: huma.TypeNumber} }

func numberOf(a money.Amount) number { return number(a.Number()) }

// decimal is an amount as a caller writes it: a decimal string, or a number whose digits are taken as they stand.
type decimal struct{ money.Decimal }

// UnmarshalJSON keeps the digits. What is no amount is kept too, for the trade to refuse: an error here would leave the rest of the body unread.
func (d *decimal) UnmarshalJSON(b []byte) error {
	if err := d.Decimal.UnmarshalJSON(b); err != nil {
		d.Decimal = money.Decimal(strings.ToValidUTF8(string(b[:min(len(b), 32)]), ""))
	}
	return nil
}

// Schema is a string or a number.
func (decimal) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "A decimal with at most as many digits as the currency has; nothing is rounded.",
		Examples:    []any{"75.00", 75},
		OneOf:       []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}},
	}
}

// count is a whole number as a caller writes it: 2, 2.0 and 2e0 are the same number, and a whole one (JSON Schema's integer). The schema has
// its bounds; what it lets through fits.
type count int

// UnmarshalJSON reads the number. What is none is left for the schema to refuse.
func (c *count) UnmarshalJSON(b []byte) error {
	const most = 1 << 53 // up to here every whole number is a float64
	if f, err := strconv.ParseFloat(string(b), 64); err == nil || errors.Is(err, strconv.ErrRange) {
		*c = count(max(-most, min(f, most)))
	}
	return nil
}

// text is a text of a PATCH: left out, it stays; null or "" clears it.
type text struct{ to *string }

// UnmarshalJSON notes that the field was there.
func (t *text) UnmarshalJSON(b []byte) error {
	t.to = new(string)
	return unmarshalOrNull(b, t.to)
}

// Schema is a string or null.
func (text) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true}
}

// optionalRetry is the retry of a PATCH: left out, it stays; null is the format's own.
type optionalRetry struct {
	given bool
	to    *retryJSON
}

// UnmarshalJSON notes that the field was there.
func (o *optionalRetry) UnmarshalJSON(b []byte) error {
	o.given = true
	return unmarshal(b, &o.to)
}

// Schema is a retry's: null is let through for every field that is not required.
func (optionalRetry) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[retryJSON](), true, "")
}

func unmarshalOrNull(b []byte, v any) error {
	if string(b) == "null" {
		return nil
	}
	return unmarshal(b, v)
}

// problemJSON is RFC 9457's body with our members. It is written by others (see Problems) and stands here for the document.
type problemJSON struct {
	Type      string           `json:"type" format:"uri-reference" doc:"Always about:blank: what happened is said by status and code."`
	Title     string           `json:"title" doc:"The status in words."`
	Status    int              `json:"status"`
	Detail    string           `json:"detail" doc:"What to do, in a sentence."`
	Code      string           `json:"code" doc:"A stable name for programs." example:"not_enough_tickets"`
	Errors    []fieldErrorJSON `json:"errors,omitempty" nullable:"false" doc:"What is wrong with each field of the input."`
	RequestID string           `json:"requestId,omitempty" doc:"As in X-Request-Id and in the server's log."`
}

type fieldErrorJSON struct {
	Pointer string `json:"pointer" doc:"A JSON pointer into the body; the name of the parameter where in says so." example:"/customer/email"`
	In      string `json:"in,omitempty" enum:"query,header,path"`
	Code    string `json:"code,omitempty" doc:"A stable name for programs."`
	Detail  string `json:"detail" doc:"What to do."`
}

func problemSchema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[problemJSON](), true, "Problem")
}

// schemaName is how a type is called in the document: list[eventJSON, …] is EventList.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := t.Name()
	if outer, args, generic := strings.Cut(name, "["); generic {
		first, _, _ := strings.Cut(strings.TrimSuffix(args, "]"), ",")
		name = upper(first[strings.LastIndexByte(first, '.')+1:]) + upper(outer)
	}
	if name == "" {
		return huma.DefaultSchemaNamer(t, hint)
	}
	return strings.ReplaceAll(upper(name), "JSON", "")
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return string(unicode.ToUpper(rune(s[0]))) + s[1:]
}
