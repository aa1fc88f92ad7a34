package egress

import (
	"net/netip"

	"code.dny.dev/ssrf"
)

// special knows the IANA special-purpose registries (RFC 6890): for IPv4 every registered range, for IPv6 everything
// outside 2000::/3 and the registered ranges inside it. It is asked about addresses only; ports are [Policy]'s.
// What it lacks is added here: mapped addresses (unwrapped before it is asked) and the services in [metadata].
var special = ssrf.New(ssrf.WithAnyNetwork(), ssrf.WithAnyPort())

// isPublic reports whether an unwrapped address is one of the public internet.
func isPublic(addr netip.Addr) bool { return special.SafeAddr(addr) == nil }

// metadata lists the addresses at which clouds hand credentials to whoever asks from inside. They stay refused even where
// an operator has opened a network that covers them. Some are public addresses, which no registry lists.
var metadata = map[netip.Addr]bool{
	netip.MustParseAddr("169.254.169.254"): true, // AWS, Google, Azure, Oracle, DigitalOcean, OpenStack
	netip.MustParseAddr("169.254.170.2"):   true, // AWS container credentials
	netip.MustParseAddr("169.254.170.23"):  true, // AWS pod identity
	netip.MustParseAddr("169.254.0.23"):    true, // Tencent
	netip.MustParseAddr("100.100.100.200"): true, // Alibaba
	netip.MustParseAddr("192.0.0.192"):     true, // Oracle, classic
	netip.MustParseAddr("168.63.129.16"):   true, // Azure's host agent, a public address
	netip.MustParseAddr("fd00:ec2::254"):   true, // AWS
	netip.MustParseAddr("fd00:ec2::23"):    true, // AWS pod identity
	netip.MustParseAddr("fd20:ce::254"):    true, // Google
	netip.MustParseAddr("fe80::a9fe:a9fe"): true, // OpenStack
}

// never reports whether an address is closed whatever the operator opens: metadata services, also when wrapped into IPv6,
// and addresses that name no single host (an unspecified address reaches this machine's own loopback).
func never(addr netip.Addr) bool {
	if addr.IsUnspecified() || addr.IsMulticast() || metadata[addr] {
		return true
	}
	v4, ok := embedded(addr)
	return ok && metadata[v4]
}

// Ranges of IPv6 addresses that carry an IPv4 address, and where in their 16 bytes it starts. All of them are special
// already; they matter where an operator opened one.
var wrappings = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible (RFC 4291, 2.5.5.1)
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated (RFC 7915)
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64 (RFC 6052)
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},  // NAT64, local use (RFC 8215), as a /96
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4 (RFC 3056)
}

// embedded returns the IPv4 address that an IPv6 address carries for a translator or tunnel on the way.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	for _, w := range wrappings {
		if w.prefix.Contains(addr) {
			return netip.AddrFrom4([4]byte(b[w.at : w.at+4])), true
		}
	}
	return netip.Addr{}, false
}
