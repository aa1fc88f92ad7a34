package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stagedoorhq/stagedoor/test/harness"
)

// inbox is a pull endpoint of the organisation.
type inbox struct {
	*org
	ID, ingest string
}

func (o *org) inbox(t *testing.T, over ...any) *inbox {
	t.Helper()
	made := o.Call(t, 201, "POST", "/v1/pull-endpoints", with(body{"event_type_source": "header", "event_type_path": "X-Type"}, over...))
	url := text(t, made, "data.ingest_url")
	return &inbox{o, text(t, made, "data.id"), url[strings.Index(url, "/v1/"):]}
}

// send posts to the ingest URL and returns the event's id.
func (b *inbox) send(t *testing.T, content []byte, media string) string {
	t.Helper()
	return text(t, b.Call(t, 202, "POST", b.ingest, content, "Content-Type", media, "X-Type", "thing.made", "X-API-Key", ""), "data.event_id")
}

// counts are how many events are stored, fetched and delivered.
func (b *inbox) counts(t *testing.T) string {
	t.Helper()
	a := b.Call(t, 200, "GET", "/v1/pull-endpoints/"+b.ID, nil).Body
	return fmt.Sprint(number(t, a, "data.counts.stored"), number(t, a, "data.counts.fetched"), number(t, a, "data.counts.delivered"))
}

// puller is a stagedoor pull that runs.
type puller struct {
	*exec.Cmd
	t     *testing.T
	lines *bufio.Scanner
	diag  bytes.Buffer
}

// pulling starts stagedoor pull in a folder.
func (b *inbox) pulling(t *testing.T, dir string, args ...string) *puller {
	t.Helper()
	p := &puller{t: t, Cmd: exec.Command(harness.Binary(t), append([]string{"pull", b.ID}, args...)...)}
	p.Env, p.Dir = append(os.Environ(), "STAGEDOOR_URL="+b.st.URL, "STAGEDOOR_KEY="+b.Key), dir
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Stderr, p.WaitDelay = &p.diag, time.Second // a command that outlives it has its standard error
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	hangs := time.AfterFunc(soon, func() { _ = p.Process.Kill() })
	t.Cleanup(func() { hangs.Stop(); _ = p.Process.Kill() })
	p.lines = bufio.NewScanner(out)
	p.lines.Buffer(nil, 8<<20)
	return p
}

// await returns the next line of a kind, that --json prints.
func (p *puller) await(what string) map[string]any {
	p.t.Helper()
	for p.lines.Scan() {
		var line map[string]any
		if err := json.Unmarshal(p.lines.Bytes(), &line); err != nil {
			p.t.Fatalf("it printed %q, which is not JSON", p.lines.Text())
		}
		if line["what"] == what {
			return line
		}
	}
	p.t.Fatalf("it ended before it said %q: %v", what, p.end())
	return nil
}

// end waits for its end and returns its status, -1 when it was killed.
func (p *puller) end() int {
	p.t.Helper()
	for p.lines.Scan() {
	}
	_ = p.Wait() // the status says it
	return p.ProcessState.ExitCode()
}

// once waits until a file is there.
func once(t *testing.T, name string) {
	t.Helper()
	eventually(t, func() bool { _, err := os.Stat(name); return err == nil })
}

func touch(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Two consumers share an endpoint: each event is run once, by one of them, with the bytes that came.
func TestPullCommandsShareAnEndpoint(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b, dir := open(t, st).inbox(t), t.TempDir()
		sent := map[string][]byte{}
		for i := range 30 {
			content := []byte(fmt.Sprintf("{ \"n\" : %d.0 }\r\n", i))
			if i%2 == 0 {
				content = append(bytes.Repeat([]byte{0, byte(i), 0xff, '\n'}, 1+1000*i), "\x80"...)
			}
			sent[b.send(t, content, "application/x-thing")] = content
		}
		command := `mkdir $STAGEDOOR_EVENT_ID || echo twice >> twice; cat > $STAGEDOOR_EVENT_ID/body
			echo "$STAGEDOOR_EVENT_TYPE $STAGEDOOR_CONTENT_TYPE $STAGEDOOR_RECEIVED_AT" > $STAGEDOOR_EVENT_ID/what`
		first := b.pulling(t, dir, "--exec", command, "--once", "--concurrency", "3", "--json")
		second := b.pulling(t, dir, "--exec", command, "--once", "--limit", "5", "--json")
		n := 0.0
		for _, p := range []*puller{first, second} {
			sum := p.await("ended")
			n += sum["acked"].(float64)
			if status := p.end(); status != 0 || sum["failed"] != 0.0 {
				t.Errorf("it ended with status %d: %v\n%s", status, sum, p.diag.String())
			}
		}
		if n != 30 || b.counts(t) != "0 0 30" {
			t.Errorf("%v were acknowledged; stored, fetched and delivered are %s", n, b.counts(t))
		}
		for event, content := range sent {
			if got, err := os.ReadFile(filepath.Join(dir, event, "body")); !bytes.Equal(got, content) {
				t.Errorf("%s: the command read %d bytes, want the %d that were sent (%v)", event, len(got), len(content), err)
			}
			what, _ := os.ReadFile(filepath.Join(dir, event, "what"))
			kind, at, _ := strings.Cut(strings.TrimSpace(string(what)), " application/x-thing ")
			if _, err := time.Parse(time.RFC3339, at); err != nil || kind != "thing.made" {
				t.Errorf("%s: its environment says %q", event, what)
			}
			if got := b.Call(t, 200, "GET", "/v1/pull-endpoints/"+b.ID+"/events/"+event+"/payload", nil); !bytes.Equal(got.Body, content) {
				t.Errorf("%s: its payload has %d bytes, want the %d that were sent", event, len(got.Body), len(content))
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "twice")); err == nil {
			t.Error("an event was run twice")
		}
	})
}

