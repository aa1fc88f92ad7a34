package apple_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/pass"
	"github.com/stagedoorhq/stagedoor/internal/pass/apple"
)

// device is a push token as Apple's devices give.
const device = "6b1c6f0e9d5a4a578a2d0f6a2f1f4d116b1c6f0e9d5a4a578a2d0f6a2f1f4d11"

// apns is a double of Apple's push service: HTTP/2 only, and only for who shows a pass type certificate.
func apns(t testing.TB, streams int, answer http.HandlerFunc) (url string, roots *x509.CertPool) {
	t.Helper()
	return apnsOver(t, 0, streams, answer)
}

// apnsOver is apns with a highest version of TLS.
func apnsOver(t testing.TB, version uint16, streams int, answer http.HandlerFunc) (url string, roots *x509.CertPool) {
	t.Helper()
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(identity(t).Roots())
	s := httptest.NewUnstartedServer(answer)
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients, MaxVersion: version}
	s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streams}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	roots = x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.URL, roots
}

func pusher(t testing.TB, i *apple.Identity, url string, roots *x509.CertPool) *apple.Pusher {
	t.Helper()
	p, err := apple.NewPusher(apple.PusherConfig{Identity: i, URL: url, Roots: roots, Now: func() time.Time { return today }})
	if err != nil {
		t.Fatalf("NewPusher: %v", err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestPushIsAnEmptyObjectToTheTopic(t *testing.T) {
	got := make(chan string, 1)
	url, roots := apns(t, 0, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- strings.Join([]string{
			r.Proto, r.Method, r.URL.Path, string(body), r.TLS.PeerCertificates[0].Subject.CommonName,
			r.Header.Get("Apns-Topic"), r.Header.Get("Apns-Priority"), r.Header.Get("Apns-Expiration"), "push type " + r.Header.Get("Apns-Push-Type"),
		}, "\n")
	})
	if r := pusher(t, identity(t), url, roots).Push(t.Context(), device); r != (pass.Result{}) {
		t.Errorf("Push = %+v, want Sent", r)
	}
	want := strings.Join([]string{
		"HTTP/2.0", "POST", "/3/device/" + device, "{}", "Pass Type ID: pass.test.stagedoor",
		"pass.test.stagedoor", "10", strconv.FormatInt(today.Add(24*time.Hour).Unix(), 10), "push type ",
	}, "\n")
	if diff := cmp.Diff(want, <-got); diff != "" {
		t.Errorf("what came (-want +got):\n%s", diff)
	}
}

func TestWhatComesOfAPush(t *testing.T) {
	type answer struct {
		status int
		reason string
		after  string
	}
	tests := []struct {
		answer
		want  pass.Verdict
		after time.Duration
	}{
		{answer{200, "", ""}, pass.Sent, 0},
		{answer{410, "Unregistered", ""}, pass.Gone, 0},
		{answer{410, "ExpiredToken", ""}, pass.Gone, 0},
		{answer{400, "BadDeviceToken", ""}, pass.Gone, 0},
		{answer{400, "DeviceTokenNotForTopic", ""}, pass.Never, 0},
		{answer{400, "PayloadEmpty", ""}, pass.Never, 0},
		{answer{400, "IdleTimeout", ""}, pass.Later, 0},
		{answer{400, "TopicDisallowed", ""}, pass.Wait, time.Minute},
		{answer{403, "BadCertificate", ""}, pass.Wait, time.Minute},
		{answer{403, "BadCertificateEnvironment", ""}, pass.Wait, time.Minute},
		{answer{404, "BadPath", ""}, pass.Never, 0},
		{answer{413, "PayloadTooLarge", ""}, pass.Never, 0},
		{answer{429, "TooManyRequests", ""}, pass.Later, 0},
		{answer{500, "InternalServerError", ""}, pass.Later, 0},
		{answer{503, "ServiceUnavailable", "90"}, pass.Later, 90 * time.Second},
		{answer{503, "Shutdown", "99999999999"}, pass.Later, time.Hour},
		{answer{503, "Shutdown", "-3"}, pass.Later, 0},
		{answer{503, "<html>" + strings.Repeat("x", 100_000), today.Add(time.Minute).UTC().Format(http.TimeFormat)}, pass.Later, time.Minute},
	}
	var now answer
	url, roots := apns(t, 0, func(w http.ResponseWriter, _ *http.Request) {
		if now.after != "" {
			w.Header().Set("Retry-After", now.after)
		}
		w.WriteHeader(now.status)
		if now.reason != "" {
			io.WriteString(w, `{"reason":"`+now.reason+`"}`)
		}
	})
	p := pusher(t, identity(t), url, roots)
	for _, tt := range tests {
		now = tt.answer
		got := p.Push(t.Context(), device)
		if got.Verdict != tt.want || (got.After-tt.after).Abs() > time.Second { // HTTP dates have no fraction
			t.Errorf("Push answered %d %.40s = %+v, want verdict %d after %v", now.status, now.reason, got, tt.want, tt.after)
		}
		if len(got.Detail) > 200 || strings.Contains(got.Detail, device) || strings.Contains(got.Detail, "<") {
			t.Errorf("the detail is not for a log: %q", got.Detail)
		}
	}
}

func TestPushesAreSentInSpiteOfGoaway(t *testing.T) {
	var n atomic.Int64
	url, roots := apns(t, 0, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1)%20 == 0 {
			w.Header().Set("Connection", "close") // the server's way to ask for GOAWAY
		}
	})
	p := pusher(t, identity(t), url, roots)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range 40 {
				if r := p.Push(t.Context(), device); r.Verdict != pass.Sent {
					t.Errorf("Push = %+v, want Sent", r)
				}
			}
		})
	}
	all.Wait()
}

