package egress

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// Config says what a [Policy] opens beyond the public internet over https on port 443. The zero value opens nothing more.
type Config struct {
	// Allow lists networks that the operator opened with --allow-target. Their addresses may be reached with plain http
	// too, and on any port. An entry in IPv4-mapped form counts as the IPv4 network it means.
	Allow []netip.Prefix

	// Ports lists ports that are open on every public address, besides 443.
	Ports []uint16

	// Resolver looks names up; nil is Go's own resolver with the system's configuration. Tests point it at a server of
	// their own.
	Resolver *net.Resolver
}

// Policy decides which addresses may be reached. It is safe for concurrent use.
type Policy struct {
	allow    []netip.Prefix
	ports    []uint16
	resolver *net.Resolver
	patience time.Duration                    // bounds one look-up, whatever the name servers do
	own      atomic.Pointer[[]netip.AddrPort] // set by Own, read by every dial
}

// NewPolicy makes a policy from a configuration.
func NewPolicy(c Config) *Policy {
	p := &Policy{ports: append([]uint16{443}, c.Ports...), resolver: c.Resolver, patience: lookupTimeout}
	for _, prefix := range c.Allow {
		p.allow = append(p.allow, unmap(prefix))
	}
	if p.resolver == nil {
		// Go's resolver gives up when its context does; the C library's blocks a thread.
		p.resolver = &net.Resolver{PreferGo: true}
	}
	return p
}

// unmap turns ::ffff:10.0.0.0/104 into 10.0.0.0/8, since addresses are compared unwrapped.
func unmap(prefix netip.Prefix) netip.Prefix {
	if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
		return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96).Masked()
	}
	return prefix.Masked()
}

// Own names the addresses that are never reached because they are Stagedoor's: where it listens, its public addresses, its
// database. An unspecified address (0.0.0.0 or ::) stands for every address of this machine with that port. The list
// replaces the one before; it can be given once the listeners are open.
func (p *Policy) Own(addrs ...netip.AddrPort) {
	list := make([]netip.AddrPort, 0, len(addrs))
	for _, a := range addrs {
		list = append(list, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	p.own.Store(&list)
}

// opened reports whether the operator has opened the address.
func (p *Policy) opened(addr netip.Addr) bool {
	for _, prefix := range p.allow {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// permit says whether a connection to an address may be made. plain is http without TLS. It is the whole of the rule about
// addresses: the check of a URL and the dialer both end here.
func (p *Policy) permit(to netip.AddrPort, plain bool) *Refused {
	if to.Addr().Zone() != "" {
		return errZone
	}
	addr := to.Addr().Unmap()
	switch {
	case never(addr), p.isOwn(addr, to.Port()):
		return errAddress
	case p.opened(addr):
		return nil
	case !isPublic(addr):
		return errAddress
	case plain:
		return errPlain
	case !slices.Contains(p.ports, to.Port()):
		return p.errPort(to.Port())
	}
	return nil
}

// isOwn compares with the list of [Policy.Own].
func (p *Policy) isOwn(addr netip.Addr, port uint16) bool {
	list := p.own.Load()
	if list == nil {
		return false
	}
	for _, own := range *list {
		if own.Port() != port {
			continue
		}
		if own.Addr() == addr || own.Addr().IsUnspecified() && isLocal(addr) {
			return true
		}
	}
	return false
}

// isLocal reports whether an address is one of this machine's. The interfaces are read each time, since addresses come and
// go; it happens only for dials to a port on which we listen ourselves.
func isLocal(addr netip.Addr) bool {
	if addr.IsLoopback() {
		return true
	}
	locals, err := net.InterfaceAddrs()
	if err != nil {
		return true // cannot tell: stay closed
	}
	return slices.ContainsFunc(locals, func(a net.Addr) bool {
		prefix, err := netip.ParsePrefix(a.String())
		return err == nil && prefix.Addr().Unmap().WithZone("") == addr
	})
}

// One sentence stands for every refused address, so that it does not tell a private network from a metadata service or from
// ourselves.
var (
	errAddress = refuse(ReasonAddress, "This host's address is not open: private, local and reserved networks are closed. "+
		"Use a host with public addresses only, or ask the operator to open the network with --allow-target.")
	errZone = refuse(ReasonHost, "An address with a zone (the part after %) is not open. Use a public address without a zone.")

	errPlain = refuse(ReasonScheme, "Use https: plain http is accepted only for addresses that the operator has opened with --allow-target.")
)

func (p *Policy) errPort(port uint16) *Refused {
	if len(p.ports) == 1 {
		return refuse(ReasonPort, fmt.Sprintf("Port %d is not open. Use port 443, or ask the operator to open the address with --allow-target.", port))
	}
	return refuse(ReasonPort, fmt.Sprintf("Port %d is not open. Use one of the ports %s, or ask the operator to open the address with --allow-target.",
		port, joinPorts(p.ports)))
}