// A consumer that is killed while a command runs has acknowledged nothing of it: the event comes again, to another, when its lease is over.
func TestWhatAKilledPullCommandHadComesAgain(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b, dir := open(t, st).inbox(t), t.TempDir()
		event := b.send(t, []byte("x"), "text/plain")
		command := `echo run >> runs; : > $WHO; n=0; until [ -e go ] || [ $n -gt 6000 ]; do sleep 0.05; n=$((n+1)); done`
		first := b.pulling(t, dir, "--exec", "WHO=first; "+command, "--lease", "3s", "--json")
		t.Cleanup(func() { touch(t, filepath.Join(dir, "go")) }) // ends what the killed one leaves behind
		once(t, filepath.Join(dir, "first"))
		if err := first.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		first.end()
		if got := b.counts(t); got != "0 1 0" {
			t.Errorf("stored, fetched and delivered are %s, want that it is fetched", got)
		}
		second := b.pulling(t, dir, "--exec", "WHO=second; "+command, "--count", "1", "--json")
		once(t, filepath.Join(dir, "second"))
		touch(t, filepath.Join(dir, "go"))
		if line := second.await("acked"); line["event"] != event || line["type"] != "thing.made" {
			t.Errorf("it said %v", line)
		}
		if status := second.end(); status != 0 || b.counts(t) != "0 0 1" {
			t.Errorf("it ended with status %d; stored, fetched and delivered are %s\n%s", status, b.counts(t), second.diag.String())
		}
		if runs, _ := os.ReadFile(filepath.Join(dir, "runs")); string(runs) != "run\nrun\n" {
			t.Errorf("it was run %q, want twice", runs)
		}
	})
}

// However often consumers are killed, and wherever they are then, each event is acknowledged in the end, and none before its command has done its work.
func TestPullCommandsThatAreKilledAgainAndAgainLoseNothing(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b, dir := open(t, st).inbox(t), t.TempDir()
		const events, kills = 40, 4
		var sent []string
		for i := range events {
			sent = append(sent, b.send(t, []byte(fmt.Sprint(i)), "text/plain"))
		}
		done := func() (n int) {
			for _, event := range sent {
				if _, err := os.Stat(filepath.Join(dir, event+".done")); err == nil {
					n++
				}
			}
			return n
		}
		args := []string{"--exec", `cat > $STAGEDOOR_EVENT_ID.$$ && mv $STAGEDOOR_EVENT_ID.$$ $STAGEDOOR_EVENT_ID.done`, "--concurrency", "2", "--limit", "5", "--lease", "2s"}
		for kill := range kills {
			p := b.pulling(t, dir, args...)
			eventually(t, func() bool { return done() >= (kill+1)*events/(kills+2) })
			if err := p.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			p.end()
			a := b.Call(t, 200, "GET", "/v1/pull-endpoints/"+b.ID+"/events?status=delivered", nil)
			for _, event := range sent {
				if _, err := os.Stat(filepath.Join(dir, event+".done")); err != nil && bytes.Contains(a.Body, []byte(event)) {
					t.Errorf("%s is acknowledged though its command has not ended", event)
				}
			}
		}
		p := b.pulling(t, dir, args...)
		eventually(t, func() bool { return b.counts(t) == fmt.Sprint(0, 0, events) })
		interrupt(t, p)
		if status := p.end(); status != 0 || done() != events {
			t.Errorf("the last ended with status %d, and %d commands have done their work\n%s", status, done(), p.diag.String())
		}
		for i, event := range sent {
			if got, err := os.ReadFile(filepath.Join(dir, event+".done")); string(got) != fmt.Sprint(i) {
				t.Errorf("event %d: its command read %q (%v)", i, got, err)
			}
		}
	})
}

