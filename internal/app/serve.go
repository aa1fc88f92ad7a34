package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/stagedoorhq/stagedoor/internal/access"
	"github.com/stagedoorhq/stagedoor/internal/account"
	"github.com/stagedoorhq/stagedoor/internal/db"
	"github.com/stagedoorhq/stagedoor/internal/dialect/ethpass"
	"github.com/stagedoorhq/stagedoor/internal/dialect/hookbridge"
	"github.com/stagedoorhq/stagedoor/internal/dialect/native"
	"github.com/stagedoorhq/stagedoor/internal/dialect/passkit"
	"github.com/stagedoorhq/stagedoor/internal/dialect/stubhub"
	"github.com/stagedoorhq/stagedoor/internal/idempotency"
	"github.com/stagedoorhq/stagedoor/internal/ledger"
	"github.com/stagedoorhq/stagedoor/internal/live"
	"github.com/stagedoorhq/stagedoor/internal/mail"
	"github.com/stagedoorhq/stagedoor/internal/oauth"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/scanner"
	"github.com/stagedoorhq/stagedoor/internal/stamp"
	"github.com/stagedoorhq/stagedoor/internal/web"
)

// Served says where a server listens.
type Served struct {
	URL     string // of the API, such as http://127.0.0.1:8080
	Metrics string // URL of the metrics listener, "" when there is none
}

// Serve serves the API and sends deliveries until ctx ends, then stops gracefully: requests under way are answered, attempts under way come to their
// end or give their lease back. ready is called once it answers; it may be nil.
func (c *Core) Serve(ctx context.Context, ready func(Served)) error {
	release, err := lockData(filepath.Join(c.Data, lockFile))
	if err != nil {
		return err
	}
	defer release()
	if c.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // the live heap is small: collecting less often costs some MiB and saves about a twentieth of the CPU
	}
	registry := prometheus.NewRegistry()
	server, served, err := c.server(registry)
	if err != nil {
		return err
	}
	url := strings.TrimSuffix(cmp.Or(c.PublicURL, served.URL), "/")
	wallets, err := c.openWallets(ctx, url)
	if err != nil {
		return err
	}
	defer wallets.close()
	wallets.metrics(registry)
	f, err := c.faces(server, registry, wallets, url)
	if err != nil {
		return err
	}
	defer f.pages.Close()
	// Requests end before deliveries do: what a request commits while stopping is left in the table, due.
	engine, stopEngine := context.WithCancel(context.WithoutCancel(ctx))
	defer stopEngine()
	var parts sync.WaitGroup
	failed := make(chan error, 1)
	parts.Go(func() {
		if err := c.Engine.Run(engine); err != nil {
			failed <- fmt.Errorf("delivery engine: %w", err)
		}
	})
	parts.Go(func() { f.api.Run(engine) })
	parts.Go(func() { f.door.Run(engine) })
	parts.Go(func() { f.apps.Run(engine) })
	parts.Go(func() { c.Pull.Run(engine) })
	parts.Go(func() { c.sweep(engine) })
	for _, f := range c.followers() {
		parts.Go(func() { _ = c.Ledger.Follow(engine, f) }) // it ends with its context, and never fails
	}
	parts.Go(func() { c.Charts.Run(engine) })
	parts.Go(func() { c.sweepStock(engine) })
	parts.Go(func() { wallets.sender(url).Run(engine) })
	parts.Go(func() { wallets.watch(engine) })
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	parts.Go(func() { f.streams.Run(serving) }) // streams and answers that are held back end first: the server waits for them
	parts.Go(func() { c.Box.Run(serving) })
	parts.Go(func() { f.pull.Run(serving) })
	done := make(chan error, 1)
	go func() { done <- server.Serve(serving) }()
	if ready != nil {
		ready(served)
	}
	select {
	case err = <-failed:
		stopServing()
		err = errors.Join(err, <-done)
	case err = <-done:
	}
	stopServing()
	stopEngine()
	parts.Wait()
	return err
}

// server makes the server and opens its addresses.
func (c *Core) server(registry *prometheus.Registry) (*web.Server, Served, error) {
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(c.Engine.Metrics.Collectors()...)
	c.ledgerMetrics(registry)
	c.chartMetrics(registry)
	server, err := web.New(web.Config{
		Log: c.Log, Metrics: registry, TrustedProxies: c.TrustedProxies, TLSCert: c.TLSCert, TLSKey: c.TLSKey,
		Ready: map[string]func(context.Context) error{"database": c.ready},
	})
	if err != nil {
		return nil, Served{}, err
	}
	served, err := c.listen(server)
	return server, served, err
}

// faces are what a server shows, as far as it has to be run.
type faces struct {
	api     *native.API
	door    *access.Door
	apps    *oauth.Server
	pages   *account.Pages
	streams *live.Streams
	pull    *hookbridge.API
}

