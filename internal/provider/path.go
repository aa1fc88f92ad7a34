package provider

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

const (
	maxPath    = 256 // characters
	maxSteps   = 32
	maxNesting = 64
)

// step is one name or index of a JSON path.
type step struct {
	name  string
	index int  // -1 for a name that is no number
	fixed bool // stands in brackets: "[0]" is only an index, "['0']" only a name
}

// parsePath reads a JSON path of names and indexes: "$.a.b", "a[0].b", "a.0.b", "$['a.b']". Whatever searches (wildcards, filters, "..") is refused, so that
// looking for the type costs no more than reading the body. It returns what is wrong as a sentence.
func parsePath(path string) ([]step, string) {
	if len(path) > maxPath*utf8.UTFMax || !plain(path, maxPath) {
		return nil, "A path is up to 256 characters of text."
	}
	rest, rooted := path, false
	if path == "$" || strings.HasPrefix(path, "$.") || strings.HasPrefix(path, "$[") {
		rest, rooted = path[1:], true
	}
	var steps []step
	for rest != "" {
		if len(steps) == maxSteps {
			return nil, "A path has up to 32 steps."
		}
		var s step
		var ok bool
		switch {
		case rest[0] == '[':
			s, rest, ok = bracketStep(rest)
		case rest[0] == '.' && (rooted || len(steps) > 0):
			s, rest, ok = nameStep(rest[1:])
		default:
			s, rest, ok = nameStep(rest)
			ok = ok && len(steps) == 0 && !rooted
		}
		if !ok {
			return nil, "Write names and indexes only, such as type, $.data.type, items[0].kind or $['event.type']; wildcards and filters are not taken."
		}
		steps = append(steps, s)
	}
	if len(steps) == 0 {
		return nil, "Name at least one field, such as type or $.type."
	}
	return steps, ""
}

// nameStep reads up to the next dot or bracket.
func nameStep(s string) (st step, rest string, ok bool) {
	end := strings.IndexAny(s, ".[")
	if end < 0 {
		end = len(s)
	}
	name := s[:end]
	if name == "" || strings.ContainsAny(name, `*?|#()!{}],'"\ `) {
		return step{}, "", false
	}
	return step{name: name, index: indexOf(name)}, s[end:], true
}

// bracketStep reads [0], ['name'] or ["name"].
func bracketStep(s string) (st step, rest string, ok bool) {
	if len(s) < 2 {
		return step{}, "", false
	}
	quote := s[1]
	if quote != '\'' && quote != '"' {
		inside, after, closed := strings.Cut(s[1:], "]")
		n := indexOf(inside)
		return step{index: n, fixed: true}, after, closed && n >= 0
	}
	name, after, closed := strings.Cut(s[2:], string(quote)+"]")
	if !closed || name == "" || strings.ContainsRune(name, rune(quote)) || strings.Contains(name, `\`) {
		return step{}, "", false
	}
	return step{name: name, index: -1, fixed: true}, after, true
}

// indexOf is the number that a name is, or -1.
func indexOf(name string) int {
	if len(name) > 7 || len(name) > 1 && name[0] == '0' {
		return -1
	}
	n, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return -1
	}
	return int(n)
}

// find returns the text at a path. Anything else than a JSON text there is none.
func find(body []byte, path []step) (string, bool) {
	if !shallow(body) || !gjson.ValidBytes(body) {
		return "", false
	}
	at := gjson.ParseBytes(body)
	for _, s := range path {
		if at = s.from(at); !at.Exists() {
			return "", false
		}
	}
	return at.Str, at.Type == gjson.String
}

// from is the value that a step leads to. Of two fields with one name it is the last, as in most languages.
func (s step) from(at gjson.Result) (to gjson.Result) {
	switch {
	case at.IsObject() && (s.index < 0 || !s.fixed):
		at.ForEach(func(key, value gjson.Result) bool {
			if key.Str == s.name {
				to = value
			}
			return true
		})
	case at.IsArray() && s.index >= 0:
		n := 0
		at.ForEach(func(_, value gjson.Result) bool {
			if n == s.index {
				to = value
			}
			n++
			return n <= s.index
		})
	}
	return to
}

// shallow is whether brackets are nested at most 64 deep. It is asked before anything that calls itself for each level.
func shallow(body []byte) bool {
	depth, text := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}
