package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// What was answered before a server stopped is there when it runs again, idempotency included.
func TestAGracefulStopLosesNothing(t *testing.T) {
	harness.Each(t, false, func(t *testing.T, h *harness.House) {
		_, key := h.Org(t, "Stop")
		s := h.Serve(t)
		c := s.Client(key)
		r := harness.Receive(t, nil)
		made := c.Call(t, 201, "POST", "/api/v1/webhooks", body{"url": r.URL, "events": []string{"order.confirmed"}, "format": "portal"})
		r.Verify(t, schemes["portal"], text(t, made, "secret"))
		c.Call(t, 201, "POST", "/api/v1/events", newEvent("eventId", "STOP"))
		c.Call(t, 201, "POST", "/api/v1/inventory", newListing("STOP", "quantity", 100_000))
		b := newOrder("STOP", "section", "101", "row", "A", "quantity", 1)
		kept := c.Call(t, 201, "POST", "/api/v1/orders", b, "Idempotency-Key", "over-the-restart")

		var mu sync.Mutex
		promised := map[string]bool{text(t, kept, "order.orderId"): true}
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for range 16 {
			callers.Go(func() {
				for ctx.Err() == nil {
					a, err := c.Do(ctx, "POST", "/api/v1/orders", b)
					if err != nil {
						return // the server is gone
					}
					if a.Status == 201 {
						mu.Lock()
						promised[text(t, a, "order.orderId")] = true
						mu.Unlock()
					} else if a.Status != 503 {
						t.Errorf("an order during the stop was answered %d %s", a.Status, a.Body)
					}
				}
			})
		}
		time.Sleep(500 * time.Millisecond)
		if err := s.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := s.Wait(30 * time.Second); err != nil {
			t.Errorf("the server stopped with %v", err)
		}
		cancel()
		callers.Wait()

		s = h.Serve(t)
		c = s.Client(key)
		again := c.Call(t, 201, "POST", "/api/v1/orders", b, "Idempotency-Key", "over-the-restart")
		if !bytes.Equal(kept.Body, again.Body) {
			t.Errorf("after the restart the same request was answered\n%s, and before\n%s", again.Body, kept.Body)
		}
		for id := range promised {
			c.Call(t, 200, "GET", "/api/v1/orders/"+id, nil)
		}
		left, seen, ids := len(promised), 0, map[string]string{}
		r.Await(t, time.Minute, func(all []harness.Got) bool {
			for _, g := range all[seen:] {
				var d struct{ OrderID string }
				_ = json.Unmarshal(g.Body, &d)
				if was := ids[d.OrderID]; was != "" && was != g.Header.Get("X-Webhook-Delivery") {
					t.Errorf("%s came with two delivery ids", d.OrderID)
				} else if was == "" && promised[d.OrderID] {
					left--
				}
				ids[d.OrderID] = g.Header.Get("X-Webhook-Delivery")
			}
			seen = len(all)
			return left == 0
		})
		t.Logf("%d orders were answered before the stop", len(promised))
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
		h.Run(t, "audit")
	})
}

func TestTLSIsServed(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		if st.Database != "" {
			t.Skip("does not depend on the database")
		}
		dir := t.TempDir()
		cert, key, pool := certificate(t, dir)
		h := st.Beside(filepath.Join(dir, "data"), "")
		s := h.Serve(t, "--tls-cert", cert, "--tls-key", key)
		if !strings.HasPrefix(s.URL, "https://127.0.0.1:") {
			t.Fatalf("the server says that it is at %s", s.URL)
		}
		c := s.Client("")
		c.HTTP = &http.Client{Timeout: soon, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}}
		c.Call(t, 200, "GET", "/healthz", nil)
		for _, args := range [][]string{{"--tls-cert", cert}, {"--tls-key", key}, {"--tls-cert", key, "--tls-key", cert}} {
			if s, err := st.Beside(filepath.Join(dir, "other"), "").Start(args...); err == nil {
				s.Kill()
				t.Errorf("serve %v starts", args)
			}
		}
	})
}

// certificate writes a self-signed certificate for 127.0.0.1 and its key.
func certificate(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, pool = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), x509.NewCertPool()
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	write(t, cert, string(chain))
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	pool.AppendCertsFromPEM(chain)
	return cert, key, pool
}

func TestMetricsHaveAnAddressOfTheirOwn(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		if st.Database != "" {
			t.Skip("does not depend on the database")
		}
		h := st.Beside(t.TempDir(), "")
		s := h.Serve(t, "--metrics-listen", "127.0.0.1:0")
		c := s.Client("")
		if a := try(t, c, "GET", "/metrics", nil); a.Status != 404 {
			t.Errorf("the main address has /metrics too: %d", a.Status)
		}
		var metrics string
		eventually(t, func() bool {
			for _, line := range s.Said() {
				if _, url, found := strings.Cut(line, "metrics on "); found {
					metrics = strings.TrimSpace(url)
				}
			}
			return metrics != ""
		})
		c.URL = strings.TrimSuffix(metrics, "/metrics")
		if a := c.Call(t, 200, "GET", "/metrics", nil); !strings.Contains(string(a.Body), "stagedoor_") {
			t.Errorf("metrics: %.300s", a.Body)
		}
		if a := try(t, c, "GET", "/api/v1/events", nil); a.Status != 404 {
			t.Errorf("the metrics address answers the API with %d", a.Status)
		}
	})
}

// X-Forwarded-For is believed from proxies that were named, and from nobody else.
func TestTheClientBehindATrustedProxyIsLogged(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		if st.Database != "" {
			t.Skip("does not depend on the database")
		}
		for proxy, believed := range map[string]bool{"127.0.0.0/8": true, "10.0.0.0/8": false} {
			s := st.Beside(t.TempDir(), "").Serve(t, "--trusted-proxy", proxy)
			id := s.Client("").Call(t, 401, "GET", "/api/v1/events", nil, "X-Forwarded-For", "203.0.113.1, 198.51.100.7").Header.Get("X-Request-Id")
			eventually(t, func() bool { return s.LogOf(id) != "" })
			line := s.LogOf(id)
			if got := strings.Contains(line, "198.51.100.7"); got != believed {
				t.Errorf("with --trusted-proxy %s the log says %s", proxy, line)
			}
			if strings.Contains(line, "client=203.0.113.1") {
				t.Errorf("what the client says of itself is believed: %s", line)
			}
		}
	})
}
