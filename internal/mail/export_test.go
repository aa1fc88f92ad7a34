package mail

import (
	"context"
	"crypto/x509"
	"net"
)

// At has the sender connect to an address, whatever the host's name stands for, and trust an authority.
func (s *Sender) At(address string, roots *x509.CertPool) {
	s.tls.RootCAs = roots
	s.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
}
