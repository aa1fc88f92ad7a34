// Package trigger makes events happen on a running server, for who builds a receiver and wants to see one come.
//
// An [Event] of the [Table] is a list of steps: calls of the API that lead to it, as a box office would make them. Nothing is pretended, so what
// comes to the receiver is what will come in earnest. All that a step makes says "Trigger" in its name, and every order is by trigger@example.com,
// an address that nobody has.
//
// To add an event, add a row to the table. A step's body may name what an earlier step made: "{order}" is its id.
package trigger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Server is what a trigger needs of a server: a call of its API, whose answer is decoded.
type Server interface {
	Call(ctx context.Context, method, path string, body, answer any) error
}

// Event is an event that can be made to happen.
type Event struct {
	Name    string   // as the formats call it
	Formats []string // that carry it by this name
	Says    string   // what is done, in a line
	steps   []step
}

// Made is something that a step made.
type Made struct{ What, ID string }

// object is a JSON object.
type object = map[string]any

// step is one call.
type step struct {
	set    string            // the root by which the body's fields are set; "" when they cannot be
	method string            // POST when empty
	path   string            //
	body   object            // nil for none
	id     string            // where in the answer the id of what was made is, "" when nothing was: told under the name set, or made
	made   string            // what was made, where it cannot be set
	keep   map[string]string // more of the answer, for later steps: name to where it is
	want   map[string]string // what must stand in the answer, by where it is
}

// ByName finds an event.
func ByName(name string) (Event, error) {
	for _, e := range Table() {
		if e.Name == name {
			return e, nil
		}
	}
	return Event{}, problem.New(problem.Invalid, "unknown_event", "There is no event %q to trigger; see stagedoor trigger --list.", name)
}

// Do makes the event happen, with the fields that sets ("order.quantity=2") give other values than the usual ones. It tells what it makes as it
// makes it; when it fails, what it has told stays made.
func (e Event) Do(ctx context.Context, s Server, sets []string, tell func(Made)) error {
	over, err := e.parse(sets)
	if err != nil {
		return err
	}
	known := map[string]string{"nonce": nonce()}
	for _, st := range e.steps {
		body := filled(st.body, known)
		for _, o := range over {
			if st.set != "" && o.root == st.set {
				if err := o.apply(body); err != nil {
					return err
				}
			}
		}
		if err := st.do(ctx, s, body, known, tell); err != nil {
			return st.failed(err)
		}
	}
	return nil
}

// failed says in which step, and of which of its fields, as they are set, the server has complained.
func (st step) failed(err error) error {
	p := problem.As(err)
	if p == nil {
		return fmt.Errorf("%s: %w", st.name(), err)
	}
	said := []string{st.name() + ": " + p.Detail}
	if len(p.Fields) > 0 {
		said = nil
	}
	for _, f := range p.Fields {
		said = append(said, st.name()+strings.ReplaceAll(f.Pointer, "/", ".")+": "+f.Detail)
	}
	return problem.New(p.Kind, p.Code, "%s", strings.Join(said, " "))
}

// name is how a failure calls the step.
func (st step) name() string {
	if st.set != "" {
		return st.set
	}
	return st.made
}

func (st step) do(ctx context.Context, s Server, body object, known map[string]string, tell func(Made)) error {
	method, path := st.method, filledText(st.path, known)
	if method == "" {
		method = "POST"
	}
	var sent any
	if body != nil {
		sent = body
	}
	var answer json.RawMessage
	if err := s.Call(ctx, method, path, sent, &answer); err != nil {
		return err
	}
	for where, want := range st.want {
		if got, _ := find(answer, where); got != want {
			return fmt.Errorf("%s %s answered %s %q, not %q", method, path, where, got, want)
		}
	}
	for name, where := range st.keep {
		var ok bool
		if known[name], ok = find(answer, where); !ok {
			return fmt.Errorf("%s %s answered without %s", method, path, where)
		}
	}
	if st.id == "" {
		return nil
	}
	id, ok := find(answer, st.id)
	if !ok {
		return fmt.Errorf("%s %s answered without %s", method, path, st.id)
	}
	known[st.name()] = id
	tell(Made{st.name(), id})
	return nil
}

// find is the text or number at a dotted path of an answer.
func find(answer []byte, where string) (string, bool) {
	var v any
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return "", false
	}
	for segment := range strings.SplitSeq(where, ".") {
		switch node := v.(type) {
		case object:
			v = node[segment]
		case []any:
			i, err := strconv.Atoi(segment)
			if err != nil || i < 0 || i >= len(node) {
				return "", false
			}
			v = node[i]
		}
	}
	switch v := v.(type) {
	case string:
		return v, v != ""
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// filled is a copy of a body in which what stands in braces is what is known by that name.
func filled(body object, known map[string]string) object {
	if body == nil {
		return nil
	}
	b := maps.Clone(body)
	for name, v := range b {
		b[name] = filledValue(v, known)
	}
	return b
}

func filledValue(v any, known map[string]string) any {
	switch v := v.(type) {
	case string:
		return filledText(v, known)
	case object:
		return filled(v, known)
	case []any:
		all := make([]any, len(v))
		for i, one := range v {
			all[i] = filledValue(one, known)
		}
		return all
	}
	return v
}

func filledText(text string, known map[string]string) string {
	for name, v := range known {
		text = strings.ReplaceAll(text, "{"+name+"}", v)
	}
	return text
}

// override is one --set.
type override struct {
	root string
	path []string
	to   any
}

// parse reads overrides. One that no step of the event takes is a mistake.
func (e Event) parse(sets []string) ([]override, error) {
	var over []override
	for _, text := range sets {
		path, value, ok := strings.Cut(text, "=")
		root, rest, dotted := strings.Cut(path, ".")
		if !ok || !dotted || root == "" || slices.Contains(strings.Split(rest, "."), "") {
			return nil, problem.New(problem.Invalid, "invalid_set", "%q sets nothing; write it as order.quantity=2.", text)
		}
		if !slices.ContainsFunc(e.steps, func(st step) bool { return st.set == root }) {
			return nil, problem.New(problem.Invalid, "unknown_set", "%s has no %q to set; there is %s.", e.Name, root, strings.Join(e.Sets(), ", "))
		}
		over = append(over, override{root, strings.Split(rest, "."), parsed(value)})
	}
	return over, nil
}

// Sets are the roots of what can be set, each with the fields that have a usual value: "order (customer, quantity)".
func (e Event) Sets() []string {
	var all []string
	for _, st := range e.steps {
		if st.set != "" {
			all = append(all, fmt.Sprintf("%s (%s, …)", st.set, strings.Join(slices.Sorted(maps.Keys(st.body)), ", ")))
		}
	}
	return all
}

// parsed is a value as JSON, or as the text it is. A number keeps its digits.
func parsed(text string) any {
	var v any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil || d.More() {
		return text
	}
	return v
}

// apply sets the field in a body; the objects on the way are made where they are not there.
func (o override) apply(body object) error {
	for _, segment := range o.path[:len(o.path)-1] {
		next, ok := body[segment].(object)
		if !ok {
			if body[segment] != nil {
				return problem.New(problem.Invalid, "invalid_set", "%s.%s is no object whose fields can be set.", o.root, segment)
			}
			next = object{}
			body[segment] = next
		}
		body = next
	}
	body[o.path[len(o.path)-1]] = o.to
	return nil
}
