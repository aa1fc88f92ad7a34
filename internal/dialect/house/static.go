package house

import (
	"fmt"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// Static signs nothing: it sends the endpoint's secret as Authorization, byte for byte, beside the headers that a vocabulary adds to each delivery; and those alone where
// the secret is empty. During a rotation the old secret is sent until its end.
func Static(e *endpoint.Endpoint, add func(dst []webhook.Header, m webhook.Message) []webhook.Header) (delivery.Signer, error) {
	if e.Secret == "" {
		return static{add, nil}, nil
	}
	keys := []webhook.Key{{Text: e.Secret}}
	if e.OldSecret != "" {
		keys = []webhook.Key{{Text: e.OldSecret, Until: e.OldUntil}, {Text: e.Secret}}
	}
	s, err := webhook.NewSigner(webhook.Static, keys...)
	if err != nil {
		return nil, fmt.Errorf("%s signer: %w", e.Format, err)
	}
	return static{add, s}, nil
}

type static struct {
	add           func(dst []webhook.Header, m webhook.Message) []webhook.Header
	authorization delivery.Signer // nil for none
}

// AppendHeaders implements [delivery.Signer].
func (s static) AppendHeaders(dst []webhook.Header, m webhook.Message) ([]webhook.Header, error) {
	dst = s.add(dst, m)
	if s.authorization == nil {
		return dst, nil
	}
	return s.authorization.AppendHeaders(dst, m)
}