// faces puts them on a server, which the outside reaches at a URL.
func (c *Core) faces(server *web.Server, registry *prometheus.Registry, wallets *wallets, url string) (f faces, err error) {
	var sender *mail.Sender
	if c.SMTPURL != "" {
		if sender, err = mail.New(c.SMTPURL); err != nil {
			return f, fmt.Errorf("--smtp-url: %w", err)
		}
	}
	server.Advertise(url + "/.well-known/oauth-protected-resource")
	f.pages = account.New(account.Config{
		DB: c.DB, Keys: c.Keys, People: c.People, Registry: c.Apps, Tickets: c.Tickets, Mail: sender, PublicURL: url, SignUp: !c.NoSignUp, ClientAddr: web.Client, Log: c.Log,
	})
	f.pages.Routes(server.Mux())
	f.apps = oauth.New(oauth.Config{
		DB: c.DB, Registry: c.Apps, People: people{}, Front: f.pages, Issuer: url, AccessLife: c.AccessLife, RefreshIdle: c.RefreshIdle,
		RefreshAbsolute: c.RefreshAbsolute, Grace: c.RefreshGrace, CodeLife: c.CodeLife, PushLife: c.PushLife, DeviceLife: c.DeviceLife,
		PerMinute: c.OAuthPerMinute, ClientAddr: web.Client, Log: c.Log,
	})
	f.apps.Routes(server.Mux())
	f.door = access.New(access.Config{Find: c.find, Proven: f.apps.Proven, Used: c.used, Checked: checkMetrics(registry), Log: c.Log})
	counted := live.NewMetrics()
	registry.MustRegister(counted.Collectors()...)
	f.streams = live.New(live.Config{
		DB: c.DB, Ledger: c.Ledger, Engine: c.Engine, Subscriptions: c.Subscriptions, Box: c.Box, Log: c.Log, Metrics: counted,
		Depot: c.Pull, Event: hookbridge.Event,
	})
	f.api = native.New(server.Mux(), native.Config{
		DB: c.DB, Door: f.door, Keep: idempotency.New(c.DB, c.Keys), Problems: server.Problems(),
		Calendar: c.Events, Stock: c.Stock, Book: c.Orders, Tickets: c.Tickets, Gates: c.Gates, CodesChanged: c.Passes.Refresh, Offline: c.offline, Stamps: c.Stamps,
		Endpoints: c.Endpoints, Subscriptions: c.Subscriptions, Engine: c.Engine, Ledger: c.Ledger,
		People: c.People, Apps: c.Apps, Erase: c.eraseFor, PublicURL: url, Invited: f.pages.Invited, Offered: f.pages.Offered,
		ClientAddr: web.Client, Version: Version(), Log: c.Log,
		Box: c.Box, Streams: f.streams,
	})
	var secure func(*http.Request) bool
	if c.RequireHTTPS {
		secure = func(r *http.Request) bool { return web.Secure(r.Context()) }
	}
	c.stubhub.At(url)
	stubhub.New(server.Mux(), stubhub.Config{
		DB: c.DB, Door: f.door, Keep: idempotency.New(c.DB, c.Keys), Problems: server.Problems(), Calendar: c.Events, Stock: c.Stock, Book: c.Orders,
		Keys: c.Keys, Endpoints: c.Endpoints, PublicURL: url, Secure: secure, ClientAddr: web.Client, Log: c.Log,
	})
	f.pull = hookbridge.New(server.Mux(), hookbridge.Config{
		DB: c.DB, Door: f.door, Keep: idempotency.New(c.DB, c.Keys), Problems: server.Problems(), Depot: c.Pull, PublicURL: url, RequestID: web.RequestID,
		ClientAddr: web.Client, Head: web.Head, Streams: f.streams,
	})
	server.OwnBodies(hookbridge.Base, "/o/")
	c.dashboard(server, f, url)
	scanner.Routes(server.Mux())
	c.walletFaces(server, f.door, wallets, url)
	return f, nil
}

// walletFaces puts what is about passes on a server.
func (c *Core) walletFaces(server *web.Server, door *access.Door, wallets *wallets, url string) {
	api := ethpass.Config{
		DB: c.DB, Door: door, Keep: idempotency.New(c.DB, c.Keys), Problems: server.Problems(), Book: c.Passes, Endpoints: c.Endpoints, Apple: wallets.pkpass, Google: wallets.save,
		Ready: wallets.ready, Policy: c.Policy, Fetch: wallets.pictures, PublicURL: url, ClientAddr: web.Client, Log: c.Log,
	}
	if len(c.Wallets.EVMNodes) > 0 {
		api.Chain, api.Signed = chain{wallets.nodes}, wallets.nodes.Signed
	}
	ethpass.New(server.Mux(), api)
	for _, base := range ethpass.Bases() {
		server.OwnBodies(base)
	}
	settings := passkit.Config{
		DB: c.DB, Book: c.Passes, Problems: server.Problems(), Apple: wallets.pkpass, TypeID: wallets.typeID, BaseURL: url, Spend: door.Spend, ClientAddr: web.Client, Log: c.Log,
	}
	if wallets.callbacks != nil {
		settings.Callbacks = wallets.callbacks
	}
	passkit.New(server.Mux(), settings)
}

