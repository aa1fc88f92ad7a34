package pass

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// Bounds of a design.
const (
	maxLine      = 200   // characters of a text on one line
	maxValue     = 2_000 // characters of a field's value
	maxFields    = 20    // of a group
	maxKey       = 64
	maxMessages  = 10
	maxLocations = 10
	maxDesign    = 64 << 10 // bytes in JSON
)

// group is a group of fields with its name in JSON.
type group struct {
	name   string
	fields *[]Field
}

func (d *Design) groups() []group {
	return []group{
		{"headerFields", &d.Header}, {"primaryFields", &d.Primary}, {"secondaryFields", &d.Secondary}, {"auxiliaryFields", &d.Auxiliary}, {"backFields", &d.Back},
	}
}

// check notes what is wrong with a design that stands at a JSON pointer, but for its images.
func (d *Design) check(f *problem.Fields, at string) {
	for _, one := range []struct{ name, text string }{{"description", d.Description}, {"logoText", d.LogoText}} {
		if !isLine(one.text, maxLine) {
			f.Add(at+"/"+one.name, "too_long", "Give at most %d characters on one line.", maxLine)
		}
	}
	for _, one := range []struct{ name, color string }{{"labelColor", d.LabelColor}, {"backgroundColor", d.BackgroundColor}, {"foregroundColor", d.ForegroundColor}} {
		if one.color != "" && !isColor(one.color) {
			f.Add(at+"/"+one.name, "invalid", "Write a colour as rgb(255,128,0).")
		}
	}
	keys := map[string]bool{}
	for _, g := range d.groups() {
		if len(*g.fields) > maxFields {
			f.Add(at+"/"+g.name, "too_many", "A group has at most %d fields.", maxFields)
			continue
		}
		for i, field := range *g.fields {
			field.check(f, fmt.Sprintf("%s/%s/%d", at, g.name, i), keys)
		}
	}
	checkMessages(f, at+"/messages", d.Messages)
	checkLocations(f, at+"/locations", d.Locations)
	if y := d.RelevantAt.Year(); y < 1 || y > 9999 {
		f.Add(at+"/relevantDate", "out_of_range", "Give a date before the year 10000.")
	}
	if text, err := json.Marshal(d); err == nil && len(text) > maxDesign {
		f.Add(at, "too_long", "A design has at most %d bytes in all.", maxDesign)
	}
}

var colorForm = regexp.MustCompile(`^rgb\( ?([0-9]{1,3}), ?([0-9]{1,3}), ?([0-9]{1,3}) ?\)$`)

func isColor(s string) bool {
	m := colorForm.FindStringSubmatch(s)
	if m == nil {
		return false
	}
	return !slices.ContainsFunc(m[1:], func(part string) bool {
		n, err := strconv.Atoi(part)
		return err != nil || n > 255
	})
}

var alignments = []string{"", "PKTextAlignmentLeft", "PKTextAlignmentCenter", "PKTextAlignmentRight", "PKTextAlignmentNatural"}

// check notes what is wrong with a field. keys are those of the fields before it.
func (one *Field) check(f *problem.Fields, at string, keys map[string]bool) {
	switch {
	case one.Key == "" || !isLine(one.Key, maxKey):
		f.Add(at+"/key", "invalid", "Give a key of 1 to %d characters.", maxKey)
	case keys[one.Key]:
		f.Add(at+"/key", "duplicate", "Another field has this key; no two fields of a pass have the same.")
	}
	keys[one.Key] = true
	if !isLine(one.Label, maxLine) {
		f.Add(at+"/label", "too_long", "Give at most %d characters on one line.", maxLine)
	}
	if !isProse(one.Value, maxValue) {
		f.Add(at+"/value", "too_long", "Give at most %d characters.", maxValue)
	}
	if !slices.Contains(alignments, one.TextAlignment) {
		f.Add(at+"/textAlignment", "invalid", "Use PKTextAlignmentLeft, …Center, …Right or …Natural.")
	}
	if !isLine(one.ChangeMessage, maxLine) {
		f.Add(at+"/changeMessage", "too_long", "Give at most %d characters on one line.", maxLine)
	}
}

// isProse tells whether a text is at most so many characters.
func isProse(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most
}

func checkMessages(f *problem.Fields, at string, all []Message) {
	if len(all) > maxMessages {
		f.Add(at, "too_many", "A pass has at most %d messages.", maxMessages)
		return
	}
	ids := map[string]bool{}
	for i, m := range all {
		at := fmt.Sprintf("%s/%d", at, i)
		if !isLine(m.ID, maxKey) || m.ID != "" && ids[m.ID] {
			f.Add(at+"/id", "invalid", "Give an id of at most %d characters that no other message of the pass has.", maxKey)
		}
		ids[m.ID] = true
		if !isLine(m.Header, maxLine) {
			f.Add(at+"/header", "too_long", "Give at most %d characters on one line.", maxLine)
		}
		if m.Body == "" || !isProse(m.Body, maxValue) {
			f.Add(at+"/body", "out_of_range", "Give 1 to %d characters.", maxValue)
		}
	}
}

