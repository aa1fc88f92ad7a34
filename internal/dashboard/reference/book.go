package reference

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// book is a document for people.
type book struct {
	Title, About       string
	Chapters, Webhooks []chapter
}

// chapter is the operations of one tag, or the webhooks of one format.
type chapter struct {
	Slug, Name string
	Operations []operation
}

type operation struct {
	ID, Method, Path string // of a webhook, Path is its event's name
	Summary, About   string
	Scopes           []string // one of which a credential needs; none for what is open, or for who administrates
	Params           []param
	Body             *content
	Answers          []answer
	Curl, Example    string
}

type param struct {
	Name, In, Type, About string
	Required              bool
}

type content struct {
	Type string
	Of   []property
}

type answer struct {
	Status, About string
	Content       *content
}

// property is a member of an object, with its own members.
type property struct {
	Name, Type, About string
	Required          bool
	Of                []property
}

// The parts of an OpenAPI document that are shown.
type document struct {
	Info       struct{ Title, Description string }
	Tags       []struct{ Name string }
	Paths      map[string]map[string]json.RawMessage
	Webhooks   map[string]map[string]operationJSON
	Components struct{ Schemas map[string]*schema }
}

type operationJSON struct {
	OperationID, Summary, Description string
	Tags                              []string
	Parameters                        []struct {
		Name, In, Description string
		Required              bool
		Schema                *schema
	}
	RequestBody *struct{ Content map[string]mediaJSON }
	Responses   map[string]struct {
		Description string
		Content     map[string]mediaJSON
	}
	Security []map[string][]string
}

type mediaJSON struct {
	Schema  *schema
	Example json.RawMessage
}

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 any    // a name, or several
	Format, Description  string
	Properties           map[string]*schema
	Required             []string
	Items                *schema
	OneOf                []*schema
	Enum                 []any
	Examples             []any
	Default              any
	Minimum, Maximum     *float64
	MinLength, MaxLength *int
	AdditionalProperties json.RawMessage
}

var methods = []string{"get", "post", "put", "patch", "delete"}

// read reads a document. The server is where its operations are called.
func read(text []byte, server string) (book, error) {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return book{}, err
	}
	b := book{Title: d.Info.Title, About: d.Info.Description}
	at := map[string]int{}
	for _, t := range d.Tags {
		at[t.Name] = len(b.Chapters)
		b.Chapters = append(b.Chapters, chapter{Slug: slug(t.Name), Name: t.Name})
	}
	for _, path := range sorted(d.Paths) {
		for _, method := range methods {
			raw, ok := d.Paths[path][method]
			if !ok {
				continue
			}
			var o operationJSON
			if err := json.Unmarshal(raw, &o); err != nil {
				return book{}, fmt.Errorf("%s %s: %w", method, path, err)
			}
			name := "Other"
			if len(o.Tags) > 0 {
				name = o.Tags[0]
			}
			i, ok := at[name]
			if !ok {
				i = len(b.Chapters)
				at[name] = i
				b.Chapters = append(b.Chapters, chapter{Slug: slug(name), Name: name})
			}
			b.Chapters[i].Operations = append(b.Chapters[i].Operations, d.operation(strings.ToUpper(method), path, o, server))
		}
	}
	b.Chapters = slices.DeleteFunc(b.Chapters, func(c chapter) bool { return len(c.Operations) == 0 })
	b.Webhooks = d.webhooks()
	return b, nil
}

// webhooks are the chapters of the formats. Their names are those of a format and an event: "portal:order.accepted".
func (d *document) webhooks() (all []chapter) {
	for _, name := range sorted(d.Webhooks) {
		format, event, _ := strings.Cut(name, ":")
		if len(all) == 0 || all[len(all)-1].Slug != "webhooks-"+format {
			all = append(all, chapter{Slug: "webhooks-" + format, Name: "Webhooks of the format " + format})
		}
		c := &all[len(all)-1]
		c.Operations = append(c.Operations, d.operation("", event, d.Webhooks[name]["post"], ""))
	}
	return all
}

func slug(name string) string { return strings.ReplaceAll(strings.ToLower(name), " ", "-") }

func sorted[T any](m map[string]T) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (d *document) operation(method, path string, o operationJSON, server string) operation {
	out := operation{ID: o.OperationID, Method: method, Path: path, Summary: o.Summary, About: o.Description}
	for _, way := range o.Security {
		for _, scopes := range way {
			for _, s := range scopes {
				if !slices.Contains(out.Scopes, s) {
					out.Scopes = append(out.Scopes, s)
				}
			}
		}
	}
	for _, p := range o.Parameters {
		q := param{Name: p.Name, In: p.In, About: p.Description, Required: p.Required}
		if p.Schema != nil {
			q.Type = d.named(p.Schema)
		}
		out.Params = append(out.Params, q)
	}
	var sample any
	if o.RequestBody != nil {
		out.Body = d.content(o.RequestBody.Content)
		for _, kind := range sorted(o.RequestBody.Content) {
			m := o.RequestBody.Content[kind]
			sample = d.sample(m.Schema, 0)
			if m.Example != nil {
				out.Example = indented(m.Example)
			}
		}
	}
	for _, status := range sorted(o.Responses) {
		r := o.Responses[status]
		out.Answers = append(out.Answers, answer{Status: status, About: r.Description, Content: d.content(r.Content)})
	}
	if method != "" {
		out.Curl = curl(method, server+path, len(o.Security) > 0, sample)
	}
	return out
}

