package native

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
)

// What native needs from the traffic side and from the assembly. The interfaces stand here, with their user; app fits the packages to them.
// Every function answers for one organisation only: a thing of another organisation is a problem of kind NotFound, like a thing that
// does not exist. Errors that a caller may act on are problem.Errors with pointers into the wire shapes of this package.

// Webhooks keeps the webhook endpoints.
type Webhooks interface {
	// Create makes an endpoint. Address, events, format, headers and the rest are checked first, all faults at once, and so is what needs
	// time (the look-up of the host). The answer has the Secret.
	Create(ctx context.Context, org int64, s WebhookSettings, inside Inside) error
	// RotateSecret gives an endpoint a new secret; the old one stays valid for the overlap. The answer has the new Secret.
	RotateSecret(ctx context.Context, org int64, webhook id.Webhook, overlap time.Duration, inside Inside) error
	// Update changes what is not nil in p. It is a problem of kind Precondition when ifVersion is not 0 and not the endpoint's version.
	Update(ctx context.Context, org int64, webhook id.Webhook, ifVersion int64, p WebhookPatch) (Webhook, error)
	// Delete removes an endpoint; ifVersion as in Update.
	Delete(ctx context.Context, org int64, webhook id.Webhook, ifVersion int64) error

	// Webhook returns one endpoint, without its secret.
	Webhook(ctx context.Context, org int64, webhook id.Webhook) (Webhook, error)
	// Webhooks returns the organisation's endpoints, oldest first, without their secrets: limit of them after the first offset, and how
	// many there are.
	Webhooks(ctx context.Context, org int64, limit, offset int) (page []Webhook, total int, err error)

	// Wanted tells whether an active endpoint of the format subscribes to the event, named as the format names it ("portal",
	// "order.accepted"), as of the transaction's revision of the configuration.
	Wanted(tx *db.Tx, org int64, format, event string) (bool, error)
}

// Inside is run by a Webhooks function in the transaction of its change. It calls effect once to have the change made, or not at all
// (then nothing must change, and the function returns nil); its own error undoes the change and is returned as it is. It may be run a
// second time, as every function in a transaction may.
type Inside func(tx *db.Tx, effect func() (Webhook, error)) error

// WebhookSettings are what the owner of an endpoint chooses. The zero value of a field is the default.
type WebhookSettings struct {
	URL         string
	Events      []string // names, or "*" alone for all that the format carries
	Format      string   // "pullup" when empty
	Inactive    bool     // made but not used yet
	Description string
	Delays      []time.Duration // between attempts; nil for the format's own policy, empty but not nil for no retry
	Redact      bool            // no personal data in envelopes
	Headers     map[string]string
	RateLimit   int    // deliveries a second, 0 for no limit
	Signature   string // "v1" or "v1a", of the format standard; the format's own when empty
	Ordered     bool   // deliveries with the same key one after the other
}

// WebhookPatch changes the settings that are not nil.
type WebhookPatch struct {
	URL         *string
	Events      *[]string
	Format      *string
	Active      *bool
	Description *string
	Delays      *[]time.Duration // points to nil for the format's own policy
	Redact      *bool
	Headers     *map[string]string
	RateLimit   *int
	Signature   *string
	Ordered     *bool
}

// Webhook is an endpoint as its owner sees it.
type Webhook struct {
	ID id.Webhook
	WebhookSettings
	Status       string // "active", "paused" (by its owner), "failing" or "disabled"
	StatusReason string // why it is failing or disabled, a sentence for its owner
	Secret       string // on creation and rotation only
	PublicKey    string // "whpk_…" where the signature is v1a
	// PreviousSecretUntil is when the secret before this one ends; zero when there is none.
	PreviousSecretUntil time.Time
	Version             int64
	CreatedAt           time.Time
	UpdatedAt           time.Time
}

// Deliveries keeps the log of deliveries.
type Deliveries interface {
	// Deliveries returns an endpoint's deliveries that pass the filter, newest first, with their attempts, and whether there are more.
	Deliveries(ctx context.Context, org int64, webhook id.Webhook, f DeliveryFilter) (page []Delivery, more bool, err error)
	// Delivery returns one delivery with its attempts.
	Delivery(ctx context.Context, org int64, webhook id.Webhook, delivery id.Delivery) (Delivery, error)

	// Test sends the endpoint an event of its own (fact endpoint.pinged), in the transaction.
	Test(tx *db.Tx, org int64, webhook id.Webhook) (Delivery, error)
	// Redeliver makes a delivery due again, whatever its state, in the transaction. The delivery keeps its id.
	Redeliver(tx *db.Tx, org int64, webhook id.Webhook, delivery id.Delivery) (Delivery, error)
	// Recover makes all deliveries due again that failed or were skipped since then, in the transaction, and returns how many.
	Recover(tx *db.Tx, org int64, webhook id.Webhook, since time.Time) (int, error)
}

// DeliveryFilter says which deliveries. Zero fields filter nothing.
type DeliveryFilter struct {
	State        string // one of DeliveryStates
	Event        string // by the endpoint's own name for it
	Since, Until time.Time
	Before       id.Delivery // only older ones than this, which a former page ended with
	Limit        int         // 1 to 100
}

// Delivery is one fact on its way to one endpoint.
type Delivery struct {
	ID            id.Delivery
	Fact          id.Fact
	Event         string // by the endpoint's own name for it
	State         string // one of DeliveryStates
	Attempts      []Attempt
	NextAttemptAt time.Time // zero when none is planned
	CreatedAt     time.Time
}

// Attempt is one try to deliver.
type Attempt struct {
	Number          int
	At              time.Time
	Status          int    // HTTP; 0 when there was no answer
	Error           string // a coarse code when there was no answer that counts; "" on success
	RequestHeaders  http.Header
	RequestBody     []byte // as sent; nil when it is not kept any more
	ResponseHeaders http.Header
	ResponseBody    []byte // the first 16 KiB
	Timings         Timings
}

// Timings are how long the parts of an attempt took. Parts that did not happen are 0.
type Timings struct {
	DNS, Connect, TLS, FirstByte, Total time.Duration
}

// Messages publishes an organisation's own events.
type Messages interface {
	// Publish appends a fact for each message, in the transaction, and returns their ids in the same order. Names and sizes have been
	// checked. The bytes of the messages are not kept after the transaction has ended.
	Publish(tx *db.Tx, org int64, msgs []Message) ([]id.Fact, error)
}

// Message is one of an organisation's own events.
type Message struct {
	Event string          // see fact.ValidName and fact.Reserved
	Data  json.RawMessage // a valid JSON object of 256 KiB at most
	Key   string          // deliveries with the same key reach an endpoint in order; "" for no order
}

// Keep runs the effect of a request once, however often the request is repeated. *idempotency.Keep does.
type Keep interface {
	// Do runs effect in a transaction of db.Write with the key, unless the request has been answered before.
	Do(ctx context.Context, r idempotency.Request, writeKey string, effect func(tx *db.Tx) (idempotency.Answer, error)) (a idempotency.Answer, replayed bool, err error)
	// In is Do in a transaction that somebody else has opened.
	In(tx *db.Tx, r idempotency.Request, effect func() (idempotency.Answer, error)) (a idempotency.Answer, replayed bool, err error)
}

// Problems turns an error into the answer's status, headers and RFC 9457 body, and logs what must not be shown. web.Problems does.
type Problems interface {
	Render(r *http.Request, err error) (status int, header http.Header, body []byte)
}
