package endpoint

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/fact"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// Limits of what an owner may ask for.
const (
	MaxEndpoints   = 20_000 // of an organisation
	MaxEvents      = 100    // names that one endpoint subscribes to
	MaxRetries     = 32
	MaxRetryDelay  = 24 * time.Hour
	MaxOverlap     = 7 * 24 * time.Hour
	MaxRateLimit   = 10_000 // attempts a second
	DefaultOverlap = 24 * time.Hour

	MaxDescription = 500 // characters
)

// Ledger is what the book needs of the log of facts.
type Ledger interface {
	Append(tx *db.Tx, facts ...*fact.Fact) error
}

// Book creates, finds and changes endpoints.
type Book struct {
	// Most is how many endpoints an organisation may have; [MaxEndpoints] when 0.
	Most int
	// Single is a format of which no two endpoints of the same owner (an app, or the organisation itself) may have a name in common, but for test
	// deliveries; "" for none.
	Single string

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
		return URL{}, noURL()
	}
	return accepted(b.policy.CheckURL(ctx, raw))
}

// OperatorURL reads a URL that the operator of the installation gives on the command line. It has to be well-formed; whether its address is open
// is for the server to say, which has the operator's --allow-target and checks every connection.
func (b *Book) OperatorURL(raw string) (URL, error) { return accepted(egress.Parse(raw)) }

func accepted(t *egress.Target, err error) (URL, error) {
	var refused *egress.Refused
	if errors.As(err, &refused) {
		return URL{}, problem.Field("/url", "url_"+string(refused.Reason), "%s", refused.Detail)
	}
	if err != nil {
		return URL{}, err
	}
	return URL{t.String()}, nil
}

func noURL() error {
	return problem.Field("/url", "required", "Give the https URL that deliveries are posted to.")
}

// Spec is what a new endpoint is made of.
type Spec struct {
	URL         URL
	Format      string // "pullup" when empty
	Events      []string
	Description string
	Inactive    bool
	Options     Options
	Secret      string    // "" has one made; a given one must fit the format
	NoSecret    bool      // "" stays so, where the format is [Static]: deliveries carry no Authorization
	Grant       int64     // the number of the grant that an app makes it on; 0 for the organisation's own
	Sees        scope.Set // what an app's may be told of
}

// draft is the endpoint that a spec describes.
func (s Spec) draft() *Endpoint {
	if s.Format == "" {
		s.Format = "pullup"
	}
	return &Endpoint{
		URL: s.URL.text, Format: s.Format, Events: s.Events, Description: s.Description, Active: !s.Inactive, Options: s.Options, Secret: s.Secret,
		Grant: s.Grant, Sees: s.Sees,
	}
}

// Check tells everything that is wrong with a spec but its URL, without a transaction.
func (b *Book) Check(s Spec) error { return b.validate(s.draft(), true) }

// Create makes an endpoint and a secret for it.
func (b *Book) Create(tx *db.Tx, org int64, s Spec, by audit.By) (*Endpoint, error) {
	e := s.draft()
	e.Org, e.ID, e.CreatedAt = org, id.NewWebhook(), tx.Now()
	if e.URL == "" {
		return nil, noURL()
	}
	if err := b.validate(e, true); err != nil {
		return nil, err
	}
	if n, err := db.One(tx, db.Value[int], "SELECT count(*) FROM endpoints WHERE org_id = $1 AND deleted_at IS NULL", org); err != nil {
		return nil, err
	} else if n >= b.most() {
		return nil, problem.New(problem.Conflict, "too_many_webhooks", "The organisation has %d webhooks, which is the most; delete one first.", n)
	}
	if err := b.unshared(tx, e); err != nil {
		return nil, err
	}
	if e.Secret == "" && !(s.NoSecret && isStatic(b.vocabularies[e.Format])) {
		e.Secret = b.newSecret(e)
	}
	if err := b.insert(tx, e); err != nil {
		return nil, err
	}
	return e, audit.Append(tx, by.Entry(org, "webhook.created", string(e.ID), map[string]any{"format": e.Format}))
}

func (b *Book) most() int {
	if b.Most > 0 {
		return b.Most
	}
	return MaxEndpoints
}

// newSecret makes a secret that fits the endpoint's scheme.
func (b *Book) newSecret(e *Endpoint) string {
	if e.Options.Signature == v1a {
		private, _ := webhook.NewKeyPair()
		return private
	}
	return webhook.NewSecret()
}

// Shown is the secret as its owner sees it when it was made: of a key pair, the public half.
func (e *Endpoint) Shown() string {
	if !strings.HasPrefix(e.Secret, privateKey) {
		return e.Secret
	}
	public, err := webhook.PublicKey(e.Secret)
	if err != nil {
		return ""
	}
	return public
}

// Header returns the owner's own headers, sorted by name.
func (e *Endpoint) Header() egress.Header { return headerFields(e.Options.Headers) }

// headerFields returns headers in the order of their names, so that requests look the same every time.
func headerFields(m map[string]string) egress.Header {
	h := make(egress.Header, 0, len(m))
	for name, v := range m {
		h = append(h, egress.Field{Name: name, Value: v})
	}
	slices.SortFunc(h, func(a, b egress.Field) int { return strings.Compare(a.Name, b.Name) })
	return h
}
