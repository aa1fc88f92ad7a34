// Package endpoint keeps the webhook endpoints of organisations: where facts are sent, in which vocabulary, and which of them.
//
// [Book] creates and changes endpoints; its functions run inside [db.DB.Configure], because every writer must know at once who subscribes
// to what. [Subscriptions] is the cache that answers "who wants this fact?" for a transaction; it is never behind the transaction that
// asks. A subscription therefore holds from one place in the ledger on: facts committed before it was made are not for it, facts
// committed after are.
//
// What an endpoint can subscribe to is said by its vocabulary (see [Vocabulary]); how its envelopes look and how they are signed is said by the
// dialect packages; sending is package delivery's.
package endpoint

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/scope"
)

// Wildcard subscribes to everything that the format carries.
const Wildcard = "*"

// Vocabulary says what a format can tell.
type Vocabulary interface {
	// Format is the vocabulary's name, as in an endpoint's format.
	Format() string
	// Name returns what the vocabulary calls a native fact, and false when it is silent about it. Where OwnMessages is true, an
	// organisation's own messages keep their names and are not asked for.
	Name(fact.Kind) (string, bool)
	// Events lists every name that Name can return.
	Events() []string
	// OwnMessages tells whether the vocabulary carries organisations' own messages.
	OwnMessages() bool
	// Signatures lists the values that the signature option may have, the default first; empty when there is nothing to choose.
	Signatures() []string
}

// Static is implemented by a vocabulary that signs nothing: an endpoint's secret is the value of the header Authorization, and none is sent where it
// is empty.
type Static interface{ Static() bool }

func isStatic(v Vocabulary) bool {
	s, ok := v.(Static)
	return ok && s.Static()
}

// Endpoint is a webhook endpoint.
type Endpoint struct {
	Number      int64     // inside; part of its deliveries' ids
	Grant       int64     // the number of the grant that an app made it on; 0 for the organisation's own
	Sees        scope.Set // what an app's may be told of
	Org         int64
	ID          id.Webhook
	URL         string
	Format      string
	Events      []string // names in the format's vocabulary, or only [Wildcard]
	Description string
	Active      bool      // what its owner wants
	Disabled    Reason    // why the engine has disabled it, or ""
	DisabledAt  time.Time // zero when it is not disabled
	Options     Options

	// Secret is the signing secret. It is shown only when it was made: see [Endpoint.Shown].
	Secret string
	// OldSecret signs beside Secret until OldUntil, during a rotation.
	OldSecret string
	OldUntil  time.Time

	// FailingSince is zero unless it has given nothing but failures since then. In a [Set] it is as old as the last change of the endpoint.
	FailingSince time.Time
	LastError    string

	Revision  int64 // of the configuration, when it was last changed
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Enabled tells whether deliveries are sent to it now.
func (e *Endpoint) Enabled() bool { return e.Active && e.Disabled == "" }

// Reason says why the engine disabled an endpoint.
type Reason string

// The reasons.
const (
	Gone    Reason = "gone"    // it answered 410
	Failing Reason = "failing" // nothing but failures for five days
)

// Options are what an endpoint's owner may choose. The zero value is the format's defaults.
type Options struct {
	// Retry holds the delays before the second, third, … attempt. nil means the format's own; empty means no retries.
	Retry *[]time.Duration
	// Redact leaves personal data out of envelopes.
	Redact bool
	// Headers are sent with every delivery. They are sealed at rest.
	Headers map[string]string
	// RateLimit is how many attempts are made in a second at most; 0 means no limit.
	RateLimit int
	// Signature is a value of the vocabulary's Signatures; "" means the first of them.
	Signature string
	// Ordered has deliveries about the same thing sent one after another: the next waits until the one before has arrived or been given up.
	Ordered bool
}

// optionsJSON is how options are stored: all but the headers, which are sealed apart. Delays are whole seconds.
type optionsJSON struct {
	Retry     *[]int64 `json:"retry,omitempty"`
	Redact    bool     `json:"redact,omitempty"`
	RateLimit int      `json:"rateLimit,omitempty"`
	Signature string   `json:"signature,omitempty"`
	Ordered   bool     `json:"ordered,omitempty"`
}

// MarshalJSON writes the options as they are stored, without the headers.
func (o Options) MarshalJSON() ([]byte, error) {
	j := optionsJSON{Redact: o.Redact, RateLimit: o.RateLimit, Signature: o.Signature, Ordered: o.Ordered}
	if o.Retry != nil {
		delays := make([]int64, len(*o.Retry))
		for i, d := range *o.Retry {
			delays[i] = int64(d / time.Second)
		}
		j.Retry = &delays
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (o *Options) UnmarshalJSON(b []byte) error {
	var j optionsJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*o = Options{Redact: j.Redact, RateLimit: j.RateLimit, Signature: j.Signature, Ordered: j.Ordered}
	if j.Retry != nil {
		delays := make([]time.Duration, len(*j.Retry))
		for i, d := range *j.Retry {
			delays[i] = time.Duration(d) * time.Second
		}
		o.Retry = &delays
	}
	return nil
}

// May tells whether the endpoint may be told of a fact: an app's, of what its person has allowed (see [scope.Set.Sees]), and of what is for it alone.
func (e *Endpoint) May(f *fact.Fact) bool {
	return e.Grant == 0 || f.Only == e.Number || e.Sees.Sees(f.Kind)
}

// wants tells whether the endpoint subscribed to a name of its vocabulary.
func (e *Endpoint) wants(name string) bool {
	return len(e.Events) == 1 && e.Events[0] == Wildcard || slices.Contains(e.Events, name)
}
