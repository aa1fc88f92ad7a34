package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// Limits of what an owner may ask for.
const (
	MaxEndpoints   = 10_000 // of an organisation
	MaxEvents      = 100    // names that one endpoint subscribes to
	MaxRetries     = 32
	MaxRetryDelay  = 24 * time.Hour
	MaxOverlap     = 7 * 24 * time.Hour
	MaxRateLimit   = 10_000 // attempts a second
	DefaultOverlap = 24 * time.Hour
)

// Ledger is what the book needs of the log of facts.
type Ledger interface {
	Append(tx *db.Tx, facts ...*fact.Fact) error
}

// Book creates, finds and changes endpoints.
type Book struct {
	keys         *seal.Keyring
	policy       *egress.Policy
	ledger       Ledger
	vocabularies map[string]Vocabulary
}

// NewBook makes a book for the given vocabularies.
func NewBook(keys *seal.Keyring, policy *egress.Policy, vocabularies ...Vocabulary) *Book {
	b := &Book{keys: keys, policy: policy, vocabularies: map[string]Vocabulary{}}
	for _, v := range vocabularies {
		b.vocabularies[v.Format()] = v
	}
	return b
}

// Follow names the ledger that tells of endpoints. It is called once, when the parts are put together.
func (b *Book) Follow(l Ledger) { b.ledger = l }

// Formats lists the formats that an endpoint may have, sorted.
func (b *Book) Formats() []string {
	var all []string
	for f := range b.vocabularies {
		all = append(all, f)
	}
	slices.Sort(all)
	return all
}

// Vocabulary returns the vocabulary of a format.
func (b *Book) Vocabulary(format string) (Vocabulary, bool) {
	v, ok := b.vocabularies[format]
	return v, ok
}

// URL is a URL that [Book.CheckURL] has accepted.
type URL struct{ text string }

// CheckURL says whether deliveries may go to a URL. It may look a name up, which takes up to five seconds, so it is called before a transaction.
// Every delivery is checked again when it connects.
func (b *Book) CheckURL(ctx context.Context, raw string) (URL, error) {
	if raw == "" {
		return URL{}, problem.Field("/url", "required", "Give the https URL that deliveries are posted to.")
	}
	t, err := b.policy.CheckURL(ctx, raw)
	var refused *egress.Refused
	if errors.As(err, &refused) {
		return URL{}, problem.Field("/url", "url_"+string(refused.Reason), "%s", refused.Detail)
	}
	if err != nil {
		return URL{}, err
	}
	return URL{t.String()}, nil
}

// OperatorURL reads a URL that the operator of the installation gives on the command line. It has to be well-formed; whether its address is open
// is for the server to say, which has the operator's --allow-target and checks every connection.
func (b *Book) OperatorURL(raw string) (URL, error) {
	t, err := egress.Parse(raw)
	var refused *egress.Refused
	if errors.As(err, &refused) {
		return URL{}, problem.Field("/url", "url_"+string(refused.Reason), "%s", refused.Detail)
	}
	if err != nil {
		return URL{}, err
	}
	return URL{t.String()}, nil
}

// Spec is what a new endpoint is made of.
type Spec struct {
	URL         URL
	Format      string // "pullup" when empty
	Events      []string
	Description string
	Inactive    bool
	Options     Options
	Secret      string // "" has one made; a given one must fit the format
}

// Change is what is to be different about an endpoint; nil leaves a thing as it is.
type Change struct {
	URL         *URL
	Events      *[]string
	Description *string
	Active      *bool   // true also lifts what the engine disabled
	Format      *string // with another format, the secret stays
	Signature   *string // another scheme needs another key: refused
	Retry       **[]time.Duration
	Redact      *bool
	Headers     *map[string]string
	RateLimit   *int
	Ordered     *bool
}

