package google

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// object is what an object says: an eventTicketObject or a genericObject. Nearly all is common to both.
type object struct {
	ID       string       `json:"id"`
	ClassID  string       `json:"classId"`
	State    string       `json:"state,omitempty"` // empty in a link that only names it
	Barcode  *barcode     `json:"barcode,omitempty"`
	Rotating *rotating    `json:"rotatingBarcode,omitempty"`
	Limits   *constraints `json:"passConstraints,omitempty"`
	Valid    *interval    `json:"validTimeInterval,omitempty"`
	Texts    []module     `json:"textModulesData,omitempty"`
	Messages []message    `json:"messages,omitempty"`
	Places   []place      `json:"merchantLocations,omitempty"`
	Colour   string       `json:"hexBackgroundColor,omitempty"`
	Hero     *image       `json:"heroImage,omitempty"`

	// Of an event's ticket.
	Seat        *seat        `json:"seatInfo,omitempty"`
	Holder      string       `json:"ticketHolderName,omitempty"`
	Number      string       `json:"ticketNumber,omitempty"`
	Reservation *reservation `json:"reservationInfo,omitempty"`

	// Of another pass. The first two are required.
	Title     *localized `json:"cardTitle,omitempty"`
	Header    *localized `json:"header,omitempty"`
	Subheader *localized `json:"subheader,omitempty"`
	Logo      *image     `json:"logo,omitempty"`
}

// The states. There are COMPLETED and INACTIVE besides, which phones also put away among the expired ones; a pass of a cancelled event is to be seen, so it stays
// active until it expires.
const (
	active  = "ACTIVE"
	expired = "EXPIRED"
)

type barcode struct {
	Type     string `json:"type"`
	Encoding string `json:"renderEncoding,omitempty"`
	Value    string `json:"value"`
	AltText  string `json:"alternateText,omitempty"`
}

// rotating is a code that the phone makes anew by RFC 6238.
type rotating struct {
	Type    string `json:"type"`
	Pattern string `json:"valuePattern"`
	TOTP    totp   `json:"totpDetails"`
	AltText string `json:"alternateText,omitempty"`
}

type totp struct {
	Period     string      `json:"periodMillis"` // an int64, which is a string in Google's JSON
	Algorithm  string      `json:"algorithm"`
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Key    string `json:"key"` // base 16
	Length int    `json:"valueLength"`
}

type constraints struct {
	Screenshot string `json:"screenshotEligibility"`
}

type interval struct {
	End struct {
		Date string `json:"date"`
	} `json:"end"`
}

type seat struct {
	Section *localized `json:"section,omitempty"`
	Row     *localized `json:"row,omitempty"`
	Seat    *localized `json:"seat,omitempty"`
}

type reservation struct {
	Code string `json:"confirmationCode"`
}

type message struct {
	ID     string `json:"id,omitempty"`
	Header string `json:"header,omitempty"`
	Body   string `json:"body"`
	Type   string `json:"messageType"`
}

// atMost is how many modules, messages and locations Google takes of an object.
const atMost = 10

// objectOf is a pass as Google keeps it. An expired one shows no code any more.
func (w *Wallet) objectOf(f pass.Face) object {
	o := object{
		ID: w.objectID(f), ClassID: w.classID(f), State: active, Messages: messagesOf(f.Design.Messages), Places: placesOf(f.Design.Locations),
		Colour: colour(f.Design.BackgroundColor), Hero: picture(f, "strip", "background"),
	}
	if !f.ExpiresAt.IsZero() {
		o.Valid = new(interval)
		o.Valid.End.Date = f.ExpiresAt.UTC().Format(time.RFC3339)
	}
	if f.Void {
		o.State = expired
	} else {
		o.show(f.Barcode)
	}
	d := f.Design
	fields := slices.Concat(d.Header, d.Primary, d.Secondary, d.Auxiliary, d.Back)
	if isTicket(f) {
		o.seat(f.Ticket)
	} else {
		fields = o.head(f, fields)
	}
	o.Texts = textsOf(fields)
	return o
}

