package app

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stagedoorhq/stagedoor/internal/delivery"
	"github.com/stagedoorhq/stagedoor/internal/dialect/passkit"
	"github.com/stagedoorhq/stagedoor/internal/egress"
	"github.com/stagedoorhq/stagedoor/internal/evm"
	"github.com/stagedoorhq/stagedoor/internal/evm/node"
	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/apple"
	"github.com/stagedoorhq/stagedoor/internal/pass/google"
	"github.com/stagedoorhq/stagedoor/internal/pass/picture"
)

// Wallets says how passes come into wallets. What is left out the installation makes for itself, for tests: then passes are whole, but no phone takes them, and
// neither Apple nor Google is told anything.
type Wallets struct {
	AppleCert         string // a file with a pass type certificate and its key, in PEM or PKCS#12
	AppleCertPassword string // a file with its password
	AppleWWDR         string // a file with the intermediate above it, in PEM, where it is not with the certificate
	APNs              string // the URL of the push service; Apple's when empty
	APNsCA            string // a file with the authorities that vouch for it, in PEM; the system's when empty

	GoogleAccount      string // a file with a service account, in JSON
	GoogleIssuer       string // the issuer id that it writes for
	GoogleAPI          string // the URL of the API; Google's when empty
	GoogleSaveURL      string // where links to save a pass lead; to Google when empty
	GoogleCallbackKeys string // a file with the keys that callbacks are signed under, or where they are to be had; Google's when empty

	EVMNodes   map[string]string // URLs of nodes, by the numbers of their chains in decimal
	EVMRecheck time.Duration     // how often owners are asked for their assets again; 1 hour when 0
}

// testIssuer is the issuer where the operator has none. Google has given it to nobody.
const testIssuer = "1"

// wallets are what passes are made with, for a server that the outside reaches at a URL.
type wallets struct {
	identity once[*apple.Identity]
	press    once[*apple.Press]
	google   once[*google.Wallet]
	nodes    *node.Nodes
	pictures *egress.Client // that fetches those that clients name

	callbacks *google.Callbacks // nil where there is no issuer whose callbacks could come
	pusher    *apple.Pusher     // nil where Apple is told nothing
	syncer    *google.Wallet    // nil where Google is told nothing
	core      *Core
}

// openWallets reads what the operator has given. What they have not is made when it is needed first.
func (c *Core) openWallets(ctx context.Context, url string) (*wallets, error) {
	w := &wallets{core: c, pictures: egress.NewClient(c.Policy, egress.Options{UserAgent: delivery.UserAgent, MaxBody: picture.MaxBytes})}
	given, err := c.Wallets.identity()
	if err != nil {
		return nil, err
	}
	if given != nil && !given.Test && !strings.HasPrefix(url, "https://") {
		c.Log.Warn("phones come back for updates of passes by https only; give serve its --public-url https://…", "public_url", url)
	}
	w.identity.make = func(ctx context.Context) (*apple.Identity, error) {
		if given != nil {
			return given, nil
		}
		made, err := c.Passes.Secret(ctx, "apple identity", func() ([]byte, error) { return apple.NewIdentity(time.Now()) })
		if err != nil {
			return nil, err
		}
		return apple.ReadIdentity(made, "", nil)
	}
	w.press.make = func(ctx context.Context) (*apple.Press, error) {
		i, err := w.identity.get(ctx)
		if err != nil {
			return nil, err
		}
		return apple.NewPress(i, url+passkit.WebService), nil
	}
	if given != nil && !given.Test || c.Wallets.APNs != "" {
		if w.pusher, err = c.openPusher(ctx, w); err != nil {
			return nil, err
		}
	}
	if err := c.openGoogle(ctx, w, url); err != nil {
		return nil, err
	}
	if w.nodes, err = node.New(c.Wallets.EVMNodes); err != nil {
		return nil, fmt.Errorf("--evm-rpc: %w", err)
	}
	return w, nil
}

// identity reads the certificate that the operator has given; nil for none.
func (w Wallets) identity() (*apple.Identity, error) {
	if w.AppleCert == "" {
		return nil, nil //nolint:nilnil // there need not be one
	}
	file, err := os.ReadFile(w.AppleCert)
	if err != nil {
		return nil, fmt.Errorf("--apple-pass-cert: %w", err)
	}
	var password, above []byte
	if w.AppleCertPassword != "" {
		if password, err = os.ReadFile(w.AppleCertPassword); err != nil {
			return nil, fmt.Errorf("--apple-pass-cert-password-file: %w", err)
		}
	}
	if w.AppleWWDR != "" {
		if above, err = os.ReadFile(w.AppleWWDR); err != nil {
			return nil, fmt.Errorf("--apple-wwdr: %w", err)
		}
	}
	i, err := apple.ReadIdentity(file, strings.TrimRight(string(password), "\r\n"), above)
	if err != nil {
		return nil, fmt.Errorf("--apple-pass-cert: %w", err)
	}
	return i, nil
}

