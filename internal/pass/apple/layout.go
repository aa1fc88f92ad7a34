package apple

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/pass"
)

// groups are the fields of a pass, by where they stand.
type groups struct {
	Header    []field `json:"headerFields,omitempty"`
	Primary   []field `json:"primaryFields,omitempty"`
	Secondary []field `json:"secondaryFields,omitempty"`
	Auxiliary []field `json:"auxiliaryFields,omitempty"`
	Back      []field `json:"backFields,omitempty"`
}

type field struct {
	Key             string `json:"key"`
	Label           string `json:"label,omitempty"`
	Value           string `json:"value"`
	ChangeMessage   string `json:"changeMessage,omitempty"`
	TextAlignment   string `json:"textAlignment,omitempty"`
	DateStyle       string `json:"dateStyle,omitempty"`
	TimeStyle       string `json:"timeStyle,omitempty"`
	IgnoresTimeZone bool   `json:"ignoresTimeZone,omitempty"`
}

// ticketLayout says what stands on a ticket. Labels are words of words.go, which phones look up in their own language.
//
// Phones tell their owner of a field that changed where it has a change message; of several at once they say no more than that something changed. So few have one: the
// date, the venue, the seat, and on the back, where it always is, how things stand.
func ticketLayout(f pass.Face) *groups {
	e := *f.Event
	g := &groups{
		Primary: []field{{Key: "event", Label: "Event", Value: e.Name}},
		Back:    ticketBack(f),
	}
	venue := field{Key: "venue", Label: "Venue", Value: venueOf(e), ChangeMessage: "New venue: %@"}
	switch e.Status {
	case event.Cancelled:
		g.Header = []field{{Key: "notice", Value: "Cancelled"}}
		g.Secondary = filled(venue, dateOf(e))
	case event.Postponed: // to a date that nobody knows, so the one that was says nothing
		g.Header = []field{{Key: "notice", Value: "Postponed"}}
		g.Secondary = filled(venue)
	default:
		g.Header = []field{dateOf(e)}
		g.Secondary = filled(venue)
	}
	g.Auxiliary = seating(f.Ticket)
	return g.designed(f.Design)
}

// seating says where a person sits; without a seat, which of the order's tickets it is.
func seating(t *pass.TicketFace) []field {
	if t == nil {
		return nil
	}
	out := filled(
		field{Key: "section", Label: "Section", Value: t.Section},
		field{Key: "row", Label: "Row", Value: t.Row},
		field{Key: "seat", Label: "Seat", Value: t.Seat, ChangeMessage: "New seat: %@"},
	)
	if t.Seat == "" && t.Places > 1 {
		out = append(out, field{Key: "place", Label: "Ticket", Value: placeOf(*t)})
	}
	return out
}

func ticketBack(f pass.Face) []field {
	e := *f.Event
	out := []field{{Key: "status", Label: "Status", Value: standing(e), ChangeMessage: "Status: %@"}}
	if !e.PreviousStart.IsZero() && takesPlace(e) {
		before := dateOf(e)
		before.Key, before.Label, before.Value, before.ChangeMessage = "before", "Previously", local(e, e.PreviousStart), ""
		out = append(out, before)
	}
	if t := f.Ticket; t != nil {
		out = append(out, filled(
			field{Key: "holder", Label: "Name", Value: t.Holder},
			field{Key: "order", Label: "Order", Value: string(t.Order)},
			field{Key: "ticket", Label: "Ticket", Value: placeOf(*t)},
		)...)
	}
	out = append(out, filled(
		field{Key: "address", Label: "Address", Value: addressOf(e)},
		field{Key: "url", Label: "Information", Value: e.URL},
		field{Key: "organizer", Label: "Organizer", Value: f.Org},
	)...)
	return append(out, owned(f)...)
}