func TestAnotherConnectionIsMadeWhenStreamsRunOut(t *testing.T) {
	const streams = 2
	var first, second string
	another := make(chan struct{})
	var mu sync.Mutex
	url, roots := apns(t, streams, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if first == "" {
			first = r.RemoteAddr
			mu.Unlock()
			return
		}
		if second == "" && r.RemoteAddr != first {
			second = r.RemoteAddr
			close(another)
		}
		mu.Unlock()
		select {
		case <-another: // no push is answered before one has come on another connection
		case <-r.Context().Done():
		}
	})
	p := pusher(t, identity(t), url, roots)
	p.Push(t.Context(), device) // then it is known how many streams there may be
	var all sync.WaitGroup
	for range streams + 1 {
		all.Go(func() {
			if r := p.Push(t.Context(), device); r.Verdict != pass.Sent {
				t.Errorf("Push = %+v, want Sent", r)
			}
		})
	}
	all.Wait()
}

func TestPushesWaitWhereACertificateIsRefused(t *testing.T) {
	// With TLS 1.3 the client is done before the server has looked at its certificate, and may hear of the end of the connection first.
	url, roots := apnsOver(t, tls.VersionTLS12, 0, func(http.ResponseWriter, *http.Request) {})
	stranger, err := apple.NewIdentity(today)
	if err != nil {
		t.Fatal(err)
	}
	other, err := apple.ReadIdentity(stranger, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := pusher(t, other, url, roots).Push(t.Context(), device); r.Verdict != pass.Wait || r.After != time.Minute {
		t.Errorf("Push with a certificate that the service does not know = %+v, want Wait for a minute", r)
	}
	if r := pusher(t, identity(t), url, x509.NewCertPool()).Push(t.Context(), device); r.Verdict != pass.Wait || r.After != time.Minute {
		t.Errorf("Push to a service whose certificate we do not know = %+v, want Wait for a minute", r)
	}
}

func TestPushesWaitWhereNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	r := pusher(t, identity(t), "https://"+l.Addr().String(), nil).Push(t.Context(), device)
	if r.Verdict != pass.Wait || r.Detail == "" || strings.Contains(r.Detail, device) {
		t.Errorf("Push to a closed port = %+v, want Wait and why, without the token", r)
	}
}

func TestPushThatIsGivenUpIsForLater(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url, roots := apns(t, 0, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if r := pusher(t, identity(t), url, roots).Push(ctx, device); r.Verdict != pass.Later {
		t.Errorf("Push that was given up = %+v, want Later", r)
	}
}

func TestPushTokensAreHexadecimal(t *testing.T) {
	url, roots := apns(t, 0, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("a request to %s came", r.URL) })
	p := pusher(t, identity(t), url, roots)
	for _, token := range []string{"", "abc", "../../3/device/" + device, device + "\r\nx", strings.Repeat("a", 201)} {
		if r := p.Push(t.Context(), token); r.Verdict != pass.Never {
			t.Errorf("Push(%.40q) = %+v, want Never", token, r)
		}
	}
}

func TestPusherRefusesAddresses(t *testing.T) {
	for _, url := range []string{"http://api.push.apple.com", "https://", "api.push.apple.com", "https://u:p@api.push.apple.com", "https://api.sandbox.push.apple.com", "https://api.development.push.apple.com:443"} {
		if _, err := apple.NewPusher(apple.PusherConfig{Identity: identity(t), URL: url}); err == nil {
			t.Errorf("NewPusher took the address %q", url)
		}
	}
	if _, err := apple.NewPusher(apple.PusherConfig{Identity: identity(t)}); err != nil {
		t.Errorf("NewPusher without an address: %v", err)
	}
}

// BenchmarkPush has 200 pushes under way at once, as a sender has. The double is in the same process, so half of the work is its.
func BenchmarkPush(b *testing.B) {
	url, roots := apns(b, 1000, func(http.ResponseWriter, *http.Request) {})
	p := pusher(b, identity(b), url, roots)
	b.SetParallelism(100) // of each processor
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if r := p.Push(context.Background(), device); r.Verdict != pass.Sent {
				b.Errorf("Push = %+v, want Sent", r)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pushes/s")
}

// TestManyPushesAtOnceMakeFewConnections: each would make one of its own where there is none yet, and Apple takes that for an attack.
func TestManyPushesAtOnceMakeFewConnections(t *testing.T) {
	var mu sync.Mutex
	conns := map[string]bool{}
	url, roots := apns(t, 1000, func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		conns[r.RemoteAddr] = true
	})
	p := pusher(t, identity(t), url, roots)
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			for range 5 {
				if r := p.Push(t.Context(), device); r.Verdict != pass.Sent {
					t.Errorf("Push = %+v, want Sent", r)
				}
			}
		})
	}
	all.Wait()
	if len(conns) > 8 {
		t.Errorf("200 pushes at once came on %d connections, want 8 at most", len(conns))
	}
}