func (d *document) content(of map[string]mediaJSON) *content {
	kinds := sorted(of)
	if len(kinds) == 0 || kinds[0] == "application/problem+json" { // all errors are alike, and the first page says how
		return nil
	}
	return &content{Type: kinds[0], Of: d.properties(of[kinds[0]].Schema, 0)}
}

// resolved follows a reference to a schema of the document.
func (d *document) resolved(s *schema) *schema {
	for s != nil && s.Ref != "" {
		to := d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
		if to == nil {
			return s
		}
		if s.Description != "" {
			shown := *to
			shown.Description = s.Description
			to = &shown
		}
		s = to
	}
	return s
}

// deepest is how far down objects in objects are shown.
const deepest = 5

// properties are the members of an object, or of a list's objects; those that are required first.
func (d *document) properties(s *schema, depth int) (all []property) {
	s = d.resolved(s)
	for s != nil && s.Items != nil {
		s = d.resolved(s.Items)
	}
	if s == nil || depth > deepest {
		return nil
	}
	for _, name := range sorted(s.Properties) {
		p := d.resolved(s.Properties[name])
		if p == nil {
			continue
		}
		all = append(all, property{
			Name: name, Type: d.named(p), About: p.Description, Required: slices.Contains(s.Required, name), Of: d.properties(p, depth+1),
		})
	}
	slices.SortStableFunc(all, func(a, b property) int { return rank(a) - rank(b) })
	return all
}

func rank(p property) int {
	if p.Required {
		return 0
	}
	return 1
}

// named is what a schema is called: a type, what it may be, and its bounds.
func (d *document) named(s *schema) string {
	s = d.resolved(s)
	name := typeName(s.Type)
	if s.Items != nil {
		name = "list of " + d.named(s.Items)
	}
	if len(s.OneOf) > 0 {
		var each []string
		for _, o := range s.OneOf {
			each = append(each, d.named(o))
		}
		name = strings.Join(each, " or ")
	}
	if s.Format != "" && s.Format != "int64" && s.Format != "double" {
		name += ", " + s.Format
	}
	if len(s.Enum) > 0 {
		var each []string
		for _, e := range s.Enum {
			each = append(each, fmt.Sprint(e))
		}
		name += ": " + strings.Join(each, ", ")
	}
	return name + bounds(s)
}

func bounds(s *schema) string {
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		return fmt.Sprintf(", %g to %g", *s.Minimum, *s.Maximum)
	case s.Minimum != nil:
		return fmt.Sprintf(", at least %g", *s.Minimum)
	case s.Maximum != nil:
		return fmt.Sprintf(", at most %g", *s.Maximum)
	case s.MaxLength != nil:
		return fmt.Sprintf(", at most %d characters", *s.MaxLength)
	}
	return ""
}

func typeName(t any) string {
	switch t := t.(type) {
	case string:
		return t
	case []any:
		var each []string
		for _, one := range t {
			each = append(each, fmt.Sprint(one))
		}
		return strings.Join(each, " or ")
	}
	return "anything"
}

// sample is a body that has what is required.
func (d *document) sample(s *schema, depth int) any {
	s = d.resolved(s)
	if s == nil || depth > deepest {
		return nil
	}
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case s.Default != nil:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	case len(s.OneOf) > 0:
		return d.sample(s.OneOf[0], depth+1)
	}
	switch name, _, _ := strings.Cut(typeName(s.Type), " "); name {
	case "object", "anything":
		o := map[string]any{}
		for _, member := range s.Required {
			o[member] = d.sample(s.Properties[member], depth+1)
		}
		return o
	case "array":
		return []any{d.sample(s.Items, depth+1)}
	case "integer", "number":
		return 1
	case "boolean":
		return true
	}
	switch s.Format {
	case "date-time":
		return "2031-08-14T18:30:00Z"
	case "date":
		return "2031-08-14"
	case "uri", "url":
		return "https://example.com/"
	}
	return "…"
}

func indented(j json.RawMessage) string {
	var v any
	if json.Unmarshal(j, &v) != nil {
		return string(j)
	}
	b, _ := json.MarshalIndent(v, "", "  ") // it was read
	return string(b)
}

// curl is a command that calls an operation.
func curl(method, url string, secured bool, body any) string {
	var b strings.Builder
	b.WriteString("curl -X " + method + " '" + url + "'")
	if secured {
		b.WriteString(" \\\n  -H \"X-API-Key: $STAGEDOOR_KEY\"")
	}
	if body != nil {
		j, _ := json.MarshalIndent(body, "  ", "  ") // it is made of plain values
		b.WriteString(" \\\n  -H 'Content-Type: application/json' \\\n  -d '" + strings.ReplaceAll(string(j), "'", `'\''`) + "'")
	}
	return b.String()
}

// Span is a piece of a text: words, or code that stood between backticks.
type Span struct {
	Text string
	Code bool
}

// spans takes a text with code between backticks apart.
func spans(text string) (all []Span) {
	for i, piece := range strings.Split(text, "`") {
		if piece != "" {
			all = append(all, Span{piece, i%2 == 1})
		}
	}
	return all
}

// Spans are the pieces of a text, for the templates.
func (book) Spans(text string) []Span { return spans(text) }

// Spans are the pieces of a text, for the templates.
func (chapter) Spans(text string) []Span { return spans(text) }
