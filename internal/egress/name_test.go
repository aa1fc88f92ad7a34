package egress_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/stagedoorhq/stagedoor/internal/egress"
)

// TestSecurity03_OddSpellingsAreNotResolved pins what Go's resolver makes of spellings that some systems take for
// 127.0.0.1, should one ever get past Parse: it asks the name servers, and dials no address.
func TestSecurity03_OddSpellingsAreNotResolved(t *testing.T) {
	dns := startDNS(t, addresses(nil))
	for _, host := range []string{"127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0", "①②⑦.0.0.1", "127。0。0。1"} {
		if addrs, err := dns.resolver.LookupNetIP(t.Context(), "ip", host); err == nil {
			t.Errorf("LookupNetIP(%q) = %v, want an error", host, addrs)
		}
	}
}

func TestSecurity05_NamesOfPrivateAddresses(t *testing.T) {
	dns := startDNS(t, addresses(map[string][]string{
		"169.254.169.254.nip.io.": {"169.254.169.254"}, "10-0-0-1.sslip.io.": {"10.0.0.1"},
	}))
	p := egress.NewPolicy(egress.Config{Resolver: dns.resolver})
	for _, url := range []string{"https://169.254.169.254.nip.io/", "https://10-0-0-1.sslip.io/"} {
		if _, err := p.CheckURL(t.Context(), url); reason(err) != egress.ReasonAddress {
			t.Errorf("CheckURL(%s) = %v, want refused by its address", url, err)
		}
	}
}

func TestSecurity06_OneClosedAddressClosesTheName(t *testing.T) {
	open, closed := twins(t)
	for _, zone := range [][]string{{"127.0.0.2", "127.0.0.1"}, {"127.0.0.1", "127.0.0.2"}, {"127.0.0.2", "::1"}} {
		dns := startDNS(t, addresses(map[string][]string{"both.example.com.": zone}))
		p := egress.NewPolicy(egress.Config{Resolver: dns.resolver, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}})
		c := egress.NewClient(p, egress.Options{})
		defer c.Close()
		url := fmt.Sprintf("http://both.example.com:%d/", open.port)
		if _, err := p.CheckURL(t.Context(), url); err == nil {
			t.Errorf("CheckURL(%s) with %v: accepted, want refused", url, zone)
		}
		if out := c.Do(t.Context(), &egress.Request{Target: target(t, url), Timeout: time.Second}); out.Code != egress.CodeRefused {
			t.Errorf("Do(%s) with %v = %+v, want code %q", url, zone, out, egress.CodeRefused)
		}
	}
	if n := open.accepted.Load() + closed.accepted.Load(); n != 0 {
		t.Errorf("%d connections were made, want none", n)
	}
}

func TestSecurity07_Rebinding(t *testing.T) {
	open, closed := twins(t)
	var asked atomic.Int64
	dns := startDNS(t, func(q dnsmessage.Question, m *dnsmessage.Message) {
		if q.Type != dnsmessage.TypeA {
			return
		}
		addr := "127.0.0.2"
		if asked.Add(1)%2 == 0 {
			addr = "127.0.0.1"
		}
		addAddress(q, m, q.Name, netip.MustParseAddr(addr))
	})
	p := egress.NewPolicy(egress.Config{Resolver: dns.resolver, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}})
	c := egress.NewClient(p, egress.Options{})
	defer c.Close()
	r := &egress.Request{Target: target(t, fmt.Sprintf("http://rebind.example.com:%d/", open.port))}
	codes := map[egress.Code]int{}
	for range 1000 {
		codes[c.Do(t.Context(), r).Code]++ // the receiver closes each connection, so each delivery looks up anew
	}
	if codes[egress.CodeOK] != 500 || codes[egress.CodeRefused] != 500 {
		t.Errorf("1000 deliveries ended with %v, want half of them delivered and half refused", codes)
	}
	if n := closed.accepted.Load(); n != 0 {
		t.Errorf("%d connections were made to the private address, want none", n)
	}
}

func TestSecurity08_CNAMEToPrivateName(t *testing.T) {
	dns := startDNS(t, func(q dnsmessage.Question, m *dnsmessage.Message) {
		next := dnsmessage.MustNewName("db.corp.example.")
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeCNAME, Class: dnsmessage.ClassINET},
			Body:   &dnsmessage.CNAMEResource{CNAME: next},
		})
		addAddress(q, m, next, netip.MustParseAddr("10.9.8.7"))
		if q.Type != dnsmessage.TypeA && q.Type != dnsmessage.TypeAAAA {
			t.Errorf("the resolver asked for %v; SVCB and HTTPS records are not our business", q.Type)
		}
	})
	p := egress.NewPolicy(egress.Config{Resolver: dns.resolver})
	if _, err := p.CheckURL(t.Context(), "https://alias.example.com/"); reason(err) != egress.ReasonAddress {
		t.Errorf("CheckURL of an alias of a private name = %v, want refused by its address", err)
	}
	c := egress.NewClient(p, egress.Options{})
	defer c.Close()
	out := c.Do(t.Context(), &egress.Request{Target: target(t, "https://alias.example.com/")})
	if out.Code != egress.CodeRefused || strings.Contains(out.Detail, "10.9") || strings.Contains(out.Detail, "corp") {
		t.Errorf("Do = %+v, want code %q and no word about where the alias leads", out, egress.CodeRefused)
	}
}

