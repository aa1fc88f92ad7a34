package page

import (
	"embed"
	"fmt"
	"html/template"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

//go:embed pages/*.html
var files embed.FS

// Pieces are the templates that forms are made of: "field" shows a [Field], "csrf" the token of a form, whose page has a CSRF.
func Pieces() *template.Template { return template.Must(template.ParseFS(files, "pages/*.html")) }

// Field is a field of a form that people type into.
type Field struct {
	ID, Name, Label, Type, Value string
	Complete                     string // autocomplete, of the names that HTML knows
	Hint                         string
	Fault                        string // what is wrong with it
	Blamed                       bool   // the complaint above all is about it
	Required, Focus              bool
	Min, Max                     int      // of the characters; 0 for none
	Rows                         int      // of a textarea
	Options                      []Option // of a select
}

// Option is one choice of a select.
type Option struct {
	Value, Text string
	Chosen      bool
}

// DescribedBy are the ids of what is said about the field.
func (f Field) DescribedBy() string {
	var ids []string
	if f.Blamed {
		ids = append(ids, "complaints")
	}
	if f.Fault != "" {
		ids = append(ids, f.ID+"-fault")
	}
	if f.Hint != "" {
		ids = append(ids, f.ID+"-hint")
	}
	return strings.Join(ids, " ")
}

// Complaint is something that is wrong with what was sent.
type Complaint struct {
	Field string // the id of the field that it is about; "" for none
	Text  string
}

// Complaints are all that is wrong with what was sent.
type Complaints []Complaint

// ComplaintsOf are what a problem says of a form. The field of a pointer is named, or by the pointer's first part after the prefix: so "/email" is about the field prefix+"email".
func ComplaintsOf(p *problem.Error, prefix string, named map[string]string) Complaints {
	if len(p.Fields) == 0 {
		return Complaints{{Text: p.Detail}}
	}
	var all Complaints
	for _, f := range p.Fields {
		name, ok := named[f.Pointer]
		if !ok && named == nil {
			name, _, _ = strings.Cut(strings.TrimPrefix(f.Pointer, "/"), "/")
		}
		c := Complaint{Text: f.Detail}
		if name != "" {
			c.Field = prefix + name
		}
		all = append(all, c)
	}
	return all
}

// Fault is what is wrong with a field, or a group of them, by its id; "" for nothing.
func (all Complaints) Fault(id string) string {
	for _, c := range all {
		if c.Field == id {
			return c.Text
		}
	}
	return ""
}

// Field makes a field. Its name is what follows the last hyphen of the id. The options are required, focus, hint:…, max:… and rows:…; of a page with complaints, the first
// field that one is about has the focus instead.
func (all Complaints) Field(id, label, kind, complete, value string, options ...string) Field {
	f := Field{ID: id, Name: id[strings.LastIndexByte(id, '-')+1:], Label: label, Type: kind, Value: value, Complete: complete}
	for _, o := range options {
		f.Required = f.Required || o == "required"
		f.Focus = f.Focus || o == "focus"
		if hint, ok := strings.CutPrefix(o, "hint:"); ok {
			f.Hint = hint
		}
		_, _ = fmt.Sscanf(o, "max:%d", &f.Max)
		_, _ = fmt.Sscanf(o, "rows:%d", &f.Rows)
	}
	switch complete {
	case "new-password":
		f.Min = org.MinPassword
		f.Hint = fmt.Sprintf("At least %d characters. A few words that nobody else would put together are easy to remember.", org.MinPassword)
	case "name":
		f.Max = 200
	}
	all.blame(&f)
	return f
}

// blame says what is wrong with a field. A complaint about no field in particular is one about who somebody is: then the password is typed again.
func (all Complaints) blame(f *Field) {
	for i, c := range all {
		about := c.Field
		if about == "" && f.Complete == "current-password" {
			about, f.Blamed = f.ID, true
		} else if about == f.ID {
			f.Fault = c.Text
		}
		if i == 0 {
			f.Focus = about == f.ID
		}
	}
}
