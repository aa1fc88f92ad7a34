package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const lookupTimeout = 5 * time.Second

// CheckURL reads a URL and says whether it may be stored as a target: it is well-formed (see [Parse]) and its host's
// addresses are open. It looks the host up, which takes at most five seconds.
//
// An https URL whose name does not resolve is accepted, since the name may be set up later and is checked again at
// each connection. A URL that is acceptable only because the operator opened its addresses (plain http, an unusual port, a
// local name) has to resolve now, and to nothing but opened addresses.
//
// The error is a *[Refused].
func (p *Policy) CheckURL(ctx context.Context, raw string) (*Target, error) {
	t, refused := parse(raw)
	if refused != nil {
		return nil, refused
	}
	_, err := p.resolve(ctx, t)
	if err == nil {
		return t, nil
	}
	if errors.As(err, &refused) {
		return nil, refused
	}
	if refused := p.unlessOpened(t); refused != nil {
		return nil, refused
	}
	return t, nil
}

// resolve returns the addresses of a target, all of them permitted. The error is a *[Refused], or the resolver's.
func (p *Policy) resolve(ctx context.Context, t *Target) ([]netip.Addr, error) {
	if t.addr.IsValid() {
		if refused := p.permit(netip.AddrPortFrom(t.addr, t.port), t.plain); refused != nil {
			return nil, refused
		}
		return []netip.Addr{t.addr}, nil
	}
	condition := p.unlessOpened(t)
	if condition != nil && len(p.allow) == 0 {
		return nil, condition // nothing is opened, so nothing needs to be looked up
	}
	addrs, err := p.lookup(ctx, t.name)
	if err != nil {
		return nil, err
	}
	for _, addr := range addrs {
		if condition != nil && !p.opened(addr) {
			return nil, condition
		}
		if refused := p.permit(netip.AddrPortFrom(addr, t.port), t.plain); refused != nil {
			return nil, refused // one bad address closes the whole name
		}
	}
	return addrs, nil
}

// unlessOpened returns why a named target is refused unless the operator has opened all of its addresses, or nil.
func (p *Policy) unlessOpened(t *Target) *Refused {
	switch {
	case isLocalName(t.name):
		return errLocal
	case t.plain:
		return errPlain
	case !slices.Contains(p.ports, t.port):
		return p.errPort(t.port)
	}
	return nil
}

var errLocal = refuse(ReasonHost, "This host name is one of a private network. "+
	"Use a public name, or ask the operator to open the host's network with --allow-target.")

// localDomains are kept for private networks: RFC 6761, 6762, 8375, ICANN's resolution on .internal.
var localDomains = []string{"localhost", "local", "internal", "home.arpa"}

// isLocalName reports whether a name belongs to some private network by its form: a single label (localhost, metadata), or
// under a domain that is reserved for such (metadata.google.internal, x.svc.cluster.local).
func isLocalName(name string) bool {
	return !strings.Contains(name, ".") || slices.ContainsFunc(localDomains, func(domain string) bool {
		return name == domain || strings.HasSuffix(name, "."+domain)
	})
}

// lookup asks for the addresses of a name, at least one.
func (p *Policy) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return p.loopback(), nil
	}
	if strings.Contains(name, ".") {
		name += "." // absolute: the search list of this machine is not the tenant's business
	}
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	addrs, err := p.resolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return nil, err
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no addresses", Name: name, IsNotFound: true}
	}
	for i, addr := range addrs {
		addrs[i] = addr.Unmap()
	}
	return addrs, nil
}

// loopback returns what localhost means (RFC 6761, 6.3), without asking anybody: those of the two loopback addresses that
// the operator has opened, or else both.
func (p *Policy) loopback() []netip.Addr {
	both := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	open := slices.DeleteFunc(slices.Clone(both), func(addr netip.Addr) bool { return !p.opened(addr) })
	if len(open) == 0 {
		return both
	}
	return open
}
