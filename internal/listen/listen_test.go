package listen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/listen"
	"github.com/stagedoorhq/stagedoor/internal/listen/listentest"
	"github.com/stagedoorhq/stagedoor/internal/problem"
	"github.com/stagedoorhq/stagedoor/internal/remote"
	"github.com/stagedoorhq/stagedoor/webhook"
)

const soon = time.Minute

// got is a delivery that came to the receiver.
type got struct {
	header http.Header
	body   string
}

// scene is a stream, a receiver, and what a listener between them has told.
type scene struct {
	*listentest.Stream
	t       *testing.T
	o       listen.Options
	file    string
	reports chan listen.Report

	mu     sync.Mutex // guards below
	came   []got
	answer func(n int) int // the status for the n'th delivery, from 1; nil is 200
}

func newScene(t *testing.T) *scene {
	s := &scene{Stream: listentest.New(t), t: t, file: filepath.Join(t.TempDir(), "sub", "state.json"), reports: make(chan listen.Report, 1000)}
	receiver := httptest.NewServer(s.receiver())
	t.Cleanup(receiver.Close)
	server, err := remote.New(s.URL, listentest.Key, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	s.o = listen.Options{
		Server: server, Format: "pullup", Secret: "whsec_desk", Forward: receiver.URL + "/hook", UserAgent: "Stagedoor-Test",
		Tell: func(r listen.Report) { s.reports <- r },
	}
	return s
}

func (s *scene) receiver() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.came = append(s.came, got{r.Header.Clone(), string(body)})
		if s.answer != nil {
			w.WriteHeader(s.answer(len(s.came)))
		}
	})
}

// all is what has come to the receiver.
func (s *scene) all() []got {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.came)
}

// bodies are the bodies of what has come.
func (s *scene) bodies() []string {
	var all []string
	for _, g := range s.all() {
		all = append(all, g.body)
	}
	return all
}

// run runs a listener until stop is called, which returns how it ended.
func (s *scene) run() (stop func() (listen.Summary, error)) {
	s.t.Helper()
	var err error
	if s.file != "" {
		if s.o.Place, err = listen.OpenPlace(s.file, s.o, false); err != nil {
			s.t.Fatal(err)
		}
	}
	l, err := listen.New(s.o)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	var sum listen.Summary
	go func() { sum, err = l.Run(ctx); close(done) }()
	stop = func() (listen.Summary, error) { cancel(); <-done; return sum, err }
	s.t.Cleanup(func() { _, _ = stop() })
	return stop
}

// await waits for the next report of a kind; others before it are passed over.
func (s *scene) await(what listen.What) listen.Report {
	s.t.Helper()
	late := time.After(soon)
	for {
		select {
		case r := <-s.reports:
			if r.What == what {
				return r
			}
		case <-late:
			s.t.Fatalf("%q is not told within %v", what, soon)
		}
	}
}

func TestDeliveriesVerifyInEveryFormat(t *testing.T) {
	private, public := webhook.NewKeyPair()
	whsec := webhook.NewSecret()
	for _, c := range []struct {
		format, secret, verify string
		scheme                 webhook.Scheme
	}{
		{"pullup", "any words", "any words", webhook.Pullup},
		{"portal", whsec, whsec, webhook.Portal},
		{"standard", whsec, whsec, webhook.Standard},
		{"standard", private, public, webhook.Standard},
		{"cloudevents", whsec, whsec, webhook.Standard},
	} {
		t.Run(c.format, func(t *testing.T) {
			s := newScene(t)
			s.o.Format, s.o.Secret, s.o.Events = c.format, c.secret, []string{"order.confirmed", "acme.x"}
			s.run()
			s.await(listen.Connected)
			body := `{"id":"evt_1", "name":"Größe <&> 𝄞"}`
			id := s.Send("order.confirmed", body)
			r := s.await(listen.Posted)
			if r.Status != 200 || r.Event != "order.confirmed" || r.ID != id {
				t.Errorf("it told %+v", r)
			}
			g := s.all()[0]
			v, err := webhook.NewVerifier(c.scheme, webhook.Key{Text: c.verify})
			if err != nil {
				t.Fatal(err)
			}
			m, err := v.Verify(g.header, []byte(g.body), time.Now())
			if err != nil || g.body != body {
				t.Fatalf("the delivery does not verify: %v\n%v\n%s", err, g.header, g.body)
			}
			if c.scheme == webhook.Standard && m.ID != id {
				t.Errorf("webhook-id is %q, want the event's %q", m.ID, id)
			}
			if c.scheme != webhook.Standard && (m.Event != "order.confirmed" || len(m.ID) != 36) {
				t.Errorf("event and delivery are %q and %q, want order.confirmed and a UUID", m.Event, m.ID)
			}
			if g.header.Get("Content-Type") != "application/json" || g.header.Get("User-Agent") != "Stagedoor-Test" {
				t.Errorf("headers: %v", g.header)
			}
			q := s.Asked()[0].URL.Query()
			if q.Get("format") != c.format || q.Get("events") != "order.confirmed,acme.x" || s.Asked()[0].URL.Path != "/api/v1/stream" {
				t.Errorf("the server was asked for %s", s.Asked()[0].URL)
			}
		})
	}
}

