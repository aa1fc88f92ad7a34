package house

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/order"
)

// Layout is how instants are written: as precisely as they are stored, and always in UTC.
const Layout = "2006-01-02T15:04:05.000000Z"

// Data is what an envelope shows as data. It fails for a message whose data was erased.
func (v Vocabulary) Data(ctx context.Context, f *fact.Fact, e *endpoint.Endpoint) ([]byte, error) {
	switch {
	case f.Data == nil && f.Private:
		return nil, fmt.Errorf("the data of %s %s was erased", f.Kind, f.ID)
	case f.Data == nil:
		return []byte("{}"), nil
	case !hasPeople(f.Kind) || e.Options.Redact:
		return f.Data, nil
	}
	var s struct {
		OrderID id.Order `json:"orderId"`
	}
	if err := json.Unmarshal(f.Data, &s); err != nil {
		return nil, fmt.Errorf("read data of %s %s: %w", f.Kind, f.ID, err)
	}
	p, err := v.people(ctx, f.Org, s.OrderID)
	if err != nil {
		return nil, fmt.Errorf("look up the people of %s: %w", s.OrderID, err)
	}
	return withPeople(f, p)
}

// hasPeople tells whether a kind is about an order.
func hasPeople(k fact.Kind) bool {
	switch k {
	case fact.OrderConfirmed, fact.OrderAccepted, fact.OrderIssueRaised, fact.OrderFulfilled, fact.OrderCancelled, fact.RefundCompleted,
		fact.SaleBarcodesFailed, fact.SaleBarcodesReceived, fact.TransferFailed:
		return true
	}
	return false
}

// people are the members that the data of facts about orders ends with.
type people struct {
	Customer     *customer `json:"customer,omitempty"`
	TransferNote string    `json:"transferNote,omitempty"`
}

type customer struct {
	Email string `json:"email,omitempty"`
	Phone *phone `json:"phone,omitempty"`
}

type phone struct {
	Number      string `json:"number"`
	CountryCode string `json:"countryCode"`
}

// withPeople returns the fact's data, which is an object with at least an orderId, with the people as its last members. All else stays as it is,
// whatever a later version of order puts there.
func withPeople(f *fact.Fact, p order.People) ([]byte, error) {
	var m people
	if c := p.Customer; c != (order.Customer{}) {
		m.Customer = &customer{Email: c.Email}
		if c.Phone != (order.Phone{}) {
			m.Customer.Phone = &phone{c.Phone.Number, c.Phone.CountryCode}
		}
	}
	if f.Kind == fact.OrderFulfilled {
		m.TransferNote = p.TransferNote
	}
	more, err := Encode(m)
	if err != nil || len(more) == len("{}") {
		return f.Data, err
	}
	open := bytes.TrimSuffix(bytes.TrimSpace(f.Data), []byte("}"))
	b := make([]byte, 0, len(open)+len(more))
	b = append(b, open...)
	b = append(b, ',')
	return append(b, more[1:]...), nil
}

// Encode is [json.Marshal] without the escapes that only HTML needs, so that "&" in a name stays readable. All dialects write their envelopes with it.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	if err := w.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
