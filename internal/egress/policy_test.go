package egress_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/internal/egress"
)

// closedRanges are the ranges of the security checklist, each with an address just past its end and whether that one is open.
var closedRanges = []struct {
	first, last, past string
	pastOpen          bool
}{
	{"0.0.0.0", "0.255.255.255", "1.0.0.0", true},
	{"10.0.0.0", "10.255.255.255", "11.0.0.0", true},
	{"100.64.0.0", "100.127.255.255", "100.128.0.0", true},
	{"127.0.0.0", "127.255.255.255", "128.0.0.0", true},
	{"169.254.0.0", "169.254.255.255", "169.255.0.0", true},
	{"172.16.0.0", "172.31.255.255", "172.32.0.0", true},
	{"192.0.0.0", "192.0.0.255", "192.0.1.0", true},
	{"192.0.2.0", "192.0.2.255", "192.0.3.0", true},
	{"192.31.196.0", "192.31.196.255", "192.31.197.0", true},
	{"192.52.193.0", "192.52.193.255", "192.52.194.0", true},
	{"192.88.99.0", "192.88.99.255", "192.88.100.0", true},
	{"192.168.0.0", "192.168.255.255", "192.169.0.0", true},
	{"192.175.48.0", "192.175.48.255", "192.175.49.0", true},
	{"198.18.0.0", "198.19.255.255", "198.20.0.0", true},
	{"198.51.100.0", "198.51.100.255", "198.51.101.0", true},
	{"203.0.113.0", "203.0.113.255", "203.0.114.0", true},
	{"224.0.0.0", "239.255.255.255", "240.0.0.0", false},
	{"240.0.0.0", "255.255.255.255", "1.1.1.1", true},
	{"168.63.129.16", "168.63.129.16", "168.63.129.17", true},
	{"192.0.0.192", "192.0.0.192", "9.9.9.9", true},
	{"::", "::", "::2", false},
	{"::1", "::1", "::2", false},
	{"::", "::ffff:ffff", "::1:0:0", false},
	{"::ffff:10.0.0.0", "::ffff:10.255.255.255", "::ffff:11.0.0.0", true},
	{"::ffff:127.0.0.0", "::ffff:127.255.255.255", "::ffff:128.0.0.0", true},
	{"::ffff:169.254.169.254", "::ffff:169.254.169.254", "::ffff:8.8.8.8", true},
	{"::ffff:0:0:0", "::ffff:0:ffff:ffff", "::ffff:1:0:0", false},
	{"64:ff9b::", "64:ff9b::ffff:ffff", "64:ff9b::1:0:0", false},
	{"64:ff9b::a9fe:a9fe", "64:ff9b::a9fe:a9fe", "2606:4700::1", true},
	{"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "64:ff9b:2::", false},
	{"100::", "100::ffff:ffff:ffff:ffff", "100:0:0:1::", false},
	{"::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::", true},
	{"2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::", true},
	{"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", true},
	{"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::", true},
	{"2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "2620:4f:8001::", true},
	{"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::", true},
	{"4000::", "4000::1", "4001::", false},
	{"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5f01::", false},
	{"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::", false},
	{"fd00:ec2::254", "fd20:ce::254", "2a00::1", true},
	{"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fec0::", false},
	{"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff00::", false},
	{"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2a00::1", true},
}

func literal(addr string) string {
	if strings.Contains(addr, ":") {
		return "https://[" + addr + "]/hook"
	}
	return "https://" + addr + "/hook"
}

func TestSecurity01_ClosedRangesAsLiterals(t *testing.T) {
	p := egress.NewPolicy(egress.Config{})
	c := egress.NewClient(p, egress.Options{})
	defer c.Close()
	for _, r := range closedRanges {
		for _, addr := range []string{r.first, r.last} {
			if _, err := p.CheckURL(t.Context(), literal(addr)); reason(err) != egress.ReasonAddress {
				t.Errorf("CheckURL(%s) = %v, want refused by its address", literal(addr), err)
			}
			out := c.Do(t.Context(), &egress.Request{Target: target(t, literal(addr)), Timeout: time.Second})
			if out.Code != egress.CodeRefused {
				t.Errorf("Do(%s).Code = %q, want %q", literal(addr), out.Code, egress.CodeRefused)
			}
		}
		if _, err := p.CheckURL(t.Context(), literal(r.past)); (err == nil) != r.pastOpen {
			t.Errorf("CheckURL(%s) = %v, want open: %v", literal(r.past), err, r.pastOpen)
		}
	}
}

func TestSecurity01_ClosedRangesAsAnswers(t *testing.T) {
	zone := map[string][]string{}
	for i, r := range closedRanges {
		zone[fmt.Sprintf("first%d.example.com.", i)] = []string{r.first}
		zone[fmt.Sprintf("last%d.example.com.", i)] = []string{r.last}
		zone[fmt.Sprintf("past%d.example.com.", i)] = []string{r.past}
	}
	dns := startDNS(t, addresses(zone))
	p := egress.NewPolicy(egress.Config{Resolver: dns.resolver})
	c := egress.NewClient(p, egress.Options{})
	defer c.Close()
	for i, r := range closedRanges {
		for _, name := range []string{fmt.Sprintf("first%d", i), fmt.Sprintf("last%d", i)} {
			url := "https://" + name + ".example.com/"
			if _, err := p.CheckURL(t.Context(), url); reason(err) != egress.ReasonAddress {
				t.Errorf("CheckURL(%s), at %s to %s = %v, want refused by its address", url, r.first, r.last, err)
			}
			out := c.Do(t.Context(), &egress.Request{Target: target(t, url), Timeout: time.Second})
			if out.Code != egress.CodeRefused {
				t.Errorf("Do(%s), at %s to %s, has code %q, want %q", url, r.first, r.last, out.Code, egress.CodeRefused)
			}
		}
		url := fmt.Sprintf("https://past%d.example.com/", i)
		if _, err := p.CheckURL(t.Context(), url); (err == nil) != r.pastOpen {
			t.Errorf("CheckURL(%s), at %s = %v, want open: %v", url, r.past, err, r.pastOpen)
		}
	}
}

// reason returns why something was refused, "" if it was not.
func reason(err error) egress.Reason {
	var refused *egress.Refused
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}

func TestSecurity04_LocalNamesNeedOpenedAddresses(t *testing.T) {
	dns := startDNS(t, addresses(map[string][]string{
		"public.internal.": {"93.184.216.34"}, "app.internal.": {"10.1.2.3"}, "mixed.internal.": {"10.1.2.3", "93.184.216.34"},
		"metadata.google.internal.": {"169.254.169.254"},
	}))
	p := egress.NewPolicy(egress.Config{Resolver: dns.resolver, Allow: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
	}})
	for url, want := range map[string]egress.Reason{
		"https://app.internal/":             "",
		"http://app.internal:8080/":         "",
		"https://public.internal/":          egress.ReasonHost,
		"https://mixed.internal/":           egress.ReasonHost,
		"https://missing.internal/":         egress.ReasonHost,
		"http://metadata.google.internal/":  egress.ReasonAddress,
		"https://localhost/":                egress.ReasonHost,
		"https://metadata.google.internal/": egress.ReasonAddress,
	} {
		if _, err := p.CheckURL(t.Context(), url); reason(err) != want {
			t.Errorf("CheckURL(%s) = %v, want reason %q", url, err, want)
		}
	}
}

func TestSecurity12_PortsOfTheOperator(t *testing.T) {
	p := egress.NewPolicy(egress.Config{Ports: []uint16{8443, 5432}})
	for url, want := range map[string]egress.Reason{
		"https://93.184.216.34/":      "",
		"https://93.184.216.34:8443/": "",
		"https://93.184.216.34:5432/": "",
		"https://93.184.216.34:8080/": egress.ReasonPort,
		"http://93.184.216.34:8443/":  egress.ReasonScheme,
		"https://10.0.0.1:8443/":      egress.ReasonAddress,
	} {
		_, err := p.CheckURL(t.Context(), url)
		if reason(err) != want {
			t.Errorf("CheckURL(%s) = %v, want reason %q", url, err, want)
		}
		if want == egress.ReasonPort && !strings.Contains(err.Error(), "443, 8443, 5432") {
			t.Errorf("CheckURL(%s) = %v, want the open ports named", url, err)
		}
	}
}

func TestSecurity16_ProxiesOfTheEnvironmentAreIgnored(t *testing.T) {
	open, closed := twins(t)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		t.Setenv(name, fmt.Sprintf("http://127.0.0.1:%d", closed.port))
	}
	c := newClient(t, egress.Options{})
	out := c.Do(t.Context(), &egress.Request{Target: target(t, fmt.Sprintf("http://127.0.0.2:%d/", open.port))})
	if out.Status != 200 || open.accepted.Load() != 1 || closed.accepted.Load() != 0 {
		t.Errorf("Do = %+v with %d direct and %d proxied connections, want 200, 1 and 0", out, open.accepted.Load(), closed.accepted.Load())
	}
}

