package eventfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
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

// eventType reports whether a node's @type is Event or one of its subtypes, and what kind: "music" of MusicEvent, "" of Event.
// Those that nobody attends, a broadcast or a delivery, are not meant.
func eventType(types []byte) (kind string, ok bool) {
	for _, t := range textsOf(types) {
		t = term(t)
		switch t {
		case "DeliveryEvent", "PublicationEvent", "BroadcastEvent", "OnDemandEvent":
			continue
		case "Festival", "Hackathon":
			return strings.ToLower(t), true
		case "CourseInstance":
			return "course", true
		case "ChildrensEvent":
			return "children", true
		}
		if before, isEvent := strings.CutSuffix(t, "Event"); isEvent {
			ok = true
			if kind == "" {
				kind = spaced(before)
			}
		}
	}
	return kind, ok
}

// spaced gives "visual arts" for "VisualArts".
func spaced(s string) string {
	var b strings.Builder
	for i, r := range s {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
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

func (r *jsonldRow) line() int { return r.at }

func (r *jsonldRow) event(z *zones) (Event, error) {
	o := objectOf(r.raw)
	d := draft{
		id:          sourceIDOf(o),
		name:        o.text("name"),
		url:         o.text("url"),
		description: o.text("description"),
		currency:    objectOf(firstOf(o["offers"])).text("priceCurrency"),
	}
	d.category, _ = eventType(o["@type"])
	d.keywords = keywordsOf(o["keywords"])

	if err := r.times(o, &d); err != nil {
		return Event{}, err
	}
	moved, err := d.setStatus(o)
	if err != nil {
		return Event{}, err
	}
	r.location(o["location"], &d)
	if mode := term(o.text("eventAttendanceMode")); mode == "OnlineEventAttendanceMode" {
		d.online = true
	}
	if moved {
		d.place, d.online = place{}, true
	}
	return d.event(jsonldWords(), z)
}

// sourceIDOf gives the node's @id, else its identifier, else its url. A blank node's id, "_:b0", is another one in each file.
func sourceIDOf(o object) string {
	if id := o.text("@id"); id != "" && !strings.HasPrefix(id, "_:") {
		return id
	}
	if id := o.text("identifier"); id != "" {
		return id
	}
	return o.text("url")
}

// keywordsOf gives the words of a text with commas, or of a list of texts or DefinedTerms.
func keywordsOf(raw []byte) []string {
	if len(raw) > 0 && raw[0] == '"' {
		return strings.Split(textOf(raw), ",")
	}
	return textsOf(raw)
}

func (r *jsonldRow) times(o object, d *draft) (err error) {
	start := o.text("startDate")
	if start == "" {
		if len(items(o["eventSchedule"])) > 0 {
			return bad("eventSchedule", "%s", recurring)
		}
		return bad("startDate", "is missing")
	}
	if d.start, err = parseISO(start); err != nil {
		return bad("startDate", "%v", err)
	}
	if end := o.text("endDate"); end != "" {
		if d.end, err = parseISO(end); err != nil {
			return bad("endDate", "%v", err)
		}
	}
	return nil
}

// setStatus reads eventStatus, which may be a list, and says whether the event moved online. A previousStartDate alone tells of
// a new date.
func (d *draft) setStatus(o object) (movedOnline bool, err error) {
	for _, s := range textsOf(o["eventStatus"]) {
		switch term(s) {
		case "EventScheduled":
		case "EventPostponed":
			d.status = Postponed
		case "EventRescheduled":
			d.status = Rescheduled
		case "EventCancelled", "EventCanceled":
			d.status = Cancelled
			return movedOnline, nil
		case "EventMovedOnline":
			movedOnline = true
		default:
			return false, bad("eventStatus", "%s is not one of EventScheduled, EventPostponed, EventRescheduled, EventCancelled, EventMovedOnline", quote(s))
		}
	}
	if d.status == "" && o.text("previousStartDate") != "" {
		d.status = Rescheduled
	}
	return movedOnline, nil
}

// location reads where the event is: a Place, a VirtualLocation, an address, a text, or a list of these, of which the first
// physical one counts.
func (r *jsonldRow) location(raw []byte, d *draft) {
	for _, raw := range items(raw) {
		o := r.resolve(raw)
		switch {
		case o == nil:
			var online bool
			d.place, online = parsePlace(textOf(raw))
			d.online = d.online || online
		case slices.Contains(typesOf(o), "VirtualLocation"):
			d.online = true
			if d.url == "" {
				d.url = o.text("url")
			}
		default:
			var online bool
			d.place, online = r.placeOf(o)
			d.online = d.online || online
		}
		if d.place != (place{}) {
			return
		}
	}
}

func typesOf(o object) []string {
	types := textsOf(o["@type"])
	for i, t := range types {
		types[i] = term(t)
	}
	return types
}

// placeOf reads a Place or, in its stead, a PostalAddress.
func (r *jsonldRow) placeOf(o object) (place, bool) {
	name := o.text("name")
	address := o
	if raw := firstOf(o["address"]); raw != nil {
		address = r.resolve(raw)
		if address == nil {
			p, online := parsePlace(textOf(raw))
			if name != "" {
				p.venue = name
			}
			return p, online && name == ""
		}
	}
	p := place{
		venue:   name,
		city:    address.text("addressLocality"),
		region:  address.text("addressRegion"),
		country: address.text("addressCountry"),
	}
	if p.city == "" && p.region == "" && p.country == "" {
		return parsePlace(name)
	}
	return p, false
}

// resolve gives the object raw, or the node elsewhere in the file that its lone @id names; nil for a text.
func (r *jsonldRow) resolve(raw []byte) object {
	o := objectOf(raw)
	if id := o.text("@id"); len(o) == 1 && id != "" {
		if node, ok := r.byID[id]; ok {
			return objectOf(node)
		}
	}
	return o
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
