package google

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// kind is what sort of pass it is to Google: where its classes and objects stand in the API, and what they are called in a save link.
type kind struct{ class, object, classes, objects string }

var (
	ticketKind  = kind{"eventTicketClass", "eventTicketObject", "eventTicketClasses", "eventTicketObjects"}
	genericKind = kind{"genericClass", "genericObject", "genericClasses", "genericObjects"}
)

// isTicket tells whether a pass is an event's ticket to Google.
func isTicket(f pass.Face) bool { return f.Style == pass.EventTicket && f.Event != nil }

func kindOf(f pass.Face) kind {
	if isTicket(f) {
		return ticketKind
	}
	return genericKind
}

// class is what a class says: an eventTicketClass, or of it what a genericClass has too.
type class struct {
	ID        string     `json:"id"`
	Issuer    string     `json:"issuerName,omitempty"`
	Review    string     `json:"reviewStatus,omitempty"`
	EventID   string     `json:"eventId,omitempty"`
	EventName *localized `json:"eventName,omitempty"`
	Venue     *venue     `json:"venue,omitempty"`
	Times     *times     `json:"dateTime,omitempty"`
	Places    []place    `json:"merchantLocations,omitempty"`
	Texts     []module   `json:"textModulesData,omitempty"`
	Links     *links     `json:"linksModuleData,omitempty"`
	Colour    string     `json:"hexBackgroundColor,omitempty"`
	Logo      *image     `json:"logo,omitempty"`
	Callback  *callback  `json:"callbackOptions,omitempty"`
	Holders   string     `json:"multipleDevicesAndHoldersAllowedStatus"`
	Notify    string     `json:"notifyPreference,omitempty"`
}

// oneHolder lets the first who saves a pass have it on all their devices, and nobody else: a link that went on to somebody is of no use there.
const oneHolder = "ONE_USER_ALL_DEVICES"

type venue struct {
	Name    *localized `json:"name"`
	Address *localized `json:"address"` // both, or Google takes neither
}

// times are wall clocks at the venue, with its offset.
type times struct {
	Start string `json:"start,omitempty"`
	End   string `json:"end,omitempty"`
}

type place struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

type module struct {
	ID          string     `json:"id,omitempty"`
	Header      string     `json:"header,omitempty"`
	Body        string     `json:"body,omitempty"`
	LocalHeader *localized `json:"localizedHeader,omitempty"`
	LocalBody   *localized `json:"localizedBody,omitempty"`
}

type links struct {
	URIs []link `json:"uris"`
}

type link struct {
	ID    string `json:"id,omitempty"`
	URI   string `json:"uri"`
	Label string `json:"description,omitempty"`
}

type image struct {
	Source struct {
		URI string `json:"uri"`
	} `json:"sourceUri"`
}

type callback struct {
	URL string `json:"url"`
}

// classOf is the class of a pass.
func (w *Wallet) classOf(f pass.Face) class {
	if !isTicket(f) {
		return class{ID: w.genericClassID(f.OrgNo), Callback: w.calledBack(), Holders: oneHolder}
	}
	c := w.eventClass(f.Org, *f.Event)
	c.Colour = colour(f.Design.BackgroundColor)
	c.Logo = picture(f, "logo", "icon")
	return c
}

// eventClass is the class of an event's passes, but for how they look.
func (w *Wallet) eventClass(org string, e event.Event) class {
	c := class{
		ID: w.eventClassID(e), Issuer: org, Review: "UNDER_REVIEW", EventID: string(e.ID), EventName: text(e.Name),
		Venue: venueOf(e), Times: timesOf(e), Callback: w.calledBack(), Holders: oneHolder,
	}
	if v := e.Venue; v.Latitude != nil && v.Longitude != nil {
		c.Places = []place{{*v.Latitude, *v.Longitude}}
	}
	if strings.HasPrefix(e.URL, "https://") || strings.HasPrefix(e.URL, "http://") {
		c.Links = &links{[]link{{ID: "event", URI: e.URL, Label: e.Name}}}
	}
	switch e.Status {
	case event.Cancelled:
		c.EventName = cancelled.before(e.Name)
		c.Texts = []module{{ID: "status", LocalHeader: cancelled.text(""), LocalBody: cancelledBody.text("")}}
	case event.Postponed:
		c.EventName = postponed.before(e.Name)
		c.Texts = []module{{ID: "status", LocalHeader: postponed.text(""), LocalBody: postponedBody.text("")}}
	}
	return c
}