func TestABrokenStreamGoesOnWhereItBroke(t *testing.T) {
	for _, file := range []bool{true, false} {
		t.Run(fmt.Sprintf("file %v", file), func(t *testing.T) { brokenStream(t, file) })
	}
}

func brokenStream(t *testing.T, file bool) {
	s := newScene(t)
	if !file {
		s.file = ""
	}
	stop := s.run()
	s.await(listen.Connected)
	var want []string
	for i := range 5 {
		body := strings.Repeat("x", i+1)
		want = append(want, body)
		s.Send("acme.x", body)
		s.await(listen.Posted)
		s.Cut()
		s.await(listen.Lost)
		s.await(listen.Connected)
	}
	sum, err := stop()
	if diff := cmp.Diff(want, s.bodies()); diff != "" || err != nil || sum.Success != 5 {
		t.Errorf("%+v, %v; came (-want +got):\n%s", sum, err, diff)
	}
	if last := s.Asked()[5].Header.Get("Last-Event-ID"); last != "5" {
		t.Errorf("the last connection asked for what is behind %q, want 5: an event that was cut off does not count", last)
	}
}

func TestWhatHappenedWhileAwayComesAtTheNextStart(t *testing.T) {
	s := newScene(t)
	s.Send("acme.x", "before the first start")
	stop := s.run()
	s.await(listen.Connected)
	s.Send("acme.x", "1")
	s.await(listen.Posted)
	if _, err := stop(); err != nil {
		t.Fatal(err)
	}
	s.Send("acme.x", "2")
	s.Send("acme.x", "3")
	s.run()
	s.await(listen.Posted)
	s.await(listen.Posted)
	if diff := cmp.Diff([]string{"1", "2", "3"}, s.bodies()); diff != "" {
		t.Errorf("came (-want +got):\n%s", diff)
	}

	p, err := listen.OpenPlace(s.file, s.o, true)
	if err != nil || p.After() != "" {
		t.Errorf("from now: behind %q, %v", p.After(), err)
	}
}

// A server may say where the stream is without an event, so that a listener that saw none goes on there too.
func TestAPlaceIsKeptWithoutAnEvent(t *testing.T) {
	s := newScene(t)
	s.run()
	s.await(listen.Connected)
	s.Refuse(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "id: 7\n\n")
	})
	s.Cut()
	s.await(listen.Connected)
	if r := s.await(listen.Connected); r.Place != "7" {
		t.Errorf("it goes on behind %q, want 7", r.Place)
	}
	if n := len(s.all()); n != 0 {
		t.Errorf("%d deliveries were made", n)
	}
}

// Streams may tell more than was asked for, and say that they end.
func TestOtherEventsAreNotPassedOn(t *testing.T) {
	s := newScene(t)
	s.run()
	s.await(listen.Connected)
	s.Raw("fact", map[string]any{"id": "evt_1", "kind": "order.confirmed"})
	s.Raw("bye", nil)
	if r := s.await(listen.Lost); !errors.Is(r.Err, remote.ErrEnded) {
		t.Errorf("it told %v, want that the server has ended the stream", r.Err)
	}
	if n := len(s.all()); n != 0 {
		t.Errorf("%d deliveries were made", n)
	}
}

