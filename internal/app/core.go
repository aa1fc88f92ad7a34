// Package app puts the parts together: it alone knows all of them. [Open] opens an installation, for commands and for the server alike;
// [Core.Serve] serves it.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/audit"
	"github.com/stagedoorhq/stagedoor/internal/chart"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/dialect/cloudevents"
	"github.com/stagedoorhq/stagedoor/internal/dialect/ethpass"
	"github.com/stagedoorhq/stagedoor/internal/dialect/forward"
	"github.com/stagedoorhq/stagedoor/internal/dialect/portal"
	"github.com/stagedoorhq/stagedoor/internal/dialect/pullup"
	"github.com/stagedoorhq/stagedoor/internal/dialect/standard"
	"github.com/stagedoorhq/stagedoor/internal/dialect/stubhub"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/endpoint"
	"github.com/stagedoorhq/stagedoor/internal/event"
	"github.com/stagedoorhq/stagedoor/internal/gate"
	"github.com/stagedoorhq/stagedoor/internal/id"
	"github.com/stagedoorhq/stagedoor/internal/inbound"
	"github.com/stagedoorhq/stagedoor/internal/inventory"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/order"
	"github.com/stagedoorhq/stagedoor/internal/org"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/pull"
	"github.com/stagedoorhq/stagedoor/internal/scope"
	"github.com/stagedoorhq/stagedoor/internal/seal"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/ticket"
)

// Config says which installation to open and how to serve it.
type Config struct {
	Data     string // folder of the SQLite file, the master key and the node's name; made when missing
	Database string // a postgres:// URL; "" for SQLite in Data

	Listen         string // address to serve on
	PublicURL      string // how the outside reaches it; derived from Listen when empty
	AllowTargets   []netip.Prefix
	TLSCert        string
	TLSKey         string
	TrustedProxies []netip.Prefix
	MetricsListen  string

	RequireHTTPS       bool // /v2 and /catalog refuse what did not come by https
	OneWebhookPerTopic bool // an owner has one webhook at most for each topic of the format stubhub

	PullMaxBody   int   // bytes of a body that a pull endpoint takes; 1 MiB when 0
	PullMaxEvents int64 // that an organisation's pull endpoints keep at once; 0 for no bound
	PullMaxBytes  int64 // of their bodies; 0 for no bound
	PullPerSecond int   // events that a pull endpoint takes in the long run; 0 for the default of package pull, and no bound when negative

	SMTPURL  string // of the outgoing mail server, see package mail; "" for none
	NoSignUp bool   // accounts are made by invitation and command only
	Wallets  Wallets
	// How long tokens live and how often they can be asked for; the zero values are the defaults of package oauth. OAuthPerMinute is 0 for no bound.
	AccessLife, RefreshIdle, RefreshAbsolute, RefreshGrace, CodeLife, PushLife, DeviceLife time.Duration
	OAuthPerMinute                                                                         int

	Log *slog.Logger
	// Getenv reads the environment; os.Getenv when nil.
	Getenv func(string) string

	// Delivery changes the engine's settings, for tests; it may be nil.
	Delivery func(*delivery.Config)
}

// Core is an installation that is open.
type Core struct {
	Config
	Keys          *seal.Keyring
	DB            *db.DB
	Policy        *egress.Policy
	Client        *egress.Client
	Endpoints     *endpoint.Book
	Subscriptions *endpoint.Subscriptions
	Ledger        *ledger.Ledger
	Engine        *delivery.Engine
	Events        *event.Calendar
	Stock         *inventory.Stock
	Tickets       *ticket.Roll
	Orders        *order.Book
	Stamps        *stamp.Album
	Passes        *pass.Book
	Gates         *gate.Door
	People        *org.People
	Apps          *oauth.Registry
	Box           *inbound.Box
	Pull          *pull.Depot
	Charts        *chart.Book

	node    string
	finder  Finder
	stubhub *stubhub.Dialect
}