func TestSecurity09_NameServerTrouble(t *testing.T) {
	rcode := func(code dnsmessage.RCode) dnsAnswer {
		return func(_ dnsmessage.Question, m *dnsmessage.Message) { m.RCode = code }
	}
	many := func(private bool) dnsAnswer {
		return func(q dnsmessage.Question, m *dnsmessage.Message) {
			for i := range 4000 { // what fits into 64 KiB
				addAddress(q, m, q.Name, netip.AddrFrom4([4]byte{93, 184, byte(i >> 8), byte(i)}))
			}
			if private {
				addAddress(q, m, q.Name, netip.MustParseAddr("10.0.0.1"))
			}
		}
	}
	text := func(q dnsmessage.Question, m *dnsmessage.Message) {
		line := strings.Repeat("x", 255)
		for range 200 {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeTXT, Class: dnsmessage.ClassINET},
				Body:   &dnsmessage.TXTResource{TXT: []string{line}},
			})
		}
	}
	drip := func(conn net.Conn, packed []byte) {
		for _, b := range append([]byte{0xff, 0xff}, packed...) {
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	cases := []struct {
		name   string
		dns    *dnsServer
		code   egress.Code // of an attempt
		accept bool        // when an endpoint is created
	}{
		{"silence", startDNS(t, rcode(silence)), egress.CodeTimeout, true},
		{"SERVFAIL", startDNS(t, rcode(dnsmessage.RCodeServerFailure)), egress.CodeDNS, true},
		{"REFUSED", startDNS(t, rcode(dnsmessage.RCodeRefused)), egress.CodeDNS, true},
		{"NXDOMAIN", startDNS(t, rcode(dnsmessage.RCodeNameError)), egress.CodeDNS, true},
		{"empty", startDNS(t, rcode(dnsmessage.RCodeSuccess)), egress.CodeDNS, true},
		{"text", startDNS(t, text), egress.CodeDNS, true},
		{"4001 addresses, one private", startDNS(t, many(true)), egress.CodeRefused, false},
		{"trickle", startDNSWith(t, many(false), drip), egress.CodeTimeout, true},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := egress.NewPolicy(egress.Config{Resolver: tc.dns.resolver})
			c := egress.NewClient(p, egress.Options{})
			defer c.Close()
			timeout := 5 * time.Second
			if tc.code == egress.CodeTimeout {
				timeout = 300 * time.Millisecond
			}
			out := c.Do(t.Context(), &egress.Request{Target: target(t, "https://hook.example.com/"), Timeout: timeout})
			if out.Code != tc.code || out.Detail == "" {
				t.Errorf("Do = %+v, want code %q and a detail", out, tc.code)
			}
			if tc.code != egress.CodeTimeout && out.Timing.DNS == 0 {
				t.Errorf("Timing = %+v, want the time of the look-up in it", out.Timing)
			}
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			if _, err := p.CheckURL(ctx, "https://hook.example.com/"); (err == nil) != tc.accept {
				t.Errorf("CheckURL = %v, want accepted: %v", err, tc.accept)
			}
		})
	}
}

// twin is a receiver on 127.0.0.1 or 127.0.0.2 that answers 200 and closes.
type twin struct {
	port     int
	accepted atomic.Int64
}

// twins are two receivers on the same port of two loopback addresses, 127.0.0.2 first: one for a test to open, one to keep
// closed.
func twins(t *testing.T) (open, closed *twin) {
	t.Helper()
	for range 20 {
		l2, err := net.Listen("tcp", "127.0.0.2:0")
		if err != nil {
			t.Skipf("no second loopback address on this machine: %v", err)
		}
		port := l2.Addr().(*net.TCPAddr).Port
		l1, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			_ = l2.Close()
			continue // somebody else has it
		}
		open, closed = &twin{port: port}, &twin{port: port}
		go open.serve(l2)
		go closed.serve(l1)
		t.Cleanup(func() { _ = l1.Close(); _ = l2.Close() })
		return open, closed
	}
	t.Fatal("no port is free on both loopback addresses")
	return nil, nil
}

func (w *twin) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		w.accepted.Add(1)
		go func() {
			defer conn.Close()
			readRequest(conn)
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
		}()
	}
}
