package ethpass

import (
	"strconv"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// How many there may be of what a design is made of. Package pass says what each of them may be.
const (
	maxFields    = 50
	maxMessages  = 10
	maxLocations = 10
)

// design reads what a pass looks like onto what there is: members that are there replace those of d, and an empty text or list takes away what there was. Apple's and
// Google's shape are one: each has members that the other has not.
func (o *object) design(d *pass.Design) {
	for _, m := range []struct {
		name string
		text *string
	}{
		{"description", &d.Description}, {"logoText", &d.LogoText}, {"labelColor", &d.LabelColor}, {"backgroundColor", &d.BackgroundColor}, {"foregroundColor", &d.ForegroundColor},
	} {
		if o.has(m.name) {
			*m.text = o.text(m.name)
		}
	}
	for _, g := range []struct {
		name   string
		fields *[]pass.Field
	}{
		{"headerFields", &d.Header}, {"primaryFields", &d.Primary}, {"secondaryFields", &d.Secondary}, {"auxiliaryFields", &d.Auxiliary}, {"backFields", &d.Back},
	} {
		if o.has(g.name) {
			*g.fields = o.fields(g.name)
		}
	}
	if o.has("messages") {
		d.Messages = nil
		for _, m := range o.objects("messages", maxMessages) {
			d.Messages = append(d.Messages, pass.Message{ID: m.text("id"), Header: m.text("header"), Body: m.text("body")})
		}
	}
	if o.has("relevantDate") {
		d.RelevantAt = o.instant("relevantDate")
	}
	if o.has("locations") {
		d.Locations = nil
		for _, l := range o.objects("locations", maxLocations) {
			d.Locations = append(d.Locations, pass.Location{Latitude: l.degrees("latitude"), Longitude: l.degrees("longitude"), Text: l.text("relevantText")})
		}
	}
	if in := o.object("images"); in != nil {
		d.Images = map[string]string{}
		for name := range in.members {
			if hash := in.text(name); hash != "" {
				d.Images[name] = hash
			}
		}
	}
}

// degrees reads a number that has to be there.
func (o *object) degrees(name string) float64 {
	if !o.has(name) {
		o.fault(name, "required", "Say where, in degrees.")
		return 0
	}
	if n := read[float64](o, name, "a number of degrees"); n != nil {
		return *n
	}
	return 0
}

// fields reads a group of fields. One without a key gets one of its group and place, since ethpass's newer layouts have none.
func (o *object) fields(group string) []pass.Field {
	var fields []pass.Field
	for i, f := range o.objects(group, maxFields) {
		field := pass.Field{Key: f.text("key"), Label: f.text("label"), Value: f.value(), TextAlignment: f.text("textAlignment"), ChangeMessage: f.text("changeMessage")}
		if field.Key == "" {
			field.Key = strings.TrimSuffix(group, "Fields") + strconv.Itoa(i+1)
		}
		if field.TextAlignment == "" {
			field.TextAlignment = alignments[f.one("alignment", "left", "center", "middle", "right", "natural")]
		}
		fields = append(fields, field)
	}
	return fields
}

// value reads a field's value: a text, or a number, which PassKit takes as well.
func (o *object) value() string {
	raw := o.raw("value")
	if raw == nil || raw[0] == '"' {
		return o.text("value")
	}
	if strings.Trim(string(raw), "0123456789+-.eE") != "" {
		o.fault("value", "wrong_type", "Expected a text or a number.")
		return ""
	}
	return string(raw)
}

// alignments are PassKit's words for those of ethpass's newer layouts.
var alignments = map[string]string{
	"left": "PKTextAlignmentLeft", "center": "PKTextAlignmentCenter", "middle": "PKTextAlignmentCenter", "right": "PKTextAlignmentRight", "natural": "PKTextAlignmentNatural",
}
