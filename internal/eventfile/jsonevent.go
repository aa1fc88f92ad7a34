package eventfile

import (
	"slices"
	"strings"
	"unicode"
)

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
			if geo := r.resolve(firstOf(o["geo"])); geo != nil {
				d.at = parsePoint(geo.text("latitude"), geo.text("longitude"))
			}
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