// Create makes an endpoint and a secret for it.
func (b *Book) Create(tx *db.Tx, org int64, s Spec) (*Endpoint, error) {
	if s.Format == "" {
		s.Format = "pullup"
	}
	e := &Endpoint{
		Org: org, ID: id.NewWebhook(), URL: s.URL.text, Format: s.Format, Events: s.Events, Description: s.Description, Active: !s.Inactive,
		Options: s.Options, Secret: s.Secret, Version: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now(),
	}
	if err := b.validate(e); err != nil {
		return nil, err
	}
	if n, err := db.One(tx, db.Value[int64], "SELECT count(*) FROM endpoints WHERE org_id = $1 AND deleted_at IS NULL", org); err != nil {
		return nil, err
	} else if n >= MaxEndpoints {
		return nil, problem.New(problem.Conflict, "too_many_webhooks", "The organisation has %d webhooks, which is the most; delete one first.", n)
	}
	if e.Secret == "" {
		e.Secret = b.newSecret(e)
	}
	revision, err := tx.Bump()
	if err != nil {
		return nil, err
	}
	e.Revision = revision
	options, err := json.Marshal(e.Options)
	if err != nil {
		return nil, err
	}
	events, err := json.Marshal(e.Events)
	if err != nil {
		return nil, err
	}
	now := tx.Micros()
	e.Number, err = db.One(tx, db.Value[int64], `INSERT INTO endpoints (org_id, id, url, format, events, description, active, disabled_reason, options,
		secret, revision, version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, '', $8, $9, $10, 1, $11, $11) RETURNING endpoint_id`,
		org, e.ID, e.URL, e.Format, string(events), e.Description, e.Active, string(options), b.keys.Seal([]byte(e.Secret), secretContext(e.ID)),
		revision, now)
	return e, err
}

// newSecret makes a secret that fits the endpoint's scheme.
func (b *Book) newSecret(e *Endpoint) string {
	if e.Options.Signature == "v1a" {
		private, _ := webhook.NewKeyPair()
		return private
	}
	return webhook.NewSecret()
}

// Shown is the secret as its owner sees it when it was made: of a key pair, the public half.
func (e *Endpoint) Shown() string {
	if strings.HasPrefix(e.Secret, "whsk_") {
		public, err := webhook.PublicKey(e.Secret)
		if err != nil {
			return ""
		}
		return public
	}
	return e.Secret
}

func secretContext(i id.Webhook) string { return "endpoint secret " + string(i) }

// Check tells everything that is wrong with a spec but its URL, without a transaction.
func (b *Book) Check(s Spec) error {
	if s.Format == "" {
		s.Format = "pullup"
	}
	return b.validate(&Endpoint{Format: s.Format, Events: s.Events, Description: s.Description, Options: s.Options})
}

// validate checks everything but the URL and tells all faults at once.
func (b *Book) validate(e *Endpoint) error {
	var faults problem.Fields
	v, ok := b.vocabularies[e.Format]
	if !ok {
		faults.Add("/format", "unknown_format", "There is no format %q; use one of %s.", e.Format, strings.Join(b.Formats(), ", "))
		return faults.Err()
	}
	validateEvents(v, e.Events, &faults)
	validateOptions(v, e.Options, &faults)
	if len(e.Description) > 500 {
		faults.Add("/description", "too_long", "A description has 500 characters at most.")
	}
	return faults.Err()
}

func validateEvents(v Vocabulary, events []string, faults *problem.Fields) {
	switch {
	case len(events) == 0:
		faults.Add("/events", "required", `Name at least one event, or ["*"] for all that the format carries.`)
	case len(events) > MaxEvents:
		faults.Add("/events", "too_many", "An endpoint subscribes to %d names at most; use \"*\" for all.", MaxEvents)
	case len(events) > 1 && slices.Contains(events, Wildcard):
		faults.Add("/events", "wildcard", `"*" stands alone, because it means all that the format carries.`)
	}
	seen := map[string]bool{}
	for i, name := range events {
		pointer := fmt.Sprintf("/events/%d", i)
		switch {
		case seen[name]:
			faults.Add(pointer, "duplicate", "%q is named twice.", name)
		case name == Wildcard || slices.Contains(v.Events(), name):
		case v.OwnMessages() && fact.ValidName(name) && !fact.Reserved(name):
		default:
			faults.Add(pointer, "unknown_event", "The format %s does not carry %q; it carries %s%s.", v.Format(), clip(name), strings.Join(v.Events(), ", "), ownWords(v))
		}
		seen[name] = true
	}
}

func ownWords(v Vocabulary) string {
	if v.OwnMessages() {
		return ", and your own messages by their names"
	}
	return ""
}

