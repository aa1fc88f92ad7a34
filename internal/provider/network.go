package provider

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/stagedoorhq/stagedoor/internal/problem"
)

// MaxNetworks is how long an allow-list may be.
const MaxNetworks = 100

const (
	maxCIDR    = 49 // characters: an IPv6 address in its longest form and "/128"
	mappedBits = 96 // of ::ffff:0:0/96, in which IPv4 addresses stand in IPv6
)

// ParseNetworks reads an allow-list: CIDR blocks such as 203.0.113.0/24 or 2001:db8::/32, and single addresses. An IPv4 block in its IPv6 spelling
// (::ffff:203.0.113.0/120) becomes the IPv4 block. It returns nil for an empty list, and an Invalid problem at /allowed_cidrs (more than 100) or at its entries.
func ParseNetworks(cidrs []string) ([]netip.Prefix, error) {
	if len(cidrs) > MaxNetworks {
		return nil, problem.Field("/allowed_cidrs", "too_many", "Give up to %d blocks.", MaxNetworks)
	}
	var faults problem.Fields
	var networks []netip.Prefix
	for i, cidr := range cidrs {
		network, fault := parseNetwork(cidr)
		if fault != "" {
			faults.Add("/allowed_cidrs/"+strconv.Itoa(i), "invalid", "%s", fault)
		}
		networks = append(networks, network)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return networks, nil
}

func parseNetwork(cidr string) (netip.Prefix, string) {
	const form = "Write a CIDR block such as 203.0.113.0/24 or 2001:db8::/32, or one address."
	if len(cidr) > maxCIDR {
		return netip.Prefix{}, form
	}
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		addr, err := netip.ParseAddr(cidr)
		if err != nil || addr.Zone() != "" || strings.Contains(cidr, "/") {
			return netip.Prefix{}, form
		}
		p = netip.PrefixFrom(addr, addr.BitLen())
	}
	if p.Addr().Is4In6() {
		if p.Bits() < mappedBits {
			return netip.Prefix{}, "This block is wider than all of IPv4 in its IPv6 spelling; write an IPv4 block such as 203.0.113.0/24."
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	if p != p.Masked() {
		return netip.Prefix{}, "Bits are set behind the block's prefix; write " + p.Masked().String() + ", or the one address without a prefix."
	}
	return p, ""
}

// Admits tells whether the address may send. An IPv4 address is one in either spelling, and an address in a zone (fe80::1%eth0) is the one without.
func (s Scheme) Admits(peer netip.Addr) bool {
	if s.Networks == nil {
		return true
	}
	peer = peer.Unmap().WithZone("")
	for _, n := range s.Networks {
		if n.Contains(peer) {
			return true
		}
	}
	return false
}

func (s Scheme) refuseNetwork(peer netip.Addr) *Refusal {
	from := "an unknown address"
	if peer.IsValid() {
		from = peer.Unmap().WithZone("").String()
	}
	return &Refusal{IPNotAllowed, from + " is in none of the networks of allowed_cidrs"}
}
