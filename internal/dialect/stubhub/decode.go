package stubhub

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// object reads the members of a JSON object one by one and notes all that is wrong with them, so that a client hears of every field at once. A member that
// is absent or null is nil, as in StubHub's schemas. Names are StubHub's, and so are pointers; [object.done] refuses the members that nobody has read.
type object struct {
	at      string // the pointer to it, "" for the body
	members map[string]json.RawMessage
	faults  *problem.Fields
}

// body reads the request's body, which must be one JSON object; invalid_request_body.
func (c *call) object() (*object, error) {
	if _, err := form.JSON(c.body, nil); err != nil {
		return nil, err
	}
	o := &object{faults: new(problem.Fields)}
	if err := json.Unmarshal(c.body, &o.members); err != nil || o.members == nil {
		return nil, problem.New(problem.Invalid, codeInvalidBody, "The body is one JSON object.")
	}
	return o, nil
}

// require notes that a member is absent or null.
func (o *object) require(name, detail string) {
	if !o.has(name) {
		o.fault(name, "required", "%s", detail)
	}
}

// take returns a member and has it read; nil when it is absent or null.
func (o *object) take(name string) json.RawMessage {
	raw := o.members[name]
	delete(o.members, name)
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// has tells whether a member is there that is not null.
func (o *object) has(name string) bool {
	raw, ok := o.members[name]
	return ok && string(raw) != "null"
}

// note takes over what a problem says of fields of which nothing was noted yet, with pointers that are the route's to translate; other errors are returned.
func (o *object) note(err error) error {
	p := problem.As(err)
	if p == nil || len(p.Fields) == 0 {
		return err
	}
	noted := map[string]bool{}
	for _, f := range *o.faults {
		noted[f.Pointer] = true
	}
	for _, f := range p.Fields {
		if !noted[f.Pointer] {
			*o.faults = append(*o.faults, f)
		}
	}
	return nil
}

func (o *object) fault(name, code, detail string, args ...any) {
	o.faults.Add(o.at+form.Pointer(name), code, detail, args...)
}

// read decodes a member into a T; nil when it is absent, null or something else, which is noted.
func read[T any](o *object, name, what string) *T {
	raw := o.take(name)
	if raw == nil {
		return nil
	}
	v := new(T)
	if err := json.Unmarshal(raw, v); err != nil {
		o.fault(name, "wrong_type", "Expected %s.", what)
		return nil
	}
	return v
}

func (o *object) text(name string) *string { return read[string](o, name, "a text") }
func (o *object) flag(name string) *bool   { return read[bool](o, name, "true or false") }
func (o *object) texts(name string) *[]string {
	return read[[]string](o, name, "a list of texts")
}

// integer reads an int32 that is not negative.
func (o *object) integer(name string) *int {
	n := read[int32](o, name, "a whole number up to "+strconv.Itoa(math.MaxInt32))
	if n == nil {
		return nil
	}
	if *n < 0 {
		o.fault(name, "out_of_range", "Use 0 or more.")
		return nil
	}
	v := int(*n)
	return &v
}

// instant reads an ISO 8601 time with an offset.
func (o *object) instant(name string) *time.Time {
	s := read[string](o, name, "a time such as 2027-08-14T20:30:00Z")
	if s == nil {
		return nil
	}
	t, err := time.Parse(time.RFC3339, *s)
	if err != nil {
		o.fault(name, "invalid", "Expected a time with an offset, such as 2027-08-14T20:30:00Z.")
		return nil
	}
	t = t.UTC()
	return &t
}

// price is Money as it comes in: display is read and not used.
type price struct {
	Amount   money.Decimal
	Currency money.Currency
}

// money reads StubHub's Money, in which amount and currency_code are required.
func (o *object) money(name string) *price {
	m := o.object(name)
	if m == nil {
		return nil
	}
	amount, currency := read[money.Decimal](m, "amount", "a decimal number"), m.text("currency_code")
	m.text("display")
	m.done()
	if amount == nil {
		m.fault("amount", "required", "Say how much.")
	}
	if currency == nil {
		m.fault("currency_code", "required", "Say in which currency (ISO 4217).")
	}
	like := money.Currency("CLF") // of which amounts have the most digits
	if currency != nil {
		if c := money.Currency(*currency); c.Valid() {
			like = c
		} else {
			m.fault("currency_code", "invalid", "Use a code of ISO 4217 such as EUR.")
			currency = nil
		}
	}
	if amount != nil {
		if _, err := money.Parse(string(*amount), like); err != nil {
			m.fault("amount", "invalid", "This is no amount: %v.", err)
			return nil
		}
	}
	if amount == nil || currency == nil {
		return nil
	}
	return &price{*amount, money.Currency(*currency)}
}

// object reads an object; nil when it is absent or null.
func (o *object) object(name string) *object {
	raw := o.take(name)
	if raw == nil {
		return nil
	}
	in := &object{at: o.at + form.Pointer(name), faults: o.faults}
	if err := json.Unmarshal(raw, &in.members); err != nil {
		o.fault(name, "wrong_type", "Expected an object.")
		return nil
	}
	return in
}

// objects reads a list of objects; nil when it is absent or null.
func (o *object) objects(name string) []*object {
	all := read[[]json.RawMessage](o, name, "a list of objects")
	if all == nil {
		return nil
	}
	list := make([]*object, 0, len(*all))
	for i, raw := range *all {
		in := &object{at: o.at + form.Pointer(name, strconv.Itoa(i)), faults: o.faults}
		if err := json.Unmarshal(raw, &in.members); err != nil || in.members == nil {
			o.faults.Add(in.at, "wrong_type", "Expected an object.")
			continue
		}
		list = append(list, in)
	}
	return list
}

// done refuses the members that nobody has read: no schema of StubHub's has members beyond its own.
func (o *object) done() {
	names := make([]string, 0, len(o.members))
	for name := range o.members {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		o.fault(name, "unknown", "There is no such field here; leave it out.")
	}
}

// err is what was noted, after done; nil for nothing.
func (o *object) err() error {
	o.done()
	return o.faults.Err()
}

// line tells whether a text is one line of printable characters.
func line(s string) bool {
	return utf8.ValidString(s) && form.Printable(s) && strings.TrimSpace(s) != ""
}
