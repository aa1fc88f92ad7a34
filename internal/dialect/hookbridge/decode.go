package hookbridge

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/form"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// object reads the members of the request's body one by one and notes all that is wrong with them, so that a client hears of every field at once. A member
// that is absent or null is nil, and one that nobody reads is ignored, as the specification has it.
type object struct {
	members map[string]json.RawMessage
	faults  problem.Fields
}

// object reads the request's body. No body at all is an empty object.
func (c *call) object() (*object, error) {
	o := &object{}
	if len(c.body) == 0 {
		return o, nil
	}
	if _, err := form.JSON(c.body, nil); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(c.body, &o.members); err != nil || o.members == nil {
		return nil, problem.New(problem.Invalid, "invalid_body", "The body is one JSON object.")
	}
	return o, nil
}

func (o *object) fault(name, code, detail string, args ...any) {
	o.faults.Add(form.Pointer(name), code, detail, args...)
}

// read decodes a member into a T; nil when it is absent, null or something else, which is noted.
func read[T any](o *object, name, what string) *T {
	raw := o.members[name]
	if raw == nil || string(raw) == "null" {
		return nil
	}
	v := new(T)
	if err := json.Unmarshal(raw, v); err != nil {
		o.fault(name, "wrong_type", "Expected %s.", what)
		return nil
	}
	return v
}

func (o *object) text(name string) *string    { return read[string](o, name, "a text") }
func (o *object) flag(name string) *bool      { return read[bool](o, name, "true or false") }
func (o *object) texts(name string) *[]string { return read[[]string](o, name, "a list of texts") }
func (o *object) integer(name string) *int {
	if n := read[int32](o, name, "a whole number"); n != nil {
		v := int(*n)
		return &v
	}
	return nil
}

// within reads a whole number between bounds.
func (o *object) within(name string, least, most int) *int {
	n := o.integer(name)
	if n != nil && (*n < least || *n > most) {
		o.fault(name, "out_of_range", "Use a whole number from %d to %d.", least, most)
		return nil
	}
	return n
}

// seconds reads a duration in whole seconds.
func (o *object) seconds(name string, most time.Duration) *time.Duration {
	if n := o.within(name, 1, int(most/time.Second)); n != nil {
		d := time.Duration(*n) * time.Second
		return &d
	}
	return nil
}

// ids reads a list of ids, of which there are 1 to most. One that no event ever had is noted as not found here.
func (o *object) ids(name string, most int) []string {
	all := o.texts(name)
	switch {
	case all == nil && len(o.faults) == 0:
		o.fault(name, "required", "Name 1 to %d events.", most)
		return nil
	case all == nil:
		return nil
	case len(*all) < 1 || len(*all) > most:
		o.fault(name, "out_of_range", "Name 1 to %d events; these are %s.", most, strconv.Itoa(len(*all)))
		return nil
	}
	return *all
}

// note takes over what a problem says of fields of which nothing was noted yet; other errors are returned.
func (o *object) note(err error) error {
	p := problem.As(err)
	if p == nil || len(p.Fields) == 0 {
		return err
	}
	for _, f := range p.Fields {
		if !slices.ContainsFunc(o.faults, func(one problem.FieldError) bool { return one.Pointer == f.Pointer }) {
			o.faults = append(o.faults, f)
		}
	}
	return nil
}