func (c *Core) openPusher(ctx context.Context, w *wallets) (*apple.Pusher, error) {
	i, err := w.identity.get(ctx)
	if err != nil {
		return nil, err
	}
	settings := apple.PusherConfig{Identity: i, URL: c.Wallets.APNs}
	if c.Wallets.APNsCA != "" {
		file, err := os.ReadFile(c.Wallets.APNsCA)
		if err != nil {
			return nil, fmt.Errorf("--apns-ca: %w", err)
		}
		settings.Roots = x509.NewCertPool()
		if !settings.Roots.AppendCertsFromPEM(file) {
			return nil, fmt.Errorf("--apns-ca: %s has no certificate in PEM", c.Wallets.APNsCA)
		}
	}
	p, err := apple.NewPusher(settings)
	if err != nil {
		return nil, fmt.Errorf("--apns: %w", err)
	}
	return p, nil
}

func (c *Core) openGoogle(ctx context.Context, w *wallets, url string) error {
	given := c.Wallets.GoogleAccount != ""
	if given && c.Wallets.GoogleIssuer == "" {
		return errors.New("--google-service-account needs --google-issuer: the id of the issuer whose passes it makes")
	}
	var account *google.Account
	if given {
		file, err := os.ReadFile(c.Wallets.GoogleAccount)
		if err == nil {
			account, err = google.ReadAccount(file)
		}
		if err != nil {
			return fmt.Errorf("--google-service-account: %w", err)
		}
	}
	w.google.make = func(ctx context.Context) (*google.Wallet, error) {
		if !given {
			made, err := c.Passes.Secret(ctx, "google account", google.NewAccount)
			if err != nil {
				return nil, err
			}
			if account, err = google.ReadAccount(made); err != nil {
				return nil, err
			}
		}
		return google.New(google.Config{
			Account: account, Issuer: cmp.Or(c.Wallets.GoogleIssuer, testIssuer), API: c.Wallets.GoogleAPI, SaveURL: c.Wallets.GoogleSaveURL,
			Callback: url + passkit.GoogleCallback, Origins: []string{url},
		})
	}
	keys, err := google.NewKeys(c.Wallets.GoogleCallbackKeys)
	if err != nil {
		return fmt.Errorf("--google-callback-keys: %w", err)
	}
	if c.Wallets.GoogleIssuer != "" {
		w.callbacks = google.NewCallbacks(keys, c.Wallets.GoogleIssuer, time.Now)
	}
	if !given && c.Wallets.GoogleAPI == "" {
		return nil
	}
	if w.syncer, err = w.google.get(ctx); err != nil {
		return fmt.Errorf("Google's wallet: %w", err) //nolint:staticcheck // a name
	}
	return nil
}

// pkpass makes a pass for Apple's wallet.
func (w *wallets) pkpass(f pass.Face) ([]byte, error) {
	p, err := w.press.get(context.Background())
	if err != nil {
		return nil, err
	}
	return p.Make(f, time.Now())
}

// ready fails where phones would refuse whatever pkpass makes.
func (w *wallets) ready(ctx context.Context) error {
	p, err := w.press.get(ctx)
	if err != nil {
		return err
	}
	return p.Ready(time.Now())
}

// typeID is the pass type identifier of what pkpass makes.
func (w *wallets) typeID(ctx context.Context) (string, error) {
	i, err := w.identity.get(ctx)
	if err != nil {
		return "", err
	}
	return i.TypeID, nil
}

// save makes a link by which a pass is saved into Google's wallet.
func (w *wallets) save(ctx context.Context, f pass.Face) (string, error) {
	g, err := w.google.get(ctx)
	if err != nil {
		return "", err
	}
	return g.Link(ctx, f)
}

// sender makes the part that tells wallets what has changed.
func (w *wallets) sender(url string) *pass.Sender {
	c := w.core
	settings := pass.SenderConfig{Recheck: c.Wallets.EVMRecheck, BaseURL: url, Log: c.Log}
	if w.pusher != nil {
		settings.Pusher = w.pusher
	}
	if w.syncer != nil {
		settings.Syncer = w.syncer
	}
	if len(c.Wallets.EVMNodes) > 0 {
		settings.Chain = chain{w.nodes}
	}
	return pass.NewSender(c.Passes, settings)
}

