package egress_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/egress"
)

// authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	cert := a.sign(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil)
	a.cert, a.key = cert.Leaf, cert.PrivateKey.(*ecdsa.PrivateKey)
	a.pool.AddCert(a.cert)
	return a
}

// sign makes a certificate that is valid now, unless the template says otherwise. Without a parent it signs itself.
func (a *authority) sign(t *testing.T, c *x509.Certificate, parent *authority) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: "test"}
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	c.NotBefore = time.Now().Add(-48 * time.Hour)
	signer, signerKey := c, key
	if parent != nil {
		signer, signerKey = parent.cert, parent.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, signer, key.Public(), signerKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestSecurity28_TLS(t *testing.T) {
	ca := newAuthority(t)
	here := []net.IP{net.IPv4(127, 0, 0, 1)}
	good := ca.sign(t, &x509.Certificate{IPAddresses: here}, ca)
	long := good
	for range 1500 {
		long.Certificate = append(long.Certificate, ca.cert.Raw, ca.cert.Raw) // about 1 MB
	}
	cases := []struct {
		name   string
		config *tls.Config // nil: no TLS at all
		serve  func(net.Conn, *bufio.Reader)
		code   egress.Code
		word   string // in the detail
	}{
		{"good", &tls.Config{Certificates: []tls.Certificate{good}}, nil, egress.CodeOK, ""},
		{"good, TLS 1.2", &tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS12}, nil, egress.CodeOK, ""},
		{"offers HTTP/2", &tls.Config{Certificates: []tls.Certificate{good}, NextProtos: []string{"h2", "http/1.1"}}, nil, egress.CodeOK, ""},
		{"expired", &tls.Config{Certificates: []tls.Certificate{ca.sign(t, &x509.Certificate{IPAddresses: here, NotAfter: time.Now().Add(-time.Hour)}, ca)}}, nil, egress.CodeTLS, "expired"},
		{"self-signed", &tls.Config{Certificates: []tls.Certificate{ca.sign(t, &x509.Certificate{IPAddresses: here}, nil)}}, nil, egress.CodeTLS, "authority"},
		{"wrong name", &tls.Config{Certificates: []tls.Certificate{ca.sign(t, &x509.Certificate{DNSNames: []string{"internal.corp.example"}}, ca)}}, nil, egress.CodeTLS, "another host"},
		{"TLS 1.1", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, nil, egress.CodeTLS, "handshake"},
		{"TLS 1.0", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}, nil, egress.CodeTLS, "handshake"},
		{"chain of 1 MB", &tls.Config{Certificates: []tls.Certificate{long}}, nil, egress.CodeTLS, "handshake"},
		{"asks for a client certificate", &tls.Config{Certificates: []tls.Certificate{good}, ClientAuth: tls.RequireAnyClientCert}, nil, egress.CodeTLS, "handshake"},
		{"speaks plain HTTP", nil, answeringOnce("HTTP/1.1 400 Bad Request\r\n\r\n"), egress.CodeTLS, "handshake"},
		{"stalls", nil, silent, egress.CodeTimeout, "deadline"},
		{"closes", nil, func(net.Conn, *bufio.Reader) {}, egress.CodeTLS, "handshake"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			serve := tc.serve
			if tc.config != nil {
				l = tls.NewListener(l, tc.config)
				serve = answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
			r := receiveOn(t, l, "https", serve)
			c := newClient(t, egress.Options{RootCAs: ca.pool})
			timeout := 20 * time.Second
			if tc.code == egress.CodeTimeout {
				timeout = impatient
			}
			req := &egress.Request{Target: target(t, r.url), Timeout: timeout, PoolKey: "e"}
			out := c.Do(t.Context(), req)
			if out.Code != tc.code || !strings.Contains(out.Detail, tc.word) || strings.Contains(out.Detail, "internal") {
				t.Fatalf("Do = %+v, want code %q with a detail about %q", out, tc.code, tc.word)
			}
			if tc.code != egress.CodeOK {
				return
			}
			if out.Status != 200 || out.Timing.TLS == 0 {
				t.Errorf("Do = %+v, want 200 and the time of a handshake", out)
			}
			if again := c.Do(t.Context(), req); again.Status != 200 || !again.Reused || again.Timing.TLS != 0 {
				t.Errorf("the second Do = %+v, want 200 over the same connection", again)
			}
		})
	}
}
