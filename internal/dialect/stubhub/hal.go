package stubhub

import (
	"strconv"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/money"
)

// HAL is the media type of all answers.
const HAL = "application/hal+json"

// link is a HAL link. StubHub's clients read all three members of each.
type link struct {
	Href      string  `json:"href"`
	Title     *string `json:"title"`
	Templated bool    `json:"templated"`
}

// links are a resource's, by relation.
type links map[string]link

// places are where resources are. Every link begins with the server's public URL, because clients follow links as they are.
type places string

func (p places) root() link            { return link{Href: string(p) + "/v2"} }
func (p places) user() link            { return link{Href: string(p) + "/v2/user"} }
func (p places) webhooks() link        { return link{Href: string(p) + "/v2/webhooks"} }
func (p places) webhook(no int64) link { return p.at("/v2/webhooks/", no) }
func (p places) sales() link           { return link{Href: string(p) + "/v2/sales"} }
func (p places) sale(no int64) link    { return p.at("/v2/sales/", no) }
func (p places) listings() link        { return link{Href: string(p) + "/v2/sellerlistings"} }
func (p places) listing(no int64) link { return p.at("/v2/sellerlistings/", no) }
func (p places) events() link          { return link{Href: string(p) + "/catalog/events"} }
func (p places) event(no int64) link   { return p.at("/catalog/events/", no) }
func (p places) venues() link          { return link{Href: string(p) + "/catalog/venues"} }
func (p places) venue(no int64) link   { return p.at("/catalog/venues/", no) }
func (p places) at(path string, no int64) link {
	return link{Href: string(p) + path + strconv.FormatInt(no, 10)}
}

// instant is a time as StubHub writes it: ISO 8601 in UTC, whole seconds.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// instantOrNil is nil for the zero time.
func instantOrNil(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := instant(t)
	return &s
}

// textOrNil is nil for the empty text.
func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// amount is StubHub's Money.
type amount struct {
	Amount       money.Number `json:"amount"`
	CurrencyCode string       `json:"currency_code"`
	Display      string       `json:"display"`
}

func newAmount(a money.Amount) *amount {
	return &amount{Amount: money.Number(a.Number()), CurrencyCode: string(a.Currency), Display: display(a)}
}

// symbols are those that everybody reads the same way. Other currencies show their code.
var symbols = map[money.Currency]string{"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}

// display is an amount for people, such as $1,104.00 or NOK 350.00.
func display(a money.Amount) string {
	whole, fraction, has := strings.Cut(a.String(), ".")
	for at := len(whole) - 3; at > 0 && whole[at-1] != '-'; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if has {
		whole += "." + fraction
	}
	if s, ok := symbols[a.Currency]; ok {
		return s + whole
	}
	return string(a.Currency) + " " + whole
}