// genericLayout is a pass of no ticket: what its design says, and whose it is.
func genericLayout(f pass.Face) *groups {
	g := &groups{
		Primary:   []field{{Key: "title", Value: or(f.Design.Description, f.Org)}},
		Secondary: filled(field{Key: "holder", Label: "Owner", Value: shortened(f.Owner)}),
		Back:      owned(f),
	}
	if len(f.NFTs) > 0 {
		g.Secondary = append(g.Secondary, field{Key: "token", Label: "Token", Value: "#" + f.NFTs[0].TokenID})
	}
	return g.designed(f.Design)
}

// owned is the wallet whose pass it is, and what it has to hold.
func owned(f pass.Face) []field {
	out := filled(field{Key: "owner", Label: "Owner", Value: f.Owner})
	for n, t := range f.NFTs {
		out = append(out, field{Key: "token" + strconv.Itoa(n+1), Label: "Token", Value: "#" + t.TokenID + "\n" + t.Contract})
	}
	return out
}

// designed puts a design's own fields in the place of ours, group by group, and then has no key twice: Wallet refuses such a pass. That an event is cancelled or
// postponed stays in front whatever the design says, and how it stands stays on the back, so that phones can tell of it.
func (g *groups) designed(d pass.Design) *groups {
	for _, own := range []struct {
		fields []pass.Field
		group  *[]field
		keep   string
	}{
		{d.Header, &g.Header, "notice"}, {d.Primary, &g.Primary, ""}, {d.Secondary, &g.Secondary, ""}, {d.Auxiliary, &g.Auxiliary, ""}, {d.Back, &g.Back, "status"},
	} {
		if len(own.fields) == 0 {
			continue
		}
		*own.group = slices.DeleteFunc(*own.group, func(f field) bool { return f.Key != own.keep })
		for _, f := range own.fields {
			*own.group = append(*own.group, field{Key: f.Key, Label: f.Label, Value: f.Value, ChangeMessage: f.ChangeMessage, TextAlignment: f.TextAlignment})
		}
	}
	taken := map[string]bool{}
	for _, group := range [][]field{g.Header, g.Primary, g.Secondary, g.Auxiliary, g.Back} {
		for i := range group {
			group[i].Key = free(taken, or(group[i].Key, "field"))
		}
	}
	return g
}

// free returns a key that is not taken, and takes it.
func free(taken map[string]bool, key string) string {
	for n, base := 2, key; taken[key]; n++ {
		key = base + "-" + strconv.Itoa(n)
	}
	taken[key] = true
	return key
}

// dateOf is when an event begins, in the clock of its place wherever the phone is.
func dateOf(e event.Event) field {
	f := field{
		Key: "date", Label: "Date", Value: local(e, e.StartsAt), ChangeMessage: "New date: %@",
		DateStyle: "PKDateStyleMedium", TimeStyle: "PKDateStyleShort", IgnoresTimeZone: true,
	}
	if e.AllDay {
		f.TimeStyle = "PKDateStyleNone"
	}
	return f
}

func standing(e event.Event) string {
	switch e.Status {
	case event.Cancelled:
		return "Cancelled"
	case event.Postponed:
		return "Postponed"
	}
	return "As planned"
}

func venueOf(e event.Event) string {
	if v := joined(", ", e.Venue.Name, e.Venue.City); v != "" {
		return v
	}
	if e.Online {
		return "Online"
	}
	return ""
}

func addressOf(e event.Event) string {
	v := e.Venue
	return joined("\n", v.Name, v.City, v.Region, v.Country)
}

// joined leaves out what is empty.
func joined(by string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), by)
}

// placeOf is which ticket of the order it is, in figures: they need no language.
func placeOf(t pass.TicketFace) string {
	if t.Places == 0 {
		return ""
	}
	return fmt.Sprintf("%d / %d", t.Place, t.Places)
}

// shortened is an address of a wallet as people recognise it.
func shortened(a string) string {
	if len(a) <= 12 {
		return a
	}
	return a[:6] + "…" + a[len(a)-4:]
}

// filled leaves out the fields that say nothing.
func filled(fields ...field) (out []field) {
	for _, f := range fields {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	return out
}
