package web

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is a TLS certificate from files that may be renewed while the server runs.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex // guards the rest
	current *tls.Certificate
	stamp   [2]time.Time // the files' times when current was read
	looked  time.Time
}

func newCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	stamp, err := c.times()
	if err != nil {
		return nil, fmt.Errorf("TLS certificate: %w", err)
	}
	if err := c.load(stamp); err != nil {
		return nil, err
	}
	return c, nil
}

// get returns the certificate; it looks for newer files at most once a second. A renewal that cannot be read (half written, say) is
// logged and tried again, and the old one stays in use.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= time.Second {
		c.looked = now
		stamp, err := c.times()
		if err == nil && stamp != c.stamp {
			err = c.load(stamp)
		}
		if err != nil {
			c.log.Error("the renewed TLS certificate cannot be used; the old one stays", "error", err)
		}
	}
	return c.current, nil
}

func (c *certificate) load(stamp [2]time.Time) error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("TLS certificate %s: %w", c.certFile, err)
	}
	c.current, c.stamp = &pair, stamp
	return nil
}

func (c *certificate) times() (stamp [2]time.Time, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return stamp, err
		}
		stamp[i] = info.ModTime()
	}
	return stamp, nil
}
