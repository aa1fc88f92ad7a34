package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// request is what the plumbing knows of a request; it travels in the request's context.
type request struct {
	id     string
	client netip.Addr
	secure bool
}

type requestKey struct{}

// RequestID returns the id of the request that ctx belongs to, or "" outside of one. The header X-Request-Id of the request has it as well.
func RequestID(ctx context.Context) string {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r.id
	}
	return ""
}

// Client returns the address of the client that made the request: the peer's, or, when the peer is a trusted proxy, the right-most address
// in X-Forwarded-For that is not one. The zero Addr outside of a request.
func Client(ctx context.Context) netip.Addr {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r.client
	}
	return netip.Addr{}
}

// Secure tells whether the client made the request by https: to us, or to the trusted proxy that is our peer, by the last word of X-Forwarded-Proto.
// False outside of a request.
func Secure(ctx context.Context) bool {
	r, ok := ctx.Value(requestKey{}).(*request)
	return ok && r.secure
}

const requestIDHeader = "X-Request-Id"

// identify gives the request its id and its client.
func identify(r *http.Request, trusted []netip.Prefix) (*http.Request, string) {
	known := &request{id: r.Header.Get(requestIDHeader), client: client(r, trusted), secure: secure(r, trusted)}
	if !validRequestID(known.id) {
		known.id = newRequestID()
		r.Header.Set(requestIDHeader, known.id)
	}
	return r.WithContext(context.WithValue(r.Context(), requestKey{}, known)), known.id
}

func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, crypto/rand aborts the process instead
	return "req_" + hex.EncodeToString(b[:])
}

// validRequestID tells whether a caller's id may stand in our log: 1 to 128 characters of A-Z a-z 0-9 . _ - : / + =.
func validRequestID(s string) bool {
	if len(s) < 1 || len(s) > 128 {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("._-:/+=", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// client finds the right-most untrusted hop. A hop that is not an address ends the search: what stands left of it was written by
// strangers.
func client(r *http.Request, trusted []netip.Prefix) netip.Addr {
	addr := parseAddr(r.RemoteAddr)
	if !contains(trusted, addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		next := parseAddr(strings.TrimSpace(hop))
		if !next.IsValid() {
			return addr
		}
		if addr = next; !contains(trusted, addr) {
			return addr
		}
	}
	return addr
}

func secure(r *http.Request, trusted []netip.Prefix) bool {
	if r.TLS != nil || !contains(trusted, parseAddr(r.RemoteAddr)) {
		return r.TLS != nil
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-Proto"), ","), ",")
	return strings.EqualFold(strings.TrimSpace(hops[len(hops)-1]), "https")
}

// parseAddr reads an address with or without a port; the zero Addr when it is none. IPv4 in IPv6 becomes IPv4.
func parseAddr(s string) netip.Addr {
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		host, _, splitErr := net.SplitHostPort(s)
		if splitErr != nil {
			return netip.Addr{}
		}
		addr, _ = netip.ParseAddr(host)
	}
	return addr.Unmap().WithZone("")
}

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	return addr.IsValid() && slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(addr) })
}