func TestSecurity18_OperatorOpensExactlyOneNetwork(t *testing.T) {
	all := func(cidrs ...string) (list []netip.Prefix) {
		for _, c := range cidrs {
			list = append(list, netip.MustParsePrefix(c))
		}
		return list
	}
	cases := []struct {
		allow []netip.Prefix
		url   string
		open  bool
	}{
		{all("10.20.0.0/16"), "http://10.20.0.1:8080/", true},
		{all("10.20.0.0/16"), "https://10.20.255.255/", true},
		{all("10.20.0.0/16"), "http://[::ffff:10.20.0.1]/", true},
		{all("::ffff:10.20.0.0/112"), "http://10.20.0.1/", true},
		{all("10.20.0.0/16"), "http://10.21.0.0/", false},
		{all("10.20.0.0/16"), "http://10.19.255.255/", false},
		{all("10.20.0.0/16"), "https://[64:ff9b::10.20.0.1]/", false},
		{all("10.20.0.0/16"), "http://93.184.216.34/", false},
		{all("10.20.0.0/16"), "https://93.184.216.34/", true},
		{all("127.0.0.0/8"), "http://localhost:3000", true},
		{all("127.0.0.0/8"), "http://LOCALHOST:3000/", true},
		{all("127.0.0.0/8"), "http://app.localhost:3000/", true},
		{all("127.0.0.0/8"), "http://[::1]:3000/", false},
		{all("::1/128"), "http://localhost:3000/", true},
		{all("fd00::/8"), "http://[fd12::1]:9000/", true},
		{all("0.0.0.0/0", "::/0"), "http://93.184.216.34:81/", true},
		{all("0.0.0.0/0", "::/0"), "http://169.254.169.254/", false},
		{all("0.0.0.0/0", "::/0"), "http://169.254.170.2/", false},
		{all("0.0.0.0/0", "::/0"), "http://[::ffff:169.254.169.254]/", false},
		{all("0.0.0.0/0", "::/0"), "http://[64:ff9b::169.254.169.254]/", false},
		{all("0.0.0.0/0", "::/0"), "http://[2002:a9fe:a9fe::1]/", false},
		{all("0.0.0.0/0", "::/0"), "http://[::169.254.169.254]/", false},
		{all("0.0.0.0/0", "::/0"), "http://[fd00:ec2::254]/", false},
		{all("0.0.0.0/0", "::/0"), "http://[fd20:ce::254]/", false},
		{all("0.0.0.0/0", "::/0"), "http://168.63.129.16/", false},
		{all("0.0.0.0/0", "::/0"), "http://100.100.100.200/", false},
		{all("0.0.0.0/0", "::/0"), "http://192.0.0.192/", false},
		{all("0.0.0.0/0", "::/0"), "http://0.0.0.0/", false},
		{all("0.0.0.0/0", "::/0"), "http://[::]/", false},
		{all("0.0.0.0/0", "::/0"), "http://224.0.0.1/", false},
		{all("169.254.169.254/32"), "http://169.254.169.254/", false},
	}
	for _, tc := range cases {
		p := egress.NewPolicy(egress.Config{Allow: tc.allow, Resolver: noDNS(t)})
		if _, err := p.CheckURL(t.Context(), tc.url); (err == nil) != tc.open {
			t.Errorf("with %v: CheckURL(%s) = %v, want open: %v", tc.allow, tc.url, err, tc.open)
		}
	}
}

