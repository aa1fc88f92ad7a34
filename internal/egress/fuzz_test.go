package egress

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzCheckURL: whatever is accepted has one meaning, stays what it is when it is read again, cannot split a request, and leads to
// no closed address.
func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{
		"https://example.com/hook", "https://127.1/", "https://0x7f000001/", "https://[::1%25lo]/", "https://a#@b", `http://a\@b`,
		"https://bücher.example/é?ü=1#x", "https://①②⑦.0.0.1/", "https://[::ffff:10.0.0.1]:8443/", "https://xn--a/", "HTTPS://EXAMPLE.com:443",
		"https://93.184.216.34/%0d%0a", "https://[64:ff9b::a9fe:a9fe]", "https://example.com.", "https://a.internal/", "https://[2606:4700::1]/a",
	} {
		f.Add(seed)
	}
	p := NewPolicy(Config{})
	f.Fuzz(func(t *testing.T, raw string) {
		to, err := Parse(raw)
		if err != nil {
			return
		}
		again, err := Parse(to.String())
		if err != nil || *again != *to {
			t.Fatalf("Parse(%q) = %+v, but read again it is %+v, %v", raw, to, again, err)
		}
		u, err := url.Parse(to.String())
		if err != nil || u.User != nil || strings.Trim(u.Hostname(), "[]") != to.Host() || u.Host != to.host {
			t.Fatalf("Parse(%q) = %+v, but net/url reads %+v, %v", raw, to, u, err)
		}
		for _, text := range []string{to.path, to.host, to.text} {
			for i := range len(text) {
				if text[i] <= ' ' || text[i] >= 0x7f {
					t.Fatalf("Parse(%q) = %+v, with a byte %#x that may not be sent", raw, to, text[i])
				}
			}
		}
		if strings.HasSuffix(to.name, ".") || to.name != strings.ToLower(to.name) {
			t.Fatalf("Parse(%q) has name %q", raw, to.name)
		}
		if addr, err := netip.ParseAddr(to.name); err == nil {
			t.Fatalf("Parse(%q) takes the address %v for a name", raw, addr)
		}
		if to.addr.IsValid() && p.permit(netip.AddrPortFrom(to.addr, to.port), to.plain) == nil {
			if ip := net.IP(to.addr.AsSlice()); !ip.IsGlobalUnicast() || ip.IsPrivate() || to.port != 443 || to.plain {
				t.Fatalf("%q leads to %v and is permitted", raw, to)
			}
		}
	})
}

// FuzzResponse: the reader takes nothing that net/http would refuse or read differently, and keeps its limits.
func FuzzResponse(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 X\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 204 No\nX: y\n\nrest",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 503\r\nRetry-After: 5\r\nConnection: close\r\n\r\nbody",
		"HTTP/1.1 101 Switching\r\n\r\n", "HTTP/1.1 304 Not\r\nContent-Length: 7\r\n\r\n", "\n\n\n", "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
	} {
		f.Add([]byte(seed), byte(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, step byte) {
		var in reader
		in.reset(&trickle{data: data, step: int(step)%64 + 1})
		head, err := in.readHead()
		if err != nil {
			checkFault(t, err)
			return
		}
		b := body{in: &in, keep: DefaultKeep, left: MaxBody}
		err = b.read(head)
		if len(b.kept) > DefaultKeep || in.head < 0 || len(in.buf) > MaxHead {
			t.Fatalf("limits are not kept: %d bytes of body, %d bytes of head left, %d bytes of buffer", len(b.kept), in.head, len(in.buf))
		}
		if err != nil && !errors.Is(err, errEnough) {
			checkFault(t, err)
			return
		}
		compare(t, data, head, b)
	})
}

// checkFault sees to it that an error is one that an outcome can explain.
func checkFault(t *testing.T, err error) {
	t.Helper()
	var known *fault
	if !errors.As(err, &known) && !errors.Is(err, io.EOF) {
		t.Fatalf("an error that nobody expects: %v", err)
	}
}

// compare reads the same bytes with net/http.
func compare(t *testing.T, data []byte, head answer, b body) {
	t.Helper()
	src := bufio.NewReader(bytes.NewReader(data))
	for {
		resp, err := http.ReadResponse(src, &http.Request{Method: "POST"})
		if err != nil {
			t.Fatalf("we read %+v where net/http says %v", head, err)
		}
		if resp.StatusCode < 200 {
			continue
		}
		want, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody))
		if err != nil || resp.StatusCode != head.status || !bytes.Equal(b.kept, want[:min(len(want), DefaultKeep)]) {
			t.Fatalf("we read status %d and %q, net/http status %d and %q, %v", head.status, b.kept, resp.StatusCode, want, err)
		}
		if b.truncated != (len(want) > len(b.kept)) && len(want) < MaxBody {
			t.Fatalf("truncated is %v with %d of %d bytes", b.truncated, len(b.kept), len(want))
		}
		return
	}
}

// trickle gives its data in small pieces.
type trickle struct {
	data []byte
	step int
}

func (r *trickle) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data[:min(r.step, len(r.data))])
	r.data = r.data[n:]
	return n, nil
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"0", "-1", "1e300", "NaN", "inf", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "120", ""} {
		f.Add(seed, int64(1_790_000_000))
	}
	f.Fuzz(func(t *testing.T, value string, now int64) {
		wait, ok := RetryAfter(Header{{"Retry-After", value}}, time.Unix(now, 0))
		if wait < 0 || wait > MaxRetryAfter || !ok && wait != 0 {
			t.Fatalf("RetryAfter(%q) = %v, %v", value, wait, ok)
		}
	})
}

func FuzzCheckHeaders(f *testing.F) {
	f.Add("X-A", "b")
	f.Add("Host", "x")
	f.Add("X\r\nY", "a\r\nb")
	f.Fuzz(func(t *testing.T, name, value string) {
		h := Header{{name, value}}
		if CheckHeaders(h) != nil {
			return
		}
		r := &Request{Header: h, Target: &Target{path: "/", host: "example.com"}}
		head, err := r.appendHead(nil, "test")
		if err != nil {
			t.Fatalf("CheckHeaders(%q) accepts what is not sent: %v", h, err)
		}
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
		if err != nil || req.Host != "example.com" || req.Header.Get(name) != value {
			t.Fatalf("%q arrives as %v, %v", head, req, err)
		}
	})
}
