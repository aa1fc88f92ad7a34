package apple

import (
	"time"

	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// document is pass.json, as Apple's "Wallet Passes" documents it.
type document struct {
	FormatVersion       int       `json:"formatVersion"`
	PassTypeIdentifier  string    `json:"passTypeIdentifier"`
	TeamIdentifier      string    `json:"teamIdentifier"`
	SerialNumber        string    `json:"serialNumber"`
	AuthenticationToken string    `json:"authenticationToken,omitempty"`
	WebServiceURL       string    `json:"webServiceURL,omitempty"`
	OrganizationName    string    `json:"organizationName"`
	Description         string    `json:"description"`
	LogoText            string    `json:"logoText,omitempty"`
	ForegroundColor     string    `json:"foregroundColor,omitempty"`
	BackgroundColor     string    `json:"backgroundColor,omitempty"`
	LabelColor          string    `json:"labelColor,omitempty"`
	SharingProhibited   bool      `json:"sharingProhibited"`
	Voided              bool      `json:"voided,omitempty"`
	ExpirationDate      string    `json:"expirationDate,omitempty"`
	GroupingIdentifier  string    `json:"groupingIdentifier,omitempty"`
	RelevantDate        string    `json:"relevantDate,omitempty"`  // until iOS 17
	RelevantDates       []moment  `json:"relevantDates,omitempty"` // from iOS 18 on
	Locations           []place   `json:"locations,omitempty"`
	Barcode             *barcode  `json:"barcode,omitempty"` // until iOS 8
	Barcodes            []barcode `json:"barcodes,omitempty"`
	EventTicket         *groups   `json:"eventTicket,omitempty"`
	Generic             *groups   `json:"generic,omitempty"`
	Semantics           *meaning  `json:"semantics,omitempty"`
}

// moment is when a pass is relevant. iOS 18 reads relevantDate, iOS 26 date.
type moment struct {
	Date         string `json:"date"`
	RelevantDate string `json:"relevantDate"`
}

type place struct {
	Latitude     float64 `json:"latitude"`
	Longitude    float64 `json:"longitude"`
	RelevantText string  `json:"relevantText,omitempty"`
}

type barcode struct {
	Format          string `json:"format"`
	Message         string `json:"message"`
	MessageEncoding string `json:"messageEncoding"`
	AltText         string `json:"altText,omitempty"`
}

// meaning are semantic tags, from which the phone makes suggestions.
type meaning struct {
	EventName      string `json:"eventName,omitempty"`
	EventStartDate string `json:"eventStartDate,omitempty"`
	EventEndDate   string `json:"eventEndDate,omitempty"`
	VenueName      string `json:"venueName,omitempty"`
	VenueLocation  *point `json:"venueLocation,omitempty"`
	Seats          []seat `json:"seats,omitempty"`
}

type point struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

type seat struct {
	Section string `json:"seatSection,omitempty"`
	Row     string `json:"seatRow,omitempty"`
	Number  string `json:"seatNumber,omitempty"`
}

// document puts pass.json together.
func (p *Press) document(f pass.Face) document {
	d := document{
		FormatVersion:      1,
		PassTypeIdentifier: p.identity.TypeID,
		TeamIdentifier:     p.identity.TeamID,
		SerialNumber:       f.Serial,
		OrganizationName:   f.Org,
		Description:        f.Design.Description,
		LogoText:           or(f.Design.LogoText, f.Org),
		SharingProhibited:  true, // who shares the pass shares what lets one person in
		Voided:             f.Void,
		ExpirationDate:     stamp(f.ExpiresAt),
	}
	if p.service != "" {
		d.WebServiceURL, d.AuthenticationToken = p.service, f.Token
	}
	d.ForegroundColor, d.BackgroundColor, d.LabelColor = colours(f.Design)
	if b := f.Barcode; b.Message != "" {
		d.Barcodes = []barcode{code(b)}
		d.Barcode = &d.Barcodes[0]
	}
	if f.Style == pass.EventTicket && f.Event != nil {
		d.ticket(f)
	} else {
		d.Description = or(d.Description, f.Org)
		d.Generic = genericLayout(f)
	}
	d.relevance(f)
	return d
}

// ticket adds what only tickets have.
func (d *document) ticket(f pass.Face) {
	e := f.Event
	d.Description = or(d.Description, e.Name)
	d.GroupingIdentifier = string(e.ID)
	d.EventTicket = ticketLayout(f)
	d.Semantics = &meaning{EventName: e.Name, VenueName: e.Venue.Name}
	if takesPlace(*e) {
		d.Semantics.EventStartDate, d.Semantics.EventEndDate = local(*e, e.StartsAt), local(*e, e.EndsAt)
	}
	if lat, long := e.Venue.Latitude, e.Venue.Longitude; lat != nil && long != nil {
		d.Semantics.VenueLocation = &point{*lat, *long}
	}
	if t := f.Ticket; t != nil && (t.Section != "" || t.Row != "" || t.Seat != "") {
		d.Semantics.Seats = []seat{{t.Section, t.Row, t.Seat}}
	}
}

// relevance says when and where the phone shows the pass by itself: not for what is over, or does not take place.
func (d *document) relevance(f pass.Face) {
	at, where := f.Design.RelevantAt, f.Design.Locations
	if e := f.Event; e != nil {
		if !takesPlace(*e) {
			return
		}
		if at.IsZero() {
			at = e.StartsAt
		}
		if lat, long := e.Venue.Latitude, e.Venue.Longitude; lat != nil && long != nil && len(where) == 0 {
			where = []pass.Location{{Latitude: *lat, Longitude: *long, Text: e.Name}}
		}
	}
	if f.Void {
		return
	}
	if !at.IsZero() {
		d.RelevantDate = stamp(at)
		if f.Event != nil {
			d.RelevantDate = local(*f.Event, at)
		}
		d.RelevantDates = []moment{{d.RelevantDate, d.RelevantDate}}
	}
	for _, l := range where[:min(len(where), maxPlaces)] {
		d.Locations = append(d.Locations, place{l.Latitude, l.Longitude, l.Text})
	}
}

// maxPlaces is how many locations Wallet looks at.
const maxPlaces = 10

// code is a barcode as Wallet draws it. Scanners expect Latin-1, so UTF-8 is only for what does not fit.
func code(b pass.Barcode) barcode {
	out := barcode{Format: "PKBarcodeFormatQR", Message: b.Message, MessageEncoding: "iso-8859-1", AltText: b.AltText}
	switch b.Format {
	case pass.PDF417:
		out.Format = "PKBarcodeFormatPDF417"
	case pass.Aztec:
		out.Format = "PKBarcodeFormatAztec"
	}
	for _, r := range b.Message {
		if r > 0xff {
			out.MessageEncoding = "utf-8"
		}
	}
	return out
}

// takesPlace tells whether an event's date can be relied on.
func takesPlace(e event.Event) bool {
	return e.Status != event.Cancelled && e.Status != event.Postponed
}

// local is an instant with the offset that the event's place has then.
func local(e event.Event, t time.Time) string {
	zone, err := time.LoadLocation(e.Timezone)
	if err != nil || t.IsZero() {
		return stamp(t)
	}
	return t.In(zone).Format(time.RFC3339)
}

// stamp is an instant in UTC; empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func or(text, otherwise string) string {
	if text != "" {
		return text
	}
	return otherwise
}
