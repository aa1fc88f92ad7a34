package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"
)

// TestSecurity07_GuardIsTheLastWord: even if everything before it were wrong, the dialer does not connect to a closed address.
func TestSecurity07_GuardIsTheLastWord(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	listening := netip.MustParseAddrPort(l.Addr().String())
	p := NewPolicy(Config{})
	to, refused := parse("https://example.com/")
	if refused != nil {
		t.Fatal(refused)
	}
	to.port = listening.Port()
	for _, addr := range []netip.Addr{listening.Addr(), netip.MustParseAddr("::ffff:127.0.0.1"), netip.MustParseAddr("169.254.169.254")} {
		conn, err := p.connect(t.Context(), to, []netip.Addr{addr})
		var refused *Refused
		if !errors.As(err, &refused) || conn != nil {
			t.Errorf("connect(%s) = %v, %v; want it refused", addr, conn, err)
		}
	}
	for _, network := range []string{"udp4", "unix", "tcp"} {
		if err := p.guard(to)(t.Context(), network, "93.184.216.34:443", nil); err == nil {
			t.Errorf("the guard lets %s pass, want only tcp4 and tcp6", network)
		}
	}
}

// TestSecurity09_LookupIsBounded: the policy's own patience ends a look-up, not only the attempt's deadline.
func TestSecurity09_LookupIsBounded(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	p := NewPolicy(Config{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("udp", silent.LocalAddr().String())
	}}})
	if p.patience != 5*time.Second {
		t.Errorf("a look-up may take %v, want 5s", p.patience)
	}
	p.patience = 50 * time.Millisecond
	c := NewClient(p, Options{})
	defer c.Close()
	to, _ := Parse("https://hook.example.com/")
	if out := c.Do(t.Context(), &Request{Target: to, Timeout: MaxTimeout}); out.Code != CodeDNS {
		t.Errorf("Do = %+v, want code %q", out, CodeDNS)
	}
}

func TestAlternateFamilies(t *testing.T) {
	addrs := func(list ...string) (out []netip.Addr) {
		for _, a := range list {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	got := alternate(addrs("2a00::1", "2a00::2", "2a00::3", "192.0.2.1", "192.0.2.2"))
	want := addrs("2a00::1", "192.0.2.1", "2a00::2", "192.0.2.2", "2a00::3")
	for i := range want {
		if len(got) != len(want) || got[i] != want[i] {
			t.Fatalf("alternate = %v, want %v", got, want)
		}
	}
}