// listen opens the addresses and closes them to deliveries.
func (c *Core) listen(server *web.Server) (Served, error) {
	addr, err := server.Listen(c.Listen)
	if err != nil {
		return Served{}, fmt.Errorf("listen on %s: %w; choose another address with --listen", c.Listen, err)
	}
	own := []netip.AddrPort{addrPort(addr)}
	scheme := "http"
	if c.TLSCert != "" {
		scheme = "https"
	}
	served := Served{URL: scheme + "://" + addr.String()}
	if c.MetricsListen != "" {
		metrics, err := server.ListenMetrics(c.MetricsListen)
		if err != nil {
			return Served{}, fmt.Errorf("listen on %s: %w; choose another address with --metrics-listen", c.MetricsListen, err)
		}
		own = append(own, addrPort(metrics))
		served.Metrics = "http://" + metrics.String() + "/metrics"
	}
	c.Policy.Own(append(own, c.databaseAddrs()...)...)
	return served, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.AddrPort()
	}
	return netip.AddrPort{}
}

// ready says whether the database answers.
func (c *Core) ready(ctx context.Context) error {
	_, err := c.DB.Revision(ctx)
	return err
}

// sweep forgets what has had its time.
func (c *Core) sweep(ctx context.Context) {
	keep := idempotency.New(c.DB, c.Keys)
	ticker := time.NewTicker(10 * time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for n := 1; n > 0 && ctx.Err() == nil; {
			var err error
			if n, err = keep.Sweep(ctx); err != nil {
				c.Log.Warn("sweep kept answers", "err", err)
				break
			}
		}
		if err := c.People.Sweep(ctx); err != nil && ctx.Err() == nil {
			c.Log.Warn("sweep sessions and links", "err", err)
		}
		if err := c.Engine.SweepLog(ctx); err != nil && ctx.Err() == nil {
			c.Log.Warn("sweep the log of attempts", "err", err)
		}
		if err := c.expireOffers(ctx); err != nil && ctx.Err() == nil {
			c.Log.Warn("expire offers of tickets", "err", err)
		}
	}
}

// expireOffers writes down which offers of tickets have come to their end. They could not be accepted any more before that either.
func (c *Core) expireOffers(ctx context.Context) error {
	const some = 100
	for n := some; n == some && ctx.Err() == nil; {
		err := c.DB.Write(ctx, "", func(tx *db.Tx) (err error) {
			n, err = c.Tickets.ExpireSome(tx, some)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkMetrics shows how long credentials take to check.
func checkMetrics(r *prometheus.Registry) func(time.Duration) {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "stagedoor_credential_check_seconds",
		Help:    "Time to find out who a request's credential belongs to and what they may do.",
		Buckets: []float64{.000005, .00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .1},
	})
	r.MustRegister(h)
	return func(took time.Duration) { h.Observe(took.Seconds()) }
}

// ledgerMetrics shows what followers of the ledger may not see yet, and what was put aside.
func (c *Core) ledgerMetrics(r *prometheus.Registry) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "stagedoor_ledger_horizon_lag_seconds", Help: "For how long the oldest fact has been waiting that a transaction under way could still precede.",
	}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		lag, err := c.Ledger.Lag(ctx, time.Now())
		if err != nil {
			return -1
		}
		return lag.Seconds()
	}))
	for _, f := range c.followers() {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "stagedoor_follower_lag_seconds", Help: "For how long the oldest fact has been waiting that a follower of the ledger has not taken.",
			ConstLabels: prometheus.Labels{"follower": f.Name},
		}, func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			lag, err := c.Ledger.Behind(ctx, f, time.Now())
			if err != nil {
				return -1
			}
			return lag.Seconds()
		}))
	}
}

// chartMetrics shows how far behind the charts are.
func (c *Core) chartMetrics(r *prometheus.Registry) {
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "stagedoor_chart_lag_seconds", Help: "For how long the oldest attempts have been waiting that are not counted for the charts.",
	}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		lag, err := c.Charts.Behind(c.DB.Read(ctx), time.Now())
		if err != nil {
			return -1
		}
		return lag.Seconds()
	}))
}

// followers are what follows the ledger.
func (c *Core) followers() []ledger.Follower {
	return []ledger.Follower{
		{Name: "stamp", Kinds: stamp.Kinds(), Step: c.Stamps.Follow, Log: c.Log},
		{Name: "pass", Kinds: pass.Kinds(), Step: c.Passes.Follow, Log: c.Log},
	}
}

// databaseAddrs are the addresses of a database server, which no delivery may reach.
func (c *Core) databaseAddrs() []netip.AddrPort {
	if c.Database == "" {
		return nil
	}
	return resolveDatabase(strings.TrimSpace(c.Database))
}
