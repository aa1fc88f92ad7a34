package mail_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// server is a mail server on a loopback address that keeps what it gets.
type server struct {
	address string
	roots   *x509.CertPool // whom to trust to trust it

	mu   sync.Mutex // guards mail and auth
	mail []letter
	auth []string // mechanisms that were used
}

type letter struct {
	From, To string
	Secure   bool
	User     string
	Data     string
}

// behaviour is how a server is set up.
type behaviour struct {
	name     string // of its certificate; "" for a server without TLS
	implicit bool
	user     string // "name:password" that it asks for; "" for nobody
}

func serve(t *testing.T, b behaviour) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{address: listener.Addr().String()}
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		open := &session{s: s, b: b, conn: c}
		if b.user == "" {
			return plainSession{open}, nil
		}
		return open, nil
	}))
	srv.Domain = "mail.test"
	srv.AllowInsecureAuth = true // what a client does then is what is tested
	srv.ErrorLog = log.New(io.Discard, "", 0)
	if b.name != "" {
		srv.TLSConfig, s.roots = certificate(t, b.name)
	}
	if b.implicit {
		listener = tls.NewListener(listener, srv.TLSConfig)
	}
	done := make(chan error)
	go func() { done <- srv.Serve(listener) }()
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-done; err != nil && !errors.Is(err, smtp.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("the mail server ended: %v", err)
		}
	})
	return s
}

// got returns what the server has taken.
func (s *server) got() []letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]letter{}, s.mail...)
}

// session is one conversation with a client.
type session struct {
	s    *server
	b    behaviour
	conn *smtp.Conn
	user string
	now  letter
}

// plainSession is one with a server that knows no AUTH.
type plainSession struct{ smtp.Session }

func (c *session) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

func (c *session) Auth(mechanism string) (sasl.Server, error) {
	c.s.mu.Lock()
	c.s.auth = append(c.s.auth, mechanism)
	c.s.mu.Unlock()
	return sasl.NewPlainServer(func(_, name, password string) error {
		if name+":"+password != c.b.user {
			return smtp.ErrAuthFailed
		}
		c.user = name
		return nil
	}), nil
}

func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if c.b.user != "" && c.user == "" {
		return smtp.ErrAuthRequired
	}
	_, secure := c.conn.TLSConnectionState()
	c.now = letter{From: from, Secure: secure, User: c.user}
	return nil
}

func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "<" + to + ">: there is no such mailbox"}
	}
	c.now.To += to
	return nil
}

func (c *session) Data(r io.Reader) error {
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		return err
	}
	if strings.Contains(b.String(), "spam") {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "refused: " + c.now.To}
	}
	c.now.Data = b.String()
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.mail = append(c.s.mail, c.now)
	return nil
}

func (c *session) Reset()        {}
func (c *session) Logout() error { return nil }

// certificate makes one for a name, and the pool of who signed it.
func certificate(t *testing.T, name string) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}