func validateOptions(v Vocabulary, o Options, faults *problem.Fields) {
	if o.Retry != nil {
		if len(*o.Retry) > MaxRetries {
			faults.Add("/retry/delays", "too_many", "There are %d retries at most.", MaxRetries)
		}
		for i, d := range *o.Retry {
			if d < time.Second || d > MaxRetryDelay {
				faults.Add(fmt.Sprintf("/retry/delays/%d", i), "out_of_range", "A delay has 1 to %d seconds.", MaxRetryDelay/time.Second)
			}
		}
	}
	if o.RateLimit < 0 || o.RateLimit > MaxRateLimit {
		faults.Add("/rateLimit", "out_of_range", "A rate limit has 1 to %d deliveries a second; 0 means none.", MaxRateLimit)
	}
	if o.Signature != "" && !slices.Contains(v.Signatures(), o.Signature) {
		if len(v.Signatures()) == 0 {
			faults.Add("/signature", "not_supported", "The format %s has one signature only; leave this out.", v.Format())
		} else {
			faults.Add("/signature", "unknown_signature", "The format %s has the signatures %s.", v.Format(), strings.Join(v.Signatures(), ", "))
		}
	}
	var refused *egress.Refused
	if err := egress.CheckHeaders(headerFields(o.Headers)); errors.As(err, &refused) {
		pointer := "/headers"
		if refused.Header != "" {
			pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(refused.Header)
		}
		faults.Add(pointer, "header_refused", "%s", refused.Detail)
	}
}

// headerFields returns headers in the order of their names, so that requests look the same every time.
func headerFields(m map[string]string) egress.Header {
	h := make(egress.Header, 0, len(m))
	for name, v := range m {
		h = append(h, egress.Field{Name: name, Value: v})
	}
	slices.SortFunc(h, func(a, b egress.Field) int { return strings.Compare(a.Name, b.Name) })
	return h
}

// Header returns the owner's own headers, sorted by name.
func (e *Endpoint) Header() egress.Header { return headerFields(e.Options.Headers) }

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// Update changes an endpoint. ifVersion is the version that the caller saw, or 0.
func (b *Book) Update(tx *db.Tx, org int64, i id.Webhook, c Change, ifVersion int64) (*Endpoint, error) {
	e, err := b.Get(tx, org, i)
	if err != nil {
		return nil, err
	}
	if ifVersion != 0 && ifVersion != e.Version {
		return nil, problem.New(problem.Precondition, "version_mismatch", "The webhook is at version %d; read it again before changing it.", e.Version)
	}
	if c.Signature != nil && *c.Signature != e.Options.Signature {
		return nil, problem.Field("/signature", "not_changeable", "Another signature needs another key; make a new webhook with it, then delete this one.")
	}
	if c.Format != nil && e.Options.Signature == "v1a" && *c.Format != e.Format {
		return nil, problem.Field("/format", "not_changeable", "This webhook signs with a key pair, which %s does not; make a new webhook.", clip(*c.Format))
	}
	apply(e, c)
	if err := b.validate(e); err != nil {
		return nil, err
	}
	return e, b.store(tx, e)
}