func checkLocations(f *problem.Fields, at string, all []Location) {
	if len(all) > maxLocations {
		f.Add(at, "too_many", "A pass has at most %d locations.", maxLocations)
		return
	}
	for i, l := range all {
		at := fmt.Sprintf("%s/%d", at, i)
		if !(l.Latitude >= -90 && l.Latitude <= 90) { // which is also false for what is no number
			f.Add(at+"/latitude", "out_of_range", "Give degrees from -90 to 90.")
		}
		if !(l.Longitude >= -180 && l.Longitude <= 180) {
			f.Add(at+"/longitude", "out_of_range", "Give degrees from -180 to 180.")
		}
		if !isLine(l.Text, maxLine) {
			f.Add(at+"/relevantText", "too_long", "Give at most %d characters on one line.", maxLine)
		}
	}
}

// checkImages fails with field errors for pictures that the organisation has not.
func (d *Design) checkImages(tx *db.Tx, org int64, at string) error {
	var f problem.Fields
	for _, kind := range slices.Sorted(maps.Keys(d.Images)) {
		if !slices.Contains(ImageKinds(), kind) {
			f.Add(at+"/images", "invalid", "A pass has the pictures icon, logo, strip, thumbnail and background.")
			continue
		}
		has, err := hasImage(tx, org, d.Images[kind])
		if err != nil {
			return fmt.Errorf("look for picture: %w", err)
		}
		if !has {
			f.Add(at+"/images/"+kind, "image_not_found", "There is no such picture here; upload it first.")
		}
	}
	return f.Err()
}

// over is the design where it says something, and else the one below it.
func (d Design) over(below Design) Design {
	for _, one := range []struct{ is, below *string }{
		{&d.Description, &below.Description},
		{&d.LogoText, &below.LogoText},
		{&d.LabelColor, &below.LabelColor},
		{&d.BackgroundColor, &below.BackgroundColor},
		{&d.ForegroundColor, &below.ForegroundColor},
	} {
		if *one.is == "" {
			*one.is = *one.below
		}
	}
	keys := map[string]bool{}
	for _, g := range d.groups() {
		for _, one := range *g.fields {
			keys[one.Key] = true
		}
	}
	under := below.groups()
	for i, g := range d.groups() {
		if len(*g.fields) == 0 {
			*g.fields = slices.DeleteFunc(slices.Clone(*under[i].fields), func(one Field) bool { return keys[one.Key] })
		}
	}
	if len(d.Messages) == 0 {
		d.Messages = below.Messages
	}
	if len(d.Locations) == 0 {
		d.Locations = below.Locations
	}
	if d.RelevantAt.IsZero() {
		d.RelevantAt = below.RelevantAt
	}
	images := maps.Clone(below.Images)
	if images == nil {
		images = map[string]string{}
	}
	maps.Copy(images, d.Images)
	d.Images = images
	return d
}

// ProjectDesign is what passes of an organisation look like that say nothing else.
func ProjectDesign(q db.Querier, org int64) (d Design, err error) {
	text, err := db.One(q, db.Value[string], `SELECT design FROM pass_projects WHERE org_id = $1`, org)
	if errors.Is(err, db.ErrNoRow) {
		return Design{}, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &d)
	}
	if err != nil {
		return Design{}, fmt.Errorf("design of organisation %d: %w", org, err)
	}
	return d, nil
}

// SetProjectDesign changes it, and has all devices with passes of the organisation told, in a wave. It fails with field errors.
func (b *Book) SetProjectDesign(tx *db.Tx, org int64, d Design) error {
	var f problem.Fields
	if d.check(&f, ""); f.Err() != nil {
		return f.Err()
	}
	if err := d.checkImages(tx, org, ""); err != nil {
		return err
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	n, err := tx.Exec(`INSERT INTO pass_projects (org_id, design) VALUES ($1, $2)
		ON CONFLICT (org_id) DO UPDATE SET design = excluded.design WHERE pass_projects.design <> excluded.design`, org, string(text))
	if err != nil {
		return fmt.Errorf("set design of organisation: %w", err)
	}
	if n == 0 {
		return nil
	}
	if err := nameImages(tx, org, 0, d, true); err != nil {
		return err
	}
	return b.start(tx, wave{org: org, objects: true})
}