func TestAReceiverThatIsNotThereIsWaitedFor(t *testing.T) {
	s := newScene(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	s.o.Forward = "http://" + address + "/hook"
	s.run()
	s.await(listen.Connected)
	s.Send("acme.x", "1")
	s.Send("acme.x", "2")
	if r := s.await(listen.Waiting); r.Err == nil || r.Event != "acme.x" {
		t.Errorf("it told %+v", r)
	}
	if _, err := os.Stat(s.file); err == nil {
		t.Error("the place has moved though nothing was posted")
	}
	if l, err = net.Listen("tcp", address); err != nil {
		t.Skipf("the port was taken meanwhile: %v", err)
	}
	receiver := &http.Server{Handler: s.receiver(), ReadHeaderTimeout: time.Minute}
	t.Cleanup(func() { _ = receiver.Close() })
	go func() { _ = receiver.Serve(l) }()
	s.await(listen.Posted)
	s.await(listen.Posted)
	if diff := cmp.Diff([]string{"1", "2"}, s.bodies()); diff != "" {
		t.Errorf("came (-want +got):\n%s", diff)
	}
}

func TestWhateverTheReceiverAnswersTheNextEventFollows(t *testing.T) {
	s := newScene(t)
	s.answer = func(n int) int { return []int{500, 302, 204}[n-1] }
	s.o.Count = 3
	stop := s.run()
	s.await(listen.Connected)
	for _, status := range []int{500, 302, 204} {
		s.Send("acme.x", "{}")
		if r := s.await(listen.Posted); r.Status != status {
			t.Errorf("it told %+v, want %d", r, status)
		}
	}
	if sum, err := stop(); err != nil || (sum != listen.Summary{Events: 3, Success: 1}) {
		t.Errorf("it ended with %+v, %v", sum, err)
	}
}

func TestAGapIsTold(t *testing.T) {
	s := newScene(t)
	s.run()
	s.await(listen.Connected)
	s.Raw("gap", map[string]any{"after": "4", "message": "Events before Monday were removed."})
	if r := s.await(listen.Gap); r.Place != "4" || r.Err.Error() != "Events before Monday were removed." {
		t.Errorf("it told %+v", r)
	}
	s.Send("acme.x", "{}")
	s.await(listen.Posted)
	if n := len(s.all()); n != 1 {
		t.Errorf("%d deliveries came, want one", n)
	}
}

func TestWhatTheServerRefusesEndsTheListener(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 410} {
		s := newScene(t)
		s.Refuse(listentest.Problem(status, "No."))
		l, err := listen.New(s.o)
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.Run(t.Context())
		if p := problem.As(err); p == nil || p.Detail != "No." || p.Kind.Status() != status {
			t.Errorf("%d: Run = %v, want the server's sentence", status, err)
		}
	}
	s := newScene(t)
	for name, h := range map[string]http.HandlerFunc{
		"a page": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example", http.StatusFound)
		},
	} {
		s.Refuse(h)
		l, err := listen.New(s.o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Run(t.Context()); !remote.Final(err) {
			t.Errorf("%s: Run = %v, want that it is no use", name, err)
		}
	}
}

func TestABusyServerIsTriedAgainWhenItSays(t *testing.T) {
	for _, status := range []int{429, 500, 502, 503} {
		s := newScene(t)
		s.Refuse(listentest.Problem(status, "Not now.", "Retry-After", "2"))
		s.run()
		r := s.await(listen.Lost)
		if r.Err == nil || r.Next < 2*time.Second {
			t.Errorf("%d: it told %+v, want at least the two seconds that the server asked for", status, r)
		}
		s.Refuse(nil)
		s.await(listen.Connected)
	}
}

func TestASilentStreamIsOpenedAgain(t *testing.T) {
	s := newScene(t)
	s.o.Server.Silence = 200 * time.Millisecond
	s.run()
	s.await(listen.Connected)
	if r := s.await(listen.Lost); !errors.Is(r.Err, remote.ErrSilent) {
		t.Errorf("it told %+v, want that the stream is silent", r)
	}
	s.await(listen.Connected)
}

