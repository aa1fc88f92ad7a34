package egress

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// maxAge ends the life of a connection that is busy without end, so that a receiver's name is looked up, and its address
// judged, again from time to time.
const maxAge = 5 * time.Minute

// conn is a connection to a receiver, used by one attempt at a time or idle in the pool.
type conn struct {
	net.Conn // what is written to and read from: TCP, or TLS over it

	raw    net.Conn // the TCP connection beneath
	probe  *probe   // looks into the socket without reading
	key    string   // the PoolKey it serves
	origin string   // where it leads
	public bool
	born   time.Time

	// Owned by the pool, under its mutex.
	idleSince    time.Time
	older, newer *conn
}

// interrupt ends whatever the connection waits for. It is called while an attempt uses it.
func (k *conn) interrupt() { _ = k.raw.SetDeadline(time.Unix(1, 0)) }

// dial makes a new connection for a request: looks the host up, connects to the first of its addresses that answers, and shakes
// hands. On failure it returns what the error means in the phase in which it happened.
func (c *Client) dial(ctx context.Context, r *Request, timing *Timing) (*conn, *fault) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.running, cancel)()

	start := time.Now()
	addrs, err := c.policy.resolve(ctx, r.Target)
	if r.Target.name != "" {
		timing.DNS += time.Since(start)
	}
	if err != nil {
		return nil, explain(ctx, err, errDNS)
	}

	start = time.Now()
	raw, err := c.policy.connect(ctx, r.Target, addrs)
	timing.Connect += time.Since(start)
	if err != nil {
		return nil, explain(ctx, err, errConnect)
	}
	k := &conn{Conn: raw, raw: raw, probe: newProbe(raw), key: r.PoolKey, origin: r.Target.origin, born: time.Now()}
	peer, _ := netip.ParseAddrPort(raw.RemoteAddr().String())
	k.public = isPublic(peer.Addr().Unmap())
	if r.Target.plain {
		return k, nil
	}

	secure := tls.Client(raw, c.tlsConfig(r.Target))
	err = secure.HandshakeContext(ctx)
	timing.TLS += time.Since(k.born)
	if err != nil {
		_ = raw.Close()
		return nil, explain(ctx, err, errTLS)
	}
	k.Conn = secure
	return k, nil
}

func (c *Client) tlsConfig(t *Target) *tls.Config {
	return &tls.Config{
		ServerName: t.Host(),
		RootCAs:    c.roots,
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
	}
}

// maxDials is how many addresses of a name are tried.
const maxDials = 4

// connect dials the addresses one after the other. The deadline of the context is shared among them, so that one that drops
// packets leaves time for the next.
func (p *Policy) connect(ctx context.Context, t *Target, addrs []netip.Addr) (net.Conn, error) {
	addrs = alternate(addrs)
	addrs = addrs[:min(len(addrs), maxDials)]
	dialer := net.Dialer{ControlContext: p.guard(t), KeepAlive: -1}
	var err error
	for i, addr := range addrs {
		var conn net.Conn
		conn, err = dialShare(ctx, dialer, netip.AddrPortFrom(addr, t.port), len(addrs)-i)
		if err == nil || ctx.Err() != nil {
			return conn, err
		}
	}
	return nil, err
}

// dialShare dials with one share of the time that is left, or two seconds if that is more.
func dialShare(ctx context.Context, dialer net.Dialer, to netip.AddrPort, shares int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		dialer.Timeout = max(left/time.Duration(shares), min(left, 2*time.Second))
	}
	return dialer.DialContext(ctx, "tcp", to.String())
}

// guard is asked by the dialer with the address it is about to connect to, after every look-up and on every path. It is the last
// word.
func (p *Policy) guard(t *Target) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, network, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || (network != "tcp4" && network != "tcp6") {
			return errAddress
		}
		if refused := p.permit(to, t.plain); refused != nil {
			return refused
		}
		return nil
	}
}

// alternate orders addresses so that the families take turns, the resolver's first choice first: if one family leads
// nowhere, the second try is of the other.
func alternate(addrs []netip.Addr) []netip.Addr {
	if len(addrs) < 3 {
		return addrs
	}
	first, second := slices.Clone(addrs), slices.Clone(addrs)
	first = slices.DeleteFunc(first, func(a netip.Addr) bool { return a.Is4() != addrs[0].Is4() })
	second = slices.DeleteFunc(second, func(a netip.Addr) bool { return a.Is4() == addrs[0].Is4() })
	turns := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(first), len(second)) {
		turns = append(turns, first[min(i, len(first)):min(i+1, len(first))]...)
		turns = append(turns, second[min(i, len(second)):min(i+1, len(second))]...)
	}
	return turns
}
