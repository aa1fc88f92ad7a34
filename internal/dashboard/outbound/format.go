package outbound

import (
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/dashboard/frame"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/page"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// format is what people are told of a webhook's format.
type format struct {
	Name   string
	Text   string         // what it is for
	Signs  string         // how its deliveries are known to be genuine
	scheme webhook.Scheme // by which they are verified
}

// formats are in the order in which they are offered: what fits most first.
var formats = []format{
	{"standard", "Everything that happens, in the form of Standard Webhooks. Take this one unless you have a receiver for another.", "HMAC-SHA256 or Ed25519, in webhook-signature", webhook.Standard},
	{"cloudevents", "The same as CloudEvents 1.0, for event buses and serverless platforms.", "as Standard Webhooks, in webhook-signature", webhook.Standard},
	{"pullup", "Tickets, events, check-ins and stamps in the vocabulary of Pullup.", "HMAC-SHA256 of the body, in x-pullup-signature", webhook.Pullup},
	{"portal", "Orders and what becomes of them, in the vocabulary of the ticket portal.", "HMAC-SHA256 of timestamp and body, in X-Webhook-Signature", webhook.Portal},
	{"stubhub", "The seven topics of StubHub's point of sale, for a receiver of theirs.", "a fixed Authorization that you and the receiver agree on", webhook.Static},
	{"ethpass", "What becomes of wallet passes, as ethpass tells it.", "a fixed Authorization that you and the receiver agree on", webhook.Static},
}

// offered are the formats that this server has.
func (r *Room) offered() []format {
	var all []format
	for _, f := range formats {
		if _, ok := r.Endpoints.Vocabulary(f.Name); ok {
			all = append(all, f)
		}
	}
	return all
}

// formatOf is what people are told of a format.
func formatOf(name string) format {
	for _, f := range formats {
		if f.Name == name {
			return f
		}
	}
	return format{Name: name, scheme: webhook.Standard}
}

// isStatic tells whether a format's secret is an Authorization that is sent as it is.
func isStatic(v endpoint.Vocabulary) bool {
	s, ok := v.(endpoint.Static)
	return ok && s.Static()
}

// formatChoices are the formats for a filter.
func (r *Room) formatChoices() []page.Option {
	all := []page.Option{{Value: "all", Text: "all"}}
	for _, f := range r.offered() {
		all = append(all, page.Option{Value: f.Name, Text: f.Name})
	}
	return all
}

// words are what stands in a text between white space and commas.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
}

// chosen is what was chosen of a filter; "" for all.
func chosen(v *frame.Visit, name string) string {
	if s := v.Query(name); s != "all" {
		return s
	}
	return ""
}