func (w *Wallet) objectID(f pass.Face) string { return w.issuer + "." + f.Serial }

// show puts the code on the pass. One that rotates is also kept out of screenshots.
func (o *object) show(b pass.Barcode) {
	format := map[pass.Format]string{pass.QR: "QR_CODE", pass.PDF417: "PDF_417", pass.Aztec: "AZTEC"}[b.Format]
	if b.Message == "" || format == "" {
		return
	}
	if r := b.Rotation; r != nil {
		o.Rotating = &rotating{
			Type: format, AltText: b.AltText, Pattern: b.Message + "-{totp_timestamp_seconds}-{totp_value_0}",
			TOTP: totp{
				Period: strconv.FormatInt(r.Step.Milliseconds(), 10), Algorithm: "TOTP_SHA1",
				Parameters: []parameter{{Key: strings.ToUpper(hex.EncodeToString(r.Secret)), Length: 8}},
			},
		}
		o.Limits = &constraints{"INELIGIBLE"}
		return
	}
	o.Barcode = &barcode{Type: format, Value: b.Message, AltText: b.AltText}
	if strings.ContainsFunc(b.Message, func(r rune) bool { return r > 0x7e }) {
		o.Barcode.Encoding = "UTF_8"
	}
}

// seat says what the ticket says.
func (o *object) seat(t *pass.TicketFace) {
	if t == nil {
		return
	}
	o.Holder = t.Holder
	if t.Places > 0 {
		o.Number = strconv.Itoa(t.Place) + "/" + strconv.Itoa(t.Places)
	}
	if t.Order != "" {
		o.Reservation = &reservation{string(t.Order)}
	}
	if t.Section != "" || t.Row != "" || t.Seat != "" {
		o.Seat = &seat{text(t.Section), text(t.Row), text(t.Seat)}
	}
}

// head gives a pass of no ticket its head, and returns the fields that are not in it. The first of the primary fields is what such a pass is about.
func (o *object) head(f pass.Face, fields []pass.Field) []pass.Field {
	o.Title = text(first(f.Design.LogoText, f.Org, "-"))
	o.Logo = picture(f, "logo", "icon")
	if len(f.Design.Primary) == 0 || f.Design.Primary[0].Value == "" {
		o.Header = text(first(f.Design.Description, f.Org, "-"))
		return fields
	}
	o.Header, o.Subheader = text(f.Design.Primary[0].Value), text(f.Design.Primary[0].Label)
	return slices.Delete(fields, len(f.Design.Header), len(f.Design.Header)+1)
}

// textsOf shows fields as modules. Google wants ids to be unique and of few characters, which keys need not be.
func textsOf(fields []pass.Field) []module {
	var texts []module
	ids := names{}
	for _, f := range fields {
		if f.Value == "" {
			continue
		}
		if len(texts) == atMost {
			break
		}
		texts = append(texts, module{ID: ids.take(f.Key, "field-"), Header: f.Label, Body: f.Value})
	}
	return texts
}

func messagesOf(all []pass.Message) []message {
	var ms []message
	ids := names{}
	for _, m := range all[:min(len(all), atMost)] {
		ms = append(ms, message{ID: ids.take(m.ID, "message-"), Header: m.Header, Body: m.Body, Type: "TEXT"})
	}
	return ms
}

func placesOf(all []pass.Location) []place {
	var ps []place
	for _, l := range all[:min(len(all), atMost)] {
		ps = append(ps, place{l.Latitude, l.Longitude})
	}
	return ps
}

// names are the ids of parts that are taken.
type names map[string]bool

// take is the name that was asked for, or where it cannot be had another one.
func (n names) take(name, prefix string) string {
	for i := len(n) + 1; !isName(name) || n[name]; i++ {
		name = prefix + strconv.Itoa(i)
	}
	n[name] = true
	return name
}

// isName tells whether s can be a part's id.
func isName(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	})
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