func TestAnEventWhosePullCommandFailsComesAgain(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b, dir := open(t, st).inbox(t), t.TempDir()
		event := b.send(t, []byte("x"), "text/plain")
		p := b.pulling(t, dir, "--exec", `echo hello; echo run >> runs; [ $(wc -l < runs) -ge 3 ]`, "--count", "3", "--json")
		for i := range 2 {
			if line := p.await("failed"); line["event"] != event || line["exit"] != 1.0 || line["nextMs"] != 1000.0*float64(i+1) {
				t.Errorf("it said %v", line)
			}
		}
		p.await("acked")
		if status := p.end(); status != 1 || b.counts(t) != "0 0 1" { // 1: of the three, some failed
			t.Errorf("it ended with status %d; stored, fetched and delivered are %s\n%s", status, b.counts(t), p.diag.String())
		}
		if got := strings.Count(p.diag.String(), "hello"); got != 3 {
			t.Errorf("with --json, what the command printed is %d times on standard error, want 3 times", got)
		}
	})
}

// The first Ctrl-C lets commands end, and gives back what waits behind them; the second ends them too.
func TestCtrlCEndsAPullCommand(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b, dir := open(t, st).inbox(t), t.TempDir()
		for range 3 {
			b.send(t, []byte("x"), "text/plain")
		}
		command := `: > started; n=0; until [ -e go ] || [ $n -gt 6000 ]; do sleep 0.05; n=$((n+1)); done`
		p := b.pulling(t, dir, "--exec", command, "--limit", "3", "--json")
		once(t, filepath.Join(dir, "started"))
		interrupt(t, p)
		touch(t, filepath.Join(dir, "go"))
		p.await("acked")
		p.await("released")
		if sum := p.await("ended"); sum["acked"] != 1.0 || p.end() != 0 {
			t.Errorf("it ended with status %d: %v\n%s", p.ProcessState.ExitCode(), sum, p.diag.String())
		}
		// What was given back is there at once, though the lease has a minute.
		dir = t.TempDir()
		p = b.pulling(t, dir, "--exec", `: > started; sh -c 'sleep 600; : > late'`)
		once(t, filepath.Join(dir, "started"))
		interrupt(t, p)
		if err := p.Process.Signal(syscall.SIGTERM); err != nil { // two signals of a kind may become one
			t.Fatal(err)
		}
		if status := p.end(); status != 1 || !strings.Contains(p.diag.String(), "interrupted") || b.counts(t) != "0 2 1" && b.counts(t) != "0 3 0" {
			t.Errorf("it ended with status %d; stored, fetched and delivered are %s\n%s", status, b.counts(t), p.diag.String())
		}
	})
}

func interrupt(t *testing.T, p *puller) {
	t.Helper()
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
}

// Without a command, each event is a line of JSON, and acknowledged unless it is to be left.
func TestPullWritesEventsDown(t *testing.T) {
	harness.OnStages(t, func(t *testing.T, st *harness.Stage) {
		b := open(t, st).inbox(t)
		first, second := b.send(t, []byte("{ \"a\":\n1.0}"), "application/json"), b.send(t, []byte{0xff}, "")
		out := b.asClient(t, "pull", b.ID, "--once", "--no-ack")
		lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
		if len(lines) != 2 || b.counts(t) != "0 2 0" {
			t.Fatalf("it wrote %s; stored, fetched and delivered are %s", out, b.counts(t))
		}
		for i, want := range []struct{ id, payload, encoding string }{{first, `{"a":1.0}`, "json"}, {second, `"/w=="`, "base64"}} {
			var got struct {
				ID       string `json:"id"`
				Type     string `json:"event_type"`
				Payload  json.RawMessage
				Encoding string `json:"payload_encoding"`
				Claim    struct{ Token string }
			}
			if err := json.Unmarshal(lines[i], &got); err != nil || got.ID != want.id || got.Type != "thing.made" || string(got.Payload) != want.payload ||
				got.Encoding != want.encoding || got.Claim.Token == "" {
				t.Errorf("it wrote %s (%v)", lines[i], err)
			}
			b.Call(t, 200, "POST", "/v1/pull-endpoints/"+b.ID+"/claims/release", body{"token": got.Claim.Token})
		}
		out = b.asClient(t, "pull", b.ID, "--count", "2", "--limit", "1")
		if bytes.Count(out, []byte("\n")) != 2 || bytes.Contains(out, []byte("token")) || b.counts(t) != "0 0 2" {
			t.Errorf("it wrote %s; stored, fetched and delivered are %s", out, b.counts(t))
		}
		if out := b.asClient(t, "pull", b.ID, "--once"); len(out) != 0 {
			t.Errorf("of nothing it wrote %s", out)
		}
	})
}