// close ends connections.
func (w *wallets) close() {
	w.pictures.Close()
	if w.pusher != nil {
		w.pusher.Close()
	}
	if w.syncer != nil {
		w.syncer.Close()
	}
	w.nodes.Close()
}

// chain is what nodes say. It implements [pass.Chain].
type chain struct{ nodes *node.Nodes }

// Holds tells whether an owner holds an asset. What is no address holds nothing.
func (c chain) Holds(ctx context.Context, network, owner string, n pass.NFT) (holds, known bool, err error) {
	if n.Interface != pass.ERC721 {
		return false, false, nil // others cannot be asked in this way
	}
	who, err := evm.ParseAddress(owner)
	if err != nil {
		return false, false, err
	}
	contract, err := evm.ParseAddress(n.Contract)
	if err != nil {
		return false, false, err
	}
	return c.nodes.Holds(ctx, network, who, contract, n.TokenID)
}

// renewal is how long before the end of the certificate the operator is told of it: getting another takes a few minutes, but somebody has to find the time.
const renewal = 30 * 24 * time.Hour

// watch warns of the certificate's end, at once and then every day. Once it is over nothing reaches phones, which is an error.
func (w *wallets) watch(ctx context.Context) {
	c := w.core
	if c.Wallets.AppleCert == "" {
		return
	}
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	for {
		i, err := w.identity.get(ctx)
		switch {
		case err != nil:
		case time.Until(i.Expires) <= 0:
			c.Log.Error("Apple's certificate for passes is over: phones take no new pass and no update; give serve a new one with --apple-pass-cert",
				"ended", i.Expires, "pass_type", i.TypeID)
		case time.Until(i.Expires) < renewal:
			c.Log.Warn("Apple's certificate for passes ends; give serve a new one with --apple-pass-cert, for phones take no pass without it", "ends", i.Expires, "pass_type", i.TypeID)
		}
		select {
		case <-ctx.Done():
			return
		case <-daily.C:
		}
	}
}

// metrics shows how long the certificate is still good, and what wallets have not been told yet.
func (w *wallets) metrics(r *prometheus.Registry) {
	c := w.core
	if c.Wallets.AppleCert != "" {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "stagedoor_pass_certificate_expiry_seconds", Help: "For how long Apple's certificate for passes is still good; negative once it is over.",
		}, func() float64 {
			i, err := w.identity.get(context.Background())
			if err != nil {
				return math.NaN()
			}
			return time.Until(i.Expires).Seconds()
		}))
	}
	for wallet, told := range map[pass.Platform]bool{pass.Apple: w.pusher != nil, pass.Google: w.syncer != nil} {
		if told {
			r.MustRegister(waiting{c, wallet})
		}
	}
}

// waiting collects what a wallet has not been told yet.
type waiting struct {
	core   *Core
	wallet pass.Platform
}

// Describe implements [prometheus.Collector].
func (w waiting) Describe(to chan<- *prometheus.Desc) {
	for _, d := range w.descriptions() {
		to <- d
	}
}

func (w waiting) descriptions() [2]*prometheus.Desc {
	labels := prometheus.Labels{"wallet": string(w.wallet)}
	return [2]*prometheus.Desc{
		prometheus.NewDesc("stagedoor_pass_pushes_waiting", "How much a wallet has not been told yet about passes that changed.", nil, labels),
		prometheus.NewDesc("stagedoor_pass_pushes_oldest_seconds", "For how long the oldest of it has been waiting.", nil, labels),
	}
}

// Collect implements [prometheus.Collector].
func (w waiting) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	count, age := -1.0, -1.0
	if n, oldest, err := pass.Waiting(w.core.DB.Read(ctx), w.wallet, time.Now()); err == nil {
		count, age = float64(n), oldest.Seconds()
	}
	d := w.descriptions()
	to <- prometheus.MustNewConstMetric(d[0], prometheus.GaugeValue, count)
	to <- prometheus.MustNewConstMetric(d[1], prometheus.GaugeValue, age)
}

// once is something that is made when it is needed first. What could not be made is tried again.
type once[T any] struct {
	make func(context.Context) (T, error)

	mu   sync.Mutex // guards below
	made T
	done bool
}

func (o *once[T]) get(ctx context.Context) (T, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return o.made, nil
	}
	made, err := o.make(ctx)
	if err != nil {
		return made, err
	}
	o.made, o.done = made, true
	return made, nil
}
