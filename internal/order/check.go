package order

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const maxNote = 1_000 // characters of a note or reason

func (in *Input) check() error {
	var f problem.Fields
	if in.Event == "" {
		f.Add("/eventId", "required", "Say which event the order is for.")
	}
	switch {
	case in.Listing != "" && in.Type != "" && in.Hold == "":
		f.Add("/ticketTypeId", "not_allowed", "Give a listingId or a ticketTypeId, not both.")
	case in.Listing != "" || in.Type != "" || in.Hold != "":
	case in.Section == "" && in.Row == "":
		f.Add("/listingId", "required", "Give a listingId, a ticketTypeId, a holdId, or section and row.")
	case in.Section == "":
		f.Add("/section", "required", "Without a listingId, give section and row.")
	case in.Row == "":
		f.Add("/row", "required", "Without a listingId, give section and row.")
	}
	text(&f, "/listingId", string(in.Listing), 100)
	text(&f, "/ticketTypeId", string(in.Type), 100)
	text(&f, "/holdId", string(in.Hold), 100)
	text(&f, "/accessCode", in.AccessCode, 100)
	text(&f, "/eventId", string(in.Event), 100)
	text(&f, "/section", in.Section, 100)
	text(&f, "/row", in.Row, 100)
	text(&f, "/payment/provider", in.Payment.Provider, 100)
	text(&f, "/payment/reference", in.Payment.Reference, 200)
	if in.Quantity == 0 {
		f.Add("/quantity", "required", "Order 1 to %d tickets.", inventory.MaxPerOrder)
	} else if in.Quantity < 1 || in.Quantity > inventory.MaxPerOrder {
		f.Add("/quantity", "out_of_range", "Order 1 to %d tickets.", inventory.MaxPerOrder)
	}
	in.Customer.check(&f)
	return f.Err()
}

func (c *Customer) check(f *problem.Fields) {
	c.Email = strings.TrimSpace(c.Email)
	if !validEmail(c.Email) {
		f.Add("/customer/email", "invalid", "Give an e-mail address such as kari@example.com.")
	}
	if n := len(c.Phone.Number); n < 4 || n > 15 || !digits(c.Phone.Number) {
		f.Add("/customer/phone/number", "invalid", "Give the phone number in 4 to 15 digits, without the country code and without spaces.")
	}
	if n := len(c.Phone.CountryCode); n < 2 || n > 5 || c.Phone.CountryCode[0] != '+' || !digits(c.Phone.CountryCode[1:]) {
		f.Add("/customer/phone/countryCode", "invalid", "Give the country code as + and 1 to 4 digits, such as +47.")
	}
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// validEmail takes what looks like one address (RFC 5321's lengths) with a dotted domain; whether it exists, only a message can tell.
func validEmail(s string) bool {
	if len(s) > 254 || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return false
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return false
	}
	local, domain, _ := strings.Cut(s, "@")
	inner := strings.Trim(domain, ".")
	return len(local) <= 64 && inner == domain && strings.Contains(domain, ".") && !strings.Contains(domain, "..") && !strings.ContainsAny(domain, "[]@")
}

// text checks a text on one line.
func text(f *problem.Fields, pointer, s string, most int) {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > most || strings.ContainsFunc(s, unicode.IsControl) {
		f.Add(pointer, "invalid", "Give at most %d characters on one line.", most)
	}
}

// prose checks a text that may have several lines.
func prose(f *problem.Fields, pointer, s string) {
	if !utf8.ValidString(s) || strings.Contains(s, "\x00") || utf8.RuneCountInString(s) > maxNote {
		f.Add(pointer, "invalid", "Give at most %d characters.", maxNote)
	}
}
