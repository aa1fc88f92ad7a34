package eventfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// maxDepth bounds how deep a JSON-LD file may be nested. An event with its place and address is six deep.
const maxDepth = 32

func jsonldWords() *words {
	return &words{
		id: "@id", name: "name", url: "url", description: "description", start: "startDate", end: "endDate", venue: "location",
		city: "addressLocality", region: "addressRegion", country: "addressCountry", category: "@type", keywords: "keywords",
		currency: "priceCurrency",
	}
}

// jsonldRow is one node that is an event. All rows of a file share byID, for places that stand elsewhere in the graph.
type jsonldRow struct {
	at   int
	raw  []byte
	byID map[string][]byte
}

// cutJSONLD finds the events of a document: a node, an array of nodes, or nodes in @graph or in an ItemList.
func cutJSONLD(data []byte) ([]row, error) {
	if line, deep := deeperThan(data, maxDepth); deep {
		return nil, fmt.Errorf("line %d: the JSON is nested more than %d deep", line, maxDepth)
	}
	if err := checkSyntax(data); err != nil {
		return nil, err
	}
	c := &jsonldCut{data: data, nextLine: 1, byID: make(map[string][]byte)}
	start := len(data) - len(bytes.TrimLeft(data, " \t\r\n"))
	c.node(data[start:], start)
	if len(c.rows) == 0 && c.others > 0 {
		return nil, errors.New("the file holds JSON, but no schema.org Event in it")
	}
	return c.rows, nil
}

// checkSyntax gives a sentence with the line for JSON that is none.
func checkSyntax(data []byte) error {
	if json.Valid(data) {
		return nil
	}
	var ignored json.RawMessage
	err := json.Unmarshal(data, &ignored)
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return fmt.Errorf("the file is not JSON: %w", err)
	}
	before := data[:min(int(syntax.Offset), len(data))]
	return fmt.Errorf("line %d: the file is not JSON: %w", 1+bytes.Count(before, []byte("\n")), syntax)
}

// deeperThan reports on which line, if any, data is nested deeper than limit.
func deeperThan(data []byte, limit int) (line int, deep bool) {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return 1 + bytes.Count(data[:i], []byte("\n")), true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return 0, false
}

// jsonldCut walks through a document that is known to be valid JSON.
type jsonldCut struct {
	data   []byte
	rows   []row
	byID   map[string][]byte
	others int // nodes that are no events

	counted  int // offset up to which lines are counted
	nextLine int // line of that offset
}

// lineAt gives the line of an offset. Offsets come in rising order.
func (c *jsonldCut) lineAt(offset int) int {
	c.nextLine += bytes.Count(c.data[c.counted:offset], []byte("\n"))
	c.counted = offset
	return c.nextLine
}

// node looks at the value raw, which begins at offset of the document.
func (c *jsonldCut) node(raw []byte, offset int) {
	switch {
	case len(c.rows) > MaxEvents:
		return
	case raw[0] == '[':
		each(raw, offset, func(_ string, item []byte, at int) { c.node(item, at) })
		return
	case raw[0] != '{':
		c.rows = append(c.rows, &badRow{Line: c.lineAt(offset), Detail: "is not a JSON object"})
		return
	}

	type child struct {
		raw    []byte
		offset int
	}
	var types, id []byte
	var inside []child
	each(raw, offset, func(key string, value []byte, at int) {
		switch term(key) {
		case "@type":
			types = value
		case "@id":
			id = value
		case "@graph", "itemListElement", "item":
			if value[0] == '{' || value[0] == '[' {
				inside = append(inside, child{value, at})
			}
		}
	})
	if _, ok := eventType(types); ok {
		c.event(raw, offset)
		return
	}
	c.others++
	if name := textOf(id); name != "" {
		c.byID[name] = raw
	}
	for _, in := range inside {
		c.node(in.raw, in.offset)
	}
}

func (c *jsonldCut) event(raw []byte, offset int) {
	line := c.lineAt(offset)
	if len(raw) > maxRow {
		c.rows = append(c.rows, &badRow{Line: line, Detail: fmt.Sprintf("the event is larger than %d KiB", maxRow>>10)})
		return
	}
	c.rows = append(c.rows, &jsonldRow{at: line, raw: raw, byID: c.byID})
}