// TestPlainHTTPByName: http is accepted for a name only if all of its addresses are opened, now.
func TestPlainHTTPByName(t *testing.T) {
	dns := startDNS(t, addresses(map[string][]string{
		"in.example.com.": {"10.0.0.1", "10.0.0.2"}, "out.example.com.": {"93.184.216.34"}, "half.example.com.": {"10.0.0.1", "93.184.216.34"},
	}))
	p := egress.NewPolicy(egress.Config{Resolver: dns.resolver, Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	for url, want := range map[string]egress.Reason{
		"http://in.example.com/":        "",
		"https://in.example.com:9/":     "",
		"http://out.example.com/":       egress.ReasonScheme,
		"https://out.example.com:9/":    egress.ReasonPort,
		"http://half.example.com/":      egress.ReasonScheme,
		"https://half.example.com/":     "",
		"http://nowhere.example.com/":   egress.ReasonScheme,
		"https://nowhere.example.com:9": egress.ReasonPort,
		"https://nowhere.example.com/":  "",
	} {
		if _, err := p.CheckURL(t.Context(), url); reason(err) != want {
			t.Errorf("CheckURL(%s) = %v, want reason %q", url, err, want)
		}
	}
}

func TestOwnAddressesStayClosed(t *testing.T) {
	p := egress.NewPolicy(egress.Config{Allow: loopback})
	check := func(url string, open bool) {
		t.Helper()
		if _, err := p.CheckURL(t.Context(), url); (err == nil) != open {
			t.Errorf("CheckURL(%s) = %v, want open: %v", url, err, open)
		}
	}
	check("http://127.0.0.1:8080/", true)
	p.Own(netip.MustParseAddrPort("127.0.0.1:8080"))
	check("http://127.0.0.1:8080/", false)
	check("http://localhost:8080/", false)
	check("http://[::ffff:127.0.0.1]:8080/", false)
	check("http://127.0.0.1:8081/", true)
	check("http://127.0.0.2:8080/", true)
	p.Own(netip.MustParseAddrPort("[::]:8080"), netip.MustParseAddrPort("[::ffff:127.0.0.1]:9090"), netip.MustParseAddrPort("93.184.216.34:443"))
	check("http://127.0.0.1:8080/", false)
	check("http://127.3.2.1:8080/", false)
	check("http://[::1]:8080/", false)
	check("http://127.0.0.1:9090/", false)
	check("http://127.0.0.1:8081/", true)
	check("https://93.184.216.34/", false)
}

func TestOwnWildcardCoversEveryInterface(t *testing.T) {
	locals, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	p := egress.NewPolicy(egress.Config{Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}})
	p.Own(netip.MustParseAddrPort("0.0.0.0:8080"))
	for _, l := range locals {
		addr := netip.MustParsePrefix(l.String()).Addr().WithZone("")
		if addr.IsLinkLocalUnicast() {
			continue // not reachable without a zone
		}
		url := fmt.Sprintf("http://%s/", netip.AddrPortFrom(addr, 8080))
		if _, err := p.CheckURL(t.Context(), url); reason(err) != egress.ReasonAddress {
			t.Errorf("CheckURL(%s) = %v, want refused as our own", url, err)
		}
	}
}

// TestSecurity19_RefusalsLookAlike: what a tenant sees of a refused target is the same whether something listens there or not,
// and names no address.
func TestSecurity19_RefusalsLookAlike(t *testing.T) {
	_, closed := twins(t)
	dns := startDNS(t, addresses(map[string][]string{
		"open.example.com.": {"127.0.0.1"}, "metadata.example.com.": {"169.254.169.254"}, "own.example.com.": {"127.0.0.3"}, "dead.example.com.": {"10.255.255.1"},
	}))
	p := egress.NewPolicy(egress.Config{Resolver: dns.resolver, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.3/32")}})
	p.Own(netip.MustParseAddrPort("127.0.0.3:443"))
	c := egress.NewClient(p, egress.Options{})
	defer c.Close()
	details := map[string]bool{}
	for _, url := range []string{
		fmt.Sprintf("https://127.0.0.1:%d/", closed.port), "https://127.0.0.1:1/", "https://open.example.com/", "https://metadata.example.com/",
		"https://own.example.com/", "https://dead.example.com/", "https://10.255.255.1/", "https://[fd00::1]/",
	} {
		out := c.Do(t.Context(), &egress.Request{Target: target(t, url)})
		if out.Code != egress.CodeRefused || out.Timing.Connect > 50*time.Millisecond || out.Public {
			t.Errorf("Do(%s) = %+v, want it refused before connecting", url, out)
		}
		details[out.Detail] = true
	}
	if len(details) != 1 {
		t.Errorf("refusals read differently: %v", details)
	}
	for detail := range details {
		if strings.ContainsAny(detail, "0123456789") {
			t.Errorf("a refusal names an address: %q", detail)
		}
	}
	if n := closed.accepted.Load(); n != 0 {
		t.Errorf("%d connections were made to a refused target", n)
	}
}