// eventClassID begins with the event's number, since two organisations may have events of the same id.
func (w *Wallet) eventClassID(e event.Event) string {
	return w.issuer + ".event-" + strconv.FormatInt(e.No, 10) + "-" + string(e.ID)
}

func (w *Wallet) genericClassID(org int64) string {
	return w.issuer + ".org-" + strconv.FormatInt(org, 10)
}

func (w *Wallet) classID(f pass.Face) string {
	if isTicket(f) {
		return w.eventClassID(*f.Event)
	}
	return w.genericClassID(f.OrgNo)
}

func (w *Wallet) calledBack() *callback {
	if w.callback == "" {
		return nil
	}
	return &callback{w.callback}
}

// mayVanish are the parts of a class that an event can lose. A change has to say null for what is not there, else Google leaves what was (RFC 7396): a new date
// would keep the end of the old one, and an event that takes place after all would stay postponed in other languages.
var mayVanish = []string{"eventName.translatedValues", "venue", "dateTime", "dateTime.end", "merchantLocations", "textModulesData", "linksModuleData"}

// change is the class as a change of what Google has.
func (c class) change() (map[string]any, error) {
	c.Notify = "NOTIFY_ON_UPDATE" // people are told of another date or place
	whole, err := marshal(c)
	if err != nil {
		return nil, err
	}
	var parts map[string]any
	if err := json.Unmarshal(whole, &parts); err != nil {
		return nil, err
	}
	for _, path := range mayVanish {
		in, name := parts, path
		if outer, inner, ok := strings.Cut(path, "."); ok {
			in, _ = parts[outer].(map[string]any)
			name = inner
		}
		if _, ok := in[name]; !ok && in != nil {
			in[name] = nil
		}
	}
	return parts, nil
}

func venueOf(e event.Event) *venue {
	name, address := e.Venue.Name, e.Venue.Location()
	if name == "" {
		name = address
	}
	if address == "" {
		address = name
	}
	if name == "" {
		return nil
	}
	return &venue{text(name), text(address)}
}

// timesOf is when an event is, or nil while nobody knows. An end that nobody has given is not told.
func timesOf(e event.Event) *times {
	if e.Status == event.Postponed || e.StartsAt.IsZero() {
		return nil
	}
	zone, err := time.LoadLocation(e.Timezone)
	if err != nil {
		zone = time.UTC
	}
	t := &times{Start: e.StartsAt.In(zone).Format(time.RFC3339)}
	switch {
	case e.AllDay: // its end is the midnight after the last day, which would look like one day more
		t.End = e.EndsAt.Add(-time.Minute).In(zone).Format(time.RFC3339)
	case e.EndLocal != "":
		t.End = e.EndsAt.In(zone).Format(time.RFC3339)
	}
	return t
}

// picture is the first picture that a pass has where Google can fetch it, or nil.
func picture(f pass.Face, kinds ...string) *image {
	for _, k := range kinds {
		if u := f.ImageURLs[k]; strings.HasPrefix(u, "https://") {
			var i image
			i.Source.URI = u
			return &i
		}
	}
	return nil
}

// colour turns rgb(r,g,b) into #rrggbb, and what it is not into nothing.
func colour(s string) string {
	inside, ok := strings.CutPrefix(strings.ReplaceAll(s, " ", ""), "rgb(")
	inside, closed := strings.CutSuffix(inside, ")")
	parts := strings.Split(inside, ",")
	if !ok || !closed || len(parts) != 3 {
		return ""
	}
	hex := []byte("#")
	for _, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil {
			return ""
		}
		const digits = "0123456789abcdef"
		hex = append(hex, digits[n>>4], digits[n&15])
	}
	return string(hex)
}

// marshal is JSON without the escapes for HTML, which make a link longer.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
