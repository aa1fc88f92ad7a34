package form

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// MaxDepth is how deep a body may nest.
const MaxDepth = 64

// JSON reads a body as strictly as RFC 8259 and RFC 7493 (I-JSON) put it: UTF-8 without a byte order mark, no name twice in an object, at most
// 64 deep; and no U+0000, which not every database can store. Numbers become float64, or stay json.Number when they do not fit; whoever wants their
// digits reads the body again. Names go through rename, which may be nil. What is wrong is a problem: invalid_json, or one of the field.
func JSON(body []byte, rename func(string) string) (any, error) {
	switch {
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		return nil, problem.New(problem.Invalid, "invalid_json", "The body begins with a byte order mark; send JSON without one.")
	case !utf8.Valid(body):
		return nil, problem.New(problem.Invalid, "invalid_json", "The body is not UTF-8.")
	}
	if !json.Valid(body) {
		return nil, syntaxError(body)
	}
	if LoneSurrogate(body) {
		return nil, problem.New(problem.Invalid, "invalid_json", `The body has half a character: an escape from \ud800 to \udfff without its other half.`)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	p := parser{decoder: d, rename: rename}
	v, err := p.value(0)
	if err == nil {
		_, end := d.Token()
		if end != io.EOF {
			err = problem.New(problem.Invalid, "invalid_json", "The body has more than one JSON value.")
		}
	}
	return v, err
}

func syntaxError(body []byte) error {
	var v json.RawMessage
	err := json.Unmarshal(body, &v)
	at := ""
	var s *json.SyntaxError
	if errors.As(err, &s) {
		at = " at byte " + strconv.FormatInt(s.Offset, 10)
	}
	return problem.New(problem.Invalid, "invalid_json", "The body is not valid JSON%s.", at)
}

// LoneSurrogate tells whether valid JSON has an escape that is half a character (RFC 7493 §2.1), which encoding/json would silently replace.
func LoneSurrogate(body []byte) bool {
	for i := bytes.IndexByte(body, '\\'); i >= 0 && i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		i++ // the backslash's partner
		if body[i] != 'u' {
			continue
		}
		r := escaped(body[i+1:])
		i += 4
		if !utf16.IsSurrogate(r) {
			continue
		}
		if next := body[i+1:]; len(next) < 6 || next[0] != '\\' || next[1] != 'u' || utf16.DecodeRune(r, escaped(next[2:])) == unicode.ReplacementChar {
			return true
		}
		i += 6
	}
	return false
}

// escaped reads the four digits of an escape.
func escaped(digits []byte) rune {
	n, _ := strconv.ParseUint(string(digits[:4]), 16, 32) // the body is valid JSON
	return rune(n)
}

type parser struct {
	decoder *json.Decoder
	rename  func(string) string // nil for as it is
	path    []string            // of names and indexes, to say where something is wrong
}

func (p *parser) value(depth int) (any, error) {
	if depth > MaxDepth {
		return nil, problem.Field(p.pointer(), "too_deep", "The body nests deeper than %d levels.", MaxDepth)
	}
	token, err := p.decoder.Token()
	if err != nil {
		return nil, problem.New(problem.Invalid, "invalid_json", "The body is not valid JSON.")
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return p.object(depth)
		}
		return p.array(depth)
	case string:
		return t, p.text(t)
	case json.Number:
		if f, err := t.Float64(); err == nil {
			return f, nil
		}
		return t, nil
	}
	return token, nil
}

func (p *parser) object(depth int) (any, error) {
	object := map[string]any{}
	for p.decoder.More() {
		token, err := p.decoder.Token()
		if err != nil {
			return nil, err
		}
		name := token.(string) // the body is valid JSON
		p.path = append(p.path, name)
		if err := p.text(name); err != nil {
			return nil, err
		}
		key := name
		if p.rename != nil {
			key = p.rename(name)
		}
		if _, twice := object[key]; twice {
			return nil, problem.Field(p.pointer(), "duplicate_name", "The object has this name twice; send it once.")
		}
		if object[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		p.path = p.path[:len(p.path)-1]
	}
	_, err := p.decoder.Token()
	return object, err
}

func (p *parser) array(depth int) (any, error) {
	array := []any{}
	for p.decoder.More() {
		p.path = append(p.path, strconv.Itoa(len(array)))
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
		p.path = p.path[:len(p.path)-1]
	}
	_, err := p.decoder.Token()
	return array, err
}

func (p *parser) text(s string) error {
	if strings.ContainsRune(s, 0) {
		return problem.Field(p.pointer(), "invalid_character", "Text has no U+0000.")
	}
	return nil
}

func (p *parser) pointer() string { return Pointer(p.path...) }

// Pointer makes a JSON pointer (RFC 6901).
func Pointer(path ...string) string {
	var b strings.Builder
	for _, name := range path {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	}
	return b.String()
}
