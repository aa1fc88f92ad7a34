package provider_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoorhq/stagedoor/internal/provider"
)

// Security checklist, line 38: an allow-list works for IPv4, IPv6 and IPv4 in its IPv6 spelling. Whose address Peer is behind a proxy, the caller says.
func TestLine38NetworksAdmitInEverySpelling(t *testing.T) {
	networks, err := provider.ParseNetworks([]string{"203.0.113.0/24", "2001:db8:1::/48", "::ffff:198.51.100.0/120", "192.0.2.7", "2001:db8:2::7", "fe80::/10"})
	if err != nil {
		t.Fatal(err)
	}
	s := provider.Scheme{Networks: networks}
	for addr, in := range map[string]bool{
		"203.0.113.0": true, "203.0.113.255": true, "203.0.112.255": false, "203.0.114.0": false,
		"::ffff:203.0.113.9": true, "::ffff:203.0.114.0": false, "::203.0.113.9": false, "64:ff9b::203.0.113.9": false,
		"2001:db8:1::": true, "2001:db8:1:ffff:ffff:ffff:ffff:ffff": true, "2001:db8:0:ffff::": false, "2001:db8:2::": false,
		"198.51.100.1": true, "::ffff:198.51.100.1": true, "198.51.101.0": false,
		"192.0.2.7": true, "192.0.2.8": false, "2001:db8:2::7": true, "2001:db8:2::8": false,
		"fe80::1%eth0": true, "0.0.0.0": false, "::": false, "::1": false,
	} {
		if got := s.Admits(netip.MustParseAddr(addr)); got != in {
			t.Errorf("Admits(%s) = %v, want %v", addr, got, in)
		}
	}
	if s.Admits(netip.Addr{}) {
		t.Error("an unknown address is let in")
	}
	if !(provider.Scheme{}).Admits(netip.Addr{}) || (provider.Scheme{Networks: []netip.Prefix{}}).Admits(netip.IPv6Loopback()) {
		t.Error("without an allow-list everybody is let in, with an empty one nobody")
	}
	r := refused(t, "refused", s, provider.Request{Peer: netip.MustParseAddr("::ffff:203.0.114.0")}, now, provider.IPNotAllowed)
	if r != nil && !strings.HasPrefix(r.Detail, "203.0.114.0 ") {
		t.Errorf("detail %q does not name the address as IPv4", r.Detail)
	}
	refused(t, "unknown address", s, provider.Request{}, now, provider.IPNotAllowed)
}

func TestParseNetworksTakesWhatIsUnambiguous(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "10.1.2.3": "10.1.2.3/32", "0.0.0.0/0": "0.0.0.0/0", "::/0": "::/0", "2001:DB8::/32": "2001:db8::/32", "::1": "::1/128",
		"::ffff:10.0.0.0/104": "10.0.0.0/8", "::ffff:10.1.2.3": "10.1.2.3/32", "::ffff:0:0/96": "0.0.0.0/0", "0000:0000:0000:0000:0000:ffff:255.255.255.255/128": "255.255.255.255/32",
		"": "", "10.0.0.0": "10.0.0.0/32", "10.0.0.1/8": "", "10.0.0.0/33": "", "10.0.0.0/-1": "", "10.0.0.0/08": "", "10.0.0.0/8 ": "", " 10.0.0.0/8": "", "10.0.0/8": "",
		"10.0.0.0/255.0.0.0": "", "010.0.0.0/8": "", "0x0a.0.0.0/8": "", "10/8": "", "*": "", "example.com": "", "2001:db8::/129": "", "::ffff:0:0/95": "", "::ffff:0.0.0.0/0": "",
		"fe80::1%eth0": "", "fe80::%eth0/64": "", "10.0.0.0/8/8": "", "[::1]": "", "１０.0.0.0/8": "", strings.Repeat("1", 1<<20): "",
	} {
		got, err := provider.ParseNetworks([]string{"192.0.2.1", text})
		if want == "" {
			pointers(t, err, "/allowed_cidrs/1")
			continue
		}
		if err != nil || len(got) != 2 || got[1].String() != want {
			t.Errorf("ParseNetworks(%.60q) = %v, %v; want %s", text, got, err, want)
		}
	}
	_, err := provider.ParseNetworks([]string{"x", "10.0.0.0/8", "y"})
	pointers(t, err, "/allowed_cidrs/0", "/allowed_cidrs/2")
	_, err = provider.ParseNetworks(slices.Repeat([]string{"10.0.0.0/8"}, provider.MaxNetworks+1))
	pointers(t, err, "/allowed_cidrs")
	if got, err := provider.ParseNetworks(slices.Repeat([]string{"10.0.0.0/8"}, provider.MaxNetworks)); err != nil || len(got) != provider.MaxNetworks {
		t.Errorf("ParseNetworks of %d: %d, %v", provider.MaxNetworks, len(got), err)
	}
	if got, err := provider.ParseNetworks(nil); got != nil || err != nil {
		t.Errorf("ParseNetworks(nil) = %v, %v", got, err)
	}
}
