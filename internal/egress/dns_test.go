package egress_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// dnsServer is a name server in the test's own process, over UDP and TCP.
type dnsServer struct {
	resolver *net.Resolver // asks this server and no other
	asked    atomic.Int64  // questions that arrived
}

// dnsAnswer is what the server does with a question: fill the message in, or take the connection over.
type dnsAnswer func(q dnsmessage.Question, m *dnsmessage.Message)

// startDNS starts a name server that answers from the function.
func startDNS(t testing.TB, answer dnsAnswer) *dnsServer {
	t.Helper()
	return startDNSWith(t, answer, func(conn net.Conn, packed []byte) {
		_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...))
	})
}

// startDNSWith lets the test decide how an answer leaves over TCP.
func startDNSWith(t testing.TB, answer dnsAnswer, overTCP func(net.Conn, []byte)) *dnsServer {
	t.Helper()
	s := &dnsServer{}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = udp.Close(); _ = tcp.Close() })
	go s.serveUDP(udp, answer)
	go s.serveTCP(tcp, answer, overTCP)
	s.resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		if network == "tcp" {
			return d.DialContext(ctx, network, tcp.Addr().String())
		}
		return d.DialContext(ctx, network, udp.LocalAddr().String())
	}}
	return s
}

func (s *dnsServer) serveUDP(conn net.PacketConn, answer dnsAnswer) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		packed := s.reply(buf[:n], answer)
		if len(packed) > 1232 { // too long for a datagram: "ask again over TCP"
			var m dnsmessage.Message
			_ = m.Unpack(packed)
			m.Truncated, m.Answers = true, nil
			packed, _ = m.Pack()
		}
		if packed != nil {
			_, _ = conn.WriteTo(packed, from)
		}
	}
}

func (s *dnsServer) serveTCP(l net.Listener, answer dnsAnswer, write func(net.Conn, []byte)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			var size [2]byte
			if _, err := io.ReadFull(conn, size[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(conn, query); err != nil {
				return
			}
			write(conn, s.reply(query, answer))
		}()
	}
}

// reply makes the packed answer; nil is silence.
func (s *dnsServer) reply(query []byte, answer dnsAnswer) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	s.asked.Add(1)
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	answer(m.Questions[0], &m)
	if m.RCode == silence {
		return nil
	}
	packed, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return packed
}

// silence as a result code means that no answer is given.
const silence = dnsmessage.RCode(0xfff)

// addresses answers with the addresses that a name has, NXDOMAIN for others.
func addresses(zone map[string][]string) dnsAnswer {
	return func(q dnsmessage.Question, m *dnsmessage.Message) {
		list, ok := zone[q.Name.String()]
		if !ok {
			m.RCode = dnsmessage.RCodeNameError
		}
		for _, text := range list {
			addAddress(q, m, q.Name, netip.MustParseAddr(text))
		}
	}
}

// addAddress adds an A or AAAA record if it is what was asked for.
func addAddress(q dnsmessage.Question, m *dnsmessage.Message, name dnsmessage.Name, addr netip.Addr) {
	h := dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: 0}
	switch {
	case q.Type == dnsmessage.TypeA && addr.Is4():
		h.Type = dnsmessage.TypeA
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: addr.As4()}})
	case q.Type == dnsmessage.TypeAAAA && addr.Is6():
		h.Type = dnsmessage.TypeAAAA
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: addr.As16()}})
	}
}
