package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// at returns what stands at a path such as "meta.pagination.total" or "data.0.name" of a JSON text; absent{} if nothing does.
func at(t testing.TB, source []byte, path string) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(source))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("not JSON: %v\n%.1000s", err, source)
	}
	for segment := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			child, ok := node[segment]
			if !ok {
				return absent{}
			}
			v = child
		case []any:
			i, err := strconv.Atoi(segment)
			if segment == "#" {
				v = json.Number(strconv.Itoa(len(node)))
				continue
			}
			if err != nil || i >= len(node) {
				return absent{}
			}
			v = node[i]
		default:
			return absent{}
		}
	}
	return v
}

// text is the string at a path.
func text(t testing.TB, a harness.Answer, path string) string {
	t.Helper()
	s, ok := at(t, a.Body, path).(string)
	if !ok || s == "" {
		t.Fatalf("%s is missing in %s", path, a.Body)
	}
	return s
}

// number is the whole number at a path.
func number(t testing.TB, source []byte, path string) int {
	t.Helper()
	n, _ := at(t, source, path).(json.Number)
	i, err := strconv.Atoi(n.String())
	if err != nil {
		t.Fatalf("%s is not a whole number in %s", path, source)
	}
	return i
}

// amount is a JSON number of that value, however it is written: 118.5 and 118.50 are the same, 118.499999999 is not.
type amount string

// any other JSON value, as its text.
type raw string

// expect looks for values in a JSON text; want is paths and values.
func expect(t testing.TB, source []byte, want ...any) {
	t.Helper()
	for i := 0; i < len(want); i += 2 {
		path := want[i].(string)
		if got := at(t, source, path); !same(got, want[i+1]) {
			t.Errorf("%s is %v, want %v\nin %.1500s", path, show(got), show(want[i+1]), source)
		}
	}
}

func same(got, want any) bool {
	switch w := want.(type) {
	case int:
		n, ok := got.(json.Number)
		return ok && n.String() == strconv.Itoa(w)
	case amount:
		n, ok := got.(json.Number)
		g, ok1 := new(big.Rat).SetString(n.String())
		r, ok2 := new(big.Rat).SetString(string(w))
		return ok && ok1 && ok2 && g.Cmp(r) == 0
	case *regexp.Regexp:
		s, ok := got.(string)
		return ok && w.MatchString(s)
	case raw:
		b, _ := json.Marshal(got)
		return string(b) == string(w)
	default:
		return got == want
	}
}

func show(v any) string {
	switch v := v.(type) {
	case absent:
		return "absent"
	case nil:
		return "null"
	default:
		return fmt.Sprintf("%T %v", v, v)
	}
}

// members are the names in the object at a path ("" is the whole text), in the order in which they stand.
func members(t testing.TB, source []byte, path string) []string {
	t.Helper()
	if path != "" {
		for segment := range strings.SplitSeq(path, ".") {
			var object map[string]json.RawMessage
			if err := json.Unmarshal(source, &object); err != nil {
				t.Fatalf("%s is not in an object: %v", path, err)
			}
			source = object[segment]
		}
	}
	d := json.NewDecoder(bytes.NewReader(source))
	var names []string
	depth, isName := 0, false
	for {
		token, err := d.Token()
		if err != nil {
			return names
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			isName = depth == 1
			continue
		case json.Delim('}'), json.Delim(']'):
			depth--
			isName = depth == 1
			continue
		}
		if depth == 1 {
			if isName {
				names = append(names, token.(string))
			}
			isName = !isName
		}
	}
}

// column is the member of each element of a list, as text.
func column(t testing.TB, a harness.Answer, list, member string) []string {
	t.Helper()
	elements, ok := at(t, a.Body, list).([]any)
	if !ok {
		t.Fatalf("%s is not a list in %s", list, a.Body)
	}
	values := []string{}
	for _, e := range elements {
		object, _ := e.(map[string]any)
		values = append(values, fmt.Sprint(object[member]))
	}
	return values
}

// refused holds a problem document against RFC 9457 and what every error answer promises. A code of "" is any.
func refused(t testing.TB, a harness.Answer, status int, code string) {
	t.Helper()
	if a.Status != status {
		t.Fatalf("answered %d, want %d: %.1500s", a.Status, status, a.Body)
	}
	if ct := a.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/problem+json") {
		t.Fatalf("an error of the content type %q: %.500s", ct, a.Body)
	}
	expect(t, a.Body, "status", status, "title", filled, "detail", filled, "code", regexp.MustCompile(`^[a-z][a-z0-9_]*$`),
		"requestId", a.Header.Get("X-Request-Id"))
	if code != "" {
		expect(t, a.Body, "code", code)
	}
	for _, ours := range []string{"unmarshal", "Go struct", "SQL", "goroutine", ".go:", "pgx/", "pgconn", "sqlite"} {
		if strings.Contains(string(a.Body), ours) {
			t.Errorf("an error shows our inside (%s): %s", ours, a.Body)
		}
	}
}

var filled = regexp.MustCompile(`\S`)

// pointers are the JSON pointers of the faults in a problem document.
func pointers(t testing.TB, a harness.Answer) []string {
	t.Helper()
	if _, ok := at(t, a.Body, "errors").([]any); !ok {
		t.Errorf("the problem has no errors: %s", a.Body)
		return nil
	}
	return column(t, a, "errors", "pointer")
}

// try makes a request whose status the caller judges.
func try(t testing.TB, c *harness.Client, method, path string, b any, header ...string) harness.Answer {
	t.Helper()
	a, err := c.Do(t.Context(), method, path, b, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.Status >= 500 {
		t.Errorf("%s %s = %d: %s", method, path, a.Status, a.Body)
	}
	return a
}
