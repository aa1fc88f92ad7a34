package harness

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// APNs plays Apple's push service: HTTP/2 by TLS, to clients that show a pass type certificate. It keeps what it was sent.
type APNs struct {
	URL string
	CA  string // a file with the certificate that it shows, in PEM

	mu      sync.Mutex // guards below
	pushes  []Push
	answers map[string][]PushAnswer // what is next for a device, by its token
	came    chan struct{}           // closed, and another made, when a push comes
	release chan struct{}           // closed at the end of the test
}

// Push is a notification that came.
type Push struct {
	Token, Topic string
	At           time.Time
	Status       int // that it was answered with; 0 for one that was left waiting
}

// PushAnswer is what a device's push is answered with.
type PushAnswer struct {
	Status int
	Reason string // Apple's word, such as Unregistered
	Hang   bool   // there is no answer at all
}

// Answers that Apple gives.
var (
	Unregistered = PushAnswer{Status: 410, Reason: "Unregistered"}
	BadToken     = PushAnswer{Status: 400, Reason: "BadDeviceToken"}
	TooManyPush  = PushAnswer{Status: 429, Reason: "TooManyRequests"}
	AppleIsDown  = PushAnswer{Status: 500, Reason: "InternalServerError"}
	AppleHangs   = PushAnswer{Hang: true}
)

// NewAPNs starts it.
func NewAPNs(t testing.TB) *APNs {
	t.Helper()
	a := &APNs{answers: map[string][]PushAnswer{}, came: make(chan struct{}), release: make(chan struct{})}
	s := httptest.NewUnstartedServer(a)
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(a.release) })
	a.URL, a.CA = s.URL, filepath.Join(t.TempDir(), "apns.pem")
	must(t, os.WriteFile(a.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	return a
}

// Answer says what the next pushes to a device are answered with, one after the other; 200 after them.
func (a *APNs) Answer(token string, answers ...PushAnswer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[token] = answers
}

// ServeHTTP takes a notification. What Apple would not take is answered as Apple does.
func (a *APNs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	token, isPush := strings.CutPrefix(r.URL.Path, "/3/device/")
	p := Push{Token: token, Topic: r.Header.Get("Apns-Topic"), At: time.Now()}
	answer := PushAnswer{Status: 200}
	switch fault := wrongPush(r, body, p.Topic); {
	case !isPush || r.Method != http.MethodPost:
		answer = PushAnswer{Status: 405, Reason: "MethodNotAllowed"}
	case fault != "":
		answer = PushAnswer{Status: 400, Reason: fault}
	}
	a.mu.Lock()
	if next := a.answers[token]; answer.Status == 200 && len(next) > 0 {
		answer, a.answers[token] = next[0], next[1:]
	}
	p.Status = answer.Status
	a.pushes = append(a.pushes, p)
	close(a.came)
	a.came = make(chan struct{})
	a.mu.Unlock()
	if answer.Hang {
		select {
		case <-r.Context().Done():
		case <-a.release:
		}
		return
	}
	w.Header().Set("Apns-Id", "eabeae54-14a8-11e5-b60b-1697f925ec7b")
	w.WriteHeader(answer.Status)
	if answer.Reason != "" {
		_ = json.NewEncoder(w).Encode(map[string]string{"reason": answer.Reason})
	}
}

// wrongPush is Apple's word for what is wrong with a notification about a pass.
func wrongPush(r *http.Request, body []byte, topic string) string {
	var payload map[string]any
	switch {
	case r.ProtoMajor != 2:
		return "BadProtocol"
	case topic == "":
		return "MissingTopic"
	case subject(r.TLS.PeerCertificates[0].Subject, userID) != topic:
		return "BadCertificate"
	case json.Unmarshal(body, &payload) != nil || len(payload) != 0:
		return "PayloadNotEmpty"
	}
	return ""
}

var userID = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}

// subject is an attribute of a certificate's subject.
func subject(name pkix.Name, attribute asn1.ObjectIdentifier) string {
	for _, one := range name.Names {
		if one.Type.Equal(attribute) {
			return fmt.Sprint(one.Value)
		}
	}
	return ""
}

// Pushes are those that came so far to a device; to all, for no token.
func (a *APNs) Pushes(token string) []Push {
	all, _ := a.so(token)
	return all
}

func (a *APNs) so(token string) (some []Push, more <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.pushes {
		if token == "" || p.Token == token {
			some = append(some, p)
		}
	}
	return some, a.came
}

// Await waits until so many pushes have come to a device in all, and returns the last.
func (a *APNs) Await(t testing.TB, token string, n int, within time.Duration) Push {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		some, more := a.so(token)
		if len(some) >= n {
			return some[len(some)-1]
		}
		select {
		case <-more:
		case <-deadline.C:
			t.Fatalf("after %v %d pushes have come to the device, want %d", within, len(some), n)
		}
	}
}
