package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/apple"
)

// Pushes is what came of an event's change for those who have its tickets in their wallets. Times count from the request that changed the event.
type Pushes struct {
	Devices        int64   `json:"devices"`
	FirstMillis    float64 `json:"firstMillis"`
	LastSeconds    float64 `json:"lastSeconds"`
	PerSecond      float64 `json:"perSecond"`
	Twice          int64   `json:"twice"`          // pushes of devices that had one already
	MadePerSecond  float64 `json:"madePerSecond"`  // passes that are made and signed, on all processors, by themselves
	SeededMinutely float64 `json:"seededMinutely"` // passes that were made before, with their orders and tickets
}

// passes changes an event, and measures how long it takes until each device that has a pass for it was pushed.
func (b *bench) passes(ctx context.Context) {
	if b.SeedPasses == nil {
		b.skip("passes: this build has no way to make them")
		return
	}
	made, err := press()
	if err != nil {
		b.fail(partPasses, err)
		return
	}
	b.each(ctx, b.stagedoors(), partPasses, need{endpoints: 1}, func(s *subject) error {
		s.server.end()
		begun := time.Now()
		event, err := b.SeedPasses(ctx, s.dataDir(), s.databaseURL(), b.plan.passes)
		if err != nil {
			return fmt.Errorf("make %d passes: %w", b.plan.passes, err)
		}
		seeding := time.Since(begun)
		b.progress("made %d passes in %v", b.plan.passes, seeding.Round(time.Second))
		a, err := newAPNs(ctx, s.dir)
		if err != nil {
			return err
		}
		defer a.close()
		s.args = append(s.args, "--apns", a.url, "--apns-ca", a.ca)
		if err := s.startServer(ctx); err != nil {
			return err
		}
		if err := s.quiet(ctx); err != nil {
			return err
		}
		r, err := b.pushed(ctx, s, a, event)
		if err != nil {
			return err
		}
		r.Pushes.MadePerSecond, r.Pushes.SeededMinutely = round(made, 0), round(float64(b.plan.passes)/seeding.Minutes(), 0)
		b.enter(r)
		return nil
	})
}

// pushed changes the event and waits for the last push.
func (b *bench) pushed(ctx context.Context, s *subject, a *apns, event string) (*Result, error) {
	all, got := int64(b.plan.passes), a.count()
	spent, begun := s.spent(), time.Now()
	header := http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {s.key}}
	if _, err := s.do(ctx, http.MethodPatch, "/api/v1/events/"+event, http.StatusOK, header, []byte(`{"startLocal":"2030-06-14T21:00:00"}`)); err != nil {
		return nil, err
	}
	for end := begun.Add(b.plan.pushing); got.devices.Load() < all && time.Now().Before(end); pause(ctx, 10*time.Millisecond) {
		if err := errors.Join(ctx.Err(), s.server.alive()); err != nil {
			return nil, err
		}
	}
	arrived, last := got.devices.Load(), time.Unix(0, got.last.Load()).Sub(begun)
	r := &Result{
		Part: partPasses, Arm: s.arm, Load: fmt.Sprintf("%d devices", all), Endpoints: 1, Round: 1, Accepted: all, Delivered: arrived, Lost: all - arrived,
		DeliveredPerSecond: round(float64(arrived)/last.Seconds(), 1), PeakMemory: peakMemory(s.server.cmd.Process.Pid),
		Pushes: &Pushes{
			Devices: arrived, FirstMillis: round(time.Unix(0, got.first.Load()).Sub(begun).Seconds()*1e3, 1), LastSeconds: round(last.Seconds(), 2),
			PerSecond: round(float64(arrived)/last.Seconds(), 0), Twice: got.pushes.Load() - arrived,
		},
	}
	r.account(s.spent().minus(spent))
	return r, nil
}

// quiet waits until nothing is to be told of what was made while the server was stopped.
func (s *subject) quiet(ctx context.Context) error {
	for calm := 0; calm < 3; pause(ctx, time.Second) { // waves have no metric, but a push within a second
		text, err := s.do(ctx, http.MethodGet, "/metrics", http.StatusOK, nil, nil)
		if err := errors.Join(err, ctx.Err(), s.server.alive()); err != nil {
			return err
		}
		calm++
		for _, sign := range []string{`stagedoor_pass_pushes_waiting{wallet="apple"} 0`, `stagedoor_follower_lag_seconds{follower="pass"} 0`} {
			if !strings.Contains(string(text), sign+"\n") {
				calm = 0
			}
		}
	}
	return nil
}

// pressing is how long passes are made for the figure.
const pressing = 2 * time.Second

// press tells how many passes a second all processors make and sign.
func press() (float64, error) {
	file, err := apple.NewIdentity(time.Now())
	if err != nil {
		return 0, err
	}
	identity, err := apple.ReadIdentity(file, "", nil)
	if err != nil {
		return 0, err
	}
	p := apple.NewPress(identity, "https://bench.example/passkit")
	f := pass.Face{
		Serial: strings.Repeat("0", 32), Token: strings.Repeat("1", 32), Style: pass.Generic, Org: "Bench", Barcode: pass.Barcode{Format: pass.QR, Message: strings.Repeat("code", 40)},
		ModifiedAt: time.Now(), ImageURLs: map[string]string{},
	}
	var n atomic.Int64
	var failed error
	var once sync.Once
	var parts sync.WaitGroup
	begun := time.Now()
	for range runtime.GOMAXPROCS(0) {
		parts.Go(func() {
			for time.Since(begun) < pressing {
				if _, err := p.Make(f, time.Now()); err != nil {
					once.Do(func() { failed = err })
					return
				}
				n.Add(1)
			}
		})
	}
	parts.Wait()
	return float64(n.Load()) / time.Since(begun).Seconds(), failed
}

// apns is a push service that takes everything and counts.
type apns struct {
	url, ca string
	server  *http.Server
	ended   chan struct{}

	now atomic.Pointer[tally]
}

// tally is what has come since a moment.
type tally struct {
	pushes, devices, first, last atomic.Int64 // first and last are times, of new devices
	seen                         sync.Map     // tokens of devices
}

// count begins a tally.
func (a *apns) count() *tally {
	t := &tally{}
	a.now.Store(t)
	return t
}

func newAPNs(ctx context.Context, dir string) (*apns, error) {
	certificate, file, err := selfSigned()
	if err != nil {
		return nil, err
	}
	a := &apns{ca: filepath.Join(dir, "apns.pem"), ended: make(chan struct{})}
	if err := os.WriteFile(a.ca, file, 0o600); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a.url = "https://" + l.Addr().String()
	a.count()
	a.server = &http.Server{
		Handler: a, ReadHeaderTimeout: time.Minute,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12},
	}
	go func() {
		defer close(a.ended)
		_ = a.server.ServeTLS(l, "", "") // until close
	}()
	return a, nil
}

// ServeHTTP takes a push.
func (a *apns) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var payload struct{}
	if json.NewDecoder(r.Body).Decode(&payload) != nil {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	t := a.now.Load()
	t.pushes.Add(1)
	if _, known := t.seen.LoadOrStore(r.URL.Path, true); known {
		return
	}
	now := time.Now().UnixNano()
	t.first.CompareAndSwap(0, now)
	t.last.Store(now)
	t.devices.Add(1)
}

func (a *apns) close() {
	_ = a.server.Close()
	<-a.ended
}

// selfSigned makes a certificate for this machine, and returns it in PEM too.
func selfSigned() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stagedoor bench"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
