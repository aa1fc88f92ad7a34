package delivery

import (
	"context"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// Dialect is one foreign vocabulary on its way out: how an envelope looks, how it is signed, and what counts as success.
type Dialect interface {
	endpoint.Vocabulary
	// Variant names the envelope that the endpoint gets: endpoints with the same variant share its bytes.
	Variant(*endpoint.Endpoint) string
	// Render makes the envelope of a fact. It may read; the same fact gives the same bytes as long as nobody's data was changed or erased.
	Render(ctx context.Context, f *fact.Fact, e *endpoint.Endpoint) ([]byte, error)
	// Signer makes what signs the endpoint's requests. It is kept until the endpoint changes.
	Signer(*endpoint.Endpoint) (Signer, error)
	// MessageID is the id that the receiver sees in the headers and goes by when something comes twice.
	MessageID(f *fact.Fact, d id.Delivery) string
	// ContentType is the envelope's media type, unless the dialect is a [MediaTyper].
	ContentType() string
	// Policy is what holds where the endpoint's owner has not chosen otherwise.
	Policy() Policy
}

// MediaTyper is implemented by a dialect whose envelopes are of more than one media type. "" stands for none: the header is left out.
type MediaTyper interface {
	MediaType(*fact.Fact) string
}

// Lasting is implemented by a dialect whose envelopes lie elsewhere, byte for byte, for as long as they may be sent: the engine keeps no copies, and every
// attempt renders anew.
type Lasting interface {
	Lasting() bool
}

// Sequencer is implemented by a dialect that knows better than a fact's subject what belongs together: deliveries to an ordered endpoint with the same sequence
// are sent one after another.
type Sequencer interface {
	Sequence(*fact.Fact) string
}

// Signer dresses a request: headers with a fresh timestamp and signature. A *webhook.Signer is one.
type Signer interface {
	AppendHeaders(dst []webhook.Header, m webhook.Message) ([]webhook.Header, error)
}

// Policy says when a delivery has succeeded and when it is tried again.
type Policy struct {
	// Delays are the times before the second, third, … attempt, each varied by ±20 %.
	Delays []time.Duration
	// Timeout bounds an attempt; 0 is egress.DefaultTimeout and more than egress.MaxTimeout is that.
	Timeout time.Duration
	// Only200 has nothing but the status 200 count as success; otherwise any 2xx does.
	Only200 bool
}

// Usual is the policy of formats whose specification is silent: a first attempt and five retries.
func Usual() Policy {
	return Policy{
		Delays:  []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour},
		Timeout: 30 * time.Second,
	}
}

// timeout is how long an attempt can take.
func (p Policy) timeout() time.Duration {
	if p.Timeout <= 0 {
		return egress.DefaultTimeout
	}
	return min(p.Timeout, egress.MaxTimeout)
}

func (p Policy) success(status int) bool {
	return status == 200 || !p.Only200 && status > 200 && status < 300
}

// delays returns the endpoint's own delays, or the policy's.
func (p Policy) delays(e *endpoint.Endpoint) []time.Duration {
	if e.Options.Retry != nil {
		return *e.Options.Retry
	}
	return p.Delays
}