// The files of a data folder.
const (
	databaseFile = "stagedoor.db"
	keyFile      = "master.key"
	nodeFile     = "node-id"
	lockFile     = "serve.lock"
)

// Open opens an installation: makes the data folder and the master key when they are missing, opens the database, brings its schema up to
// date, and checks that the key is the one that the database was made with.
func Open(ctx context.Context, c Config) (*Core, error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	if c.Data == "" {
		return nil, errors.New("no data folder given; use --data DIR")
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	keys, err := seal.Load(c.Getenv, filepath.Join(c.Data, keyFile))
	if err != nil {
		return nil, err
	}
	d, err := db.Open(ctx, db.Config{URL: c.Database, File: filepath.Join(c.Data, databaseFile), Log: c.Log, MaxConns: 12})
	if err != nil {
		return nil, err
	}
	core := &Core{Config: c, Keys: keys, DB: d}
	if err := core.open(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return core, nil
}

func (c *Core) open(ctx context.Context) error {
	if err := c.DB.Migrate(ctx); err != nil {
		return err
	}
	if err := c.checkKey(ctx); err != nil {
		return err
	}
	var err error
	if c.node, err = nodeName(filepath.Join(c.Data, nodeFile)); err != nil {
		return err
	}
	c.Policy = egress.NewPolicy(egress.Config{Allow: c.AllowTargets})
	c.Client = egress.NewClient(c.Policy, egress.Options{UserAgent: delivery.UserAgent})
	people := func(ctx context.Context, org int64, o id.Order) (order.People, error) {
		return order.PeopleOf(c.DB.Read(ctx), org, o)
	}
	c.stubhub = stubhub.NewDialect(strings.TrimSuffix(c.PublicURL, "/"), stubhub.Lookups{
		Venue: func(ctx context.Context, org, venue int64) (event.Venue, error) {
			return event.VenueByID(c.DB.Read(ctx), org, venue)
		},
		Barcodes: func(ctx context.Context, org, listingNo int64, ordinals []int, at time.Time) ([]inventory.BarcodeSet, error) {
			return inventory.Barcodes(c.DB.Read(ctx), c.Keys, org, listingNo, ordinals, at)
		},
	})
	dialects := []delivery.Dialect{portal.New(people), pullup.New(), standard.New(people), cloudevents.New(people, c.PublicURL), c.stubhub, forward.New(c.handed), ethpass.NewDialect(ethpass.Lookups{
		Holding: func(ctx context.Context, org int64, p id.Pass) (pass.Holding, error) {
			return pass.HoldingOf(c.DB.Read(ctx), org, p)
		},
	})}
	vocabularies := make([]endpoint.Vocabulary, len(dialects))
	for i, d := range dialects {
		vocabularies[i] = d
	}
	c.Endpoints = endpoint.NewBook(c.Keys, c.Policy, vocabularies...)
	if c.OneWebhookPerTopic {
		c.Endpoints.Single = stubhub.Format
	}
	c.Subscriptions = endpoint.NewSubscriptions(c.DB, c.Endpoints)
	settings := delivery.Config{
		DB: c.DB, Endpoints: c.Endpoints, Subscriptions: c.Subscriptions, Keys: c.Keys, Dialects: dialects, Client: c.Client, NodeName: c.node, Log: c.Log,
	}
	if c.Delivery != nil {
		c.Delivery(&settings)
	}
	c.Engine = delivery.New(settings)
	if c.Ledger, err = ledger.Open(ctx, c.DB, c.Engine); err != nil {
		return err
	}
	c.Endpoints.Follow(c.Ledger)
	c.Engine.LogTo(c.Ledger)
	c.Charts = chart.New(c.DB, c.Engine, c.Log)
	c.Box = inbound.New(inbound.Config{DB: c.DB, Keys: c.Keys, Ledger: c.Ledger, Known: knownTo(vocabularies), Log: c.Log})
	c.Pull = pull.New(pull.Config{
		DB: c.DB, Keys: c.Keys, Ledger: c.Ledger, Webhooks: c.Endpoints, Log: c.Log, MaxBody: c.PullMaxBody, MaxEvents: c.PullMaxEvents, MaxBytes: c.PullMaxBytes, PerSecond: float64(c.PullPerSecond),
	})
	c.Events = event.New(c.Ledger, bespoken)
	c.Stock = inventory.New(c.Ledger, c.Keys)
	c.Events.OnDelete(c.Stock.CloseEvent)
	c.Tickets = ticket.New(c.Ledger, c.DB, c.Keys)
	c.Orders = order.New(c.Ledger, c.Stock, c.Tickets)
	c.Stamps = stamp.New(c.Ledger)
	c.Passes = pass.New(pass.Config{DB: c.DB, Ledger: c.Ledger, Keys: c.Keys, Tickets: c.Tickets})
	c.Gates = gate.New(c.Ledger, c.Tickets)
	c.Apps = &oauth.Registry{Keys: c.Keys, Endpoints: ofApps{c.Endpoints, c.Pull}, Ledger: c.Ledger}
	c.People = org.NewPeople(org.PeopleConfig{DB: c.DB, Keys: c.Keys, Apps: c.Apps, Log: c.Log})
	return nil
}

// handed looks up what goes on from a pull endpoint to a webhook.
func (c *Core) handed(ctx context.Context, org int64, of pull.Handed) ([]byte, error) {
	body, err := c.Pull.Body(ctx, org, of)
	if p := problem.As(err); p != nil && (p.Kind == problem.NotFound || p.Kind == problem.Gone) {
		return nil, delivery.ErrErased
	}
	return body, err
}

// ofApps are the webhooks and the pull endpoints of apps. It implements [oauth.Endpoints].
type ofApps struct {
	hooks *endpoint.Book
	pull  *pull.Depot
}

// Limit has both end with the grant that they were made on. What comes to a pull endpoint is its senders' to say, and not limited by scopes otherwise.
func (o ofApps) Limit(tx *db.Tx, org, grant int64, sees scope.Set) error {
	if err := o.hooks.Limit(tx, org, grant, sees); err != nil || sees != 0 {
		return err
	}
	return o.pull.EndGrant(tx, org, grant, audit.By{})
}

// bespoken tells whether an event has ever had an order, or has a hold that may become one.
func bespoken(q db.Querier, org, eventNo int64) (bool, error) {
	ordered, err := order.Exists(q, org, eventNo)
	if err != nil || ordered {
		return ordered, err
	}
	return inventory.Holding(q, org, eventNo)
}

// knownTo tells which names are events of one of the vocabularies.
func knownTo(all []endpoint.Vocabulary) func(string) bool {
	names := map[string]bool{}
	for _, v := range all {
		for _, name := range v.Events() {
			names[name] = true
		}
	}
	return func(name string) bool { return names[name] }
}

// checkKey compares the master key's fingerprint with the database's, which takes the first it sees.
func (c *Core) checkKey(ctx context.Context) error {
	have, err := db.Setting(c.DB.Read(ctx), keySetting)
	if err == nil && have == "" {
		err = c.DB.WriteAlone(ctx, func(tx *db.Tx) (err error) {
			have, err = db.SetSetting(tx, keySetting, c.Keys.Fingerprint())
			return err
		})
	}
	if err != nil {
		return err
	}
	if have != c.Keys.Fingerprint() {
		return fmt.Errorf("this is another master key (%s) than the one that the database was made with (%s); set %s, or put the right %s into %s",
			c.Keys.Fingerprint(), have, seal.EnvVar, keyFile, c.Data)
	}
	return nil
}

// Close closes the database and the connections to receivers.
func (c *Core) Close() error {
	c.Client.Close()
	return c.DB.Close()
}