func TestADeveloperEndpointsEventsArePassedOnAsTheyCame(t *testing.T) {
	came := map[string]string{
		"Content-Type": "application/json; charset=utf-8", "x-pullup-signature": "cafe", "X-Own": "1", "Host": "example.com", "Content-Length": "99", "Transfer-Encoding": "chunked",
		"Authorization": "[hidden]",
	}
	t.Run("as it came", func(t *testing.T) {
		s := newScene(t)
		s.o.Dev, s.o.Format, s.o.Secret, s.o.Events = "DEV-A3K9", "", "", []string{"ticket.purchased"}
		s.run()
		s.await(listen.Connected)
		s.SendDev("checkin.completed", `{"event":"checkin.completed"}`, nil)
		s.SendDev("ticket.purchased", `{ "event":"ticket.purchased" }`, came)
		s.await(listen.Posted)
		all := s.all()
		if len(all) != 1 || all[0].body != `{ "event":"ticket.purchased" }` {
			t.Fatalf("came: %v", s.bodies())
		}
		h := all[0].header
		if h.Get("X-Pullup-Signature") != "cafe" || h.Get("X-Own") != "1" || h.Get("Content-Type") != came["Content-Type"] || h.Get("Authorization") != "" {
			t.Errorf("headers: %v", h)
		}
		if u := s.Asked()[0].URL; u.String() != "/api/events?user_id=DEV-A3K9" {
			t.Errorf("the server was asked for %s", u)
		}
	})
	t.Run("signed anew", func(t *testing.T) {
		s := newScene(t)
		s.o.Dev, s.o.Format = "DEV-A3K9", "portal"
		s.run()
		s.await(listen.Connected)
		s.SendDev("no name", `{}`, came) // a space cannot stand in X-Webhook-Event
		s.await(listen.Skipped)
		s.SendDev("ticket.purchased", `{"event":"ticket.purchased"}`, came)
		s.await(listen.Posted)
		g := s.all()[0]
		v, err := webhook.NewVerifier(webhook.Portal, webhook.Key{Text: s.o.Secret})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(g.header, []byte(g.body), time.Now()); err != nil || g.header.Get("X-Pullup-Signature") != "" {
			t.Errorf("the delivery: %v, headers %v", err, g.header)
		}
	})
}

func TestTheStateFile(t *testing.T) {
	s := newScene(t)
	stop := s.run()
	s.await(listen.Connected)
	s.Send("acme.x", "{}")
	s.await(listen.Posted)
	_, _ = stop()
	info, err := os.Stat(s.file)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, want 0600", info.Mode())
	}
	if text, _ := os.ReadFile(s.file); strings.Contains(string(text), listentest.Key) || strings.Contains(string(text), s.o.Secret) {
		t.Errorf("it holds a secret: %s", text)
	}
	if files, _ := os.ReadDir(filepath.Dir(s.file)); len(files) != 1 {
		t.Errorf("beside it lies something else: %v", files)
	}
	other := s.o
	other.Dev = "DEV-A3K9"
	if _, err := listen.OpenPlace(s.file, other, false); problem.As(err) == nil {
		t.Errorf("the place of another stream was taken: %v", err)
	}
	if err := os.WriteFile(s.file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen.OpenPlace(s.file, s.o, false); err == nil || !strings.Contains(err.Error(), "--no-catch-up") {
		t.Errorf("half a file: %v, want what to do", err)
	}
}

// A listener that cannot remember where it is would post the same event for ever.
func TestAPlaceThatCannotBeKeptEndsTheListener(t *testing.T) {
	s := newScene(t)
	if err := os.WriteFile(filepath.Dir(s.file), nil, 0o600); err != nil { // where its folder should be
		t.Fatal(err)
	}
	place, err := listen.OpenPlace(s.file, s.o, true)
	if err != nil {
		t.Fatal(err)
	}
	s.o.Place = place
	l, err := listen.New(s.o)
	if err != nil {
		t.Fatal(err)
	}
	tell := s.o.Tell
	l.Tell = func(r listen.Report) {
		if r.What == listen.Connected {
			s.Send("acme.x", "{}")
		}
		tell(r)
	}
	if sum, err := l.Run(t.Context()); err == nil || sum.Events != 1 {
		t.Errorf("Run = %+v, %v, want an error after the first event", sum, err)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for name, change := range map[string]func(*listen.Options){
		"no receiver":    func(o *listen.Options) { o.Forward = "localhost:3000" },
		"no such format": func(o *listen.Options) { o.Format = "fax" },
		"no format":      func(o *listen.Options) { o.Format = "" },
		"no secret":      func(o *listen.Options) { o.Secret = "" },
		"a bad secret":   func(o *listen.Options) { o.Format, o.Secret = "standard", "words" },
	} {
		s := newScene(t)
		change(&s.o)
		if _, err := listen.New(s.o); problem.As(err) == nil || problem.As(err).Kind != problem.Invalid {
			t.Errorf("%s: New = %v, want a problem", name, err)
		}
	}
}
