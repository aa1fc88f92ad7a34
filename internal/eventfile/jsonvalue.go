package eventfile

import (
	"bytes"
	"encoding/json"
	"strings"
)

// each calls visit for every member of an object or item of an array, with where its value begins in the document. The JSON is
// known to be valid, so that a token or value that cannot be read is the end.
func each(raw []byte, offset int, visit func(key string, value []byte, offset int)) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	open, err := dec.Token()
	if err != nil {
		return
	}
	for dec.More() {
		var key string
		if open == json.Delim('{') {
			token, err := dec.Token()
			if err != nil {
				return
			}
			key, _ = token.(string)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return
		}
		start := int(dec.InputOffset()) - len(value)
		visit(key, raw[start:start+len(value)], offset+start)
	}
}

// term gives the schema.org term of a key or type that may be written as "schema:name" or "https://schema.org/name".
func term(s string) string {
	for _, prefix := range []string{"https://schema.org/", "http://schema.org/", "schema:"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			return rest
		}
	}
	return s
}

// object is a node's members by term; nil where the value is no object.
type object map[string]json.RawMessage

func objectOf(raw []byte) object {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	o := make(object)
	each(raw, 0, func(key string, value []byte, _ int) { o[term(key)] = value })
	return o
}

// text gives a member as text.
func (o object) text(key string) string { return textOf(o[key]) }

// textOf gives the first text of a value.
func textOf(raw []byte) string {
	if all := textsOf(raw); len(all) > 0 {
		return all[0]
	}
	return ""
}

// textsOf gives the texts of a value. A value may be a text, a number, a JSON-LD value object, a thing that has a name, a value
// or an address, or a list of these.
func textsOf(raw []byte) []string {
	if len(raw) == 0 {
		return nil
	}
	switch raw[0] {
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil || s == "" {
			return nil
		}
		return []string{s}
	case '[':
		var all []string
		each(raw, 0, func(_ string, item []byte, _ int) { all = append(all, textsOf(item)...) })
		return all
	case '{':
		o := objectOf(raw)
		for _, key := range []string{"@value", "value", "name", "url", "@id"} {
			if s := o.text(key); s != "" {
				return []string{s}
			}
		}
		return nil
	case 't', 'f', 'n':
		return nil
	}
	return []string{string(raw)}
}

// items gives the items of a list, or the value itself as the only one.
func items(raw []byte) [][]byte {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if raw[0] != '[' {
		return [][]byte{raw}
	}
	var all [][]byte
	each(raw, 0, func(_ string, item []byte, _ int) { all = append(all, item) })
	return all
}

// firstOf gives the first item of a list, or the value itself.
func firstOf(raw []byte) []byte {
	if all := items(raw); len(all) > 0 {
		return all[0]
	}
	return nil
}
