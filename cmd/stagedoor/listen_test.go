package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stagedoorhq/stagedoor/internal/listen/listentest"
	"github.com/stagedoorhq/stagedoor/webhook"
)

// listener is a stagedoor listen that runs.
type listener struct {
	*exec.Cmd
	t     *testing.T
	lines *bufio.Scanner
	diag  bytes.Buffer
	all   strings.Builder // of its standard output
}

// listening starts stagedoor listen --json with the home folder and arguments.
func listening(t *testing.T, home string, s *listentest.Stream, args ...string) *listener {
	t.Helper()
	l := &listener{t: t, Cmd: exec.Command("stagedoor", append([]string{"listen", "--json"}, args...)...)}
	l.Env = append(os.Environ(), "HOME="+home, "XDG_STATE_HOME=", "STAGEDOOR_KEY="+listentest.Key, "STAGEDOOR_URL="+s.URL)
	out, err := l.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	l.Stderr = &l.diag
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	hangs := time.AfterFunc(time.Minute, func() { _ = l.Process.Kill() })
	t.Cleanup(func() { hangs.Stop(); _ = l.Process.Kill() })
	l.lines = bufio.NewScanner(out)
	return l
}

// await returns the next line of a kind.
func (l *listener) await(what string) map[string]any {
	l.t.Helper()
	for l.lines.Scan() {
		l.all.WriteString(l.lines.Text() + "\n")
		var line map[string]any
		if err := json.Unmarshal(l.lines.Bytes(), &line); err != nil {
			l.t.Fatalf("it printed %q, which is not JSON", l.lines.Text())
		}
		if line["what"] == what {
			return line
		}
	}
	l.t.Fatalf("it ended before it said %q:\n%s%s", what, l.all.String(), l.diag.String())
	return nil
}

// interrupt ends it as Ctrl-C does, and returns its summary.
func (l *listener) interrupt() map[string]any {
	l.t.Helper()
	if err := l.Process.Signal(os.Interrupt); err != nil {
		l.t.Fatal(err)
	}
	sum := l.await("ended")
	if err := l.Wait(); err != nil {
		l.t.Errorf("it ended with %v\n%s", err, l.diag.String())
	}
	return sum
}

func TestListenPrintsItsSecretAndSignsWithIt(t *testing.T) {
	s, home := listentest.New(t), t.TempDir()
	type delivery struct {
		header http.Header
		body   []byte
	}
	came := make(chan delivery, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		came <- delivery{r.Header.Clone(), body}
	}))
	defer receiver.Close()
	l := listening(t, home, s, "--forward", receiver.URL, "--format", "standard")
	secret, _ := l.await("listening")["secret"].(string)
	l.await("connected")
	id := s.Send("order.confirmed", `{"type":"order.confirmed"}`)
	line := l.await("posted")
	if line["event"] != "order.confirmed" || line["id"] != id || line["status"] != 200.0 {
		t.Errorf("it printed %v", line)
	}
	v, err := webhook.NewVerifier(webhook.Standard, webhook.Key{Text: secret})
	if err != nil {
		t.Fatal(err)
	}
	d := <-came
	if _, err := v.Verify(d.header, d.body, time.Now()); err != nil {
		t.Errorf("the delivery does not verify with the secret that was printed: %v", err)
	}
	if agent := d.header.Get("User-Agent"); agent != "Stagedoor-Webhooks/1" {
		t.Errorf("User-Agent is %q, want that of a server's deliveries", agent)
	}
	if sum := l.interrupt(); sum["events"] != 1.0 || sum["success"] != 1.0 {
		t.Errorf("it ended with %v", sum)
	}
	if strings.Contains(l.all.String()+l.diag.String(), listentest.Key) {
		t.Error("it printed the key")
	}
}

// TestListenKilledRepeatsAtMostWhatWasUnderWay kills it again and again while it is at work: each next run goes on, leaves nothing out, keeps the order, and
// repeats at most one event, with the same delivery id.
func TestListenKilledRepeatsAtMostWhatWasUnderWay(t *testing.T) {
	s, home := listentest.New(t), t.TempDir()
	const events, kills = 60, 5
	type delivery struct{ id, body string }
	came := make(chan delivery, 10*events)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		came <- delivery{r.Header.Get("X-Pullup-Delivery"), string(body)}
	}))
	defer receiver.Close()
	first := listening(t, home, s, "--forward", receiver.URL)
	first.await("connected")
	for i := range events {
		s.Send("acme.x", strconv.Itoa(i))
	}
	var all []delivery
	l := first
	for kill := range kills {
		for len(all) < (kill+1)*events/(kills+2) {
			all = append(all, <-came)
		}
		_ = l.Process.Kill()
		_ = l.Wait()
		l = listening(t, home, s, "--forward", receiver.URL)
	}
	for last := strconv.Itoa(events - 1); all[len(all)-1].body != last; {
		all = append(all, <-came)
	}
	l.await("posted")
	l.interrupt()
	if repeats := len(all) - events; repeats < 0 || repeats > kills {
		t.Errorf("%d deliveries of %d events with %d kills", len(all), events, kills)
	}
	ids := map[string]string{}
	for _, d := range all {
		if id, again := ids[d.body]; again && id != d.id {
			t.Errorf("event %s came as delivery %s and as %s", d.body, id, d.id)
		}
		ids[d.body] = d.id
	}
	all = slices.CompactFunc(all, func(a, b delivery) bool { return a.body == b.body })
	var bodies, want []string
	for i := range events {
		want = append(want, strconv.Itoa(i))
	}
	for _, d := range all {
		bodies = append(bodies, d.body)
	}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Errorf("came, without repeats (-want +got):\n%s", diff)
	}
	if files, _ := filepath.Glob(filepath.Join(home, ".local", "state", "stagedoor", "listen", "*.json")); len(files) != 1 {
		t.Errorf("state files: %v, want one", files)
	}
}

func TestListenEndsAfterItsCount(t *testing.T) {
	s := listentest.New(t)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	defer receiver.Close()
	state := filepath.Join(t.TempDir(), "s.json")
	l := listening(t, "", s, "--forward", receiver.URL, "--count", "2", "--state", state, "--no-catch-up")
	l.await("connected")
	for range 3 {
		s.Send("acme.x", "{}")
	}
	if sum := l.await("ended"); sum["events"] != 2.0 || sum["success"] != 0.0 {
		t.Errorf("it ended with %v", sum)
	}
	if err := l.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if text, err := os.ReadFile(state); err != nil || !strings.Contains(string(text), `"lastEventId":"2"`) {
		t.Errorf("the state file: %s, %v", text, err)
	}
}

// Anybody may send to a developer endpoint, and what they send is printed.
func TestListenKeepsStrangersOffTheTerminal(t *testing.T) {
	s := listentest.New(t)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer receiver.Close()
	s.SendDev("\x1b]0;mine\a\nticket.purchased", "{}", nil)
	state := filepath.Join(t.TempDir(), "s.json")
	if err := os.WriteFile(state, []byte(`{"dev":"DEV-A3K9","lastEventId":"0"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("stagedoor", "listen", "--forward", receiver.URL, "--dev", "DEV-A3K9", "--count", "1", "--state", state)
	cmd.Env = append(os.Environ(), "STAGEDOOR_KEY="+listentest.Key, "STAGEDOOR_URL="+s.URL)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(`"\x1b]0;mine\a\nticket.purchased"`)) || bytes.ContainsAny(out, "\x1b\a") {
		t.Errorf("it printed %q, %v", out, err)
	}
}
