package ethpass

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// object reads the members of a JSON object one by one and notes all that is wrong with them, so that a client hears of every field at once. A member that is absent
// or null is nil, and one that nobody reads is ignored.
type object struct {
	at      string // the pointer to it, "" for the body
	members map[string]json.RawMessage
	faults  *problem.Fields
}

// newObject reads a body. No body at all is an empty object.
func newObject(body []byte) (*object, error) {
	o := &object{faults: new(problem.Fields)}
	if len(body) == 0 {
		return o, nil
	}
	if _, err := form.JSON(body, nil); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &o.members); err != nil || o.members == nil {
		return nil, problem.New(problem.Invalid, "invalid_body", "The body is one JSON object.")
	}
	return o, nil
}

func (o *object) fault(name, code, detail string, args ...any) {
	o.faults.Add(o.at+form.Pointer(name), code, detail, args...)
}

// raw returns a member; nil when it is absent or null.
func (o *object) raw(name string) json.RawMessage {
	raw := o.members[name]
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// has tells whether a member is there that is not null.
func (o *object) has(name string) bool { return o.raw(name) != nil }

// read decodes a member into a T; nil when it is absent, null or something else, which is noted.
func read[T any](o *object, name, what string) *T {
	raw := o.raw(name)
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

// text reads a text; "" when there is none.
func (o *object) text(name string) string {
	if s := read[string](o, name, "a text"); s != nil {
		return *s
	}
	return ""
}

func (o *object) flag(name string) bool {
	b := read[bool](o, name, "true or false")
	return b != nil && *b
}

// object reads an object; nil when there is none.
func (o *object) object(name string) *object {
	raw := o.raw(name)
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

// objects reads a list of objects, of at most so many; nil when there is none.
func (o *object) objects(name string, most int) []*object {
	all := read[[]json.RawMessage](o, name, "a list of objects")
	switch {
	case all == nil:
		return nil
	case len(*all) > most:
		o.fault(name, "too_many", "There are at most %d; these are %d.", most, len(*all))
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

// decimal reads a whole number of up to so many digits, which may be a number or a text; "" when there is none.
func (o *object) decimal(name string, digits int) string {
	raw := o.raw(name)
	if raw == nil {
		return ""
	}
	s := strings.Trim(string(raw), `"`)
	if !isDecimal(s, digits) {
		o.fault(name, "invalid", "Expected a whole number of at most %d digits, as a number or as a text.", digits)
		return ""
	}
	return s
}

// The lengths of the largest numbers of chains (64 bits, of which one says the sign elsewhere) and of tokens (256 bits).
const (
	networkDigits = 18
	tokenDigits   = 78
)

// isDecimal tells whether a text is a whole number in decimal, in its shortest form.
func isDecimal(s string, digits int) bool {
	if s == "" || len(s) > digits || s[0] == '0' && s != "0" {
		return false
	}
	return strings.Trim(s, "0123456789") == ""
}

// address reads an address; "" when there is none, else as EIP-55 writes it.
func (o *object) address(name string) string {
	s := o.text(name)
	if s == "" {
		return ""
	}
	a, err := evm.ParseAddress(s)
	if err != nil {
		o.fault(name, "invalid", "%s", addressWanted)
		return ""
	}
	return a.String()
}

const addressWanted = "An address is 0x and 40 hexadecimal digits, in one case or in the mixed case that is their checksum (EIP-55)."

// instant reads a time; zero when there is none.
func (o *object) instant(name string) time.Time {
	raw := o.raw(name)
	if raw == nil {
		return time.Time{}
	}
	t, ok := parseInstant(strings.Trim(string(raw), `"`))
	if !ok {
		o.fault(name, "invalid", "%s", instantWanted)
	}
	return t
}

const instantWanted = "Expected a time such as 2027-08-14T20:30:00Z, or Unix seconds."

// parseInstant reads RFC 3339, or Unix seconds.
func parseInstant(s string) (time.Time, bool) {
	if isDecimal(s, 11) {
		n, err := strconv.ParseInt(s, 10, 64)
		return time.Unix(n, 0).UTC(), err == nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1970 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// one reads one of some words; "" when there is none.
func (o *object) one(name string, words ...string) string {
	s := o.text(name)
	for _, w := range words {
		if s == w {
			return s
		}
	}
	if s != "" {
		o.fault(name, "invalid", "Use one of %s.", strings.Join(words, ", "))
	}
	return ""
}
