package inventory

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoorhq/stagedoor/internal/money"
	"github.com/stagedoorhq/stagedoor/internal/problem"
)

const (
	maxQuantity = 1_000_000
	maxSeats    = 1_000 // a row of seats is far shorter
	maxPrice    = 1e12  // minor units: an order of 20 stays far below 63 bits
	maxLabel    = 50    // characters of a seat's label
	maxPlace    = 100   // of section and row
	maxExternal = 200   // of the seller's own name
)

// check notes what is wrong with a listing; quantity is the pointer of its total. Price and status are checked elsewhere.
func (l *Listing) check(f *problem.Fields, quantity string) {
	l.ExternalID = label(f, "/externalId", l.ExternalID, 0, maxExternal)
	l.Section = label(f, "/section", l.Section, 1, maxPlace)
	l.Row = label(f, "/row", l.Row, 1, maxPlace)
	if l.Total < 1 || l.Total > maxQuantity {
		f.Add(quantity, "out_of_range", "List 1 to 1,000,000 tickets.")
	}
	if l.Seats != nil {
		l.checkSeats(f, quantity)
	}
	switch {
	case !l.SplitRule.valid():
		f.Add("/splitRule", "invalid", "Use any, none, avoid_one, avoid_one_and_three or pairs.")
	case l.SplitRule == None && l.Total > MaxPerOrder:
		f.Add("/splitRule", "invalid", "An order takes at most %d tickets, so more than that cannot be sold undivided.", MaxPerOrder)
	}
}

func (l *Listing) checkSeats(f *problem.Fields, quantity string) {
	if len(l.Seats) != l.Total {
		f.Add("/seats", "wrong_number", "There are %d seats for a quantity of %d; give one label for each ticket.", len(l.Seats), l.Total)
	}
	if len(l.Seats) > maxSeats {
		f.Add("/seats", "too_long", "A listing has at most %d numbered seats.", maxSeats)
		return
	}
	seen := map[string]bool{}
	for i, s := range l.Seats {
		pointer := fmt.Sprintf("/seats/%d", i)
		l.Seats[i] = label(f, pointer, s, 1, maxLabel)
		if seen[l.Seats[i]] {
			f.Add(pointer, "repeated", "Seat %s stands in the list twice.", l.Seats[i])
		}
		seen[l.Seats[i]] = true
	}
}

// label checks a short text on one line.
func label(f *problem.Fields, pointer, s string, least, most int) string {
	s = strings.TrimSpace(s)
	if n := utf8.RuneCountInString(s); n < least || n > most || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		f.Add(pointer, "invalid", "Give %d to %d characters on one line.", least, most)
	}
	return s
}

func price(f *problem.Fields, d money.Decimal, c money.Currency) money.Amount {
	if !c.Valid() {
		f.Add("/currency", "invalid", "%q is not a currency; use a code of ISO 4217 such as EUR.", c)
		return money.Amount{}
	}
	if d == "" {
		f.Add("/price", "required", `Give the price of one ticket, such as "75.00".`)
		return money.Amount{}
	}
	a, err := money.Parse(string(d), c)
	switch {
	case err != nil:
		f.Add("/price", "invalid", "The price is not valid: %v.", err)
	case a.Minor > maxPrice:
		f.Add("/price", "out_of_range", "The price is too large.")
	}
	return a
}