func apply(e *Endpoint, c Change) {
	if c.URL != nil {
		e.URL = c.URL.text
	}
	set(&e.Format, c.Format)
	set(&e.Events, c.Events)
	set(&e.Description, c.Description)
	set(&e.Options.Retry, c.Retry)
	set(&e.Options.Redact, c.Redact)
	set(&e.Options.Headers, c.Headers)
	set(&e.Options.RateLimit, c.RateLimit)
	set(&e.Options.Ordered, c.Ordered)
	if c.Active != nil {
		e.Active = *c.Active
		if e.Active {
			e.Disabled, e.DisabledAt = "", time.Time{}
		}
	}
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// store writes a changed endpoint and raises the configuration's revision.
func (b *Book) store(tx *db.Tx, e *Endpoint) error {
	revision, err := tx.Bump()
	if err != nil {
		return err
	}
	options, err := json.Marshal(e.Options)
	if err != nil {
		return err
	}
	events, err := json.Marshal(e.Events)
	if err != nil {
		return err
	}
	e.Revision, e.UpdatedAt = revision, tx.Now()
	e.Version++
	var old []byte
	if e.OldSecret != "" {
		old = b.keys.Seal([]byte(e.OldSecret), secretContext(e.ID))
	}
	n, err := tx.Exec(`UPDATE endpoints SET url = $1, events = $2, description = $3, active = $4, disabled_reason = $5, disabled_at = $6, options = $7,
		secret = $8, old_secret = $9, old_until = $10, revision = $11, version = $12, updated_at = $13, format = $16
		WHERE org_id = $14 AND id = $15 AND version = $12 - 1 AND deleted_at IS NULL`,
		e.URL, string(events), e.Description, e.Active, string(e.Disabled), microsOrNil(e.DisabledAt), string(options),
		b.keys.Seal([]byte(e.Secret), secretContext(e.ID)), old, microsOrNil(e.OldUntil), revision, e.Version, tx.Micros(), e.Org, e.ID, e.Format)
	if err == nil && n == 0 {
		return problem.New(problem.Conflict, "changed_meanwhile", "Somebody else has changed the webhook just now; read it again and repeat.")
	}
	return err
}

func microsOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// Rotate gives the endpoint a new secret; the old one keeps signing beside it for the overlap, 0 to [MaxOverlap].
func (b *Book) Rotate(tx *db.Tx, org int64, i id.Webhook, overlap time.Duration) (*Endpoint, error) {
	if overlap < 0 || overlap > MaxOverlap {
		return nil, problem.Field("/overlapSeconds", "out_of_range", "An overlap has 0 to %d seconds.", MaxOverlap/time.Second)
	}
	e, err := b.Get(tx, org, i)
	if err != nil {
		return nil, err
	}
	e.OldSecret, e.OldUntil = "", time.Time{}
	if overlap > 0 {
		e.OldSecret, e.OldUntil = e.Secret, tx.Now().Add(overlap)
	}
	e.Secret = b.newSecret(e)
	return e, b.store(tx, e)
}

// Delete removes an endpoint. What was to be delivered to it is not sent any more.
func (b *Book) Delete(tx *db.Tx, org int64, i id.Webhook, ifVersion int64) error {
	e, err := b.Get(tx, org, i)
	if err != nil {
		return err
	}
	if ifVersion != 0 && ifVersion != e.Version {
		return problem.New(problem.Precondition, "version_mismatch", "The webhook is at version %d; read it again before deleting it.", e.Version)
	}
	revision, err := tx.Bump()
	if err != nil {
		return err
	}
	_, err = tx.Exec("UPDATE endpoints SET deleted_at = $1, active = FALSE, revision = $2 WHERE org_id = $3 AND id = $4", tx.Micros(), revision, org, i)
	return err
}

// Disable turns an endpoint off for the engine's own reasons and tells so with a fact. It does nothing for one that is off already.
func (b *Book) Disable(tx *db.Tx, number int64, why Reason) error {
	e, err := b.byNumber(tx, number)
	if errors.Is(err, db.ErrNoRow) || err == nil && !e.Enabled() {
		return nil
	}
	if err != nil {
		return err
	}
	e.Disabled, e.DisabledAt = why, tx.Now()
	if err := b.store(tx, e); err != nil {
		return err
	}
	return b.tell(tx, e, fact.EndpointDisabled, e.DisabledAt)
}

// tell appends a fact about an endpoint.
func (b *Book) tell(tx *db.Tx, e *Endpoint, k fact.Kind, at time.Time) error {
	data, err := json.Marshal(struct {
		WebhookID string `json:"webhookId"`
		URL       string `json:"url"`
		Format    string `json:"format"`
		Reason    string `json:"reason,omitempty"`
		Since     string `json:"since"`
		LastError string `json:"lastError,omitempty"`
	}{string(e.ID), e.URL, e.Format, string(e.Disabled), at.Format(time.RFC3339Nano), e.LastError})
	if err != nil {
		return err
	}
	return b.ledger.Append(tx, &fact.Fact{Org: e.Org, Kind: k, Subject: string(e.ID), Version: e.Version, Data: data})
}

// Ping appends the fact that has a test delivery sent to the endpoint, whatever it subscribed to.
func (b *Book) Ping(tx *db.Tx, org int64, i id.Webhook) (*fact.Fact, error) {
	e, err := b.Get(tx, org, i)
	if err != nil {
		return nil, err
	}
	if !e.Enabled() {
		return nil, problem.New(problem.Conflict, "webhook_inactive", "The webhook is not active; set active to true before testing it.")
	}
	data, err := json.Marshal(map[string]any{"webhookId": e.ID, "test": true, "message": "A test delivery, asked for by the endpoint's owner."})
	if err != nil {
		return nil, err
	}
	f := &fact.Fact{Org: org, Kind: fact.EndpointPinged, Subject: string(e.ID), Version: e.Version, Data: data, Only: e.Number}
	return f, b.ledger.Append(tx, f)
}
