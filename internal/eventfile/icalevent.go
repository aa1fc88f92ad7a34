package eventfile

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-ical"
)

// contentLineForm is the grammar of a content line (RFC 5545 §3.1): name *(";" param) ":" value. Lines of another form are
// kept from go-ical, which panics on some of them.
var contentLineForm = regexp.MustCompile(`^[A-Za-z0-9-]+(;[A-Za-z0-9-]+=("[^"]*"|[^";:,]*)(,("[^"]*"|[^";:,]*))*)*:`)

func (r *icalendarRow) line() int { return r.at }

func (r *icalendarRow) event(z *zones) (Event, error) {
	props, err := r.properties()
	if err != nil {
		return Event{}, err
	}
	ev, err := r.understand(props, z)
	if err != nil {
		return Event{}, r.locate(err)
	}
	return ev, nil
}

// properties has go-ical take the content lines apart.
func (r *icalendarRow) properties() (ical.Props, error) {
	var text strings.Builder
	text.WriteString("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n")
	for _, l := range r.lines {
		name, _ := split([]byte(l.text))
		switch {
		case !utf8.ValidString(l.text):
			return nil, &RowError{Line: l.at, Field: name, Detail: "is not UTF-8: save the file as UTF-8"}
		case !contentLineForm.MatchString(l.text):
			return nil, &RowError{Line: l.at, Field: name, Detail: quote(l.text) + " is not of the form NAME:VALUE or NAME;PARAMETER=VALUE:VALUE"}
		}
		text.WriteString(l.text)
		text.WriteString("\r\n")
	}
	text.WriteString("END:VEVENT\r\nEND:VCALENDAR\r\n")
	cal, err := ical.NewDecoder(strings.NewReader(text.String())).Decode()
	if err != nil {
		return nil, err
	}
	return cal.Children[0].Props, nil
}

// locate gives err the line of its property.
func (r *icalendarRow) locate(err error) error {
	e, ok := errors.AsType[*RowError](err)
	if !ok {
		return err
	}
	for _, l := range r.lines {
		if name, _ := split([]byte(l.text)); name == e.Field && e.Line == 0 {
			e.Line = l.at
		}
	}
	return e
}

// understand makes the record of the properties.
func (r *icalendarRow) understand(props ical.Props, z *zones) (Event, error) {
	for _, name := range []string{"RRULE", "RDATE", "EXRULE", "RECURRENCE-ID"} {
		if props.Get(name) != nil {
			return Event{}, bad(name, "%s", recurring)
		}
	}
	d := draft{
		id:          withoutHost(text(props, "UID")),
		name:        text(props, "SUMMARY"),
		url:         text(props, "URL"),
		description: text(props, "DESCRIPTION"),
	}
	for _, p := range props["CATEGORIES"] {
		d.keywords = append(d.keywords, splitText(p.Value)...)
	}
	r.setPlace(&d, props)
	if err := r.setStatus(&d, props); err != nil {
		return Event{}, err
	}
	if err := r.times(&d, props, z); err != nil {
		return Event{}, err
	}
	return d.event(icalendarWords(), z)
}

// setPlace reads LOCATION. An event that has no place but an address on the net, as URL or CONFERENCE (RFC 7986 §5.11), is
// online: there is nowhere else to go.
func (r *icalendarRow) setPlace(d *draft, props ical.Props) {
	conference := text(props, "CONFERENCE")
	if location := text(props, "LOCATION"); strings.TrimSpace(location) != "" {
		d.place, d.online = parsePlace(location)
		if geo := props.Get("GEO"); geo != nil { // RFC 5545 §3.8.1.6
			latitude, longitude, _ := strings.Cut(geo.Value, ";")
			d.at = parsePoint(latitude, longitude)
		}
		return
	}
	d.online = d.url != "" || conference != ""
}

func (r *icalendarRow) setStatus(d *draft, props ical.Props) error {
	switch s := strings.ToUpper(strings.TrimSpace(text(props, "STATUS"))); s {
	case "", "CONFIRMED", "TENTATIVE":
		d.status = Scheduled
	case "CANCELLED", "CANCELED":
		d.status = Cancelled
	default:
		return bad("STATUS", "%s is not one of TENTATIVE, CONFIRMED, CANCELLED", quote(s))
	}
	if r.cal.cancelled {
		d.status = Cancelled
	}
	return nil
}

// withoutHost gives the id in which a UID meets the same event in other forms; see [Event.SourceID].
func withoutHost(uid string) string {
	uid = oneLine(uid)
	i := strings.LastIndexByte(uid, '@')
	if i < 8 || !idAlphabet(uid[:i]) || strings.Trim(uid[:i], "0123456789") == "" {
		return uid
	}
	return uid[:i]
}

// text gives a property's text, unescaped; of several, the first.
func text(props ical.Props, name string) string {
	p := props.Get(name)
	if p == nil {
		return ""
	}
	if name == "URL" || name == "CONFERENCE" { // of type URI, in which nothing is escaped
		return p.Value
	}
	return strings.Join(splitText(p.Value), ",")
}

// splitText gives the texts of a list, unescaped (RFC 5545 §3.3.11). It takes more than the RFC allows, as programs write it:
// an unknown escape stands for its character.
func splitText(value string) []string {
	var list []string
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\' && i+1 < len(value):
			i++
			if value[i] == 'n' || value[i] == 'N' {
				b.WriteByte('\n')
			} else {
				b.WriteByte(value[i])
			}
		case c == ',':
			list = append(list, b.String())
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	return append(list, b.String())
}
