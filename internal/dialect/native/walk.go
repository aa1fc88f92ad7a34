package native

import (
	"bytes"
	"encoding/json"
)

// The functions of this file go through JSON that is known to be valid, without decoding it.

// walkObject calls field for each member of the object that b holds, with its name and its value's bytes.
func walkObject(b []byte, field func(name string, value []byte)) {
	i := bytes.IndexByte(b, '{') + 1
	for {
		i = space(b, i)
		if b[i] == '}' {
			return
		}
		if b[i] == ',' {
			i = space(b, i+1)
		}
		end := skip(b, i)
		name := textOf(b[i:end])
		i = space(b, space(b, end)+1) // past the colon
		end = skip(b, i)
		field(name, b[i:end])
		i = end
	}
}

// walkArray calls item for each item of the array that b holds.
func walkArray(b []byte, item func(value []byte)) {
	i := 1
	for {
		i = space(b, i)
		if b[i] == ']' {
			return
		}
		if b[i] == ',' {
			i = space(b, i+1)
		}
		end := skip(b, i)
		item(b[i:end])
		i = end
	}
}

// space returns the place of the next byte that is not white space.
func space(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t' {
		i++
	}
	return i
}

// skip returns where the value that begins at i ends.
func skip(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = skipText(b, i) - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth == 0 {
				return i // a number or a word that the object or array ends with
			}
			depth--
		case ',', ' ', '\n', '\r', '\t', ':':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return i + 1
		}
	}
	return i
}

// skipText returns where the string that begins at i ends.
func skipText(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// textOf decodes a string.
func textOf(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // it is a valid string
	return s
}

// depth returns how deep a value nests.
func depth(b []byte) (deepest int) {
	now := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = skipText(b, i) - 1
		case '{', '[':
			now++
			deepest = max(deepest, now)
		case '}', ']':
			now--
		}
	}
	return deepest
}
